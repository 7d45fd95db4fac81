-- One batch of outputs and targets, as metrics look at it: each view of it is made when the first
-- metric asks, and is the next one's too. What is not known of a target, NaN, is taken out here, by
-- a weight of 0. Nothing is allocated once every size of batch was seen, but where targets hold
-- NaN.

local Buffer = require "perilune.buffer"
local activation = require "perilune.activation"
local classes = require "perilune.metrics.classes"
local cores = require "perilune.cores"
local errors = require "perilune.errors"
local fields = require "perilune.fields"
local nonfinite = require "perilune.nonfinite"

local raise, show = errors.raise, errors.show

local COUNT = { "count" }

-- What is known of all batches of a kind.
---@class About
---@field core Core
---@field outputs integer   S_L
---@field gives? string     what A is: "logits", "probabilities" or "values"
---@field several boolean   a sample may have several labels at once, or none: an output for each
---@field labels boolean    T is 1 x N labels for several outputs
---@field units? Units      those of the targets, where A and T are scaled

---@class MetricBatch
---@field A Matrix          S_L x N outputs, without NaN
---@field T Matrix          S_L x N, or 1 x N labels
---@field weights Matrix?   1 x N or S_L x N
---@field J number?         the loss
---@field J_total number    what J counts by
---@field N integer
---@field total number      the total weight
local Batch = {}
Batch.__index = Batch

---The total weight of a batch: N without weights, their sum for those of samples, and for those of
---single targets their sum / S_L.
---@param weights Matrix?  1 x N or S_L x N
---@param N integer
---@param outputs integer  S_L
---@return number
function Batch.total_weight(weights, N, outputs)
  if not weights then return N end
  if not cores.is_matrix(weights) then
    raise("weights: a matrix expected, got %s", show(weights))
  end
  outputs = fields.value("outputs", outputs, COUNT)
  return weights.rows == 1 and weights:sum() or weights:sum() / outputs
end

---@param about About
---@return MetricBatch
function Batch.new(about)
  local is_logits = about.gives == "logits"
  return setmetatable({
    core = about.core, outputs = about.outputs, gives = about.gives,
    are_labels = about.labels,
    sigma = is_logits and activation:resolve(about.outputs == 1 and "sigmoid" or "softmax"),
    buffers = {}, columns = {}, predictions = Buffer.new(about.core, 1),
  }, Batch)
end

---Look at other outputs and targets.
---@param A Matrix
---@param T Matrix
---@param weights Matrix?
---@param N integer         samples of them
---@param J? number
---@param J_total? number   what J counts by, where the loss says so; else the total weight
---@return MetricBatch self
function Batch:set(A, T, weights, N, J, J_total)
  self.A, self.T, self.weights, self.N, self.J = A, T, weights, N, J
  self.total = weights and Batch.total_weight(weights, N, self.outputs) or N
  self.J_total = J_total or self.total
  self.has_classes, self.has_labels, self.has_values, self.P = false, false, false, nil
  return self
end

---Memory for a quantity of this batch, its elements left over from earlier use.
---@param name string
---@param rows integer
---@return Matrix  rows x N
function Batch:room(name, rows)
  local buffer = self.buffers[name]
  if not buffer then
    buffer = Buffer.new(self.core, rows)
    self.buffers[name] = buffer
  end
  return buffer:columns(self.N)
end

---Memory for a column of numbers, likewise.
---@param name string
---@param rows integer
---@return Matrix  rows x 1
function Batch:column(name, rows)
  local column = self.columns[name] or self.core.matrix(rows, 1)
  self.columns[name] = column
  return column
end

-- A sample whose target holds NaN says no class, and is not counted: its weight becomes 0.
local function without_unknown_samples(T, weights)
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

-- The same for single targets
local function without_unknown_targets(T, weights)
  if not nonfinite.find_nan(T) then return T, weights end
  local core = cores.of(T)
  T = T:copy()
  local of_targets = core.matrix(T.rows, T.cols):fill(1)
  if weights then core.hadamard(of_targets, of_targets, weights) end
  for n = 1, T.cols do
    for i = 1, T.rows do
      local t = T:get(i, n)
      if t ~= t then
        T:set(i, n, 0)
        of_targets:set(i, n, 0)
      end
    end
  end
  return T, of_targets
end

---One class for each sample. Where weights are of single targets, samples have none of their own,
---and count alike.
---@return Matrix predicted  1 x N
---@return Matrix actual     1 x N
---@return Matrix? weights   1 x N
function Batch:classes()
  if not self.has_classes then
    local T, given, weights = self.T, self.weights, nil
    if given and given.rows == 1 then weights = given end
    self.predicted = classes.predicted(self.A, self.gives, self.predictions:columns(self.N))
    if not self.are_labels then -- labels are known, all of them
      T, weights = without_unknown_samples(T, weights)
      T = classes.actual(T, self.outputs, self:room("actual", 1))
    end
    self.actual, self.sample_weights, self.has_classes = T, weights, true
  end
  return self.predicted, self.actual, self.sample_weights
end

---Several labels for each sample: 1 where the outputs say one, and where the targets do, else 0.
---@return Matrix predicted  S_L x N
---@return Matrix actual     S_L x N
---@return Matrix? weights   1 x N or S_L x N
function Batch:labels()
  if not self.has_labels then
    local T, weights = without_unknown_targets(self.T, self.weights)
    local core, half = self.core, classes.threshold(self.gives)
    self.said = core.less_equal(self:room("said", self.outputs), half, self.A)
    self.wanted = core.less_equal(self:room("wanted", self.outputs), 0.5, T)
    self.label_weights, self.has_labels = weights, true
  end
  return self.said, self.wanted, self.label_weights
end

---Outputs and targets as numbers.
---@return Matrix A          S_L x N
---@return Matrix T          S_L x N
---@return Matrix? weights   1 x N or S_L x N
function Batch:values()
  if not self.has_values then
    self.known_T, self.value_weights = without_unknown_targets(self.T, self.weights)
    self.has_values = true
  end
  return self.A, self.known_T, self.value_weights
end

local function check_probabilities(P, core, sums)
  local low, high = P:min(), P:max()
  if low < 0 or high > 1 then
    raise("the outputs: probabilities from 0 to 1 expected, got some from %s to %s (gives = "
      .. "\"logits\" says that they are yet to become such)", show(low), show(high))
  end
  if P.rows == 1 then return end
  core.sum_rows(sums, P)
  if sums:min() < 0.999 or sums:max() > 1.001 then
    raise("the outputs: probabilities of classes, which add up to 1, expected, got sums from %s to "
      .. "%s", show(sums:min()), show(sums:max()))
  end
end

---The probability of each class; of one output for two classes, that of the second.
---@return Matrix  S_L x N
function Batch:probabilities()
  if self.P then return self.P end
  if self.sigma then
    self.P = self.sigma.forward(self:room("P", self.outputs), self.A)
  else
    check_probabilities(self.A, self.core, self:room("sums", 1))
    self.P = self.A
  end
  return self.P
end

return Batch
