-- Before the first step: what cannot fit together is refused, with the cure; what seldom does is
-- warned of. Most faults of networks that do not learn are of these kinds, and need no training to
-- be seen.

local cores = require "perilune.cores"
local errors = require "perilune.errors"
local schema = require "perilune.data.schema"

local raise = errors.raise

-- The activation that the outputs of a node come from, nil where they come from none
local function last_activation(node)
  if node.kind == "chain" then
    for l = #node.children, 1, -1 do
      local inner = node.children[l]
      if not inner.class.is_transparent then return last_activation(inner) end
    end
  end
  return node.kind == "dense" and node.layer.options.activation or nil
end

---What the network's outputs are when it is trained with this loss.
---@param net Network
---@param loss Loss
---@return "logits"|"probabilities"|"log_probabilities"|"values"
local function gives(net, loss)
  if loss.gives == "logits" or loss.gives == "log_probabilities" then return loss.gives end
  local sigma = last_activation(net.root)
  local range = sigma and sigma.range
  if range and range[1] == 0 and range[2] == 1 then return "probabilities" end
  return loss.gives or "values"
end

-- "0 to 1", "0 and above", "0 and below"
local function shown_range(range)
  if range[2] == math.huge then return ("%g and above"):format(range[1]) end
  if range[1] == -math.huge then return ("%g and below"):format(range[2]) end
  return ("%g to %g"):format(range[1], range[2])
end

local function is_within(low, high, range)
  return low >= range[1] and high <= range[2]
end

-- Whether the outputs of a sample depend on each other, as those of softmax do
local function is_normalized(sigma)
  return sigma ~= nil and sigma.is_elementwise == false
end

local function check_logits(net, loss, sigma)
  local loss_name, applies = loss.name or "the loss", loss.applies
  if is_normalized(sigma) or sigma and sigma.name and sigma.name == applies then
    raise("%s takes logits%s: the last layer's activation must be \"identity\", got \"%s\"",
      loss_name, applies and (" and applies %s itself"):format(applies) or "", sigma.name)
  elseif net.outputs == 1 and loss.targets == "one" then
    raise("%s of one output tells no classes apart: two classes need 2 outputs, or one with the "
      .. "loss \"sigmoid_cross_entropy\"", loss_name)
  end
end

-- What a loss takes that is not just any number, and by which activation the last layer gives it
local taken = {
  probabilities = { range = { 0, 1 }, by = "sigmoid" },
  log_probabilities = { range = { -math.huge, 0 }, by = "log_softmax" },
}

local function check_taken(loss, sigma)
  local takes = taken[loss.gives]
  if not takes or loss.is_own or not sigma then return end
  local range = sigma.range
  if range and is_within(range[1], range[2], takes.range) then return end
  raise("%s takes %s, %s, but the last layer's %s gives %s: use \"%s\" there", loss.name,
    loss.gives:gsub("_", "-"), shown_range(takes.range), sigma.name or "activation",
    range and shown_range(range) or "any number", takes.by)
end

local function check_outputs(net, loss)
  local sigma = last_activation(net.root)
  if is_normalized(sigma) and net.outputs == 1 then
    raise("%s of one output is always %g: use \"sigmoid\", or one output for each class",
      sigma.name, sigma.range[2])
  end
  if loss.gives == "logits" then check_logits(net, loss, sigma) else check_taken(loss, sigma) end
end

local function check_classes(net, dataset, what)
  if not net.classes or not dataset.classes then return end
  net.check_classes(net.classes, net.outputs)
  for k, name in ipairs(net.classes) do
    if dataset.classes[k] ~= name then
      raise("%s: class %d: %s expected, as the network has it, got %s", what, k,
        errors.show(name), errors.show(dataset.classes[k]))
    end
  end
end

---Raise unless the samples and targets of a dataset are such as the network takes and the loss
---expects.
---@param net Network
---@param loss Loss?
---@param dataset Dataset  for the network: see Dataset:for_network
---@param what string      "the training set"
local function check_fit(net, loss, dataset, what)
  if dataset.inputs ~= net.inputs then
    raise("%s has %d inputs but the network has %d", what, dataset.inputs, net.inputs)
  elseif dataset.has_labels and loss and not loss.labels then
    raise("%s: %s takes no labels (dataset:one_hot() makes target columns of them)", what,
      loss.name or "the loss")
  end
  if not dataset.has_labels and loss and loss.labels == "only" then
    raise("%s: %s takes labels only", what, loss.name)
  end
  local per_target = loss and loss.outputs_per_target or 1
  local needs_outputs = dataset.has_classes or (loss and not loss.is_own)
  local fits = dataset.targets * per_target == net.outputs
  if not dataset.has_labels and needs_outputs and not fits then
    raise("%s has %d targets but the network has %d outputs%s", what, dataset.targets,
      net.outputs, per_target > 1 and (", and %s takes %d for each target"):format(loss.name,
        per_target) or "")
  end
  check_classes(net, dataset, what)
  local other = net.schema and dataset.schema and schema.difference(net.schema, dataset.schema)
  if other then
    raise("%s does not have the columns that the network was made for: %s", what, other)
  end
end

-- The least and the largest target
local function range_of(dataset)
  local low, high = math.huge, -math.huge
  for _, T in dataset:chunks "T" do low, high = math.min(low, T:min()), math.max(high, T:max()) end
  return low, high
end

