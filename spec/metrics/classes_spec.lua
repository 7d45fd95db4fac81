local at_caller = require("spec.support.misuse").at_caller
local classes = require "perilune.metrics.classes"
local pl = require "perilune"

for _, name in ipairs { "float32", "float64" } do
  local core = pl[name]

  describe("The class in " .. name, function()
    local function predicted(A, gives)
      return classes.predicted(A, gives):totable()[1]
    end

    it("that outputs say is the row of the largest, the first of several", function()
      local A = core.matrix { { 1, 0, -3, 5 }, { 0, 2, -2, 5 }, { 0, 1, -1, 4 } }
      assert.same({ 1, 2, 3, 1 }, predicted(A))
      assert.same({ 1, 2, 3, 1 }, predicted(A, "logits"))
    end)

    it("that one output says is the second from one half on", function()
      local A = core.matrix { { 0, 0.25, 0.5, 1, -1, 3 } }
      for _, gives in ipairs { "probabilities", "values", false } do
        assert.same({ 1, 1, 2, 2, 1, 2 }, predicted(A, gives or nil))
      end
    end)

    it("that one logit says is the second from 0 on", function()
      local A = core.matrix { { 0, 0.25, -0.25, 7, -7 } }
      assert.same({ 2, 2, 1, 2, 1 }, predicted(A, "logits"))
      local P = core.activations.sigmoid.forward(core.matrix(1, 5), A)
      assert.same(predicted(P), predicted(A, "logits"))
    end)

    it("that targets say is the label, the largest row, or from one half on", function()
      local labels = core.matrix { { 3, 1, 2 } }
      assert.is_true(rawequal(labels, classes.actual(labels, 3)))
      local T = core.matrix { { 0, 1, 0 }, { 1, 0, 0 }, { 0, 0, 1 } }
      assert.same({ { 2, 1, 3 } }, classes.actual(T, 3):totable())
      T = core.matrix { { 0, 1, 0.5 } }
      assert.same({ { 1, 2, 2 } }, classes.actual(T, 1):totable())
    end)

    it("can be written into memory of the caller's", function()
      local result = core.matrix(1, 2)
      local A, a = core.matrix { { 1, 2 }, { 0, 3 } }, core.matrix { { 0, 1 } }
      assert.is_true(rawequal(result, classes.predicted(A, nil, result)))
      assert.same({ { 1, 2 } }, result:totable())
      assert.is_true(rawequal(result, classes.predicted(a, nil, result)))
      assert.is_true(rawequal(result, classes.actual(A, 2, result)))
      assert.is_true(rawequal(result, classes.actual(a, 1, result)))
    end)

    it("of one output is said from a threshold on, exactly", function()
      local below = 2^-1 - (name == "float32" and 2^-25 or 2^-54)
      assert.same({ 2, 1 }, predicted(core.matrix { { 0.5, below } }))
      assert.same({ 2, 2, 1 }, predicted(core.matrix { { 0.0, -0.0, -2^-100 } }, "logits"))
      assert.equal(0, classes.threshold "logits")
      assert.equal(0.5, classes.threshold(nil))
    end)
  end)
end

