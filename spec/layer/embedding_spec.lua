local at_caller = require("spec.support.misuse").at_caller
local naive = require "spec.support.naive"
local pl = require "perilune"
local reference = require "spec.support.reference"

local core = pl.float64

local function new(categories, given)
  local layers = { inputs = 2, pl.embedding(categories, 3, given), pl.dense(2, "tanh") }
  return pl.network(layers, { dtype = "float64", seed = 2 })
end

local X = core.matrix { { 1, 4, 4, 2, 1 }, { 2, 1, 3, 2, 3 } }

describe("embedding", function()
  it("is PyTorch's, with tables of its own for each input or one for all", function()
    local answers = reference.load "embeddings"
    for case, categories in pairs {
      ["embedding, tables of their own"] = { 4, 3 }, ["embedding, one table"] = 4,
    } do
      local expected, layer = answers[case], new(categories).layers[1]
      layer.W:assign(core.matrix(expected.W))
      local labels = core.matrix(expected.X)
      naive.near(layer:forward(labels), expected.A, 0)
      naive.near(layer:predict(labels), expected.A, 0)
      local below = layer:backward(core.matrix(expected.Delta), true)
      naive.near(layer.dJ_dW, expected.dJ_dW, 1e-14)
      naive.near(below, naive.fill(2, 5, 0), 0)
      layer:backward(core.matrix(expected.Delta), false) -- sets the gradient, does not add to it
      naive.near(layer.dJ_dW, expected.dJ_dW, 1e-14)
    end
  end)

  it("passes the gradient check", function()
    local T = naive.random(core, 3, 2, 5)
    for _, categories in ipairs { { 4, 3 }, 4 } do
      for _, given in ipairs { {}, { shared = "code" } } do
        local net = new(categories, given)
        local report = pl.gradient_check(net, X, T, { loss = "squared_error", inputs = false })
        assert.is_true(report.passed, tostring(report))
      end
    end
  end)

  it("adds up the gradients of layers that share it, and keeps a frozen one", function()
    local layers = { inputs = 2, pl.branch {
      pl.embedding(4, 3, { shared = "words" }), pl.embedding(4, 3, { shared = "words" }),
    }, pl.dense(2) }
    local net = pl.network(layers, { dtype = "float64" })
    local report = pl.gradient_check(net, X, naive.random(core, 3, 2, 5),
      { loss = "squared_error", inputs = false })
    assert.is_true(report.passed, tostring(report))
    local frozen = new(4, { frozen = true })
    local before = frozen.layers[1].W:totable()
    local data = pl.dataset { X = X, T = core.clamp(core.matrix(2, 5), X, 0, 1) }
    pl.fit(frozen, data, { loss = "squared_error", epochs = 2 })
    naive.near(frozen.layers[1].W, before, 0)
  end)

  it("learns what each label stands for", function()
    local labels, targets = core.matrix(1, 60), core.matrix(1, 60)
    for n = 1, 60 do
      labels:set(1, n, n % 6 + 1)
      targets:set(1, n, ({ 3, -1, 4, 1, -5, 9 })[n % 6 + 1])
    end
    local net = pl.network({ inputs = 1, pl.embedding(6, 4), pl.dense(1) }, { dtype = "float64" })
    local history = pl.fit(net, pl.dataset { X = labels, T = targets }, {
      loss = "squared_error", epochs = 200, batch = 20, optimizer = { "adam", rate = 0.05 },
    })
    assert.is_true(history[200].loss < 1e-3)
  end)

  it("is the same from a file and in a clone", function()
    local net, path = new { 4, 3 }, os.tmpname()
    assert(net:save(path))
    local again = assert(pl.load(path))
    os.remove(path)
    naive.near(again:predict(X), net:predict(X):totable(), 0)
    naive.near(net:clone():predict(X), net:predict(X):totable(), 0)
    assert.same(net:describe(), again:describe())
    assert.matches("embedding of 7 categories, 3 each", tostring(net), 1, true)
  end)

  it("refuses labels that there are not, naming the input", function()
    local net = new { 4, 3 }
    for _, wrong in ipairs { 0, 4, 1.5, naive.nan, -1 } do
      local bad = X:copy()
      bad:set(2, 3, wrong)
      local expected = "input 2: labels from 1 to 3 expected, got "
      at_caller(function() net:predict(bad) end, expected)
      at_caller(function() net:forward(bad) end, expected)
    end
  end)

  it("refuses categories that fit no input", function()
    at_caller(function() new { 4, 3, 2 } end,
      "layer 1: categories: a number for each of the 2 inputs expected, got 3")
    at_caller(function() new(0) end, "layer 1: categories: a list of numbers expected, got 0")
    at_caller(function() new { 4, 2.5 } end,
      "layer 1: categories: a whole number of 1 or more expected, got 2.5")
    at_caller(function() local _ = pl.embedding(4, 0) end,
      "embedding: outputs: a whole number of 1 or more expected, got 0")
  end)
end)
