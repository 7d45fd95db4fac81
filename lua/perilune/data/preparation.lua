-- Preparations are fitted here: from samples and options to plain descriptions of the layers
-- `prepare`, the first of a network, and `units`, its last. What they do is in perilune/layer/.

local Bytes = require "perilune.data.bytes"
local Dataset = require "perilune.data.dataset"
local cores = require "perilune.cores"
local errors = require "perilune.errors"
local fields = require "perilune.fields"
local registry = require "perilune.registry"
local schema = require "perilune.data.schema"
local sorted = require "perilune.data.sorted"
require "perilune.scaler" -- which makes the scalers known

local raise, show = errors.raise, errors.show

local preparation = {}

---What fills a missing number: "median", "mean" or a number.
---@param value any
---@return any?
---@return string?  nil and what was expected
function fields.types.filling(value)
  local is_known = value == "median" or value == "mean"
    or type(value) == "number" and value - value == 0
  if is_known then return value end
  return nil, "\"median\", \"mean\" or a number"
end

-- Options of single columns; those of all are their defaults.
local of_column = {
  scaler = { "part", of = "scaler", default = { "robust", clip = 3 } },
  impute = { "filling", default = "median" },
  indicator = { "boolean", default = true },
  encoding = { "choice", choices = { "one_hot", "ordinal" }, default = "one_hot" },
  binary = { "boolean", default = true },
  missing = { "choice", choices = { "place", "zeros" }, default = "place" },
  unseen = { "choice", choices = { "refuse", "missing", "zeros" }, default = "refuse" },
}

local of_type = {
  number = { "scaler", "impute", "indicator" },
  category = { "encoding", "binary", "missing", "unseen" },
}

local option_fields = {
  columns = { "table", default = {} },
  only = { "choice", choices = { "numbers", "categories" }, optional = true },
}
for name, field in pairs(of_column) do option_fields[name] = field end

-- The fields that a column of this type may be given, with what all columns have as defaults
local function fields_for(feature, options)
  local declared = {}
  for _, name in ipairs(of_type[feature.type]) do
    local field = { default = options[name] }
    for key, value in pairs(of_column[name]) do
      if key ~= "default" then field[key] = value end
    end
    declared[name] = field
  end
  return declared
end

-- X and its schema; names of its own where it has none
local function samples_of(data)
  if cores.is_matrix(data) or Bytes.is_bytes(data) then return data, schema.numbers(data.rows) end
  if getmetatable(data) ~= Dataset then
    raise("pl.prepare: a dataset or a matrix expected, got %s", show(data))
  end
  return data.X, data.schema or schema.numbers(data.inputs)
end

local function refuse_infinite(X, i, name)
  for n = 1, X.cols do
    if math.abs(X:get(i, n)) == math.huge then
      raise("pl.prepare: column %s: finite numbers expected, got %s in sample %d", show(name),
        show(X:get(i, n)), n)
    end
  end
end

-- A column of nothing but missing cells becomes 0, and its indicator would say nothing.
local function fit_number(X, i, column, options)
  local numbers, missing = sorted.row(X, i)
  local count = #numbers
  if count == 0 then
    column.shift, column.factor, column.fill = 0, 0, 0
    return
  end
  local are_finite = math.abs(numbers[1]) < math.huge and math.abs(numbers[count]) < math.huge
  if not are_finite then refuse_infinite(X, i, column.name) end
  local ok, found, is_message = errors.catch(options.scaler.fit, options.scaler, numbers)
  if not ok then
    if not is_message then error(found, 0) end
    raise("pl.prepare: column %s: %s", show(column.name), found)
  end
  for name, value in pairs(found) do column[name] = value end
  column.scaler = options.scaler.name
  column.least, column.most = numbers[1], numbers[count] -- of the training part
  local impute = options.impute
  column.fill = impute == "median" and sorted.quantile(numbers, 0.5)
    or impute == "mean" and sorted.mean(numbers) or impute
  column.indicator = options.indicator and missing > 0
end

-- Two categories are -1 and 1, unless a missing one has a place of its own.
local function fit_category(X, i, column, options)
  local labels, missing = sorted.row(X, i)
  local most = #column.categories
  for _, label in ipairs(labels) do
    if not (label >= 0 and label <= most and fields.whole(label)) then
      raise("pl.prepare: column %s: labels from 0 to %d, or NaN, expected, got %s",
        show(column.name), most, show(label))
    end
  end
  column.missing = missing > 0 and options.missing or "zeros"
  column.unseen = options.unseen
  local is_binary = options.binary and most == 2 and column.missing == "zeros"
  column.encoding = is_binary and options.encoding == "one_hot" and "binary" or options.encoding
end

