-- One pass over a CSV file, chunk by chunk, in which cells are counted or a matrix is filled: so
-- there is never more in memory than the numbers and a chunk. The cells themselves are read in C
-- (src/cells.c).

local collect = require "perilune.collect"
local content = require "perilune.data.content"
local faults = require "perilune.data.csv_faults"
local text = require "perilune.data.text"

local pass = {}

local LONGEST_CELL = 2 ^ 20 | 0 -- bytes

---The next chunk of a text, without the mark that UTF-8 may begin with.
---@param reader Content
---@return string?  nil at the end
---@return string?  or nil and the reason why it cannot be read to its end
function pass.chunk(reader)
  local is_first = reader.came == 0
  local chunk, reason = reader:chunk()
  if not chunk or not is_first then return chunk, reason end
  if chunk:find "^\xFF\xFE" or chunk:find "^\xFE\xFF" then
    return nil, "UTF-8 expected, got UTF-16 (iconv -f UTF-16 -t UTF-8 converts it)"
  end
  local first = text.first_byte(chunk)
  return first > 1 and chunk:sub(first) or chunk
end

---Cells of a text of this dialect, from its beginning or from a row on.
---@param how CsvDialect
---@param has_header boolean
---@return Cells
function pass.cells(how, has_header)
  return how.core.cells(how.width, has_header, how.separator, how.quote, how.decimal, how.missing)
end

-- Have step(cells, bytes, is_last) go through all of `source`. It gives the place from which on
-- bytes are left for the next time; or nil and what faults.reason is told.
local function go_through(source, how, step)
  local reader, reason = content.of(source, how.most_bytes)
  if not reader then return nil, reason end
  local cells, left, is_last = pass.cells(how, how.header), "", false
  while not is_last do
    local bytes
    bytes, reason = pass.chunk(reader)
    if reason then return nil, reason end
    is_last = bytes == nil
    if left ~= "" then
      collect(bytes and #bytes or 0)
      bytes = left .. (bytes or "")
    end
    local from, fault, line, column, got = step(cells, bytes or "", is_last)
    if not from then return nil, faults.reason(how, fault, line, column, got) end
    left = bytes and bytes:sub(from) or ""
    if #left > LONGEST_CELL then
      local _, at = cells:place()
      return nil, ("line %d: a cell of at most %d bytes expected, got more (is its quote closed?)")
        :format(at, LONGEST_CELL)
    end
  end
  return cells
end

---Count all cells.
---@param source Source|Memory
---@param how CsvDialect
---@return Cells?   which tell what was counted
---@return string?  nil and the reason
function pass.count(source, how)
  return go_through(source, how, function(cells, bytes, is_last)
    return cells:count(bytes, is_last)
  end)
end

---Fill the columns of a matrix, one for each row of the text.
---@param source Source|Memory
---@param how CsvDialect
---@param values Matrix   as Cells:fill has it
---@param plan string     likewise
---@return Cells?   which tell what was found
---@return string?  nil and the reason
function pass.fill(source, how, values, plan)
  return go_through(source, how, function(cells, bytes, is_last)
    return cells:fill(bytes, is_last, values, plan)
  end)
end

return pass
