-- L-BFGS (Nocedal 1980; Liu and Nocedal 1989): Newton's steps with an estimate of the inverse of
-- the Hessian, from how the gradient has changed over the last `history` iterations. It is for
-- smooth losses on all samples at once, or on large batches. Iterations, tolerances and line search
-- are those of PyTorch's torch.optim.LBFGS, and so are the defaults but two: a history of 10
-- (PyTorch has 100, which keeps 200 vectors like theta) and the strong Wolfe line search (PyTorch
-- has none).
--
-- An iteration with y^t s of at most `least_curvature` is forgotten. PyTorch's bound, the default,
-- is too high where J is below about 1e-6: with 0 such a fit goes on.

local wolfe = require "perilune.optimizer.wolfe"

local function keeps(options)
  local names = { "d", "g" }
  for k = 1, options.history do
    names[#names + 1] = "s" .. k
    names[#names + 1] = "y" .. k
  end
  return names
end

local function new_work(core, size, options, kept)
  local function vector() return core.matrix(size, 1) end
  local work = {
    s = vector(), y = vector(), S = {}, Y = {}, curvatures = {}, alphas = {},
    line = { start = vector(), d = kept.d, g = kept.g, g_low = vector() },
  }
  for k = 1, options.history do
    work.S[k], work.Y[k] = kept["s" .. k], kept["y" .. k]
    work.curvatures[k], work.alphas[k] = 0, 0
  end
  return work
end

local function largest(x)
  return math.max(x:max(), -x:min())
end

-- Keep how theta and its gradient have changed in the last iteration, s and y, in place of the
-- oldest pair.
local function remember(theta, options)
  local core, kept, numbers, work = theta.core, theta.kept, theta.numbers, theta.work
  local s, y = work.s, work.y
  core.subtract(y, theta.g, kept.g)
  core.hadamard(s, kept.d, numbers.length)
  local curvature = theta:dot(y, s)
  if curvature <= options.least_curvature then return end
  numbers.newest = numbers.newest % options.history + 1
  numbers.pairs = math.min(numbers.pairs + 1, options.history)
  work.S[numbers.newest]:assign(s)
  work.Y[numbers.newest]:assign(y)
  numbers.scale = curvature / theta:dot(y, y)
end

-- The pair that is `age` older than the newest
local function pair(numbers, age, options)
  return (numbers.newest - 1 - age) % options.history + 1
end

-- d = -B g, where B, the estimate, is applied pair by pair (Nocedal and Wright 2006, algorithm 7.4)
local function find_direction(theta, options)
  local core, d, numbers, work = theta.core, theta.kept.d, theta.numbers, theta.work
  local S, Y, curvatures, alphas = work.S, work.Y, work.curvatures, work.alphas
  core.hadamard(d, theta.g, -1)
  for age = 0, numbers.pairs - 1 do
    local k = pair(numbers, age, options)
    curvatures[k] = theta:dot(Y[k], S[k])
    alphas[k] = theta:dot(S[k], d) / curvatures[k]
    core.accumulate(d, -alphas[k], Y[k])
  end
  core.hadamard(d, d, numbers.scale)
  for age = numbers.pairs - 1, 0, -1 do
    local k = pair(numbers, age, options)
    core.accumulate(d, alphas[k] - theta:dot(Y[k], d) / curvatures[k], S[k])
  end
end

-- The first step to try. Before anything is known of curvature it moves no parameter far.
local function first_length(theta, rate)
  if theta.numbers.iterations > 1 then return rate end
  return math.min(1, 1 / theta.core.abs(theta.work.s, theta.g):sum()) * rate
end

-- Move theta along d, and give J there and how many evaluations it took. Without a line search J is
-- not needed after the last iteration.
local function move(theta, options, J, slope, is_last)
  local numbers, line = theta.numbers, theta.work.line
  if options.line_search == "strong_wolfe" then
    line.start:assign(theta.x)
    local count
    numbers.length, J, count = wolfe.search(theta, line, numbers.length, J, slope)
    return J, count
  end
  theta.core.accumulate(theta.x, numbers.length, line.d)
  if is_last then return J, 0 end
  return theta:evaluate(), 1
end

local function step(theta, options, rate)
  local g, kept, numbers = theta.g, theta.kept, theta.numbers
  local most = options.evaluations or options.iterations * 5 // 4
  local J, count = theta:evaluate(), 1
  if rate == 0 or largest(g) <= options.tolerance_gradient then return end
  for iteration = 1, options.iterations do
    numbers.iterations = numbers.iterations + 1
    if numbers.iterations > 1 then remember(theta, options) end
    find_direction(theta, options)
    kept.g:assign(g)
    numbers.length = first_length(theta, rate)
    local slope = theta:dot(g, kept.d)
    if slope > -options.tolerance_change then break end
    local J_before, used = J
    J, used = move(theta, options, J, slope, iteration == options.iterations)
    count = count + used
    if count >= most or largest(g) <= options.tolerance_gradient
      or numbers.length * largest(kept.d) <= options.tolerance_change
      or math.abs(J - J_before) < options.tolerance_change then
      break
    end
  end
end

return {
  name = "lbfgs",
  fields = {
    rate = { "number", default = 1, least = 0, most = 1e38 },
    history = { "integer", default = 10, least = 1, most = 1000 },
    iterations = { "integer", default = 20, least = 1, most = 1000000 },
    evaluations = { "count", optional = true },
    tolerance_gradient = { "number", default = 1e-7, least = 0 },
    tolerance_change = { "number", default = 1e-9, least = 0 },
    least_curvature = { "number", default = 1e-10, least = 0 },
    line_search = { "choice", choices = { "strong_wolfe", "none" }, default = "strong_wolfe" },
  },
  evaluates = true,
  keeps = keeps,
  -- How many iterations there have been; how many pairs are kept, and which is the newest; the step
  -- along d, and the scale of B before any pair.
  numbers = function()
    return { iterations = 0, pairs = 0, newest = 0, length = 0.0, scale = 1.0 }
  end,
  check_numbers = function(numbers, options)
    return numbers.iterations >= 0 and numbers.pairs >= 0 and numbers.pairs <= options.history
      and numbers.newest >= 0 and numbers.newest <= options.history
      and (numbers.pairs == 0 or numbers.newest > 0)
  end,
  work = new_work,
  step = step,
}
