-- Metrics that are sums over the samples, by their weights: how often predictions are right, how
-- well probabilities fit, how far outputs are from targets.

local Accumulator = require "perilune.metrics.accumulator"
local Batch = require "perilune.metrics.batch"
local errors = require "perilune.errors"

local total_weight = Batch.total_weight

-- What scikit-learn keeps probabilities from 0 and 1 by
local EPSILON = { float32 = 2^-23, float64 = 2^-52 }

local MOST_BINS = 2 ^ 16 | 0 -- three numbers are kept for each

local function ratio(sum, weight)
  return weight > 0 and sum / weight or 0
end

local function mean(self)
  local numbers = self.numbers
  local weight = numbers[2]
  return weight > 0 and numbers[1] / weight or 0
end

-- What a batch adds to a mean: a sum, and the weight of what was summed.
local function set(self, sum, weight)
  local weighed = self.weighed
  weighed[1], weighed[2] = sum, weight
end

-- A kind that is a mean; 0 where nothing has a weight. Of several labels it may be another.
local function mean_of(kind, weigh, weigh_several)
  kind.result = kind.result or mean
  function kind.new(options, about)
    if kind.check then kind.check(options, about) end
    return Accumulator.new({
      name = kind.name, size = 2, weigh = about.several and weigh_several or weigh,
      result = kind.result,
    }, options, about)
  end
  return kind
end


-- Right predictions

local function weight_of_equal(predicted, actual, weights)
  local sum, get = 0, weights.get
  for n = 1, weights.cols do
    if get(predicted, 1, n) == get(actual, 1, n) then sum = sum + get(weights, 1, n) end
  end
  return sum
end

local function weigh_hits(self, batch)
  local predicted, actual, weights = batch:classes()
  local hits = weights and weight_of_equal(predicted, actual, weights)
    or batch.core.count_equal(predicted, actual)
  set(self, hits, weights and total_weight(weights, batch.N, 1) or batch.N)
end

-- 1 where a label is wrong, else 0
local function wrong_labels(batch)
  local predicted, actual, weights = batch:labels()
  local core, wrong = batch.core, batch:room("wrong", batch.outputs)
  core.equal(wrong, predicted, actual)
  return core.subtract(wrong, 1, wrong), weights
end

-- 1 for each sample that has a target with a weight, else 0
local function known_samples(batch, weights)
  local core, known = batch.core, batch:room("known", 1)
  return core.less(known, 0, core.sum_rows(known, weights))
end

-- Where weights are of single targets, samples count alike, and what has no weight is not wrong.
local function weigh_subsets(self, batch)
  local core, wrong, weights = batch.core, wrong_labels(batch)
  local right = batch:room("right", 1)
  if weights and weights.rows > 1 then
    core.hadamard(wrong, wrong, weights)
    weights = known_samples(batch, weights)
  end
  core.equal(right, core.sum_rows(right, wrong), 0)
  if weights then core.hadamard(right, right, weights) end
  set(self, right:sum(), total_weight(weights, batch.N, 1))
end

local function weigh_wrong_labels(self, batch)
  local wrong, weights = wrong_labels(batch)
  if weights then batch.core.hadamard(wrong, wrong, weights) end
  set(self, wrong:sum(), batch.outputs * total_weight(weights, batch.N, batch.outputs))
end

local function weigh_top(self, batch)
  if batch.outputs == 1 then return weigh_hits(self, batch) end
  local _, actual, weights = batch:classes()
  local ranks = batch.core.label_ranks(batch:room("ranks", 1), batch.A, actual)
  local k, get, hits = self.options.k, ranks.get, 0
  for n = 1, batch.N do
    if get(ranks, 1, n) <= k then hits = hits + (weights and get(weights, 1, n) or 1) end
  end
  set(self, hits, total_weight(weights, batch.N, 1))
end

local function check_top(options, about)
  local most = math.max(about.outputs - 1, 1)
  if options.k > most then
    errors.raise("top_k: k: a whole number from 1 to %d, fewer than there are classes, expected, "
      .. "got %d", most, options.k)
  end
end


-- Probabilities

-- -log p of the class of sample n, by what the outputs are: logits of all classes,
local function surprise_of_logits(Z, n, class, log_sums)
  return log_sums:get(1, n) - Z:get(class, n)
end

-- the logit of the second class: log(1 + e^z), z the logit of the other class,
local function surprise_of_logit(Z, n, class)
  local z = class == 2 and -Z:get(1, n) or Z:get(1, n)
  return math.max(z, 0) + math.log(1 + math.exp(-math.abs(z)))
end

-- or probabilities
local function surprise_of_probabilities(P, n, class)
  local p = P.rows > 1 and P:get(class, n) or P:get(1, n)
  if P.rows == 1 and class == 1 then p = 1 - p end
  local least = EPSILON[P.dtype]
  return -math.log(math.min(math.max(p, least), 1 - least))
