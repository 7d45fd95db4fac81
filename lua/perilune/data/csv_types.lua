-- Of which type each column of a CSV file is: as the options say, or by how many of its cells are
-- numbers, words and dates.

local errors = require "perilune.errors"
local faults = require "perilune.data.csv_faults"
local fields = require "perilune.fields"
local schemas = require "perilune.data.schema"
local text = require "perilune.data.text"

local types = {}

local raise, show = errors.raise, errors.show

local TYPES = { "number", "category", "text", "date" }

-- A column of words is one of categories where it has at most FEW_NAMES different ones, or where
-- each comes REPEATED times on average; src/cells.c counts no more than 1000.
local FEW_NAMES = 20
local REPEATED = 2

local IF_DECIMAL = 'if its comma is a decimal one: decimal = ","'

---Raise unless these are types by names or numbers of columns, as the option `types` has them.
---@param given table<string|integer, string>
function types.check(given)
  for column, name in pairs(given) do
    if type(column) ~= "string" and not fields.whole(column) then
      raise("types: names or numbers of columns expected, got %s", show(column))
    end
    fields.value(("types: %s"):format(show(column)), name, { "choice", choices = TYPES })
  end
end

local function first_word(column, names)
  for name, line in pairs(names) do
    if line == column.first_word then return name end
  end
end

-- A column of numbers with words in it
local function mixed(how, k, column, names, wanted)
  local word = first_word(column, names)
  local where = faults.place(column.first_word, k, how.names)
  if wanted then
    local is_decimal = how.decimal == "." and how.separator ~= "," and text.has_decimal_comma(word)
    return nil, ("%sa number expected, got %s%s"):format(where, show(word),
      is_decimal and (" (%s)"):format(IF_DECIMAL) or "")
  end
  local cures = {
    ("if it stands for a missing cell: missing = { %s, ... }"):format(show(word)),
    ("if these are names: types = { [%s] = \"category\" }"):format(show(how.names[k])),
  }
  if not how.header and column.first_word == how.first_line then
    cures = { "if it names the column: header = true", cures[2] }
  end
  return nil, ("%sa number expected, as in %d of %d cells, got %s (%s)"):format(where,
    column.numbers, column.numbers + column.words, show(word), table.concat(cures, "; "))
end

-- A column of numbers with commas, which nobody has said are decimal ones
local function with_commas(how, k, column, word)
  local cure = how.separator == "," and "" or IF_DECIMAL .. "; "
  return nil, ("%sa number without a comma expected, got %s (%sif these are names: types = { [%s] "
    .. "= \"category\" })"):format(faults.place(column.first_word, k, how.names), show(word), cure,
      show(how.names[k]))
end

-- The type of column k by what was counted in it; nil and a reason where nobody could tell
local function type_by_reading(how, k, column, names)
  local cells = column.numbers + column.words
  if cells == 0 then return "text" end
  if column.words == 0 and column.codes == 0 then return "number" end
  if column.words > 0 and column.words < column.numbers then
    return mixed(how, k, column, names)
  end
  if column.dates == cells then return "date" end
  local word = column.words > 0 and first_word(column, names)
  if word and how.decimal == "." and text.has_decimal_comma(word) then
    return with_commas(how, k, column, word)
  end
  local is_few = column.names <= math.max(FEW_NAMES, cells // REPEATED)
  return is_few and not column.is_full and "category" or "text"
end

local function type_as_given(how, k, column, names, given)
  local cells = column.numbers + column.words
  if given == "number" and column.words > 0 then return mixed(how, k, column, names, true) end
  if given == "date" and column.dates < cells then
    return nil, ("column %d (%q): dates expected, got others in %d of %d cells"):format(k,
      how.names[k], cells - column.dates, cells)
  end
  return given
end

-- The types that the options name, by the place of their column; those of another table's features
-- where it has such columns
local function given_types(how)
  local place_of, given = {}, {}
  for k, name in ipairs(how.names) do place_of[name] = k end
  for _, feature in ipairs(how.like or {}) do
    local k = place_of[feature.name]
    if k then given[k] = feature.type end
  end
  for column, name in pairs(how.types or {}) do
    local k = place_of[column] or fields.whole(column)
    if not how.names[k] then
      return nil, ("types: the name or number of a column expected, got %s%s"):format(
        show(column), schemas.hint(column, how.names))
    end
    given[k] = name
  end
  return given
end

---What is known of each column after counting.
---@param how CsvDialect
---@param cells Cells      after all of the text
---@return TableColumn[]?  with name, type and missing
---@return string?         nil and the reason
function types.describe(how, cells)
  local given, reason = given_types(how)
  if not given then return nil, reason end
  local columns = {}
  for k, name in ipairs(how.names) do
    local counted, names = cells:column(k)
    local kind
    if given[k] then
      kind, reason = type_as_given(how, k, counted, names, given[k])
    else
      kind, reason = type_by_reading(how, k, counted, names)
    end
    if not kind then return nil, reason end
    columns[k] = { name = name, type = kind, missing = counted.missing }
  end
  return columns
end

return types
