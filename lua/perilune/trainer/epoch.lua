-- The end of an epoch, and of training.

local evaluation = require "perilune.metrics.evaluate"
local step = require "perilune.trainer.step"

local check_tensors, is_stop = step.check_tensors, step.is_stop

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
  local hook, display = self.options.on_epoch, self.display
  if display then display:on_epoch(record, progress, self.dataset.N, self.finished) end
  if display and hook then display:clear() end -- the hook may print
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

return { close_epoch = close_epoch, finish = finish, new_record = new_record }
