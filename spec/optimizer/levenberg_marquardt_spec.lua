-- Levenberg's and Marquardt's method: its steps against loops over tables of rows.

local at_caller = require("spec.support.misuse").at_caller
local naive = require "spec.support.naive"
local pl = require "perilune"
local squares = require "spec.support.squares"

local core = pl.float64

-- As in spec/support/squares.lua, of a table of numbers: e and its derivatives, a row each
local function residuals(p)
  local e, rows = {}, naive.fill(#p, #p, 0)
  for k = 1, #p do
    local before = p[k - 1] or 0
    e[k] = { p[k] + 0.2 * p[k] ^ 3 + 0.3 * before ^ 2 - math.cos(k) }
    rows[k][k] = 1 + 0.6 * p[k] ^ 2
    if k > 1 then rows[k][k - 1] = 0.6 * before end
  end
  local J = naive.sum(#p, function(k) return e[k][1] ^ 2 / 2 end)
  return J, e, rows
end

-- x with A x = b, by elimination with pivots
local function solved(A, b)
  local n, M = #b, {}
  for i = 1, n do
    M[i] = table.move(A[i], 1, n, 1, {})
    M[i][n + 1] = b[i][1]
  end
  for i = 1, n do
    local best = i
    for k = i + 1, n do
      if math.abs(M[k][i]) > math.abs(M[best][i]) then best = k end
    end
    M[i], M[best] = M[best], M[i]
    for k = 1, n do
      local ratio = k ~= i and M[k][i] / M[i][i] or 0
      for j = i, n + 1 do M[k][j] = M[k][j] - ratio * M[i][j] end
    end
  end
  local x = {}
  for i = 1, n do x[i] = M[i][n + 1] / M[i][i] end
  return x
end

-- One step of Hagan and Menhaj's, from p; gives p and the damping
local function expected_step(p, damping, factor)
  local J, e, rows = residuals(p)
  local A, b = naive.product(rows, rows, "TN"), naive.product(rows, e, "TN")
  while true do
    local M = naive.build(#p, #p, function(i, j) return A[i][j] + (i == j and damping or 0) end)
    local s, moved = solved(M, b), {}
    for k = 1, #p do moved[k] = p[k] - s[k] end
    if residuals(moved) < J then return moved, damping / factor end
    damping = damping * factor
  end
end

local function numbers_of(list)
  local p = {}
  for _, parameter in ipairs(list) do
    local n = parameter.value.rows * parameter.value.cols
    for k = 1, n do p[#p + 1] = parameter.value:view(k, 1, 1):get(1, 1) end
  end
  return p
end

describe("levenberg_marquardt", function()
  it("has the documented defaults", function()
    assert.same({ damping = 0.01, factor = 10, damping_most = 1e10, tolerance_gradient = 1e-10 },
      pl.levenberg_marquardt().options)
  end)

  for _, given in ipairs { {}, { damping = 5 }, { damping = 1e-6, factor = 3 } } do
    for name, new_list in pairs { flat = squares.network_list, own = squares.own_list } do
      it(("steps as the method says, damping %g, %s list"):format(given.damping or 0.01, name),
        function()
          local list, optimizer = new_list(core), pl.levenberg_marquardt(given)
          -- far away the first steps are too long, so that the damping has to grow
          for _, parameter in ipairs(list) do core.hadamard(parameter.value, parameter.value, 4) end
          local evaluate, p = squares.of(list), numbers_of(list)
          local damping, factor = optimizer.options.damping, optimizer.options.factor
          for _ = 1, 6 do
            optimizer:step(list, nil, evaluate)
            p, damping = expected_step(p, damping, factor)
            naive.near(core.matrix { numbers_of(list) }, { p }, 1e-10)
            assert.near(1, optimizer:state().numbers.damping / damping, 1e-12)
          end
        end)
    end
  end

  it("raises the damping until J falls", function()
    -- J = 1/2 atan(p)^2: undamped steps from p = 10 go further and further
    local p, g = core.matrix { { 10 } }, core.matrix(1, 1)
    local function evaluate()
      local x = p:get(1, 1)
      local slope = 1 / (1 + x * x)
      g:set(1, 1, math.atan(x) * slope)
      return math.atan(x) ^ 2 / 2, core.matrix { { math.atan(x) } }, core.matrix { { slope } }
    end
    local list, optimizer = { { value = p, gradient = g } }, pl.levenberg_marquardt()
    optimizer:step(list, nil, evaluate)
    assert.equal(0.001, optimizer:state().numbers.damping) -- 0.01 was enough
    optimizer = pl.levenberg_marquardt { damping = 1e-8 }
    p:set(1, 1, 10)
    optimizer:step(list, nil, evaluate)
    assert.is_true(optimizer:state().numbers.damping > 1e-7)
    for _ = 1, 30 do optimizer:step(list, nil, evaluate) end
    assert.is_true(math.abs(p:get(1, 1)) < 1e-8)
  end)

  it("stays at a minimum, where no damping lowers J", function()
    -- J = 1/2 (1 + p^2)^2, at 0; with a gradient that is just not 0
    local p, g = core.matrix { { 1e-9 } }, core.matrix(1, 1)
    local function evaluate()
      local e, slope = 1 + p:get(1, 1) ^ 2, 2 * p:get(1, 1)
      g:set(1, 1, e * slope)
      return e ^ 2 / 2, core.matrix { { e } }, core.matrix { { slope } }
    end
    local optimizer = pl.levenberg_marquardt { tolerance_gradient = 0 }
    optimizer:step({ { value = p, gradient = g } }, nil, evaluate)
    assert.equal(1e-9, p:get(1, 1))
    assert.near(2e-9, g:get(1, 1), 1e-20)
    assert.equal(0.01, optimizer:state().numbers.damping)
  end)

  it("leaves the gradient at the parameters that it has come to", function()
    local list, optimizer = squares.own_list(core), pl.levenberg_marquardt()
    local evaluate = squares.of(list)
    for _ = 1, 8 do
      optimizer:step(list, nil, evaluate)
      local gradient = list[1].gradient:copy()
      evaluate()
      naive.near(gradient, list[1].gradient:totable(), 1e-12)
    end
  end)

  it("learns XOR in a trainer", function()
    local data = pl.dataset { X = core.matrix { { 0, 0, 1, 1 }, { 0, 1, 0, 1 } },
      T = core.matrix { { 0, 1, 1, 0 } } }
    local net = pl.network({ inputs = 2, pl.dense(4, "tanh"), pl.dense(1, "sigmoid") },
      { dtype = "float64", seed = 1 })
    local history = pl.fit(net, data, {
      loss = "squared_error", optimizer = "levenberg_marquardt", batch = 4, epochs = 60,
    })
    assert.is_true(history[60].loss < 1e-6)
  end)

  it("refuses a loss that is no sum of squares before the first step", function()
    local data = pl.dataset { X = pl.matrix(2, 4):fill(1), labels = { 1, 2, 1, 2 } }
    local net = pl.network { inputs = 2, pl.dense(2) }
    at_caller(function()
      local _ = pl.trainer(net, data, { loss = "softmax_cross_entropy",
        optimizer = "levenberg_marquardt" })
    end, "optimizer: levenberg_marquardt needs a loss that is a sum of squares, such as "
      .. "squared_error, got softmax_cross_entropy")
  end)

  it("refuses what adds to J, and batches in parts, before the first step", function()
    local data = pl.dataset { X = pl.matrix(2, 4):fill(1), T = pl.matrix(1, 4) }
    local function refused(name, value)
      local net = pl.network { inputs = 2, pl.dense(1) }
      at_caller(function()
        local _ = pl.trainer(net, data, { loss = "squared_error", [name] = value,
          optimizer = "levenberg_marquardt" })
      end, "optimizer: levenberg_marquardt needs residuals of a whole batch and nothing else in J: "
        .. "it takes no " .. name)
    end
    refused("gradients", { "l2", factor = 0.1 })
    refused("accumulate", 2)
  end)

  it("refuses what are no residuals of J, and changes nothing", function()
    local list = squares.own_list(core)
    local evaluate, before = squares.of(list), numbers_of(list)
    local function with(change)
      return function()
        pl.levenberg_marquardt():step(list, nil, function(...) return change(evaluate(...)) end)
      end
    end
    at_caller(with(function(J) return J end), "evaluate(true) --> J, e, G expected, e of one "
      .. "column of float64, with J = 1/2 e^t e, got nil as e")
    at_caller(with(function(J, e) return J, e end), "G a 24 x 24 matrix of float64, the gradient "
      .. "of each residual in a column, got nil as G")
    at_caller(with(function(J, e, G) return J, e, G:columns(1, 2) end),
      "got a 24 x 2 matrix of float64 as G")
    at_caller(with(function(J, e, G) return J, e:to "float32", G end),
      "got a 24 x 1 matrix of float32 as e")
    at_caller(with(function(J, e, G) return 2 * J, e, G end),
      "residuals e with J = 1/2 e^t e expected, got J = ")
    assert.same(before, numbers_of(list))
  end)

  it("refuses a factor by which the damping would hardly change", function()
    at_caller(function() local _ = pl.levenberg_marquardt { factor = 1 } end,
      "levenberg_marquardt: factor: a number from 1.1 to 1e+38 expected, got 1")
  end)

  it("has no rate, and so takes no schedule", function()
    assert.is_nil(pl.levenberg_marquardt().rate)
    assert.equal("levenberg_marquardt", tostring(pl.levenberg_marquardt()))
    at_caller(function() local _ = pl.levenberg_marquardt { rate = 1 } end,
      "unknown option 'rate' of levenberg_marquardt")
  end)
end)
