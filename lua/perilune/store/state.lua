-- What a training run remembers, for a safetensors file: a Lua table of plain data and matrices
-- becomes tensors and a JSON text for the metadata, and comes back equal to the last bit. Numbers
-- keep their type (1 is not 1.0), keys theirs (1 is not "1"), and matrices their order of storage.
--
-- The text shows the whole structure. Lists are JSON arrays; tables whose keys are strings are
-- objects. What JSON has no word for is an object with the key "":
--
--   {"":"tensor","name":"network.1.W","order":"rows"}       a matrix
--   {"":"tensor","name":"losses"}                           a list of numbers, or a string
--   {"":"float","bits":"7ff0000000000000"}                  infinity or NaN
--   {"":"table","keys":[1,"rate"],"values":["adam",0.001]}  any other table
--
-- The tensor's type and rank say what it holds: F32 or F64 with two extents a matrix, F64 or I64
-- with one a long list, U8 a string that is long or not UTF-8. Its name is the path to it, for
-- people and other programs; where it belongs, only the text says.
--
-- A header has room for 1 MiB. A long text, such as that of a long training history, is therefore a
-- tensor itself, and {"":"text","name":"description"} takes its place in the header.
--
-- Nothing in a file is run. Each tensor is used once, so that no text can ask for more memory than
-- the file's own size accounts for.

local cores = require "perilune.cores"
local errors = require "perilune.errors"
local plain = require "perilune.store.plain"
local safetensors = require "perilune.store.safetensors"

local raise = errors.raise

local state = {}

local LONG = 1024            -- numbers of a list, bytes of a string
local LONG_TEXT = 2 ^ 16 | 0 -- bytes
local MOST_DEPTH = 100       -- tables within tables; far below what overflows Lua's stack
local CHUNK = 100            -- numbers to pack in one call

local dtypes = { integer = "I64", float = "F64" } -- of long lists
local core_names = { F32 = "float32", F64 = "float64" }
local formats = { I64 = "i8", F64 = "d" } -- of string.pack


-- Encoding. `writer` holds the tensors so far, the names that are taken, the keys that lead to the
-- value at hand, and the tables that it is within.

local function path_to(writer)
  local keys = {}
  for k, key in ipairs(writer.keys) do keys[k] = tostring(key) end
  return table.concat(keys, ".")
end

local function refuse(writer, what)
  local path = path_to(writer)
  raise("%s%s cannot be saved", path ~= "" and path .. ": " or "", what)
end

-- The path, or "#" and the tensor's number where the path is taken or no fit name. A path that
-- holds "#" is not fit, so that it cannot take the name of a later tensor.
local function name_for(writer)
  local path = path_to(writer)
  if not safetensors.is_name(path) or writer.taken[path] or path:find "[#%c]" then
    return "#" .. #writer.tensors + 1
  end
  return path
end

