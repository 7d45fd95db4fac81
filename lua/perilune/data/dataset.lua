-- Samples and what is to be learnt of them. A set holds its data, or is a subset of one that does:
-- a subset copies nothing, and is used like any other set. Its own X, T and weights are made when
-- they are asked for.
--
-- The library's loops need not ask: `source` is the set that holds the data (of a whole set
-- itself), `chosen` lists this set's columns there (nil for a whole set: all of them), and
-- `gather_unchecked` gathers them, in one call of C for each of X, T and weights.

local Buffer = require "perilune.buffer"
local Stored = require "perilune.data.stored"
local check_indices = require "perilune.data.indices"
local cores = require "perilune.cores"
local errors = require "perilune.errors"
local fields = require "perilune.fields"
local given = require "perilune.data.given"
local nonfinite = require "perilune.nonfinite"
local samples = require "perilune.data.samples"
local schema = require "perilune.data.schema"
local splits = require "perilune.data.splits"

local raise, show = errors.raise, errors.show

local CHUNK = 65536 -- elements that `chunks` gives at once
local LIST = { "table" }

---@class Dataset
---@field X Matrix|Bytes|Stored  S_0 x N
---@field T Matrix|Stored      S_L x N, or 1 x N labels
---@field weights Matrix?      of the samples, 1 x N, or of single targets, S_L x N
---@field has_labels boolean   T holds labels, whole numbers from 1
---@field has_classes boolean  T says each sample's class: labels, or columns of targets
---@field classes string[]?    names of the classes
---@field inputs integer       S_0
---@field targets integer      rows of T
---@field schema table[]?      what the rows of X mean (perilune.data.schema)
---@field target string?       what T says, the name of a table's column
---@field N integer            samples
---@field source Dataset       the set that holds the data
local Dataset = { __name = "dataset" }

