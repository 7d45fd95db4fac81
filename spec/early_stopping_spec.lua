local at_caller = require("spec.support.misuse").at_caller
local clouds = require "spec.support.clouds"
local pl = require "perilune"
local same = require("spec.support.matrices").same

local classifier = clouds.classifier
local train, test = clouds.new(300, 1), clouds.new(200, 2)

local function fit(network, given, dataset)
  local chosen = {
    loss = "softmax_cross_entropy", optimizer = pl.adam { rate = 0.02 },
    epochs = 3, batch = 32,
  }
  for name, value in pairs(given or {}) do chosen[name] = value end
  local history = pl.fit(network, dataset or train, chosen)
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

  it("refuses wrong options", function()
    local function with(early_stopping)
      return { loss = "softmax_cross_entropy", early_stopping = early_stopping }
    end
    local network = classifier()
    at_caller(function() pl.fit(network, train, with { wait = 3 }) end,
      "unknown option 'wait' of early_stopping (known: improvement, monitor, patience, ties)")
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
