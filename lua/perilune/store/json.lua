-- JSON (RFC 8259), strictly: what a model file says about itself must mean the same to every reader.
-- So duplicate keys, comments, trailing commas, leading zeros and malformed UTF-8 are errors. The reader is
-- a cursor that the caller drives by what it expects to find: a text nests as deep as the caller asks and
-- costs as much memory as the caller keeps, whatever the text says.

local json = {}

local Reader = {}
Reader.__index = Reader

-- The class of the errors raised while reading. Others, such as lack of memory, pass through.
local Failure = {}

local escapes = {
  ['"'] = '"', ["\\"] = "\\", ["/"] = "/",
  b = "\b", f = "\f", n = "\n", r = "\r", t = "\t",
}

local literals = { t = { "true", true }, f = { "false", false }, n = { "null", nil } }

---Give up reading: json.read returns nil and this reason.
---@param reason string  a format
---@param ... any        its values
function Reader.fail(_, reason, ...)
  error(setmetatable({ reason = reason:format(...) }, Failure), 0)
end

---The next character that is not white space, which is not consumed; "" at the end.
---@return string
function Reader:peek()
  self.position = self.text:find("[^ \t\r\n]", self.position) or #self.text + 1
  return self.text:sub(self.position, self.position)
end

---Consume one character, or fail.
---@param character string
---@param where string  for the message
function Reader:expect(character, where)
  local found = self:peek()
  if found ~= character then
    self:fail("'%s' expected %s at byte %d, got %s", character, where, self.position,
      found == "" and "the end" or ("%q"):format(found))
  end
  self.position = self.position + 1
end

local function unescape(raw)
  local correct = true
  local text = raw:gsub("\\(.)(%x?%x?%x?%x?)", function(letter, digits)
    if letter == "u" and #digits == 4 then return utf8.char(tonumber(digits, 16)) end
    if letter == "u" or not escapes[letter] then correct = false end
    return (escapes[letter] or "") .. digits
  end)
  -- A character beyond U+FFFF is written as two escapes, the halves of a surrogate pair.
  text = text:gsub("\xED[\xA0-\xAF][\x80-\xBF]\xED[\xB0-\xBF][\x80-\xBF]", function(pair)
    local high, low = utf8.codepoint(pair, 1, 6, true)
    return utf8.char(0x10000 + ((high & 0x3FF) << 10) + (low & 0x3FF))
  end)
  return correct and utf8.len(text) and text or nil
end

---@return string  valid UTF-8
function Reader:string()
  self:expect('"', "to open a string")
  local first, position = self.position, self.position
  while true do
    position = self.text:find('["\\\0-\31]', position)
    local stop = position and self.text:sub(position, position)
    if not stop then self:fail("the string at byte %d does not end", first) end
    if stop == '"' then break end
    if stop ~= "\\" then self:fail("control character at byte %d in a string", position) end
    position = position + 2
  end
  self.position = position + 1
  local raw = self.text:sub(first, position - 1)
  if not utf8.len(raw) then self:fail("the string at byte %d is not UTF-8", first) end
  if not raw:find("\\", 1, true) then return raw end
  return unescape(raw) or self:fail("the string at byte %d has an invalid escape", first)
end

---@return number  an integer if it is written without fraction and exponent and fits; finite
function Reader:number()
  self:peek()
  local whole, after = self.text:match("^-?(%d+)()", self.position)
  if not whole or whole:find("^0%d") then self:fail("no number at byte %d", self.position) end
  after = self.text:match("^%.%d+()", after) or after
  after = self.text:match("^[eE][+-]?%d+()", after) or after
  local value = tonumber(self.text:sub(self.position, after - 1))
  if value - value ~= 0 then self:fail("number out of range at byte %d", self.position) end
  self.position = after
  return value
end

---Read an object: `member(key)` is called for each key and has to read the value.
---@param member fun(key: string)
function Reader:object(member)
  self:expect("{", "to open an object")
  if self:peek() == "}" then
    self.position = self.position + 1
    return
  end
  local seen = {}
  repeat
    local key = self:string()
    if seen[key] then self:fail("key %q comes twice", key:sub(1, 64)) end
    seen[key] = true
    self:expect(":", "after a key")
    member(key)
    local more = self:peek() == ","
    self:expect(more and "," or "}", "in an object")
  until not more
end

---Read an array: `element(k)` is called for k = 1, 2, ... and has to read the value.
---@param element fun(k: integer)
function Reader:array(element)
  self:expect("[", "to open an array")
  if self:peek() == "]" then
    self.position = self.position + 1
    return
  end
  local k = 0
  repeat
    k = k + 1
    element(k)
    local more = self:peek() == ","
    self:expect(more and "," or "]", "in an array")
  until not more
