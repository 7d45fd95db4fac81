-- Steps that an optimiser refuses: they change nothing.

local at_caller = require("spec.support.misuse").at_caller
local pl = require "perilune"
local support = require "spec.support.parameters"

local new_list, run, values = support.list, support.run, support.values
local assert_same, assert_same_state = support.assert_same, support.assert_same_state

describe("a step that raises", function()
  local a_list = "a list of parameters expected"
  local a_rate = "rate: a finite number of 0 or more expected, got "
  local a_gradient = "parameter '2.b': a gradient like its value expected, "
    .. "a 3 x 4 matrix of float32 by columns, got "

  -- The list with another third parameter
  local function with(changes)
    return function(list)
      local parameter = {}
      for key, value in pairs(list[3]) do parameter[key] = value end
      for key, value in pairs(changes(list)) do parameter[key] = value or nil end
      return { list[1], list[2], parameter }
    end
  end

  local function at_rate(rate)
    return function(list) return list, rate end
  end

  -- What is wrong: the message, and a function from the right list to the arguments
  local cases = {
    ["no parameters"] = { a_list .. ", as net:parameters() gives it, got nil",
      function() return nil end },
    ["a network"] = { a_list .. ", as net:parameters() gives it, got a network",
      function() return pl.network { inputs = 1, pl.dense(1) } end },
    ["a matrix"] = { a_list .. ", as net:parameters() gives it, got a 2 x 2 matrix",
      function() return pl.matrix(2, 2) end },
    ["a table with names"] = { a_list .. ", got a table with the key \"W\"",
      function(list) return { W = list[1] } end },
    ["a list of matrices"] = {
      "parameter 1: { name =, value =, gradient = } expected, got a 3 x 4 matrix",
      function(list) return { list[1].value } end },
    ["a parameter that is none"] = {
      "parameter 3: { name =, value =, gradient = } expected, got false",
      function(list) return { list[1], list[2], false } end },
    ["a field flat that is none"] = { a_list .. ", as net:parameters() gives it, got one whose "
      .. "field flat does not hold them",
      function(list) return { list[1], flat = 5 } end },
    ["a field flat without their places"] = { "one whose field flat does not hold them",
      function(list)
        return { list[1], flat = { value = pl.matrix(12, 1), gradient = pl.matrix(12, 1) } }
      end },
    ["a rate below 0"] = { a_rate .. "-1", at_rate(-1) },
    ["a rate that is infinite"] = { a_rate .. "inf", at_rate(1 / 0) },
    ["a rate that is infinite as float32"] = { a_rate .. "1e+39", at_rate(1e39) },
    ["a rate that is no number"] = { a_rate, at_rate(0 / 0) },
    ["a rate that is text"] = { a_rate .. "\"0.1\"", at_rate "0.1" },
    ["a group's rate that becomes infinite"] = { a_rate .. "2e+38", at_rate(1e38) },
    ["no gradient"] = { a_gradient .. "nil",
      with(function() return { gradient = false } end) },
    ["a gradient of another shape"] = {
      a_gradient .. "a 4 x 3 matrix of float32 by columns",
      with(function() return { gradient = pl.matrix(4, 3) } end) },
    ["a gradient in another order"] = { a_gradient .. "a 3 x 4 matrix of float32 by rows",
      with(function() return { gradient = pl.matrix(3, 4, "rows") } end) },
    ["a gradient of another type"] = {
      a_gradient .. "a 3 x 4 matrix of float64 by columns",
      with(function() return { gradient = pl.float64.matrix(3, 4) } end) },
    ["a gradient that is the value"] = {
      "parameter '2.b': its gradient must share no memory with its value",
      with(function(list) return { gradient = list[3].value } end) },
    ["a gradient that overlaps the value"] = {
      "parameter '2.b': its gradient must share no memory with its value",
      with(function()
        local whole = pl.matrix(3, 6)
        return { value = whole:columns(1, 4), gradient = whole:columns(3, 6) }
      end) },
    ["a value that is none"] = {
      "parameter '2.b': a matrix expected as value, got a table",
      with(function() return { value = {} } end) },
    ["a name that is none"] = { "parameter 3: a name as a string expected, got 5",
      with(function() return { name = 5 } end) },
    ["two of one name"] = { "two parameters are named '2.W'",
      with(function() return { name = "2.W" } end) },
    ["one matrix twice"] = { "parameters '1.W' and '2.b' have the same matrix as value",
      with(function(list) return { value = list[1].value } end) },
  }

  for name, case in pairs(cases) do
    for _, kind in ipairs { "sgd", "momentum", "adam", "muon" } do
      it(("for %s changes nothing: %s"):format(name, kind), function()
        for _, has_stepped in ipairs { false, true } do
          local optimizer = pl[kind] { weight_decay = 0.1, rate = 0.1,
            groups = { { match = "b$", rate = 0.2 } } }
          local list = new_list(pl.float32)
          if has_stepped then run(optimizer, list, 1, 2) end
          support.set_gradients(list, 3)
          local before, state = values(list), optimizer:state()
          local given, rate = case[2](list)
          at_caller(function() optimizer:step(given, rate) end, case[1])
          assert_same(before, list)
          assert_same_state(state, optimizer:state())
        end
      end)
    end
  end

  it("leaves the next ones as they would have been", function()
    local optimizer, straight = pl.adam(), pl.adam()
    local list, expected = new_list(pl.float32), new_list(pl.float32)
    run(straight, expected, 1, 4)
    run(optimizer, list, 1, 2)
    local other = new_list(pl.float32)
    other[2].gradient = nil
    assert.has_error(function() optimizer:step(other) end)
    assert.has_error(function() optimizer:step(list, -1) end)
    run(optimizer, list, 3, 4)
    assert_same(values(expected), list)
    assert_same_state(straight:state(), optimizer:state())
  end)
end)

describe("a list that answers as its metatable likes", function()
  it("ends where it says, whatever it has beyond", function()
    local list = new_list(pl.float32)
    list[1].gradient:fill(1)
    local optimizer, first = pl.sgd { rate = 0.1 }, list[1].value:copy()
    optimizer:step(setmetatable({}, {
      __index = function(_, k) return type(k) == "number" and list[1] or nil end,
      __len = function() return 1 end,
    }))
    assert.is_true((first - list[1].value):norm() > 0)
  end)

  it("is refused where it says no number", function()
    local list = setmetatable({}, { __len = function() return "x" end })
    at_caller(function() pl.sgd():step(list) end,
      "parameters: a list expected, got one with \"x\" elements")
  end)

  it("is not taken for the list of the last step because it says that it equals it", function()
    local net = pl.network { inputs = 2, pl.dense(2) }
    local optimizer = pl.sgd { rate = 0.1 }
    optimizer:step(net:parameters())
    local equal = setmetatable({}, { __eq = function() return true end })
    optimizer:step(equal) -- no parameters: nothing to step over
    assert.equal(0, #optimizer.plan.entries)
  end)

  it("is looked at once: what it answers later changes nothing", function()
    local list, count = new_list(pl.float32), 0
    local function answer(_, key)
      if key ~= "value" then return nil end
      count = count + 1
      return count == 1 and list[1].value or 5
    end
    local one = setmetatable({ name = "p", gradient = list[1].gradient }, { __index = answer })
    pl.adam():step { one }
    assert.equal(1, count)
  end)
end)
