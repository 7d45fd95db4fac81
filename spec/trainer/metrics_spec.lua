-- Metrics in training: recorded, monitored, part of the state.

local at_caller = require("spec.support.misuse").at_caller
local clouds = require "spec.support.clouds"
local memory = require "spec.support.memory"
local pl = require "perilune"
local state_file = require "perilune.store.state"

local classifier = clouds.classifier
local train, test = clouds.new(150, 1), clouds.new(60, 2)
local METRICS = { "f1", { "top_k", k = 2, name = "top_2" }, "roc_auc", "log_loss" }

local function options(given)
  local chosen = {
    loss = "softmax_cross_entropy", optimizer = { "adam", rate = 0.02 }, epochs = 3, batch = 32,
    validation = test, metrics = METRICS,
  }
  for name, value in pairs(given or {}) do chosen[name] = value end
  return chosen
end

-- Labels that a sample may have several of, a target row for each
local function new_several(X)
  local T = pl.matrix(3, X.cols)
  for n = 1, X.cols do
    local x, y = X:get(1, n), X:get(2, n)
    T:set(1, n, x > 0 and 1 or 0):set(2, n, y > 0 and 1 or 0):set(3, n, x > y and 1 or 0)
  end
  return T
end

-- A loss of the user's own for such
local function several_loss()
  local loss = pl.loss(function(A, T, Delta) return pl.loss.squared_error(A, T, Delta) end)
  loss.targets = "several"
  return loss
end

