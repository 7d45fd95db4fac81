-- A network as a safetensors file: its weights as tensors, named and laid out as Python's
-- libraries have them for linear layers, and its architecture as JSON in the metadata.
-- The architecture is data: kinds of layers, activations and initialisers are names,
-- looked up among those known here or given by the caller. Nothing in a file is run.
-- Before anything is allocated for a layer, the file has to contain its parameters: a
-- description cannot ask for more memory than the file's own size accounts for.

local Network = require "perilune.network"
local cores = require "perilune.cores"
local file = require "perilune.store.file"
local kinds = require "perilune.layer"
local options = require "perilune.options"
local plain = require "perilune.store.plain"
local safetensors = require "perilune.store.safetensors"

local model = {}

local FORMAT, VERSION = "perilune", "1"
local MOST_INPUTS = 2 ^ 31 - 1 | 0

local dtypes = { float32 = "F32", float64 = "F64" }
local names = { W = "weight", b = "bias" }
local fields = { inputs = true, dtype = true, layers = true, classes = true }

-- The tensor that holds the parameter "1.W": "layers.1.weight", rows x cols; biases are
-- vectors.
local function tensor_of(parameter, rows, cols)
  local layer, own = parameter:match("^(.*)%.([^.]*)$")
  local name = ("layers.%s.%s"):format(layer, names[own] or own)
  if own == "b" and cols == 1 then return name, { rows } end
  return name, { rows, cols }
end

local function same(a, b)
  return #a == #b and a[1] == b[1] and a[2] == b[2]
end

---Write the network to the file `path`; see store/file.lua for what that promises. Raises
---if a layer cannot be described as plain data, or the description is longer than 1 MiB.
---@param net Network
---@param path string
---@return true?
---@return string?  nil and "path: reason"
function model.save(net, path)
  local description = net:describe()
  local tensors = {}
  for k, parameter in ipairs(net:parameters()) do
    local value = parameter.value
    local name, shape = tensor_of(parameter.name, value.rows, value.cols)
    tensors[k] = {
      name = name,
      dtype = dtypes[description.dtype],
      shape = shape,
      bytes = value:encode(description.dtype, "little", "rows"),
    }
  end
  local ok, network = pcall(plain.encode, description)
  if not ok then error("the network's description: " .. tostring(network), 2) end
  return file.write(path, safetensors.chunks(tensors, {
    format = FORMAT,
    version = VERSION,
    network = network,
  }))
end

local function expect(condition, reason, ...)
  if not condition then error(reason:format(...), 0) end
end

-- What the metadata say the network is. Raises for whatever is wrong with them.
local function read_description(content)
  local metadata = content.metadata
  expect(metadata.format == FORMAT, "not a model file of Perilune's")
  expect(metadata.version == VERSION, "version '%s' of the format expected, got '%s'",
    VERSION, metadata.version)
  -- Without them damage would go unnoticed, such as one in the name of a checksum.
  expect(content.checked, "damaged (a checksum is missing)")
  local description, reason = plain.decode(metadata.network or "false")
  expect(not reason, "description of the network: %s", reason)
  expect(type(description) == "table", "no description of the network")
  return description
end

local function check_layers(layers, classes)
  expect(type(layers) == "table", "no list of layers")
  expect(#layers >= 1, "at least one layer expected")
  for l, layer in ipairs(layers) do
    local kind = type(layer) == "table" and layer.kind
    expect(classes[kind], "layer %d: unknown kind of layer '%s'", l, kind)
  end
end

local function check_description(description, classes)
  for field in pairs(description) do
    expect(fields[field], "unknown field '%s'", field)
  end
  local inputs = description.inputs
  expect(math.type(inputs) == "integer" and inputs >= 1 and inputs <= MOST_INPUTS,
    "1 to %d inputs expected, got %s", MOST_INPUTS, inputs)
  expect(dtypes[description.dtype], "dtype float32 or float64 expected, got '%s'",
    description.dtype)
  local names_of_classes = description.classes or {}
  expect(type(names_of_classes) == "table", "names of the classes expected")
  for _, class in pairs(names_of_classes) do
    expect(type(class) == "string" and utf8.len(class), "names of the classes expected")
  end
  check_layers(description.layers, classes)
end

-- Raises unless the file holds the parameter with this shape and type.
local function check_parameter(content, dtype, parameter, rows, cols)
  local name, shape = tensor_of(parameter, rows, cols)
  local place = content.tensors[name]
  expect(place, "tensor '%s' is missing", name)
  expect(place.dtype == dtypes[dtype] and same(place.shape, shape),
    "tensor '%s' is %s of %s, %s of %s expected", name, place.dtype,
    table.concat(place.shape, " x "), dtypes[dtype], table.concat(shape, " x "))
  return place
end

-- The classes of layers, each made to check a new layer's parameters against the file:
-- the network allocates parameters only after it has made all layers.
local function guard(classes, content, dtype)
  local guarded, l = {}, 0
  for kind, class in pairs(classes) do
    guarded[kind] = {
      new = function(description, context)
        l = l + 1
        local layer = class.new(description, context)
        for _, shape in ipairs(layer.shapes or {}) do
          check_parameter(content, dtype, l .. "." .. shape.name, shape.rows, shape.cols)
        end
        return layer
      end,
    }
  end
  return guarded
end

-- Raises for whatever is wrong with the description or the tensors.
local function build(content, bytes, classes, activations)
  local description = read_description(content)
  check_description(description, classes)
  local dtype = description.dtype
  local net = Network.from_description(description, {
    layers = guard(classes, content, dtype),
    activations = activations,
  })
  local parameters = net:parameters()
  expect(#parameters == #content.names, "%d tensors expected, got %d", #parameters,
    #content.names)
  for _, parameter in ipairs(parameters) do
    local value = parameter.value
    local place = check_parameter(content, dtype, parameter.name, value.rows, value.cols)
    value:assign(cores[dtype].decode(bytes, dtype, value.rows, value.cols, "little",
      place.first - 1, "rows"))
  end
  return net
end

-- Where in a program an error was noticed says nothing about the file.
local function without_position(message)
  message = message:gsub("^[^:]*:%d+: ", "")
  return (message:gsub("^(layer %d+: )[^:]*:%d+: ", "%1"))
end

local function load(path, classes, activations)
  local bytes, reason = file.read(path)
  if not bytes then return nil, reason end
  local content
  content, reason = safetensors.decode(bytes, path)
  if not content then return nil, reason end
  local ok, result = pcall(build, content, bytes, classes, activations)
  if ok then return result end
  -- Lack of memory, and what is no message, is not the file's fault.
  if type(result) ~= "string" or result == "not enough memory" then error(result, 0) end
  return nil, path .. ": " .. without_position(result)
end

---The network that `model.save` wrote to `path`. Any file gives a network or a message,
---and none is run; weights that are NaN or infinite load as they are.
---@param path string
---@param given? { layers: table, activations: table }  your own kinds of layers and
---activations by name, where the network has some
---@return Network?
---@return string?  nil and "path: reason"
function model.load(path, given)
  given = options(given, { layers = {}, activations = {} })
  local classes = {}
  for kind, class in pairs(kinds) do classes[kind] = class end
  for kind, class in pairs(given.layers) do classes[kind] = class end
  return load(path, classes, given.activations)
end

return model
