-- Whatever can be configured is described as data, and resolved here. There are families of parts
-- (layer, activation, loss, optimizer, schedule, initializer), each with kinds known by name:
--     "relu"                         a kind with its defaults
--     { "leaky_relu", slope = 0.1 }  a kind and options, checked against the fields it declares
--     a value of the user's own      a function, or a table with the methods of its family
-- The kinds of a family are added where they are made; nothing here knows any of them.

local errors = require "perilune.errors"
local fields = require "perilune.fields"

local registry = { families = {} }

local raise, show = errors.raise, errors.show

---@class Family
---@field name string        "activation"
---@field kinds table<string, Kind>
---@field make fun(kind: Kind, options: table): any   a part from its kind and its checked options
---@field accepts fun(value: any, name: string?): any   the part that a value of the user's own is,
---or nil; `name` is what it was given by, if it was
---@field expected string    what accepts takes, for messages: "a function (A, T) --> J, Delta"
---@field remembers boolean?  its parts have a state, so that each use needs one of its own
local Family = {}
Family.__index = Family

---@class Kind
---@field name string
---@field fields table<string, table>   see perilune.fields
---@field remembers boolean?  as that of a family

---@param name string
---@param definition { make: function, accepts: function, expected: string }
---@return Family
function registry.family(name, definition)
  local family = setmetatable({
    name = name, kinds = {}, make = definition.make, accepts = definition.accepts,
    expected = definition.expected, remembers = definition.remembers,
    kind_of = setmetatable({}, { __mode = "k" }), -- of each part resolved here
  }, Family)
  registry.families[name] = family
  return family
end

---Make a kind known by its name.
---@param kind Kind
---@return Kind
function Family:add(kind)
  self.kinds[kind.name] = kind
  return kind
end

