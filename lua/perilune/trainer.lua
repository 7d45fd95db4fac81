-- One run of training: what every loop does, step by step or at once, with a place to hook in
-- wherever one would want to change it, and with a state from which another process goes on to the
-- same bits. For anything else write the loop out; it is five lines (README).

local Accumulation = require "perilune.accumulation"
local Batches = require "perilune.data.batches"
local Buffer = require "perilune.buffer"
local Dataset = require "perilune.data.dataset"
local EarlyStopping = require "perilune.early_stopping"
local Network = require "perilune.network"
local consultation = require "perilune.consultation"
local cores = require "perilune.cores"
local Snapshot = require "perilune.snapshot"
local errors = require "perilune.errors"
local GradientList = require "perilune.gradient.list"
local evaluation = require "perilune.metrics.evaluate"
local fields = require "perilune.fields"
local gives_field = require "perilune.gives"
local nonfinite = require "perilune.nonfinite"
local registry = require "perilune.registry"
local residuals_of = require "perilune.residuals"
local restore_all = require "perilune.restore_all"
local system = require "perilune.core.system"

local raise, show = errors.raise, errors.show

---A record for each epoch: epoch, rate, loss, accuracy where the samples have classes, and the
---metrics that were asked for, over the batches as they were trained; with validation the same
---again after the epoch, as validation_loss, validation_accuracy, ...
---@class History
---@field [integer] table      the records
---@field stopped string?      why the last run ended: "epochs" (all are done), "early", "callback",
---"limit"
---@field best_epoch integer?  with early stopping: the epoch whose parameters the network has now
---@field warnings string[]    what was noticed before the first step

---@class Trainer
---@field net Network
---@field history History
---@field progress table   epoch, epochs, batch, batches, samples, loss, rate
---@field dataset Dataset   as the network needs it; `given` is as it was given
---@field trained integer  batches, by this object
---@field finished string|false   "epochs" or "early" when there is nothing more to do
local Trainer = {}
Trainer.__index = Trainer

local option_fields = {
  loss = { "part", of = "loss" },
  optimizer = { "part", of = "optimizer", default = "adam" },
  schedule = { "part", of = "schedule", optional = true },
  epochs = { "count", default = 10, infinite = true },
  batch = { "count", default = 128 },
  validation = { "value", optional = true },
  metrics = { "metrics", default = {} },
  accumulate = { "count", default = 1 },
  gradients = { "parts", of = "gradient", optional = true },
  average = { "part", of = "average", optional = true },
  shuffle = { "boolean", default = true },
  seed = { "integer", default = 1 },
  generator = { "value", optional = true, test = cores.is_generator, expected = "a generator" },
  early_stopping = { "value", optional = true },
  on_gradients = { "function", optional = true },
  on_batch = { "function", optional = true },
  on_epoch = { "function", optional = true },
  on_warning = { "function", optional = true },
}

-- The dataset as the network's outputs and element type need it
local function prepared(net, dataset, what)
  Dataset.check(dataset, what)
  return dataset:for_outputs(net.outputs):to(net.dtype)
end

local function new_meter(self, dataset)
  return evaluation.new_meter(self.net, dataset, self.loss, self.options.metrics, self.gives)
end

