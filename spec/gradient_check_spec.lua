local at_caller = require("spec.support.misuse").at_caller
local pl = require "perilune"
local same = require("spec.support.matrices").same

local core = pl.float64
local N, WIDTH = 6, 5

local function sorted_keys(t)
  local keys = {}
  for key in pairs(t) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

-- Targets that suit any loss: columns that sum to 1.
local function targets(rows)
  local T = core.generator(5):uniform(core.matrix(rows, N), 0.1, 1)
  for n = 1, N do
    local sum = T:columns(n, n):sum()
    for i = 1, rows do T:set(i, n, T:get(i, n) / sum) end
  end
  return T
end

-- A network, and inputs that keep every Z away from the kink of relu at 0.
local function smooth(layers, given)
  given = given or {}
  given.dtype = "float64"
  for seed = 1, 1000 do
    given.seed = seed
    local network = pl.network(layers, given)
    local generator = core.generator(seed)
    for _, layer in ipairs(network.layers) do
      if layer.b then generator:normal(layer.b, 0, 0.5) end
    end
    local X = generator:normal(core.matrix(network.inputs, N))
    network:forward(X)
    local nearest = math.huge
    for _, layer in ipairs(network.layers) do
      if layer.Z then nearest = math.min(nearest, layer.Z:map(math.abs):min()) end
    end
    if nearest > 1e-2 then return network, X end
  end
  error "no smooth network found"
end

describe("the gradient check", function()
  for _, activation in ipairs(sorted_keys(core.activations)) do
    for _, loss in ipairs(sorted_keys(pl.loss)) do
      it("passes for " .. activation .. " with " .. loss, function()
        local network, X = smooth {
          inputs = 4, pl.dense(WIDTH, activation), pl.dense(WIDTH, activation),
          pl.dense(3, activation),
        }
        local report = pl.gradient_check(network, X, targets(3), { loss = loss })
        assert.is_true(report.passed, tostring(report))
        assert.equal(4 * N + network:parameter_count(), report.count)
      end)
    end
  end

  it("passes with labels for targets", function()
    local network, X = smooth { inputs = 4, pl.dense(3, "tanh"), pl.dense(3) }
    local labels = core.matrix { { 1, 2, 3, 3, 2, 1 } }
    local report = pl.gradient_check(network, X, labels,
      { loss = "softmax_cross_entropy" })
    assert.is_true(report.passed, tostring(report))
  end)

  it("passes with dropout, drawing the same mask each time", function()
    local network, X = smooth {
      inputs = 4, pl.dropout(0.3), pl.dense(6, "tanh"), pl.dropout(0.5), pl.dense(3),
    }
    local report = pl.gradient_check(network, X, targets(3), { loss = "squared_error" })
    assert.is_true(report.passed, tostring(report))
  end)

  it("leaves parameters, inputs and the generator's place as they were", function()
    local network, X = smooth {
      inputs = 4, pl.dense(6, "tanh"), pl.dropout(0.5), pl.dense(3),
    }
    local theta, inputs = network.theta:copy(), X:copy()
    local drawn = network.generator:state()
    network:forward(X)
    local after_forward = network.generator:state()
    network.generator:restore(drawn)
    pl.gradient_check(network, X, targets(3), { loss = "squared_error" })
    assert.is_true(same(theta, network.theta))
    assert.is_true(same(inputs, X))
    assert.equal(after_forward, network.generator:state())
  end)

  it("is printed as one sentence", function()
    local network, X = smooth { inputs = 4, pl.dense(3, "tanh") }
    local report = pl.gradient_check(network, X, targets(3), { loss = "squared_error" })
    assert.matches("^passed: largest relative error [%d.e-]+ of 39, at "
      .. "[^ ]+%(%d+, %d+%): [%d.e-]+ by backward, [%d.e-]+ by differences$",
      tostring(report))
  end)

  it("takes a loss of one's own, a step and a tolerance", function()
    local network, X = smooth { inputs = 4, pl.dense(3, "tanh") }
    local calls = 0
    local function own(...)
      calls = calls + 1
      return pl.loss.squared_error(...)
    end
    local report = pl.gradient_check(network, X, targets(3), { loss = own, step = 1e-3 })
    assert.is_true(report.passed)
    assert.equal(1 + 4 * report.count, calls)
    assert.is_false(pl.gradient_check(network, X, targets(3),
      { loss = "squared_error", step = 1, tolerance = 1e-12 }).passed)
  end)
end)

