-- The error J and Delta^(L) = dJ/dA^(L). A loss is called as
--     J, Delta = loss(A, T [, Delta [, weights]])
-- and writes the gradient into Delta, allocates it when Delta is nil, and leaves it out when Delta
-- is false. Weights are 1 x N (samples) or S_L x N (single targets); a weight of 0 leaves its term
-- out, whatever its output and target are. What J is of the terms J_in, of output and target i of
-- sample n, follows from the option `reduction`:
--     "mean"       sum w_in J_in / W: over the samples, W = sum w_in / S_L, the paper's 1/N when
--                  there are no weights; or, in losses that have PyTorch's name, over all targets
--                  as PyTorch takes it, W = sum w_in. Each loss says which.
--     "batchmean"  over the samples where "mean" is not; of kl_divergence
--     "sum"        sum w_in J_in
-- Over batches J, a sum too, is the mean by what a loss gives as its third result: the total
-- weight, sum w_in / S_L.
--
-- One of your own is a function (A, T, Delta, weights) --> J, Delta, or a table that has it as
-- `compute`, and what others want to know of it: { name = "mine", compute = f, labels = false,
-- gives = "logits", targets = "several" }.

local cores = require "perilune.cores"
local errors = require "perilune.errors"
local fields = require "perilune.fields"
local gives = require "perilune.gives"
local registry = require "perilune.registry"

local raise = errors.raise

---@class Loss
---@field name string?
---@field options table?
---@field labels boolean|"only"  T may be 1 x N labels, classes counted from 1, or must be
---@field gives? "logits"|"probabilities"|"log_probabilities"|"values"  what the last layer must
---give it
---@field applies? string        the activation that it applies itself to what it is given
---@field targets? "values"|"one"|"several"  what they say of a sample: numbers, one class, or for
---each output whether it holds
---@field range? number[]        { least, most } of the targets; nil: all numbers
---@field compares? boolean      outputs are to become the targets: an activation has to reach them
---@field outputs_per_target? integer  outputs that one target is compared with; nil: 1
---@field squares boolean       J is a sum of c/2 (a - t)^2 over single targets, c by their weights
---@field compute fun(A: Matrix, T: Matrix, Delta: Matrix|false|nil, weights: Matrix?): number,
---Matrix?, number?
---@field is_own boolean?        one of the user's own
local Loss = {}
Loss.__index = Loss

---@param A Matrix          S_L x N
---@param T Matrix          S_L x N, or 1 x N labels
---@param Delta? Matrix|false
---@param weights? Matrix   1 x N or S_L x N
---@return number J, Matrix? Delta, number? total_weight
function Loss:__call(A, T, Delta, weights)
  return self.compute(A, T, Delta, weights)
end

local function check_matrix(name, letter, M, dtype)
  if not cores.is_matrix(M) then
    raise("%s: %s: a matrix expected, got %s", name, letter, errors.show(M))
  elseif M.dtype ~= dtype then
    raise("%s: %s: a matrix of %s expected, as A is, got one of %s (%s:to(%q) converts)",
      name, letter, dtype, M.dtype, letter, dtype)
  end
end

local function check_shapes(self, A, T, Delta, weights)
  local name, N = self.name, A.cols
  local per_target = self.outputs_per_target or 1
  if A.rows % per_target ~= 0 then
    raise("%s: A: %d rows for each target expected, got %d x %d", name, per_target, A.rows, N)
  end
  local rows = A.rows // per_target
  local has_labels = T.rows == 1 and rows > 1
  if T.cols ~= N or (T.rows ~= rows and not (has_labels and self.labels)) then
    local or_labels = self.labels and rows > 1 and (" or 1 x %d labels"):format(N) or ""
    local hint = has_labels and not self.labels and " (it takes no labels)" or ""
    local why = per_target == 1 and "as A is" or ("as A is %d x %d"):format(A.rows, N)
    raise("%s: T: a %d x %d matrix%s expected, %s, got %d x %d%s", name, rows, N,
      or_labels, why, T.rows, T.cols, hint)
  elseif Delta and (Delta.rows ~= A.rows or Delta.cols ~= N) then
    raise("%s: Delta: a %d x %d matrix expected, as A is, got %d x %d", name, A.rows, N,
      Delta.rows, Delta.cols)
  end
  local fits = not weights
    or weights.cols == N and (weights.rows == 1 or weights.rows == rows)
  if not fits then
    raise("%s: weights: a 1 x %d or %d x %d matrix expected, got %d x %d", name, N, rows,
      N, weights.rows, weights.cols)
  end
