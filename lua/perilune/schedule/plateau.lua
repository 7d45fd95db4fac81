-- A smaller rate where the training gets no further (PyTorch's ReduceLROnPlateau): times `factor`
-- when a number of the epochs' records has not improved for more than `patience` epochs. After that
-- it waits for `cooldown` epochs, in which bad ones do not count, and the factor never falls below
-- `floor`. An improvement is one by more than the fraction `threshold` of the best so far.

local errors = require "perilune.errors"
local fields = require "perilune.fields"

local raise, show = errors.raise, errors.show

---@class Plateau
---@field options table
---@field now number       the factor
---@field best number|false  of the monitored number so far
---@field bad integer      epochs without an improvement
---@field waits integer    epochs of the cooldown that are left
---@field more_is_better boolean?  of the monitored number, where it is known
local Plateau = {}
Plateau.__index = Plateau

Plateau.name = "plateau"

Plateau.kind = {
  name = Plateau.name,
  remembers = true,
  fields = {
    monitor = { "string", optional = true },
    mode = { "choice", choices = { "min", "max" }, optional = true },
    factor = { "number", default = 0.1, above = 0, below = 1 },
    patience = { "integer", default = 10, least = 0 },
    threshold = { "number", default = 1e-4, least = 0, below = 1 },
    cooldown = { "integer", default = 0, least = 0 },
    floor = { "number", default = 0, least = 0, most = 1 },
  },
  new = function(options)
    return setmetatable({ options = options, now = 1, best = false, bad = 0, waits = 0 }, Plateau)
  end,
}

---@return number factor
function Plateau:__call()
  return self.now
end

---Raise unless records will have the number that is monitored.
---@param recorded string[]  its field more_is_better says of each whether more is better
function Plateau:check_recorded(recorded)
  local has = {}
  for _, name in ipairs(recorded) do has[name] = true end
  local monitor = self.options.monitor or (has.validation_loss and "validation_loss" or "loss")
  if not has[monitor] then
    raise("plateau: monitor: one of %s expected, which are recorded here, got %s",
      table.concat(recorded, ", "), show(monitor))
  end
  self.more_is_better = recorded.more_is_better[monitor]
end

local function monitored(self, record)
  local monitor = self.options.monitor or (record.validation_loss and "validation_loss" or "loss")
  local value = record[monitor]
  if type(value) ~= "number" then
    raise("plateau: a record with the number %s expected, got %s", monitor, show(value))
  end
  return value, self.options.mode or (self.more_is_better and "max" or "min")
end

local function is_better(value, best, mode, threshold)
  if not best then return value == value end
  local least = best - math.abs(best) * threshold
  local most = best + math.abs(best) * threshold
  return mode == "min" and value < least or mode == "max" and value > most
end

---@param record table  of the epoch that has ended
function Plateau:on_epoch(record)
  local options = self.options
  local value, mode = monitored(self, record)
  if is_better(value, self.best, mode, options.threshold) then
    self.best, self.bad = value, 0
  else
    self.bad = self.bad + 1
  end
  if self.waits > 0 then self.waits, self.bad = self.waits - 1, 0 end
  if self.bad > options.patience then
    self.now = math.max(self.now * options.factor, math.min(self.now, options.floor))
    self.waits, self.bad = options.cooldown, 0
  end
end

local state_fields = {
  now = { "number", above = 0, most = 1 },
  best = { "number", infinite = true, optional = true },
  bad = { "integer", least = 0 },
  waits = { "integer", least = 0 },
}

---@return { now: number, best: number?, bad: integer, waits: integer }
function Plateau:state()
  return { now = self.now, best = self.best or nil, bad = self.bad, waits = self.waits }
end

---Raise unless `state` is one that state() gave.
---@param state any
function Plateau.check_state(_, state)
  fields.check(state_fields, state, "state of plateau")
end

---Check a state, and give a function that goes on from it, which needs no memory and raises
---nothing.
---@param state any
---@return fun()
function Plateau:restorer(state)
  local checked = fields.check(state_fields, state, "state of plateau")
  return function()
    self.now, self.best = checked.now, checked.best or false
    self.bad, self.waits = checked.bad, checked.waits
  end
end

---@param state table
---@return Plateau self
function Plateau:restore(state)
  self:restorer(state)()
  return self
end

return Plateau
