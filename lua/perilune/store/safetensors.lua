-- The safetensors format: eight bytes of header length, a JSON header, the numbers. It
-- says what is where, and nothing that could be run. Everything is checked before a byte
-- of the numbers is believed, as the reference implementation does; what this library
-- writes also carries two checksums, so that damage is found wherever it lies. They
-- detect accidents: whoever changes a file on purpose can mend them.

local plain = require "perilune.store.plain"
local zlib = require "zlib"

---@class Tensor
---@field name string          1 to 255 bytes of UTF-8
---@field dtype "F32"|"F64"|"I64"|"U8"
---@field shape integer[]      at most two extents, each >= 1
---@field bytes string         the numbers, little-endian, row by row

---@class Place
---@field dtype "F32"|"F64"|"I64"|"U8"
---@field shape integer[]
---@field first integer        the tensor's first byte, counted from 1
---@field last integer

---@class Content
---@field names string[]                   in the order of their data
---@field tensors table<string, Place>
---@field metadata table<string, string>
---@field checked boolean                  both checksums are there, and right

local safetensors = {}

-- Room for thousands of layers, and what a hostile header can cost stays below 64 MiB.
local MOST_HEADER_BYTES = 2 ^ 20 | 0
local MOST_NAME_BYTES = 255
local MOST_EXTENT = 2 ^ 31 - 1 | 0
local MOST_DATA_BYTES = 2 ^ 53 | 0 -- beyond it other readers' numbers are not exact
local ALIGNMENT = 8
local PIECE = 2 ^ 20 | 0

local DATA_CHECKSUM = "crc32_data" -- of all bytes after the header
local HEADER_CHECKSUM = "crc32_header" -- of all bytes before, with its own digits as zeros
local NO_CHECKSUM = "00000000"

local widths = { F32 = 4, F64 = 8, I64 = 8, U8 = 1 }
local DTYPES = "F32, F64, I64 or U8"
local fields = { dtype = true, shape = true, data_offsets = true }

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

local function is_text(value)
  return type(value) == "string" and utf8.len(value) ~= nil
end

---Whether a tensor may be called so: 1 to 255 bytes of UTF-8.
---@param name any
---@return boolean
function safetensors.is_name(name)
  return is_text(name) and #name >= 1 and #name <= MOST_NAME_BYTES
    and name ~= "__metadata__"
end

local function check_tensor(tensor, k, seen)
  local name = tensor.name
  if not safetensors.is_name(name) then
    error(("name of 1 to %d bytes of UTF-8 expected for tensor %d, got %s"):format(
      MOST_NAME_BYTES, k, tostring(name)), 4)
  end
  if seen[name] then error(("two tensors are named '%s'"):format(name), 4) end
  seen[name] = true
  if not widths[tensor.dtype] then
    error(("dtype %s expected for tensor '%s', got %s"):format(DTYPES, name,
      tostring(tensor.dtype)), 4)
  end
  local length = type(tensor.shape) == "table" and count(tensor.shape)
  if not length then
    error(("at most two whole numbers from 1 to %d expected as the shape of '%s'"):format(
      MOST_EXTENT, name), 4)
  end
  local bytes = type(tensor.bytes) == "string" and #tensor.bytes or 0
  if bytes ~= length * widths[tensor.dtype] then
    error(("%d bytes expected for tensor '%s', got %d"):format(
      length * widths[tensor.dtype], name, bytes), 4)
  end
end

-- The header with other digits as its checksum. Nothing else looks like this key: a quote
-- within a string follows a backslash.
local function stamped(header, digits)
  return (header:gsub('([^\\]"crc32_header":")%x*', "%1" .. digits))
end

