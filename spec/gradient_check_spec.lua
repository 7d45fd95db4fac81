local at_caller = require("spec.support.misuse").at_caller
local losses = require "spec.support.losses"
local own = require "spec.support.layers"
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

local KINKS = { 0, 1, 3 } -- of relu and others, hard_tanh, hard_sigmoid

-- A network, and inputs that keep every Z away from kinks, and the outputs away from those of the
-- loss, where `nearness` tells how near they are.
local function smooth(layers, given, nearness)
  given = given or {}
  given.dtype = "float64"
  for seed = given.seed or 1, 1000 do
    given.seed = seed
    local network = pl.network(layers, given)
    local generator = core.generator(seed)
    for _, layer in ipairs(network.layers) do
      if layer.b then generator:normal(layer.b, 0, 0.5) end
    end
    local X = generator:normal(core.matrix(network.inputs, N))
    local A = network:forward(X)
    local nearest = nearness and nearness(A) or math.huge
    for _, node in ipairs(network.nodes) do
      local Z = node.kind == "dense" and node.layer.Z
      for _, kink in ipairs(Z and KINKS or {}) do
        nearest = math.min(nearest, Z:map(function(z)
          return math.abs(math.abs(z) - kink)
        end):min())
      end
    end
    if nearest > 1e-2 then return network, X end
  end
  error "no smooth network found"
end

