-- Samples as people write them, { age = 41, job = "nurse" }, as columns of X. A missing cell is
-- written `false` (or NaN): a name that is left out may be a mistake, and is told as one.

local errors = require "perilune.errors"
local fields = require "perilune.fields"
local schema = require "perilune.data.schema"

local raise, show = errors.raise, errors.show

---@class Records
---@field columns table[]  of a schema; with unseen = "refuse" a category must be known
local Records = {}
Records.__index = Records

local NAN = 0 / 0

---@param columns table[]
---@return Records
function Records.new(columns)
  local self = setmetatable({ columns = columns, names = {}, places = {}, labels = {} }, Records)
  for k, column in ipairs(columns) do
    self.names[k], self.places[column.name] = column.name, k
    local labels = {}
    for label, category in ipairs(column.categories or {}) do labels[category] = label end
    self.labels[k] = labels
  end
  return self
end

local function is_missing(value)
  return value == false or value ~= value
end

-- A category may be spelt as a number: cylinders = 4 where the categories are "4", "6", "8".
local function label_of(self, k, value, what)
  local column = self.columns[k]
  local name = value
  if type(value) == "number" then
    name = fields.whole(value) and ("%d"):format(fields.whole(value)) or ("%.14g"):format(value)
  end
  if type(name) ~= "string" then
    raise("%scolumn %s: the name of a category expected, got %s", what, show(column.name),
      show(value))
  end
  local label = self.labels[k][name]
  if label then return label end
  if column.unseen == "refuse" then
    raise("%scolumn %s: unseen value %s (known: %s)", what, show(column.name), show(value),
      schema.shown(column.categories))
  end
  return 0
end

local function number_of(self, k, value, what)
  local is_number = type(value) == "number" and math.abs(value) < math.huge
  if is_number then return value end
  raise("%scolumn %s: a number expected, got %s", what, show(self.columns[k].name), show(value))
end

local function fill(self, X, n, record, what)
  if type(record) ~= "table" then raise("%sa record expected, got %s", what, show(record)) end
  for name in pairs(record) do
    if not self.places[name] then
      raise("%scolumn %s is unknown%s", what, show(name), schema.hint(name, self.names))
    end
  end
  for k, column in ipairs(self.columns) do
    local value = record[column.name]
    if value == nil then
      raise("%scolumn %s is missing (false says that its value is)", what, show(column.name))
    end
    local read = column.type == "category" and label_of or number_of
    X:set(k, n, is_missing(value) and NAN or read(self, k, value, what))
  end
end

---X of a record, or of a list of records. Raises for a name that is missing or unknown, a value of
---the wrong type, and a category that is not known, where the column refuses those.
---@param core Core
---@param given table   { name = value, ... } or a list of such tables
---@return Matrix       a row for each column, a column for each record
function Records:samples(core, given)
  local is_list = type(given[1]) == "table"
  local count = is_list and fields.length(given, "records") or 1
  local X = core.matrix(#self.columns, count)
  for n = 1, count do
    fill(self, X, n, is_list and given[n] or given, is_list and ("record %d: "):format(n) or "")
  end
  return X
end

return Records
