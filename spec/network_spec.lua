local at_caller = require("spec.support.misuse").at_caller
local anywhere = require("spec.support.misuse").anywhere
local distance = require("spec.support.matrices").distance
local pl = require "perilune"
local same = require("spec.support.matrices").same

-- 4 inputs, 6 and 5 hidden, 3 outputs.
local function new(given, hidden)
  return pl.network({
    inputs = 4, pl.dense(6, hidden or "tanh"), pl.dense(5, "sigmoid"), pl.dense(3),
  }, given)
end

local function samples(N, dtype, seed)
  local core = pl[dtype or "float32"]
  return core.generator(seed or 77):normal(core.matrix(4, N))
end

-- Everything that forward, backward and an optimiser leave behind.
local function training_state(network)
  local parts = {
    network.theta:encode(network.dtype), network.dJ_dtheta:encode(network.dtype),
  }
  for _, layer in ipairs(network.layers) do
    for _, quantity in ipairs { "Z", "A", "H", "mask" } do
      local M = layer[quantity]
      if M then
        parts[#parts + 1] = ("%d x %d "):format(M:shape()) .. M:encode(network.dtype)
      end
    end
  end
  parts[#parts + 1] = network.generator:state()
  return table.concat(parts, "|")
end

local function shape(M) return ("%d x %d"):format(M:shape()) end

describe("a network's shapes", function()
  it("follow from the inputs and the widths", function()
    local network = new()
    assert.equal(4, network.inputs)
    assert.equal(3, network.outputs)
    local expected = { { "6 x 4", "6 x 1" }, { "5 x 6", "5 x 1" }, { "3 x 5", "3 x 1" } }
    for l, layer in ipairs(network.layers) do
      assert.same(expected[l], { shape(layer.W), shape(layer.b) })
      assert.same(expected[l], { shape(layer.dJ_dW), shape(layer.dJ_db) })
    end
  end)

  it("of Z, A and H are S_l x N", function()
    local network = new()
    network:forward(samples(7))
    network:backward(pl.matrix(3, 7))
    for l, width in ipairs { 6, 5, 3 } do
      local layer = network.layers[l]
      for _, quantity in ipairs { "Z", "A", "H" } do
        assert.equal(width .. " x 7", shape(layer[quantity]))
      end
    end
  end)
end)

describe("a network's parameters", function()
  it("are W and b of each layer by name, with their gradients", function()
    local network = new()
    local names = {}
    for k, parameter in ipairs(network:parameters()) do
      names[k] = parameter.name
      local layer = network.layers[tonumber(parameter.name:match "^%d+")]
      local quantity = parameter.name:match "%.(.*)"
      assert.is_true(rawequal(layer[quantity], parameter.value))
      assert.is_true(rawequal(layer["dJ_d" .. quantity], parameter.gradient))
    end
    assert.same({ "1.W", "1.b", "2.W", "2.b", "3.W", "3.b" }, names)
    assert.equal(6 * 4 + 6 + 5 * 6 + 5 + 3 * 5 + 3, network:parameter_count())
  end)

  it("are views of theta, and the gradients of dJ_dtheta", function()
    local network = new()
    for _, parameter in ipairs(network:parameters()) do
      network.theta:fill(2)
      network.dJ_dtheta:fill(3)
      local size = parameter.value.rows * parameter.value.cols
      assert.equal(2 * size, parameter.value:sum())
      assert.equal(3 * size, parameter.gradient:sum())
      network.theta:fill(0)
      parameter.value:fill(1)
      assert.equal(size, network.theta:sum())
      network.dJ_dtheta:fill(0)
      parameter.gradient:fill(1)
      assert.equal(size, network.dJ_dtheta:sum())
    end
  end)

  it("do not overlap", function()
    local network = new()
    network.theta:fill(0)
    for k, parameter in ipairs(network:parameters()) do parameter.value:fill(k) end
    for k, parameter in ipairs(network:parameters()) do
      assert.equal(k, parameter.value:min())
      assert.equal(k, parameter.value:max())
    end
  end)

  it("are one vector for the optimiser", function()
    local network = new()
    local flat = network:flat_parameters()
    assert.equal(1, #flat)
    assert.is_true(same(network.theta, flat[1].value))
    flat[1].value:fill(3)
    flat[1].gradient:fill(4)
    assert.is_true(network.theta:min() == 3 and network.dJ_dtheta:min() == 4)
    assert.is_true(rawequal(flat, network:flat_parameters()))
  end)

  it("are a vector for each large one, with the small ones that follow it", function()
    local network = pl.network {
      inputs = 5, pl.dense(300), pl.dense(250), pl.dense(4), pl.dense(20000),
    }
    local flat = network:flat_parameters()
    local names, total = {}, 0
    for k, stretch in ipairs(flat) do
      names[k], total = stretch.name, total + stretch.value.rows
      stretch.value:fill(k)
      stretch.gradient:fill(10 * k)
    end
    assert.same({ "theta.1", "theta.2", "theta.3" }, names)
    assert.equal(network.theta.rows, total)
    local stretches = { ["1.W"] = 1, ["1.b"] = 1, ["2.W"] = 2, ["3.W"] = 2, ["3.b"] = 2,
      ["4.W"] = 3, ["4.b"] = 3 }
    for _, parameter in ipairs(network:parameters()) do
      local k = stretches[parameter.name] or 2
      assert.is_true(parameter.value:min() == k and parameter.value:max() == k)
      assert.is_true(parameter.gradient:min() == 10 * k)
      assert.is_true(parameter.gradient:max() == 10 * k)
    end
  end)

  it("stay valid when the network itself is collected", function()
    local parameters = new():parameters()
    collectgarbage()
    collectgarbage()
    assert.is_true(parameters[1].value:is_finite())
    assert.equal("6 x 4", shape(parameters[1].value))
  end)

  it("are those of the seed, and others for another", function()
    assert.is_true(same(new({ seed = 5 }).theta, new({ seed = 5 }).theta))
    assert.is_false(same(new({ seed = 5 }).theta, new({ seed = 6 }).theta))
    assert.is_true(same(new().theta, new({ seed = 1 }).theta))
  end)

  it("may come from a generator", function()
    local generator = pl.generator(5)
    local network = new { generator = generator }
    assert.is_true(same(new({ seed = 5 }).theta, network.theta))
    assert.is_true(rawequal(generator, network.generator))
  end)
end)

describe("forward", function()
  it("chains the layers: A^(l) = sigma_l(W^(l) A^(l-1) + b^(l)) (1.4)", function()
    local network = new { dtype = "float64" }
    local X = samples(5, "float64")
    local A = X
    for _, layer in ipairs(network.layers) do
      local Z = layer.W * A + layer.b
      A = pl.float64.activations[layer.activation].forward(Z:copy(), Z)
    end
    assert.is_true(distance(A, network:forward(X)) < 1e-14)
  end)

  it("gives the same for a sample in whatever batch it comes", function()
    local network = new()
    local X = samples(9)
    local A = network:forward(X):copy()
    for _, N in ipairs { 3, 1, 9, 5 } do
      assert.is_true(distance(A:columns(1, N), network:forward(X:columns(1, N))) < 1e-6)
    end
  end)
end)

describe("backward", function()
  it("chains the layers: Delta^(l-1) = (W^(l))^t H^(l) (4.1) (4.2)", function()
    local network = new { dtype = "float64" }
    local X = samples(5, "float64")
    network:forward(X)
    local Delta = samples(5, "float64", 3):view(1, 3, 5)
    local at = Delta
    local expected = {}
    for l = 3, 1, -1 do
      local layer = network.layers[l]
      local H = pl.float64.activations[layer.activation].backward(
        pl.float64.matrix(at.rows, 5), at, layer.Z, layer.A)
      local below = l > 1 and network.layers[l - 1].A or X
      expected[l] = { H * below:transpose(), H * pl.float64.matrix(5, 1):fill(1) }
      at = layer.W:transpose() * H
    end
    network:backward(Delta)
    for l, layer in ipairs(network.layers) do
      assert.is_true(distance(expected[l][1], layer.dJ_dW) < 1e-14)
      assert.is_true(distance(expected[l][2], layer.dJ_db) < 1e-14)
    end
  end)

  it("gives Delta^(0) when asked, and nothing otherwise", function()
    local network = new { dtype = "float64" }
    network:forward(samples(5, "float64"))
    local Delta = pl.float64.matrix(3, 5):fill(1)
    assert.is_nil(network:backward(Delta))
    local Delta_0 = network:backward(Delta, true)
    local first = network.layers[1]
    assert.is_true(distance(first.W:transpose() * first.H, Delta_0) < 1e-15)
  end)

  it("leaves out the propagation that nobody needs", function()
    local propagated = {}
    local network = new()
    for l, layer in ipairs(network.layers) do
      local propagate = layer.propagate
      layer.propagate = function(...)
        propagated[#propagated + 1] = l
        return propagate(...)
      end
    end
    network:forward(samples(2))
    network:backward(pl.matrix(3, 2))
    assert.same({ 3, 2 }, propagated)
    network:backward(pl.matrix(3, 2), true)
    assert.same({ 3, 2, 3, 2, 1 }, propagated)
  end)

  it("leaves out layers without parameters below all parameters", function()
    local network = pl.network({ inputs = 4, pl.dropout(0.5), pl.dense(3) })
    network:forward(samples(2))
    network:backward(pl.matrix(3, 2):fill(1))
    assert.is_nil(network.layers[1].Delta)
    assert.equal("4 x 2", shape(network:backward(pl.matrix(3, 2):fill(1), true)))
  end)

  it("replaces the gradients of the batch before", function()
    local network = new()
    network:forward(samples(5))
    network:backward(pl.matrix(3, 5):fill(1))
    local gradient = network.dJ_dtheta:copy()
    network:forward(samples(6, nil, 9))
    network:backward(pl.matrix(3, 6):fill(1))
    network:forward(samples(5))
    network:backward(pl.matrix(3, 5):fill(1))
    assert.is_true(same(gradient, network.dJ_dtheta))
  end)

  it("does not change Delta", function()
    local network = new()
    network:forward(samples(5))
    local Delta = pl.generator(3):normal(pl.matrix(3, 5))
    local before = Delta:copy()
    network:backward(Delta)
    assert.is_true(same(before, Delta))
  end)
end)

describe("a training step", function()
  it("allocates nothing", function()
    local network = pl.network({
      inputs = 40,
      pl.dense(60, "relu"), pl.dropout(0.1), pl.dense(50, "tanh"), pl.dense(10),
    })
    local X, T = pl.matrix(40, 64):fill(0.1), pl.matrix(10, 64)
    local Delta = pl.matrix(10, 64)
    local optimizer = pl.adam()
    local parameters = network:flat_parameters()
    local function steps()
      for _ = 1, 50 do
        pl.loss.squared_error(network:forward(X), T, Delta)
        network:backward(Delta)
        optimizer:step(parameters)
      end
    end
    steps()
    collectgarbage()
    collectgarbage "stop"
    local before = collectgarbage "count"
    steps()
    local kilobytes = collectgarbage "count" - before
    collectgarbage "restart"
    assert.equal(0, kilobytes)
  end)
end)

describe("predict", function()
  local function with_dropout()
    return pl.network { inputs = 4, pl.dense(6, "tanh"), pl.dropout(0.5), pl.dense(3) }
  end

  it("equals forward where there is no dropout", function()
    for _, name in ipairs { "float32", "float64" } do
      local network = new { dtype = name }
      local X = samples(30, name)
      assert.is_true(same(network:forward(X), network:predict(X)))
    end
  end)

  it("leaves dropout out", function()
    local with = with_dropout()
    local without = pl.network { inputs = 4, pl.dense(6, "tanh"), pl.dense(3) }
    local X = samples(8)
    assert.is_true(same(without:predict(X), with:predict(X)))
    assert.is_true(same(with:predict(X), with:predict(X)))
  end)

  it("touches no training state", function()
    local network = with_dropout()
    network:forward(samples(5))
    network:backward(pl.matrix(3, 5):fill(1))
    local before = training_state(network)
    for _, N in ipairs { 1, 5, 40, 2000 } do network:predict(samples(N, nil, 3)) end
    assert.is_true(before == training_state(network))
    -- and backward after it is that of the forward before it
    local gradient = network.dJ_dtheta:copy()
    network:backward(pl.matrix(3, 5):fill(1))
    assert.is_true(same(gradient, network.dJ_dtheta))
  end)

  it("gives a matrix of its own each time", function()
    local network = new()
    local one = network:predict(samples(5))
    local kept = one:copy()
    network:predict(samples(5, nil, 3))
    assert.is_true(same(kept, one))
  end)

  it("writes into a given result and returns it", function()
    local network = new()
    for _, N in ipairs { 5, 1500 } do
      local result = pl.matrix(3, N)
      local X = samples(N)
      assert.is_true(rawequal(result, network:predict(X, result)))
      assert.is_true(same(network:predict(X), result))
    end
  end)

  it("takes more samples than one chunk, whatever remains", function()
    local network = new()
    for _, N in ipairs { 1023, 1024, 1025, 2048, 2500 } do
      local X = samples(N)
      local A = network:predict(X)
      assert.equal("3 x " .. N, shape(A))
      assert.is_true(distance(network:forward(X), A) < 1e-6)
    end
  end)

  it("needs memory for the result alone, however many samples there are", function()
    local network = pl.network({ inputs = 4, pl.dense(1000, "relu"), pl.dense(3) })
    local X, result = samples(10240), pl.matrix(3, 10240)
    network:predict(X, result)
    collectgarbage()
    collectgarbage "stop"
    local before = collectgarbage "count"
    network:predict(X, result)
    local kilobytes = collectgarbage "count" - before
    collectgarbage "restart"
    assert.is_true(kilobytes < 100, ("%.0f kB"):format(kilobytes))
  end)

  it("takes bytes, few and many, in both types", function()
    for _, name in ipairs { "float32", "float64" } do
      local network = new { dtype = name }
      for _, N in ipairs { 3, 2500 } do
        local bytes = {}
        for k = 1, 4 * N do bytes[k] = string.char(k * 37 % 256) end
        local X = pl.bytes(table.concat(bytes), 4, N)
        local expected = network:predict(X:columns(1, N, name))
        assert.is_true(same(expected, network:predict(X)))
      end
    end
  end)

  it("takes samples stored by rows, few and many", function()
    local network = new()
    for _, N in ipairs { 5, 1500 } do
      local X = samples(N)
      assert.is_true(distance(network:predict(X:copy "rows"), network:predict(X)) < 1e-6)
    end
  end)

  it("refuses a result of a wrong shape", function()
    local network = new()
    at_caller(function() network:predict(samples(5), pl.matrix(3, 4)) end,
      "a result of 3 x 5 expected, got 3 x 4")
    at_caller(function() network:predict(samples(1500), pl.matrix(2, 1500)) end,
      "a result of 3 x 1500 expected, got 2 x 1500")
  end)
end)

describe("float32 and float64", function()
  for hidden in pairs(pl.float32.activations) do
    it("agree to 1e-5 in outputs and gradients for the same seed, " .. hidden, function()
      local single = new({ seed = 8 }, hidden)
      local double = new({ seed = 8, dtype = "float64" }, hidden)
      assert.is_true(distance(single.theta, double.theta) < 1e-6)
      local X = samples(20, "float64")
      local A, B = single:forward(X:to "float32"), double:forward(X)
      assert.is_true(distance(A, B) < 1e-5)
      local labels = {}
      for n = 1, 20 do labels[n] = 1 + n % 3 end
      local J_single, Delta = pl.loss.softmax_cross_entropy(A, pl.matrix { labels })
      local Delta_single = single:backward(Delta, true)
      local J_double
      J_double, Delta = pl.loss.softmax_cross_entropy(B, pl.float64.matrix { labels })
      local Delta_double = double:backward(Delta, true)
      assert.near(J_double, J_single, 1e-5)
      assert.is_true(distance(single.dJ_dtheta, double.dJ_dtheta) < 1e-5)
      assert.is_true(distance(Delta_single, Delta_double) < 1e-5)
    end)
  end

  it("agree with dropout, which draws the same numbers", function()
    local function masked(dtype)
      local network = pl.network({ inputs = 4, pl.dropout(0.5), pl.dense(2) },
        { dtype = dtype })
      network:forward(samples(30, dtype))
      return network.layers[1].mask
    end
    assert.equal(0, distance(masked "float32", masked "float64"))
  end)
end)

-- A layer class as the top of network.lua asks for it: y = s x, each row with a factor of its own.
local Scale = {}
Scale.__index = Scale

function Scale.new(description, context)
  local self = setmetatable({}, Scale)
  self.core, self.first = context.core, description.first
  self.outputs = context.inputs
  self.shapes = { { name = "s", rows = context.inputs, cols = 1 } }
  return self
end

function Scale:bind(parameters)
  self.s, self.dJ_ds = parameters[1].value:fill(self.first), parameters[1].gradient
end

function Scale:forward(A_below)
  self.A_below = A_below
  return A_below:hadamard(self.s)
end

function Scale:backward(Delta)
  self.Delta = Delta
  self.core.sum_columns(self.dJ_ds, Delta:hadamard(self.A_below))
end

function Scale:propagate() return self.Delta:hadamard(self.s) end

function Scale:describe() return { kind = "scale", first = self.first } end

describe("a layer of one's own", function()
  local function network_of(dtype)
    return pl.network({
      inputs = 4,
      { kind = "scale", first = 2 }, pl.dense(3, "tanh"), { kind = "scale", first = 0.5 },
    }, { layers = { scale = Scale }, dtype = dtype })
  end

  it("is made from its description, with its parameters among the network's", function()
    local network = network_of()
    local names = {}
    for k, parameter in ipairs(network:parameters()) do names[k] = parameter.name end
    assert.same({ "1.s", "2.W", "2.b", "3.s" }, names)
    assert.same({ { 2 }, { 2 }, { 2 }, { 2 } }, network.layers[1].s:totable())
    assert.equal(4 + 12 + 3 + 3, network:parameter_count())
  end)

  it("computes, and predicts by its forward when it has no predict", function()
    local network = network_of()
    local X = samples(5)
    assert.is_true(same(network:forward(X), network:predict(X)))
  end)

  it("passes the gradient check", function()
    local report = pl.gradient_check(network_of "float64", samples(5, "float64"),
      pl.float64.matrix(3, 5), { loss = "squared_error" })
    assert.is_true(report.passed, tostring(report))
  end)

  it("trains", function()
    local network = network_of()
    local X = samples(50)
    local before = network.theta:copy()
    local history = pl.fit(network, pl.dataset { X = X, T = pl.matrix(3, 50) },
      { loss = "squared_error", epochs = 20, optimizer = pl.adam { rate = 0.01 } })
    assert.is_true(history[20].loss < history[1].loss)
    assert.is_false(same(before, network.theta))
  end)

  it("comes back from the network's description", function()
    local from_description = require("perilune.network").from_description
    local network = network_of()
    local description = network:describe()
    assert.same({ kind = "scale", first = 2 }, description.layers[1])
    local again = from_description(description, { layers = { scale = Scale } })
    assert.same(description, again:describe())
    at_caller(function() from_description(description) end,
      "layer 1: unknown kind of layer 'scale'")
  end)

  it("without __tostring is printed as a layer", function()
    assert.equal("  1  layer", tostring(network_of()):match "\n([^\n]*)")
  end)

  it("takes the place of a layer of the library with the same name", function()
    local network = pl.network({ inputs = 4, { kind = "dropout", first = 3 } },
      { layers = { dropout = Scale } })
    assert.equal(3, network.layers[1].s:get(1, 1))
  end)

  it("that does not say how many outputs it has is refused", function()
    local Silent = { new = function() return {} end }
    at_caller(function()
      pl.network({ inputs = 4, { kind = "silent" } }, { layers = { silent = Silent } })
    end, "layer 1: its field outputs must say how many it has")
  end)

  it("that cannot describe itself cannot be described, and is named", function()
    local Mute = { new = function(_, context) return { outputs = context.inputs } end }
    local network = pl.network({ inputs = 4, pl.dense(3), { kind = "mute" } },
      { layers = { mute = Mute } })
    at_caller(function() local _ = network:describe() end,
      "layer 2 has no method describe, which files need")
  end)
end)

describe("an activation of one's own", function()
  local square = { name = "square" }
  function square.forward(A, Z) return A:assign(Z:hadamard(Z)) end
  function square.backward(H, Delta, Z) return H:assign(2 * Delta:hadamard(Z)) end

  it("may be given by name through the option activations", function()
    local network = pl.network({ inputs = 4, pl.dense(3, "square") },
      { dtype = "float64", activations = { square = square } })
    local X = samples(5, "float64")
    local Z = network.layers[1].W * X + network.layers[1].b
    assert.is_true(distance(Z:hadamard(Z), network:forward(X)) < 1e-15)
    local report = pl.gradient_check(network, X, pl.float64.matrix(3, 5),
      { loss = "squared_error" })
    assert.is_true(report.passed, tostring(report))
  end)

  it("comes back from the network's description by its name", function()
    local from_description = require("perilune.network").from_description
    local network = pl.network({ inputs = 4, pl.dense(3, "square") },
      { activations = { square = square } })
    local again = from_description(network:describe(),
      { activations = { square = square } })
    assert.is_true(rawequal(square, again.layers[1].sigma))
    at_caller(function() from_description(network:describe()) end,
      "layer 1: unknown activation 'square'")
  end)
end)

describe("a description", function()
  local from_description = require("perilune.network").from_description

  it("is plain data from which the same network is made again", function()
    local network = pl.network({
      inputs = 4,
      pl.dense(6, "tanh", { initializer = "lecun" }), pl.dropout(0.25), pl.dense(3),
    }, { dtype = "float64", classes = { "a", "b", "c" } })
    local description = network:describe()
    assert.same({
      inputs = 4, dtype = "float64", classes = { "a", "b", "c" },
      layers = {
        { kind = "dense", outputs = 6, activation = "tanh", initializer = "lecun" },
        { kind = "dropout", probability = 0.25 },
        { kind = "dense", outputs = 3, activation = "identity", initializer = "glorot" },
      },
    }, description)
    local again = from_description(description)
    assert.same(description, again:describe())
    assert.equal(tostring(network), tostring(again))
    again.theta:assign(network.theta)
    local X = samples(5, "float64")
    assert.is_true(same(network:predict(X), again:predict(X)))
  end)

  it("is not changed by making a network of it", function()
    local description = new():describe()
    from_description(description)
    assert.same(new():describe(), description)
  end)

  it("with something wrong in it raises at the caller's line", function()
    at_caller(function()
      from_description { inputs = 4, dtype = "float32", layers = {} }
    end, "at least one layer expected")
    at_caller(function()
      from_description { inputs = 4, dtype = "float16", layers = { pl.dense(3) } }
    end, "dtype 'float32' or 'float64' expected, got 'float16'")
    at_caller(function()
      from_description { inputs = 4, dtype = "float32" }
    end, "layers")
    at_caller(function() from_description(nil) end, "table")
  end)
end)

describe("a network as text", function()
  it("names inputs, parameters, type and each layer", function()
    local network = pl.network {
      inputs = 4, pl.dense(6, "relu"), pl.dropout(0.5), pl.dense(3),
    }
    assert.equal("network of 4 inputs, 51 parameters, float32\n"
      .. "  1  dense 4 -> 6, relu\n"
      .. "  2  dropout 0.5\n"
      .. "  3  dense 6 -> 3, identity", tostring(network))
  end)
end)

describe("misuse of a network", function()
  it("in its layers is named at the caller's line", function()
    at_caller(function() pl.network(3) end,
      "a table of inputs and layers expected, got number")
    at_caller(function() pl.network { pl.dense(3) } end,
      "inputs: a whole number of 1 or more expected, got nil")
    at_caller(function() pl.network { inputs = 2.5, pl.dense(3) } end,
      "inputs: a whole number of 1 or more expected, got 2.5")
    at_caller(function() pl.network { inputs = 2 } end, "at least one layer expected")
    at_caller(function() pl.network { inputs = 2, pl.dense(3), sed = 1 } end,
      "unknown field 'sed' beside inputs and the layers")
    at_caller(function() pl.network { inputs = 2, pl.dense(3), "relu" } end,
      "layer 2: a layer expected, got string")
    at_caller(function() pl.network { inputs = 2, { kind = "dens" } } end,
      "layer 1: unknown kind of layer 'dens'")
    at_caller(function() pl.network { inputs = 2, {} } end,
      "layer 1: unknown kind of layer 'nil'")
  end)

  it("in its options is named at the caller's line", function()
    local layers = { inputs = 2, pl.dense(3) }
    at_caller(function() pl.network(layers, { sed = 1 }) end, "unknown option 'sed'")
    at_caller(function() pl.network(layers, { dtype = "double" }) end,
      "dtype 'float32' or 'float64' expected, got 'double'")
    at_caller(function() pl.network(layers, { classes = { "a", "b" } }) end,
      "names for 3 classes expected, one for each output, got 2")
    at_caller(function() pl.network(layers, { seed = "one" }) end,
      "number expected, got string")
    at_caller(function() pl.network(layers, 1) end,
      "a table of options expected, got number")
  end)

  it("in its inputs is named at the caller's line", function()
    local network = new()
    for _, method in ipairs { "forward", "predict" } do
      at_caller(function() network[method](network, pl.matrix(3, 5)) end,
        "X has 3 rows but the network has 4 inputs")
      at_caller(function() network[method](network, {}) end, "4 inputs")
      at_caller(function() network[method](network, nil) end, "expected")
      at_caller(function() network[method](network, 3) end, "expected")
    end
  end)

  it("by mixing the types names both", function()
    local network = new()
    for _, method in ipairs { "forward", "predict" } do
      anywhere(function() network[method](network, samples(5, "float64")) end,
        "perilune.matrix.float32 expected, got perilune.matrix.float64")
    end
  end)

  it("by a Delta of a wrong shape names both shapes", function()
    local network = new()
    network:forward(samples(5))
    anywhere(function() network:backward(pl.matrix(3, 4)) end,
      "3 x 5 matrix expected, got 3 x 4")
    anywhere(function() network:backward(pl.matrix(2, 5)) end,
      "3 x 5 matrix expected, got 2 x 5")
  end)

  it("by backward before any forward is refused", function()
    anywhere(function() new():backward(pl.matrix(3, 4)) end,
      "backward needs a forward before it")
  end)
end)
