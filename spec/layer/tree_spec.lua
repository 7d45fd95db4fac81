local at_caller = require("spec.support.misuse").at_caller
local naive = require "spec.support.naive"
local own = require "spec.support.layers"
local pl = require "perilune"
local same = require("spec.support.matrices").same

local core = pl.float64

local function samples(rows, N, seed) return naive.random(core, seed or 1, rows, N) end

local function names_of(tensors)
  local names = {}
  for k, tensor in ipairs(tensors) do names[k] = tensor.name end
  return names
end

-- 4 inputs, every layer of one's own, 3 outputs
local function network_of(given)
  given = given or {}
  given.dtype, given.layers = given.dtype or "float64", own
  return pl.network({
    inputs = 4, { "center", momentum = 0.25 }, pl.dense(5, "tanh"),
    { "highway", activation = "softsign" }, { "scale", first = 2 }, pl.dense(3),
  }, given)
end

local function train(net, steps)
  local optimizer = pl.momentum { rate = 0.05 }
  local X, T, J = samples(net.inputs, 20), samples(net.outputs, 20, 2), nil
  for _ = 1, steps do
    local Delta
    J, Delta = pl.loss.squared_error(net:forward(X), T)
    net:backward(Delta)
    optimizer:step(net:parameters())
  end
  return J
end