end

local function weigh_surprises(self, batch)
  local _, actual, weights = batch:classes()
  local surprise, M, log_sums = surprise_of_probabilities, batch.A, nil
  if batch.gives ~= "logits" then
    M = batch:probabilities()
  elseif batch.outputs == 1 then
    surprise = surprise_of_logit
  else
    surprise, log_sums = surprise_of_logits, batch.core.log_sum_exp(batch:room("log_sums", 1), M)
  end
  local sum = 0
  for n = 1, batch.N do
    local w = weights and weights:get(1, n) or 1
    if w > 0 then sum = sum + w * surprise(M, n, actual:get(1, n), log_sums) end
  end
  set(self, sum, total_weight(weights, batch.N, 1))
end

-- Target columns of the classes, as many rows as there are outputs
local function columns_of(batch, actual)
  local T = batch:room("columns", batch.outputs)
  if batch.outputs == 1 then return batch.core.subtract(T, actual, 1) end
  T:fill(0)
  for n = 1, batch.N do T:set(actual:get(1, n), n, 1) end
  return T
end

local function weigh_brier(self, batch)
  local _, actual, weights = batch:classes()
  local P = batch:probabilities()
  local J, total = batch.core.squared_error(nil, P, columns_of(batch, actual), weights)
  local scale = batch.outputs == 2 and 1 or 2 -- the two of two classes have the same distance
  set(self, scale * J * total, total)
end

-- The numbers that are kept, for each bin b of B: the weight at b, of it what came true at B + b,
-- and the sum of the probabilities at 2 B + b.
local function weigh_bins(self, batch)
  local predicted, actual, weights = batch:classes()
  local P, numbers, B = batch:probabilities(), self:clear(), self.options.bins
  local are_two = batch.outputs <= 2
  for n = 1, batch.N do
    local class = are_two and 2 or predicted:get(1, n)
    local p = P:get(math.min(class, P.rows), n)
    local w = weights and weights:get(1, n) or 1
    local b = math.max(1, math.min(math.ceil(p * B), B))
    if b > 1 and p <= (b - 1) / B then b = b - 1 end -- the product was rounded up,
    if b < B and p > b / B then b = b + 1 end -- or down
    numbers[b] = numbers[b] + w
    if actual:get(1, n) == class then numbers[B + b] = numbers[B + b] + w end
    numbers[2 * B + b] = numbers[2 * B + b] + w * p
  end
end

local function gap_of_bins(self)
  local numbers, B, gap, weight = self.numbers, self.options.bins, 0, 0
  for b = 1, B do
    gap = gap + math.abs(numbers[B + b] - numbers[2 * B + b])
    weight = weight + numbers[b]
  end
  return ratio(gap, weight)
end


-- Distances

local function weigh_squares(self, batch)
  local J, total = batch.core.squared_error(nil, batch:values())
  set(self, 2 * J * total, batch.outputs * total)
end

local function weigh_distances(self, batch)
  local A, T, weights = batch:values()
  local core, D = batch.core, batch:room("distances", batch.outputs)
  core.abs(D, core.subtract(D, A, T))
  if weights then core.hadamard(D, D, weights) end
  set(self, D:sum(), batch.outputs * total_weight(weights, batch.N, batch.outputs))
end

-- The numbers that are kept, for each output i of S: at i what is taken from its targets, without
-- which their squares would hide how they vary; and with y = t - that, at S + i the weight, at 2 S
-- + i the sum of y, at 3 S + i that of y^2, at 4 S + i that of (t - a)^2.
local function set_sums(self, k, batch, M)
  local weighed, S, sums = self.weighed, batch.outputs, batch:column("sums", batch.outputs)
  batch.core.sum_columns(sums, M)
  for i = 1, S do weighed[k * S + i] = sums:get(i, 1) end
end

-- The first target of output i that has a weight, 0 where none has
local function first_target(T, of_all, i)
  for n = 1, T.cols do
    if of_all:get(i, n) > 0 then return T:get(i, n) end
  end
  return 0
end

-- What is taken from the targets is one of them: so those that never change leave exactly 0.
local function set_shift(self, batch, T, of_all)
  local numbers, weighed, S = self.numbers, self.weighed, batch.outputs
  local shift = batch:column("shift", S)
  for i = 1, S do
    weighed[i] = numbers[S + i] == 0 and first_target(T, of_all, i) or 0
    shift:set(i, 1, numbers[i] + weighed[i])
  end
  return shift
end

