local at_caller = require("spec.support.misuse").at_caller
local pl = require "perilune"

for _, name in ipairs { "float32", "float64" } do
  local core = pl[name]

  describe("accuracy in " .. name, function()
    local A = core.matrix {
      { 0.9, 0.1, 0.3, 5 },
      { 0.2, 0.8, 0.3, -5 },
      { 0.1, 0.7, 0.9, 4 },
    } -- the largest of each column: 1, 2, 3, 1

    it("is the share of samples whose largest output is that of the label", function()
      assert.equal(1, pl.metrics.accuracy(A, core.matrix { { 1, 2, 3, 1 } }))
      assert.equal(0.75, pl.metrics.accuracy(A, core.matrix { { 1, 2, 3, 3 } }))
      assert.equal(0, pl.metrics.accuracy(A, core.matrix { { 2, 1, 1, 2 } }))
    end)

    it("takes target columns as well", function()
      local T = core.matrix { { 1, 0, 1, 1 }, { 0, 1, 0, 0 }, { 0, 0, 0, 0 } }
      assert.equal(0.75, pl.metrics.accuracy(A, T))
    end)

    it("of a single output is decided at one half", function()
      local outputs = core.matrix { { 0.1, 0.5, 0.9, 0.49 } }
      assert.equal(1, pl.metrics.accuracy(outputs, core.matrix { { 0, 1, 1, 0 } }))
      assert.equal(0.5, pl.metrics.accuracy(outputs, core.matrix { { 1, 0, 1, 0 } }))
    end)

    it("counts by metrics.correct, in memory of the caller's if given", function()
      local predicted = core.matrix(1, 4)
      assert.equal(3, pl.metrics.correct(A, core.matrix { { 1, 2, 3, 3 } }, predicted))
      assert.same({ { 1, 2, 3, 1 } }, predicted:totable())
    end)

    it("refuses another number of targets", function()
      local T = core.matrix(1, 3)
      local expected = "A has 4 samples but T has 3"
      at_caller(function() local _ = pl.metrics.correct(A, T) end, expected)
      at_caller(function() local _ = pl.metrics.accuracy(A, T) end, expected)
      at_caller(function() local _ = pl.metrics.confusion(A, T) end, expected)
    end)
  end)

  describe("the confusion matrix in " .. name, function()
    local A = core.matrix { { 1, 0, 1, 0, 1 }, { 0, 1, 0, 0, 0 }, { 0, 0, 0, 1, 0 } }
    -- predicted 1, 2, 1, 3, 1
    local labels = core.matrix { { 1, 2, 2, 2, 1 } }

    it("counts [actual][predicted]", function()
      local confusion = pl.metrics.confusion(A, labels)
      local rows = {}
      for i = 1, 3 do rows[i] = { table.unpack(confusion[i]) } end
      assert.same({ { 2, 0, 0 }, { 1, 1, 1 }, { 0, 0, 0 } }, rows)
    end)

    it("of a single output has two classes", function()
      local confusion = pl.metrics.confusion(core.matrix { { 0.9, 0.2, 0.8 } },
        core.matrix { { 1, 1, 0 } })
      assert.same({ { 0, 1 }, { 1, 1 } }, { { table.unpack(confusion[1]) },
        { table.unpack(confusion[2]) } })
    end)

    it("is printed with the names of the classes", function()
      assert.equal("actual \\ predicted\n"
        .. "                 a       b       c\n"
        .. "         a       2       0       0\n"
        .. "         b       1       1       1\n"
        .. "         c       0       0       0",
        tostring(pl.metrics.confusion(A, labels, { "a", "b", "c" })))
    end)

    it("refuses labels that are no outputs", function()
      at_caller(function()
        local _ = pl.metrics.confusion(A, core.matrix { { 1, 2, 4, 2, 1 } })
      end, "labels 1 to 3 expected, got 4 for sample 3")
      at_caller(function()
        local _ = pl.metrics.confusion(A, core.matrix { { 1, 1.5, 2, 2, 1 } })
      end, "labels 1 to 3 expected, got 1.5 for sample 2")
    end)
  end)

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
      local result = pl.evaluate(network, dataset, pl.loss.softmax_cross_entropy)
      assert.near(J, result.loss, 1e-6)
      assert.near(pl.metrics.accuracy(A, dataset.T), result.accuracy, 1e-12)
    end)

    it("gives the accuracy alone without a loss", function()
      local result = pl.evaluate(network, dataset)
      assert.is_nil(result.loss)
      assert.is_number(result.accuracy)
    end)

    it("gives the loss alone without classes", function()
      local T = core.matrix(4, N):fill(1)
      local set = pl.dataset { X = X, T = T }
      local result = pl.evaluate(network, set, pl.loss.squared_error)
      assert.is_nil(result.accuracy)
      assert.near(pl.loss.squared_error(network:predict(X), T, false), result.loss, 1e-6)
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

describe("misuse of the metrics", function()
  it("names what was expected and what came", function()
    local network = pl.network { inputs = 3, pl.dense(4) }
    local dataset = pl.dataset { X = pl.matrix(2, 5), labels = { 1, 2, 3, 4, 1 } }
    at_caller(function() pl.evaluate(network, dataset) end, "2")
    at_caller(function() pl.evaluate(network, pl.matrix(3, 5)) end, "dataset")
    at_caller(function() local _ = pl.metrics.accuracy(nil, pl.matrix(1, 5)) end,
      "matrix")
    at_caller(function() local _ = pl.metrics.accuracy(pl.matrix(2, 5), nil) end,
      "matrix")
  end)
end)