describe("a layer of one's own", function()
  it("is made from a name and options, its tensors named by their paths", function()
    local net = network_of()
    assert.same({ "1.mean", "2.W", "2.b", "3.transform.W", "3.transform.b", "3.gate.W",
      "3.gate.b", "4.s", "5.W", "5.b" }, names_of(net:tensors()))
    assert.same({ "2.W", "2.b", "3.transform.W", "3.transform.b", "3.gate.W", "3.gate.b",
      "4.s", "5.W", "5.b" }, names_of(net:parameters()))
    assert.same(naive.fill(5, 1, 2), net.layers[4].tensors.s.value:totable())
  end)

  it("without bind gets its tensors as the field `tensors`", function()
    local net = network_of()
    local tensor = net.layers[4].tensors.s
    assert.equal("4.s", tensor.name)
    assert.is_true(rawequal(tensor, net:tensors()[8]))
    assert.is_nil(net.layers[1].tensors)
  end)

  it("passes the gradient check", function()
    local report = pl.gradient_check(network_of(), samples(4, 6), samples(3, 6, 2),
      { loss = "squared_error" })
    assert.is_true(report.passed, tostring(report))
  end)

  it("trains", function()
    local net = network_of()
    local before = net.layers[3].transform.W:copy()
    local first = train(net, 1)
    assert.is_true(train(net, 100) < 0.5 * first)
    assert.is_false(same(before, net.layers[3].transform.W))
  end)

  it("keeps state, which prediction uses and leaves", function()
    local net = network_of()
    local X, mean = samples(4, 20), naive.fill(4, 1, 0)
    for _ = 1, 3 do
      net:forward(X)
      mean = naive.build(4, 1, function(i)
        local batch = naive.sum(20, function(n) return X:get(i, n) end) / 20
        return mean[i][1] + 0.25 * (batch - mean[i][1])
      end)
      net:predict(X)
      naive.near(net.layers[1].mean, mean, 1e-14)
    end
  end)

  it("is the same in a clone, to the last bit, and independent of it", function()
    local net = network_of()
    train(net, 10)
    local clone, X = net:clone(), samples(4, 9, 5)
    assert.is_true(same(net:predict(X), clone:predict(X)))
    train(net, 5)
    train(clone, 5)
    assert.is_true(same(net:predict(X), clone:predict(X)))
    train(net, 1)
    assert.is_false(same(net:predict(X), clone:predict(X)))
  end)

  it("is the same from a file, to the last bit", function()
    local net = network_of()
    train(net, 10)
    local path, X = os.tmpname(), samples(4, 9, 5)
    assert(net:save(path))
    local again = assert(pl.load(path, { layers = own }))
    local loaded, message = pl.load(path)
    os.remove(path)
    assert.is_true(same(net:predict(X), again:predict(X)))
    assert.same(net:describe(), again:describe())
    assert.is_true(same(net:forward(X), again:forward(X)))
    assert.is_nil(loaded)
    assert.matches("layer 1: unknown kind of layer 'center'", message, 1, true)
  end)

  it("is the same from the network's state, to the last bit", function()
    local net, other = network_of(), network_of { seed = 5 }
    train(net, 10)
    local X = samples(4, 9, 5)
    assert.is_false(same(net:predict(X), other:predict(X)))
    other:restore(net:state())
    assert.is_true(same(net:predict(X), other:predict(X)))
    train(net, 5)
    train(other, 5)
    assert.is_true(same(net:predict(X), other:predict(X)))
  end)

  it("is described by what it was made from, as data", function()
    local net = network_of()
    local layers = net:describe().layers
    assert.same({ "center", momentum = 0.25 }, layers[1])
    assert.same({ "highway", activation = "softsign" }, layers[3])
    assert.same({ "scale", first = 2 }, layers[4])
  end)

  it("is described by its describe, where it has one", function()
    local Described = setmetatable({}, { __index = own.scale })
    Described.__index = Described
    function Described.new(options, context)
      return setmetatable(own.scale.new(options, context), Described)
    end
    function Described:describe() return { "described", first = 10 * self.first } end
    local net = pl.network({ inputs = 3, { "described", first = 2, frozen = true } },
      { layers = { described = Described } })
    assert.same({ "described", first = 20, frozen = true }, net:describe().layers[1])
    function Described.describe() return { "scale" } end
    at_caller(function() local _ = net:describe() end,
      "layer 1: describe must give { \"described\", ... }, got \"scale\"")
  end)

  it("is printed by its kind, or as it says", function()
    assert.matches("\n  4  scale\n", tostring(network_of()))
    local Printed = setmetatable({}, { __index = own.scale })
    Printed.__index, Printed.__tostring = Printed, function() return "scaling" end
    function Printed.new(options, context)
      return setmetatable(own.scale.new(options, context), Printed)
    end
    local net = pl.network({ inputs = 3, "printed" }, { layers = { printed = Printed } })
    assert.matches("\n  1  scaling$", tostring(net))
  end)

  it("gets options of its own, checked where its class declares them", function()
    local given
    local Taker = setmetatable({}, { __index = own.scale })
    Taker.__index = Taker
    function Taker.new(options, context)
      given = options
      options.sizes[1], options.name = 99, "changed"
      return setmetatable(own.scale.new(options, context), Taker)
    end
    local description = { "taker", sizes = { 1, 2 }, name = "x" }
    local net = pl.network({ inputs = 3, description }, { layers = { taker = Taker } })
    assert.same({ sizes = { 99, 2 }, name = "changed" }, given)
    assert.same({ "taker", sizes = { 1, 2 }, name = "x" }, description)
    assert.same({ "taker", sizes = { 1, 2 }, name = "x" }, net:describe().layers[1])

    assert.same({ "center", momentum = 0.1 }, (function()
      local center = pl.network({ inputs = 3, "center" }, { layers = own }).layers[1]
      return { "center", momentum = center.momentum }
    end)())
    at_caller(function()
      local _ = pl.network({ inputs = 3, { "center", momentum = 0 } }, { layers = own })
    end, "layer 1: center: momentum: a number of at most 1 and above 0 expected, got 0")
    at_caller(function()
      local _ = pl.network({ inputs = 3, { "center", decay = 0 } }, { layers = own })
    end, "layer 1: unknown option 'decay' of center (known: frozen, momentum, shared)")
  end)
end)

