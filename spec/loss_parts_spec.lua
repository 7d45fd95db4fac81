-- Losses as parts: that they are PyTorch's, how they are described, what their calls give, and how
-- they refuse what they cannot use. What they compute is the core's, and tested in the specs of
-- src/loss*.c.

local at_caller = require("spec.support.misuse").at_caller
local losses = require "spec.support.losses"
local naive = require "spec.support.naive"
local pl = require "perilune"
local reference = require "spec.support.reference"

local family = require "perilune.loss"

local near, near_number, random = naive.near, naive.near_number, naive.random

describe("losses as PyTorch computes them", function()
  local core = pl.float64
  local kept = reference.load "losses"
  local weights = kept.weights
  kept.weights = nil

  for case, expected in pairs(kept) do
    local A, T = core.matrix(expected.A), core.matrix(expected.T)

    for _, kind in ipairs { "mean", "sum", "batchmean", "samples", "targets" } do
      local wanted = expected[kind]
      local title = ("%s, %s%s"):format(case, weights[kind] and "weights of " or "", kind)
      if wanted then it(title, function()
        local description = reference.description(case)
        for name, value in pairs(expected.options or {}) do description[name] = value end
        if not weights[kind] then description.reduction = kind end
        local W = weights[kind] and core.matrix(weights[kind]) or nil
        local loss = pl.loss(description)
        local J, Delta = loss(A, T, nil, W)
        near_number(J, wanted.J, 1e-13)
        near(Delta, wanted.Delta, 1e-13)
        near_number(loss(A, T, false, W), wanted.J, 1e-13)
      end) end
    end
  end

  it("are all there", function()
    for name in pairs(pl.loss) do
      local is_asked = false
      for case in pairs(kept) do is_asked = is_asked or case:match "^[%w_]+" == name end
      assert.is_true(is_asked, name)
    end
  end)
end)

for _, dtype in ipairs(naive.types) do
  local core, tolerance = pl[dtype], naive.tolerance[dtype]

  describe("a loss in " .. dtype, function()
    local cases = {
      { "squared_error", naive.squared_error, random(core, 2, 3, 4) },
      { "softmax_cross_entropy", naive.softmax_cross_entropy,
        core.matrix { { 1, 0, 0, 0.5 }, { 0, 0, 1, 0.25 }, { 0, 1, 0, 0.25 } } },
    }

    for _, case in ipairs(cases) do
      local name, oracle, T = case[1], case[2], case[3]
      local A = random(core, 1, 3, 4)
      local J, Delta = oracle(A:totable(), T:totable())

      it(name .. " gives J and a new Delta", function()
        local value, gradient = pl.loss[name](A, T)
        near_number(value, J, tolerance)
        near(gradient, Delta, tolerance)
        local _, other = pl.loss[name](A, T)
        assert.not_equal(gradient, other)
      end)

      it(name .. " writes into the Delta that it is given, A and T too", function()
        local given = core.matrix(3, 4):fill(naive.nan)
        local value, gradient = pl.loss[name](A, T, given)
        near_number(value, J, tolerance)
        assert.equal(given, gradient)
        near(given, Delta, tolerance)
        local copy = A:copy()
        assert.equal(copy, select(2, pl.loss[name](copy, T, copy)))
        near(copy, Delta, tolerance)
      end)

      it(name .. " gives no Delta where it is false", function()
        local results = table.pack(pl.loss[name](A, T, false))
        near_number(results[1], J, tolerance)
        assert.is_nil(results[2])
      end)
    end

    it("softmax_cross_entropy takes labels", function()
      local Z = random(core, 1, 3, 4)
      local J, Delta = naive.softmax_cross_entropy(Z:totable(),
        naive.one_hot({ 3, 1, 2, 2 }, 3))
      local T = core.matrix { { 3, 1, 2, 2 } }
      local value, gradient = pl.loss.softmax_cross_entropy(Z, T)
      near_number(value, J, tolerance)
      near(gradient, Delta, tolerance)
    end)
  end)
end

