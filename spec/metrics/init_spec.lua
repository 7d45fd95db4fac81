-- Metrics as parts: what they are told of outputs and targets, and what they say.

local at_caller = require("spec.support.misuse").at_caller
local naive = require "spec.support.naive"
local pl = require "perilune"
local reference = require "spec.support.reference"

local core = pl.float64

local function near(expected, actual, what)
  local is_near = math.abs(expected - actual) <= 1e-12 * math.max(1, math.abs(expected))
  assert(is_near, ("%s: %.17g expected, got %.17g"):format(what, expected, actual))
end

-- Some columns at a time
local function in_batches(A, T, weights, f)
  local first = 1
  for _, size in ipairs { 1, 7, 2, 20 } do
    local last = first + size - 1
    f(A:columns(first, last), T:columns(first, last), weights and weights:columns(first, last))
    first = last + 1
  end
  assert.equal(A.cols, first - 1)
end

describe("metrics as scikit-learn computes them", function()
  for case, expected in pairs(reference.load "metrics") do
    local A, T = core.matrix(expected.A), core.matrix(expected.T)
    local weights = expected.weights and core.matrix(expected.weights)
    local targets = case:find "^several" and "several" or nil

    it(case, function()
      for name, value in pairs(expected.values) do
        local metric = pl.metric(reference.description(name))
        near(value, metric(A, T, weights, { targets = targets }), name)
      end
    end)

    it(case .. ", batch by batch", function()
      for name, value in pairs(expected.values) do
        local description = reference.description(name)
        local meter = pl.metrics.meter({ description }, {
          outputs = A.rows, dtype = "float64", targets = targets,
        })
        in_batches(A, T, weights, function(...) meter:add(...) end)
        near(value, meter:results()[description[1]], name)
      end
    end)
  end
end)

