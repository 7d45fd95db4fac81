-- The class of each sample, as a network's outputs say it and as targets do. Classes count from 1.
-- One output for two classes is the second's: its logit, or its probability or value from 0 to 1.

local cores = require "perilune.cores"
local errors = require "perilune.errors"
local fields = require "perilune.fields"
local nonfinite = require "perilune.nonfinite"

local raise, show = errors.raise, errors.show

local classes = {}

local function check_shapes(A, T)
  if not cores.is_matrix(A) then raise("A: a matrix expected, got %s", show(A)) end
  if not cores.is_matrix(T) then raise("T: a matrix expected, got %s", show(T)) end
  if T.dtype ~= A.dtype then
    raise("T is %s and A is %s (T:to(%q) converts)", T.dtype, A.dtype, A.dtype)
  elseif T.cols ~= A.cols then
    raise("A has %d samples but T has %d", A.cols, T.cols)
  elseif T.rows ~= 1 and T.rows ~= A.rows then
    raise("T: %d rows, as A has, or 1 of labels expected, got %d", A.rows, T.rows)
  end
end

local function check_labels(T, most)
  local get = T.get
  for n = 1, T.cols do
    local label = get(T, 1, n)
    if not (label >= 1 and label <= most) or label % 1 ~= 0 then
      raise("T: labels 1 to %d expected, got %s for sample %d", most, show(label), n)
    end
  end
end

local function check_targets(T)
  for n = 1, T.cols do
    local t = T:get(1, n)
    if not (t >= 0 and t <= 1) then
      raise("T: targets from 0 to 1 expected for one output, got %s for sample %d "
        .. "(dataset:for_outputs(1) makes such ones of labels, as pl.evaluate does)",
        show(t), n)
    end
  end
end

---Raise unless the outputs A and the targets T are of the same samples and say a class of each.
---@param A any  S_L x N outputs
---@param T any  1 x N labels, or S_L x N target columns
function classes.check(A, T)
  check_shapes(A, T)
  local n = nonfinite.find_nan(A)
  if n then raise("A is NaN for sample %d", n) end
  n = T.rows > 1 and nonfinite.find_nan(T)
  if n then raise("T is NaN for sample %d", n) end
  if A.rows == 1 then
    check_targets(T)
  elseif T.rows == 1 then
    check_labels(T, A.rows)
  end
end

local GIVES = { "choice", choices = { "logits", "probabilities", "values" } }

---Raise unless `gives` is a word for what outputs are.
---@param gives any
---@return string?
function classes.check_gives(gives)
  return gives ~= nil and fields.value("gives", gives, GIVES) or nil
end

-- 2 where the number reaches the threshold, else 1
local function second_where(M, threshold, result)
  result = result or cores.of(M).matrix(1, M.cols)
  local get, set = M.get, M.set
  for n = 1, M.cols do set(result, 1, n, get(M, 1, n) >= threshold and 2 or 1) end
  return result
end

---The class that each column of outputs says: the row of the largest, or of a single output whether
---it is at least one half, of a single logit 0.
---@param A Matrix         S_L x N, without NaN
---@param gives? string    what A is: "logits", "probabilities" or "values"
---@param result? Matrix   1 x N, allocated when absent
---@return Matrix          1 x N
function classes.predicted(A, gives, result)
  if A.rows > 1 then return A:argmax(result) end
  return second_where(A, gives == "logits" and 0 or 0.5, result)
end

---The class that each column of targets says: labels as they are, the row of the largest, of a
---single target whether it is at least one half.
---@param T Matrix         1 x N or S_L x N, without NaN
---@param outputs integer  S_L
---@param result? Matrix   1 x N, allocated when absent
---@return Matrix          1 x N: T itself for labels
function classes.actual(T, outputs, result)
  if T.rows > 1 then return T:argmax(result) end
  return outputs > 1 and T or second_where(T, 0.5, result)
end

return classes
