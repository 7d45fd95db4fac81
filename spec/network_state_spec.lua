-- What a network is apart from a run of it: its state, its clones, its description.

local Network = require "perilune.network"
local at_caller = require("spec.support.misuse").at_caller
local memory = require "spec.support.memory"
local naive = require "spec.support.naive"
local own = require "spec.support.layers"
local pl = require "perilune"
local registry = require "perilune.registry"
local same = require("spec.support.matrices").same

local core = pl.float64

local function new(given)
  given = given or {}
  given.dtype, given.layers = given.dtype or "float64", own
  return pl.network({
    inputs = 4, "center", pl.dense(6, "tanh"), pl.batch_norm(), "counter",
    pl.dropout(0.3),
    pl.residual { pl.dense(6, "sigmoid") }, pl.dense(3, "tanh", { frozen = true }),
    "counter", pl.dense(3),
  }, given)
end

local function samples(N, seed) return naive.random(core, seed or 1, 4, N) end

local function train(net, steps)
  local optimizer = pl.sgd { rate = 0.1 }
  local X, T = samples(12), naive.random(core, 2, 3, 12)
  for _ = 1, steps do
    local _, Delta = pl.loss.squared_error(net:forward(X), T)
    net:backward(Delta)
    optimizer:step(net:parameters())
  end
end

-- All that a state holds, as plain data
local function plain(state)
  local tensors = {}
  for name, M in pairs(state.tensors) do
    tensors[name] = ("%s %d x %d "):format(M.dtype, M:shape()) .. M:encode(M.dtype)
  end
  return { tensors = tensors, generator = state.generator, layers = state.layers }
end

describe("a network's state", function()
  it("is its tensors by name, its generator's, and what layers keep", function()
    local net = new()
    train(net, 3)
    local state, names = net:state(), {}
    for _, tensor in ipairs(net:tensors()) do
      assert.is_true(same(tensor.value, state.tensors[tensor.name]))
      names[tensor.name] = true
    end
    for name in pairs(state.tensors) do assert.is_true(names[name]) end
    assert.is_true(names["1.mean"] and names["3.running_variance"] and names["7.W"])
    assert.equal(net.generator:state(), state.generator)
    assert.same({ ["4"] = { batches = 3 }, ["8"] = { batches = 3 } }, state.layers)
  end)

  it("is copies, which training leaves as they are", function()
    local net = new()
    train(net, 1)
    local state = net:state()
    local before = plain(state)
    train(net, 3)
    assert.same(before, plain(state))
  end)

  it("restored goes on as it would have, to the last bit", function()
    local net, other = new(), new { seed = 9 }
    train(net, 3)
    local state = net:state()
    train(net, 3)
    local expected = plain(net:state())
    for _, restored in ipairs { other, net } do
      assert.is_true(rawequal(restored, restored:restore(state)))
      train(restored, 3)
      assert.same(expected, plain(restored:state()))
    end
  end)

  it("may be restored twice, and is not changed by it", function()
    local net = new()
    train(net, 1)
    local state = net:state()
    local before = plain(state)
    net:restore(state)
    train(net, 2)
    net:restore(state)
    assert.same(before, plain(state))
    assert.same(before, plain(net:state()))
  end)

  it("that is none of this network is refused, and changes nothing", function()
    local net = new()
    train(net, 2)
    local before = plain(net:state())
    local function refused(change, expected)
      local state = new():state()
      state = change(state) or state
      at_caller(function() net:restore(state) end, expected)
      assert.same(before, plain(net:state()))
    end
    local function tensor(M)
      return function(state) state.tensors["2.W"] = M end
    end
    refused(function()
      return 5
    end, "state of a network expected, as state() gives it, got 5")
    refused(function() return {} end, "state of a network expected, as state() gives it")
    refused(function(state)
      state.tensors = nil
    end, "a table of matrices by name expected")
    refused(tensor(nil), "tensor '2.W': a 6 x 4 matrix of float64 expected, got nil")
    refused(tensor(core.matrix(4, 6)),
      "tensor '2.W': a 6 x 4 matrix of float64 expected, got a 4 x 6 matrix of float64")
    refused(tensor(pl.matrix(6, 4)),
      "tensor '2.W': a 6 x 4 matrix of float64 expected, got a 6 x 4 matrix of float32")
    refused(tensor("W"), "tensor '2.W': a 6 x 4 matrix of float64 expected, got \"W\"")
    refused(function(state) state.tensors["9.V"] = core.matrix(1, 1) end,
      "tensor \"9.V\" is none of this network's")
    refused(function(state) state.generator = nil end, "state of a generator")
    refused(function(state) state.generator = ("0"):rep(64) end, "state of a generator")
    refused(function(state) state.layers["8"] = nil end, "state of layer 8 is missing")
    refused(function(state) state.layers["7"] = {} end,
      "state of a layer \"7\", which keeps none")
  end)

  it("is refused where a layer refuses its own, after others took theirs", function()
    local net = new()
    train(net, 2)
    local before, state = plain(net:state()), new():state()
    state.layers["8"] = { batches = "many" }
    assert.has_error(function() net:restore(state) end, "batches: a number expected")
    assert.same(before, plain(net:state()))
  end)

  it("of tensors stored otherwise is the same", function()
    local net = new()
    train(net, 1)
    local expected, state = plain(net:state()), net:state()
    for name, M in pairs(state.tensors) do
      state.tensors[name] = M:copy(M.order == "rows" and "columns" or "rows")
    end
    train(net, 1)
    net:restore(state)
    assert.same(expected, plain(net:state()))
  end)
end)

