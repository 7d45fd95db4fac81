local at_caller = require("spec.support.misuse").at_caller
local naive = require "spec.support.naive"
local pl = require "perilune"
local same = require("spec.support.matrices").same

-- Features of very different sizes, far from 0
local function samples(core, inputs, N)
  local X = core.generator(7):normal(core.matrix(inputs, N), 3, 2)
  for i = 1, inputs do
    for n = 1, N do X:set(i, n, X:get(i, n) * i) end
  end
  return X
end

local function variance(M)
  local rows = M:totable()
  local count, sum, squares = M.rows * M.cols, 0, 0
  for _, row in ipairs(rows) do
    for _, x in ipairs(row) do sum, squares = sum + x, squares + x * x end
  end
  return squares / count - (sum / count) ^ 2
end

for _, name in ipairs(naive.types) do
  describe("pl.lsuv in " .. name, function()
    local core = pl[name]

    it("gives each Z of dense layers variance 1, in the order of the layers", function()
      local X = samples(core, 6, 64)
      for _, activation in ipairs { "relu", "tanh", "gelu", "identity" } do
        local net = pl.network({ inputs = 6, pl.dense(40, activation), pl.dense(30, activation),
          pl.residual { pl.dense(20, activation), pl.dense(30) }, pl.dense(5) }, { dtype = name })
        local report = pl.lsuv(net, X, { tolerance = 1e-3 })
        net:forward(X)
        local paths = {}
        for k, entry in ipairs(report) do paths[k] = entry.path end
        assert.same({ "1", "2", "3.body.1", "3.body.2", "4" }, paths)
        local layers, inner = net.layers, net.layers[3].body.layers
        for k, layer in ipairs { layers[1], layers[2], inner[1], inner[2], layers[4] } do
          assert.near(1, variance(layer.Z), 2e-3)
          assert.near(report[k].variance, variance(layer.Z), 1e-3)
          assert.is_true(report[k].iterations <= 10)
        end
      end
    end)
  end)
end

describe("pl.lsuv", function()
  local core = pl.float64
  local X = samples(core, 6, 64)

  it("makes W a multiple of an orthogonal matrix", function()
    local net = pl.network({ inputs = 6, pl.dense(4, "relu"), pl.dense(4) }, { dtype = "float64" })
    pl.lsuv(net, X)
    for _, layer in ipairs(net.layers) do
      local W = layer.W:totable()
      local product = naive.product(W, W, "NT")
      for i = 1, 4 do
        for j = 1, 4 do
          local expected = i == j and product[1][1] or 0
          assert.near(expected, product[i][j], 1e-12 * product[1][1])
        end
      end
    end
  end)

  it("keeps the direction of the weights where it is told to", function()
    local net = pl.network({ inputs = 6, pl.dense(4, "relu"), pl.dense(4) }, { dtype = "float64" })
    local before = net:clone()
    pl.lsuv(net, X, { orthogonal = false })
    for l, layer in ipairs(net.layers) do
      local W, V = layer.W, before.layers[l].W
      local factor = W:norm() / V:norm()
      assert.is_true((W - factor * V):norm() < 1e-12 * W:norm())
      assert.equal(before.layers[l].b:norm(), layer.b:norm())
    end
  end)

  it("leaves frozen layers, running statistics and the generator as they are", function()
    local net = pl.network({ inputs = 6, pl.dense(4, "relu", { frozen = true }), pl.batch_norm(),
      pl.dropout(0.5), pl.dense(4) }, { dtype = "float64" })
    net.layers[4].W:assign(10 * net.layers[4].W)
    local before, generator = net:clone(), net.generator:state()
    local report = pl.lsuv(net, X, { orthogonal = false })
    assert.equal(1, #report)
    assert.equal("4", report[1].path)
    assert.is_true(same(before.layers[1].W, net.layers[1].W))
    assert.is_true(same(before.layers[2].running_mean, net.layers[2].running_mean))
    assert.equal(generator, net.generator:state())
    assert.is_false(same(before.layers[4].W, net.layers[4].W))
  end)

  it("scales weights that several layers share once", function()
    local net = pl.network({ inputs = 6, pl.dense(6, "tanh", { shared = "s" }),
      pl.dense(6, "tanh", { shared = "s" }) }, { dtype = "float64" })
    assert.equal(1, #pl.lsuv(net, X))
  end)

  it("ends after so many iterations", function()
    local net = pl.network({ inputs = 6, pl.dense(4) }, { dtype = "float64" })
    net.layers[1].b:assign(core.matrix { { 100 }, { 0 }, { 0 }, { 0 } }) -- no factor helps
    local report = pl.lsuv(net, X, { iterations = 3 })
    assert.equal(3, report[1].iterations)
    assert.is_true(report[1].variance > 1)
  end)

  it("raises for samples that are all alike, and changes nothing", function()
    local net = pl.network({ inputs = 2, pl.dense(1) }, { dtype = "float64" })
    local before = net:state()
    at_caller(function() pl.lsuv(net, core.matrix(2, 8)) end,
      "layer 1: its Z has the variance 0 on X, which no factor makes 1")
    assert.same(before.generator, net:state().generator)
    assert.is_true(same(before.tensors["1.W"], net.layers[1].W))
  end)

  it("refuses what is no network, no matrix, and options that are none", function()
    local net = pl.network({ inputs = 6, pl.dense(4) }, { dtype = "float64" })
    at_caller(function() pl.lsuv(5, X) end, "a network expected, got 5")
    at_caller(function() pl.lsuv({ nodes = {} }, X) end, "a network expected, got a table")
    at_caller(function() pl.lsuv(net, 5) end, "X: a matrix expected, got 5")
    at_caller(function() pl.lsuv(net, core.matrix(5, 3)) end,
      "X has 5 rows but the network has 6 inputs")
    at_caller(function() pl.lsuv(net, X, { tolerance = 0 }) end,
      "tolerance: a number above 0 expected, got 0")
    at_caller(function() pl.lsuv(net, X, { tol = 1 }) end, "unknown option 'tol' of pl.lsuv")
  end)
end)
