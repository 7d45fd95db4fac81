local file = require "perilune.store.file"
local find_python = require "spec.support.find_python"
local model = require "perilune.store.model"
local pl = require "perilune"
local plain = require "perilune.store.plain"
local safetensors = require "perilune.store.safetensors"

-- A layer of the caller's own: y = s x, with one parameter.
local Scale = {}
Scale.__index = Scale

function Scale.new(_, context)
  return setmetatable({
    outputs = context.inputs,
    shapes = { { name = "s", rows = 1, cols = context.inputs } },
  }, Scale)
end

function Scale:bind(parameters) self.s = parameters[1].value:fill(2) end
function Scale:forward(A_below) return A_below:hadamard(self.s:transpose()) end
function Scale.describe() return { kind = "scale" } end

describe("A model file", function()
  local path

  before_each(function() path = os.tmpname() end)
  after_each(function() os.remove(path) end)

  local function build(dtype)
    return pl.network({
      inputs = 4,
      pl.dense(5, "relu"),
      pl.dropout(0.1),
      pl.dense(3, "tanh", { initializer = "lecun" }),
    }, { dtype = dtype, seed = 7, classes = { "a", "\u{20AC}", "c" } })
  end

  -- The decimals of a sample are exact in float32, so that every reader starts from the same numbers.
  local sample = { 0.5, -1.25, 3, 0.125 }

  local function column(core)
    return core.matrix { { sample[1] }, { sample[2] }, { sample[3] }, { sample[4] } }
  end

  local function assert_same_weights(expected, net)
    local parameters, others = expected:parameters(), net:parameters()
    assert.equal(#parameters, #others)
    for k, parameter in ipairs(parameters) do
      assert.equal(parameter.name, others[k].name)
      assert.equal(parameter.value:encode(expected.dtype),
        others[k].value:encode(net.dtype))
    end
  end

  -- Write what a file of ours might say, changed by `change(tensors, description, metadata)`.
  local function write_changed(change)
    local net = build "float32"
    local tensors = {
      { name = "layers.1.weight", shape = { 5, 4 }, bytes = ("\0"):rep(80) },
      { name = "layers.1.bias", shape = { 5 }, bytes = ("\0"):rep(20) },
      { name = "layers.3.weight", shape = { 3, 5 }, bytes = ("\0"):rep(60) },
      { name = "layers.3.bias", shape = { 3 }, bytes = ("\0"):rep(12) },
    }
    for _, tensor in ipairs(tensors) do tensor.dtype = "F32" end
    local description = net:describe()
    local metadata = { format = "perilune", version = "1" }
    change(tensors, description, metadata)
    metadata.network = metadata.network or plain.encode(description)
    assert(file.write(path, safetensors.encode(tensors, metadata)))
  end

  local function refuses(expected, change)
    write_changed(change)
    local net, reason = model.load(path)
    assert.is_nil(net)
    assert.equal(path .. ": " .. expected, reason)
  end

  for _, dtype in ipairs { "float32", "float64" } do
    it("gives the same network again, to the last bit, in " .. dtype, function()
      local net = build(dtype)
      assert.is_true(net:save(path))
      local again = assert(pl.load(path))
      assert.same(net:describe(), again:describe())
      assert_same_weights(net, again)
      local X = column(pl[dtype])
      assert.equal(net:predict(X):encode "float64", again:predict(X):encode "float64")
    end)
  end

  it("is the same for the same network", function()
    local bytes = {}
    for k = 1, 2 do
      assert(build("float32"):save(path))
      bytes[k] = file.read(path)
    end
    assert.equal(bytes[1], bytes[2])
    assert(assert(model.load(path)):save(path))
    assert.equal(bytes[1], file.read(path))
  end)

  it("keeps numbers of its description to the last bit", function()
    for _, p in ipairs { 1 / 3, 0.1, 5e-324, 1 - 2 ^ -53, 0.0 } do
      assert(pl.network { inputs = 1, pl.dropout(p) }:save(path))
      local again = assert(model.load(path))
      assert.equal(p, again.layers[1].probability)
    end
  end)

  it("names and orders its tensors as Python expects them of linear layers", function()
    local net = build "float32"
    assert(net:save(path))
    local bytes = assert(file.read(path))
    local content = assert(safetensors.decode(bytes, path))
    assert.same({
      "layers.1.weight", "layers.1.bias", "layers.3.weight", "layers.3.bias",
    }, content.names)
    assert.same({ 5, 4 }, content.tensors["layers.1.weight"].shape)
    assert.same({ 5 }, content.tensors["layers.1.bias"].shape)
    local first = content.tensors["layers.1.weight"].first
    local W = net.layers[1].W
    for i = 1, 5 do
      for j = 1, 4 do
        local place = first + 4 * ((i - 1) * 4 + j - 1)
        assert.equal(W:get(i, j), (string.unpack("<f", bytes, place)))
      end
    end
  end)

  it("keeps weights that are not finite, and negative zero", function()
    local net = build "float64"
    local W = net.layers[1].W
    for j, x in ipairs { 0 / 0, 1 / 0, -1 / 0, -0.0 } do W:set(1, j, x) end
    W:set(2, 1, 5e-324)
    assert(net:save(path))
    assert_same_weights(net, assert(model.load(path)))
  end)

  it("may describe layers and activations of the caller's own", function()
    local double = {
      name = "double",
      forward = function(A, Z) return A:assign(2 * Z) end,
      backward = function(H, Delta) return H:assign(2 * Delta) end,
    }
    local own = { layers = { scale = Scale }, activations = { double = double } }
    local net = pl.network({ inputs = 4, { kind = "scale" }, pl.dense(2, double) }, own)
    net.layers[1].s:set(1, 3, -7)
    assert.is_true(net:save(path))
    local again = assert(pl.load(path, own))
    assert_same_weights(net, again)
    local X = column(pl.float32)
    assert.equal(net:predict(X):encode "float32", again:predict(X):encode "float32")
    assert.same({ nil, path .. ": layer 1: unknown kind of layer 'scale'" },
      { pl.load(path, { activations = own.activations }) })
    local other, reason = pl.load(path, { layers = own.layers })
    assert.is_nil(other)
    assert.matches("layer 2: unknown activation 'double'", reason, 1, true)
  end)

  it("needs the caller's layers to have the parameters of the file", function()
    local own = { layers = { scale = Scale } }
    assert(pl.network({ inputs = 4, { kind = "scale" } }, own):save(path))
    local Other = setmetatable({ new = function(_, context)
      return setmetatable({ outputs = context.inputs,
        shapes = { { name = "s", rows = 10 ^ 9 | 0, cols = 2 } } }, Scale)
    end }, { __index = Scale })
    local net, reason = model.load(path, { layers = { scale = Other } })
    assert.is_nil(net)
    assert.equal(path .. ": layer 1: tensor 'layers.1.s' is F32 of 1 x 4, " ..
      "F32 of 1000000000 x 2 expected", reason)
  end)

  it("is refused where it is damaged in any single bit, or cut off anywhere", function()
    assert(build("float32"):save(path))
    local bytes = assert(file.read(path))
    -- Without the disk between: what is tried is every byte of the file, thousands of times.
    local damaged
    stub(file, "read", function() return damaged end)
    finally(function() file.read:revert() end)
    local function is_refused(what)
      local ok, net, reason = pcall(model.load, "model")
      assert.is_true(ok, what)
      assert.is_nil(net, what)
      assert.equal("model: ", reason:sub(1, 7))
    end
    for length = 0, #bytes - 1 do
      damaged = bytes:sub(1, length)
      is_refused(("cut to %d bytes"):format(length))
    end
    for position = 1, #bytes do
      for bit = 0, 7 do
        local byte = string.char(bytes:byte(position) ~ 1 << bit)
        damaged = bytes:sub(1, position - 1) .. byte .. bytes:sub(position + 1)
        is_refused(("bit %d of byte %d flipped"):format(bit, position))
      end
    end
    damaged = bytes
    assert.is_truthy(model.load "model")
  end)

  it("is refused with a reason when it is none", function()
    assert.same({ nil, "/nowhere/at/all: No such file or directory" },
      { model.load "/nowhere/at/all" })
    assert(file.write(path, "return os.exit()"))
    local _, reason = model.load(path)
    assert.equal(path ..
      ": no safetensors file, or one with a header longer than 1 MiB", reason)
    assert(file.write(path, safetensors.encode({}, { format = "pt" })))
    assert.same({ nil, path .. ": not a model file of Perilune's" }, { model.load(path) })
  end)

  it("is refused in another version", function()
    refuses("version '1' of the format expected, got '2'",
      function(_, _, metadata) metadata.version = "2" end)
  end)

  it("needs its checksums", function()
    assert(file.write(path, string.pack("<s8",
      '{"__metadata__":{"format":"perilune","version":"1","network":"{}"}}')))
    assert.same({ nil, path .. ": damaged (a checksum is missing)" },
      { model.load(path) })
  end)

  it("can be made anew from its tensors and description", function()
    write_changed(function() end)
    local net = assert(model.load(path))
    assert.same(build("float32"):describe(), net:describe())
  end)

  describe("is refused, and nothing allocated, when its description", function()
    for title, case in pairs {
      ["is missing"] = { "no description of the network",
        function(_, _, metadata) metadata.network = '""' end },
      ["is no JSON"] = { "description of the network: no valid JSON value at line 1",
        function(_, _, metadata) metadata.network = "return {}" end },
      ["nests deeply"] = { "description of the network: nested too deeply",
        function(_, _, metadata) metadata.network = ("["):rep(100000) end },
      ["is followed by more"] = { "description of the network: more text after the end",
        function(_, _, metadata) metadata.network = "{}{}" end },
      ["is null"] = { "no description of the network",
        function(_, _, metadata) metadata.network = "null" end },
      ["says something unknown"] = { "unknown field 'code'",
        function(_, description) description.code = "os.exit()" end },
      ["has no inputs"] = { "1 to 2147483647 inputs expected, got nil",
        function(_, description) description.inputs = nil end },
      ["has a fraction of inputs"] = { "1 to 2147483647 inputs expected, got 4.0",
        function(_, description) description.inputs = 4.0 end },
      ["has too many inputs"] = { "1 to 2147483647 inputs expected, got 2147483648",
        function(_, description) description.inputs = 2 ^ 31 | 0 end },
      ["has no type"] = { "dtype float32 or float64 expected, got 'nil'",
        function(_, description) description.dtype = nil end },
      ["has another type"] = {
        "layer 1: tensor 'layers.1.weight' is F32 of 5 x 4, F64 of 5 x 4 expected",
        function(_, description) description.dtype = "float64" end },
      ["has no layers"] = { "no list of layers",
        function(_, description) description.layers = nil end },
      ["has an empty list of layers"] = { "at least one layer expected",
        function(_, description) description.layers = {} end },
      ["has null among its layers"] = { "layer 1: unknown kind of layer 'false'",
        function(_, _, metadata)
          metadata.network = '{"inputs":4,"dtype":"float32","layers":[null]}'
        end },
      ["has a layer that is none"] = { "layer 2: unknown kind of layer 'false'",
        function(_, description) description.layers[2] = 5 end },
      ["has a layer without kind"] = { "layer 2: unknown kind of layer 'nil'",
        function(_, description) description.layers[2].kind = nil end },
      ["has a kind that is a table"] = { "layer 2: unknown kind of layer",
        function(_, description) description.layers[2].kind = {} end },
      ["has an unknown kind of layer"] = { "layer 2: unknown kind of layer 'os.exit'",
        function(_, description) description.layers[2].kind = "os.exit" end },
      ["has an unknown option of a layer"] = { "layer 2: unknown option 'code'",
        function(_, description) description.layers[2].code = "os.exit()" end },
      ["has an unknown activation"] = { "layer 1: unknown activation 'execute'",
        function(_, description) description.layers[1].activation = "execute" end },
      ["has an activation of its own"] = { "layer 1: an activation needs the functions",
        function(_, description)
          description.layers[1].activation = { forward = "x" }
        end },
      ["has an unknown initializer"] = { "layer 1: unknown initializer 'execute'",
        function(_, description) description.layers[1].initializer = "execute" end },
      ["has a probability out of range"] = {
        "layer 2: probability in [0, 1) expected, got 2",
        function(_, description) description.layers[2].probability = 2 end },
      ["has more outputs than weights"] = {
        "layer 3: tensor 'layers.3.weight' is F32 of 3 x 5, " ..
        "F32 of 2000000000 x 5 expected",
        function(_, description) description.layers[3].outputs = 2000000000 end },
      ["has more inputs than weights"] = {
        "layer 1: tensor 'layers.1.weight' is F32 of 5 x 4, " ..
        "F32 of 5 x 2000000000 expected",
        function(_, description) description.inputs = 2000000000 end },
      ["has classes that are no list"] = { "names of the classes expected",
        function(_, description) description.classes = "abc" end },
      ["has classes that are no names"] = { "names of the classes expected",
        function(_, description) description.classes = { 1, 2, 3 } end },
      ["has classes that are not UTF-8"] = { "names of the classes expected",
        function(_, _, metadata)
          metadata.network =
            [[{"inputs":4,"dtype":"float32","classes":["\ud83d"],"layers":[]}]]
        end },
      ["has too few classes"] = {
        "names for 3 classes expected, one for each output, got 1",
        function(_, description) description.classes = { "a" } end },
    } do
      it(title, function()
        write_changed(case[2])
        collectgarbage()
        collectgarbage()
        local before = collectgarbage "count"
        local net, reason = model.load(path)
        assert.is_true((collectgarbage "count" - before) * 1024 < 2 ^ 25)
        assert.is_nil(net)
        assert.equal(path .. ": " .. case[1], reason:sub(1, #path + 2 + #case[1]))
      end)
    end
  end)

  it("is refused when a tensor is missing, surplus or of another shape", function()
    refuses("layer 3: tensor 'layers.3.bias' is missing",
      function(tensors) tensors[4] = nil end)
    refuses("4 tensors expected, got 5", function(tensors)
      tensors[5] = { name = "more", dtype = "F32", shape = { 1 }, bytes = "1234" }
    end)
    refuses("layer 1: tensor 'layers.1.weight' is F32 of 4 x 5, F32 of 5 x 4 expected",
      function(tensors) tensors[1].shape = { 4, 5 } end)
    refuses("layer 1: tensor 'layers.1.bias' is F32 of 5 x 1, F32 of 5 expected",
      function(tensors) tensors[2].shape = { 5, 1 } end)
    refuses("layer 1: tensor 'layers.1.bias' is F64 of 5, F32 of 5 expected",
      function(tensors)
        tensors[2].dtype, tensors[2].bytes = "F64", ("\0"):rep(40)
      end)
  end)

  it("may have its tensors in any order", function()
    write_changed(function(tensors) tensors[1], tensors[4] = tensors[4], tensors[1] end)
    assert.is_truthy(model.load(path))
  end)

  it("takes memory in proportion to its size, and no more, to load", function()
    assert(pl.network { inputs = 1000, pl.dense(1000) }:save(path))
    local size = #assert(file.read(path))
    collectgarbage()
    collectgarbage()
    collectgarbage "stop"
    local before = collectgarbage "count"
    local net = assert(model.load(path))
    local after = collectgarbage "count"
    collectgarbage "restart"
    assert.equal(1001000, net:parameter_count())
    -- The file, its copy from the buffer, the pieces for the checksum, weights, gradients, and
    -- each tensor on its way; with the collector running, only three or four live at a time.
    assert.is_true((after - before) * 1024 < 6.1 * size)
  end)

  it("is not written for a network that is no plain data", function()
    local Odd = setmetatable({}, { __index = Scale })
    Odd.__index = Odd
    function Odd.new(_, context)
      return setmetatable({ outputs = context.inputs }, Odd)
    end
    function Odd.describe() return { kind = "odd", f = print } end
    local net = pl.network({ inputs = 4, { kind = "odd" } }, { layers = { odd = Odd } })
    assert(file.write(path, "old"))
    assert.has_error(function() model.save(net, path) end)
    assert.equal("old", file.read(path))
  end)

  it("is understood by numpy #python", function()
    local python = find_python()
    if not python then
      pending "no python3 with numpy"
      return
    end
    for dtype, tolerance in pairs { float32 = 1e-6, float64 = 1e-14 } do
      local net = build(dtype)
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
      local A, i = net:predict(column(pl[dtype])), 0
      for number in lines[5]:sub(2):gmatch "%S+" do
        i = i + 1
        assert.near(tonumber(number), A:get(i, 1), tolerance)
      end
      assert.equal(3, i)
    end
  end)
end)
