local at_caller = require("spec.support.misuse").at_caller
local clouds = require "spec.support.clouds"
local pl = require "perilune"

local nan = 0 / 0

local function net(outputs, activation, dtype)
  return pl.network({ inputs = 2, pl.dense(4, "tanh"), pl.dense(outputs, activation) },
    { dtype = dtype })
end

local function refused(network, dataset, given, message)
  local before = network.theta:encode(network.dtype)
  if type(given) == "string" then given = { loss = given } end
  at_caller(function() pl.fit(network, dataset, given) end, message)
  assert.equal(before, network.theta:encode(network.dtype))
end

local X = pl.matrix { { 1, 2, 3, 4 }, { 4, 3, 1, 2 } }
local labels = pl.dataset { X = X, labels = { 1, 2, 1, 2 } }
local function targets(T) return pl.dataset { X = X, T = T } end

describe("before the first step", function()
  it("softmax below softmax_cross_entropy is refused, with the cure", function()
    refused(net(2, "softmax"), labels, "softmax_cross_entropy",
      "the last layer's activation must be \"identity\", got \"softmax\"")
    local Own = { is_transparent = true }
    function Own.new(_, context)
      local function same(_, A) return A end
      return { output = context.input, forward = same, predict = same, backward = same }
    end
    for _, last in ipairs {
      pl.dropout(0.1), pl.alpha_dropout(0.1), pl.gaussian_noise(0.1), "own",
    } do
      local nested = pl.network({
        inputs = 2, { pl.dense(4), pl.dense(2, "softmax") }, last,
      }, { layers = { own = Own } })
      refused(nested, labels, "softmax_cross_entropy", "must be \"identity\"")
    end
  end)

  it("so is log_softmax, which would be applied twice", function()
    refused(net(2, "log_softmax"), labels, "softmax_cross_entropy",
      "must be \"identity\", got \"log_softmax\"")
  end)

  it("softmax and log_softmax of one output are refused", function()
    refused(net(1, "softmax"), targets { { 0, 1, 0, 1 } }, "squared_error",
      "softmax of one output is always 1")
    refused(net(1, "log_softmax"), targets { { 0, -1, 0, -1 } }, "squared_error",
      "log_softmax of one output is always 0")
  end)

  it("softmax_cross_entropy of one output is refused", function()
    refused(net(1), labels, "softmax_cross_entropy", "two classes need 2 outputs")
  end)

  it("targets that the last layer cannot reach are refused", function()
    refused(net(1, "sigmoid"), targets { { 0, 3, 1, 2 } }, "squared_error",
      "targets reach from 0 to 3, but the last layer's sigmoid only gives 0 to 1")
    refused(net(1, "relu"), targets { { 0, -1, 1, 2 } }, "squared_error",
      "the last layer's relu only gives 0 and above")
    refused(net(1, "tanh"), targets { { 0, -1, 1, 2 } }, "squared_error",
      "the last layer's tanh only gives -1 to 1")
    for activation, range in pairs {
      hard_sigmoid = "0 to 1", softplus = "0 and above", exponential = "0 and above",
      silu = "-0.278465 and above", gelu = "-0.169971 and above",
      [{ "hard_tanh", lower = -1, upper = 2 }] = "-1 to 2",
      [{ "elu", alpha = 0.5 }] = "-0.5 and above",
    } do
      local name = type(activation) == "table" and activation[1] or activation
      refused(net(1, activation), targets { { 0, -1.5, 1, 2 } }, "squared_error",
        ("the last layer's %s only gives %s"):format(name, range))
    end
    refused(net(2, "log_softmax"), targets { { 0, -1, -1, -2 }, { -1, -1, -1, 0.5 } },
      "squared_error", "the last layer's log_softmax only gives 0 and below")
    local within = pl.fit(net(1, "sigmoid"), targets { { 0, 1, 1, 0.5 } },
      { loss = "squared_error", epochs = 1 })
    assert.equal(1, #within)
  end)

  it("a last layer that cannot give what a loss takes is refused, with the cure", function()
    local T = targets { { 0, 1, 1, 0 }, { 1, 1, 0, 0 } }
    refused(net(2, "sigmoid"), T, "sigmoid_cross_entropy", "sigmoid_cross_entropy takes logits and "
      .. "applies sigmoid itself: the last layer's activation must be \"identity\", got "
      .. "\"sigmoid\"")
    refused(net(2, "softmax"), T, "hinge", "hinge takes logits: the last layer's activation must "
      .. "be \"identity\", got \"softmax\"")
    refused(net(2), T, "binary_cross_entropy", "binary_cross_entropy takes probabilities, 0 to 1, "
      .. "but the last layer's identity gives any number: use \"sigmoid\" there")
    refused(net(2, "tanh"), T, "binary_cross_entropy", "tanh gives -1 to 1: use \"sigmoid\" there")
    refused(net(2, "sigmoid"), T, "kl_divergence", "kl_divergence takes log-probabilities, 0 and "
      .. "below, but the last layer's sigmoid gives 0 to 1: use \"log_softmax\" there")
    for loss, activation in pairs {
      sigmoid_cross_entropy = "identity", focal = "identity", hinge = "identity",
      binary_cross_entropy = "sigmoid", poisson = "tanh",
    } do
      local trained = net(2, activation)
      assert.equal(1, #pl.fit(trained, T, { loss = loss, epochs = 1 }))
      assert.equal(pl.loss[loss].gives, trained.gives)
    end
  end)

  it("targets that the loss does not take are refused", function()
    refused(net(1), targets { { 0, 1, 3, -1 } }, "poisson",
      "the training set: targets reach from -1 to 3, but poisson takes 0 and above")
    refused(net(1), targets { { 0, 1, 3, 1 } }, "sigmoid_cross_entropy",
      "targets reach from 0 to 3, but sigmoid_cross_entropy takes 0 to 1")
    local masked = pl.dataset {
      X = X, T = { { 0, 7, 1, 1 } }, weights = { { 1, 0, 1, 1 } },
    }
    assert.equal(1, #pl.fit(net(1), masked, { loss = "sigmoid_cross_entropy", epochs = 1 }))
  end)

  it("one output for two classes is trained by losses that tell yes from no", function()
    for _, loss in ipairs { "sigmoid_cross_entropy", "focal", "hinge", "squared_hinge" } do
      assert.equal(1, #pl.fit(net(1), labels, { loss = loss, epochs = 1 }))
    end
    refused(net(1), labels, "multi_margin", "multi_margin of one output tells no classes apart: "
      .. "two classes need 2 outputs, or one with the loss \"sigmoid_cross_entropy\"")
  end)

  it("a loss of labels refuses target columns", function()
    refused(net(2), labels:one_hot(), "multi_margin", "the training set: multi_margin takes labels")
    assert.equal(1, #pl.fit(net(2), labels, { loss = "multi_margin", epochs = 1 }))
  end)

  it("a loss that compares two outputs with each target gets them", function()
    local T = targets { { 1, 2, 3, 4 } }
    refused(net(1), T, "gaussian_nll", "the training set has 1 targets but the network has 1 "
      .. "outputs, and gaussian_nll takes 2 for each target")
    local network = pl.network { inputs = 2, pl.branch { pl.dense(1), pl.dense(1, "sigmoid") } }
    local history = pl.fit(network, T, { loss = "gaussian_nll", epochs = 2, validation = T })
    assert.is_true(history[2].validation_loss - history[2].validation_loss == 0)
  end)

  it("labels are refused by a loss that takes none", function()
    refused(net(2), labels, "squared_error",
      "squared_error takes no labels (dataset:one_hot() makes target columns of them)")
  end)

  it("labels beyond the outputs are refused", function()
    refused(net(2), pl.dataset { X = X, labels = { 1, 2, 3, 1 } }, "softmax_cross_entropy",
      "labels 1 to 2 expected, one for each output, got 3")
    refused(net(1, "sigmoid"), pl.dataset { X = X, labels = { 1, 2, 3, 1 } }, "squared_error",
      "2")
  end)

  it("targets of other rows are refused", function()
    refused(net(3), targets { { 1, 2, 3, 4 } }, "squared_error",
      "the training set has 1 targets but the network has 3 outputs")
  end)

  it("what is no number is found, in which set, row and sample", function()
    local broken = X:copy():set(2, 3, nan)
    refused(net(2), pl.dataset { X = broken, labels = { 1, 2, 1, 2 } }, "softmax_cross_entropy",
      "the training set: numbers expected, X has NaN or infinity in row 2 of sample 3")
    refused(net(1), targets { { 1, 2, math.huge, 4 } }, "squared_error",
      "the training set: numbers expected, T has NaN or infinity in row 1 of sample 3")
    refused(net(1), targets { { 1, 2, 3, 4 } },
      { loss = "squared_error", validation = targets { { 1, nan, 3, 4 } } },
      "the validation set: numbers expected, T has NaN or infinity in row 1 of sample 2")
  end)

  it("a target that is masked may be anything", function()
    local masked = pl.dataset {
      X = X, T = { { 1, nan, 3, 4 } }, weights = { { 1, 0, 1, 1 } },
    }
    local history = pl.fit(net(1), masked, { loss = "squared_error", epochs = 2 })
    assert.is_true(history[2].loss == history[2].loss)
  end)

  it("targets out of reach are refused where all samples have a weight, too", function()
    local weighted = pl.dataset { X = X, T = { { 0, 3, 1, 2 } }, weights = { 1, 2, 1, 1 } }
    refused(net(1, "sigmoid"), weighted, "squared_error", "targets reach from 0 to 3")
    local without = pl.dataset { X = X, T = { { 0, 3, 1, 1 } }, weights = { 1, 0, 1, 1 } }
    assert.equal(1, #pl.fit(net(1, "sigmoid"), without, { loss = "squared_error", epochs = 1 }))
  end)

  it("samples that all have the weight 0 are refused", function()
    local none = pl.dataset { X = X, labels = { 1, 2, 1, 2 }, weights = { 0, 0, 0, 0 } }
    refused(net(2), none, "softmax_cross_entropy",
      "the training set: the weights of all samples are 0")
    local part = pl.dataset { X = X, labels = { 1, 2, 1, 2 }, weights = { 0, 0, 1, 1 } }
    assert.equal(1, #pl.fit(net(2), part, { loss = "softmax_cross_entropy", epochs = 1 }))
  end)

  it("classes in another order than the network's are refused, in evaluation too", function()
    local function named(classes)
      return pl.dataset { X = X, labels = { 1, 2, 1, 2 }, classes = classes }
    end
    local network = pl.network({ inputs = 2, pl.dense(2) }, { classes = { "cat", "dog" } })
    refused(network, named { "dog", "cat" }, "softmax_cross_entropy",
      "the training set: class 1: \"cat\" expected, as the network has it, got \"dog\"")
    refused(network, named { "cat", "dog" },
      { loss = "softmax_cross_entropy", validation = named { "cat", "cow" } },
      "the validation set: class 2: \"dog\" expected, as the network has it, got \"cow\"")
    at_caller(function() pl.evaluate(network, named { "dog", "cat" }) end,
      "the dataset: class 1: \"cat\" expected")
    network.classes = 5
    at_caller(function() pl.evaluate(network, named { "cat", "dog" }) end,
      "classes: a list of different names expected, got 5")
    network.classes = { "cat", "dog" }
    local fitting = { named { "cat", "dog" }, named() }
    for _, dataset in ipairs(fitting) do
      assert.equal(1, #pl.fit(network, dataset, { loss = "softmax_cross_entropy", epochs = 1 }))
    end
  end)

  it("what a layer of one's own calls its fields does not matter", function()
    local class = {}
    class.__index = class
    function class.new(_, context)
      return setmetatable({ output = context.input, layers = 3, options = 4, mask = 5 }, class)
    end
    function class.forward(_, A_below) return A_below end
    class.predict = class.forward
    function class.backward(_, Delta) return Delta end
    local network = pl.network({ inputs = 2, pl.dense(1, "sigmoid"), "own" },
      { layers = { own = class } })
    assert.equal(1, #pl.fit(network, targets { { 1, 2, 3, 4 } },
      { loss = "squared_error", epochs = 1 }))
    assert.equal("values", network.gives)
  end)

  it("a network without anything to train is warned of", function()
    local frozen = pl.network { inputs = 2, pl.dense(1, nil, { frozen = true }), pl.dropout(0.1) }
    local history = pl.fit(frozen, targets { { 1, 2, 3, 4 } },
      { loss = "squared_error", epochs = 1 })
    assert.same({ "the network has no parameters to train: its layers are frozen, or have none" },
      history.warnings)
  end)

  it("a feature that never changes is warned of", function()
    local constant = pl.dataset { X = { { 1, 2, 3, 4 }, { 7, 7, 7, 7 } }, T = { { 1, 2, 3, 4 } } }
    local told = {}
    local history = pl.fit(net(1), constant, { loss = "squared_error", epochs = 1,
      on_warning = function(message) told[#told + 1] = message end })
    assert.equal(1, #history.warnings)
    assert.is_truthy(history.warnings[1]:find("X never changes in row 2", 1, true))
    assert.same(history.warnings, told)
    assert.same({}, pl.fit(net(1), targets { { 1, 2, 3, 4 } },
      { loss = "squared_error", epochs = 1 }).warnings)
  end)

  it("a batch of one sample is warned of where batch_norm has it", function()
    local function warnings(count, batch)
      local network = pl.network { inputs = 2, pl.dense(4), pl.batch_norm(), pl.dense(3) }
      return pl.trainer(network, clouds.new(count, 1),
        { loss = "softmax_cross_entropy", batch = batch }).history.warnings
    end
    assert.is_truthy(warnings(33, 16)[1]:find("layer 2: a batch of one sample", 1, true))
    assert.is_truthy(warnings(33, 1)[1]:find("every batch", 1, true))
    local frozen = pl.network { inputs = 2, pl.batch_norm { frozen = true }, pl.dense(3) }
    assert.same({}, pl.trainer(frozen, clouds.new(33, 1),
      { loss = "softmax_cross_entropy", batch = 16 }).history.warnings)
    assert.same({}, warnings(32, 16))
    assert.same({}, warnings(34, 16))
  end)

  it("logits from a bounded activation are warned of", function()
    local trainer = pl.trainer(net(2, "tanh"), labels, { loss = "softmax_cross_entropy" })
    assert.is_truthy(trainer.history.warnings[1]:find("takes logits", 1, true))
  end)
end)

describe("what the outputs are", function()
  it("is kept with the network by training", function()
    for _, case in ipairs {
      { net(2), labels, "softmax_cross_entropy", "logits" },
      { net(1, "sigmoid"), labels, "squared_error", "probabilities" },
      { net(2, "softmax"), labels:one_hot(), "squared_error", "probabilities" },
      { net(2, "hard_sigmoid"), labels:one_hot(), "squared_error", "probabilities" },
      { net(1), targets { { 1, 2, 3, 4 } }, "squared_error", "values" },
    } do
      local network, dataset, loss, gives = table.unpack(case)
      assert.is_nil(network.gives)
      pl.fit(network, dataset, { loss = loss, epochs = 1 })
      assert.equal(gives, network.gives)
    end
  end)
end)
