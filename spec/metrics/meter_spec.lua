local Meter = require "perilune.metrics.meter"
local at_caller = require("spec.support.misuse").at_caller
local batch = require "perilune.metrics.batch"
local cores = require "perilune.cores"
local memory = require "spec.support.memory"
local pl = require "perilune"

local core = pl.float64

-- A meter of the mean loss and of metrics, for two outputs unless changed
local function new(changes, ...)
  local about = { core = core, outputs = 2, several = false, labels = false }
  for name, value in pairs(changes or {}) do about[name] = value end
  local metrics = {}
  for k, description in ipairs { "accuracy", ... } do metrics[k] = pl.metric(description) end
  return Meter.new(metrics, about, true)
end

describe("a meter", function()
  -- predicted 1, 2, 1; right, right, wrong
  local A = core.matrix { { 3, 1, 2 }, { 1, 2, 1 } }
  local T = core.matrix { { 1, 2, 2 } }

  it("gives the mean loss and the accuracy of batches of any size", function()
    local meter = new()
    meter:take(A, T, nil, 0.5)
    meter:take(A:columns(1, 1), T:columns(1, 1), nil, 0.1)
    assert.near((3 * 0.5 + 0.1) / 4, meter.loss:result(), 1e-15)
    assert.same({ loss = meter.loss:result(), accuracy = 3 / 4 }, meter:results())
    assert.equal(4, meter.samples)
    for _, wrong in ipairs { 3, "x", A } do
      at_caller(function() meter:results(wrong) end, "results: a table expected, got ")
    end
  end)

  it("counts samples by their weights", function()
    local meter = new()
    meter:take(A, T, core.matrix { { 0.5, 0, 2 } }, 0.3)
    meter:take(A, T, core.matrix { { 1, 1, 1 } }, 0.7)
    assert.near((2.5 * 0.3 + 3 * 0.7) / 5.5, meter:results().loss, 1e-15)
    assert.near((0.5 + 2) / 5.5, meter:results().accuracy, 1e-15)
  end)

  it("counts the loss by weights of single targets, and samples alike", function()
    local meter = new()
    meter:take(A, T, core.matrix { { 1, 0, 1 }, { 1, 1, 1 } }, 0.3)
    meter:take(A, T, core.matrix { { 1, 1, 1 }, { 1, 1, 1 } }, 0.7)
    assert.near((2.5 * 0.3 + 3 * 0.7) / 5.5, meter:results().loss, 1e-15)
    assert.near(4 / 6, meter:results().accuracy, 1e-15)
  end)

  it("takes target columns, and one output for two classes", function()
    local meter = new()
    meter:take(A, core.matrix { { 1, 0, 0 }, { 0, 1, 1 } }, nil, 0)
    assert.near(2 / 3, meter:results().accuracy, 1e-15)
    local a, t = core.matrix { { 0.4, 0.6, -1 } }, core.matrix { { 0, 1, 1 } }
    for gives, right in pairs { logits = 1, probabilities = 2 } do
      meter = new { outputs = 1, gives = gives }
      meter:take(a, t, nil, 0)
      assert.near(right / 3, meter:results().accuracy, 1e-15)
    end
  end)

  it("counts no sample whose target is not known", function()
    local nan = 0 / 0
    local columns = core.matrix { { 1, nan, 0 }, { 0, 0, 1 } }
    local meter = new()
    meter:take(A, columns, nil, 0)
    assert.equal(1 / 2, meter:results().accuracy)
    meter:reset():take(A, columns, core.matrix { { 3, 5, 1 } }, 0)
    assert.equal(3 / 4, meter:results().accuracy)
    assert.is_true(columns:get(1, 2) ~= columns:get(1, 2))
    meter = new { outputs = 1 }
    meter:take(core.matrix { { 1, 0, 0 } }, core.matrix { { 1, nan, 0 } }, nil, 0)
    assert.equal(1, meter:results().accuracy)
  end)

  it("is 0 where nothing has a weight", function()
    local meter = new()
    assert.same({ loss = 0, accuracy = 0 }, meter:results())
    meter:take(A, T, core.matrix(1, 3), 0)
    assert.same({ loss = 0, accuracy = 0 }, meter:results())
  end)

  it("begins again after reset", function()
    local meter = new(nil, "f1", "roc_auc")
    meter:take(A, T, nil, 1)
    local expected = meter:results()
    assert.is_true(rawequal(meter, meter:reset()))
    assert.equal(0, meter.samples)
    meter:take(A, T, nil, 1)
    assert.same(expected, meter:results())
    assert.equal(3, meter.samples)
  end)

  it("allocates nothing once every size of batch was seen", function()
    local P = core.matrix { { 0.75, 0.25, 0.5 }, { 0.25, 0.75, 0.5 } }
    local one_hot = core.matrix { { 1, 0, 0 }, { 0, 1, 1 } }
    local weights = core.matrix(1, 3):fill(1)
    local all = {
      { "top_k", k = 1 }, "f1", "precision", "recall", "cohen_kappa", "matthews", "log_loss",
      "brier", "calibration_error",
    }
    local cases = {
      { new(nil, table.unpack(all)), P, T }, { new(nil, table.unpack(all)), P, one_hot, weights },
      { new({ gives = "logits" }, table.unpack(all)), A, T },
      { new({ outputs = 1 }, table.unpack(all)), T / 3, T / 3 },
      { new({}, "mse", "rmse", "mae", "r2"), A, one_hot, one_hot },
      { new({ several = true }, "subset_accuracy", "hamming_loss", "f1"), P, one_hot, one_hot },
    }
    local function round()
      for _, case in ipairs(cases) do case[1]:take(case[2], case[3], case[4], 0.5) end
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

  it("keeps scores in memory that doubles as it fills", function()
    local meter = new(nil, "roc_auc")
    local bytes = memory.allocated(function()
      for _ = 1, 1000 do meter:take(A, T, nil, 0) end
    end)
    -- outputs, classes and weights, 8 bytes each; twice that for what they grew out of, and a
    -- header of a view for each
    assert.is_true(bytes < 3000 * 4 * 8 * 4 + 1000 * 3 * 200, bytes)
    assert.equal(0.75, meter:results().roc_auc)
  end)
end)

-- All of a value, bit by bit
local function dump(value)
  if cores.is_matrix(value) then return value:encode(value.dtype) end
  if type(value) ~= "table" then
    return type(value) == "number" and ("%a"):format(value) or tostring(value)
  end
  local pieces = {}
  for key, inner in pairs(value) do pieces[#pieces + 1] = key .. "=" .. dump(inner) end
  table.sort(pieces)
  return "{" .. table.concat(pieces, ",") .. "}"
end

describe("the state of a meter", function()
  local g = core.generator(4)
  local A = pl.activation.softmax.forward(core.matrix(3, 40), g:normal(core.matrix(3, 40)))
  local labels, columns = core.matrix(1, 40), g:uniform(core.matrix(3, 40))
  for n = 1, 40 do labels:set(1, n, g:integer(1, 3)) end
  local classes = { "accuracy", { "top_k", k = 2 }, "f1", "roc_auc", "average_precision", "brier" }

  local function meter_of(list, targets)
    return pl.metrics.meter(list, { outputs = 3, dtype = "float64", targets = targets })
  end

  it("is all that another needs to go on", function()
    for _, case in ipairs {
      { classes, labels }, { { "r2", "mse", "mae" }, columns },
      { { "roc_auc", "f1", "hamming_loss" }, columns, "several" },
    } do
      local list, T, targets = table.unpack(case)
      local whole = meter_of(list, targets):add(A, T)
      local first = meter_of(list, targets):add(A:columns(1, 15), T:columns(1, 15))
      local state = first:state()
      first:add(A, T)
      local second = meter_of(list, targets):add(A, T):restore(state)
      assert.equal(15, second.samples)
      second:add(A:columns(16, 40), T:columns(16, 40))
      for name, value in pairs(whole:results()) do
        assert.near(value, second:results()[name], 1e-12)
      end
      local empty = meter_of(list, targets):state()
      assert.same(whole:results(), second:restore(empty):add(A, T):results())
    end
  end)

  it("is that of before a batch that is weighed, until it is counted", function()
    for _, case in ipairs {
      { classes, labels }, { { "r2", "mse", "mae" }, columns },
      { { "roc_auc", "f1", "hamming_loss" }, columns, "several" },
    } do
      local list, T, targets = table.unpack(case)
      local meter, whole = meter_of(list, targets), meter_of(list, targets)
      for _, range in ipairs { { 1, 15 }, { 16, 20 }, { 21, 40 } } do
        local first, last = table.unpack(range)
        local B, columns_of_T = A:columns(first, last), T:columns(first, last)
        local state, results = dump(meter:state()), dump(meter:results())
        meter:weigh(A, T, nil, 40)
        meter:weigh(B, columns_of_T, nil, B.cols)
        assert.equal(state, dump(meter:state()))
        assert.equal(results, dump(meter:results()))
        assert.equal(0, memory.allocated(function() meter:count() end))
        whole:take(B, columns_of_T)
        assert.equal(dump(whole:state()), dump(meter:state()))
        meter:count() -- there is nothing left to count
        assert.equal(dump(whole:state()), dump(meter:state()))
      end
    end
  end)

  it("is taken without memory, once it is checked and copied", function()
    local whole, meter = meter_of(classes):add(A, labels), meter_of(classes)
    local state, before = whole:state(), dump(meter:state())
    meter:weigh(A, labels, nil, 40)
    local restore = meter:restorer(state)
    assert.equal(before, dump(meter:state()))
    assert.equal(0, memory.allocated(restore))
    meter:count() -- what was weighed before is not of this state
    assert.equal(dump(state), dump(meter:state()))
    whole:add(A, labels)
    assert.equal(dump(whole:state()), dump(meter:add(A, labels):state()))
  end)

  it("is refused by others, which then are as they were", function()
    local meter = meter_of(classes):add(A, labels)
    local before = meter:results()
    local function refused(expected, change)
      local state = meter:state()
      change(state)
      at_caller(function() meter:restore(state) end, expected)
      assert.same(before, meter:results())
    end
    refused("state of the metric f1 is missing", function(state) state.metrics.f1 = nil end)
    refused("state of a metric mse, which is not measured",
      function(state) state.metrics.mse = { 0, 0 } end)
    refused("state of the metric accuracy: a list of 2 numbers expected",
      function(state) state.metrics.accuracy = { 1 } end)
    refused("state of the metric f1: a list of 10 numbers expected",
      function(state) state.metrics.f1[3] = "one" end)
    refused("state of the metric roc_auc expected",
      function(state) state.metrics.roc_auc.A = core.matrix(3, 2) end)
    refused("state of the metric roc_auc expected",
      function(state) state.metrics.roc_auc.samples = nil end)
    refused("samples", function(state) state.samples = -1 end)
    at_caller(function() meter:restore(1) end, "state of metrics")
  end)
end)

describe("a meter of one's own", function()
  local A, labels = pl.matrix { { 1, 0 }, { 0, 1 } }, pl.matrix { { 1, 1 } }

  it("is of metrics by their descriptions, each of another name", function()
    local meter = pl.metrics.meter({ "f1", { "f1", average = "micro", name = "micro_f1" } },
      { outputs = 2 })
    assert.same({ f1 = 0, micro_f1 = 0.5 }, meter:add(A, labels):results())
    local function refused(expected, list)
      at_caller(function() local _ = pl.metrics.meter(list, { outputs = 2 }) end, expected)
    end
    refused("metrics: a list of metrics expected, got \"f1\"", "f1")
    refused("metrics: a list of metrics expected, got a table with other fields",
      { "top_k", k = 3 })
    refused('metrics: two are called "f1" (name = "..." gives one of them another name)',
      { "f1", { "f1", average = "micro" } })
    refused("metrics: one without a name", { function() return 1 end })
    for _, name in ipairs { "loss", "epoch", "rate", "validation_f1" } do
      refused(("the name %q is that of another number"):format(name), { { "f1", name = name } })
    end
    refused("unknown metric 'f2'", { "f2" })
  end)

  it("looks at each batch, and adds nothing of what it refuses", function()
    local meter = pl.metrics.meter({ "accuracy" }, { outputs = 2 }):add(A, labels)
    for _, outputs in ipairs { 0, math.maxinteger } do
      at_caller(function() local _ = pl.metrics.meter({ "accuracy" }, { outputs = outputs }) end,
        "outputs: a whole number from 1 to 1048576 expected, got ")
    end
    for expected, add in pairs {
      ["A: a 2 x N matrix of float32 expected, got a 3 x 2 matrix of float32"] = function()
        meter:add(pl.matrix(3, 2), labels)
      end,
      ["A: a 2 x N matrix of float32 expected, got a 2 x 2 matrix of float64"] = function()
        meter:add(A:to "float64", labels)
      end,
      ["A is NaN for sample 2"] = function() meter:add(A:copy():set(1, 2, 0 / 0), labels) end,
      ["labels 1 to 2 expected, got 3"] = function() meter:add(A, labels:copy():set(1, 1, 3)) end,
    } do
      at_caller(add, expected)
      assert.equal(2, meter.samples)
    end
  end)

  it("is told what outputs are, and how many", function()
    at_caller(function() local _ = pl.metrics.meter({ "f1" }, {}) end,
      "pl.metrics.meter: option 'outputs' is required")
    at_caller(function() local _ = pl.metrics.meter({ "f1" }, { outputs = 2, targets = "two" }) end,
      "pl.metrics.meter: targets: ")
  end)
end)

describe("the total weight of a batch", function()
  it("is N, the sum of the samples' weights, or that of the targets' over S_L", function()
    assert.equal(7, batch.total_weight(nil, 7, 3))
    assert.equal(3.5, batch.total_weight(core.matrix { { 1, 0.5, 2 } }, 3, 4))
    local of_targets = core.matrix { { 1, 0, 2 }, { 1, 1, 1 } }
    assert.equal(3, batch.total_weight(of_targets, 3, 2))
    assert.equal(3, pl.metrics.total_weight(of_targets, 3, 2))
    at_caller(function() local _ = pl.metrics.total_weight(3, 3, 2) end,
      "weights: a matrix expected, got 3")
    at_caller(function() local _ = pl.metrics.total_weight(of_targets, 3) end,
      "outputs: a whole number of 1 or more expected, got nil")
  end)
end)
