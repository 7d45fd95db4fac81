local Accumulator = require "perilune.metrics.accumulator"
local at_caller = require("spec.support.misuse").at_caller
local memory = require "spec.support.memory"

-- The sum of the batches, which are numbers here, and how many there were
local function new()
  return Accumulator.new({
    name = "sum", size = 2,
    weigh = function(self, x) self.weighed[1], self.weighed[2] = x, 1 end,
    result = function(self) return self.options.factor * self.numbers[1] / self.numbers[2] end,
  }, { factor = 10 }, {})
end

local function add(accumulator, x)
  accumulator:weigh(x)
  accumulator:count()
end

describe("an accumulator", function()
  it("counts what it has weighed last, and shows nothing of it before", function()
    local sum = new()
    add(sum, 3)
    sum:weigh(100)
    sum:weigh(5)
    assert.same({ 3, 1 }, sum:state())
    assert.equal(30, sum:result())
    sum:count()
    assert.same({ 8, 2 }, sum:state())
    assert.equal(40, sum:result())
  end)

  it("lets what it weighs begin with nothing", function()
    local sum = new()
    sum:weigh(5)
    assert.is_true(rawequal(sum.weighed, sum:clear()))
    sum:count()
    assert.same({ 0, 0 }, sum:state())
  end)

  it("keeps numbers that begin at 0, and do again after reset", function()
    local sum = new()
    add(sum, 3)
    add(sum, 5)
    assert.equal(40, sum:result())
    assert.is_true(rawequal(sum, sum:reset()))
    add(sum, 1)
    assert.equal(10, sum:result())
  end)

  it("goes on from a state, which is its own", function()
    local sum, other = new(), new()
    add(sum, 3)
    local state = sum:state()
    add(sum, 5)
    local restore = other:restorer(state)
    assert.same({ 0, 0 }, other:state())
    assert.equal(0, memory.allocated(restore))
    add(other, 7)
    assert.equal(40, sum:result())
    assert.equal(50, other:result())
    assert.same({ 3, 1 }, state)
  end)

  it("refuses what is no state of its own, and stays as it is", function()
    local sum = new()
    add(sum, 3)
    for _, state in ipairs { 1, {}, { 1 }, { 1, 2, 3 }, { 1, "2" } } do
      at_caller(function() sum:restorer(state) end,
        "state of the metric sum: a list of 2 numbers expected, got ")
    end
    assert.equal(30, sum:result())
  end)
end)
