local at_caller = require("spec.support.misuse").at_caller
local naive = require "spec.support.naive"
local own = require "spec.support.layers"
local pl = require "perilune"
local same = require("spec.support.matrices").same

local near = naive.near

local function sum(A, B) return naive.zip(function(a, b) return a + b end, A, B) end

-- Z, A, and what backward makes of Delta, of a dense layer by loops
local function dense(layer, activation, X)
  local r = { W = layer.W:totable(), X = X }
  r.Z = naive.affine(r.W, X, layer.b:totable())
  r.A = naive.activate(activation, r.Z)
  function r.backward(Delta)
    local H = naive.backward(activation, Delta, r.Z)
    return naive.product(r.W, H, "TN"), naive.product(H, X, "NT"), naive.sum_columns(H)
  end
  return r
end

for _, name in ipairs(naive.types) do
  local core, tolerance = pl[name], naive.tolerance[name]

  describe("a residual block in " .. name, function()
    it("is its body and its input, summed", function()
      local net = pl.network({ inputs = 4,
        pl.residual { pl.dense(3, "tanh"), pl.dense(4) } }, { dtype = name })
      local X, Delta = naive.random(core, 1, 4, 6), naive.random(core, 2, 4, 6)
      local inner, outer = table.unpack(net.layers[1].body.layers)
      local first = dense(inner, "tanh", X:totable())
      local second = dense(outer, "identity", first.A)
      near(net:forward(X), sum(second.A, X:totable()), tolerance)
      near(net:predict(X), sum(second.A, X:totable()), tolerance)

      local below, dJ_dW, dJ_db = second.backward(Delta:totable())
      local bottom, inner_dJ_dW, inner_dJ_db = first.backward(below)
      near(net:backward(Delta, true), sum(bottom, Delta:totable()), tolerance)
      near(outer.dJ_dW, dJ_dW, tolerance)
      near(outer.dJ_db, dJ_db, tolerance)
      near(inner.dJ_dW, inner_dJ_dW, tolerance)
      near(inner.dJ_db, inner_dJ_db, tolerance)
    end)

    it("with a projection is its body and that of its input", function()
      local net = pl.network({
        inputs = 4, pl.residual(pl.dense(3, "sigmoid"), { projection = true }),
      }, { dtype = name })
      local X, Delta = naive.random(core, 1, 4, 6), naive.random(core, 2, 3, 6)
      local block = net.layers[1]
      local body = dense(block.body, "sigmoid", X:totable())
      local projection = dense(block.projection, "identity", X:totable())
      near(net:forward(X), sum(body.A, projection.A), tolerance)
      near(net:predict(X), sum(body.A, projection.A), tolerance)
      local by_body, body_dJ_dW = body.backward(Delta:totable())
      local by_projection, projection_dJ_dW = projection.backward(Delta:totable())
      near(net:backward(Delta, true), sum(by_body, by_projection), tolerance)
      near(block.body.dJ_dW, body_dJ_dW, tolerance)
      near(block.projection.dJ_dW, projection_dJ_dW, tolerance)
    end)
  end)
end