describe("a description", function()
  it("may be changed once the network is made: nothing changes there", function()
    local inner = pl.dense(4, "tanh")
    local block = pl.residual { inner }
    local layers = { inputs = 4, block, { "scale", first = 2, sizes = { 1, 2 } } }
    local options = { dtype = "float64", layers = { scale = own.scale },
      classes = { "a", "b", "c", "d" } }
    local net = pl.network(layers, options)
    local described, printed = net:describe(), tostring(net)
    inner.outputs, inner.activation, block.body = 7, "relu", nil
    layers.inputs, layers[2].sizes[1], layers[3] = 9, 99, pl.dense(2)
    options.dtype, options.layers.scale, options.classes[1] = "float32", nil, "z"
    assert.same(described, net:describe())
    local clone = net:clone()
    assert.same(described, clone:describe())
    assert.equal(printed, tostring(clone))
    local X = samples(4, 5)
    assert.is_true(same(net:forward(X), clone:forward(X)))
  end)

  it("that a network gave may be changed: nothing changes there", function()
    local net = pl.network({ inputs = 2, { "scale", sizes = { 1 } } },
      { layers = own, classes = { "a", "b" } })
    local description = net:describe()
    description.layers[1].sizes[1], description.classes[1] = 99, "z"
    assert.same({ "scale", sizes = { 1 } }, net:describe().layers[1])
    assert.same({ "a", "b" }, net:describe().classes)
    assert.same({ "a", "b" }, net.classes)
  end)

  it("keeps parts that are values of a user's own as they are", function()
    local tanh = pl.activation.tanh
    local mine = { name = "mine", forward = tanh.forward, backward = tanh.backward,
      calls = {} }
    local with_metatable = setmetatable({}, { __index = mine })
    local net = pl.network { inputs = 2, pl.dense(2, mine), pl.dense(2, with_metatable) }
    assert.is_true(rawequal(mine, net.layers[1].sigma))
    assert.is_true(rawequal(with_metatable, net.layers[2].sigma))
    assert.is_true(rawequal(mine, net:clone().layers[1].sigma))
  end)

  it("may be used for several layers, which are not shared by that", function()
    local dense = pl.dense(3)
    local net = pl.network { inputs = 3, dense, dense }
    assert.same({ "1.W", "1.b", "2.W", "2.b" }, names_of(net:parameters()))
  end)

  it("within itself, or deeper than a hundred, is refused", function()
    local endless = pl.residual { pl.dense(3) }
    endless.body = endless
    at_caller(function() local _ = pl.network { inputs = 3, endless } end,
      "layers within layers at most 100 deep expected")
    local deep = pl.dense(3)
    for _ = 1, 101 do deep = { "residual", body = deep } end
    at_caller(function() local _ = pl.network { inputs = 3, deep } end,
      "layers within layers at most 100 deep expected")
  end)

  it("ninety deep is made and described, and what is wrong in it is told", function()
    local deep, wrong = pl.dense(2, "tanh"), { "dense", outputs = 0 }
    for _ = 1, 90 do
      deep, wrong = { "residual", body = deep }, { "residual", body = wrong }
    end
    local net = pl.network({ inputs = 2, deep }, { dtype = "float64" })
    net:forward(samples(2, 3))
    net:backward(samples(2, 3), true)
    assert.same(net:describe(), net:clone():describe())
    at_caller(function() local _ = pl.network { inputs = 2, wrong } end,
      "layer 1" .. (".body"):rep(90)
        .. ": dense: outputs: a whole number of 1 or more expected")
  end)
end)

describe("frozen layers", function()
  it("of one's own may compute a gradient nevertheless", function()
    local net = pl.network({
      inputs = 4, pl.dense(3, "tanh"), { "scale", first = 2, frozen = true }, pl.dense(2),
    }, { dtype = "float64", layers = own })
    local Stubborn = setmetatable({}, { __index = own.scale })
    Stubborn.__index = Stubborn
    function Stubborn.new(options, context)
      return setmetatable(own.scale.new(options, context), Stubborn)
    end
    function Stubborn:backward(Delta)
      local s = self.tensors.s
      core.sum_columns(s.gradient, Delta:hadamard(self.A_below))
      return Delta:hadamard(s.value)
    end
    local stubborn = pl.network({
      inputs = 4, pl.dense(3, "tanh"), { "stubborn", first = 2, frozen = true },
      pl.dense(2),
    }, { dtype = "float64", layers = { stubborn = Stubborn } })
    assert.equal(train(net, 20), train(stubborn, 20))
    assert.is_true(same(net.theta, stubborn.theta))
    for _, trained in ipairs { net, stubborn } do
      assert.same(naive.fill(3, 1, 2), trained.layers[2].tensors.s.value:totable())
    end
  end)

  it("freeze what lies within them", function()
    local net = pl.network({
      inputs = 4, pl.dense(3), { "highway", frozen = true }, pl.dense(2),
    }, { dtype = "float64", layers = own })
    assert.same({ "1.W", "1.b", "3.W", "3.b" }, names_of(net:parameters()))
    local before = {}
    for k, tensor in ipairs(net:tensors()) do before[k] = tensor.value:copy() end
    train(net, 5)
    for k, tensor in ipairs(net:tensors()) do
      assert.equal(tensor.name:find "^2%." ~= nil, same(before[k], tensor.value))
    end
    local report = pl.gradient_check(net, samples(4, 5), samples(2, 5),
      { loss = "squared_error" })
    assert.is_true(report.passed, tostring(report))
    assert.same({ "highway", frozen = true }, net:describe().layers[2])
  end)

  it("leave nothing to train where all are frozen", function()
    local net = pl.network({ inputs = 4, pl.dense(3, "tanh", { frozen = true }) },
      { dtype = "float64" })
    assert.same({}, net:parameters())
    assert.is_nil(net.theta)
    assert.is_nil(net.dJ_dtheta)
    local X = samples(4, 5)
    net:forward(X)
    assert.is_nil(net:backward(samples(3, 5)))
    local report = pl.gradient_check(net, X, samples(3, 5), { loss = "squared_error" })
    assert.is_true(report.passed, tostring(report))
    assert.equal(20, report.count)
    assert.is_true(same(net:predict(X), net:clone():predict(X)))
  end)
end)

