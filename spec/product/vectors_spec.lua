-- Products in which one side is a vector: src/product/vectors.c, in every way of storage, where
-- they are one block and where they are cut.

local naive = require "spec.support.naive"

-- Of C's long side and the inner size. The second and third are cut into blocks; the last block of
-- the third is a single element, which has the shape of a row and of a column.
local SIZES = { { 7, 90 }, { 300, 1700 }, { 17, 20000 } }

for _, name in ipairs(naive.types) do
  local core = require("perilune.core." .. name)
  local tolerance = 100 * naive.tolerance[name]

  describe("a product with a vector in " .. name, function()
    for _, size in ipairs(SIZES) do
      local long, k = table.unpack(size)

      it(("is right for %d sums of %d products"):format(long, k), function()
        local g = core.generator(3)
        local M, x = g:uniform(core.matrix(long, k), -1, 1), g:uniform(core.matrix(k, 1), -1, 1)
        local m, values = M:totable(), x:totable()
        local expected = {}
        for i = 1, long do
          local sum = 0
          for l = 1, k do sum = sum + m[i][l] * values[l][1] end
          expected[i] = sum
        end
        for _, order in ipairs { "columns", "rows" } do
          local stored = M:copy(order)
          local column = core.product(core.matrix(long, 1), stored, x)
          local row = core.product(core.matrix(1, long), x, stored, "TT")
          local more = core.product(core.matrix(1, long):fill(2), x, stored, "TT", true)
          for i = 1, long do
            naive.near_number(column:get(i, 1), expected[i], tolerance)
            naive.near_number(row:get(1, i), expected[i], tolerance)
            naive.near_number(more:get(1, i), 2 + expected[i], tolerance)
          end
        end
      end)
    end

    it("is every product of two vectors' elements where the inner size is 1", function()
      local g = core.generator(4)
      local a, b = g:uniform(core.matrix(37, 1), -1, 1), g:uniform(core.matrix(53, 1), -1, 1)
      local C = core.product(core.matrix(37, 53), a, b, "NT")
      for i = 1, 37 do
        for j = 1, 53 do
          naive.near_number(C:get(i, j), a:get(i, 1) * b:get(j, 1), tolerance)
        end
      end
    end)
  end)
end