describe("Outputs and targets", function()
  local A = pl.matrix { { 1, 0 }, { 0, 1 }, { 0, 0 } }
  local a = pl.matrix { { 0.1, 0.9 } }

  it("that fit are taken", function()
    classes.check(A, pl.matrix { { 1, 3 } })
    classes.check(A, pl.matrix { { 1, 0 }, { 0, 0.5 }, { -3, 7 } })
    classes.check(a, pl.matrix { { 0, 1 } })
    classes.check(a, pl.matrix { { -1, 1 } })
  end)

  it("are matrices of one type and of the same samples", function()
    at_caller(function() classes.check(nil, A) end, "A: a matrix expected, got nil")
    at_caller(function() classes.check(A, { 1, 2 }) end,
      "T: a matrix expected, got a table")
    at_caller(function() classes.check(A, pl.float64.matrix(1, 2)) end,
      'T is float64 and A is float32 (T:to("float32") converts)')
    at_caller(function() classes.check(A, pl.matrix(1, 3)) end,
      "A has 2 samples but T has 3")
    at_caller(function() classes.check(A, pl.matrix(2, 2)) end,
      "T: 3 rows, as A has, or 1 of labels expected, got 2")
    at_caller(function() classes.check(a, A) end, "got 3")
  end)

  it("say one class for each sample, not several or none", function()
    local message = "T: one class for each sample expected, got several largest targets for sample "
    for _, column in ipairs { { 1, 1, 0 }, { 0, 0, 0 }, { -1, 2, 2 } } do
      local T = pl.matrix { { 1, column[1] }, { 0, column[2] }, { 0, column[3] } }
      at_caller(function() classes.check(A, T) end, message .. "2")
    end
  end)

  it("of several labels are as many, from 0 to 1", function()
    classes.check_several(A, pl.matrix { { 1, 0 }, { 1, 0 }, { 0.5, 0 } })
    at_caller(function() classes.check_several(A, pl.matrix { { 1, 2 } }) end,
      "T: 3 rows expected, one for each label, got 1")
    classes.check_several(A, pl.matrix { { 1, -1 }, { 1, -1 }, { 1, 1 } })
    at_caller(function() classes.check_several(A, pl.matrix(3, 2):set(1, 1, -2)) end,
      "T: targets from 0 to 1, or -1 and 1, expected, got some from -2 to 0")
    at_caller(function() classes.check_several(A / 0, pl.matrix(3, 2)) end, "A is NaN for sample 1")
  end)

  it("of a dataset are looked at, but for samples that count nothing", function()
    local T = pl.matrix { { 1, 1, 0 }, { 0, 1, 1 } }
    local set = pl.dataset { X = pl.matrix(1, 3), T = T }
    at_caller(function() classes.check_dataset(set) end, "several largest targets for sample 2")
    classes.check_dataset(pl.dataset { X = pl.matrix(1, 3), T = T, weights = { 1, 0, 1 } })
    T:set(1, 2, 0 / 0)
    classes.check_dataset(set)
    classes.check_dataset(pl.dataset { X = pl.matrix(1, 3), labels = { 1, 2, 2 } })
    local one = pl.dataset { X = pl.matrix(1, 3), T = pl.matrix { { 0, 1, 2 } } }
    at_caller(function() classes.check_dataset(one) end,
      "T: targets from 0 to 1 expected for one output, got 2 for sample 3")
    at_caller(function() classes.check_dataset_of_labels(one) end, "got some from 0 to 2")
    classes.check_dataset_of_labels(set)
  end)

  it("are no NaN, or the sample is told", function()
    local nan = pl.matrix { { 0, 0 }, { 0, 0 / 0 }, { 0, 0 } }
    at_caller(function() classes.check(nan, A) end, "A is NaN for sample 2")
    at_caller(function() classes.check(A, nan) end, "T is NaN for sample 2")
    at_caller(function() classes.check(pl.matrix { { 0 / 0, 1 } }, a) end,
      "A is NaN for sample 1")
  end)

  it("say classes that there are", function()
    for _, wrong in ipairs { 0, 4, 1.5, 0 / 0, -1 } do
      at_caller(function() classes.check(A, pl.matrix { { 1, wrong } }) end,
        "T: labels 1 to 3 expected, got ")
    end
    at_caller(function() classes.check(A, pl.matrix { { 1, 4 } }) end,
      "got 4 for sample 2")
  end)

  it("of one output are from 0 to 1, which labels are not", function()
    for _, wrong in ipairs { 2, -0.5, 0 / 0 } do
      at_caller(function() classes.check(a, pl.matrix { { 1, wrong } }) end,
        "T: targets from 0 to 1 expected for one output, got ")
    end
    at_caller(function() classes.check(a, pl.matrix { { 1, 2 } }) end,
      "got 2 for sample 2 (dataset:for_outputs(1) makes such ones of labels")
  end)

  it("are logits, probabilities or values", function()
    assert.equal("logits", classes.check_gives "logits")
    assert.is_nil(classes.check_gives(nil))
    at_caller(function() local _ = classes.check_gives "logit" end,
      'gives: "logits" or "probabilities" or "log_probabilities" or "values" expected, got "logit"')
  end)
end)
