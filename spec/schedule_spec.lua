-- Schedules: the factors that their formulas give, and how they are described.

local at_caller = require("spec.support.misuse").at_caller
local family = require "perilune.schedule"
local reference = require "spec.support.reference"
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

-- What a name alone does not say
local lists = { multi_step = { "multi_step", milestones = { 3, 4, 11 }, factor = 0.5 } }

describe("schedules as PyTorch computes them", function()
  for case, expected in pairs(reference.load "schedules") do
    it(case, function()
      local part = schedule(lists[case] or reference.description(case))
      for k, factor in ipairs(expected.factors) do
        if expected.losses then part:on_epoch { loss = expected.losses[k] } end
        assert.near(factor, part(k - 1, expected.epochs or 10), 1e-13)
      end
    end)
  end
end)

describe("a schedule", function()
  it("multi_step multiplies by its factor at each of its milestones", function()
    near({ 1, 1, 0.1, 0.1, 0.01 }, factors(schedule { "multi_step", milestones = { 2, 5.5 } },
      0, 1.9, 2, 5, 6))
  end)

  it("inverse falls as one over the epochs, or a power of them", function()
    near({ 1, 0.5, 0.25 }, factors(schedule.inverse, 0, 1, 3))
    near({ 1, 0.5, 0.25 }, factors(schedule { "inverse", decay = 5, power = 0.5 }, 0, 0.6, 3))
  end)

  it("polynomial falls to its floor, and stays there", function()
    near({ 1, 0.75, 0.5, 0.5 },
      factors(schedule { "polynomial", floor = 0.5 }, 0, 5, 10, 12))
    near({ 1, 0.25, 0 }, factors(schedule { "polynomial", power = 2 }, 0, 5, 10))
    assert.equal(1, schedule.polynomial(7, math.huge))
  end)

  it("cosine_restarts begins anew, with longer waves where they grow", function()
    local f = schedule { "cosine_restarts", epochs = 2, growth = 2, floor = 0.2 }
    near({ 1, 0.6, 1, 0.6, 1, 0.6, 1 }, factors(f, 0, 1, 2, 4, 6, 10, 14))
    for epoch = 0, 1000 do -- the wave of each epoch is found by a logarithm
      local first, length = 0, 3
      while first + length <= epoch do first, length = first + length, 3 * length end
      assert.near((1 + math.cos(math.pi * (epoch - first) / length)) / 2,
        schedule { "cosine_restarts", epochs = 3, growth = 3 }(epoch, 10), 1e-9)
    end
  end)

  it("flat_cosine stays at 1 for its part of the training", function()
    near({ 1, 1, 0.5, 0, 0 }, factors(schedule.flat_cosine, 0, 5, 7.5, 10, 12))
    near({ 1, 1, 0.6, 0.2 },
      factors(schedule { "flat_cosine", flat = 0.2, floor = 0.2 }, 0, 2, 6, 10))
    near({ 1, 0.5 }, factors(schedule { "flat_cosine", flat = 0 }, 0, 5))
  end)

  it("one_cycle rises from its first to 1 and falls to its last", function()
    local f = schedule { "one_cycle", rise = 0.4, first = 0.1, last = 0.01 }
    near({ 0.1, 0.55, 1, 0.505, 0.01, 0.01 }, factors(f, 0, 2, 4, 7, 10, 12))
    near({ 0.04, 1, 4e-6 }, factors(schedule.one_cycle, 0, 3, 10))
  end)

  it("log_periodic goes up and down, each time for twice as long", function()
    local function at(t) return 0.5 - 0.5 * math.cos(2 * math.pi * math.log(1 + 15 * t, 2)) end
    near({ at(0), at(0.1), at(0.5), at(1), at(1) },
      factors(schedule.log_periodic, 0, 1, 5, 10, 11))
    near({ 0, 0, 0, 0, 0 }, factors(schedule.log_periodic, 0, 2 / 3, 2, 14 / 3, 10))
  end)

  it("constant is 1 throughout", function()
    near({ 1, 1, 1 }, factors(schedule.constant, 0, 4.7, 10))
  end)

  it("step multiplies by its factor after every so many epochs", function()
    near({ 1, 1, 0.5, 0.5, 0.25, 0.125 },
      factors(schedule { "step", every = 3, factor = 0.5 }, 0, 2.99, 3, 5.5, 6, 9.5))
    near({ 1, 0.1 }, factors(schedule.step, 9.9, 10))
  end)

  it("exponential multiplies by its factor each epoch, smoothly", function()
    near({ 1, 0.5, math.sqrt(0.5), 0.125 },
      factors(schedule { "exponential", factor = 0.5 }, 0, 1, 0.5, 3))
    near({ 0.95 }, factors(schedule.exponential, 1))
  end)

  it("cosine falls in half a wave from 1 to its floor, and stays there", function()
    near({ 1, (1 + math.sqrt(0.5)) / 2, 0.5, 0, 0, 0 },
      factors(schedule.cosine, 0, 2.5, 5, 10, 11, 20))
    near({ 1, 0.6, 0.2, 0.2 },
      factors(schedule { "cosine", floor = 0.2 }, 0, 5, 10, 15))
  end)

  it("cosine does not fall in a training without an end", function()
    assert.equal(1, schedule.cosine(7, math.huge))
  end)

  it("warm_up rises in a line and stays", function()
    near({ 0, 0.5, 1, 1 }, factors(schedule.warm_up, 0, 0.5, 1, 7))
    near({ 0.125, 0.5, 1 }, factors(schedule { "warm_up", epochs = 4 }, 0.5, 2, 4))
  end)

  it("warm_up goes over to another schedule, which sees only what remains", function()
    local seen
    local function after(...)
      seen = { ... }
      return 0.75
    end
    near({ 0.5, 0.75 }, factors(schedule { "warm_up", epochs = 2, after = after }, 1, 5))
    assert.same({ 3, 8 }, seen)
    near({ 0.5, 1, 0.5, 0 },
      factors(schedule { "warm_up", epochs = 2, after = "cosine" }, 1, 2, 6, 10))
    near({ 0.5, 1, 0.6, 0.2 }, factors(schedule { "warm_up", epochs = 2,
      after = { "cosine", floor = 0.2 } }, 1, 2, 6, 10))
    local once = { "warm_up", after = schedule.cosine }
    near({ 0.5, 0.5, 1, 0 },
      factors(schedule { "warm_up", after = once }, 0.5, 1.5, 2, 10))
  end)

  it("warm_up may be as long as the training, or longer", function()
    local f = schedule { "warm_up", epochs = 20, after = "cosine" }
    near({ 0, 0.25, 0.475, 0.5 }, factors(f, 0, 5, 9.5, 10))
    local whole = schedule { "warm_up", epochs = 10, after = "cosine" }
    near({ 0.95, 0 }, factors(whole, 9.5, 10))
  end)

  it("is known by its name, and made anew with options", function()
    assert.equal(schedule.cosine, schedule.cosine)
    assert.equal(schedule.cosine, schedule(schedule.cosine))
    assert.equal("cosine", schedule.cosine.name)
    near(factors(schedule "cosine", 3), factors(schedule { "cosine" }, 3))
    local names = {}
    for name, part in pairs(schedule) do
      names[#names + 1] = name
      assert.equal("number", type(part(1, 10)))
    end
    table.sort(names)
    assert.same({
      "constant", "cosine", "cosine_restarts", "exponential", "flat_cosine", "inverse",
      "log_periodic", "one_cycle", "plateau", "polynomial", "step", "warm_up",
    }, names)
  end)

  it("has a description from which an equal one is made", function()
    for _, description in ipairs {
      "constant", { "step", every = 2.5, factor = 0.5 }, { "exponential", factor = 0.9 },
      { "cosine", floor = 0.25 },
      { "multi_step", milestones = { 1, 2.5 }, factor = 0.5 },
      { "inverse", decay = 0.5, power = 0.5 }, { "polynomial", power = 2, floor = 0.1 },
      { "cosine_restarts", epochs = 2, growth = 1.5, floor = 0.1 },
      { "flat_cosine", flat = 0.25, floor = 0.1 },
      { "one_cycle", rise = 0.25, first = 0.1, last = 0.01 }, { "log_periodic", cycles = 2 },
      { "warm_up", epochs = 2, after = { "cosine", floor = 0.25 } },
    } do
      local made = schedule(description)
      assert.same(description, family:describe(made))
      local again = schedule(family:describe(made))
      for epoch = 0, 10, 0.25 do assert.equal(made(epoch, 10), again(epoch, 10)) end
    end
    assert.same({ "warm_up", epochs = 1, after = "constant" },
      family:describe(schedule.warm_up))
  end)

  it("may be a function of one's own, or what can be called like one", function()
    local function half() return 0.5 end
    assert.equal(half, schedule(half))
    assert.is_nil(family:describe(half))
    local named = setmetatable({ name = "half" }, { __call = half })
    assert.equal(named, schedule(named))
    assert.equal("half", family:describe(named))
    local warm = schedule { "warm_up", after = named }
    assert.same({ "warm_up", epochs = 1, after = "half" }, family:describe(warm))
    at_caller(function()
      local unnamed = setmetatable({ name = "cosine" }, { __call = half })
      schedule { "warm_up", after = unnamed }
    end, "the schedule 'cosine' is built in: give your own another name")
  end)

  it("refuses an unknown name", function()
    at_caller(function() local _ = schedule "cosinus" end, "unknown schedule 'cosinus' "
      .. "(known: constant, cosine, cosine_restarts, exponential, flat_cosine, inverse, "
      .. "log_periodic, multi_step, one_cycle, plateau, polynomial, step, warm_up)")
    at_caller(function() local _ = schedule.cosinus end, "unknown schedule 'cosinus'")
    at_caller(function() local _ = schedule { "warm_up", after = "cosinus" } end,
      "warm_up: after: unknown schedule 'cosinus'")
    for _, wrong in ipairs { 5, true, {}, setmetatable({}, {}) } do
      at_caller(function() local _ = schedule(wrong) end,
        "a function (epoch, epochs) --> factor expected, got ")
    end
  end)

  it("refuses an unknown option", function()
    at_caller(function() local _ = schedule { "constant", rate = 1 } end,
      "unknown option 'rate' of constant (known: none)")
    at_caller(function() local _ = schedule { "step", each = 1 } end,
      "unknown option 'each' of step (known: every, factor)")
    at_caller(function() local _ = schedule { "warm_up", 5 } end,
      "unknown option '2' of warm_up (known: after, epochs)")
  end)

  it("refuses an option out of its range", function()
    at_caller(function() local _ = schedule { "step", every = 0 } end,
      "step: every: a number above 0 expected, got 0")
    at_caller(function() local _ = schedule { "step", every = "3" } end,
      "step: every: a number above 0 expected, got \"3\"")
    at_caller(function() local _ = schedule { "step", factor = -1 } end,
      "step: factor: a number above 0 expected, got -1")
    at_caller(function() local _ = schedule { "multi_step", milestones = { 3, -1 } } end,
      "multi_step: milestones: a list of numbers expected, got -1 as number 2, where a number of "
      .. "0 or more is expected")
    at_caller(function() local _ = schedule.multi_step end,
      "multi_step: option 'milestones' is required")
    at_caller(function() local _ = schedule { "exponential", factor = 0 } end,
      "exponential: factor: a number above 0 expected, got 0")
    at_caller(function() local _ = schedule { "cosine", floor = 2 } end,
      "cosine: floor: a number from 0 to 1 expected, got 2")
    at_caller(function() local _ = schedule { "warm_up", epochs = 0 } end,
      "warm_up: epochs: a number above 0 expected, got 0")
    at_caller(function() local _ = schedule { "warm_up", epochs = 1 / 0 } end,
      "warm_up: epochs: a number above 0 expected, got inf")
  end)

  it("asks for the epochs done and all there will be", function()
    at_caller(function() local _ = schedule.cosine(3) end,
      "cosine: the epochs done and all there will be expected, got 3 and nil")
    at_caller(function() local _ = schedule.step("3", 10) end,
      "step: the epochs done and all there will be expected, got \"3\" and 10")
  end)
end)
