local allocated_by = require("spec.support.memory").allocated
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

describe("fit", function()
  for _, dtype in ipairs { "float32", "float64" } do
    it("learns to tell three clouds apart to 98 %, " .. dtype, function()
      local network = classifier(dtype)
      local history = fit(network, { epochs = 8 })
      assert.equal(8, #history)
      assert.equal("epochs", history.stopped)
      assert.is_true(history[8].loss < 0.2 * history[1].loss)
      assert.is_true(history[8].accuracy >= 0.98)
      assert.is_true(pl.evaluate(network, test).accuracy >= 0.98)
    end)
  end

  for _, kind in ipairs { "sgd", "momentum", "adam" } do
    it("learns with " .. kind, function()
      local network = classifier()
      fit(network, { epochs = 10, optimizer = pl[kind] { rate = 0.05 } })
      assert.is_true(pl.evaluate(network, test).accuracy >= 0.97)
    end)
  end

  it("learns exclusive or", function()
    local X = { { 0, 0, 1, 1 }, { 0, 1, 0, 1 } }
    local network = pl.network { inputs = 2, pl.dense(4, "tanh"), pl.dense(1, "sigmoid") }
    pl.fit(network, pl.dataset { X = X, T = { { 0, 1, 1, 0 } } }, {
      loss = "squared_error", optimizer = pl.adam { rate = 0.05 },
      epochs = 400, batch = 4,
    })
    local A = network:predict(pl.matrix(X))
    for n, t in ipairs { 0, 1, 1, 0 } do assert.near(t, A:get(1, n), 0.1) end
  end)

  it("learns with one-hot targets and the squared error", function()
    local network = classifier()
    local history = fit(network, { epochs = 8, loss = "squared_error" }, train:one_hot())
    assert.is_true(history[8].accuracy >= 0.97)
  end)

  it("learns a function, with T and no accuracy", function()
    local core = pl.float64
    local X = core.generator(3):uniform(core.matrix(1, 200), -2, 2)
    local T = X:map(math.sin)
    local network = pl.network({ inputs = 1, pl.dense(16, "tanh"), pl.dense(1) },
      { dtype = "float64" })
    local history = pl.fit(network, pl.dataset { X = X, T = T }, {
      loss = "squared_error", optimizer = pl.adam { rate = 0.02 },
      epochs = 60, batch = 20,
      validation = pl.dataset { X = X, T = T },
    })
    assert.is_nil(history[60].accuracy)
    assert.is_nil(history[60].validation_accuracy)
    assert.is_true(history[60].validation_loss < 1e-3)
    assert.is_true((network:predict(X) - T):map(math.abs):max() < 0.15)
  end)

  it("takes a dataset of the other type, and bytes", function()
    local network = classifier "float64"
    local history = fit(network, { epochs = 8 }, clouds.new(300, 1, "float32"))
    assert.is_true(history[8].accuracy > 0.97)
    local bytes, labels = {}, {}
    for n = 1, 100 do
      labels[n] = 1 + n % 2
      bytes[n] = string.char(n % 2 * 200, 255 - n)
    end
    local X = pl.bytes(table.concat(bytes), 2, 100)
    local dataset = pl.dataset { X = X, labels = labels }
    for _, dtype in ipairs { "float32", "float64" } do
      assert.equal(1, fit(classifier(dtype), { epochs = 30 }, dataset)[30].accuracy)
    end
  end)

  it("takes a loss of one's own", function()
    local calls = 0
    local function own(A, T, Delta)
      calls = calls + 1
      local J
      J, Delta = pl.loss.softmax_cross_entropy(A, T, Delta)
      return 2 * J, Delta
    end
    local once = fit(classifier(), { epochs = 1 })
    local doubled = fit(classifier(), { epochs = 1, loss = own })
    assert.equal(10, calls)
    assert.equal(2 * once[1].loss, doubled[1].loss)
  end)

  it("takes an optimizer of one's own: a table with a method step", function()
    local steps = 0
    local own = { step = function(_, parameters)
      steps = steps + 1
      assert.equal(4, #parameters)
    end }
    fit(classifier(), { epochs = 2, optimizer = own })
    assert.equal(20, steps)
  end)
end)

describe("the history of fit", function()
  it("is a record for each epoch", function()
    local history = fit(classifier(), { validation = test })
    assert.equal(3, #history)
    for epoch, record in ipairs(history) do
      assert.equal(epoch, record.epoch)
      assert.equal(0.02, record.rate)
      for _, name in ipairs { "loss", "accuracy" } do
        assert.is_number(record[name])
        assert.is_number(record["validation_" .. name])
      end
    end
    assert.is_nil(history.best_epoch)
  end)

  it("has mean loss and accuracy over the samples as they were trained", function()
    local network = classifier()
    local A = network:predict(train.X)
    local history = fit(network,
      { epochs = 1, optimizer = pl.sgd { rate = 0 }, batch = 70 })
    assert.near(pl.loss.softmax_cross_entropy(A, train.T, false), history[1].loss, 1e-6)
    assert.near(pl.metric.accuracy(A, train.T), history[1].accuracy, 1e-12)
  end)

  it("has the validation's loss and accuracy after each epoch", function()
    local network = classifier()
    local history = fit(network, { validation = test })
    local A = network:predict(test.X)
    local J = pl.loss.softmax_cross_entropy(A, test.T, false)
    assert.near(J, history[3].validation_loss, 1e-6)
    assert.near(pl.metric.accuracy(A, test.T), history[3].validation_accuracy, 1e-12)
  end)
end)

describe("validation", function()
  it("changes nothing about the training", function()
    local function trained(validation)
      local network = pl.network {
        inputs = 2, pl.dense(8, "tanh"), pl.dropout(0.3), pl.dense(3),
      }
      fit(network, { validation = validation })
      return network.theta
    end
    assert.is_true(same(trained(nil), trained(test)))
  end)
end)

describe("the same seed", function()
  for _, dtype in ipairs { "float32", "float64" } do
    it("gives the same bits twice, " .. dtype, function()
      local function trained(given, seed)
        local network = pl.network({
          inputs = 2, pl.dense(8, "relu"), pl.dropout(0.2), pl.dense(3),
        }, { dtype = dtype, seed = seed })
        local history = fit(network, given)
        return network.theta, history[3].loss
      end
      local theta, loss = trained {}
      local again, loss_again = trained {}
      assert.is_true(same(theta, again))
      assert.equal(loss, loss_again)
      assert.is_true(same(theta, trained { seed = 1 }))
      assert.is_true(same(theta, trained { generator = pl[dtype].generator(1) }))
      assert.is_false(same(theta, trained { seed = 2 }))
      assert.is_false(same(theta, trained({}, 2)))
      assert.is_false(same(theta, trained { shuffle = false }))
    end)
  end

  it("gives the same bits on one thread and on two", function()
    local function trained(threads)
      local before = pl.threads()
      pl.threads(threads)
      local network = pl.network { inputs = 2, pl.dense(300, "relu"), pl.dense(3) }
      fit(network, { epochs = 2, batch = 150 })
      pl.threads(before)
      return network.theta
    end
    assert.is_true(same(trained(1), trained(2)))
  end)

  it("goes through the samples in their order without shuffling", function()
    local seen = {}
    local N = 70
    local X = pl.matrix(1, N)
    for n = 1, N do X:set(1, n, n) end
    local function watching(A, T, Delta)
      for n = 1, T.cols do seen[#seen + 1] = T:get(1, n) | 0 end
      return pl.loss.squared_error(A, T, Delta)
    end
    pl.fit(pl.network { inputs = 1, pl.dense(1) }, pl.dataset { X = X, T = X },
      { loss = watching, shuffle = false, epochs = 1, optimizer = pl.sgd { rate = 0 } })
    for n = 1, N do assert.equal(n, seen[n]) end
  end)
end)

describe("a callback", function()
  it("on_batch sees where training stands", function()
    local seen = {}
    fit(classifier(), { epochs = 2, on_batch = function(progress)
      seen[#seen + 1] = ("%d/%d %d/%d %d"):format(progress.epoch, progress.epochs,
        progress.batch, progress.batches, progress.samples)
      assert.is_number(progress.loss)
    end })
    assert.equal(20, #seen)
    assert.equal("1/2 1/10 32", seen[1])
    assert.equal("1/2 10/10 300", seen[10])
    assert.equal("2/2 1/10 32", seen[11])
  end)

  it("on_epoch sees the epoch's record", function()
    local records = {}
    local history = fit(classifier(), { validation = test, on_epoch = function(record)
      records[#records + 1] = record
    end })
    assert.equal(3, #records)
    for epoch, record in ipairs(records) do assert.equal(history[epoch], record) end
    assert.is_number(records[1].validation_loss)
  end)

  it("on_epoch stops training with \"stop\"", function()
    local history = fit(classifier(), { epochs = 9, on_epoch = function(record)
      if record.epoch == 2 then return "stop" end
    end })
    assert.equal(2, #history)
    assert.equal("callback", history.stopped)
  end)

  it("on_batch stops training with \"stop\", at once", function()
    local network, batches = classifier(), 0
    local history = fit(network, { epochs = 9, on_batch = function(progress)
      batches = batches + 1
      if progress.epoch == 2 and progress.batch == 3 then return "stop" end
    end })
    assert.equal(13, batches)
    assert.equal(2, #history)
    assert.equal("callback", history.stopped)
    assert.is_number(history[2].loss)
  end)

  it("with another answer is an error at the caller's line", function()
    for _, name in ipairs { "on_batch", "on_epoch" } do
      for _, answer in ipairs { "stopp", 1, {} } do
        local network = classifier()
        local given = {
          loss = "softmax_cross_entropy", [name] = function() return answer end,
        }
        at_caller(function() pl.fit(network, train, given) end,
          name .. ": \"stop\", true or nothing expected from it, got ")
      end
    end
  end)

  it("may raise, which ends training with its own error", function()
    local reason = {}
    local function raise() error(reason) end
    local ok, message = pcall(fit, classifier(), { on_epoch = raise })
    assert.is_false(ok)
    assert.is_true(rawequal(reason, message))
  end)
end)

describe("a schedule in fit", function()
  it("sets the rate of each step, in the middle of its batch", function()
    local rates = {}
    local optimizer = { rate = 0.5 }
    function optimizer.step(_, _, rate) rates[#rates + 1] = rate end
    fit(classifier(), { epochs = 2, batch = 75, optimizer = optimizer,
      schedule = function(epoch, epochs)
        assert.equal(2, epochs)
        return epoch
      end })
    local expected = { 0.125, 0.375, 0.625, 0.875, 1.125, 1.375, 1.625, 1.875 }
    assert.equal(#expected, #rates)
    for k, done in ipairs(expected) do assert.near(0.5 * done, rates[k], 1e-12) end
  end)

  it("is recorded by the rate at the epoch's end", function()
    local history = fit(classifier(), {
      epochs = 4, schedule = { "step", every = 2, factor = 0.5 },
    })
    local rates = {}
    for epoch, record in ipairs(history) do rates[epoch] = record.rate end
    assert.same({ 0.02, 0.02, 0.01, 0.01 }, rates)
  end)

  it("leaves the optimizer's own rate as it is", function()
    local optimizer = pl.sgd { rate = 0.5 }
    fit(classifier(), { optimizer = optimizer, schedule = "cosine" })
    assert.equal(0.5, optimizer.rate)
  end)

  it("of 0 trains nothing", function()
    local network = classifier()
    local before = network.theta:copy()
    fit(network, { schedule = function() return 0 end })
    assert.is_true(same(before, network.theta))
  end)

  it("constant is the same as none", function()
    local one, other = classifier(), classifier()
    fit(one)
    fit(other, { schedule = pl.schedule.constant })
    assert.is_true(same(one.theta, other.theta))
  end)
end)

describe("an optimizer that evaluates", function()
  local own = require "spec.support.layers"

  -- Gradient descent that first looks at J and the gradients again, `times` times
  local function looking(times, seen)
    local self = { rate = 0.1 }
    function self.step(_, parameters, rate, evaluate)
      for _ = 1, times do
        local gradient = parameters.flat.gradient:copy()
        seen[#seen + 1] = evaluate()
        assert.is_true(same(gradient, parameters.flat.gradient))
      end
      parameters.flat.value:assign(parameters.flat.value - rate * parameters.flat.gradient)
    end
    return self
  end

  local function trained(times, shares_generator)
    local network = pl.network({
      inputs = 2, pl.dense(8, "tanh"), pl.batch_norm(), "counter", pl.dropout(0.5), pl.dense(3),
    }, { layers = own })
    local losses, seen = {}, {}
    local history = pl.fit(network, train, {
      loss = function(A, T, Delta)
        local J
        J, Delta = pl.loss.softmax_cross_entropy(A, T, Delta)
        losses[#losses + 1] = J
        return J, Delta
      end,
      optimizer = looking(times, seen), batch = 64, epochs = 2,
      generator = shares_generator and network.generator or nil,
    })
    return network, history, seen, losses
  end

  it("sees J and the gradients of the batch, random layers and all", function()
    for _, shares_generator in ipairs { false, true } do
      local _, _, seen, losses = trained(2, shares_generator)
      assert.equal(20, #seen)
      assert.equal(30, #losses)
      for k = 1, 30, 3 do
        assert.equal(losses[k], losses[k + 1])
        assert.equal(losses[k], losses[k + 2])
      end
    end
  end)

  it("leaves training and its records as they are without it", function()
    for _, shares_generator in ipairs { false, true } do
      local expected, records = trained(0, shares_generator)
      local network, again = trained(1, shares_generator)
      assert.same(records, again)
      local state, expected_state = network:state(), expected:state()
      assert.equal(expected_state.generator, state.generator)
      assert.same(expected_state.layers, state.layers)
      for name, M in pairs(expected_state.tensors) do
        assert.is_true(same(M, state.tensors[name]), name)
      end
    end
  end)

  it("sees J where it has moved the parameters", function()
    local network, seen = classifier(), {}
    local optimizer = { step = function(_, parameters, _, evaluate)
      parameters.flat.value:fill(0)
      seen[#seen + 1] = evaluate()
    end }
    fit(network, { optimizer = optimizer, epochs = 1 })
    assert.near(math.log(3), seen[1], 1e-6)
  end)

  it("may have any field of its own, such as kind", function()
    local is_given
    for _, kind in ipairs { "newton", 3, {} } do
      local optimizer = { kind = kind, step = function(_, _, _, evaluate)
        is_given = evaluate ~= nil
      end }
      fit(classifier(), { optimizer = optimizer, epochs = 1 })
      assert.is_true(is_given)
    end
  end)

  it("is not one that says so", function()
    local optimizer = { evaluates = false, step = function(_, _, _, evaluate)
      assert.is_nil(evaluate)
    end }
    fit(classifier(), { optimizer = optimizer, epochs = 1 })
  end)

  it("allocates nothing in a step", function()
    local optimizer = { step = function(_, _, _, evaluate) evaluate() end }
    local trainer = pl.trainer(classifier(), train, {
      loss = "softmax_cross_entropy", optimizer = optimizer, batch = 1,
    })
    for _ = 1, 20 do trainer:step() end
    local bytes = allocated_by(function()
      for _ = 1, 100 do trainer:step() end
    end)
    assert.is_true(bytes < 1000, bytes) -- Lua 5.5 gives its stack room again, once
  end)
end)

describe("a limit of steps", function()
  -- A state taken in on_batch after the last batch of an epoch leaves the epoch to be closed.
  local function with_epoch_to_close(given)
    local options = { loss = "softmax_cross_entropy", batch = 100, epochs = 5 }
    local left, state
    options.on_batch = function(progress)
      if progress.batch == 3 then state = state or left:state() end
    end
    left = pl.trainer(classifier(), train, options)
    left:epoch()
    for name, value in pairs(given or {}) do options[name] = value end
    return pl.trainer(classifier(), train, options):restore(state)
  end

  it("is one of batches, not of the calls that only close an epoch", function()
    for steps = 1, 4 do
      local count = 0
      local trainer = with_epoch_to_close { on_batch = function() count = count + 1 end }
      assert.equal("limit", trainer:run { steps = steps }.stopped)
      assert.equal(steps, count)
      assert.equal(1 + steps // 3, #trainer.history)
    end
  end)

  it("or of time is reached after a batch", function()
    local count = 0
    local trainer = with_epoch_to_close { on_batch = function() count = count + 1 end }
    assert.equal("limit", trainer:run { us = 0 }.stopped)
    assert.equal(1, count)
  end)
end)

-- An optimiser that changes nothing
local silent = { step = function() end }

describe("a loss that is not finite", function()
  -- Its third call gives a J that is not finite.
  local function third(value)
    local calls = 0
    return function(A, T, Delta)
      local J
      calls = calls + 1
      J, Delta = pl.loss.softmax_cross_entropy(A, T, Delta)
      return calls == 3 and value or J, Delta
    end
  end

  for name, value in pairs { NaN = 0 / 0, infinity = math.huge } do
    it("raises before the update, naming epoch and batch, for " .. name, function()
      local network = classifier()
      local before
      at_caller(function()
        pl.fit(network, train, {
          loss = third(value), batch = 32, epochs = 5,
          on_batch = function(progress)
            assert(progress.batch < 3)
            before = network.theta:copy()
          end,
        })
      end, "in epoch 1, batch 3")
      assert.is_true(same(before, network.theta))
      assert.is_true(network.theta:is_finite())
    end)
  end

  it("tells of inputs that are too large", function()
    local X = pl.generator(1):uniform(pl.matrix(2, 40), -1e30, 1e30)
    local network = pl.network { inputs = 2, pl.dense(8, "relu"), pl.dense(1) }
    at_caller(function()
      pl.fit(network, pl.dataset { X = X, T = pl.matrix(1, 40) }, { loss = "squared_error" })
    end, "scale them, or lower the rate")
  end)

  it("may be hidden by the function itself: then the gradient raises", function()
    local network = classifier()
    local before = network.theta:copy()
    local function hiding(A, T, Delta)
      local _, filled = pl.loss.softmax_cross_entropy(A, T, Delta)
      return 0, filled:set(3, 2, 0 / 0)
    end
    at_caller(function() pl.fit(network, train, { loss = hiding }) end,
      "the gradient of 1.W is not finite in epoch 1, batch 1")
    assert.is_true(same(before, network.theta))
  end)

  it("is told with its cause: the layer, and the sample as the dataset counts it", function()
    local X = pl.generator(1):uniform(pl.matrix(1, 90)):set(1, 71, 1e30)
    local whole = pl.dataset { X = X, T = pl.matrix(1, 90) }
    local small, large = whole:split(0.3, pl.generator(3))
    for _, dataset in ipairs { whole, small, large } do
      local sample = 1
      while sample <= dataset.N and dataset.X:get(1, sample) < 1 do sample = sample + 1 end
      for _, shuffle in ipairs { true, false } do
        local network = pl.network { inputs = 1, pl.dense(1) }
        network.layers[1].W:fill(1e10)
        local function train_it()
          pl.fit(network, dataset, {
            loss = "squared_error", shuffle = shuffle, batch = 16, epochs = 1, optimizer = silent,
          })
        end
        if sample > dataset.N then
          train_it()
        else
          at_caller(train_it, (": Z of layer 1 is inf in row 1 of sample %d (inputs reach 1e+30: "
            .. "scale them, or lower the rate)"):format(sample))
        end
      end
    end
  end)

  it("is told with its cause: samples that were changed meanwhile", function()
    local X = pl.matrix(2, 8):fill(1)
    at_caller(function()
      pl.fit(pl.network { inputs = 2, pl.dense(3) }, pl.dataset { X = X, T = pl.matrix(3, 8) }, {
        loss = "squared_error", batch = 4, shuffle = false,
        on_batch = function() X:set(2, 7, 0 / 0) end,
      })
    end, "the loss is NaN in epoch 1, batch 2: X is NaN in row 2 of sample 7")
  end)

  it("is found in a later epoch as well", function()
    local epochs = 0
    local function turning(A, T, Delta)
      local J
      J, Delta = pl.loss.softmax_cross_entropy(A, T, Delta)
      return epochs == 2 and 0 / 0 or J, Delta
    end
    at_caller(function()
      pl.fit(classifier(), train, {
        loss = turning, batch = 100, on_epoch = function() epochs = epochs + 1 end,
      })
    end, "in epoch 3, batch 1")
  end)
end)

describe("a parameter that is not finite", function()
  -- tanh makes 1 or -1 of it, and a gradient of 0.
  local function broken()
    local network = classifier()
    network.layers[1].W:set(2, 2, math.huge)
    return network
  end

  it("is noticed before the first step, where the loss and the gradients hide it", function()
    local network = broken()
    local before = network.theta:copy()
    at_caller(function() pl.fit(network, train, { loss = "softmax_cross_entropy" }) end,
      "1.W is inf in row 2, column 2, in epoch 1 after batch 0")
    assert.is_true(same(before, network.theta))
  end)

  it("is noticed at the end of the epoch, before anything is made of it", function()
    local network, hooked = classifier(), 0
    local trainer = pl.trainer(network, train, {
      loss = "softmax_cross_entropy", batch = 100, validation = test, early_stopping = true,
      on_batch = function(progress)
        local is_second = progress.epoch == 1 and progress.batch == 2
        if is_second then network.layers[1].W:set(2, 2, math.huge) end
      end,
      on_epoch = function() hooked = hooked + 1 end,
    })
    for _ = 1, 2 do -- a second call changes nothing
      at_caller(function() trainer:run() end,
        "1.W is inf in row 2, column 2, in epoch 1 after batch 3")
      assert.same({ 0, 0, 0 }, { #trainer.history, hooked, trainer.early_stopping.epoch })
    end
    network.layers[1].W:set(2, 2, 0)
    assert.equal("epochs", trainer:run().stopped)
  end)

  it("is not saved, and the file there before stays", function()
    local path = os.tmpname()
    local network = classifier()
    local trainer = pl.trainer(network, train, { loss = "softmax_cross_entropy" })
    assert(trainer:save(path))
    network.layers[1].W:set(2, 2, math.huge)
    at_caller(function() trainer:save(path) end,
      "the training cannot be saved: 1.W is inf in row 2, column 2")
    assert(trainer:load(path))
    os.remove(path)
    assert.is_true(network.theta:is_finite())
  end)

  it("may be state, which batches do not show", function()
    local network = pl.network { inputs = 2, pl.dense(3), pl.batch_norm() }
    network.layers[2].tensors.running_variance.value:fill(math.huge)
    at_caller(function() pl.fit(network, train, { loss = "softmax_cross_entropy" }) end,
      "2.running_variance is inf in row 1, column 1, in epoch 1 after batch 0")
  end)
end)

describe("the loop written out", function()
  it("does what fit does, to the same bits", function()
    local expected = classifier()
    fit(expected, { epochs = 2 })
    local network = classifier()
    local optimizer = pl.adam { rate = 0.02 }
    local batches = pl.batches(train, { batch = 32, generator = pl.generator(1) })
    for _ = 1, 2 do
      for X, T in batches do
        local A = network:forward(X)
        local _, Delta = pl.loss.softmax_cross_entropy(A, T)
        network:backward(Delta)
        optimizer:step(network:parameters())
      end
    end
    assert.is_true(same(expected.theta, network.theta))
  end)
end)

describe("misuse of fit", function()
  local network = classifier()

  it("in its options is named at the caller's line", function()
    local loss = "softmax_cross_entropy"
    at_caller(function() pl.fit(network, train, { loss = loss, epoch = 3 }) end,
      "unknown option 'epoch'")
    at_caller(function() pl.fit(network, train, {}) end, "option 'loss' is required")
    at_caller(function() pl.fit(network, train) end, "option 'loss' is required")
    at_caller(function() pl.fit(network, train, { loss = "mse" }) end,
      "unknown loss 'mse' (known: binary_cross_entropy, ")
    for _, name in ipairs { "epochs", "batch" } do
      for _, value in ipairs { 0, -1, 1.5, "3" } do
        at_caller(function() pl.fit(network, train, { loss = loss, [name] = value }) end,
          name .. ": a whole number of 1 or more expected, got ")
      end
    end
    at_caller(function() pl.fit(network, train, { loss = loss, optimizer = "adm" }) end,
      "optimizer: unknown optimizer 'adm' (known: adadelta, ")
    at_caller(function() pl.fit(network, train, { loss = loss, optimizer = {} }) end,
      "optimizer")
    at_caller(function() pl.fit(network, train, { loss = loss, schedule = "cosin" }) end,
      "unknown schedule 'cosin'")
    at_caller(function() pl.fit(network, train, { loss = loss, on_epoch = 3 }) end,
      "on_epoch")
    at_caller(function() pl.fit(network, train, { loss = loss, generator = 3 }) end,
      "generator")
    at_caller(function() pl.fit(network, train, { loss = loss, seed = "one" }) end,
      "seed: a whole number expected, got \"one\"")
  end)

  it("in the groups and the methods of an optimizer is named before the first step", function()
    local function refused(optimizer, expected, schedule)
      at_caller(function()
        pl.trainer(network, train, {
          loss = "softmax_cross_entropy", optimizer = optimizer, schedule = schedule,
        })
      end, expected)
    end
    refused({ "sgd", groups = { { match = "^9", rate = 1 } } },
      "group 1: no parameter has a name that \"^9\" matches, the first has \"1.W\"")
    local function step() end
    refused({ step = step, state = {} },
      "optimizer: state is the name of a method, got a table")
    refused({ step = step, restore = step },
      "optimizer: both of the methods state and restore expected, or none")
    refused({ step = step, check_state = true },
      "optimizer: check_state is the name of a method, got true")
    local seen
    local own = { step = step, check_parameters = function(_, given) seen = given end }
    pl.trainer(network, train, { loss = "softmax_cross_entropy", optimizer = own })
    assert.equal(network:parameters(), seen)
    refused("sgd", "schedule: state is the name of a method, got 5",
      setmetatable({ state = 5 }, { __call = step }))
  end)

  it("in its data is named at the caller's line", function()
    local given = { loss = "softmax_cross_entropy" }
    at_caller(function() pl.fit(network, pl.matrix(2, 3), given) end,
      "the training set: a dataset expected, got a 2 x 3 matrix")
    at_caller(function() pl.fit(network, nil, given) end,
      "the training set: a dataset expected, got nil")
    at_caller(function() pl.fit(network, { for_outputs = print }, given) end,
      "the training set: a dataset expected, got a table")
    at_caller(function() pl.fit({ parameters = print, held = true }, train, given) end,
      "a network expected, got a table")
    local wide = pl.dataset { X = pl.matrix(3, 2), labels = { 1, 2 } }
    at_caller(function() pl.fit(network, wide, given) end,
      "the training set has 3 inputs but the network has 2")
    at_caller(function()
      pl.fit(network, train, { loss = "softmax_cross_entropy", validation = wide })
    end, "the validation set has 3 inputs but the network has 2")
    at_caller(function()
      pl.fit(network, train, { loss = "softmax_cross_entropy", validation = {} })
    end, "the validation set: a dataset expected, got a table")
  end)

  it("by targets that do not fit the outputs is named, and changes nothing", function()
    local before = network.theta:copy()
    local targets = pl.dataset { X = pl.matrix(2, 4), T = pl.matrix(2, 4) }
    at_caller(function() pl.fit(network, targets, { loss = "squared_error" }) end,
      "the training set has 2 targets but the network has 3 outputs")
    local labels = pl.dataset { X = pl.matrix(2, 4), labels = { 1, 2, 3, 4 } }
    at_caller(function() pl.fit(network, labels, { loss = "softmax_cross_entropy" }) end,
      "labels 1 to 3 expected, one for each output, got 4")
    assert.is_true(same(before, network.theta))
  end)

  it("by a loss that gives no J or no Delta is named", function()
    local function refused(expected, ...)
      local given = table.pack(...)
      local before = network.theta:copy()
      at_caller(function()
        pl.fit(network, train, { loss = function() return table.unpack(given, 1, 2) end })
      end, expected)
      assert.is_true(same(before, network.theta))
    end
    refused("loss: a number J and Delta expected from it, got nil")
    refused("loss: a number J and Delta expected from it, got \"1\"", "1", pl.matrix(3, 128))
    refused("loss: a number J and Delta expected from it, got a 3 x 4 matrix", pl.matrix(3, 4))
    refused("a matrix Delta expected from it, got nil as Delta", 1)
    refused("Delta: a 3 x 128 matrix of float32 expected, got a 3 x 4 matrix", 1,
      pl.matrix(3, 4))
  end)

  it("by another network is named", function()
    at_caller(function() pl.fit(nil, train, { loss = "squared_error" }) end, "network")
  end)
end)
