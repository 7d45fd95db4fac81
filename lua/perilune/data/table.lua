-- A table as people have it: rows of cells, in columns that have names and types. It comes from a
-- reader of files (perilune.data.csv); datasets are made of it, and inputs for a network that was
-- trained on another table.
--
-- Cells are kept as numbers, one row of `values` for each column of numbers or categories and one
-- column for each row of the table, as samples are in all of the library. A missing cell is NaN, a
-- category its label: its place in the column's `categories`, from 1 on.

local Dataset = require "perilune.data.dataset"
local Stored = require "perilune.data.stored"
local check_indices = require "perilune.data.indices"
local cores = require "perilune.cores"
local errors = require "perilune.errors"
local fields = require "perilune.fields"
local schemas = require "perilune.data.schema"

local raise, show = errors.raise, errors.show

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
local FEW_CLASSES = 20 -- different whole numbers that may be meant as classes
local MOST_CLASSES = 1000
local MOST_RENAMINGS = 8 -- that a message proposes


-- Names of categories

-- Numbers by their size, then other names as Lua compares them
local function is_before(a, b)
  local x, y = tonumber(a), tonumber(b)
  if x and y and x ~= y then return x < y end
  if (x == nil) ~= (y == nil) then return x ~= nil end
  return a < b
end

local function row_of(values, row)
  if Stored.is_stored(values) then return values:row(row) end
  local core = cores.of(values)
  return core.take_rows(core.matrix(1, values.cols), values, row)
end

-- to[label] for each label; NaN stays what it is.
local function mapped(labels, to)
  return labels:map(function(label) return label == label and to[label] or label end)
end

