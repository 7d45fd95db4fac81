-- Products of every way in which rows, columns and inner elements can be left over from the tiles,
-- and larger ones that are taken in parts.

local naive = require "spec.support.naive"

local ROWS = { 8, 15, 16, 17, 47, 64, 70, 131 }
local COLS = { 2, 3, 5, 7, 10, 13 }
local INNER = { 2, 31, 64, 65, 203 }

-- Rows, columns and inner size: more rows than are taken at once, inner sizes that are taken in two
-- and in three parts, operands whose columns lie a multiple of 4 KiB apart, columns enough for A to
-- be copied, rows enough for B; and the latter with more columns, inner elements and rows than are
-- copied at once.
local LARGE = {
  { 300, 9, 1100 }, { 70, 7, 2500 }, { 40, 8, 1024 }, { 150, 13, 2048 }, { 1024, 5, 600 },
  { 67, 257, 65 }, { 75, 300, 90 }, { 1030, 1030, 520 }, { 12, 35, 20 }, { 40, 500, 60 },
  { 40, 50, 600 }, { 140, 150, 48 }, { 130, 40, 200 }, { 1100, 33, 40 },
}

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
              local S = core.product(core.matrix(m, n):fill(3), A, B, transposed, true)
              local sum = naive.zip(function(e) return 3 + e end, expected)
              naive.near(S, sum, tolerance)
            end
          end
        end
      end)
    end

    for _, transposed in ipairs { "NN", "NT", "TN" } do
      it("is right where it is taken in parts, " .. transposed, function()
        local g = core.generator(8)
        for _, shape in ipairs(LARGE) do
          local m, n, k = table.unpack(shape)
          local A = g:uniform(core.matrix(m, k), -1, 1)
          local B = g:uniform(core.matrix(k, n), -1, 1)
          local a, b = A:totable(), B:totable()
          if transposed == "TN" then A = A:transpose() end
          if transposed == "NT" then B = B:transpose() end
          local C = core.product(core.matrix(m, n):fill(0 / 0), A, B, transposed)
          local S = core.product(core.matrix(m, n):fill(3), A, B, transposed, true)
          -- A diagonal and the last row: all of it would take Lua seconds.
          for step = 0, m + n - 1 do
            local i = step < m and step + 1 or m
            local j = step % n + 1
            local sum = 0
            for l = 1, k do sum = sum + a[i][l] * b[l][j] end
            naive.near_number(C:get(i, j), sum, 10 * tolerance)
            naive.near_number(S:get(i, j), 3 + sum, 10 * tolerance)
          end
        end
      end)
    end

    -- Products that are multiplied from copies of both operands: rows, columns and inner elements
    -- more and fewer than whole slivers, panels and slabs. So large that each is looked at in some
    -- places only: where blocks and copies begin and end, and along a diagonal.
    for _, transposed in ipairs { "NN", "NT", "TN" } do
      it("is right where both operands are copied, " .. transposed, function()
        local g = core.generator(9)
        for _, shape in ipairs { { 2049, 2051, 513 }, { 2111, 2048, 520 }, { 1601, 2700, 385 } } do
          local m, n, k = table.unpack(shape)
          local A = g:uniform(core.matrix(m, k), -1, 1)
          local B = g:uniform(core.matrix(k, n), -1, 1)
          local a = (transposed == "TN") and A:transpose() or A
          local b = (transposed == "NT") and B:transpose() or B
          local C = core.product(core.matrix(m, n):fill(0 / 0), a, b, transposed)
          local S = core.product(core.matrix(m, n):fill(3), a, b, transposed, true)
          local function check(i, j)
            local sum = 0
            for l = 1, k do sum = sum + A:get(i, l) * B:get(l, j) end
            naive.near_number(C:get(i, j), sum, 10 * tolerance)
            naive.near_number(S:get(i, j), 3 + sum, 10 * tolerance)
          end
          for _, i in ipairs { 1, 63, 64, 65, 511, 512, 513, m - 1, m } do
            for _, j in ipairs { 1, 5, 6, 7, 8, 511, 512, 513, 1025, n - 6, n - 1, n } do
              check(i, j)
            end
          end
          for step = 0, n, 31 do check(step % m + 1, step % n + 1) end
          assert.is_true(C:is_finite())  -- each element was written
        end
      end)
    end

    it("writes nothing beside its result", function()
      local shapes = { { 3, 5, 70 }, { 21, 7, 9 }, { 70, 11, 300 }, { 75, 300, 90 } }
      for _, shape in ipairs(shapes) do
        local m, n, k = table.unpack(shape)
        for _, transposed in ipairs { "NN", "NT", "TN" } do
          local whole = core.matrix(m * n + 128, 1):fill(9)
          local C = whole:view(65, m, n)
          local A, B = core.matrix(m, k):fill(1), core.matrix(k, n):fill(1)
          if transposed == "TN" then A = A:transpose() end
          if transposed == "NT" then B = B:transpose() end
          core.product(C, A, B, transposed)
          core.product(C, A, B, transposed, true)
          for e = 1, m * n + 128 do
            local is_inside = e > 64 and e <= 64 + m * n
            assert.equal(is_inside and 2 * k or 9, whole:get(e, 1))
          end
        end
      end
    end)

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
