-- What a trainer does between the gradients and the next batch when it is asked to: accumulation,
-- what acts on gradients, averages of the weights; and what it makes of batches, augmentation.

local at_caller = require("spec.support.misuse").at_caller
local clouds = require "spec.support.clouds"
local naive = require "spec.support.naive"
local pl = require "perilune"

local train, test = clouds.new(100, 1), clouds.new(40, 2) -- of two inputs and three classes

local function new_network(dtype)
  return pl.network({ inputs = 2, pl.dense(8, "tanh"), pl.dropout(0.2), pl.dense(3) },
    { seed = 3, dtype = dtype or "float64" })
end

local function options(given)
  local chosen = {
    loss = "softmax_cross_entropy", optimizer = { "momentum", rate = 0.1 }, epochs = 3,
    batch = 16, seed = 5,
  }
  for name, value in pairs(given or {}) do chosen[name] = value end
  return chosen
end

local function new(given, net, data)
  return pl.trainer(net or new_network(), data or train, options(given))
end

local function bits(net)
  local parts = {}
  for _, tensor in ipairs(net:tensors()) do
    parts[#parts + 1] = tensor.value:encode(tensor.value.dtype)
  end
  return table.concat(parts)
end

local function finished(trainer)
  trainer:run()
  return bits(trainer.net)
end

-- A state taken after each of so many steps is one from which another trainer goes on to the same
-- bits.
local function resumes(given, steps)
  local expected = finished(new(given))
  for taken = 0, steps do
    local left = new(given)
    for _ = 1, taken do left:step() end
    local state = left:state()
    finished(left)
    assert.equal(expected, finished(new(given):restore(state)), taken .. " steps")
  end
end

describe("accumulation", function()
  it("is an update from a batch that is several times as large", function()
    local function new_plain() -- without dropout, which draws in another order
      return pl.network({ inputs = 2, pl.dense(8, "tanh"), pl.dense(3) },
        { seed = 3, dtype = "float64" })
    end
    local mean = { "softmax_cross_entropy" }
    local sum = { "softmax_cross_entropy", reduction = "sum" }
    for _, case in ipairs {
      { 16, 4, mean }, { 7, 3, mean }, { 50, 2, mean }, { 100, 3, mean }, { 7, 3, sum },
    } do
      local batch, times, loss = table.unpack(case)
      local optimizer = { "sgd", rate = loss == sum and 0.01 or 0.1 }
      local function run(given, net)
        given.loss, given.optimizer = loss, optimizer
        return new(given, net):run()
      end
      local large, small = new_plain(), new_plain()
      local whole = run({ batch = batch * times }, large)
      local history = run({ batch = batch, accumulate = times }, small)
      naive.near(small.theta, large.theta:totable(), 1e-12)
      for epoch, record in ipairs(whole) do
        assert.near(record.loss, history[epoch].loss, 1e-12)
        assert.equal(record.accuracy, history[epoch].accuracy)
      end
    end
  end)

  it("counts samples by their weights", function()
    local weights = pl.matrix(1, 100)
    for n = 1, 100 do weights:set(1, n, n % 5) end
    local data = clouds.new(100, 1, nil, { weights = weights })
    local function new_plain()
      return pl.network({ inputs = 2, pl.dense(5, "tanh"), pl.dense(3) },
        { seed = 3, dtype = "float64" })
    end
    local large, small = new_plain(), new_plain()
    new({ batch = 60 }, large, data):run()
    new({ batch = 20, accumulate = 3 }, small, data):run()
    naive.near(small.theta, large.theta:totable(), 1e-12)
  end)

  it("allocates nothing in a step", function()
    local trainer = new { batch = 2, accumulate = 4, epochs = math.huge }
    local function steps()
      for _ = 1, 4 do trainer:step() end
    end
    trainer:run { epochs = 3 }
    collectgarbage()
    collectgarbage "stop"
    steps() -- a collection also takes what deep calls need
    local before = collectgarbage "count"
    steps() -- the epoch has 13
    local after = collectgarbage "count"
    collectgarbage "restart"
    assert.equal(before, after)
  end)

  it("goes on from a state to the same bits", function()
    resumes({ batch = 8, accumulate = 3 }, 15)
  end)

  it("tells the sample whose numbers went wrong", function()
    local data = clouds.new(100, 1)
    local trainer = new({ batch = 10, accumulate = 3, shuffle = false },
      pl.network({ inputs = 2, pl.dense(3, "exponential"), pl.dense(3) }, { dtype = "float64" }),
      data)
    trainer.dataset.source.X:set(1, 25, 1e300)
    at_caller(function() trainer:step() end, "of sample 25")
  end)
end)

describe("what acts on gradients in a trainer", function()
  it("acts between the hook and the update", function()
    local seen = {}
    local clipped = new_network()
    local optimizer = { rate = 1 }
    function optimizer.step(_, parameters) seen[#seen + 1] = parameters.flat.gradient:norm() end
    new({
      optimizer = optimizer, gradients = { "clip_norm", most = 1e-3 }, epochs = 1,
      on_gradients = function(net) pl.float64.hadamard(net.dJ_dtheta, net.dJ_dtheta, 1000) end,
    }, clipped):run()
    assert.equal(7, #seen)
    for _, norm in ipairs(seen) do assert.near(1e-3, norm, 1e-6) end
  end)

  it("may be several, one after the other, and one's own", function()
    local order = {}
    local function own() order[#order + 1] = "own" end
    new({ gradients = { { "l2", factor = 0.1 }, own, "clip_value" }, epochs = 1 }):run()
    assert.equal(7, #order)
  end)

  it("l2 is what weight decay is to plain descent, but for biases of which both know nothing",
    function()
      local one, other = new_network(), new_network()
      new({ optimizer = { "sgd", rate = 0.1 }, gradients = { "l2", factor = 0.05 } }, one):run()
      new({ optimizer = { "sgd", rate = 0.1, weight_decay = 0.05 } }, other):run()
      naive.near(one.theta, other.theta:totable(), 1e-13)
    end)

  it("max_norm holds after each update", function()
    local trainer = new { gradients = { "max_norm", most = 0.5 } }
    trainer:run()
    for _, row in ipairs(trainer.net.layers[1].W:totable()) do
      assert.is_true(row[1] ^ 2 + row[2] ^ 2 <= 0.25 + 1e-12)
    end
  end)

  it("goes on from a state to the same bits, noise too", function()
    resumes({ gradients = { "noise", { "clip_norm", most = 1 } } }, 21)
  end)

  it("is as it was before a step that raises", function()
    local expected = finished(new { gradients = "noise" })
    local calls = 0
    local trainer
    local optimizer = pl.momentum { rate = 0.1 }
    local step = optimizer.step
    function optimizer.step(...)
      calls = calls + 1
      if calls % 3 == 0 then error "not now" end
      return step(...)
    end
    trainer = new { gradients = "noise", optimizer = optimizer }
    while not trainer.finished do pcall(trainer.step, trainer) end
    assert.equal(expected, bits(trainer.net))
  end)

  it("is checked before the first step", function()
    at_caller(function() new { gradients = "clip" } end, "gradients: unknown gradient 'clip'")
    at_caller(function() new { gradients = { "l1", { "l2", rate = 1 } } } end,
      "gradients: 2: unknown option 'rate' of l2")
    at_caller(function() new { gradients = { { "l2", rate = 1 } } } end,
      "gradients: 1: unknown option 'rate' of l2")
    local state = new():state()
    at_caller(function() new({ gradients = "l2" }):restore(state) end,
      "state of what acts on gradients is missing")
  end)
end)

describe("an average of the weights in a trainer", function()
  it("is what the network has in the end, and what is validated", function()
    local net, plain = new_network(), new_network()
    local average = pl.average { "ema", decay = 0.9 }
    local trainer = new({ validation = test, average = { "ema", decay = 0.9 } }, net)
    trainer:run()
    local losses = {}
    new({
      on_batch = function(progress)
        average:update(plain)
        if progress.batch < progress.batches then return end
        average:swap(plain)
        losses[progress.epoch] = pl.evaluate(plain, test, "softmax_cross_entropy").loss
        average:swap(plain)
      end,
    }, plain):run()
    average:swap(plain)
    assert.equal(bits(plain), bits(net))
    for epoch, record in ipairs(trainer.history) do
      assert.near(losses[epoch], record.validation_loss, 1e-15)
    end
  end)

  it("is kept at its best by early stopping", function()
    local net = new_network()
    local kept = {}
    local history = pl.fit(net, train, options {
      epochs = 6, validation = test, average = "ema", early_stopping = { patience = 9 },
      on_epoch = function(record) kept[record.epoch] = record.validation_loss end,
    })
    local loss = pl.evaluate(net, test, "softmax_cross_entropy").loss
    assert.near(kept[history.best_epoch], loss, 1e-15)
  end)

  it("goes on from a state to the same bits", function()
    resumes({ average = "ema", validation = test }, 21)
    resumes({ average = { "swa", start = 0.3 } }, 21)
    resumes({ average = "ema", validation = test, early_stopping = true }, 21)
  end)

  it("gives way to the weights themselves where a finished run goes on", function()
    local expected = finished(new { average = "ema", epochs = 4 })
    local short = new { average = "ema", epochs = 2 }
    short:run()
    local longer = new { average = "ema", epochs = 4 }
    assert.equal(expected, finished(longer:restore(short:state())))
  end)

  it("swaps back where a validation raises", function()
    local broken = clouds.new(40, 2)
    local trainer = new { average = "ema", validation = broken }
    for _ = 1, 6 do trainer:step() end
    trainer.validation.source.X:set(1, 1, 0 / 0)
    assert.is_false(pcall(trainer.step, trainer))
    assert.is_false(trainer.average.is_swapped)
  end)
end)

describe("augmentation in a trainer", function()
  local IMAGE = { "shift", pixels = 0.3, width = 2 } -- two inputs as an image of two pixels

  local function noise(X, generator)
    local E = generator:normal(pl[X.dtype].matrix(X.rows, X.cols), 0, 0.1)
    pl[X.dtype].add(X, X, E)
  end

  it("gives the network other samples in training, and the set's in validation", function()
    local seen, net = {}, new_network()
    local trainer = new({
      augment = function(X)
        seen[#seen + 1] = X.cols
        X:fill(7)
      end,
      validation = test, epochs = 2, on_gradients = function(trained)
        for _, x in ipairs { trained.layers[1].A_below:min(), trained.layers[1].A_below:max() } do
          assert.equal(7, x)
        end
      end,
    }, net)
    trainer:run()
    assert.equal(14, #seen)
    assert.equal(pl.evaluate(net, test, "softmax_cross_entropy").loss,
      trainer.history[2].validation_loss)
  end)

  it("goes on from a state to the same bits, shuffled or not", function()
    resumes({ augment = { IMAGE, noise } }, 21)
    resumes({ augment = { IMAGE, noise }, shuffle = false, batch = 30 }, 12)
    resumes({ augment = { IMAGE, noise }, batch = 8, accumulate = 3 }, 15)
  end)

  it("gives the same bits for any number of threads", function()
    local expected = finished(new { augment = IMAGE })
    pl.threads(3)
    local result = finished(new { augment = IMAGE })
    pl.threads(1)
    assert.equal(expected, result)
    assert.not_equal(expected, finished(new()))
    assert.not_equal(expected, finished(new { augment = IMAGE, seed = 6 }))
  end)

  it("makes a batch again as it was where the step before it raised", function()
    local expected = finished(new { augment = { IMAGE, noise } })
    for _, fails in ipairs { "augment", "on_gradients" } do
      local calls, net = 0, new_network()
      local function now_and_then()
        calls = calls + 1
        if calls % 3 == 0 then error "not now" end
      end
      local given = { augment = { IMAGE, noise } }
      if fails == "augment" then
        given.augment[3] = now_and_then
      else
        given[fails] = now_and_then
      end
      local trainer = new(given, net)
      while not trainer.finished do pcall(trainer.step, trainer) end
      assert.equal(expected, bits(net))
    end
  end)

  it("allocates nothing in a step", function()
    local trainer = new { batch = 8, augment = IMAGE, epochs = math.huge }
    trainer:run { epochs = 3 }
    local function steps()
      for _ = 1, 4 do trainer:step() end
    end
    collectgarbage()
    collectgarbage "stop"
    steps()
    local before = collectgarbage "count"
    steps()
    local after = collectgarbage "count"
    collectgarbage "restart"
    assert.equal(before, after)
  end)

  it("is checked before the first step", function()
    at_caller(function() new { augment = "flip" } end, "augment: unknown augmentation 'flip'")
    at_caller(function() new { augment = { noise, { "shift", pixel = 1 } } } end,
      "augment: 2: unknown option 'pixel' of shift")
    at_caller(function() new { augment = "shift" } end,
      "augment: square images expected, got 2 inputs")
  end)

  it("tells the sample that it has made infinite", function()
    at_caller(function()
      new({ shuffle = false, augment = function(X) X:set(1, 3, naive.infinity) end }):step()
    end, "of sample 3")
  end)
end)

describe("a checkpoint", function()
  it("holds noise and averages, and is of a run with the same, augmentation too", function()
    local given = {
      average = "ema", gradients = { "noise", "l2" }, accumulate = 2,
      augment = { "shift", width = 2 },
    }
    local expected, path = finished(new(given)), os.tmpname()
    local left = new(given)
    for _ = 1, 5 do left:step() end
    assert(left:save(path))
    local again = new(given)
    assert(again:load(path))
    assert.equal(expected, finished(again))
    for _, other in ipairs {
      { average = "swa" }, { gradients = "l2" }, { accumulate = 3 },
      { augment = { "shift", width = 2, pixels = 1 } },
    } do
      local changed = options(given)
      for name, value in pairs(other) do changed[name] = value end
      local ok, message = new(changed):load(path)
      assert.is_nil(ok)
      assert.is_string(message)
    end
    os.remove(path)
  end)
end)
