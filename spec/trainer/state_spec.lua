local Plan = require "perilune.optimizer.plan"
local at_caller = require("spec.support.misuse").at_caller
local child = require "spec.support.child"
local clouds = require "spec.support.clouds"
local lfs = require "lfs"
local memory = require "spec.support.memory"
local own = require "spec.support.layers"
local pl = require "perilune"
local state_file = require "perilune.store.state"

local train, test = clouds.new(100, 1), clouds.new(40, 2) -- batches of 16, the last one of 4
local BATCHES, EPOCHS = 7, 3

local function network(seed, dtype)
  return pl.network({
    inputs = 2, pl.dense(8, "relu"), pl.batch_norm(), pl.dropout(0.3),
    pl.residual { pl.dense(8, "tanh"), pl.dropout(0.2), pl.batch_norm { momentum = 0.3 } },
    pl.layer_norm(), pl.dense(3),
  }, { seed = seed, dtype = dtype })
end

local function options(given)
  local chosen = {
    loss = "softmax_cross_entropy", optimizer = { "adam", rate = 0.02, weight_decay = 0.01 },
    schedule = "cosine", epochs = EPOCHS, batch = 16, validation = test, seed = 5,
    early_stopping = { patience = 9, monitor = "validation_accuracy" },
  }
  for name, value in pairs(given or {}) do chosen[name] = value end
  return chosen
end

