-- What is to be learnt of a table: a column of categories or numbers, as the targets or the labels
-- of a dataset.

local categories = require "perilune.data.categories"
local errors = require "perilune.errors"
local fields = require "perilune.fields"
local schemas = require "perilune.data.schema"

local targets = {}

local raise, show = errors.raise, errors.show

local FEW_CLASSES = 20 -- different whole numbers that may be meant as classes
local MOST_CLASSES = 1000
local MOST_RENAMINGS = 8 -- that a message proposes

-- A number as the name of a class
local function number_name(x, dtype)
  local whole = fields.whole(x)
  return whole and tostring(whole) or (dtype == "float32" and "%.7g" or "%.14g"):format(x)
end

-- The different numbers in a row of cells, as a set, how many they are, and whether there are
-- nothing but whole ones; no further than it takes to see that they are too many
local function numbers_in(cells)
  local seen, different, are_whole = {}, 0, true
  for n = 1, cells.cols do
    local x = cells:get(1, n)
    if x == x and not seen[x] then
      seen[x], different, are_whole = true, different + 1, are_whole and fields.whole(x) ~= nil
      if different > MOST_CLASSES then break end
    end
  end
  return seen, different, are_whole
end

local function check_target(column, cells)
  if column.missing == 0 then return end
  for n = 1, cells.cols do
    local x = cells:get(1, n)
    if x ~= x then
      raise("target: column %s lacks %d of %d cells, the first in row %d: leave their rows out, "
        .. "table:select(table:present(%s))", show(column.name), column.missing, cells.cols, n,
        show(column.name))
    end
  end
end

-- The task that was asked for, or that the target leaves no doubt about
local function task_of(column, cells, task)
  if column.type == "category" then
    if task == "regression" then
      raise("target: numbers expected for regression, got categories in column %s",
        show(column.name))
    end
    return "classification"
  end
  if task then return task end
  local _, different, are_whole = numbers_in(cells)
  if not are_whole or different > FEW_CLASSES then return "regression" end
  if different <= 2 then return "classification" end
  raise("target: column %s has %d different whole numbers, which may be meant as classes: "
    .. "task = \"classification\" or task = \"regression\"", show(column.name), different)
end

-- Numbers as classes: their names in order, and the label of each number
local function classes_of_numbers(column, cells)
  local seen, different = numbers_in(cells)
  if different > MOST_CLASSES then
    raise("target: at most %d classes expected, got more different numbers in column %s: "
      .. "task = \"regression\"", MOST_CLASSES, show(column.name))
  end
  local numbers, names, to = {}, {}, {}
  for x in pairs(seen) do numbers[#numbers + 1] = x end
  table.sort(numbers)
  for label, x in ipairs(numbers) do
    names[label], to[x] = number_name(x, cells.dtype), label
  end
  return names, cells:map(function(x) return to[x] or x end) -- x: NaN, a missing cell
end

---The names of a column's cells, and their labels by these: numbers are known by how they are
---written.
---@param column TableColumn  of categories or numbers
---@param cells Matrix        1 x N
---@return string[]
---@return Matrix             1 x N
function targets.names(column, cells)
  if column.type == "category" then return column.categories, cells end
  return classes_of_numbers(column, cells)
end

---What the target gives to a dataset, raising where it cannot be learnt.
---@param column TableColumn
---@param cells Matrix  1 x N
---@param task "classification"|"regression"|nil
---@return { T: Matrix? , labels: Matrix?, classes: string[]? }
function targets.of(column, cells, task)
  check_target(column, cells)
  if task_of(column, cells, task) == "regression" then
    return { T = cells }
  end
  local classes, labels = targets.names(column, cells)
  if #classes < 2 then
    raise("target: two classes or more expected in column %s, got only %s", show(column.name),
      show(classes[1]))
  end
  return { labels = labels, classes = classes }
end

-- A name without what people write now one way and now another
local function plain_name(name)
  return (name:lower():gsub("^%s+", ""):gsub("[%s%.,;:]+$", ""))
end

-- The one of `names` that another name may stand for
local function meant(name, names)
  local found
  for _, other in ipairs(names) do
    if plain_name(other) == plain_name(name) then
      if found then return nil end
      found = other
    end
  end
  return found
end

-- Raise for classes that the other set does not have, and say how they may be renamed.
local function refuse_classes(column, unknown, classes)
  local renamings, are = {}, #unknown > 1 and "are" or "is"
  for k, name in ipairs(unknown) do
    local other = meant(name, classes)
    renamings[k] = ("[%s] = %s"):format(show(name), other and show(other) or "...")
    if #unknown > MOST_RENAMINGS and k == MOST_RENAMINGS then
      renamings[k + 1] = "..."
      break
    end
  end
  raise("target: column %s has %s, which %s none of the classes %s: rename = { %s } says which %s "
    .. "meant", show(column.name), schemas.shown(unknown), are, schemas.shown(classes),
    table.concat(renamings, ", "), are)
end

---What the target gives, with the classes of the set or the network that this one is to be like.
---@param other Dataset|Network
---@param column TableColumn
---@param cells Matrix  1 x N
---@param renamed table<string, string>  which classes are meant by other names
---@return { T: Matrix? , labels: Matrix?, classes: string[]? }
function targets.like(other, column, cells, renamed)
  check_target(column, cells)
  if not other.classes then
    if column.type == "number" then return { T = cells } end
    raise("target: numbers expected in column %s, got categories", show(column.name))
  end
  local names, labels = targets.names(column, cells)
  local to, unknown = categories.among(names, other.classes, renamed)
  if #unknown > 0 then refuse_classes(column, unknown, other.classes) end
  return { labels = categories.mapped(labels, to), classes = other.classes }
end

return targets
