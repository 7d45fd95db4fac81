local at_caller = require("spec.support.misuse").at_caller
local memory = require "spec.support.memory"
local pl = require "perilune"

-- J = sum over samples and targets of w (a - t)^2 / 2, over the total weight; by loops.
local function squared_error(A, T, _, weights)
  local sum, total = 0, 0
  for n = 1, A.cols do
    for i = 1, A.rows do
      local w = weights and weights:get(weights.rows > 1 and i or 1, n) or 1
      local difference = A:get(i, n) - T:get(i, n)
      if w > 0 then sum = sum + w * difference * difference / 2 end
      total = total + w / A.rows
    end
  end
  return total > 0 and sum / total or 0
end

for _, name in ipairs { "float32", "float64" } do
  local core = pl[name]

  describe("evaluate in " .. name, function()
    local N = 2300 -- more than two chunks
    local X = core.generator(6):normal(core.matrix(3, N))
    local labels = {}
    for n = 1, N do labels[n] = 1 + n % 4 end
    local dataset = pl.dataset { X = X, labels = labels }
    local network = pl.network({
      inputs = 3, pl.dense(5, "tanh"), pl.dropout(0.5), pl.dense(4),
    }, { dtype = name })

    it("gives the mean loss over all samples and the accuracy", function()
      local A = network:predict(X)
      local J = pl.loss.softmax_cross_entropy(A, dataset.T, false)
      local result = pl.evaluate(network, dataset, "softmax_cross_entropy")
      assert.near(J, result.loss, 1e-6)
      assert.same({ accuracy = result.accuracy }, pl.evaluate(network, dataset, false))
      assert.near(pl.metric.accuracy(A, dataset.T), result.accuracy, 1e-12)
    end)

    it("takes a loss as a name, a description, a part or a function", function()
      local set = dataset:one_hot()
      local expected = squared_error(network:predict(X), set.T)
      for _, loss in ipairs { "squared_error", { "squared_error" }, pl.loss.squared_error,
        squared_error, pl.loss(squared_error) } do
        assert.near(expected, pl.evaluate(network, set, loss).loss, 1e-5)
      end
    end)

    it("gives the accuracy alone without a loss", function()
      local result = pl.evaluate(network, dataset)
      assert.is_nil(result.loss)
      assert.is_number(result.accuracy)
    end)

    it("gives the loss alone without classes", function()
      local T = core.matrix(4, N):fill(1)
      local set = pl.dataset { X = X, T = T }
      local result = pl.evaluate(network, set, "squared_error")
      assert.is_nil(result.accuracy)
      assert.near(pl.loss.squared_error(network:predict(X), T, false), result.loss, 1e-6)
    end)

    it("weights the loss and the accuracy by the samples' weights", function()
      local weights = core.generator(7):uniform(core.matrix(1, N))
      for n = 1, N, 3 do weights:set(1, n, 0) end
      local set = pl.dataset { X = X, labels = labels, weights = weights }:one_hot()
      local A = network:predict(X)
      local best, right, total = A:argmax(), 0, 0
      for n = 1, N do
        total = total + weights:get(1, n)
        if best:get(1, n) == labels[n] then right = right + weights:get(1, n) end
      end
      local result = pl.evaluate(network, set, squared_error)
      assert.near(squared_error(A, set.T, false, weights), result.loss, 1e-6)
      assert.near(right / total, result.accuracy, 1e-9)
    end)

    it("weighs pieces of the set as the loss does: by the weights of their classes", function()
      local many, list = core.generator(9):normal(core.matrix(X.rows, 1700)), {}
      for n = 1, 1700 do list[n] = n < 1000 and 1 or n % 4 + 1 end
      local loss = pl.loss { "softmax_cross_entropy", class_weights = { 0.1, 1, 2, 3 } }
      local set = pl.dataset { X = many, labels = list }
      local result = pl.evaluate(network, set, loss)
      assert.near(loss(network:predict(many), set.T, false), result.loss, 1e-6)
    end)

    it("weights the loss alone by weights of single targets", function()
      local weights = core.generator(8):uniform(core.matrix(4, N))
      local set = pl.dataset { X = X, labels = labels, weights = weights }:one_hot()
      local A = network:predict(X)
      local result = pl.evaluate(network, set, squared_error)
      assert.near(squared_error(A, set.T, false, weights), result.loss, 1e-6)
      assert.near(pl.metric.accuracy(A, set.T), result.accuracy, 1e-12)
    end)

    it("leaves out samples of weight 0, as a set without them would", function()
      local weights, kept = core.matrix(1, N), {}
      for n = 1, N do
        if n % 5 ~= 0 then
          weights:set(1, n, 1)
          kept[#kept + 1] = n
        end
      end
      local T = core.generator(9):uniform(core.matrix(4, N))
      local classes = { "a", "b", "c", "d" }
      local few, few_T = core.matrix(3, #kept), core.matrix(4, #kept)
      core.gather(few, X, kept)
      core.gather(few_T, T, kept)
      for n = 5, N, 5 do T:columns(n, n):fill(0 / 0) end
      local masked = pl.dataset { X = X, T = T, weights = weights, classes = classes }
      local result = pl.evaluate(network, masked, squared_error)
      local expected = pl.evaluate(network,
        pl.dataset { X = few, T = few_T, classes = classes }, squared_error)
      assert.near(expected.loss, result.loss, 1e-6)
      assert.near(expected.accuracy, result.accuracy, 1e-12)
    end)

    it("takes labels of two classes for one output", function()
      local binary = pl.network({ inputs = 3, pl.dense(1, "sigmoid") }, { dtype = name })
      local two, right = {}, 0
      local A = binary:predict(X)
      local T = core.matrix(1, N)
      for n = 1, N do
        two[n] = 1 + n % 2
        T:set(1, n, n % 2)
        if (A:get(1, n) >= 0.5) == (two[n] == 2) then right = right + 1 end
      end
      local set = pl.dataset { X = X, labels = two }
      local result = pl.evaluate(binary, set, "squared_error")
      assert.near(right / N, result.accuracy, 1e-12)
      assert.near(squared_error(A, T), result.loss, 1e-5)
    end)

    it("decides one output by what the network gives, or the loss takes", function()
      local binary = pl.network({ inputs = 3, pl.dense(1) }, { dtype = name })
      local Z, two = binary:predict(X), {}
      local counts = { logits = 0, probabilities = 0 }
      for n = 1, N do
        two[n] = 1 + n % 2
        if (Z:get(1, n) >= 0) == (two[n] == 2) then counts.logits = counts.logits + 1 end
        if (Z:get(1, n) >= 0.5) == (two[n] == 2) then
          counts.probabilities = counts.probabilities + 1
        end
      end
      assert.not_equal(counts.logits, counts.probabilities)
      local set = pl.dataset { X = X, labels = two }
      assert.near(counts.probabilities / N, pl.evaluate(binary, set).accuracy, 1e-12)
      local loss = pl.loss(function() return 0 end)
      loss.gives = "logits"
      assert.near(counts.logits / N, pl.evaluate(binary, set, loss).accuracy, 1e-12)
      for gives, count in pairs(counts) do
        binary.gives = gives
        assert.near(count / N, pl.evaluate(binary, set).accuracy, 1e-12)
      end
    end)

    it("gives metrics by their names, in chunks as of all at once", function()
      local weights = core.generator(7):uniform(core.matrix(1, N))
      local set = pl.dataset { X = X, labels = labels, weights = weights }
      local A, about = network:predict(X), { gives = "logits" }
      local metrics = { "f1", { "top_k", k = 2 }, "roc_auc", "average_precision", "log_loss",
        "brier", { "calibration_error", bins = 7, name = "gap" }, "matthews" }
      local result = pl.evaluate(network, set, "softmax_cross_entropy", metrics)
      for _, description in ipairs(metrics) do
        local metric = pl.metric(description)
        local expected = metric(A, set.T, weights, about)
        assert.near(expected, result[metric.name], name == "float32" and 1e-5 or 1e-12)
      end
      assert.near(result.loss, result.log_loss, name == "float32" and 1e-5 or 1e-12)
      local T = core.generator(8):normal(core.matrix(4, N))
      result = pl.evaluate(network, pl.dataset { X = X, T = T }, nil, { "r2", "mse", "mae" })
      for value, expected in pairs(result) do
        assert.near(pl.metric[value](A, T), expected, name == "float32" and 1e-5 or 1e-12)
      end
    end)

    it("touches no training state", function()
      network:forward(X:columns(1, 5))
      local A = network.layers[1].A:totable()
      local drawn = network.generator:state()
      pl.evaluate(network, dataset)
      assert.same(A, network.layers[1].A:totable())
      assert.equal(drawn, network.generator:state())
    end)

    it("converts a dataset of the other type", function()
      local other = name == "float32" and "float64" or "float32"
      assert.equal(pl.evaluate(network, dataset).accuracy,
        pl.evaluate(network, dataset:to(other)).accuracy)
    end)
  end)
end

describe("misuse of evaluate", function()
  local network = pl.network { inputs = 2, pl.dense(3) }
  local X = pl.generator(1):normal(pl.matrix(2, 1200))

  local function labelled(changes)
    local labels = {}
    for n = 1, X.cols do labels[n] = 1 + n % 3 end
    local fields = { X = X, labels = labels }
    for name, value in pairs(changes or {}) do fields[name] = value or nil end
    return pl.dataset(fields)
  end

  it("names what is no network and no dataset", function()
    at_caller(function() pl.evaluate(nil, labelled()) end, "a network expected, got nil")
    at_caller(function() pl.evaluate({ predict = print }, labelled()) end,
      "a network expected, got a table")
    at_caller(function() pl.evaluate(network, X) end,
      "a dataset expected, got a 2 x 1200 matrix (pl.dataset { X =, T = } makes one)")
  end)

  it("names what does not fit the network", function()
    at_caller(function() pl.evaluate(network, labelled { X = pl.matrix(4, 1200) }) end,
      "the dataset has 4 inputs but the network has 2")
    local beyond = labelled()
    beyond.T:set(1, 1100, 4)
    at_caller(function() pl.evaluate(network, beyond) end,
      "labels 1 to 3 expected, one for each output, got 4 for sample 1100")
    local targets = pl.dataset {
      X = X, T = pl.matrix(4, 1200), classes = { "a", "b", "c", "d" },
    }
    at_caller(function() pl.evaluate(network, targets) end,
      "the dataset has 4 targets but the network has 3 outputs")
    local binary = pl.network { inputs = 2, pl.dense(1) }
    at_caller(function() pl.evaluate(binary, labelled()) end,
      "labels 1 to 2 expected for one output, which tells two classes apart, got 3")
  end)

  it("names what does not fit the loss", function()
    at_caller(function() pl.evaluate(network, labelled(), "squared_error") end,
      "squared_error takes no labels (dataset:one_hot() makes target columns of them)")
    at_caller(function() pl.evaluate(network, labelled(), "square_error") end,
      "unknown loss 'square_error' (known: ")
    local targets = pl.dataset { X = X, T = pl.matrix(4, 1200) }
    at_caller(function() pl.evaluate(network, targets, "squared_error") end,
      "the dataset has 4 targets but the network has 3 outputs")
    at_caller(function() pl.evaluate(network, targets, function() end) end,
      "loss: a number J expected from it, got nil")
  end)

  it("lets a loss of one's own take targets of any number", function()
    local targets = pl.dataset { X = X, T = pl.matrix(4, 1200) }
    assert.equal(2, pl.evaluate(network, targets, function() return 2 end).loss)
  end)

  it("names metrics that do not fit the targets", function()
    local targets = pl.dataset { X = X, T = pl.matrix(4, 1200) }
    at_caller(function() pl.evaluate(network, targets, function() return 2 end, { "mse" }) end,
      "mse: a target for each output expected, got 4 targets and 3 outputs")
    at_caller(function() pl.evaluate(network, targets, nil, { "f1" }) end,
      "f1: a target for each output expected")
    at_caller(function() pl.evaluate(network, labelled(), nil, { "mse" }) end,
      "mse takes no labels")
    at_caller(function() pl.evaluate(network, labelled(), nil, "f1") end,
      "metrics: a list of metrics expected, got \"f1\"")
  end)

  it("names the sample for which the network gives NaN", function()
    local broken = X:copy()
    broken:set(1, 1017, 0 / 0)
    local set = labelled { X = broken }
    for _, loss in ipairs { false, "softmax_cross_entropy" } do
      at_caller(function() pl.evaluate(network, set, loss or nil) end,
        "the network gives NaN for sample 1017: X is NaN in row 1 of sample 1017")
    end
  end)

  it("names the parameter for which the network gives NaN", function()
    local broken = network:clone()
    broken.layers[1].b:fill(0 / 0)
    at_caller(function() pl.evaluate(broken, labelled {}) end,
      "the network gives NaN for sample 1: 1.b is NaN in row 1, column 1")
  end)

  it("takes no memory that grows with the samples", function()
    local small = pl.network { inputs = 1, pl.dense(1) }
    local numbers, bytes = pl.matrix(1, 200000), pl.bytes(("x"):rep(200000), 1, 200000)
    local others = numbers:to "float64"
    for _, samples in ipairs { numbers, bytes, others } do
      local set = pl.dataset { X = samples, T = samples == bytes and numbers or samples }
      local allocated = memory.allocated(function() pl.evaluate(small, set, "squared_error") end)
      assert.is_true(allocated < 200000, allocated)
    end
  end)

  it("names weights that are all 0", function()
    local set = labelled { weights = pl.matrix(1, 1200) }
    at_caller(function() pl.evaluate(network, set) end,
      "the weights of all samples are 0")
  end)
end)
