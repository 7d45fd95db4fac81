-- Model files that are damaged or hostile: a message and no network, and nothing allocated that the
-- file does not account for.

local allocated_by = require("spec.support.memory").allocated
local file = require "perilune.store.file"
local layers = require "spec.support.layers"
local pl = require "perilune"
local plain = require "perilune.store.plain"
local stored = require "spec.support.stored"

local LITTLE = 2 ^ 25 -- bytes

describe("A model file", function()
  local path

  before_each(function() path = os.tmpname() end)
  after_each(function() os.remove(path) end)

  local function build()
    return pl.network({
      inputs = 4, pl.dense(5, "relu"), pl.dropout(0.1), pl.dense(3, "tanh"),
    }, { classes = { "a", "b", "c" } })
  end

  -- Write what a file of ours might say, changed by `change(tensors, description, metadata)`.
  local function write_changed(change)
    assert(build():save(path))
    local content = assert(stored.decode(assert(file.read(path))))
    local description = plain.decode(content.metadata.network)
    local tensors = {
      { name = "layers.1.weight", shape = { 5, 4 }, bytes = ("\0"):rep(80) },
      { name = "layers.1.bias", shape = { 5 }, bytes = ("\0"):rep(20) },
      { name = "layers.3.weight", shape = { 3, 5 }, bytes = ("\0"):rep(60) },
      { name = "layers.3.bias", shape = { 3 }, bytes = ("\0"):rep(12) },
    }
    for _, tensor in ipairs(tensors) do tensor.dtype = "F32" end
    local metadata = { format = "perilune", version = content.metadata.version }
    change(tensors, description, metadata)
    metadata.network = metadata.network or plain.encode(description)
    assert(file.write(path, stored.encode(tensors, metadata)))
  end

  local function refuses(expected, change)
    write_changed(change)
    local net, reason = pl.load(path)
    assert.is_nil(net)
    assert.equal(path .. ": " .. expected, reason)
  end

  it("is refused where it is damaged in any single bit, or cut off anywhere", function()
    assert(build():save(path))
    local bytes = assert(file.read(path))
    -- Without the disk between: what is tried is every byte of the file, thousands of times.
    local damaged
    stub(file, "open", function() return file.of(damaged) end)
    finally(function() file.open:revert() end)
    local function is_refused(what)
      local ok, net, reason = pcall(pl.load, "model")
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
    assert.is_truthy(pl.load "model")
  end)

  it("is refused with a reason when it is none", function()
    assert.same({ nil, "/nowhere/at/all: No such file or directory" },
      { pl.load "/nowhere/at/all" })
    assert(file.write(path, "return os.exit()"))
    local _, reason = pl.load(path)
    assert.equal(path ..
      ": no safetensors file, or one with a header longer than 1 MiB", reason)
    assert(file.write(path, stored.encode({}, { format = "pt" })))
    assert.same({ nil, path .. ": not a model file of Perilune's, its format is \"pt\"" },
      { pl.load(path) })
  end)

  it("is refused in another version", function()
    refuses("version '2' of the format expected, got '3'",
      function(_, _, metadata) metadata.version = "3" end)
  end)

  it("needs its checksums", function()
    assert(file.write(path, string.pack("<s8",
      '{"__metadata__":{"format":"perilune","version":"2","network":"{}"}}')))
    assert.same({ nil, path .. ": damaged (a checksum is missing)" },
      { pl.load(path) })
  end)

  it("can be made anew from its tensors and description", function()
    write_changed(function() end)
    local net = assert(pl.load(path))
    assert.same(build():describe(), net:describe())
  end)

  local function as_text(text)
    return function(_, _, metadata) metadata.network = text end
  end

  -- A description of these layers, as JSON
  local function of_layers(text)
    return as_text(('{"inputs":4,"dtype":"float32","layers":[%s]}'):format(text))
  end

  local function with(name, value)
    return function(_, description) description[name] = value end
  end

  local function with_layer(l, name, value)
    return function(_, description) description.layers[l][name] = value end
  end

  -- What the description is, the reason's beginning, and the change
  local cases = {
    ["is missing"] = { "no description of the network", as_text '""' },
    ["is no JSON"] = { "description of the network: no valid JSON value at line 1",
      as_text "return {}" },
    ["nests deeply and does not end"] = {
      "description of the network: nested too deeply", as_text(("["):rep(100000)) },
    ["nests deeply"] = {
      "description of the network: nested too deeply",
      as_text(("["):rep(100000) .. ("]"):rep(100000)) },
    ["nests in lists"] = { "at most 100 tables within each other expected",
      as_text(("["):rep(1000) .. ("]"):rep(1000)) },
    ["nests in layers"] = { "at most 100 tables within each other expected",
      of_layers(('{"kind":"residual","body":'):rep(98) .. '{"kind":"dropout",'
        .. '"probability":0}' .. ("}"):rep(98)) },
    ["nests in lists of layers"] = { "at most 100 tables within each other expected",
      of_layers(("["):rep(99) .. ("]"):rep(99)) },
    ["is followed by more"] = { "description of the network: more text after the end",
      as_text "{}{}" },
    ["is null"] = { "no description of the network", as_text "null" },
    ["is a kind"] = { "unknown option '1' of description", as_text '{"kind":"dense"}' },
    ["says something unknown"] = { "unknown option 'code' of description (known: ",
      with("code", "os.exit()") },
    ["has no inputs"] = { "description: option 'inputs' is required",
      with("inputs", nil) },
    ["has a fraction of inputs"] = {
      "description: inputs: a whole number from 1 to 2147483647 expected, got 4.5",
      with("inputs", 4.5) },
    ["has too many inputs"] = {
      "description: inputs: a whole number from 1 to 2147483647 expected, got 2147483648",
      with("inputs", 2 ^ 31 | 0) },
    ["has no type"] = { "description: option 'dtype' is required", with("dtype", nil) },
    ["has an unknown type"] = {
      "description: dtype: \"float32\" or \"float64\" expected, got \"float16\"",
      with("dtype", "float16") },
    ["has another type"] = {
      "tensor 'layers.1.weight' is F32 of 5 x 4, F64 of 5 x 4 expected",
      with("dtype", "float64") },
    ["has no layers"] = { "description: option 'layers' is required",
      with("layers", nil) },
    ["has layers that are no list"] = {
      "description: layers: a table expected, got \"dense\"", with("layers", "dense") },
    ["has an empty list of layers"] = { "at least one layer expected",
      with("layers", {}) },
    ["has null among its layers"] = { "layer 1: a layer expected, ", of_layers "null" },
    ["has a layer that is a number"] = { "layer 2: a layer expected, ",
      function(_, description) description.layers[2] = 5 end },
    ["has a layer without kind"] = { "layer 2: a layer expected, ",
      with_layer(2, "kind", nil) },
    ["has a kind that is a table"] = { "layer 2: ", with_layer(2, "kind", {}) },
    ["has an unknown kind of layer"] = {
      "layer 2: unknown kind of layer 'os.exit' (known: ",
      with_layer(2, "kind", "os.exit") },
    ["has a kind of a name within Lua"] = {
      "layer 2: unknown kind of layer '__index' (known: ",
      with_layer(2, "kind", "__index") },
    ["has an unknown option of a layer"] = { "layer 2: unknown option 'code' of dropout",
      with_layer(2, "code", "os.exit()") },
    ["has a layer without what it needs"] = {
      "layer 2: dropout: option 'probability' is required",
      with_layer(2, "probability", nil) },
    ["has an unknown activation"] = {
      "layer 1: dense: activation: unknown activation 'execute' (known: ",
      with_layer(1, "activation", "execute") },
    ["has an activation of its own"] = {
      "layer 1: dense: activation: a name, ",
      with_layer(1, "activation", { forward = "x", backward = "y" }) },
    ["has an unknown initializer"] = {
      "layer 1: dense: initializer: unknown initializer 'execute' (known: ",
      with_layer(1, "initializer", "execute") },
    ["has a probability out of range"] = {
      "layer 2: dropout: probability: a number of 0 or more and below 1 expected, got 2",
      with_layer(2, "probability", 2) },
    ["has layers frozen by a word"] = {
      "layer 1: dense: frozen: true or false expected, got \"yes\"",
      with_layer(1, "frozen", "yes") },
    ["shares what is not alike"] = { "layers 1 and 3 share 'W', but not its ",
      function(_, description)
        description.layers[1].shared, description.layers[3].shared = "a", "a"
      end },
    ["has no outputs"] = {
      "layer 3: dense: outputs: a whole number of 1 or more expected, got 0",
      with_layer(3, "outputs", 0) },
    ["has more outputs than weights"] = {
      "tensor 'layers.3.weight' is F32 of 3 x 5, F32 of 300000000 x 5 expected",
      function(_, description)
        description.layers[3].outputs, description.classes = 300000000, nil
      end },
    ["has more outputs than a matrix can have"] = {
      "layer 3: declare: 'W' of at most 2147483647 elements expected, got 2000000000 x 5",
      function(_, description)
        description.layers[3].outputs, description.classes = 2000000000, nil
      end },
    ["has outputs whose sum is beyond whole numbers"] = { "layer 1: ",
      of_layers('{"kind":"branch","parts":[' .. ('{"kind":"dense","outputs":%d},'):format(
        2 ^ 62):rep(2):sub(1, -2) .. "]}") },
    ["has more inputs than weights"] = {
      "tensor 'layers.1.weight' is F32 of 5 x 4, F32 of 5 x 400000000 expected",
      with("inputs", 400000000) },
    ["normalises more than there is"] = { "tensor 'layers.1.scale' is missing",
      as_text [[{"inputs":1000000000,"dtype":"float32",
        "layers":[{"kind":"layer_norm"}]}]] },
    ["has classes that are no list"] = {
      "description: classes: a table expected, got \"abc\"", with("classes", "abc") },
    ["has classes that are no names"] = {
      "description: classes: a list of different names in UTF-8 expected, got 1",
      with("classes", { 1, 2, 3 }) },
    ["has classes that are not UTF-8"] = {
      "description: classes: a list of different names in UTF-8 expected, got ",
      as_text [[{"inputs":4,"dtype":"float32","classes":["\ud83d","b"],
        "layers":[{"kind":"dense","outputs":2}]}]] },
    ["has too few classes"] = { "classes: 3 names expected for 3 outputs, got 1",
      with("classes", { "a" }) },
    ["gives what no network gives"] = {
      "description: gives: \"logits\" or \"probabilities\" or \"log_probabilities\" or "
        .. "\"values\" expected, got \"money\"", with("gives", "money") },
    ["has targets that no network has"] = {
      "description: targets: \"values\" or \"one\" or \"several\" expected, got 2",
      with("targets", 2) },
  }

  for title, case in pairs(cases) do
    it("is refused, and little allocated, when its description " .. title, function()
      write_changed(case[2])
      local bytes, net, reason = allocated_by(function() return pl.load(path) end)
      assert.is_nil(net)
      assert.equal(path .. ": " .. case[1], reason:sub(1, #path + 2 + #case[1]))
      assert.is_true(bytes < LITTLE)
    end)
  end

  it("may ask for inputs of any number where it has no weights for them", function()
    write_changed(function(tensors, _, metadata)
      for k = #tensors, 1, -1 do tensors[k] = nil end
      metadata.network = '{"inputs":2147483647,"dtype":"float32","layers":'
        .. '[{"kind":"dropout","probability":0.5}]}'
    end)
    local bytes, net = allocated_by(function() return pl.load(path) end)
    assert.equal(2147483647, net.inputs)
    assert.is_true(bytes < LITTLE)
  end)

  it("is refused when a tensor is missing, surplus or of another shape", function()
    refuses("tensor 'layers.3.bias' is missing",
      function(tensors) tensors[4] = nil end)
    refuses("4 tensors expected, got 5", function(tensors)
      tensors[5] = { name = "more", dtype = "F32", shape = { 1 }, bytes = "1234" }
    end)
    refuses("tensor 'layers.1.weight' is F32 of 4 x 5, F32 of 5 x 4 expected",
      function(tensors) tensors[1].shape = { 4, 5 } end)
    refuses("tensor 'layers.1.bias' is F32 of 5 x 1, F32 of 5 expected",
      function(tensors) tensors[2].shape = { 5, 1 } end)
    refuses("tensor 'layers.1.bias' is F64 of 5, F32 of 5 expected",
      function(tensors)
        tensors[2].dtype, tensors[2].bytes = "F64", ("\0"):rep(40)
      end)
  end)

  it("may have its tensors in any order", function()
    write_changed(function(tensors) tensors[1], tensors[4] = tensors[4], tensors[1] end)
    assert.is_truthy(pl.load(path))
  end)

  it("may not be one of another kind of layer by the same name", function()
    local own = { layers = { scale = layers.scale } }
    assert(pl.network({ inputs = 4, { "scale" } }, own):save(path))
    local net, reason = pl.load(path, { layers = { scale = 5 } })
    assert.is_nil(net)
    assert.matches("layer 1: layers: 'scale': a class with a function", reason, 1, true)
  end)
end)
