-- Samples that stay unsigned bytes in memory and become numbers when a mini-batch is gathered: a
-- quarter of the memory of float32, and less of it to move.

local cores = require "perilune.cores"
local options = require "perilune.options"

---@class Bytes
---@field rows integer  bytes of a sample
---@field cols integer  samples
---@field bytes string
---@field offset integer
---@field scale number
local Bytes = {}
Bytes.__index = Bytes

---`cols` samples of `rows` consecutive bytes each, seen as a rows x cols matrix of scale * byte.
---Options: offset, bytes before the first sample (default 0); scale (default 1/255).
---@param bytes string
---@param rows integer
---@param cols integer
---@param given? table
---@return Bytes
function Bytes.new(bytes, rows, cols, given)
  local chosen = options(given, { offset = 0, scale = 1 / 255 })
  local offset, scale = chosen.offset, chosen.scale
  if type(bytes) ~= "string" then
    error(("a string of bytes expected, got %s"):format(type(bytes)), 2)
  end
  if math.type(rows) ~= "integer" or math.type(cols) ~= "integer"
    or rows < 1 or cols < 1 then
    error(("1 or more rows and columns expected, got %s x %s"):format(tostring(rows),
      tostring(cols)), 2)
  end
  if math.type(offset) ~= "integer" or offset < 0 then
    error(("offset: 0 or more bytes expected, got %s"):format(tostring(offset)), 2)
  end
  if type(scale) ~= "number" then
    error(("scale: a number expected, got %s"):format(tostring(scale)), 2)
  end
  if cols > (#bytes - offset) // rows then
    error(("%d x %d bytes from offset %d on expected, got %d"):format(rows, cols, offset,
      #bytes - offset), 2)
  end
  return setmetatable({
    bytes = bytes, rows = rows, cols = cols, offset = offset, scale = scale,
  }, Bytes)
end

---Column j of X = sample indices[first + j - 1].
---@param X Matrix            rows x any
---@param indices integer[]
---@param first? integer
---@return Matrix X
function Bytes:gather(X, indices, first)
  if X.rows ~= self.rows then
    error(("X: %d rows expected, got %d"):format(self.rows, X.rows), 2)
  end
  return cores.of(X).gather_bytes(X, self.bytes, self.offset, self.scale, indices, first)
end

---Samples first..last as a new matrix.
---@param first integer
---@param last integer
---@param dtype? string  default "float32"
---@return Matrix
function Bytes:columns(first, last, dtype)
  local core = cores.named(dtype or "float32")
  if math.type(first) ~= "integer" or math.type(last) ~= "integer"
    or first < 1 or last < first or last > self.cols then
    error(("samples within 1 to %d expected, got %s to %s"):format(self.cols,
      tostring(first), tostring(last)), 2)
  end
  local indices = {}
  for k = first, last do indices[#indices + 1] = k end
  return self:gather(core.matrix(self.rows, last - first + 1), indices)
end

return Bytes
