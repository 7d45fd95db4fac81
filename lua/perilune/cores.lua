-- The C core of each element type, by its name and by its matrices.

local errors = require "perilune.errors"
local float32 = require "perilune.core.float32"
local float64 = require "perilune.core.float64"

local cores = { float32 = float32, float64 = float64 }

---How many elements a matrix may have, and so the most rows or columns: what C counts in an int.
cores.MOST_ELEMENTS = 2 ^ 31 - 1 | 0

---The core called `name`.
---@param name string
---@return Core
function cores.named(name)
  if name ~= "float32" and name ~= "float64" then
    errors.raise("dtype: \"float32\" or \"float64\" expected, got %s", errors.show(name))
  end
  return cores[name]
end

---Whether `value` is one of the cores.
---@param value any
---@return boolean
function cores.is_core(value)
  return rawequal(value, float32) or rawequal(value, float64)
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

---Whether `value` is a generator; it fills matrices of both types.
---@param value any
---@return boolean
function cores.is_generator(value)
  return type(value) == "userdata" and getmetatable(value) == "generator"
end

---Whether `value` is bytes: a string, or octets.
---@param value any
---@return boolean
function cores.is_bytes(value)
  return type(value) == "string" or type(value) == "userdata" and getmetatable(value) == "octets"
end

---Raise unless `value` is a generator.
---@param value any
function cores.check_generator(value)
  if cores.is_generator(value) then return end
  errors.raise("generator: a generator expected, got %s", errors.show(value))
end

---A value as a message shows it, matrices with their type.
---@param value any
---@return string
function cores.show(value)
  local text = errors.show(value)
  return cores.is_matrix(value) and ("%s of %s"):format(text, value.dtype) or text
end

---Raise unless `state` is one that a generator's state() gave.
---@param state any
function cores.check_generator_state(state)
  local is_state = type(state) == "string" and #state == 64
    and not state:find("[^0-9a-f]")
    and state:find("[^0]")
  if not is_state then
    errors.raise("state of a generator: 64 hexadecimal digits expected, got %s",
      errors.show(state))
  end
end

return cores
