-- What readers of plain text share: where it begins, lines of a content, however its chunks end,
-- and decimal numbers.

local text = {}

local UTF8_MARK = "\xEF\xBB\xBF"
local DECIMAL_COMMA = "^[-+]?%d+,%d+$"

---Where a text begins: behind the mark that UTF-8 may begin with.
---@param chunk string  its first bytes, three or more if there are as many
---@return integer      from 1 on
function text.first_byte(chunk)
  return chunk:sub(1, #UTF8_MARK) == UTF8_MARK and #UTF8_MARK + 1 or 1
end

-- The next line, without what ends it, and its number; nil at the end, or nil, nil and a reason.
local function next_line(self)
  while true do
    local last = self.chunk:find("\n", self.place, true)
    local piece = self.chunk:sub(self.place, last and last - 1)
    self.place = last and last + 1 or #self.chunk + 1
    self.pieces[#self.pieces + 1], self.length = piece, self.length + #piece
    if self.length > self.longest then
      return nil, nil, ("a line of at most %d bytes expected"):format(self.longest)
    end
    if not last then
      local reason
      self.chunk = "" -- garbage, before the next one is made
      self.chunk, reason = self.content:chunk()
      if reason then return nil, nil, reason end
      self.place = 1
    end
    if last or not self.chunk then
      local line = table.concat(self.pieces)
      self.pieces, self.length, self.number = {}, 0, self.number + 1
      if not self.chunk then
        self.chunk = ""
        if line == "" then return nil end
      end
      return line:byte(-1) == 13 and line:sub(1, -2) or line, self.number
    end
  end
end

---The lines of a content, which end with LF or CR LF; the last one may end with the content.
---    for line, number in next_line do ... end
---@param content Content
---@param longest? integer  bytes of a line, default: any number
---@return fun(): string?, integer?, string?  the next line and its number; nil at the end, or nil,
---nil and the reason why there is no more
function text.lines(content, longest)
  local self = {
    content = content, chunk = "", place = 1, pieces = {}, length = 0, number = 0,
    longest = longest or math.huge,
  }
  return function() return next_line(self) end
end

---The number that a word is, written with digits, a point and an exponent: no NaN, no infinity,
---none of base 16.
---@param word string
---@return number?
function text.number(word)
  local number = not word:find "[xX]" and tonumber(word)
  return number and number - number == 0 and number or nil
end

---Whether a word is a number with a decimal comma, such as -1,5.
---@param word string
---@return boolean
function text.has_decimal_comma(word)
  return word:find(DECIMAL_COMMA) ~= nil
end

return text
