-- Metrics of counts by class: how often each was predicted, was there, and both. Of one class for
-- each sample, or of several labels at once, which are counted each by itself.

local Accumulator = require "perilune.metrics.accumulator"
local errors = require "perilune.errors"

local counts = {}

-- The numbers that are kept, for each class i of S: hits at i, predicted at S + i, actual at 2 S +
-- i; and last, where samples have one class each, the weight of all samples.

local function weigh_classes(numbers, S, batch)
  local predicted, actual, weights = batch:classes()
  local get = actual.get
  for n = 1, batch.N do
    local i, j = get(actual, 1, n), get(predicted, 1, n)
    local w = weights and get(weights, 1, n) or 1
    if i == j then numbers[i] = numbers[i] + w end
    numbers[S + j] = numbers[S + j] + w
    numbers[2 * S + i] = numbers[2 * S + i] + w
    numbers[3 * S + 1] = numbers[3 * S + 1] + w
  end
end

-- The sums over the samples, times their weights, where there are any
local function add_rows(numbers, first, batch, M, weights)
  local core, sums = batch.core, batch:column("row_sums", M.rows)
  if weights then M = core.hadamard(batch:room("weighted", M.rows), M, weights) end
  core.sum_columns(sums, M)
  for i = 1, M.rows do numbers[first + i] = numbers[first + i] + sums:get(i, 1) end
end

local function weigh_labels(numbers, S, batch)
  local predicted, actual, weights = batch:labels()
  local both = batch.core.hadamard(batch:room("both", S), predicted, actual)
  add_rows(numbers, 0, batch, both, weights)
  add_rows(numbers, S, batch, predicted, weights)
  add_rows(numbers, 2 * S, batch, actual, weights)
end

local function weigh(self, batch)
  local add_to = self.about.several and weigh_labels or weigh_classes
  add_to(self:clear(), self.classes, batch)
end

---The accumulator of a metric of counts.
---@param kind { name: string, of_counts: fun(self: Accumulator): number }
---@param options table
---@param about About
---@return Accumulator
function counts.new(kind, options, about)
  local S = about.several and about.outputs or math.max(about.outputs, 2)
  local self = Accumulator.new({
    name = kind.name, size = 3 * S + 1, weigh = weigh, result = kind.of_counts,
  }, options, about)
  self.classes = S
  return self
end

---The counts of class i.
---@param counted Accumulator  as counts.new makes it
---@param i integer
---@return number hits, number predicted, number actual
function counts.of(counted, i)
  local numbers, S = counted.numbers, counted.classes
  return numbers[i], numbers[S + i], numbers[2 * S + i]
end

local function ratio(x, y)
  return y > 0 and x / y or 0
end

-- Of one class, or of the sums of all; 0 where it would be 0/0
local formulas = {
  precision = function(hits, predicted) return ratio(hits, predicted) end,
  recall = function(hits, _, actual) return ratio(hits, actual) end,
  f1 = function(hits, predicted, actual) return ratio(2 * hits, predicted + actual) end,
}
counts.formulas = formulas

-- How the numbers of the classes become one
local averages = {}

---That of the second of two classes, the positive one.
---@param counted Accumulator
---@param formula fun(hits: number, predicted: number, actual: number): number
---@return number
function averages.binary(counted, formula)
  return formula(counts.of(counted, 2))
end

---That of all counts together.
---@param counted Accumulator
---@param formula fun(hits: number, predicted: number, actual: number): number
---@return number
function averages.micro(counted, formula)
  local hits, predicted, actual = 0, 0, 0
  for i = 1, counted.classes do
    local h, p, a = counts.of(counted, i)
    hits, predicted, actual = hits + h, predicted + p, actual + a
  end
  return formula(hits, predicted, actual)
end

---The mean. A class that is neither there nor predicted is none of those that were to be told
---apart; a label that is not there was still to be left out.
---@param counted Accumulator
---@param formula fun(hits: number, predicted: number, actual: number): number
---@return number
function averages.macro(counted, formula)
  local sum, count = 0, 0
  for i = 1, counted.classes do
    local hits, predicted, actual = counts.of(counted, i)
    if counted.about.several or predicted + actual > 0 then
      sum, count = sum + formula(hits, predicted, actual), count + 1
    end
  end
  return ratio(sum, count)
end

---The mean by how often each is there.
---@param counted Accumulator
---@param formula fun(hits: number, predicted: number, actual: number): number
---@return number
function averages.weighted(counted, formula)
  local sum, weight = 0, 0
  for i = 1, counted.classes do
    local hits, predicted, actual = counts.of(counted, i)
    sum, weight = sum + actual * formula(hits, predicted, actual), weight + actual
  end
  return ratio(sum, weight)
end

counts.averages = averages

-- The average that is meant where none is said: the positive class of two, or the mean of all.
local function average_of(kind, options, about)
  local is_binary = not about.several and about.outputs <= 2
  local average = options.average or (is_binary and "binary" or "macro")
  if average == "binary" and not is_binary then
    errors.raise("%s: average = \"binary\" is of two classes, and there are %d%s: \"macro\", "
      .. "\"micro\" or \"weighted\" expected", kind.name, about.outputs,
      about.several and " labels" or "")
  end
  return averages[average]
end

local function averaged(name)
  local kind = {
    name = name, takes = "labels", more_is_better = true,
    fields = {
      average = {
        "choice", choices = { "binary", "macro", "micro", "weighted" }, optional = true,
      },
    },
    of_counts = function(self) return self.average(self, formulas[name]) end,
  }
  function kind.new(options, about)
    local average = average_of(kind, options, about)
    local self = counts.new(kind, options, about)
    self.average = average
    return self
  end
  return kind
end

-- The sums that agreement by chance needs: hits, and over the classes predicted times actual,
-- predicted squared and actual squared; with the weight of all samples
local function agreement(self)
  local hits, product, predicted_squared, actual_squared = 0, 0, 0, 0
  for i = 1, self.classes do
    local h, p, a = counts.of(self, i)
    hits, product = hits + h, product + p * a
    predicted_squared, actual_squared = predicted_squared + p * p, actual_squared + a * a
  end
  return hits, product, self.numbers[3 * self.classes + 1], predicted_squared, actual_squared
end

local function of_classes(name, of_counts)
  local kind = { name = name, takes = "class", more_is_better = true, of_counts = of_counts }
  function kind.new(options, about) return counts.new(kind, options, about) end
  return kind
end

counts.kinds = {
  -- hits_i / predicted_i
  averaged "precision",

  -- hits_i / actual_i
  averaged "recall",

  -- 2 precision recall / (precision + recall) = 2 hits_i / (predicted_i + actual_i)
  averaged "f1",

  -- (accuracy - chance) / (1 - chance), chance = sum_i predicted_i actual_i / N^2 (Cohen 1960); 0
  -- where all is of one class, for which scikit-learn gives NaN
  of_classes("cohen_kappa", function(self)
    local hits, product, weight = agreement(self)
    return ratio(hits * weight - product, weight * weight - product)
  end),

  -- (N hits - sum_i p_i a_i) / sqrt((N^2 - sum_i p_i^2) (N^2 - sum_i a_i^2)), p_i predicted and a_i
  -- actual: the correlation of prediction and truth (Matthews 1975, for more classes than two
  -- Gorodkin 2004); 0 where either is always the same class
  of_classes("matthews", function(self)
    local hits, product, weight, predicted_squared, actual_squared = agreement(self)
    local square = weight * weight
    local spread = (square - predicted_squared) * (square - actual_squared)
    return spread > 0 and (hits * weight - product) / math.sqrt(spread) or 0
  end),
}

return counts