-- A dense layer with tanh, by hand from the paper, square so that every mix-up of shapes still computes.
-- `wrong` names the one thing that is not as it should be.
local Hand = {}
Hand.__index = Hand

function Hand.new(description, context)
  return setmetatable({
    wrong = description.wrong, inputs = context.inputs, outputs = context.inputs,
    shapes = {
      { name = "W", rows = context.inputs, cols = context.inputs },
      { name = "b", rows = context.inputs, cols = 1 },
    },
  }, Hand)
end

function Hand:bind(parameters, generator)
  self.W, self.dJ_dW = parameters[1].value, parameters[1].gradient
  self.b, self.dJ_db = parameters[2].value, parameters[2].gradient
  generator:normal(self.W, 0, 0.5)
  generator:normal(self.b, 0, 0.5)
end

-- (1.4)
function Hand:forward(A_below)
  self.A_below = A_below
  self.A = core.tanh(core.matrix(self.outputs, A_below.cols), self.W * A_below + self.b)
  return self.A
end

-- (4.1), (4.2), but for what is wrong
function Hand:backward(Delta)
  local wrong, ones = self.wrong, core.matrix(Delta.cols, 1):fill(1)
  local derivative = self.A:map(function(a) return 1 - a * a end)
  self.H = wrong == "no sigma'" and Delta or Delta:hadamard(derivative)
  local A_below = wrong == "A in place of A_below" and self.A or self.A_below
  local dJ_dW = self.H * A_below:transpose()
  if wrong == "sign of dJ/dW" then dJ_dW = -dJ_dW end
  if wrong == "transposed dJ/dW" then dJ_dW = dJ_dW:transpose() end
  if wrong == "0.1 % in dJ/dW" then dJ_dW:set(2, 3, dJ_dW:get(2, 3) * 1.001) end
  if wrong == "NaN in dJ/dW" then dJ_dW:set(2, 3, 0 / 0) end
  local dJ_db = self.H * ones
  if wrong == "mean in place of sum in dJ/db" then dJ_db = dJ_db / Delta.cols end
  if wrong == "Delta in place of H in dJ/db" then dJ_db = Delta * ones end
  if wrong == "dJ/db of the first sample" then dJ_db = self.H:columns(1, 1) end
  if wrong == "0.1 % in dJ/db" then dJ_db:set(4, 1, dJ_db:get(4, 1) * 1.001) end
  self.dJ_dW:assign(dJ_dW)
  self.dJ_db:assign(dJ_db)
end

-- (4.2)
function Hand:propagate()
  if self.wrong == "W not transposed in Delta" then return self.W * self.H end
  if self.wrong == "sign of Delta" then return -(self.W:transpose() * self.H) end
  local Delta = self.W:transpose() * self.H
  if self.wrong == "0.1 % in Delta" then Delta:set(1, 2, Delta:get(1, 2) * 1.001) end
  return Delta
end

local function check_hand(wrong, loss)
  local network, X = smooth({
    inputs = WIDTH, { kind = "hand", wrong = wrong }, { kind = "hand" },
  }, { layers = { hand = Hand } })
  local report = pl.gradient_check(network, X, targets(WIDTH),
    { loss = loss or "squared_error" })
  return report
end

