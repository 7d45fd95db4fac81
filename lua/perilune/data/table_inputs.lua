-- What a table gives as inputs, the rows of X: columns of its own, or those of another table on
-- which a network was trained.

local categories = require "perilune.data.categories"
local columns = require "perilune.data.table_columns"
local cores = require "perilune.cores"
local errors = require "perilune.errors"
local schemas = require "perilune.data.schema"
local targets = require "perilune.data.table_targets"

local inputs = {}

local raise, show = errors.raise, errors.show

local function feature_of(column)
  local names = column.categories
  return {
    name = column.name, type = column.type, missing = column.missing, least = column.least,
    most = column.most, categories = names and table.move(names, 1, #names, 1, {}),
  }
end

-- The columns of that names, as a set
local function set_of(data, list, what)
  local set = {}
  for _, name in ipairs(list or {}) do
    local column = columns.find(data, name, what)
    if set[column] then raise("%s: %s twice", what, show(column.name)) end
    set[column] = true
  end
  return set
end

---The columns that are asked for, or all but the target, in the table's order; but for those to be
---dropped.
---@param data Table
---@param options { features: string[]?, drop: string[]? }
---@param target TableColumn
---@return integer[]  rows of the table's values
---@return table[]    schema: what they mean
function inputs.of(data, options, target)
  local wanted = options.features and set_of(data, options.features, "features")
  local dropped = set_of(data, options.drop, "drop")
  if wanted and wanted[target] then
    raise("features: other columns than the target expected, got %s", show(target.name))
  end
  local rows, schema = {}, {}
  for _, column in ipairs(data.columns) do
    local is_feature = column ~= target and (not wanted or wanted[column])
    if is_feature and not dropped[column] then
      columns.valued(column, "features", data.N)
      rows[#rows + 1], schema[#schema + 1] = column.row, feature_of(column)
    end
  end
  if #rows == 0 then raise("features: one or more columns expected, got none") end
  return rows, schema
end

-- One row of X for a feature of a schema; nil and the reason where the column cannot give it
local function cells_for(data, feature, column, core)
  local name = show(feature.name)
  if column.missing == data.N then return core.matrix(1, data.N):fill(0 / 0) end
  if not column.row then
    return nil, ("column %s: %s expected, got %s (read the table with types = { [%s] = %q })")
      :format(name, feature.type == "number" and "numbers" or "categories",
        column.type == "date" and "dates" or "text", name, feature.type)
  end
  local cells = columns.cells(data.values, column.row)
  if feature.type == "number" then
    if column.type == "number" then return cells end
    return nil, ("column %s: numbers expected, got names (%s)"):format(name,
      schemas.shown(column.categories))
  end
  local names, labels = targets.names(column, cells)
  return categories.mapped(labels, (categories.among(names, feature.categories, {})))
end

---As Table:like.
---@param data Table
---@param schema any
---@return Matrix?
---@return string?
function inputs.like(data, schema)
  local features = schemas.features_of(schema)
  local core, place_of = cores[data.values and data.values.dtype or "float32"], {}
  for _, column in ipairs(data.columns) do place_of[column.name] = column end
  local X
  for i, feature in ipairs(features) do
    local column = place_of[feature.name]
    if not column then
      return nil, ("column %s is missing%s"):format(show(feature.name),
        schemas.hint(feature.name, columns.names(data)))
    end
    local cells, reason = cells_for(data, feature, column, core)
    if not cells then return nil, reason end
    X = X or core.matrix(#features, data.N)
    core.put_rows(X, i, cells)
  end
  return X
end

return inputs
