-- Optimisers that move all parameters together, as one vector, and evaluate J and its gradients
-- several times in a step: those that use second derivatives, or estimate them. They have the
-- methods that all optimisers have; a kind is a Method (theta.lua).

local Plan = require "perilune.optimizer.plan"
local Theta = require "perilune.optimizer.theta"
local errors = require "perilune.errors"
local fields = require "perilune.fields"

local raise, show = errors.raise, errors.show

---@class SecondOrder
---@field name string
---@field rate number?     what the length of a step begins with, where the method has a rate
---@field options table
---@field steps integer    steps made
---@field evaluates true|"jacobian"
local SecondOrder = {}
SecondOrder.__index = SecondOrder

---@param kind Method
---@param options table
---@return SecondOrder
function SecondOrder.new(kind, options)
  return setmetatable({
    name = kind.name, kind = kind, options = options, rate = options.rate, steps = 0,
    evaluates = kind.evaluates, keeps = kind.keeps(options), first = kind.numbers(options),
    theta = false, restored = false, opened = false, -- nothing is kept yet
  }, SecondOrder)
end

---Raise unless this is a list of parameters.
---@param parameters { name: string, value: Matrix, gradient: Matrix }[]
function SecondOrder.check_parameters(_, parameters)
  Plan.read(parameters)
end

local function is_rate(rate)
  return type(rate) == "number" and rate >= 0 and rate < math.huge
end

local function check_arguments(self, rate, evaluate)
  if rate ~= nil and not is_rate(rate) then
    raise("rate: a finite number of 0 or more expected, got %s", show(rate))
  end
  if type(evaluate) ~= "function" then
    raise("%s: evaluate expected, step(parameters, rate, evaluate), a function that computes J and "
      .. "the gradients of the same batch again and gives J, got %s", self.name, show(evaluate))
  end
end

-- A function from a parameter's name to the names of what is kept for it
local function new_keeps_of(self)
  return function() return self.keeps end
end

local function set_numbers(theta, numbers)
  for name, x in pairs(numbers) do theta.numbers[name] = x end
end

-- For parameters that come for the first time. What has been kept so far must be theirs, by name.
-- Nil where there are none.
local function new_theta(self, parameters)
  local entries, flat = Plan.read(parameters)
  if #entries == 0 then return nil end
  local theta = Theta.new(parameters, entries, flat, self.kind, self.options)
  local before = self.restored
  if self.theta then
    before = { tensors = self.theta.places, numbers = self.theta.numbers }
  end
  if before then
    Plan.check_state(before.tensors, new_keeps_of(self), entries)
    theta:take(before.tensors)
    set_numbers(theta, before.numbers)
  end
  return theta
end

-- Where a step raises while it is open, all goes back.
function SecondOrder:__close()
  if self.opened then
    self.opened:put_back()
    self.opened = false
  end
end

---One step, or, where it raises, none: the values, the gradients and what is remembered are then as
---before. Afterwards the gradients are those at the new values.
---@param parameters { name: string, value: Matrix, gradient: Matrix }[]
---@param rate? number      >= 0; default: the optimiser's own; a method without a rate ignores it
---@param evaluate function  evaluate() --> J computes J and the gradients again, of the same batch,
---with the values that the parameters have when it is called
function SecondOrder:step(parameters, rate, evaluate)
  check_arguments(self, rate, evaluate)
  local theta = self.theta
  if not theta or (not rawequal(theta.fixed, parameters) and not theta:is_of(parameters)) then
    theta = new_theta(self, parameters)
    if not theta then
      self.steps = self.steps + 1
      return
    end
  end
  theta:open(evaluate)
  self.opened = theta
  local _ <close> = self
  self.kind.step(theta, self.options, rate or self.rate)
  theta:close()
  self.opened, self.steps = false, self.steps + 1
  if theta ~= self.theta then self.theta, self.restored = theta, false end
end

local function copied(numbers)
  local copy = {}
  for name, x in pairs(numbers) do copy[name] = x end
  return copy
end

---What it remembers: how many steps it has made, its rate, where it has one, numbers, and for each
---parameter by name matrices of its shape.
---@return { steps: integer, rate: number?, numbers: table, tensors: table }
function SecondOrder:state()
  local now = self.restored
  if self.theta then now = { tensors = self.theta.places, numbers = self.theta.numbers } end
  return {
    steps = self.steps, rate = self.rate,
    tensors = Plan.copy(now and now.tensors or {}),
    numbers = copied(now and now.numbers or self.first),
  }
end

local function check_numbers(self, numbers)
  if type(numbers) ~= "table" then
    raise("state of %s: a table of numbers expected, got %s", self.name, show(numbers))
  end
  for name, first in pairs(self.first) do
    local x = numbers[name]
    local fits = type(x) == "number" and x - x == 0
      and (math.type(first) == "float" or fields.whole(x) ~= nil)
    if not fits then
      raise("state of %s: a number '%s' expected, got %s", self.name, name, show(x))
    end
  end
  for name in pairs(numbers) do
    if self.first[name] == nil then
      raise("state of another kind of optimiser: %s is not kept here", show(name))
    end
  end
  local check = self.kind.check_numbers
  if check and not check(numbers, self.options) then
    raise("state of %s: its numbers are none that go with these options", self.name)
  end
end

---Raise unless `state` is one that state() gave; of these parameters, or else of those of the last
---step.
---@param state any
---@param parameters? table
function SecondOrder:check_state(state, parameters)
  local steps = type(state) == "table" and fields.whole(state.steps)
  local has_rate = steps and (self.rate == nil and state.rate == nil or is_rate(state.rate))
  if not steps or steps < 0 or not has_rate then
    raise("state of an optimiser expected, as state() gives it, got %s", show(state))
  end
  check_numbers(self, state.numbers)
  local entries = Plan.entries_after(steps, parameters, self.theta)
  Plan.check_state(state.tensors, new_keeps_of(self), entries)
end

---Check a state, and give a function that continues from it, which needs no memory and raises
---nothing.
---@param state any
---@return fun()
function SecondOrder:restorer(state)
  self:check_state(state)
  local steps, theta = fields.whole(state.steps), self.theta
  local numbers = copied(state.numbers)
  local restored = steps > 0 and not theta
    and { tensors = Plan.copy(state.tensors), numbers = numbers }
  return function()
    self.steps, self.rate = steps, state.rate
    if steps > 0 and theta then
      theta:take(state.tensors)
      set_numbers(theta, numbers)
    else
      self.theta, self.restored = false, restored
    end
  end
end

---Continue from what state() gave. Where there has been no step yet, the next one checks it against
---its parameters.
---@param state table
---@return SecondOrder self
function SecondOrder:restore(state)
  self:restorer(state)()
  return self
end

function SecondOrder:__tostring()
  return self.rate and ("%s, rate %g"):format(self.name, self.rate) or self.name
end

return SecondOrder
