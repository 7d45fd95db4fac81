-- A network for tables and its training, which need no tuning: RealMLP-TD-S (Holzmueller et al.
-- 2024, section 3), whose numbers were found on many tables at once. They are all here; each could
-- be written out by what `require "perilune"` gives.

local Dataset = require "perilune.data.dataset"
local Network = require "perilune.network"
local describe = require "perilune.layer.describe"
local errors = require "perilune.errors"
local fields = require "perilune.fields"
local preparation = require "perilune.data.preparation"

-- What differs with the task
local CLASSES = {
  activation = "selu", rate = 0.04, monitor = "validation_accuracy",
  loss = { "softmax_cross_entropy", label_smoothing = 0.1 },
}
local NUMBERS = {
  activation = "mish", rate = 0.07, monitor = "validation_rmse", metrics = { "rmse" },
  loss = "mean_squared_error",
}

-- Periodic embeddings (Gorishniy et al. 2022; without an activation, as RealMLP-TD has them): waves
-- of each number, and a dense layer of its own above them. Numbers are made normal by their
-- quantiles first, so that the same frequencies tell neighbours apart wherever the numbers lie
-- dense.
local PERIODIC = { frequencies = 16, deviation = 5, outputs = 8, activation = "identity" }
local NORMAL = { scaler = "quantile" }

local option_fields = {
  hidden = { "value", default = { 256, 256, 256 }, expected = "a width or a list of widths",
    test = function(value) return type(value) == "table" or fields.whole(value) ~= nil end },
  periodic = { "value", default = false, expected = "true, false or options of pl.periodic",
    test = function(value) return type(value) == "boolean" or type(value) == "table" end },
  prepare = { "table", default = {} },
  validation = { "value", optional = true },
  epochs = { "count", default = 256 },
  batch = { "count", default = 256 },
  rate = { "number", optional = true, above = 0, most = 1e38 },
  seed = { "integer", default = 1 },
  dtype = { "choice", choices = { "float32", "float64" }, default = "float32" },
}

-- `base` with what is in `given` in its place
local function with(base, given)
  local all = {}
  for name, value in pairs(base) do all[name] = value end
  for name, value in pairs(given) do all[name] = value end
  return all
end

local function has_type(train, type_of_column)
  if not train.schema then return type_of_column == "number" end
  for _, column in ipairs(train.schema) do
    if column.type == type_of_column then return true end
  end
  return false
end

-- The columns as the first layer of the network takes them: prepared; and with `periodic` the
-- numbers also as waves, beside what they are.
local function first_layer(train, options)
  local base = with({ unseen = "zeros" }, options.periodic and NORMAL or {})
  local own = with(base, options.prepare)
  if not options.periodic then return preparation.prepare(train, own) end
  if not has_type(train, "number") then
    errors.raise("periodic: a column of numbers expected, and all are categories")
  end
  local given = type(options.periodic) == "table" and options.periodic or {}
  local numbers = preparation.prepare(train, with(own, { only = "numbers" }))
  local parts = { numbers, { numbers, describe.periodic(with(PERIODIC, given)) } }
  if has_type(train, "category") then
    parts[3] = preparation.prepare(train, with(own, { only = "categories" }))
  end
  return describe.branch(parts)
end

local function layers_for(train, options, recipe)
  local layers = { inputs = train.inputs, first_layer(train, options), describe.scaling() }
  local hidden = options.hidden
  for _, width in ipairs(type(hidden) == "table" and hidden or { hidden }) do
    layers[#layers + 1] = describe.dense(width, recipe.activation, { scaled = true })
  end
  local outputs = train.targets
  if train.has_labels then
    outputs = train.classes and #train.classes or fields.whole(train.T:max())
  end
  layers[#layers + 1] = describe.dense(outputs, { scaled = true, initializer = "zeros" })
  if not train.has_classes then
    layers[#layers + 1] = preparation.units(train, { clip = true })
  end
  return layers
end

-- Rates of their own for the factors of `scaling`, for biases, and for all within the branch of
-- the waves, which comes first: a parameter is of the first group whose pattern matches its name.
local function optimizer_for(options, recipe)
  local rate = options.rate or recipe.rate
  local groups = {
    { match = "^2%.s$", rate = 6 * rate }, { match = "%.b$", rate = 0.1 * rate },
  }
  if options.periodic then table.insert(groups, 1, { match = "^1%.", rate = 0.1 * rate }) end
  return { "adam", rate = rate, beta2 = 0.95, groups = groups }
end

---A network for a table and the options to train it with, by the defaults of RealMLP-TD-S: robust
---scaling with a smooth clip, one-hot categories, a learned factor for each input, hidden layers in
---the neural tangent parametrisation, a last one that begins at zero, Adam with a rate in waves,
---label smoothing, scaled targets whose predictions stay in their range. With `validation` the
---epoch that was best on it is kept.
---    local net, options = pl.tabular(train, { validation = held_out })
---    pl.fit(net, train, options)
---Options: hidden ({ 256, 256, 256 }: widths; one number for one layer), periodic (false; true:
---numbers are made normal by their quantiles, and given as waves, too; or options of pl.periodic),
---prepare (options of pl.prepare; unseen = "zeros" unless they say otherwise), validation (a
---dataset), epochs (256), batch (256), rate (0.04 for classes, 0.07 for numbers), seed (1), dtype
---("float32").
---@param train Dataset   what everything is fitted to; raw columns, as a table gives them
---@param given? table
---@return Network net
---@return table options  of pl.fit and pl.trainer, plain and to be changed at will
local function tabular(train, given)
  Dataset.check(train, "pl.tabular")
  local options = fields.check(option_fields, given, "pl.tabular")
  local recipe, validation = train.has_classes and CLASSES or NUMBERS, options.validation
  if validation ~= nil then Dataset.check(validation, "validation") end
  local net = Network.new(layers_for(train, options, recipe), {
    seed = options.seed, dtype = options.dtype, classes = train.classes,
  })
  return net, {
    loss = recipe.loss, optimizer = optimizer_for(options, recipe), schedule = "log_periodic",
    metrics = recipe.metrics, epochs = options.epochs, batch = options.batch, seed = options.seed,
    validation = validation,
    early_stopping = validation and {
      patience = options.epochs, monitor = recipe.monitor, ties = "last",
    } or nil,
  }
end

return tabular
