-- How a CSV file is written, found by reading a short piece from its beginning: what separates
-- cells and what quotes them, whether there is a header, and how the columns are called.

local content = require "perilune.data.content"
local faults = require "perilune.data.csv_faults"
local pass = require "perilune.data.csv_pass"
local text = require "perilune.data.text"

---How a file is to be read: the options, and what they leave open
---@class CsvDialect : CsvOptions
---@field core Core
---@field names string[]      of all columns
---@field width integer       how many these are
---@field first_line integer  of the file that has cells

local dialect = {}

local SAMPLE = 2 ^ 16 | 0 -- bytes from which separator and header are found, if they hold
local SAMPLE_ROWS = 3 -- so many rows; otherwise more bytes, up to
local LARGEST_SAMPLE = 2 ^ 22 | 0
local MOST_SAMPLE_ROWS = 200

local SEPARATORS = { "\t", ";", "," }

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
    for _, word in ipairs(row) do
      if text.has_decimal_comma(word) then return true end
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
      if not rows then return nil, faults.reason(how, fault, line, column, got) end
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
    chunk, reason = pass.chunk(reader)
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

---Complete `how` by what the beginning of the file tells: separator, quote, header, names, width,
---and the first line.
---@param source Source|Memory
---@param how CsvDialect
---@return true?
---@return string?  nil and the reason
function dialect.find(source, how)
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

return dialect
