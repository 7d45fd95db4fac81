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
  if math.type(rows) ~= "integer" or math.type(cols) ~= "integer"
    or rows < 1 or cols < 1 then
    error(("1 or more rows and columns expected, got %s x %s"):format(tostring(rows),
      tostring(cols)), 2)
  end
  if cols > (#bytes - chosen.offset) // rows then
    error(("%d x %d bytes from offset %d on expected, got %d"):format(rows, cols,
      chosen.offset, #bytes - chosen.offset), 2)
  end
  return setmetatable({
    bytes = bytes, rows = rows, cols = cols, offset = chosen.offset, scale = chosen.scale,
    buffers = {},
  }, Bytes)
end

---Column j of X = sample indices[first + j - 1].
---@param X Matrix            rows x any
---@param indices integer[]
---@param first? integer
---@return Matrix X
function Bytes:gather(X, indices, first)
  return cores.of(X).gather_bytes(X, self.bytes, self.offset, self.scale, indices, first)
end

---Samples first..last as a new matrix.
---@param first integer
---@param last integer
---@param dtype? string  default "float32"
---@return Matrix
function Bytes:columns(first, last, dtype)
  local indices = {}
  for k = first, last do indices[#indices + 1] = k end
  local X = cores[dtype or "float32"].matrix(self.rows, last - first + 1)
  return self:gather(X, indices)
end

return Bytes
