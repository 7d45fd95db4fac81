-- Model files: what is saved is loaded to the last bit, and what could not be loaded is not saved.
-- Damaged and hostile files are in model_damage_spec.lua.

local at_caller = require("spec.support.misuse").at_caller
local file = require "perilune.store.file"
local find_python = require "spec.support.find_python"
local layers = require "spec.support.layers"
local lfs = require "lfs"
local memory = require "spec.support.memory"
local naive = require "spec.support.naive"
local pl = require "perilune"
local same = require("spec.support.matrices").same
local stored = require "spec.support.stored"

local double = {
  name = "double",
  forward = function(A, Z) return A:assign(2 * Z) end,
  backward = function(H, Delta) return H:assign(2 * Delta) end,
}

local function two() end

-- A network of every kind of layer, what is within others too
local kinds = {
  dense = function() return { pl.dense(3, "tanh", { initializer = "lecun" }) } end,
  ["dense with options"] = function()
    local initializer = { "normal", deviation = 0.1, mean = 1 / 3 }
    return { pl.dense(3, "relu", { initializer = initializer }) }
  end,
  dropout = function() return { pl.dropout(1 / 3), pl.dense(3) } end,
  batch_norm = function() return { pl.batch_norm { momentum = 0.3 }, pl.dense(3) } end,
  layer_norm = function() return { pl.layer_norm { epsilon = 1e-3 }, pl.dense(3) } end,
  chain = function()
    return { { "chain", layers = { pl.dense(5, "relu"), pl.dense(3) } } }
  end,
  residual = function()
    return { pl.residual { pl.dense(5, "relu"), pl.batch_norm(), pl.dense(4) },
      pl.residual(pl.dense(3), { projection = true }) }
  end,
  branch = function()
    return {
      pl.branch { pl.dense(3), { pl.dense(2, "tanh"), pl.dropout(0.25) } },
      pl.branch({ pl.dense(3), pl.residual(pl.dense(3), { projection = pl.dense(3) }) },
        { join = "sum" }),
    }
  end,
  frozen = function()
    return { pl.dense(5, "tanh", { frozen = true }),
      pl.residual({ pl.batch_norm(), pl.dense(5) }, { frozen = true }), pl.dense(3) }
  end,
  shared = function()
    return { pl.dense(4, "tanh", { shared = "a" }), pl.dense(4, "tanh", { shared = "a" }),
      pl.dense(3) }
  end,
}

-- Two samples, whose decimals are exact in float32, so that every reader starts from the same
-- numbers
local samples = { { 0.5, 2 }, { -1.25, 0 }, { 3, -0.5 }, { 0.125, 1 } }

-- Trained a little, so that weights and state are not what they are at first
local function trained(net)
  local X = naive.random(pl[net.dtype], 5, net.inputs, 8)
  local T = pl[net.dtype].matrix(net.outputs, 8):fill(1)
  local optimizer = pl.adam { rate = 0.1 }
  for _ = 1, 3 do
    local _, Delta = pl.loss.squared_error(net:forward(X), T)
    net:backward(Delta)
    optimizer:step(net:parameters())
  end
  return net
end

local function new_network(kind, options)
  local description = kinds[kind]()
  description.inputs = 4
  return trained(pl.network(description, options))
end

