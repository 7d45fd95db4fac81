-- Names of categories, their order, and their labels: the place of each name in the list, from 1
-- on.

local cores = require "perilune.cores"

local categories = {}

-- Numbers by their size, then other names as Lua compares them
local function is_before(a, b)
  local x, y = tonumber(a), tonumber(b)
  if x and y and x ~= y then return x < y end
  if (x == nil) ~= (y == nil) then return x ~= nil end
  return a < b
end

---Names in order: numbers by their size, then others byte by byte.
---@param set table<string, any>  the names are its keys
---@return string[]
function categories.ordered(set)
  local names = {}
  for name in pairs(set) do names[#names + 1] = name end
  table.sort(names, is_before)
  return names
end

---The label of each name.
---@param names string[]
---@return table<string, integer>
function categories.labels(names)
  local label_of = {}
  for label, name in ipairs(names) do label_of[name] = label end
  return label_of
end

---The labels that names have among others.
---@param names string[]
---@param others string[]
---@param renamed table<string, string>  what some of the names are called there
---@return integer[]  by their place in `names`, 0 for one that is none of the others
---@return string[]   the names that are none
function categories.among(names, others, renamed)
  local label_of, to, unknown = categories.labels(others), {}, {}
  for k, name in ipairs(names) do
    local label = label_of[renamed[name] or name]
    to[k] = label or 0
    if not label then unknown[#unknown + 1] = name end
  end
  return to, unknown
end

---to[label] for each label; NaN, a missing cell, stays what it is.
---@param labels Matrix
---@param to integer[]
---@return Matrix
function categories.mapped(labels, to)
  return labels:map(function(label) return label == label and to[label] or label end)
end

---As mapped, for a row of a matrix, in place.
---@param M Matrix
---@param row integer
---@param to integer[]
function categories.relabel(M, row, to)
  local core = cores.of(M)
  local labels = core.take_rows(core.matrix(1, M.cols), M, row)
  core.put_rows(M, row, categories.mapped(labels, to))
end

---The categories of a row of labels that were given in the order in which names came: in order, by
---which they are labelled anew.
---@param M Matrix
---@param row integer
---@param labels table<string, integer>
---@return string[]
function categories.order(M, row, labels)
  local names, to, is_ordered = categories.ordered(labels), {}, true
  for label, name in ipairs(names) do
    to[labels[name]] = label
    is_ordered = is_ordered and labels[name] == label
  end
  if not is_ordered then categories.relabel(M, row, to) end
  return names
end

return categories