describe("metrics in training", function()
  it("are recorded of each epoch by their names, beside loss and accuracy", function()
    local history = pl.fit(classifier(), train, options())
    for _, record in ipairs(history) do
      local count = 0
      for name, value in pairs(record) do
        assert.is_number(value)
        if name ~= "epoch" and name ~= "rate" then count = count + 1 end
      end
      assert.equal(2 * (2 + #METRICS), count)
    end
    assert.is_true(history[3].validation_f1 > history[1].f1)
  end)

  it("are of all samples as they were trained, and of all of the validation set", function()
    local network = classifier()
    local A, V = network:predict(train.X), network:predict(test.X)
    local record = pl.fit(network, train, options {
      epochs = 1, optimizer = pl.sgd { rate = 0 },
    })[1]
    for _, description in ipairs(METRICS) do
      local metric = pl.metric(description)
      local about = { gives = "logits" }
      assert.near(metric(A, train.T, nil, about), record[metric.name], 1e-6)
      assert.near(metric(V, test.T, nil, about), record["validation_" .. metric.name], 1e-6)
    end
  end)

  it("are weighted as the samples are", function()
    local weights = pl.generator(3):uniform(pl.matrix(1, 60))
    local weighted = clouds.new(60, 2, nil, { weights = weights })
    local network = classifier()
    local record = pl.fit(network, train, options { epochs = 1, validation = weighted })[1]
    local A, about = network:predict(test.X), { gives = "logits" }
    assert.near(pl.metric.f1(A, test.T, weights, about), record.validation_f1, 1e-6)
    assert.near(pl.metric.roc_auc(A, test.T, weights, about), record.validation_roc_auc, 1e-6)
  end)

  it("may take the place of the accuracy, under its name", function()
    local record = pl.fit(classifier(), train, options {
      epochs = 1, metrics = { { "top_k", k = 2, name = "accuracy" } },
    })[1]
    assert.is_true(record.accuracy > 0.5)
    local plain = pl.fit(classifier(), train, options { epochs = 1, metrics = {} })[1]
    assert.is_true(record.validation_accuracy > plain.validation_accuracy)
  end)

  it("may be one's own", function()
    local metrics = { { name = "largest", more_is_better = false, compute = function(A)
      return A:max()
    end } }
    local network = classifier()
    local history = pl.fit(network, train, options { metrics = metrics, early_stopping = {
      monitor = "validation_largest",
    } })
    local least = 1
    for epoch, record in ipairs(history) do
      if record.validation_largest < history[least].validation_largest then least = epoch end
    end
    assert.equal(least, history.best_epoch)
  end)

  it("do not change what is trained", function()
    local with, without = classifier(), classifier()
    pl.fit(with, train, options())
    pl.fit(without, train, options { metrics = {} })
    assert.equal(0, (with.theta - without.theta):norm())
  end)

  it("are misused before the first step", function()
    local network = classifier()
    local before = network.theta:copy()
    local function refused(expected, given)
      at_caller(function() pl.fit(network, train, options(given)) end, expected)
      assert.equal(0, (network.theta - before):norm())
    end
    refused("unknown metric 'area' (known: accuracy, auc, average_precision, ",
      { metrics = { "area" } })
    refused('metrics: two are called "f1"', { metrics = { "f1", "f1" } })
    refused("top_k: k: a whole number from 1 to 2", { metrics = { { "top_k", k = 3 } } })
    refused("mse takes no labels", { metrics = { "mse" } })
    refused("hamming_loss is of several labels", { metrics = { "hamming_loss" } })
    refused("early_stopping: monitor: one of loss, accuracy, f1, validation_loss, "
      .. "validation_accuracy, validation_f1 expected, which are recorded here, got \"f2\"",
      { metrics = { "f1" }, early_stopping = { monitor = "f2" } })
    local values = pl.dataset { X = train.X, T = pl.matrix(3, 150):fill(0.5), classes = { "a", "b",
      "c" } }
    at_caller(function()
      pl.fit(network, values, options { loss = "squared_error", metrics = { "log_loss" },
        validation = false })
    end, "T: one class for each sample expected, got several largest targets for sample 1")
    at_caller(function()
      pl.fit(network, train:one_hot(), options { loss = "squared_error", metrics = { "log_loss" },
        validation = false })
    end, "log_loss needs probabilities")
  end)
end)

describe("metrics that are monitored", function()
  -- The epoch whose number is best, the first of several
  local function best(history, name, is_more)
    local found = 1
    for epoch, record in ipairs(history) do
      local value, so_far = record[name], history[found][name]
      if is_more and value > so_far or not is_more and value < so_far then found = epoch end
    end
    return found
  end

  it("say themselves whether more is better", function()
    for name, is_more in pairs {
      validation_roc_auc = true, validation_f1 = true, validation_log_loss = false, f1 = true,
      log_loss = false,
    } do
      local history = pl.fit(classifier(), train, options {
        epochs = 8, optimizer = { "sgd", rate = 0.02 },
        early_stopping = { patience = 20, monitor = name },
        schedule = function(epoch) return epoch < 3 and 1 or 300 end,
      })
      assert.equal(8, #history)
      assert.equal(best(history, name, is_more), history.best_epoch)
    end
  end)
end)

describe("a schedule that monitors a metric", function()
  it("lowers the rate where more of it would be better", function()
    local history = pl.fit(classifier(), train, options {
      epochs = 6, optimizer = { "sgd", rate = 0.05 },
      schedule = { "plateau", monitor = "validation_f1", patience = 0, factor = 0.5 },
    })
    local best, factor, lowered = -1, 1, 0
    for _, record in ipairs(history) do
      assert.near(0.05 * factor, record.rate, 1e-12)
      if record.validation_f1 > best * (1 + 1e-4) then
        best = record.validation_f1
      else
        factor, lowered = factor / 2, lowered + 1
      end
    end
    assert.is_true(lowered > 0 and lowered < 5)
  end)
end)

describe("a run that goes on from a state, with metrics", function()
  local function new(given)
    return pl.trainer(classifier(), train, options(given))
  end

  local function records(trainer)
    local list = {}
    for epoch, record in ipairs(trainer:run()) do
      local names = {}
      for name, value in pairs(record) do names[#names + 1] = ("%s %a"):format(name, value) end
      table.sort(names)
      list[epoch] = table.concat(names, " ")
    end
    return list
  end

  local expected = records(new())

  it("records the same bits, whichever batch it was left after", function()
    for steps = 0, 15 do
      local left = new()
      for _ = 1, steps do left:step() end
      local state = left:state()
      left:run()
      assert.same(expected, records(new():restore(state)))
    end
  end)

  it("records the same bits from a file, of the same metrics only", function()
    local path = os.tmpname()
    local left = new()
    left:run { steps = 7 }
    assert(left:save(path))
    local trainer = new()
    assert(trainer:load(path))
    assert.same(expected, records(trainer))
    local ok, message = new({ metrics = { "f1" } }):load(path)
    os.remove(path)
    assert.is_nil(ok)
    assert.matches("metrics", message)
  end)
end)

describe("a step that raises in a metric", function()
  -- All that a trainer remembers, as text
  local function everything(trainer)
    local tensors, text = state_file.encode { trainer:state(), trainer.progress }
    local parts = { text }
    for k, tensor in ipairs(tensors) do
      parts[k + 1] = tensor.bytes or tensor.matrix:encode(tensor.matrix.dtype)
    end
    return table.concat(parts, "|")
  end

  -- A run with a metric of one's own that raises when it is called for the count-th time
  local function raising(count)
    local own, calls = { name = "own", more_is_better = true }, 0
    function own.compute(A)
      calls = calls + 1
      if calls == count then error("fault", 0) end
      return A:sum()
    end
    return pl.trainer(classifier(), train, options {
      metrics = { "f1", "roc_auc", own, { "top_k", k = 2 } }, validation = false,
    })
  end

  local function finished(trainer)
    trainer:run()
    return everything(trainer)
  end

  it("has changed nothing, and is made by the next to the same bits", function()
    local whole = finished(raising(0))
    for _, count in ipairs { 1, 2, 5, 6, 15 } do
      local trainer = raising(count)
      for _ = 2, count do trainer:step() end
      local before = everything(trainer)
      assert.has_error(function() trainer:step() end, "fault")
      assert.equal(before, everything(trainer))
      assert.equal(whole, finished(trainer))
    end
  end)

  it("for want of a buffer has changed nothing, whichever buffer it is", function()
    local whole = finished(raising(0))
    for _, steps in ipairs { 0, 4 } do -- the last batch of an epoch is smaller
      local count = 0
      local ok, message, trainer
      repeat
        trainer = raising(0)
        for _ = 1, steps do trainer:step() end
        local before = everything(trainer)
        ok, message = memory.without_buffer(count + 1, trainer.step, trainer)
        if not ok then
          count = count + 1
          assert.equal("not enough memory", message)
          assert.equal(before, everything(trainer))
          assert.equal(whole, finished(trainer))
        end
      until ok
      assert.is_true(count > 5)
    end
  end)
end)

describe("several labels at once", function()
  local T = new_several(train.X)
  local set = pl.dataset { X = train.X, T = T, classes = { "right", "high", "below" } }

  local function network()
    return pl.network { inputs = 2, pl.dense(8, "tanh"), pl.dense(3, "sigmoid") }
  end

  it("are told by the loss, and then the accuracy is that of all labels of a sample", function()
    local net = network()
    local history = pl.fit(net, set, {
      loss = several_loss(), epochs = 3, metrics = { "hamming_loss", "f1", "roc_auc" },
      validation = set,
    })
    local A = net:predict(train.X)
    local right, wrong = 0, 0
    for n = 1, train.N do
      local is_right = true
      for i = 1, 3 do
        local is_wrong = (A:get(i, n) >= 0.5) ~= (T:get(i, n) == 1)
        wrong = wrong + (is_wrong and 1 or 0)
        is_right = is_right and not is_wrong
      end
      right = right + (is_right and 1 or 0)
    end
    local record = history[3]
    assert.near(right / train.N, record.validation_accuracy, 1e-12)
    assert.near(wrong / (3 * train.N), record.validation_hamming_loss, 1e-12)
    local about = { targets = "several" }
    assert.near(pl.metric.f1(A, T, nil, about), record.validation_f1, 1e-12)
    assert.near(pl.metric.roc_auc(A, T, nil, about), record.validation_roc_auc, 1e-12)
    local result = pl.evaluate(net, set, several_loss())
    assert.near(right / train.N, result.accuracy, 1e-12)
  end)

  it("are never taken for one class", function()
    local message = "T: one class for each sample expected, got several largest targets for sample "
    at_caller(function() pl.fit(network(), set, { loss = "squared_error" }) end, message)
    at_caller(function() pl.evaluate(network(), set) end, message)
    at_caller(function() pl.evaluate(network(), set, nil, { "f1" }) end, message)
    at_caller(function()
      pl.fit(network(), set, { loss = several_loss(), metrics = { { "top_k", k = 1 } } })
    end, "top_k is of one class for each sample, and these targets are several labels")
  end)

  it("are known to the network that was trained of them", function()
    local net = network()
    net.classes = set.classes
    pl.fit(net, set, { loss = several_loss(), epochs = 3 })
    assert.equal("several", net.targets)
    local result = pl.evaluate(net, set, nil, { "f1", "hamming_loss" })
    local A, about = net:predict(train.X), { targets = "several" }
    for _, name in ipairs { "accuracy", "f1", "hamming_loss" } do
      assert.near(pl.metric[name](A, T, nil, about), result[name], 1e-12)
    end
    local labels = net:classify(train.X)
    for n = 1, train.N do
      local expected = {}
      for i, name in ipairs(set.classes) do
        if A:get(i, n) >= 0.5 then expected[#expected + 1] = name end
      end
      assert.same(expected, labels[n])
    end
    -- A loss that says nothing of targets leaves what is known; one that says otherwise does not.
    local loss = several_loss()
    pl.fit(net, set, { loss = "squared_error", epochs = 1 })
    assert.equal("several", net.targets)
    loss.targets = "one"
    net.classes = nil
    local labelled = pl.dataset { X = train.X, labels = train.T }:one_hot()
    pl.fit(net, labelled, { loss = loss, epochs = 1 })
    assert.equal("one", net.targets)
    assert.is_number(net:classify(train.X)[1])
  end)

  it("are as before where the first step raises, and part of a run's state", function()
    local net, raises = network(), true
    local trainer = pl.trainer(net, set, { loss = several_loss(), on_gradients = function()
      if raises then error("fault", 0) end
    end })
    assert.has_error(function() trainer:step() end, "fault")
    assert.is_nil(net.targets)
    local before = trainer:state()
    raises = false
    trainer:step()
    assert.equal("several", net.targets)
    local after = trainer:state()
    trainer:restore(before)
    assert.is_nil(net.targets)
    trainer:restore(after)
    assert.equal("several", net.targets)
  end)

  it("of one output are two classes", function()
    local t = pl.matrix(1, 150)
    for n = 1, 150 do t:set(1, n, T:get(1, n)) end
    local one = pl.dataset { X = train.X, T = t, classes = { "left", "right" } }
    local net = pl.network { inputs = 2, pl.dense(1, "sigmoid") }
    local record = pl.fit(net, one, { loss = several_loss(), epochs = 1, validation = one,
      metrics = { "cohen_kappa" } })[1]
    assert.near(pl.metric.accuracy(net:predict(train.X), t), record.validation_accuracy, 1e-12)
  end)
end)
