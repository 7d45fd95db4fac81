-- How good a network is: accuracy, confusion matrix, mean loss.

local Batches = require "perilune.data.batches"
local Buffer = require "perilune.buffer"
local Dataset = require "perilune.data.dataset"
local Tally = require "perilune.metrics.tally"
local classes = require "perilune.metrics.classes"
local confusion = require "perilune.metrics.confusion"
local consultation = require "perilune.consultation"
local cores = require "perilune.cores"
local errors = require "perilune.errors"
local losses = require "perilune.loss"
local nonfinite = require "perilune.nonfinite"

local raise, show = errors.raise, errors.show

local CHUNK = 1000 -- samples that evaluate takes at once

local metrics = {
  confusion = confusion, tally = Tally.new, total_weight = Tally.total_weight,
}

---How many samples are classified as the targets say.
---@param A Matrix           S_L x N outputs
---@param T Matrix           1 x N labels, or S_L x N target columns; for one output 1 x N from 0 to
---1, where at least one half means the second class
---@param predicted? Matrix  1 x N to work in, allocated when absent
---@param gives? "logits"|"probabilities"|"values"  what A is: one output means the second class
---from 1/2, a logit from 0 on
---@return integer
function metrics.correct(A, T, predicted, gives)
  classes.check(A, T)
  gives = classes.check_gives(gives)
  local core = cores.of(A)
  if predicted ~= nil and core.sample_count(predicted, 1) ~= A.cols then
    raise("predicted: a 1 x %d matrix of %s expected, got %s", A.cols, A.dtype,
      show(predicted))
  end
  predicted = classes.predicted(A, gives, predicted)
  return core.count_equal(predicted, classes.actual(T, A.rows))
end

---The fraction of samples classified as the targets say, in [0, 1].
---@param A Matrix  S_L x N outputs
---@param T Matrix  1 x N labels, or S_L x N target columns, as for correct
---@param gives? "logits"|"probabilities"|"values"
---@return number
function metrics.accuracy(A, T, gives)
  return metrics.correct(A, T, nil, gives) / A.cols
end

---The mean loss over a dataset, and where it has classes the accuracy. Both are weighted by the
---weights of the samples; weights of single targets are the loss's alone. Training state is not
---touched. Raises, with the sample and the cause, for outputs that are NaN.
---@param network Network
---@param dataset Dataset  two classes may have one output (see Dataset:for_outputs)
---@param loss? any        a name, a description, or a function (A, T, Delta, weights) --> J
---@return { loss: number?, accuracy: number? }
function metrics.evaluate(network, dataset, loss)
  if type(network) ~= "table" or type(network.predict) ~= "function" then
    raise("a network expected, got %s", show(network))
  end
  Dataset.check(dataset)
  loss = loss and losses:resolve(loss)
  dataset = dataset:for_outputs(network.outputs)
  consultation.check_fit(network, loss, dataset, "the dataset")
  local core, outputs = network.core, network.outputs
  local tally = Tally.new {
    core = core, outputs = outputs, has_classes = dataset.has_classes,
    gives = network.gives or loss and loss.gives or nil,
  }
  local results = Buffer.new(core, outputs)
  for X, T, weights in Batches.new(dataset, { batch = CHUNK, dtype = network.dtype }) do
    local A = network:predict(X, results:columns(X.cols))
    nonfinite.check_outputs(network, X, A, tally.samples)
    local J = loss and loss(A, T, false, weights)
    if loss and type(J) ~= "number" then
      raise("loss: a number J expected from it, got %s", show(J))
    end
    tally:add(A, T, weights, J)
  end
  if tally.weight == 0 then raise("the weights of all samples are 0") end
  return { loss = loss and tally:mean_loss() or nil, accuracy = tally:accuracy() }
end

return metrics
