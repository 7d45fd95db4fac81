local at_caller = require("spec.support.misuse").at_caller
local errors = require "perilune.errors"
local pl = require "perilune"
local registered = require "spec.support.registered"

-- A function as one inside the library is: its source lies beside errors.lua.
local function inside(code)
  local folder = debug.getinfo(errors.raise, "S").source:match("^(.*)errors%.lua$")
  local environment = { errors = errors, pcall = pcall }
  return assert(load(code, folder .. "inner.lua", "t", environment))()
end

local shallow = inside "return function(...) errors.raise(...) end"
local deep = inside [[
  local function inner(n)
    if n == 0 then errors.raise("at the bottom") end
    inner(n - 1)
  end
  return function() inner(5) end]]
local calling = inside "return function(f) f() end"

describe("raise", function()
  it("tells the line of the user's call, however deep the mistake was noticed", function()
    at_caller(function() shallow("a message") end, "a message")
    at_caller(function() deep() end, "at the bottom")
  end)

  it("tells the innermost line of the user's, such as of a callback", function()
    local function callback() shallow("from a callback") end
    local message = select(2, pcall(calling, callback))
    local line = debug.getinfo(callback, "S").linedefined
    assert.equal(("spec/errors_spec.lua:%d: from a callback"):format(line), message)
  end)

  it("tells it through metamethods and iterators", function()
    local index = inside "return function(_, key) errors.raise('no field %s', key) end"
    local object = setmetatable({}, { __index = index, __call = deep })
    at_caller(function() local _ = object.x end, "no field x")
    at_caller(function()
      for x in object do assert(x) end
    end, "at the bottom")
  end)

  it("tells the line in a coroutine of the user's", function()
    local body = function() deep() end
    local message = select(2, coroutine.resume(coroutine.create(body)))
    local line = debug.getinfo(body, "S").linedefined
    assert.equal(("spec/errors_spec.lua:%d: at the bottom"):format(line), message)
  end)

  it("formats its arguments, and only where there are some", function()
    at_caller(function() shallow("%s and %d", nil, 3) end, "nil and 3")
    at_caller(function() shallow("100 % of it, %s") end, "100 % of it, %s")
  end)

  it("needs no caller of the user's", function()
    local ok, message = coroutine.resume(coroutine.create(deep))
    assert.same({ false, "at the bottom" }, { ok, message })
  end)

  it("leaves the traceback whole", function()
    local trace = select(2, xpcall(deep, debug.traceback))
    local _, frames = trace:gsub("inner%.lua:", "")
    assert.is_true(frames > 6)
  end)

  it("works in a host without debug, and then tells no line", function()
    local path = package.searchpath("perilune.errors", package.path)
    local bare = assert(loadfile(path, "t", {
      error = error, getmetatable = getmetatable, pcall = pcall, select = select,
      setmetatable = setmetatable,
    }))()
    assert.same({ false, "told as it is" }, { pcall(bare.raise, "told as it is") })
    assert.same({ false, "and caught", true }, { bare.catch(bare.raise, "and caught") })
    local _, message, is_message = bare.catch(error, "of the user's", 0)
    assert.same({ "of the user's", false }, { message, is_message })
  end)
end)

describe("check", function()
  it("gives the condition where it holds", function()
    assert.equal("yes", errors.check("yes", "never told"))
  end)

  it("raises where it does not", function()
    local checking = inside "return function(x) errors.check(x, 'got %s', x) end"
    at_caller(function() checking(false) end, "got false")
    at_caller(function() checking(nil) end, "got nil")
  end)
end)

describe("catch", function()
  it("gives what a function returns", function()
    local function give(...) return ... end
    assert.same(table.pack(true, 1, nil, 3), table.pack(errors.catch(give, 1, nil, 3)))
  end)

  it("gives what the library raised as a message without a place", function()
    assert.same({ false, "at the bottom", true }, { errors.catch(deep) })
    assert.same({ false, "3 %", true }, { errors.catch(shallow, "%d %%", 3) })
  end)

  it("gives what a user's function raised as it was, its place too", function()
    local function of_the_user() error("of the user's") end
    local ok, message, is_message = errors.catch(calling, of_the_user)
    assert.is_false(ok)
    assert.is_false(is_message)
    assert.is_truthy(message:find("errors_spec%.lua:%d+: of the user's$"))
    local thrown = {}
    local _, caught = errors.catch(calling, function() error(thrown) end)
    assert.is_true(rawequal(thrown, caught))
  end)

  it("gives what the library raised at a user's line with that line", function()
    local _, message, is_message = errors.catch(calling, function() deep() end)
    assert.is_false(is_message)
    assert.is_truthy(message:find("errors_spec%.lua:%d+: at the bottom$"))
  end)

  it("may stand within another", function()
    local inner = { errors.catch(errors.catch, deep) }
    assert.same({ true, false, "at the bottom", true }, inner)
  end)

  it("leaves a message that can be read to a pcall on the way", function()
    local guarded = inside [[
      return function(f)
        local _, thrown = pcall(f)
        return thrown
      end]]
    local _, thrown = errors.catch(guarded, deep)
    assert.equal("at the bottom", tostring(thrown))
  end)
end)