---@param own? table<string, any>   a user's own parts by name
---@return string                   the known names, for messages
function Family:names(own)
  local names = {}
  for name in pairs(self.kinds) do names[#names + 1] = name end
  for name in pairs(own or {}) do names[#names + 1] = name end
  table.sort(names)
  return table.concat(names, ", ")
end

---Raise unless `own`, a user's own parts by name, leaves the built-in names alone: a file that
---names one would otherwise mean another part where that is not given.
---@param own table<string, any>
function Family:check_own(own)
  for name in pairs(own) do
    if type(name) ~= "string" then
      raise("%s of one's own: a name as a string expected, got %s", self.name, show(name))
    elseif self.kinds[name] then
      raise("the %s '%s' is built in: give your own another name", self.name, name)
    end
  end
end

---Raise unless what a part of the user's own has under these names are methods. Those by which it
---remembers go together.
---@param part table
---@param names string[]
function registry.check_methods(part, names)
  for _, name in ipairs(names) do
    if part[name] ~= nil and type(part[name]) ~= "function" then
      raise("%s is the name of a method, got %s", name, show(part[name]))
    end
  end
  if (part.state == nil) ~= (part.restore == nil) then
    raise("both of the methods state and restore expected, or none")
  end
end

---Whether a description names a kind, and which.
---@param description any
---@return string? name
---@return table? options
function registry.name_of(description)
  if type(description) == "string" then return description, {} end
  if type(description) ~= "table" or type(description[1]) ~= "string" then return nil end
  local options = {}
  for name, value in pairs(description) do
    if name ~= 1 then options[name] = value end
  end
  return description[1], options
end

---A part of a built-in kind, which must be known.
---@param name string
---@param options table?
---@return any
function Family:new(name, options)
  local kind = self.kinds[name]
  local part = self.make(kind, fields.check(kind.fields or {}, options, name))
  self.kind_of[part] = kind
  return part
end

---The part that is described.
---@param description any
---@param own? table<string, any>   a user's own parts by name
---@return any
function Family:resolve(description, own)
  if self.kind_of[description] then return description end
  local name, options = registry.name_of(description)
  if self.kinds[name] then return self:new(name, options) end
  local value = description
  if name then
    value = own and own[name]
    if value == nil then
      raise("unknown %s '%s' (known: %s)", self.name, name, self:names(own))
    elseif next(options) then
      raise("the %s '%s' is one of your own, which take no options", self.name, name)
    end
  end
  local part = self.accepts(value, name)
  if part == nil then
    raise("%s: a name, { name, option = value } or %s expected, got %s", self.name,
      self.expected, show(value))
  end
  local own_name = type(value) == "table" and value.name or nil
  if own_name ~= nil then self:check_own { [own_name] = value } end
  -- A file would name it by the one and find it by the other.
  if name and own_name ~= nil and own_name ~= name then
    raise("the %s given as '%s' has the name '%s': give it by that, or without",
      self.name, name, own_name)
  end
  self.kind_of[part] = { name = name or own_name }
  return part
end

---The description of a part that was resolved here: its kind and all its options; for one of the
---user's own the name by which it was called, or that it calls itself by, if any.
---@param part any
---@return string|table?
function Family:describe(part)
  local kind = self.kind_of[part]
  if not kind then return nil end
  if not kind.name and type(part) == "table" and part.name ~= nil then -- it was named since
    self:check_own { [part.name] = part }
    kind.name = part.name
  end
  return kind.name and registry.description(kind, part.options) or nil
end

---Another part like one of a built-in kind, which remembers nothing of what that one was used for.
---@param part any
---@return any  the part itself where it is one of the user's own
function Family:another(part)
  local kind = self.kind_of[part]
  local is_built_in = kind and self.kinds[kind.name] == kind
  return is_built_in and self:resolve(self:describe(part)) or part
end

---{ name, option = value, ... } of a kind's options, parts among them described; the bare name
---where there are none.
---@param kind Kind
---@param options table
---@return string|table
function registry.description(kind, options)
  local description = { kind.name }
  for name, field in pairs(kind.fields or {}) do
    local value = options[name]
    if field[1] == "part" and value ~= nil then
      value = registry.families[field.of]:describe(value)
      if value == nil and not field.optional then
        raise("%s: its %s has no name, by which a file could call it "
          .. "(name = \"...\" gives it one)", kind.name, name)
      end
    end
    description[name] = value
  end
  return next(description, 1) == nil and kind.name or description
end

-- Whether a kind has options without a default
local function has_required(kind)
  for _, field in pairs(kind.fields or {}) do
    if field.default == nil and not field.optional then return true end
  end
  return false
end

---The table that users see: called with a description it gives the part; indexed by a name, the
---part with its defaults. pairs() goes over those that have some.
---@param family Family
---@return table
function registry.public(family)
  local parts = {}
  return setmetatable({}, {
    __call = function(_, description) return family:resolve(description) end,
    __index = function(_, name)
      local part, kind = parts[name] or family:resolve(name), family.kinds[name]
      if kind and not (family.remembers or kind.remembers) then parts[name] = part end
      return part
    end,
    __pairs = function()
      local all = {}
      for name, kind in pairs(family.kinds) do
        if not has_required(kind) then all[name] = family:resolve(name) end
      end
      return pairs(all)
    end,
  })
end

---A field whose value describes a layer, which the layer that has it makes: context.make.
---@param value any
---@return any?
---@return string?  nil and what was expected
function fields.types.layer(value)
  local kind = type(value)
  if kind == "table" or kind == "string" or value == true then return value end
  return nil, "a layer or a list of layers"
end

---A field whose value is a part of the family field.of. Raises for any other.
---@param value any
---@param field { of: string }
---@param own table<string, table<string, any>>?   a user's own parts, by family and name
---@param name string   of the option
---@return any
function fields.types.part(value, field, own, name)
  local family = registry.families[field.of]
  local ok, part, is_message = errors.catch(family.resolve, family, value,
    own and own[field.of])
  if ok then return part end
  -- An option mostly has the name of the family, which need not be said twice.
  if is_message then raise("%s: %s", name, (part:gsub("^" .. family.name .. ": ", ""))) end
  error(part, 0)
end

---A field whose value is a list of parts of the family field.of, or a single one. Raises for any
---other.
---@param value any
---@param field { of: string }
---@param own table<string, table<string, any>>?   a user's own parts, by family and name
---@param name string   of the option
---@return any[]
function fields.types.parts(value, field, own, name)
  local is_list = type(value) == "table" and getmetatable(value) == nil
    and (type(value[1]) ~= "string" or value[2] ~= nil) -- a description has options by name
  if not is_list then return { fields.types.part(value, field, own, name) } end
  local parts, count = {}, 0
  for _ in pairs(value) do count = count + 1 end
  for k = 1, count do
    parts[k] = fields.types.part(value[k], field, own, ("%s: %d"):format(name, k))
  end
  return parts
end

return registry
