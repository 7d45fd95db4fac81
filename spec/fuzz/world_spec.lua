local grammar = require "spec.fuzz.grammar"
local world = require "spec.fuzz.world"

-- What is said of a program, whose lines are the arguments
local function faults(...)
  local list = {}
  local text = table.concat({ ... }, "\n")
  world.run(text, {
    on_call = function() end,
    on_fault = function(fault) list[#list + 1] = ("%d: %s"):format(fault.line, fault.what) end,
  })
  return list
end

describe("A program of calls", function()
  local M = "m1 = filled(f32, 2, 2, nil, 5)"

  it("may do what is right, and be refused what is not", function()
    assert.same({}, faults(M, "r2 = call(function() return give(m1:get(1, 1)) end)",
      "r3 = call(function() return give(m1:get(3, 1)) end)",
      "r4 = call(function() return give(pl.load 'missing') end)",
      "r5 = call(function() return give(m1:map(raises)) end)"))
  end)

  it("shows a call that raises when it has written", function()
    assert.same({ "2: it raised, and m1 is not as it was" },
      faults(M, "r2 = call(function() m1:fill(3); m1:get(3, 1) end)"))
  end)

  it("does not ask that of what a trap has written", function()
    assert.same({}, faults(M, "r2 = call(function() changes(m1)(); m1:get(3, 1) end)"))
  end)

  it("shows a call that has no end", function()
    assert.same({ "1: an error in Lua's words" },
      faults "r1 = call(function() pl.schedule(function() while true do end end)(1, 1) end)")
  end)

  it("shows what was to be valid and raised", function()
    assert.same({ "0: what is valid raised" }, faults "m1 = f32.matrix(0, 0)")
  end)

  it("goes on where it yielded", function()
    assert.same({}, faults(M, "r2 = call(function() yields() end, 'apart')",
      "r3 = call(function() return give(go_on()) end)"))
  end)

  it("follows from a seed and a number alone", function()
    assert.equal(grammar.program(3, 7), grammar.program(3, 7))
    assert.not_equal(grammar.program(3, 7), grammar.program(3, 8))
    assert.not_equal(grammar.program(3, 7), grammar.program(4, 7))
  end)
end)
