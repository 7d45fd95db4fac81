-- The confusion matrix: how often samples of one class (row) were taken for another (column).

local classes = require "perilune.metrics.classes"
local columns = require "perilune.metrics.columns"
local errors = require "perilune.errors"
local fields = require "perilune.fields"

local longest, right = columns.longest, columns.right

local Confusion = {}
Confusion.__index = Confusion

local function zeros(count)
  local rows = {}
  for i = 1, count do
    rows[i] = {}
    for j = 1, count do rows[i][j] = 0 end
  end
  return rows
end

---Count samples by [actual][predicted] class.
---@param A Matrix           S_L x N outputs
---@param T Matrix           1 x N labels, or S_L x N target columns
---@param names? string[]    of the classes, for printing
---@param gives? "logits"|"probabilities"|"values"  what A is: one output is of the second class
---from 1/2, a logit from 0 on
---@return integer[][]
local function confusion(A, T, names, gives)
  classes.check(A, T)
  gives = classes.check_gives(gives)
  local count = math.max(A.rows, 2)
  if names ~= nil then
    names = fields.value("classes", names, { "names" })
    errors.check(#names == count, "classes: %d names expected, got %d", count, #names)
  end
  local self = zeros(count)
  self.classes = names
  local predicted, actual = classes.predicted(A, gives), classes.actual(T, A.rows)
  for n = 1, A.cols do
    local i, j = math.tointeger(actual:get(1, n)), math.tointeger(predicted:get(1, n))
    self[i][j] = self[i][j] + 1
  end
  return setmetatable(self, Confusion)
end

function Confusion:__tostring()
  local names, numbers = {}, {}
  for i = 1, #self do
    names[i] = self.classes and self.classes[i] or tostring(i)
    for j = 1, #self do numbers[#numbers + 1] = tostring(self[i][j]) end
  end
  local first = longest(names, 9) + 1
  local width = math.max(longest(names, 7), longest(numbers, 7)) + 1
  local lines = { "actual \\ predicted", (" "):rep(first) }
  for j = 1, #self do lines[2] = lines[2] .. right(names[j], width) end
  for i = 1, #self do
    local line = { right(names[i], first) }
    for j = 1, #self do line[j + 1] = right(tostring(self[i][j]), width) end
    lines[#lines + 1] = table.concat(line)
  end
  return table.concat(lines, "\n")
end

return confusion
