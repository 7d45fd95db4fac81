-- The training loop: what every loop does, with a place to hook in wherever one would want to
-- change it. For anything else write the loop out; it is five lines (README).

local Batches = require "perilune.data.batches"
local Buffer = require "perilune.buffer"
local at_caller = require "perilune.at_caller"
local choose = require "perilune.choose"
local cores = require "perilune.cores"
local losses = require "perilune.loss"
local metrics = require "perilune.metrics"
local options = require "perilune.options"
local optimizers = require "perilune.optimizer"

local training = {}

local defaults = {
  loss = false, optimizer = false, epochs = 10, batch = 128, validation = false,
  schedule = false, shuffle = true, generator = false, seed = 1, early_stopping = false,
  on_batch = false, on_epoch = false,
}

-- Checks, whose errors fit tells as its caller's

local function check_type(chosen, name, expected)
  if chosen[name] and type(chosen[name]) ~= expected then
    error(("%s: a %s expected, got %s"):format(name, expected, type(chosen[name])), 0)
  end
end

local function check_count(chosen, name)
  if math.type(chosen[name]) ~= "integer" or chosen[name] < 1 then
    error(("%s: a whole number of 1 or more expected, got %s"):format(name,
      tostring(chosen[name])), 0)
  end
end

local function check_dataset(network, dataset, what)
  if type(dataset) ~= "table" or not dataset.gather then
    error(("%s: a dataset expected, got %s (pl.dataset{ X =, T = } makes one)"):format(
      what, type(dataset)), 0)
  end
  if dataset.inputs ~= network.inputs then
    error(("%s has %d inputs but the network has %d"):format(what, dataset.inputs,
      network.inputs), 0)
  end
  if dataset.T.rows ~= network.outputs and dataset.T.rows ~= 1 then
    error(("%s has %d targets but the network has %d outputs"):format(what,
      dataset.T.rows, network.outputs), 0)
  end
end

local function check_labels(network, dataset, loss)
  local is_labels = dataset.has_classes and dataset.T.rows == 1 and network.outputs > 1
  if is_labels and dataset.T:max() > network.outputs then
    error(("labels 1 to %d expected, one for each output, got %g"):format(
      network.outputs, dataset.T:max()), 0)
  end
  if loss == losses.squared_error and dataset.T.rows ~= network.outputs then
    error(("squared_error: %d targets expected, got labels (dataset:one_hot() makes "
      .. "target columns of them)"):format(network.outputs), 0)
  end
end

-- Early stopping: the best epoch so far by one number of its record, and the parameters it had.
local Best = {}
Best.__index = Best

local function new_best(network, given, has_validation)
  if not given then return nil end
  local chosen = options(given ~= true and given or {}, {
    patience = 5, improvement = 0,
    monitor = has_validation and "validation_loss" or "loss",
  })
  check_count(chosen, "patience")
  check_type(chosen, "improvement", "number")
  check_type(chosen, "monitor", "string")
  return setmetatable({
    network = network, patience = chosen.patience, improvement = chosen.improvement,
    monitor = chosen.monitor, larger_is_better = chosen.monitor:find("accuracy") ~= nil,
    epoch = 0,
  }, Best)
end

-- Whether training has gone on for long enough without an improvement.
function Best:has_passed(record)
  local value = record[self.monitor]
  if type(value) ~= "number" then
    error(("early stopping: no number '%s' is recorded"):format(self.monitor), 0)
  end
  local score = self.larger_is_better and value or -value
  local is_better = not self.score or score > self.score + self.improvement
  if is_better and score == score then
    self.score, self.epoch = score, record.epoch
    for k, parameter in ipairs(self.network:flat_parameters()) do
      self[k] = self[k] and self[k]:assign(parameter.value) or parameter.value:copy()
    end
  end
  return record.epoch - self.epoch >= self.patience
end

function Best:restore()
  for k, parameter in ipairs(self.network:flat_parameters()) do
    parameter.value:assign(self[k])
  end
end

-- What a run needs, from the options
local function prepare(network, dataset, given)
  if type(network) ~= "table" or not network.flat_parameters then
    error(("a network expected, got %s"):format(type(network)), 0)
  end
  check_dataset(network, dataset, "the training set")
  local run = options(given, defaults)
  check_count(run, "epochs")
  check_count(run, "batch")
  check_type(run, "schedule", "function")
  check_type(run, "on_batch", "function")
  check_type(run, "on_epoch", "function")
  check_type(run, "optimizer", "table")
  if not run.loss then error("option 'loss' is required", 0) end
  run.loss = choose("loss", losses, run.loss, nil, "function")
  check_labels(network, dataset, run.loss)
  if run.validation then
    check_dataset(network, run.validation, "the validation set")
    check_labels(network, run.validation, run.loss)
  end
  run.optimizer = run.optimizer or optimizers.adam()
  run.best = new_best(network, run.early_stopping, run.validation)
  run.batches = Batches.new(dataset, {
    batch = run.batch, dtype = network.dtype,
    generator = run.shuffle and (run.generator or network.core.generator(run.seed)),
  })
  return run
