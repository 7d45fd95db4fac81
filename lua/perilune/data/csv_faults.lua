-- What is wrong with a CSV file, in words, and where: faults by the names that the core gives them
-- (src/cells.c).

local errors = require "perilune.errors"

local faults = {}

local show = errors.show

---The place of a cell, as a reason begins with it.
---@param line integer
---@param column integer
---@param names string[]?  of the columns, where they are known
---@return string
function faults.place(line, column, names)
  local name = names and names[column]
  return ("line %d, column %d%s: "):format(line, column, name and (" (%q)"):format(name) or "")
end

local function character(byte)
  return byte >= 0x20 and byte < 0x7f and ("%q"):format(string.char(byte))
    or ("byte %02X"):format(byte)
end

-- What a fault is that has a place: by what was found there, a byte or a text
local phrases = {
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

---The reason that a fault is, its place included.
---@param how CsvDialect  as far as it is known
---@param fault string     as Cells:count, Cells:fill and Cells:rows give it, like what follows
---@param line? integer
---@param column? integer
---@param got? integer|string
---@return string
function faults.reason(how, fault, line, column, got)
  if fault == "ragged" then
    return ("line %d: %d cells expected, as in line %d, got %d"):format(line, how.width,
      how.first_line, column)
  elseif fault == "too wide" then
    return ("line %d: at most %d cells expected in a row, got more"):format(line, column - 1)
  elseif fault == "more rows" then
    return "changed while it was read"
  end
  return faults.place(line, column, how.names) .. phrases[fault](how, got)
end

return faults
