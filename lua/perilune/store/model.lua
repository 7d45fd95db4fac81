-- A network as a safetensors file: its weights as tensors, named and laid out as Python's
-- libraries have them for linear layers, and its architecture as JSON in the metadata.
-- The architecture is data: kinds of layers, activations and initialisers are names,
-- looked up among those known here or given by the caller. Nothing in a file is run.
-- Before memory is allocated for a layer's numbers the file has to contain them: a description
-- cannot ask for more than the file's own size accounts for.

local cores = require "perilune.cores"
local errors = require "perilune.errors"
local fields = require "perilune.fields"
local file = require "perilune.store.file"
local gives = require "perilune.gives"
local plain = require "perilune.store.plain"
local safetensors = require "perilune.store.safetensors"

local raise, check = errors.raise, errors.check

local model = {}

local FORMAT, VERSION = "perilune", "2"
local DEEPEST = 100 -- as deep as the layers of a network may be within each other

local targets = { "values", "one", "several" }

-- What a file says of a network
local described = {
  inputs = { "integer", least = 1, most = cores.MOST_ELEMENTS },
  dtype = { "choice", choices = { "float32", "float64" } },
  layers = { "table" },
  classes = { "table", optional = true },
  gives = gives,
  targets = { "choice", choices = targets, optional = true },
}

local dtypes = { float32 = "F32", float64 = "F64" }
local names = { W = "weight", b = "bias" }

-- The tensor that holds "1.W": "layers.1.weight", rows x cols; what is one column but no W is a
-- vector.
local function tensor_of(name, rows, cols)
  local layer, own = name:match("^(.*)%.([^.]*)$")
  local full = ("layers.%s.%s"):format(layer, names[own] or own)
  if own ~= "W" and cols == 1 then return full, { rows } end
  return full, { rows, cols }
end

local function same(a, b)
  return #a == #b and a[1] == b[1] and a[2] == b[2]
end

local function check_depth(depth)
  check(depth <= DEEPEST, "at most %d tables within each other expected", DEEPEST)
end

-- Descriptions { "dense", outputs = 10 } as JSON's objects { kind = "dense", outputs = 10 }, and
-- back. Other tables that are neither lists nor have names alone are not for JSON.
local function to_json(value, depth)
  if type(value) ~= "table" then return value end
  check_depth(depth)
  check(value.kind == nil, "an option is named 'kind', which the file needs itself")
  local copy, has_names = {}, false
  for key, member in pairs(value) do
    copy[key] = to_json(member, depth + 1)
    has_names = has_names or type(key) == "string"
  end
  if has_names and type(copy[1]) == "string" then copy.kind, copy[1] = copy[1], nil end
  return copy
end

local function from_json(value, depth)
  if type(value) ~= "table" then return value end
  check_depth(depth)
  local copy = {}
  for key, member in pairs(value) do
    copy[key == "kind" and 1 or key] = from_json(member, depth + 1)
  end
  return copy
end

-- The file, chunk by chunk
local function encoded(net)
  local description = net:describe()
  fields.check(described, description, "description")
  local tensors = {}
  for k, tensor in ipairs(net:tensors()) do
    local value = tensor.value
    local name, shape = tensor_of(tensor.name, value.rows, value.cols)
    tensors[k] = { name = name, shape = shape, matrix = value }
  end
  return safetensors.chunks(tensors, {
    format = FORMAT, version = VERSION, network = plain.encode(to_json(description, 1)),
  })
end

---Write the network to the file `path`; see store/file.lua for what that promises. Raises for what
---could not be loaded again: a part without a name, a description that is no plain data or, with
---the tensors' names, longer than 1 MiB.
---@param net Network
---@param path string
---@return true?
---@return string?  nil and "path: reason"
function model.save(net, path)
  local ok, chunks = errors.catch(encoded, net)
  if ok then return file.write(path, chunks) end
  if type(chunks) ~= "string" or chunks == "not enough memory" then error(chunks, 0) end
  raise("the network cannot be saved: %s", chunks)
end

-- What the metadata say the network is
local function read_description(content)
  local metadata = content.metadata
  check(metadata.format == FORMAT, "not a model file of Perilune's, its format is %s",
    errors.show(metadata.format))
  check(metadata.version == VERSION, "version '%s' of the format expected, got '%s'", VERSION,
    metadata.version)
  -- Without them damage would go unnoticed, such as one in the name of a checksum.
  check(content.checked, "damaged (a checksum is missing)")
  local description, reason = plain.decode(metadata.network or "false")
  check(not reason, "description of the network: %s", reason)
  check(type(description) == "table", "no description of the network")
  return from_json(description, 1)
end

-- Finds the values of the tensors that the network needs in the file; raises where it does not hold
-- them.
local function finder(content, dtype)
  local found = { count = 0 }
  function found.find(tensor, rows, cols)
    local name, shape = tensor_of(tensor, rows, cols)
    local place = content.tensors[name]
    check(place, "tensor '%s' is missing", name)
    check(place.dtype == dtypes[dtype] and same(place.shape, shape),
      "tensor '%s' is %s of %s, %s of %s expected", name, place.dtype,
      table.concat(place.shape, " x "), dtypes[dtype], table.concat(shape, " x "))
    found.count = found.count + 1
    return function(value) content:fill(value, place) end
  end
  return found
end

-- Raises for whatever is wrong with the file.
local function build(source, make)
  local content = check(safetensors.read(source))
  local description = fields.check(described, read_description(content), "description")
  check(#description.layers >= 1, "at least one layer expected")
  local found = finder(content, description.dtype)
  local net = make(description, found.find)
  check(found.count == #content.names, "%d tensors expected, got %d", found.count,
    #content.names)
  return net
end

---The network that `model.save` wrote to `path`. Any file gives a network or a message,
---and none is run; weights that are NaN or infinite load as they are.
---@param path string
---@param make fun(description: table, find: function): Network   see Network.from_description
---@return Network?
---@return string?  nil and "path: reason"
function model.load(path, make)
  local source <close>, reason = file.open(path)
  if not source then return nil, reason end
  local ok, result = errors.catch(build, source, make)
  if ok then return result end
  -- Lack of memory, and what is no message, is not the file's fault.
  if type(result) ~= "string" or result == "not enough memory" then error(result, 0) end
  return nil, path .. ": " .. result
end

return model
