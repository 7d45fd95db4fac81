-- Relu with learned slopes, forward and backward, against loops.

local naive = require "spec.support.naive"

local near, random, refuses = naive.near, naive.random, naive.refuses
local nan = naive.nan

-- More rows than have their sums kept at once, and columns that are no multiple of a few
local shapes = { { 1, 1 }, { 1, 9 }, { 9, 1 }, { 5, 8 }, { 130, 19 }, { 300, 3 }, { 7, 300 } }

local function slope_of(slopes, i)
  return #slopes == 1 and slopes[1][1] or slopes[i][1]
end

local function forward(X, slopes)
  return naive.build(#X, #X[1], function(i, n)
    return X[i][n] > 0 and X[i][n] or slope_of(slopes, i) * X[i][n]
  end)
end

local function backward(Delta, X, slopes)
  return naive.build(#X, #X[1], function(i, n)
    return X[i][n] > 0 and Delta[i][n] or slope_of(slopes, i) * Delta[i][n]
  end)
end

local function gradient(Delta, X, slopes)
  local sums = naive.sum_columns(naive.zip(function(delta, x)
    return x > 0 and 0 or delta * x
  end, Delta, X))
  if #slopes > 1 or #X == 1 then return sums end
  return { { naive.sum(#sums, function(i) return sums[i][1] end) } }
end

for _, name in ipairs(naive.types) do
  local core = require("perilune.core." .. name)
  local other = require("perilune.core." .. naive.other[name])
  local tolerance = naive.tolerance[name]

  for _, shape in ipairs(shapes) do
    for _, has_one in ipairs { false, true } do
      local rows, N = table.unpack(shape)
      local title = ("prelu of %d x %d with %s in %s"):format(rows, N,
        has_one and "one slope" or "a slope for each row", name)

      describe(title, function()
        local X, Delta, slopes

        before_each(function()
          X, Delta = random(core, 1, rows, N), random(core, 2, rows, N)
          slopes = random(core, 3, has_one and 1 or rows, 1)
        end)

        it("is x above 0 and slope x below, also in place", function()
          local expected = forward(X:totable(), slopes:totable())
          local A = core.matrix(rows, N):fill(nan)
          assert.equal(A, core.prelu_forward(A, X, slopes))
          near(A, expected, tolerance)
          near(core.prelu_forward(X, X, slopes), A:totable(), 0)
        end)

        it("gives Delta below and the gradient of its slopes, one or both", function()
          local below = backward(Delta:totable(), X:totable(), slopes:totable())
          local sums = gradient(Delta:totable(), X:totable(), slopes:totable())
          local B, S = core.matrix(rows, N):fill(nan), core.matrix(slopes.rows, 1):fill(nan)
          assert.equal(B, core.prelu_backward(B, S, Delta, X, slopes))
          near(B, below, tolerance)
          near(S, sums, tolerance * N)
          local alone = core.matrix(slopes.rows, 1):fill(nan)
          assert.is_nil(core.prelu_backward(nil, alone, Delta, X, slopes))
          near(alone, S:totable(), 0)
          near(core.prelu_backward(B:fill(nan), nil, Delta, X, slopes), below, tolerance)
        end)

        it("writes Delta below in the place of Delta, or of X", function()
          local B, S = core.matrix(rows, N), core.matrix(slopes.rows, 1)
          core.prelu_backward(B, S, Delta, X, slopes)
          for _, place in ipairs { "Delta", "X" } do
            local D, Y, again = Delta:copy(), X:copy(), core.matrix(slopes.rows, 1)
            core.prelu_backward(place == "X" and Y or D, again, D, Y, slopes)
            near(place == "X" and Y or D, B:totable(), 0)
            near(again, S:totable(), 0)
          end
        end)

        it("adds the gradient to what is there when it is told to", function()
          local S, sum = core.matrix(slopes.rows, 1), core.matrix(slopes.rows, 1):fill(2)
          core.prelu_backward(nil, S, Delta, X, slopes)
          core.prelu_backward(nil, sum, Delta, X, slopes, true)
          near(sum, (S + 2):totable(), tolerance)
        end)
      end)
    end
  end

  describe("prelu in " .. name, function()
    it("gives the same bits whatever the number of threads", function()
      local before = core.threads()
      for _, shape in ipairs { { 300, 500 }, { 2, 70000 } } do
        local rows, N = table.unpack(shape)
        local X, Delta = random(core, 1, rows, N), random(core, 2, rows, N)
        for _, slopes in ipairs { random(core, 3, rows, 1), random(core, 3, 1, 1) } do
          local function all()
            local A, B = core.matrix(rows, N), core.matrix(rows, N)
            local S = core.matrix(slopes.rows, 1)
            core.prelu_forward(A, X, slopes)
            core.prelu_backward(B, S, Delta, X, slopes)
            return A:encode(name) .. B:encode(name) .. S:encode(name)
          end
          core.threads(1)
          local one = all()
          core.threads(3)
          assert.is_true(one == all())
          core.threads(before)
        end
      end
    end)

    it("takes the derivative at 0 from below", function()
      local zero, one = core.matrix(1, 1), core.matrix { { 1 } }
      local slope, B = core.matrix { { 0.5 } }, core.matrix(1, 1)
      assert.equal(0.5, core.prelu_backward(B, nil, one, zero, slope):get(1, 1))
    end)

    it("lets NaN through", function()
      local X, slope = core.matrix { { nan, 1 } }, core.matrix { { 0.5 } }
      local A, S = core.matrix(1, 2), core.matrix(1, 1)
      core.prelu_forward(A, X, slope)
      assert.is_true(A:get(1, 1) ~= A:get(1, 1))
      assert.equal(1, A:get(1, 2))
      core.prelu_backward(nil, S, core.matrix { { 1, 1 } }, X, slope)
      assert.is_true(S:get(1, 1) ~= S:get(1, 1))
    end)

    it("names what is wrong, and writes nothing", function()
      local A, X, slopes = random(core, 1, 3, 4), random(core, 2, 3, 4), random(core, 3, 3, 1)
      local S, Delta = random(core, 4, 3, 1), random(core, 5, 3, 4)
      local mixed = naive.mixed(name, "perilune.matrix." .. other.name)
      refuses(A, "#2 .*3 x 4 matrix expected, got 4 x 3",
        function() core.prelu_forward(A, core.matrix(4, 3), slopes) end)
      refuses(A, "#3 .*3 x 1 matrix expected, got 4 x 1",
        function() core.prelu_forward(A, X, core.matrix(4, 1)) end)
      refuses(A, "#2 .*" .. mixed,
        function() core.prelu_forward(A, other.matrix(3, 4), slopes) end)
      refuses(A, "#2 .*matrix stored by columns expected, got one stored by rows",
        function() core.prelu_forward(A, X:copy("rows"), slopes) end)
      refuses(A, "must not share memory with argument #3",
        function() core.prelu_forward(A:columns(1, 1), X:columns(1, 1), A:columns(1, 1)) end)
      refuses(A, "#1 .*3 x 4 matrix expected, got 3 x 3",
        function() core.prelu_backward(A:columns(1, 3), S, Delta, X, slopes) end)
      refuses(S, "#2 .*3 x 1 matrix expected, got 1 x 1",
        function() core.prelu_backward(A, core.matrix(1, 1), Delta, X, slopes) end)
      refuses(S, "#4 .*3 x 4 matrix expected, got 3 x 3",
        function() core.prelu_backward(A, S, Delta, X:columns(1, 3), slopes) end)
      refuses(S, "#2 .*must not share memory with argument #5",
        function() core.prelu_backward(A, S, Delta, X, S) end)
      refuses(slopes, "#2 .*must not share memory with argument #4",
        function() core.prelu_backward(nil, X:columns(1, 1), Delta, X, slopes) end)
    end)
  end)
end
