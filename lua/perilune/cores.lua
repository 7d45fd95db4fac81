-- The C core of each element type, by its name and by its matrices.

local float32 = require "perilune.core.float32"
local float64 = require "perilune.core.float64"

local cores = { float32 = float32, float64 = float64 }

---The core called `name`; raises at the line `level` calls up for an unknown one.
---@param name string
---@param level? integer  default: the caller of the caller
---@return Core
function cores.named(name, level)
  if name ~= "float32" and name ~= "float64" then
    error(("dtype 'float32' or 'float64' expected, got '%s'"):format(tostring(name)),
      (level or 2) + 1)
  end
  return cores[name]
end

---The core that made `M`.
---@param M Matrix
---@return Core
function cores.of(M)
  return cores[M.dtype]
end

---Whether `value` is a matrix of either type.
---@param value any
---@return boolean
function cores.is_matrix(value)
  return type(value) == "userdata" and getmetatable(value) == "matrix"
end

---Whether `value` is a generator of either type.
---@param value any
---@return boolean
function cores.is_generator(value)
  return type(value) == "userdata" and getmetatable(value) == "generator"
end

return cores
