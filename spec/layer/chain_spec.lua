local at_caller = require("spec.support.misuse").at_caller
local naive = require "spec.support.naive"
local pl = require "perilune"
local same = require("spec.support.matrices").same

local core = pl.float64

local function samples(rows, N, seed) return naive.random(core, seed or 1, rows, N) end

-- Which layers went backward, and whether Delta below was wanted of them
local function watched(net)
  local calls = {}
  for l, layer in ipairs(net.layers) do
    local backward = layer.backward
    function layer.backward(self, Delta, wants_below)
      calls[#calls + 1] = l .. (wants_below and " wanted" or "")
      return backward(self, Delta, wants_below)
    end
  end
  return calls
end

local function taken(calls)
  return table.concat(table.move(calls, 1, #calls, 1, {}), ", ")
end

describe("a chain", function()
  it("gives each layer what the one below gave", function()
    local net = pl.network({ inputs = 4, pl.dense(3, "tanh"), pl.dense(5, "sigmoid"),
      pl.dense(2) }, { dtype = "float64" })
    local X = samples(4, 6)
    local A = X:totable()
    for l, activation in ipairs { "tanh", "sigmoid", "identity" } do
      local layer = net.layers[l]
      A = naive.activate(activation,
        naive.affine(layer.W:totable(), A, layer.b:totable()))
    end
    naive.near(net:forward(X), A, 1e-12)
    naive.near(net:predict(X), A, 1e-12)
  end)

  it("goes down to the lowest layer with something to train, and no further", function()
    local frozen = { frozen = true }
    local net = pl.network({
      inputs = 4, pl.dropout(0.1), pl.dense(4, "tanh", frozen), pl.dense(4, "tanh"),
      pl.dense(4, "tanh", frozen), pl.dense(2),
    }, { dtype = "float64" })
    local calls = watched(net)
    net:forward(samples(4, 6))
    assert.is_nil(net:backward(samples(2, 6)))
    assert.equal("5 wanted, 4 wanted, 3", taken(calls))
  end)

  it("goes all the way down where Delta^(0) is wanted", function()
    local net = pl.network({
      inputs = 4, pl.dense(4, "tanh", { frozen = true }), pl.dense(2),
    }, { dtype = "float64" })
    local calls = watched(net)
    local X, Delta = samples(4, 6), samples(2, 6, 2)
    net:forward(X)
    local Delta_0 = net:backward(Delta, true)
    assert.equal("2 wanted, 1 wanted", taken(calls))
    local J = function()
      return net:forward(X):hadamard(Delta):sum() -- dJ/dA^(L) = Delta
    end
    naive.near(Delta_0, naive.differences(J, X), 1e-7)
  end)

  it("does nothing backward where nothing is trained", function()
    for _, layers in ipairs {
      { inputs = 4, pl.dropout(0.5), pl.dropout(0.1) },
      { inputs = 4, pl.dense(4, "tanh", { frozen = true }),
        pl.dense(3, "tanh", { frozen = true }) },
      { inputs = 4, { "chain", layers = { pl.dense(4), pl.dense(4) }, frozen = true } },
    } do
      local net = pl.network(layers, { dtype = "float64" })
      local calls = watched(net)
      net:forward(samples(4, 6))
      assert.is_nil(net:backward(samples(net.outputs, 6)))
      assert.equal("", taken(calls))
      assert.same({ 4, 6 }, { net:backward(samples(net.outputs, 6), true):shape() })
    end
  end)

  it("within a chain stops there, and gives Delta below where it is wanted", function()
    local inner = { "chain", layers = { pl.dense(4, "tanh", { frozen = true }),
      pl.dense(4) } }
    local lowest = pl.network({ inputs = 4, inner, pl.dense(2) }, { dtype = "float64" })
    local calls = watched(lowest.layers[1])
    lowest:forward(samples(4, 6))
    lowest:backward(samples(2, 6))
    assert.equal("2", taken(calls))

    local above = pl.network({ inputs = 3, pl.dense(4), inner, pl.dense(2) },
      { dtype = "float64" })
    calls = watched(above.layers[2])
    above:forward(samples(3, 6))
    above:backward(samples(2, 6))
    assert.equal("2 wanted, 1 wanted", taken(calls))
  end)

  it("may be written as a list of layers", function()
    local list = { pl.dense(3, "tanh"), pl.dropout(0.5) }
    local as_list = pl.network { inputs = 4, list }
    local as_chain = pl.network { inputs = 4, { "chain", layers = list } }
    assert.same(as_chain:describe(), as_list:describe())
    local X = naive.random(pl.float32, 1, 4, 5)
    assert.is_true(same(as_chain:forward(X), as_list:forward(X)))
  end)

  it("is described with its layers, and printed", function()
    local net = pl.network { inputs = 4, { pl.dense(3), pl.dropout(0.5) },
      { pl.dense(1) } }
    assert.same({ "chain", layers = {
      { "dense", outputs = 3, activation = "identity",
        initializer = { "glorot", distribution = "uniform", gain = 1 }, bias = true,
        scaled = false },
      { "dropout", probability = 0.5 },
    } }, net:describe().layers[1])
    assert.equal("network of 4 inputs, 19 parameters, float32\n"
      .. "  1  chain of 2 layers\n"
      .. "    1.1  dense 4 -> 3, identity\n"
      .. "    1.2  dropout 0.5\n"
      .. "  2  chain of 1 layer\n"
      .. "    2.1  dense 3 -> 1, identity", tostring(net))
  end)

  it("refuses what is no list of layers", function()
    at_caller(function()
      local _ = pl.network { inputs = 2 }
    end, "at least one layer expected")
    at_caller(function() local _ = pl.network { inputs = 2, pl.dense(3), sed = 1 } end,
      "unknown field \"sed\" beside the layers")
    at_caller(function()
      local _ = pl.network { inputs = 2,
        { "chain", layers = { pl.dense(3), x = pl.dense(3) } } }
    end, "layer 1: unknown field \"x\" beside the layers")
    at_caller(function() local _ = pl.network { inputs = 2, { "chain" } } end,
      "layer 1: chain: option 'layers' is required")
    at_caller(function()
      local _ = pl.network { inputs = 2, pl.dense(3), nil, pl.dense(2) }
    end, "layer 2 is missing")
  end)
end)
