-- What is particular to metrics of scores; what they compute is compared with scikit-learn in
-- init_spec.lua, and with loops in ranking_spec.lua.

local pl = require "perilune"

local core = pl.float64

local function near(expected, actual, what)
  local is_near = math.abs(expected - actual) <= 1e-12 * math.max(1, math.abs(expected))
  assert(is_near, ("%s: %.17g expected, got %.17g"):format(what, expected, actual))
end

describe("the area under the ROC curve", function()
  local g = core.generator(3)
  local Z, labels = g:normal(core.matrix(4, 50)), core.matrix(1, 50)
  for n = 1, 50 do labels:set(1, n, g:integer(1, 4)) end

  it("leaves classes that have no area out of the mean", function()
    local P = pl.activation.softmax.forward(core.matrix(4, 50), Z)
    local two = labels:map(function(label) return label > 2 and 3 or 1 end)
    local first, third = core.curve_areas(P, two, 1), core.curve_areas(P, two, 3)
    near((first + third) / 2, pl.metric.roc_auc(P, two), "roc_auc")
  end)

  it("is NaN where no class has one, and before the first sample", function()
    local none = pl.metric.roc_auc(Z, core.matrix(1, 50):fill(2))
    assert.is_true(none ~= none)
    local meter = pl.metrics.meter({ "roc_auc" }, { outputs = 4, dtype = "float64" })
    local nothing = meter:results().roc_auc
    assert.is_true(nothing ~= nothing)
  end)

  it("ranks one logit as it is, however near to 1 its probability", function()
    local z, t = pl.matrix { { 30, 40, 50, 60 } }, pl.matrix { { 0, 0, 1, 1 } }
    assert.equal(1, pl.metric.roc_auc(z, t, nil, { gives = "logits" }))
  end)

  it("of several labels is the mean of each label's", function()
    local T = core.matrix(4, 50)
    for n = 1, 50 do
      for i = 1, 4 do T:set(i, n, g:integer(0, 1)) end
    end
    local sum = 0
    for i = 1, 4 do sum = sum + core.curve_areas(Z, T, i) end
    near(sum / 4, pl.metric.roc_auc(Z, T, nil, { targets = "several" }), "roc_auc")
  end)
end)

describe("scores that are kept", function()
  it("are the same whatever the batches were", function()
    local g = pl.generator(5)
    local A, labels = g:uniform(pl.matrix(3, 500)), pl.matrix(1, 500)
    for n = 1, 500 do labels:set(1, n, g:integer(1, 3)) end
    local expected = pl.metric.roc_auc(A, labels, nil, { gives = "logits" })
    for _, size in ipairs { 1, 3, 64, 499 } do
      local meter = pl.metrics.meter({ "roc_auc" }, { outputs = 3, gives = "logits" })
      for first = 1, 500, size do
        local last = math.min(first + size - 1, 500)
        meter:add(A:columns(first, last), labels:columns(first, last))
      end
      assert.equal(expected, meter:results().roc_auc)
    end
  end)
end)
