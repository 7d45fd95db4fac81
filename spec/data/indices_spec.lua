local at_caller = require("spec.support.misuse").at_caller
local check_indices = require "perilune.data.indices"

describe("a list of samples", function()
  it("is looked at as far as it is used", function()
    assert.equal(1, check_indices({ 3, 1 }, nil, 2, 3))
    assert.equal(2, check_indices({ "x", 2.0, 1, "y" }, 2.0, 2, 3))
    assert.equal(7, check_indices({}, 7, 0, 3))
    assert.same({ 1, 2 }, { check_indices({ 3, 1 }, 1, nil, 3) })
  end)

  it("is refused where an element is no sample", function()
    at_caller(function() local _ = check_indices({ 1, 4 }, 1, 2, 3) end,
      "indices: samples 1 to 3 expected, got 4 as element 2")
    for _, wrong in ipairs { 0, -1, 1.5, "1", 0 / 0 } do
      at_caller(function() local _ = check_indices({ wrong }, 1, 1, 3) end,
        "indices: samples 1 to 3 expected, got ")
    end
    at_caller(function() local _ = check_indices({ 1 }, 1, 2, 3) end,
      "got nil as element 2")
    at_caller(function() local _ = check_indices({ 1 }, 0, 1, 3) end,
      "got nil as element 0")
  end)

  it("is a table, and begins at a whole number", function()
    at_caller(function() local _ = check_indices(3, 1, 1, 3) end,
      "indices: a list of samples expected, got 3")
    at_caller(function() local _ = check_indices({ 1 }, "1", 1, 3) end,
      'first: a whole number expected, got "1"')
    at_caller(function() local _ = check_indices({ 1 }, 1.5, 1, 3) end, "got 1.5")
    at_caller(function() local _ = check_indices({ 1 }, math.maxinteger, 1, 3) end,
      "first: a place in the list expected, got 9223372036854775807")
  end)
end)
