-- Tables of text in columns that end where their headings do, counted in characters.

local columns = {}

local function length(text)
  return utf8.len(text) or #text
end

---Text at the right of a field of so many characters.
---@param text string
---@param width integer
---@return string
function columns.right(text, width)
  return (" "):rep(width - length(text)) .. text
end

---The length of the longest text, or `least` where that is more.
---@param texts string[]
---@param least integer
---@return integer
function columns.longest(texts, least)
  local most = least
  for _, text in ipairs(texts) do most = math.max(most, length(text)) end
  return most
end

return columns
