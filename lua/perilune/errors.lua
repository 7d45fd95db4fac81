-- How the library raises: one way for all of it. A message says what was expected and what came, in
-- the user's words, and is told at the line of the user's that called into the library, however
-- deep inside it the mistake was noticed. Nothing is caught and thrown again on the way, so
-- tracebacks stay whole, errors of a user's own functions keep their place, and a call that
-- succeeds costs nothing.

local errors = {}

local LONGEST = 40 -- bytes of a string that a message shows

local getinfo = debug and debug.getinfo -- a host may have left debug out: then no line is told
local LIBRARY = getinfo and getinfo(1, "S").source:match("^(@.*)errors%.lua$")

-- The message that was raised last, where no line is told: by it `catch` knows what the library
-- raised.
local last

-- What raise throws to `catch`: a message that needs no place.
local Caught = {}

-- For a pcall of the user's own between the two
function Caught:__tostring()
  return self.message
end

-- The innermost function outside the library that is being called, as "file:line: "; or, as a
-- second result, that `catch` stands before it.
local function place()
  local level = 3 -- place, raise, and the function that raises
  while true do
    local frame = getinfo(level, "Slf")
    if not frame then return "" end
    if frame.func == errors.catch then return "", true end
    if frame.currentline > 0 and frame.source:sub(1, #LIBRARY) ~= LIBRARY then
      return ("%s:%d: "):format(frame.short_src, frame.currentline)
    end
    level = level + 1
  end
end

---Raise an error at the line of the user's that called into the library.
---@param message string
---@param ... any  formatted into the message as by string.format
function errors.raise(message, ...)
  if select("#", ...) > 0 then message = message:format(...) end
  if not LIBRARY then
    last = message
    error(message, 0)
  end
  local where, is_caught = place()
  if is_caught then error(setmetatable({ message = message }, Caught), 0) end
  error(where .. message, 0)
end

---Raise unless the condition holds.
---@generic T
---@param condition T
---@param message string
---@param ... any  formatted into the message as by string.format
---@return T condition
function errors.check(condition, message, ...)
  if not condition then errors.raise(message, ...) end
  return condition
end

local function results(ok, ...)
  local message = ...
  if ok then return true, ... end
  if getmetatable(message) == Caught then return false, message.message, true end
  return false, message, last ~= nil and message == last
end

---Call f(...) and give what it returns after true; or false, what was raised and whether the
---library raised it: then it is a message without a place.
---@param f function
---@param ... any
---@return boolean, any ...
function errors.catch(f, ...)
  return results(pcall(f, ...))
end

---Raise what a function of the core has refused, with the names that its arguments have for the
---user.
---@param what string      the part whose function it is
---@param names string[]   of the arguments
---@param message any      what pcall gave
function errors.refused(what, names, message)
  local argument, reason = tostring(message):match "bad argument #(%d+) .- %((.*)%)$"
  if not argument then error(message, 0) end
  reason = reason:gsub("argument #(%d+)", function(k) return names[tonumber(k)] end)
  errors.raise("%s: %s: %s", what, names[tonumber(argument)], reason)
end

-- A text in quotes; what is no UTF-8 in it, and would be none in the message, by its bytes
local function quoted(text)
  local shown = ("%q"):format(text):gsub("\\\n", "\\n")
  if utf8.len(shown) then return shown end
  return (shown:gsub("[\x80-\xFF]", function(byte) return ("\\x%02X"):format(byte:byte()) end))
end

-- The beginning of a long text, cut between its characters
local function shortened(text)
  if #text <= LONGEST then return text end
  local count = LONGEST - #"..."
  while count > 0 and text:find("^[\x80-\xBF]", count + 1) do count = count - 1 end
  return text:sub(1, count) .. "..."
end

---A value as a message shows it: strings in quotes, matrices by their shape, tables and functions
---by type.
---@param value any
---@return string
function errors.show(value)
  local kind = type(value)
  if kind == "string" then
    return quoted(shortened(value))
  elseif kind == "number" then
    if value ~= value then return "NaN" end
    return math.type(value) == "integer" and tostring(value) or ("%.14g"):format(value)
  elseif kind == "nil" or kind == "boolean" then
    return tostring(value)
  end
  local meta = getmetatable(value)
  if kind == "userdata" and meta == "matrix" then
    return ("a %d x %d matrix"):format(value.rows, value.cols)
  elseif kind == "userdata" and meta == "generator" then
    return "a generator"
  end
  local name = type(meta) == "table" and rawget(meta, "__name")
  return "a " .. (type(name) == "string" and name or kind)
end

return errors
