-- All that a run remembers, taken and put back.

local Snapshot = require "perilune.snapshot"
local errors = require "perilune.errors"
local fields = require "perilune.fields"
local gives_field = require "perilune.gives"
local restore_all = require "perilune.restore_all"
local take_back = require("perilune.trainer.step").take_back

local raise, show = errors.raise, errors.show

---@class Trainer
local Trainer = {}

-- Plain copies of the records
local function copied_history(history)
  local copy = { best_epoch = history.best_epoch, stopped = history.stopped }
  for epoch = 1, #history do
    copy[epoch] = {}
    for name, value in pairs(history[epoch]) do
      local kind = type(value)
      local is_plain = kind == "number" or kind == "string" or kind == "boolean"
      if is_plain then copy[epoch][name] = value end
    end
  end
  return copy
end

local function state_of(self)
  local progress, optimizer, schedule = self.progress, self.optimizer, self.schedule
  return {
    network = self.net:state(),
    gives = self.net.gives, targets = self.net.targets,
    optimizer = optimizer.state and optimizer:state(),
    schedule = type(schedule) == "table" and schedule.state and schedule:state() or nil,
    batches = self.batches:state(),
    gradients = self.gradients and self.gradients:state(),
    average = self.average and self.average:state(),
    early_stopping = self.early_stopping and self.early_stopping:state(),
    epoch = progress.epoch, rate = progress.rate,
    meter = self.meter:state(),
    finished = self.finished or nil, ended = self.ended,
    history = copied_history(self.history),
  }
end

---All that this run and its network remember, as plain data and matrices of its own: another
---trainer, given the same network, data and options, goes on from it to the same bits. It may be
---taken in a hook; in on_gradients it is that of before the step.
---@return table
function Trainer:state()
  if not self.is_open then return state_of(self) end
  local net, batches, progress = self.net, self.batches, self.progress
  local now, rate, position = Snapshot.new(net), progress.rate, batches.position
  -- The step goes on then, even where there was no memory for its state.
  local _ <close> = setmetatable({}, { __close = function()
    batches:forth(position)
    now:put_back()
    self.is_open, progress.batch = true, progress.batch + 1
    progress.rate, net.gives, net.targets = rate, self.gives, self.targets
  end })
  take_back(self)
  return state_of(self)
end

local state_fields = {
  network = { "table" },
  gives = gives_field,
  targets = { "choice", choices = { "values", "one", "several" }, optional = true },
  optimizer = { "value", optional = true }, schedule = { "value", optional = true },
  batches = { "table" }, early_stopping = { "table", optional = true },
  gradients = { "table", optional = true }, average = { "table", optional = true },
  epoch = { "count" }, rate = { "number", optional = true, infinite = true },
  meter = { "table" },
  finished = { "choice", choices = { "epochs", "early" }, optional = true },
  ended = { "boolean", default = false }, history = { "table" },
}

-- Raise unless the part, where it remembers anything, can go on from its state.
local function check_part(part, state, what, ...)
  if type(part) ~= "table" or not part.state then
    if state ~= nil and state ~= false then
      raise("state of %s, which here remembers nothing", what)
    end
    return
  end
  if state == nil or state == false then raise("state of %s is missing", what) end
  if part.check_state then part:check_state(state, ...) end
end

local function check_history(history)
  for epoch = 1, #history do
    if type(history[epoch]) ~= "table" then
      raise("state of a trainer: history: a record of epoch %d expected, got %s", epoch,
        show(history[epoch]))
    end
  end
end

---Raise unless `state` is one of a trainer like this one.
---@param state any
function Trainer:check_state(state)
  fields.check(state_fields, state, "state of a trainer")
  check_history(state.history)
  self.net:check_state(state.network)
  check_part(self.optimizer, state.optimizer, "an optimiser", self.parameters)
  check_part(self.schedule, state.schedule, "a schedule")
  check_part(self.gradients, state.gradients, "what acts on gradients")
  check_part(self.average, state.average, "an average")
  check_part(self.early_stopping, state.early_stopping, "early stopping")
  self.batches:check_state(state.batches)
  self.meter:check_state(state.meter)
end

-- What the network's outputs and targets are, as a part to be restored
local function facts_of(net)
  local part = {}
  function part.state() return { gives = net.gives, targets = net.targets } end
  function part.restore(_, facts) net.gives, net.targets = facts.gives, facts.targets end
  return part
end

-- Restore all parts, or none. Those with a restorer get ready for it, which is all that may go
-- wrong with them. The others, and layers of the user's own, find out only as they restore whether
-- they take a state; they come before.
local function restore_parts(self, state)
  local restorers, others = {}, { { part = facts_of(self.net), state = state } }
  for _, name in ipairs {
    "optimizer", "schedule", "gradients", "average", "early_stopping", "batches", "meter",
  } do
    local part = self[name]
    if type(part) == "table" and part.restorer then
      restorers[#restorers + 1] = part:restorer(state[name])
    elseif type(part) == "table" and part.restore then
      others[#others + 1] = { part = part, state = state[name] }
    end
  end
  others[#others + 1] = { part = self.net, state = state.network }
  restore_all(others)
  for k = 1, #restorers do restorers[k]() end
end

---Continue from what state() gave, with a new table as history. Raises for a state of another
---network, other data or other options, and then changes nothing. Where this trainer has more
---epochs than the one whose state it is, training goes on past that one's end.
---@param state table
---@return Trainer self
function Trainer:restore(state)
  self:check_state(state)
  local history, progress, meter = copied_history(state.history), self.progress, self.meter
  history.warnings = self.history.warnings
  restore_parts(self, state)

  self.history = history
  progress.epoch, progress.rate = state.epoch, state.rate
  progress.batch, progress.samples = self.batches:number(), meter.samples
  progress.loss = meter.loss:result()
  self.ended, self.is_open = state.ended, false
  self.finished = state.finished or false
  if self.finished ~= "early" then
    self.finished = state.epoch > self.progress.epochs and "epochs"
  end
  return self
end

return Trainer
