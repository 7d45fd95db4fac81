-- IDX files, the format of MNIST (LeCun, Cortes and Burges): two zero bytes, a byte for the element
-- type, a byte for the number of dimensions, each dimension as four bytes, most significant first,
-- and then the elements, the last dimension running fastest. One type occurs in practice, unsigned
-- bytes, and is read.
--
-- The content stays the one string it was read as, with the place where the elements begin: cutting
-- them off would copy all of it once more.

local collect = require "perilune.collect"
local errors = require "perilune.errors"
local fields = require "perilune.fields"
local file = require "perilune.store.file"
local zlib = require "zlib"

local idx = {}

local UNSIGNED_BYTES = 0x08
local GZIP = "\x1f\x8b"
local GZIP_ONLY = 31 -- zlib's window bits: a 32 KiB window in a gzip wrapper, nothing else
local LARGEST_RATIO = 1032 -- deflate makes no more bytes of one
local CHUNK = 4096 -- packed bytes that are inflated at once: to about 4 MB at most
local STRINGS = 8 -- that the content is put together from: as many as `join` takes
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

-- At most eight strings as one, with no memory but for the result: table.concat needs a buffer as
-- well.
local function join(strings)
  local a, b, c, d, e, f, g, h = table.unpack(strings)
  return (a or "") .. (b or "") .. (c or "") .. (d or "") .. (e or "") .. (f or "")
    .. (g or "") .. (h or "")
end

-- What so many packed bytes inflate to, whether that is the end, and how many bytes were used by
-- then
local function inflate_chunk(stream, packed)
  local ok, chunk, ended, consumed = pcall(stream, packed)
  if ok then return chunk, ended, consumed end
  if chunk == "not enough memory" then error(chunk, 0) end
  return nil, "damaged gzip data: content or checksum is wrong"
end

-- The header of the inflated content, and what it promises, unless so few packed bytes cannot hold
-- it
local function parse_inflated(start, packed_size)
  local header, promised, reason = parse(start)
  if header and promised > LARGEST_RATIO * packed_size then
    return nil, nil, ("%s, more than %d bytes of gzip data can hold"):format(
      expectation(header, promised), packed_size)
  end
  return header, promised, reason
end

-- The content of a gzip file that holds one IDX file. The header is read as soon as it is inflated,
-- and nothing is inflated beyond the first chunk that exceeds what it promises: a small file cannot
-- fill the memory. The content is put together from eight strings, so that it is never there more
-- than twice.
local function inflate(source)
  local stream, header, promised = zlib.inflate(GZIP_ONLY), nil, 4
  local strings, chunks, loose, size = {}, {}, 0, 0 -- bytes of the chunks, and of all
  local ended, consumed = false, 0
  for first = 1, source.size, CHUNK do
    local packed, reason = source:read(first, math.min(first + CHUNK - 1, source.size))
    if not packed then return nil, reason end
    local chunk
    chunk, ended, consumed = inflate_chunk(stream, packed)
    if not chunk then return nil, ended end
    chunks[#chunks + 1], loose, size = chunk, loose + #chunk, size + #chunk
    if not header and size >= promised then
      chunks = { table.concat(chunks) }
      header, promised, reason = parse_inflated(chunks[1], source.size)
      if reason then return nil, reason end
    end
    if header and size > promised then
      return nil, ("%s, more came"):format(expectation(header, promised))
    elseif header and loose > promised // STRINGS then
      strings[#strings + 1], chunks = table.concat(chunks), {}
      collect(loose)
      loose = 0
    end
    if ended then break end
  end
  if not ended then
    return nil, ("the gzip data ends too early: %d bytes came out of it"):format(size)
  end
  local rest = source.size - consumed
  if rest > 0 then return nil, ("%d bytes follow the gzip data (none expected)"):format(rest) end
  strings[#strings + 1] = table.concat(chunks)
  return join(strings)
end

local function content_of(source)
  local start, reason = source:read(1, math.min(2, source.size))
  local bytes
  if start == GZIP then
    bytes, reason = inflate(source)
  elseif start then
    bytes, reason = source:read(1, source.size)
  end
  if not bytes then return nil, reason end

  local content, promised
  content, promised, reason = parse(bytes)
  if not content then
    return nil, reason or ("a header of %d bytes expected, %d came"):format(promised, #bytes)
  elseif #bytes ~= promised then
    return nil, ("%s, %d came"):format(expectation(content, promised), #bytes)
  end
  content.bytes = bytes
  return content
end

-- What `source` holds, or nil and "name: reason"
local function read(source, name)
  local content, reason = content_of(source)
  if not content then return nil, ("%s: %s"):format(name, reason) end
  return content
end

---IDX data in memory, plain or gzip-compressed; the content decides which.
---@param bytes string
---@param name? string  what messages call it, default "IDX data"
---@return Idx?
---@return string?      nil and "name: what was expected and what came" for damaged data
function idx.decode(bytes, name)
  fields.value("bytes", bytes, { "string" })
  return read(file.of(bytes), name or "IDX data")
end

---The content of an IDX file, plain or gzip-compressed; the content decides which, not the name.
---@param path string
---@return Idx?
---@return string?  nil and "path: what was expected and what came"
function idx.read(path)
  fields.value("path", path, { "path" })
  local source <close>, message = file.open(path)
  if not source then return nil, message end
  return read(source, path)
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
