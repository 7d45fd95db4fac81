-- What a metric keeps from batch to batch, where that is a fixed count of numbers: sums and counts,
-- in double whatever the element type.

local errors = require "perilune.errors"

---@class Accumulator
---@field add fun(self: Accumulator, batch: MetricBatch)
---@field result fun(self: Accumulator): number
---@field numbers number[]  what is kept: all 0 at first
---@field options table     of the metric
---@field about About
local Accumulator = {}
Accumulator.__index = Accumulator

---@param definition { name: string, count: integer, add: function, result: function }
---@param options table
---@param about About
---@return Accumulator
function Accumulator.new(definition, options, about)
  return setmetatable({
    name = definition.name, count = definition.count, add = definition.add,
    result = definition.result, options = options, about = about, numbers = {},
  }, Accumulator):reset()
end

---Begin again from nothing.
---@return Accumulator self
function Accumulator:reset()
  for k = 1, self.count do self.numbers[k] = 0 end
  return self
end

---@return number[]
function Accumulator:state()
  return table.move(self.numbers, 1, self.count, 1, {})
end

---Raise unless `state` is one that state() gave.
---@param state any
function Accumulator:check_state(state)
  local is_state = type(state) == "table" and #state == self.count
  for k = 1, is_state and self.count or 0 do is_state = is_state and type(state[k]) == "number" end
  if not is_state then
    errors.raise("state of the metric %s: a list of %d numbers expected, got %s", self.name,
      self.count, errors.show(state))
  end
end

---Check a state, and give a function that goes on from it, which needs no memory and raises
---nothing.
---@param state any
---@return fun()
function Accumulator:restorer(state)
  self:check_state(state)
  local numbers = table.move(state, 1, self.count, 1, {})
  return function() self.numbers = numbers end
end

return Accumulator