-- C tells the line of its caller, which is the user's where it is the user who calls.
describe("a function of the C core tells the user's line", function()
  local takes_nothing = { clock = true, interrupted = true, processors = true }

  for _, name in ipairs { "float32", "float64" } do
    for class, members in pairs(registered(pl[name])) do
      it(("whatever is wrong: %s of %s"):format(class, name), function()
        local count = 0
        for member, f in pairs(members) do
          if type(f) == "function" and not takes_nothing[member] then
            count = count + 1
            at_caller(function() local _ = f({}, {}) end, "bad argument #")
          end
        end
        assert.is_true(count > 1)
      end)
    end

    it("through operators and fields: " .. name, function()
      local core = pl[name]
      local M, other = core.matrix(2, 2), core.matrix(3, 3)
      at_caller(function() local _ = M + other end, "3 x 3, 3 x 1 or 1 x 3 matrix expected")
      at_caller(function() local _ = M - nil end, "expected, got nil")
      at_caller(function() local _ = M * other end, "is not defined")
      at_caller(function() local _ = M / "2" end, "number expected, got string")
      at_caller(function() local _ = M.x end, "a matrix has no field 'x'")
      at_caller(function() M.x = 1 end, "a matrix has no field 'x' to set")
    end)
  end
end)

describe("refused", function()
  local refused = inside "return function(...) errors.refused(...) end"

  it("tells what the core has refused by the names of the user's", function()
    local core = pl.float32
    local A, T = core.matrix(2, 3), core.matrix(2, 2)
    local _, message = pcall(core.squared_error, nil, A, T)
    at_caller(function() refused("loss", { "Delta", "A", "T" }, message) end,
      "loss: T: 2 x 3 matrix expected, got 2 x 2")
    message = "bad argument #1 to 'f' (apart from argument #3 (and argument #9) expected)"
    at_caller(function() refused("part", { "X", "Y", "Z" }, message) end,
      "part: X: apart from Z (and argument #9) expected")
  end)

  it("leaves other errors as they are", function()
    local other = {}
    for _, message in ipairs { "not enough memory", other } do
      assert.same({ false, message }, { pcall(refused, "loss", {}, message) })
    end
  end)
end)

describe("show", function()
  local function shows(expected, value)
    assert.equal(expected, errors.show(value))
  end

  it("quotes strings, on one line", function()
    shows('"relu"', "relu")
    shows('""', "")
    shows('"a \\"b\\" \\0 \\n"', 'a "b" \0 \n')
    shows('"\u{e4}"', "\u{e4}")
    shows('"a\\xE4\\x80b\\0\\n"', "a\xe4\x80b\0\n") -- Latin-1, or anything but UTF-8
  end)

  it("shortens long strings, between their characters", function()
    shows('"' .. ("x"):rep(40) .. '"', ("x"):rep(40))
    shows('"' .. ("x"):rep(37) .. '..."', ("x"):rep(41))
    shows('"' .. ("\u{e9}"):rep(18) .. '..."', ("\u{e9}"):rep(21))
    assert.is_truthy(utf8.len(errors.show("x" .. ("\u{1f600}"):rep(20))))
    shows('"..."', ("\x80"):rep(50))
  end)

  it("writes numbers as one would", function()
    shows("3", 3)
    shows("3", 3.0)
    shows("0.1", 0.1)
    shows("0.99999999", 0.99999999)
    shows("9007199254740993", 9007199254740993)
    shows("NaN", 0 / 0)
    shows("NaN", -(0 / 0))
    shows("inf", math.huge)
    shows("-inf", -math.huge)
  end)

  it("says what other values are", function()
    shows("nil", nil)
    shows("true", true)
    shows("a table", {})
    shows("a table", setmetatable({}, { __index = error, __name = 3 }))
    shows("a function", print)
    shows("a thread", coroutine.create(print))
    shows("a FILE*", io.stdout)
    shows("a 2 x 3 matrix", pl.matrix(2, 3))
    shows("a 2 x 3 matrix", pl.float64.matrix(2, 3))
    shows("a generator", pl.generator(1))
  end)
end)
