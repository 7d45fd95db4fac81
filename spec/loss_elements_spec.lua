-- Losses element by element: squared error (2.18), (2.23) against loops and central differences;
-- all of them where numbers are huge, tiny or infinite. PyTorch's numbers: loss_parts_spec.lua.

local naive = require "spec.support.naive"

local near, near_number, random = naive.near, naive.near_number, naive.random
local refuses = naive.refuses
local infinity, nan = naive.infinity, naive.nan

local shapes = {
  { 1, 1 }, { 1, 9 }, { 9, 1 }, { 10, 64 }, { 33, 7 }, { 7, 129 }, { 256, 2 }, { 257, 3 },
}

for _, name in ipairs(naive.types) do
  local core = require("perilune.core." .. name)
  local other = require("perilune.core." .. naive.other[name])
  local tolerance = naive.tolerance[name]
  local mixed = naive.mixed(name, "perilune.matrix." .. other.name)

  describe("squared_error in " .. name, function()
    for _, shape in ipairs(shapes) do
      local rows, N = table.unpack(shape)

      it(("is J (2.18) and Delta (2.23) of %d x %d"):format(rows, N), function()
        local A, T = random(core, 1, rows, N), random(core, 2, rows, N)
        local J, expected = naive.squared_error(A:totable(), T:totable())
        local Delta = core.matrix(rows, N):fill(nan)
        near_number(core.squared_error(Delta, A, T), J, tolerance)
        near(Delta, expected, tolerance)
        near_number(core.squared_error(nil, A, T), J, tolerance)
        near(A, random(core, 1, rows, N):totable(), 0)
        near(T, random(core, 2, rows, N):totable(), 0)
        near_number(core.squared_error(A, A, T), J, tolerance)
        near(A, expected, tolerance)
      end)
    end

    it("is 0 where A = T", function()
      local A = random(core, 1, 4, 5)
      local Delta = core.matrix(4, 5):fill(nan)
      assert.equal(0, core.squared_error(Delta, A, A))
      near(Delta, naive.fill(4, 5, 0), 0)
    end)

    it("is NaN, or infinite, where A or T is", function()
      for _, place in ipairs { 1, 4, 9 } do
        local T = random(core, 2, 3, 3)
        local A = random(core, 1, 3, 3)
        A:view(place, 1, 1):fill(nan)
        local J = core.squared_error(nil, A, T)
        assert.is_true(J ~= J)
        J = core.squared_error(core.matrix(3, 3), T, A)
        assert.is_true(J ~= J)
        A:view(place, 1, 1):fill(infinity)
        assert.equal(infinity, core.squared_error(nil, A, T))
      end
    end)

    it("names the shape it expected and the one it got, and writes nothing", function()
      local A, T = random(core, 1, 3, 4), random(core, 2, 3, 4)
      local Delta = random(core, 3, 3, 4)
      refuses(Delta, "#3 to 'squared_error' %(3 x 4 matrix expected, got 1 x 4%)",
        function() core.squared_error(Delta, A, core.matrix(1, 4)) end)
      refuses(Delta, "#3 to 'squared_error' %(2 x 4 matrix expected, got 3 x 4%)",
        function() core.squared_error(Delta, core.matrix(2, 4), T) end)
      refuses(Delta, "#1 to 'squared_error' %(3 x 2 matrix expected, got 3 x 4%)",
        function() core.squared_error(Delta, A:columns(1, 2), T:columns(1, 2)) end)
    end)

    it("refuses mixed types, other storage and partly overlapping results", function()
      local A, T = random(core, 1, 3, 4), random(core, 2, 3, 4)
      local Delta = random(core, 3, 3, 4)
      refuses(Delta, "#2 .*" .. mixed,
        function() core.squared_error(Delta, other.matrix(3, 4), T) end)
      refuses(Delta, "#3 .*" .. mixed,
        function() core.squared_error(Delta, A, other.matrix(3, 4)) end)
      refuses(A, "#1 .*" .. mixed,
        function() core.squared_error(other.matrix(3, 4), A, T) end)
      refuses(A, "#1 .*" .. naive.mixed(name, "number"),
        function() core.squared_error(1, A, T) end)
      refuses(Delta, "#3 .*matrix stored by columns expected, got one stored by rows",
        function() core.squared_error(Delta, A, T:copy("rows")) end)
      local whole = random(core, 4, 3, 5)
      refuses(whole, "#1 .*must be argument #2 itself or share no memory with it",
        function() core.squared_error(whole:columns(1, 4), whole:columns(2, 5), T) end)
    end)
  end)
end

describe("squared_error in float64", function()
  local core = require "perilune.core.float64"

  it("has Delta = dJ/dA by central differences (2.20)", function()
    local A, T = random(core, 1, 5, 4), random(core, 2, 5, 4)
    local Delta = core.matrix(5, 4)
    core.squared_error(Delta, A, T)
    local function J() return core.squared_error(nil, A, T) end
    near(Delta, naive.differences(J, A), 1e-8)
  end)
end)

-- s(-z), and log s(z) with its sign changed, for a large z
local q, c = 1 / (1 + math.exp(20)), math.exp(-20) - math.exp(-40) / 2

