-- Small products, of every way in which rows and columns can be left over from the tiles.

local naive = require "spec.support.naive"

local ROWS = { 8, 15, 16, 17, 47, 64, 70, 131 }
local COLS = { 2, 3, 5, 7, 10, 13 }
local INNER = { 2, 31, 64, 65, 203 }

for _, name in ipairs { "float32", "float64" } do
  local core = require("perilune.core." .. name)
  local tolerance = name == "float32" and 1e-4 or 1e-12

  describe("a product in " .. name, function()
    for _, transposed in ipairs { "NN", "NT", "TN", "TT" } do
      it("is right whatever is left over from the tiles, " .. transposed, function()
        local g = core.generator(7)
        for _, m in ipairs(ROWS) do
          for _, n in ipairs(COLS) do
            for _, k in ipairs(INNER) do
              local A = g:uniform(core.matrix(m, k), -1, 1)
              local B = g:uniform(core.matrix(k, n), -1, 1)
              local expected = naive.product(A:totable(), B:totable())
              if transposed:sub(1, 1) == "T" then A = A:transpose() end
              if transposed:sub(2, 2) == "T" then B = B:transpose() end
              local C = core.matrix(m, n):fill(0 / 0)
              naive.near(core.product(C, A, B, transposed), expected, tolerance)
            end
          end
        end
      end)
    end

    it("passes NaN and infinity on, even by a weight of 0", function()
      local A, B = core.matrix(64, 64), core.matrix(64, 8):fill(1)
      A:set(5, 6, 0 / 0)
      B:set(9, 3, math.huge)
      local C = core.product(core.matrix(64, 8), A, B)
      for i = 1, 64 do
        for j = 1, 8 do
          local is_nan = C:get(i, j) ~= C:get(i, j)
          assert.equal(i == 5 or j == 3, is_nan)
        end
      end
    end)
  end)
end
