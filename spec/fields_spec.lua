local at_caller = require("spec.support.misuse").at_caller
local fields = require "perilune.fields"

-- Called as a function of the library's user would be: the error names the line of the call.
local function value_of(field, value)
  return fields.value("x", value, field)
end

local function takes(field, value, expected)
  assert.equal(expected == nil and value or expected, value_of(field, value))
end

local function refuses(field, value, message)
  local ok, came = pcall(value_of, field, value)
  assert.is_false(ok)
  local where, text = came:match("^(.-:%d+: )(.*)$")
  assert.is_truthy(where)
  assert.equal("x: " .. message, text)
end

describe("the length of a list", function()
  it("is a whole number of 0 or more, whatever its metatable says", function()
    assert.equal(2, fields.length({ 5, 6 }, "indices"))
    assert.equal("integer", math.type(fields.length(setmetatable({}, {
      __len = function() return 3.0 end }), "indices")))
    for _, wrong in ipairs { "x", -1, 0.5, 0 / 0, {} } do
      local list = setmetatable({}, { __len = function() return wrong end })
      at_caller(function() local _ = fields.length(list, "indices") end,
        "indices: a list expected, got one with ")
    end
  end)
end)

describe("A field", function()
  it("raises at the line of the user's call", function()
    at_caller(function() local _ = fields.value("rate", -1, { "number", least = 0 }) end,
      "rate: a number of 0 or more expected, got -1")
  end)

  it("of type number takes numbers that are finite", function()
    local finite = { 0, -1, 2.5, 1e308, math.mininteger }
    for _, value in ipairs(finite) do takes({ "number" }, value) end
    refuses({ "number" }, "1", 'a number expected, got "1"')
    refuses({ "number" }, 0 / 0, "a number expected, got NaN")
    refuses({ "number" }, math.huge, "a number expected, got inf")
    refuses({ "number" }, -math.huge, "a number expected, got -inf")
    refuses({ "number" }, true, "a number expected, got true")
  end)

  it("of type number may take infinity", function()
    takes({ "number", infinite = true }, math.huge)
    refuses({ "number", infinite = true }, 0 / 0, "a number expected, got NaN")
  end)

  it("has bounds, which belong to it or do not", function()
    local at_least = { "number", least = 0 }
    takes(at_least, 0)
    refuses(at_least, -1e-300, "a number of 0 or more expected, got -1e-300")
    local at_most = { "number", most = 2 }
    takes(at_most, 2)
    refuses(at_most, 2.5, "a number of at most 2 expected, got 2.5")
    local within = { "number", least = 0, most = 1 }
    takes(within, 1)
    refuses(within, 1.5, "a number from 0 to 1 expected, got 1.5")
    local above = { "number", above = 0 }
    takes(above, 1e-300)
    refuses(above, 0, "a number above 0 expected, got 0")
    local below = { "number", least = 0, below = 1 }
    takes(below, 0)
    refuses(below, 1, "a number of 0 or more and below 1 expected, got 1")
    refuses(below, 0 / 0, "a number of 0 or more and below 1 expected, got NaN")
  end)

  it("of type integer takes whole numbers, written as floats too", function()
    takes({ "integer" }, -3)
    local whole = value_of({ "integer" }, 1e3)
    assert.equal("integer", math.type(whole))
    assert.equal(1000, whole)
    refuses({ "integer" }, 1.5, "a whole number expected, got 1.5")
    refuses({ "integer" }, 1e300, "a whole number expected, got 1e+300")
    refuses({ "integer" }, "1", 'a whole number expected, got "1"')
    refuses({ "integer", least = 0 }, -1, "a whole number of 0 or more expected, got -1")
  end)

  it("of type count takes whole numbers from 1", function()
    takes({ "count" }, 1)
    assert.equal("integer", math.type(value_of({ "count" }, 2.0)))
    for _, value in ipairs { 0, -1, 0.5, "2", math.huge } do
      assert.is_false(pcall(value_of, { "count" }, value))
    end
    refuses({ "count" }, 0, "a whole number of 1 or more expected, got 0")
    takes({ "count", infinite = true }, math.huge)
    refuses({ "count", infinite = true }, -math.huge,
      "a whole number of 1 or more expected, got -inf")
  end)

  it("of one of Lua's own types takes only that", function()
    local values = { boolean = false, string = "s", ["function"] = print, table = {} }
    local words = {
      boolean = "true or false", string = "a string", ["function"] = "a function",
      table = "a table",
    }
    for type, value in pairs(values) do
      assert.equal(value, value_of({ type }, value))
      refuses({ type }, 3, words[type] .. " expected, got 3")
    end
  end)

  it("of type choice takes one of its choices", function()
    local field = { "choice", choices = { "float32", "float64" } }
    takes(field, "float64")
    refuses(field, "double", '"float32" or "float64" expected, got "double"')
  end)

  it("of type value takes anything, or what its test accepts", function()
    takes({ "value" }, print)
    local even = {
      "value", test = function(x) return x % 2 == 0 end, expected = "an even number",
    }
    takes(even, 4)
    refuses(even, 3, "an even number expected, got 3")
  end)

  it("of type path takes what can name a file", function()
    takes({ "path" }, "/tmp/x y")
    refuses({ "path" }, "", 'a path expected, got ""')
    refuses({ "path" }, "a\0b", 'a path expected, got "a\\0b"')
    refuses({ "path" }, 3, "a path expected, got 3")
  end)

  it("of type interval takes two numbers within the field's bounds, the larger one last", function()
    local given = { 1, 2.5 }
    local range = value_of({ "interval", least = 0 }, given)
    assert.same(given, range)
    assert.is_false(rawequal(given, range))
    assert.same({ 3, 3 }, value_of({ "interval" }, { 3, 3 }))
    local expected = "two numbers, the larger one last, expected, got "
    refuses({ "interval" }, { 2, 1 }, expected .. "{ 2, 1 }")
    refuses({ "interval" }, { 1 }, expected .. "{ 1 }")
    refuses({ "interval" }, { 1, 2, 3 }, expected .. "{ 1, 2, 3 }")
    refuses({ "interval" }, 3, "a list of numbers expected, got 3")
    refuses({ "interval", above = 0 }, { 0, 1 }, "a list of numbers expected, got 0 as number 1, "
      .. "where a number above 0 is expected")
  end)

  it("of type numbers takes a list of numbers within the field's bounds, and copies it", function()
    local expected = "a list of numbers expected, got "
    local given = { 1, 0.5, 3 }
    local numbers = value_of({ "numbers", least = 0 }, given)
    assert.same(given, numbers)
    assert.is_false(rawequal(given, numbers))
    refuses({ "numbers" }, 3, expected .. "3")
    refuses({ "numbers" }, {}, expected .. "none")
    refuses({ "numbers", least = 0 }, { 1, -1 },
      expected .. "-1 as number 2, where a number of 0 or more is expected")
    refuses({ "numbers" }, { 1, x = 2 }, expected .. "nil as number 2, where a number is expected")
    refuses({ "numbers" }, { 1, "2" }, expected .. '"2" as number 2, where a number is expected')
    local single = { "numbers", single = true }
    assert.same({ 3 }, value_of(single, 3))
    assert.same({ 3, 4 }, value_of(single, { 3, 4 }))
    refuses(single, true, "a number or a list of numbers expected, got true")
  end)

  it("of type names takes a list of different names, and copies it", function()
    local expected = "a list of different names expected, got "
    local given = { "cat", "dog", "\u{e9}lan" }
    local names = value_of({ "names" }, given)
    assert.same(given, names)
    assert.is_false(rawequal(given, names))
    refuses({ "names" }, "cat", expected .. '"cat"')
    refuses({ "names" }, {}, expected .. "none")
    refuses({ "names" }, { "cat", 3 },
      "a list of different names in UTF-8 expected, got 3 as name 2")
    refuses({ "names" }, { "\xff" },
      'a list of different names in UTF-8 expected, got "\\xFF" as name 1')
    refuses({ "names" }, { "a", "b", "a" }, expected .. '"a" twice')
    refuses({ "names" }, { "a", b = "c" },
      expected .. "a table with gaps or other fields")
  end)
end)

