-- perilune/core/meta.lua documents what the C modules register: all of it, and nothing else, with
-- the parameters that the comment above each binding in src/ gives it.

local annotations = require "spec.support.annotations"
local child = require "spec.support.child"
local pl = require "perilune"
local registered = require "spec.support.registered"

local META = "lua/perilune/core/meta.lua"

-- By the name of a class in meta.lua: its functions, as definitions by name, and its fields
local function documented()
  local classes = {}
  local function of(name)
    name = name:sub(1, 1):upper() .. name:sub(2) -- core.exp is of the class Core
    classes[name] = classes[name] or { functions = {}, fields = {} }
    return classes[name]
  end
  for _, definition in ipairs(annotations.definitions(META)) do
    local class, name = definition.name:match("^(%w+)[.:](.+)$")
    of(class).functions[name] = definition
  end
  local class
  for line in annotations.read(META):gmatch("[^\n]+") do
    class = line:match("^%-%-%-@class (%w+)") or class
    local field = line:match("^%-%-%-@field ([%w_]+)")
    if field then of(class).fields[field] = true end
  end
  return classes
end

-- The names in `set` that are not in `others`
local function missing(set, others, also)
  local names = {}
  for name in pairs(set) do
    if others[name] == nil and (also == nil or also[name] == nil) then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return table.concat(names, ", ")
end

for _, name in ipairs { "float32", "float64" } do
  local classes = documented()
  for class, members in pairs(registered(pl[name])) do
    describe(("%s of %s"):format(class, name), function()
      local functions, fields = classes[class].functions, classes[class].fields

      it("is documented, each function and field of it", function()
        assert.equal("", missing(members, functions, fields))
      end)

      it("has each function and field that is documented", function()
        assert.equal("", missing(functions, members))
        assert.equal("", missing(fields, members))
      end)
    end)
  end
end

describe("the classes of meta.lua", function()
  it("are those that are looked at here", function()
    assert.equal("", missing(documented(), registered(pl.float32)))
  end)
end)

-- "p, g, rate [, decay]" as "p, g, rate, decay?"
local function flattened(signature)
  local names, depth = {}, 0
  for brackets, name in signature:gmatch("([%[%]%s,]*)([%a_.][%w_.]*)") do
    for bracket in brackets:gmatch("[%[%]]") do depth = depth + (bracket == "[" and 1 or -1) end
    names[#names + 1] = name .. (depth > 0 and "?" or "")
  end
  return table.concat(names, ", ")
end

-- By the name of a C function the signature in the comment above it, and by the name that it is
-- registered by the C function, for functions and methods apart: decode is both
local function read_sources()
  local signatures, bindings = {}, {}
  local names = {} -- of each C function: it may be registered by several
  for path in child.shell("ls src/*.c src/*.h"):gmatch("[^\n]+") do
    local text = annotations.read(path)
    for comment, below in text:gmatch("\n/%*(.-)%*/\n([^\n]*)") do
      local binding = below:match("int ([%w_]+)%(lua_State %*L")
      if binding then signatures[binding] = comment:match("^[%s*]*(%a?:?[%a_]+%b())") end
    end
    for list, entries in text:gmatch("luaL_Reg ([%a_]+)%[%] = (%b{})") do
      for name, binding in entries:gmatch('{"([%w_]+)",%s*([%w_]+)') do
        names[binding] = names[binding] or {}
        names[binding][name] = true
        bindings[#bindings + 1] = {
          name = name, binding = binding, names = names[binding], list = list, path = path,
        }
      end
    end
  end
  return signatures, bindings
end

-- Where methods are not those of matrices, and functions not those of a core
local class_of = {
  functions = { ["src/system.c"] = "System" },
  methods = {
    ["src/random.c"] = "Generator", ["src/octets.c"] = "Octets", ["src/cells.c"] = "Cells",
  },
}

describe("each binding in src/", function()
  it("has its parameters in meta.lua as in the comment above it", function()
    local classes = documented()
    local signatures, bindings = read_sources()
    local wrong = {}
    for _, b in ipairs(bindings) do
      local usual = { functions = "Core", methods = "Matrix" }
      local class = class_of[b.list] and class_of[b.list][b.path] or usual[b.list]
      local definition = class and classes[class].functions[b.name]
      if definition then
        local parameters = {}
        for k, name in ipairs(definition.parameters) do
          parameters[k] = name .. definition.described[name]
        end
        local said = table.concat(parameters, ", ")
        local name, list = (signatures[b.binding] or "(none)"):match("([%a_]*)(%b())$")
        local above = flattened(list)
        if said ~= above or not b.names[name] then
          wrong[#wrong + 1] = ("%s: %s(%s), above %s %s(%s)"):format(definition.place, b.name,
            said, b.binding, name, above)
        end
      end
    end
    assert.is_true(#bindings > 60)
    assert.equal("", table.concat(wrong, "\n"))
  end)
end)
