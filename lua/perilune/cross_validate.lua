-- How good a way to train is on samples that it has not seen: each fold of a dataset is held out in
-- turn, while a network of its own is trained on the others.

local Dataset = require "perilune.data.dataset"
local Network = require "perilune.network"
local cores = require "perilune.cores"
local errors = require "perilune.errors"
local evaluate = require("perilune.metrics.evaluate").evaluate
local fields = require "perilune.fields"
local is_stop = require("perilune.trainer.step").is_stop
local registry = require "perilune.registry"
local trainer = require "perilune.trainer"

local raise, show = errors.raise, errors.show

---@class CrossValidation
---@field folds table[]                   for each fold its record: `fold`, the loss, the accuracy
---where there are classes, and the metrics, of the samples held out
---@field mean table<string, number>      of each of these numbers, over the folds
---@field deviation table<string, number> their standard deviation; it divides by one less than the
---count of folds
---@field predictions Matrix?             S_L x N: the outputs for each sample by the network that
---has not seen it, the mean of these where folds are repeated; nil where it was stopped
---@field networks Network[]              of each fold
---@field histories History[]             of each fold
---@field stopped "callback"?             a hook has stopped it: the folds before are there
local CrossValidation = {}
CrossValidation.__index = CrossValidation

-- What is not the trainer's, and the loss, which make may give
local declared = {
  loss = { "part", of = "loss", optional = true },
  folds = { "count", default = 5 },
  repeats = { "count", default = 1 },
  stratified = { "boolean", optional = true },
  groups = { "value", optional = true },
  validation = { "number", above = 0, below = 1, optional = true },
  on_fold = { "function", optional = true },
}

