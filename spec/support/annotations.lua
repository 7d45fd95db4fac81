-- What a Lua source defines that others may call, with the annotations above it. Definitions begin
-- at a line's first column, as everywhere in lua/.

local annotations = {}

---@class Definition
---@field name string          "Network:forward", as it is defined
---@field place string         "lua/perilune/network.lua:12"
---@field parameters string[]
---@field documented boolean   has a docstring (---)
---@field described table<string, string>   parameters with an annotation: "?" if optional, else ""

---@param path string
---@return string
function annotations.read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

---The names in a list of parameters, `self` and those that are not used (_) left out.
---@param list string
---@return string[]
local function names_in(list)
  local names = {}
  for name in list:gmatch("[%w_.]+") do
    if name ~= "self" and name:sub(1, 1) ~= "_" then names[#names + 1] = name end
  end
  return names
end

-- The parameters that the lines of a docstring describe
local function described_in(docstring)
  local described = {}
  for _, line in ipairs(docstring) do
    local name, optional = line:match("^@param ([%w_.]+)(%??)")
    if name then described[name] = optional end
  end
  return described
end

---The functions in a module's tables and classes, `function M.f(...)` and `function C:f(...)`; what
---`M.g, M.h = M.f, M.f` names, with the parameters of f; and the function that is all of a module.
---Metamethods are left out but for __call.
---@param path string
---@return Definition[]
function annotations.definitions(path)
  local list, of, docstring, number = {}, {}, {}, 0
  local function add(name, parameters, described)
    list[#list + 1] = {
      name = name, place = path .. ":" .. number, parameters = parameters,
      documented = #docstring > 0, described = described,
    }
    of[name] = list[#list]
  end
  local text = annotations.read(path)
  local whole = text:match("\nreturn ([%w_]+)\n$")
  for line in text:gmatch("([^\n]*)\n") do
    number = number + 1
    local comment = line:match("^%-%-%-(.*)")
    if comment then
      docstring[#docstring + 1] = comment
    else
      local name, parameters = line:match("^function ([%a_][%w_.]*[.:][%w_]+)(%b())")
      if not name then
        name, parameters = line:match("^local function ([%w_]+)(%b())")
        if name ~= whole then name = nil end
      end
      local is_metamethod = name and name:find("[.:]__") and not name:find("__call$")
      if name and not is_metamethod then
        add(name, names_in(parameters), described_in(docstring))
      end
      local aliases, originals = line:match("^(%a[%w_]*%.[%w_., ]+) = ([%w_., ]+)$")
      local original = originals and of[originals:match("^[%w_.]+")]
      for alias in (original and aliases or ""):gmatch("[%w_.]+") do
        add(alias, original.parameters, original.described)
      end
      docstring = {}
    end
  end
  return list
end

return annotations
