-- The first weights: their moments and bounds, and how an initializer is described.

local at_caller = require("spec.support.misuse").at_caller
local initializer = require "perilune.initializer"
local naive = require "spec.support.naive"
local pl = require "perilune"
local reference = require "spec.support.reference"
local same = require("spec.support.matrices").same

local OUTPUTS, INPUTS = 150, 200

-- Mean, variance and largest size of the elements of M.
local function moments(M)
  local count = M.rows * M.cols
  local mean = M:sum() / count
  return mean, (M - mean):norm() ^ 2 / count, math.max(M:max(), -M:min())
end

-- The first layer of a network
local function layer(activation, description, options)
  return pl.network({ inputs = INPUTS,
    pl.dense(OUTPUTS, activation, { initializer = description }) }, options).layers[1]
end

for _, name in ipairs { "float32", "float64" } do
  local core = pl[name]

  describe("an initializer in " .. name, function()
    local function filled(description)
      local dense = layer("tanh", description, { dtype = name, seed = 11 })
      return dense.W, dense.b
    end

    it("glorot is uniform in +-sqrt(6 / (S_(l-1) + S_l)), with b = 0", function()
      local W, b = filled "glorot"
      local bound = math.sqrt(6 / (INPUTS + OUTPUTS))
      local mean, variance, largest = moments(W)
      assert.near(0, mean, 0.01 * bound)
      assert.near(bound ^ 2 / 3, variance, 0.03 * bound ^ 2 / 3)
      assert.is_true(largest <= bound * (1 + 1e-6) and largest > 0.999 * bound)
      assert.equal(0, b:norm())
    end)

    it("he is normal with variance 2 / S_(l-1), with b = 0", function()
      local W, b = filled "he"
      local mean, variance, largest = moments(W)
      assert.near(0, mean, 0.02 * math.sqrt(2 / INPUTS))
      assert.near(2 / INPUTS, variance, 0.03 * 2 / INPUTS)
      assert.is_true(largest > 3 * math.sqrt(2 / INPUTS)) -- a uniform one would end at sqrt(3)
      assert.equal(0, b:norm())
    end)

    it("lecun is normal with variance 1 / S_(l-1), with b = 0", function()
      local W, b = filled "lecun"
      local mean, variance, largest = moments(W)
      assert.near(0, mean, 0.02 * math.sqrt(1 / INPUTS))
      assert.near(1 / INPUTS, variance, 0.03 / INPUTS)
      assert.is_true(largest > 3 * math.sqrt(1 / INPUTS))
      assert.equal(0, b:norm())
    end)

    it("uniform puts W and b in +-bound, 0.5 unless given", function()
      for _, bound in ipairs { 0.5, 2 } do
        local W, b = filled(bound == 0.5 and "uniform" or { "uniform", bound = bound })
        local mean, variance, largest = moments(W)
        assert.near(0, mean, 0.02 * bound)
        assert.near(bound ^ 2 / 3, variance, 0.03 * bound ^ 2 / 3)
        assert.is_true(largest <= bound and largest > 0.998 * bound)
        local _, b_variance, b_largest = moments(b)
        assert.near(bound ^ 2 / 3, b_variance, 0.25 * bound ^ 2 / 3)
        assert.is_true(b_largest <= bound)
      end
    end)

    it("normal gives W and b its mean and deviation, 0 and 1 unless given", function()
      for description, expected in pairs {
        normal = { 0, 1 }, [{ "normal", deviation = 0.1, mean = 3 }] = { 3, 0.1 },
      } do
        local W, b = filled(description)
        local mean, variance, largest = moments(W)
        local deviation = expected[2]
        assert.near(expected[1], mean, 0.02 * deviation)
        assert.near(deviation ^ 2, variance, 0.03 * deviation ^ 2)
        assert.is_true(largest > expected[1] + 3 * deviation)
        local b_mean, b_variance = moments(b)
        assert.near(expected[1], b_mean, 0.3 * deviation)
        assert.near(deviation ^ 2, b_variance, 0.35 * deviation ^ 2)
      end
    end)

    it("glorot and he may be of the other distribution, and have a gain", function()
      local by_fans = { glorot = 2 / (INPUTS + OUTPUTS), he = 1 / INPUTS }
      for kind, variance in pairs(by_fans) do
        for distribution, ends in pairs { normal = 3, uniform = 1.7 } do
          local W, b = filled { kind, distribution = distribution, gain = 3 }
          local mean, found, largest = moments(W)
          local deviation = 3 * math.sqrt(variance)
          assert.near(0, mean, 0.02 * deviation)
          assert.near(9 * variance, found, 0.03 * 9 * variance)
          assert.is_true(largest > ends * deviation)
          if distribution == "uniform" then
            assert.is_true(largest <= math.sqrt(3) * deviation * (1 + 1e-6))
          end
          assert.equal(0, b:norm())
        end
      end
    end)

    it("zeros and constant fill W, and b stays 0", function()
      for _, case in ipairs { { "zeros", 0 }, { { "constant", value = 0.375 }, 0.375 } } do
        local W, b = filled(case[1])
        assert.same({ case[2], case[2], 0 }, { W:min(), W:max(), b:norm() })
      end
    end)

    it("identity is 1 on the diagonal, whatever the shape", function()
      for _, shape in ipairs { { 3, 3 }, { 2, 4 }, { 4, 2 } } do
        local W = core.matrix(shape[1], shape[2]):fill(7)
        pl.initializer.identity(W, core.generator(1))
        local expected = naive.build(shape[1], shape[2], function(i, j)
          return i == j and 1 or 0
        end)
        assert.same(expected, W:totable())
      end
    end)

    it("orthogonal has orthonormal rows, or columns where those are fewer", function()
      local tolerance = name == "float32" and 2e-6 or 1e-14
      for _, shape in ipairs { { 1, 1 }, { 5, 1 }, { 1, 5 }, { 40, 40 }, { 33, 97 }, { 97, 33 } } do
        for _, order in ipairs { "columns", "rows" } do
          local W = core.matrix(shape[1], shape[2], order)
          pl.initializer.orthogonal(W, core.generator(2))
          local M = W:totable()
          local product = naive.product(M, M, shape[1] > shape[2] and "TN" or "NT")
          naive.near(core.matrix(product), naive.build(#product, #product, function(i, j)
            return i == j and 1 or 0
          end), tolerance)
        end
      end
    end)

    it("orthogonal has no preferred direction, and a gain", function()
      local sums, count = { 0, 0 }, 2000
      local generator, W = core.generator(3), core.matrix(3, 3)
      local initialize = pl.initializer { "orthogonal", gain = 2 }
      for _ = 1, count do
        initialize(W, generator)
        for k = 1, 2 do sums[k] = sums[k] + W:get(k, 3) ^ k end
      end
      assert.near(0, sums[1] / count, 0.08)
      assert.near(4 / 3, sums[2] / count, 0.08) -- 4 / 3 on average: three of them are 2^2
    end)

    it("sparse has its share of zeros in each column, and is normal elsewhere", function()
      for sparsity, zeros in pairs { [0.9] = 135, [0.303] = 46, [0] = 0, [1] = 150 } do
        local W, b = filled { "sparse", sparsity = sparsity, deviation = 2 }
        local rows, elsewhere = {}, 0
        for j = 1, INPUTS do
          local found = 0
          for i = 1, OUTPUTS do
            if W:get(i, j) == 0 then
              found, rows[i] = found + 1, true
            else
              elsewhere = elsewhere + W:get(i, j) ^ 2
            end
          end
          assert.equal(zeros, found)
        end
        assert.equal(zeros > 0 and OUTPUTS or 0, #rows) -- not always the same rows
        local others = (OUTPUTS - zeros) * INPUTS
        if others > 0 then assert.near(4, elsewhere / others, 0.25) end
        assert.equal(0, b:norm())
      end
    end)

    -- Moments of the truncated normal distribution by integrals, the midpoint rule
    local function truncated_moments(mean, deviation, lower, upper)
      local total, first, second = 0, 0, 0
      lower, upper = math.max(lower, mean - 12 * deviation), math.min(upper, mean + 50 * deviation)
      local steps = 100000
      local nearest = math.max(lower, math.min(upper, mean))
      for k = 0.5, steps do
        local x = lower + (upper - lower) * k / steps
        local density = math.exp(((nearest - mean) ^ 2 - (x - mean) ^ 2) / (2 * deviation ^ 2))
        total, first, second = total + density, first + x * density, second + x * x * density
      end
      return first / total, second / total - (first / total) ^ 2
    end

    it("truncated_normal is normal within its bounds, near the mean or far from it", function()
      for _, case in ipairs {
        { 0, 1, -2, 2 }, { 1, 0.5, 0, 5 }, { 0, 1, -0.2, 0.3 }, { 0, 1, 3, 4 },
        { 0, 1, 6, 1000 }, { 2, 3, -1000, -4 }, { 0, 2, 0, 1000 },
      } do
        local mean, deviation, lower, upper = table.unpack(case)
        local W, b = filled { "truncated_normal", mean = mean, deviation = deviation,
          lower = lower, upper = upper }
        assert.is_true(W:min() >= lower and W:max() <= upper)
        local expected_mean, expected_variance = truncated_moments(mean, deviation, lower, upper)
        local found, variance = moments(W)
        assert.near(expected_mean, found, 0.03 * math.sqrt(expected_variance))
        assert.near(expected_variance, variance, 0.04 * expected_variance)
        assert.equal(0, b:norm())
      end
    end)

    it("draws the same numbers from the same seed and others from another", function()
      local fixed = { constant = true, identity = true, zeros = true }
      for kind, initialize in pairs(pl.initializer) do
        local function drawn(seed)
          local W = core.matrix(20, 4)
          initialize(W, core.generator(seed))
          return W:encode(name)
        end
        assert.equal(drawn(3), drawn(3), kind)
        if not fixed[kind] then assert.not_equal(drawn(3), drawn(4), kind) end
      end
    end)
  end)
end

describe("the initializer of a dense layer", function()
  it("is he for what is near 0 on one side, lecun for selu and glorot for all others", function()
    local suited = { elu = "he", gelu = "he", leaky_relu = "he", mish = "he", relu = "he",
      selu = "lecun", silu = "he", softplus = "he" }
    for activation in pairs(pl.float32.activations) do
      local expected = suited[activation] or "glorot"
      assert.equal(expected, initializer.suited(activation))
      local described = layer(activation):describe().initializer
      assert.same(initializer:describe(pl.initializer[expected]), described)
      assert.is_true(same(layer(activation, expected).W, layer(activation).W))
    end
    assert.equal("glorot", initializer.suited(nil))
  end)

  it("is the named one when it is named", function()
    local _, variance = moments(layer("relu", "normal").W)
    assert.near(1, variance, 0.03)
  end)

  it("may be a function of one's own, which fills W", function()
    local seen
    local dense = layer("tanh", function(W, generator)
      seen = { W.rows, W.cols, generator:integer(3, 3) }
      W:fill(0.25)
    end)
    assert.equal(0.25, dense.W:get(7, 9))
    assert.equal(0, dense.b:norm())
    assert.same({ OUTPUTS, INPUTS, 3 }, seen)
  end)

  it("may be given by name in the options of a network", function()
    local own = { initializers = { quarter = function(W) W:fill(0.25) end } }
    local dense = layer("tanh", "quarter", own)
    assert.equal(0.25, dense.W:get(7, 9))
    assert.equal("quarter", dense:describe().initializer)
  end)

  it("is left out of the description when it has no name", function()
    local description = layer("tanh", function(W) W:fill(0) end):describe()
    assert.is_nil(description.initializer)
  end)
end)

describe("the gain of an initializer", function()
  it("may be given by an activation, as PyTorch has it", function()
    for case, expected in pairs(reference.load "gains") do
      for _, kind in ipairs { "glorot", "he", "orthogonal" } do
        local made = pl.initializer { kind, gain = reference.description(case) }
        assert.near(expected.gain, made.options.gain, 1e-15)
      end
    end
    local W, V = pl.matrix(4, 6), pl.matrix(4, 6)
    pl.initializer { "glorot", gain = "tanh" }(W, pl.generator(1))
    pl.initializer { "glorot", gain = 5 / 3 }(V, pl.generator(1))
    assert.is_true(same(W, V))
  end)

  it("is a number of 0 or more, or that of an activation of which it is known", function()
    at_caller(function() local _ = pl.initializer { "he", gain = -1 } end,
      "he: gain: a number of 0 or more expected, got -1")
    at_caller(function() local _ = pl.initializer { "he", gain = true } end,
      "he: gain: a number or an activation expected, got true")
    at_caller(function() local _ = pl.initializer { "glorot", gain = "gelu" } end,
      "glorot: gain: a number, or an activation whose gain is known (identity, leaky_relu, relu, "
      .. "selu, sigmoid, tanh) expected, got \"gelu\"")
    at_caller(function() local _ = pl.initializer { "glorot", gain = "tan" } end,
      "glorot: gain: unknown activation 'tan'")
  end)
end)

describe("an initializer", function()
  it("fills a matrix with numbers of a generator", function()
    local expected = pl.generator(3):normal(pl.matrix(4, 6), 0, math.sqrt(2 / 6))
    local W = pl.matrix(4, 6)
    pl.initializer.he(W, pl.generator(3))
    assert.is_true(same(expected, W))
    pl.initializer { "normal", mean = 1, deviation = 0 }(W, pl.generator(3))
    assert.same({ 1, 1 }, { W:min(), W:max() })
    pl.initializer(function(M) M:fill(7) end)(W, pl.generator(3))
    assert.same({ 7, 7 }, { W:min(), W:max() })
  end)

  it("has a description from which an equal one is made", function()
    for _, description in ipairs {
      { "glorot", distribution = "normal", gain = 2 },
      { "he", distribution = "uniform", gain = 0.5 }, "lecun", { "uniform", bound = 0.25 },
      { "normal", mean = 0.5, deviation = 2 }, { "orthogonal", gain = 3 }, "identity", "zeros",
      { "sparse", sparsity = 0.5, deviation = 1 },
      { "truncated_normal", mean = 0.5, deviation = 2, lower = -1, upper = 1 },
    } do
      local made = pl.initializer(description)
      assert.same(description, initializer:describe(made))
      local A, B = pl.matrix(4, 6), pl.matrix(4, 6)
      made(A, pl.generator(1))
      pl.initializer(initializer:describe(made))(B, pl.generator(1))
      assert.is_true(same(A, B))
    end
    assert.same({ "uniform", bound = 0.5 }, initializer:describe(pl.initializer.uniform))
    assert.same({ "glorot", distribution = "uniform", gain = 1 },
      initializer:describe(pl.initializer.glorot))
    assert.same({ "he", distribution = "normal", gain = math.sqrt(2) },
      initializer:describe(pl.initializer.he))
  end)

  it("is resolved to itself", function()
    for _, description in ipairs { "he", function() end } do
      local made = pl.initializer(description)
      assert.equal(made, pl.initializer(made))
    end
  end)

  it("refuses an unknown name, option or value", function()
    at_caller(function() local _ = pl.initializer "xavier" end,
      "unknown initializer 'xavier' (known: constant, glorot, he, identity, lecun, normal, "
      .. "orthogonal, sparse, truncated_normal, uniform, zeros)")
    at_caller(function() local _ = pl.initializer.xavier end,
      "unknown initializer 'xavier'")
    at_caller(function()
      pl.network { inputs = 1, pl.dense(1, "tanh", { initializer = "xavier" }) }
    end, "layer 1: dense: initializer: unknown initializer 'xavier'")
    at_caller(function() local _ = pl.initializer { "lecun", gain = 2 } end,
      "unknown option 'gain' of lecun (known: none)")
    at_caller(function() local _ = pl.initializer { "he", distribution = "beta" } end,
      "he: distribution: \"normal\" or \"uniform\" expected, got \"beta\"")
    at_caller(function() local _ = pl.initializer { "truncated_normal", lower = 2 } end,
      "truncated_normal: upper: a number above lower (2) expected, got 2")
    at_caller(function() local _ = pl.initializer { "sparse", sparsity = 1.5 } end,
      "sparse: sparsity: a number from 0 to 1 expected, got 1.5")
    at_caller(function() local _ = pl.initializer { "uniform", bound = -1 } end,
      "uniform: bound: a number of 0 or more expected, got -1")
    at_caller(function() local _ = pl.initializer { "normal", deviation = "1" } end,
      "normal: deviation: a number of 0 or more expected, got \"1\"")
    at_caller(function() local _ = pl.initializer { "normal", mean = 0 / 0 } end,
      "normal: mean: a number expected, got ")
    for _, wrong in ipairs { 5, true, {}, { fill = print } } do
      at_caller(function() local _ = pl.initializer(wrong) end,
        "a function (W, generator) expected, got ")
    end
  end)

  it("must not take the name of one that is built in", function()
    local own = { initializers = { he = function() end } }
    at_caller(function() pl.network({ inputs = 1, pl.dense(1) }, own) end,
      "the initializer 'he' is built in: give your own another name")
  end)

  it("asks for a matrix and a generator", function()
    at_caller(function() pl.initializer.he(nil, pl.generator(1)) end,
      "W: a matrix expected, got nil")
    at_caller(function() pl.initializer.he(pl.matrix(2, 2), 1) end,
      "generator: a generator expected, got 1")
    at_caller(function() pl.initializer(function() end)(pl.matrix(2, 2)) end,
      "generator: a generator expected, got nil")
  end)
end)
