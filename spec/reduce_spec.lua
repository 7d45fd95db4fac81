-- Sums, norm, extremes, largest rows, counts: src/reduce.c.

local child = require "spec.support.child"
local naive = require "spec.support.naive"
local raises = require "spec.support.raises"

local cores = {
  float32 = require "perilune.core.float32",
  float64 = require "perilune.core.float64",
}
local orders = { "columns", "rows" }
local shapes = { { 1, 1 }, { 1, 7 }, { 7, 1 }, { 3, 4 }, { 16, 16 }, { 33, 65 } }
local nan, infinity = naive.nan, naive.infinity

local function is_nan(x) return x ~= x end

for _, name in ipairs(naive.types) do
  local core = cores[name]
  local tolerance = naive.tolerance[name]

  -- check(M, t) for matrices of all shapes in both orders, t their table of rows
  local function each(check)
    for seed, shape in ipairs(shapes) do
      for _, order in ipairs(orders) do
        local M = naive.random(core, seed, shape[1], shape[2], order)
        check(M, M:totable())
      end
    end
  end

  local function fold(t, start, f)
    local result = start
    for _, row in ipairs(t) do
      for _, x in ipairs(row) do result = f(result, x) end
    end
    return result
  end

  -- What is cut into pieces, of about 32768 elements: whole numbers, so that every sum is exact
  describe("the reduction of a large matrix in " .. name, function()
    local large = {
      { 1, 100003 }, { 100003, 1 }, { 300, 301 }, { 5, 40000 }, { 40000, 5 },
    }

    -- check(M, f) for matrices of all shapes in both orders, f(i, j) being element (i, j)
    local function each_large(check)
      for _, shape in ipairs(large) do
        local rows, cols = shape[1], shape[2]
        local column, row = core.matrix(rows, 1), core.matrix(1, cols)
        for i = 1, rows do column:set(i, 1, i % 101) end
        for j = 1, cols do row:set(1, j, j % 13) end
        for _, order in ipairs(orders) do
          check(core.add(core.matrix(rows, cols, order), column, row),
            function(i, j) return i % 101 + j % 13 end)
        end
      end
    end

    it("misses no element", function()
      each_large(function(M, f)
        local sum, squares, largest = 0, 0, 0
        for i = 1, M.rows do
          for j = 1, M.cols do
            local x = f(i, j)
            sum, squares, largest = sum + x, squares + x * x, math.max(largest, x)
          end
        end
        assert.equal(sum, M:sum())
        naive.near_number(M:norm(), math.sqrt(squares), 1e-12)
        assert.equal(largest, M:max())
        assert.equal(-largest, (-M):min())
        assert.equal(sum, core.sum_columns(core.matrix(M.rows, 1), M):sum())
        assert.equal(sum, core.sum_rows(core.matrix(1, M.cols), M):sum())
        assert.equal(M.rows * M.cols, core.count_equal(M, M:copy "rows"))
      end)
    end)

    it("finds one element wherever it is", function()
      each_large(function(M)
        M:fill(0)
        local ones = core.matrix(1, M.cols):fill(1)
        local size = M.rows * M.cols
        for k = 0, 20 do
          local place = 1 + (size - 1) * k // 20
          local element = M:view(place, 1, 1)
          assert.is_true(M:is_finite())
          element:fill(infinity)
          assert.is_false(M:is_finite())
          assert.equal(infinity, M:norm())
          element:fill(nan)
          assert.is_false(M:is_finite())
          assert.is_true(is_nan(M:max()) and is_nan(M:min()) and is_nan(M:sum()))
          assert.is_true(is_nan(M:norm()))
          local by_columns = M.order == "columns"
          local i, j = (place - 1) % M.rows, (place - 1) // M.rows
          if not by_columns then i, j = (place - 1) // M.cols, (place - 1) % M.cols end
          raises(("NaN in column %d"):format(j + 1), M.argmax, M)
          element:fill(2)
          assert.equal(2, M:max())
          assert.equal(size - 1, core.count_equal(M, 0 * M))
          local rows = M:argmax()
          assert.equal(i + 1, rows:get(1, j + 1))
          assert.is_true(core.count_equal(rows, ones) >= M.cols - 1)
          element:fill(-2)
          assert.equal(-2, M:min())
          element:fill(0)
        end
      end)
    end)
  end)

  describe("reduction in " .. name, function()
    describe("sum", function()
      it("adds all elements, in double", function()
        each(function(M, t)
          local wanted = fold(t, 0, function(total, x) return total + x end)
          naive.near_number(M:sum(), wanted, 1e-12)
        end)
      end)

      it("loses no small terms of a long sum", function()
        local M = core.matrix(1000, 1000):fill(0.1)
        naive.near_number(M:sum() / M:get(1, 1), 1e6, 1e-9)
        local large = core.matrix(1, 1001):fill(1):set(1, 1, 2 ^ 24)
        assert.equal(2 ^ 24 + 1000, large:sum())
      end)

      it("passes on NaN and infinity", function()
        assert.equal(infinity, core.matrix({ { 1, infinity } }):sum())
        assert.is_true(is_nan(core.matrix({ { infinity, -infinity } }):sum()))
        assert.is_true(is_nan(core.matrix(40, 3):set(40, 3, nan):sum()))
      end)
    end)

    describe("norm", function()
      it("is the square root of the sum of squares", function()
        each(function(M, t)
          local squares = fold(t, 0, function(total, x) return total + x * x end)
          naive.near_number(M:norm(), math.sqrt(squares), 1e-12)
        end)
        assert.equal(5, core.matrix({ { 3, -4 } }):norm())
        assert.equal(0, core.matrix(3, 3):norm())
      end)

      it("of zeros is 0, not -0", function()
        for _, zero in ipairs { 0.0, -0.0 } do
          for _, size in ipairs { 1, 40, 100003 } do
            assert.equal(infinity, 1 / core.matrix(size, 1):fill(zero):norm())
          end
        end
      end)

      it("of denormals is 0", function()
        local tiny = name == "float32" and 2.0 ^ -140 or 2.0 ^ -1060
        for _, size in ipairs { 1, 5, 40, 100003 } do
          local M = core.matrix(size, 1):fill(tiny)
          assert.equal(0, M:norm())
          assert.equal(0, (-M):norm())
        end
      end)

      it("neither overflows nor vanishes where only the squares do", function()
        for _, x in ipairs { 2.0 ^ 100, name == "float64" and 2.0 ^ 1000 or 1 } do
          assert.equal(5 * x, core.matrix({ { 3 * x, -4 * x } }):norm())
          assert.equal(5 / x, core.matrix({ { -3 / x, 4 / x } }):norm())
        end
      end)

      it("passes on NaN and infinity", function()
        assert.equal(infinity, core.matrix({ { 1, -infinity } }):norm())
        assert.is_true(is_nan(core.matrix({ { 1, nan } }):norm()))
      end)
    end)

    describe("max and min", function()
      it("are the largest and the smallest element", function()
        each(function(M, t)
          assert.equal(fold(t, -infinity, math.max), M:max())
          assert.equal(fold(t, infinity, math.min), M:min())
        end)
      end)

      it("are NaN if an element is, wherever it is", function()
        for place = 1, 5 do
          local M = core.matrix({ { 1, -2, 3, 2, 0 } }):set(1, place, nan)
          assert.is_true(is_nan(M:max()))
          assert.is_true(is_nan(M:min()))
        end
      end)

      it("know infinities", function()
        local M = core.matrix { { 1, infinity }, { -infinity, 2 } }
        assert.equal(infinity, M:max())
        assert.equal(-infinity, M:min())
        assert.equal(-infinity, core.matrix(2, 2):fill(-infinity):max())
      end)
    end)

    describe("is_finite", function()
      it("is false for one NaN or infinity anywhere", function()
        each(function(M)
          assert.is_true(M:is_finite())
          for _, x in ipairs { nan, infinity, -infinity } do
            for _, place in ipairs { { 1, 1 }, { M.rows, M.cols }, { M.rows, 1 } } do
              local old = M:get(place[1], place[2])
              assert.is_false(M:set(place[1], place[2], x):is_finite())
              M:set(place[1], place[2], old)
            end
          end
          assert.is_true(M:is_finite())
        end)
      end)

      it("is true for the largest and the smallest numbers", function()
        local largest = name == "float32" and 0x1.fffffep127 or 0x1.fffffffffffffp1023
        local M = core.matrix { { largest, -largest, 0, -0.0, largest / 2 ^ 60 } }
        assert.is_true(M:is_finite())
      end)
    end)

    describe("argmax", function()
      it("is the row of the largest element of each column", function()
        each(function(M, t)
          local R = M:argmax()
          assert.equal(1, R.rows)
          assert.equal(M.cols, R.cols)
          for j = 1, M.cols do
            local best = 1
            for i = 2, M.rows do
              if t[i][j] > t[best][j] then best = i end
            end
            assert.equal(best, R:get(1, j))
          end
        end)
      end)

      it("is the first of equal ones", function()
        local M = core.matrix { { 1, 2, -2, 0 }, { 3, 2, -1, -0.0 }, { 3, 1, -1, 0 } }
        for _, order in ipairs(orders) do
          assert.same({ { 2, 1, 2, 1 } }, M:copy(order):argmax():totable())
        end
        assert.same({ { 1 } }, core.matrix(3, 1):fill(-infinity):argmax():totable())
      end)

      it("goes into a given matrix, which it returns", function()
        local M = core.matrix { { 1, 5 }, { 2, 4 } }
        local R = core.matrix(1, 2)
        assert.equal(R, M:argmax(R))
        assert.same({ { 2, 1 } }, R:totable())
        assert.same({ { 2, 1 } }, M:argmax(nil):totable())
      end)

      it("raises where a column holds NaN, naming it", function()
        local R = core.matrix { { 7, 8, 9 } }
        for i = 1, 3 do
          local M = naive.random(core, 1, 3, 3):set(i, 2, nan)
          naive.refuses(R, "NaN in column 2", function() M:argmax(R) end)
          naive.refuses(R, "NaN in column 2", function() M:copy("rows"):argmax(R) end)
        end
      end)

      it("finds a NaN that a finaliser puts there while the result is made", function()
        assert.equal("true\ttrue\n", child.run(([[
          local core = require "perilune.core.%s"
          local M = core.matrix(2, 200)
          local errors, wrong = 0, 0
          local again = {}
          function again.__gc()
            M:fill(0 / 0)
            setmetatable({}, again)
          end
          setmetatable({}, again)
          for _ = 1, 20000 do
            M:fill(7)
            local ok, R = pcall(M.argmax, M)
            if not ok then errors = errors + 1 elseif R:min() ~= 1 then wrong = wrong + 1 end
          end
          print(wrong == 0, errors > 0)]]):format(name)))
      end)

      it("refuses results of another shape or type, or within the matrix", function()
        local M = naive.random(core, 2, 3, 4)
        naive.refuses(M, "1 x 4 matrix expected, got 3 x 4", function() M:argmax(M) end)
        naive.refuses(M, "1 x 4 matrix expected, got 4 x 1",
          function() M:argmax(core.matrix(4, 1)) end)
        naive.refuses(M, "expected, got number", function() M:argmax(1) end)
        naive.refuses(M, "share memory with the matrix itself",
          function() M:argmax(M:view(2, 1, 4)) end)
      end)

      -- Above 2^24 not every whole number is a float32.
      it("is exact for rows that the type can count, and refuses more", function()
        if name == "float64" then return end
        local M = core.matrix(2 ^ 24 + 1, 1):set(2 ^ 24 + 1, 1, 1)
        local ok, R = pcall(M.argmax, M)
        assert.is_true(not ok or R:get(1, 1) == 2 ^ 24 + 1, "a wrong row")
      end)
    end)

    describe("argmin", function()
      it("is argmax of what is negated", function()
        each(function(M)
          naive.near(M:argmin(), (-M):argmax():totable(), 0)
        end)
        local R = core.matrix(1, 2)
        assert.equal(R, core.matrix({ { 1, 5 }, { 1, 4 }, { 2, 4 } }):argmin(R))
        assert.same({ { 1, 2 } }, R:totable())
        raises("NaN in column 2", R.argmin, core.matrix { { 1, nan } })
      end)
    end)

    describe("mean and deviation", function()
      local function mean(x) return naive.sum(#x, function(k) return x[k] end) / #x end

      local function deviation(x, correction)
        local m = mean(x)
        local squares = naive.sum(#x, function(k) return (x[k] - m) ^ 2 end)
        return math.sqrt(squares / (#x - (correction or 0)))
      end

      it("are those of each row over the columns, and of each column over the rows", function()
        each(function(M, t)
          local transposed = naive.transpose(t)
          local b, r = core.matrix(M.rows, 1), core.matrix(1, M.cols)
          assert.equal(b, core.mean_columns(b, M))
          naive.near(b, naive.build(M.rows, 1, function(i) return mean(t[i]) end), tolerance)
          naive.near(core.mean_rows(r, M),
            naive.build(1, M.cols, function(_, j) return mean(transposed[j]) end), tolerance)
          naive.near_number(M:mean(), mean(M:view(1, M.rows * M.cols, 1):t():totable()[1]), 1e-12)
          for correction = 0, 1 do
            if M.cols > correction then
              naive.near(core.deviation_columns(b, M, correction), naive.build(M.rows, 1,
                function(i) return deviation(t[i], correction) end), tolerance)
            end
            if M.rows > correction then
              naive.near(core.deviation_rows(r, M, correction), naive.build(1, M.cols,
                function(_, j) return deviation(transposed[j], correction) end), tolerance)
            end
          end
        end)
      end)

      it("lose no digits to a mean far from 0, nor to many columns", function()
        local M = core.matrix(2, 100000)
        local half = core.matrix(2, 50000):fill(4096)
        M:columns(1, 50000):assign(half)
        M:columns(50001, 100000):assign(half:fill(4097))
        for _, X in ipairs { M, M:copy "rows" } do
          assert.same({ { 4096.5 }, { 4096.5 } }, core.mean_columns(core.matrix(2, 1), X):totable())
          assert.same({ { 0.5 }, { 0.5 } }, core.deviation_columns(core.matrix(2, 1), X):totable())
          assert.same({ { 0.5, 0.5 } }, core.deviation_rows(core.matrix(1, 2), X:t()):totable())
        end
      end)

      it("are the same with more threads", function()
        local M = naive.random(core, 1, 3000, 70)
        local b = core.matrix(3000, 1)
        local one = core.deviation_columns(b, M):encode(name)
        core.threads(3)
        local three = core.deviation_columns(b, M):encode(name)
        core.threads(1)
        assert.equal(one, three)
      end)

      it("refuse results of another shape, within the matrix, and other corrections", function()
        local M = naive.random(core, 2, 3, 4)
        local b = core.matrix(3, 1)
        naive.refuses(b, "1 x 4 matrix expected, got 3 x 1", function() core.mean_rows(b, M) end)
        naive.refuses(M, "share memory", function() core.mean_columns(M:view(2, 3, 1), M) end)
        naive.refuses(b, "a whole number from 0 to 3 expected",
          function() core.deviation_columns(b, M, 4) end)
        naive.refuses(b, "a whole number from 0 to 3 expected",
          function() core.deviation_columns(b, M, -1) end)
        naive.refuses(b, "integer", function() core.deviation_columns(b, M, 0.5) end)
      end)

      it("pass on NaN and infinity", function()
        local M = core.matrix { { 1, nan }, { infinity, 2 }, { 1, 3 } }
        local b = core.mean_columns(core.matrix(3, 1), M)
        assert.is_true(is_nan(b:get(1, 1)))
        assert.same({ infinity, 2 }, { b:get(2, 1), b:get(3, 1) })
        core.deviation_columns(b, M)
        assert.is_true(is_nan(b:get(1, 1)) and is_nan(b:get(2, 1)))
        assert.equal(1, b:get(3, 1))
      end)
    end)

    describe("sums of columns and rows", function()
      it("are what loops give", function()
        each(function(M, t)
          local b = core.matrix(M.rows, 1):fill(nan)
          assert.equal(b, core.sum_columns(b, M))
          naive.near(b, naive.sum_columns(t), 10 * tolerance)
          local r = core.matrix(1, M.cols):fill(nan)
          assert.equal(r, core.sum_rows(r, M))
          local rows = naive.sum_columns(naive.transpose(t))
          naive.near(r, naive.transpose(rows), 10 * tolerance)
        end)
      end)

      -- A running sum in float32 is off by 1e-5 of itself after 60,000 terms.
      it("are rounded once or little more, however long", function()
        for _, order in ipairs(orders) do
          for _, N in ipairs { 7, 8, 9, 1023, 60000 } do
            local M = core.generator(N):uniform(core.matrix(5, N, order))
            local b, r = core.matrix(5, 1), core.matrix(1, 5)
            core.sum_columns(b, M)
            core.sum_rows(r, M:transpose())
            for i, row in ipairs(M:totable()) do
              local sum = naive.sum(N, function(j) return row[j] end)
              for _, got in ipairs { b:get(i, 1), r:get(1, i) } do
                local most = name == "float32" and 1e-7 or 1e-13
                assert.is_true(math.abs(got / sum - 1) <= most, N .. " " .. order)
              end
            end
          end
        end
      end)

      it("count ones exactly, beyond 2^24", function()
        local N = 2 ^ 24 + 10
        local ones = core.matrix(1, N):fill(1)
        assert.equal(N, core.sum_columns(core.matrix(1, 1), ones):get(1, 1))
      end)

      it("pass on NaN and infinity in their own place only", function()
        for _, order in ipairs(orders) do
          local M = core.matrix({ { 1, nan, 2 }, { 3, 4, infinity } }):copy(order)
          naive.near(core.sum_columns(core.matrix(2, 1), M), { { nan }, { infinity } }, 0)
          naive.near(core.sum_rows(core.matrix(1, 3), M), { { 4, nan, infinity } }, 0)
        end
      end)

      it("refuse results of another shape, naming both", function()
        local M = core.matrix(2, 3)
        local b, r = core.matrix(3, 1):fill(5), core.matrix(1, 2):fill(5)
        naive.refuses(b, "2 x 1 matrix expected, got 3 x 1",
          function() core.sum_columns(b, M) end)
        naive.refuses(r, "1 x 3 matrix expected, got 1 x 2",
          function() core.sum_rows(r, M) end)
        raises("expected, got no value", core.sum_columns, b)
        raises("expected, got number", core.sum_rows, r, 1)
      end)

      it("refuse a result within the matrix", function()
        local M = naive.random(core, 3, 3, 4)
        naive.refuses(M, "share memory with argument #2",
          function() core.sum_columns(M:columns(2, 2), M) end)
        naive.refuses(M, "share memory with argument #2",
          function() core.sum_rows(M:view(2, 1, 4), M) end)
        local x = core.matrix(1, 1)
        naive.refuses(x, "share memory with argument #2",
          function() core.sum_rows(x, x) end)
      end)
    end)

    describe("count_equal", function()
      it("counts places, whatever the orders", function()
        local A = core.matrix { { 1, 2, 3 }, { 4, 5, 6 } }
        local B = core.matrix { { 1, 0, 3 }, { 4, 5, 0 } }
        for _, order in ipairs(orders) do
          for _, other in ipairs(orders) do
            local count = core.count_equal(A:copy(order), B:copy(other))
            assert.equal(4, count)
            assert.equal("integer", math.type(count))
          end
        end
        assert.equal(6, core.count_equal(A, A))
      end)

      it("does not find NaN equal to itself, and finds 0 equal to -0", function()
        local A = core.matrix { { nan, 0, infinity } }
        local B = core.matrix { { nan, -0.0, infinity } }
        assert.equal(2, core.count_equal(A, B))
        assert.equal(2, core.count_equal(A, A))
      end)

      it("refuses another shape", function()
        raises("2 x 3 matrix expected, got 3 x 2", core.count_equal, core.matrix(2, 3),
          core.matrix(3, 2))
        raises("expected, got nil", core.count_equal, core.matrix(2, 3), nil)
      end)
    end)
  end)
end