---A line for each number: its name, mean and deviation.
function CrossValidation:__tostring()
  local names = {}
  for name in pairs(self.mean) do names[#names + 1] = name end
  table.sort(names)
  local lines = { ("%-20s %10s %10s"):format(#self.folds .. " folds", "mean", "deviation") }
  for _, name in ipairs(names) do
    lines[#lines + 1] = ("%-20s %10.4g %10.4g"):format(name, self.mean[name], self.deviation[name])
  end
  return table.concat(lines, "\n")
end

-- All options, checked; and those for the trainer as they were given, so that each fold makes its
-- own parts of descriptions
local function options_of(given)
  local all, copy, for_trainer = {}, given or {}, {}
  for _, list in ipairs { trainer.option_fields, declared } do
    for name, field in pairs(list) do all[name] = field end
  end
  if type(given) == "table" then
    copy = {}
    for name, value in pairs(given) do copy[name] = value end
  end
  local options = fields.check(all, copy, "cross_validate")
  for name in pairs(options) do
    if trainer.option_fields[name] and name ~= "validation" then for_trainer[name] = copy[name] end
  end
  return options, for_trainer
end

-- A part for one fold alone: what it remembers of one would be known to the next.
local function own_part(family, part, name)
  local another = family:another(part)
  if rawequal(another, part) and type(part) == "table" and part.state ~= nil then
    raise("%s: this one remembers, and would tell a fold of the one before: make may give one for "
      .. "each, { %s = ... } as its second result", name, name)
  end
  return another
end

local function own_parts(value, field, name)
  local family = registry.families[field.of]
  local is_list = field[1] == "parts" and type(value) == "table" and not registry.name_of(value)
    and not family.kind_of[value]
  if not is_list then return own_part(family, value, name) end
  local parts = {}
  for k, part in ipairs(value) do parts[k] = own_part(family, part, name) end
  return parts
end

-- The option `progress`, with the fold before what is shown
local function labelled(progress, label)
  local options = { label = label }
  if type(progress) == "string" then options.style = progress end
  for name, value in pairs(type(progress) == "table" and progress or {}) do
    local is_label = name == "label" and type(value) == "string"
    options[name] = is_label and value .. label or value
  end
  return options
end

-- The trainer's options for one fold: those for all, and in their place what make gives for it
local function options_of_fold(for_trainer, own, label)
  local options = {}
  for name, value in pairs(for_trainer) do
    local field = trainer.option_fields[name]
    local is_part = field[1] == "part" or field[1] == "parts"
    options[name] = is_part and own_parts(value, field, name) or value
  end
  for name, value in pairs(own) do options[name] = value end
  options.progress = options.progress and labelled(options.progress, label)
  return options
end

-- The group of each sample of a subset
local function groups_of(subset, dataset, groups)
  local group_of, list = {}, {}
  if cores.is_matrix(groups) then groups = groups:totable()[1] end
  for n, column in ipairs(dataset:order()) do group_of[column] = groups[n] end
  for n, column in ipairs(subset:order()) do list[n] = group_of[column] end
  return list
end

-- The samples to train on and to validate by, of those that are not held out
local function cut_validation(train, dataset, options)
  if not options.validation then return train end
  local validation, rest = train:split(options.validation, {
    stratified = options.stratified, seed = options.seed,
    groups = options.groups and groups_of(train, dataset, options.groups),
  })
  return rest, validation
end

-- The network for a fold, which must be a new one, and options for its training
local function make_network(make, train, fold, validation, networks)
  local net, own = make(train, fold, validation)
  if getmetatable(net) ~= Network then
    raise("make: a network expected from it, got %s", show(net))
  end
  for k, other in ipairs(networks) do
    if rawequal(net, other) then
      raise("make: a new network for each fold expected, got that of fold %d, which has seen what "
        .. "is held out now", k)
    elseif net.outputs ~= other.outputs then
      raise("make: networks of %d outputs expected, got one of %d", other.outputs, net.outputs)
    end
  end
  if own ~= nil and type(own) ~= "table" then
    raise("make: options expected as its second result, got %s", show(own))
  end
  return net, own or {}
end

-- Put a network's outputs for the samples held out with those for the others.
local function add_predictions(sums, net, held_out, samples, share)
  local core = cores.of(sums)
  for first, X in held_out:chunks "X" do
    local A = net:predict(X:to(net.dtype)):to(sums.dtype)
    for j = 1, A.cols do
      local n = samples[first + j - 1]
      local column = sums:columns(n, n)
      core.add(column, column, core.hadamard(core.matrix(A.rows, 1), A:columns(j, j), share))
    end
  end
end

-- Means and deviations of the folds' numbers
local function summarize(self)
  local K = #self.folds
  for name in pairs(self.folds[1] or {}) do
    if name ~= "fold" then
      local sum, squares = 0, 0
      for _, record in ipairs(self.folds) do sum = sum + record[name] end
      for _, record in ipairs(self.folds) do squares = squares + (record[name] - sum / K) ^ 2 end
      self.mean[name] = sum / K
      self.deviation[name] = K > 1 and math.sqrt(squares / (K - 1)) or 0 / 0
    end
  end
  return self
end

---Train a network for each fold of a dataset on the others, and measure it on the fold.
---    local result = pl.cross_validate(function(train)
---      return pl.network { inputs = train.inputs, pl.dense(16, "relu"), pl.dense(3) }
---    end, data, { loss = "softmax_cross_entropy", folds = 10, epochs = 50, metrics = { "f1" } })
---    print(result, result.mean.f1, result.folds[1].f1)
---make(train, fold, validation) gives a new network. Whatever is to be found out from data, such as
---means to scale by, it finds out from `train`: then nothing is known of the samples held out. As a
---second result it may give options that take the place of the others for this fold. Options are
---those of pl.fit, and folds (5), repeats (1), stratified (true where there are classes), groups (a
---name or number for each sample: a group is held out as a whole), seed (1, or generator: for the
---folds too), validation (a fraction of what is trained on, in place of a dataset: it is set aside
---for validation and early stopping, and not in `train`), and on_fold(record) after each fold.
---Hooks stop all of it; the fold that they stop does not count. Parts that were made, such as
---pl.adam(), are made anew for each fold.
---@param make fun(train: Dataset, fold: integer, validation: Dataset?): Network, table?
---@param dataset Dataset
---@param given table
---@return CrossValidation
local function cross_validate(make, dataset, given)
  fields.value("make", make, { "function" })
  Dataset.check(dataset, "cross_validate")
  local options, for_trainer = options_of(given)
  if options.stratified == nil then options.stratified = dataset.has_classes end
  local self = setmetatable({
    folds = {}, networks = {}, histories = {}, mean = {}, deviation = {},
  }, CrossValidation)
  local sums
  for train, held_out, fold, samples in dataset:folds(options.folds, {
    repeats = options.repeats, stratified = options.stratified, groups = options.groups,
    seed = options.seed, generator = options.generator,
  }) do
    local rest, validation = cut_validation(train, dataset, options)
    local net, own = make_network(make, rest, fold, validation, self.networks)
    local label = ("fold %d/%d "):format(fold, options.folds * options.repeats)
    local for_fold = options_of_fold(for_trainer, own, label)
    if for_fold.validation == nil then for_fold.validation = validation end
    local history = trainer.fit(net, rest, for_fold)
    if history.stopped == "callback" then
      self.stopped = "callback"
      return summarize(self)
    end
    local record = evaluate(net, held_out, for_fold.loss, for_fold.metrics)
    record.fold = fold
    sums = sums or net.core.matrix(net.outputs, dataset.N)
    add_predictions(sums, net, held_out, samples, 1 / options.repeats)
    self.folds[fold], self.networks[fold], self.histories[fold] = record, net, history
    if options.on_fold and is_stop(options.on_fold(record), "on_fold") then
      self.stopped = "callback"
      return summarize(self)
    end
  end
  self.predictions = sums
  return summarize(self)
end

return cross_validate
