-- Losses of targets that are numbers, d = a - t, or of distributions. Formulas and sources stand in
-- doc/equations.md; names, defaults and means are PyTorch's, but for squared_error, which is the
-- paper's, and log_cosh and quantile, which PyTorch lacks and which are means over all targets too.

local INFINITY = math.huge

return {
  {
    -- J = 1/(2N) sum over samples of |a - t|^2 (2.18), Delta = (A - T)/N (2.23); of classes as
    -- well as of numbers, so that it says nothing of targets
    name = "squared_error",
    gives = "values", compares = true, squares = true,
  },
  {
    -- d^2
    name = "mean_squared_error",
    gives = "values", targets = "values", compares = true, squares = true,
  },
  {
    -- |d|
    name = "mean_absolute_error",
    gives = "values", targets = "values", compares = true,
  },
  {
    -- d^2 / 2 where |d| < delta, else delta (|d| - delta / 2): outliers count by their distance
    name = "huber",
    fields = { delta = { "number", default = 1, above = 0 } },
    passes = { "delta" },
    gives = "values", targets = "values", compares = true,
  },
  {
    -- huber / beta: d^2 / (2 beta) where |d| < beta, else |d| - beta / 2
    name = "smooth_l1",
    fields = { beta = { "number", default = 1, above = 0 } },
    passes = { "beta" },
    gives = "values", targets = "values", compares = true,
  },
  {
    -- log cosh d: d^2 / 2 near 0, |d| - log 2 far off, and smooth between
    name = "log_cosh",
    gives = "values", targets = "values", compares = true,
  },
  {
    -- max(tau (t - a), (tau - 1) (t - a)): its best constant is the tau-quantile of the targets
    name = "quantile",
    fields = { tau = { "number", default = 0.5, above = 0, below = 1 } },
    passes = { "tau" },
    gives = "values", targets = "values", compares = true,
  },
  {
    -- e^a - t a where A holds logarithms of means (log_input), else a - t log(a + epsilon); `full`
    -- adds Stirling's log t! for t > 1. Targets are counts.
    name = "poisson",
    fields = {
      log_input = { "boolean", default = true },
      full = { "boolean", default = false },
      epsilon = { "number", default = 1e-8, above = 0 },
    },
    passes = { "log_input", "full", "epsilon" },
    gives = "values", targets = "values", range = { 0, INFINITY },
  },
  {
    -- (log v + (m - t)^2 / v) / 2, `full` with log(2 pi) / 2 more: the network learns mean and
    -- variance. Of 2 S_L outputs the first S_L are the means m, the others the variances v, which
    -- count as epsilon where they are less: let them come from an activation that gives positive
    -- numbers,
    --     pl.branch { pl.dense(1), pl.dense(1, "softplus") }
    -- T and weights of single targets have S_L rows.
    name = "gaussian_nll",
    fields = {
      epsilon = { "number", default = 1e-6, above = 0 },
      full = { "boolean", default = false },
    },
    passes = { "epsilon", "full" },
    gives = "values", targets = "values", outputs_per_target = 2,
  },
  {
    -- 1 - a.t / (|a| |t|) for each sample, the mean over samples; norms count as 1e-8 where they
    -- are less. A weight of a single target counts in all three products.
    name = "cosine",
    gives = "values", targets = "values",
  },
  {
    -- t (log t - a), a being the logarithm of a probability, as "log_softmax" gives it. PyTorch's
    -- mean is over all targets; "batchmean", over the samples, is the divergence.
    name = "kl_divergence",
    fields = {
      reduction = { "choice", choices = { "mean", "batchmean", "sum" }, optional = true },
    },
    gives = "log_probabilities", targets = "values", range = { 0, 1 },
  },
}
