local at_caller = require("spec.support.misuse").at_caller
local plain = require "perilune.store.plain"

describe("Plain data", function()
  it("become JSON with sorted keys and no white space", function()
    assert.equal('{"a":[1,"x",true],"b":{"c":false},"d":[]}',
      plain.encode { b = { c = false }, a = { 1, "x", true }, d = {} })
  end)

  it("keep every number, integers as integers and floats as floats", function()
    for _, number in ipairs {
      0.1, 1 / 3, 1e-300, 5e-324, 1.7976931348623157e308, 2.0, -0.0, 123456789.125, 1e15,
      1e16, 1e22, 2.0 ^ 53 + 2, 123456789012345.0, 2.0 ^ 63, -1e300, 2 ^ 31 | 0,
      2 ^ 53 + 1 | 0, math.maxinteger, math.mininteger, 0, -7,
    } do
      local again = plain.decode(plain.encode { number })[1]
      assert.equal(number, again)
      assert.equal(math.type(number), math.type(again))
      assert.equal(string.pack("n", number), string.pack("n", again)) -- 0.0 is not -0.0
    end
    assert.equal("[2147483648,9223372036854775807,2.0,0.1]",
      plain.encode { 2 ^ 31 | 0, math.maxinteger, 2.0, 0.1 })
  end)

  it("keep every character", function()
    local text = '"\\\n\0\31\127\u{20AC}\u{200C}\u{FEFF}\u{1F600}/'
    assert.equal(text, plain.decode(plain.encode(text)))
  end)

  it("keep every key, n too", function()
    assert.equal('{"n":3}', plain.encode { n = 3 })
    assert.equal('{"":1,"1":2,"__metadata__":[],"n":"a\\""}', plain.encode {
      n = 'a"', ["1"] = 2, [""] = 1, __metadata__ = {},
    })
  end)

  it("may hold a table twice", function()
    local twice = { 1 }
    assert.equal('[[1],{"a":[1]}]', plain.encode { twice, { a = twice } })
  end)

  it("are neither functions nor NaN, nor lists with names, loops or bytes", function()
    local itself, neither = {}, "a table that is neither a list"
    itself[1] = { a = itself }
    for _, case in ipairs {
      { { print }, "a function cannot be written" },
      { nil, "a nil cannot be written" },
      { 0 / 0, "nan cannot be written" },
      { { -1 / 0 }, "-inf cannot be written" },
      { { 1, a = 2 }, neither },
      { { [1.5] = 2 }, neither },
      { { [true] = 2 }, neither },
      { { 1, nil, 3 }, neither },
      { { [0] = 1 }, neither },
      { itself, "a table within itself" },
      { "\xff", "not UTF-8" },
      { { ["\xff"] = 1 }, "not UTF-8" },
    } do
      at_caller(function() local _ = plain.encode(case[1]) end, case[2])
    end
  end)

  it("are read from strings alone", function()
    for _, wrong in ipairs { 5, {}, true, io.stdout } do
      at_caller(function() local _ = plain.decode(wrong) end, "text: a string expected, got ")
    end
  end)

  it("are lists where their keys are 1, 2, ... n", function()
    for _, case in ipairs {
      { 0, {} }, { 3, { 1, 2, 3 } }, { 1, { false } }, { nil, { 1, nil, 3 } },
      { nil, { 1, a = 2 } }, { nil, { [0] = 1 } }, { nil, { [2] = 1 } },
      { nil, { 1, 2, nil, 4, a = 5 } }, { nil, { [1.5] = 1 } },
      { nil, { 1, nil, 3, nil, 5 } },
    } do
      assert.equal(case[1], (plain.length(case[2])))
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
