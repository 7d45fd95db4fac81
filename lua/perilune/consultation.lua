-- Before the first step: what cannot fit together is refused, with the cure; what seldom does is
-- warned of. Most faults of networks that do not learn are of these kinds, and need no training to
-- be seen.

local cores = require "perilune.cores"
local errors = require "perilune.errors"

local raise = errors.raise

-- The activation that the outputs of a node come from, nil where they come from none
local function last_activation(node)
  if node.kind == "chain" then
    for l = #node.children, 1, -1 do
      local inner = node.children[l]
      if inner.kind ~= "dropout" then return last_activation(inner) end
    end
  end
  return node.kind == "dense" and node.layer.options.activation or nil
end

---What the network's outputs are when it is trained with this loss.
---@param net Network
---@param loss Loss
---@return "logits"|"probabilities"|"values"
local function gives(net, loss)
  if loss.gives == "logits" then return "logits" end
  local sigma = last_activation(net.root)
  local range = sigma and sigma.range
  if range and range[1] == 0 and range[2] == 1 then return "probabilities" end
  return loss.gives or "values"
end

local function check_outputs(net, loss)
  local sigma = last_activation(net.root)
  local loss_name = loss.name or "the loss"
  local is_normalized = sigma and sigma.is_elementwise == false
  if is_normalized and net.outputs == 1 then
    raise("%s of one output is always %g: use \"sigmoid\", or one output for each class",
      sigma.name, sigma.range[2])
  end
  if loss.gives ~= "logits" then return end
  if is_normalized then
    raise("%s takes logits and applies softmax itself: the last layer's activation must be "
      .. "\"identity\", got \"%s\"", loss_name, sigma.name)
  elseif net.outputs == 1 and loss.name == "softmax_cross_entropy" then
    raise("%s of one output is always 0: two classes need 2 outputs, or one with \"sigmoid\" and "
      .. "the loss \"squared_error\"", loss_name)
  end
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
---@param dataset Dataset  for the network's outputs: see Dataset:for_outputs
---@param what string      "the training set"
local function check_fit(net, loss, dataset, what)
  if dataset.inputs ~= net.inputs then
    raise("%s has %d inputs but the network has %d", what, dataset.inputs, net.inputs)
  elseif dataset.has_labels and loss and not loss.labels then
    raise("%s: %s takes no labels (dataset:one_hot() makes target columns of them)", what,
      loss.name or "the loss")
  end
  local needs_outputs = dataset.has_classes or (loss and not loss.is_own)
  if not dataset.has_labels and needs_outputs and dataset.targets ~= net.outputs then
    raise("%s has %d targets but the network has %d outputs", what, dataset.targets,
      net.outputs)
  end
  check_classes(net, dataset, what)
end

-- "0 to 1", "0 and above"
local function shown_range(range)
  if range[2] == math.huge then return ("%g and above"):format(range[1]) end
  if range[1] == -math.huge then return ("%g and below"):format(range[2]) end
  return ("%g to %g"):format(range[1], range[2])
end

local function check_range(net, dataset, what)
  local sigma, weights = last_activation(net.root), dataset.source.weights
  local range = sigma and sigma.range
  if not range or dataset.has_labels then return end
  if weights and weights:min() == 0 then return end -- what is left out may be anything
  local low, high = dataset.T:min(), dataset.T:max()
  if low < range[1] or high > range[2] then
    raise("%s: targets reach from %g to %g, but the last layer's %s only gives %s: "
      .. "scale the targets, or use \"identity\" there", what, low, high,
      sigma.name or "activation", shown_range(range))
  end
end

local function check_numbers(dataset, what)
  local weights = dataset.weights
  if weights and weights:max() == 0 then raise("%s: the weights of all samples are 0", what) end
  local letter, row, column = dataset:find_nonfinite()
  if letter then
    raise("%s: numbers expected, %s has NaN or infinity in row %d of sample %d", what, letter, row,
      column)
  end
end

local function check_dataset(net, loss, dataset, what)
  check_fit(net, loss, dataset, what)
  check_numbers(dataset, what)
  check_range(net, dataset, what)
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
  for k = 1, math.min(#constant, 5) do names[k] = tostring(constant[k]) end
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
  if validation then check_dataset(net, loss, validation, "the validation set") end
  warn_of_nothing_to_train(net, warnings)
  warn_of_logits(net, loss, warnings)
  warn_of_features(dataset, warnings)
  warn_of_single_samples(net, dataset, batch, warnings)
  return warnings
end

return { check_fit = check_fit, consult = consult, gives = gives }
