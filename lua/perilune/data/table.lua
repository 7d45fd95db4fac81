-- A table as people have it: rows of cells, in columns that have names and types. It comes from a
-- reader of files (perilune.data.csv); datasets are made of it, and inputs for a network that was
-- trained on another table.
--
-- Cells are kept as numbers, one row of `values` for each column of numbers or categories and one
-- column for each row of the table, as samples are in all of the library. A missing cell is NaN, a
-- category its label: its place in the column's `categories`, from 1 on.

local check_indices = require "perilune.data.indices"
local columns = require "perilune.data.table_columns"
local errors = require "perilune.errors"
local inputs = require "perilune.data.table_inputs"
local new_dataset = require "perilune.data.table_dataset"

local raise = errors.raise

---@class TableColumn
---@field name string
---@field type "number"|"category"|"text"|"date"
---@field missing integer       cells
---@field row integer?          of the values; text and dates have none
---@field least number?         of numbers, where there are any
---@field most number?
---@field categories string[]?  names, in order

---@class Table
---@field N integer              rows
---@field columns TableColumn[]
---@field values Matrix|Stored|nil  S x N; nil where no column has values
local Table = { __name = "table" }
Table.__index = Table

local MOST_SHOWN = 60 -- bytes of the names of categories that tostring shows

---A table of its parts, for readers: nothing is checked.
---@param list TableColumn[]
---@param N integer
---@param values Matrix?
---@return Table
function Table.new(list, N, values)
  return setmetatable({ columns = list, N = N, values = values }, Table)
end

---Whether `value` is a table of this kind.
---@param value any
---@return boolean
function Table.is_table(value)
  return getmetatable(value) == Table
end

---A column, and its cells as numbers: labels from 1 for categories, NaN where they are missing.
---@param name string|integer  or its number
---@return TableColumn
---@return Matrix?             1 x N; nil for text and dates
function Table:column(name)
  local column = columns.find(self, name, "column")
  return column, column.row and columns.cells(self.values, column.row) or nil
end

---The rows whose cell in a column is not missing.
---@param name string|integer
---@return integer[]
function Table:present(name)
  local column = columns.valued(columns.find(self, name, "present"), "present", self.N)
  local rows, cells = {}, columns.cells(self.values, column.row)
  for n = 1, self.N do
    local x = cells:get(1, n)
    if x == x then rows[#rows + 1] = n end
  end
  return rows
end

-- What is to say of a column after some of its rows were chosen
local function described(column, cells)
  local missing, least, most = 0, math.huge, -math.huge
  cells:map(function(x)
    if x ~= x then
      missing = missing + 1
    else
      least, most = math.min(least, x), math.max(most, x)
    end
    return x
  end)
  local is_number = column.type == "number" and least <= most
  return {
    name = column.name, type = column.type, missing = missing, categories = column.categories,
    least = is_number and least or nil, most = is_number and most or nil,
  }
end

---Some rows as a table of their own, with the same categories. Columns of text and dates are left
---out, as none of their cells are kept.
---@param rows integer[]  numbers of rows, from 1 to N, one or more
---@return Table
function Table:select(rows)
  check_indices(rows, 1, nil, self.N)
  if not self.values then raise("select: a table with values expected") end
  local values, kept = self.values:select_columns(rows), {}
  for _, column in ipairs(self.columns) do
    if column.row then
      local chosen = described(column, columns.cells(values, column.row))
      chosen.row = column.row
      kept[#kept + 1] = chosen
    end
  end
  return Table.new(kept, values.cols, values)
end

---The inputs of this table for a network that was trained on another: its columns by name, in the
---schema's order, its categories as the schema labels them: 0 for one that the schema does not
---know. Numbers that the schema says are categories are known by how they are written.
---@param schema table    of a dataset or network, or one of these itself
---@return Matrix?        a row for each feature of the schema, N columns, of the values' type
---@return string?        nil and the reason: a column is missing, or of another type
function Table:like(schema)
  return inputs.like(self, schema)
end

---A dataset of this table: one column is to be learnt from others.
---    local train = table:dataset { target = "income", drop = { "id" } }
---    local test = other_table:dataset { like = train }
---X has the cells as they are: NaN where they are missing, labels for categories; the network's
---first layer prepares them (pl.prepare). Without `features` all columns but the target and those
---of `drop` are taken, in the table's order; text and dates are refused.
---
---Categories are classes, and so are two different whole numbers; up to twenty of them may be meant
---either way, so that `task` must say; other numbers are for regression. Numbers that are classes
---are named as they are written, in order, whatever gaps they leave: "1", "2", "3", "5". A target
---must not be missing anywhere.
---
---With `like` columns, classes and task are those of the set that was made of another table, or of
---a network that was trained on such a set (then `target` must be named): columns are found by
---name, categories that it does not know are 0, and classes that it does not know are an error,
---unless `rename` says which are meant: rename = { ["<=50K."] = "<=50K" }.
---@param options { target: string|integer, features: string[]?, drop: string[]?, task:
---"classification"|"regression"|nil, like: Dataset|Network|nil, rename: table<string, string>? }
---@return Dataset  with the fields schema, what the rows of X are, and target, the name of what is
---learnt
function Table:dataset(options)
  return new_dataset(self, options)
end

local function range(column)
  if column.type == "number" and column.least then
    return ("%.6g to %.6g"):format(column.least, column.most)
  elseif column.type == "category" then
    local names = table.concat(column.categories, ", "):gsub("%c", " ")
    if #names > MOST_SHOWN then
      local last = utf8.offset(names, 0, MOST_SHOWN - 2)
      names = names:sub(1, last - 1) .. "..."
    end
    return ("%d: %s"):format(#column.categories, names)
  end
  return ""
end

---What the table holds, a line for each column.
function Table:__tostring()
  local widest, lines = 0, { ("%d rows, %d columns"):format(self.N, #self.columns) }
  for _, column in ipairs(self.columns) do widest = math.max(widest, utf8.len(column.name)) end
  for k, column in ipairs(self.columns) do
    local padding = (" "):rep(widest - utf8.len(column.name))
    local missing = column.missing > 0 and (", %d missing"):format(column.missing) or ""
    local line = ("%4d  %s%s  %-8s  %s"):format(k, column.name, padding, column.type,
      (range(column) .. missing):gsub("^, ", ""))
    lines[#lines + 1] = line:gsub("%s+$", "")
  end
  return table.concat(lines, "\n")
end

return Table
