-- Safetensors files in memory, for specs that look at every byte or change it.

local file = require "perilune.store.file"
local safetensors = require "perilune.store.safetensors"

local stored = {}

---The whole safetensors file.
---@param tensors StoredTensor[]
---@param metadata? table<string, string>
---@return string
function stored.encode(tensors, metadata)
  local chunks = {}
  for chunk in safetensors.chunks(tensors, metadata) do chunks[#chunks + 1] = chunk end
  return table.concat(chunks)
end

---What a safetensors file holds.
---@param bytes string
---@return Content?
---@return string?
function stored.decode(bytes)
  return safetensors.read(file.of(bytes))
end

return stored
