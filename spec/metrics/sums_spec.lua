-- What is particular to metrics that are sums; what they compute is compared with scikit-learn in
-- init_spec.lua.

local at_caller = require("spec.support.misuse").at_caller
local pl = require "perilune"

local core = pl.float64

local function near(expected, actual, what)
  local is_near = math.abs(expected - actual) <= 1e-12 * math.max(1, math.abs(expected))
  assert(is_near, ("%s: %.17g expected, got %.17g"):format(what, expected, actual))
end

describe("the log loss", function()
  it("is exact for logits of any size", function()
    local loss = pl.metric.log_loss
    assert.equal(1000, loss(core.matrix { { 0 }, { 1000 } }, core.matrix { { 1 } }, nil,
      { gives = "logits" }))
    assert.equal(1000, loss(core.matrix { { 1000 } }, core.matrix { { 0 } }, nil,
      { gives = "logits" }))
    near(-math.log(2^-52), loss(core.matrix { { 1 } }, core.matrix { { 0 } }), "probabilities")
  end)
end)

describe("top_k", function()
  local g = core.generator(3)
  local Z, labels = g:normal(core.matrix(4, 50)), core.matrix(1, 50)
  for n = 1, 50 do labels:set(1, n, g:integer(1, 4)) end

  it("tells k outputs apart from the others as argmax does, the first of equal ones first",
    function()
      local A = core.matrix { { 1, 1 }, { 1, 1 }, { 1, 1 } }
      local T = core.matrix { { 1, 2 } }
      assert.equal(0.5, pl.metric { "top_k", k = 1 }(A, T))
      assert.equal(1, pl.metric { "top_k", k = 2 }(A, T))
      assert.equal(pl.metric.accuracy(Z, labels), pl.metric { "top_k", k = 1 }(Z, labels))
    end)

  it("of one output has two classes to choose from", function()
    local z, t = core.matrix { { 0.1, 0.7, 0.9 } }, core.matrix { { 1, 1, 0 } }
    near(1 / 3, pl.metric { "top_k", k = 1 }(z, t), "top_k")
  end)
end)

describe("the calibration error", function()
  it("refuses more bins than there is room for", function()
    for _, bins in ipairs { 0, 65537, 1 << 40 } do
      at_caller(function() local _ = pl.metric { "calibration_error", bins = bins } end,
        "calibration_error: bins: a whole number from 1 to 65536 expected")
    end
  end)

  it("has bins of probabilities that include their upper end", function()
    -- 0.1 to 0.9 times 10 round up or down: each is in the bin that it ends, with a gap of its own.
    for b = 1, 9 do
      local p = core.matrix { { b / 10, (b - 0.5) / 10 } }
      local T = core.matrix { { 1, 0 } }
      local expected = math.abs(1 - (2 * b - 0.5) / 10) / 2
      near(expected, pl.metric { "calibration_error", bins = 10 }(p, T), "bin " .. b)
    end
  end)
end)

describe("r2", function()
  it("does not lose how targets vary in how large they are", function()
    for _, dtype in ipairs { "float32", "float64" } do
      local of = pl[dtype]
      local base = dtype == "float32" and 2^18 or 2^40
      local T = of.matrix { { base + 1, base + 2, base + 4, base + 5 } }
      local A = of.matrix { { base + 1, base + 3, base + 4, base + 5 } }
      near(1 - 1 / 10, pl.metric.r2(A, T), dtype)
    end
  end)

  it("is the mean over the outputs, each by the weights of its targets", function()
    local T = core.matrix { { 1, 2, 4, 5 }, { 0, 1, 0, 7 } }
    local A = core.matrix { { 1, 3, 4, 5 }, { 0.5, 1, 0, 9 } }
    local weights = core.matrix { { 1, 1, 1, 1 }, { 2, 1, 1, 0 } }
    local mean, spread, distance = 1 / 4, 0, 2 * 0.5^2
    for n, t in ipairs { 0, 1, 0 } do spread = spread + (n == 1 and 2 or 1) * (t - mean)^2 end
    near((0.9 + 1 - distance / spread) / 2, pl.metric.r2(A, T, weights), "r2")
  end)
end)

describe("the accuracy of several labels", function()
  it("is that of samples all of whose labels are right", function()
    local A = core.matrix { { 0.9, 0.1, 0.5 }, { 0.2, 0.8, 0.4 } }
    local T = core.matrix { { 1, 0, 1 }, { 0, 0, 0 } }
    local about = { targets = "several" }
    near(2 / 3, pl.metric.accuracy(A, T, nil, about), "accuracy")
    near(2 / 3, pl.metric.subset_accuracy(A, T), "subset_accuracy")
    near(1 / 6, pl.metric.hamming_loss(A, T), "hamming_loss")
    near(3 / 8, pl.metric.accuracy(A, T, core.matrix { { 1, 5, 2 } }, about), "accuracy")
  end)
end)
