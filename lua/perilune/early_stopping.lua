-- Early stopping: training ends when one number of the epochs' records has not improved for a
-- while, and the network is given back the parameters and the state that it had when the number was
-- best.

local errors = require "perilune.errors"
local fields = require "perilune.fields"

---@class EarlyStopping
---@field monitor string   the number of a record
---@field epoch integer    the best epoch so far, 0 at first
---@field best number|false  its score
---@field kept table<string, Matrix>|false  the network's tensors then
local EarlyStopping = {}
EarlyStopping.__index = EarlyStopping

local declared = {
  patience = { "count", default = 5 },
  improvement = { "number", default = 0, least = 0 },
  monitor = { "string", optional = true },
  ties = { "choice", choices = { "first", "last" }, default = "first" },
}

---@param given table|true   { patience = 5, improvement = 0, monitor = "validation_loss", ties =
---"first" }; ties: which of epochs that are equally good is the best one, "first" or "last"
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
  return setmetatable({
    net = net, options = options, monitor = monitor, epoch = 0, best = false, kept = false,
    more_is_better = recorded.more_is_better[monitor],
  }, EarlyStopping)
end

---@return table  { "early_stopping", option = value, ... }
function EarlyStopping:describe()
  return { "early_stopping", patience = self.options.patience,
    improvement = self.options.improvement, monitor = self.monitor, ties = self.options.ties }
end

---@param record table  of the epoch that has ended
---@return "stop"?
function EarlyStopping:on_epoch(record)
  local value = record[self.monitor]
  local score = self.more_is_better and value or -value
  local is_better = not self.best or score > self.best + self.options.improvement
    or self.options.ties == "last" and score == self.best
  if is_better and score == score then
    self.kept = self.net.held:state() -- first: there may be no memory for it
    self.best, self.epoch = score, record.epoch
  end
  if record.epoch - self.epoch >= self.options.patience then return "stop" end
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
  return { epoch = self.epoch, best = self.best or nil, kept = copied(self.kept) or nil }
end

---Raise unless `state` is one that state() gave for the same network.
---@param state any
function EarlyStopping:check_state(state)
  local epoch = type(state) == "table" and fields.whole(state.epoch)
  if not epoch or epoch < 0 or (epoch > 0) ~= (type(state.best) == "number") then
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
  return function() self.epoch, self.best, self.kept = epoch, state.best or false, kept end
end

---@param state table
---@return EarlyStopping self
function EarlyStopping:restore(state)
  self:restorer(state)()
  return self
end

return EarlyStopping