describe("a residual block", function()
  it("names the tensors within it by their path", function()
    local net = pl.network {
      inputs = 4, pl.dense(5),
      pl.residual({ pl.dense(6, "relu"), pl.dense(3) },
        { projection = pl.dense(3, "tanh") }),
    }
    local names = {}
    for k, tensor in ipairs(net:tensors()) do names[k] = tensor.name end
    assert.same({ "1.W", "1.b", "2.body.1.W", "2.body.1.b", "2.body.2.W", "2.body.2.b",
      "2.projection.W", "2.projection.b" }, names)
  end)

  -- Their predictions are their inputs themselves.
  it("of dropout doubles its input in prediction, and leaves it", function()
    local net = pl.network { inputs = 4,
      pl.residual { pl.dropout(0.5), pl.dropout(0.2) } }
    local X = naive.random(pl.float32, 1, 4, 6)
    local before = X:copy()
    assert.is_true(same(2 * X, net:predict(X)))
    assert.is_true(same(2 * X, net.layers[1]:predict(X)))
    assert.is_true(same(before, X))
  end)

  it("of what hands on what it gets leaves it, and doubles it", function()
    local net = pl.network({
      inputs = 2, pl.residual("counter", { projection = "counter" }),
    }, { layers = own })
    local X, Delta = naive.random(pl.float32, 1, 2, 6), pl.matrix(2, 6):fill(1)
    local before = X:copy()
    assert.is_true(same(2 * X, net:forward(X)))
    assert.same(naive.fill(2, 6, 2), net:backward(Delta, true):totable())
    assert.is_true(same(before, X))
    assert.same(naive.fill(2, 6, 1), Delta:totable())
  end)

  it("of dropout adds what was let through, and lets Delta through likewise", function()
    local net = pl.network { inputs = 40, pl.residual(pl.dropout(0.5)) }
    local X = pl.matrix(40, 20):fill(1)
    local A = net:forward(X)
    assert.is_true(A:min() == 1 and A:max() == 3)
    assert.is_true(same(A, net:backward(X, true)))
  end)

  it("frozen leaves all within it as it is, and still lets Delta through", function()
    local net = pl.network({
      inputs = 4, pl.dense(5, "tanh"),
      pl.residual({ pl.dense(6, "tanh"), pl.batch_norm(), pl.dense(5) },
        { projection = true, frozen = true }),
      pl.dense(2),
    }, { dtype = "float64" })
    local names, before = {}, {}
    for k, parameter in ipairs(net:parameters()) do names[k] = parameter.name end
    assert.same({ "1.W", "1.b", "3.W", "3.b" }, names)
    for k, tensor in ipairs(net:tensors()) do before[k] = tensor.value:copy() end
    local X, T = naive.random(pl.float64, 1, 4, 9), naive.random(pl.float64, 2, 2, 9)
    local report = pl.gradient_check(net, X, T, { loss = "squared_error" })
    assert.is_true(report.passed, tostring(report))
    local optimizer = pl.adam { rate = 0.1 }
    for _ = 1, 5 do
      local _, Delta = pl.loss.squared_error(net:forward(X), T)
      net:backward(Delta)
      optimizer:step(net:parameters())
    end
    for k, tensor in ipairs(net:tensors()) do
      local is_within = tensor.name:find "^2%." ~= nil
      assert.equal(is_within, tensor.frozen)
      assert.equal(is_within, same(before[k], tensor.value), tensor.name)
      assert.equal(is_within, rawget(tensor, "gradient") == nil)
    end
  end)

  it("is described with its body, and its projection as a layer", function()
    assert.same({
      "residual",
      body = { "chain", layers = { { "dropout", probability = 0.5 },
        { "dense", outputs = 3, activation = "relu",
          initializer = { "he", distribution = "normal", gain = math.sqrt(2) }, bias = true,
          scaled = false } } },
      projection = { "dense", outputs = 3, activation = "identity",
        initializer = { "glorot", distribution = "uniform", gain = 1 }, bias = true,
        scaled = false },
    }, pl.network {
      inputs = 4, pl.residual({ pl.dropout(0.5), pl.dense(3, "relu") },
        { projection = true }),
    }:describe().layers[1])
  end)

  it("is printed with the layers within it", function()
    local net = pl.network {
      inputs = 4, pl.residual(pl.dense(3), { projection = pl.dense(3, "relu") }),
      pl.residual { { "layer_norm" } },
    }
    assert.equal("network of 4 inputs, 36 parameters, float32\n"
      .. "  1  residual, with a projection\n"
      .. "    1.body  dense 4 -> 3, identity\n"
      .. "    1.projection  dense 4 -> 3, relu\n"
      .. "  2  residual\n"
      .. "    2.body  chain of 1 layer\n"
      .. "      2.body.1  layer_norm", tostring(net))
  end)

  it("refuses a sum of different numbers of outputs, and says what helps", function()
    at_caller(function()
      local _ = pl.network { inputs = 4, pl.residual(pl.dense(3)) }
    end, "layer 1: its body has 3 outputs but its input has 4, and they are summed "
      .. "(projection = true makes as many of the input)")
    at_caller(function()
      local _ = pl.network {
        inputs = 4, pl.residual(pl.dense(3), { projection = pl.dense(5) }),
      }
    end, "layer 1: its body has 3 outputs but the projection has 5, and they are summed")
  end)

  it("refuses a body that is no layer, by its path", function()
    at_caller(function() local _ = pl.residual(5) end,
      "residual: body: a layer or a list of layers expected, got 5")
    at_caller(function()
      local _ = pl.residual()
    end, "residual: option 'body' is required")
    at_caller(function()
      local _ = pl.network { inputs = 4, pl.residual(true) }
    end, "layer 1.body: a layer expected, such as pl.dense(10)")
    at_caller(function()
      local _ = pl.network { inputs = 4,
        pl.residual { pl.dense(4), { "dens", outputs = 4 } } }
    end, "layer 1.body.2: unknown kind of layer 'dens'")
  end)
end)
