-- What the C modules give at run time, by the names that perilune/core/meta.lua has for it.

local system = require "perilune.core.system"

-- What the metamethod that reads a matrix's fields looks them up in: one of its upvalues
local function members_of_matrices(read)
  for upvalue = 1, math.huge do
    local name, value = debug.getupvalue(read, upvalue)
    assert(name, "no upvalue holds the methods")
    if type(value) == "table" and value.columns then return value end
  end
end

---By class its functions, methods and fields, by name.
---@param core Core
---@return table<string, table<string, any>>
return function(core)
  return {
    Core = core,
    Matrix = members_of_matrices(debug.getmetatable(core.matrix(1, 1)).__index),
    Generator = debug.getmetatable(core.generator()).__index,
    Cells = debug.getmetatable(core.cells(1, false, ",", "", ".", {})).__index,
    Octets = debug.getmetatable(core.octets(1)).__index,
    Activation = core.activation "elu", -- one with an option
    System = system,
  }
end