describe("a loss", function()
  it("is known by its name, and says what it needs", function()
    for _, loss in ipairs { pl.loss.squared_error, pl.loss "squared_error",
      pl.loss { "squared_error" } } do
      assert.same({ "squared_error", false, "values" },
        { loss.name, loss.labels, loss.gives })
      assert.equal(loss, pl.loss(loss))
    end
    local loss = pl.loss.softmax_cross_entropy
    assert.same({ "softmax_cross_entropy", true, "logits" },
      { loss.name, loss.labels, loss.gives })
    assert.equal(loss, pl.loss.softmax_cross_entropy)
  end)

  it("has a description from which an equal one is made", function()
    local A, T = random(pl.float64, 1, 3, 4), random(pl.float64, 2, 3, 4)
    for _, name in ipairs { "squared_error", "softmax_cross_entropy" } do
      local loss = pl.loss[name]
      assert.equal(name, family:describe(loss))
      assert.equal(loss(A, T, false), (pl.loss(family:describe(loss))(A, T, false)))
    end
    for _, case in ipairs(losses.list) do
      local given = losses.description(case, 3)
      given.reduction = "sum"
      local loss = pl.loss(given)
      local described = family:describe(loss)
      for name, value in pairs(given) do assert.same(value, described[name]) end
      local Z, targets = losses.outputs(case, pl.float64, 3, 4), case.targets(pl.float64, 3, 4)
      assert.equal(loss(Z, targets, false), (pl.loss(described)(Z, targets, false)))
    end
  end)

  it("keeps lists of numbers of its own", function()
    local list = { 1, 2, 3 }
    local loss = pl.loss { "softmax_cross_entropy", class_weights = list }
    list[1] = 100
    assert.same({ 1, 2, 3 }, loss.options.class_weights)
    assert.same({ "softmax_cross_entropy", class_weights = { 1, 2, 3 } }, family:describe(loss))
  end)

  it("states what it takes, for others to read", function()
    for name, facts in pairs {
      multi_margin = { "only", "logits", nil, "one" },
      binary_cross_entropy = { false, "probabilities", nil, "several", { 0, 1 } },
      sigmoid_cross_entropy = { false, "logits", "sigmoid", "several", { 0, 1 } },
      focal = { false, "logits", "sigmoid", "several", { 0, 1 } },
      hinge = { false, "logits", nil, "several", { -1, 1 } },
      kl_divergence = { false, "log_probabilities", nil, "values", { 0, 1 } },
      poisson = { false, "values", nil, "values", { 0, math.huge } },
      gaussian_nll = { false, "values", nil, "values", nil, 2 },
      softmax_cross_entropy = { true, "logits", "softmax", "one" },
    } do
      local loss = pl.loss[name]
      local stated = { loss.labels, loss.gives, loss.applies, loss.targets, loss.range,
        loss.outputs_per_target }
      assert.same(facts, stated)
    end
  end)

  it("refuses an unknown name, option or value", function()
    at_caller(function() local _ = pl.loss "mean_error" end,
      "unknown loss 'mean_error' (known: binary_cross_entropy, cosine, focal, ")
    at_caller(function() pl.loss.mean_error(pl.matrix(1, 1), pl.matrix(1, 1)) end,
      "unknown loss 'mean_error'")
    at_caller(function() local _ = pl.loss { "squared_error", delta = 1 } end,
      "unknown option 'delta' of squared_error (known: reduction)")
    for description, message in pairs {
      [{ "huber", delta = 0 }] = "huber: delta: a number above 0 expected, got 0",
      [{ "quantile", tau = 1 }] = "quantile: tau: a number above 0 and below 1 expected, got 1",
      [{ "huber", reduction = "batchmean" }] =
        'huber: reduction: "mean" or "sum" expected, got "batchmean"',
      [{ "kl_divergence", reduction = "none" }] = '"mean" or "batchmean" or "sum" expected',
      [{ "multi_margin", p = 3 }] = "multi_margin: p: a whole number from 1 to 2 expected, got 3",
      [{ "sigmoid_cross_entropy", pos_weight = -1 }] = "pos_weight: a number or a list of numbers "
        .. "expected, got -1 as number 1, where a number of 0 or more is expected",
      [{ "softmax_cross_entropy", class_weights = 2 }] = "class_weights: a list of numbers "
        .. "expected, got 2",
      [{ "softmax_cross_entropy", label_smoothing = 1.5 }] = "label_smoothing: a number from 0 "
        .. "to 1 expected, got 1.5",
    } do
      at_caller(function() local _ = pl.loss(description) end, message)
    end
    for _, wrong in ipairs { 5, true, {}, { compute = 5 } } do
      at_caller(function() local _ = pl.loss(wrong) end,
        "a function (A, T, Delta) --> J, Delta expected, got ")
    end
  end)
end)

