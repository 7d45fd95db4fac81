-- The safetensors format: eight bytes of header length, a JSON header, the numbers. It
-- says what is where, and nothing that could be run. Everything is checked before a byte
-- of the numbers is believed, as the reference implementation does; what this library
-- writes also carries two checksums, so that damage is found wherever it lies. They
-- detect accidents: whoever changes a file on purpose can mend them.
--
-- A file is never in memory as a whole: it is read twice, for the checksum and for the numbers, and
-- matrices are encoded twice likewise, chunk by chunk.

local collect = require "perilune.collect"
local cores = require "perilune.cores"
local errors = require "perilune.errors"
local fields = require "perilune.fields"
local plain = require "perilune.store.plain"
local zlib = require "zlib"

---A tensor to be written: a matrix, row by row, or bytes.
---@class StoredTensor
---@field name string          1 to 255 bytes of UTF-8
---@field shape integer[]      at most two extents, each >= 1
---@field matrix Matrix?       of as many numbers
---@field dtype? "F32"|"F64"|"I64"|"U8"   of the bytes
---@field bytes string?        the numbers, little-endian, row by row

---@class Place
---@field dtype "F32"|"F64"|"I64"|"U8"
---@field shape integer[]
---@field first integer        the tensor's first byte, counted from 1
---@field last integer

---What a file holds.
---@class Content
---@field names string[]                   in the order of their data
---@field tensors table<string, Place>
---@field metadata table<string, string>
---@field checked boolean                  both checksums are there, and right
---@field source Source                    the file
local Content = {}
Content.__index = Content

local safetensors = {}

-- Room for thousands of layers, and what a hostile header can cost stays below 64 MiB.
local MOST_HEADER_BYTES = 2 ^ 20 | 0
local MOST_NAME_BYTES = 255
local MOST_DATA_BYTES = 2 ^ 53 | 0 -- beyond it other readers' numbers are not exact
local ALIGNMENT = 8
local CHUNK = 2 ^ 18 | 0 -- bytes in memory at a time: whole numbers of every type

local DATA_CHECKSUM = "crc32_data" -- of all bytes after the header
local HEADER_CHECKSUM = "crc32_header" -- of all bytes before, with its own digits as zeros
local NO_CHECKSUM = "00000000"

local widths = { F32 = 4, F64 = 8, I64 = 8, U8 = 1 }
local DTYPES = "F32, F64, I64 or U8"
local of_matrix = { float32 = "F32", float64 = "F64" }
local matrix_type = { F32 = "float32", F64 = "float64" }
local known_keys = { dtype = true, shape = true, data_offsets = true }

local check, raise, show = errors.check, errors.raise, errors.show

