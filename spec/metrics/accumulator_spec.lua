local Accumulator = require "perilune.metrics.accumulator"
local at_caller = require("spec.support.misuse").at_caller

-- The sum of the batches, which are numbers here, and how many there were
local function new()
  return Accumulator.new({
    name = "sum", count = 2,
    add = function(self, x)
      self.numbers[1], self.numbers[2] = self.numbers[1] + x, self.numbers[2] + 1
    end,
    result = function(self) return self.options.factor * self.numbers[1] / self.numbers[2] end,
  }, { factor = 10 }, {})
end

describe("an accumulator", function()
  it("keeps numbers that begin at 0, and do again after reset", function()
    local sum = new()
    sum:add(3)
    sum:add(5)
    assert.equal(40, sum:result())
    assert.is_true(rawequal(sum, sum:reset()))
    sum:add(1)
    assert.equal(10, sum:result())
  end)

  it("goes on from a state, which is its own", function()
    local sum, other = new(), new()
    sum:add(3)
    local state = sum:state()
    sum:add(5)
    other:restore(state)
    other:add(7)
    assert.equal(40, sum:result())
    assert.equal(50, other:result())
    assert.same({ 3, 1 }, state)
  end)

  it("refuses what is no state of its own, and stays as it is", function()
    local sum = new()
    sum:add(3)
    for _, state in ipairs { 1, {}, { 1 }, { 1, 2, 3 }, { 1, "2" } } do
      at_caller(function() sum:restore(state) end,
        "state of the metric sum: a list of 2 numbers expected, got ")
    end
    assert.equal(30, sum:result())
  end)
end)
