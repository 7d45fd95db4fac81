-- Tables in text, with a separator between cells: CSV (RFC 4180), TSV and their kin. What a file
-- does not say is found by reading: the separator, whether there is a header, the types of columns.
--
-- The beginning of a file tells how it is written (csv_dialect.lua). Then it is gone through twice
-- (csv_pass.lua): cells are counted, by which the types of columns (csv_types.lua) and the number
-- of rows are known; then the matrix is made, and filled (csv_values.lua), or the rows stay in the
-- file (csv_rows.lua).

local Stored = require "perilune.data.stored"
local Table = require "perilune.data.table"
local cores = require "perilune.cores"
local dialect = require "perilune.data.csv_dialect"
local errors = require "perilune.errors"
local fields = require "perilune.fields"
local file = require "perilune.store.file"
local pass = require "perilune.data.csv_pass"
local schemas = require "perilune.data.schema"
local types = require "perilune.data.csv_types"
local values = require "perilune.data.csv_values"

local csv = {}

local raise, show = errors.raise, errors.show

local MISSING = {
  "?", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "None",
}

local function one_byte(value)
  return type(value) == "string" and #value == 1 and not value:find "[\0\r\n]"
end

local declared = {
  separator = {
    "value", optional = true, test = one_byte, expected = "one character, such as \";\"",
  },
  quote = {
    "value", optional = true, expected = "one character, or \"\" for none",
    test = function(value) return value == "" or one_byte(value) end,
  },
  decimal = { "choice", default = ".", choices = { ".", "," } },
  header = { "boolean", optional = true },
  columns = { "names", optional = true },
  missing = { "names", optional = true },
  types = { "table", optional = true },
  like = { "value", optional = true },
  dtype = { "choice", default = "float32", choices = { "float32", "float64" } },
  most_bytes = { "number", optional = true, above = 0, infinite = true },
  window = Stored.options.window,
  chunk = Stored.options.chunk,
}

local function check_options(given)
  local options = fields.check(declared, given, "pl.data.csv")
  options.missing = options.missing or MISSING
  if #options.missing > 64 then
    raise("pl.data.csv: missing: at most 64 texts expected, got %d", #options.missing)
  end
  if options.separator == options.decimal then
    raise("pl.data.csv: decimal: another character than the separator expected, got %s for both",
      show(options.decimal))
  end
  types.check(options.types or {})
  options.like = options.like and schemas.features_of(options.like)
  return options
end

-- The table that `source` holds, or nil and a reason
local function table_of(source, options, path)
  local how = setmetatable({ core = cores[options.dtype] }, { __index = options })
  local ok, reason = dialect.find(source, how)
  if not ok then return nil, reason end
  local cells
  cells, reason = pass.count(source, how)
  if not cells then return nil, reason end
  local N = cells:place()
  if N == 0 then return nil, "rows expected below the header, got none" end
  local columns
  columns, reason = types.describe(how, cells)
  if not columns then return nil, reason end
  local numbers
  if path and options.window then
    numbers, reason = values.leave(path, how, columns, N)
  else
    numbers, reason = values.fill(source, how, columns, N)
  end
  if reason then return nil, reason end
  return Table.new(columns, N, numbers)
end

local function read(source, name, options, path)
  local found, reason = table_of(source, options, path)
  if not found then return nil, ("%s: %s"):format(name, reason) end
  return found
end

---@class CsvOptions
---@field separator? string  default: found among tab, ; and ,
---@field quote? string      "" for none; default ", or ' where the file begins with it
---@field decimal? "."|","   the decimal point, default "."
---@field header? boolean    whether the first row names the columns; default: found
---@field columns? string[]  names of the columns, instead of the header's or of column_1, ...
---@field missing? string[]  what stands for a missing cell beside an empty one; default ?, NA, N/A,
---n/a, #N/A, <NA>, NaN, nan, NULL, null, None
---@field types? table<string|integer, string>  types of columns by name or number: "number",
---"category", "text", "date"; default: found
---@field like? table        columns that a schema, or a dataset or network that has one, names have
---its types
---@field dtype? "float32"|"float64"  of the values, default "float32"
---@field window? integer    how many rows are in memory at a time: the others stay in the file,
---which must be a plain one, and so they do in datasets of the table; default: all are
---@field chunk? integer     how many are read at once then, default a 32nd of the window
---@field most_bytes? number that gzip may inflate to, default as of perilune.data.content

---The table of a text in memory.
---@param text string         CSV, plain or gzip-compressed
---@param options? CsvOptions
---@param name? string        what messages call it, default "CSV data"
---@return Table?
---@return string?            nil and "name: line, column: what was expected and what came"
function csv.decode(text, options, name)
  fields.value("text", text, { "string" })
  options = check_options(options)
  if options.window then raise("window: a file expected whose rows stay there, got text") end
  name = name == nil and "CSV data" or fields.value("name", name, { "string" })
  return read(file.of(text), name, options)
end

---The table of a file of comma-separated values, plain or gzip-compressed:
---    local adult = assert(pl.data.csv("adult.csv", { types = { zip = "category" } }))
---    print(adult)
---Types are found by reading. A column is of numbers where all its cells are, but for missing ones;
---of dates likewise; of categories where its words are few (at most 20 different ones, or at most
---1000 and each twice on average), otherwise of text. Where some numbers have leading zeros (007),
---all are codes, and count as words. Where a column has more numbers than words, the words are an
---error that names the cures; where it has more words, the numbers count as words. A column without
---any cell is text.
---
---Cells are in UTF-8; blanks around them are no part of them, lines without any are passed over.
---All rows must have as many cells as the first. For a file larger than memory say how many rows
---are to be there at a time:
---    local clicks = assert(pl.data.csv("clicks.csv", { window = 50000 }))
---    local train = clicks:dataset { target = "bought" }
---@param path string
---@param options? CsvOptions
---@return Table?
---@return string?  nil and "path: line, column: what was expected and what came"
function csv.read(path, options)
  fields.value("path", path, { "path" })
  options = check_options(options)
  local source <close>, message = file.open(path)
  if not source then return nil, message end
  return read(source, path, options, path)
end

return csv
