-- The checksum of a dataset, by which a training run knows its data again.

local zlib = require "zlib"

---@param dataset Dataset
---@return string  CRC-32, 8 hexadecimal digits
local function checksum(dataset)
  local add, sum = zlib.crc32(), 0
  for _, letter in ipairs { "X", "T", "weights" } do
    local M = dataset.source[letter]
    if M then
      local dtype = M.dtype or "float32"
      sum = add(("%s: %d x %d %s\n"):format(letter, M.rows, dataset.N, dtype))
      for _, chunk in dataset:chunks(letter) do sum = add(chunk:encode(dtype)) end
    end
  end
  return ("%08x"):format(sum)
end

return checksum
