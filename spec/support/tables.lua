-- Tables for specs, and what they hold as Lua tables.

local csv = require "perilune.data.csv"

local tables = {}

local PEOPLE = [[
age,job,seen,note,income
41,nurse,2020-01-01,x,high
?,clerk,2020-01-02,y,low
30,,2020-01-03,z,low
52,nurse,2020-01-04,w,high
]]

---The table that a text is read as.
---@param text string
---@param options? CsvOptions
---@return Table
function tables.read(text, options)
  return assert(csv.decode(text, options, "here"))
end

---A table with a column of each type, two of them with a missing cell.
---@return Table
function tables.people()
  return tables.read(PEOPLE, { types = { note = "text" } })
end

---Reading must fail, with exactly this after the name.
---@param reason string
---@param text string
---@param options? CsvOptions
function tables.refuses(reason, text, options)
  local found, message = csv.decode(text, options, "here")
  if found ~= nil or message ~= "here: " .. reason then
    error(("nil and 'here: %s' expected, got: %s"):format(reason, tostring(found or message)), 2)
  end
end

---Rows of cells as they were: categories by name, "" for what is missing.
---@param found Table
---@return table[]
function tables.cells(found)
  local rows = {}
  for n = 1, found.N do
    rows[n] = {}
    for k, column in ipairs(found.columns) do
      local x = column.row and found.values:get(column.row, n) or 0 / 0
      local categories = column.categories or {}
      rows[n][k] = x ~= x and "" or categories[x] or x
    end
  end
  return rows
end

---@param found Table
---@return string[]
function tables.names(found)
  local names = {}
  for k, column in ipairs(found.columns) do names[k] = column.name end
  return names
end

---@param found Table
---@return string[]
function tables.types(found)
  local types = {}
  for k, column in ipairs(found.columns) do types[k] = column.type end
  return types
end

---Rows of a matrix, with false for NaN.
---@param M Matrix
---@return table[]
function tables.rows(M)
  local rows = M:totable()
  for _, row in ipairs(rows) do
    for n, x in ipairs(row) do row[n] = x == x and x or false end
  end
  return rows
end

return tables