---Names of categories in order: numbers by their size, then others byte by byte.
---@param set table<string, any>  the names are its keys
---@return string[]
function Table.ordered(set)
  local names = {}
  for name in pairs(set) do names[#names + 1] = name end
  table.sort(names, is_before)
  return names
end

---The categories of a row of labels that were given in the order in which names came: in order, by
---which they are labelled anew.
---@param values Matrix
---@param row integer
---@param labels table<string, integer>
---@return string[]
function Table.order_categories(values, row, labels)
  local names, to, is_ordered = Table.ordered(labels), {}, true
  for label, name in ipairs(names) do
    to[labels[name]] = label
    is_ordered = is_ordered and labels[name] == label
  end
  if not is_ordered then
    cores.of(values).put_rows(values, row, mapped(row_of(values, row), to))
  end
  return names
end

---A table of its parts, for readers: nothing is checked.
---@param columns TableColumn[]
---@param N integer
---@param values Matrix?
---@return Table
function Table.new(columns, N, values)
  return setmetatable({ columns = columns, N = N, values = values }, Table)
end

---Whether `value` is a table of this kind.
---@param value any
---@return boolean
function Table.is_table(value)
  return getmetatable(value) == Table
end


-- Columns

local function names_of(self)
  local names = {}
  for k, column in ipairs(self.columns) do names[k] = column.name end
  return names
end

-- The column of that name, or of that number
local function find(self, key, what)
  for k, column in ipairs(self.columns) do
    if column.name == key or k == fields.whole(key) then return column end
  end
  raise("%s: the name or number of a column expected, got %s%s", what, show(key),
    schemas.hint(key, names_of(self)))
end

-- Raise unless cells of the column are kept, of so many rows.
local function check_values(column, what, N)
  if column.row then return column end
  if column.missing == N then
    raise("%s: column %s has nothing but missing cells: drop = { %s }", what, show(column.name),
      show(column.name))
  end
  raise("%s: column %s is %s, of which no values are kept: drop = { %s }, or read the table with "
    .. "types = { [%s] = \"category\" }", what, show(column.name),
    column.type == "date" and "of dates" or "text", show(column.name), show(column.name))
end

---A column, and its cells as numbers: labels from 1 for categories, NaN where they are missing.
---@param name string|integer  or its number
---@return TableColumn
---@return Matrix?             1 x N; nil for text and dates
function Table:column(name)
  local column = find(self, name, "column")
  return column, column.row and row_of(self.values, column.row) or nil
end

---The rows whose cell in a column is not missing.
---@param name string|integer
---@return integer[]
function Table:present(name)
  local column = check_values(find(self, name, "present"), "present", self.N)
  local rows, cells = {}, row_of(self.values, column.row)
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
  local values, columns = self.values:select_columns(rows), {}
  for _, column in ipairs(self.columns) do
    if column.row then
      local chosen = described(column, row_of(values, column.row))
      chosen.row = column.row
      columns[#columns + 1] = chosen
    end
  end
  return Table.new(columns, values.cols, values)
end


-- Datasets

local function feature_of(column)
  local categories = column.categories
  return {
    name = column.name, type = column.type, missing = column.missing, least = column.least,
    most = column.most, categories = categories and table.move(categories, 1, #categories, 1, {}),
  }
end

-- The columns of that names, as a set
local function set_of(self, list, what)
  local set = {}
  for _, name in ipairs(list or {}) do
    local column = find(self, name, what)
    if set[column] then raise("%s: %s twice", what, show(column.name)) end
    set[column] = true
  end
  return set
end

-- Those that are asked for, or all but the target, in the table's order; but for those to be
-- dropped
local function features_of(self, options, target)
  local wanted = options.features and set_of(self, options.features, "features")
  local dropped = set_of(self, options.drop, "drop")
  if wanted and wanted[target] then
    raise("features: other columns than the target expected, got %s", show(target.name))
  end
  local columns = {}
  for _, column in ipairs(self.columns) do
    local is_feature = column ~= target and (not wanted or wanted[column])
    if is_feature and not dropped[column] then
      columns[#columns + 1] = check_values(column, "features", self.N)
    end
  end
  if #columns == 0 then raise("features: one or more columns expected, got none") end
  return columns
end

-- A number as the name of a class
local function number_name(x, dtype)
  local whole = fields.whole(x)
  return whole and tostring(whole) or (dtype == "float32" and "%.7g" or "%.14g"):format(x)
end

-- How often each number comes in a row of cells, and whether there are nothing but whole ones; no
-- further than it takes to see that they are too many
local function counted(cells)
  local counts, different, are_whole = {}, 0, true
  for n = 1, cells.cols do
    local x = cells:get(1, n)
    if not counts[x] then
      different, are_whole = different + 1, are_whole and fields.whole(x) ~= nil
      if different > MOST_CLASSES then break end
    end
    counts[x] = (counts[x] or 0) + 1
  end
  return counts, different, are_whole
end

local function check_target(column, cells)
  if column.missing == 0 then return end
  for n = 1, cells.cols do
    local x = cells:get(1, n)
    if x ~= x then
      raise("target: column %s lacks %d of %d cells, the first in row %d: leave their rows out, "
        .. "table:select(table:present(%s))", show(column.name), column.missing, cells.cols, n,
        show(column.name))
    end
  end
end

-- The task that was asked for, or that the target leaves no doubt about
local function task_of(column, cells, task)
  if column.type == "category" then
    if task == "regression" then
      raise("target: numbers expected for regression, got categories in column %s",
        show(column.name))
    end
    return "classification"
  end
  if task then return task end
  local _, different, are_whole = counted(cells)
  if not are_whole or different > FEW_CLASSES then return "regression" end
  if different <= 2 then return "classification" end
  raise("target: column %s has %d different whole numbers, which may be meant as classes: "
    .. "task = \"classification\" or task = \"regression\"", show(column.name), different)
end

-- Numbers as classes: their names in order, and the label of each number
local function classes_of_numbers(column, cells)
  local counts, different = counted(cells)
  if different > MOST_CLASSES then
    raise("target: at most %d classes expected, got more different numbers in column %s: "
      .. "task = \"regression\"", MOST_CLASSES, show(column.name))
  end
  local numbers, names, to = {}, {}, {}
  for x in pairs(counts) do numbers[#numbers + 1] = x end
  table.sort(numbers)
  for label, x in ipairs(numbers) do
    names[label], to[x] = number_name(x, cells.dtype), label
  end
  return names, cells:map(function(x) return to[x] end)
end

-- What the target gives to a dataset
local function learnt(column, cells, task)
  check_target(column, cells)
  if task_of(column, cells, task) == "regression" then
    return { T = cells }
  end
  local classes, labels = column.categories, cells
  if column.type == "number" then classes, labels = classes_of_numbers(column, cells) end
  if #classes < 2 then
    raise("target: two classes or more expected in column %s, got only %s", show(column.name),
      show(classes[1]))
  end
  return { labels = labels, classes = classes }
end


-- Another table's columns

-- A name without what people write now one way and now another
local function plain_name(name)
  return (name:lower():gsub("^%s+", ""):gsub("[%s%.,;:]+$", ""))
end

-- The one of `names` that another name may stand for
local function meant(name, names)
  local found
  for _, other in ipairs(names) do
    if plain_name(other) == plain_name(name) then
      if found then return nil end
      found = other
    end
  end
  return found
end

-- The names of a column's cells by label; of a column of numbers also what gives the label.
local function names_in(column, cells)
  if column.type == "category" then return column.categories, cells end
  if column.row then return classes_of_numbers(column, cells) end
end

-- The labels that names have among `categories`, 0 for others, and a list of those
local function labels_of(names, categories, renamed)
  local label_of, to, unknown = {}, {}, {}
  for label, name in ipairs(categories) do label_of[name] = label end
  for k, name in ipairs(names) do
    local label = label_of[renamed[name] or name]
    to[k] = label or 0
    if not label then unknown[#unknown + 1] = name end
  end
  return to, unknown
end

-- One row of X for a feature of a schema; nil and the reason where the column cannot give it
local function cells_for(self, feature, column, core)
  local name = show(feature.name)
  if column.missing == self.N then return core.matrix(1, self.N):fill(0 / 0) end
  if not column.row then
    return nil, ("column %s: %s expected, got %s (read the table with types = { [%s] = %q })")
      :format(name, feature.type == "number" and "numbers" or "categories",
        column.type == "date" and "dates" or "text", name, feature.type)
  end
  local cells = row_of(self.values, column.row)
  if feature.type == "number" then
    if column.type == "number" then return cells end
    return nil, ("column %s: numbers expected, got names (%s)"):format(name,
      schemas.shown(column.categories))
  end
  local names, labels = names_in(column, cells)
  return mapped(labels, (labels_of(names, feature.categories, {})))
end

---The features that a schema lists, or one that a dataset or network has.
---@param schema any
---@return table[]
function Table.features_of(schema)
  local features = type(schema) == "table" and (schema.schema or schema)
  local count = type(features) == "table" and fields.length(features, "like") or 0
  if count == 0 then raise("like: a schema, or what has one, expected, got %s", show(schema)) end
  return schemas.check(features, count)
end

---The inputs of this table for a network that was trained on another: its columns by name, in the
---schema's order, its categories as the schema labels them: 0 for one that the schema does not
---know. Numbers that the schema says are categories are known by how they are written.
---@param schema table    of a dataset or network, or one of these itself
---@return Matrix?        a row for each feature of the schema, N columns, of the values' type
---@return string?        nil and the reason: a column is missing, or of another type
function Table:like(schema)
  local features = Table.features_of(schema)
  local core, place_of = cores[self.values and self.values.dtype or "float32"], {}
  for _, column in ipairs(self.columns) do place_of[column.name] = column end
  local X
  for i, feature in ipairs(features) do
    local column = place_of[feature.name]
    if not column then
      return nil, ("column %s is missing%s"):format(show(feature.name),
        schemas.hint(feature.name, names_of(self)))
    end
    local cells, reason = cells_for(self, feature, column, core)
    if not cells then return nil, reason end
    X = X or core.matrix(#features, self.N)
    core.put_rows(X, i, cells)
  end
  return X
end

-- Raise for classes that the other set does not have, and say how they may be renamed.
local function refuse_classes(target, unknown, classes)
  local renamings, are = {}, #unknown > 1 and "are" or "is"
  for k, name in ipairs(unknown) do
    local other = meant(name, classes)
    renamings[k] = ("[%s] = %s"):format(show(name), other and show(other) or "...")
    if #unknown > MOST_RENAMINGS and k == MOST_RENAMINGS then
      renamings[k + 1] = "..."
      break
    end
  end
  raise("target: column %s has %s, which %s none of the classes %s: rename = { %s } says which %s "
    .. "meant", show(target.name), schemas.shown(unknown), are, schemas.shown(classes),
    table.concat(renamings, ", "), are)
end

-- What the target gives, with the classes of the set that this one is to be like
local function learnt_like(other, column, cells, renamed)
  check_target(column, cells)
  if not other.classes then
    if column.type == "number" then return { T = cells } end
    raise("target: numbers expected in column %s, got categories", show(column.name))
  end
  local names, labels = names_in(column, cells)
  local to, unknown = labels_of(names, other.classes, renamed)
  if #unknown > 0 then refuse_classes(column, unknown, other.classes) end
  return { labels = mapped(labels, to), classes = other.classes }
end

local function dataset_like(self, options)
  local other = options.like
  local target = options.target == nil and other.target or options.target
  if not other.schema or not target then
    raise("like: a dataset that was made of a table, or a network and a target, expected, got %s "
      .. "without %s", show(other), other.schema and "a target" or "a schema")
  end
  local X, reason = self:like(other.schema)
  if not X then raise("like: %s", reason) end
  local column = check_values(find(self, target, "target"), "target", self.N)
  local cells = row_of(self.values, column.row)
  local data = learnt_like(other, column, cells, options.rename or {})
  data.schema, data.target = Table.features_of(other.schema), column.name
  return X, data
end

local declared = {
  target = { "value", optional = true },
  features = { "table", optional = true },
  drop = { "table", optional = true },
  task = { "choice", choices = { "classification", "regression" }, optional = true },
  like = { "table", optional = true },
  rename = { "table", optional = true },
}

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
  options = fields.check(declared, options, "table:dataset")
  local X, data
  if options.like then
    for _, name in ipairs { "features", "drop", "task" } do
      if options[name] ~= nil then
        raise("%s: not expected beside like, which says it", name)
      end
    end
    X, data = dataset_like(self, options)
  else
    if options.target == nil then raise("table:dataset: option 'target' is required") end
    if options.rename then raise("rename: not expected without like") end
    local column = check_values(find(self, options.target, "target"), "target", self.N)
    local rows, schema = {}, {}
    for k, feature in ipairs(features_of(self, options, column)) do
      rows[k], schema[k] = feature.row, feature_of(feature)
    end
    data = learnt(column, row_of(self.values, column.row), options.task)
    data.schema, data.target = schema, column.name
    X = self.values:select_rows(rows)
  end
  data.X = X
  return Dataset.new(data)
end


-- As text

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
