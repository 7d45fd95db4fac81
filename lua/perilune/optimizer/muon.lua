-- Muon (Jordan et al. 2024): momentum whose steps are made orthogonal, matrix by matrix, so that
-- all directions of a matrix are learned at the same speed. It is meant for the matrices of hidden
-- layers. Biases and other vectors take AdamW's steps, at the rate `adam_rate`, and so do matrices
-- of groups with orthogonal = false, as those of the first and the last layer should:
--     { "muon", groups = { { match = "^1%.", orthogonal = false },
--       { match = "^4%.", orthogonal = false, rate = 1e-3 } } }
-- A group's rate is that of the steps its parameters take. The weight decay is decoupled.

local adam = require "perilune.optimizer.adam"

-- Chosen by Jordan et al. so that few iterations bring all singular values from (0, 1] near 1:
-- between 0.7 and 1.2, which is as good as 1.
local A, B, C = 3.4445, -4.7750, 2.0315

-- X will hold the step; the rest is memory that all matrices of one type and shape have in common.
local function new_work(core, p, shared)
  local function common(name, rows, cols, order)
    local key = ("%s %s %d x %d by %s"):format(name, core.name, rows, cols, order)
    shared[key] = shared[key] or core.matrix(rows, cols, order)
    return shared[key]
  end
  local side = math.min(p.rows, p.cols)
  return {
    X = core.matrix(p.rows, p.cols, p.order), Y = common("Y", p.rows, p.cols, p.order),
    S = common("S", side, side, "columns"), P = common("P", side, side, "columns"),
  }
end

-- The nearest orthogonal matrix, nearly: X = A X + (B S + C S^2) X with S = X X^t, some times
-- (Newton and Schulz); where X has more rows than columns it is the same from the right, with S =
-- X^t X.
local function orthogonalize(core, X, Y, S, P, iterations)
  local is_wide = X.rows <= X.cols
  for _ = 1, iterations do
    core.product(S, X, X, is_wide and "NT" or "TN")
    core.product(P, S, S)
    core.accumulate(core.hadamard(P, P, C), B, S)
    core.hadamard(Y, X, A)
    if is_wide then
      core.product(Y, P, X, "NN", true)
    else
      core.product(Y, X, P, "NN", true)
    end
    X, Y = Y, X
  end
end

local orthogonal = {
  keeps = { "v" },
  whole = true,
  work = new_work,
  -- With v = momentum v + g, a step is along v, or with `nesterov` along g + momentum v; the length
  -- does not matter.
  prepare = function(core, g, kept, options, work)
    local mu, iterations = options.momentum, options.iterations
    local X, Y = work.X, work.Y
    if iterations % 2 == 1 then X, Y = Y, X end -- the last one is then written to work.X
    core.hadamard(X, kept.v, options.nesterov and mu * mu or mu)
    core.accumulate(X, options.nesterov and 1 + mu or 1, g)
    core.hadamard(X, X, 1 / (X:norm() + 1e-7))
    orthogonalize(core, X, Y, work.S, work.P, iterations)
  end,
  update = function(core, p, g, kept, options, rate, decay, _, work)
    core.accumulate(core.hadamard(kept.v, kept.v, options.momentum), 1, g)
    if decay > 0 then core.hadamard(p, p, 1 - rate * decay) end
    core.accumulate(p, -rate * math.max(1, p.rows / p.cols) ^ 0.5, work.X)
  end,
}

local rest = { keeps = adam.keeps, rate = "adam_rate", update = adam.update }

return {
  name = "muon",
  fields = {
    rate = { "number", default = 0.02, above = 0, most = 1e38 },
    momentum = { "number", default = 0.95, least = 0, below = 1 },
    nesterov = { "boolean", default = true },
    iterations = { "integer", default = 5, least = 1 },
    weight_decay = { "number", default = 0, least = 0, most = 1e38 },
    orthogonal = { "boolean", default = true },
    adam_rate = { "number", default = 3e-4, least = 0, most = 1e38 },
    beta1 = { "number", default = 0.9, least = 0, below = 1 },
    beta2 = { "number", default = 0.95, least = 0, below = 1 },
    epsilon = { "number", default = 1e-10, above = 0, most = 1e38 },
  },
  rule = function(options, value)
    local is_matrix = value.rows > 1 and value.cols > 1
    return is_matrix and options.orthogonal and orthogonal or rest
  end,
}
