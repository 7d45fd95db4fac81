-- Columns of a table as inputs: src/prepare.c, against loops. What scikit-learn makes of columns is
-- compared with the layer: spec/scaler/init_spec.lua, spec/data/preparation_spec.lua.

local naive = require "spec.support.naive"
local pl = require "perilune"

local nan, infinity = naive.nan, naive.infinity

-- source, kind, count, shift, factor, bend, fill, most, unseen
local records = {
  { 2, 1, 1, 0.5, 2, 1 / 3, 4, 0, 0 },
  { 1, 1, 1, -1, 0.25, 0, 2, 0, 0 },
  { 2, 1, 1, 0, 0, 1, 9, 0, 0 },
  { 3, 2, 1, 2, 0, 0.5, 0.5, 4, 0 },
  { 1, 3, 1, 0, 0, 0, 0, 0, 0 },
  { 4, 4, 1, 1.5, 2, 0, 1.5, 2, 1.5 },
  { 5, 5, 4, 0, 0, 0, 4, 3, 0 },
  { 5, 5, 3, 0, 0, 0, 0, 3, -1 },
}
local knots = { { 77 }, { -1 }, { 0 }, { 0 }, { 2 } } -- the second to the fifth are the record's
local ROWS = 6 + 4 + 3

-- By bisection of how likely a normal number is below z
local function normal_quantile(share)
  local low, high = -9, 9
  for _ = 1, 200 do
    local mid = (low + high) / 2
    if naive.normal(mid) < share then low = mid else high = mid end
  end
  return (low + high) / 2
end

-- Of the knots -1, 0, 0, 2, whose shares are 0, 1/3, 2/3, 1
local function share_below(x)
  local share = x < 0 and (x + 1) / 3 or x == 0 and 1 / 2 or 2 / 3 + x / 6
  return math.max(1e-7, math.min(share, 1 - 1e-7))
end

local function clipped(y, c)
  return y / math.sqrt(1 + (y / c) ^ 2)
end

local function or_fill(x, fill) return x == x and x or fill end

local function expected_of(X)
  return naive.build(ROWS, X.cols, function(i, n)
    local function x(row) return X:get(row, n) end
    if i == 1 then return clipped((or_fill(x(2), 4) - 0.5) * 2, 3) end
    if i == 2 then return (or_fill(x(1), 2) + 1) * 0.25 end
    if i == 3 then return 0 end
    if i == 4 then return clipped(normal_quantile(share_below(or_fill(x(3), 0.5))), 2) end
    if i == 5 then return x(1) ~= x(1) and 1 or 0 end
    if i == 6 then return x(4) ~= x(4) and 0 or x(4) == 0 and 0 or 2 * x(4) - 3 end
    if i <= 10 then return or_fill(x(5), 4) == i - 6 and 1 or 0 end
    return x(5) == i - 10 and 1 or 0
  end)
end

local function samples(core, N)
  local g = core.generator(3)
  local X = g:normal(core.matrix(5, N))
  for n = 1, N do
    X:set(4, n, n % 4 == 3 and nan or n % 4 % 3)
    X:set(5, n, n % 5 == 0 and nan or n % 3 + 1)
    if n % 7 == 0 then X:set(1, n, nan) end
    if n % 11 == 0 then X:set(2, n, nan) end
    if n % 6 == 0 then X:set(3, n, n % 12 == 0 and 0 or nan) end
  end
  return X
end

