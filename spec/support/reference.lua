-- Numbers that PyTorch and scikit-learn have computed, kept beside the programs that ask them.

local json = require "dkjson"

local PYTHON = "/usr/bin/python3" -- Debian's: its packages are installed for no other
local FOLDER = "spec/reference/"

local reference = {}

local function decode(text, path)
  local answers, _, message = json.decode(text)
  return assert(answers, path .. ": " .. tostring(message))
end

---Names of the programs.
---@return string[]
function reference.names()
  local names = {}
  for path in io.popen("ls " .. FOLDER .. "*.json"):lines() do
    names[#names + 1] = path:match "([^/]+)%.json$"
  end
  return names
end

---What is kept of the program `name`: answers by case.
---@param name string
---@return table<string, table>
function reference.load(name)
  local path = FOLDER .. name .. ".json"
  local file <close> = assert(io.open(path))
  return decode(file:read "a", path)
end

---The description that the name of a case means: "elu alpha=0.4" is { "elu", alpha = 0.4 }. What
---comes after a comma only tells cases apart: "elu alpha=0.4, small".
---@param case string
---@return table
function reference.description(case)
  local words = case:match "^[^,]*"
  local description = { words:match "^%S+" }
  for option, value in words:gmatch "(%S+)=(%S+)" do
    local given = { ["true"] = true, ["false"] = false }
    if given[value] == nil then given[value] = tonumber(value) or value end
    description[option] = given[value]
  end
  return description
end

---Whether Debian's Python has the libraries that the programs ask.
---@return boolean
function reference.can_run()
  return os.execute(PYTHON .. " -c 'import torch, sklearn' >/dev/null 2>&1") == true
end

---What the program `name` says now.
---@param name string
---@return table<string, table>
function reference.run(name)
  local path = FOLDER .. name .. ".py"
  local pipe = assert(io.popen(PYTHON .. " -B -W ignore " .. path))
  local text = pipe:read "a"
  assert(pipe:close(), path .. " failed")
  return decode(text, path)
end

return reference
