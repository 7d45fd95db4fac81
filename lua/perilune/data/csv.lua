-- Tables in text, with a separator between cells: CSV (RFC 4180), TSV and their kin. What a file
-- does not say is found by reading: the separator, whether there is a header, the types of columns.
--
-- A file is gone through twice, chunk by chunk: cells are counted, by which the types of columns
-- and the number of rows are known; then the matrix is made, and filled. So there is never more in
-- memory than the numbers and a chunk. A short piece from the beginning is looked at before, for
-- separator and header. The cells themselves are read in C (src/cells.c).

local CsvRows = require "perilune.data.csv_rows"
local Stored = require "perilune.data.stored"
local Table = require "perilune.data.table"
local categories = require "perilune.data.categories"
local collect = require "perilune.collect"
local content = require "perilune.data.content"
local cores = require "perilune.cores"
local errors = require "perilune.errors"
local fields = require "perilune.fields"
local file = require "perilune.store.file"
local schemas = require "perilune.data.schema"

local csv = {}

local raise, show = errors.raise, errors.show

local UTF8_MARK = "\xEF\xBB\xBF"
local SAMPLE = 2 ^ 16 | 0 -- bytes from which separator and header are found, if they hold
local SAMPLE_ROWS = 3 -- so many rows; otherwise more bytes, up to
local LARGEST_SAMPLE = 2 ^ 22 | 0
local MOST_SAMPLE_ROWS = 200
local LONGEST_CELL = 2 ^ 20 | 0 -- bytes

-- A column of words is one of categories where it has at most FEW_NAMES different ones, or where
-- each comes REPEATED times on average; src/cells.c counts no more than 1000.
local FEW_NAMES = 20
local REPEATED = 2

local SEPARATORS = { "\t", ";", "," }
local MISSING = {
  "?", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "None",
}
local TYPES = { "number", "category", "text", "date" }

local DECIMAL_COMMA = "^[-+]?%d+,%d+$"

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


-- Options

local function check_types(types)
  for column, name in pairs(types) do
    if type(column) ~= "string" and not fields.whole(column) then
      raise("types: names or numbers of columns expected, got %s", show(column))
    end
    fields.value(("types: %s"):format(show(column)), name, { "choice", choices = TYPES })
  end
end

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
  check_types(options.types or {})
  options.like = options.like and schemas.features_of(options.like)
  return options
end


-- Reasons

-- The place of a cell, as a reason begins with it
local function place(line, column, names)
  local name = names and names[column]
  return ("line %d, column %d%s: "):format(line, column, name and (" (%q)"):format(name) or "")
end

local function character(byte)
  return byte >= 0x20 and byte < 0x7f and ("%q"):format(string.char(byte))
    or ("byte %02X"):format(byte)
end

local faults = {
  ["zero byte"] = function() return "text expected, got a zero byte" end,
  utf8 = function(_, byte)
    return ("UTF-8 expected, got byte %02X (iconv -f LATIN1 -t UTF-8 converts a file in Latin-1)")
      :format(byte)
  end,
  ["not closed"] = function(how)
    return ("the quote that opens this cell is never closed (quote = \"\" takes %s as any other "
      .. "character)"):format(how.quote)
  end,
  ["after quote"] = function(how, byte)
    return ("%s or the end of the line expected after the closing quote, got %s"):format(
      show(how.separator), character(byte))
  end,
  ["no number"] = function(_, text) return ("a number expected, got %s"):format(show(text)) end,
  ["not finite"] = function(how, text)
    local wider = how.dtype == "float32" and " (dtype = \"float64\" holds more)" or ""
    return ("a number that %s holds expected, got %s%s"):format(how.dtype, show(text), wider)
  end,
}

-- What cells:count or cells:fill says where it does not give a place
local function reason_of(how, fault, line, column, got)
  if fault == "ragged" then
    return ("line %d: %d cells expected, as in line %d, got %d"):format(line, how.width,
      how.first_line, column)
  elseif fault == "too wide" then
    return ("line %d: at most %d cells expected in a row, got more"):format(line, column - 1)
  elseif fault == "more rows" then
    return "changed while it was read"
  end
  return place(line, column, how.names) .. faults[fault](how, got)