-- All that a run leaves, as text: tensors, the generator, the history.
local function bits(trainer)
  local parts = { trainer.net.generator:state() }
  for _, tensor in ipairs(trainer.net:tensors()) do
    parts[#parts + 1] = tensor.name .. tensor.value:encode(tensor.value.dtype)
  end
  for epoch, record in ipairs(trainer.history) do
    parts[#parts + 1] = ("%d %a %a %a %a %a"):format(epoch, record.loss, record.accuracy,
      record.validation_loss or 0, record.validation_accuracy or 0, record.rate)
  end
  parts[#parts + 1] = ("%s %s"):format(trainer.history.stopped, trainer.history.best_epoch)
  return table.concat(parts, "|")
end

-- All that a trainer remembers, as text
local function everything(trainer)
  local tensors, text = state_file.encode { trainer:state(), trainer.progress }
  local parts = { text }
  for k, tensor in ipairs(tensors) do
    parts[k + 1] = tensor.bytes or tensor.matrix:encode(tensor.matrix.dtype)
  end
  return table.concat(parts, "|")
end

local function finished(trainer)
  trainer:run()
  return bits(trainer)
end

local function new(seed, given, dataset)
  return pl.trainer(network(seed), dataset or train, options(given))
end

local expected = finished(new(1))

describe("a run that goes on from the state of another", function()
  it("gives the same bits, whichever batch it was left after", function()
    for steps = 0, EPOCHS * BATCHES do
      local left = new(1)
      for _ = 1, steps do left:step() end
      local state = left:state()
      finished(left) -- what it does now must not reach the state
      assert.equal(expected, finished(new(77):restore(state)), steps .. " steps")
    end
  end)

  it("gives the same bits where the state was taken in a hook", function()
    local states = {}
    local trainer
    local function keep() states[#states + 1] = trainer:state() end
    trainer = new(1, { on_gradients = keep, on_batch = keep, on_epoch = keep })
    assert.equal(expected, finished(trainer)) -- to take them changes nothing
    assert.equal(EPOCHS * (2 * BATCHES + 1), #states)
    for k, state in ipairs(states) do
      assert.equal(expected, finished(new(77):restore(state)), "state " .. k)
    end
  end)

  it("gives the same bits with another number of threads", function()
    local left = new(1)
    left:run { steps = 10 }
    local state = left:state()
    pl.threads(2)
    local result = finished(new(77):restore(state))
    pl.threads(1)
    assert.equal(expected, result)
  end)

  it("gives the same bits when one generator serves the network and the order", function()
    local function shared(given)
      local net = network(3)
      given = given or {}
      given.generator = net.generator
      return pl.trainer(net, train, options(given))
    end
    local whole = finished(shared())
    for _, steps in ipairs { 1, 6, 7, 8, 13 } do
      local left = shared()
      left:run { steps = steps }
      assert.equal(whole, finished(shared():restore(left:state())), steps .. " steps")
    end
    local states, trainer = {}, nil
    trainer = shared { on_gradients = function() states[#states + 1] = trainer:state() end }
    assert.equal(whole, finished(trainer))
    for k, state in ipairs(states) do
      assert.equal(whole, finished(shared():restore(state)), "state " .. k)
    end
  end)

  it("keeps the best parameters and state of early stopping", function()
    local given = {
      early_stopping = { patience = 1, monitor = "validation_accuracy" }, epochs = 9,
      schedule = function(epoch) return epoch < 2 and 1 or 500 end,
    }
    local whole = finished(new(1, given))
    local left = new(1, given)
    left:run { epochs = 2 }
    local again = new(77, given):restore(left:state())
    assert.equal(whole, finished(again))
    assert.equal("early", again.history.stopped)
    assert.is_true(again.history.best_epoch < #again.history)
  end)

  it("goes on from the end too: there is nothing more to do", function()
    local left = new(1)
    left:run()
    local again = new(77):restore(left:state())
    assert.is_nil(again:step())
    assert.equal(expected, bits(again))
  end)

  it("goes on past that end where it has more epochs", function()
    local whole = finished(new(1, { epochs = 5, schedule = false }))
    local left = new(1, { schedule = false, early_stopping = false })
    left:run()
    local longer = new(77, { epochs = 5, schedule = false, early_stopping = false })
    longer:restore(left:state()):run()
    assert.equal(5, #longer.history)
    assert.equal("epochs", longer.history.stopped)
    assert.equal(whole:match "5 .-|", bits(longer):match "5 .-|")
  end)

  it("has a history of its own: the one before it stays as it is", function()
    local trainer = new(1)
    local start, history = trainer:state(), trainer:run()
    trainer:restore(start)
    assert.equal(EPOCHS, #history)
    assert.equal(0, #trainer.history)
    assert.equal(history.warnings, trainer.history.warnings)
    assert.equal(expected, finished(trainer))
  end)

  it("is taken by each part without memory, once it is checked and copied", function()
    local given = { schedule = { "warm_up", after = { "plateau", patience = 0 } } }
    local whole, left = finished(new(1, given)), new(1, given)
    left:run { steps = 9 }
    local state = left:state()
    for _, steps in ipairs { 0, 3, EPOCHS * BATCHES } do
      local trainer = new(4, given)
      for _ = 1, steps do trainer:step() end
      for _, name in ipairs { "optimizer", "schedule", "early_stopping", "batches", "meter" } do
        local before = everything(trainer)
        local restore = trainer[name]:restorer(state[name])
        assert.equal(before, everything(trainer))
        assert.equal(0, memory.allocated(restore), name)
      end
      assert.equal(whole, finished(trainer:restore(state)))
    end
  end)

  it("has the rate that a hook has set", function()
    local function halving()
      local trainer
      trainer = new(1, { schedule = false, on_epoch = function()
        trainer.optimizer.rate = trainer.optimizer.rate / 2
      end })
      return trainer
    end
    local whole, left = finished(halving()), halving()
    left:run { epochs = 2 }
    assert.equal(whole, finished(halving():restore(left:state())))
  end)

  it("does not share a matrix with it", function()
    local left = new(1)
    left:run { steps = 3 }
    local state = left:state()
    local again = new(77):restore(state)
    for _, M in pairs(state.network.tensors) do M:fill(0) end
    for _, kept in pairs(state.optimizer.tensors) do kept.m:fill(0) end
    assert.equal(expected, finished(again))
  end)
end)

describe("a step that raises", function()
  -- A trainer whose hook, loss, optimiser or schedule raises when it is called for the count-th
  -- time
  local function raising(what, count)
    local calls = 0
    local function raise()
      calls = calls + 1
      if calls == count then error "not now" end
    end
    local given = {}
    if what == "loss" then
      given.loss = function(A, T, Delta)
        raise()
        return pl.loss.softmax_cross_entropy(A, T, Delta)
      end
      given.validation = false
      given.early_stopping = false
    elseif what == "schedule" then
      given.schedule = function(epoch, epochs)
        raise()
        return pl.schedule.cosine(epoch, epochs)
      end
    elseif what == "optimizer" then
      local adam = pl.adam { rate = 0.02, weight_decay = 0.01 }
      given.optimizer = { rate = 0.02, step = function(_, parameters, rate)
        raise()
        adam:step(parameters, rate)
      end }
    else
      given[what] = raise
    end
    return new(1, given)
  end

  for _, what in ipairs {
    "loss", "schedule", "optimizer", "on_gradients", "on_batch", "on_epoch",
  } do
    it("in its " .. what .. " is done again by the next, to the same bits", function()
      local whole = finished(raising(what, 0))
      local last = what == "on_epoch" and EPOCHS or EPOCHS * BATCHES
      for _, count in ipairs { 1, 2, 3, BATCHES, BATCHES + 1, last } do
        local trainer = raising(what, count)
        if count <= last then assert.is_false((pcall(trainer.run, trainer))) end
        assert.equal(whole, finished(trainer), "call " .. count)
      end
    end)

    it("in its " .. what .. " leaves a state to go on from", function()
      local whole = finished(raising(what, 0))
      for _, count in ipairs { 1, 3, 7, 8 } do
        local trainer = raising(what, count)
        if pcall(trainer.run, trainer) then break end -- on_epoch is not called so often
        local state = trainer:state()
        if what ~= "optimizer" then -- which keeps what it remembers to itself
          assert.equal(whole, finished(raising(what, 0):restore(state)), "call " .. count)
        end
        assert.equal(whole, finished(trainer), "call " .. count)
      end
    end)
  end

  for _, what in ipairs { "loss", "schedule", "optimizer", "on_gradients" } do
    it("in its " .. what .. " has changed nothing", function()
      for _, count in ipairs { 1, 2, BATCHES, BATCHES + 1 } do
        local trainer = raising(what, count)
        for _ = 2, count do trainer:step() end
        local before = everything(trainer)
        assert.is_false((pcall(trainer.step, trainer)))
        assert.equal(before, everything(trainer))
      end
    end)
  end

  it("has changed nothing, whichever buffer there is no memory for", function()
    for _, steps in ipairs { 0, BATCHES - 1 } do -- the last batch is smaller
      local count = 0
      local ok, message
      repeat
        -- Nothing is evaluated at the end of the epoch, so all buffers are the step's.
        local trainer = new(1, { validation = false, early_stopping = false })
        if steps > 0 then trainer:run { steps = steps } end
        local before = everything(trainer)
        ok, message = memory.without_buffer(count + 1, trainer.step, trainer)
        if not ok then
          count = count + 1
          assert.equal("not enough memory", message)
          assert.equal(before, everything(trainer))
        end
      until ok
      assert.is_true(count > 20)
    end
  end)

  it("because a layer cannot give its state has changed nothing", function()
    local net = pl.network({ inputs = 2, "counter", pl.dropout(0.5), pl.dense(3) },
      { layers = own })
    local trainer = pl.trainer(net, train, options())
    local before, counter = everything(trainer), net.layers[1]
    local state = counter.state
    counter.state = function() error("fault", 0) end
    assert.has_error(function() trainer:step() end, "fault")
    counter.state = state
    assert.equal(before, everything(trainer))
  end)

  it("at the end of an epoch leaves that end to the next", function()
    for epoch = 1, EPOCHS do
      local trainer = new(1)
      trainer:run { steps = epoch * BATCHES - 1 }
      local held = trainer.net.held
      held.state = function() error("not enough memory", 0) end -- for the best tensors
      trainer.early_stopping.epoch = 0 -- so that this epoch is better than what was
      trainer.early_stopping.best = false
      assert.has_error(function() trainer:step() end, "not enough memory")
      assert.same({ epoch, BATCHES }, { trainer.progress.epoch, trainer.progress.batch })
      held.state = nil
      trainer:step()
      assert.equal(epoch, trainer.early_stopping.epoch)
      assert.equal(epoch + 1, trainer.progress.epoch)
    end
  end)

  it("as the best parameters are given back gives them back in the next", function()
    local trainer = new(1)
    trainer:run { steps = EPOCHS * BATCHES - 1 }
    local restore = trainer.net.held.restore
    trainer.net.held.restore = function() error("fault", 0) end
    assert.has_error(function() trainer:step() end, "fault")
    trainer.net.held.restore = restore
    assert.equal(expected, finished(trainer))
  end)

  it("goes on where a hook has asked in vain for the state", function()
    local trainer, fails
    trainer = new(1, { on_gradients = function()
      trainer.meter.state = fails and error or nil
      assert.equal(not fails, (pcall(trainer.state, trainer)))
      trainer.meter.state = nil
    end })
    for steps = 1, EPOCHS * BATCHES do
      fails = steps % 3 == 1
      trainer:step()
    end
    assert.equal(expected, finished(trainer))
  end)

  it("has put everything back by then: what is done to the network after it stays", function()
    local trainer = raising("on_gradients", 3)
    assert.is_false((pcall(trainer.run, trainer)))
    local other = network(9)
    other:forward(train.X)
    trainer.net:restore(other:state())
    trainer.options.on_gradients = function()
      assert.equal(0, 1) -- only its forward is of interest
    end
    assert.is_false((pcall(trainer.step, trainer)))
    for k, tensor in ipairs(trainer.net:tensors()) do
      local given = other:tensors()[k].value
      assert.equal(given:encode "float32", tensor.value:encode "float32", tensor.name)
    end
    assert.equal(other.generator:state(), trainer.net.generator:state())
  end)

  it("is forgotten where a state is restored", function()
    local trainer = raising("loss", 3)
    local start = trainer:state()
    assert.is_false((pcall(trainer.run, trainer)))
    assert.equal(finished(raising("loss", 0)), finished(trainer:restore(start)))
  end)
end)

describe("a state that does not fit", function()
  local function refused(state, expected_message, given)
    local trainer = new(4, given)
    trainer:run { steps = 2 }
    local before = bits(trainer)
    at_caller(function() trainer:restore(state) end, expected_message)
    assert.equal(before, bits(trainer))
  end

  local function taken(change)
    local left = new(1)
    left:run { steps = 9 }
    local state = left:state()
    change(state)
    return state
  end

  it("is refused, and the trainer is as it was", function()
    refused(nil, "state of a trainer")
    refused(taken(function(state) state.network.tensors["1.W"] = nil end), "1.W")
    refused(taken(function(state) state.network.tensors["1.W"] = pl.matrix(3, 3) end), "1.W")
    refused(taken(function(state) state.network.tensors.other = pl.matrix(3, 3) end), "other")
    refused(taken(function(state) state.network.generator = "abc" end), "generator")
    refused(taken(function(state) state.optimizer.tensors["6.b"] = nil end), "6.b")
    refused(taken(function(state) state.optimizer.steps = -1 end), "optimiser")
    refused(taken(function(state) state.batches.samples = 1000 end), "1000")
    refused(taken(function(state) state.batches.start = "xyz" end), "generator")
    refused(taken(function(state) state.early_stopping.best = "high" end), "early stopping")
    refused(taken(function(state) state.early_stopping = nil end), "early stopping")
    refused(taken(function(state) state.epoch = "two" end), "epoch")
    refused(taken(function(state) state.gives = "numbers" end), "gives")
    refused(taken(function(state) state.targets = "many" end), "targets")
    refused(taken(function(state) state.history = { 1 } end), "history: a record of epoch 1")
    local endless = { __index = function() return {} end, __len = function() return 1 end }
    new(1):check_state(taken(function(state) state.history = setmetatable({}, endless) end))
    refused(taken(function(state) state.meter.metrics.loss = nil end), "loss")
    refused(taken(function() end), "optimiser", { optimizer = "sgd" })
  end)

  it("is not restored at all where there is no memory for a part of it", function()
    local left = new(1)
    left:run { steps = 9 }
    local state, trainer, copy = left:state(), new(4), Plan.copy
    local before = everything(trainer)
    function Plan.copy() error("not enough memory", 0) end
    local ok, message = pcall(trainer.restore, trainer, state)
    Plan.copy = copy
    assert.same({ false, "not enough memory" }, { ok, message })
    assert.equal(before, everything(trainer))
    assert.equal(expected, finished(trainer:restore(state)))
  end)

  it("is refused by a part of one's own as it restores: then, too, nothing has changed", function()
    -- An optimiser and a schedule that remember a number, and may refuse one
    local function remembering(refuses)
      local part = { rate = 0.1, count = 0 }
      function part.step() part.count = part.count + 1 end
      function part.state() return part.count end
      function part.restore(_, count)
        if refuses and count ~= part.count then error("no", 0) end
        part.count = count
      end
      return setmetatable(part, { __call = function() return 1 end })
    end
    for _, name in ipairs { "optimizer", "schedule" } do
      local parts = { optimizer = remembering(), schedule = remembering() }
      local left = new(1, parts)
      left:run { steps = 9 }
      parts.schedule.count = 5
      local state = left:state()
      parts = { optimizer = remembering(), schedule = remembering() }
      parts[name] = remembering(true)
      local trainer = new(4, parts)
      trainer:run { steps = 2 }
      local before = bits(trainer)
      local ok, message = pcall(trainer.restore, trainer, state)
      assert.same({ false, "no" }, { ok, message })
      assert.equal(before, bits(trainer))
      assert.same({ 2, 0 }, { parts.optimizer.count, parts.schedule.count })
    end
  end)
end)

describe("a run that goes on from a file", function()
  local path = os.tmpname()
  teardown(function() os.remove(path) end)

  it("gives the same bits, whichever batch it was saved after", function()
    for _, steps in ipairs { 0, 1, BATCHES - 1, BATCHES, BATCHES + 1, EPOCHS * BATCHES - 1,
      EPOCHS * BATCHES } do
      local left = new(1)
      for _ = 1, steps do left:step() end
      assert(left:save(path))
      local again = new(1)
      assert(again:load(path))
      assert.equal(expected, finished(again), steps .. " steps")
    end
  end)

  it("takes the size of its file to be saved, and twice that to be loaded", function()
    local prepared = [[
      local X = pl.generator(1):normal(pl.matrix(1000, 10))
      local net = pl.network { inputs = 1000, pl.dense(1000, "tanh"), pl.dense(1) }
      trainer = pl.trainer(net, pl.dataset { X = X, T = pl.matrix(1, 10) },
        { loss = "squared_error", early_stopping = true })
    ]]
    local saving = memory.peak_alone(prepared .. "trainer:epoch()",
      ("assert(trainer:save %q)"):format(path))
    local loading = memory.peak_alone(prepared, ("assert(trainer:load %q)"):format(path))
    local size = lfs.attributes(path, "size")
    assert.is_true(size > 16e6) -- the weights, the best ones, and what adam keeps of each
    assert.is_true(saving < 1.3 * size, ("%.2f of the file"):format(saving / size))
    assert.is_true(loading < 2.2 * size, ("%.2f of the file"):format(loading / size))
  end)

  it("goes on after kill -9 at any moment", function()
    local script = ([[
      local pl = require "perilune"
      local clouds = require "spec.support.clouds"
      local net = pl.network({
        inputs = 2, pl.dense(8, "relu"), pl.batch_norm(), pl.dropout(0.3),
        pl.residual { pl.dense(8, "tanh"), pl.dropout(0.2), pl.batch_norm { momentum = 0.3 } },
        pl.layer_norm(), pl.dense(3),
      }, { seed = 1 })
      local trainer
      trainer = pl.trainer(net, clouds.new(100, 1), {
        loss = "softmax_cross_entropy", optimizer = { "adam", rate = 0.02, weight_decay = 0.01 },
        schedule = "cosine", epochs = %d, batch = 16, validation = clouds.new(40, 2), seed = 5,
        early_stopping = { patience = 9, monitor = "validation_accuracy" },
        on_batch = function() assert(trainer:save(%q)) end,
      })
      io.open(%q, "r"):close()
      trainer:run { steps = %d }
      assert(trainer:save(%q))
      local pid = io.open("/proc/self/stat"):read("n")
      os.execute("kill -9 " .. pid)
    ]])
    for _, steps in ipairs { 1, 7, 12 } do
      local text = script:format(EPOCHS, path, path, steps, path)
      local _, how, status = child.shell(child.command(text))
      assert.is_true(status == 9 or status == 137, how .. " " .. status)
      local again = new(1)
      assert(again:load(path))
      assert.equal(expected, finished(again), steps .. " steps")
    end
  end)

  it("may have more epochs, and goes on past the end of the one that was saved", function()
    local given = { schedule = false, early_stopping = false }
    local longer = { epochs = 5, schedule = false, early_stopping = false }
    for _, epochs in ipairs { 1, EPOCHS } do
      local left = new(1, given)
      left:run { epochs = epochs }
      assert(left:save(path))
      local again = new(77, longer)
      assert(again:load(path))
      assert.equal(finished(new(1, longer)), finished(again))
    end
  end)

  it("must be the same run, or the message says what is not", function()
    local left = new(1)
    left:run { steps = 9 }
    assert(left:save(path))
    local function refused(trainer, expected_message)
      local before = bits(trainer)
      local ok, message = trainer:load(path)
      assert.is_nil(ok)
      assert.is_truthy(message:find(path, 1, true))
      assert.is_truthy(message:find(expected_message, 1, true), message)
      assert.equal(before, bits(trainer))
    end
    refused(new(1, { batch = 32 }), "options.batch is 16 in the file and 32 here")
    refused(new(1, { loss = function() end }), "options.loss")
    refused(new(1, { optimizer = { "adam", rate = 0.01, weight_decay = 0.01 } }),
      "options.optimizer.rate is 0.02 in the file and 0.01 here")
    refused(new(1, { schedule = "step" }), "options.schedule")
    refused(new(1, nil, clouds.new(100, 3)), "data.checksum")
    refused(new(1, nil, clouds.new(101, 1)), "data.")
    refused(new(1, { validation = clouds.new(40, 9) }), "validation.checksum")
    refused(pl.trainer(network(1, "float64"), train, options()), "network.dtype")
    local other = pl.network { inputs = 2, pl.dense(9, "relu"), pl.dense(3) }
    refused(pl.trainer(other, train, options()), "network.layers")
  end)

  it("gives a message for a file that is none, is damaged or cut short", function()
    local left = new(1)
    left:run { steps = 9 }
    assert(left:save(path))
    local file = assert(io.open(path, "rb"))
    local content = file:read("a")
    file:close()
    local function with(bytes)
      local changed = assert(io.open(path, "wb"))
      changed:write(bytes)
      changed:close()
      local trainer = new(1)
      local before = bits(trainer)
      local ok, message = trainer:load(path)
      assert.is_nil(ok)
      assert.is_string(message)
      assert.equal(before, bits(trainer))
    end
    with("")
    for k = 1, 40 do
      local at = (k * 7919) % #content
      with(content:sub(1, at))
      with(content:sub(1, at) .. string.char(content:byte(at + 1) ~ 1) .. content:sub(at + 2))
    end
    assert(left.net:save(path))
    local ok, message = new(1):load(path)
    assert.is_nil(ok)
    assert.is_truthy(message:find("not a training state", 1, true), message)
    ok, message = new(1):load(path .. ".none")
    assert.is_nil(ok)
    assert.is_string(message)
  end)
end)