local function assert_same_tensors(expected, net)
  local tensors, others = expected:tensors(), net:tensors()
  assert.equal(#tensors, #others)
  for k, tensor in ipairs(tensors) do
    local other = others[k]
    assert.same({ tensor.name, tensor.role, tensor.frozen, tensor.value.order },
      { other.name, other.role, other.frozen, other.value.order })
    assert.is_true(same(tensor.value, other.value))
  end
end

-- They go on alike: what is frozen stays so, and what is shared is shared.
local function assert_same_training(expected, net)
  expected, net = expected:clone(), net:clone()
  net.generator:restore(expected.generator:state()) -- dropout's, which no file holds
  assert_same_tensors(trained(expected), trained(net))
end

local function assert_same_network(expected, net)
  assert.same(expected:describe(), net:describe())
  assert_same_tensors(expected, net)
  local X = pl[expected.dtype].matrix(samples)
  assert.is_true(same(expected:predict(X), net:predict(X)))
end

describe("A model file", function()
  local path

  before_each(function() path = os.tmpname() end)
  after_each(function() os.remove(path) end)

  for kind in pairs(kinds) do
    for _, dtype in ipairs { "float32", "float64" } do
      it(("gives the same network again, to the last bit: %s, %s"):format(kind, dtype),
        function()
          local net = new_network(kind, { dtype = dtype, seed = 7 })
          assert.is_true(net:save(path))
          local again = assert(pl.load(path))
          assert_same_network(net, again)
          assert_same_training(net, again)
        end)
    end
  end

  it("keeps activations with their options", function()
    for name, sigma in pairs(pl.float32.activations) do
      local activation = { name }
      for option, default in pairs(sigma.options or {}) do
        activation[option] = type(default) == "number" and default / 2 or "tanh"
      end
      local net = pl.network { inputs = 4, pl.dense(3, activation), pl.dense(2) }
      assert(net:save(path))
      assert_same_network(net, assert(pl.load(path)))
    end
  end)

  it("keeps the names of the classes and what the outputs and targets are", function()
    for _, case in ipairs {
      { outputs = 3, classes = { "a", "\u{20AC}", "\"c\"\n" }, gives = "logits" },
      { outputs = 1, classes = { "no", "yes" }, gives = "probabilities" },
      { outputs = 2, gives = "values" },
      { outputs = 3, classes = { "a", "b", "c" }, gives = "logits", targets = "several" },
      { outputs = 2, targets = "one" },
      { outputs = 2 },
    } do
      local net = pl.network({ inputs = 4, pl.dense(case.outputs) },
        { classes = case.classes, gives = case.gives, targets = case.targets })
      assert(net:save(path))
      local again = assert(pl.load(path))
      assert.same(case.classes, again.classes)
      assert.equal(case.gives, again.gives)
      assert.equal(case.targets, again.targets)
    end
  end)

  it("is the same for the same network", function()
    local bytes = {}
    for k = 1, 2 do
      assert(new_network "branch":save(path))
      bytes[k] = file.read(path)
    end
    assert.equal(bytes[1], bytes[2])
    assert(assert(pl.load(path)):save(path))
    assert.equal(bytes[1], file.read(path))
  end)

  it("keeps numbers of its description to the last bit", function()
    for _, p in ipairs { 1 / 3, 0.1, 5e-324, 1 - 2 ^ -53, 0.0 } do
      assert(pl.network { inputs = 1, pl.dropout(p) }:save(path))
      local again = assert(pl.load(path))
      assert.equal(p, again.layers[1].probability)
    end
  end)

  it("names and orders its tensors as Python expects them of linear layers", function()
    local net = pl.network { inputs = 4, pl.dense(5, "relu"), pl.dropout(0.1),
      pl.residual { pl.dense(1), pl.batch_norm(), pl.dense(5) } }
    assert(net:save(path))
    local bytes = assert(file.read(path))
    local content = assert(stored.decode(bytes))
    assert.same({
      "layers.1.weight", "layers.1.bias",
      "layers.3.body.1.weight", "layers.3.body.1.bias",
      "layers.3.body.2.scale", "layers.3.body.2.shift",
      "layers.3.body.2.running_mean", "layers.3.body.2.running_variance",
      "layers.3.body.3.weight", "layers.3.body.3.bias",
    }, content.names)
    for name, shape in pairs {
      ["layers.1.weight"] = { 5, 4 }, ["layers.1.bias"] = { 5 },
      ["layers.3.body.1.weight"] = { 1, 5 }, ["layers.3.body.1.bias"] = { 1 },
      ["layers.3.body.2.scale"] = { 1 }, ["layers.3.body.3.weight"] = { 5, 1 },
    } do
      assert.same(shape, content.tensors[name].shape)
    end
    local first = content.tensors["layers.1.weight"].first
    local W = net.layers[1].W
    for i = 1, 5 do
      for j = 1, 4 do
        local place = first + 4 * ((i - 1) * 4 + j - 1)
        assert.equal(W:get(i, j), (string.unpack("<f", bytes, place)))
      end
    end
  end)

  it("holds a tensor that layers share once", function()
    local net = new_network "shared"
    assert(net:save(path))
    local content = assert(stored.decode(assert(file.read(path))))
    assert.same({
      "layers.1.weight", "layers.1.bias", "layers.3.weight", "layers.3.bias",
    }, content.names)
    local again = assert(pl.load(path))
    again.layers[1].W:fill(7)
    assert.equal(7, again.layers[2].W:get(1, 1))
  end)

  it("keeps negative zero and the smallest numbers", function()
    local net = pl.network({ inputs = 4, pl.dense(5) }, { dtype = "float64" })
    net.layers[1].W:set(1, 1, -0.0):set(2, 1, 5e-324)
    assert(net:save(path))
    assert_same_tensors(net, assert(pl.load(path)))
  end)

  it("is not overwritten by a network that is not finite", function()
    local net = pl.network { inputs = 2, pl.dense(3), pl.batch_norm() }
    assert(net:save(path))
    local before = file.read(path)
    local norm = net.layers[2].tensors
    norm.running_mean.value:set(2, 1, 0 / 0)
    at_caller(function() net:save(path) end,
      "the network cannot be saved: 2.running_mean is NaN in row 2, column 1")
    net.layers[1].W:set(3, 2, -math.huge)
    at_caller(function() net:save(path) end,
      "the network cannot be saved: 1.W is -inf in row 3, column 2")
    assert.equal(before, file.read(path))
  end)

  it("gives weights that are not finite as they are, where another program wrote them", function()
    local net = pl.network({ inputs = 3, pl.dense(5) }, { dtype = "float64" })
    for j, x in ipairs { 0 / 0, 1 / 0, -1 / 0 } do net.layers[1].W:set(1, j, x) end
    assert(require("perilune.store.model").save(net, path))
    assert_same_tensors(net, assert(pl.load(path)))
  end)

  it("takes twice its size to be loaded, and little to be saved", function()
    local saving = memory.peak_alone("net = pl.network { inputs = 2000, pl.dense(2000) }",
      ("assert(net:save %q)"):format(path))
    local loading = memory.peak_alone("", ("net = assert(pl.load %q)"):format(path))
    local size = lfs.attributes(path, "size")
    assert.is_true(size > 16e6)
    assert.is_true(saving < 0.3 * size, ("%.2f of the file"):format(saving / size))
    assert.is_true(loading < 2.2 * size, ("%.2f of the file"):format(loading / size))
  end)

  it("is loaded by another process, given nothing but the file", function()
    local net = new_network("branch", { classes = { "a", "b", "c" }, gives = "logits" })
    assert(net:save(path))
    local child = require "spec.support.child"
    local output = child.run(([[
      local pl = require "perilune"
      local net = assert(pl.load %q)
      local X = pl.matrix { { 0.5 }, { -1.25 }, { 3 }, { 0.125 } }
      print(net:predict(X):encode("float32", "little"):gsub(".", function(c)
        return ("%%02x"):format(c:byte())
      end), nil)
    ]]):format(path))
    local X = pl.matrix(samples):columns(1, 1):copy()
    local expected = net:predict(X):encode("float32", "little"):gsub(".", function(c)
      return ("%02x"):format(c:byte())
    end)
    assert.equal(expected, output:match "%x+")
  end)

  it("is understood by numpy #python", function()
    local python = find_python()
    if not python then
      pending "no python3 with numpy"
      return
    end
    local sample = {}
    for i, row in ipairs(samples) do sample[i] = row[1] end
    for dtype, tolerance in pairs { float32 = 1e-6, float64 = 1e-14 } do
      local net = pl.network({ inputs = 4, pl.dense(5, "relu"), pl.dropout(0.1),
        pl.dense(3, "tanh") }, { dtype = dtype, seed = 7 })
      assert(net:save(path))
      local command = ("%s spec/support/read_safetensors.py '%s' %s"):format(python, path,
        table.concat(sample, " "))
      local program <close> = assert(io.popen(command))
      local lines = {}
      for line in program:lines() do lines[#lines + 1] = line end
      assert.equal(5, #lines)
      local sums = {}
      for k = 1, 4 do
        local name, sum = lines[k]:match("^(.*) F%d%d (%S+)$")
        sums[name] = tonumber(sum)
      end
      local parameters = net:parameters()
      for k, name in ipairs {
        "layers.1.weight 5x4", "layers.1.bias 5", "layers.3.weight 3x5",
        "layers.3.bias 3",
      } do
        assert.near(parameters[k].value:sum(), sums[name], 1e-12)
      end
      local A, i = net:predict(pl[dtype].matrix(samples)), 0
      for number in lines[5]:sub(2):gmatch "%S+" do
        i = i + 1
        assert.near(tonumber(number), A:get(i, 1), tolerance)
      end
      assert.equal(3, i)
    end
  end)

  describe("of a network with parts of the user's own", function()
    local own = {
      layers = layers, activations = { double = double, triple = double },
      initializers = { two = two },
    }
    own.activations.triple = { forward = double.forward, backward = double.backward }

    local function new_own()
      return trained(pl.network({
        inputs = 4, { "scale", first = 2 }, { "center", momentum = 0.5 },
        { "highway", activation = "double" },
        { "residual", body = { { "scale", shared = "s" }, { "scale", shared = "s" } } },
        pl.dense(3, "triple", { initializer = "two" }), pl.dense(3, double),
      }, own))
    end

    it("gives the same network again, when they are given again", function()
      local net = new_own()
      assert.is_true(net:save(path))
      local again = assert(pl.load(path, own))
      assert_same_network(net, again)
      assert_same_training(net, again)
    end)

    it("is refused when one of them is not given", function()
      assert(new_own():save(path))
      for option, expected in pairs {
        layers = "layer 1: unknown kind of layer 'scale' (known: ",
        activations = "dense: activation: unknown activation 'double' (known: ",
        initializers = "layer 5: dense: initializer: unknown initializer 'two' (known: ",
      } do
        local given = {}
        for name, parts in pairs(own) do given[name] = name ~= option and parts or nil end
        local net, reason = pl.load(path, given)
        assert.is_nil(net)
        assert.equal(path .. ": ", reason:sub(1, #path + 2))
        assert.matches(expected, reason, 1, true)
      end
    end)

    it("is refused when they need other tensors than the file has", function()
      assert(pl.network({ inputs = 4, { "scale" } }, own):save(path))
      local Other = setmetatable({}, { __index = layers.scale })
      Other.__index = Other
      function Other.new(_, context)
        return setmetatable({ output = context.input }, Other)
      end
      function Other.declare()
        return { { name = "s", role = "parameter", rows = 10 ^ 9 | 0, cols = 2 } }
      end
      local net, reason = pl.load(path, { layers = { scale = Other } })
      assert.is_nil(net)
      assert.equal(path .. ": tensor 'layers.1.s' is F32 of 4, " ..
        "F32 of 1000000000 x 2 expected", reason)
    end)

    it("is refused when they raise, with what they say", function()
      assert(pl.network({ inputs = 4, { "scale" } }, own):save(path))
      local Other = setmetatable({ new = function() error("too old", 0) end },
        { __index = layers.scale })
      local net, reason = pl.load(path, { layers = { scale = Other } })
      assert.is_nil(net)
      assert.equal(path .. ": too old", reason)
    end)
  end)
end)

describe("A network that could not be loaded again", function()
  local folder, path

  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(lfs.mkdir(folder))
    path = folder .. "/model"
  end)
  after_each(function()
    os.remove(path)
    lfs.rmdir(folder)
  end)

  -- No file is left, and where there is one it stays as it is.
  local function refuses(net, expected)
    at_caller(function() net:save(path) end, expected)
    for entry in lfs.dir(folder) do assert.matches("^%.%.?$", entry) end
    assert(file.write(path, "old"))
    assert.has_error(function() net:save(path) end)
    assert.equal("old", file.read(path))
    os.remove(path)
  end

  -- A layer of one's own that hands on what it gets, and describes itself so
  local function with_description(description)
    local Odd = {}
    function Odd.new(_, context)
      local function pass(_, M) return M end
      return {
        output = context.input, forward = pass, predict = pass, backward = pass,
        describe = function() return description end,
      }
    end
    return pl.network({ inputs = 4, { "odd" } }, { layers = { odd = Odd } })
  end

  it("is not saved where an activation has no name", function()
    refuses(pl.network { inputs = 4, pl.dense(2, { forward = two, backward = two }) },
      "its activation has no name, by which a file could call it")
  end)

  it("is not saved where a description is no plain data", function()
    local cyclic = { "odd" }
    cyclic.inner = cyclic
    for _, case in ipairs {
      { { "odd", f = print }, "function" },
      { { "odd", x = 0 / 0 }, "nan" },
      { { "odd", x = 1 / 0 }, "inf" },
      { { "odd", text = "\xff" }, "UTF-8" },
      { { "odd", M = pl.matrix(1, 1) }, "userdata" },
      { { "odd", "second", x = 1 }, "a table that is neither a list" },
      { { "odd", list = { [1] = 1, [3] = 3 } }, "a table that is neither a list" },
      { { "odd", map = { [true] = 1 } }, "a table that is neither a list" },
      { { "odd", inner = { kind = "dense" } }, "an option is named 'kind'" },
      { cyclic, "deep expected" },
    } do
      refuses(with_description(case[1]), case[2])
    end
  end)

  it("is saved where the description is plain data, and gives it back", function()
    for _, description in ipairs {
      "odd",
      { "odd", list = { "a", "b" }, map = { x = 1, y = { 2, 3.5 } }, no = false },
      { "odd", inner = { "dense", outputs = 3 }, several = { { "a", x = 1 }, { "b" } } },
    } do
      local net = with_description(description)
      assert(net:save(path))
      local given
      local own = { layers = { odd = { new = function(options, context)
        given = options
        return net.source.options.layers.odd.new(options, context)
      end } } }
      assert(pl.load(path, own))
      local expected = {}
      if type(description) == "table" then
        for name, value in pairs(description) do expected[name] = value end
        expected[1] = nil
      end
      assert.same(expected, given)
    end
  end)

  it("is not saved where its classes or what it gives have been spoilt", function()
    local net = pl.network({ inputs = 4, pl.dense(2) }, { classes = { "a", "b" } })
    for _, classes in ipairs { { "a" }, { "a", "a" }, { "a", 5 }, { "a", "\xff" },
      { a = 1 }, "ab" } do
      net.classes = classes
      refuses(net, "classes: ")
    end
    net.classes, net.gives = nil, "classes"
    refuses(net, "gives: \"logits\" or \"probabilities\" or \"log_probabilities\" or \"values\" "
      .. "expected")
    net.gives, net.targets = nil, "many"
    refuses(net, "targets: \"values\" or \"one\" or \"several\" expected")
  end)

  it("is not made where its classes are no names", function()
    for _, classes in ipairs { { "a" }, { "a", "a" }, { "a", 5 }, { "a", "\xff" },
      { a = 1 }, "ab", { "a", [3] = "b" }, { "a", "b", "c" } } do
      at_caller(function()
        pl.network({ inputs = 1, pl.dense(2) }, { classes = classes })
      end, "classes: ")
    end
  end)

  it("is not saved where two tensors have one name in the file", function()
    local Twice = setmetatable({}, { __index = layers.scale })
    Twice.__index = Twice
    function Twice.new(_, context)
      return setmetatable({ output = context.input }, Twice)
    end
    function Twice.declare()
      return { { name = "W", role = "state", rows = 1, cols = 1 },
        { name = "weight", role = "state", rows = 1, cols = 1 } }
    end
    refuses(pl.network({ inputs = 1, { "twice" } }, { layers = { twice = Twice } }),
      "the network cannot be saved: two tensors are named 'layers.1.weight'")
  end)

  it("is not saved where it is too long", function()
    refuses(with_description { "odd", text = ("x"):rep(2 ^ 20) },
      "the network cannot be saved: names and metadata need a header of ")
    local Wrapper = setmetatable({}, { __index = layers.highway })
    Wrapper.__index = Wrapper
    function Wrapper.new(_, context)
      context.make(pl.dense(1), context.input, ("x"):rep(255))
      return setmetatable({ output = context.input }, Wrapper)
    end
    refuses(pl.network({ inputs = 1, { "wrapper" } }, { layers = { wrapper = Wrapper } }),
      "the network cannot be saved: name of 1 to 255 bytes of UTF-8 expected")
  end)

  it("is not saved where its layers lie too deep within each other", function()
    local description = pl.dense(4)
    for depth = 1, 90 do
      local net = pl.network { inputs = 4, description }
      local ok, reason = pcall(net.save, net, path)
      if not ok then
        assert.matches("the network cannot be saved: ", reason, 1, true)
        assert.is_true(depth > 20)
        return
      end
      assert_same_network(net, assert(pl.load(path)))
      description = pl.residual { description }
    end
    error "one of them was expected to be too deep"
  end)

  it("is not saved without a path", function()
    local net = pl.network { inputs = 1, pl.dense(1) }
    at_caller(function() net:save() end, "a path expected, got nil")
    at_caller(function() net:save "" end, "a path expected, got \"\"")
    at_caller(function() pl.load() end, "a path expected, got nil")
    at_caller(function() pl.load(path, { kinds = {} }) end,
      "unknown option 'kinds' of pl.load (known: activations, initializers, layers)")
    at_caller(function() pl.load(path, { layers = 5 }) end,
      "pl.load: layers: a table expected, got 5")
    at_caller(function() pl.load(path, { layers = { dense = layers.scale } }) end,
      "the layer 'dense' is built in: give your own another name")
  end)

  it("is not saved where the folder does not exist", function()
    local net = pl.network { inputs = 1, pl.dense(1) }
    assert.same({ nil, folder .. "/no/model: No such file or directory" },
      { net:save(folder .. "/no/model") })
  end)
end)