-- Wider numbers come first. The data begin at a multiple of eight, so that every tensor
-- begins at a multiple of its own width, as readers that map the file into memory need it.
local function aligned(tensors)
  local ordered = {}
  for _, width in ipairs { 8, 4, 1 } do
    for _, tensor in ipairs(tensors) do
      if widths[tensor.dtype] == width then ordered[#ordered + 1] = tensor end
    end
  end
  return ordered
end

local function write_header(tensors, metadata)
  local header, offset = { __metadata__ = metadata }, 0
  for _, tensor in ipairs(tensors) do
    local first = offset
    offset = offset + #tensor.bytes
    header[tensor.name] = {
      dtype = tensor.dtype, shape = tensor.shape, data_offsets = { first, offset },
    }
  end
  local text = plain.encode(header)
  text = text .. (" "):rep(-#text % ALIGNMENT)
  local bytes = string.pack("<s8", text)
  return stamped(bytes, hexadecimal(zlib.crc32()(bytes)))
end

local function build(tensors, metadata)
  local all, seen, chunks = {}, {}, { "" }
  for key, value in pairs(metadata or {}) do
    if not is_text(key) or not is_text(value) then
      error(("UTF-8 expected in the metadata, got %s = %s"):format(tostring(key),
        tostring(value)), 3)
    end
    if key == DATA_CHECKSUM or key == HEADER_CHECKSUM then
      error(("metadata key '%s' is reserved"):format(key), 3)
    end
    all[key] = value
  end
  for k, tensor in ipairs(tensors) do check_tensor(tensor, k, seen) end
  tensors = aligned(tensors)
  local checksum, data = zlib.crc32(), 0
  for k, tensor in ipairs(tensors) do
    data = checksum(tensor.bytes)
    chunks[k + 1] = tensor.bytes
  end
  all[DATA_CHECKSUM] = hexadecimal(data)
  all[HEADER_CHECKSUM] = NO_CHECKSUM
  chunks[1] = write_header(tensors, all)
  if #chunks[1] - 8 > MOST_HEADER_BYTES then
    error(("names and metadata need a header of %d bytes, at most %d are allowed"):format(
      #chunks[1] - 8, MOST_HEADER_BYTES), 3)
  end
  return chunks
end

---The file as a list of strings: the header, then the bytes of each tensor, those of wider
---numbers first. The same tensors and metadata give the same bytes. Raises for names that
---are not unique UTF-8 of 1 to 255 bytes, other types, shapes or lengths that disagree, and
---a header of more than 1 MiB.
---@param tensors Tensor[]
---@param metadata? table<string, string>  UTF-8; the keys crc32_data and crc32_header are added
---@return string[]
function safetensors.chunks(tensors, metadata)
  local chunks = build(tensors, metadata)
  return chunks
end

---The file as one string; see chunks.
---@param tensors Tensor[]
---@param metadata? table<string, string>
---@return string
function safetensors.encode(tensors, metadata)
  local chunks = build(tensors, metadata)
  return table.concat(chunks)
end

-- Where a tensor is, by what the header says of it; data begin after `before` bytes.
local function read_tensor(name, said, before)
  if not safetensors.is_name(name) then
    return nil, ("a tensor's name is not 1 to %d bytes of UTF-8"):format(MOST_NAME_BYTES)
  end
  local label = plain.encode(name) -- it may hold control characters
  if type(said) ~= "table" then return nil, ("tensor %s is no object"):format(label) end
  for key in pairs(said) do
    if not fields[key] then return nil, ("tensor %s has an unknown key"):format(label) end
  end
  local width = widths[said.dtype]
  if not width then
    return nil, ("dtype %q of %s is unsupported (%s expected)"):format(
      tostring(said.dtype):sub(1, 16), label, DTYPES)
  end
  local length = type(said.shape) == "table" and count(said.shape)
  if not length then return nil, ("shape of %s is not one of a matrix"):format(label) end
  local offsets = type(said.data_offsets) == "table" and said.data_offsets or {}
  local from, to = offsets[1], offsets[2]
  local whole = math.type(from) == "integer" and math.type(to) == "integer"
  if not whole or #offsets > 2 or from < 0 or to < from then
    return nil, ("data_offsets of %s are not a range"):format(label)
  end
  if to - from ~= length * width then
    return nil, ("tensor %s has %d bytes of data, its shape needs %d"):format(label,
      to - from, length * width)
  end
  return {
    dtype = said.dtype, shape = said.shape, first = before + from + 1, last = before + to,
  }
end

-- The names of the tensors in the order of their data, which they fill without holes and
-- overlaps, or nil and a reason.
local function order(tensors, before, data_bytes)
  local names, offset = {}, 0
  for name in pairs(tensors) do names[#names + 1] = name end
  table.sort(names, function(a, b) return tensors[a].first < tensors[b].first end)
  for _, name in ipairs(names) do
    local from = tensors[name].first - before - 1
    if from ~= offset then
      return nil, ("tensor %s begins at byte %d of the data, %d expected"):format(
        plain.encode(name), from, offset)
    end
    offset = tensors[name].last - before
  end
  if offset ~= data_bytes then
    return nil, ("%d bytes of data expected, got %d"):format(offset, data_bytes)
  end
  return names
end

-- What the header says, or nil and a reason. So many bytes of data follow it.
local function read_header(text, data_bytes)
  local header, reason = plain.decode(text)
  if not header then return nil, "header: " .. reason end
  local metadata, before = header.__metadata__, 8 + #text
  if metadata == nil then metadata = {} end
  if type(metadata) ~= "table" then return nil, "metadata are no object" end
  for key, value in pairs(metadata) do
    if not is_text(key) or not is_text(value) then return nil, "metadata are not text" end
  end
  header.__metadata__ = nil
  local tensors = {}
  for name, said in pairs(header) do
    tensors[name], reason = read_tensor(name, said, before)
    if reason then return nil, reason end
  end
  local names, disorder = order(tensors, before, data_bytes)
  if not names then return nil, disorder end
  return {
    names = names,
    tensors = tensors,
    metadata = metadata,
    checked = metadata[HEADER_CHECKSUM] ~= nil and metadata[DATA_CHECKSUM] ~= nil,
  }
end

-- In pieces: a substring of the whole data would be a second copy of it.
local function data_checksum(bytes, first)
  local checksum, value = zlib.crc32(), 0
  for from = first, #bytes, PIECE do
    value = checksum(bytes:sub(from, from + PIECE - 1))
  end
  return hexadecimal(value)
end

local function damage(bytes, text, metadata)
  local expected = metadata[HEADER_CHECKSUM]
  local value = zlib.crc32()(bytes:sub(1, 8) .. stamped(text, NO_CHECKSUM))
  if expected and expected ~= hexadecimal(value) then
    return "damaged header (its checksum differs)"
  end
  expected = metadata[DATA_CHECKSUM]
  if expected and expected ~= data_checksum(bytes, 9 + #text) then
    return "damaged data (their checksum differs)"
  end
end

local function decode(bytes)
  if #bytes < 8 then return nil, "too short for a safetensors file" end
  local length = string.unpack("<I8", bytes)
  if length < 0 or length > MOST_HEADER_BYTES then
    return nil, "no safetensors file, or one with a header longer than 1 MiB"
  end
  if length > #bytes - 8 then return nil, "the file ends within its header" end
  if bytes:sub(9, 9) ~= "{" then return nil, "not a safetensors file (no header)" end

  local text = bytes:sub(9, 8 + length)
  local content, reason = read_header(text, #bytes - 8 - length)
  if not content then return nil, reason end
  reason = damage(bytes, text, content.metadata)
  if reason then return nil, reason end
  return content
end

---What a safetensors file holds. Nothing is copied: `first` and `last` are the places of
---a tensor's bytes in the string. Accepts tensors of F32, F64, I64 and U8 of rank 0 to 2,
---without empty ones; of the checksums that are there, each has to be right, and `checked`
---says that both are there.
---@param bytes string  the whole file
---@param name string   of the file, for messages
---@return Content?
---@return string?      nil and "name: reason"
function safetensors.decode(bytes, name)
  local content, reason = decode(bytes)
  if not content then return nil, name .. ": " .. reason end
  return content
end

return safetensors
