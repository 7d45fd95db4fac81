-- L-BFGS: its steps against PyTorch's, and where it stops.

local at_caller = require("spec.support.misuse").at_caller
local naive = require "spec.support.naive"
local pl = require "perilune"
local reference = require "spec.support.reference"

local core = pl.float64

-- As in spec/reference/lbfgs.py: J, and its gradient set
local problems = {}

function problems.valley(p, g)
  local J = 0
  g:fill(0)
  for k = 1, p.rows - 1 do
    local x, off = p:get(k, 1), p:get(k + 1, 1) - p:get(k, 1) ^ 2
    J = J + 10 * off ^ 2 + (1 - x) ^ 2
    g:set(k, 1, g:get(k, 1) - 40 * off * x - 2 * (1 - x))
    g:set(k + 1, 1, 20 * off)
  end
  return J
end

function problems.bowl(p, g)
  local J = 0
  for k = 0, p.rows - 1 do
    local x = p:get(k + 1, 1) - k / 10
    local e = math.exp(-2 * math.abs(x))
    J = J + (k + 1) / 4 * (math.abs(x) + math.log((1 + e) / 2))
    g:set(k + 1, 1, (k + 1) / 4 * (1 - e) / (1 + e) * (x < 0 and -1 or 1))
  end
  return J
end

local start = { { 1 }, { -2 }, { 0.5 }, { 3 }, { -0.25 } }

-- Parameters with such a J, and the function that evaluates it and counts
local function new(problem, first)
  local p = core.matrix(first or start)
  local list = { { name = "p", value = p, gradient = core.matrix(p.rows, 1) } }
  local count = { evaluations = 0 }
  return list, function()
    count.evaluations = count.evaluations + 1
    return problems[problem](p, list[1].gradient)
  end, count
end

describe("lbfgs steps as PyTorch's", function()
  for case, expected in pairs(reference.load "lbfgs") do
    it(case, function()
      local optimizer = pl.optimizer(reference.description(case))
      local list, evaluate, count = new(expected.problem)
      local step = 0
      for k, last in ipairs(expected.steps) do
        while step < last do
          step = step + 1
          optimizer:step(list, nil, evaluate)
        end
        naive.near(list[1].value:transpose(), { expected.p[k] }, 1e-10)
        assert.equal(expected.evaluations[k], count.evaluations)
      end
      assert.equal(8, step)
    end)
  end
end)

describe("lbfgs", function()
  it("has the documented defaults", function()
    assert.same({
      rate = 1, history = 10, iterations = 20, tolerance_gradient = 1e-7, tolerance_change = 1e-9,
      least_curvature = 1e-10, line_search = "strong_wolfe",
    }, pl.lbfgs().options)
  end)

  it("leaves the gradient at the parameters that it has come to", function()
    for _, problem in ipairs { "valley", "bowl" } do
      local list, evaluate = new(problem)
      local optimizer = pl.lbfgs { iterations = 3 }
      for _ = 1, 8 do
        optimizer:step(list, nil, evaluate)
        local gradient = list[1].gradient:copy()
        evaluate()
        naive.near(gradient, list[1].gradient:totable(), 1e-12)
      end
    end
  end)

  it("takes steps that fulfil the strong Wolfe conditions", function()
    local list, evaluate = new "valley"
    local optimizer, p, g = pl.lbfgs { iterations = 1 }, list[1].value, list[1].gradient
    local steps = 0
    while evaluate() > 1e-8 do -- below that rounding decides
      local J, before, slopes = evaluate(), p:copy(), g:copy()
      optimizer:step(list, nil, evaluate)
      local d = p - before
      local slope = slopes:hadamard(d):sum()
      assert.is_true(slope < 0)
      assert.is_true(evaluate() <= J + 1e-4 * slope)
      assert.is_true(math.abs(g:hadamard(d):sum()) <= 0.9 * math.abs(slope))
      steps = steps + 1
    end
    assert.is_true(steps > 10 and steps < 40)
  end)

  it("is at the minimum in one step where it may iterate", function()
    local list, evaluate, count = new "bowl"
    pl.lbfgs({ iterations = 100, tolerance_change = 0 }):step(list, nil, evaluate)
    naive.near(list[1].value, { { 0 }, { 0.1 }, { 0.2 }, { 0.3 }, { 0.4 } }, 1e-6)
    assert.is_true(count.evaluations < 40)
  end)

  it("stays where the gradient is small, and at a rate of 0", function()
    for _, rate in ipairs { 1, 0 } do
      local at = rate == 1 and { { 0 }, { 0.1 }, { 0.2 }, { 0.3 }, { 0.4 + 1e-8 } } or start
      local list, evaluate, count = new("bowl", at)
      pl.lbfgs():step(list, rate, evaluate)
      naive.near(list[1].value, at, 0)
      assert.equal(1, count.evaluations)
    end
  end)

  it("goes on where J is small, with a lower bound for curvature", function()
    -- All second derivatives are 1e-6, so that y^t s is as small.
    local function distance(options)
      local p, g = core.matrix { { 1, -2, 3 } }:transpose(), core.matrix(3, 1)
      local list = { { name = "p", value = p, gradient = g } }
      local function evaluate()
        core.hadamard(g, p, 1e-6)
        return 0.5e-6 * p:norm() ^ 2
      end
      local optimizer = pl.lbfgs(options)
      for _ = 1, 3 do optimizer:step(list, nil, evaluate) end
      return p:norm()
    end
    local options = { tolerance_gradient = 0, tolerance_change = 0, iterations = 1 }
    options.line_search = "none"
    assert.is_true(distance(options) > 3)
    options.least_curvature = 0
    assert.is_true(distance(options) < 1e-12)
  end)

  it("makes no more evaluations than it may, but for those of a line search", function()
    local list, evaluate, count = new "valley"
    pl.lbfgs({ iterations = 50, evaluations = 5 }):step(list, nil, evaluate)
    assert.is_true(count.evaluations >= 5 and count.evaluations < 10)
    list, evaluate, count = new "bowl"
    pl.lbfgs({ iterations = 50, evaluations = 5, line_search = "none", rate = 0.1 })
      :step(list, nil, evaluate)
    assert.equal(5, count.evaluations)
  end)

  it("refuses options out of their range, and groups", function()
    at_caller(function() local _ = pl.lbfgs { history = 0 } end,
      "lbfgs: history: a whole number from 1 to 1000 expected, got 0")
    for _, name in ipairs { "history", "iterations" } do -- more than there is time or memory for
      at_caller(function() local _ = pl.lbfgs { [name] = math.maxinteger } end,
        "lbfgs: " .. name .. ": a whole number from 1 to ")
    end
    at_caller(function() local _ = pl.lbfgs { line_search = "armijo" } end,
      'lbfgs: line_search: "strong_wolfe" or "none" expected, got "armijo"')
    at_caller(function() local _ = pl.lbfgs { groups = {} } end, "unknown option 'groups' of lbfgs")
  end)
end)