-- Of one output and one target: the loss, a, t, J, dJ/da, and the loss's options
local limits = {
  { "mean_squared_error", 1e25, 0, 1e50, 2e25 },
  { "mean_squared_error", 1 + 2 ^ -20, 1, 2 ^ -40, 2 ^ -19 },
  { "mean_absolute_error", -1e30, 2, 1e30, -1 },
  { "mean_absolute_error", -infinity, 2, infinity, -1 },
  { "mean_absolute_error", 2, 2, 0, 0 },
  { "huber", 1e30, 0, 1e30, 1, 1 },
  { "huber", infinity, 0, infinity, 1, 1 },
  { "smooth_l1", 1e30, 0, 1e30, 1, 0.5 },
  { "smooth_l1", -infinity, 0, infinity, -1, 0.5 },
  { "log_cosh", 1e30, 0, 1e30, 1 },
  { "log_cosh", -infinity, 0, infinity, -1 },
  { "log_cosh", 2 ^ -12, 0, 2 ^ -25 * (1 - 2 ^ -24 / 6), 2 ^ -12 * (1 - 2 ^ -24 / 3) },
  { "log_cosh", 0.59, 0, math.log((math.exp(0.59) + math.exp(-0.59)) / 2), naive.tanh(0.59) },
  { "log_cosh", 0.61, 0, math.log((math.exp(0.61) + math.exp(-0.61)) / 2), naive.tanh(0.61) },
  { "log_cosh", 30, 0, 30 - math.log(2), 1 },
  { "quantile", 1e30, 0, 0.25 * 1e30, 0.25, 0.75 },
  { "quantile", 0, infinity, infinity, -0.75, 0.75 },
  { "quantile", 2, 2, 0, 0, 0.75 },
  { "binary_cross_entropy", 0, 0, 0, 0 },
  { "binary_cross_entropy", 1, 1, 0, 0 },
  { "binary_cross_entropy", 0, 1, 100, -1e12 },
  { "binary_cross_entropy", 1, 0, 100, 1e12 },
  { "binary_cross_entropy", 2 ^ -20, 0, 2 ^ -20 + 2 ^ -41, 1 + 2 ^ -20 },
  { "sigmoid_cross_entropy", infinity, 1, 0, 0 },
  { "sigmoid_cross_entropy", -infinity, 0, 0, 0 },
  { "sigmoid_cross_entropy", infinity, 0, infinity, 1 },
  { "sigmoid_cross_entropy", -infinity, 1, infinity, -1 },
  { "sigmoid_cross_entropy", 1e30, 0, 1e30, 1 },
  { "sigmoid_cross_entropy", -1e30, 0.5, 5e29, -0.5 },
  { "sigmoid_cross_entropy", 40, 1, math.exp(-40), -math.exp(-40) },
  { "sigmoid_cross_entropy", 0, 0.25, math.log(2), 0.25 },
  { "focal", infinity, 1, 0, 0, 2, 0.25 },
  { "focal", -infinity, 0, 0, 0, 2, 0.25 },
  { "focal", 1e30, 0, 0.75e30, 0.75, 2, 0.25 },
  { "focal", -infinity, 1, infinity, -0.25, 2, 0.25 },
  { "focal", 1e30, 1, 0, 0, 0, 0.25 },
  { "focal", 20, 1, 0.25 * q ^ 2 * c, -0.25 * q ^ 2 * (q + 2 * c * (1 - q)), 2, 0.25 },
  { "hinge", infinity, 1, 0, 0 },
  { "hinge", -infinity, -1, 0, 0 },
  { "hinge", 1e30, -1, 1e30, 1 },
  { "hinge", 3, 0, 4, 1 },
  { "hinge", 1, 1, 0, 0 },
  { "squared_hinge", infinity, 1, 0, 0 },
  { "squared_hinge", -3, 1, 16, -8 },
  { "squared_hinge", -1e25, 1, 1e50, -2e25 },
  { "kl_divergence", -infinity, 0, 0, 0 },
  { "kl_divergence", -infinity, 0.5, infinity, -0.5 },
  { "kl_divergence", -1e30, 0.5, 5e29, -0.5 },
  { "poisson", -infinity, 0, 0, 0, 1, 0, 1e-8 },
  { "poisson", -infinity, 2, infinity, -2, 1, 0, 1e-8 },
  { "poisson", -1e30, 3, 3e30, -3, 1, 0, 1e-8 },
  { "poisson", 0, 0, 0, 1, 0, 0, 1e-8 },
  { "poisson", infinity, 0, infinity, 1, 0, 0, 1e-8 },
  { "poisson", 0, 1, 1, 0, 1, 1, 1e-8 },
}

for _, name in ipairs(naive.types) do
  local core = require("perilune.core." .. name)

  -- The relative error, so that a small loss is not lost
  local function is_near(actual, expected)
    return actual == expected or math.abs(actual / expected - 1) < naive.tolerance[name]
  end

  describe("a loss in " .. name, function()
    for _, limit in ipairs(limits) do
      local loss, a, t, J, slope = table.unpack(limit)
      it(("%s is exact for a = %g and t = %g"):format(loss, a, t), function()
        local Delta = core.matrix(1, 1)
        local got = core[loss](Delta, core.matrix(1, 1):fill(a), core.matrix(1, 1):fill(t), nil,
          nil, table.unpack(limit, 6))
        assert.is_true(is_near(got, J), ("J: %g expected, got %g"):format(J, got))
        assert.is_true(is_near(Delta:get(1, 1), slope),
          ("dJ/da: %g expected, got %g"):format(slope, Delta:get(1, 1)))
      end)
    end
  end)
end
