-- A program of calls: which ones, and how often each.

local Program = require "spec.fuzz.program"
local data = require "spec.fuzz.data"
local files = require "spec.fuzz.files"
local networks = require "spec.fuzz.networks"
local primitives = require "spec.fuzz.primitives"

local grammar = {}

local CALLS = 18                                -- of a program, at least
local HOSTILITIES = { 0, 0, 0.02, 0.06, 0.12 }  -- of the fields in a call's tables

-- What makes calls, those of C as often as their number of functions
local kinds = {}

local function add(calls, weights)
  local names = {}
  for name in pairs(calls) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    for _ = 1, weights[name] or 2 do kinds[#kinds + 1] = calls[name] end
  end
end

add(primitives.calls, { core = 40, matrix = 16, generator = 8, operator = 8, sigma = 4 })
add(networks.calls, { network = 6, fit = 4, train = 4, go_on = 1 })
add(data.calls, { dataset = 4, metrics = 4 })
add(files.calls, { digits = 1, system = 1 })

---The text of the program of a seed and a number.
---@param seed integer
---@param case integer
---@return string
function grammar.program(seed, case)
  local p = Program.new(seed, case)
  while p.calls < CALLS do
    p.hostility = p:pick(HOSTILITIES)
    p:pick(kinds)(p)
  end
  return p:text()
end

return grammar
