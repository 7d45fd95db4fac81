-- Losses as parts: how they are described, what their calls give, and how they refuse what they
-- cannot use. What they compute is the core's, and tested in loss_spec.lua.

local at_caller = require("spec.support.misuse").at_caller
local naive = require "spec.support.naive"
local pl = require "perilune"

local family = require "perilune.loss"

local near, near_number, random = naive.near, naive.near_number, naive.random

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
    for name, loss in pairs(pl.loss) do
      assert.equal(name, family:describe(loss))
      assert.equal(loss(A, T, false), (pl.loss(family:describe(loss))(A, T, false)))
    end
  end)

  it("refuses an unknown name, option or value", function()
    at_caller(function() local _ = pl.loss "mean_error" end,
      "unknown loss 'mean_error' (known: softmax_cross_entropy, squared_error)")
    at_caller(function() pl.loss.mean_error(pl.matrix(1, 1), pl.matrix(1, 1)) end,
      "unknown loss 'mean_error'")
    at_caller(function() local _ = pl.loss { "squared_error", delta = 1 } end,
      "unknown option 'delta' of squared_error (known: none)")
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
      "loss: gives: \"logits\" or \"probabilities\" or \"values\" expected, got \"odd\"")
    own = { compute = own.compute, label = true }
    at_caller(function() local _ = pl.loss(own) end,
      "unknown option 'label' of loss (known: compute, gives, labels, name)")
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
