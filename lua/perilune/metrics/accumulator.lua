-- What a metric keeps from batch to batch, where that is a fixed count of numbers: sums and counts,
-- in double whatever the element type. Each number is the sum of what the batches add to it. What a
-- batch adds is made first (weigh), which may need memory and raise, and then added (count), which
-- does neither.

local errors = require "perilune.errors"

---@class Accumulator
---@field weigh fun(self: Accumulator, batch: MetricBatch)  changes nothing but what `count` adds
---@field count fun(self: Accumulator)      add what was weighed last
---@field result fun(self: Accumulator): number
---@field numbers number[]  what is kept: all 0 at first
---@field weighed number[]  what the batch that was weighed adds to each
---@field options table     of the metric
---@field about About
local Accumulator = {}
Accumulator.__index = Accumulator

local function zeros(numbers, size)
  for k = 1, size do numbers[k] = 0 end
  return numbers
end

---`weigh` sets all numbers of `weighed`, or first calls clear().
---@param definition { name: string, size: integer, weigh: function, result: function }
---@param options table
---@param about About
---@return Accumulator
function Accumulator.new(definition, options, about)
  local size = definition.size
  return setmetatable({
    name = definition.name, size = size, weigh = definition.weigh, result = definition.result,
    options = options, about = about, numbers = zeros({}, size), weighed = zeros({}, size),
  }, Accumulator)
end

---Let what a batch adds begin with nothing.
---@return number[] weighed
function Accumulator:clear()
  return zeros(self.weighed, self.size)
end

---Add what was weighed last.
function Accumulator:count()
  local numbers, weighed = self.numbers, self.weighed
  for k = 1, self.size do numbers[k] = numbers[k] + weighed[k] end
end

---Begin again from nothing.
---@return Accumulator self
function Accumulator:reset()
  zeros(self.numbers, self.size)
  return self
end

---@return number[]
function Accumulator:state()
  return table.move(self.numbers, 1, self.size, 1, {})
end

---Raise unless `state` is one that state() gave.
---@param state any
function Accumulator:check_state(state)
  local is_state = type(state) == "table" and #state == self.size
  for k = 1, is_state and self.size or 0 do is_state = is_state and type(state[k]) == "number" end
  if not is_state then
    errors.raise("state of the metric %s: a list of %d numbers expected, got %s", self.name,
      self.size, errors.show(state))
  end
end

---Check a state, and give a function that goes on from it, which needs no memory and raises
---nothing.
---@param state any
---@return fun()
function Accumulator:restorer(state)
  self:check_state(state)
  local numbers = table.move(state, 1, self.size, 1, {})
  return function() self.numbers = numbers end
end

return Accumulator