end

-- Say in the user's words what the core has refused, which then has written nothing. Only now are
-- the arguments looked at in Lua: a call that succeeds is checked once, in C.
local function explain(self, passes, message, A, T, Delta, weights)
  local name, dtype = self.name, cores.is_matrix(A) and A.dtype or nil
  check_matrix(name, "A", A, dtype)
  check_matrix(name, "T", T, dtype)
  if Delta then check_matrix(name, "Delta", Delta, dtype) end
  if weights ~= nil then check_matrix(name, "weights", weights, dtype) end
  check_shapes(self, A, T, Delta, weights)
  errors.refused(name, { "Delta", "A", "T", "weights", "reduction", table.unpack(passes) }, message)
end

-- What the core's function takes after the weights: lists as columns, yes and no as 1 and 0
local function arguments(core, passes, options)
  local list = { n = 1 + #passes, options.reduction }
  for k, name in ipairs(passes) do
    local value = options[name]
    if type(value) == "table" then
      local column = core.matrix(#value, 1)
      for i, x in ipairs(value) do column:set(i, 1, x) end
      value = column
    elseif type(value) == "boolean" then
      value = value and 1 or 0
    end
    list[1 + k] = value
  end
  return list
end

local NONE = {}

local function make(kind, options)
  local self = {
    name = kind.name, options = options, labels = kind.labels or false, gives = kind.gives,
    applies = kind.applies, targets = kind.targets, range = kind.range,
    compares = kind.compares, outputs_per_target = kind.outputs_per_target,
    squares = kind.squares or false,
  }
  local name, passes = kind.name, kind.passes or NONE -- the name is the core's function's, too
  local of_core = {}
  function self.compute(A, T, Delta, weights)
    local core = cores.is_matrix(A) and cores.of(A)
    if not core then explain(self, passes, "", A, T, Delta, weights) end
    local given = of_core[core]
    if not given then
      given = arguments(core, passes, options)
      of_core[core] = given
    end
    if Delta == nil then Delta = core.matrix(A.rows, A.cols) end
    local ok, J, total = pcall(core[name], Delta or nil, A, T, weights,
      table.unpack(given, 1, given.n))
    if not ok then explain(self, passes, J, A, T, Delta, weights) end
    return J, Delta or nil, total
  end
  return setmetatable(self, Loss)
end

local own_fields = {
  compute = { "function" },
  name = { "string", optional = true },
  labels = { "boolean", default = true },
  gives = gives,
  squares = { "boolean", default = false },
  targets = { "choice", choices = { "values", "one", "several" }, optional = true },
}

local function accepts(value)
  if getmetatable(value) == Loss then return value end
  if type(value) == "function" then value = { compute = value } end
  if type(value) ~= "table" or type(value.compute) ~= "function" then return nil end
  local own = fields.check(own_fields, value, "loss")
  own.is_own = true
  return setmetatable(own, Loss)
end

local loss = registry.family("loss", {
  make = make,
  accepts = accepts,
  expected = "a function (A, T, Delta) --> J, Delta",
})

-- A kind states, beside its facts, what its core function is passed after the shared arguments:
-- the names of its options, in order.
for _, kinds in ipairs { require "perilune.loss.values", require "perilune.loss.classes" } do
  for _, kind in ipairs(kinds) do
    kind.fields = kind.fields or {}
    kind.fields.reduction = kind.fields.reduction
      or { "choice", choices = { "mean", "sum" }, optional = true }
    loss:add(kind)
  end
end

return loss
