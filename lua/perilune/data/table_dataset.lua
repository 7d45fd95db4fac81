-- Datasets of a table: its columns as inputs and as what is to be learnt.

local Dataset = require "perilune.data.dataset"
local columns = require "perilune.data.table_columns"
local errors = require "perilune.errors"
local fields = require "perilune.fields"
local inputs = require "perilune.data.table_inputs"
local schemas = require "perilune.data.schema"
local targets = require "perilune.data.table_targets"

local raise, show = errors.raise, errors.show

-- What a dataset is made of, with columns, classes and task of another one
local function like(data, options)
  local other = options.like
  local target = options.target == nil and other.target or options.target
  if not other.schema or not target then
    raise("like: a dataset that was made of a table, or a network and a target, expected, got %s "
      .. "without %s", show(other), other.schema and "a target" or "a schema")
  end
  local X, reason = inputs.like(data, other.schema)
  if not X then raise("like: %s", reason) end
  local column = columns.valued(columns.find(data, target, "target"), "target", data.N)
  local cells = columns.cells(data.values, column.row)
  local parts = targets.like(other, column, cells, options.rename or {})
  parts.X, parts.schema, parts.target = X, schemas.features_of(other.schema), column.name
  return parts
end

-- What a dataset is made of, as the options say
local function chosen(data, options)
  if options.target == nil then raise("table:dataset: option 'target' is required") end
  if options.rename then raise("rename: not expected without like") end
  local column = columns.valued(columns.find(data, options.target, "target"), "target", data.N)
  local rows, schema = inputs.of(data, options, column)
  local parts = targets.of(column, columns.cells(data.values, column.row), options.task)
  parts.X, parts.schema, parts.target = data.values:select_rows(rows), schema, column.name
  return parts
end

local declared = {
  target = { "value", optional = true },
  features = { "table", optional = true },
  drop = { "table", optional = true },
  task = { "choice", choices = { "classification", "regression" }, optional = true },
  like = { "table", optional = true },
  rename = { "table", optional = true },
}

---As Table:dataset.
---@param data Table
---@param options { target: string|integer, features: string[]?, drop: string[]?, task:
---"classification"|"regression"|nil, like: Dataset|Network|nil, rename: table<string, string>? }
---@return Dataset
local function new_dataset(data, options)
  options = fields.check(declared, options, "table:dataset")
  if not options.like then return Dataset.new(chosen(data, options)) end
  for _, name in ipairs { "features", "drop", "task" } do
    if options[name] ~= nil then
      raise("%s: not expected beside like, which says it", name)
    end
  end
  return Dataset.new(like(data, options))
end

return new_dataset