local function hexadecimal(checksum)
  return ("%08x"):format(checksum // 1 | 0) -- lua-zlib gives a float
end

---@param shape integer[]
---@return integer?  how many numbers it holds, nil if it is no shape of a matrix or a vector
local function count(shape)
  local product = 1
  if #shape > 2 then return nil end
  for k = 1, #shape do
    local extent = shape[k]
    local whole = math.type(extent) == "integer"
    if not whole or extent < 1 or extent > cores.MOST_ELEMENTS then return nil end
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


-- Writing

-- The tensor as it will be written: its dtype, and how many numbers and bytes it has
local function checked_tensor(tensor, k, seen)
  check(type(tensor) == "table", "tensors: a table expected as tensor %d, got %s", k, show(tensor))
  local name, matrix, bytes = tensor.name, tensor.matrix, tensor.bytes
  if not safetensors.is_name(name) then
    raise("name of 1 to %d bytes of UTF-8 expected for tensor %d, got %s", MOST_NAME_BYTES,
      k, show(name))
  elseif seen[name] then
    raise("two tensors are named '%s'", name)
  end
  seen[name] = true
  check(matrix == nil or cores.is_matrix(matrix), "a matrix expected for tensor '%s', got %s", name,
    show(matrix))
  local dtype = matrix and of_matrix[matrix.dtype] or tensor.dtype
  local width = widths[dtype]
  if not width then
    raise("dtype %s expected for tensor '%s', got %s", DTYPES, name, show(dtype))
  end
  local shape = type(tensor.shape) == "table" and table.move(tensor.shape, 1, 3, 1, {})
  local length = shape and count(shape)
  if not length then
    raise("at most two whole numbers from 1 to %d expected as the shape of '%s'",
      cores.MOST_ELEMENTS, name)
  end
  local size = matrix and matrix.rows * matrix.cols * width
    or type(bytes) == "string" and #bytes or 0
  if size ~= length * width then
    raise("%d bytes expected for tensor '%s', got %d", length * width, name, size)
  end
  return {
    name = name, dtype = dtype, shape = shape, matrix = matrix, bytes = bytes,
    length = length, size = size,
  }
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

-- The numbers of all tensors, some at a time
local function data_chunks(tensors)
  local k, first = 1, 1
  return function()
    local tensor = tensors[k]
    if not tensor then return nil end
    local matrix = tensor.matrix
    if not matrix then
      k = k + 1
      return tensor.bytes
    end
    local last = math.min(first + CHUNK // widths[tensor.dtype] - 1, tensor.length)
    collect(CHUNK)
    local bytes = matrix:encode(matrix.dtype, "little", "rows", first, last)
    first = last + 1
    if last == tensor.length then k, first = k + 1, 1 end
    return bytes
  end
end

local function header_of(tensors, metadata)
  local header, offset = { __metadata__ = metadata }, 0
  for _, tensor in ipairs(tensors) do
    local first = offset
    offset = offset + tensor.size
    header[tensor.name] = {
      dtype = tensor.dtype, shape = tensor.shape, data_offsets = { first, offset },
    }
  end
  local text = plain.encode(header)
  text = text .. (" "):rep(-#text % ALIGNMENT)
  if #text > MOST_HEADER_BYTES then
    raise("names and metadata need a header of %d bytes, at most %d are allowed", #text,
      MOST_HEADER_BYTES)
  end
  local bytes = string.pack("<s8", text)
  return stamped(bytes, hexadecimal(zlib.crc32()(bytes)))
end

-- The metadata with the checksums, that of the header yet to come
local function with_checksums(metadata, tensors)
  local all = {}
  for key, value in pairs(metadata) do
    if not is_text(key) or not is_text(value) then
      raise("UTF-8 expected in the metadata, got %s = %s", show(key), show(value))
    elseif key == DATA_CHECKSUM or key == HEADER_CHECKSUM then
      raise("metadata key '%s' is reserved", key)
    end
    all[key] = value
  end
  local add, sum = zlib.crc32(), 0
  for bytes in data_chunks(tensors) do sum = add(bytes) end
  all[DATA_CHECKSUM], all[HEADER_CHECKSUM] = hexadecimal(sum), NO_CHECKSUM
  return all
end

---The file, chunk by chunk: the header, then the numbers of each tensor, wider ones first. The same
---tensors and metadata give the same bytes. Raises for names that are not unique UTF-8 of 1 to 255
---bytes, other types, shapes and lengths that disagree, and a header of more than 1 MiB. The
---matrices must not change before the last chunk.
---@param tensors StoredTensor[]
---@param metadata? table<string, string>  UTF-8; the keys crc32_data and crc32_header are added
---@return fun(): string?
function safetensors.chunks(tensors, metadata)
  if metadata == nil then metadata = {} end
  check(type(tensors) == "table", "tensors: a list of tensors expected, got %s", show(tensors))
  check(type(metadata) == "table", "metadata: a table of texts expected, got %s", show(metadata))
  local checked, seen = {}, {}
  for k = 1, fields.length(tensors, "tensors") do
    checked[k] = checked_tensor(tensors[k], k, seen)
  end
  tensors = aligned(checked)
  local header = header_of(tensors, with_checksums(metadata, tensors))
  local next_chunk = data_chunks(tensors)
  return function()
    if not header then return next_chunk() end
    local bytes = header
    header = nil
    return bytes
  end
end


-- Reading

-- Where a tensor is, by what the header says of it; data begin after `before` bytes.
local function read_tensor(name, said, before)
  if not safetensors.is_name(name) then
    return nil, ("a tensor's name is not 1 to %d bytes of UTF-8"):format(MOST_NAME_BYTES)
  end
  local label = plain.encode(name) -- it may hold control characters
  if type(said) ~= "table" then return nil, ("tensor %s is no object"):format(label) end
  for key in pairs(said) do
    if not known_keys[key] then return nil, ("tensor %s has an unknown key"):format(label) end
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

-- The checksum of the source's bytes from `first` on, or nil and a reason
local function data_checksum(source, first)
  local add, sum = zlib.crc32(), 0
  for from = first, source.size, CHUNK do
    collect(CHUNK)
    local bytes, reason = source:read(from, math.min(from + CHUNK - 1, source.size))
    if not bytes then return nil, reason end
    sum = add(bytes)
  end
  return hexadecimal(sum)
end

-- What is damaged, or nil
local function damage(source, start, text, metadata)
  local expected = metadata[HEADER_CHECKSUM]
  local value = zlib.crc32()(start .. stamped(text, NO_CHECKSUM))
  if expected and expected ~= hexadecimal(value) then
    return "damaged header (its checksum differs)"
  end
  expected = metadata[DATA_CHECKSUM]
  if not expected then return nil end
  local sum, reason = data_checksum(source, 9 + #text)
  if sum ~= expected then return reason or "damaged data (their checksum differs)" end
end

---What a safetensors file holds: no number is read yet. Accepts tensors of F32, F64, I64 and U8 of
---rank 0 to 2, without empty ones; of the checksums that are there, each has to be right, and
---`checked` says that both are there.
---@param source Source  the file, open for as long as the content is used
---@return Content?
---@return string?       nil and the reason
function safetensors.read(source)
  if source.size < 8 then return nil, "too short for a safetensors file" end
  local start, reason = source:read(1, 8)
  if not start then return nil, reason end
  local length = string.unpack("<I8", start)
  if length < 0 or length > MOST_HEADER_BYTES then
    return nil, "no safetensors file, or one with a header longer than 1 MiB"
  end
  if length > source.size - 8 then return nil, "the file ends within its header" end
  local text
  text, reason = source:read(9, 8 + length)
  if not text then return nil, reason end
  if text:sub(1, 1) ~= "{" then return nil, "not a safetensors file (no header)" end

  local content
  content, reason = read_header(text, source.size - 8 - length)
  if not content then return nil, reason end
  reason = damage(source, start, text, content.metadata)
  if reason then return nil, reason end
  content.source = source
  return setmetatable(content, Content)
end

---All bytes of a tensor. Raises where the file cannot be read.
---@param place Place
---@return string
function Content:bytes(place)
  return check(self.source:read(place.first, place.last))
end

---The bytes of a tensor, some at a time: for first, bytes in content:chunks(place) do ... end
---@param place Place
---@return fun(): integer?, string?  the number of the first element, counted from 1; whole elements
function Content:chunks(place)
  local from, width = place.first, widths[place.dtype]
  return function()
    if from > place.last then return nil end
    local first, last = from, math.min(from + CHUNK - 1, place.last)
    from = last + 1
    collect(CHUNK)
    return (first - place.first) // width + 1, check(self.source:read(first, last))
  end
end

---Set a matrix to a tensor's numbers.
---@param M Matrix     of as many elements, of either type
---@param place Place  of F32 or F64
---@return Matrix M
function Content:fill(M, place)
  for first, bytes in self:chunks(place) do
    M:decode(bytes, matrix_type[place.dtype], "little", "rows", first)
  end
  return M
end

return safetensors
