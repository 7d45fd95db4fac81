-- The state of a run in a file, with what makes the run what it is.

local errors = require "perilune.errors"
local nonfinite = require "perilune.nonfinite"
local registry = require "perilune.registry"

local raise = errors.raise

---@class Trainer
local Trainer = {}

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
  local metrics, gradients, augment = {}, {}, {}
  for k, metric in ipairs(options.metrics) do metrics[k] = description(metric, "metric") end
  for k, part in ipairs(options.gradients or {}) do
    gradients[k] = description(part, "gradient")
  end
  for k, part in ipairs(options.augment) do augment[k] = description(part, "augmentation") end
  local network = self.net:describe()
  network.gives, network.targets = nil, nil -- what training says of them is part of the state
  return {
    network = network,
    data = data(self.given), validation = data(self.options.validation),
    options = {
      loss = description(self.loss, "loss"),
      optimizer = description(self.optimizer, "optimizer"),
      schedule = description(self.schedule, "schedule"), metrics = metrics,
      gradients = gradients, augment = augment, average = description(self.average, "average"),
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

return Trainer
