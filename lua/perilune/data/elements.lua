-- Samples that lie one behind the other in a plain file: an array of NumPy or an IDX file, whose
-- first dimension counts them (in Fortran order the last). Sample n is read without those before
-- it.

local cores = require "perilune.cores"
local file = require "perilune.store.file"
local idx = require "perilune.data.idx"
local npy = require "perilune.data.npy"

---@class Elements : SampleSource
---@field path string
---@field type string     of an element, as core.decode calls it
---@field width integer   its bytes
---@field endian string
---@field offset integer  bytes before the first sample
---@field scale number    by which elements are multiplied
local Elements = {}
Elements.__index = Elements

local GZIP = "\x1f\x8b"
local LONGEST_START = 2 ^ 17 | 0 -- bytes: no header is longer

---As SampleSource has it.
---@param M Matrix
---@param first integer
---@return true?
---@return string?
function Elements:fill(M, first)
  local size = self.rows * self.width
  local from = self.offset + (first - 1) * size + 1
  local bytes, reason = self.file:read(from, from + M.cols * size - 1)
  if not bytes then return nil, ("%s: %s"):format(self.path, reason) end
  local ok, message = pcall(M.decode, M, bytes, self.type, self.endian)
  if not ok then
    local x = tostring(message):match "element %d+ is (.-) exactly"
    if not x then error(message, 0) end
    return nil, ("%s: samples %d to %d hold %s exactly"):format(self.path, first,
      first + M.cols - 1, x)
  end
  if self.scale ~= 1 then cores.of(M).hadamard(M, M, self.scale) end
  return true
end

-- What the file's header says, or nil and a reason
local function header_of(source)
  local start, reason = source:read(1, math.min(source.size, LONGEST_START))
  if not start then return nil, reason end
  if start:sub(1, #GZIP) == GZIP then
    return nil, "packed by gzip: only in a plain file can samples be found by their number"
  end
  local format = start:sub(1, 2) == "\0\0" and idx or npy
  local header, promised
  header, promised, reason = format.parse(start)
  if not header then return nil, reason or "its header ends too early" end
  if promised ~= source.size then
    return nil, ("%d bytes expected, %d came"):format(promised, source.size)
  end
  return header
end

---The samples of a file.
---@param path string
---@param options { dtype: string?, scale: number? }  dtype: default as the reader of the format has
---it; scale: default 1/255 for IDX, else 1
---@return Elements?
---@return string?  nil and "path: what was expected and what came"
function Elements.open(path, options)
  local source, message = file.open(path)
  if not source then return nil, message end
  local header, reason = header_of(source)
  if not header then
    source.handle:close()
    return nil, ("%s: %s"):format(path, reason)
  end
  local dimensions = header.dimensions
  local N, count = dimensions[header.is_fortran and #dimensions or 1], 1
  for _, size in ipairs(dimensions) do count = count * size end
  return setmetatable({
    path = path, file = source, rows = count // N, cols = N, type = header.type,
    width = header.width or 1, endian = header.endian or "big", offset = header.offset,
    dtype = options.dtype or header.dtype or "float32",
    is_finite = not header.type:find "float",
    scale = options.scale or header.endian == nil and 1 / 255 or 1,
  }, Elements)
end

return Elements
