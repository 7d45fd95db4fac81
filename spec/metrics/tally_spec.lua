local Tally = require "perilune.metrics.tally"
local pl = require "perilune"

local core = pl.float64

local function new(changes)
  local options = { core = core, outputs = 2, has_classes = true }
  for name, value in pairs(changes or {}) do options[name] = value end
  return Tally.new(options)
end

describe("A tally", function()
  -- predicted 1, 2, 1; right, right, wrong
  local A = core.matrix { { 3, 1, 2 }, { 1, 2, 1 } }
  local T = core.matrix { { 1, 2, 2 } }

  it("gives the mean loss and the accuracy of batches of any size", function()
    local tally = new()
    tally:add(A, T, nil, 0.5)
    tally:add(A:columns(1, 1), T:columns(1, 1), nil, 0.1)
    assert.near((3 * 0.5 + 0.1) / 4, tally:mean_loss(), 1e-15)
    assert.equal(3 / 4, tally:accuracy())
    assert.equal(4, tally.samples)
  end)

  it("weighs a batch, which changes nothing, and counts it then", function()
    local tally, weights = new(), core.matrix { { 0.5, 0, 2 } }
    local before = tally:state()
    local function weigh() return tally:weigh(A, T, weights, 3) end
    weigh()
    assert.same(before, tally:state())
    tally:count(3, 0.3, weigh())
    local added = new()
    added:add(A, T, weights, 0.3)
    assert.same(added:state(), tally:state())
  end)

  it("counts samples by their weights", function()
    local tally = new()
    tally:add(A, T, core.matrix { { 0.5, 0, 2 } }, 0.3)
    tally:add(A, T, core.matrix { { 1, 1, 1 } }, 0.7)
    assert.near((2.5 * 0.3 + 3 * 0.7) / 5.5, tally:mean_loss(), 1e-15)
    assert.near((0.5 + 2) / 5.5, tally:accuracy(), 1e-15)
  end)

  it("counts the loss by weights of single targets, and samples alike", function()
    local tally = new()
    tally:add(A, T, core.matrix { { 1, 0, 1 }, { 1, 1, 1 } }, 0.3)
    tally:add(A, T, core.matrix { { 1, 1, 1 }, { 1, 1, 1 } }, 0.7)
    assert.near((2.5 * 0.3 + 3 * 0.7) / 5.5, tally:mean_loss(), 1e-15)
    assert.near(4 / 6, tally:accuracy(), 1e-15)
  end)

  it("takes target columns, and one output for two classes", function()
    local tally = new()
    tally:add(A, core.matrix { { 1, 0, 0 }, { 0, 1, 1 } })
    assert.near(2 / 3, tally:accuracy(), 1e-15)
    local a, t = core.matrix { { 0.4, 0.6, -1 } }, core.matrix { { 0, 1, 1 } }
    for gives, right in pairs { logits = 1, probabilities = 2 } do
      tally = new { outputs = 1, gives = gives }
      tally:add(a, t)
      assert.near(right / 3, tally:accuracy(), 1e-15)
    end
  end)

  it("counts no sample whose target is not known", function()
    local nan = 0 / 0
    local columns = core.matrix { { 1, nan, 0 }, { 0, 0, 1 } }
    local tally = new()
    tally:add(A, columns)
    assert.equal(1 / 2, tally:accuracy())
    tally:reset():add(A, columns, core.matrix { { 3, 5, 1 } })
    assert.equal(3 / 4, tally:accuracy())
    assert.is_true(columns:get(1, 2) ~= columns:get(1, 2))
    tally = new { outputs = 1 }
    tally:add(core.matrix { { 1, 0, 0 } }, core.matrix { { 1, nan, 0 } })
    assert.equal(1, tally:accuracy())
  end)

  it("has no accuracy without classes, and no loss without J", function()
    local tally = new { has_classes = false }
    tally:add(A, T, nil, 2)
    assert.is_nil(tally:accuracy())
    assert.equal(2, tally:mean_loss())
    tally = new()
    tally:add(A, T)
    assert.equal(0, tally:mean_loss())
    assert.near(2 / 3, tally:accuracy(), 1e-15)
  end)

  it("is 0 where nothing has a weight", function()
    local tally = new()
    assert.same({ 0, 0 }, { tally:mean_loss(), tally:accuracy() })
    tally:add(A, T, core.matrix(1, 3), 0)
    assert.same({ 0, 0, 0 }, { tally:mean_loss(), tally:accuracy(), tally.weight })
  end)

  it("begins again after reset", function()
    local tally = new()
    tally:add(A, T, nil, 5)
    assert.is_true(rawequal(tally, tally:reset()))
    tally:add(A, T, nil, 1)
    assert.same({ 1, 3 }, { tally:mean_loss(), tally.samples })
  end)

  it("allocates nothing once every size of batch was seen", function()
    local one_hot = core.matrix { { 1, 0, 0 }, { 0, 1, 1 } }
    local cases = {
      { new(), A, T }, { new(), A, one_hot }, { new(), A, T, core.matrix(1, 3):fill(1) },
      { new { outputs = 1 }, T / 3, T / 3 },
    }
    local function round()
      for _, case in ipairs(cases) do case[1]:add(case[2], case[3], case[4], 0.5) end
    end
    collectgarbage()
    collectgarbage "stop"
    round()
    local before = collectgarbage "count"
    for _ = 1, 10 do round() end
    local kilobytes = collectgarbage "count" - before
    collectgarbage "restart"
    assert.equal(0, kilobytes)
  end)
end)

describe("The total weight of a batch", function()
  it("is N, the sum of the samples' weights, or that of the targets' over S_L", function()
    assert.equal(7, Tally.total_weight(nil, 7, 3))
    assert.equal(3.5, Tally.total_weight(core.matrix { { 1, 0.5, 2 } }, 3, 4))
    local of_targets = core.matrix { { 1, 0, 2 }, { 1, 1, 1 } }
    assert.equal(3, Tally.total_weight(of_targets, 3, 2))
    assert.equal(3, pl.metrics.total_weight(of_targets, 3, 2))
  end)
end)