describe("a metric", function()
  local g = core.generator(3)
  local Z = g:normal(core.matrix(4, 50))
  local labels = core.matrix(1, 50)
  for n = 1, 50 do labels:set(1, n, g:integer(1, 4)) end
  local weights = g:uniform(core.matrix(1, 50))

  it("is known by its name, by a description, and says whether more is better", function()
    local less = {
      hamming_loss = true, log_loss = true, brier = true, mse = true, rmse = true, mae = true,
      calibration_error = true,
    }
    local count = 0
    for name, metric in pairs(pl.metric) do
      count = count + 1
      assert.equal(name, metric.name)
      assert.equal(name, pl.metric({ name }).name)
      assert.equal(not less[name], metric.more_is_better)
    end
    assert.equal(19, count)
    assert.equal("mine", pl.metric({ "f1", name = "mine" }).name)
    at_caller(function() local _ = pl.metric "area" end, "unknown metric 'area' (known: accuracy, ")
    at_caller(function() local _ = pl.metric { "top_k", n = 3 } end,
      "unknown option 'n' of top_k (known: k, name)")
    at_caller(function() local _ = pl.metric { "f1", average = "mean" } end, "f1: average: ")
  end)

  it("of probabilities makes such of logits, to rounding", function()
    local P = pl.activation.softmax.forward(core.matrix(4, 50), Z)
    local z, p = core.matrix(1, 50):assign(Z:view(1, 1, 50)), core.matrix(1, 50)
    pl.activation.sigmoid.forward(p, z)
    local t = labels:map(function(label) return label > 2 and 1 or 0 end)
    for _, name in ipairs { "log_loss", "brier", "calibration_error", "roc_auc", "accuracy" } do
      local metric = pl.metric[name]
      near(metric(P, labels, weights), metric(Z, labels, weights, { gives = "logits" }), name)
      near(metric(p, t, weights), metric(z, t, weights, { gives = "logits" }), name)
      near(metric(p, t), metric(p, t, nil, { gives = "probabilities" }), name)
    end
  end)

  it("is the same of two outputs and of one, of two classes", function()
    local p = g:uniform(core.matrix(1, 50))
    local t = labels:map(function(label) return label > 2 and 1 or 0 end)
    local P, two = core.matrix(2, 50), core.matrix(1, 50)
    core.put_rows(P, 1, core.subtract(core.matrix(1, 50), 1, p))
    core.put_rows(P, 2, p)
    core.add(two, t, 1)
    for _, name in ipairs {
      "accuracy", "precision", "recall", "f1", "cohen_kappa", "matthews", "log_loss", "brier",
      "calibration_error", "roc_auc", "average_precision",
    } do
      near(pl.metric[name](p, t, weights), pl.metric[name](P, two, weights), name)
    end
  end)

  it("is known by a short name, too, where it has one", function()
    local p = g:uniform(core.matrix(1, 50))
    local t = labels:map(function(label) return label > 2 and 1 or 0 end)
    assert.equal(pl.metric.roc_auc(p, t, weights), pl.metric.auc(p, t, weights))
    assert.equal("auc", pl.metric.auc.name)
  end)

  it("takes target columns where it takes labels", function()
    local P = pl.activation.softmax.forward(core.matrix(4, 50), Z)
    local T = core.matrix(4, 50)
    for n = 1, 50 do T:set(labels:get(1, n), n, 1) end
    for name, metric in pairs(pl.metric) do
      if metric.takes ~= "several" and metric.takes ~= "values" then
        if name == "top_k" then metric = pl.metric { "top_k", k = 2 } end
        assert.equal(metric(P, labels, weights), metric(P, T, weights))
      end
    end
  end)

  it("takes matrices in either order, and of either type", function()
    local P = pl.activation.softmax.forward(core.matrix(4, 50), Z)
    local T = g:uniform(core.matrix(4, 50))
    local of_targets = g:uniform(core.matrix(4, 50))
    for name, metric in pairs(pl.metric) do
      if name == "top_k" then metric = pl.metric { "top_k", k = 2 } end
      local given = metric.takes == "values" and T or labels
      local about = metric.takes == "several" and { targets = "several" } or nil
      if about then given = T end
      local value = metric(P, given, of_targets, about)
      assert.equal(value, metric(P:copy "rows", given:copy "rows", of_targets:copy "rows", about))
      local single = metric(P:to "float32", given:to "float32", of_targets:to "float32", about)
      assert.is_true(math.abs(value - single) < 1e-5, name)
    end
  end)

  it("of single targets' weights counts by them what is numbers or several labels", function()
    local A, T = g:normal(core.matrix(3, 20)), g:normal(core.matrix(3, 20))
    local W = core.matrix(3, 20)
    for n = 1, 20 do for i = 1, 3 do W:set(i, n, g:integer(0, 2)) end end
    local squares, distances, total, wrong = 0, 0, 0, 0
    local hits, said, there = 0, 0, 0
    local right, samples = 0, 0
    local Y = T:map(function(t) return t > 0 and 1 or 0 end)
    for n = 1, 20 do
      local is_right, is_known = true, false
      for i = 1, 3 do
        local w, a, t = W:get(i, n), A:get(i, n), T:get(i, n)
        squares, distances, total = squares + w * (a - t)^2, distances + w * math.abs(a - t),
          total + w
        local says, is = a >= 0, t > 0
        if says ~= is then wrong = wrong + w end
        if says then said = said + w end
        if is then there = there + w end
        if says and is then hits = hits + w end
        is_right = is_right and (says == is or w == 0)
        is_known = is_known or w > 0
      end
      samples = samples + (is_known and 1 or 0)
      right = right + (is_known and is_right and 1 or 0)
    end
    local about = { targets = "several", gives = "logits" }
    near(squares / total, pl.metric.mse(A, T, W), "mse")
    near(math.sqrt(squares / total), pl.metric.rmse(A, T, W), "rmse")
    near(distances / total, pl.metric.mae(A, T, W), "mae")
    near(wrong / total, pl.metric.hamming_loss(A, Y, W, about), "hamming_loss")
    near(right / samples, pl.metric.accuracy(A, Y, W, about), "accuracy")
    near(2 * hits / (said + there),
      pl.metric { "f1", average = "micro" }(A, Y, W, about), "f1")
    local masked, unknown = T:copy(), Y:copy()
    for n = 1, 20 do
      for i = 1, 3 do
        if W:get(i, n) == 0 then
          masked:set(i, n, naive.nan)
          unknown:set(i, n, naive.nan)
        end
      end
    end
    for _, name in ipairs { "mse", "mae", "r2" } do
      near(pl.metric[name](A, T, W), pl.metric[name](A, masked, W), name)
    end
    for _, name in ipairs { "accuracy", "f1", "hamming_loss", "roc_auc" } do
      near(pl.metric[name](A, Y, W, about), pl.metric[name](A, unknown, W, about), name)
    end
  end)

  it("of a sample of weight 0 knows nothing", function()
    local P = pl.activation.softmax.forward(core.matrix(4, 50), Z)
    local some = weights:copy()
    for n = 31, 50 do some:set(1, n, 0) end
    for name, metric in pairs(pl.metric) do
      if metric.takes == "class" or metric.takes == "labels" then
        if name == "top_k" then metric = pl.metric { "top_k", k = 2 } end
        near(metric(P:columns(1, 30), labels:columns(1, 30), some:columns(1, 30)),
          metric(P, labels, some), name)
      end
    end
  end)

  it("is 0 where nothing has a weight, but for the area under the ROC curve, and r2", function()
    local P, none = pl.activation.softmax.forward(core.matrix(4, 50), Z), core.matrix(1, 50)
    for name, metric in pairs(pl.metric) do
      if name == "top_k" then metric = pl.metric { "top_k", k = 2 } end
      local about = metric.takes == "several" and { targets = "several" } or nil
      local T = (metric.takes == "values" or about) and P or labels
      local value = metric(P, T, none, about)
      if name == "roc_auc" or name == "auc" then
        assert.is_true(value ~= value)
      else
        assert.equal(name == "r2" and 1 or 0, value)
      end
    end
  end)
end)

