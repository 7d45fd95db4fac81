-- That random calls would show a fault: what the checker takes for one, and what it does not.

local judge = require "spec.fuzz.judge"

describe("An error", function()
  it("is fine at the user's line in the user's words, and as a trap raised it", function()
    for _, message in ipairs {
      "case:3: X: a matrix expected, got 5",
      "case:12: bad argument #2 to 'add' (must have 2 rows)",
      "not enough memory", "attempt to yield across a C-call boundary",
      judge.TRAP, "spec/fuzz/words.lua:3: " .. judge.TRAP, judge.TRAP_TABLE,
    } do
      assert.is_nil(judge.fault_of(message))
    end
    assert.is_nil(judge.fault_of(nil))
  end)

  for message, fault in pairs {
    ["X: a matrix expected, got 5"] = "an error at no line",
    ["case:3: lua/perilune/network.lua:5: X"] = "an error at a line of the library",
    ["lua/perilune/network.lua:5: X"] = "an error at a line of the library",
    ["case:3: attempt to index a nil value"] = "an error in Lua's words",
    ["case:3: it hangs"] = "an error in Lua's words",
    ["case:3: bad argument #1 to '?' (x)"] = "an error of a function without a name",
    ["case:3: case:4: X"] = "an error at two lines",
    ["layer 1: case:3: X"] = "an error with its line in the middle",
  } do
    it("is a fault: " .. message, function() assert.equal(fault, judge.fault_of(message)) end)
  end

  it("is a fault where it is no string", function()
    assert.equal("an error that is no string", judge.fault_of {})
  end)
end)

describe("A message beside nil", function()
  it("has no line, and is not in Lua's words", function()
    assert.is_nil(judge.fault_of_results(nil, "model: no such file"))
    assert.is_nil(judge.fault_of_results(true, "case:3: X"))
    assert.equal("a message with a line", judge.fault_of_results(nil, "case:3: X"))
    assert.equal("a message in Lua's words",
      judge.fault_of_results(nil, "model: attempt to index a nil value"))
  end)
end)
