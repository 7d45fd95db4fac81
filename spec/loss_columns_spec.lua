-- Losses of whole columns: the margin between classes, the angle between columns, the normal
-- distribution. PyTorch's numbers: loss_parts_spec.lua; weights and threads: loss_spec.lua.

local naive = require "spec.support.naive"

local near, near_number, random = naive.near, naive.near_number, naive.random
local refuses = naive.refuses
local infinity, nan = naive.infinity, naive.nan

for _, name in ipairs(naive.types) do
  local core = require("perilune.core." .. name)
  local tolerance = naive.tolerance[name]

  describe("multi_margin in " .. name, function()
    -- margin, power
    local function margins(Z, labels, margin, power)
      local J, Delta = 0, naive.fill(#Z, #labels, 0)
      for n, label in ipairs(labels) do
        for i = 1, #Z do
          local short_of = margin - Z[label][n] + Z[i][n]
          if i ~= label and short_of > 0 then
            local slope = power * short_of ^ (power - 1) / #Z / #labels
            J = J + short_of ^ power / #Z / #labels
            Delta[i][n] = Delta[i][n] + slope
            Delta[label][n] = Delta[label][n] - slope
          end
        end
      end
      return J, Delta
    end

    for _, shape in ipairs { { 2, 1 }, { 5, 30 }, { 256, 2 }, { 700, 3 } } do
      local classes, N = table.unpack(shape)
      it(("is J and Delta of %d classes and %d samples"):format(classes, N), function()
        local Z, labels = random(core, 1, classes, N), {}
        for n = 1, N do labels[n] = (n * 389) % classes + 1 end
        for power = 1, 2 do
          local J, expected = margins(Z:totable(), labels, 0.7, power)
          local Delta = core.matrix(classes, N):fill(nan)
          near_number(core.multi_margin(Delta, Z, core.matrix { labels }, nil, nil, 0.7, power),
            J, tolerance)
          near(Delta, expected, tolerance)
          near_number(core.multi_margin(nil, Z, core.matrix { labels }, nil, nil, 0.7, power), J,
            tolerance)
        end
      end)
    end

    it("counts nothing where the right class is infinitely far above", function()
      local Z = core.matrix { { 1, infinity }, { -infinity, 3 }, { -1, -1e30 } }
      local Delta = core.matrix(3, 2):fill(nan)
      assert.equal(0, (core.multi_margin(Delta, Z, core.matrix { { 1, 1 } }, nil, nil, 1, 1)))
      near(Delta, naive.fill(3, 2, 0), 0)
    end)

    it("takes labels, of two classes or more, and a power of 1 or 2", function()
      local Delta, Z = random(core, 2, 3, 2), random(core, 1, 3, 2)
      local labels = core.matrix { { 1, 3 } }
      refuses(Delta, "#3 .*labels of two classes or more expected",
        function() core.multi_margin(Delta, Z, core.matrix(3, 2), nil, nil, 1, 1) end)
      refuses(Delta, "#3 .*labels of two classes or more expected", function()
        core.multi_margin(nil, Z:view(1, 1, 2), core.matrix(1, 2), nil, nil, 1, 1)
      end)
      refuses(Delta, "#3 .*labels 1 to 3 expected, got 4 in column 2", function()
        core.multi_margin(Delta, Z, core.matrix { { 1, 4 } }, nil, nil, 1, 1)
      end)
      refuses(Delta, "#7 .*1 or 2 expected",
        function() core.multi_margin(Delta, Z, labels, nil, nil, 1, 3) end)
      refuses(Delta, "#6 .*number expected",
        function() core.multi_margin(Delta, Z, labels) end)
    end)
  end)

  describe("cosine in " .. name, function()
    it("is 0 for the same direction, 1 for a right angle, 2 for the opposite one", function()
      local A = core.matrix { { 3, 0, -1 }, { 4, 2, 1 } }
      local T = core.matrix { { 6, 5, 7 }, { 8, 0, -7 } }
      for n, J in ipairs { 0, 1, 2 } do
        near_number(core.cosine(nil, A:columns(n, n), T:columns(n, n)), J, tolerance)
      end
    end)

    it("is the same for columns of any length, also where squares overflow or vanish", function()
      local A, T = random(core, 1, 40, 3), random(core, 2, 40, 3)
      local J = core.cosine(nil, A, T)
      local largest = name == "float32" and 1e37 or 1e300
      for _, factors in ipairs { { largest, 1 }, { 1, largest }, { 1e-5, 1e-5 } } do
        local Delta = core.matrix(40, 3)
        near_number(core.cosine(Delta, A * factors[1], T * factors[2]), J, tolerance)
        assert.is_true(Delta:is_finite())
      end
    end)

    it("is 1 for a column of zeros, whose gradient points to the target", function()
      local Delta = core.matrix(2, 1):fill(nan)
      assert.equal(1, (core.cosine(Delta, core.matrix(2, 1), core.matrix { { 3 }, { 4 } })))
      near(Delta, { { -0.6e8 }, { -0.8e8 } }, tolerance)
      assert.equal(1, (core.cosine(Delta, core.matrix { { 3 }, { 4 } }, core.matrix(2, 1))))
      near(Delta, { { 0 }, { 0 } }, 0)
    end)

    it("is of the rows that have a weight, as if the others were not there", function()
      local A, T = random(core, 1, 5, 4), random(core, 2, 5, 4)
      local W = core.matrix(5, 4):fill(1)
      for n = 1, 4 do W:set(2, n, 0):set(5, n, 0) end
      local function rows(M)
        local list = M:totable()
        return core.matrix { list[1], list[3], list[4] }
      end
      local wanted = core.matrix(3, 4)
      local J = core.cosine(wanted, rows(A), rows(T))
      A:set(2, 1, nan):set(5, 3, infinity)
      T:set(5, 2, nan):set(2, 4, -infinity)
      local Delta = core.matrix(5, 4):fill(nan)
      near_number(core.cosine(Delta, A, T, W), J, tolerance)
      near(rows(Delta), wanted:totable(), tolerance)
      for n = 1, 4 do assert.same({ 0, 0 }, { Delta:get(2, n), Delta:get(5, n) }) end
    end)
  end)

  describe("gaussian_nll in " .. name, function()
    it("is the negative logarithm of the normal density", function()
      local S, N = 3, 200
      local A = core.generator(1):uniform(core.matrix(2 * S, N), 0.1, 3)
      local T = random(core, 2, S, N)
      local sum = 0
      for i = 1, S do
        for n = 1, N do
          local mean, variance = A:get(i, n), A:get(S + i, n)
          local density = math.exp(-(T:get(i, n) - mean) ^ 2 / (2 * variance))
            / math.sqrt(2 * math.pi * variance)
          sum = sum - math.log(density)
        end
      end
      local J = core.gaussian_nll(nil, A, T, nil, nil, 1e-6, 1)
      near_number(J, sum / S / N, tolerance)
      near_number(core.gaussian_nll(nil, A, T, nil, nil, 1e-6, 0),
        J - math.log(2 * math.pi) / 2, tolerance)
    end)

    it("takes variances from epsilon up, and pulls back those below", function()
      local T, Delta = core.matrix { { 2 } }, core.matrix(2, 1)
      for _, variance in ipairs { 0.25, 0.1, 0, -3, -infinity } do
        local A = core.matrix { { 2.5 }, { variance } }
        near_number(core.gaussian_nll(Delta, A, T, nil, nil, 0.25, 0),
          (math.log(0.25) + 0.25 / 0.25) / 2, tolerance)
        near(Delta, { { 0.5 / 0.25 }, { (1 / 0.25 - 0.25 / 0.25 ^ 2) / 2 } }, tolerance)
      end
    end)

    it("is finite for differences whose squares are", function()
      local A, Delta = core.matrix { { 1e25 }, { 1e10 } }, core.matrix(2, 1)
      near_number(core.gaussian_nll(Delta, A, core.matrix(1, 1), nil, nil, 1e-6, 0) / 5e39, 1,
        tolerance)
      near_number(Delta:get(1, 1) / 1e15, 1, tolerance)
    end)

    it("wants a mean and a variance for each target, and writes nothing else", function()
      local A, Delta = random(core, 1, 6, 4), random(core, 2, 6, 4)
      refuses(Delta, "#3 .*%(3 x 4 matrix expected, got 6 x 4%)",
        function() core.gaussian_nll(Delta, A, core.matrix(6, 4), nil, nil, 1e-6, 0) end)
      refuses(Delta, "#2 .*%(2 rows for each target expected%)", function()
        core.gaussian_nll(nil, core.matrix(5, 4), core.matrix(2, 4), nil, nil, 1e-6, 0)
      end)
      refuses(Delta, "#1 .*argument #3", function()
        core.gaussian_nll(Delta, A, Delta:view(1, 3, 4), nil, nil, 1e-6, 0)
      end)
      refuses(Delta, "#4 .*%(3 x 4 matrix expected, got 6 x 4%)", function()
        core.gaussian_nll(Delta, A, core.matrix(3, 4), core.matrix(6, 4), nil, 1e-6, 0)
      end)
    end)
  end)
end