describe("a forward that raises", function()
  it("has moved nothing: the next one gives the same bits", function()
    local net, X = new(), samples(12)
    train(net, 1)
    local expected, before, last = net:clone():forward(X), plain(net:state()), net.layers[9]
    local forward = last.forward
    for _ = 1, 2 do
      function last.forward() error("fault", 0) end
      assert.has_error(function() net:forward(X) end, "fault")
      assert.same(before, plain(net:state()))
    end
    last.forward = forward
    assert.is_true(same(expected, net:forward(X)))
  end)

  it("has moved nothing, whichever buffer there is no memory for", function()
    local X, count = samples(12), 0
    local ok, message
    repeat
      local net = new()
      local expected, before = net:clone():forward(X), plain(net:state())
      ok, message = memory.without_buffer(count + 1, net.forward, net, X)
      if not ok then
        count = count + 1
        assert.equal("not enough memory", message)
        assert.same(before, plain(net:state()))
        assert.is_true(same(expected, net:forward(X)))
      end
    until ok
    assert.is_true(count > 10)
  end)

  it("has moved nothing where its coroutine is closed", function()
    local net = new()
    local before = plain(net:state())
    net.layers[9].forward = coroutine.yield
    local thread = coroutine.create(net.forward)
    assert(coroutine.resume(thread, net, samples(12)))
    assert.is_true(coroutine.close(thread))
    assert.same(before, plain(net:state()))
  end)

  it("leaves nothing to go backward from", function()
    local net = new()
    local A = net:forward(samples(12)):copy()
    net.layers[9].forward = error
    assert.is_false((pcall(net.forward, net, samples(12))))
    at_caller(function() net:backward(A) end, "backward needs a forward before it")
  end)

  it("costs a snapshot of each only where there is something to move", function()
    local function before(...)
      return pl.network({ inputs = 4, ... }, { layers = own }).before
    end
    assert.is_false(before(pl.dense(4), pl.residual { pl.dense(4), pl.layer_norm() }))
    assert.is_truthy(before(pl.branch { pl.dropout(0.1) }))
    assert.is_truthy(before(pl.gaussian_noise()))
    assert.is_truthy(before(pl.batch_norm()))
    assert.is_truthy(before("scale")) -- it might draw, as any class of one's own
  end)
end)

describe("a clone", function()
  it("goes on as the network does to the last bit, and shares nothing", function()
    local net = new { classes = { "a", "b", "c" }, gives = "logits" }
    train(net, 2)
    local clone = net:clone()
    assert.same(plain(net:state()), plain(clone:state()))
    train(net, 3)
    local after = plain(net:state())
    train(clone, 3)
    assert.same(after, plain(clone:state()))
    train(clone, 1)
    assert.same(after, plain(net:state()))
    assert.same({ "a", "b", "c" }, clone.classes)
    assert.is_false(rawequal(net.classes, clone.classes))
    assert.is_false(rawequal(net.generator, clone.generator))
    assert.same(net:describe(), clone:describe())
    assert.equal(tostring(net), tostring(clone))
  end)

  it("has what training found out since", function()
    local net = new()
    net.gives, net.classes, net.targets = "logits", { "x", "y", "z" }, "one"
    local clone = net:clone()
    assert.equal("logits", clone.gives)
    assert.equal("one", clone.targets)
    assert.same({ "x", "y", "z" }, clone.classes)
  end)

  it("has a generator of its own where the network was given one", function()
    local generator = core.generator(5)
    local net = new { generator = generator }
    local clone = net:clone()
    assert.equal(generator:state(), clone.generator:state())
    train(clone, 1)
    assert.not_equal(generator:state(), clone.generator:state())
  end)

  it("has the same parts of one's own, with or without a name", function()
    local tanh = pl.activation.tanh
    local unnamed = { forward = tanh.forward, backward = tanh.backward }
    local function initializer(W) return W:fill(0.5) end
    local net = pl.network {
      inputs = 2, pl.dense(2, unnamed, { initializer = initializer }),
    }
    local clone = net:clone()
    assert.is_true(rawequal(unnamed, clone.layers[1].sigma))
    assert.is_true(same(net.theta, clone.theta))
  end)
end)

-- As pl.load makes it, the tensors those of `net`
local function again(net, description, parts)
  local values = net:state().tensors
  parts = parts or {}
  return Network.from_description(description or net:describe(), {
    layers = parts.layers or {}, activations = parts.activations or {},
    initializers = parts.initializers or {},
  }, function(name)
    return function(M) M:assign(values[name]) end
  end)
end

