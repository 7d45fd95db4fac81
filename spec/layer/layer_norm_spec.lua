local at_caller = require("spec.support.misuse").at_caller
local naive = require "spec.support.naive"
local pl = require "perilune"
local same = require("spec.support.matrices").same

local near, sum = naive.near, naive.sum
local SIZE = 5

-- The formulas as loops, over a table of rows

local function forward(p, X, epsilon)
  local N = #X[1]
  local r = { mean = {}, factor = {} }
  for n = 1, N do
    r.mean[n] = sum(SIZE, function(i) return X[i][n] end) / SIZE
    local variance = sum(SIZE, function(i) return (X[i][n] - r.mean[n]) ^ 2 end) / SIZE
    r.factor[n] = 1 / math.sqrt(variance + epsilon)
  end
  r.Y = naive.build(SIZE, N, function(i, n)
    return (X[i][n] - r.mean[n]) * r.factor[n]
  end)
  r.A = naive.build(SIZE, N, function(i, n)
    return p.scale[i] * r.Y[i][n] + p.shift[i]
  end)
  return r
end

-- dJ/dX_in = sum over k of Delta_kn dA_kn/dX_in, coordinate by coordinate
local function backward(p, r, X, Delta)
  return naive.build(SIZE, #X[1], function(i, n)
    -- dvariance/dx_i = 2 (x_i - mean) / S; dfactor/dvariance = - factor^3 / 2
    local of_variance = -r.factor[n] ^ 3 / 2 * 2 * (X[i][n] - r.mean[n]) / SIZE
    return sum(SIZE, function(k)
      local same_feature = k == i and 1 or 0
      local slope = (same_feature - 1 / SIZE) * r.factor[n]
        + (X[k][n] - r.mean[n]) * of_variance
      return Delta[k][n] * p.scale[k] * slope
    end)
  end)
end

local function layer_of(core, options)
  local net = pl.network({ inputs = SIZE, pl.layer_norm(options) }, { dtype = core.name })
  local layer, p = net.layers[1], { scale = {}, shift = {} }
  for k, name in ipairs { "scale", "shift" } do
    core.generator(k):uniform(layer[name], 0.5, 1.5)
    for i = 1, SIZE do p[name][i] = layer[name]:get(i, 1) end
  end
  return layer, p
end

local function samples(core, N)
  return naive.random(core, 9, SIZE, N) + 2
end

for _, name in ipairs(naive.types) do
  local core, tolerance = pl[name], naive.tolerance[name]

  for _, N in ipairs { 1, SIZE, 7 } do
    describe(("layer normalisation of %d samples in %s"):format(N, name), function()
      it("normalises by the mean and the variance of each sample", function()
        local layer, p = layer_of(core)
        local X = samples(core, N)
        local r = forward(p, X:totable(), 1e-5)
        near(layer:forward(X), r.A, tolerance)
        near(layer.Y, r.Y, tolerance)
      end)

      it("does so in prediction", function()
        local layer, p = layer_of(core, { epsilon = 0.1 })
        local X = samples(core, N)
        near(layer:predict(X), forward(p, X:totable(), 0.1).A, tolerance)
        assert.is_true(same(layer:forward(X), layer:predict(X)))
      end)

      it("gives the gradients and Delta below", function()
        local layer, p = layer_of(core)
        local X, Delta = samples(core, N), naive.random(core, 3, SIZE, N)
        layer:forward(X)
        local below = layer:backward(Delta, true)
        local r = forward(p, X:totable(), 1e-5)
        near(below, backward(p, r, X:totable(), Delta:totable()), tolerance)
        near(layer.dJ_dshift, naive.sum_columns(Delta:totable()), tolerance)
        near(layer.dJ_dscale, naive.sum_columns(naive.hadamard(Delta:totable(), r.Y)),
          tolerance)
      end)
    end)
  end
end

describe("layer normalisation", function()
  it("goes backward as it went forward, whatever was predicted between", function()
    local layer = layer_of(pl.float64)
    local X, Delta = samples(pl.float64, 7), naive.random(pl.float64, 3, SIZE, 7)
    layer:forward(X)
    local below = layer:backward(Delta, true):copy()
    layer:predict(samples(pl.float64, 7) * 3)
    layer:predict(samples(pl.float64, 20))
    assert.is_true(same(below, layer:backward(Delta, true)))
  end)

  it("of a single feature is its shift, and lets nothing through", function()
    local net = pl.network { inputs = 1, "layer_norm" }
    net.layers[1].shift:fill(3)
    assert.same({ { 3, 3 } }, net:forward(pl.matrix { { 5, -2 } }):totable())
    assert.same({ { 0, 0 } }, net:backward(pl.matrix { { 1, 1 } }, true):totable())
  end)

  it("begins with scale 1 and shift 0, which weight decay leaves alone", function()
    local net = pl.network { inputs = 2, "layer_norm" }
    assert.same({ { 1 }, { 1 } }, net.layers[1].scale:totable())
    assert.same({ { 0 }, { 0 } }, net.layers[1].shift:totable())
    for _, parameter in ipairs(net:parameters()) do assert.is_false(parameter.decays) end
  end)

  it("is described and printed", function()
    local net = pl.network { inputs = 2, pl.layer_norm { epsilon = 1e-3 } }
    assert.same({ "layer_norm", epsilon = 1e-3 }, net:describe().layers[1])
    assert.equal("layer_norm", tostring(net.layers[1]))
  end)

  it("refuses options out of their range", function()
    at_caller(function() local _ = pl.layer_norm { epsilon = -1 } end,
      "layer_norm: epsilon: a number above 0 expected, got -1")
    at_caller(function() local _ = pl.layer_norm { momentum = 0.1 } end,
      "unknown option 'momentum'")
  end)
end)