describe("what is wrong with a layer", function()
  it("is told with the path of the layer, at the line that made the network", function()
    local wrong = { "dense", outputs = 0 }
    local expected = {
      ["layer 1: "] = wrong,
      ["layer 1.2: "] = { pl.dense(3), wrong },
      ["layer 1.body: "] = pl.residual(wrong),
      ["layer 1.body.2: "] = pl.residual { pl.dense(3), wrong },
      ["layer 1.projection: "] = pl.residual(pl.dense(3), { projection = wrong }),
      ["layer 1.2.body: "] = pl.branch { pl.dense(3), pl.residual(wrong) },
    }
    for path, layer in pairs(expected) do
      at_caller(function() local _ = pl.network { inputs = 3, layer } end,
        path .. "dense: outputs: a whole number of 1 or more expected, got 0")
    end
  end)

  it("is told so within layers of one's own, at the line that made it", function()
    local line
    local Wrong = setmetatable({}, { __index = own.highway })
    function Wrong.new(_, context)
      line = debug.getinfo(1, "l").currentline + 1
      context.make({ "residual", body = { "dense", outputs = 0 } }, context.input,
        "inner")
    end
    local ok, message = pcall(pl.network,
      { inputs = 3, pl.dense(3), { pl.dense(3), "wrong" } },
      { layers = { wrong = Wrong } })
    assert.is_false(ok)
    assert.matches(("tree_spec.lua:%d: layer 2.2.inner.body: dense: outputs: a whole "
      .. "number of 1 or more expected, got 0"):format(line), message, 1, true)
  end)

  it("is told as they raise it, where they do", function()
    local Raising = { new = function() error { code = 7 } end }
    local ok, raised = pcall(pl.network, { inputs = 3, { "raising" } },
      { layers = { raising = Raising } })
    assert.is_false(ok)
    assert.same({ code = 7 }, raised)
  end)

  it("is told of the one that is tried next, where several are tried", function()
    local Trying = setmetatable({}, { __index = own.counter })
    function Trying.new(_, context)
      pcall(context.make, { "dense", outputs = 0 }, context.input, "first")
      context.make({ "dens" }, context.input, "second")
    end
    local ok, message = pcall(pl.network, { inputs = 3, "trying" },
      { layers = { trying = Trying } })
    assert.is_false(ok)
    assert.matches("layer 1.second: unknown kind of layer 'dens'", message, 1, true)
  end)

  it("leaves no trace where one's own layer tries another after it", function()
    local Trying = setmetatable({}, { __index = own.counter })
    Trying.__index = Trying
    function Trying.new(_, context)
      local input = context.input
      assert.is_false(pcall(context.make, { pl.dense(2), { "dens" } }, input, "inner"))
      return setmetatable({
        output = input, inner = context.make(pl.dense(4), input, "inner"),
      }, Trying)
    end
    local net = pl.network({ inputs = 3, "trying" }, { layers = { trying = Trying } })
    assert.same({ "1.inner.W", "1.inner.b" }, names_of(net:tensors()))
  end)

  it("is told for what is no layer", function()
    for _, wrong in ipairs { 5, true, {}, { 5 }, { outputs = 3 }, function() end } do
      at_caller(function()
        local _ = pl.network { inputs = 3, wrong }
      end, "layer 1: a layer "
        .. "expected, such as pl.dense(10) or { \"dense\", outputs = 10 }, got ")
    end
    at_caller(function()
      local _ = pl.network({ inputs = 3, "relu" }, { layers = own })
    end,
      "layer 1: unknown kind of layer 'relu' (known: alpha_dropout, batch_norm, branch, center, ")
  end)

  it("is told for a class that keeps no contract", function()
    local function refused(class, expected)
      at_caller(function()
        local _ = pl.network({ inputs = 3, "wrong" }, { layers = { wrong = class } })
      end, expected)
    end
    local nothing = function() end
    local function returning(layer) return { new = function() return layer end } end
    local methods = { forward = nothing, predict = nothing, backward = nothing }
    local function with(fields)
      local layer = { output = { size = 3 } }
      for name, method in pairs(methods) do layer[name] = method end
      for name, value in pairs(fields) do layer[name] = value end
      return returning(layer)
    end
    refused(5, "layer 1: layers: 'wrong': a class with a function new(options, context) "
      .. "expected, got 5")
    refused({}, "a class with a function new(options, context) expected")
    refused({ new = nothing, fields = 3 },
      "layer 1: fields: a table of { type, ... } by name expected, got 3")
    refused({ new = nothing, fields = { outputs = "integer" } },
      "layer 1: fields: outputs: { type, ... } expected, the type one of boolean, ")
    refused({ new = nothing, fields = { outputs = { "int" } } }, ", got \"int\"")
    refused(returning(nil), "layer 1: its class's new must return a layer, got nil")
    refused(returning {}, "layer 1: its class has no method forward")
    refused(returning { forward = nothing }, "layer 1: its class has no method predict")
    refused(with { backward = 5 }, "layer 1: its class has no method backward")
    refused(with { declare = {} },
      "layer 1: declare is the name of a method, got a table")
    refused(with { state = nothing },
      "both of the methods state and restore expected, or none")
    refused(with { restore = nothing },
      "both of the methods state and restore expected, or none")
    refused(with { output = 3 },
      "layer 1: its field output = { size = S_l } must say how many "
      .. "outputs it has, got 3")
    refused(with { output = {} }, "outputs it has, got nil")
    refused(with { output = { size = 0 } }, "outputs it has, got 0")
    refused(with { output = { size = 2.5 } }, "outputs it has, got 2.5")
  end)

  it("is told for layers within that have no name of their own, or no inputs", function()
    local function refused(expected, ...)
      local arguments = table.pack(...)
      local Wrong = setmetatable({}, { __index = own.counter })
      function Wrong.new(_, context)
        context.make("layer_norm", context.input, "one")
        context.make("layer_norm", table.unpack(arguments, 1, arguments.n))
      end
      local ok, message = pcall(pl.network, { inputs = 3, "wrong" },
        { layers = { wrong = Wrong } })
      assert.is_false(ok)
      assert.matches(expected, message, 1, true)
    end
    local input = { size = 3 }
    refused("two layers within it are named 'one'", input, "one")
    refused("a name of letters, digits and _ expected, got \"a.b\"", input, "a.b")
    refused("a name of letters, digits and _ expected, got \"\"", input, "")
    refused("a name of letters, digits and _ expected, got nil", input)
    refused("input: { size = S } expected, got nil", nil, "two")
    refused("input: { size = S } expected, got 3", 3, "two")
  end)

  it("is told for kinds of one's own that take a built-in name", function()
    at_caller(function()
      local _ = pl.network({ inputs = 3, pl.dense(2) },
        { layers = { dropout = own.scale } })
    end, "the layer 'dropout' is built in: give your own another name")
    at_caller(function() pl.load("none", { layers = { dense = own.scale } }) end,
      "the layer 'dense' is built in: give your own another name")
    local tanh = pl.activation.tanh
    local relu = { name = "relu", forward = tanh.forward, backward = tanh.backward }
    at_caller(function()
      local _ = pl.network({ inputs = 3, pl.dense(2) }, { activations = { relu = relu } })
    end, "the activation 'relu' is built in: give your own another name")
    at_caller(function() local _ = pl.network { inputs = 3, pl.dense(2, relu) } end,
      "the activation 'relu' is built in: give your own another name")
    at_caller(function()
      local _ = pl.network({ inputs = 3, pl.dense(2) },
        { initializers = { he = function() end } })
    end, "the initializer 'he' is built in: give your own another name")
  end)
end)