describe("the gradient check", function()
  for _, activation in ipairs(sorted_keys(core.activations)) do
    for _, loss in ipairs { "squared_error", "softmax_cross_entropy" } do
      it("passes for " .. activation .. " with " .. loss, function()
        -- e^(e^(e^z)) would leave no digits to the differences.
        local hidden = activation == "exponential" and "tanh" or activation
        local network, X = smooth {
          inputs = 4, pl.dense(WIDTH, hidden), pl.dense(WIDTH, hidden), pl.dense(3, activation),
        }
        local report = pl.gradient_check(network, X, targets(3), { loss = loss })
        assert.is_true(report.passed, tostring(report))
        assert.equal(4 * N + network:parameter_count(), report.count)
      end)
    end
  end

  -- The check of layers with a last one that the loss can use
  local function check(case, layers, weights, seed)
    local T = case.targets(core, 3, N)
    local outputs = case.name == "gaussian_nll" and 6 or 3
    layers[#layers + 1] = pl.dense(outputs, case.gives == "probabilities" and "sigmoid" or nil)
    local network, X = smooth(layers, { seed = seed }, case.kink and function(A)
      return case.kink(A, T)
    end)
    return pl.gradient_check(network, X, T, {
      loss = losses.description(case, 3),
      weights = weights and losses.weights(core, weights, 3, N) or nil,
    })
  end

  for _, case in ipairs(losses.list) do
    for _, weights in ipairs { false, "samples", "targets" } do
      it(("passes for %s%s"):format(losses.title(case),
        weights and " and weights of " .. weights or ""), function()
        local report = check(case, { inputs = 4, pl.dense(WIDTH, "tanh") }, weights)
        assert.is_true(report.passed, tostring(report))
      end)
    end
  end

  it("passes for 100 networks and losses that are put together at random", function()
    local generator, activations = core.generator(11), sorted_keys(core.activations)
    local function any(list) return list[generator:integer(1, #list)] end
    local function dense() return pl.dense(WIDTH, any(activations)) end
    local makers = {
      dense, dense, pl.batch_norm, pl.layer_norm,
      function() return pl.dropout(0.2) end,
      function() return pl.residual({ dense() }, { projection = true }) end,
      function() return pl.branch { dense(), pl.dense(2, "tanh") } end,
    }
    for k = 1, 100 do
      local layers = { inputs = 4, pl.dense(WIDTH, "tanh") }
      for _ = 1, generator:integer(0, 3) do layers[#layers + 1] = any(makers)() end
      local case, weights = any(losses.list), any { false, "samples", "targets" }
      local report = check(case, layers, weights, k)
      assert.is_true(report.passed, ("%d: %s: %s"):format(k, losses.title(case),
        tostring(report)))
    end
  end)

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

  it("passes with weights of the samples", function()
    local network, X = smooth { inputs = 4, pl.dense(3, "tanh") }
    local report = pl.gradient_check(network, X, targets(3),
      { loss = "squared_error", weights = core.matrix { { 1, 0, 2, 0.5, 1, 3 } } })
    assert.is_true(report.passed, tostring(report))
    assert.is_true(report.largest_error > 0)
  end)

  -- A counter of batches would give other numbers at each forward, and state moves with it.
  local function with_state()
    local Fading = setmetatable({}, { __index = own.counter })
    Fading.__index = Fading
    function Fading.new(options, context)
      return setmetatable(own.counter.new(options, context), Fading)
    end
    function Fading:forward(A_below)
      self.batches = self.batches + 1
      return A_below / self.batches
    end
    function Fading:backward(Delta) return Delta / self.batches end
    return smooth({
      inputs = 4, "center", pl.dense(6, "tanh"), pl.batch_norm(), pl.dropout(0.5),
      "fading", pl.dense(3, "tanh", { frozen = true }), pl.dense(3),
    }, { layers = { fading = Fading, center = own.center } })
  end

  it("passes where state moves with each forward", function()
    local network, X = with_state()
    local report = pl.gradient_check(network, X, targets(3), { loss = "squared_error" })
    assert.is_true(report.passed, tostring(report))
  end)

  -- All that the network is, and X
  local function remembered(network, X)
    local state, parts = network:state(), { X:encode "float64" }
    for _, tensor in ipairs(network:tensors()) do
      parts[#parts + 1] = state.tensors[tensor.name]:encode "float64"
    end
    return { parts, state.generator, state.layers }
  end

  it("leaves tensors, inputs, the generator and all state as they were", function()
    local network, X = with_state()
    network:forward(X)
    local before = remembered(network, X)
    pl.gradient_check(network, X, targets(3), { loss = "squared_error" })
    assert.same(before, remembered(network, X))
    local by_rows = X:copy "rows"
    pl.gradient_check(network, by_rows, targets(3), { loss = "squared_error" })
    assert.same(before, remembered(network, by_rows))
  end)

  it("leaves them so when the loss or a layer raises midway", function()
    local network, X = with_state()
    local before = remembered(network, X)
    for _, last in ipairs { 1, 2, 5, 50 } do
      local calls = 0
      local function failing(...)
        calls = calls + 1
        if calls == last then error("out of order", 0) end
        return pl.loss.squared_error(...)
      end
      assert.has_error(function()
        pl.gradient_check(network, X, targets(3), { loss = failing })
      end, "out of order")
      assert.equal(last, calls)
      assert.same(before, remembered(network, X))
    end
  end)

  it("leaves in the layers what a forward of the network as it is leaves", function()
    local network, X = smooth { inputs = 4, pl.dense(6, "tanh"), pl.dense(3) }
    local A = network:forward(X):copy()
    pl.gradient_check(network, X, targets(3), { loss = "squared_error" })
    assert.is_true(same(A, network.A))
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
    local function counting(...)
      calls = calls + 1
      return pl.loss.squared_error(...)
    end
    local report = pl.gradient_check(network, X, targets(3),
      { loss = counting, step = 1e-3 })
    assert.is_true(report.passed)
    assert.equal(1 + 4 * report.count, calls)
    assert.is_false(pl.gradient_check(network, X, targets(3),
      { loss = "squared_error", step = 1, tolerance = 1e-12 }).passed)
  end)
end)

-- A dense layer with tanh, by hand from the paper, square so that every mix-up of shapes still
-- computes. `wrong` names the one thing that is not as it should be.
local Hand = {}
Hand.__index = Hand

function Hand.new(options, context)
  return setmetatable({ wrong = options.wrong, output = { size = context.input.size } },
    Hand)
end

local function draw(M, generator) return generator:normal(M, 0, 0.5) end

function Hand:declare()
  local size = self.output.size
  return {
    { name = "W", role = "parameter", rows = size, cols = size, first = draw },
    { name = "b", role = "parameter", rows = size, cols = 1, first = draw },
  }
end

-- (1.4)
local function A_of(self, A_below)
  local W, b = self.tensors.W.value, self.tensors.b.value
  return core.tanh(core.matrix(self.output.size, A_below.cols), W * A_below + b)
end

function Hand:forward(A_below)
  self.A_below, self.A = A_below, A_of(self, A_below)
  return self.A
end

function Hand:predict(A_below) return A_of(self, A_below) end

-- (4.1), (4.2), but for what is wrong
function Hand:backward(Delta)
  local wrong, ones = self.wrong, core.matrix(Delta.cols, 1):fill(1)
  local derivative = self.A:map(function(a) return 1 - a * a end)
  local H = wrong == "no sigma'" and Delta or Delta:hadamard(derivative)
  local A_below = wrong == "A in place of A_below" and self.A or self.A_below
  local dJ_dW = H * A_below:transpose()
  if wrong == "sign of dJ/dW" then dJ_dW = -dJ_dW end
  if wrong == "transposed dJ/dW" then dJ_dW = dJ_dW:transpose() end
  if wrong == "0.1 % in dJ/dW" then dJ_dW:set(2, 3, dJ_dW:get(2, 3) * 1.001) end
  if wrong == "NaN in dJ/dW" then dJ_dW:set(2, 3, 0 / 0) end
  local dJ_db = H * ones
  if wrong == "mean in place of sum in dJ/db" then dJ_db = dJ_db / Delta.cols end
  if wrong == "Delta in place of H in dJ/db" then dJ_db = Delta * ones end
  if wrong == "dJ/db of the first sample" then dJ_db = H:columns(1, 1) end
  if wrong == "0.1 % in dJ/db" then dJ_db:set(4, 1, dJ_db:get(4, 1) * 1.001) end
  self.tensors.W:receive(dJ_dW)
  self.tensors.b:receive(dJ_db)

  local W = self.tensors.W.value
  if wrong == "W not transposed in Delta" then return W * H end
  if wrong == "sign of Delta" then return -(W:transpose() * H) end
  local Delta_below = W:transpose() * H
  if wrong == "0.1 % in Delta" then
    Delta_below:set(1, 2, Delta_below:get(1, 2) * 1.001)
  end
  return Delta_below
end

local function check_hand(wrong, loss)
  local network, X = smooth({
    inputs = WIDTH, { "hand", wrong = wrong }, { "hand" },
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
    at_caller(function()
      pl.gradient_check({}, X, targets(3), { loss = "squared_error" })
    end, "a network expected, got a table")
    at_caller(function()
      pl.gradient_check(network, 5, targets(3), { loss = "squared_error" })
    end, "X: a matrix expected, got 5")
    at_caller(function()
      pl.gradient_check(network, X, targets(2), { loss = "squared_error" })
    end, "3 x 6")
    at_caller(function()
      pl.gradient_check(network, core.matrix(5, N), targets(3),
        { loss = "squared_error" })
    end, "X has 5 rows but the network has 4 inputs")
    at_caller(function() pl.gradient_check(network, X, targets(3), {}) end,
      "option 'loss' is required")
    at_caller(function() pl.gradient_check(network, X, targets(3)) end,
      "option 'loss' is required")
    at_caller(function() pl.gradient_check(network, X, targets(3), { loss = "mse" }) end,
      "unknown loss 'mse'")
    at_caller(function()
      pl.gradient_check(network, X, targets(3), { loss = "squared_error", tol = 1 })
    end, "unknown option 'tol' of gradient_check (known: floor, inputs, loss, step, "
      .. "tolerance, weights)")
    at_caller(function()
      pl.gradient_check(network, X, targets(3), { loss = function(A) return nil, A end })
    end, "loss: a number J and Delta expected from it, got nil")
    at_caller(function()
      pl.gradient_check(network, X, targets(3), {
        loss = function(A, T, Delta)
          if Delta ~= false then return pl.loss.squared_error(A, T, Delta) end
        end,
      })
    end, "loss: a number J and Delta expected from it, got nil")
    at_caller(function()
      pl.gradient_check(network, X, targets(3), {
        loss = function(A, T) return (pl.loss.squared_error(A, T)) end,
      })
    end, "loss: a number J and a matrix Delta expected from it, got nil as Delta")
    at_caller(function()
      local answers = setmetatable({}, { __index = function() return network end })
      pl.gradient_check(answers, X, targets(3), { loss = "squared_error" })
    end, "a network expected, got a table")
    for _, name in ipairs { "step", "tolerance", "floor" } do
      at_caller(function()
        pl.gradient_check(network, X, targets(3),
          { loss = "squared_error", [name] = "small" })
      end, name)
    end
  end)
end)
