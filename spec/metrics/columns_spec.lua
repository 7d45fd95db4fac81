local columns = require "perilune.metrics.columns"

describe("columns of text", function()
  it("end at the same character, in any alphabet", function()
    assert.equal("   cat", columns.right("cat", 6))
    assert.equal("   \u{e9}t\u{e9}", columns.right("\u{e9}t\u{e9}", 6))
    assert.equal("crocodile", columns.right("crocodile", 6))
  end)

  it("are as wide as their longest text, or wider", function()
    assert.equal(5, columns.longest({ "a", "\u{e9}l\u{e9}ph" }, 3))
    assert.equal(9, columns.longest({ "a", "bc" }, 9))
    assert.equal(3, columns.longest({}, 3))
  end)

  it("count bytes that are no characters", function()
    assert.equal(" \xff", columns.right("\xff", 2))
  end)
end)