end

-- The layer whose numbers first went wrong, for the message.
local function first_nonfinite(network)
  for l, layer in ipairs(network.layers) do
    for _, quantity in ipairs { "W", "b", "Z", "A" } do
      local M = layer[quantity]
      if cores.is_matrix(M) and not M:is_finite() then
        return (": %s of layer %d is not finite"):format(quantity, l)
      end
    end
  end
  return ""
end

-- The parameter whose gradient first went wrong, or nil. An activation may hide from the loss what
-- it does not hide from the gradient: tanh(inf) is 1, but H A^t then has 0 inf.
local function nonfinite_gradient(network)
  if not network.dJ_dtheta or network.dJ_dtheta:is_finite() then return nil end
  for _, parameter in ipairs(network:parameters()) do
    if not parameter.gradient:is_finite() then return parameter.name end
  end
end

-- Whether a callback's answer is to stop.
local function is_stop(answer)
  if answer ~= nil and answer ~= "stop" then
    error(("a callback returns \"stop\" or nothing, got %s"):format(tostring(answer)), 0)
  end
  return answer == "stop"
end

---A record for each epoch: epoch, loss, accuracy (over the batches as they were trained),
---validation_loss, validation_accuracy, rate.
---@class History
---@field [integer] table     the records
---@field stopped string      "epochs", "callback" or "early"
---@field best_epoch integer? with early stopping: the epoch whose parameters the network has now

---Train a network on a dataset.
---Options: loss (a name of pl.loss, or a function; required), optimizer (default pl.adam{}), epochs
---(10), batch (128), validation (a dataset to be evaluated after each epoch), schedule (of
---pl.schedule, default constant), shuffle (true), seed (1) or generator for the shuffling,
---early_stopping (true or { patience = 5, improvement = 0, monitor = "validation_loss" }: stop
---after `patience` epochs without improvement; the best parameters are restored in any case),
---on_batch and on_epoch (functions, called with a progress table { epoch, epochs, batch, batches,
---samples, loss } and with the epoch's record; to stop they return "stop").
---A loss or a gradient that is not finite raises before the update, saying where.
---@param network Network
---@param dataset Dataset
---@param given table
---@return History
function training.fit(network, dataset, given)
  local run = at_caller(2, prepare, network, dataset, given)
  local loss, optimizer, batches, best = run.loss, run.optimizer, run.batches, run.best
  local parameters = network:flat_parameters()
  local Deltas = Buffer.new(network.core, network.outputs)
  local Predicted = Buffer.new(network.core, 1)
  local history = { stopped = "epochs" }
  local progress = { epochs = run.epochs, batches = batches.count }

  for epoch = 1, run.epochs do
    local total, correct, samples = 0, 0, 0
    progress.epoch, progress.batch = epoch, 0
    for X, T in batches:restart() do
      local N = X.cols
      local A = network:forward(X)
      local J, Delta = loss(A, T, Deltas:columns(N))
      if J - J ~= 0 then
        error(("the loss is %s in epoch %d, batch %d%s"):format(J, epoch,
          progress.batch + 1, first_nonfinite(network)), 2)
      end
      network:backward(Delta)
      local wrong = nonfinite_gradient(network)
      if wrong then
        error(("the gradient of %s is not finite in epoch %d, batch %d"):format(wrong,
          epoch, progress.batch + 1), 2)
      end
      if run.schedule then
        local done = epoch - 1 + (progress.batch + 0.5) / batches.count
        progress.rate = optimizer.rate * run.schedule(done, run.epochs)
      end
      optimizer:step(parameters, progress.rate)
      total, samples = total + J * N, samples + N
      if dataset.has_classes then
        correct = correct + metrics.correct(A, T, Predicted:columns(N))
      end
      progress.batch, progress.samples = progress.batch + 1, samples
      progress.loss = total / samples
      if run.on_batch and at_caller(2, is_stop, run.on_batch(progress)) then
        history.stopped = "callback"
        break
      end
    end

    local record = {
      epoch = epoch, loss = total / samples, rate = progress.rate or optimizer.rate,
      accuracy = dataset.has_classes and correct / samples or nil,
    }
    history[epoch] = record
    if history.stopped == "callback" then break end
    if run.validation then
      local result = metrics.evaluate(network, run.validation, loss)
      record.validation_loss, record.validation_accuracy = result.loss, result.accuracy
    end
    if best and at_caller(2, best.has_passed, best, record) then
      history.stopped = "early"
    end
    if run.on_epoch and at_caller(2, is_stop, run.on_epoch(record)) then
      history.stopped = "callback"
    end
    if history.stopped ~= "epochs" then break end
  end
  if best and best.epoch > 0 then
    best:restore()
    history.best_epoch = best.epoch
  end
  return history
end

return training
