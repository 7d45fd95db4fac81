-- Samples and what is to be learnt of them.

local at_caller = require "perilune.at_caller"
local cores = require "perilune.cores"
local options = require "perilune.options"

---@class Dataset
---@field X Matrix|Bytes       S_0 x the number of samples held
---@field T Matrix             S_L x the same, or 1 x the same for labels
---@field has_classes boolean  T says each sample's class: labels from 1, or target columns
---@field classes string[]?    names of the classes
---@field inputs integer       S_0
---@field N integer            samples in this set: all held, or those of a part
local Dataset = {}
Dataset.__index = Dataset

local function check_labels(labels, count)
  for j = 1, labels.cols do
    local label = labels:get(1, j)
    if not math.tointeger(label) or label < 1 or (count and label > count) then
      error(("labels are whole numbers from 1 to %s: got %g for sample %d"):format(
        count or "...", label, j), 0)
    end
  end
end

-- A matrix, or a table of rows made one.
local function matrix_of(value, core, what)
  if cores.is_matrix(value) then return value end
  if type(value) == "table" then return core.matrix(value) end
  error(("%s: a matrix or a table expected, got %s"):format(what, type(value)), 0)
end

local function new(X, T, labels, classes)
  if type(X) == "table" and not X.gather then X = cores.float32.matrix(X) end
  if not cores.is_matrix(X) and type(X) ~= "table" then
    error(("X: a matrix, a table of rows or bytes expected, got %s"):format(type(X)), 0)
  end
  if (T and labels) or not (T or labels) then error("either T or labels expected", 0) end
  if classes and type(classes) ~= "table" then
    error(("classes: a table of names expected, got %s"):format(type(classes)), 0)
  end
  local core = cores[X.dtype or "float32"]
  if labels then
    T = matrix_of(type(labels) == "table" and { labels } or labels, core, "labels")
    if T.rows ~= 1 then
      error(("labels: 1 x N expected, got %d x %d"):format(T.rows, T.cols), 0)
    end
  else
    T = matrix_of(T, core, "T")
  end
  if T.cols ~= X.cols then
    error(("X has %d samples but %s has %d"):format(X.cols, labels and "labels" or "T",
      T.cols), 0)
  end
  if labels then check_labels(T, classes and #classes) end
  return setmetatable({
    X = X, T = T, has_classes = (labels or classes) ~= false, classes = classes or nil,
    inputs = X.rows, N = X.cols,
  }, Dataset)
end

---A dataset of X with target columns T or with labels.
---    pl.dataset{ X = S_0 x N, T = S_L x N }
---    pl.dataset{ X = S_0 x N, labels = {3, 1, ...}, classes = {"0", "1", ...} }
---X may be a matrix, a table of rows or bytes (perilune.data.bytes); labels a table or a 1 x N
---matrix, classes counted from 1. The matrices are kept, not copied.
---@param given table
---@return Dataset
function Dataset.new(given)
  local chosen = options(given, { T = false, labels = false, classes = false }, nil,
    { X = true })
  local self = at_caller(2, new, chosen.X, chosen.T, chosen.labels, chosen.classes)
  return self
end

-- A dataset like `self`, but for some fields.
local function with(self, changes)
  local changed = {}
  for key, value in pairs(self) do changed[key] = value end
  for key, value in pairs(changes) do changed[key] = value end
  return setmetatable(changed, Dataset)
end

local function part(self, indices)
  return with(self, { N = #indices, indices = indices })
end

---The columns of X and T that make up this set, in order: a new table.
---@return integer[]
function Dataset:columns()
  local columns = {}
  for k = 1, self.N do columns[k] = self.indices and self.indices[k] or k end
  return columns
end

---Column j of X and T = the held sample indices[first + j - 1].
---@param X Matrix   S_0 x any
---@param T Matrix   S_L x the same
---@param indices integer[]
---@param first? integer
function Dataset:gather(X, T, indices, first)
  if cores.is_matrix(self.X) then
    cores.of(X).gather(X, self.X, indices, first)
  else
    self.X:gather(X, indices, first)
  end
  cores.of(T).gather(T, self.T, indices, first)
end

---The same samples with target columns in place of labels: 1 for the class, 0 for the others.
---@param outputs? integer  S_L, default: the number of classes
---@return Dataset
function Dataset:one_hot(outputs)
  if self.T.rows > 1 or not self.has_classes then return self end
  local largest = math.tointeger(self.T:max())
  outputs = outputs or self.classes and #self.classes or largest
  if outputs < largest then
    error(("%d or more outputs expected, one for each class, got %s"):format(largest,
      tostring(outputs)), 2)
  end
  local T = cores.of(self.T).matrix(outputs, self.T.cols)
  for n = 1, self.T.cols do T:set(math.tointeger(self.T:get(1, n)), n, 1) end
  return with(self, { T = T })
end

---Two parts, the first with the given share of the samples, drawn at random. Nothing is copied.
---@param share number         in (0, 1)
---@param generator Generator
---@return Dataset, Dataset
function Dataset:split(share, generator)
  local is_share = type(share) == "number" and share > 0 and share < 1
  local count = is_share and math.floor(share * self.N + 0.5) or 0
  if count < 1 or count >= self.N then
    error(("a share that leaves samples in both parts of %d expected, got %s"):format(
      self.N, tostring(share)), 2)
  end
  if not cores.is_generator(generator) then
    error(("a generator expected, got %s"):format(type(generator)), 2)
  end
  local columns = generator:permutation(self:columns())
  return part(self, table.move(columns, 1, count, 1, {})),
    part(self, table.move(columns, count + 1, self.N, 1, {}))
end

---This set for a network of the given element type; itself where nothing has to be converted.
---@param dtype "float32"|"float64"
---@return Dataset
function Dataset:to(dtype)
  cores.named(dtype)
  local is_matrix = cores.is_matrix(self.X)
  if self.T.dtype == dtype and (not is_matrix or self.X.dtype == dtype) then
    return self
  end
  return with(self, { T = self.T:to(dtype), X = is_matrix and self.X:to(dtype) or nil })
end

function Dataset:__tostring()
  return ("%d samples of %d inputs, %s"):format(self.N, self.inputs, self.has_classes
    and (self.classes and ("%d classes"):format(#self.classes) or "labels")
    or ("%d targets"):format(self.T.rows))
end

return Dataset
