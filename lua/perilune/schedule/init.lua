-- Learning-rate schedules. A schedule is a function
--     schedule(epoch, epochs) --> factor
-- of the training done, in epochs (0.5 is half way through the first), and of all there will be;
-- the optimiser's rate is multiplied by the factor. A function of your own is as good.

local Plateau = require "perilune.schedule.plateau"
local errors = require "perilune.errors"
local formulas = require "perilune.schedule.formulas"
local registry = require "perilune.registry"

---@class Schedule
---@field name string
---@field options table
local Schedule = {}
Schedule.__index = Schedule

---@param epoch number    >= 0, of the training done
---@param epochs number   of all there will be; math.huge for no end
---@return number factor  >= 0
function Schedule:__call(epoch, epochs)
  if type(epoch) ~= "number" or type(epochs) ~= "number" then
    errors.raise("%s: the epochs done and all there will be expected, got %s and %s",
      self.name, errors.show(epoch), errors.show(epochs))
  end
  return self.factor(self.options, epoch, epochs)
end

-- What looks at the training may stand within another schedule, which then does so too.
local function pass_on(self, inner)
  for _, name in ipairs { "on_epoch", "check_recorded", "state", "restore", "check_state",
    "restorer" } do
    if type(inner) == "table" and inner[name] then
      self[name] = function(_, ...) return inner[name](inner, ...) end
    end
  end
end

local function make(kind, options)
  if kind.new then return kind.new(options) end
  local self = { name = kind.name, options = options, factor = kind.factor }
  pass_on(self, options.after)
  return setmetatable(self, Schedule)
end

local schedule = registry.family("schedule", {
  make = make,
  accepts = function(value)
    local meta = type(value) == "table" and getmetatable(value)
    local is_callable = type(meta) == "table" and meta.__call ~= nil
    if is_callable then
      registry.check_methods(value, { "on_epoch", "check_recorded", "state", "restore",
        "check_state" })
    end
    if type(value) == "function" or is_callable then return value end
  end,
  expected = "a function (epoch, epochs) --> factor",
})

for _, kind in ipairs(formulas) do schedule:add(kind) end
schedule:add(Plateau.kind)

return schedule
