-- What may happen to a file: bytes and words become others, parts are lost, come twice or change
-- places, or come from another file.

local damage = {}

local random = math.random

local BYTES = { "\0", "\1", "\x7f", "\x80", "\xff", "\n", "\r", " ", "\t", "0", "9", "-", ".", "e",
  ",", ";", ":", "'", '"', "#", "(", ")", "{", "}" }
local NUMBERS = { 0, 1, -1, 2, 127, 128, 255, 256, 32767, 65535, 65536, 0x7fffffff, 0x80000000,
  0xffffffff, 0x7fffffffffffffff, -0x7fffffffffffffff }
local WORDS = { "0", "-1", "1", "2", "1e999", "-1e999", "nan", "NaN", "inf", "0x10", "1e-400", "",
  "1.5", "99999999999", "2147483647", "4294967296", "99999999999999999999", "x", "\u{e4}", "?",
  "1,5", "1:1", "0:1", "7:", ":7", "True", "'<f8'", '"a', '""', "2001-01-01", "007" }

local function pick(list) return list[random(#list)] end

-- A place in the bytes, and one not before it
local function range(bytes, most)
  local first = random(#bytes + 1)
  return first, math.min(first + random(0, most) - 1, #bytes)
end

local function replaced(bytes, first, last, by)
  return bytes:sub(1, first - 1) .. by .. bytes:sub(last + 1)
end

local ways = {
  function(bytes) -- a bit
    local at = random(#bytes)
    return replaced(bytes, at, at, string.char(bytes:byte(at) ~ 1 << random(0, 7)))
  end,
  function(bytes) -- a byte
    local at = random(#bytes)
    return replaced(bytes, at, at, random() < 0.5 and pick(BYTES) or string.char(random(0, 255)))
  end,
  function(bytes) -- a binary number
    local width = pick { 1, 2, 4, 8 }
    local number = pick(NUMBERS) & (width == 8 and -1 or (1 << 8 * width) - 1)
    local at = random(#bytes)
    return replaced(bytes, at, at + width - 1, ((random() < 0.5 and "<I" or ">I") .. width)
      :pack(number))
  end,
  function(bytes) -- a word
    local words = {}
    for first, last in bytes:gmatch "()[%w.+-]+()" do words[#words + 1] = { first, last - 1 } end
    if #words == 0 then return bytes end
    local word = pick(words)
    return replaced(bytes, word[1], word[2], pick(WORDS))
  end,
  function(bytes) -- something is lost
    local first, last = range(bytes, 20)
    return replaced(bytes, first, last, "")
  end,
  function(bytes) -- something comes in
    local at, count, pieces = random(#bytes + 1), random(8), {}
    for k = 1, count do pieces[k] = pick(BYTES) end
    return replaced(bytes, at, at - 1, table.concat(pieces))
  end,
  function(bytes) -- something comes twice
    local first, last = range(bytes, 60)
    return replaced(bytes, last + 1, last, bytes:sub(first, last))
  end,
  function(bytes) -- it ends early
    return bytes:sub(1, random(0, #bytes))
  end,
  function(bytes) -- parts change places
    local at = random(#bytes)
    return bytes:sub(at) .. bytes:sub(1, at - 1)
  end,
  function(bytes, other) -- it goes on as another does
    local at = random(#bytes)
    return bytes:sub(1, at) .. other:sub(random(#other))
  end,
}

---Bytes that are damaged in one way or a few.
---@param bytes string
---@param other string  another file of the kind
---@return string
function damage.some(bytes, other)
  for _ = 1, pick { 1, 1, 1, 2, 3, 5 } do
    if bytes ~= "" then bytes = pick(ways)(bytes, other) end
  end
  return bytes
end

return damage
