-- Every public function is documented where it is made, with each of its parameters, and what
-- `require "perilune"` gives stands in the README. The core's functions: spec/core/meta_spec.lua.

local annotations = require "spec.support.annotations"
local child = require "spec.support.child"
local pl = require "perilune"

-- What a definition lacks, or has too much
local function complaints(definition)
  local list, is_parameter = {}, {}
  if not definition.documented then list[1] = "no docstring (---)" end
  for _, name in ipairs(definition.parameters) do
    is_parameter[name] = true
    if not definition.described[name] then list[#list + 1] = "no ---@param " .. name end
  end
  for name in pairs(definition.described) do
    if not is_parameter[name] then list[#list + 1] = "no parameter is called " .. name end
  end
  return list
end

describe("a function in a module's table or in a class", function()
  it("has a docstring and an annotation for each of its parameters", function()
    local count, missing = 0, {}
    for path in child.shell("find lua/perilune -name '*.lua'"):gmatch("[^\n]+") do
      for _, definition in ipairs(annotations.definitions(path)) do
        count = count + 1
        for _, complaint in ipairs(complaints(definition)) do
          missing[#missing + 1] = ("%s: %s: %s"):format(definition.place, definition.name,
            complaint)
        end
      end
    end
    table.sort(missing)
    assert.equal("", table.concat(missing, "\n"))
    assert.is_true(count > 300)
  end)
end)

describe("the README", function()
  local rows = {}
  for row in annotations.read("README.md"):gmatch("\n(|[^\n]*)") do rows[#rows + 1] = row end
  local tables = table.concat(rows, "\n")

  it("has each name of the public table in one of its tables", function()
    local missing = {}
    for name in pairs(pl) do
      if not tables:find("`pl%." .. name .. "[`.]") then missing[#missing + 1] = name end
    end
    table.sort(missing)
    assert.equal("", table.concat(missing, ", "))
  end)

  it("names nothing in its tables that the public table has not", function()
    for name in tables:gmatch("`pl%.([%w_]+)") do assert.is_truthy(pl[name], name) end
  end)
end)
