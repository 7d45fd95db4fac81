-- Several metrics over batches: one way for training, evaluation and single calls. The loss of a
-- batch counts by the batch's total weight, and a sample by its own.

local Batch = require "perilune.metrics.batch"
local Buffer = require "perilune.buffer"
local classes = require "perilune.metrics.classes"
local cores = require "perilune.cores"
local errors = require "perilune.errors"
local fields = require "perilune.fields"
local sums = require "perilune.metrics.sums"

local raise, show = errors.raise, errors.show

local TABLE = { "table" }
local MOST_OUTPUTS = 2 ^ 20 | 0 -- metrics keep some numbers for each

---@class Meter
---@field names string[]   of what is measured, in order: "loss" where it is, then the metrics
---@field loss Accumulator?   of the mean loss
---@field samples integer  how many were added
---@field weighed integer  how many samples `count` adds
local Meter = {}
Meter.__index = Meter

---@param metrics Metric[]   each of another name
---@param about About
---@param has_loss? boolean  each batch comes with its loss
---@return Meter
function Meter.new(metrics, about, has_loss)
  local self = setmetatable({
    about = about, batch = Batch.new(about), metrics = metrics, accumulators = {}, names = {},
    samples = 0, weighed = 0,
  }, Meter)
  if about.units and #metrics > 0 then
    self.outputs = Buffer.new(about.core, about.outputs)
    self.targets = Buffer.new(about.core, about.outputs)
  end
  if has_loss then
    self.loss = sums.loss.new(nil, about)
    self.names[1], self.accumulators[1] = "loss", self.loss
  end
  for _, metric in ipairs(metrics) do
    self.accumulators[#self.accumulators + 1] = metric:accumulator(about)
    self.names[#self.accumulators] = metric.name or "metric"
  end
  return self
end

local about_fields = {
  outputs = { "integer", least = 1, most = MOST_OUTPUTS },
  dtype = { "choice", choices = { "float32", "float64" }, default = "float32" },
  gives = classes.fields.gives, targets = classes.fields.targets,
}

---A meter of the user's own.
---    local meter = pl.metrics.meter({ "f1", { "top_k", k = 3 } }, { outputs = 10 })
---    meter:add(A, T)          -- batch by batch
---    print(meter:results().top_k)
---@param metrics any[]   metrics, each as a name, a description or a part
---@param given { outputs: integer, dtype: string, gives: string?, targets: string? }  of all
---batches: S_L; their type (default "float32"); what outputs are, and whether each is a label of
---its own (see pl.metric)
---@return Meter
function Meter.of(metrics, given)
  metrics = fields.value("metrics", metrics, { "metrics" })
  local options = fields.check(about_fields, given, "pl.metrics.meter")
  return Meter.new(metrics, {
    core = cores[options.dtype], outputs = options.outputs, gives = options.gives,
    several = options.targets == "several" and options.outputs > 1, labels = false,
  })
end

local function by_columns(M)
  return M ~= nil and M.order == "rows" and M:copy() or M
end

local function check_weights(weights, A)
  if not cores.is_matrix(weights) then
    raise("weights: a matrix expected, got %s", show(weights))
  elseif weights.dtype ~= A.dtype or weights.cols ~= A.cols
    or (weights.rows ~= 1 and weights.rows ~= A.rows) then
    raise("weights: a 1 x %d or %d x %d matrix of %s expected, got %s", A.cols, A.rows, A.cols,
      A.dtype, cores.show(weights))
  elseif not (weights:min() >= 0) or weights:max() == math.huge then
    raise("weights: finite numbers of 0 or more expected, got some from %s to %s",
      show(weights:min()), show(weights:max()))
  end
end

local function check_values(A, T)
  if T.rows ~= A.rows then
    raise("T: %d rows expected, one for each output, got %d", A.rows, T.rows)
  end
end

-- Raise unless the metrics can be told of these outputs and targets.
local function check_batch(self, A, T, weights)
  local about = self.about
  if not cores.is_matrix(A) or about.core.sample_count(A, about.outputs) ~= A.cols then
    raise("A: a %d x N matrix of %s expected, got %s", about.outputs, about.core.name,
      cores.show(A))
  end
  classes.check_shapes(A, T)
  if weights ~= nil then check_weights(weights, A) end
  for _, metric in ipairs(self.metrics) do
    local takes = metric.takes
    if takes == "values" then
      check_values(A, T)
    elseif takes and about.several then
      classes.check_several(A, T)
    elseif takes then
      classes.check(A, T)
    end
  end
end

---Add a batch, after looking at it: raises for what the metrics cannot be told of, and then has
---added nothing.
---@param A Matrix         S_L x N outputs
---@param T Matrix         S_L x N targets, or 1 x N labels
---@param weights? Matrix  1 x N (samples) or S_L x N (single targets)
---@return Meter self
function Meter:add(A, T, weights)
  check_batch(self, A, T, weights)
  self:take(by_columns(A), by_columns(T), by_columns(weights))
  return self
end

---Add a batch that is known to be right, for the library's own loops. Nothing is allocated once
---every size of batch was seen, but by metrics that keep all scores.
---@param A Matrix         S_L x N outputs, without NaN
---@param T Matrix
---@param weights? Matrix
---@param J? number        the loss of the batch, where it is measured
---@param J_total? number  what J counts by, where the loss says so
function Meter:take(A, T, weights, J, J_total)
  self:weigh(A, T, weights, A.cols, J, J_total)
  self:count()
end

---The first half of `take`, which does all that needs memory or may raise: what is to be added.
---Results and state are as they were; another batch that is weighed takes this one's place.
---@param A Matrix         S_L x N outputs, without NaN; may change before `count`
---@param T Matrix
---@param weights Matrix?
---@param N integer        samples of them
---@param J? number
---@param J_total? number
function Meter:weigh(A, T, weights, N, J, J_total)
  if self.outputs then -- the loss is of scaled numbers, metrics are in the units of the targets
    local units = self.about.units
    A = units:unscale(self.outputs:columns(N), A, units.clip)
    T = units:unscale(self.targets:columns(N), T)
  end
  local batch, accumulators = self.batch:set(A, T, weights, N, J, J_total), self.accumulators
  for k = 1, #accumulators do accumulators[k]:weigh(batch) end
  self.weighed = N
end

---The second half, which needs no memory and raises nothing: add the batch that was weighed, once.
function Meter:count()
  if self.weighed == 0 then return end
  local accumulators = self.accumulators
  for k = 1, #accumulators do accumulators[k]:count() end
  self.samples, self.weighed = self.samples + self.weighed, 0
end

---The values, by name, of all that was added since the beginning or the last reset.
---@param results? table   to write them into
---@return table<string, number>
function Meter:results(results)
  results = results == nil and {} or fields.value("results", results, TABLE)
  local names, accumulators = self.names, self.accumulators
  for k = 1, #names do results[names[k]] = accumulators[k]:result() end
  return results
end

---Begin again from nothing.
---@return Meter self
function Meter:reset()
  local accumulators = self.accumulators
  for k = 1, #accumulators do accumulators[k]:reset() end
  self.samples, self.weighed = 0, 0
  return self
end

---What was added so far, as plain data and matrices of its own.
---@return { samples: integer, metrics: table<string, table> }
function Meter:state()
  local states = {}
  for k, name in ipairs(self.names) do states[name] = self.accumulators[k]:state() end
  return { samples = self.samples, metrics = states }
end

local state_fields = { samples = { "integer", least = 0 }, metrics = { "table" } }

---Raise unless `state` is one that state() of the same metrics gave.
---@param state any
function Meter:check_state(state)
  local states = fields.check(state_fields, state, "state of metrics").metrics
  local is_measured = {}
  for k, name in ipairs(self.names) do
    is_measured[name] = true
    if states[name] == nil then raise("state of the metric %s is missing", name) end
    self.accumulators[k]:check_state(states[name])
  end
  for name in pairs(states) do
    if not is_measured[name] then raise("state of a metric %s, which is not measured", name) end
  end
end

---Check a state, and give a function that goes on from it, which needs no memory and raises
---nothing.
---@param state any
---@return fun()
function Meter:restorer(state)
  self:check_state(state)
  local samples, restorers = fields.whole(state.samples), {}
  for k, name in ipairs(self.names) do
    restorers[k] = self.accumulators[k]:restorer(state.metrics[name])
  end
  return function()
    for k = 1, #restorers do restorers[k]() end
    self.samples, self.weighed = samples, 0
  end
end

---Go on from what state() gave. Raises for the state of other metrics, and changes nothing then.
---@param state table
---@return Meter self
function Meter:restore(state)
  self:restorer(state)()
  return self
end

return Meter
