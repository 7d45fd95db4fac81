-- Learning-rate schedules. A schedule is a function
--     schedule(epoch, epochs) --> factor
-- of the training done, in epochs (0.5 is half way through the first), and of all there will be;
-- the optimiser's rate is multiplied by the factor. A function of your own is as good.

local errors = require "perilune.errors"
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

local schedule = registry.family("schedule", {
  make = function(kind, options)
    return setmetatable({ name = kind.name, options = options, factor = kind.factor },
      Schedule)
  end,
  accepts = function(value)
    local meta = type(value) == "table" and getmetatable(value)
    local is_callable = type(meta) == "table" and meta.__call ~= nil
    if is_callable then registry.check_methods(value, { "state", "restore", "check_state" }) end
    if type(value) == "function" or is_callable then return value end
  end,
  expected = "a function (epoch, epochs) --> factor",
})

schedule:add {
  -- the rate as it is
  name = "constant",
  factor = function() return 1 end,
}

schedule:add {
  -- times `factor` after every `every` epochs
  name = "step",
  fields = {
    every = { "number", default = 10, above = 0 },
    factor = { "number", default = 0.1, above = 0 },
  },
  factor = function(options, epoch) return options.factor ^ (epoch // options.every) end,
}

schedule:add {
  -- times `factor` each epoch, smoothly
  name = "exponential",
  fields = { factor = { "number", default = 0.95, above = 0 } },
  factor = function(options, epoch) return options.factor ^ epoch end,
}

schedule:add {
  -- half a cosine wave from 1 down to `floor` at the end, and from there on (Loshchilov and Hutter
  -- 2017)
  name = "cosine",
  fields = { floor = { "number", default = 0, least = 0, most = 1 } },
  factor = function(options, epoch, epochs)
    local done = epoch < epochs and epoch / epochs or 1
    local wave = (1 + math.cos(math.pi * done)) / 2
    return options.floor + (1 - options.floor) * wave
  end,
}

schedule:add {
  -- a linear rise over the first `epochs`, then the schedule `after`, which sees only what remains
  name = "warm_up",
  fields = {
    epochs = { "number", default = 1, above = 0 },
    after = { "part", of = "schedule", default = "constant" },
  },
  factor = function(options, epoch, epochs)
    if epoch < options.epochs then return epoch / options.epochs end
    return options.after(epoch - options.epochs, epochs - options.epochs)
  end,
}

return schedule
