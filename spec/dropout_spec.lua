-- Random elements dropped in one pass: src/dropout.c.

local naive = require "spec.support.naive"
local pl = require "perilune"

for _, name in ipairs(naive.types) do
  local core = pl[name]

  -- 1 where an element stays, else 0
  local function mask(rows, cols, p, key)
    local M = core.matrix(rows, cols):fill(1)
    return core.dropout(M, M, p, key, 1)
  end

  describe("dropout in " .. name, function()
    it("drops with its probability, wherever in the matrix", function()
      for _, p in ipairs { 0.01, 0.3, 0.5, 0.99 } do
        for _, shape in ipairs { { 100, 1000 }, { 1, 100000 } } do
          local M = mask(shape[1], shape[2], p, 7)
          local deviation = math.sqrt(p * (1 - p) / 1e5)
          assert.near(1 - p, M:mean(), 5 * deviation)
          local halves = { M:columns(1, shape[2] // 2), M:columns(shape[2] // 2 + 1, shape[2]) }
          for _, half in ipairs(halves) do assert.near(1 - p, half:mean(), 8 * deviation) end
        end
      end
      assert.equal(1, mask(30, 30, 0, 7):min())
    end)

    it("drops elements independently of their neighbours and of other keys", function()
      local n = 2 ^ 18 | 0
      local M, other = mask(1, n, 0.5, 1), mask(1, n, 0.5, 2)
      local centered = core.subtract(core.matrix(1, n), M, 0.5)
      core.subtract(other, other, 0.5)
      local function correlation(A, B) return 4 * core.hadamard(B:copy(), A, B):sum() / A.cols end
      for _, lag in ipairs { 1, 2, 15, 16, 17, 32, 64, 4095, 4096, 4097, 8192 } do
        local A, B = centered:columns(1, n - lag), centered:columns(lag + 1, n)
        assert.near(0, correlation(A, B), 5 / math.sqrt(n)) -- five standard deviations
      end
      assert.near(0, correlation(centered, other), 5 / math.sqrt(n))
    end)

    it("scales and shifts what stays, and sets the others", function()
      local X = naive.random(core, 1, 13, 400)
      local kept = mask(13, 400, 0.3, 5):totable()
      local A = core.dropout(core.matrix(13, 400), X, 0.3, 5, 2, 0.5, -3)
      naive.near(A, naive.zip(function(m, x) return m == 1 and 2 * x + 0.5 or -3 end, kept,
        X:totable()), naive.tolerance[name])
      core.dropout(X, X, 0.3, 5, 2, 0.5, -3)
      naive.near(X, A:totable(), 0)
    end)

    it("is the same for the first elements, whatever follows, and for any threads", function()
      local all = mask(1, 20000, 0.4, -9)
      for _, n in ipairs { 1, 15, 16, 17, 4095, 4096, 4097, 10001 } do
        naive.near(mask(1, n, 0.4, -9), all:columns(1, n):totable(), 0)
      end
      local bits = mask(300, 700, 0.4, 3):encode(name)
      core.threads(3)
      local more = mask(300, 700, 0.4, 3):encode(name)
      core.threads(1)
      assert.equal(bits, more)
    end)

    it("keeps what is no number to be seen", function()
      local M = core.matrix(1, 1000):fill(naive.nan)
      core.dropout(M, M, 0.5, 1, 2)
      for n = 1, 1000 do assert.is_true(M:get(1, n) ~= M:get(1, n)) end
    end)

    it("refuses wrong arguments and changes nothing", function()
      local A, X = naive.random(core, 1, 3, 4), naive.random(core, 2, 3, 4)
      for _, p in ipairs { -0.1, 1, naive.nan } do
        naive.refuses(A, "probability of 0 or more and below 1 expected",
          function() core.dropout(A, X, p, 1, 1) end)
      end
      naive.refuses(A, "number expected, got string", function() core.dropout(A, X, "0", 1, 1) end)
      naive.refuses(A, "no integer representation", function() core.dropout(A, X, 0.5, 0.5, 1) end)
      naive.refuses(A, "number expected, got no value",
        function() core.dropout(A, X, 0.5, 1) end)
      naive.refuses(A, "3 x 4 matrix expected", function() core.dropout(A, X:t(), 0.5, 1, 1) end)
      naive.refuses(A, "stored by columns",
        function() core.dropout(A, X:copy "rows", 0.5, 1, 1) end)
      naive.refuses(A, "share no memory", function()
        core.dropout(A:columns(1, 2), A:view(2, 3, 2), 0.5, 1, 1)
      end)
    end)
  end)
end
