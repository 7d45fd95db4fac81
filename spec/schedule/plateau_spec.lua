-- A rate that falls where the training gets no further. How it falls is compared with PyTorch's in
-- schedule_spec.lua.

local at_caller = require("spec.support.misuse").at_caller
local clouds = require "spec.support.clouds"
local pl = require "perilune"

local train, test = clouds.new(100, 1), clouds.new(40, 2)

local function new(given)
  local options = {
    loss = "softmax_cross_entropy", optimizer = { "sgd", rate = 0.5 }, epochs = 8, batch = 25,
    schedule = { "plateau", patience = 0, threshold = 0.2, factor = 0.5 }, validation = test,
  }
  for name, value in pairs(given or {}) do options[name] = value end
  local net = pl.network({ inputs = 2, pl.dense(6, "tanh"), pl.dense(3) }, { seed = 3 })
  return pl.trainer(net, train, options)
end

local function rates(trainer)
  local list = {}
  for epoch, record in ipairs(trainer.history) do list[epoch] = record.rate end
  return list
end

describe("plateau in a training", function()
  it("lowers the rate of the epoch after one without an improvement", function()
    local trainer = new()
    trainer:run()
    local expected, best, rate = {}, math.huge, 0.5
    for epoch, record in ipairs(trainer.history) do
      expected[epoch] = rate
      if record.validation_loss < 0.8 * best then
        best = record.validation_loss
      else
        rate = rate / 2
      end
    end
    assert.same(expected, rates(trainer))
    assert.is_true(rate < 0.5)
  end)

  it("may look at another number, of which more may be better", function()
    local trainer = new { schedule = {
      "plateau", monitor = "validation_accuracy", patience = 0, threshold = 0.5, factor = 0.1,
    } }
    trainer:run()
    assert.same({ 0.5, 0.5, 0.05 }, { table.unpack(rates(trainer), 1, 3) })
  end)

  it("looks at the training's own loss where there is no validation", function()
    local trainer = new { validation = false, schedule = {
      "plateau", patience = 0, threshold = 0.99,
    } }
    trainer:run { epochs = 3 }
    local now = trainer.schedule()
    assert.near(0.01, now, 1e-15)
  end)

  it("goes on from a state to the same bits, within a warm-up too", function()
    local plateau = { "plateau", patience = 0, threshold = 0.2, factor = 0.5 }
    for _, schedule in ipairs { plateau, { "warm_up", after = plateau } } do
      local whole = new { schedule = schedule }
      whole:run()
      for steps = 0, 32 do
        local left = new { schedule = schedule }
        for _ = 1, steps do left:step() end
        local again = new { schedule = schedule }
        again:restore(left:state()):run()
        assert.same(rates(whole), rates(again))
        assert.equal(whole.net.theta:encode "float32", again.net.theta:encode "float32")
      end
    end
  end)

  it("is not shared by two trainings", function()
    local a, b = pl.schedule.plateau, pl.schedule.plateau
    a:on_epoch { loss = 1 }
    assert.is_nil(b:state().best)
  end)
end)

describe("plateau refuses", function()
  it("a number that will not be recorded, before the first step", function()
    at_caller(function() new { schedule = { "plateau", monitor = "validation_f7" } } end,
      "plateau: monitor: one of loss, accuracy, validation_loss, validation_accuracy expected, "
      .. "which are recorded here, got \"validation_f7\"")
    at_caller(function()
      new { validation = false, schedule = {
        "warm_up", after = { "plateau", monitor = "validation_loss" },
      } }
    end, "plateau: monitor: one of loss, accuracy expected")
  end)

  it("a state that is none of its own, and stays as it was", function()
    local plateau = pl.schedule { "plateau", patience = 0 }
    plateau:on_epoch { loss = 1 }
    plateau:on_epoch { loss = 2 }
    local before = plateau:state()
    at_caller(function() plateau:restore { now = 0.5, bad = 0 } end,
      "state of plateau: option 'waits' is required")
    at_caller(function() plateau:restore { now = 2, bad = 0, waits = 0 } end,
      "state of plateau: now: a number of at most 1 and above 0 expected, got 2")
    assert.same(before, plateau:state())
  end)

  it("a record without its number", function()
    local plateau = pl.schedule { "plateau", monitor = "f1" }
    at_caller(function() plateau:on_epoch { loss = 1 } end,
      "plateau: a record with the number f1 expected, got nil")
  end)
end)
