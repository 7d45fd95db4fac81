-- Lists of layers, as chains and branches hold them.

local errors = require "perilune.errors"

local list = {}

---Raise unless `layers` is a list of one layer or more, and nothing else.
---@param layers table
---@param what string  how one of them is called: "layer"
function list.check(layers, what)
  local last = 0
  for key in pairs(layers) do
    if math.type(key) ~= "integer" or key < 1 then
      errors.raise("unknown field %s beside the %ss", errors.show(key), what)
    end
    last = math.max(last, key)
  end
  if last == 0 then errors.raise("at least one %s expected", what) end
  for k = 1, last do
    if layers[k] == nil then errors.raise("%s %d is missing", what, k) end
  end
end

---"3 layers", "1 layer"
---@param layers table
---@param what string
---@return string
function list.count(layers, what)
  return ("%d %s%s"):format(#layers, what, #layers == 1 and "" or "s")
end

return list
