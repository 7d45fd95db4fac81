-- How good a network is on a dataset.

local Batches = require "perilune.data.batches"
local Buffer = require "perilune.buffer"
local Dataset = require "perilune.data.dataset"
local Meter = require "perilune.metrics.meter"
local Network = require "perilune.network"
local classes = require "perilune.metrics.classes"
local consultation = require "perilune.consultation"
local errors = require "perilune.errors"
local fields = require "perilune.fields"
local losses = require "perilune.loss"
local metric = require "perilune.metrics"
local nonfinite = require "perilune.nonfinite"

local raise, show = errors.raise, errors.show

local CHUNK = 1000 -- samples that are taken at once

-- Raise unless the targets are what the metrics are told of.
local function check_targets(dataset, metrics, about)
  local are_labels = false
  for _, part in ipairs(metrics) do
    if part.takes and not dataset.has_labels and dataset.targets ~= about.outputs then
      raise("%s: a target for each output expected, got %d targets and %d outputs", part.name,
        dataset.targets, about.outputs)
    end
    are_labels = are_labels or (part.takes ~= nil and part.takes ~= "values")
  end
  if not are_labels then return end
  if about.several then
    classes.check_dataset_of_labels(dataset)
  else
    classes.check_dataset(dataset)
  end
end

---The meter of what is recorded of a network on a dataset: the mean loss where there is one, the
---accuracy where the set says classes, and the metrics that are asked for.
---@param network Network
---@param dataset Dataset   for the network: see Dataset:for_network
---@param loss Loss?
---@param asked Metric[]
---@param gives string?     what the network's outputs are
---@return Meter
local function new_meter(network, dataset, loss, asked, gives)
  local targets = loss and loss.targets or network.targets
  local about = {
    core = network.core, outputs = network.outputs, gives = gives,
    several = targets == "several" and network.outputs > 1,
    labels = dataset.has_labels, units = network.units,
  }
  local metrics, has_accuracy = table.move(asked, 1, #asked, 1, {}), false
  for _, part in ipairs(asked) do has_accuracy = has_accuracy or part.name == "accuracy" end
  if dataset.has_classes and not has_accuracy then
    table.insert(metrics, 1, metric:resolve "accuracy")
  end
  check_targets(dataset, metrics, about)
  return Meter.new(metrics, about, loss ~= nil)
end

---Measure a network on a dataset that was looked at before. Training state is not touched. Raises,
---with the sample and the cause, for outputs that are NaN.
---@param network Network
---@param dataset Dataset
---@param loss Loss?
---@param meter Meter
---@return table<string, number>
local function measure(network, dataset, loss, meter)
  local results = Buffer.new(network.core, network.outputs)
  meter:reset()
  for X, T, weights in Batches.new(dataset, { batch = CHUNK, dtype = network.dtype }) do
    local A = network:predict_scaled(X, results:columns(X.cols))
    nonfinite.check_outputs(network, X, A, meter.samples)
    local J, _, J_total
    if loss then J, _, J_total = loss(A, T, false, weights) end
    if loss and type(J) ~= "number" then
      raise("loss: a number J expected from it, got %s", show(J))
    end
    meter:take(A, T, weights, J, J_total)
  end
  return meter:results()
end

---The mean loss over a dataset, where it has classes the accuracy, and other metrics by name. All
---are weighted by the weights of the samples; weights of single targets are those of the loss and
---of metrics of numbers and of several labels. Where the network's last layer is `units`, the loss
---is that of scaled targets, and metrics are in the units of the targets. Training state is not
---touched. Raises, with the sample and the cause, for outputs that are NaN.
---    pl.evaluate(net, test, "softmax_cross_entropy", { "f1", { "top_k", k = 3 } }).f1
---@param network Network
---@param dataset Dataset  two classes may have one output (see Dataset:for_network)
---@param loss? any        a name, a description, or a function (A, T, Delta, weights) --> J
---@param metrics? any[]   metrics, each as a name, a description or a part
---@return table<string, number>  loss, accuracy and the metrics' values
local function evaluate(network, dataset, loss, metrics)
  Network.check(network)
  Dataset.check(dataset)
  loss = loss and losses:resolve(loss) or nil
  metrics = metrics ~= nil and fields.value("metrics", metrics, { "metrics" }) or {}
  dataset = dataset:for_network(network)
  consultation.check_fit(network, loss, dataset, "the dataset")
  local weights = dataset.weights
  if weights and weights:max() == 0 then raise("the weights of all samples are 0") end
  local gives = network.gives or loss and loss.gives or nil
  return measure(network, dataset, loss, new_meter(network, dataset, loss, metrics, gives))
end

return { evaluate = evaluate, measure = measure, new_meter = new_meter }