describe("a metric of one's own", function()
  local A, T = core.matrix { { 1, 2, 3 } }, core.matrix { { 1, 1, 1 } }
  local function largest(outputs) return outputs:max() end
  local mine = { name = "largest", compute = largest, more_is_better = true }

  it("is a function, or a table with one that says whether more is better", function()
    assert.equal(3, pl.metric(largest)(A, T))
    local metric = pl.metric(mine)
    assert.equal(3, metric(A, T))
    assert.equal("largest", metric.name)
    assert.is_true(metric.more_is_better)
    assert.equal("largest", pl.metric(metric).name)
  end)

  it("is weighted over batches as a loss is", function()
    local meter = pl.metrics.meter({ mine }, { outputs = 1, dtype = "float64" })
    meter:add(A, T)
    meter:add(A:columns(1, 1), T:columns(1, 1), core.matrix { { 2 } })
    assert.equal((3 * 3 + 2 * 1) / 5, meter:results().largest)
  end)

  it("is refused where it gives no number or takes the name of another", function()
    at_caller(function() pl.metric(function() end)(A, T) end,
      "metric: a number expected from it, got nil")
    at_caller(function() pl.metric { name = "f1", compute = largest, more_is_better = true } end,
      "the metric 'f1' is built in")
    at_caller(function() pl.metric { name = "mine", compute = largest } end, "more_is_better")
    at_caller(function() pl.metric { name = "mine" } end, "metric: a name, ")
  end)
end)

describe("misuse of a metric", function()
  local A = core.matrix { { 0.5, 0.25, 0.25 }, { 0.25, 0.5, 0.25 }, { 0.25, 0.25, 0.5 } }
  local labels = core.matrix { { 1, 2, 3 } }
  local accuracy, several = pl.metric.accuracy, { targets = "several" }

  local function refused(expected, metric, ...)
    local arguments = table.pack(...)
    at_caller(function()
      local _ = metric(table.unpack(arguments, 1, arguments.n))
    end, expected)
  end

  it("names what is no matrix, of another type or of other samples", function()
    refused("accuracy: A: a matrix expected, got nil", accuracy, nil, labels)
    refused("accuracy: T: a matrix expected, got a table", accuracy, A, { 1, 2, 3 })
    refused("T is float32 and A is float64", accuracy, A, labels:to "float32")
    refused("A has 3 samples but T has 2", accuracy, A, core.matrix(1, 2))
    refused("weights: a matrix expected, got 1", accuracy, A, labels, 1)
    refused("weights: a 1 x 3 or 3 x 3 matrix of float64 expected, got a 2 x 3 matrix", accuracy, A,
      labels, core.matrix(2, 3))
    refused("weights: finite numbers of 0 or more expected", accuracy, A, labels,
      core.matrix { { 1, -1, 0 } })
    refused('gives: "logits" or', accuracy, A, labels, nil, { gives = "log" })
    refused("unknown option 'give'", accuracy, A, labels, nil, { give = "logits" })
  end)

  it("names targets that are not what the metric is of", function()
    refused("T: labels 1 to 3 expected, got 4 for sample 2", accuracy, A,
      core.matrix { { 1, 4, 1 } })
    refused("T: one class for each sample expected, got several largest targets for sample 2",
      accuracy, A, core.matrix { { 1, 1, 0 }, { 0, 1, 0 }, { 0, 0, 1 } })
    refused("subset_accuracy is of several labels for each sample", pl.metric.subset_accuracy, A,
      labels)
    refused("T: 3 rows expected, one for each label, got 1", accuracy, A, labels, nil, several)
    refused("T: targets from 0 to 1, or -1 and 1, expected, got some from 0 to 2", accuracy, A,
      core.matrix(3, 3):set(1, 1, 2), nil, several)
    for _, name in ipairs { "log_loss", "brier", "calibration_error", "cohen_kappa", "matthews",
      "top_k" } do
      refused(name .. " is of one class for each sample", pl.metric[name], A, core.matrix(3, 3),
        nil, several)
    end
    refused("mse takes no labels", pl.metric.mse, A, labels)
  end)

  it("names outputs that are no probabilities", function()
    local loss = pl.metric.log_loss
    refused("probabilities from 0 to 1 expected, got some from -1 to 0", loss,
      core.matrix(3, 3):set(1, 1, -1), labels)
    refused("which add up to 1, expected, got sums from 0 to 0", loss, core.matrix(3, 3), labels)
    refused("log_loss needs probabilities", loss, A, labels, nil, { gives = "values" })
  end)

  it("names an average, or a number of classes, that there is not", function()
    refused('f1: average = "binary" is of two classes, and there are 3', pl.metric {
      "f1", average = "binary",
    }, A, labels)
    refused('f1: average = "binary" is of two classes, and there are 3 labels', pl.metric {
      "f1", average = "binary",
    }, A, core.matrix(3, 3), nil, several)
    refused("top_k: k: a whole number from 1 to 2, fewer than there are classes, expected, got 3",
      pl.metric { "top_k", k = 3 }, A, labels)
  end)
end)
