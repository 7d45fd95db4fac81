local at_caller = require("spec.support.misuse").at_caller
local pl = require "perilune"
local same = require("spec.support.matrices").same

local function trained(options)
  local net = pl.network { inputs = 3, pl.dense(2, "tanh", options),
    pl.batch_norm(options) }
  net:forward(pl.matrix(3, 4):fill(1))
  net:backward(pl.matrix(2, 4):fill(1), true)
  return net
end

describe("a layer's tensors", function()
  it("are read by the paper's names", function()
    local net = trained()
    local dense, norm = net.layers[1], net.layers[2]
    local by_name = {}
    for _, tensor in ipairs(net:tensors()) do by_name[tensor.name] = tensor end
    assert.is_true(rawequal(by_name["1.W"].value, dense.W))
    assert.is_true(rawequal(by_name["1.b"].value, dense.b))
    assert.is_true(rawequal(by_name["1.W"].gradient, dense.dJ_dW))
    assert.is_true(rawequal(by_name["1.b"].gradient, dense.dJ_db))
    assert.is_true(rawequal(by_name["2.scale"].value, norm.scale))
    assert.is_true(rawequal(by_name["2.scale"].gradient, norm.dJ_dscale))
    assert.is_true(rawequal(by_name["2.running_mean"].value, norm.running_mean))
    assert.is_nil(norm.dJ_drunning_mean)
  end)

  it("are read beside Z, A, H and Delta after forward and backward", function()
    local dense = trained().layers[1]
    for _, quantity in ipairs { "Z", "A", "H", "Delta" } do
      assert.same({ 2, 4 }, { dense[quantity]:shape() })
    end
  end)

  it("have no gradient to read when they are frozen", function()
    local dense = trained({ frozen = true }).layers[1]
    assert.same({ 2, 3 }, { dense.W:shape() })
    assert.is_nil(dense.dJ_dW)
    assert.is_nil(dense.dJ_db)
  end)

  it("are filled, not replaced, and the error says so at the line that tried", function()
    local net = trained()
    local dense, before = net.layers[1], net.layers[1].W:copy()
    at_caller(function() dense.W = pl.matrix(2, 3) end,
      "W cannot be replaced, only filled: layer.W:assign(M)")
    at_caller(function() dense.dJ_db = pl.matrix(2, 1) end,
      "dJ_db cannot be replaced, only filled: layer.dJ_db:assign(M)")
    at_caller(function()
      net.layers[2].running_mean = nil
    end, "layer.running_mean:assign(M)")
    assert.is_true(same(before, dense.W))
    dense.W:assign(pl.matrix(2, 3):fill(2))
    assert.equal(2, net.theta:get(1, 1))
  end)

  it("leave other names to be read and set as in any table", function()
    local dense = trained().layers[1]
    assert.is_nil(dense.dJ_d)
    assert.is_nil(dense.dJ_dV)
    assert.is_nil(dense[1])
    assert.is_nil(dense[true])
    dense.remark, dense[1], dense.dJ_dV = "first", "one", "none"
    assert.equal("first", dense.remark)
    assert.equal("one", dense[1])
    assert.equal("none", dense.dJ_dV)
  end)
end)

describe("a built-in layer", function()
  it("lets one of its methods be replaced in one layer", function()
    local net = trained()
    local calls = 0
    local forward = net.layers[1].forward
    net.layers[1].forward = function(...)
      calls = calls + 1
      return forward(...)
    end
    net:forward(pl.matrix(3, 4))
    assert.equal(1, calls)
    trained()
    assert.equal(1, calls)
  end)

  it("is printed as its class says", function()
    assert.equal("dense 3 -> 2, tanh", tostring(trained().layers[1]))
  end)
end)
