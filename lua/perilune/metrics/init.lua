-- Metrics: how good outputs are, as a number for people and for early stopping. A metric is called
-- as
--     value = metric(A, T [, weights [, { gives =, targets = }]])
-- A are S_L x N outputs. T are 1 x N labels, S_L x N target columns, or for one output 1 x N
-- targets from 0 to 1, 1 for the second of two classes. Weights are 1 x N (samples) or S_L x N
-- (single targets). `gives` says what outputs are: one output says the second class from 1/2 on, of
-- "logits" from 0 on, and metrics of probabilities make such of logits. `targets = "several"` says
-- that a sample may have several labels at once, or none: then each output is a label of its own.
--
-- By name, or described, metrics are measured in training and evaluation:
--     pl.fit(net, data, { loss = ..., metrics = { "f1", { "top_k", k = 3 } } })
--     pl.evaluate(net, data, nil, { "f1", { "f1", average = "micro", name = "micro_f1" } })
--
-- One of your own is a table { name = "mine", compute = f, more_is_better = true }, where f(A, T,
-- weights) gives its value for a batch; over batches it is their mean by total weight.

local Meter = require "perilune.metrics.meter"
local classes = require "perilune.metrics.classes"
local cores = require "perilune.cores"
local counts = require "perilune.metrics.counts"
local errors = require "perilune.errors"
local fields = require "perilune.fields"
local registry = require "perilune.registry"
local scores = require "perilune.metrics.scores"
local sums = require "perilune.metrics.sums"

local raise, show = errors.raise, errors.show

---@class Metric
---@field name string?            by which its value is recorded
---@field options table
---@field more_is_better boolean?
---@field takes? "class"|"several"|"labels"|"values"  what targets must be: one class for each
---sample, several labels, either of these, or numbers; nil: anything
local Metric = {}
Metric.__index = Metric

-- What probabilities can be had of
local TO_PROBABILITIES = { logits = true, probabilities = true }

local function check_fits(kind, about)
  local takes, name = kind.takes, kind.name
  if takes == "class" and about.several then
    raise("%s is of one class for each sample, and these targets are several labels", name)
  elseif takes == "several" and not about.several then
    raise("%s is of several labels for each sample, and these targets are one class each (a loss "
      .. "for several labels, or targets = \"several\", says that they are several)", name)
  elseif takes == "values" and about.labels then
    raise("%s takes no labels (dataset:one_hot() makes target columns of them)", name)
  elseif kind.probabilities and about.gives and not TO_PROBABILITIES[about.gives] then
    raise("%s needs probabilities, which \"softmax\" and \"sigmoid\" as the last activation give; "
      .. "these outputs are %s", name, about.gives)
  end
end

---What keeps this metric over batches: weigh(batch), count(), result(), reset(), state(),
---check_state(state), restorer(state). Raises where the metric cannot be told of such batches.
---@param about About
---@return Accumulator
function Metric:accumulator(about)
  check_fits(self.kind, about)
  return self.kind.new(self.options, about)
end

---The value for these outputs and targets.
---@param A Matrix         S_L x N
---@param T Matrix         S_L x N, or 1 x N labels
---@param weights? Matrix  1 x N or S_L x N
---@param given? { gives: "logits"|"probabilities"|"values"|nil, targets: "one"|"several"|nil }
---@return number
function Metric:__call(A, T, weights, given)
  local name = self.name or "metric"
  if not cores.is_matrix(A) then raise("%s: A: a matrix expected, got %s", name, show(A)) end
  if not cores.is_matrix(T) then raise("%s: T: a matrix expected, got %s", name, show(T)) end
  given = fields.check(classes.fields, given, name)
  local needs_several = self.takes == "several" and T.rows > 1
  local meter = Meter.new({ self }, {
    core = cores.of(A), outputs = A.rows, gives = given.gives,
    several = A.rows > 1 and (needs_several or given.targets == "several"),
    labels = T.rows == 1 and A.rows > 1,
  })
  return meter:add(A, T, weights).accumulators[1]:result()
end

local function new(kind, options)
  return setmetatable({
    name = options.name or kind.name, options = options, kind = kind, takes = kind.takes,
    more_is_better = kind.more_is_better,
  }, Metric)
end

local own_fields = {
  name = { "string", optional = true },
  compute = { "function" },
  more_is_better = { "boolean" },
}

local function accepts(value, name)
  if getmetatable(value) == Metric then return value end
  if type(value) == "function" then return new(sums.own({ name = name }, value), {}) end
  if type(value) ~= "table" or type(value.compute) ~= "function" then return nil end
  local own = fields.check(own_fields, value, "metric")
  own.name = own.name or name
  return new(sums.own(own, own.compute), {})
end

local metric = registry.family("metric", {
  make = new,
  accepts = accepts,
  expected = "a table { name =, compute = f(A, T, weights) --> number, more_is_better = }",
})

for _, group in ipairs { sums, counts, scores } do
  for _, kind in ipairs(group.kinds) do
    kind.fields = kind.fields or {}
    kind.fields.name = { "string", optional = true }
    metric:add(kind)
  end
end

local RESERVED = { epoch = true, loss = true, rate = true } -- other numbers of a record

local function check_name(name, taken)
  if not name then
    raise("metrics: one without a name, by which its value could be recorded (name = \"...\" gives "
      .. "it one)")
  elseif RESERVED[name] or name:find "^validation_" then
    raise("metrics: the name %s is that of another number in the history", show(name))
  elseif taken[name] then
    raise("metrics: two are called %s (name = \"...\" gives one of them another name)", show(name))
  end
  taken[name] = true
end

---A field that is a list of metrics. The value is a list of parts, each of another name.
---@param value any
---@return Metric[]?
---@return string?  nil and what was expected
---@return string?  then also what came, where that says more than the value itself
function fields.types.metrics(value)
  if type(value) ~= "table" or getmetatable(value) then return nil, "a list of metrics" end
  local parts, taken, count = {}, {}, 0
  for _ in pairs(value) do count = count + 1 end
  if count ~= #value then
    return nil, "a list of metrics", "a table with other fields (a description is one of the list: "
      .. "{ { \"top_k\", k = 3 } })"
  end
  for k = 1, count do
    parts[k] = metric:resolve(value[k])
    check_name(parts[k].name, taken)
  end
  return parts
end

return metric
