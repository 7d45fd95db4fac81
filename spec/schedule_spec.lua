local at_caller = require("spec.support.misuse").at_caller
local schedule = require("perilune").schedule

-- The factors at some points of a training of ten epochs.
local function factors(f, ...)
  local values = {}
  for k, epoch in ipairs { ... } do values[k] = f(epoch, 10) end
  return values
end

local function near(expected, actual)
  assert.equal(#expected, #actual)
  for k, value in ipairs(expected) do assert.near(value, actual[k], 1e-12) end
end

describe("a schedule", function()
  it("constant is 1 throughout", function()
    near({ 1, 1, 1 }, factors(schedule.constant(), 0, 4.7, 10))
  end)

  it("step multiplies by its factor after every so many epochs", function()
    near({ 1, 1, 0.5, 0.5, 0.25, 0.125 },
      factors(schedule.step { every = 3, factor = 0.5 }, 0, 2.99, 3, 5.5, 6, 9.5))
    near({ 1, 0.1 }, factors(schedule.step(), 9.9, 10))
  end)

  it("exponential multiplies by its factor each epoch, smoothly", function()
    near({ 1, 0.5, math.sqrt(0.5), 0.125 },
      factors(schedule.exponential { factor = 0.5 }, 0, 1, 0.5, 3))
    near({ 0.95 }, factors(schedule.exponential(), 1))
  end)

  it("cosine falls in half a wave from 1 to its floor", function()
    near({ 1, (1 + math.sqrt(0.5)) / 2, 0.5, 0 },
      factors(schedule.cosine(), 0, 2.5, 5, 10))
    near({ 1, 0.6, 0.2 }, factors(schedule.cosine { floor = 0.2 }, 0, 5, 10))
  end)

  it("warm_up rises in a line and stays", function()
    near({ 0, 0.5, 1, 1 }, factors(schedule.warm_up(), 0, 0.5, 1, 7))
    near({ 0.125, 0.5, 1 }, factors(schedule.warm_up { epochs = 4 }, 0.5, 2, 4))
  end)

  it("warm_up goes over to another schedule, which sees only what remains", function()
    local seen
    local f = schedule.warm_up {
      epochs = 2,
      after = function(...)
        seen = { ... }
        return 0.75
      end,
    }
    near({ 0.5, 0.75 }, factors(f, 1, 5))
    assert.same({ 3, 8 }, seen)
    local cosine = schedule.warm_up { epochs = 2, after = schedule.cosine() }
    near({ 0.5, 1, 0.5, 0 }, factors(cosine, 1, 2, 6, 10))
    local once = schedule.warm_up { after = schedule.cosine() }
    near({ 0.5, 0.5, 1, 0 }, factors(schedule.warm_up { after = once }, 0.5, 1.5, 2, 10))
  end)

  it("warm_up may be as long as the training, or longer", function()
    local f = schedule.warm_up { epochs = 20, after = schedule.cosine() }
    near({ 0, 0.25, 0.475 }, factors(f, 0, 5, 9.5))
  end)

  it("refuses an unknown option", function()
    at_caller(function() local _ = schedule.constant { rate = 1 } end,
      "unknown option 'rate'")
    at_caller(function() local _ = schedule.step { each = 1 } end,
      "unknown option 'each' (known: every, factor)")
    at_caller(function() local _ = schedule.exponential { gamma = 1 } end,
      "unknown option 'gamma'")
    at_caller(function() local _ = schedule.cosine { low = 1 } end,
      "unknown option 'low'")
    at_caller(function() local _ = schedule.warm_up { steps = 1 } end,
      "unknown option 'steps'")
  end)

  it("refuses an option out of its range", function()
    at_caller(function() local _ = schedule.step { every = 0 } end,
      "every > 0 expected, got 0")
    at_caller(function() local _ = schedule.step { every = "3" } end,
      "every > 0 expected, got 3")
    at_caller(function() local _ = schedule.step { factor = -1 } end,
      "factor > 0 expected, got -1")
    at_caller(function() local _ = schedule.exponential { factor = 0 } end,
      "factor > 0 expected, got 0")
    at_caller(function() local _ = schedule.cosine { floor = 2 } end,
      "floor in [0, 1] expected, got 2")
    at_caller(function() local _ = schedule.warm_up { epochs = 0 } end,
      "epochs > 0 expected, got 0")
    at_caller(function() local _ = schedule.warm_up { after = "cosine" } end,
      "after: a schedule expected, got string")
  end)
end)
