-- Numbers in text are read as the nearest double: in tables of float64, which show what decimal.c
-- has made of them.

local csv = require "perilune.data.csv"
local reference = require "spec.support.reference"

-- What each of the texts is read as
local function read(texts, options)
  local given = { dtype = "float64", header = false, types = { "number" } }
  for key, value in pairs(options or {}) do given[key] = value end
  return assert(csv.decode(table.concat(texts, "\n"), given)).values:totable()[1]
end

local function same(expected, texts, options)
  local numbers = read(texts, options)
  for k, text in ipairs(texts) do
    assert.equal(("%a"):format(expected[k]), ("%a"):format(numbers[k]), text)
  end
end

-- Numbers of all lengths and sizes, from a generator of our own
local function random_texts(count)
  local state, texts = 1, {}
  local function draw(most)
    state = state * 6364136223846793005 + 1442695040888963407
    return (state >> 33) % most
  end
  for k = 1, count do
    local digits = {}
    for i = 1, 1 + draw(24) do digits[i] = draw(10) end
    local text = table.concat(digits)
    local place = draw(#text + 1)
    text = text:sub(1, place) .. "." .. text:sub(place + 1)
    texts[k] = (draw(2) == 0 and "-" or "") .. text
      .. (draw(3) > 0 and ("e%d"):format(draw(60) - 30) or "")
  end
  return texts
end

describe("a number in text", function()
  local texts, expected = {}, {}
  for text, number in pairs(reference.load "decimals") do
    texts[#texts + 1] = text
    expected[#texts] = assert(tonumber(number)) -- exact: in base 16
  end

  it("is read as Python's float() reads it", function()
    assert.is_true(#texts > 400)
    same(expected, texts)
  end)

  it("is the same in quotes, and with a decimal comma", function()
    local quoted, commas = {}, {}
    for k, text in ipairs(texts) do
      quoted[k] = '" ' .. text .. '"'
      commas[k] = text:gsub("%.", ",")
    end
    same(expected, quoted)
    same(expected, commas, { decimal = "," })
  end)

  it("is the double that the C library gives, of whatever length and size", function()
    local many, numbers = random_texts(20000), {}
    for k, text in ipairs(many) do numbers[k] = tonumber(text) end
    same(numbers, many)
  end)

  it("does not depend on the locale's decimal point", function()
    local before = os.setlocale(nil, "numeric")
    local has_comma = false
    for _, name in ipairs { "de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE", "nl_NL.UTF-8" } do
      has_comma = has_comma or os.setlocale(name, "numeric") ~= nil
    end
    if not has_comma then return pending "no locale with a decimal comma is installed" end
    finally(function() os.setlocale(before, "numeric") end)
    same(expected, texts)
  end)

  it("is a word where anything else stands by it, or it is no decimal number", function()
    for _, text in ipairs {
      "1x", "x1", "1e", "1e+", "e5", ".", "-", "+", "-.", "1.2.3", "1 2", "0x10", "1_000", "inf",
      "nan0", "--1", "1,5", "1e5.5", "12%", "Infinity", ("1"):rep(201),
    } do
      local found, message = csv.decode('x;y\n"' .. text .. '";1\n', { types = { x = "number" } })
      assert.is_nil(found, text)
      assert.matches("line 2, column 1 %(\"x\"%): a number expected, got ", message)
    end
  end)
end)
