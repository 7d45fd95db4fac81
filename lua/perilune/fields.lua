-- Options that are declared once. A field is written as everything is described in this library, a
-- name and options:
--     { "number", default = 0.9, least = 0, below = 1 }
-- A field without a default that is not `optional` must be given. The types of fields are below;
-- modules that know other types add them.

local errors = require "perilune.errors"

local fields = {}

local raise, show = errors.raise, errors.show

---The whole number that `value` is, if it is one: 2.0 and 1e3 are whole numbers too.
---@param value any
---@return integer?
function fields.whole(value)
  return type(value) == "number" and math.tointeger(value) or nil
end

---How many elements a list says it has; its metatable may say anything.
---@param list table
---@param what string  for the message
---@return integer
function fields.length(list, what)
  local count = fields.whole(#list)
  if not count or count < 0 then
    raise("%s: a list expected, got one with %s elements", what, show(#list))
  end
  return count
end

-- "a number of 0 or more and below 1"
local function expectation(noun, field)
  local bounds = {}
  if field.least and field.most then
    bounds[1] = (" from %s to %s"):format(show(field.least), show(field.most))
  elseif field.least then
    bounds[1] = (" of %s or more"):format(show(field.least))
  elseif field.most then
    bounds[1] = (" of at most %s"):format(show(field.most))
  end
  if field.above then bounds[#bounds + 1] = " above " .. show(field.above) end
  if field.below then bounds[#bounds + 1] = " below " .. show(field.below) end
  return "a " .. noun .. table.concat(bounds, " and")
end

local function is_within(value, field)
  return not (field.least and not (value >= field.least))
    and not (field.most and not (value <= field.most))
    and not (field.above and not (value > field.above))
    and not (field.below and not (value < field.below))
end

-- Each type: check(value, field, own, name) --> the value as it will be used; or nil, what was
-- expected, and what came, where that says more than the value itself.
local types = {}
fields.types = types

---A number within the bounds of the field; infinite only where the field is `infinite`.
---@param value any
---@param field table
---@return number?
---@return string?  nil and what was expected
function types.number(value, field)
  local is_number = type(value) == "number" and value == value
  if is_number and is_within(value, field)
    and (field.infinite or math.abs(value) < math.huge) then
    return value
  end
  return nil, expectation("number", field)
end

---A whole number within the bounds of the field.
---@param value any
---@param field table
---@return integer?
---@return string?  nil and what was expected
function types.integer(value, field)
  local whole = fields.whole(value)
  if whole and is_within(whole, field) then return whole end
  return nil, expectation("whole number", field)
end

---A whole number of 1 or more, or where the field is `infinite` math.huge.
---@param value any
---@param field table
---@return number?
---@return string?  nil and what was expected
function types.count(value, field)
  local whole = fields.whole(value)
  if whole and whole >= 1 then return whole end
  if field.infinite and value == math.huge then return value end
  return nil, "a whole number of 1 or more"
end

-- Those that ask only for one of Lua's own types
for name, article in pairs { boolean = "true or false", string = "a string",
  ["function"] = "a function", table = "a table" } do
  types[name] = function(value)
    if type(value) == name then return value end
    return nil, article
  end
end

---One of field.choices.
---@param value any
---@param field table
---@return any?
---@return string?  nil and what was expected
function types.choice(value, field)
  for _, choice in ipairs(field.choices) do
    if value == choice then return value end
  end
  local quoted = {}
  for k, choice in ipairs(field.choices) do quoted[k] = show(choice) end
  return nil, table.concat(quoted, " or ")
end

---Anything at all, or what field.test accepts and field.expected names.
---@param value any
---@param field table
---@return any?
---@return string?  nil and what was expected
function types.value(value, field)
  if not field.test or field.test(value) then return value end
  return nil, field.expected
end

---A path of a file or a directory. C ends one at a zero byte, and would take another.
---@param value any
---@return string?
---@return string?  nil and what was expected
function types.path(value)
  local is_path = type(value) == "string" and value:find("^[^\0]+$") ~= nil
  if is_path then return value end
  return nil, "a path"
end

---A list of one or more numbers, each within the field's bounds; or one number, where the field is
---`single`. The value is a list of its own.
---@param value any
---@param field table
---@return number[]?
---@return string?  nil and what was expected
---@return string?  then also what came, where that says more than the value itself
function types.numbers(value, field)
  local expected = field.single and "a number or a list of numbers" or "a list of numbers"
  if field.single and type(value) == "number" then value = { value } end
  if type(value) ~= "table" then return nil, expected end
  local numbers, count = {}, 0
  for _ in pairs(value) do count = count + 1 end
  if count == 0 then return nil, expected, "none" end
  for k = 1, count do
    local number, one = types.number(rawget(value, k), field)
    if not number then
      return nil, expected, ("%s as number %d, where %s is expected"):format(
        show(rawget(value, k)), k, one)
    end
    numbers[k] = number
  end
  return numbers
end

---Where a range begins and where it ends, { 0.1, 0.3 }, both within the field's bounds. The value
---is a list of its own.
---@param value any
---@param field table
---@return number[]?
---@return string?  nil and what was expected
---@return string?  then also what came, where that says more than the value itself
function types.interval(value, field)
  local numbers, expected, got = types.numbers(value, field)
  if numbers and #numbers == 2 and numbers[1] <= numbers[2] then return numbers end
  return nil, numbers and "two numbers, the larger one last," or expected,
    numbers and "{ " .. table.concat(numbers, ", ") .. " }" or got
end

---A list of one or more names in UTF-8, none of them twice. The value is a copy.
---@param value any
---@return string[]?
---@return string?  nil and what was expected
---@return string?  then also what came, where that says more than the value itself
function types.names(value)
  local expected = "a list of different names"
  if type(value) ~= "table" then return nil, expected end
  local names, seen, count = {}, {}, 0
  for _ in pairs(value) do count = count + 1 end
  if count == 0 then return nil, expected, "none" end
  if count ~= #value then return nil, expected, "a table with gaps or other fields" end
  for k = 1, count do
    local name = value[k]
    if type(name) ~= "string" or not utf8.len(name) then
      return nil, expected .. " in UTF-8", ("%s as name %d"):format(show(name), k)
    elseif seen[name] then
      return nil, expected, show(name) .. " twice"
    end
    names[k], seen[name] = name, true
  end
  return names
end

-- Sorted, so that the same mistakes always give the same message
local function sorted_names(t)
  local names = {}
  for name in pairs(t) do names[#names + 1] = name end
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  return names
end

local function names_of(declared)
  local names = sorted_names(declared)
  return #names > 0 and table.concat(names, ", ") or "none"
end

-- False where an option may be left out says so in full: `early_stopping = false`.
local function is_left_out(value, field)
  return value == nil or (value == false and field.optional and field[1] ~= "boolean")
end

---Raise unless `declared` are declarations of fields, as a user writes them for a class.
---@param declared any
function fields.check_declared(declared)
  if type(declared) ~= "table" then
    raise("fields: a table of { type, ... } by name expected, got %s", show(declared))
  end
  for _, name in ipairs(sorted_names(declared)) do
    local field = declared[name]
    local kind = type(field) == "table" and field[1]
    if not types[kind] then
      raise("fields: %s: { type, ... } expected, the type one of %s, got %s", name,
        names_of(types), kind and show(kind) or show(field))
    end
  end
end

---The value of one field, checked. `own` are a user's own parts by name, for fields that hold
---parts.
---@param name string
---@param value any
---@param field table
---@param own? table
---@return any
function fields.value(name, value, field, own)
  local checked, expected, got = types[field[1]](value, field, own, name)
  if checked == nil then
    raise("%s: %s expected, got %s", name, expected, got or show(value))
  end
  return checked
end

---`given` with the missing options taken from the defaults, as a new table, each checked and as it
---will be used. Raises for an option that is not declared, is missing, or out of its range.
---@param declared table<string, table>
---@param given table?
---@param what? string   whose options these are, for the message
---@param own? table
---@return table
function fields.check(declared, given, what, own)
  local prefix = what and what .. ": " or ""
  if given ~= nil and type(given) ~= "table" then
    raise("%sa table of options expected, got %s", prefix, show(given))
  end
  for _, name in ipairs(sorted_names(given or {})) do
    if not declared[name] then
      local whose = what and " of " .. what or ""
      raise("unknown option '%s'%s (known: %s)", name, whose, names_of(declared))
    end
  end
  local options = {}
  for _, name in ipairs(sorted_names(declared)) do
    local field, value = declared[name], given and given[name]
    if is_left_out(value, field) then value = field.default end
    if value ~= nil then
      options[name] = fields.value(prefix .. name, value, field, own)
    elseif not field.optional then
      raise("%soption '%s' is required", prefix, name)
    end
  end
  return options
end

return fields
