-- Plain data as JSON text, by dkjson: always the same text for the same data, and the same
-- data again from it. When reading, dkjson forgives comments, missing commas and a key
-- that comes twice, so that what it returns has to be checked.

local json = require "dkjson"

local plain = {}

-- A copy whose keys dkjson writes in order, and whose numbers with all digits, not 14.
local function exactly(value)
  if math.type(value) == "float" and tonumber(tostring(value)) ~= value then
    if value - value ~= 0 then error(value .. " cannot be written as JSON", 0) end
    -- A host may have set a locale whose decimal point is a comma.
    local text = ("%.17g"):format(value):gsub(",", ".")
    return setmetatable({}, { __tojson = function() return text end })
  end
  if type(value) ~= "table" then return value end
  local copy, keys = {}, {}
  for key, member in pairs(value) do
    copy[key], keys[#keys + 1] = exactly(member), key
  end
  table.sort(keys)
  return setmetatable(copy, { __jsonorder = keys })
end

---JSON text of plain data: keys sorted, no white space; an empty table is `[]`. Raises for
---functions, NaN, infinity, a list that also has names, a table within itself and bytes
---that are not UTF-8.
---@param value any
---@return string
function plain.encode(value)
  local text = json.encode(exactly(value))
  if not utf8.len(text) then error("text that is not UTF-8", 0) end
  return text
end

---The value of a JSON text; null is false. May allocate 36 times the size of the text.
---@param text string
---@return any
---@return string?  nil and the reason if the text is malformed
function plain.decode(text)
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
