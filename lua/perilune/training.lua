-- The training loop: what every loop does, with a place to hook in wherever one would want to
-- change it. For anything else write the loop out; it is five lines (README).

local Batches = require "perilune.data.batches"
local Buffer = require "perilune.layer.buffer"
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

local function check_integer(chosen, name)
  if math.type(chosen[name]) ~= "integer" or chosen[name] < 1 then
    error(("%s: a whole number of 1 or more expected, got %s"):format(name,
      tostring(chosen[name])), 4)
  end
end

local function check_dataset(network, dataset, what)
  if type(dataset) ~= "table" or not dataset.gather then
    error(("%s: a dataset expected, got %s (pl.dataset{ X =, T = } makes one)"):format(
      what, type(dataset)), 4)
  end
  if dataset.inputs ~= network.inputs then
    error(("%s has %d inputs but the network has %d"):format(what, dataset.inputs,
      network.inputs), 4)
  end
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

-- Early stopping: the best epoch so far by one number of its record, and the parameters it had.
local Best = {}
Best.__index = Best

local function new_best(network, given, has_validation)
  if not given then return nil end
  local chosen = options(given == true and {} or given, {
    patience = 5, improvement = 0,
    monitor = has_validation and "validation_loss" or "loss",
  }, 4)
  check_integer(chosen, "patience")
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
    error(("early stopping: no number '%s' is recorded"):format(self.monitor), 4)
  end
  local score = self.larger_is_better and value or -value
  if not self.score or score > self.score + self.improvement then
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

-- Call back; true when the answer is to stop.
local function says_stop(callback, ...)
  if not callback then return false end
  local answer = callback(...)
  if answer ~= nil and answer ~= "stop" then
    error(("a callback returns \"stop\" or nothing, got %s"):format(tostring(answer)), 4)
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
---A loss that is not finite raises before the update, saying where.
---@param network Network
---@param dataset Dataset
---@param given table
---@return History
function training.fit(network, dataset, given)
  local chosen = options(given, defaults)
  local function check()
    check_dataset(network, dataset, "the training set")
    if chosen.validation then
      check_dataset(network, chosen.validation, "the validation set")
    end
    check_integer(chosen, "epochs")
    check_integer(chosen, "batch")
  end
  check()
  if not chosen.loss then error("option 'loss' is required", 2) end
  local loss = choose("loss", losses, chosen.loss, nil, "function")
  local optimizer = chosen.optimizer or optimizers.adam()
  local best = new_best(network, chosen.early_stopping, chosen.validation)
  local generator = chosen.shuffle
    and (chosen.generator or network.core.generator(chosen.seed)) or nil
  local batches = Batches.new(dataset,
    { batch = chosen.batch, generator = generator, dtype = network.dtype })
  local Deltas = Buffer.new(network.core, network.outputs)
  local Predicted = Buffer.new(network.core, 1)
  local parameters = network:flat_parameters()
  local history = { stopped = "epochs" }
  local progress = { epochs = chosen.epochs, batches = batches.count }

  for epoch = 1, chosen.epochs do
    local total, correct, samples = 0, 0, 0
    progress.epoch, progress.batch = epoch, 0
    batches:restart()
    for X, T in batches do
      local N = X.cols
      local A = network:forward(X)
      local J, Delta = loss(A, T, Deltas:columns(N))
      if J - J ~= 0 then
        error(("the loss is %s in epoch %d, batch %d%s"):format(J, epoch,
          progress.batch + 1, first_nonfinite(network)), 2)
      end
      network:backward(Delta)
      local rate
      if chosen.schedule then
        local done = epoch - 1 + (progress.batch + 0.5) / batches.count
        rate = optimizer.rate * chosen.schedule(done, chosen.epochs)
        progress.rate = rate
      end
      optimizer:step(parameters, rate)
      total, samples = total + J * N, samples + N
      if dataset.has_classes then
        correct = correct + metrics.correct(A, T, Predicted:columns(N))
      end
      progress.batch, progress.samples = progress.batch + 1, samples
      progress.loss = total / samples
      if says_stop(chosen.on_batch, progress) then
        history.stopped = "callback"
        break
      end
    end

    local record = {
      epoch = epoch, loss = total / samples, rate = progress.rate or optimizer.rate,
      accuracy = dataset.has_classes and correct / samples or nil,
    }
    if chosen.validation and history.stopped == "epochs" then
      local result = metrics.evaluate(network, chosen.validation, loss)
      record.validation_loss, record.validation_accuracy = result.loss, result.accuracy
    end
    history[epoch] = record
    if history.stopped ~= "epochs" then break end
    local passed = best and best:has_passed(record)
    if says_stop(chosen.on_epoch, record) then
      history.stopped = "callback"
      break
    end
    if passed then
      history.stopped = "early"
      break
    end
  end
  if best and best.epoch > 0 then
    best:restore()
    history.best_epoch = best.epoch
  end
  return history
end

return training
