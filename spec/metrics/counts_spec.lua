-- What is particular to metrics of counts; what they compute is compared with scikit-learn in
-- init_spec.lua.

local pl = require "perilune"

local core = pl.float64

local function near(expected, actual, what)
  local is_near = math.abs(expected - actual) <= 1e-12 * math.max(1, math.abs(expected))
  assert(is_near, ("%s: %.17g expected, got %.17g"):format(what, expected, actual))
end

describe("an average over classes", function()
  -- predicted 1, 2, 1, 1
  local A = core.matrix { { 1, 0, 1, 1 }, { 0, 1, 0, 0 }, { 0, 0, 0, 0 } }
  local labels = core.matrix { { 1, 2, 1, 2 } }
  local first, second = 4 / 5, 2 / 3 -- F1 of the classes

  local function f1(average, ...)
    return pl.metric { "f1", average = average }(...)
  end

  it("is the mean of those that are there or predicted, unless it is said", function()
    near((first + second) / 2, pl.metric.f1(A, labels), "f1")
    near((first + second) / 2, f1("macro", A, labels), "macro")
  end)

  it("counts all together, or each as often as it is there", function()
    near(3 / 4, f1("micro", A, labels), "micro")
    near((first + second) / 2, f1("weighted", A, labels), "weighted")
    -- of weights 3, 1, 3, 1: F1 of 12/13 and 2/3
    near((6 * 12 / 13 + 2 * second) / 8,
      f1("weighted", A, labels, core.matrix { { 3, 1, 3, 1 } }), "weighted")
  end)

  it("of two classes is that of the second, unless it is said", function()
    local two = core.matrix { { 1, 0, 1, 1 }, { 0, 1, 0, 0 } }
    near(second, pl.metric.f1(two, labels), "f1")
    near(second, f1("binary", two, labels), "binary")
    local one, t = core.matrix { { 0, 1, 0, 0 } }, core.matrix { { 0, 1, 0, 1 } }
    near(second, pl.metric.f1(one, t), "one output")
    near((first + second) / 2, f1("macro", two, labels), "macro")
  end)

  it("of several labels has those too that are nowhere", function()
    local T = core.matrix { { 1, 0, 1, 0 }, { 0, 1, 0, 1 }, { 0, 0, 0, 0 } }
    near((first + second + 0) / 3, pl.metric.f1(A, T, nil, { targets = "several" }), "f1")
  end)
end)

describe("agreement beyond chance", function()
  it("is 0 of predictions that are always the same", function()
    local A, labels = core.matrix(3, 4), core.matrix { { 1, 2, 1, 3 } }
    for _, name in ipairs { "cohen_kappa", "matthews" } do
      assert.equal(0, pl.metric[name](A, labels))
      assert.equal(0, pl.metric[name](A, core.matrix(1, 4):fill(1)))
    end
  end)
end)
