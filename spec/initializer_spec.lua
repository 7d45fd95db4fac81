local initializer = require "perilune.initializer"
local pl = require "perilune"

local OUTPUTS, INPUTS = 150, 200

-- Mean, variance and largest size of the elements of M.
local function moments(M)
  local count = M.rows * M.cols
  local mean = M:sum() / count
  return mean, (M - mean):norm() ^ 2 / count, math.max(M:max(), -M:min())
end

for _, name in ipairs { "float32", "float64" } do
  local core = pl[name]

  describe("an initializer in " .. name, function()
    local function filled(kind)
      local W, b = core.matrix(OUTPUTS, INPUTS, "rows"), core.matrix(OUTPUTS, 1):fill(7)
      pl.initializer[kind](W, b, core.generator(11))
      return W, b
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

    it("uniform puts W and b in +-0.5", function()
      local W, b = filled "uniform"
      local mean, variance, largest = moments(W)
      assert.near(0, mean, 0.01)
      assert.near(1 / 12, variance, 0.03 / 12)
      assert.is_true(largest <= 0.5 and largest > 0.499)
      local _, b_variance, b_largest = moments(b)
      assert.near(1 / 12, b_variance, 0.25 / 12)
      assert.is_true(b_largest <= 0.5)
    end)

    it("normal makes W and b standard normal", function()
      local W, b = filled "normal"
      local mean, variance, largest = moments(W)
      assert.near(0, mean, 0.02)
      assert.near(1, variance, 0.03)
      assert.is_true(largest > 3)
      local _, b_variance = moments(b)
      assert.near(1, b_variance, 0.35)
    end)

    it("draws the same numbers from the same seed and others from another", function()
      for kind, initialize in pairs(pl.initializer) do
        local function drawn(seed)
          local W, b = core.matrix(5, 4), core.matrix(5, 1)
          initialize(W, b, core.generator(seed))
          return W:encode(name) .. b:encode(name)
        end
        assert.equal(drawn(3), drawn(3), kind)
        assert.not_equal(drawn(3), drawn(4), kind)
      end
    end)
  end)
end

describe("the initializer of a dense layer", function()
  local function weights(activation, kind)
    local network = pl.network({ inputs = INPUTS,
      pl.dense(OUTPUTS, activation, { initializer = kind }) }, { seed = 5 })
    return network.layers[1]
  end

  it("is he for relu and glorot for every other activation", function()
    for activation in pairs(pl.float32.activations) do
      local expected = activation == "relu" and "he" or "glorot"
      assert.equal(expected, initializer.suited(activation))
      assert.equal(expected, weights(activation).initializer)
      assert.equal(weights(activation, expected).W:encode "float32",
        weights(activation).W:encode "float32")
    end
  end)

  it("is the named one when it is named", function()
    local _, variance = moments(weights("relu", "normal").W)
    assert.near(1, variance, 0.03)
  end)

  it("may be a function of one's own", function()
    local layer = weights("tanh", function(W, b, generator)
      W:fill(0.25)
      b:fill(generator:integer(3, 3))
    end)
    assert.equal(0.25, layer.W:get(7, 9))
    assert.equal(3, layer.b:get(7, 1))
  end)
end)
