-- IDX files, the format of MNIST (LeCun, Cortes and Burges): two zero bytes, a byte for the element
-- type, a byte for the number of dimensions, each dimension as four bytes, most significant first,
-- and then the elements, the last dimension running fastest. One type occurs in practice, unsigned
-- bytes, and is read.
--
-- The content is put together where it stays, in octets, whatever the file's form; and header and
-- all, because cutting that off would copy the rest.

local content = require "perilune.data.content"
local core = require "perilune.core.float32"
local errors = require "perilune.errors"
local fields = require "perilune.fields"
local file = require "perilune.store.file"

local idx = {}

local UNSIGNED_BYTES = 0x08
local DIMENSION = { "integer", least = 1, most = 0xffffffff } -- four bytes

---@class Idx
---@field dimensions integer[]  each >= 1; the last one runs fastest
---@field type "uint8"
---@field bytes Octets          the whole content, header included
---@field offset integer        bytes of header: the elements are bytes offset + 1..#bytes

---The header of a file that begins with these bytes, and the size of the whole file that it
---promises. While the bytes end before the header does, no header but how many bytes it needs.
---@param bytes string
---@return Idx?      without its bytes
---@return integer?
---@return string?   nil, nil and the reason why it is none
function idx.parse(bytes)
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

-- Add a chunk to what there is. The header is read as soon as it is there: `doubt` gives a reason
-- not to believe what it promises, before memory is asked for. Gives the size of the chunk; nil at
-- the end, or nil and a reason to go no further.
local function add(self, doubt, chunk, reason)
  if not chunk then return nil, reason end
  local added = chunk
  if not self.content then
    self.start = self.start .. chunk
    self.content, self.promised, reason = idx.parse(self.start)
    reason = reason or self.content and doubt(self.content, self.promised)
    if reason then return nil, reason end
    if not self.content then return #chunk end
    added, self.start, self.bytes = self.start, nil, core.octets(self.promised)
  end
  if #added > self.promised - #self.bytes then
    return nil, ("%s, more came"):format(expectation(self.content, self.promised))
  end
  self.bytes:append(added)
  return #chunk
end

-- One IDX file of its bytes, or nil and a reason
local function assemble(bytes_of, doubt)
  local self = { start = "", promised = 4 }
  repeat
    local size, reason = add(self, doubt, bytes_of:chunk())
    if reason then return nil, reason end
  until not size
  local found, bytes, promised = self.content, self.bytes, self.promised
  if not found then
    return nil, ("a header of %d bytes expected, %d came"):format(promised, #self.start)
  elseif #bytes < promised then
    return nil, ("%s, %d came"):format(expectation(found, promised), #bytes)
  end
  found.bytes = bytes
  return found
end

local function content_of(source)
  local bytes_of, reason = content.of(source, math.huge)
  if not bytes_of then return nil, reason end
  return assemble(bytes_of, function(header, promised)
    if bytes_of.is_gzip then
      return promised > bytes_of.most
        and ("%s, more than %d bytes of gzip data can hold"):format(
          expectation(header, promised), source.size)
    end
    return promised ~= source.size
      and ("%s, %d came"):format(expectation(header, promised), source.size)
  end)
end

-- What `source` holds, or nil and "name: reason"
local function read(source, name)
  local found, reason = content_of(source)
  if not found then return nil, ("%s: %s"):format(name, reason) end
  return found
end

---IDX data in memory, plain or gzip-compressed; the content decides which.
---@param bytes string
---@param name? string  what messages call it, default "IDX data"
---@return Idx?
---@return string?      nil and "name: what was expected and what came" for damaged data
function idx.decode(bytes, name)
  fields.value("bytes", bytes, { "string" })
  name = name == nil and "IDX data" or fields.value("name", name, { "string" })
  return read(file.of(bytes), name)
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

-- The header for so many elements; raises where the dimensions make another number of them.
local function header_of(dimensions, bytes)
  local count = type(dimensions) == "table" and fields.length(dimensions, "dimensions")
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
  return table.concat(header)
end

---The bytes of an IDX file. Raises when the dimensions and the number of elements disagree.
---@param dimensions integer[]  1 to 255 of them, each 1..2^32 - 1; the last one runs fastest
---@param bytes string          the elements, one byte each
---@return string
function idx.encode(dimensions, bytes)
  return header_of(dimensions, bytes) .. bytes
end

---Write an IDX file, as encode gives it. A file that is there is replaced at once, or stays. Of a
---matrix S x N whose numbers are from 0 to 255:
---    assert(pl.data.write.idx("X-idx2-ubyte", { X.cols, X.rows }, X:encode "uint8"))
---@param path string
---@param dimensions integer[]
---@param bytes string
---@return true?
---@return string?  nil and "path: reason"
function idx.write(path, dimensions, bytes)
  fields.value("path", path, { "path" })
  local pieces, k = { header_of(dimensions, bytes), bytes }, 0
  return file.write(path, function()
    k = k + 1
    return pieces[k]
  end)
end

return idx
