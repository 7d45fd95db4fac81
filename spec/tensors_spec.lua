local at_caller = require("spec.support.misuse").at_caller
local naive = require "spec.support.naive"
local own = require "spec.support.layers"
local pl = require "perilune"
local same = require("spec.support.matrices").same

local core = pl.float64
local MOST = 2 ^ 31 - 1 | 0

local function samples(rows, N, seed) return naive.random(core, seed or 1, rows, N) end

local function names_of(tensors)
  local names = {}
  for k, tensor in ipairs(tensors) do names[k] = tensor.name end
  return names
end

-- A network of one layer that declares `declared`, and does nothing
local function declaring(declared, given)
  local Class = { adds = given and given.adds }
  function Class.new(options, context)
    local function same_matrix(_, M) return M end
    return {
      output = { size = context.input.size },
      declare = function() return options.declared or declared end,
      forward = same_matrix, predict = same_matrix, backward = same_matrix,
    }
  end
  local layers = given and given.descriptions or { { "declaring" } }
  layers.inputs = 3
  return pl.network(layers, { layers = { declaring = Class, scale = own.scale } })
end

local function parameter(name, rows, cols)
  return { name = name, role = "parameter", rows = rows or 2, cols = cols or 1 }
end

describe("a network's tensors", function()
  it("are in the order of the tree, each layer's own before those within it", function()
    local net = pl.network({
      inputs = 3, pl.batch_norm(), pl.residual { pl.dense(4), pl.dense(3) }, { "scale" },
    }, { layers = own })
    assert.same({
      "1.scale", "1.shift", "1.running_mean", "1.running_variance",
      "2.body.1.W", "2.body.1.b", "2.body.2.W", "2.body.2.b", "3.s",
    }, names_of(net:tensors()))
  end)

  it("are parameters, views of theta and dJ_dtheta, or state and frozen", function()
    local net = pl.network {
      inputs = 3, pl.dense(4), pl.batch_norm(), pl.dense(5, "tanh", { frozen = true }),
      pl.dense(2),
    }
    local trained = { ["1.W"] = 12, ["1.b"] = 4, ["2.scale"] = 4, ["2.shift"] = 4,
      ["4.W"] = 10, ["4.b"] = 2 }
    local count = 0
    for _, tensor in ipairs(net:tensors()) do
      local size = tensor.value.rows * tensor.value.cols
      net.theta:fill(2)
      net.dJ_dtheta:fill(3)
      tensor.value:fill(0)
      assert.equal(trained[tensor.name] ~= nil, net.theta:min() == 0, tensor.name)
      if trained[tensor.name] then
        assert.equal(trained[tensor.name], size)
        assert.equal(3 * size, tensor.gradient:sum())
        assert.same({ tensor.value:shape() }, { tensor.gradient:shape() })
        count = count + size
      end
    end
    assert.equal(36, count)
    assert.equal(36, net:parameter_count())
    assert.same({ "1.W", "1.b", "2.scale", "2.shift", "4.W", "4.b" },
      names_of(net:parameters()))
  end)

  it("do not overlap, and begin at every 16th element", function()
    for _, dtype in ipairs(naive.types) do
      local net = pl.network({
        inputs = 3, pl.dense(5), pl.batch_norm(), pl.dense(7, "tanh", { frozen = true }),
        pl.dense(2),
      }, { dtype = dtype })
      for k, tensor in ipairs(net:tensors()) do
        tensor.value:fill(k)
        assert.equal(0, (tensor.start - 1) % 16)
      end
      for k, tensor in ipairs(net:tensors()) do
        assert.same({ k, k }, { tensor.value:min(), tensor.value:max() })
      end
      for k, tensor in ipairs(net:parameters()) do tensor.gradient:fill(10 * k) end
      for k, tensor in ipairs(net:parameters()) do
        assert.same({ 10 * k, 10 * k }, { tensor.gradient:min(), tensor.gradient:max() })
      end
    end
  end)

  it("are known to an optimiser as one vector, too", function()
    local net = pl.network { inputs = 3, pl.dense(4) }
    local flat = net:parameters().flat
    assert.is_true(rawequal(net.theta, flat.value))
    assert.is_true(rawequal(net.dJ_dtheta, flat.gradient))
  end)

  it("get their first values in the order of the tree, from one generator", function()
    local generator = pl.generator(5)
    local net = pl.network({ inputs = 3, pl.dense(4), pl.dense(2) },
      { generator = pl.generator(5) })
    for _, layer in ipairs(net.layers) do
      local bound = math.sqrt(6 / (layer.W.rows + layer.W.cols))
      assert.is_true(same(generator:uniform(layer.W:copy "rows", -bound, bound), layer.W))
    end
    assert.equal(generator:state(), net.generator:state())
  end)

  it("begin with zeros where nothing else is said", function()
    local net = declaring {
      parameter("a", 3, 2), { name = "c", role = "state", rows = 2, cols = 2 },
      { name = "d", role = "state", rows = 1, cols = 2,
        first = function(M) M:fill(7) end },
    }
    local values = {}
    for k, tensor in ipairs(net:tensors()) do values[k] = tensor.value:totable() end
    assert.same({ { { 0, 0 }, { 0, 0 }, { 0, 0 } }, { { 0, 0 }, { 0, 0 } },
      { { 7, 7 } } }, values)
  end)

  it("are stored in the order that is declared", function()
    local by_rows = parameter("a", 3, 2)
    by_rows.order = "rows"
    local net = declaring { by_rows, parameter("c", 3, 2) }
    local a, c = table.unpack(net:parameters())
    assert.same({ "rows", "rows", "columns", "columns" },
      { a.value.order, a.gradient.order, c.value.order, c.gradient.order })
  end)

  it("say whether weight decay applies", function()
    local bare = parameter("c")
    bare.decays = false
    local a, c = table.unpack(declaring({ parameter("a"), bare }):parameters())
    assert.same({ true, false }, { a.decays, c.decays })
  end)

  it("receive a gradient: it is set, or added where several layers share it", function()
    local net = pl.network({ inputs = 2, { "scale", shared = "s" }, "scale",
      { "scale", shared = "s" }, { "scale", frozen = true } }, { layers = own })
    local x = pl.matrix { { 1 }, { 2 } }
    local shared, alone, frozen = net.layers[1].tensors.s, net.layers[2].tensors.s,
      net.layers[4].tensors.s
    for _, tensor in ipairs { shared, alone, frozen } do
      tensor:receive(x)
      tensor:receive(x)
    end
    assert.same({ { 2 }, { 4 } }, shared.gradient:totable())
    assert.same({ { 1 }, { 2 } }, alone.gradient:totable())
    assert.is_nil(rawget(frozen, "gradient"))
    assert.same({ true, false, false }, { shared.adds, alone.adds, frozen.adds })
  end)

  it("receive no gradient of another shape or type", function()
    local W = pl.network({ inputs = 3, pl.dense(2) }).held.by_name["1.W"]
    for _, wrong in ipairs { false, pl.matrix(3, 2), pl.float64.matrix(2, 3) } do
      at_caller(function() W:receive(wrong or nil) end,
        "gradient of 1.W: a 2 x 3 matrix of float32 expected, got ")
    end
  end)

  it("stay valid when the network itself is collected", function()
    local parameters = pl.network({ inputs = 4, pl.dense(6) }):parameters()
    collectgarbage()
    collectgarbage()
    assert.is_true(parameters[1].value:is_finite())
    assert.same({ 6, 4 }, { parameters[1].value:shape() })
  end)
end)

