-- The numbers of a CSV file whose columns are known: in a matrix, or in windows of rows that stay
-- in the file.

local CsvRows = require "perilune.data.csv_rows"
local Stored = require "perilune.data.stored"
local categories = require "perilune.data.categories"
local cores = require "perilune.cores"
local pass = require "perilune.data.csv_pass"

local values = {}

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
local function complete(columns, cells, M)
  for k, column in ipairs(columns) do
    local found, labels = cells:column(k)
    if column.type == "number" and found.least <= found.most then
      column.least, column.most = found.least, found.most
    elseif column.type == "category" then
      column.categories = categories.order(M, column.row, labels)
    end
  end
end

---A matrix of the cells that have values, numbers, labels and NaN.
---@param source Source|Memory
---@param how CsvDialect
---@param columns TableColumn[]  completed here
---@param N integer              rows
---@return Matrix?               nil where no column has values
---@return string?               nil and the reason
function values.fill(source, how, columns, N)
  local plan, rows = plan_of(columns)
  if rows == 0 then return nil end
  if rows > cores.MOST_ELEMENTS // N then
    return nil, ("at most %d numbers expected, got %d rows of %d"):format(cores.MOST_ELEMENTS, N,
      rows)
  end
  local M = how.core.matrix(rows, N)
  local cells, reason = pass.fill(source, how, M, plan)
  if not cells then return nil, reason end
  if cells:place() ~= N then return nil, "changed while it was read" end
  complete(columns, cells, M)
  return M
end

---As fill, but the rows stay in the file.
---@param path string
---@param how CsvDialect
---@param columns TableColumn[]
---@param N integer
---@return Stored?
---@return string?
function values.leave(path, how, columns, N)
  local plan, rows = plan_of(columns)
  if rows == 0 then return nil end
  local chunk, slots = Stored.sizes(rows, N, how.dtype, how)
  local source, reason = CsvRows.open(path, how, columns, {
    plan = plan, rows = rows, cols = N, chunk = chunk,
  })
  if not source then return nil, reason end
  return Stored.new(source, chunk, slots)
end

return values
