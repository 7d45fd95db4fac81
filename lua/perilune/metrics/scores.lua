-- Metrics of how outputs rank samples. No sum tells them: all outputs are kept, in memory that
-- doubles as it fills, and sorted in the end.

local cores = require "perilune.cores"
local errors = require "perilune.errors"

---@class Scores
---@field samples integer  how many are kept
---@field weighed integer  how many more lie behind them, to be counted
---@field kept table<string, Matrix|false>  outputs, targets and weights, each with room for more
local Scores = {}
Scores.__index = Scores

local LETTERS = { "A", "T", "weights" }

---The accumulator of a metric of scores.
---@param kind { name: string, area: fun(roc_area: number, average_precision: number): number }
---@param options table
---@param about About
---@return Scores
function Scores.new(kind, options, about)
  return setmetatable({
    name = kind.name, area = kind.area, options = options, about = about,
    samples = 0, weighed = 0, kept = { A = false, T = false, weights = false },
  }, Scores)
end

---Begin again from nothing.
---@return Scores self
function Scores:reset()
  self.samples, self.weighed = 0, 0
  return self
end

-- Room for N more columns of a matrix with so many rows, behind those that are kept
local function room(self, letter, rows, N)
  local M, samples = self.kept[letter], self.samples
  local needed = samples + N
  if not M or M.cols < needed then
    local more = self.about.core.matrix(rows, math.max(needed, M and 2 * M.cols or 0))
    if samples > 0 then more:columns(1, samples):assign(M:columns(1, samples)) end
    self.kept[letter], M = more, more
  end
  return M:columns(samples + 1, needed)
end

-- Of one class: softmax of logits, because samples are compared by what a class has over the
-- others. One output, or one for each label, is ranked as it is.
local function weigh_classes(self, batch)
  local N, outputs = batch.N, batch.outputs
  local _, actual, weights = batch:classes()
  local is_softmax = batch.gives == "logits" and outputs > 1
  room(self, "A", outputs, N):assign(is_softmax and batch:probabilities() or batch.A)
  local T = room(self, "T", 1, N):assign(actual)
  if outputs == 1 then batch.core.subtract(T, T, 1) end
  local W = room(self, "weights", 1, N)
  if weights then W:assign(weights) else W:fill(1) end
end

local function weigh_labels(self, batch)
  local N, outputs = batch.N, batch.outputs
  local _, actual, weights = batch:labels()
  room(self, "A", outputs, N):assign(batch.A)
  room(self, "T", outputs, N):assign(actual)
  local W = room(self, "weights", outputs, N):fill(1)
  if weights then batch.core.hadamard(W, W, weights) end
end

---Write the batch behind what is kept.
---@param batch MetricBatch
function Scores:weigh(batch)
  local write = self.about.several and weigh_labels or weigh_classes
  self.weighed = 0
  write(self, batch)
  self.weighed = batch.N
end

---Keep what was weighed last.
function Scores:count()
  self.samples, self.weighed = self.samples + self.weighed, 0
end

-- What is kept, without the room for more
local function kept(self, letter)
  return self.kept[letter]:columns(1, self.samples)
end

---The mean over the classes, or labels; of two classes that of the second. One that has no area,
---because it is nowhere or everywhere, is left out; NaN where none has.
---@return number
function Scores:result()
  if self.samples == 0 then return 0 / 0 end
  local A, T, weights = kept(self, "A"), kept(self, "T"), kept(self, "weights")
  local first = not self.about.several and A.rows == 2 and 2 or 1
  local sum, count = 0, 0
  for i = first, A.rows do
    local area = self.area(self.about.core.curve_areas(A, T, i, weights))
    if area == area then sum, count = sum + area, count + 1 end
  end
  return sum / count
end

---@return { samples: integer, A: Matrix?, T: Matrix?, weights: Matrix? }
function Scores:state()
  local state = { samples = self.samples }
  if self.samples == 0 then return state end
  for _, letter in ipairs(LETTERS) do state[letter] = kept(self, letter):copy() end
  return state
end

---Raise unless `state` is one that state() gave.
---@param state any
function Scores:check_state(state)
  local about = self.about
  local wide = about.several and about.outputs or 1
  local rows = { A = about.outputs, T = wide, weights = wide }
  local count = type(state) == "table" and math.tointeger(state.samples)
  local is_state = count ~= nil and count ~= false and count >= 0
  for _, letter in ipairs(LETTERS) do
    local M = is_state and count > 0 and state[letter]
    if M ~= false then
      is_state = cores.is_matrix(M) and about.core.sample_count(M, rows[letter]) == count
    end
  end
  if not is_state then
    errors.raise("state of the metric %s expected, as state() gives it, got %s", self.name,
      errors.show(state))
  end
end

---Check a state, and give a function that goes on from it, which needs no memory and raises
---nothing.
---@param state any
---@return fun()
function Scores:restorer(state)
  self:check_state(state)
  local samples, copies = math.tointeger(state.samples), {}
  for _, letter in ipairs(LETTERS) do
    copies[letter] = samples > 0 and state[letter]:copy() or false
  end
  return function() self.samples, self.weighed, self.kept = samples, 0, copies end
end

local function of_scores(name, area)
  local kind = { name = name, takes = "labels", more_is_better = true, area = area }
  function kind.new(options, about) return Scores.new(kind, options, about) end
  return kind
end

local function roc_area_of(roc_area) return roc_area end

return {
  kinds = {
    -- the area under the ROC curve: the share of pairs, one sample of the class and one not, that
    -- the output has in the right order, a tie being half a pair (Hanley and McNeil 1982)
    of_scores("roc_auc", roc_area_of),
    of_scores("auc", roc_area_of), -- the same by its short name

    -- sum over the scores of (recall - recall at the next higher score) precision; 0 for a class
    -- that is nowhere, as in scikit-learn
    of_scores("average_precision", function(_, average_precision) return average_precision end),
  },
}
