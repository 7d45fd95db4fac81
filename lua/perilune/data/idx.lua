-- IDX files, the format of MNIST (LeCun, Cortes and Burges): two zero bytes, a byte for the element
-- type, a byte for the number of dimensions, each dimension as four bytes, most significant first,
-- and then the elements, the last dimension running fastest. One type occurs in practice, unsigned
-- bytes, and is read.
--
-- The content stays the one string it was read as, with the place where the elements begin: cutting
-- them off would copy all of it once more.

local errors = require "perilune.errors"
local fields = require "perilune.fields"
local file = require "perilune.store.file"
local zlib = require "zlib"

local idx = {}

local UNSIGNED_BYTES = 0x08
local GZIP = "\x1f\x8b"
local GZIP_ONLY = 31 -- zlib's window bits: a 32 KiB window in a gzip wrapper, nothing else
-- Deflate makes at most 1032 bytes of one, so that a step of this many inflates to about 4 MB.
local STEP = 4096
local DIMENSION = { "integer", least = 1, most = 0xffffffff } -- four bytes

---@class Idx
---@field dimensions integer[]  each >= 1; the last one runs fastest
---@field type "uint8"
---@field bytes string          the whole content, header included
---@field offset integer        bytes of header: the elements are bytes offset + 1..#bytes

-- The header of `bytes` and the size of the whole file that it promises. While the bytes end before
-- the header does, no header but how many bytes it needs.
local function parse(bytes)
  if #bytes < 4 then return nil, 4 end
  local zeros, type, count = (">I2 B B"):unpack(bytes)
  if zeros ~= 0 then
    return nil, nil,
      ("it begins with bytes %02X %02X (00 00 expected)"):format(bytes:byte(1, 2))
  end
  if type ~= UNSIGNED_BYTES then
    return nil, nil,
      ("unsupported element type 0x%02X (0x08, unsigned bytes, expected)"):format(type)
  end
  if count == 0 then return nil, nil, "0 dimensions (at least 1 expected)" end
  local offset = 4 + 4 * count
  if #bytes < offset then return nil, offset end

  local dimensions, elements = {}, 1
  for i = 1, count do
    local size = (">I4"):unpack(bytes, 1 + 4 * i)
    if size == 0 then
      return nil, nil, ("dimension %d is 0 (at least 1 expected)"):format(i)
    end
    if elements > (math.maxinteger - offset) // size then
      return nil, nil, "the product of the dimensions is beyond 2^63"
    end
    dimensions[i], elements = size, elements * size
  end
  return { dimensions = dimensions, type = "uint8", offset = offset }, offset + elements
end

local function shape(dimensions)
  local sizes = {}
  for i, size in ipairs(dimensions) do sizes[i] = ("%d"):format(size) end
  return table.concat(sizes, " x ")
end

local function expectation(header, promised)
  return ("%d bytes expected (%s elements after %d bytes of header)"):format(promised,
    shape(header.dimensions), header.offset)
end

-- The content of a gzip file that holds one IDX file. The header is read as soon as it is inflated,
-- and nothing is inflated beyond the first step that exceeds what it promises: a small file cannot
-- fill the memory.
local function inflate(packed)
  local stream = zlib.inflate(GZIP_ONLY)
  local pieces, size, header, promised = {}, 0, nil, 4
  local ended, consumed = false, 0
  for first = 1, #packed, STEP do
    local ok, piece
    ok, piece, ended, consumed = pcall(stream, packed:sub(first, first + STEP - 1))
    if not ok and piece == "not enough memory" then error(piece, 0) end
    if not ok then return nil, "damaged gzip data: content or checksum is wrong" end
    pieces[#pieces + 1], size = piece, size + #piece
    if not header and size >= promised then
      pieces = { table.concat(pieces) }
      local reason
      header, promised, reason = parse(pieces[1])
      if reason then return nil, reason end
    end
    if header and size > promised then
      return nil, ("%s, more came"):format(expectation(header, promised))
    end
    if ended then break end
  end
  if not ended then
    return nil, ("the gzip data ends too early: %d bytes came out of it"):format(size)
  end
  if consumed < #packed then
    local rest = #packed - consumed
    return nil, ("%d bytes follow the gzip data (none expected)"):format(rest)
  end
  return table.concat(pieces)
end

---IDX data in memory, plain or gzip-compressed; the content decides which.
---@param bytes string
---@param name? string  what messages call it, default "IDX data"
---@return Idx?
---@return string?      nil and "name: what was expected and what came" for damaged data
function idx.decode(bytes, name)
  fields.value("bytes", bytes, { "string" })
  name = name or "IDX data"
  local reason
  if bytes:sub(1, 2) == GZIP then
    bytes, reason = inflate(bytes)
    if not bytes then return nil, ("%s: %s"):format(name, reason) end
  end

  local content, promised
  content, promised, reason = parse(bytes)
  if not content then
    reason = reason or ("a header of %d bytes expected, %d came"):format(promised, #bytes)
  elseif #bytes ~= promised then
    reason = ("%s, %d came"):format(expectation(content, promised), #bytes)
  end
  if reason then return nil, ("%s: %s"):format(name, reason) end
  content.bytes = bytes
  return content
end

---The content of an IDX file, plain or gzip-compressed; the content decides which, not the name.
---@param path string
---@return Idx?
---@return string?  nil and "path: what was expected and what came"
function idx.read(path)
  fields.value("path", path, { "path" })
  local bytes, message = file.read(path)
  if not bytes then return nil, message end
  return idx.decode(bytes, path)
end

---The bytes of an IDX file. Raises when the dimensions and the number of elements disagree.
---@param dimensions integer[]  1 to 255 of them, each 1..2^32 - 1; the last one runs fastest
---@param bytes string          the elements, one byte each
---@return string
function idx.encode(dimensions, bytes)
  local count = type(dimensions) == "table" and #dimensions
  if not count or count < 1 or count > 255 then
    errors.raise("dimensions: a list of 1 to 255 expected, got %s",
      count and ("%d of them"):format(count) or errors.show(dimensions))
  end
  fields.value("bytes", bytes, { "string" })
  local elements, header = 1.0, { ("B B B B"):pack(0, 0, UNSIGNED_BYTES, count) }
  for i = 1, count do
    local size = fields.value("dimension " .. i, dimensions[i], DIMENSION)
    elements = elements * size -- in floating point, where no product wraps around
    header[i + 1] = (">I4"):pack(size)
  end
  if elements ~= #bytes then
    errors.raise("bytes: %s = %.0f elements expected, got %d", shape(dimensions),
      elements, #bytes)
  end
  return table.concat(header) .. bytes
end

return idx