end

---Any value: tables, strings, numbers, booleans; null is nil, and has no place in an array.
---@param depth integer  how many levels of objects and arrays are allowed
---@return any
function Reader:value(depth)
  local first = self:peek()
  if first == '"' then return self:string() end
  if first:find("^[%-%d]") then return self:number() end
  local literal = literals[first]
  if literal and self.text:find("^" .. literal[1], self.position) then
    self.position = self.position + #literal[1]
    return literal[2]
  end
  if first ~= "{" and first ~= "[" then self:fail("no value at byte %d", self.position) end
  if depth < 1 then self:fail("nested too deeply at byte %d", self.position) end
  local values = {}
  if first == "{" then
    self:object(function(key) values[key] = self:value(depth - 1) end)
  else
    self:array(function(k)
      values[k] = self:value(depth - 1)
      if values[k] == nil then self:fail("null in an array before byte %d", self.position) end
    end)
  end
  return values
end

---Read a whole text with `read(reader)`; only white space may follow what it consumes.
---@generic T
---@param text string
---@param read fun(reader: table): T
---@return T?       what `read` returns
---@return string?  nil and the reason if the text is malformed
function json.read(text, read)
  local reader = setmetatable({ text = text, position = 1 }, Reader)
  local ok, result = pcall(function()
    local value = read(reader)
    if reader:peek() ~= "" then reader:fail("more text at byte %d", reader.position) end
    return value
  end)
  if ok then return result end
  if getmetatable(result) ~= Failure then error(result, 0) end
  return nil, result.reason
end

---The value of a JSON text. An empty object and an empty array are both an empty table.
---@param text string
---@param depth? integer  levels of objects and arrays, default 16
---@return any
---@return string?  nil and the reason if the text is malformed
function json.decode(text, depth)
  return json.read(text, function(reader) return reader:value(depth or 16) end)
end

local function quote(text)
  if not utf8.len(text) then error(("string %q is not UTF-8"):format(text), 0) end
  return '"' .. text:gsub('["\\\0-\31]', function(character)
    if character == '"' or character == "\\" then return "\\" .. character end
    return ("\\u%04x"):format(character:byte())
  end) .. '"'
end

---A string as JSON text. Raises for bytes that are not UTF-8.
---@param text string
---@return string
function json.quote(text)
  local ok, result = pcall(quote, text)
  if not ok then error(result, 2) end
  return result
end

-- The shortest text that reads back as the same number.
local function write_number(value)
  if math.type(value) == "integer" then return ("%d"):format(value) end
  if value - value ~= 0 then error(("%s cannot be written as JSON"):format(value), 0) end
  for digits = 15, 17 do
    -- A host may have set a locale whose decimal point is a comma.
    local text = (("%%.%dg"):format(digits)):format(value):gsub(",", ".")
    if tonumber(text) == value then
      return text:find("[.e]") and text or text .. ".0"
    end
  end
end

local write

local function write_table(value, depth)
  if depth < 1 then error("a table nested too deeply, or in itself", 0) end
  local texts, keys = {}, {}
  for key in pairs(value) do keys[#keys + 1] = key end
  if #keys == #value then
    for k = 1, #value do texts[k] = write(value[k], depth - 1) end
    return "[" .. table.concat(texts, ",") .. "]"
  end
  for _, key in ipairs(keys) do
    if type(key) ~= "string" then
      error(("key %s is neither a name nor in a list"):format(tostring(key)), 0)
    end
  end
  table.sort(keys)
  for k, key in ipairs(keys) do
    texts[k] = quote(key) .. ":" .. write(value[key], depth - 1)
  end
  return "{" .. table.concat(texts, ",") .. "}"
end

local writers = {
  string = quote,
  number = write_number,
  boolean = tostring,
  table = write_table,
}

function write(value, depth)
  local writer = writers[type(value)]
  if not writer then error(("a %s cannot be written as JSON"):format(type(value)), 0) end
  return writer(value, depth)
end

---The JSON text of plain data, always the same for the same data: keys sorted, no white space. A table is
---an array if its keys are 1..n, so an empty one is `[]`. Numbers read back exactly, integers as integers.
---Raises for what JSON cannot say: functions, NaN, infinity, other keys, strings that are not UTF-8.
---@param value any
---@return string
function json.encode(value)
  local ok, result = pcall(write, value, 16)
  if not ok then error(result, 2) end
  return result
end

return json
