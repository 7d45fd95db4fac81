-- Several parts that act on gradients, one after the other, as a trainer uses them.

local errors = require "perilune.errors"

local raise, show = errors.raise, errors.show

---@class GradientList
---@field parts any[]      functions, or parts of the family `gradient`
---@field before any[]     states from before the step that is open
local List = {}
List.__index = List

-- A function of the user's own has no methods.
local function method_of(part, name)
  return type(part) == "table" and part[name] or nil
end

---@param parts any[]
---@return GradientList
function List.new(parts)
  local before = {}
  for k = 1, #parts do before[k] = false end
  return setmetatable({ parts = parts, before = before }, List)
end

---Change the gradients.
---@param parameters Tensor[]
function List:apply(parameters)
  for _, part in ipairs(self.parts) do part(parameters) end
end

---What is to be done after the update.
---@param parameters Tensor[]
function List:after(parameters)
  for _, part in ipairs(self.parts) do
    local after = method_of(part, "after")
    if after then after(part, parameters) end
  end
end

---Add the gradients of penalties alone, and give what they add to J: for an optimiser that computes
---J anew. Limits and noise are of the step, not of J.
---@param parameters Tensor[]
---@return number
function List:add_penalties(parameters)
  local sum = 0
  for _, part in ipairs(self.parts) do
    local penalty = method_of(part, "penalty")
    if penalty then
      part(parameters)
      sum = sum + penalty(part, parameters)
    end
  end
  return sum
end

---Keep what the parts remember, for put_back.
function List:take()
  for k, part in ipairs(self.parts) do
    local state = method_of(part, "state")
    if state then self.before[k] = state(part) end
  end
end

---Give the parts back what take has kept.
function List:put_back()
  for k, part in ipairs(self.parts) do
    if self.before[k] then part:restore(self.before[k]) end
  end
end

---@return any[]  a state for each part, false for those that remember nothing
function List:state()
  local states = {}
  for k, part in ipairs(self.parts) do
    local state = method_of(part, "state")
    states[k] = state and state(part) or false
  end
  return states
end

---Raise unless these are states that state() of such parts gave.
---@param states any
function List:check_state(states)
  if type(states) ~= "table" or #states ~= #self.parts then
    raise("state of what acts on gradients: %d expected, got %s", #self.parts,
      type(states) == "table" and #states or show(states))
  end
  for k, part in ipairs(self.parts) do
    local remembers, check = method_of(part, "state") ~= nil, method_of(part, "check_state")
    if remembers ~= (states[k] ~= false) then
      raise("state %d of what acts on gradients: %s expected, got %s", k,
        remembers and "a state" or "none", show(states[k]))
    end
    if check and states[k] then check(part, states[k]) end
  end
end

---@param states any[]
---@return GradientList self
function List:restore(states)
  self:check_state(states)
  for k, part in ipairs(self.parts) do
    if states[k] then part:restore(states[k]) end
  end
  return self
end

return List
