-- Plain data as JSON text: always the same text for the same data, and the same data again
-- from it. Reading is dkjson's, which forgives comments, missing commas and a key that comes
-- twice, so that what it returns has to be checked. Writing is ours: dkjson prints 14 digits
-- of a number, and takes { n = 2 } for a list of two.

local errors = require "perilune.errors"
local fields = require "perilune.fields"
local json = require "dkjson"

local raise = errors.raise

local plain = {}

---How many elements a list has; nil for a table with other keys than 1, 2, ... n.
---@param list table
---@return integer?
function plain.length(list)
  local n, largest = 0, 0
  for key in next, list do
    if math.type(key) ~= "integer" or key < 1 then return nil end
    n, largest = n + 1, math.max(largest, key)
  end
  return n == largest and n or nil
end

-- All digits of a float, and a sign that it is one: "2.0", not "2".
local function float(value)
  if value - value ~= 0 then raise("%s cannot be written as JSON", value) end
  local text = tostring(value)
  if tonumber(text) ~= value then text = ("%.17g"):format(value) end
  text = text:gsub(",", ".") -- a host may have set a locale whose decimal point is a comma
  return text:find "[.e]" and text or text .. ".0"
end

local write

local function write_list(list, n, texts, open)
  texts[#texts + 1] = "["
  for k = 1, n do
    if k > 1 then texts[#texts + 1] = "," end
    write(list[k], texts, open)
  end
  texts[#texts + 1] = "]"
end

local function write_object(object, texts, open)
  local names = {}
  for name in next, object do
    if type(name) ~= "string" then
      raise("a table that is neither a list nor has only strings as keys")
    end
    names[#names + 1] = name
  end
  table.sort(names)
  for k, name in ipairs(names) do
    texts[#texts + 1] = k == 1 and "{" or ","
    texts[#texts + 1] = json.quotestring(name)
    texts[#texts + 1] = ":"
    write(object[name], texts, open)
  end
  texts[#texts + 1] = "}"
end

-- Add the text of `value` to the list of texts; `open` holds the tables that it is within.
function write(value, texts, open)
  local kind = math.type(value) or type(value)
  if kind == "string" then
    texts[#texts + 1] = json.quotestring(value)
  elseif kind == "boolean" or kind == "integer" then
    texts[#texts + 1] = tostring(value)
  elseif kind == "float" then
    texts[#texts + 1] = float(value)
  elseif kind == "table" then
    if open[value] then raise("a table within itself") end
    open[value] = true
    local n = plain.length(value)
    if n then
      write_list(value, n, texts, open)
    else
      write_object(value, texts, open)
    end
    open[value] = nil
  else
    raise("a %s cannot be written as JSON", kind)
  end
end

---JSON text of plain data: keys sorted, no white space; an empty table is `[]`. Raises for
---functions, NaN, infinity, tables whose keys are neither 1, 2, ... n nor all strings, a
---table within itself and bytes that are not UTF-8.
---@param value any
---@return string
function plain.encode(value)
  local texts = {}
  write(value, texts, {})
  local text = table.concat(texts)
  if not utf8.len(text) then raise("text that is not UTF-8") end
  return text
end

---The value of a JSON text; null is false. May allocate 36 times the size of the text.
---@param text string
---@return any
---@return string?  nil and the reason if the text is malformed
function plain.decode(text)
  fields.value("text", text, { "string" })
  if not utf8.len(text) then return nil, "not UTF-8" end
  local ok, value, position, reason = pcall(json.decode, text, 1, false, nil)
  if not ok then
    if value == "not enough memory" then error(value, 0) end
    return nil, "nested too deeply" -- for the stack, which is Lua's and not C's
  end
  if reason then return nil, reason end
  if text:find("%S", position) then return nil, "more text after the end" end
  return value
end

return plain
