-- The layer; what it computes is the core's, and tested in prelu_spec.lua.

local at_caller = require("spec.support.misuse").at_caller
local naive = require "spec.support.naive"
local pl = require "perilune"
local reference = require "spec.support.reference"
local same = require("spec.support.matrices").same

local near = naive.near

local function layer_of(options, inputs)
  local net = pl.network({ inputs = inputs or 4, pl.prelu(options) }, { dtype = "float64" })
  return net.layers[1], net
end

describe("prelu as PyTorch computes it", function()
  for case, expected in pairs(reference.load "prelu") do
    it(case, function()
      local layer = layer_of({ per_unit = reference.description(case).per_unit })
      layer.slope:assign(pl.float64.matrix(expected.slope))
      local X, Delta = pl.float64.matrix(expected.X), pl.float64.matrix(expected.Delta)
      near(layer:forward(X), expected.A, 1e-15)
      near(layer:predict(X), expected.A, 1e-15)
      near(layer:backward(Delta, true), expected.below, 1e-15)
      near(layer.dJ_dslope, expected.dJ_dslope, 1e-14)
    end)
  end
end)

describe("the layer prelu", function()
  it("begins with the slope that is given, which weight decay leaves alone", function()
    for _, case in ipairs { { nil, 4, 0.25 }, { { slope = 0.1 }, 4, 0.1 },
      { { per_unit = false, slope = 0.5 }, 1, 0.5 } } do
      local layer, net = layer_of(case[1])
      assert.equal(case[2], layer.slope.rows)
      near(layer.slope, naive.fill(case[2], 1, case[3]), 0)
      assert.is_false(net:parameters()[1].decays)
    end
  end)

  it("passes the gradient check, each slope and one for all", function()
    for _, per_unit in ipairs { true, false } do
      local net = pl.network({ inputs = 3, pl.dense(5), pl.prelu { per_unit = per_unit },
        pl.dense(2) }, { dtype = "float64", seed = 2 })
      local X = naive.random(pl.float64, 3, 3, 6)
      local report = pl.gradient_check(net, X, pl.float64.matrix { { 1, 2, 1, 1, 2, 2 } },
        { loss = "softmax_cross_entropy" })
      assert.is_true(report.passed and report.largest_error <= 1e-6)
    end
  end)

  it("adds up the gradients of layers that share their slopes", function()
    local net = pl.network({ inputs = 3, pl.prelu { shared = "p" }, pl.dense(3),
      pl.prelu { shared = "p" } }, { dtype = "float64" })
    local X, T = naive.random(pl.float64, 3, 3, 6), naive.random(pl.float64, 4, 3, 6)
    local report = pl.gradient_check(net, X, T, { loss = "squared_error" })
    assert.is_true(report.passed)
    assert.equal(3 + 9 + 3, net:parameter_count())
  end)

  it("gives Delta below alone when it is frozen", function()
    local layer = layer_of { frozen = true }
    local X, Delta = naive.random(pl.float64, 1, 4, 6), naive.random(pl.float64, 2, 4, 6)
    layer:forward(X)
    local expected = naive.zip(function(delta, x)
      return x > 0 and delta or 0.25 * delta
    end, Delta:totable(), X:totable())
    near(layer:backward(Delta, true), expected, 1e-15)
    assert.is_nil(layer:backward(Delta))
    assert.is_nil(layer.dJ_dslope)
  end)

  it("goes backward as it went forward, whatever was predicted between", function()
    local layer = layer_of()
    local X, Delta = naive.random(pl.float64, 1, 4, 6), naive.random(pl.float64, 2, 4, 6)
    layer:forward(X)
    local below, gradient = layer:backward(Delta, true):copy(), layer.dJ_dslope:copy()
    layer:predict(naive.random(pl.float64, 3, 4, 9))
    assert.is_true(same(below, layer:backward(Delta, true)))
    assert.is_true(same(gradient, layer.dJ_dslope))
  end)

  it("learns a slope", function()
    local net = pl.network({ inputs = 1, pl.prelu() }, { dtype = "float64" })
    local X = pl.float64.matrix { { -2, -1, 1, 2 } }
    pl.fit(net, pl.dataset { X = X, T = pl.float64.matrix { { -1.4, -0.7, 1, 2 } } },
      { loss = "squared_error", optimizer = { "sgd", rate = 0.2 }, epochs = 100 })
    assert.near(0.7, net.layers[1].slope:get(1, 1), 1e-9)
  end)

  it("comes back from a file and as a clone", function()
    local _, net = layer_of { per_unit = false }
    net.layers[1].slope:fill(0.125)
    local path = os.tmpname()
    assert(net:save(path))
    for _, again in ipairs { assert(pl.load(path)), net:clone() } do
      assert.same({ { 0.125 } }, again.layers[1].slope:totable())
      assert.same(net:describe(), again:describe())
    end
    os.remove(path)
  end)

  it("is described and printed", function()
    local layer, net = layer_of { slope = 0.5 }
    assert.same({ "prelu", slope = 0.5, per_unit = true }, net:describe().layers[1])
    assert.equal("prelu", tostring(layer))
    assert.equal("prelu, one slope", tostring((layer_of { per_unit = false })))
  end)

  it("refuses options that are none, and backward without forward", function()
    at_caller(function() local _ = pl.prelu { slope = "1" } end,
      "prelu: slope: a number expected, got \"1\"")
    at_caller(function() local _ = pl.prelu { alpha = 1 } end, "unknown option 'alpha' of prelu")
    local layer = layer_of()
    assert.has_error(function() layer:backward(pl.float64.matrix(4, 1)) end)
  end)
end)
