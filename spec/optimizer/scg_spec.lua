-- Scaled conjugate gradient: against the paper's nine steps over lists of numbers, and on quadratic
-- problems.

local at_caller = require("spec.support.misuse").at_caller
local naive = require "spec.support.naive"
local pl = require "perilune"
local squares = require "spec.support.squares"

local core = pl.float64

local function dot(a, b)
  return naive.sum(#a, function(k) return a[k] * b[k] end)
end

local function combine(a, x, b)
  local c = {}
  for k = 1, #a do c[k] = a[k] + x * b[k] end
  return c
end

-- Moller's algorithm, k iterations of it, for E(w) --> a number and its gradient, a list
local function expected(E, w, count, sigma, lambda)
  local N = #w
  local value, gradient = E(w)
  local r = combine({ table.unpack(gradient) }, -2, gradient)
  local p, lambda_bar, success, delta = r, 0, true, nil
  local failures, bent = 0, 0
  for k = 1, count do
    local length = dot(p, p) ^ 0.5
    if success then
      local _, there = E(combine(w, sigma / length, p))
      local s = {}
      for i = 1, N do s[i] = (there[i] + r[i]) / (sigma / length) end
      delta = dot(p, s)
    end
    delta = delta + (lambda - lambda_bar) * length ^ 2
    if delta <= 0 then
      bent = bent + 1
      lambda_bar = 2 * (lambda - delta / length ^ 2)
      delta = -delta + lambda * length ^ 2
      lambda = lambda_bar
    end
    local mu = dot(p, r)
    local moved = combine(w, mu / delta, p)
    local value_there, gradient_there = E(moved)
    local comparison = 2 * delta * (value - value_there) / mu ^ 2
    if comparison >= 0 then
      local r_before = r
      w, value = moved, value_there
      r = combine({ table.unpack(gradient_there) }, -2, gradient_there)
      lambda_bar, success = 0, true
      local beta = k % N == 0 and 0 or (dot(r, r) - dot(r, r_before)) / mu
      p = combine(r, beta, p)
      if comparison >= 0.75 then lambda = lambda / 4 end
    else
      failures, lambda_bar, success = failures + 1, lambda, false
    end
    if comparison < 0.25 then lambda = lambda + delta * (1 - comparison) / length ^ 2 end
  end
  return w, lambda, dot(r, r) ^ 0.5, failures, bent
end

-- A function of a list as what optimizers see, from a first w
local function seen(E, w)
  local p, g = core.matrix { w }:transpose(), core.matrix(#w, 1)
  local list, count = { { name = "w", value = p, gradient = g } }, { evaluations = 0 }
  return list, function()
    count.evaluations = count.evaluations + 1
    local value, gradient = E(p:transpose():totable()[1])
    for k = 1, #w do g:set(k, 1, gradient[k]) end
    return value
  end, count
end

-- Rosenbrock's, with bends and walls
local function valley(w)
  local value, gradient = 0, {}
  for k = 1, #w do gradient[k] = 0 end
  for k = 1, #w - 1 do
    local off = w[k + 1] - w[k] ^ 2
    value = value + 10 * off ^ 2 + (1 - w[k]) ^ 2
    gradient[k] = gradient[k] - 40 * off * w[k] - 2 * (1 - w[k])
    gradient[k + 1] = gradient[k + 1] + 20 * off
  end
  return value, gradient
end

-- Waves, which bend downwards in places
local function waves(w)
  local value, gradient = 0, {}
  for k = 1, #w do
    value = value + 0.05 * w[k] ^ 2 + math.sin(w[k])
    gradient[k] = 0.1 * w[k] + math.cos(w[k])
  end
  return value, gradient
end

-- 1/2 w^t A w - b^t w, A with eigenvalues from 1 to #w
local function quadratic(n)
  local R = naive.random(core, n, n, n):totable()
  local A = naive.product(R, R, "TN")
  for i = 1, n do A[i][i] = A[i][i] + 1 end
  local b = {}
  for k = 1, n do b[k] = math.cos(k) end
  return function(w)
    local gradient = {}
    for i = 1, n do gradient[i] = dot(A[i], w) - b[i] end
    return 0.5 * dot(w, gradient) - 0.5 * dot(b, w), gradient
  end
end

describe("scg", function()
  it("has the documented defaults", function()
    assert.same({ sigma = 5e-5, lambda = 5e-7, iterations = 20, tolerance_gradient = 1e-10 },
      pl.scg().options)
  end)

  it("goes where the paper's nine steps go", function()
    local failures, bent = 0, 0
    for _, problem in ipairs {
      { valley, { 1, -2, 0.5, 3, -0.25 } }, { valley, { -1.2, 1 } }, { valley, { -3, 5, 2 } },
      { waves, { 1.4, 2, 0.5, -3 } }, { waves, { 1.6, 1.5 } }, { quadratic(4), { 1, 2, 3, 4 } },
    } do
      local E, w = table.unpack(problem)
      for count = 1, 12 do
        local optimizer = pl.scg { iterations = 1, sigma = 1e-4, lambda = 1e-6 }
        local list, evaluate = seen(E, w)
        for _ = 1, count do optimizer:step(list, nil, evaluate) end
        local expected_w, lambda, size, failed, bends = expected(E, w, count, 1e-4, 1e-6)
        if size < 1e-4 then break end -- from there on rounding decides
        naive.near(list[1].value:transpose(), { expected_w }, 1e-6)
        assert.near(1, optimizer:state().numbers.lambda / lambda, 1e-5)
        failures, bent = failures + failed, bent + bends
      end
    end
    assert.is_true(failures > 0) -- so that all branches have been taken
    assert.is_true(bent > 0)
  end)

  it("goes to the same place in one step of many iterations", function()
    local list, evaluate = seen(valley, { 1, -2, 0.5 })
    local other_list, other_evaluate, count = seen(valley, { 1, -2, 0.5 })
    local optimizer = pl.scg { iterations = 1 }
    for _ = 1, 8 do optimizer:step(list, nil, evaluate) end
    pl.scg({ iterations = 8 }):step(other_list, nil, other_evaluate)
    naive.near(list[1].value, other_list[1].value:totable(), 1e-10)
    assert.is_true(count.evaluations <= 17)
  end)

  it("solves quadratic problems of n parameters in n iterations", function()
    for _, n in ipairs { 1, 2, 4, 8 } do
      local E, w = quadratic(n), {}
      for k = 1, n do w[k] = k end
      local list, evaluate, count = seen(E, w)
      local optimizer = pl.scg { iterations = 1, lambda = 1e-12 }
      evaluate()
      local first = list[1].gradient:norm()
      for _ = 1, n do optimizer:step(list, nil, evaluate) end
      assert.is_true(list[1].gradient:norm() < 1e-4 * first, n)
      assert.equal(1 + 3 * n, count.evaluations)
    end
  end)

  it("leaves the gradient at the parameters that it has come to", function()
    local list, optimizer = squares.own_list(core), pl.scg { iterations = 3 }
    local evaluate = squares.of(list)
    for _ = 1, 8 do
      optimizer:step(list, nil, evaluate)
      local gradient = list[1].gradient:copy()
      evaluate()
      naive.near(gradient, list[1].gradient:totable(), 1e-12)
    end
  end)

  it("begins anew where its direction is of no use to another batch", function()
    -- J is w_1^2, then w_2^2: the first direction has no part in the second
    local element = 1
    local list, evaluate = seen(function(w)
      return w[element] ^ 2, { element == 1 and 2 * w[1] or 0, element == 2 and 2 * w[2] or 0 }
    end, { 1, 1 })
    local optimizer = pl.scg { iterations = 1 }
    optimizer:step(list, nil, evaluate)
    element = 2
    optimizer:step(list, nil, evaluate)
    naive.near(list[1].value, { { 0 }, { 0 } }, 1e-5)
  end)

  it("stays where the gradient is 0", function()
    local list, evaluate, count = seen(function(w) return w[1] ^ 2, { 2 * w[1] } end, { 0 })
    pl.scg({ tolerance_gradient = 0 }):step(list, nil, evaluate)
    assert.equal(0, list[1].value:get(1, 1))
    assert.equal(1, count.evaluations)
  end)

  it("learns XOR in a trainer", function()
    local data = pl.dataset { X = pl.matrix { { 0, 0, 1, 1 }, { 0, 1, 0, 1 } },
      T = pl.matrix { { 0, 1, 1, 0 } } }
    local net = pl.network({ inputs = 2, pl.dense(4, "tanh"), pl.dense(1, "sigmoid") },
      { seed = 1 })
    local history = pl.fit(net, data, {
      loss = "squared_error", optimizer = "scg", batch = 4, epochs = 20,
    })
    assert.is_true(history[20].loss < 1e-4)
  end)

  it("refuses options out of the paper's ranges", function()
    at_caller(function() local _ = pl.scg { sigma = 1e-3 } end,
      "scg: sigma: a number of at most 0.0001 and above 0 expected, got 0.001")
    at_caller(function() local _ = pl.scg { lambda = 0 } end, "scg: lambda: ")
    at_caller(function() local _ = pl.scg { iterations = math.maxinteger } end,
      "scg: iterations: a whole number from 1 to 1000000 expected")
  end)
end)
