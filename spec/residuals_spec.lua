-- Residuals of a sum of squares and their gradients, against central differences and the loss.

local at_caller = require("spec.support.misuse").at_caller
local naive = require "spec.support.naive"
local pl = require "perilune"

local core = pl.float64
local N, OUTPUTS = 4, 2

local function network(dtype)
  return pl.network({ inputs = 3, pl.dense(4, "tanh"), pl.dense(OUTPUTS, "sigmoid") },
    { dtype = dtype or "float64", seed = 2 })
end

local X, T = naive.random(core, 1, 3, N), naive.random(core, 2, OUTPUTS, N)

local samples = core.matrix { { 1, 2, 0, 0.5 } }
local targets = core.matrix { { 1, 0, 3, 1 }, { 0, 0, 0.5, 2 } }
local masked = T:copy()
masked:set(1, 2, 0 / 0)
masked:set(2, 1, 0 / 0)

local cases = {
  { "without weights", T }, { "with weights of samples", T, samples },
  { "with weights of targets, some of them masked", masked, targets },
}

describe("residuals", function()
  for _, case in ipairs(cases) do
    local title, goals, weights = table.unpack(case)

    it("are those of which J is half the sum of squares, " .. title, function()
      local net = network()
      local A = net:forward(X)
      local e = pl.residuals(net, "squared_error")(A, goals, weights)
      assert.same({ OUTPUTS * N, 1 }, { e.rows, e.cols })
      local J = pl.loss.squared_error(A, goals, false, weights)
      assert.near(J, e:norm() ^ 2 / 2, 1e-14)
    end)

    it("have the gradients that differences show, " .. title, function()
      local net = network()
      local residuals = pl.residuals(net, "squared_error")
      local function e_now() return (residuals(net:forward(X), goals, weights)) end
      local _, G = residuals(net:forward(X), goals, weights)
      assert.same({ net.theta.rows, OUTPUTS * N }, { G.rows, G.cols })
      G = G:copy()
      local theta, step = net.theta, 1e-5
      for _, parameter in ipairs(net:parameters()) do
        local size = parameter.value.rows * parameter.value.cols
        for i = parameter.start, parameter.start + size - 1 do
          local x = theta:get(i, 1)
          theta:set(i, 1, x + step)
          local above = e_now():copy()
          theta:set(i, 1, x - step)
          local below = e_now()
          theta:set(i, 1, x)
          for k = 1, OUTPUTS * N do
            assert.near((above:get(k, 1) - below:get(k, 1)) / (2 * step), G:get(i, k), 1e-8)
          end
        end
      end
    end)

    it("make dJ/dtheta with them, " .. title, function()
      local net = network()
      local A = net:forward(X)
      local e, G = pl.residuals(net, "squared_error")(A, goals, weights)
      local _, Delta = pl.loss.squared_error(A, goals, nil, weights)
      net:backward(Delta)
      naive.near(core.product(core.matrix(G.rows, 1), G, e), net.dJ_dtheta:totable(), 1e-14)
    end)
  end

  it("are right behind layers that draw numbers or mix samples, and in float32", function()
    local net = pl.network({
      inputs = 3, pl.dense(6, "tanh"), pl.batch_norm(), pl.dropout(0.3),
      pl.residual { pl.dense(6, "tanh") }, pl.dense(2),
    }, { seed = 3 })
    local A = net:forward(X:to "float32")
    local e, G = pl.residuals(net, "squared_error")(A, T:to "float32")
    local _, Delta = pl.loss.squared_error(A, T:to "float32")
    net:backward(Delta)
    local expected = pl.float32.product(pl.matrix(G.rows, 1), G, e)
    naive.near(expected, net.dJ_dtheta:totable(), 1e-5)
  end)

  it("are right for batches of any size in turn", function()
    local net = network()
    local residuals = pl.residuals(net, "squared_error")
    for _, count in ipairs { 4, 1, 3, 4, 2, 1, 4 } do
      local A, goals = net:forward(X:columns(1, count)), T:columns(1, count)
      local e, G = residuals(A, goals)
      local _, Delta = pl.loss.squared_error(A, goals)
      net:backward(Delta)
      naive.near(core.product(core.matrix(G.rows, 1), G, e), net.dJ_dtheta:totable(), 1e-14)
    end
  end)

  it("are those of a loss of one's own that says it is a sum of squares", function()
    local net = network()
    local function compute(A, goals, Delta)
      local J
      J, Delta = pl.loss.squared_error(A, goals, Delta)
      return 6 * J, core.hadamard(Delta, Delta, 6)
    end
    local A = net:forward(X)
    local e = pl.residuals(net, { compute = compute, squares = true })(A, T)
    assert.near(6 * pl.loss.squared_error(A, T, false), e:norm() ^ 2 / 2, 1e-13)
  end)

  it("are refused for a loss that is none, or where there is no network", function()
    local net = network()
    at_caller(function() local _ = pl.residuals(net, "softmax_cross_entropy") end,
      "residuals: a loss that is a sum of squares expected, such as squared_error, got "
        .. "softmax_cross_entropy")
    at_caller(function() local _ = pl.residuals(net, function() end) end,
      "got one that does not say so")
    at_caller(function() local _ = pl.residuals({}, "squared_error") end, "a network expected")
    local fixed = pl.network { inputs = 3, pl.dense(2, nil, { frozen = true }) }
    at_caller(function() local _ = pl.residuals(fixed, "squared_error") end,
      "residuals: a network with parameters to train expected")
  end)

  it("are refused for other outputs than those of the last forward, and other targets", function()
    local net = network()
    local residuals = pl.residuals(net, "squared_error")
    at_caller(function() local _ = residuals(nil, T) end,
      "residuals: A: what the network's last forward gave expected, got nil")
    local A = net:forward(X)
    at_caller(function() local _ = residuals(T, T) end, "got a 2 x 4 matrix of float64")
    at_caller(function() local _ = residuals(A, X) end, "squared_error: T: a 2 x 4 matrix expected")
    at_caller(function() local _ = residuals(A, T, X) end, "squared_error: weights: ")
  end)
end)
