local at_caller = require("spec.support.misuse").at_caller
local naive = require "spec.support.naive"
local pl = require "perilune"
local reference = require "spec.support.reference"

local core = pl.float64

describe("piecewise_linear", function()
  it("is what PyTorch makes of the formula", function()
    local expected = reference.load("embeddings").piecewise_linear
    local X, Delta = core.matrix(expected.X), core.matrix(expected.Delta)
    local layer = pl.network({ inputs = 2, pl.piecewise_linear(expected.boundaries) },
      { dtype = "float64" }).layers[1]
    naive.near(layer:forward(X), expected.A, 1e-14)
    naive.near(layer:predict(X), expected.A, 1e-14)
    naive.near(layer:backward(Delta, true), expected.below, 1e-13)
  end)

  it("counts the steps below a number, and goes on beyond the ends", function()
    local P = core.piecewise_linear(core.matrix(3, 6), core.matrix { { 0 }, { 1 }, { 3 }, { 4 } },
      core.matrix { { -1, 0, 0.5, 1, 2, 6 } })
    naive.near(P, {
      { -1, 0, 0.5, 1, 1, 1 }, { 0, 0, 0, 0, 0.5, 1 }, { 0, 0, 0, 0, 0, 3 },
    }, 0)
  end)

  it("keeps its boundaries in a file to the last digit", function()
    local net, path = pl.network({ inputs = 1, pl.piecewise_linear { { 1 / 3, 2 / 3, 0.7 } } },
      { dtype = "float64" }), os.tmpname()
    assert(net:save(path))
    local again = assert(pl.load(path))
    os.remove(path)
    local X = naive.random(core, 1, 1, 9)
    naive.near(again:predict(X), net:predict(X):totable(), 0)
    assert.same(net:describe(), again:describe())
    assert.equal("piecewise_linear, 3 boundaries", tostring(net.layers[1]))
  end)

  it("refuses boundaries that are none", function()
    local function new(...)
      local layers = { inputs = 2, pl.piecewise_linear(...) }
      return pl.network(layers)
    end
    at_caller(function() new { { 0, 1 } } end,
      "layer 1: boundaries: a list for each of the 2 inputs expected, got 1")
    at_caller(function() new(setmetatable({}, { __len = function() return "x" end })) end,
      "layer 1: boundaries: a list expected, got one with")
    at_caller(function() new { { 0, 1 }, { 0 } } end,
      "layer 1: boundaries: 2: two or more numbers expected, got 1")
    at_caller(function() new { { 0, 1 }, { 0, 1, 1 } } end,
      "boundaries: 2: numbers expected, each above the one before, got 1 after 1")
    at_caller(function() new { { 0, 1 }, { "0", 1 } } end, "boundaries: 2: a list of numbers")
    at_caller(function() new { { 0, 1 }, { 1, 1 + 2 ^ -40 } } end,
      "boundaries: 2: 1 and 1.0000000000009 are one number in float32")
    at_caller(function() local _ = pl.piecewise_linear(3) end,
      "piecewise_linear: boundaries: a table expected, got 3")
  end)
end)
