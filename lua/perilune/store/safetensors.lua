-- The safetensors format: eight bytes of header length, a JSON header, the numbers. It says what is
-- where, and nothing that could be run. Everything is checked before a byte of the numbers is believed,
-- as the reference implementation does; what this library writes also carries two checksums, so that
-- damage is found wherever it lies. They detect accidents: whoever changes a file on purpose can mend
-- them.

local json = require "perilune.store.json"
local zlib = require "zlib"

local safetensors = {}

local MOST_HEADER_BYTES = 2 ^ 24 | 0
local MOST_TENSORS = 65535
local MOST_NAME_BYTES = 255
local MOST_EXTENT = 2 ^ 31 - 1 | 0
local MOST_DATA_BYTES = 2 ^ 53 | 0 -- beyond it other readers' numbers are not exact
local ALIGNMENT = 8
local PIECE = 2 ^ 20 | 0

local DATA_CHECKSUM = "crc32_data" -- of all bytes after the header
local HEADER_CHECKSUM = "crc32_header" -- of all bytes before, with its own digits as zeros
local NO_CHECKSUM = "00000000"

local widths = { F32 = 4, F64 = 8 }

local function hexadecimal(checksum)
  return ("%08x"):format(checksum // 1 | 0) -- lua-zlib gives a float
end

---@param shape integer[]
---@return integer?  how many numbers it holds, nil if it is no shape of a matrix or a vector
local function count(shape)
  local product = 1
  if #shape > 2 then return nil end
  for _, extent in ipairs(shape) do
    local whole = math.type(extent) == "integer"
    if not whole or extent < 1 or extent > MOST_EXTENT then return nil end
    product = product * extent -- at most 2^62
  end
  return product <= MOST_DATA_BYTES // 8 and product or nil
end

local function is_name(name)
  return type(name) == "string" and #name >= 1 and #name <= MOST_NAME_BYTES
    and utf8.len(name) ~= nil and name ~= "__metadata__"
end

local function check_tensor(tensor, k, seen)
  local name = tensor.name
  if not is_name(name) then
    error(("name of 1 to %d bytes of UTF-8 expected for tensor %d, got %s"):format(
      MOST_NAME_BYTES, k, tostring(name)), 4)
  end
  if seen[name] then error(("two tensors are named '%s'"):format(name), 4) end
  seen[name] = true
  if not widths[tensor.dtype] then
    error(("dtype F32 or F64 expected for tensor '%s', got %s"):format(name,
      tostring(tensor.dtype)), 4)
  end
  local length = count(tensor.shape)
  if not length then
    error(("shape of at most two whole numbers from 1 to %d expected for tensor '%s'"):format(
      MOST_EXTENT, name), 4)
  end
  if #tensor.bytes ~= length * widths[tensor.dtype] then
    error(("%d bytes expected for tensor '%s', got %d"):format(
      length * widths[tensor.dtype], name, #tensor.bytes), 4)
  end
end

local function write_metadata(metadata)
  local keys, texts = {}, {}
  for key in pairs(metadata) do keys[#keys + 1] = key end
  table.sort(keys)
  for k, key in ipairs(keys) do
    texts[k] = json.quote(key) .. ":" .. json.quote(metadata[key])
  end
  return '{"__metadata__":{' .. table.concat(texts, ",") .. "}"
end

local function write_header(tensors, metadata)
  local texts, offset = { write_metadata(metadata) }, 0
  for k, tensor in ipairs(tensors) do
    texts[k + 1] = ('%s:{"dtype":"%s","shape":[%s],"data_offsets":[%d,%d]}'):format(
      json.quote(tensor.name), tensor.dtype, table.concat(tensor.shape, ","), offset,
      offset + #tensor.bytes)
    offset = offset + #tensor.bytes
  end
  local header = table.concat(texts, ",") .. "}"
  header = header .. (" "):rep(-#header % ALIGNMENT)
  return string.pack("<I8", #header) .. header
end

---The file as a list of strings: the header, then the bytes of each tensor. The same tensors and metadata
---give the same bytes. Raises for names that are not unique UTF-8 of 1 to 255 bytes, other types, shapes
---or lengths that disagree, and more than 65535 tensors or 16 MiB of header.
---@param tensors { name: string, dtype: "F32"|"F64", shape: integer[], bytes: string }[]  little-endian, by rows
---@param metadata? table<string, string>  UTF-8; the keys crc32_data and crc32_header are added
---@return string[]
function safetensors.chunks(tensors, metadata)
  local all, seen, chunks = {}, {}, { "" }
  for key, value in pairs(metadata or {}) do
    local texts = type(key) == "string" and type(value) == "string"
    if not texts or not utf8.len(key) or not utf8.len(value) then
      error(("UTF-8 expected in the metadata, got %s = %s"):format(tostring(key),
        tostring(value)), 2)
    end
    if key == DATA_CHECKSUM or key == HEADER_CHECKSUM then
      error(("metadata key '%s' is reserved"):format(key), 2)
    end
    all[key] = value
  end
  local checksum, data = zlib.crc32(), 0
  for k, tensor in ipairs(tensors) do
    check_tensor(tensor, k, seen)
    data = checksum(tensor.bytes)
    chunks[k + 1] = tensor.bytes
  end
  all[DATA_CHECKSUM] = hexadecimal(data)
  all[HEADER_CHECKSUM] = NO_CHECKSUM
  all[HEADER_CHECKSUM] = hexadecimal(zlib.crc32()(write_header(tensors, all)))
  chunks[1] = write_header(tensors, all)
  if #tensors > MOST_TENSORS or #chunks[1] > MOST_HEADER_BYTES then
    error(("at most %d tensors and %d bytes of header expected, got %d and %d"):format(
      MOST_TENSORS, MOST_HEADER_BYTES, #tensors, #chunks[1]), 2)
  end
  return chunks
end

---The file as one string; see chunks.
---@param tensors { name: string, dtype: "F32"|"F64", shape: integer[], bytes: string }[]
---@param metadata? table<string, string>
---@return string
function safetensors.encode(tensors, metadata)
  local chunks = safetensors.chunks(tensors, metadata)
  return table.concat(chunks)
end

-- Numbers of the header, at most `most` of them: a longer list must not cost its length.
local function read_list(reader, most, what)
  local numbers = {}
  reader:array(function(k)
    if k > most then reader:fail("%s has more than %d numbers", what, most) end
    numbers[k] = reader:number()
  end)
  return numbers
end

local function read_tensor(reader, name)
  local tensor = {}
  reader:object(function(key)
    if key == "dtype" then
      tensor.dtype = reader:string()
    elseif key == "shape" then
      tensor.shape = read_list(reader, 2, ("shape of '%s'"):format(name))
    elseif key == "data_offsets" then
      tensor.offsets = read_list(reader, 2, ("data_offsets of '%s'"):format(name))
    else
      reader:fail("tensor '%s' has an unknown key", name)
    end
  end)
  for _, key in ipairs { "dtype", "shape", "offsets" } do
    if not tensor[key] then reader:fail("tensor '%s' has no %s", name, key) end
  end

  local width = widths[tensor.dtype]
  if not width then
    reader:fail("dtype %q of '%s' is unsupported (supported: F32, F64)",
      tensor.dtype:sub(1, 16), name)
  end
  local length = count(tensor.shape)
  if not length then reader:fail("shape of '%s' is not one of a matrix", name) end
  local from, to = tensor.offsets[1], tensor.offsets[2]
  if math.type(from) ~= "integer" or math.type(to) ~= "integer" or from < 0 or to < from then
    reader:fail("data_offsets of '%s' are not a range", name)
  end
  if to - from ~= length * width then
    reader:fail("'%s' has %d bytes of data, its shape needs %d", name, to - from,
      length * width)
  end
  return { dtype = tensor.dtype, shape = tensor.shape, from = from, to = to }
end

local function read_header(reader)
  local header = { names = {}, tensors = {}, metadata = {} }
  reader:object(function(name)
    if name == "__metadata__" then
      reader:object(function(key)
        reader:peek()
        local first = reader.position + 1
        header.metadata[key] = reader:string()
        if key == HEADER_CHECKSUM then
          header.digits = { first = first, last = reader.position - 2 }
        end
      end)
      return
    end
    if not is_name(name) then
      reader:fail("a tensor's name is empty or longer than %d bytes", MOST_NAME_BYTES)
    end
    if #header.names == MOST_TENSORS then
      reader:fail("more than %d tensors", MOST_TENSORS)
    end
    header.names[#header.names + 1] = name
    header.tensors[name] = read_tensor(reader, name)
  end)
  return header
end

-- Whether the tensors fill the data without holes and overlaps; if so, the ranges are set.
local function place(header, data_bytes, data_first)
  local ordered = table.move(header.names, 1, #header.names, 1, {})
  local tensors = header.tensors
  table.sort(ordered, function(a, b) return tensors[a].from < tensors[b].from end)
  local offset = 0
  for _, name in ipairs(ordered) do
    local tensor = tensors[name]
    if tensor.from ~= offset then
      return nil, ("'%s' begins at byte %d of the data, %d expected"):format(name,
        tensor.from, offset)
    end
    offset = tensor.to
    tensor.first, tensor.last = data_first + tensor.from, data_first + tensor.to - 1
    tensor.from, tensor.to = nil, nil
  end
  if offset ~= data_bytes then
    return nil, ("%d bytes of data expected, got %d"):format(offset, data_bytes)
  end
  return true
end

-- In pieces: a substring of the whole data would be a second copy of it.
local function data_checksum(bytes, first)
  local checksum, value = zlib.crc32(), 0
  for from = first, #bytes, PIECE do
    value = checksum(bytes:sub(from, from + PIECE - 1))
  end
  return hexadecimal(value)
end

local function verify(bytes, text, header)
  local metadata, data_first = header.metadata, 9 + #text
  if metadata[HEADER_CHECKSUM] then
    local checksum = zlib.crc32()
    checksum(bytes:sub(1, 8))
    checksum(text:sub(1, header.digits.first - 1))
    checksum(NO_CHECKSUM)
    local value = checksum(text:sub(header.digits.last + 1))
    if metadata[HEADER_CHECKSUM] ~= hexadecimal(value) then
      return nil, "damaged header (its checksum differs)"
    end
  end
  if metadata[DATA_CHECKSUM] and metadata[DATA_CHECKSUM] ~= data_checksum(bytes, data_first) then
    return nil, "damaged data (their checksum differs)"
  end
  return true
end

local function decode(bytes)
  if #bytes < 8 then return nil, "too short for a safetensors file" end
  local length = string.unpack("<I8", bytes)
  if length < 0 or length > MOST_HEADER_BYTES then
    return nil, "not a safetensors file (its header would be longer than 16 MiB)"
  end
  if length > #bytes - 8 then return nil, "the file ends within its header" end
  if bytes:sub(9, 9) ~= "{" then return nil, "not a safetensors file (no header)" end

  local text = bytes:sub(9, 8 + length)
  local header, reason = json.read(text, read_header)
  if not header then return nil, "header: " .. reason end
  local ok
  ok, reason = place(header, #bytes - 8 - length, 9 + length)
  if not ok then return nil, reason end
  ok, reason = verify(bytes, text, header)
  if not ok then return nil, reason end
  return {
    names = header.names,
    tensors = header.tensors,
    metadata = header.metadata,
    checked = header.metadata[HEADER_CHECKSUM] ~= nil
      and header.metadata[DATA_CHECKSUM] ~= nil,
  }
end

---What a safetensors file holds. Nothing is copied: `first` and `last` are the places of a tensor's bytes in
---the string. Accepts tensors of F32 and F64 of rank 0 to 2, without empty ones; of the checksums that are
---there, each has to be right, and `checked` says that both are there.
---@param bytes string  the whole file
---@param name string   of the file, for messages
---@return { tensors: table<string, { dtype: string, shape: integer[], first: integer, last: integer }>, names: string[], metadata: table<string, string>, checked: boolean }?
---@return string?      nil and "name: reason"
function safetensors.decode(bytes, name)
  local content, reason = decode(bytes)
  if not content then return nil, name .. ": " .. reason end
  return content
end

return safetensors
