local naive = require "spec.support.naive"
local pl = require "perilune"
local reference = require "spec.support.reference"

local core = pl.float64

describe("periodic", function()
  it("is what PyTorch makes of the formula", function()
    local expected = reference.load("embeddings").periodic
    local X, Delta = core.matrix(expected.X), core.matrix(expected.Delta)
    local layer = pl.network({ inputs = 2, pl.periodic { frequencies = 4 } },
      { dtype = "float64" }).layers[1]
    layer.c:assign(core.matrix(expected.parameters[1]))
    naive.near(layer:forward(X), expected.A, 1e-14)
    naive.near(layer:predict(X), expected.A, 1e-14)
    naive.near(layer:backward(Delta, true), expected.below, 1e-12)
    naive.near(layer.dJ_dc, expected.gradients[1], 1e-12)
  end)

  it("keeps its digits far from 0, for whole turns are taken away exactly", function()
    for _, name in ipairs(naive.types) do
      local P = pl[name].matrix(2, 5)
      local x = pl[name].matrix { { 0.25, 4096.25, -70000.5, 1e7, -0.125 } }
      pl[name].periodic(P, pl[name].matrix { { 1 } }, x)
      local root = math.sqrt(0.5)
      naive.near(P, { { 1, 1, 0, 0, -root }, { 0, 0, -1, 1, root } }, naive.tolerance[name])
    end
  end)

  it("has sines and cosines for every angle", function()
    for _, name in ipairs(naive.types) do
      local tolerance = name == "float64" and 4e-16 or 2e-7
      local P, x = pl[name].matrix(2, 2001), pl[name].matrix(1, 2001)
      for n = 1, 2001 do x:set(1, n, (n - 1001) / 1000) end
      pl[name].periodic(P, pl[name].matrix { { 1 } }, x)
      for n = 1, 2001 do
        local angle = 2 * math.pi * x:get(1, n)
        assert.near(math.sin(angle), P:get(1, n), 2 * tolerance)
        assert.near(math.cos(angle), P:get(2, n), 2 * tolerance)
      end
    end
  end)

  it("passes on what is no number", function()
    local P = core.periodic(core.matrix(2, 3), core.matrix { { 1 } },
      core.matrix { { naive.nan, naive.infinity, -naive.infinity } })
    for n = 1, 3 do assert.is_true(P:get(1, n) ~= P:get(1, n) and P:get(2, n) ~= P:get(2, n)) end
  end)

  it("lets a small network learn a wave that a plain one does not", function()
    local X, T = core.matrix(1, 200), core.matrix(1, 200)
    for n = 1, 200 do
      local x = n / 100 - 1
      X:set(1, n, x)
      T:set(1, n, math.sin(25 * x))
    end
    local function loss_of(...)
      local net = pl.network({ inputs = 1, ... }, { dtype = "float64", seed = 1 })
      local history = pl.fit(net, pl.dataset { X = X, T = T }, {
        loss = "squared_error", optimizer = { "adam", rate = 0.01 }, epochs = 100, batch = 20,
      })
      return history[100].loss
    end
    local waves = pl.periodic { frequencies = 16, deviation = 2, outputs = 8 }
    local with = loss_of(waves, pl.dense(16, "tanh"), pl.dense(1))
    local without = loss_of(pl.dense(32, "tanh"), pl.dense(16, "tanh"), pl.dense(1))
    assert.is_true(with < 1e-3 and without > 10 * with)
  end)

  it("prints itself", function()
    local net = pl.network { inputs = 2, pl.periodic(), pl.periodic { outputs = 4 } }
    assert.equal("periodic, 16 frequencies", tostring(net.layers[1]))
    assert.equal("periodic, 16 frequencies, 4 outputs each", tostring(net.layers[2]))
  end)
end)
