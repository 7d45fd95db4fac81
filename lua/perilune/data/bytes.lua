-- Samples that stay unsigned bytes in memory and become numbers when a mini-batch is gathered: a
-- quarter of the memory of float32, and less of it to move.

local check_indices = require "perilune.data.indices"
local cores = require "perilune.cores"
local errors = require "perilune.errors"
local fields = require "perilune.fields"

local raise, show = errors.raise, errors.show

---@class Bytes
---@field rows integer    bytes of a sample
---@field cols integer    samples
---@field bytes string|Octets
---@field offset integer  bytes before the first sample
---@field scale number
local Bytes = {}
Bytes.__index = Bytes

local declared = {
  offset = { "integer", default = 0, least = 0 },
  scale = { "number", default = 1 / 255 },
}

---`cols` samples of `rows` consecutive bytes each, seen as a rows x cols matrix of scale * byte.
---Options: offset, bytes before the first sample (default 0); scale (default 1/255).
---@param bytes string|Octets
---@param rows integer
---@param cols integer
---@param given? { offset: integer, scale: number }
---@return Bytes
function Bytes.new(bytes, rows, cols, given)
  if not cores.is_bytes(bytes) then
    raise("bytes: a string or octets expected, got %s", show(bytes))
  end
  rows = fields.value("rows", rows, { "count" })
  cols = fields.value("cols", cols, { "count" })
  local options = fields.check(declared, given, "pl.bytes")
  local offset = options.offset
  if cols > (#bytes - offset) // rows then
    raise("bytes: %d x %d from offset %d on expected, got %d", rows, cols, offset,
      #bytes - offset)
  end
  return setmetatable({
    bytes = bytes, rows = rows, cols = cols, offset = offset, scale = options.scale,
  }, Bytes)
end

---Whether `value` is such samples.
---@param value any
---@return boolean
function Bytes.is_bytes(value)
  return getmetatable(value) == Bytes
end

---As gather, without checks but those of C: for the library's own loops.
---@param X Matrix
---@param indices integer[]?  nil for all, in order
---@param first? integer
---@return Matrix X
function Bytes:take(X, indices, first)
  return cores.of(X).gather_bytes(X, self.bytes, self.offset, self.scale, indices, first)
end

---Column j of X = sample indices[first + j - 1].
---@param X Matrix            rows x any, of either type, stored by columns
---@param indices integer[]   samples, from 1 to cols
---@param first? integer      default 1
---@return Matrix X
function Bytes:gather(X, indices, first)
  if not cores.is_matrix(X) or X.rows ~= self.rows or X.order ~= "columns" then
    raise("X: a matrix of %d rows, stored by columns, expected, got %s", self.rows,
      show(X))
  end
  return self:take(X, indices, check_indices(indices, first, X.cols, self.cols))
end

---Samples first..last as a new matrix.
---@param first integer
---@param last integer
---@param dtype? "float32"|"float64"  default "float32"
---@return Matrix                     rows x (last - first + 1)
function Bytes:columns(first, last, dtype)
  local core = cores.named(dtype or "float32")
  local from, to = fields.whole(first), fields.whole(last)
  if not from or not to or from < 1 or to < from or to > self.cols then
    raise("samples within 1 to %d expected, got %s to %s", self.cols, show(first),
      show(last))
  end
  return self:take(core.matrix(self.rows, to - from + 1), nil, from)
end

---The samples that `indices` names, in bytes of their own.
---@param indices integer[]  samples, from 1 to cols
---@return Bytes
function Bytes:choose(indices)
  local _, count = check_indices(indices, 1, nil, self.cols)
  local samples, rows = {}, self.rows
  for k = 1, count do
    local first = self.offset + (fields.whole(indices[k]) - 1) * rows
    samples[k] = self.bytes:sub(first + 1, first + rows)
  end
  return Bytes.new(table.concat(samples), rows, count, { scale = self.scale })
end

return Bytes