end


-- Reading

-- The next chunk, without the mark that UTF-8 may begin with; nil at the end, or nil and a reason
local function next_chunk(reader)
  local is_first = reader.came == 0
  local chunk, reason = reader:chunk()
  if not chunk or not is_first then return chunk, reason end
  if chunk:find "^\xFF\xFE" or chunk:find "^\xFE\xFF" then
    return nil, "UTF-8 expected, got UTF-16 (iconv -f UTF-16 -t UTF-8 converts it)"
  end
  return chunk:sub(1, 3) == UTF8_MARK and chunk:sub(4) or chunk
end

-- Have step(bytes, is_last) go through all of `source`. It gives the place from which on bytes are
-- left for the next time; or nil and what reason_of is told.
local function go_through(source, how, cells, step)
  local reader, reason = content.of(source, how.most_bytes)
  if not reader then return nil, reason end
  local left, is_last = "", false
  while not is_last do
    local bytes
    bytes, reason = next_chunk(reader)
    if reason then return nil, reason end
    is_last = bytes == nil
    if left ~= "" then
      collect(bytes and #bytes or 0)
      bytes = left .. (bytes or "")
    end
    local from, fault, line, column, got = step(bytes or "", is_last)
    if not from then return nil, reason_of(how, fault, line, column, got) end
    left = bytes and bytes:sub(from) or ""
    if #left > LONGEST_CELL then
      local _, at = cells:place()
      return nil, ("line %d: a cell of at most %d bytes expected, got more (is its quote closed?)")
        :format(at, LONGEST_CELL)
    end
  end
  return true
end

local function new_cells(how)
  return how.core.cells(how.width, how.header, how.separator, how.quote, how.decimal, how.missing)
end


-- Finding out from the beginning of the file

-- Rows from the beginning, as cells:rows gives them
local function rows_of(how, sample, separator, quote)
  local cells = how.core.cells(0, false, separator, quote, how.decimal, how.missing)
  return cells:rows(sample.bytes, sample.is_last, MOST_SAMPLE_ROWS)
end

-- How many rows are as wide as the first one, which has more than one cell, and that width
local function regular_rows(rows)
  local width, count = rows[1] and #rows[1] or 0, 0
  if width < 2 then return 0, width end
  for _, row in ipairs(rows) do
    if #row == width then count = count + 1 end
  end
  return count, width
end

local function has_decimal_commas(rows)
  for _, row in ipairs(rows) do
    for _, text in ipairs(row) do
      if text:find(DECIMAL_COMMA) then return true end
    end
  end
  return false
end

-- Whether the rows that `other` separates are better ones: more of the width of the first; then
-- decimal commas, which a comma would cut; then more cells
local function is_better(other, best)
  if not best or other.share ~= best.share then return not best or other.share > best.share end
  if other.commas ~= best.commas then return other.commas end
  return other.width > best.width
end

-- The separator of `sample`, and its rows; nil where nothing separates
local function find_separator(how, sample, quote)
  local best
  for _, separator in ipairs(SEPARATORS) do
    local rows = separator ~= how.decimal and rows_of(how, sample, separator, quote)
    local count, width = regular_rows(rows or {})
    if count > 0 then
      local found = {
        separator = separator, rows = rows, width = width, share = count / #rows,
        commas = separator ~= "," and has_decimal_commas(rows),
      }
      if is_better(found, best) then best = found end
    end
  end
  return best
end

-- How cells are separated and quoted, and the first rows. Single quotes are such where the file
-- begins with one.
local function find_dialect(how, sample)
  local quotes = { how.quote or '"' }
  if not how.quote and sample.bytes:find "^%s*'" then table.insert(quotes, 1, "'") end
  for k, quote in ipairs(quotes) do
    local found = not how.separator and find_separator(how, sample, quote)
    local separator = found and found.separator or how.separator
      or how.decimal == "," and ";" or ","
    local rows, fault, line, column, got = rows_of(how, sample, separator, quote)
    if rows or k == #quotes then
      how.separator, how.quote = separator, quote
      if not rows then return nil, reason_of(how, fault, line, column, got) end
      return rows
    end
  end
end

local function has_number(row)
  for _, kind in ipairs(row.kinds) do
    if kind == "n" then return true end
  end
  return false
end

-- Whether all that is below the first row in column k is numbers
local function is_numeric_below(rows, k)
  local is_number = false
  for i = 2, #rows do
    local kind = rows[i].kinds[k]
    if kind == "w" then return false end
    is_number = is_number or kind == "n"
  end
  return is_number
end

local function comes_again(rows, k)
  for i = 2, #rows do
    if rows[i][k] == rows[1][k] then return true end
  end
  return false
end

-- The first row is a header where it has no numbers, but words above columns of them; where no
-- column is of numbers, where its words are different ones that do not begin as numbers do and do
-- not come again below.
local function is_header(rows)
  local first, seen, is_new = rows[1], {}, true
  if has_number(first) or has_decimal_commas { first } then return false end
  for k, name in ipairs(first) do
    if first.kinds[k] == "w" and is_numeric_below(rows, k) then return true end
    is_new = is_new and name ~= "" and not name:find "^[-+]?%.?%d" and not seen[name]
      and not comes_again(rows, k)
    seen[name] = true
  end
  return is_new
end

-- Names of the columns: those of the options, of the header, or column_1, column_2, ...
local function find_names(how, first)
  local names, place_of = {}, {}
  if how.columns and #how.columns ~= #first then
    return nil, ("line %d: %d cells expected, one for each of the columns that are named, got %d")
      :format(first.line, #how.columns, #first)
  end
  for k = 1, #first do
    local name = how.columns and how.columns[k] or how.header and first[k] or ""
    if name == "" then name = "column_" .. k end
    if place_of[name] then
      return nil, ("line %d: different names of columns expected, got %q as columns %d and %d "
        .. "(columns = { ... } names them anew)"):format(first.line, name, place_of[name], k)
    end
    names[k], place_of[name] = name, k
  end
  return names
end

local function read_sample(source, how, size)
  local reader, reason = content.of(source, how.most_bytes)
  if not reader then return nil, reason end
  local pieces, length, is_more = {}, 0, true
  while is_more and length <= size do
    local chunk
    chunk, reason = next_chunk(reader)
    if reason then return nil, reason end
    pieces[#pieces + 1], length = chunk, length + (chunk and #chunk or 0)
    is_more = chunk ~= nil
  end
  return { bytes = table.concat(pieces):sub(1, size), is_last = length <= size }
end

-- The first rows, of so many bytes; of more where these hold too few
local function first_rows(source, how, size)
  local sample, reason = read_sample(source, how, size)
  if not sample then return nil, reason end
  local found = setmetatable({}, { __index = how })
  local rows
  rows, reason = find_dialect(found, sample)
  if not rows then return nil, reason end
  if #rows < SAMPLE_ROWS and not sample.is_last and size < LARGEST_SAMPLE then
    return first_rows(source, how, 4 * size)
  end
  if #rows == 0 and not sample.is_last then
    return nil, ("rows of at most %d bytes expected, got more (is every quote closed?)"):format(
      size)
  end
  how.separator, how.quote = found.separator, found.quote
  return rows
end

-- Complete `how` by what the beginning of the file tells: separator, quote, header, names, width.
local function find_out(source, how)
  local rows, reason = first_rows(source, how, SAMPLE)
  if not rows then return nil, reason end
  local first = rows[1]
  if not first then return nil, "a header or rows expected, got none" end
  if how.header == nil then how.header = is_header(rows) end
  local names
  names, reason = find_names(how, first)
  if not names then return nil, reason end
  how.names, how.width, how.first_line = names, #first, first.line
  return true
end


-- Types of columns

local function first_word(column, names)
  for name, line in pairs(names) do
    if line == column.first_word then return name end
  end
end

-- A column of numbers with words in it
local function mixed(how, k, column, names, wanted)
  local word = first_word(column, names)
  local where = place(column.first_word, k, how.names)
  if wanted then return nil, ("%sa number expected, got %s"):format(where, show(word)) end
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
  local cure = how.separator == "," and "" or "if its comma is a decimal one: decimal = \",\"; "
  return nil, ("%sa number without a comma expected, got %s (%sif these are names: types = { [%s] "
    .. "= \"category\" })"):format(place(column.first_word, k, how.names), show(word), cure,
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
  if word and how.decimal == "." and word:find(DECIMAL_COMMA) then
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

-- What is known of each column after counting
local function describe(how, cells)
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


-- The matrix

local LETTERS = { number = "n", category = "c", text = "-", date = "-" }

-- The letters that tell cells:fill what the columns are; each that has values gets its row.
local function plan_of(columns)
  local letters, rows = {}, 0
  for k, column in ipairs(columns) do
    letters[k] = LETTERS[column.type]
    if letters[k] ~= "-" then
      rows = rows + 1
      column.row = rows
    end
  end
  return table.concat(letters), rows
end

-- Complete the columns by what filling has found: ranges, and categories in order.
local function complete(columns, cells, values)
  for k, column in ipairs(columns) do
    local found, labels = cells:column(k)
    if column.type == "number" and found.least <= found.most then
      column.least, column.most = found.least, found.most
    elseif column.type == "category" then
      column.categories = categories.order(values, column.row, labels)
    end
  end
end

local function fill(source, how, columns, N)
  local plan, rows = plan_of(columns)
  if rows == 0 then return true end
  if rows > cores.MOST_ELEMENTS // N then
    return nil, ("at most %d numbers expected, got %d rows of %d"):format(cores.MOST_ELEMENTS, N,
      rows)
  end
  local cells = new_cells(how)
  local values = how.core.matrix(rows, N)
  local ok, reason = go_through(source, how, cells, function(bytes, is_last)
    return cells:fill(bytes, is_last, values, plan)
  end)
  if not ok then return nil, reason end
  if cells:place() ~= N then return nil, "changed while it was read" end
  complete(columns, cells, values)
  return true, values
end

-- As fill, but the rows stay in the file.
local function leave(path, how, columns, N)
  local plan, rows = plan_of(columns)
  if rows == 0 then return true end
  local chunk, slots = Stored.sizes(rows, N, how.dtype, how)
  local source, reason = CsvRows.open(path, {
    has_header = how.header, order = categories.ordered,
    cells = function(has_header)
      return how.core.cells(how.width, has_header, how.separator, how.quote, how.decimal,
        how.missing)
    end,
    reason = function(...) return reason_of(how, ...) end,
  }, columns, { plan = plan, rows = rows, cols = N, dtype = how.dtype, chunk = chunk })
  if not source then return nil, reason end
  return true, Stored.new(source, chunk, slots)
end

-- The table that `source` holds, or nil and a reason
local function table_of(source, options, path)
  local how = setmetatable({ core = cores[options.dtype] }, { __index = options })
  local ok, reason = find_out(source, how)
  if not ok then return nil, reason end
  local cells = new_cells(how)
  ok, reason = go_through(source, how, cells, function(bytes, is_last)
    return cells:count(bytes, is_last)
  end)
  if not ok then return nil, reason end
  local N = cells:place()
  if N == 0 then return nil, "rows expected below the header, got none" end
  local columns
  columns, reason = describe(how, cells)
  if not columns then return nil, reason end
  local values
  if path and options.window then
    ok, values = leave(path, how, columns, N)
  else
    ok, values = fill(source, how, columns, N)
  end
  if not ok then return nil, values end
  return Table.new(columns, N, values)
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
