-- The first weights: their moments and bounds, and how an initializer is described.

local at_caller = require("spec.support.misuse").at_caller
local initializer = require "perilune.initializer"
local pl = require "perilune"
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

    it("draws the same numbers from the same seed and others from another", function()
      for kind, initialize in pairs(pl.initializer) do
        local function drawn(seed)
          local W = core.matrix(5, 4)
          initialize(W, core.generator(seed))
          return W:encode(name)
        end
        assert.equal(drawn(3), drawn(3), kind)
        assert.not_equal(drawn(3), drawn(4), kind)
      end
    end)
  end)
end

describe("the initializer of a dense layer", function()
  it("is he for what is 0 on one side and glorot for every other activation", function()
    local he = { relu = true, leaky_relu = true, elu = true }
    for activation in pairs(pl.float32.activations) do
      local expected = he[activation] and "he" or "glorot"
      assert.equal(expected, initializer.suited(activation))
      assert.equal(expected, layer(activation):describe().initializer)
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
    for _, description in ipairs { "glorot", "he", "lecun", { "uniform", bound = 0.25 },
      { "normal", mean = 0.5, deviation = 2 } } do
      local made = pl.initializer(description)
      assert.same(description, initializer:describe(made))
      local A, B = pl.matrix(4, 6), pl.matrix(4, 6)
      made(A, pl.generator(1))
      pl.initializer(initializer:describe(made))(B, pl.generator(1))
      assert.is_true(same(A, B))
    end
    assert.same({ "uniform", bound = 0.5 }, initializer:describe(pl.initializer.uniform))
  end)

  it("is resolved to itself", function()
    for _, description in ipairs { "he", function() end } do
      local made = pl.initializer(description)
      assert.equal(made, pl.initializer(made))
    end
  end)

  it("refuses an unknown name, option or value", function()
    at_caller(function() local _ = pl.initializer "xavier" end,
      "unknown initializer 'xavier' (known: glorot, he, lecun, normal, uniform)")
    at_caller(function() local _ = pl.initializer.xavier end,
      "unknown initializer 'xavier'")
    at_caller(function()
      pl.network { inputs = 1, pl.dense(1, "tanh", { initializer = "xavier" }) }
    end, "layer 1: dense: initializer: unknown initializer 'xavier'")
    at_caller(function() local _ = pl.initializer { "he", gain = 2 } end,
      "unknown option 'gain' of he (known: none)")
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
