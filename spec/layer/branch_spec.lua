local at_caller = require("spec.support.misuse").at_caller
local naive = require "spec.support.naive"
local own = require "spec.support.layers"
local pl = require "perilune"
local same = require("spec.support.matrices").same

local near = naive.near

local function sum(A, B) return naive.zip(function(a, b) return a + b end, A, B) end

local function stacked(A, B)
  return naive.build(#A + #B, #A[1], function(i, n)
    return i <= #A and A[i][n] or B[i - #A][n]
  end)
end

local function rows(A, first, last)
  return naive.build(last - first + 1, #A[1], function(i, n)
    return A[first + i - 1][n]
  end)
end

-- A dense layer by loops: A, and what backward makes of Delta
local function dense(layer, activation, X)
  local W = layer.W:totable()
  local Z = naive.affine(W, X, layer.b:totable())
  return naive.activate(activation, Z), function(Delta)
    local H = naive.backward(activation, Delta, Z)
    return naive.product(W, H, "TN"), naive.product(H, X, "NT")
  end
end

for _, name in ipairs(naive.types) do
  local core, tolerance = pl[name], naive.tolerance[name]

  describe("a branch in " .. name, function()
    local function run(outputs, join)
      local net = pl.network({
        inputs = 4, pl.branch({ pl.dense(3, "tanh"), pl.dense(outputs, "sigmoid") },
          { join = join }),
      }, { dtype = name })
      local one, two = table.unpack(net.layers[1].parts)
      local X = naive.random(core, 1, 4, 6)
      local Delta = naive.random(core, 2, net.outputs, 6)
      return net, one, two, X, Delta
    end

    it("puts the outputs of its parts on top of each other", function()
      local net, one, two, X, Delta = run(2)
      assert.equal(5, net.outputs)
      local A_1, backward_1 = dense(one, "tanh", X:totable())
      local A_2, backward_2 = dense(two, "sigmoid", X:totable())
      near(net:forward(X), stacked(A_1, A_2), tolerance)
      near(net:predict(X), stacked(A_1, A_2), tolerance)
      local below_1, dJ_dW_1 = backward_1(rows(Delta:totable(), 1, 3))
      local below_2, dJ_dW_2 = backward_2(rows(Delta:totable(), 4, 5))
      near(net:backward(Delta, true), sum(below_1, below_2), tolerance)
      near(one.dJ_dW, dJ_dW_1, tolerance)
      near(two.dJ_dW, dJ_dW_2, tolerance)
    end)

    it("sums them", function()
      local net, one, two, X, Delta = run(3, "sum")
      assert.equal(3, net.outputs)
      local A_1, backward_1 = dense(one, "tanh", X:totable())
      local A_2, backward_2 = dense(two, "sigmoid", X:totable())
      near(net:forward(X), sum(A_1, A_2), tolerance)
      near(net:predict(X), sum(A_1, A_2), tolerance)
      local below_1, dJ_dW_1 = backward_1(Delta:totable())
      local below_2, dJ_dW_2 = backward_2(Delta:totable())
      near(net:backward(Delta, true), sum(below_1, below_2), tolerance)
      near(one.dJ_dW, dJ_dW_1, tolerance)
      near(two.dJ_dW, dJ_dW_2, tolerance)
    end)
  end)
end