describe("what a layer declares", function()
  local function refused(declared, expected)
    at_caller(function() local _ = declaring(declared) end, expected)
  end

  it("is a list of tensors", function()
    refused(5, "layer 1: declare: a list of tensors expected, got 5")
    refused(parameter "a", "layer 1: declare: a list of tensors expected, got a table")
    refused({ 5 }, "layer 1: declare: a table of options expected, got 5")
  end)

  it("has a name each, and no two the same", function()
    refused({ parameter(nil) }, "layer 1: declare: option 'name' is required")
    refused({ parameter(7) }, "layer 1: declare: name: a string expected, got 7")
    for _, name in ipairs { "", "a.b", "a b", "ä", "a\0" } do
      refused({ parameter(name) },
        "layer 1: declare: a name of letters, digits and _ expected")
    end
    refused({ parameter "a", parameter "a" },
      "layer 1: declare: two tensors are named 'a'")
  end)

  it("has a role, a shape, and known options", function()
    local function without(field, value)
      local tensor = parameter "a"
      tensor[field] = value
      return { tensor }
    end
    refused(without "role", "layer 1: declare: option 'role' is required")
    refused(without("role", "weight"),
      "declare: role: \"parameter\" or \"state\" expected")
    refused(without "rows", "layer 1: declare: option 'rows' is required")
    refused(without("rows", 0),
      "declare: rows: a whole number of 1 or more expected, got 0")
    refused(without("cols", 1.5), "declare: cols: a whole number of 1 or more expected")
    refused(without("order", "row"), "declare: order: \"columns\" or \"rows\" expected")
    refused(without("first", 1), "declare: first: a function expected, got 1")
    refused(without("shape", 1), "unknown option 'shape' of layer 1: declare")
  end)

  it("is not larger than a matrix can be, nor are all together", function()
    refused({ parameter("a", MOST, 2) },
      ("layer 1: declare: 'a' of at most %d elements expected, got %d x 2"):format(MOST,
        MOST))
    refused({ parameter("a", 50000, 40000), parameter("c", 50000, 40000) },
      ("layer 1: with 'c' of 50000 x 40000 the tensors have more than %d elements in all")
        :format(MOST))
    at_caller(function()
      local _ = pl.network { inputs = 40000, pl.dense(40000), pl.dense(40000) }
    end, "layer 2: with 'W' of 40000 x 40000 the tensors have more than")
  end)
end)