for _, name in ipairs(naive.types) do
  local core = pl[name]
  -- near 1 a share says less of its normal number than the digits that it has
  local tolerance = name == "float64" and 1e-9 or 2e-5

  describe("prepare in " .. name, function()
    local plan, ends = core.matrix(records), core.matrix(knots)

    it("is what loops make of the records", function()
      for _, N in ipairs { 1, 2, 60, 700 } do
        local X = samples(core, N)
        naive.near(core.prepare(core.matrix(ROWS, N):fill(5), X, plan, ends), expected_of(X),
          tolerance)
      end
    end)

    it("keeps clipped numbers finite, however large they are", function()
      local one = core.matrix { { 1, 1, 1, 0, 1, 1 / 3, 0, 0, 0 } }
      local X = core.matrix { { 1e30, -1e30, 3e10, 1e6, 0 } }
      naive.near(core.prepare(core.matrix(1, 5), X, one), { { 3, -3, 3, 3, 0 } }, 1e-6)
      naive.near(core.prepare_backward(core.matrix(1, 5), core.matrix(1, 5):fill(1), X, one),
        { { 0, 0, 0, 0, 1 } }, 1e-15)
    end)

    it("gives the shares of normal numbers to the last digits", function()
      local plain = core.matrix { { 1, 2, 1, 1, 0, 0, 0, 2, 0 } }
      local X = core.matrix { { 1e-9, 1e-6, 1e-3, 0.07, 0.3, 0.5, 0.8, 0.95, 0.9999, 2 } }
      local A = core.prepare(core.matrix(1, 10), X, plain, core.matrix { { 0 }, { 1 } })
      local expected = {}
      for n = 1, 10 do
        expected[n] = normal_quantile(math.max(1e-7, math.min(X:get(1, n), 1 - 1e-7)))
      end
      naive.near(A, { expected }, name == "float64" and 1e-9 or 1e-5)
      naive.near_number(A:get(1, 1), -5.19933758260557, name == "float64" and 1e-13 or 1e-6)
    end)

    it("gives the same with more threads", function()
      local X, Delta = samples(core, 9000), naive.random(core, 4, ROWS, 9000)
      local function all()
        return core.prepare(core.matrix(ROWS, 9000), X, plan, ends):encode(name)
          .. core.prepare_backward(core.matrix(5, 9000), Delta, X, plan, ends):encode(name)
      end
      local one = all()
      core.threads(3)
      local three = all()
      core.threads(1)
      assert.is_true(one == three)
    end)

    it("refuses wrong shapes, orders, and what overlaps", function()
      local X, A = samples(core, 3), core.matrix(ROWS, 3)
      naive.refuses(A, "5 x 3 matrix expected, got 5 x 2",
        function() core.prepare(A, core.matrix(5, 2), plan, ends) end)
      naive.refuses(A, "stored by columns", function() core.prepare(A, X:copy "rows", plan) end)
      naive.refuses(A, "8 x 9 matrix expected, got 8 x 3",
        function() core.prepare(A, X, core.matrix(8, 3), ends) end)
      naive.refuses(A, "stored by columns",
        function() core.prepare(A, X, plan:copy "rows", ends) end)
      naive.refuses(A, "5 x 1 matrix expected, got 5 x 2",
        function() core.prepare(A, X, plan, core.matrix(5, 2)) end)
      naive.refuses(A, "a record for each row of argument #1 expected",
        function() core.prepare(core.matrix(ROWS + 1, 3), X, plan, ends) end)
      naive.refuses(A, "record 8 is none",
        function() core.prepare(core.matrix(ROWS - 1, 3), X, plan, ends) end)
      naive.refuses(A, "share memory", function() core.prepare(A, A:view(1, 5, 3), plan, ends) end)
      local below, Delta = core.matrix(5, 3), core.matrix(ROWS, 3)
      naive.refuses(below, "5 x 3 matrix expected",
        function() core.prepare_backward(below, Delta, core.matrix(4, 3), plan, ends) end)
      naive.refuses(below, "13 x 3 matrix expected",
        function() core.prepare_backward(below, core.matrix(ROWS, 2), X, plan, ends) end)
      naive.refuses(below, "share memory",
        function() core.prepare_backward(below, Delta, below, plan, ends) end)
    end)

    it("refuses records that say what is not there", function()
      local X, A = samples(core, 3), core.matrix(1, 3)
      local ordinary = { 1, 1, 1, 0, 1, 1, 0, 0, 0 }
      local wrong = { [1] = { 0, 6, 1.5, nan }, [2] = { 0, 6, 1.5, nan }, [3] = { 0, 2, nan } }
      for field, values in pairs(wrong) do
        for _, value in ipairs(values) do
          local record = table.move(ordinary, 1, 9, 1, {})
          record[field] = value
          naive.refuses(A, "record 1 is none",
            function() core.prepare(A, X, core.matrix { record }) end)
        end
      end
      for _, quantile in ipairs { { 1, 6 }, { 2, 5 }, { 0, 2 }, { 1, 1 }, { 1, nan } } do
        local record = { 1, 2, 1, quantile[1], 0, 1, 0, quantile[2], 0 }
        naive.refuses(A, "record 1 is none",
          function() core.prepare(A, X, core.matrix { record }, ends) end)
      end
      naive.refuses(A, "record 1 is none",
        function() core.prepare(A, X, core.matrix { { 1, 2, 1, 1, 0, 1, 0, 2, 0 } }) end)
      naive.refuses(A, "record 2 is none", function()
        core.prepare(core.matrix(2, 3), X, core.matrix { { 1, 3, 1, 0, 0, 0, 0, 0, 0 }, ordinary })
      end)
    end)

    it("refuses what is no label, before anything is written", function()
      local taken = { { 5, 5, 3, 0, 0, 0, 0, 3, 0 } }
      for _, wrong in ipairs { -1, 4, 1.5, infinity } do
        local X, A = samples(core, 4), core.matrix(3, 4):fill(5)
        X:set(5, 3, wrong)
        naive.refuses(A, "row 5: labels from 0 to 3 expected, got %-?[%d.inf]+ in column 3",
          function() core.prepare(A, X, core.matrix(taken)) end)
      end
      local X, A = samples(core, 4), core.matrix(3, 4):fill(5)
      X:set(5, 2, 0)
      core.prepare(A, X, core.matrix(taken))
      taken[1][9] = -1
      naive.refuses(A, "labels from 1 to 3 expected, got 0.0 in column 2",
        function() core.prepare(A, X, core.matrix(taken)) end)
    end)
  end)
end

describe("prepare_backward", function()
  local core = pl.float64
  local plan, ends = core.matrix(records), core.matrix(knots)

  it("is the derivative of prepare by numbers, 0 by labels and what is missing", function()
    local X, Delta = samples(core, 30), naive.random(core, 4, ROWS, 30)
    X:set(3, 1, -5) -- beyond the knots nothing changes
    local A = core.matrix(ROWS, 30)
    local function J()
      return core.hadamard(A, core.prepare(A, X, plan, ends), Delta):sum()
    end
    local below = core.prepare_backward(core.matrix(5, 30):fill(7), Delta, X, plan, ends)
    for n = 1, 30 do
      for i = 1, 5 do
        local x = X:get(i, n)
        local numeric = 0
        if i <= 3 and x == x and not (i == 3 and math.abs(x) < 1e-3) then
          local function at(value)
            X:set(i, n, value)
            return J()
          end
          numeric = (at(x + 1e-6) - at(x - 1e-6)) / 2e-6
          X:set(i, n, x)
        elseif i == 3 and x == 0 then
          numeric = below:get(i, n) -- at a knot there are two
        end
        naive.near_number(below:get(i, n), numeric, 1e-6)
      end
    end
  end)
end)