describe("a network's description", function()
  it("is plain data from which the same network is made again", function()
    local network = pl.network({
      inputs = 4, pl.dense(6, "tanh", { initializer = "lecun" }), pl.dropout(0.25),
      pl.residual(pl.dense(3), { projection = true, frozen = true }),
      pl.dense(3, nil, { shared = "last" }),
    }, {
      dtype = "float64", classes = { "a", "b", "c" }, gives = "logits", targets = "several",
    })
    local description = network:describe()
    local function dense(options)
      options[1], options.activation = "dense", options.activation or "identity"
      options.initializer = options.initializer
        or { "glorot", distribution = "uniform", gain = 1 }
      options.bias, options.scaled = true, false
      return options
    end
    assert.same({
      inputs = 4, dtype = "float64", classes = { "a", "b", "c" }, gives = "logits",
      targets = "several",
      layers = {
        dense { outputs = 6, activation = "tanh", initializer = "lecun" },
        { "dropout", probability = 0.25 },
        { "residual", body = dense { outputs = 3 }, projection = dense { outputs = 3 },
          frozen = true },
        dense { outputs = 3, shared = "last" },
      },
    }, description)
    local remade = again(network)
    assert.same(description, remade:describe())
    assert.equal(tostring(network), tostring(remade))
    local X = samples(5)
    assert.is_true(same(network:predict(X), remade:predict(X)))
  end)

  it("has layers from which pl.network makes the same layers", function()
    local net = new()
    local layers = net:describe().layers
    layers.inputs = 4
    local remade = pl.network(layers, { dtype = "float64", layers = own })
    assert.same(net:describe(), remade:describe())
  end)

  it("is not changed by making a network of it", function()
    local net = new()
    local description = net:describe()
    again(net, description, { layers = own })
    assert.same(net:describe(), description)
  end)

  it("holds what is of one's own by its name", function()
    local square = { name = "square" }
    function square.forward(A, Z) return A:assign(Z:hadamard(Z)) end
    function square.backward(H, Delta, Z) return H:assign(2 * Delta:hadamard(Z)) end
    local net = pl.network({ inputs = 4, pl.dense(3, "square") },
      { activations = { square = square } })
    local remade = again(net, nil, { activations = { square = square } })
    assert.is_true(rawequal(square, remade.layers[1].sigma))
    at_caller(function()
      again(net)
    end, "layer 1: dense: activation: unknown activation 'square'")
  end)

  -- Of options that are no numbers, or have a range
  local choices = { approximate = "tanh", distribution = "uniform", sparsity = 0.5 }

  -- A description of a kind, no option of which has its default
  local function other_than_default(kind)
    local description = { kind.name }
    for option, field in pairs(kind.fields or {}) do
      description[option] = choices[option] or field.default + 0.25
    end
    return next(description, 1) and description or kind.name
  end

  it("holds every activation and initializer with its options", function()
    for _, option in ipairs { "activation", "initializer" } do
      for _, kind in pairs(registry.families[option].kinds) do
        local part = other_than_default(kind)
        local layers = { inputs = 4, { "dense", outputs = 3, [option] = part } }
        local net = pl.network(layers, { dtype = "float64" })
        assert.same(part, net:describe().layers[1][option])
        local X, remade = samples(5), again(net)
        assert.is_true(same(net:predict(X), remade:predict(X)))
      end
    end
  end)

  it("of a part without a name is refused, with what helps", function()
    local tanh = pl.activation.tanh
    local unnamed = { forward = tanh.forward, backward = tanh.backward }
    local net = pl.network { inputs = 4, pl.dense(3),
      pl.residual { pl.dense(3, unnamed) } }
    at_caller(function() local _ = net:describe() end,
      "layer 2.body.1: dense: its activation has no name, by which a file could call it")
  end)

  it("asks for all tensors, each once, before anything is allocated", function()
    local asked = {}
    assert.has_error(function()
      Network.from_description({ inputs = 4, dtype = "float32", layers = {
        pl.dense(30000, "relu", { shared = "a" }), pl.dense(4), pl.dense(30000, "relu",
        { shared = "a" }),
      } }, { layers = {}, activations = {}, initializers = {} },
        function(name, rows, cols)
        asked[#asked + 1] = ("%s %d x %d"):format(name, rows, cols)
        if #asked == 4 then error("no such tensor", 0) end
      end)
    end, "no such tensor")
    assert.same({ "1.W 30000 x 4", "1.b 30000 x 1", "2.W 4 x 30000", "2.b 4 x 1" }, asked)
  end)

  it("with something wrong in it is refused", function()
    local net = new()
    local function refused(change, expected)
      local description = net:describe()
      change(description)
      at_caller(function() again(net, description, { layers = own }) end, expected)
    end
    refused(function(d) d.layers = {} end, "at least one layer expected")
    refused(function(d)
      d.layers.name = "x"
    end, "unknown field \"name\" beside the layers")
    refused(function(d)
      d.dtype = "float16"
    end, "dtype: \"float32\" or \"float64\" expected")
    refused(function(d)
      d.inputs = 0
    end, "inputs: a whole number of 1 or more expected, got 0")
    refused(function(d)
      d.classes = { "a" }
    end, "classes: 3 names expected for 3 outputs, got 1")
  end)
end)
