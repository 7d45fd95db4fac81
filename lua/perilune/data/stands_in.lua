-- What stands in for a matrix of samples wherever batches are made or outputs predicted.

local Bytes = require "perilune.data.bytes"
local Stored = require "perilune.data.stored"

---Whether `value` is bytes or samples that stay in a file.
---@param value any
---@return boolean
local function stands_in(value)
  return Bytes.is_bytes(value) or Stored.is_stored(value)
end

return stands_in