-- The numbers that each record will have, and of which more is better
local function recorded(self)
  local names, more_is_better = {}, {}
  local function add(meter, prefix)
    for _, name in ipairs(meter.names) do names[#names + 1] = prefix .. name end
    for _, metric in ipairs(meter.metrics) do
      more_is_better[prefix .. metric.name] = metric.more_is_better
    end
  end
  add(self.meter, "")
  if self.validation then add(self.validation_meter, "validation_") end
  names.more_is_better = more_is_better
  return names
end

-- What went wrong first in the batch, and a likely cure, for the message
local function explain(self)
  local X = self.X
  local cause = nonfinite.in_batch(self.net, self, function(column)
    return self.batches:sample(self.position + column)
  end, self.accumulation and self.accumulation.before)
  local text = cause and ": " .. cause or ""
  if not X:is_finite() then return text end
  local largest = math.max(X:max(), -X:min())
  local cure = largest > 100
    and ("inputs reach %.3g: scale them, or lower the rate"):format(largest)
    or "a lower rate may help"
  return ("%s (%s)"):format(text, cure)
end

local function check_loss(self, J, Delta)
  local progress = self.progress
  if type(J) ~= "number" then
    raise("loss: a number J and Delta expected from it, got %s", show(J))
  elseif J - J ~= 0 then
    raise("the loss is %s in epoch %d, batch %d%s", show(J), progress.epoch, progress.batch,
      explain(self))
  elseif not cores.is_matrix(Delta) then
    raise("loss: a number J and a matrix Delta expected from it, got %s as Delta", show(Delta))
  end
end

-- J and Delta of a batch, or of some of it, which must be finite, and what J counts by, where the
-- loss says so
local function new_lose(self)
  return function(A, T, weights)
    local J, Delta, total = self.loss.compute(A, T, self.Deltas:columns(A.cols), weights)
    if type(J) ~= "number" or J - J ~= 0 or not Delta then check_loss(self, J, Delta) end
    return J, Delta, total
  end
end

-- The parameter whose gradient first went wrong. An activation may hide from the loss what it does
-- not hide from the gradient: tanh(inf) is 1, but H A^t then has 0 inf.
local function check_gradients(self)
  local gradients = self.net.dJ_dtheta
  if not gradients or gradients:is_finite() then return end
  for _, parameter in ipairs(self.parameters) do
    if not parameter.gradient:is_finite() then
      raise("the gradient of %s is not finite in epoch %d, batch %d%s", parameter.name,
        self.progress.epoch, self.progress.batch, explain(self))
    end
  end
end

-- Forward and backward of the batch: its outputs, J and what J counts by, where the loss says so;
-- the parameters then have their gradients. `lose` gives J, Delta and the same.
local function compute(self, lose)
  local X, net = self.X, self.net
  if self.accumulation and X.cols > self.accumulation.size then
    return self.accumulation:compute(X, self.T, self.weights, lose)
  end
  local A = net:forward(X)
  local J, Delta, total = lose(A, self.T, self.weights)
  net:backward(Delta)
  return A, J, total
end

-- As compute, of the whole batch at once; gives J, the residuals, and their gradients.
local function compute_residuals(self, residuals, lose)
  local net = self.net
  local A = net:forward(self.X)
  local e, G = residuals(A, self.T, self.weights)
  local J, Delta = lose(A, self.T, self.weights)
  net:backward(Delta)
  return J, e, G
end

-- J and the gradients of the batch that is being trained, again, for optimisers that ask for them.
-- Random layers draw the same numbers, and what the network remembers stays as the step has left
-- it. Where it is asked for them and the loss has any, also the residuals and their gradients.
local function new_evaluate(self)
  local now = Snapshot.new(self.net)
  local residuals = self.loss.squares and self.net.theta and residuals_of(self.net, self.loss)
  local function lose(A, T, weights)
    return self.loss.compute(A, T, self.Deltas:columns(A.cols), weights)
  end
  return function(wants_jacobian)
    now:take()
    self.before:put_back()
    local _, J, e, G
    if wants_jacobian and residuals then
      J, e, G = compute_residuals(self, residuals, lose)
    else
      _, J = compute(self, lose)
    end
    if self.gradients then J = J + self.gradients:add_penalties(self.parameters) end
    now:put_back()
    return J, e, G
  end
end

-- Raise unless the optimiser can have residuals of J, where it needs them.
local function check_residuals(self)
  local optimizer, options = self.optimizer, self.options
  if optimizer.evaluates ~= "jacobian" then return end
  local name = optimizer.name or "this one"
  if not self.loss.squares then
    raise("optimizer: %s needs a loss that is a sum of squares, such as squared_error, got %s",
      name, self.loss.name or "one that does not say so")
  elseif options.gradients or options.accumulate > 1 then
    raise("optimizer: %s needs residuals of a whole batch and nothing else in J: it takes no %s",
      name, options.gradients and "gradients" or "accumulate")
  end
end

local function new_accumulation(net, options)
  local of_loss = options.loss.options
  return Accumulation.new(net, options.batch, of_loss ~= nil and of_loss.reduction == "sum")
end

---A run of training. Nothing is trained yet. Options: loss (a name such as "squared_error", a
---description, or a function (A, T, Delta) --> J, Delta; required), optimizer (default "adam"),
---schedule of its rate (default: constant), epochs (10; math.huge for no end), batch (128),
---validation (a dataset to be evaluated after each epoch), metrics (a list of what is to be
---recorded too, such as { "f1", { "top_k", k = 3 } }), accumulate (1: an update follows from so
---many batches, which are computed one after the other), gradients (what acts on them before the
---update, such as { "clip_norm", most = 1 } or a list of these), average (of the weights, "ema" or
---"swa", which is validated, and which the network has in the end), shuffle (true), seed (1) or
---generator for the shuffling, early_stopping (true, or { patience = 5, improvement = 0, monitor =
---"validation_loss" }, where monitor is any number that is recorded), and hooks: on_gradients(net,
---progress) between backward and the update, on_batch(progress) after each batch, on_epoch(record)
---after each epoch, on_warning(message) before the first step. A hook stops the run by returning
---"stop" or true. All of it is checked here.
---@param net Network
---@param dataset Dataset
---@param given table
---@return Trainer
function Trainer.new(net, dataset, given)
  Network.check(net)
  local whole = prepared(net, dataset, "the training set")
  local options = fields.check(option_fields, given)
  local self = setmetatable({
    net = net, options = options, dataset = whole, given = dataset, loss = options.loss,
    optimizer = options.optimizer, schedule = options.schedule,
    parameters = net:parameters(), gives = consultation.gives(net, options.loss),
    targets = options.loss.targets or net.targets,
    finished = false, ended = false,
    -- of the step that is open; and the place in the data, and more, from before it
    is_open = false, X = false, T = false, weights = false,
    position = 0, earlier_rate = false, earlier_gives = false, earlier_targets = false,
  }, Trainer)
  if options.validation then
    self.validation = prepared(net, options.validation, "the validation set")
  end
  if self.schedule and type(self.optimizer.rate) ~= "number" then
    raise("schedule: an optimizer with a field rate expected, which it multiplies")
  end
  check_residuals(self)
  if self.optimizer.check_parameters then self.optimizer:check_parameters(self.parameters) end
  local warnings = consultation.consult(net, self.loss, whole, self.validation, options.batch)
  self.meter = new_meter(self, whole)
  self.validation_meter = self.validation and new_meter(self, self.validation)
  if type(self.schedule) == "table" and self.schedule.check_recorded then
    self.schedule:check_recorded(recorded(self))
  end
  if options.early_stopping then
    self.early_stopping = EarlyStopping.new(options.early_stopping, net, recorded(self))
  end
  self.batches = Batches.new(whole, {
    batch = options.batch * options.accumulate, dtype = net.dtype,
    generator = options.shuffle and (options.generator or net.core.generator(options.seed)) or nil,
  })
  self.Deltas, self.lose = Buffer.new(net.core, net.outputs), new_lose(self)
  if options.accumulate > 1 then self.accumulation = new_accumulation(net, options) end
  self.gradients = options.gradients and GradientList.new(options.gradients)
  self.average = options.average and options.average:bind(net)
  self.history, self.trained = { warnings = warnings }, 0
  self.progress = {
    epoch = 1, epochs = options.epochs, batch = 0, batches = self.batches.count, samples = 0,
    loss = 0, rate = self.optimizer.rate,
  }
  self.before = Snapshot.new(net) -- of the step that is open, before its forward
  if self.optimizer.evaluates ~= false then self.evaluate = new_evaluate(self) end
  for _, message in ipairs(warnings) do
    if options.on_warning then options.on_warning(message) end
  end
  return self
end

-- Neither the loss nor the gradients need show that a parameter is not finite: behind tanh an
-- infinite one only says 1 or -1, with a gradient of 0.
local function check_tensors(self)
  local wrong = nonfinite.in_tensors(self.net.held)
  if wrong then
    raise("%s, in epoch %d after batch %d", wrong, self.progress.epoch, self.progress.batch)
  end
end

-- Whether a hook's answer is to stop
local function is_stop(answer, name)
  if answer == nil or answer == false then return false end
  if answer == true or answer == "stop" then return true end
  raise("%s: \"stop\", true or nothing expected from it, got %s", name, show(answer))
end

local function rate_of(self)
  local progress, schedule, rate = self.progress, self.schedule, self.optimizer.rate
  if not schedule then return rate end
  local done = progress.epoch - 1 + (progress.batch - 0.5) / progress.batches
  local factor = schedule(done, progress.epochs)
  if type(factor) ~= "number" or not (factor >= 0) then
    raise("schedule: a factor of 0 or more expected from it, got %s", show(factor))
  end
  return rate * factor
end

-- The next batch. A step is open from here until its update.
local function open(self)
  local net, batches, progress = self.net, self.batches, self.progress
  self.position = batches.position
  self.earlier_rate, self.earlier_gives = progress.rate, net.gives
  self.earlier_targets = net.targets
  self.before:take()
  if self.gradients then self.gradients:take() end
  self.X, self.T, self.weights = batches:next()
  if self.position == 0 then -- an order was drawn, it may be by the network's generator
    self.before.generator:assign(net.generator)
  end
  self.is_open, progress.batch = true, progress.batch + 1
  net.gives, net.targets = self.gives, self.targets
end

local function take_back(self)
  local net, progress = self.net, self.progress
  self.before:put_back()
  if self.gradients then self.gradients:put_back() end
  self.batches:back(self.position)
  self.is_open, progress.batch = false, progress.batch - 1
  progress.rate, net.gives = self.earlier_rate, self.earlier_gives
  net.targets = self.earlier_targets
end

-- Where a step raises while it is open, what it has moved goes back.
function Trainer:__close()
  if self.is_open then take_back(self) end
end

-- One batch: forward, backward, update. Gives whether a hook wants to stop. What the step needs
-- after the update is there before it: then nothing but hooks raises.
local function train(self)
  local net, options, progress, meter = self.net, self.options, self.progress, self.meter
  local gradients, average = self.gradients, self.average
  if average and average.is_swapped then average:swap(net) end -- the run was over, and goes on
  if progress.batch == 0 then check_tensors(self) end
  local _ <close> = self
  open(self)
  local A, J, total = compute(self, self.lose)
  meter:weigh(A, self.T, self.weights, A.cols, J, total)
  check_gradients(self)
  progress.rate = rate_of(self)
  local stops = false
  if options.on_gradients then
    stops = is_stop(options.on_gradients(net, progress), "on_gradients")
    check_gradients(self)
  end
  if gradients then
    gradients:apply(self.parameters)
    check_gradients(self)
  end
  self.optimizer:step(self.parameters, progress.rate, self.evaluate)
  self.is_open, self.ended, self.trained = false, false, self.trained + 1

  if gradients then gradients:after(self.parameters) end
  if average then average:update(net, progress) end
  meter:count()
  progress.samples, progress.loss = meter.samples, meter.loss:result()
  if options.on_batch then stops = is_stop(options.on_batch(progress), "on_batch") or stops end
  return stops
end

local function new_record(self)
  local progress = self.progress
  return self.meter:results {
    epoch = progress.epoch, rate = progress.rate, loss = progress.loss, accuracy = nil,
  }
end

-- Whether early stopping wants to stop, after the validation: both see the average of the weights,
-- where there is one.
local function validate(self, record)
  local average, net = self.average, self.net
  local _ <close> = average and not average.is_swapped and average:swapped(net) or nil
  if self.validation then
    local results = evaluation.measure(net, self.validation, self.loss, self.validation_meter)
    for name, value in pairs(results) do record["validation_" .. name] = value end
  end
  self.history[record.epoch] = record
  return self.early_stopping and self.early_stopping:on_epoch(record) == "stop"
end

-- End the epoch: its record, validation, early stopping, the hook. Gives whether the hook wants to
-- stop. What a state taken in the hook holds is the end of the epoch. What may raise comes first,
-- and may be done twice: then the next step ends the epoch.
local function close_epoch(self)
  check_tensors(self)
  local progress, record = self.progress, new_record(self)
  local is_early = validate(self, record)
  local schedule = self.schedule
  if type(schedule) == "table" and schedule.on_epoch then schedule:on_epoch(record) end

  self.ended = false
  if progress.epoch >= progress.epochs then self.finished = "epochs" end
  if is_early then self.finished = "early" end
  self.batches:restart()
  progress.epoch, progress.batch, progress.samples = progress.epoch + 1, 0, 0
  self.meter:reset()
  local hook = self.options.on_epoch
  return hook ~= nil and is_stop(hook(record), "on_epoch")
end

-- What is left to do when there are no more steps, once
local function finish(self)
  if self.ended then return end
  if self.early_stopping then
    self.history.best_epoch = self.early_stopping:on_end()
  elseif self.average and not self.average.is_swapped then
    self.average:swap(self.net)
  end
  self.ended = true
end

---One batch, and with the last of an epoch what ends the epoch. Where it raises before the update,
---as on_gradients may, the next step is of the same batch.
---@return table? progress  epoch, epochs, batch, batches, samples, loss, rate: the same table
---always, of the batch's epoch until the epoch is over; nil when all epochs are done
---@return boolean? stops  whether a hook wants to stop
function Trainer:step()
  if self.finished then
    finish(self)
    return nil
  end
  local progress, stops = self.progress
  if progress.batch == progress.batches then -- as a state may have been taken, in on_batch
    stops = close_epoch(self)
  else
    stops = train(self)
    if progress.batch == progress.batches and not stops then stops = close_epoch(self) end
  end
  if self.finished then finish(self) end
  return progress, stops
end

---Batches to the end of the epoch.
---@return table? record  of the epoch; nil when all epochs are done
function Trainer:epoch()
  local epoch = self.progress.epoch
  while self.progress.epoch == epoch do
    local progress, stops = self:step()
    if not progress or stops then break end
  end
  return self.history[epoch]
end

local limit_fields = {
  epochs = { "count", optional = true },
  steps = { "count", optional = true },
  ms = { "number", optional = true, least = 0 },
  us = { "number", optional = true, least = 0 },
}

---Go on until a limit is reached, whichever is first, a hook stops the run, or all epochs are done.
---A time is looked at after each batch, so at least one batch is trained; no batch is begun that
---would, if it took as long as the one before, end too late.
---@param limits? { epochs: integer, steps: integer, ms: number, us: number }
---@return History
function Trainer:run(limits)
  limits = fields.check(limit_fields, limits, "run")
  local seconds = (limits.ms or limits.us) and (limits.ms or 0) / 1e3 + (limits.us or 0) / 1e6
  local start, first = system.clock(), self.trained
  local now, stopped = start, nil
  local last_epoch = limits.epochs and self.progress.epoch + limits.epochs - 1
  self.history.stopped = nil
  while not stopped do
    local before = now
    local progress, stops = self:step()
    local batches = self.trained - first -- a step may also only close an epoch
    if self.finished then
      stopped = self.finished
    elseif stops then
      stopped = "callback"
    elseif batches == limits.steps or (last_epoch and progress.epoch > last_epoch) then
      stopped = "limit"
    elseif seconds and batches > 0 then
      now = system.clock()
      if now - start + (now - before) > seconds then stopped = "limit" end
    end
  end
  self.history.stopped = stopped
  return self.history
end

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

-- What makes this run what it is: a checkpoint is taken only by one that is the same. How many
-- epochs it has is no part of that, so that a run may be made longer.
local function described(self)
  local options, families = self.options, registry.families
  local function description(part, family)
    return part and (families[family]:describe(part) or "one without a name") or nil
  end
  local function data(dataset)
    return dataset and {
      samples = dataset.N, inputs = dataset.inputs, targets = dataset.targets,
      checksum = dataset:checksum(),
    } or nil
  end
  local metrics, gradients = {}, {}
  for k, metric in ipairs(options.metrics) do metrics[k] = description(metric, "metric") end
  for k, part in ipairs(options.gradients or {}) do
    gradients[k] = description(part, "gradient")
  end
  local network = self.net:describe()
  network.gives, network.targets = nil, nil -- what training says of them is part of the state
  return {
    network = network,
    data = data(self.given), validation = data(self.options.validation),
    options = {
      loss = description(self.loss, "loss"),
      optimizer = description(self.optimizer, "optimizer"),
      schedule = description(self.schedule, "schedule"), metrics = metrics,
      gradients = gradients, average = description(self.average, "average"),
      accumulate = options.accumulate, batch = options.batch, shuffle = options.shuffle,
      seed = options.seed,
      early_stopping = self.early_stopping and self.early_stopping:describe(),
    },
  }
end

---Write the state to a file, atomically: at any moment the file there before or the new one is
---there, whole. Raises where a parameter or a state of the network is not finite.
---@param path string
---@return true?, string?  nil and a message on failure
function Trainer:save(path)
  local wrong = nonfinite.in_tensors(self.net.held)
  if wrong then raise("the training cannot be saved: %s", wrong) end
  return require("perilune.store.checkpoint").save(path, described(self), self:state())
end

---Continue from a file that save wrote, for the same network, data and options but epochs: where
---there are more of them, training goes on past that run's end.
---@param path string
---@return true?, string?  nil and a message that says what is not the same, or what is wrong with
---the file; the trainer is as it was then
function Trainer:load(path)
  local state, message = require("perilune.store.checkpoint").load(path, described(self))
  if not state then return nil, message end
  local ok, reason, is_message = errors.catch(self.check_state, self, state)
  if not ok then
    if not is_message then error(reason, 0) end
    return nil, path .. ": " .. reason
  end
  self:restore(state)
  return true
end

local trainer = { new = Trainer.new }

---Train a network on a dataset to the end: pl.trainer(net, dataset, options), run. With early
---stopping the best parameters are restored however it ends.
---@param net Network
---@param dataset Dataset
---@param given table  see Trainer.new
---@return History
function trainer.fit(net, dataset, given)
  local self = Trainer.new(net, dataset, given)
  local history = self:run()
  local is_open = not self.finished and self.progress.batch > 0
  if is_open then history[self.progress.epoch] = new_record(self) end
  finish(self)
  return history
end

return trainer
