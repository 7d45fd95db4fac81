-- The error J and Delta^(L) = dJ/dA^(L). A loss is called as
--     J, Delta = loss(A, T [, Delta [, weights]])
-- and writes the gradient into Delta, allocates it when Delta is nil, and leaves it out when Delta
-- is false. J = sum of w_n J_n / sum of w_n: the mean over the samples, the paper's 1/N, when there
-- are no weights. Weights are 1 x N (samples) or S_L x N (single targets; then their sum counts by
-- S_L); a weight of 0 leaves its term out, whatever its target is.
--
-- One of your own is a function (A, T, Delta, weights) --> J, Delta, or a table that has it as
-- `compute`, and what others want to know of it: { name = "mine", compute = f, labels = false,
-- gives = "values" }.

local cores = require "perilune.cores"
local errors = require "perilune.errors"
local fields = require "perilune.fields"
local registry = require "perilune.registry"

local raise = errors.raise

---@class Loss
---@field name string?
---@field options table?
---@field labels boolean   T may be 1 x N labels, classes counted from 1
---@field gives? "logits"|"probabilities"|"values"   what the last layer must give it
---@field compute fun(A: Matrix, T: Matrix, Delta: Matrix|false|nil, weights: Matrix?): number,
---Matrix?
---@field is_own boolean?  one of the user's own
local Loss = {}
Loss.__index = Loss

---@param A Matrix          S_L x N
---@param T Matrix          S_L x N, or 1 x N labels
---@param Delta? Matrix|false
---@param weights? Matrix   1 x N or S_L x N
---@return number J, Matrix? Delta
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
  local name, rows, N = self.name, A.rows, A.cols
  local has_labels = T.rows == 1 and rows > 1
  if T.cols ~= N or (T.rows ~= rows and not (has_labels and self.labels)) then
    local or_labels = self.labels and rows > 1 and (" or 1 x %d labels"):format(N) or ""
    local hint = has_labels and not self.labels and " (it takes no labels)" or ""
    raise("%s: T: a %d x %d matrix%s expected, as A is, got %d x %d%s", name, rows, N,
      or_labels, T.rows, T.cols, hint)
  elseif Delta and (Delta.rows ~= rows or Delta.cols ~= N) then
    raise("%s: Delta: a %d x %d matrix expected, as A is, got %d x %d", name, rows, N,
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
local function explain(self, message, A, T, Delta, weights)
  local name, dtype = self.name, cores.is_matrix(A) and A.dtype or nil
  check_matrix(name, "A", A, dtype)
  check_matrix(name, "T", T, dtype)
  if Delta then check_matrix(name, "Delta", Delta, dtype) end
  if weights ~= nil then check_matrix(name, "weights", weights, dtype) end
  check_shapes(self, A, T, Delta, weights)
  errors.refused(name, { "Delta", "A", "T", "weights" }, message)
end

local function make(kind, options)
  local self = { name = kind.name, options = options, gives = kind.gives }
  self.labels = kind.labels or false
  local name = kind.name -- of the core's function, too
  function self.compute(A, T, Delta, weights)
    local core = cores.is_matrix(A) and cores.of(A)
    if not core then explain(self, "", A, T, Delta, weights) end
    if Delta == nil then Delta = core.matrix(A.rows, A.cols) end
    local ok, J = pcall(core[name], Delta or nil, A, T, weights)
    if not ok then explain(self, J, A, T, Delta, weights) end
    return J, Delta or nil
  end
  return setmetatable(self, Loss)
end

local outputs = { "logits", "probabilities", "values" }

local own_fields = {
  compute = { "function" },
  name = { "string", optional = true },
  labels = { "boolean", default = true },
  gives = { "choice", choices = outputs, optional = true },
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

loss:add {
  -- J = 1/(2N) sum over samples of |a - t|^2 (2.18), Delta = (A - T)/N (2.23)
  name = "squared_error",
  gives = "values",
}

loss:add {
  -- J = -1/N sum over samples of sum_i t_i log softmax(a)_i: softmax and cross-entropy in one, so A
  -- holds logits and the last layer is "identity". T: 1 x N labels (classes counted from 1), or S_L
  -- x N columns
  name = "softmax_cross_entropy",
  labels = true,
  gives = "logits",
}

return loss