local function columns_of(source, letter, chosen)
  local S = source[letter]
  if not cores.is_matrix(S) then return S and S:choose(chosen) end
  local core = cores.of(S)
  return core.gather(core.matrix(S.rows, #chosen), S, chosen)
end

local made_when_asked = { X = true, T = true, weights = true }

function Dataset:__index(key)
  local chosen = made_when_asked[key] and rawget(self, "chosen")
  if not chosen then return Dataset[key] end
  local value = columns_of(self.source, key, chosen)
  rawset(self, key, value)
  return value
end

-- What sets of the same data have in common
local COMMON = { "classes", "has_labels", "has_classes", "schema", "target" }

local function whole(data)
  data.inputs, data.targets, data.N = data.X.rows, data.T.rows, data.X.cols
  data.source = data
  return setmetatable(data, Dataset)
end

---A set that holds these data, and has all else in common with this one. For the library's own use:
---nothing is checked.
---@param data { X: Matrix|Bytes, T: Matrix, weights: Matrix?, has_labels: boolean? }
---@return Dataset
function Dataset:holding(data)
  for _, name in ipairs(COMMON) do
    if data[name] == nil then data[name] = rawget(self, name) end
  end
  return whole(data)
end

---A subset of these samples, in this order; of those that stay in a file in the file's, in which
---they are read. For the library's own use, which has checked them; for others there is `take`.
---@param list integer[]  of this set, from 1 to N; kept
---@return Dataset
function Dataset:subset(list)
  local source, chosen = self.source, list
  if self.chosen then
    chosen = {}
    for k, n in ipairs(list) do chosen[k] = self.chosen[n] end
  end
  if Stored.is_stored(source.X) then
    chosen = table.move(chosen, 1, #chosen, 1, {})
    table.sort(chosen)
  end
  local part = {
    source = source, chosen = chosen, N = #chosen, inputs = source.inputs, targets = source.targets,
  }
  for _, name in ipairs(COMMON) do part[name] = rawget(source, name) end
  return setmetatable(part, Dataset)
end

-- This set, with some of its source's data in another form
local function changed(self, changes)
  local old = self.source
  local source = old:holding {
    X = changes.X or old.X, T = changes.T or old.T,
    weights = changes.weights or old.weights,
    has_labels = old.has_labels and not changes.has_targets,
  }
  return self.chosen and source:subset(self.chosen) or source
end

local declared = {
  X = { "value" },
  T = { "value", optional = true },
  labels = { "value", optional = true },
  classes = { "names", optional = true },
  weights = { "value", optional = true },
  schema = { "table", optional = true },
  target = { "string", optional = true },
}

---A dataset of X with target columns T or with labels.
---    pl.dataset { X = S_0 x N, T = S_L x N }
---    pl.dataset { X = S_0 x N, labels = { 3, 1, ... }, classes = { "0", "1", ... } }
---    pl.dataset { X = S_0 x N, labels = { "cat", "dog", ... }, classes = { "cat", "dog" } }
---X may be a matrix, a table of rows, bytes (perilune.data.bytes) or samples that stay in a file
---(perilune.data.stored); T a matrix or a table of rows;
---labels a list or a 1 x N matrix of classes counted from 1, or a list of names of `classes`;
---weights, finite numbers of 0 or more, a list, a table of rows or a matrix: 1 x N for samples, S_L
---x N for single targets (for labels S_L is the number of classes); schema, what the rows of X mean
---(perilune.data.schema), and target, the name of what T says. Tables become matrices of X's
---type, float32 for bytes. Matrices are kept, not copied, unless they are stored by rows, and must
---not change while the set is used.
---@param options { X: any, T: any, labels: any, classes: string[]?, weights: any, schema: table[]?,
---target: string? }
---@return Dataset
function Dataset.new(options)
  options = fields.check(declared, options, "pl.dataset")
  local labels, classes = options.labels, options.classes
  if (options.T == nil) == (labels == nil) then
    raise("pl.dataset: either T or labels expected, got %s",
      labels and "both" or "neither")
  end
  local X = given.samples(options.X)
  local core = cores[X.dtype or "float32"]
  local T = labels and given.labels(labels, core, classes)
    or given.targets(options.T, core, classes)
  if T.cols ~= X.cols then
    raise("X has %d samples but %s has %d", X.cols, labels and "labels" or "T", T.cols)
  end
  local weights
  if options.weights then
    local S_L = labels and (classes and #classes or math.tointeger(T:max())) or T.rows
    weights = given.weights(options.weights, core, T, S_L)
  end
  return whole {
    X = X, T = T, weights = weights, classes = classes, has_labels = labels ~= nil,
    has_classes = labels ~= nil or classes ~= nil,
    schema = options.schema and schema.check(options.schema, X.rows), target = options.target,
  }
end

---Raise unless `value` is a dataset.
---@param value any
---@param what? string  what it is for, for the message
function Dataset.check(value, what)
  if getmetatable(value) ~= Dataset then
    raise("%sa dataset expected, got %s (pl.dataset { X =, T = } makes one)",
      what and what .. ": " or "", show(value))
  end
end

---The columns of this set's X, T and weights, 1 to N: a new table.
---@return integer[]
function Dataset:columns()
  local columns = {}
  for n = 1, self.N do columns[n] = n end
  return columns
end

---The columns of the source that make up this set, in order.
---@param order? integer[]  a table of N to be filled, made when absent
---@return integer[]
function Dataset:order(order)
  order = order == nil and {} or fields.value("order", order, LIST)
  if self.chosen then return table.move(self.chosen, 1, self.N, 1, order) end
  for n = 1, self.N do order[n] = n end
  return order
end

-- Columns of one quantity of a set that holds its data
local function take(M, S, columns, first)
  if cores.is_matrix(S) then return cores.of(M).gather(M, S, columns, first) end
  return S:take(M, columns, first)
end

---As gather, of a set that holds its data, without checks but those of C: for the library's own
---loops.
---@param X Matrix
---@param T Matrix
---@param columns integer[]?  nil for all, in order
---@param first? integer
---@param weights? Matrix
function Dataset:gather_unchecked(X, T, columns, first, weights)
  take(X, self.X, columns, first)
  take(T, self.T, columns, first)
  if weights then take(weights, self.weights, columns, first) end
end

local function check_result(M, what, rows, dtype, count)
  local is_matrix = cores.is_matrix(M)
  local fits = is_matrix and M.rows == rows and M.cols == count and M.order == "columns"
    and (dtype == nil or M.dtype == dtype)
  if fits then return end
  raise("%s: a %d x %d matrix%s, stored by columns, expected, got %s%s", what, rows,
    count, dtype and " of " .. dtype or "", show(M),
    is_matrix and " of " .. M.dtype or "")
end

-- Raise unless the matrices to be written share no memory with each other or with the set's data:
-- what is gathered first would change what is gathered after it.
local function check_apart(source, results)
  local others = { source.X, source.T, source.weights or nil }
  for _, letter in ipairs { "X", "T", "weights" } do
    local M = results[letter]
    for _, other in ipairs(M and others or {}) do
      local is_alike = cores.is_matrix(other) and other.dtype == M.dtype
      if is_alike and cores.of(M).shares_memory(M, other) then
        raise("%s: a matrix expected that shares no memory with the others and the set's", letter)
      end
    end
    others[#others + 1] = M
  end
end

---Column j of X, T and weights = those of sample indices[first + j - 1].
---@param X Matrix            S_0 x any, of the set's type (of either for bytes), stored by columns
---@param T Matrix            S_L x as many
---@param indices integer[]   samples of this set, from 1 to N
---@param first? integer      default 1
---@param weights? Matrix     as many rows as the set's weights, likewise
---@return Matrix X, Matrix T
function Dataset:gather(X, T, indices, first, weights)
  local source = self.source
  local count = cores.is_matrix(X) and X.cols or 1
  check_result(X, "X", self.inputs, source.X.dtype, count)
  check_result(T, "T", self.targets, source.T.dtype, count)
  if weights ~= nil then
    local held = source.weights
    if not held then raise("weights: none expected, as the set has none") end
    check_result(weights, "weights", held.rows, held.dtype, count)
  end
  first = check_indices(indices, first, count, self.N)
  check_apart(source, { X = X, T = T, weights = weights })
  if self.chosen then
    local columns = {}
    for j = 1, count do columns[j] = self.chosen[fields.whole(indices[first + j - 1])] end
    indices, first = columns, 1
  end
  source:gather_unchecked(X, T, indices, first, weights)
  return X, T
end

local LETTER = { "choice", choices = { "X", "T", "weights" } }

---X, T or weights in order, some columns at a time: for first, M in dataset:chunks "X" do ... end
---@param letter "X"|"T"|"weights"
---@return fun(): integer?, Matrix?  the place of M's first column in the set; M, of the data's
---type, float32 for bytes; valid until the next chunk
function Dataset:chunks(letter)
  local S, next_first = self.source[fields.value("letter", letter, LETTER)], 1
  if not S then raise("weights: the set has none") end
  local buffer = Buffer.new(cores[S.dtype or "float32"], S.rows)
  local most = math.max(1, CHUNK // S.rows)
  return function()
    local first = next_first
    if first > self.N then return nil end
    local M = buffer:columns(math.min(most, self.N - first + 1))
    next_first = first + M.cols
    return first, take(M, S, self.chosen, first)
  end
end

-- Raise where a label is not from 1 to `most`, with message(most, label, sample). All were at least
-- 1 when the set was made, but their matrix may have been changed.
local function check_labels(self, most, message)
  local labels = self.source.T
  if labels:min() >= 1 and labels:max() <= most then return end
  for n = 1, self.N do
    local label = labels:get(1, self.chosen and self.chosen[n] or n)
    if not (label >= 1 and label <= most) then raise(message, most, show(label), n) end
  end
end

local function check_weights(self, outputs)
  local weights = self.source.weights
  if weights and weights.rows ~= 1 and weights.rows ~= outputs then
    raise("weights: 1 x N%s expected for %s, got %d x N",
      outputs > 1 and (" or %d x N"):format(outputs) or "",
      outputs > 1 and outputs .. " outputs" or "one output", weights.rows)
  end
end

---The same samples with target columns in place of labels: 1 for the class, 0 for the others. A set
---without labels is given as it is.
---@param outputs? integer  S_L, default: the number of classes, or where they have no names the
---largest label of the source
---@return Dataset
function Dataset:one_hot(outputs)
  if not self.has_labels then return self end
  local labels = self.source.T
  local classes = self.classes and #self.classes or math.tointeger(labels:max())
  outputs = fields.value("outputs", outputs == nil and classes or outputs, { "count" })
  local most = cores.MOST_ELEMENTS // labels.cols
  if outputs > most then
    raise("outputs: at most %d expected for %d samples, got %d", most, labels.cols, outputs)
  end
  check_labels(self, outputs, "outputs: one for each class expected, got %d, and label "
    .. "%s for sample %d")
  check_weights(self, outputs)
  local T = cores.of(labels).matrix(outputs, labels.cols)
  for n = 1, labels.cols do
    local label = fields.whole(labels:get(1, n))
    if not label then
      raise("labels: whole numbers expected, got %s for sample %d", show(labels:get(1, n)), n)
    end
    if label >= 1 and label <= outputs then T:set(label, n, 1) end
  end
  return changed(self, { T = T, has_targets = true })
end

---The class of each sample, whether T holds labels or columns of targets.
---@param what string  what it is for, for the message where there are no classes
---@return Matrix      1 x N, whole numbers from 1; not to be written to
function Dataset:class_labels(what)
  if not self.has_classes then
    raise("%s: a dataset with classes expected, got %s", what, show(self))
  end
  local T = self.T
  if self.has_labels then
    if not T:is_finite() then raise("labels: whole numbers expected, some are not finite") end
    return T
  end
  return T.rows > 1 and T:argmax() or T:map(function(t) return t >= 0.5 and 2 or 1 end)
end

---Weights of the samples by which all classes count alike, however many samples they have: N / (K
---N_k) for one of class k, which N_k of this set's N samples have, of K classes that have any. To
---train with them make a set that has them,
---    pl.dataset { X = set.X, labels = set.T, weights = set:balanced_weights() }
---or give them to the loss in a loop of your own. Weights that the set has are multiplied by them,
---and count for nothing else; those of single targets are refused.
---@return Matrix  1 x N, of T's type
function Dataset:balanced_weights()
  local labels, own = self:class_labels "balanced_weights", self.weights
  if own and own.rows ~= 1 then
    raise("balanced_weights: weights of samples expected where there are some, got %s", show(own))
  end
  local counts, K = {}, 0
  for n = 1, self.N do
    local label = labels:get(1, n)
    if not counts[label] then K = K + 1 end
    counts[label] = (counts[label] or 0) + 1
  end
  local weights = labels:map(function(label) return self.N / (K * counts[label]) end)
  return own and weights:hadamard(own) or weights
end

---This set for a network of `outputs` outputs: itself, or for labels and one output a set with the
---targets 0 and 1, 1 for the second class. Raises for labels that the outputs cannot tell apart.
---@param outputs integer  S_L
---@return Dataset
function Dataset:for_outputs(outputs)
  outputs = fields.value("outputs", outputs, { "count" })
  if not self.has_labels then return self end
  if outputs > 1 then
    check_labels(self, outputs, "labels 1 to %d expected, one for each output, got %s "
      .. "for sample %d")
    return self
  end
  check_labels(self, 2, "labels 1 to %d expected for one output, which tells two classes "
    .. "apart, got %s for sample %d: more classes need an output each")
  check_weights(self, 1)
  local T = self.source.T:map(function(label) return label == 2 and 1 or 0 end)
  return changed(self, { T = T, has_targets = true })
end

---This set as a network is trained on it: for its outputs, as for_outputs says, and where its last
---layer is `units` with scaled targets. Loops of one's own go over batches of it.
---@param net Network
---@return Dataset
function Dataset:for_network(net)
  local set, units = self:for_outputs(net.outputs), net.units
  if not units then return set end
  if set.has_labels or set.targets ~= net.outputs then
    raise("the network's units are those of %d target%s, which are numbers, got %s", net.outputs,
      net.outputs == 1 and "" or "s", set.has_labels and "labels" or set.targets)
  end
  return changed(set, { T = units:scale(set.source.T) })
end

---This set for a network of the given element type; itself where nothing has to be converted. Bytes
---stay bytes.
---@param dtype "float32"|"float64"
---@return Dataset
function Dataset:to(dtype)
  cores.named(dtype)
  local changes = {}
  for letter in pairs(made_when_asked) do
    local M = self.source[letter]
    if cores.is_matrix(M) and M.dtype ~= dtype then changes[letter] = M:to(dtype) end
  end
  return next(changes) and changed(self, changes) or self
end

-- Whether the loss leaves out the target in row i of sample n, whatever it is
local function is_left_out(self, i, n)
  local weights, column = self.source.weights, self.chosen and self.chosen[n] or n
  return weights ~= nil and weights:get(weights.rows > 1 and i or 1, column) == 0
end

-- `may_be_missing`: NaN is none of those that are looked for.
local function first_nonfinite(self, letter, may_be_missing)
  local M = self.source[letter]
  local may_be = Stored.is_stored(M) and not M.is_finite
    or cores.is_matrix(M) and not M:is_finite()
  if not may_be then return nil end
  for first, chunk in self:chunks(letter) do
    local i, j = nonfinite.find(chunk, function(i, j, x)
      if letter == "T" then return is_left_out(self, i, first + j - 1) end
      return may_be_missing and x ~= x
    end)
    if i then return i, first + j - 1 end
  end
end

---Where the first number is that is NaN or infinite; a target whose weight is 0 may be anything.
---@param may_be_missing? boolean  NaN in X says that a cell is missing, and is none of these
---@return "X"|"T"|nil letter  nil where all are finite
---@return integer? row
---@return integer? column
function Dataset:find_nonfinite(may_be_missing)
  for _, letter in ipairs { "X", "T" } do
    local row, column = first_nonfinite(self, letter, may_be_missing)
    if row then return letter, row, column end
  end
end

---A checksum of the numbers of X, T and weights, in order, with their shapes and types: sets that
---have the same are, but for an accident, the same. Bytes count as the float32 numbers that they
---become. It is computed once.
---@return string  CRC-32, 8 hexadecimal digits
function Dataset:checksum()
  self.crc = self.crc or require "perilune.data.checksum"(self)
  return self.crc
end

function Dataset:__tostring()
  local learnt = ("%d targets"):format(self.targets)
  if self.has_classes then
    learnt = self.classes and ("%d classes"):format(#self.classes) or "labels"
  end
  return ("%d samples of %d inputs, %s%s"):format(self.N, self.inputs, learnt,
    self.source.weights and ", weighted" or "")
end

-- Methods that have files of their own
for _, methods in ipairs { samples, splits } do
  for name, method in pairs(methods) do Dataset[name] = method end
end

return Dataset