local function weigh_variances(self, batch)
  local A, T, weights = batch:values()
  local core, S = batch.core, batch.outputs
  local Y, Y2, of_all = batch:room("Y", S), batch:room("Y2", S), batch:room("of_all", S)
  core.hadamard(of_all, of_all:fill(1), weights or 1)
  set_sums(self, 1, batch, of_all)
  core.subtract(Y, T, set_shift(self, batch, T, of_all))
  core.square(Y2, Y)
  set_sums(self, 2, batch, core.hadamard(Y, Y, of_all))
  set_sums(self, 3, batch, core.hadamard(Y2, Y2, of_all))
  core.square(Y, core.subtract(Y, T, A))
  set_sums(self, 4, batch, core.hadamard(Y, Y, of_all))
end

-- Of one output, as scikit-learn has it: where the targets never change, 1 if the outputs hit them
-- and else 0.
local function determination(numbers, S, i)
  local weight, sum, squares, distance = numbers[S + i], numbers[2 * S + i], numbers[3 * S + i],
    numbers[4 * S + i]
  local spread = weight > 0 and squares - sum * sum / weight or 0
  if spread > 0 then return 1 - distance / spread end
  return distance == 0 and 1 or 0
end

local function mean_determination(self)
  local S, sum = self.about.outputs, 0
  for i = 1, S do sum = sum + determination(self.numbers, S, i) end
  return sum / S
end

local kinds = {
  -- the share of samples whose predicted class is theirs; of several labels, of samples all of
  -- whose labels are predicted and no others
  mean_of({ name = "accuracy", takes = "labels", more_is_better = true }, weigh_hits,
    weigh_subsets),

  -- the same, of several labels alone
  mean_of({ name = "subset_accuracy", takes = "several", more_is_better = true }, weigh_subsets),

  -- the share of labels that are predicted wrongly
  mean_of({ name = "hamming_loss", takes = "several", more_is_better = false }, weigh_wrong_labels),

  -- the share of samples whose class has one of the k largest outputs; of equal ones the first is
  -- the larger, as in all classification here
  mean_of({
    name = "top_k", takes = "class", more_is_better = true,
    fields = { k = { "count", default = 5 } }, check = check_top,
  }, weigh_top),

  -- the mean of -log p, p the probability of the sample's class: exact for logits; probabilities
  -- are kept 2^-23 (float32) or 2^-52 (float64) from 0 and 1, as in scikit-learn
  mean_of({
    name = "log_loss", takes = "class", more_is_better = false, probabilities = true,
  }, weigh_surprises),

  -- the mean of sum_i (p_i - t_i)^2 (Brier 1950); of two classes half of that, (p - t)^2 of the
  -- second
  mean_of({
    name = "brier", takes = "class", more_is_better = false, probabilities = true,
  }, weigh_brier),

  -- the mean of (a - t)^2, over samples and outputs
  mean_of({ name = "mse", takes = "values", more_is_better = false }, weigh_squares),

  -- its square root, of one mean over all outputs
  mean_of({
    name = "rmse", takes = "values", more_is_better = false,
    result = function(self) return math.sqrt(mean(self)) end,
  }, weigh_squares),

  -- the mean of |a - t|, over samples and outputs
  mean_of({ name = "mae", takes = "values", more_is_better = false }, weigh_distances),

  -- 1 - sum (t - a)^2 / sum (t - mean of t)^2, the mean over the outputs
  {
    name = "r2", takes = "values", more_is_better = true,
    new = function(options, about)
      return Accumulator.new({
        name = "r2", size = 5 * about.outputs, weigh = weigh_variances, result = mean_determination,
      }, options, about)
    end,
  },

  -- expected calibration error (Naeini et al. 2015): sum over the bins of their weight times |how
  -- often it came true - mean probability|, the bins being ((b - 1) / B, b / B]. Of two classes the
  -- probability is that of the second, of more that of the predicted class (Guo et al. 2017).
  {
    name = "calibration_error", takes = "class", more_is_better = false, probabilities = true,
    fields = { bins = { "integer", default = 15, least = 1, most = MOST_BINS } },
    new = function(options, about)
      return Accumulator.new({
        name = "calibration_error", size = 3 * options.bins, weigh = weigh_bins,
        result = gap_of_bins,
      }, options, about)
    end,
  },
}

-- The mean loss, which is given with each batch and so is none that is described: J times what it
-- counts by
local loss = mean_of({ name = "loss", more_is_better = false }, function(self, batch)
  set(self, batch.J * batch.J_total, batch.J_total)
end)

-- The mean by weights of what a function of the user's own gives for each batch
local function own(kind, compute)
  return mean_of(kind, function(self, batch)
    local value = compute(batch.A, batch.T, batch.weights)
    if type(value) ~= "number" then
      errors.raise("%s: a number expected from it, got %s", kind.name or "metric",
        errors.show(value))
    end
    set(self, value * batch.total, batch.total)
  end)
end

return { kinds = kinds, loss = loss, own = own }
