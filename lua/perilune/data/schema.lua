-- What the rows of X mean where they come from a table: a list of features,
--     { { name = "age", type = "number", least = 17, most = 90 },
--       { name = "job", type = "category", categories = { "clerk", "nurse" } } }
-- It is plain data, and is kept with the dataset and with the network that learns from it. In X a
-- number is a number, and NaN where it is missing; a category is its label, its place in
-- `categories` from 1 on, 0 for one that is not among them, and NaN where it is missing.

local errors = require "perilune.errors"
local fields = require "perilune.fields"

local raise, show = errors.raise, errors.show

local schema = {}

---What a schema says of a feature: `missing` is how many cells of the table were.
schema.fields = {
  name = { "string" },
  type = { "choice", choices = { "number", "category" } },
  least = { "number", optional = true },
  most = { "number", optional = true },
  missing = { "integer", least = 0, optional = true },
  categories = { "names", optional = true },
}

---A list of features, each of another name, checked as `declared` says, as a copy.
---@param what string     for messages: "schema"
---@param list any
---@param rows integer    how many there must be
---@param declared table<string, table>  fields of a feature, those of schema.fields among them
---@return table[]
function schema.checked(what, list, rows, declared)
  if type(list) ~= "table" then
    raise("%s: a list of features expected, got %s", what, show(list))
  end
  local count, copy, taken = fields.length(list, what), {}, {}
  if count ~= rows then
    raise("%s: a feature for each of the %d rows of X expected, got %d", what, rows, count)
  end
  for k = 1, rows do
    local own = ("%s: feature %d"):format(what, k)
    local feature = fields.check(declared, list[k], own)
    if (feature.type == "category") ~= (feature.categories ~= nil) then
      raise("%s: %s", own, feature.categories and "categories of a number"
        or "a list of its categories expected")
    elseif taken[feature.name] then
      raise("%s: two features are called %s", what, show(feature.name))
    end
    copy[k], taken[feature.name] = feature, true
  end
  return copy
end

---The schema that `list` is, as a copy.
---@param list any
---@param rows integer  of X
---@return table[]
function schema.check(list, rows)
  return schema.checked("schema", list, rows, schema.fields)
end

---The features that a schema lists, or one that a dataset or network has, as a copy.
---@param value any
---@return table[]
function schema.features_of(value)
  local features = type(value) == "table" and (value.schema or value)
  local count = type(features) == "table" and fields.length(features, "like") or 0
  if count == 0 then raise("like: a schema, or what has one, expected, got %s", show(value)) end
  return schema.check(features, count)
end

---The features that those of a longer description, such as one of a layer, are.
---@param columns table[]
---@return table[]
function schema.of(columns)
  local list = {}
  for k, column in ipairs(columns) do
    local categories = column.categories
    list[k] = {
      name = column.name, type = column.type, least = column.least, most = column.most,
      categories = categories and table.move(categories, 1, #categories, 1, {}),
    }
  end
  return list
end

---Names for the rows of X that have none.
---@param rows integer
---@return table[]  "x1", "x2", ...: all numbers
function schema.numbers(rows)
  local list = {}
  for k = 1, rows do list[k] = { name = "x" .. k, type = "number" } end
  return list
end

---What is first not the same in two schemas, for messages.
---@param expected table[]
---@param got table[]      of as many features
---@return string?  nil where rows of X mean the same by both
function schema.difference(expected, got)
  for k, feature in ipairs(expected) do
    local other = got[k]
    if other.name ~= feature.name then
      return ("column %d: %s expected, got %s"):format(k, show(feature.name), show(other.name))
    elseif other.type ~= feature.type then
      return ("column %s: a %s expected, got a %s"):format(show(feature.name), feature.type,
        other.type)
    end
    for label = 1, math.max(#(feature.categories or {}), #(other.categories or {})) do
      if feature.categories[label] ~= other.categories[label] then
        return ("column %s: %s expected as category %d, got %s"):format(show(feature.name),
          show(feature.categories[label]), label, show(other.categories[label]))
      end
    end
  end
end

local SHOWN = 8 -- names in a message

---Some names, for messages: "clerk", "nurse", ... and 12 more
---@param names string[]
---@return string
function schema.shown(names)
  local texts = {}
  for k = 1, math.min(#names, SHOWN) do texts[k] = show(names[k]) end
  local others = #names > SHOWN and (" and %d more"):format(#names - SHOWN) or ""
  return table.concat(texts, ", ") .. others
end

-- How many characters must be changed, put in or left out to make b of a (Levenshtein 1966)
local function distance(a, b)
  local row = {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local corner = row[0]
    row[0] = i
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      corner, row[j] = row[j], math.min(row[j] + 1, row[j - 1] + 1, corner + cost)
    end
  end
  return row[#b]
end

local LONGEST = 100 -- bytes of names that are compared

---The name that was probably meant, in words: ` (did you mean "income"?)`; or those there are.
---@param name any
---@param names string[]
---@return string
function schema.hint(name, names)
  local best, nearest = math.huge, nil
  for _, other in ipairs(names) do
    local is_comparable = type(name) == "string" and #name <= LONGEST and #other <= LONGEST
    local far = is_comparable and distance(name:lower(), other:lower()) or math.huge
    if far < best and far <= math.max(1, #other // 3) then best, nearest = far, other end
  end
  if nearest then return (" (did you mean %s?)"):format(show(nearest)) end
  return (" (known: %s)"):format(schema.shown(names))
end

return schema