describe("whole", function()
  it("is the whole number that a value is, if any", function()
    assert.equal(3, fields.whole(3.0))
    assert.equal("integer", math.type(fields.whole(3.0)))
    for _, value in ipairs { 1.5, 2 ^ 63, 0 / 0, math.huge, "3", {}, true } do
      assert.is_nil(fields.whole(value))
    end
    assert.is_nil(fields.whole(nil))
  end)
end)

describe("Options", function()
  local declared = {
    rate = { "number", default = 0.1, least = 0 },
    nesterov = { "boolean", default = true },
    name = { "string" },
    schedule = { "function", optional = true },
    verbose = { "boolean", optional = true },
  }

  local function check(given, what)
    return fields.check(declared, given, what)
  end

  it("are completed by the defaults, as a table of their own", function()
    local given = { name = "x" }
    assert.same({ name = "x", rate = 0.1, nesterov = true }, check(given))
    assert.same({ name = "x" }, given)
    assert.same({ name = "x", rate = 2, nesterov = false }, check {
      name = "x", rate = 2, nesterov = false,
    })
  end)

  it("may be left out altogether where none is required", function()
    assert.same({ n = 1 }, fields.check({ n = { "count", default = 1 } }))
    assert.same({}, fields.check({}, {}))
  end)

  it("may be left out in full where they are optional: option = false", function()
    assert.same({ name = "x", rate = 0.1, nesterov = true },
      check { name = "x", schedule = false })
    assert.is_false(check({ name = "x", verbose = false }).verbose)
  end)

  it("refuse an unknown name, and list the known ones", function()
    at_caller(function() check { name = "x", learning_rate = 1 } end,
      "unknown option 'learning_rate' (known: name, nesterov, rate, schedule, verbose)")
    at_caller(function() check({ name = "x", learning_rate = 1 }, "sgd") end,
      "unknown option 'learning_rate' of sgd (known: name,")
    at_caller(function() check { 0.1, name = "x" } end, "unknown option '1'")
    at_caller(function() fields.check({}, { a = 1 }) end,
      "unknown option 'a' (known: none)")
  end)

  it("refuse to go without a required one", function()
    at_caller(function() check() end, "option 'name' is required")
    at_caller(function() check({}, "sgd") end, "sgd: option 'name' is required")
  end)

  it("name the option that is wrong, and whose it is", function()
    at_caller(function() check { name = "x", rate = "fast" } end,
      'rate: a number of 0 or more expected, got "fast"')
    at_caller(function() check({ name = 1 }, "sgd") end,
      "sgd: name: a string expected, got 1")
    at_caller(function() check { name = false } end,
      "name: a string expected, got false")
  end)

  it("refuse what is no table", function()
    at_caller(function() check(0.1) end, "a table of options expected, got 0.1")
    at_caller(function() check("x", "sgd") end,
      'sgd: a table of options expected, got "x"')
  end)

  it("give the same message for the same mistakes, in whatever order", function()
    local messages = {}
    for seed = 1, 50 do
      local given = { name = "x" }
      for k = 1, 20 do given["wrong" .. (k * seed) % 23] = k end
      given.wrong0 = 1
      local _, message = pcall(check, given)
      messages[message:match("'.-'")] = true
    end
    assert.same({ ["'wrong0'"] = true }, messages)
  end)
end)
