local at_caller = require("spec.support.misuse").at_caller
local clouds = require "spec.support.clouds"
local pl = require "perilune"
local same = require("spec.support.matrices").same

local classifier = clouds.classifier
local train, test = clouds.new(300, 1), clouds.new(200, 2)

local function fit(network, given, dataset)
  local history = clouds.fit(network, dataset or train, given)
  return history
end

describe("early stopping", function()
  -- The rate is so large from the third epoch on that every later epoch is worse.
  local function spoiled(early_stopping, given)
    local network = classifier()
    local snapshots = {}
    local chosen = {
      epochs = 10, validation = test, optimizer = pl.sgd { rate = 0.05 },
      early_stopping = early_stopping,
      schedule = function(epoch) return epoch < 2 and 1 or 4000 end,
      on_epoch = function(record) snapshots[record.epoch] = network.theta:copy() end,
    }
    for name, value in pairs(given or {}) do chosen[name] = value end
    return fit(network, chosen), network, snapshots
  end

  it("restores the best parameters and says which epoch they are of", function()
    local history, network, snapshots = spoiled { patience = 3 }
    for epoch = 3, #history do
      assert.is_true(history[epoch].validation_loss > history[2].validation_loss)
    end
    assert.equal("early", history.stopped)
    assert.equal(2, history.best_epoch)
    assert.equal(5, #history) -- three epochs without an improvement
    assert.is_true(same(snapshots[2], network.theta))
    assert.is_false(same(snapshots[5], network.theta))
  end)

  it("restores the best parameters where training ends before its patience", function()
    local history, network, snapshots = spoiled({ patience = 50 }, { epochs = 6 })
    assert.equal("epochs", history.stopped)
    assert.equal(6, #history)
    assert.equal(2, history.best_epoch)
    assert.is_true(same(snapshots[2], network.theta))
  end)

  it("restores the best parameters after a callback has stopped training", function()
    local network = classifier()
    local best
    local history = fit(network, {
      epochs = 9, validation = test, optimizer = pl.sgd { rate = 0.05 },
      early_stopping = true,
      schedule = function(epoch) return epoch < 2 and 1 or 4000 end,
      on_batch = function(progress)
        local at = ("%d.%d"):format(progress.epoch, progress.batch)
        if at == "2.10" then best = network.theta:copy() end
        if at == "4.5" then return "stop" end
      end,
    })
    assert.equal("callback", history.stopped)
    assert.equal(2, history.best_epoch)
    assert.is_true(same(best, network.theta))
  end)

  it("has a patience of 5 by default", function()
    local history = spoiled(true)
    assert.equal(7, #history)
    assert.equal("early", history.stopped)
  end)

  it("watches the validation loss, or else the loss", function()
    local function stops(given)
      local history = fit(classifier(), {
        epochs = 9, early_stopping = given, validation = test,
        optimizer = pl.sgd { rate = 0 },
      })
      return #history
    end
    assert.equal(3, stops { patience = 2 }) -- nothing improves at rate 0
    assert.equal(2, stops { patience = 1, monitor = "validation_accuracy" })
    local history = fit(classifier(), {
      epochs = 9, early_stopping = { patience = 1, improvement = 1e9 },
    })
    assert.equal(2, #history)
    assert.equal(1, history.best_epoch)
  end)

  it("takes a larger accuracy for better and a larger loss for worse", function()
    local history = fit(classifier(), {
      epochs = 6, validation = test,
      early_stopping = { patience = 6, monitor = "validation_accuracy" },
    })
    local best, largest = 1, history[1].validation_accuracy
    for epoch, record in ipairs(history) do
      if record.validation_accuracy > largest then
        best, largest = epoch, record.validation_accuracy
      end
    end
    assert.is_true(best > 1)
    assert.equal(best, history.best_epoch)
  end)

  it("takes the first or the last of epochs that are equally good", function()
    local function best_of(ties)
      local function loss(A, T, Delta)
        local J
        J, Delta = pl.loss.softmax_cross_entropy(A, T, Delta)
        return Delta and J or 1, Delta
      end
      return fit(classifier(), {
        epochs = 4, loss = loss, validation = test, early_stopping = { patience = 9, ties = ties },
      }).best_epoch
    end
    assert.same({ 1, 1, 4 }, { best_of(nil), best_of "first", best_of "last" })
  end)

  it("never takes an epoch for the best whose number is NaN", function()
    local evaluations = 0
    local function loss(A, T, Delta)
      local J
      J, Delta = pl.loss.softmax_cross_entropy(A, T, Delta)
      if not Delta then evaluations = evaluations + 1 end
      return not Delta and evaluations == 1 and 0 / 0 or J, Delta
    end
    local history = fit(classifier(), {
      epochs = 4, loss = loss, validation = test, early_stopping = { patience = 9 },
    })
    assert.is_true(history[1].validation_loss ~= history[1].validation_loss)
    assert.equal(4, history.best_epoch)
  end)

  it("counts only improvements of the size asked for", function()
    local history = fit(classifier(), {
      epochs = 9, early_stopping = { patience = 2, improvement = 100 }, validation = test,
    })
    assert.equal(3, #history)
    assert.equal(1, history.best_epoch)
  end)

  describe("by the rules of Prechelt", function()
    local EarlyStopping = require "perilune.early_stopping"

    -- The epoch at which these losses of training and validation stop a run, and the best one
    local function stop_of(options, training, validation)
      local recorded = { "loss", "validation_loss", more_is_better = {} }
      local stopping = EarlyStopping.new(options, classifier(), recorded)
      for epoch = 1, #validation do
        local stops = stopping:on_epoch {
          epoch = epoch, loss = training[epoch], validation_loss = validation[epoch],
        }
        if stops then return epoch, stopping.epoch end
      end
      return nil, stopping.epoch
    end

    local falling, bowl = {}, {}
    for epoch = 1, 20 do
      falling[epoch] = 1 / epoch
      bowl[epoch] = 1 + ((epoch - 10) / 10) ^ 2 -- the least at 10, 1.04 at 12, 1.09 at 13
    end

    it("ends where the number is so many per cent above its least (GL)", function()
      assert.same({ 13, 10 }, { stop_of({ generalization_loss = 5 }, falling, bowl) })
      assert.same({ 12, 10 }, { stop_of({ generalization_loss = 3 }, falling, bowl) })
      assert.same({ nil, 10 }, { stop_of({ generalization_loss = 101 }, falling, bowl) })
      -- not above 4 per cent when it is 4 per cent above
      assert.same({ 3, 1 }, { stop_of({ generalization_loss = 25 }, falling, { 4, 5, 5.001 }) })
    end)

    it("looks only after each strip", function()
      assert.same({ 15, 10 }, { stop_of({ strip = 5, generalization_loss = 5 }, falling, bowl) })
      assert.same({ 16, 8 }, { stop_of({ strip = 4, generalization_loss = 5 }, falling, bowl) })
      local spike = table.move(bowl, 1, 20, 1, {})
      spike[3], spike[6] = 0.1, 9
      assert.same({ 15, 10 }, { stop_of({ strip = 5, generalization_loss = 5 }, falling, spike) })
    end)

    it("ends where a strip's training losses are near its least one (P_k)", function()
      -- of { 2, 1 } the mean is 1.5 times the least: P_2 = 500
      local losses = { 2, 1, 1.2, 0.8, 0.81, 0.79, 0.7, 0.7 }
      local level = { 1, 1, 1, 1, 1, 1, 1, 1 }
      local function stop(progress)
        return (stop_of({ strip = 2, progress = progress }, losses, level))
      end
      assert.equal(2, stop(500.1))
      assert.equal(4, stop(499.9)) -- { 1.2, 0.8 }: 250
      assert.equal(6, stop(249.9)) -- { 0.81, 0.79 }: 0.8 / 0.79 - 1, 12.7
      assert.equal(8, stop(12.6))
      assert.is_nil(stop(0))
      -- the least may stand anywhere in the strip
      assert.equal(6, (stop_of({ strip = 3, progress = 400 }, { 3, 1, 2, 1.3, 1.4, 1 }, level)))
    end)

    it("ends where the number rises faster than the training goes on (PQ)", function()
      local training = { 2, 1, 1.2, 0.8, 0.81, 0.79 } -- P_2 = 500, 250, 12.7
      local validation = { 9, 1, 9, 1.1, 9, 1.05 } -- GL = 0, 10, 5
      local function stop(quotient)
        return (stop_of({ strip = 2, quotient = quotient }, training, validation))
      end
      assert.equal(4, stop(0.0399))
      assert.equal(6, stop(0.0401)) -- 5 / 12.7 = 0.39
      assert.equal(6, stop(0.39))
      assert.is_nil(stop(0.40))
    end)

    it("are loops over random losses", function()
      local random = pl.float64.matrix(3, 60)
      pl.generator(3):uniform(random)
      for case = 1, 40 do
        local training, validation, k = {}, {}, 2 + case % 4
        for epoch = 1, 60 do
          local n = (epoch * case) % 60 + 1
          training[epoch] = 1 / epoch + random:get(1, n) / 50
          validation[epoch] = 1 + random:get(2, n) / 10 + (epoch / 60) ^ 2 / 5
        end
        local alpha, most = 20 * random:get(3, case), 300 * random:get(3, case + 20) ^ 2
        local least, best, expected = math.huge, 0, nil
        for epoch = k, 60, k do
          if validation[epoch] < least then least, best = validation[epoch], epoch end
          local sum, least_loss = 0, math.huge
          for e = epoch - k + 1, epoch do
            sum, least_loss = sum + training[e], math.min(least_loss, training[e])
          end
          local gl = 100 * (validation[epoch] / least - 1)
          local p = 1000 * (sum / (k * least_loss) - 1)
          if gl > alpha or p < most then
            expected = epoch
            break
          end
        end
        assert.same({ expected, best }, { stop_of({ strip = k, generalization_loss = alpha,
          progress = most }, training, validation) })
      end
    end)

    it("have no patience beside them unless it is asked for", function()
      local rising = {}
      for epoch = 1, 20 do rising[epoch] = 1 + epoch / 1000 end
      assert.is_nil((stop_of({ generalization_loss = 5 }, falling, rising)))
      assert.equal(8, (stop_of({ generalization_loss = 5, patience = 7 }, falling, rising)))
      assert.equal(6, (stop_of({}, falling, rising)))
      assert.equal(9, (stop_of({ strip = 3, patience = 4 }, falling, rising)))
    end)

    it("never stop for NaN, and take losses below 0 by their size", function()
      local nan = {}
      for epoch = 1, 6 do nan[epoch] = 0 / 0 end
      local rules = { strip = 2, generalization_loss = 5, progress = 1, quotient = 1 }
      assert.is_nil((stop_of(rules, nan, nan)))
      assert.is_nil((stop_of({ strip = 2, progress = 1 }, { 0, 0 }, { 1, 1 })))
      -- 4.5 and then 5.5 per cent above -2
      assert.equal(4, (stop_of({ generalization_loss = 5 }, falling, { -1, -2, -1.91, -1.89 })))
    end)

    it("go on from a state within a strip, through a file too", function()
      local function new()
        return pl.trainer(classifier(), train, {
          loss = "softmax_cross_entropy", optimizer = { "adam", rate = 0.02 }, validation = test,
          epochs = 40, batch = 50,
          early_stopping = { strip = 3, generalization_loss = 3, progress = 40 },
        })
      end
      local straight = new()
      straight:run()
      assert.equal("early", straight.history.stopped)
      assert.is_true(#straight.history > 6)
      local path = os.tmpname()
      local first, second, third = new(), new(), new()
      first:run { epochs = 4 }
      second:restore(first:state())
      second:run()
      assert(first:save(path))
      assert(third:load(path))
      third:run()
      os.remove(path)
      for _, trainer in ipairs { second, third } do
        assert.equal(#straight.history, #trainer.history)
        assert.equal(straight.history.best_epoch, trainer.history.best_epoch)
        assert.is_true(same(straight.net.theta, trainer.net.theta))
      end
      local state = first:state()
      state.early_stopping.losses = { "high" }
      at_caller(function() new():restore(state) end, "state of early stopping expected")
      state.early_stopping.losses = nil
      at_caller(function() new():restore(state) end, "state of early stopping expected")
    end)

    it("are told where they cannot do their work", function()
      local function refused(early_stopping, message)
        local network = classifier()
        local options = { loss = "softmax_cross_entropy", early_stopping = early_stopping }
        at_caller(function() pl.fit(network, train, options) end, message)
      end
      refused({ progress = 0.1 },
        "early_stopping: strip: 2 epochs or more expected for progress, got 1")
      refused({ quotient = 1 }, "strip: 2 epochs or more expected for quotient, got 1")
      refused({ generalization_loss = 5, monitor = "accuracy" }, "early_stopping: "
        .. "generalization_loss and quotient are of a number that is better the less it is, "
        .. 'got "accuracy"')
      refused({ generalization_loss = -1 }, "generalization_loss: a number of 0 or more")
      refused({ strip = 0 }, "strip: a whole number of 1 or more")
    end)
  end)

  it("refuses wrong options", function()
    local function with(early_stopping)
      return { loss = "softmax_cross_entropy", early_stopping = early_stopping }
    end
    local network = classifier()
    at_caller(function() pl.fit(network, train, with { wait = 3 }) end,
      "unknown option 'wait' of early_stopping (known: generalization_loss, improvement, "
        .. "monitor, patience, progress, quotient, strip, ties)")
    at_caller(function() pl.fit(network, train, with { patience = 0 }) end,
      "patience: a whole number of 1 or more expected, got 0")
    at_caller(function() pl.fit(network, train, with(3)) end,
      "a table of options expected, got 3")
    at_caller(function() pl.fit(network, train, with { monitor = "validation_loss" }) end,
      "monitor: one of loss, accuracy expected, which are recorded here, got \"validation_loss\"")
    at_caller(function() pl.fit(network, train, with { monitor = 3 }) end, "monitor")
    at_caller(function() pl.fit(network, train, with { improvement = "big" }) end,
      "improvement")
  end)
end)
