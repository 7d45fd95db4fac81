-- Optimisers. Each sees a list of parameters { value =, gradient = } and nothing of networks:
--     optimizer:step(parameters [, rate])   one update; `rate` (a schedule's) replaces its own
--     optimizer:state()  optimizer:restore(state)   plain data and matrices
-- A table of your own with a method step is as good.

local State = require "perilune.optimizer.state"
local options = require "perilune.options"

---@class Optimizer
---@field name string
---@field rate number  learning rate
local Optimizer = {}
Optimizer.__index = Optimizer

---@param parameters { value: Matrix, gradient: Matrix }[]
---@param rate? number  default: the optimiser's own
function Optimizer:step(parameters, rate)
  rate = rate or self.rate
  local state = self.kept
  state.steps = state.steps + 1
  for k = 1, #parameters do
    local parameter = parameters[k]
    self.update(self, parameter.value, parameter.gradient, state:of(k, parameter.value),
      rate, state.steps)
  end
end

---@return table
function Optimizer:state()
  return self.kept:copy()
end

---@param state table  what state() gave
function Optimizer:restore(state)
  self.kept:restore(state)
end

function Optimizer:__tostring()
  return ("%s, rate %g"):format(self.name, self.rate)
end

local function check_range(name, given, option, low, high)
  local value = given[option]
  if type(value) ~= "number" or not (value >= low) or not (value < high) then
    local range = high == math.huge and ("a finite number >= %g"):format(low)
      or ("a number in [%g, %g)"):format(low, high)
    error(("%s: %s expected as %s, got %s"):format(name, range, option,
      tostring(value)), 3)
  end
end

-- The constructor of an optimiser. `ranges` are the options with their allowed ranges, `names` what
-- is kept beside each parameter.
local function kind(name, names, defaults, ranges, update)
  return function(given)
    local self = options(given, defaults)
    check_range(name, self, "rate", 0, math.huge)
    check_range(name, self, "weight_decay", 0, math.huge)
    for option, range in pairs(ranges) do
      check_range(name, self, option, range[1], range[2])
    end
    self.name = name
    self.update = update
    self.kept = State.new(names)
    return setmetatable(self, Optimizer)
  end
end

local optimizer = {}

---Gradient descent: p = p - rate (g + weight_decay p).
---Options: rate (default 0.01), weight_decay (default 0; all parameters, biases included).
---@param given? table
---@return Optimizer
optimizer.sgd = kind("sgd", {}, { rate = 0.01, weight_decay = 0 }, {},
  function(self, p, g, kept, rate)
    kept.core.sgd_update(p, g, rate, self.weight_decay)
  end)

---Gradient descent with momentum: v = momentum v + g + weight_decay p, p = p - rate v, or with
---`nesterov` a look ahead (Sutskever et al. 2013).
---Options: rate (default 0.01), momentum in [0, 1) (default 0.9), nesterov (default false),
---weight_decay (default 0).
---@param given? table
---@return Optimizer
optimizer.momentum = kind("momentum", { "v" },
  { rate = 0.01, momentum = 0.9, nesterov = false, weight_decay = 0 },
  { momentum = { 0, 1 } },
  function(self, p, g, kept, rate)
    kept.core.momentum_update(p, g, kept.v, rate, self.momentum, self.nesterov,
      self.weight_decay)
  end)

---Adam (Kingma and Ba 2015); with weight_decay AdamW (Loshchilov and Hutter 2019), the decay being
---decoupled.
---Options: rate (default 0.001), beta1 (0.9), beta2 (0.999) in [0, 1), epsilon (1e-8), weight_decay
---(0).
---@param given? table
---@return Optimizer
optimizer.adam = kind("adam", { "m", "v" },
  { rate = 0.001, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0 },
  { beta1 = { 0, 1 }, beta2 = { 0, 1 }, epsilon = { 1e-300, math.huge } },
  function(self, p, g, kept, rate, step)
    kept.core.adam_update(p, g, kept.m, kept.v, rate, self.beta1, self.beta2,
      self.epsilon, step, self.weight_decay)
  end)

return optimizer
