-- Cholesky factors, and equations solved by them, against products in loops.

local naive = require "spec.support.naive"
local pl = require "perilune"
local raises = require "spec.support.raises"

for _, dtype in ipairs(naive.types) do
  local core = pl[dtype]
  local tolerance = dtype == "float64" and 1e-11 or 1e-3

  -- A = M^t M + I, positive definite, as rows
  local function definite(n, seed)
    local M = naive.random(core, seed, n + 1, n):totable()
    local A = naive.product(M, M, "TN")
    for i = 1, n do A[i][i] = A[i][i] + 1 end
    return A
  end

  describe("Cholesky's factor, " .. dtype, function()
    it("is upper triangular, and A is its transpose times it", function()
      for _, n in ipairs { 1, 2, 3, 7, 16, 33, 100 } do
        local A = definite(n, n)
        local R = core.matrix(n, n):fill(7)
        assert.is_true(rawequal(R, core.cholesky(R, core.matrix(A))))
        local rows = R:totable()
        for i = 1, n do
          assert.is_true(rows[i][i] > 0)
          for j = 1, i - 1 do assert.equal(0, rows[i][j]) end
        end
        naive.near(core.matrix(naive.product(rows, rows, "TN")), A, tolerance)
      end
    end)

    it("is of the upper triangle, whatever is below", function()
      local A = definite(5, 1)
      local expected = core.cholesky(core.matrix(5, 5), core.matrix(A))
      for i = 1, 5 do
        for j = 1, i - 1 do A[i][j] = 0 / 0 end
      end
      local R = core.cholesky(core.matrix(5, 5), core.matrix(A))
      assert.same(expected:totable(), R:totable())
    end)

    it("is one by hand", function()
      local R = core.cholesky(core.matrix(2, 2), core.matrix { { 4, 2 }, { 2, 10 } })
      assert.same({ { 2, 1 }, { 0, 3 } }, R:totable())
    end)

    it("is nil where A is not positive definite", function()
      for _, A in ipairs {
        { { 0 } }, { { -1 } }, { { 1, 2 }, { 2, 4 } }, { { 1, 2 }, { 2, 1 } }, { { 0 / 0 } },
        { { 1, 0 / 0 }, { 0 / 0, 1 } }, { { 1 / 0 } },
      } do
        assert.is_nil(core.cholesky(core.matrix(#A, #A), core.matrix(A)))
      end
    end)

    it("solves equations, also in place", function()
      for _, n in ipairs { 1, 2, 5, 30 } do
        local A, X = definite(n, n), naive.random(core, 3, n, 4):totable()
        local B = core.matrix(naive.product(A, X))
        local R = core.cholesky(core.matrix(n, n), core.matrix(A))
        local solution = core.matrix(n, 4)
        assert.is_true(rawequal(solution, core.cholesky_solve(solution, R, B)))
        naive.near(solution, X, tolerance)
        core.cholesky_solve(B, R, B)
        assert.same(solution:totable(), B:totable())
      end
    end)

    it("refuses what does not fit, and changes nothing", function()
      local A = core.matrix(definite(4, 1))
      local R, B, by_rows = core.matrix(4, 4), core.matrix(4, 2), core.matrix(4, 4, "rows")
      R:fill(0)
      B:fill(1)
      naive.refuses(R, "4 x 4 matrix expected, got 3 x 3",
        function() core.cholesky(R, core.matrix(3, 3)) end)
      naive.refuses(R, "stored by columns", function() core.cholesky(R, by_rows) end)
      naive.refuses(A, "share memory with argument", function() core.cholesky(A, A) end)
      naive.refuses(B, "4 x 4 matrix expected, got 3 x 3",
        function() core.cholesky_solve(B, core.matrix(3, 3), B) end)
      naive.refuses(B, "4 x 2 matrix expected, got 4 x 3",
        function() core.cholesky_solve(B, R, core.matrix(4, 3)) end)
      naive.refuses(B, "stored by columns", function() core.cholesky_solve(B, by_rows, B) end)
      raises("4 x 4 matrix expected, got 4 x 2", core.cholesky, B, A)
      raises("expected", core.cholesky, R, pl[naive.other[dtype]].matrix(4, 4))
      raises("share memory with argument", core.cholesky_solve, R:view(1, 4, 2), R, B)
      raises("must be argument #3 itself or share no memory", core.cholesky_solve,
        A:view(2, 4, 2), R, A:view(1, 4, 2))
    end)
  end)
end
