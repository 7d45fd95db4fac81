local at_caller = require("spec.support.misuse").at_caller
local naive = require "spec.support.naive"
local pl = require "perilune"
local same = require("spec.support.matrices").same

local near, sum = naive.near, naive.sum
local SIZE = 4

-- The formulas as loops, over a table of rows

local function mean_of(row)
  return sum(#row, function(n) return row[n] end) / #row
end

local function squares_of(row, mean)
  return sum(#row, function(n) return (row[n] - mean) ^ 2 end)
end

-- p: scale, shift, running_mean, running_variance, lists; by_batch: by the batch's own statistics
local function forward(p, X, epsilon, by_batch)
  local N = #X[1]
  local r = { mean = {}, variance = {}, factor = {} }
  for i = 1, #X do
    r.mean[i] = by_batch and mean_of(X[i]) or p.running_mean[i]
    r.variance[i] = by_batch and squares_of(X[i], r.mean[i]) / N or p.running_variance[i]
    r.factor[i] = 1 / math.sqrt(r.variance[i] + epsilon)
  end
  r.Y = naive.build(#X, N, function(i, n) return (X[i][n] - r.mean[i]) * r.factor[i] end)
  r.A = naive.build(#X, N, function(i, n) return p.scale[i] * r.Y[i][n] + p.shift[i] end)
  return r
end

local function moved(p, r, N, momentum)
  local mean, variance = {}, {}
  for i = 1, #p.scale do
    local unbiased = r.variance[i] * N / (N - 1)
    mean[i] = { (1 - momentum) * p.running_mean[i] + momentum * r.mean[i] }
    variance[i] = { (1 - momentum) * p.running_variance[i] + momentum * unbiased }
  end
  return mean, variance
end

-- dJ/dx of the whole formula by the chain rule, coordinate by coordinate: dA_im/dX_in for all m and
-- n
local function backward(p, r, X, Delta)
  local N = #X[1]
  return naive.build(#X, N, function(i, n)
    return sum(N, function(m)
      local same_sample = m == n and 1 or 0
      -- dvariance/dx_n = 2 (x_n - mean) / N; dfactor/dvariance = - factor^3 / 2
      local of_variance = -r.factor[i] ^ 3 / 2 * 2 * (X[i][n] - r.mean[i]) / N
      local slope = (same_sample - 1 / N) * r.factor[i]
        + (X[i][m] - r.mean[i]) * of_variance
      return Delta[i][m] * p.scale[i] * slope
    end)
  end)
end

local function column(M)
  local list = {}
  for i = 1, M.rows do list[i] = M:get(i, 1) end
  return list
end

-- A layer that has seen something: its tensors are no zeros and ones.
local function layer_of(core, options)
  local description = { "batch_norm", momentum = options and options.momentum,
    epsilon = options and options.epsilon, frozen = options and options.frozen }
  local net = pl.network({ inputs = SIZE, description }, { dtype = core.name })
  local layer, p = net.layers[1], {}
  for k, name in ipairs { "scale", "shift", "running_mean", "running_variance" } do
    core.generator(k):uniform(layer[name], 0.5, 1.5)
    p[name] = column(layer[name])
  end
  return layer, p, net
end

local function samples(core, N, seed)
  return naive.random(core, seed or 9, SIZE, N) + 2
end

for _, name in ipairs(naive.types) do
  local core, tolerance = pl[name], naive.tolerance[name]

  describe("batch normalisation in " .. name, function()
    it("normalises by the mean and the variance of the batch", function()
      local layer, p = layer_of(core)
      local X = samples(core, 7)
      local r = forward(p, X:totable(), 1e-5, true)
      near(layer:forward(X), r.A, tolerance)
      near(layer.Y, r.Y, tolerance)
      for i = 1, SIZE do
        naive.near_number(mean_of(layer.Y:totable()[i]), 0, tolerance)
        naive.near_number(squares_of(layer.Y:totable()[i], 0) / 7,
          r.variance[i] / (r.variance[i] + 1e-5), tolerance)
      end
    end)

    it("moves the running statistics, of the unbiased variance", function()
      for _, momentum in ipairs { 0.1, 0.3, 0, 1 } do
        local layer, p = layer_of(core, { momentum = momentum })
        local X = samples(core, 7)
        local mean, variance = moved(p, forward(p, X:totable(), 1e-5, true), 7, momentum)
        layer:forward(X)
        near(layer.running_mean, mean, tolerance)
        near(layer.running_variance, variance, tolerance)
      end
    end)

    it("predicts by the running statistics, and leaves them", function()
      local layer, p = layer_of(core, { epsilon = 1e-3 })
      local X = samples(core, 7)
      local before = layer.running_mean:copy()
      near(layer:predict(X), forward(p, X:totable(), 1e-3, false).A, tolerance)
      assert.is_true(same(before, layer.running_mean))
    end)

    it("sums Delta for dJ/dshift, and Delta (.) Y for dJ/dscale", function()
      local layer, p = layer_of(core)
      local X, Delta = samples(core, 7), naive.random(core, 3, SIZE, 7)
      layer:forward(X)
      layer:backward(Delta)
      local r = forward(p, X:totable(), 1e-5, true)
      near(layer.dJ_dshift, naive.sum_columns(Delta:totable()), tolerance)
      near(layer.dJ_dscale, naive.sum_columns(naive.hadamard(Delta:totable(), r.Y)),
        tolerance)
    end)

    it("gives Delta below through the batch's mean and variance, too", function()
      local layer, p = layer_of(core)
      local X, Delta = samples(core, 7), naive.random(core, 3, SIZE, 7)
      layer:forward(X)
      local r = forward(p, X:totable(), 1e-5, true)
      near(layer:backward(Delta, true), backward(p, r, X:totable(), Delta:totable()),
        tolerance)
    end)
  end)

  -- A batch of one sample has no variance; a frozen layer computes what it did.
  for title, case in pairs {
    ["for one sample"] = { N = 1 },
    ["when frozen"] = { N = 7, frozen = true },
  } do
    describe("batch normalisation in " .. name .. ", " .. title .. ",", function()
      it("normalises by the running statistics, and leaves them", function()
        local layer, p = layer_of(core, { frozen = case.frozen })
        local X = samples(core, case.N)
        local mean, variance = layer.running_mean:copy(), layer.running_variance:copy()
        local A = layer:forward(X)
        near(A, forward(p, X:totable(), 1e-5, false).A, tolerance)
        assert.is_true(same(mean, layer.running_mean))
        assert.is_true(same(variance, layer.running_variance))
        near(layer:predict(X), A:totable(), tolerance)
      end)

      it("gives Delta below as if these were constants", function()
        local layer, p = layer_of(core, { frozen = case.frozen })
        local X, Delta = samples(core, case.N), naive.random(core, 3, SIZE, case.N)
        layer:forward(X)
        local r = forward(p, X:totable(), 1e-5, false)
        local below = naive.build(SIZE, case.N, function(i, n)
          return Delta:get(i, n) * p.scale[i] * r.factor[i]
        end)
        for _ = 1, 2 do near(layer:backward(Delta, true), below, tolerance) end
      end)
    end)
  end
end

describe("batch normalisation", function()
  it("sums the gradients for one sample as for others", function()
    local core = pl.float64
    local layer, p = layer_of(core)
    local X, Delta = samples(core, 1), naive.random(core, 3, SIZE, 1)
    layer:forward(X)
    layer:backward(Delta)
    local r = forward(p, X:totable(), 1e-5, false)
    near(layer.dJ_dshift, Delta:totable(), 0)
    near(layer.dJ_dscale, naive.hadamard(Delta:totable(), r.Y), 1e-12)
  end)

  it("goes backward as it went forward, whatever came between", function()
    local layer = layer_of(pl.float64)
    local X, Delta = samples(pl.float64, 7), naive.random(pl.float64, 3, SIZE, 7)
    layer:forward(X)
    local below = layer:backward(Delta, true):copy()
    layer:predict(samples(pl.float64, 20))
    assert.is_true(same(below, layer:backward(Delta, true)))
  end)

  it("holds features of a large mean and a small spread apart in float32", function()
    local layer = layer_of(pl.float32)
    layer.scale:fill(1)
    layer.shift:fill(0)
    local X = naive.random(pl.float32, 1, SIZE, 50) + 1000
    local Y = layer:forward(X):copy()
    layer.running_mean:assign(pl.float32.sum_columns(layer.running_mean:copy(), X) / 50)
    layer.running_variance:fill(1)
    local P = layer:predict(X)
    local expected = X:to "float64" - layer.running_mean:to "float64"
    near(P, (expected / math.sqrt(1 + 1e-5)):totable(), 1e-6)
    assert.is_true(Y:is_finite() and Y:max() > 1)
  end)

  it("of a feature that is the same in the whole batch is its shift", function()
    local layer = layer_of(pl.float64)
    local A = layer:forward(pl.float64.matrix(SIZE, 5):fill(3))
    for i = 1, SIZE do
      for n = 1, 5 do assert.equal(layer.shift:get(i, 1), A:get(i, n)) end
    end
    assert.is_true(layer:backward(pl.float64.matrix(SIZE, 5):fill(1), true):is_finite())
  end)

  it("begins with scale 1, shift 0, mean 0 and variance 1", function()
    local layer = pl.network({ inputs = 2, pl.batch_norm() }).layers[1]
    local first = { scale = 1, shift = 0, running_mean = 0, running_variance = 1 }
    for name, x in pairs(first) do
      assert.same({ { x }, { x } }, layer[name]:totable())
    end
  end)

  it("has parameters that weight decay leaves alone, and state", function()
    local net = pl.network { inputs = 2, "batch_norm" }
    local roles = {}
    for _, tensor in ipairs(net:tensors()) do
      roles[tensor.name] = tensor.role
      if tensor.role == "parameter" then assert.is_false(tensor.decays) end
    end
    assert.same({ ["1.scale"] = "parameter", ["1.shift"] = "parameter",
      ["1.running_mean"] = "state", ["1.running_variance"] = "state" }, roles)
    assert.equal(4, net:parameter_count())
  end)

  it("is described and printed with its options", function()
    local net = pl.network { inputs = 2, pl.batch_norm { momentum = 0.2 } }
    assert.same({ "batch_norm", momentum = 0.2, epsilon = 1e-5 },
      net:describe().layers[1])
    assert.equal("batch_norm, momentum 0.2", tostring(net.layers[1]))
  end)

  it("refuses options out of their range", function()
    at_caller(function() local _ = pl.batch_norm { momentum = 1.5 } end,
      "batch_norm: momentum: a number from 0 to 1 expected, got 1.5")
    at_caller(function() local _ = pl.batch_norm { epsilon = 0 } end,
      "batch_norm: epsilon: a number above 0 expected, got 0")
    at_caller(function() local _ = pl.batch_norm { eps = 1 } end, "unknown option 'eps'")
  end)
end)
