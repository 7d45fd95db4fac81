-- Early stopping: training ends when one number of the epochs' records has not improved for a
-- while, and the network is given back the parameters and the state that it had when the number was
-- best. When that is, other rules may say in place of a patience or beside it, those of Prechelt
-- (1998, "Early stopping - but when?"). With E the number and E_opt the best so far they are of
--     GL = 100 (E / E_opt - 1)             generalisation loss, in per cent
--     P_k = 1000 (mean / least - 1)        progress, in parts per thousand: how far above the least
--                                          of the last k epochs' training losses their mean is
--     PQ = GL / P_k
-- and looked at after each strip of k epochs.

local errors = require "perilune.errors"
local fields = require "perilune.fields"

---@class EarlyStopping
---@field monitor string   the number of a record
---@field epoch integer    the best epoch so far, 0 at first
---@field best number|false  its score
---@field kept table<string, Matrix>|false  the network's tensors then
---@field losses number[]  of the training, of the epochs of a strip
local EarlyStopping = {}
EarlyStopping.__index = EarlyStopping

local PATIENCE = 5

local declared = {
  patience = { "count", optional = true },
  strip = { "count", default = 1 },
  generalization_loss = { "number", least = 0, optional = true },
  progress = { "number", least = 0, optional = true },
  quotient = { "number", least = 0, optional = true },
  improvement = { "number", default = 0, least = 0 },
  monitor = { "string", optional = true },
  ties = { "choice", choices = { "first", "last" }, default = "first" },
}

-- Raise where a rule could not do its work.
local function check_rules(options, monitor, more_is_better)
  local needs_strip = options.progress and "progress" or options.quotient and "quotient"
  if needs_strip and options.strip < 2 then
    errors.raise("early_stopping: strip: 2 epochs or more expected for %s, got %d", needs_strip,
      options.strip)
  end
  if (options.generalization_loss or options.quotient) and more_is_better then
    errors.raise("early_stopping: generalization_loss and quotient are of a number that is better "
      .. "the less it is, got %s", errors.show(monitor))
  end
end

---Options: patience, epochs without an improvement (default 5 where no other rule is given);
---improvement, by which a number must be better to count (0); monitor, the number, such as
---"validation_loss", which it is where there is one, or else "loss"; strip, epochs from one look at
---it to the next (1); generalization_loss, progress and quotient, which stop where GL is above it,
---P_k below it, PQ above it, k being the strip; ties, which of epochs that are equally good is the
---best one, "first" (the default) or "last".
---    early_stopping = { strip = 5, generalization_loss = 5, progress = 0.1 }
---@param given table|true
---@param net Network
---@param recorded string[]  names of the numbers that each record will have; its field
---more_is_better says of each whether more is better
---@return EarlyStopping
function EarlyStopping.new(given, net, recorded)
  local options = fields.check(declared, given ~= true and given or {}, "early_stopping")
  local has = {}
  for _, name in ipairs(recorded) do has[name] = true end
  local monitor = options.monitor or (has.validation_loss and "validation_loss" or "loss")
  if not has[monitor] then
    errors.raise("early_stopping: monitor: one of %s expected, which are recorded here, got %s",
      table.concat(recorded, ", "), errors.show(monitor))
  end
  local more_is_better = recorded.more_is_better[monitor]
  check_rules(options, monitor, more_is_better)
  if not (options.generalization_loss or options.progress or options.quotient) then
    options.patience = options.patience or PATIENCE
  end
  return setmetatable({
    net = net, options = options, monitor = monitor, epoch = 0, best = false, kept = false,
    more_is_better = more_is_better, losses = {},
  }, EarlyStopping)
end

---@return table  { "early_stopping", option = value, ... }
function EarlyStopping:describe()
  local options = self.options
  return { "early_stopping", patience = options.patience, improvement = options.improvement,
    strip = options.strip, generalization_loss = options.generalization_loss,
    progress = options.progress, quotient = options.quotient, monitor = self.monitor,
    ties = options.ties }
end

-- By how much `value` is above `least`, as a part of its size; of losses above 0 value / least - 1
local function excess(value, least)
  return (value - least) / math.abs(least)
end

-- P_k of the strip that has ended
local function progress_of(losses)
  local sum, least = 0, math.huge
  for _, loss in ipairs(losses) do sum, least = sum + loss, math.min(least, loss) end
  return 1000 * excess(sum / #losses, least)
end

-- Whether one of Prechelt's rules says to stop. A comparison with NaN says no.
local function is_over(self, value)
  local options = self.options
  local loss = not self.more_is_better and self.best and 100 * excess(value, -self.best) or 0
  local progress = progress_of(self.losses)
  return options.generalization_loss and loss > options.generalization_loss
    or options.progress and progress < options.progress
    or options.quotient and loss > options.quotient * progress
end

---@param record table  of the epoch that has ended
---@return "stop"?
function EarlyStopping:on_epoch(record)
  local losses, options = self.losses, self.options
  -- By its place, because an epoch that runs out of memory below is ended once more.
  losses[(record.epoch - 1) % options.strip + 1] = record.loss
  if record.epoch % options.strip ~= 0 then return end

  local value = record[self.monitor]
  local score = self.more_is_better and value or -value
  local is_better = not self.best or score > self.best + self.options.improvement
    or self.options.ties == "last" and score == self.best
  if is_better and score == score then
    self.kept = self.net.held:state() -- first: there may be no memory for it
    self.best, self.epoch = score, record.epoch
  end
  local is_late = options.patience and record.epoch - self.epoch >= options.patience
  if is_late or is_over(self, value) then return "stop" end
end

---Give the network its best parameters and state back.
---@return integer? best_epoch
function EarlyStopping:on_end()
  if self.epoch == 0 then return nil end
  self.net.held:restore(self.kept)
  return self.epoch
end

local function copied(tensors)
  if not tensors then return false end
  local copies = {}
  for name, M in pairs(tensors) do copies[name] = M:copy(M.order) end
  return copies
end

---@return table
function EarlyStopping:state()
  return { epoch = self.epoch, best = self.best or nil, kept = copied(self.kept) or nil,
    losses = table.move(self.losses, 1, #self.losses, 1, {}) }
end

local function is_list_of_numbers(list)
  for _, value in ipairs(type(list) == "table" and list or {}) do
    if type(value) ~= "number" then return false end
  end
  return type(list) == "table"
end

---Raise unless `state` is one that state() gave for the same network.
---@param state any
function EarlyStopping:check_state(state)
  local epoch = type(state) == "table" and fields.whole(state.epoch)
  if not epoch or epoch < 0 or (epoch > 0) ~= (type(state.best) == "number")
    or not is_list_of_numbers(state.losses) then
    errors.raise("state of early stopping expected, as state() gives it, got %s",
      errors.show(state))
  end
  if epoch > 0 then self.net.held:check(state.kept) end
end

---Check a state, and give a function that continues from it, which needs no memory and raises
---nothing.
---@param state any
---@return fun()
function EarlyStopping:restorer(state)
  self:check_state(state)
  local epoch, kept = fields.whole(state.epoch), copied(state.kept)
  local losses = table.move(state.losses, 1, #state.losses, 1, {})
  return function()
    self.epoch, self.best, self.kept, self.losses = epoch, state.best or false, kept, losses
  end
end

---@param state table
---@return EarlyStopping self
function EarlyStopping:restore(state)
  self:restorer(state)()
  return self
end

return EarlyStopping
