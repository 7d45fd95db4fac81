-- What may be raised, and what is a fault. An error of the library is about the user's words and
-- stands at the user's line; one that a trap raised stays what it was.

local judge = {}

---The source of programs: their lines begin with "case:".
judge.SOURCE = "=case"

---What traps raise
judge.TRAP = "a trap of the user's"
judge.TRAP_TABLE = setmetatable({}, { __name = "trap" })

local PLACE = "%f[%w_]case:%d+: "

-- What is written in the words of programs, such as a layer of the user's own, is the user's too.
local WORDS = debug.getinfo(1, "S").source:gsub("^@", ""):gsub("judge%.lua$", "words.lua")
local PLACE_IN_WORDS = ("%f[%w./]%S*words.lua(:%d+: )"):gsub("words.lua", "words%%.lua")

-- Lua's own words, of a mistake in the library
local LUAS_WORDS = {
  "attempt to", "'for' ", "index is n", "invalid value %(at index", "invalid order function",
  "wrong number of arguments", "string length overflow", "too many results", "stack overflow",
  "malformed", "object length is not an integer", "it hangs",
}

-- Lua's answer to a function of the user's that yields where it cannot
local YIELDS = "^attempt to yield "

-- An operator with a string on its left: Lua's string library calls ours, and leaves no line.
local STRING_ON_THE_LEFT = "^bad argument #1 to '%?' %(perilune%.matrix%.float%d%d expected, "
  .. "got string%)$"

---Nil, or what is wrong with an error.
---@param message any  what was raised
---@return string?
function judge.fault_of(message)
  if message == nil or message == judge.TRAP_TABLE then return nil end
  if type(message) ~= "string" then return "an error that is no string" end
  if message == "not enough memory" or message:find(judge.TRAP, 1, true) then return nil end
  if message:find(YIELDS) or message:find(STRING_ON_THE_LEFT) then return nil end
  message = message:gsub(PLACE_IN_WORDS, "case%1")
  local text, places = message:gsub(PLACE, "")
  if text:find "%.lua:%d+:" then return "an error at a line of the library" end
  for _, pattern in ipairs(LUAS_WORDS) do
    if text:find(pattern) then return "an error in Lua's words" end
  end
  if text:find "bad argument #%d+ to '%?'" then return "an error of a function without a name" end
  if places == 0 then return "an error at no line" end
  if places > 1 then return "an error at two lines" end
  if not message:find("^" .. PLACE) then return "an error with its line in the middle" end
end

---Nil, or what is wrong with nil, message as results.
---@return string?
function judge.fault_of_results(first, message)
  if first ~= nil or type(message) ~= "string" then return nil end
  if message:find(judge.TRAP, 1, true) then return nil end
  if message:find "%.lua:%d+:" or message:find(PLACE) then return "a message with a line" end
  if message:find "attempt to" then return "a message in Lua's words" end
end

-- Functions of Lua's own libraries
local standard = {}
for _, library in pairs {
  _G, coroutine, string, table, math, io, os, utf8, getmetatable "", getmetatable(io.stdout),
} do
  for _, f in pairs(library) do standard[f] = true end
end

---Whether what is being raised, in a handler of errors, is a mistake of the program's own, such as
---a call of nil, or of a function of Lua's that it calls.
---@return boolean
function judge.is_own_error()
  local raising = debug.getinfo(3, "Sf") -- is_own_error, the handler, what raised
  if raising and raising.what == "C" and standard[raising.func] then
    raising = debug.getinfo(4, "Sf")
  end
  return raising ~= nil
    and (raising.source == judge.SOURCE or raising.source == "@" .. WORDS)
end

return judge
