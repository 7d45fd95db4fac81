-- What the scripts share: where the library is, arguments, the terminal. Loaded first, by path,
-- because it is what makes `require "perilune"` work from any directory and without installation.

local support = {}

local here = arg[0]:match("^(.*)/[^/]*$") or "."

---The project's root, as a path from the current directory.
support.root = here .. "/.."

-- Where make builds the C modules, for each Lua that will do.
local builds = { ["Lua 5.4"] = "/build", ["Lua 5.5"] = "/build/lua5.5" }

if not builds[_VERSION] then
  io.stderr:write(("this script needs Lua 5.4 or 5.5, and this is %s: "
    .. "run it with lua5.4\n"):format(_VERSION))
  os.exit(2)
end

package.path = ("%s/lua/?.lua;%s/lua/?/init.lua;%s"):format(support.root, support.root,
  package.path)
package.cpath = ("%s/?.so;%s"):format(
  os.getenv("PERILUNE_BUILD") or support.root .. builds[_VERSION], package.cpath)

---End with a message on stderr and exit status 1.
---@param message string
function support.fail(message)
  io.stderr:write(message, "\n")
  os.exit(1, true)
end

---An error message without the place in the source that it begins with.
---@param message any
---@return string
function support.message(message)
  return (tostring(message):gsub("^[^:]*:%d+: ", ""))
end

-- Modules by what they need, for a message that says what to do.
local advice = {
  ["perilune.core"] = "the C core is not built: run make " .. (_VERSION == "Lua 5.4"
    and "(or sh scripts/run.sh train, which installs what make needs)" or "LUA=lua5.5"),
  ["argparse"] = "the Lua library argparse is missing: "
    .. "install the Debian package lua-argparse",
}

---require, ending with advice when the module is missing.
---@param name string
---@return any
function support.require(name)
  local ok, result = pcall(require, name)
  if ok then return result end
  for prefix, words in pairs(advice) do
    if tostring(result):find("module '" .. prefix, 1, true) then support.fail(words) end
  end
  support.fail(tostring(result))
end

-- Conversions for argparse, each made for an option: a number in range, or an error that says what
-- was expected.
local function conversion(expected, is_valid)
  return function(option)
    return function(text)
      local value = tonumber(text)
      if value and is_valid(value) then return value end
      return nil, ("%s: %s expected, got '%s'"):format(option, expected, text)
    end
  end
end

support.integer = conversion("a whole number", function(value)
  return math.type(value) == "integer"
end)

support.count = conversion("a whole number of 1 or more", function(value)
  return math.type(value) == "integer" and value >= 1
end)

support.positive = conversion("a number above 0", function(value)
  return value > 0 and value < math.huge
end)

support.not_negative = conversion("a number of 0 or more", function(value)
  return value >= 0 and value < math.huge
end)

local FRACTION = "a number from 0 up to, but not including, 1"
support.fraction = conversion(FRACTION, function(value)
  return value >= 0 and value < 1
end)

---Where MNIST is looked for: the argument, the environment, the project.
---@param given string?
---@return string
function support.mnist_directory(given)
  return given or os.getenv("PERILUNE_MNIST") or support.root .. "/data/mnist"
end

return support