local function add_tensor(writer, tensor)
  local name = name_for(writer)
  tensor.name, writer.taken[name] = name, true
  writer.tensors[#writer.tensors + 1] = tensor
  return { [""] = "tensor", name = name }
end

local function add_bytes(writer, dtype, length, bytes)
  return add_tensor(writer, { dtype = dtype, shape = { length }, bytes = bytes })
end

local function describe_float(x)
  if x - x == 0 then return x end
  local bits = string.unpack("j", string.pack("n", x))
  return { [""] = "float", bits = ("%016x"):format(bits) }
end

local function describe_matrix(M, writer)
  local description = add_tensor(writer, { shape = { M.rows, M.cols }, matrix = M })
  description.order = M.order
  return description
end

local describe

local function describe_member(key, value, writer)
  local keys = writer.keys
  keys[#keys + 1] = key
  local description = describe(value, writer)
  keys[#keys] = nil
  return description
end

-- "integer" or "float" where all members are of that type, else nil.
local function common_type(list, n)
  local kind = math.type(list[1])
  for k = 2, n do
    if math.type(list[k]) ~= kind then return nil end
  end
  return kind
end

local function pack(list, n, format)
  local chunks = {}
  for first = 1, n, CHUNK do
    local last = math.min(first + CHUNK - 1, n)
    chunks[#chunks + 1] = string.pack("<" .. format:rep(last - first + 1),
      table.unpack(list, first, last))
  end
  return table.concat(chunks)
end

local function describe_list(list, n, writer)
  local dtype = n >= LONG and dtypes[common_type(list, n)]
  if dtype then return add_bytes(writer, dtype, n, pack(list, n, formats[dtype])) end
  local descriptions = {}
  for k = 1, n do descriptions[k] = describe_member(k, list[k], writer) end
  return descriptions
end

-- One order for all keys, so that the same state gives the same file.
local function precedes(a, b)
  if type(a) ~= type(b) then return type(a) < type(b) end
  if type(a) == "boolean" then return b and not a end
  return a < b
end

local function sorted_keys(t, writer)
  local keys = {}
  for key in next, t do
    local kind = type(key)
    if kind ~= "string" and kind ~= "number" and kind ~= "boolean" then
      refuse(writer, ("a %s as a key"):format(kind))
    end
    keys[#keys + 1] = key
  end
  table.sort(keys, precedes)
  return keys
end

local function are_names(keys)
  for _, key in ipairs(keys) do
    if type(key) ~= "string" or key == "" or not utf8.len(key) then return false end
  end
  return true
end

local function describe_keyed(t, writer)
  local keys = sorted_keys(t, writer)
  local descriptions = {}
  if are_names(keys) then
    for _, key in ipairs(keys) do
      descriptions[key] = describe_member(key, t[key], writer)
    end
    return descriptions
  end
  for k, key in ipairs(keys) do
    descriptions[k] = describe_member(key, t[key], writer)
    keys[k] = describe(key, writer)
  end
  return { [""] = "table", keys = keys, values = descriptions }
end

local function describe_table(t, writer)
  if getmetatable(t) ~= nil then refuse(writer, "a table with a metatable") end
  if writer.open[t] then refuse(writer, "a table within itself") end
  if #writer.keys >= MOST_DEPTH then
    refuse(writer, ("more than %d tables within each other"):format(MOST_DEPTH))
  end
  writer.open[t] = true
  local n = plain.length(t)
  local description = n and describe_list(t, n, writer) or describe_keyed(t, writer)
  writer.open[t] = nil
  return description
end

-- The value as data that plain.encode takes.
function describe(value, writer)
  local kind = math.type(value) or type(value)
  if kind == "boolean" or kind == "integer" then return value end
  if kind == "float" then return describe_float(value) end
  if kind == "table" then return describe_table(value, writer) end
  if cores.is_matrix(value) then return describe_matrix(value, writer) end
  if kind ~= "string" then refuse(writer, kind == "nil" and "nil" or "a " .. kind) end
  if #value < LONG and utf8.len(value) then return value end
  return add_bytes(writer, "U8", #value, value)
end

---A value as tensors for safetensors.chunks and a text for its metadata. The same value gives
---the same tensors and text. Matrices are not copied; one that is in two places is stored twice.
---Raises, naming the path, for functions and other userdata, tables with metatables, tables as
---keys, tables within themselves or more than 100 deep.
---@param value boolean|number|string|table|Matrix
---@return StoredTensor[] tensors
---@return string text  JSON, at most 64 KiB
function state.encode(value)
  local writer = { tensors = {}, taken = {}, keys = {}, open = {} }
  local text = plain.encode(describe(value, writer))
  if #text > LONG_TEXT then
    writer.keys[1] = "description"
    local description = add_bytes(writer, "U8", #text, text)
    description[""] = "text"
    text = plain.encode(description)
  end
  return writer.tensors, text
end


-- Decoding. `reader` holds the file's content, and the places of the tensors that are not used yet.

local expect = errors.check

local function take_tensor(reader, name)
  expect(safetensors.is_name(name), "a tensor without a name")
  local place = reader.places[name]
  expect(place, "tensor %s is missing or used twice", plain.encode(name))
  reader.places[name] = nil
  return place
end

local function read_matrix(place, order, content)
  local rows, cols = place.shape[1], place.shape[2]
  expect(rows * cols <= cores.MOST_ELEMENTS, "a matrix of more than %d elements",
    cores.MOST_ELEMENTS)
  local core = cores.named(core_names[place.dtype])
  return content:fill(core.matrix(rows, cols, order), place)
end

local function read_list(place, content)
  local format, list = "<" .. formats[place.dtype], {}
  for first, bytes in content:chunks(place) do
    local k, from = first, 1
    while from <= #bytes do
      list[k], from = format:unpack(bytes, from)
      k = k + 1
    end
  end
  return list
end

local function read_tensor(said, reader)
  local place, content = take_tensor(reader, said.name), reader.content
  local order, rank, dtype = said.order, #place.shape, place.dtype
  if rank == 2 and core_names[dtype] and (order == "rows" or order == "columns") then
    return read_matrix(place, order, content)
  end
  expect(rank == 1 and order == nil and dtype ~= "F32", "tensor %s does not fit its use",
    plain.encode(said.name))
  if dtype == "U8" then return content:bytes(place) end
  return read_list(place, content)
end

local function read_float(said)
  local bits = type(said.bits) == "string" and said.bits:match "^%x+$"
  expect(bits and #bits == 16, "a float without its 16 digits")
  return (string.unpack("n", string.pack("j", tonumber(bits, 16))))
end

local read

local function read_key(said, reader)
  local key = read(said, reader, MOST_DEPTH) -- so that it is no table
  local kind = type(key)
  expect(kind == "string" or kind == "boolean" or kind == "number" and key == key,
    "a key that cannot be one")
  return key
end

local function read_keyed(said, reader, depth)
  local keys, values = said.keys, said.values
  local n = type(keys) == "table" and plain.length(keys)
  expect(n and type(values) == "table" and plain.length(values) == n,
    "keys and values are not two lists of one length")
  local result = {}
  for k = 1, n do
    local key = read_key(keys[k], reader)
    expect(result[key] == nil, "a key that comes twice")
    result[key] = read(values[k], reader, depth + 1)
  end
  return result
end

-- A list or an object as it is, but for its members.
local function read_members(said, reader, depth)
  local is_list = plain.length(said) ~= nil
  for key, member in next, said do
    expect(is_list or type(key) == "string", "malformed JSON")
    said[key] = read(member, reader, depth + 1)
  end
  return said
end

local fields = {
  tensor = { name = true, order = true },
  float = { bits = true },
  table = { keys = true, values = true },
  text = { name = true },
}

-- The kind of an object with the key "", which may have the fields of its kind only.
local function kind_of(said)
  local kind
  if type(said) == "table" then kind = said[""] end
  if kind == nil then return nil end
  expect(fields[kind], "an object of an unknown kind")
  for field in next, said do
    expect(field == "" or fields[kind][field], "an object with an unknown field")
  end
  return kind
end

-- The value that was described so; `depth` tables are around it.
function read(said, reader, depth)
  if type(said) ~= "table" then return said end
  local kind = kind_of(said)
  if kind == "tensor" then return read_tensor(said, reader) end
  if kind == "float" then return read_float(said) end
  expect(kind ~= "text", "a text within the text")
  expect(depth < MOST_DEPTH, "more than %d tables within each other", MOST_DEPTH)
  return (kind == "table" and read_keyed or read_members)(said, reader, depth)
end

local function parse(text)
  expect(type(text) == "string", "a text expected")
  local said, reason = plain.decode(text)
  expect(not reason, "%s", reason)
  return said
end

local function decode(text, content)
  local reader = { content = content, places = {} }
  for name, place in next, content.tensors do reader.places[name] = place end
  local said = parse(text)
  if kind_of(said) == "text" then said = parse(read_tensor(said, reader)) end
  local value = read(said, reader, 0)
  local unused = next(reader.places)
  expect(unused == nil, "tensor %s is not in the text", plain.encode(unused or ""))
  return value
end

---The value of a text and of the tensors beside it. Nothing is run, and memory stays in
---proportion to the file.
---@param text string      what encode gave
---@param content Content  what safetensors.read gave, its source still open
---@return any
---@return string?         nil and the reason for a malformed text, or one that does not fit the
---tensors
function state.decode(text, content)
  local ok, result = errors.catch(decode, text, content)
  if ok then return result end
  if result == "not enough memory" then error(result, 0) end -- not the file's fault
  return nil, result
end

return state
