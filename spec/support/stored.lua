-- Safetensors files in memory, for specs that look at every byte or change it.

local file = require "perilune.store.file"
local safetensors = require "perilune.store.safetensors"

local stored = {}

---The whole safetensors file.
---@param tensors StoredTensor[]
---@param metadata? table<string, string>
---@return string
function stored.encode(tensors, metadata)
  local pieces = {}
  for piece in safetensors.pieces(tensors, metadata) do pieces[#pieces + 1] = piece end
  return table.concat(pieces)
end

---What a safetensors file holds.
---@param bytes string
---@return Content?
---@return string?
function stored.decode(bytes)
  return safetensors.read(file.of(bytes))
end

return stored
