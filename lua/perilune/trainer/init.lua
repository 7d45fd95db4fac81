-- One run of training: what every loop does, step by step or at once, with a place to hook in
-- wherever one would want to change it, and with a state from which another process goes on to the
-- same bits. For anything else write the loop out; it is five lines (README).

local Accumulation = require "perilune.accumulation"
local Batches = require "perilune.data.batches"
local Buffer = require "perilune.buffer"
local Dataset = require "perilune.data.dataset"
local EarlyStopping = require "perilune.early_stopping"
local GradientList = require "perilune.gradient.list"
local Network = require "perilune.network"
local Progress = require "perilune.progress"
local Snapshot = require "perilune.snapshot"
local checkpoint = require "perilune.trainer.checkpoint"
local computing = require "perilune.trainer.compute"
local consultation = require "perilune.consultation"
local cores = require "perilune.cores"
local ending = require "perilune.trainer.epoch"
local errors = require "perilune.errors"
local evaluation = require "perilune.metrics.evaluate"
local fields = require "perilune.fields"
local state = require "perilune.trainer.state"
local stepping = require "perilune.trainer.step"
local system = require "perilune.core.system"

local raise = errors.raise
local new_evaluate, new_lose = computing.new_evaluate, computing.new_lose
local take_back, train = stepping.take_back, stepping.train
local close_epoch, finish, new_record = ending.close_epoch, ending.finish, ending.new_record

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

-- Methods that have files of their own
for _, methods in ipairs { checkpoint, state } do
  for name, method in pairs(methods) do Trainer[name] = method end
end

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
  augment = { "parts", of = "augmentation", default = {} },
  shuffle = { "boolean", default = true },
  seed = { "integer", default = 1 },
  generator = { "value", optional = true, test = cores.is_generator, expected = "a generator" },
  early_stopping = { "value", optional = true },
  progress = { "value", optional = true },
  on_gradients = { "function", optional = true },
  on_batch = { "function", optional = true },
  on_epoch = { "function", optional = true },
  on_warning = { "function", optional = true },
}

-- The dataset as the network's outputs, units and element type need it
local function prepared(net, dataset, what)
  Dataset.check(dataset, what)
  return dataset:for_network(net):to(net.dtype)
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
---"swa", which is validated, and which the network has in the end), augment (what makes other
---samples of those that are trained on, not of validation's, such as { "rotate", degrees = 10 } or
---a list of these), shuffle (true), seed (1) or generator for shuffling and augmenting,
---early_stopping (true, or { patience = 5, improvement = 0, monitor = "validation_loss" }, where
---monitor is any number that is recorded; other rules are in perilune.early_stopping), progress
---(true: a bar where stderr is a terminal; "lines": a line for each epoch, for log files; more in
---perilune.progress), and hooks: on_gradients(net, progress) between backward and the update,
---on_batch(progress) after each batch, on_epoch(record) after each epoch, on_warning(message)
---before the first step. A hook stops the run by returning "stop" or true. All of it is checked
---here.
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
  local is_random = options.shuffle or #options.augment > 0
  self.batches = Batches.new(whole, {
    batch = options.batch * options.accumulate, dtype = net.dtype,
    augment = options.augment, shuffle = options.shuffle,
    generator = is_random and (options.generator or net.core.generator(options.seed)) or nil,
  })
  self.Deltas, self.lose = Buffer.new(net.core, net.outputs), new_lose(self)
  if options.accumulate > 1 then self.accumulation = new_accumulation(net, options) end
  self.gradients = options.gradients and GradientList.new(options.gradients)
  self.average = options.average and options.average:bind(net)
  self.display = options.progress and Progress.new(options.progress) or nil
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

-- Where a step raises while it is open, what it has moved goes back.
function Trainer:__close()
  if self.is_open then take_back(self) end
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

-- The display, told of a run from here on, until it is closed
local function begin_display(self)
  return self.display and self.display:begin(self.progress, self.dataset.N)
end

-- A step that the display is told of
local function step(self)
  local progress, stops = self:step()
  local is_within_epoch = progress and progress.batch > 0
  if self.display and is_within_epoch then self.display:on_batch(progress, self.dataset.N) end
  return progress, stops
end

---Batches to the end of the epoch.
---@return table? record  of the epoch; nil when all epochs are done
function Trainer:epoch()
  local _ <close> = begin_display(self)
  local epoch = self.progress.epoch
  while self.progress.epoch == epoch do
    local progress, stops = step(self)
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
  local _ <close> = begin_display(self)
  while not stopped do
    local before = now
    local progress, stops = step(self)
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

local trainer = { new = Trainer.new, option_fields = option_fields }

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
