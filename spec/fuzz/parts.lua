-- The grammar of what can be described: parts of every family that the registry knows, with options
-- from the fields that they declare. Nothing here names a built-in part.

require "perilune" -- which makes the parts known
local registry = require "perilune.registry"
local values = require "spec.fuzz.values"

local parts = {}

local function sorted_names(t)
  local names = {}
  for name in pairs(t) do names[#names + 1] = name end
  table.sort(names)
  return names
end

parts.sorted_names = sorted_names

---The families of parts, layers aside.
parts.families = {}
for _, name in ipairs(sorted_names(registry.families)) do
  if name ~= "layer" then parts.families[#parts.families + 1] = name end
end

---The built-in parts of a family.
---@param family string
---@return string[]
function parts.names(family) return sorted_names(registry.families[family].kinds) end

---A function given as a hook or a method: now and then a hostile one.
function parts.hook(p, usual)
  return (p.is_valid or p:chance(0.7)) and usual or values.callback(p)
end

local hook = parts.hook

-- A table of functions that the world makes, `word`, now and then with a hostile one
local function own_table(p, word, names)
  if p.is_valid or p:chance(0.6) then return word .. " {}" end
  return ("%s { %s = %s }"):format(word, p:pick(names), values.callback(p))
end

-- Parts of the user's own; those of other families are functions.
local own = {
  activation = function(p) return own_table(p, "activation", { "forward", "backward", "name" }) end,
  loss = function(p)
    return p:pick { hook(p, "own_loss"), ("{ compute = %s, labels = %s }"):format(
      hook(p, "own_loss"), p:leaf("false")) }
  end,
  optimizer = function(p)
    return own_table(p, "optimizer",
      { "step", "state", "restore", "check_state", "check_parameters", "rate" })
  end,
  schedule = function(p) return hook(p, "gives(0.5)") end,
}

-- A number within the bounds of a field
local function number(_, field)
  local low = field.least or field.above or field.most and -1 or 0
  local high = field.most or field.below or low + 2
  return ("%.3g"):format(low + (high - low) * (0.1 + 0.8 * math.random()))
end

-- Values of fields, by the type that they declare
local of_type = {
  number = number,
  integer = function(p, field) return p:between(field.least or 1, field.most or 9) end,
  count = function(p) return p:between(1, 5) end,
  boolean = function(p) return p:pick { "true", "false" } end,
  string = values.string,
  choice = function(p, field) return ("%q"):format(p:pick(field.choices)) end,
  numbers = function(p) return ("{ %s, %s }"):format(p:number(), p:number(9)) end,
  part = function(p, field) return parts.any(p, field.of) end,
  parts = function(p, field)
    return p:pick { parts.any(p, field.of), "{ " .. parts.any(p, field.of) .. " }" }
  end,
  groups = function(p)
    return ("{ { match = %s, rate = %s }, { match = %s, weight_decay = %s } }"):format(
      p:leaf(p:pick { '"b$"', '"W"', '""' }), p:leaf(0.1), p:leaf('"W"'), p:leaf(0.01))
  end,
  layer = function(p) return p:pick { "pl.dense(2)", "true", "{ pl.dense(3), pl.dense(2) }" } end,
}

---The fields of a declaration as Program:fields takes them: those that are required and, where they
---need not be valid, some others, which may not go together.
---@param declared table<string, table>
---@return string[]
function parts.options(p, declared)
  local list = {}
  for _, name in ipairs(sorted_names(declared)) do
    local field = declared[name]
    local is_required = field.default == nil and not field.optional
    if is_required or not p.is_valid and p:chance(0.4) then
      local make = of_type[field[1]]
      list[#list + 1], list[#list + 2] = name, make and make(p, field) or values.any(p)
    end
  end
  return list
end

---A description { name, option = value, ... }.
---@param family string
---@param name? string  of a part, by default any
function parts.described(p, family, name)
  name = name or p:pick(parts.names(family))
  local kind = registry.families[family].kinds[name]
  return p:fields(parts.options(p, kind.fields or {}), nil, ("%q"):format(name))
end

---A part of a family: by its name, described, itself, or one of the user's own.
---@param family string
function parts.any(p, family)
  local k, name = p:between(1, 8), p:pick(parts.names(family))
  local text
  if k <= 3 then
    text = ("%q"):format(name)
  elseif k <= 5 then
    text = parts.described(p, family, name)
  elseif k == 6 then
    text = ("pl.%s.%s"):format(family, name)
  else
    text = own[family] and own[family](p) or hook(p, "nothing")
  end
  return p:leaf(text)
end

return parts
