-- Files in memory, for specs that look at every byte or change it.

local safetensors = require "perilune.store.safetensors"

local stored = {}

local Source = {
  read = function(self, first, last) return self.bytes:sub(first, last) end,
  __close = function() end,
}
Source.__index = Source

---What file.open gives, of these bytes.
---@param bytes string
---@return Source
function stored.source(bytes)
  return setmetatable({ bytes = bytes, size = #bytes }, Source)
end

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
  return safetensors.read(stored.source(bytes))
end

return stored