local fit_type = { number = fit_number, category = fit_category }

local function check_names(given, features)
  local names, is_known = {}, {}
  for k, feature in ipairs(features) do names[k], is_known[feature.name] = feature.name, true end
  for name in pairs(given) do
    if not is_known[name] then
      raise("pl.prepare: columns: column %s is unknown%s", show(name), schema.hint(name, names))
    end
  end
end

---Fit a preparation to the training part: the description of a layer that turns the columns of a
---table into inputs of a network, to be its first.
---    pl.network { inputs = train.inputs, pl.prepare(train), pl.dense(64, "relu"), ... }
---What the columns are is said by the set's schema; without one all are numbers, called x1, x2, ...
---Options of numbers: scaler ({ "robust", clip = 3 }; a name, a description or a part of the family
---`scaler`), impute (what fills a missing one: "median", "mean" or a number), indicator (true:
---where some are missing in training, a row says which). Of categories: encoding ("one_hot", or
---"ordinal": 0, 1, ...), binary (true: two categories are -1 and 1, in one row), missing ("place":
---where some are missing in training they are a category more; "zeros": all of a missing one's rows
---are 0, or -1 where it is ordinal), unseen (what is done with a category that training had not:
---"refuse" raises, "zeros" as above, "missing" as with a missing one). Besides: columns, other
---options of single columns by name,
---    pl.prepare(train, { columns = { income = { scaler = "quantile" } } })
---and only ("numbers" or "categories": the others are left out, for a branch of layers that prepare
---them apart).
---@param data Dataset|Matrix|Bytes  S x N
---@param given? table
---@return table  { "prepare", columns = {...} }
function preparation.prepare(data, given)
  local X, features = samples_of(data)
  local options = fields.check(option_fields, given, "pl.prepare")
  check_names(options.columns, features)
  if Bytes.is_bytes(X) then X = X:columns(1, X.cols) end
  local columns = schema.of(features)
  for i, column in ipairs(columns) do
    local own = fields.check(fields_for(column, options), options.columns[column.name],
      ("pl.prepare: column %s"):format(show(column.name)))
    column.used = not options.only or options.only:find("^" .. column.type:sub(1, 6)) ~= nil
    if column.used then fit_type[column.type](X, i, column, own) end
  end
  return { "prepare", columns = columns }
end

local unit_fields = {
  scaler = { "part", of = "scaler", default = "standard" },
  clip = { "boolean", default = false },
}

-- The targets of row i that are known and count, ascending
local function known_targets(T, weights, i)
  local row = T:slice(i, i):copy()
  for n = 1, weights and T.cols or 0 do
    if weights:get(weights.rows > 1 and i or 1, n) == 0 then row:set(1, n, 0 / 0) end
  end
  local numbers = sorted.row(row, 1)
  if #numbers == 0 then raise("pl.units: row %d of T: numbers expected, got none", i) end
  if math.abs(numbers[1]) == math.huge or math.abs(numbers[#numbers]) == math.huge then
    raise("pl.units: row %d of T: finite numbers expected", i)
  end
  return numbers
end

---Fit the units of the targets: the description of the last layer of a network, which is trained on
---scaled targets, and predicts in the units that targets have. Losses are those of scaled targets,
---metrics are in the targets' units.
---    pl.network { inputs = train.inputs, pl.prepare(train), ..., pl.dense(1), pl.units(train) }
---Options: scaler ("standard"; one that shifts and scales), clip (false; true: predictions are kept
---within the range of the training targets).
---@param data Dataset|Matrix  T, or a dataset with target columns
---@param given? { scaler: any, clip: boolean }
---@return table  { "units", targets = {...} }
function preparation.units(data, given)
  local options = fields.check(unit_fields, given, "pl.units")
  local T, weights = data, nil
  if getmetatable(data) == Dataset then
    if data.has_labels then raise("pl.units: targets that are numbers expected, got labels") end
    T, weights = data.T, data.weights
  elseif not cores.is_matrix(data) then
    raise("pl.units: a dataset or a matrix of targets expected, got %s", show(data))
  end
  local targets = {}
  for i = 1, T.rows do
    local numbers = known_targets(T, weights, i)
    local found = options.scaler:fit(numbers)
    if found.quantiles or found.clip then
      raise("pl.units: scaler: one that shifts and scales expected, which can be undone, got %s",
        show(registry.families.scaler:describe(options.scaler) or "another"))
    end
    -- Targets that never change can be learnt as they are.
    targets[i] = {
      shift = found.shift, factor = found.factor ~= 0 and found.factor or 1,
      least = numbers[1], most = numbers[#numbers],
    }
  end
  return { "units", targets = targets, scaler = options.scaler.name, clip = options.clip }
end

return preparation
