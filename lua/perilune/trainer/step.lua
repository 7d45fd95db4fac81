-- One step, which is made or not made: where it raises before its update, what it has moved goes
-- back.

local computing = require "perilune.trainer.compute"
local errors = require "perilune.errors"
local nonfinite = require "perilune.nonfinite"

local raise, show = errors.raise, errors.show
local check_gradients, compute = computing.check_gradients, computing.compute

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

return { check_tensors = check_tensors, is_stop = is_stop, take_back = take_back, train = train }
