local at_caller = require("spec.support.misuse").at_caller
local naive = require "spec.support.naive"
local pl = require "perilune"

local core = pl.float64

describe("gaussian_noise", function()
  it("adds noise of its deviation in training, and none in prediction", function()
    local layers = { inputs = 100, pl.gaussian_noise(0.5) }
    local net = pl.network(layers, { dtype = "float64", seed = 2 })
    local X = core.matrix(100, 1000):fill(3)
    local noise = net:forward(X) - 3
    assert.near(0, noise:mean(), 5 * 0.5 / math.sqrt(1e5))
    assert.near(0.5, noise:norm() / math.sqrt(1e5), 0.01)
    naive.near(net:predict(X), X:totable(), 0)
    assert.equal("gaussian_noise 0.5", tostring(net.layers[1]))
  end)

  it("is the same from the same seed, and other at each forward", function()
    local function new() return pl.network { inputs = 3, pl.gaussian_noise() } end
    local X, one, other = pl.matrix(3, 4), new(), new()
    local first = one:forward(X):totable()
    naive.near(other:forward(X), first, 0)
    assert.is_true(naive.differs(one:forward(X), first, 1e-3))
  end)

  it("refuses what is no deviation", function()
    at_caller(function() local _ = pl.gaussian_noise(-1) end,
      "gaussian_noise: deviation: a number from 0 to 1e+18 expected, got -1")
  end)
end)
