-- Scaled conjugate gradient (Moller 1993): conjugate directions p without a line search. The second
-- derivative along p, from a difference of gradients, says how far to go; lambda is added to it, as
-- in Levenberg's and Marquardt's method, where J does not do what it says. For smooth losses on all
-- samples at once. The letters are the paper's, its steps 1 to 9 are numbered here; an iteration
-- takes two evaluations, one where J did not fall before.

local LEAST_LAMBDA = 1e-20 -- so that it can always grow again
local MOST_LAMBDA = 1e20   -- beyond it steps no longer move theta, and nothing lowers lambda

local function new_work(core, size)
  return { start = core.matrix(size, 1), r = core.matrix(size, 1), s = core.matrix(size, 1) }
end

-- delta = p^t s, s = (E'(w + sigma_k p) - E'(w)) / sigma_k with sigma_k = sigma / |p|
local function second_derivative(theta, options, squares)
  local core, p, work = theta.core, theta.kept.p, theta.work
  local sigma = options.sigma / squares ^ 0.5
  core.accumulate(theta.x:assign(work.start), sigma, p)
  theta:evaluate()
  return theta:dot(core.add(work.s, theta.g, work.r), p) / sigma
end

-- (2) to (4): delta with lambda in it, above 0. What is raised in lambda here is in lambda_bar.
local function find_delta(theta, options, squares)
  local numbers = theta.numbers
  if numbers.succeeded == 1 then numbers.delta = second_derivative(theta, options, squares) end
  numbers.delta = numbers.delta + (numbers.lambda - numbers.lambda_bar) * squares
  if numbers.delta <= 0 then
    numbers.lambda_bar = 2 * (numbers.lambda - numbers.delta / squares)
    numbers.delta = numbers.lambda * squares - numbers.delta
    numbers.lambda = numbers.lambda_bar
  end
  return numbers.delta
end

-- (7), where J falls: the next direction, from r of before and the gradient of now
local function turn(theta, mu)
  local core, p, r, s, numbers = theta.core, theta.kept.p, theta.work.r, theta.work.s, theta.numbers
  core.hadamard(s, theta.g, -1)
  local beta = (theta:dot(s, s) - theta:dot(s, r)) / mu
  r:assign(s)
  if numbers.iterations % theta.count == 0 then beta = 0 end
  core.accumulate(core.hadamard(p, p, beta), 1, r)
end

-- One iteration from work.start, where J and r = -E' are known. Gives J where theta is then.
local function iterate(theta, options, J)
  local core, p, r, numbers = theta.core, theta.kept.p, theta.work.r, theta.numbers
  local squares = p:norm() ^ 2
  numbers.iterations = numbers.iterations + 1
  local delta, mu = find_delta(theta, options, squares), theta:dot(p, r)
  core.accumulate(theta.x:assign(theta.work.start), mu / delta, p) -- (5), alpha = mu / delta
  local J_there = theta:evaluate()
  local comparison = 2 * delta * (J - J_there) / (mu * mu) -- (6), 1 where J is quadratic
  numbers.succeeded = comparison >= 0 and 1 or 0
  if comparison >= 0 then
    turn(theta, mu)
    theta.work.start:assign(theta.x)
    J, numbers.lambda_bar = J_there, 0.0
    if comparison >= 0.75 then numbers.lambda = math.max(numbers.lambda / 4, LEAST_LAMBDA) end
  else
    numbers.lambda_bar = numbers.lambda
  end
  if comparison < 0.25 then -- (8)
    numbers.lambda = numbers.lambda + delta * (1 - comparison) / squares
  end
  return J
end

local function step(theta, options)
  local core, p, numbers, work = theta.core, theta.kept.p, theta.numbers, theta.work
  local r = work.r
  local J = theta:evaluate()
  core.hadamard(r, theta.g, -1)
  work.start:assign(theta.x)
  -- (1), and anew where the direction is of no use to another batch
  if theta:dot(p, r) == 0 or numbers.lambda > MOST_LAMBDA then
    p:assign(r)
    numbers.iterations, numbers.succeeded = 0, 1
    numbers.lambda, numbers.lambda_bar = options.lambda + 0.0, 0.0
  end
  for _ = 1, options.iterations do
    if math.max(r:max(), -r:min()) <= options.tolerance_gradient then break end -- (9)
    J = iterate(theta, options, J)
  end
  theta.x:assign(work.start)
  core.hadamard(theta.g, r, -1)
end

return {
  name = "scg",
  fields = {
    sigma = { "number", default = 5e-5, above = 0, most = 1e-4 },
    lambda = { "number", default = 5e-7, above = 0, most = 1e-6 },
    iterations = { "integer", default = 20, least = 1, most = 1000000 },
    tolerance_gradient = { "number", default = 1e-10, least = 0 },
  },
  evaluates = true,
  keeps = function() return { "p" } end,
  numbers = function(options)
    return { iterations = 0, succeeded = 1, lambda = options.lambda + 0.0, lambda_bar = 0.0,
      delta = 0.0 }
  end,
  check_numbers = function(numbers)
    return numbers.iterations >= 0 and numbers.lambda > 0
      and (numbers.succeeded == 0 or numbers.succeeded == 1)
  end,
  work = new_work,
  step = step,
}