describe("layers that share", function()
  local function shared(given)
    return pl.network({
      inputs = 4, pl.dense(4, "tanh", { shared = "code" }), pl.dense(4, "sigmoid"),
      pl.dense(4, "softsign", { shared = "code" }), { "scale", shared = "factors" },
      { "scale", shared = "factors" }, pl.dense(2),
    }, { dtype = "float64", layers = own, seed = given and given.seed })
  end

  it("have the tensors of the first of them, held once", function()
    local net = shared()
    assert.same({ "1.W", "1.b", "2.W", "2.b", "4.s", "6.W", "6.b" },
      names_of(net:tensors()))
    assert.equal(20 + 20 + 4 + 10, net:parameter_count())
    assert.is_true(rawequal(net.layers[1].W, net.layers[3].W))
    assert.is_true(rawequal(net.layers[1].dJ_dW, net.layers[3].dJ_dW))
    assert.is_true(rawequal(net.layers[4].tensors.s, net.layers[5].tensors.s))
    assert.matches("\n  1  dense 4 -> 4, tanh, shared as code\n", tostring(net), 1, true)
  end)

  it("have the sum of their gradients, by central differences", function()
    local report = pl.gradient_check(shared(), samples(4, 6), samples(2, 6, 2),
      { loss = "squared_error" })
    assert.is_true(report.passed, tostring(report))
  end)

  it("have the sum of the gradients that they have unshared", function()
    local net = shared()
    local apart = pl.network({
      inputs = 4, pl.dense(4, "tanh"), pl.dense(4, "sigmoid"), pl.dense(4, "softsign"),
      "scale", "scale", pl.dense(2),
    }, { dtype = "float64", layers = own })
    for l = 1, 3 do
      apart.layers[l].W:assign(net.layers[l].W)
      apart.layers[l].b:assign(net.layers[l].b)
    end
    apart.layers[6].W:assign(net.layers[6].W)
    local X, Delta = samples(4, 6), samples(2, 6, 2)
    assert.is_true(same(apart:forward(X), net:forward(X)))
    apart:backward(Delta)
    for _ = 1, 2 do net:backward(Delta) end -- the second replaces the first
    local one, three = apart.layers[1], apart.layers[3]
    naive.near(net.layers[1].dJ_dW, (one.dJ_dW + three.dJ_dW):totable(), 1e-14)
    naive.near(net.layers[1].dJ_db, (one.dJ_db + three.dJ_db):totable(), 1e-14)
    naive.near(net.layers[2].dJ_dW, apart.layers[2].dJ_dW:totable(), 1e-14)
  end)

  it("stay so in training, in a clone and in a file, to the last bit", function()
    local net = shared()
    local X, T = samples(4, 6), samples(2, 6, 2)
    local function train(trained)
      local optimizer = pl.adam { rate = 0.01 }
      for _ = 1, 10 do
        local _, Delta = pl.loss.squared_error(trained:forward(X), T)
        trained:backward(Delta)
        optimizer:step(trained:parameters())
      end
    end
    train(net)
    local path = os.tmpname()
    assert(net:save(path))
    local copies = { net:clone(), assert(pl.load(path, { layers = own })),
      shared({ seed = 3 }):restore(net:state()) }
    os.remove(path)
    train(net)
    for _, copy in ipairs(copies) do
      assert.is_true(rawequal(copy.layers[1].W, copy.layers[3].W))
      assert.same(net:describe(), copy:describe())
      train(copy)
      assert.is_true(same(net.theta, copy.theta))
      assert.is_true(same(net:predict(X), copy:predict(X)))
    end
  end)

  it("may be frozen together, and are then left as they are", function()
    local function dense(activation)
      return pl.dense(3, activation, { shared = "code", frozen = true })
    end
    local net = pl.network({ inputs = 3, pl.dense(3), dense "tanh", dense "sigmoid" },
      { dtype = "float64" })
    assert.same({ "1.W", "1.b" }, names_of(net:parameters()))
    local report = pl.gradient_check(net, samples(3, 5), samples(3, 5, 2),
      { loss = "squared_error" })
    assert.is_true(report.passed, tostring(report))
    assert.is_nil(rawget(net.layers[2].tensors.W, "gradient"))
  end)

  it("share their state, too", function()
    local norm = pl.batch_norm { shared = "norm" }
    local net = pl.network({ inputs = 3, norm, pl.dense(3, "tanh"), norm },
      { dtype = "float64" })
    assert.is_true(rawequal(net.layers[1].running_mean, net.layers[3].running_mean))
    local report = pl.gradient_check(net, samples(3, 5), samples(3, 5, 2),
      { loss = "squared_error" })
    assert.is_true(report.passed, tostring(report))
  end)

  it("share all that lies within them", function()
    local function block(activation)
      return pl.residual({ pl.dense(5, activation), pl.batch_norm(), pl.dense(3) },
        { shared = "block" })
    end
    local net = pl.network({ inputs = 3, block "tanh", pl.dense(3), block "sigmoid" },
      { dtype = "float64" })
    assert.same({
      "1.body.1.W", "1.body.1.b", "1.body.2.scale", "1.body.2.shift",
      "1.body.2.running_mean",
      "1.body.2.running_variance", "1.body.3.W", "1.body.3.b", "2.W", "2.b",
    }, names_of(net:tensors()))
    local lower, upper = net.layers[1].body.layers, net.layers[3].body.layers
    for k = 1, 3 do
      for name, tensor in pairs(lower[k].tensors) do
        assert.is_true(rawequal(tensor, upper[k].tensors[name]))
      end
    end
    local report = pl.gradient_check(net, samples(3, 5), samples(3, 5, 2),
      { loss = "squared_error" })
    assert.is_true(report.passed, tostring(report))
    local description = net:describe().layers[1]
    assert.equal("block", description.shared)
    assert.is_nil(description.body.layers[1].shared)
  end)

  it("are apart from those of another name", function()
    local net = pl.network {
      inputs = 3, pl.dense(3, "tanh", { shared = "a" }),
      pl.dense(3, "tanh", { shared = "b" }),
    }
    assert.same({ "1.W", "1.b", "2.W", "2.b" }, names_of(net:tensors()))
    for _, tensor in ipairs(net:tensors()) do assert.is_false(tensor.adds) end
  end)

  it("must declare tensors that are alike", function()
    local function refused(one, two, expected)
      at_caller(function() local _ = pl.network { inputs = 3, one, two } end, expected)
    end
    refused(pl.dense(3, "tanh", { shared = "a" }), pl.dense(4, "tanh", { shared = "a" }),
      "layers 1 and 2 share 'W', but not its rows: 3 and 4")
    refused(pl.dense(4, "tanh", { shared = "a" }), pl.dense(4, "tanh", { shared = "a" }),
      "layers 1 and 2 share 'W', but not its cols: 3 and 4")
    refused(pl.dense(3, "tanh", { shared = "a" }),
      pl.dense(3, "tanh", { shared = "a", frozen = true }),
      "layers 1 and 2 share 'W': freeze both or neither")
    local one, two = parameter "a", parameter "a"
    two.role = "state"
    at_caller(function()
      local _ = declaring(nil, { adds = true, descriptions = {
        { "declaring", declared = { one }, shared = "x" },
        { "declaring", declared = { two }, shared = "x" },
      } })
    end, "layers 1 and 2 share 'a', but not its role: parameter and state")
    two = parameter "a"
    two.order = "rows"
    at_caller(function()
      local _ = declaring(nil, { adds = true, descriptions = {
        { "declaring", declared = { one }, shared = "x" },
        { "declaring", declared = { two }, shared = "x" },
      } })
    end, "layers 1 and 2 share 'a', but not its order: columns and rows")
  end)

  it("must be of a class that adds to gradients", function()
    local descriptions = { { "declaring", shared = "x" }, { "declaring", shared = "x" } }
    at_caller(function()
      local _ = declaring({ parameter "a" }, { descriptions = descriptions })
    end, "layer 1 cannot share its tensors: its class must add to gradients where "
      .. "tensors.a.adds is true, and say so by adds = true")
    local net = declaring({ { name = "a", role = "state", rows = 2, cols = 1 } },
      { descriptions = descriptions })
    assert.same({ "1.a" }, names_of(net:tensors()))
  end)
end)
