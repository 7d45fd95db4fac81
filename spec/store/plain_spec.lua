local plain = require "perilune.store.plain"

describe("Plain data", function()
  it("become JSON with sorted keys and no white space", function()
    assert.equal('{"a":[1,"x",true],"b":{"c":false},"d":[]}',
      plain.encode { b = { c = false }, a = { 1, "x", true }, d = {} })
  end)

  it("keep every number, integers as integers", function()
    for _, number in ipairs {
      0.1, 1 / 3, 1e-300, 5e-324, 1.7976931348623157e308, 2.0, -0.0, 123456789.125, 1e15,
      1e16, 1e22, 2 ^ 31 | 0, 2 ^ 53 + 1 | 0, math.maxinteger, math.mininteger + 1, 0, -7,
    } do
      local again = plain.decode(plain.encode { number })[1]
      assert.equal(number, again)
      if math.type(number) == "integer" then assert.equal("integer", math.type(again)) end
    end
    assert.equal("[2147483648,9223372036854775807,2.0,0.1]",
      plain.encode { 2 ^ 31 | 0, math.maxinteger, 2.0, 0.1 })
  end)

  it("keep every character", function()
    local text = '"\\\n\0\31\127\u{20AC}\u{200C}\u{FEFF}\u{1F600}/'
    assert.equal(text, plain.decode(plain.encode(text)))
  end)

  it("are neither functions nor NaN, nor lists with names, loops or bytes", function()
    local itself = {}
    itself[1] = itself
    for _, value in ipairs { { print }, 0 / 0, 1 / 0, { 1, a = 2 }, itself, "\xff" } do
      assert.has_error(function() plain.encode(value) end)
    end
  end)

  it("have false for null", function()
    assert.same({ false, { a = false } }, plain.decode '[null,{"a":null}]')
    assert.is_false(plain.decode "null")
  end)

  for text, reason in pairs {
    [""] = "no valid JSON value",
    ["{"] = "unterminated object",
    ["[1"] = "unterminated array",
    ['"a'] = "unterminated string",
    ["[x]"] = "no valid JSON value",
    ["[1] 2"] = "more text after the end",
    ['"\xff"'] = "not UTF-8",
    [("["):rep(1000000)] = "nested too deeply",
    [('{"a":'):rep(1000000)] = "nested too deeply",
  } do
    it(("are not %q"):format(text:sub(1, 8)), function()
      local value, message = plain.decode(text)
      assert.is_nil(value)
      assert.equal(reason, message:sub(1, #reason))
    end)
  end
end)
