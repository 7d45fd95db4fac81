local at_caller = require("spec.support.misuse").at_caller
local pl = require "perilune"
local reference = require "spec.support.reference"

local report = pl.metrics.report
local core = pl.float64

local function near(expected, actual)
  assert(math.abs(expected - actual) <= 1e-12,
    ("%.17g expected, got %.17g"):format(expected, actual))
end

describe("a report by class", function()
  for case, expected in pairs(reference.load "metrics") do
    if expected.report then
      it("has scikit-learn's numbers: " .. case, function()
        local made = report(core.matrix(expected.A), core.matrix(expected.T), {
          weights = expected.weights and core.matrix(expected.weights),
        })
        for k, name in ipairs { "precision", "recall", "f1", "support" } do
          for i = 1, 3 do near(expected.report[k][i], made[i][name]) end
        end
        for _, average in ipairs { "macro", "micro", "weighted" } do
          for _, name in ipairs { "precision", "recall", "f1" } do
            near(expected.values[("%s average=%s"):format(name, average)], made[average][name])
          end
        end
        near(expected.values.accuracy, made.accuracy)
      end)
    end
  end

  local A = pl.matrix { { 1, 0, 1, 0 }, { 0, 1, 0, 1 } }
  local labels = pl.matrix { { 1, 2, 2, 2 } }

  it("is printed with the names of the classes, or their numbers", function()
    assert.equal((" "):rep(13) .. "precision   recall       f1   support\n"
      .. "         \u{e9}t\u{e9}    0.5000   1.0000   0.6667         1\n"
      .. " high summer    1.0000   0.6667   0.8000         3\n"
      .. "    accuracy                      0.7500         4\n"
      .. "       macro    0.7500   0.8333   0.7333         4\n"
      .. "    weighted    0.8750   0.7500   0.7667         4",
      tostring(report(A, labels, { classes = { "\u{e9}t\u{e9}", "high summer" } })))
    assert.matches("\n        2    1.0000   0.6667   0.8000         3\n",
      tostring(report(A, labels)))
    local weights = pl.matrix { { 0.5, 1, 1, 1 } }
    assert.matches("\n        1    0.3333   1.0000   0.5000      0.50\n",
      tostring(report(A, labels, { weights = weights })))
  end)

  it("of several labels counts each by itself, and has no accuracy", function()
    local T = pl.matrix { { 1, 1, 1, 0 }, { 0, 1, 1, 0 } }
    local made = report(A, T, { targets = "several" })
    assert.same({ precision = 1, recall = 2 / 3, f1 = 0.8, support = 3 }, made[1])
    assert.same({ precision = 0.5, recall = 0.5, f1 = 0.5, support = 2 }, made[2])
    assert.is_nil(made.accuracy)
    assert.is_nil(tostring(made):find("accuracy", 1, true))
  end)

  it("of one output is of two classes, by what it gives", function()
    local z, t = pl.matrix { { 0.2, -1, 3 } }, pl.matrix { { 1, 0, 1 } }
    assert.equal(1, report(z, t, { gives = "logits" }).accuracy)
    assert.near(2 / 3, report(z, t).accuracy, 1e-12)
  end)

  it("names what was expected and what came", function()
    at_caller(function() local _ = report(nil, labels) end, "A: a matrix expected, got nil")
    at_caller(function() local _ = report(A, pl.matrix { { 1, 2, 3, 1 } }) end,
      "T: labels 1 to 2 expected, got 3 for sample 3")
    at_caller(function() local _ = report(A, labels, { classes = { "a", "b", "c" } }) end,
      "classes: 2 names expected, got 3")
    at_caller(function() local _ = report(A, labels, { names = { "a", "b" } }) end,
      "unknown option 'names' of pl.metrics.report")
  end)
end)
