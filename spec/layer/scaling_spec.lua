local naive = require "spec.support.naive"
local pl = require "perilune"

local core = pl.float64

describe("scaling", function()
  it("begins with factors of 1 and multiplies each feature by its own", function()
    local net = pl.network({ inputs = 3, pl.scaling() }, { dtype = "float64" })
    local X = naive.random(core, 1, 3, 5)
    naive.near(net:forward(X), X:totable(), 0)
    net.layers[1].s:assign(core.matrix { { 2 }, { -1 }, { 0.5 } })
    local wanted = naive.build(3, 5, function(i, j)
      return ({ 2, -1, 0.5 })[i] * X:get(i, j)
    end)
    naive.near(net:forward(X), wanted, 0)
    naive.near(net:predict(X), wanted, 0)
  end)

  it("has the gradients of the formula", function()
    local net = pl.network({ inputs = 3, pl.scaling() }, { dtype = "float64" })
    local X, Delta = naive.random(core, 1, 3, 5), naive.random(core, 2, 3, 5)
    net.layers[1].s:assign(core.matrix { { 2 }, { -1 }, { 0.5 } })
    net:forward(X)
    local below = net:backward(Delta, true)
    naive.near(net.layers[1].dJ_ds, naive.build(3, 1, function(i)
      return naive.sum(5, function(n) return X:get(i, n) * Delta:get(i, n) end)
    end), 1e-14)
    naive.near(below, naive.build(3, 5, function(i, n)
      return ({ 2, -1, 0.5 })[i] * Delta:get(i, n)
    end), 0)
  end)

  it("is left alone by weight decay", function()
    local net = pl.network({ inputs = 3, pl.scaling() })
    assert.is_false(net:parameters()[1].decays)
  end)
end)