describe("the gradient check of a layer by hand", function()
  it("passes when the layer is right", function()
    local report = check_hand(nil)
    assert.is_true(report.passed, tostring(report))
  end)

  -- What is wrong, and where it shows first of all.
  for wrong, where in pairs {
    ["sign of dJ/dW"] = "1.W",
    ["transposed dJ/dW"] = "1.W",
    ["A in place of A_below"] = "1.W",
    ["0.1 % in dJ/dW"] = "1.W",
    ["NaN in dJ/dW"] = "1.W",
    ["no sigma'"] = false,
    ["mean in place of sum in dJ/db"] = "1.b",
    ["Delta in place of H in dJ/db"] = "1.b",
    ["dJ/db of the first sample"] = "1.b",
    ["0.1 % in dJ/db"] = "1.b",
    ["W not transposed in Delta"] = "X",
    ["sign of Delta"] = "X",
    ["0.1 % in Delta"] = "X",
  } do
    it("catches: " .. wrong, function()
      local report = check_hand(wrong)
      assert.is_false(report.passed, tostring(report))
      assert.matches("^FAILED: ", tostring(report))
      if where then assert.equal(where, report.name) end
      if wrong:find "^0.1 %%" then
        assert.near(5e-4, report.largest_error, 5e-6)
        assert.near(1.001, report.analytic / report.numeric, 1e-6)
      end
      if wrong == "NaN in dJ/dW" then
        assert.same({ 2, 3 }, { report.row, report.col })
      end
    end)
  end

  -- The squared error, by hand, with what is wrong.
  local function loss_with(wrong)
    return function(A, T, Delta)
      local D = A - T
      local J = D:norm() ^ 2 / (2 * A.cols)
      if Delta == false then return J end
      Delta = D / A.cols
      if wrong == "no 1/N" then Delta = D end
      if wrong == "sign" then Delta = -Delta end
      if wrong == "0.1 %" then Delta:set(1, 1, Delta:get(1, 1) * 1.001) end
      if wrong == "NaN" then Delta:set(1, 1, 0 / 0) end
      return J, Delta
    end
  end

  it("passes with a loss by hand when it is right", function()
    assert.is_true(check_hand(nil, loss_with(nil)).passed)
  end)

  for _, wrong in ipairs { "no 1/N", "sign", "0.1 %", "NaN" } do
    it("catches a loss with " .. wrong .. " wrong", function()
      local report = check_hand(nil, loss_with(wrong))
      assert.is_false(report.passed, tostring(report))
    end)
  end

  it("catches an activation whose derivative is another's", function()
    local core_tanh = core.activations.tanh
    local network, X = smooth({ inputs = 4, pl.dense(3, "odd") }, {
      activations = { odd = {
        name = "odd", forward = core_tanh.forward,
        backward = core.activations.softsign.backward,
      } },
    })
    local report = pl.gradient_check(network, X, targets(3), { loss = "squared_error" })
    assert.is_false(report.passed, tostring(report))
  end)
end)

describe("misuse of the gradient check", function()
  it("names what was expected and what came", function()
    local single = pl.network { inputs = 4, pl.dense(3) }
    at_caller(function()
      pl.gradient_check(single, pl.matrix(4, 2), pl.matrix(3, 2),
        { loss = "squared_error" })
    end, "a float64 network expected, got float32")
    local network, X = smooth { inputs = 4, pl.dense(3) }
    at_caller(function() pl.gradient_check(network, X, targets(3), {}) end,
      "option 'loss' is required")
    at_caller(function() pl.gradient_check(network, X, targets(3)) end,
      "option 'loss' is required")
    at_caller(function() pl.gradient_check(network, X, targets(3), { loss = "mse" }) end,
      "unknown loss 'mse'")
    at_caller(function()
      pl.gradient_check(network, X, targets(3), { loss = "squared_error", tol = 1 })
    end, "unknown option 'tol' (known: floor, loss, step, tolerance)")
    for _, name in ipairs { "step", "tolerance", "floor" } do
      at_caller(function()
        pl.gradient_check(network, X, targets(3),
          { loss = "squared_error", [name] = "small" })
      end, name)
    end
  end)
end)
