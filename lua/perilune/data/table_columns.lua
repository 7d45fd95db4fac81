-- The columns of a table, found as people name them, and their cells.

local Stored = require "perilune.data.stored"
local cores = require "perilune.cores"
local errors = require "perilune.errors"
local fields = require "perilune.fields"
local schemas = require "perilune.data.schema"

local columns = {}

local raise, show = errors.raise, errors.show

---@param data Table
---@return string[]  names of all columns
function columns.names(data)
  local names = {}
  for k, column in ipairs(data.columns) do names[k] = column.name end
  return names
end

---The column of that name, or of that number.
---@param data Table
---@param key any      raises where it is neither
---@param what string  for messages: who asks
---@return TableColumn
function columns.find(data, key, what)
  for k, column in ipairs(data.columns) do
    if column.name == key or k == fields.whole(key) then return column end
  end
  raise("%s: the name or number of a column expected, got %s%s", what, show(key),
    schemas.hint(key, columns.names(data)))
end

---Raise unless cells of the column are kept.
---@param column TableColumn
---@param what string  for messages: who asks
---@param N integer    rows of the table
---@return TableColumn column
function columns.valued(column, what, N)
  if column.row then return column end
  if column.missing == N then
    raise("%s: column %s has nothing but missing cells: drop = { %s }", what, show(column.name),
      show(column.name))
  end
  raise("%s: column %s is %s, of which no values are kept: drop = { %s }, or read the table with "
    .. "types = { [%s] = \"category\" }", what, show(column.name),
    column.type == "date" and "of dates" or "text", show(column.name), show(column.name))
end

---The cells of a column as numbers: labels from 1 for categories, NaN where they are missing.
---@param values Matrix|Stored
---@param row integer  of the column
---@return Matrix      1 x N
function columns.cells(values, row)
  if Stored.is_stored(values) then return values:row(row) end
  local core = cores.of(values)
  return core.take_rows(core.matrix(1, values.cols), values, row)
end

return columns
