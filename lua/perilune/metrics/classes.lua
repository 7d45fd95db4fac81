-- The class of each sample, as a network's outputs say it and as targets do. Classes count from 1.
-- One output for two classes is the second's: its logit, or its probability or value from 0 to 1.
-- Where a sample may have several labels at once, each output is such a one, of its own label.

local cores = require "perilune.cores"
local errors = require "perilune.errors"
local fields = require "perilune.fields"
local gives_field = require "perilune.gives"
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

-- -1 is what some losses have in place of 0.
local function check_target(t, n)
  if t >= 0 and t <= 1 or t == -1 then return end
  raise("T: targets from 0 to 1 expected for one output, got %s for sample %d "
    .. "(dataset:for_outputs(1) makes such ones of labels, as pl.evaluate does)", show(t), n)
end

-- Raise where column n has not one largest element alone; one with NaN says nothing.
local function check_single(T, n, sample)
  local get, largest, count = T.get, -math.huge, 0
  for i = 1, T.rows do
    local t = get(T, i, n)
    if t > largest then
      largest, count = t, 1
    elseif t == largest then
      count = count + 1
    elseif t ~= t then
      return
    end
  end
  if count > 1 then
    raise("T: one class for each sample expected, got several largest targets for sample %d "
      .. "(several labels at once need a loss for such, or targets = \"several\")", sample)
  end
end

---Raise unless A and T are matrices of the same samples, T with labels or as many rows as A.
classes.check_shapes = check_shapes

---Raise unless the outputs A and the targets T are of the same samples and say a class of each.
---@param A any  S_L x N outputs
---@param T any  1 x N labels, or S_L x N target columns
function classes.check(A, T)
  check_shapes(A, T)
  local n = nonfinite.find_nan(A)
  if n then raise("A is NaN for sample %d", n) end
  n = T.rows > 1 and nonfinite.find_nan(T)
  if n then raise("T is NaN for sample %d", n) end
  if A.rows > 1 and T.rows == 1 then return check_labels(T, A.rows) end
  for k = 1, T.cols do
    if T.rows == 1 then check_target(T:get(1, k), k) else check_single(T, k, k) end
  end
end

-- Whether sample n of the dataset counts nothing, or nothing is known of its target.
local function is_left_out(dataset, n, t)
  local weights = dataset.weights
  return t ~= t or (weights ~= nil and weights.rows == 1 and weights:get(1, n) == 0)
end

---Raise unless the targets of a dataset say one class for each sample that counts. Labels have been
---looked at where the dataset met the network.
---@param dataset Dataset  for the network's outputs: see Dataset:for_outputs
function classes.check_dataset(dataset)
  if dataset.has_labels then return end
  for first, T in dataset:chunks "T" do
    for k = 1, T.cols do
      local n, t = first + k - 1, T:get(1, k)
      if not is_left_out(dataset, n, t) then
        if T.rows == 1 then check_target(t, n) else check_single(T, k, n) end
      end
    end
  end
end

local function check_range(T)
  local low, high = T:min(), T:max()
  if low < -1 or high > 1 then
    raise("T: targets from 0 to 1, or -1 and 1, expected, got some from %s to %s", show(low),
      show(high))
  end
end

---Raise unless the targets of a dataset are such as those of several labels.
---@param dataset Dataset
function classes.check_dataset_of_labels(dataset)
  for _, T in dataset:chunks "T" do check_range(T) end
end

---Raise unless A and T are of the same samples and labels: an output and a target for each.
---@param A any  S_L x N outputs
---@param T any  S_L x N targets from 0 to 1, or -1 and 1
function classes.check_several(A, T)
  check_shapes(A, T)
  if T.rows ~= A.rows then raise("T: %d rows expected, one for each label, got 1", A.rows) end
  local n = nonfinite.find_nan(A)
  if n then raise("A is NaN for sample %d", n) end
  check_range(T)
end

---What has to be said of outputs and targets, where no network and no loss say it: what outputs
---are, and whether a sample has one class or may have several labels at once.
classes.fields = {
  gives = gives_field,
  targets = { "choice", choices = { "one", "several" }, optional = true },
}

---Raise unless `gives` is a word for what outputs are.
---@param gives any
---@return string?
function classes.check_gives(gives)
  return gives ~= nil and fields.value("gives", gives, classes.fields.gives) or nil
end

---Where an output says yes: half a probability, which is a logit of 0.
---@param gives? string
---@return number
function classes.threshold(gives)
  return gives == "logits" and 0 or 0.5
end

-- 2 where the number reaches the threshold, else 1
local function second_where(M, threshold, result)
  local core = cores.of(M)
  result = core.less_equal(result or core.matrix(1, M.cols), threshold, M)
  return core.add(result, result, 1)
end

---The class that each column of outputs says: the row of the largest, or of a single output whether
---it is at least one half, of a single logit 0.
---@param A Matrix         S_L x N, without NaN
---@param gives? string    what A is: "logits", "probabilities" or "values"
---@param result? Matrix   1 x N, allocated when absent
---@return Matrix          1 x N
function classes.predicted(A, gives, result)
  if A.rows > 1 then return A:argmax(result) end
  return second_where(A, classes.threshold(gives), result)
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
