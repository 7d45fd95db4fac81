-- What acts on the gradients between backward and the update: limits, penalties, noise. Each sees a
-- list of parameters { name =, value =, gradient = }, as net:parameters() gives it, and nothing of
-- networks:
--     part(parameters)               changes the gradients
--     part:after(parameters)         where it has this: after the update, changes the parameters
--     part:penalty(parameters)       where it has this: what it adds to J, whose gradient it adds
--     part:state(), :restore(state), :check_state(state)     where it remembers something
-- One of your own is a function of the parameters, or a table that can be called like one.

local Plan = require "perilune.optimizer.plan"
local clip = require "perilune.gradient.clip"
local max_norm = require "perilune.gradient.max_norm"
local noise = require "perilune.gradient.noise"
local penalties = require "perilune.gradient.penalties"
local registry = require "perilune.registry"

---@class Gradient
---@field name string
---@field options table
local Gradient = {}
Gradient.__index = Gradient

-- Parameters are looked at when they come for the first time.
local function check(self, parameters)
  if parameters ~= nil and rawequal(self.checked, parameters) then return end
  Plan.read(parameters)
  self.checked = parameters
end

---Change the gradients.
---@param parameters { name: string, value: Matrix, gradient: Matrix }[]
function Gradient:__call(parameters)
  check(self, parameters)
  self.kind.apply(self, parameters, self.options)
end

-- The other methods, where the kind has them
local function with_methods(self)
  local kind = self.kind
  for _, name in ipairs { "after", "penalty" } do
    local f = kind[name]
    self[name] = f and function(_, parameters)
      check(self, parameters)
      return f(self, parameters, self.options)
    end
  end
  for _, name in ipairs { "state", "restore", "check_state" } do self[name] = kind[name] end
  return self
end

local gradient = registry.family("gradient", {
  make = function(kind, options)
    local self = setmetatable({ name = kind.name, kind = kind, options = options }, Gradient)
    if kind.begin then kind.begin(self, options) end
    return with_methods(self)
  end,
  accepts = function(value)
    if type(value) == "function" then return value end
    local meta = type(value) == "table" and getmetatable(value)
    if type(meta) ~= "table" or meta.__call == nil then return nil end
    registry.check_methods(value, { "after", "penalty", "state", "restore", "check_state" })
    return value
  end,
  expected = "a function (parameters) that changes their gradients",
  remembers = true,
})

for _, kind in ipairs { clip.value, clip.norm, penalties.l1, penalties.l2, max_norm, noise } do
  gradient:add(kind)
end

return gradient
