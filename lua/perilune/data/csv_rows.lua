-- Rows of a CSV file that stay there. Once, the file is gone through line by line: where every so
-- many rows begin is written down, and the range or the categories of each column. Then any such
-- chunk of rows can be read without those before it.

local categories = require "perilune.data.categories"
local collect = require "perilune.collect"
local content = require "perilune.data.content"
local faults = require "perilune.data.csv_faults"
local file = require "perilune.store.file"
local pass = require "perilune.data.csv_pass"
local text = require "perilune.data.text"

---@class CsvRows : SampleSource
---@field path string
---@field how CsvDialect
---@field plan string         for Cells:fill: which of them are rows of X
---@field columns TableColumn[]  of the text
---@field starts integer[]    bytes before each chunk, and before the end
---@field chunk integer       rows of text in one
local CsvRows = {}
CsvRows.__index = CsvRows

-- Widen what is known of the columns by what a chunk has shown. `names` has a set for each.
local function note(columns, cells, names)
  for k, column in ipairs(columns) do
    local found, labels = cells:column(k)
    if column.type == "number" and found.least <= found.most then
      column.least = math.min(column.least or math.huge, found.least)
      column.most = math.max(column.most or -math.huge, found.most)
    elseif column.type == "category" then
      for name in pairs(labels) do names[k][name] = true end
    end
  end
end

-- The next line, with what ends it, to be put behind what is left of those before; whether it is
-- the last; nil, nil and a reason where reading fails.
local function next_line(self)
  while true do
    local last = self.text:find("\n", self.looked, true)
    if last or self.is_last then
      self.looked = (last or #self.text) + 1
      return self.text:sub(self.at, last), not last
    end
    local rest = self.text:sub(self.at)
    self.before, self.at, self.looked, self.text = self.before + self.at - 1, 1, #rest + 1, rest
    local chunk, reason = self.reader:chunk()
    if reason then return nil, nil, reason end
    if chunk and self.before == 0 and rest == "" then
      self.at = text.first_byte(chunk)
      self.looked = self.at
    end
    self.is_last = chunk == nil
    if chunk then self.text = rest .. chunk end
  end
end

local ONLY_LF = "rows that end with LF or CR LF expected, got some that end with CR"

-- Go through all rows, and give where the chunks begin, and how many rows there are; or nil and a
-- reason.
local function index(self, reader, names)
  local lines = { reader = reader, text = "", at = 1, looked = 1, before = 0, is_last = false }
  local how, M = self.how, self.how.core.matrix(self.rows, self.chunk)
  local starts, cells, earlier, N = {}, pass.cells(how, how.header), 0, 0
  local ended, before = 0, 1 -- lines since a row has ended, and the line of its end
  while true do
    local line, is_last, reason = next_line(lines)
    if reason then return nil, reason end
    starts[1] = starts[1] or lines.before + lines.at - 1 -- behind the mark of UTF-8
    local used, fault, number, column, got = cells:fill(line, is_last, M, self.plan)
    if not used then
      if fault == "more rows" then return nil, ONLY_LF end
      return nil, faults.reason(how, fault, number + earlier, column, got)
    end
    lines.at = lines.at + used - 1
    local rows, at_line = cells:place()
    ended = ended + (is_last and 0 or 1)
    if used > #line then -- all of it
      if at_line - before ~= ended then return nil, ONLY_LF end
      ended, before = 0, at_line
    end
    if is_last or rows == self.chunk and used > #line then
      if rows > 0 then note(self.columns, cells, names) end
      N, earlier = N + rows, earlier + at_line - 1
      if is_last then
        if rows > 0 then starts[#starts + 1] = lines.before + lines.at - 1 end
        return starts, N
      end
      starts[#starts + 1], cells, before = lines.before + lines.at - 1, pass.cells(how, false), 1
    elseif rows == 0 and used > #line then
      starts[#starts] = lines.before + lines.at - 1 -- behind the header, or lines without cells
    end
  end
end

---The rows of a file, after the first way through it, by which the types of its columns are known.
---@param path string
---@param how CsvDialect
---@param columns TableColumn[]  completed here
---@param options { plan: string, rows: integer, cols: integer, chunk: integer }
---@return CsvRows?
---@return string?        nil and a reason
function CsvRows.open(path, how, columns, options)
  local source, reason = file.open(path)
  if not source then return nil, reason:sub(#path + 3) end
  local self = setmetatable({
    path = path, file = source, how = how, columns = columns, plan = options.plan,
    rows = options.rows, cols = options.cols, dtype = how.dtype, chunk = options.chunk,
    labels = {},
  }, CsvRows)
  local reader
  reader, reason = content.of(source)
  if not reader then return nil, reason end
  if reader.is_gzip then
    return nil, "packed by gzip: only in a plain file can rows be found by their number"
  end
  local names = {}
  for k = 1, #columns do names[k] = {} end
  local starts, N = index(self, reader, names)
  if not starts then return nil, N end
  self.starts = starts
  if N ~= self.cols then return nil, "changed while it was read" end
  for k, column in ipairs(columns) do
    if column.type == "category" then
      column.categories = categories.ordered(names[k])
      self.labels[k] = categories.labels(column.categories)
    end
  end
  return self
end

-- Labels of the file's categories in place of those that a chunk has given them; false where it has
-- another one.
local function relabel(self, M, cells, row, k)
  local _, found = cells:column(k)
  local to, is_same = {}, true
  for name, label in pairs(found) do
    local known = self.labels[k][name]
    if not known then return false end
    to[label], is_same = known, is_same and known == label
  end
  if is_same then return true end
  categories.relabel(M, row, to)
  return true
end

---As SampleSource has it, of whole chunks.
---@param M Matrix
---@param first integer
---@return true?
---@return string?
function CsvRows:fill(M, first)
  local chunk = (first - 1) // self.chunk + 1
  local from, to = self.starts[chunk], self.starts[chunk + 1]
  collect(to - from)
  local bytes, reason = self.file:read(from + 1, to)
  if not bytes then return nil, ("%s: %s"):format(self.path, reason) end
  local cells, row = pass.cells(self.how, false), 0
  local is_same = cells:fill(bytes, true, M, self.plan) ~= nil and cells:place() == M.cols
  for k = 1, is_same and #self.plan or 0 do
    local letter = self.plan:sub(k, k)
    if letter ~= "-" then row = row + 1 end
    if letter == "c" then is_same = is_same and relabel(self, M, cells, row, k) end
  end
  if not is_same then return nil, self.path .. ": changed since it was opened" end
  return true
end

---The same with some of its rows.
---@param rows integer[]  ascending
---@return CsvRows
function CsvRows:select(rows)
  local is_wanted, letters, row = {}, {}, 0
  for _, i in ipairs(rows) do is_wanted[i] = true end
  for k = 1, #self.plan do
    local letter = self.plan:sub(k, k)
    if letter ~= "-" then row = row + 1 end
    letters[k] = is_wanted[row] and letter or "-"
  end
  local selected = { plan = table.concat(letters), rows = #rows }
  return setmetatable(selected, { __index = self })
end

return CsvRows