describe("a loss of one's own", function()
  local A, T = pl.matrix { { 1, 2 } }, pl.matrix { { 0, 0 } }

  it("may be a function, which gets all that the loss is called with", function()
    local seen
    local loss = pl.loss(function(...)
      seen = table.pack(...)
      return 0.5, A
    end)
    local J, Delta = loss(A, T, false, T)
    assert.same({ 0.5, A }, { J, Delta })
    assert.same({ n = 4, A, T, false, T }, seen)
    assert.same({ true, true }, { loss.labels, loss.is_own })
    assert.is_nil(family:describe(loss))
    assert.equal(loss, pl.loss(loss))
  end)

  it("may be a table that says more", function()
    local loss = pl.loss {
      name = "absolute", labels = false, gives = "values",
      compute = function(M, N) return (M - N):norm(), nil end,
    }
    near_number(loss(A, T), math.sqrt(5), 1e-6)
    assert.same({ "absolute", false, "values", true },
      { loss.name, loss.labels, loss.gives, loss.is_own })
    assert.equal("absolute", family:describe(loss))
  end)

  it("is checked for what it says", function()
    local own = { compute = function() return 0 end, gives = "odd" }
    at_caller(function() local _ = pl.loss(own) end,
      "loss: gives: \"logits\" or \"probabilities\" or \"log_probabilities\" or \"values\" "
      .. "expected, got \"odd\"")
    own = { compute = own.compute, label = true }
    at_caller(function() local _ = pl.loss(own) end,
      "unknown option 'label' of loss (known: compute, gives, labels, name, squares, targets)")
    own = { compute = own.compute, name = "squared_error" }
    at_caller(function() local _ = pl.loss(own) end,
      "the loss 'squared_error' is built in: give your own another name")
  end)

  it("raises its own errors where they are raised", function()
    local loss = pl.loss(function() error "no such loss" end)
    local ok, message = pcall(loss, A, T)
    assert.is_false(ok)
    assert.matches("^spec/loss_parts_spec%.lua:%d+: no such loss$", message)
  end)
end)

