local Batch = require "perilune.metrics.batch"
local at_caller = require("spec.support.misuse").at_caller
local naive = require "spec.support.naive"
local pl = require "perilune"

local nan = naive.nan

for _, dtype in ipairs(naive.types) do
  local core = pl[dtype]

  local function new(outputs, gives)
    return Batch.new { core = core, outputs = outputs, gives = gives }
  end

  local function look(batch, A, T, weights)
    return batch:set(A, T, weights, A.cols)
  end

  describe("a batch of " .. dtype, function()
    local A = core.matrix { { 3, 1, 2 }, { 1, 2, 1 } }
    local T = core.matrix { { 1, nan, 0 }, { 0, 1, 1 } }

    it("says one class for each sample, without those that are not known", function()
      local batch = look(new(2), A, T)
      local predicted, actual, weights = batch:classes()
      assert.same({ { 1, 2, 1 } }, predicted:totable())
      assert.same({ 1, 2 }, { actual:get(1, 1), actual:get(1, 3) })
      assert.same({ { 1, 0, 1 } }, weights:totable())
      assert.is_true(rawequal(predicted, (batch:classes())))
      local given = core.matrix { { 2, 3, 5 } }
      _, _, weights = look(batch, A, T, given):classes()
      assert.same({ { 2, 0, 5 } }, weights:totable())
      assert.same({ { 2, 3, 5 } }, given:totable())
      _, _, weights = look(batch, A, core.matrix { { 1, 2, 1 } }, core.matrix(2, 3)):classes()
      assert.is_nil(weights)
    end)

    it("says several labels, without targets that are not known", function()
      local given = core.matrix { { 2, 3, 5 } }
      local predicted, actual, weights = look(new(2), A / 4, T, given):labels()
      assert.same({ { 1, 0, 1 }, { 0, 1, 0 } }, predicted:totable())
      assert.same({ { 1, 0, 0 }, { 0, 1, 1 } }, actual:totable())
      assert.same({ { 2, 0, 5 }, { 2, 3, 5 } }, weights:totable())
      predicted = look(new(2, "logits"), A - 1.5, T):labels()
      assert.same({ { 1, 0, 1 }, { 0, 1, 0 } }, predicted:totable())
    end)

    it("says numbers, without targets that are not known", function()
      local outputs, targets, weights = look(new(2), A, T):values()
      assert.is_true(rawequal(A, outputs))
      assert.same({ { 1, 0, 0 }, { 0, 1, 1 } }, targets:totable())
      assert.same({ { 1, 0, 1 }, { 1, 1, 1 } }, weights:totable())
      _, targets, weights = look(new(2), A, A):values()
      assert.is_true(rawequal(A, targets))
      assert.is_nil(weights)
    end)

    it("makes probabilities of logits", function()
      local P = look(new(2, "logits"), A, T):probabilities()
      naive.near(P, naive.activate("softmax", A:totable()), naive.tolerance[dtype])
      local a = core.matrix { { -1, 0, 2 } }
      P = look(new(1, "logits"), a, a):probabilities()
      naive.near(P, naive.activate("sigmoid", a:totable()), naive.tolerance[dtype])
    end)

    it("takes probabilities as they are, and nothing else for such", function()
      local P = core.matrix { { 0.25, 1 }, { 0.75, 0 } }
      assert.is_true(rawequal(P, look(new(2, "probabilities"), P, P):probabilities()))
      at_caller(function() look(new(2), A, T):probabilities() end,
        "probabilities from 0 to 1 expected, got some from 1 to 3")
      at_caller(function() look(new(2), P / 2, P):probabilities() end, "got sums from 0.5 to 0.5")
    end)
  end)
end
