-- Levenberg's and Marquardt's method (Hagan and Menhaj 1994), for small networks whose loss is a
-- sum of squares, J = 1/2 e^t e. With G the gradients of the residuals e, a column each, a step is
--     theta = theta - s,   (G G^t + damping I) s = G e
-- which is Gauss' and Newton's where the damping is small, and where it is large a short one along
-- -dJ/dtheta. The damping is divided by `factor` after a step that lowers J; it is multiplied by
-- it, and the step is tried again, as long as J does not fall. Where it would come above
-- `damping_most` theta stays, and so does the damping: J cannot be lowered.
--
-- A step takes n^3 / 3 operations and memory for 3 n^2 numbers, n those of theta.

local cores = require "perilune.cores"
local errors = require "perilune.errors"

local raise = errors.raise

local LEAST_DAMPING = 1e-20 -- so that it can always grow again

local function new_work(core, size)
  return {
    start = core.matrix(size, 1), b = core.matrix(size, 1), s = core.matrix(size, 1),
    A = core.matrix(size, size), M = core.matrix(size, size), R = core.matrix(size, size),
    square = core.matrix(1, 1),
  }
end

-- Raise unless these are residuals of J, and their gradients.
local function check_residuals(theta, J, e, G)
  local count = cores.is_matrix(e) and e.rows or 0
  if not cores.is_matrix(e) or e.cols ~= 1 or e.dtype ~= theta.core.name then
    raise("levenberg_marquardt: evaluate(true) --> J, e, G expected, e of one column of %s, with "
      .. "J = 1/2 e^t e, got %s as e", theta.core.name, cores.show(e))
  elseif not cores.is_matrix(G) or G.rows ~= theta.size or G.cols ~= count
    or G.dtype ~= theta.core.name then
    raise("levenberg_marquardt: evaluate(true) --> J, e, G expected, G a %d x %d matrix of %s, "
      .. "the gradient of each residual in a column, got %s as G", theta.size, count,
      theta.core.name, cores.show(G))
  end
  local sum = theta.core.product(theta.work.square, e, e, "TN"):get(1, 1) / 2
  if not (math.abs(sum - J) <= 1e-3 * math.abs(J) + 1e-30) then
    raise("levenberg_marquardt: residuals e with J = 1/2 e^t e expected, got J = %s and 1/2 e^t e "
      .. "= %s", errors.show(J), errors.show(sum))
  end
end

-- s with (A + damping I) s = b; nil where rounding has left the matrix not positive definite
local function solve(core, work, damping)
  local M = work.M:assign(work.A)
  for i = 1, M.rows do M:set(i, i, M:get(i, i) + damping) end
  if not core.cholesky(work.R, M) then return nil end
  return core.cholesky_solve(work.s, work.R, work.b)
end

local function step(theta, options)
  local core, x, numbers, work = theta.core, theta.x, theta.numbers, theta.work
  local J, e, G = theta:evaluate(true)
  check_residuals(theta, J, e, G)
  core.product(work.A, G, G, "NT")
  core.product(work.b, G, e)
  if math.max(work.b:max(), -work.b:min()) <= options.tolerance_gradient then return end
  work.start:assign(x)
  local damping = numbers.damping
  while damping <= options.damping_most do
    local s = solve(core, work, damping)
    if s then
      core.subtract(x, work.start, s)
      if theta:evaluate() < J then
        numbers.damping = math.max(damping / options.factor, LEAST_DAMPING)
        return
      end
    end
    damping = damping * options.factor
  end
  x:assign(work.start)
  theta.g:assign(work.b)
end

return {
  name = "levenberg_marquardt",
  fields = {
    damping = { "number", default = 0.01, above = 0, most = 1e38 },
    factor = { "number", default = 10, least = 1.1, most = 1e38 },
    damping_most = { "number", default = 1e10, above = 0, most = 1e38 },
    tolerance_gradient = { "number", default = 1e-10, least = 0 },
  },
  evaluates = "jacobian",
  keeps = function() return {} end,
  numbers = function(options) return { damping = options.damping + 0.0 } end,
  check_numbers = function(numbers) return numbers.damping > 0 end,
  work = new_work,
  step = step,
}