-- Targets that the loss does not take, or that the last layer cannot reach
local function check_range(net, loss, dataset, what)
  local sigma, weights = last_activation(net.root), dataset.source.weights
  if dataset.has_labels then return end
  if weights and weights:min() == 0 then return end -- what is left out may be anything
  local low, high = range_of(dataset)
  if loss.range and not is_within(low, high, loss.range) then
    raise("%s: targets reach from %g to %g, but %s takes %s", what, low, high, loss.name,
      shown_range(loss.range))
  end
  local range = (loss.is_own or loss.compares) and sigma and sigma.range
  if range and not is_within(low, high, range) then
    raise("%s: targets reach from %g to %g, but the last layer's %s only gives %s: "
      .. "scale the targets, or use \"identity\" there", what, low, high,
      sigma.name or "activation", shown_range(range))
  end
end

local function check_numbers(net, dataset, what)
  local weights = dataset.weights
  if weights and weights:max() == 0 then raise("%s: the weights of all samples are 0", what) end
  local letter, row, column = dataset:find_nonfinite(net.takes_missing)
  if not letter then return end
  local name = letter == "X" and dataset.schema and dataset.schema[row].name
  local has_cure = letter == "X" and not net.takes_missing
  raise("%s: numbers expected, %s has NaN or infinity in row %d%s of sample %d%s", what, letter,
    row, name and (" (%s)"):format(errors.show(name)) or "", column,
    has_cure and " (pl.prepare as the first layer takes missing cells)" or "")
end

-- Categories that training had not, where the network refuses them
local function check_categories(net, dataset, what)
  if not net.records or not cores.is_matrix(dataset.source.X) then return end
  local refusing = {}
  for k, column in ipairs(net.records.columns) do
    if column.used and column.unseen == "refuse" then refusing[k] = column end
  end
  if not next(refusing) then return end
  for first, X in dataset:chunks "X" do
    for k, column in pairs(refusing) do
      for n = 1, X.cols do
        if X:get(k, n) == 0 then
          raise("%s: column %s: an unseen value in sample %d (unseen = \"missing\" or \"zeros\" in "
            .. "pl.prepare takes it)", what, errors.show(column.name), first + n - 1)
        end
      end
    end
  end
end

local function check_dataset(net, loss, dataset, what, is_held_out)
  check_fit(net, loss, dataset, what)
  check_numbers(net, dataset, what)
  check_categories(net, dataset, what)
  -- Targets that are scaled by the range of the training set may lie beyond it elsewhere.
  if not (net.units and is_held_out) then check_range(net, loss, dataset, what) end
end

-- Features that have the same value in all samples
local function constant_features(dataset)
  if not cores.is_matrix(dataset.source.X) or dataset.N < 2 then return {} end
  local first, moved, sum
  for _, X in dataset:chunks "X" do
    local core = cores.of(X)
    first = first or X:columns(1, 1):copy()
    moved, sum = moved or core.matrix(X.rows, 1), sum or core.matrix(X.rows, 1)
    core.abs(X, core.subtract(X, X, first))
    core.add(moved, moved, core.sum_columns(sum, X))
    if moved:min() > 0 then return {} end
  end
  local constant = {}
  for i = 1, moved.rows do
    if moved:get(i, 1) == 0 then constant[#constant + 1] = i end
  end
  return constant
end

local function warn_of_features(dataset, warnings)
  local constant = constant_features(dataset)
  if #constant == 0 then return end
  local names, is_one = {}, #constant == 1
  for k = 1, math.min(#constant, 5) do
    local feature = dataset.schema and dataset.schema[constant[k]]
    names[k] = feature and ("%d (%s)"):format(constant[k], errors.show(feature.name))
      or tostring(constant[k])
  end
  local others = #constant > 5 and (" and %d more"):format(#constant - 5) or ""
  warnings[#warnings + 1] = ("the training set's X never changes in row%s %s%s: nothing can be "
    .. "learned from %s"):format(is_one and "" or "s", table.concat(names, ", "), others,
    is_one and "it" or "them")
end

local function warn_of_single_samples(net, dataset, batch, warnings)
  local size = math.min(batch, dataset.N)
  local is_last = dataset.N % size == 1 or size == 1
  for _, node in ipairs(net.nodes) do
    if is_last and node.kind == "batch_norm" and not node.frozen then
      warnings[#warnings + 1] = ("layer %s: a batch of one sample (%s) is normalised by the "
        .. "running statistics of batch_norm, which it does not change"):format(node.path,
        size == 1 and "every batch" or "the last of each epoch")
    end
  end
end

local function warn_of_logits(net, loss, warnings)
  local sigma = last_activation(net.root)
  if loss.gives == "logits" and sigma and sigma.range then
    warnings[#warnings + 1] = ("%s takes logits, which may be any number, but the last layer's %s "
      .. "gives only some: \"identity\" is usual there"):format(loss.name or "the loss",
      sigma.name or "activation")
  end
end

local function warn_of_nothing_to_train(net, warnings)
  if #net:parameters() == 0 then
    warnings[#warnings + 1] = "the network has no parameters to train: its layers are frozen, or "
      .. "have none"
  end
end

---Raise for what cannot be trained; give a list of what seldom can.
---@param net Network
---@param loss Loss
---@param dataset Dataset
---@param validation Dataset?
---@param batch integer
---@return string[] warnings
local function consult(net, loss, dataset, validation, batch)
  local warnings = {}
  check_outputs(net, loss)
  check_dataset(net, loss, dataset, "the training set")
  if validation then check_dataset(net, loss, validation, "the validation set", true) end
  warn_of_nothing_to_train(net, warnings)
  warn_of_logits(net, loss, warnings)
  warn_of_features(dataset, warnings)
  warn_of_single_samples(net, dataset, batch, warnings)
  return warnings
end

return { check_fit = check_fit, consult = consult, gives = gives }
