-- Mean loss and accuracy over batches. One way for training and evaluation: the loss of a batch
-- counts by the batch's total weight, and a sample that is classified as its target says by its own
-- weight. Where weights are of single targets, samples have none of their own, and count alike.

local Buffer = require "perilune.buffer"
local classes = require "perilune.metrics.classes"
local cores = require "perilune.cores"
local fields = require "perilune.fields"
local nonfinite = require "perilune.nonfinite"

---@class Tally
---@field loss number      sum of J times the batches' weights
---@field weight number    of all batches
---@field correct number   weight of the samples classified as their targets say
---@field counted number   weight of the samples that were classified
---@field samples integer  how many were added
local Tally = {}
Tally.__index = Tally

---outputs is S_L; gives is what they are: "logits", "probabilities" or "values".
---@param options { core: Core, outputs: integer, has_classes: boolean, gives: string? }
---@return Tally
function Tally.new(options)
  local core = options.core
  return setmetatable({
    outputs = options.outputs, has_classes = options.has_classes, gives = options.gives,
    predicted = Buffer.new(core, 1), actual = Buffer.new(core, 1),
  }, Tally):reset()
end

---Begin again from nothing.
---@return Tally self
function Tally:reset()
  self.loss, self.weight, self.correct, self.counted, self.samples = 0, 0, 0, 0, 0
  return self
end

---What was added so far, as plain data.
---@return { loss: number, weight: number, correct: number, counted: number, samples: integer }
function Tally:state()
  return { loss = self.loss, weight = self.weight, correct = self.correct,
    counted = self.counted, samples = self.samples }
end

local state_fields = {
  loss = { "number", infinite = true }, weight = { "number", least = 0 },
  correct = { "number", least = 0 }, counted = { "number", least = 0 },
  samples = { "integer", least = 0 },
}

---Raise unless `state` is one that state() gave.
---@param state any
function Tally.check_state(_, state)
  fields.check(state_fields, state, "state of a tally")
end

---Check a state, and give a function that goes on from it, which needs no memory and raises
---nothing.
---@param state any
---@return fun()
function Tally:restorer(state)
  local checked = fields.check(state_fields, state, "state of a tally")
  return function()
    for name, value in pairs(checked) do self[name] = value end
  end
end

---Go on from what state() gave.
---@param state table
---@return Tally self
function Tally:restore(state)
  self:restorer(state)()
  return self
end

---The total weight of a batch: N without weights, their sum for those of samples, and for those of
---single targets their sum / S_L.
---@param weights Matrix?  1 x N or S_L x N
---@param N integer
---@param outputs integer  S_L
---@return number
function Tally.total_weight(weights, N, outputs)
  if not weights then return N end
  return weights.rows == 1 and weights:sum() or weights:sum() / outputs
end

-- A sample whose target holds NaN says no class, and is not counted: its weight becomes 0.
local function without_unknown(T, weights)
  if not nonfinite.find_nan(T) then return T, weights end
  T = T:copy()
  weights = weights and weights:copy() or cores.of(T).matrix(1, T.cols):fill(1)
  for n = 1, T.cols do
    local column = T:columns(n, n)
    if nonfinite.find_nan(column) then
      column:fill(0)
      weights:set(1, n, 0)
    end
  end
  return T, weights
end

local function weight_of_equal(predicted, actual, weights)
  local sum, get = 0, weights.get
  for n = 1, weights.cols do
    if get(predicted, 1, n) == get(actual, 1, n) then sum = sum + get(weights, 1, n) end
  end
  return sum
end

-- The weight of the samples that are classified as their targets say, and of those classified
local function classified(self, A, T, weights, N)
  weights = weights and weights.rows == 1 and weights or nil
  T, weights = without_unknown(T, weights)
  local predicted = classes.predicted(A, self.gives, self.predicted:columns(N))
  local actual = classes.actual(T, self.outputs, self.actual:columns(N))
  local correct = weights and weight_of_equal(predicted, actual, weights)
    or cores.of(A).count_equal(predicted, actual)
  return correct, Tally.total_weight(weights, N, 1)
end

---Add a batch. Nothing is allocated once every size of batch was seen.
---@param A Matrix         S_L x N outputs, without NaN
---@param T Matrix         S_L x N, or 1 x N labels
---@param weights? Matrix  1 x N or S_L x N
---@param J? number        the loss of the batch; without it only what was classified is counted
function Tally:add(A, T, weights, J)
  local N = A.cols
  self:count(N, J or 0, self:weigh(A, T, weights, N))
end

---The first half of `add`, which changes nothing: what of a batch of N samples is to be counted.
---@param A Matrix         S_L x N outputs, without NaN
---@param T Matrix         S_L x N, or 1 x N labels
---@param weights? Matrix  1 x N or S_L x N
---@param N integer
---@return number weight    of all samples
---@return number correct   of those that are classified as their targets say
---@return number counted   of those that are classified
function Tally:weigh(A, T, weights, N)
  local correct, counted = 0, 0
  if self.has_classes then correct, counted = classified(self, A, T, weights, N) end
  return Tally.total_weight(weights, N, self.outputs), correct, counted
end

---The second half, which raises nothing: count a batch that was weighed.
---@param N integer
---@param J number
---@param weight number   what weigh gave, as the next two
---@param correct number
---@param counted number
function Tally:count(N, J, weight, correct, counted)
  self.loss, self.weight = self.loss + J * weight, self.weight + weight
  self.correct, self.counted = self.correct + correct, self.counted + counted
  self.samples = self.samples + N
end

---@return number  J of all samples together; 0 where none has a weight
function Tally:mean_loss()
  return self.weight > 0 and self.loss / self.weight or 0
end

---@return number?  from 0 to 1, 0 where none has a weight; nil where targets say no classes
function Tally:accuracy()
  if not self.has_classes then return nil end
  return self.counted > 0 and self.correct / self.counted or 0
end

return Tally
