local content = require "perilune.data.content"
local file = require "perilune.store.file"
local text = require "perilune.data.text"

-- Content that comes in these chunks
local function chunked(chunks, reason)
  local k = 0
  return { chunk = function()
    k = k + 1
    if not chunks[k] then return nil, reason end
    return chunks[k]
  end }
end

local function all(bytes)
  local lines = {}
  for line, number in text.lines(bytes) do
    lines[#lines + 1] = line
    assert.equal(#lines, number)
  end
  return lines
end

describe("the lines of a text", function()
  it("end with LF, CR LF or the end", function()
    for whole, expected in pairs {
      [""] = {}, ["a"] = { "a" }, ["a\n"] = { "a" }, ["a\r\nb"] = { "a", "b" },
      ["\n\na\n"] = { "", "", "a" }, ["a\n\n"] = { "a", "" }, ["a\rb\n"] = { "a\rb" },
    } do
      assert.same(expected, all(content.of(file.of(whole))))
    end
  end)

  it("are the same wherever chunks end", function()
    local whole, expected = "one\r\n\ntwo three\nfour", { "one", "", "two three", "four" }
    for first = 0, #whole do
      for second = first, #whole do
        assert.same(expected, all(chunked { whole:sub(1, first), whole:sub(first + 1, second),
          whole:sub(second + 1) }))
      end
    end
  end)

  it("end with the reason why there is no more", function()
    local next_line = text.lines(chunked({ "a\nb" }, "the disk is broken"))
    assert.same({ "a", 1 }, { next_line() })
    assert.same({ nil, nil, "the disk is broken" }, { next_line() })
  end)

  it("may be long", function()
    local chunks = {}
    for k = 1, 3000 do chunks[k] = ("x"):rep(1000) end
    assert.equal(3000000, #all(chunked(chunks))[1])
  end)
end)

describe("a text", function()
  it("begins behind the mark of UTF-8", function()
    for chunk, first in pairs {
      [""] = 1, ["a"] = 1, ["\xEF\xBB\xBF"] = 4, ["\xEF\xBB\xBFa"] = 4, ["\xEF\xBBa"] = 1,
      ["a\xEF\xBB\xBF"] = 1,
    } do
      assert.equal(first, text.first_byte(chunk))
    end
  end)
end)

describe("a number in a text", function()
  it("is a decimal one", function()
    for word, number in pairs {
      ["1"] = 1, ["-1.5"] = -1.5, ["+2"] = 2, [".5"] = 0.5, ["5."] = 5, ["1e3"] = 1000,
      ["-1.25E-2"] = -0.0125, ["0"] = 0,
    } do
      assert.equal(number, text.number(word))
    end
  end)

  it("is no other word", function()
    for _, word in ipairs {
      "", "a", "1,5", "0x10", "0X1p4", "nan", "inf", "-inf", "1e999", "1e", "1 2", "--1", "1.2.3",
    } do
      assert.is_nil(text.number(word))
    end
  end)

  it("is one with a decimal comma where it has digits on both sides of one", function()
    for _, word in ipairs { "1,5", "-0,25", "+12,0" } do
      assert.is_true(text.has_decimal_comma(word))
    end
    for _, word in ipairs { "", "1", "1.5", ",5", "5,", "1,5,0", "1,5e3", "a,5", " 1,5" } do
      assert.is_false(text.has_decimal_comma(word))
    end
  end)
end)
