local at_caller = require("spec.support.misuse").at_caller
local naive = require "spec.support.naive"
local pl = require "perilune"
local same = require("spec.support.matrices").same

local function layer_of(probability, given)
  return pl.network({ inputs = 50, pl.dropout(probability) }, given or {}).layers[1]
end

for _, name in ipairs(naive.types) do
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
      assert.is_true(same(A, layer:backward(core.matrix(50, 20):fill(1), true)))
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
      assert.equal(N, layer:backward(pl.matrix(50, N), true).cols)
    end
  end)

  it("before batch normalisation leaves in prediction what that was given", function()
    local net = pl.network({ inputs = 4, pl.dropout(0.5), pl.batch_norm() },
      { dtype = "float64" })
    local X = naive.random(pl.float64, 1, 4, 9)
    local before = X:copy()
    for _ = 1, 3 do net:forward(X) end
    local P = net:predict(X)
    assert.is_true(same(P, net.layers[2]:predict(X)))
    assert.is_true(same(before, X))
  end)

  it("has no parameters", function()
    local network = pl.network { inputs = 4, pl.dropout(0.5) }
    assert.same({}, network:parameters())
    assert.same({}, network:tensors())
    assert.equal(0, network:parameter_count())
  end)

  it("describes and prints itself", function()
    local net = pl.network { inputs = 4, pl.dropout(0.5) }
    assert.same({ "dropout", probability = 0.5 }, net:describe().layers[1])
    assert.equal("dropout 0.5", tostring(net.layers[1]))
  end)

  it("refuses what is no probability below 1", function()
    for _, probability in ipairs { 1, -0.1, 0 / 0, "0.5", {} } do
      at_caller(function() local _ = pl.dropout(probability) end,
        "dropout: probability: a number of 0 or more and below 1 expected, got ")
    end
    at_caller(function() local _ = pl.dropout() end,
      "dropout: option 'probability' is required")
  end)

  it("refuses a description with a wrong field, naming no line of its own", function()
    at_caller(function()
      local _ = pl.network { inputs = 3, { "dropout", probability = 1 } }
    end, "layer 1: dropout: probability: a number of 0 or more and below 1 expected")
    at_caller(function()
      local _ = pl.network { inputs = 3, { "dropout", probability = 0.1, p = 1 } }
    end, "layer 1: unknown option 'p'")
  end)
end)