describe("a call of a loss", function()
  local A, T = pl.matrix(3, 4), pl.matrix(3, 4)
  local other = pl.float64.matrix(3, 4)
  local se, ce = pl.loss.squared_error, pl.loss.softmax_cross_entropy

  it("asks for matrices by the letters of the paper", function()
    at_caller(function() se() end, "squared_error: A: a matrix expected, got nil")
    at_caller(function() se(pl.float32.activations.relu.handle, T) end,
      "squared_error: A: a matrix expected, got a ")
    at_caller(function() se(io.stdout, T) end, "squared_error: A: a matrix expected, got a FILE*")
    at_caller(function() se("A", T) end, "squared_error: A: a matrix expected, got \"A\"")
    at_caller(function() se({ dtype = "float32" }, T) end,
      "squared_error: A: a matrix expected, got a table")
    at_caller(function() se(pl.generator(1), T) end,
      "squared_error: A: a matrix expected, got a generator")
    at_caller(function() ce(A) end,
      "softmax_cross_entropy: T: a matrix expected, got nil")
    at_caller(function() ce(A, { 1, 2, 3, 1 }) end,
      "softmax_cross_entropy: T: a matrix expected, got a table")
    at_caller(function() se(A, T, 5) end,
      "squared_error: Delta: a matrix expected, got 5")
    at_caller(function() se(A, T, true) end,
      "squared_error: Delta: a matrix expected, got true")
  end)

  it("asks for matrices of one type", function()
    at_caller(function() se(A, other) end, "squared_error: T: a matrix of float32 "
      .. "expected, as A is, got one of float64 (T:to(\"float32\") converts)")
    at_caller(function() se(other, T) end, "squared_error: T: a matrix of float64 "
      .. "expected, as A is, got one of float32")
    at_caller(function() ce(A, T, other) end,
      "softmax_cross_entropy: Delta: a matrix of float32 expected")
  end)

  it("asks for matrices of fitting shapes", function()
    at_caller(function() se(A, pl.matrix(3, 5)) end,
      "squared_error: T: a 3 x 4 matrix expected, as A is, got 3 x 5")
    at_caller(function() se(A, pl.matrix(2, 4)) end,
      "squared_error: T: a 3 x 4 matrix expected, as A is, got 2 x 4")
    at_caller(function() ce(A, pl.matrix(2, 4)) end, "softmax_cross_entropy: T: "
      .. "a 3 x 4 matrix or 1 x 4 labels expected, as A is, got 2 x 4")
    at_caller(function() ce(A, pl.matrix(1, 5)) end, "softmax_cross_entropy: T: "
      .. "a 3 x 4 matrix or 1 x 4 labels expected, as A is, got 1 x 5")
    at_caller(function() ce(pl.matrix(1, 4), pl.matrix(1, 5)) end,
      "softmax_cross_entropy: T: a 1 x 4 matrix expected, as A is, got 1 x 5")
    at_caller(function() se(A, T, pl.matrix(4, 3)) end,
      "squared_error: Delta: a 3 x 4 matrix expected, as A is, got 4 x 3")
  end)

  it("asks for so many outputs for each target as the loss compares with it", function()
    local nll = pl.loss.gaussian_nll
    at_caller(function() nll(pl.matrix(4, 5), pl.matrix(4, 5)) end, "gaussian_nll: T: a 2 x 5 "
      .. "matrix expected, as A is 4 x 5, got 4 x 5")
    at_caller(function() nll(pl.matrix(3, 5), pl.matrix(1, 5)) end, "gaussian_nll: A: 2 rows for "
      .. "each target expected, got 3 x 5")
    at_caller(function() nll(pl.matrix(4, 5), pl.matrix(2, 5), pl.matrix(2, 5)) end,
      "gaussian_nll: Delta: a 4 x 5 matrix expected, as A is, got 2 x 5")
  end)

  it("asks for a weight of each class, and names the option", function()
    local weighted = pl.loss { "softmax_cross_entropy", class_weights = { 1, 2 } }
    at_caller(function() weighted(A, T) end,
      "softmax_cross_entropy: class_weights: 3 x 1 matrix expected, got 2 x 1")
    local positive = pl.loss { "sigmoid_cross_entropy", pos_weight = { 1, 2 } }
    at_caller(function() positive(A, T) end,
      "sigmoid_cross_entropy: pos_weight: 3 x 1 matrix expected, got 2 x 1")
  end)

  it("says so where a loss takes labels only", function()
    at_caller(function() pl.loss.multi_margin(A, T) end,
      "multi_margin: T: labels of two classes or more expected")
  end)

  it("says so where a loss takes no labels", function()
    at_caller(function() se(A, pl.matrix { { 1, 2, 3, 1 } }) end, "squared_error: T: "
      .. "a 3 x 4 matrix expected, as A is, got 1 x 4 (it takes no labels)")
  end)

  it("names a label that is no class, and writes nothing", function()
    local Delta = pl.matrix(3, 4):fill(7)
    at_caller(function() ce(A, pl.matrix { { 1, 2, 4, 1 } }, Delta) end,
      "softmax_cross_entropy: T: labels 1 to 3 expected, got 4 in column 3")
    at_caller(function() ce(A, pl.matrix { { 1, 2.5, 3, 1 } }, Delta) end,
      "softmax_cross_entropy: T: labels 1 to 3 expected, got 2.5 in column 2")
    near(Delta, naive.fill(3, 4, 7), 0)
  end)

  it("tells in the same words what only the core sees", function()
    at_caller(function() se(A, T:copy "rows") end, "squared_error: T: ")
    local whole = pl.matrix(3, 5)
    local ok, message = pcall(se, whole:columns(1, 4), T, whole:columns(2, 5))
    assert.is_false(ok)
    assert.matches("squared_error: Delta: ", message, 1, true)
    assert.is_nil(message:find("argument", 1, true))
  end)

  it("takes weights, and checks them", function()
    local weights = pl.matrix { { 1, 2, 0, 1 } }
    at_caller(function() se(A, T, nil, 0.5) end,
      "squared_error: weights: a matrix expected, got 0.5")
    at_caller(function() ce(A, T, nil, false) end,
      "softmax_cross_entropy: weights: a matrix expected, got false")
    at_caller(function() se(A, T, nil, pl.float64.matrix(1, 4)) end,
      "squared_error: weights: a matrix of float32 expected, as A is, got one of float64")
    at_caller(function() se(A, T, nil, pl.matrix(2, 4)) end,
      "squared_error: weights: a 1 x 4 or 3 x 4 matrix expected, got 2 x 4")
    at_caller(function() se(A, T, nil, pl.matrix(1, 3)) end,
      "squared_error: weights: a 1 x 4 or 3 x 4 matrix expected, got 1 x 3")
    at_caller(function() se(A, T, nil, weights:copy():set(1, 2, -1)) end,
      "squared_error: weights: ")
    local B = random(pl.float32, 1, 3, 4)
    for _, loss in ipairs { se, ce } do
      local first, last = loss(B:columns(1, 1), T:columns(1, 1), false),
        loss(B:columns(4, 4), T:columns(4, 4), false)
      local second = loss(B:columns(2, 2), T:columns(2, 2), false)
      local J, Delta = loss(B, T, nil, weights)
      near_number(J, (first + 2 * second + last) / 4, 1e-6)
      near(Delta:columns(3, 3), naive.fill(3, 1, 0), 0)
    end
  end)
end)