describe("a branch", function()
  it("names the tensors within it by their path", function()
    local net = pl.network {
      inputs = 4, pl.branch { { pl.dense(2), pl.dense(3) }, pl.dropout(0.5),
        pl.dense(1) },
    }
    local names = {}
    for k, tensor in ipairs(net:tensors()) do names[k] = tensor.name end
    assert.same({ "1.1.1.W", "1.1.1.b", "1.1.2.W", "1.1.2.b", "1.3.W", "1.3.b" }, names)
  end)

  -- Parts whose predictions are their inputs themselves
  for join, expected in pairs { concatenate = { 1, 1 }, sum = { 2 } } do
    it("of dropouts leaves its input alone in prediction: " .. join, function()
      local net = pl.network {
        inputs = 2, pl.branch({ pl.dropout(0.5), pl.dropout(0.5) }, { join = join }),
      }
      local X = naive.random(pl.float32, 1, 2, 6)
      local before, P = X:copy(), net:predict(X)
      for k, factor in ipairs(expected) do
        local part = pl.float32.take_rows(pl.matrix(2, 6), P, 2 * k - 1)
        assert.is_true(same(factor * X, part))
      end
      assert.is_true(same(before, X))
      net.layers[1]:predict(X)
      assert.is_true(same(before, X))
    end)
  end

  for _, join in ipairs { "concatenate", "sum" } do
    it("of parts that hand on what they get leaves it: " .. join, function()
      local net = pl.network({
        inputs = 2, pl.branch({ "counter", "counter", "scale" }, { join = join }),
      }, { layers = own })
      local X = naive.random(pl.float32, 1, 2, 6)
      local before, Delta = X:copy(), pl.matrix(net.outputs, 6):fill(1)
      net:forward(X)
      assert.same(naive.fill(2, 6, 3), net:backward(Delta, true):totable())
      net:predict(X)
      assert.is_true(same(before, X))
      assert.same(naive.fill(net.outputs, 6, 1), Delta:totable())
    end)
  end

  it("takes samples and Delta stored by rows", function()
    local net = pl.network({ inputs = 3, pl.branch { pl.dropout(0), pl.dense(2) } })
    local X, Delta = naive.random(pl.float32, 1, 3, 6), naive.random(pl.float32, 2, 5, 6)
    assert.is_true(same(net:predict(X), net:predict(X:copy "rows")))
    local A = net:forward(X):copy()
    local below = net:backward(Delta, true):copy()
    assert.is_true(same(A, net:forward(X:copy "rows")))
    assert.is_true(same(below, net:backward(Delta:copy "rows", true)))
  end)

  it("within a branch, beside an empty-handed part", function()
    local net = pl.network({
      inputs = 3,
      pl.branch { pl.branch({ pl.dense(3, "tanh"), pl.layer_norm() }, { join = "sum" }),
        pl.dropout(0.4) },
      pl.dense(2),
    }, { dtype = "float64" })
    local report = pl.gradient_check(net, naive.random(pl.float64, 1, 3, 5),
      naive.random(pl.float64, 2, 2, 5), { loss = "squared_error" })
    assert.is_true(report.passed, tostring(report))
  end)

  it("is described with its parts and how they join", function()
    local net = pl.network {
      inputs = 4, pl.branch({ pl.batch_norm(), pl.dropout(0.5) }, { join = "sum" }),
    }
    assert.same({
      "branch", join = "sum", parts = {
        { "batch_norm", momentum = 0.1, epsilon = 1e-5 },
        { "dropout", probability = 0.5 },
      },
    }, net:describe().layers[1])
  end)

  it("is printed with its parts", function()
    local net = pl.network {
      inputs = 4, pl.branch { pl.dense(3), pl.dropout(0.5) },
      pl.branch({ pl.dropout(0.1) }, { join = "sum" }),
    }
    assert.equal("network of 4 inputs, 15 parameters, float32\n"
      .. "  1  branch of 2 parts, concatenated\n"
      .. "    1.1  dense 4 -> 3, identity\n"
      .. "    1.2  dropout 0.5\n"
      .. "  2  branch of 1 part, summed\n"
      .. "    2.1  dropout 0.1", tostring(net))
  end)

  it("refuses parts that cannot be joined", function()
    at_caller(function()
      local _ = pl.network {
        inputs = 4, pl.branch({ pl.dense(3), pl.dense(2) }, { join = "sum" }),
      }
    end, "layer 1: part 2 has 2 outputs and part 1 has 3: a sum needs as many of each")
    at_caller(function() local _ = pl.network { inputs = 4, pl.branch {} } end,
      "layer 1: at least one part expected")
    at_caller(function() local _ = pl.branch({ pl.dense(3) }, { join = "add" }) end,
      "branch: join: \"concatenate\" or \"sum\" expected, got \"add\"")
    at_caller(function()
      local _ = pl.branch(3)
    end, "branch: parts: a table expected, got 3")
    at_caller(function()
      local _ = pl.network { inputs = 4, pl.branch { pl.dense(3), first = pl.dense(2) } }
    end, "layer 1: unknown field \"first\" beside the parts")
  end)

  it("names what is wrong in a part by its path", function()
    at_caller(function()
      local _ = pl.network { inputs = 4,
        pl.branch { pl.dense(3), { "dense", outputs = 0 } } }
    end, "layer 1.2: dense: outputs: a whole number of 1 or more expected, got 0")
  end)
end)
