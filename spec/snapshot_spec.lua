local Snapshot = require "perilune.snapshot"
local allocated_by = require("spec.support.memory").allocated
local own = require "spec.support.layers"
local pl = require "perilune"
local same = require("spec.support.matrices").same

local X = pl.generator(1):normal(pl.matrix(3, 4))

local function network(frozen)
  return pl.network({
    inputs = 3, pl.dense(5), pl.batch_norm { frozen = frozen }, pl.dropout(0.5), "counter",
    pl.dense(2),
  }, { layers = own })
end

describe("a snapshot", function()
  it("puts back what forward moves: state, the generator, what layers remember", function()
    local net = network()
    local snapshot = Snapshot.new(net)
    local A = net:forward(X):copy()
    local moved = net:state()
    assert.is_false(same(A, net:forward(X)))
    snapshot:put_back()
    assert.is_true(same(A, net:forward(X)))
    local again = net:state()
    assert.equal(moved.generator, again.generator)
    assert.same({ batches = 1 }, again.layers["4"])
    for name, M in pairs(moved.tensors) do assert.is_true(same(M, again.tensors[name]), name) end
  end)

  it("puts back the state of a frozen layer that moves it in spite of that", function()
    local net = pl.network({ inputs = 3, { "center", frozen = true } }, { layers = own })
    local snapshot = Snapshot.new(net)
    net:forward(X)
    assert.is_true(net.layers[1].mean:norm() > 0)
    snapshot:put_back()
    assert.equal(0, net.layers[1].mean:norm())
  end)

  it("leaves parameters alone", function()
    local net = network()
    local snapshot = Snapshot.new(net)
    net.layers[1].W:fill(7)
    snapshot:put_back()
    assert.equal(7, net.layers[1].W:get(1, 1))
  end)

  it("is taken again", function()
    local net = network()
    local snapshot = Snapshot.new(net)
    net:forward(X)
    local mean = net.layers[2].running_mean:copy()
    snapshot:take()
    net:forward(X)
    snapshot:put_back()
    assert.is_true(same(mean, net.layers[2].running_mean))
    assert.equal(1, net.layers[4].batches)
  end)

  it("allocates nothing where no layer remembers more than its tensors", function()
    local net = pl.network { inputs = 3, pl.batch_norm(), pl.dropout(0.5) }
    local snapshot = Snapshot.new(net)
    local function both()
      snapshot:take()
      snapshot:put_back()
    end
    assert.equal(0, allocated_by(both))
  end)
end)
