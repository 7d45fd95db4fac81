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

---Go on from what state() gave.
---@param state table
---@return Tally self
function Tally:restore(state)
  for name, value in pairs(fields.check(state_fields, state, "state of a tally")) do
    self[name] = value
  end
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

local function count(self, A, T, weights)
  local N = A.cols
  weights = weights and weights.rows == 1 and weights or nil
  T, weights = without_unknown(T, weights)
  local predicted = classes.predicted(A, self.gives, self.predicted:columns(N))
  local actual = classes.actual(T, self.outputs, self.actual:columns(N))
  local correct = weights and weight_of_equal(predicted, actual, weights)
    or cores.of(A).count_equal(predicted, actual)
  self.correct = self.correct + correct
  self.counted = self.counted + Tally.total_weight(weights, N, 1)
end

---Add a batch. Nothing is allocated once every size of batch was seen.
---@param A Matrix         S_L x N outputs, without NaN
---@param T Matrix         S_L x N, or 1 x N labels
---@param weights? Matrix  1 x N or S_L x N
---@param J? number        the loss of the batch; without it only what was classified is counted
function Tally:add(A, T, weights, J)
  if self.has_classes then count(self, A, T, weights) end
  local weight = Tally.total_weight(weights, A.cols, self.outputs)
  self.loss, self.weight = self.loss + (J or 0) * weight, self.weight + weight
  self.samples = self.samples + A.cols
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
