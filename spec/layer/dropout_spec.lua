local pl = require "perilune"
local at_caller = require("spec.support.misuse").at_caller
local same = require("spec.support.matrices").same

local function layer_of(probability, given)
  return pl.network({ inputs = 50, pl.dropout(probability) }, given or {}).layers[1]
end

for _, name in ipairs { "float32", "float64" } do
  local core = pl[name]

  describe("dropout in " .. name, function()
    it("sets inputs to 0 with its probability and divides the others by 1 - p", function()
      local layer = layer_of(0.25, { dtype = name, seed = 3 })
      local A = layer:forward(core.matrix(50, 400):fill(3))
      local zeros = 0
      for j = 1, A.cols do
        for i = 1, A.rows do
          local a = A:get(i, j)
          if a == 0 then zeros = zeros + 1 else assert.near(4, a, 1e-6) end
        end
      end
      assert.near(0.25, zeros / 20000, 0.02)
    end)

    it("lets Delta through where it let the inputs through", function()
      local layer = layer_of(0.5, { dtype = name })
      local A = layer:forward(core.matrix(50, 20):fill(1)):copy()
      layer:backward(core.matrix(50, 20):fill(1))
      assert.is_true(same(A, layer:propagate()))
    end)
  end)
end

describe("dropout", function()
  it("does nothing in prediction", function()
    local layer = layer_of(0.5)
    local X = pl.generator(1):normal(pl.matrix(50, 3))
    assert.is_true(rawequal(X, layer:predict(X)))
  end)

  it("does nothing with probability 0", function()
    local X = pl.generator(1):normal(pl.matrix(50, 3))
    assert.is_true(same(X, layer_of(0):forward(X)))
  end)

  it("draws anew at each forward, and the same from the same seed", function()
    local X = pl.matrix(50, 10):fill(1)
    local one, two, other = layer_of(0.5), layer_of(0.5), layer_of(0.5, { seed = 2 })
    local first = one:forward(X):copy()
    assert.is_true(same(first, two:forward(X)))
    assert.is_false(same(first, other:forward(X)))
    local second = one:forward(X)
    assert.is_false(same(first, second))
    assert.is_true(same(second, two:forward(X)))
  end)

  it("follows the number of samples", function()
    local layer = layer_of(0.5)
    for _, N in ipairs { 4, 9, 2 } do
      assert.equal(N, layer:forward(pl.matrix(50, N)).cols)
      layer:backward(pl.matrix(50, N))
      assert.equal(N, layer:propagate().cols)
    end
  end)

  it("has no parameters", function()
    local network = pl.network { inputs = 4, pl.dropout(0.5) }
    assert.same({}, network:parameters())
    assert.same({}, network:flat_parameters())
    assert.equal(0, network:parameter_count())
  end)

  it("describes and prints itself", function()
    assert.same({ kind = "dropout", probability = 0.5 }, layer_of(0.5):describe())
    assert.equal("dropout 0.5", tostring(layer_of(0.5)))
  end)

  it("refuses what is no probability below 1", function()
    for _, probability in ipairs { 1, -0.1, 0 / 0, "0.5", {} } do
      at_caller(function() local _ = pl.dropout(probability) end,
        "dropout probability in [0, 1) expected, got " .. tostring(probability))
    end
    at_caller(function() local _ = pl.dropout() end, "expected, got nil")
  end)

  it("refuses a description with a wrong field, naming no line of its own", function()
    at_caller(function()
      pl.network { inputs = 3, { kind = "dropout", probability = 1 } }
    end, "layer 1: probability in [0, 1) expected, got 1")
    at_caller(function()
      pl.network { inputs = 3, { kind = "dropout", probability = 0.1, p = 1 } }
    end, "layer 1: unknown option 'p'")
  end)

  it("refuses backward before any forward", function()
    local layer = layer_of(0.5)
    at_caller(function() layer:backward(pl.matrix(50, 1)) end,
      "backward needs a forward before it")
  end)
end)
