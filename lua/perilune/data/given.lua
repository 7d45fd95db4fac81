-- What pl.dataset is given, checked and made matrices: tables of rows, labels, names of classes,
-- weights.

local Stored = require "perilune.data.stored"
local cores = require "perilune.cores"
local errors = require "perilune.errors"
local fields = require "perilune.fields"
local stands_in = require "perilune.data.stands_in"

local raise, show = errors.raise, errors.show

local given = {}

-- Samples are gathered column by column: a matrix that is stored by rows is copied, once.
local function by_columns(M)
  return M.order == "columns" and M or M:copy()
end

-- A row as a table of its own: what has been checked is not read again.
local function row_of(row, i, cols, what)
  if type(row) ~= "table" then
    raise("%s: a table of rows expected, got %s as row %d", what, show(row), i)
  end
  local count, numbers = fields.length(row, what), {}
  if count ~= cols then
    raise("%s: rows of one length expected, got %d numbers in row 1 and %d in row %d",
      what, cols, count, i)
  end
  for j = 1, cols do
    local x = row[j]
    if type(x) ~= "number" then
      raise("%s: a number expected in row %d, column %d, got %s", what, i, j, show(x))
    end
    numbers[j] = x
  end
  return numbers
end

-- A matrix as it is, or one of a table of rows
local function matrix_of(value, core, what)
  if cores.is_matrix(value) then return by_columns(value) end
  if type(value) ~= "table" then
    raise("%s: a matrix or a table of rows expected, got %s", what, show(value))
  end
  local count, first, rows = fields.length(value, what), value[1], {}
  local cols = type(first) == "table" and fields.length(first, what) or 1
  if count == 0 or cols == 0 then raise("%s: numbers expected, got an empty table", what) end
  for i = 1, count do rows[i] = row_of(value[i], i, cols, what) end
  return core.matrix(rows)
end

---@param X any            a matrix, a table of rows, bytes or samples in a file
---@return Matrix|Bytes|Stored  S_0 x N
function given.samples(X)
  if stands_in(X) then return X end
  if type(X) ~= "table" and not cores.is_matrix(X) then
    raise("X: a matrix, a table of rows or bytes expected, got %s", show(X))
  end
  return matrix_of(X, cores.float32, "X")
end

---@param T any            a matrix, a table of rows or samples in a file
---@param core Core        of tables
---@param classes string[]?
---@return Matrix|Stored   S_L x N
function given.targets(T, core, classes)
  if not Stored.is_stored(T) then T = matrix_of(T, core, "T") end
  local needed = T.rows == 1 and 2 or T.rows
  if classes and #classes ~= needed then
    raise("classes: %d names expected for T of %d row%s, got %d (labels are given as "
      .. "labels = {...})", needed, T.rows, T.rows == 1 and "" or "s", #classes)
  end
  return T
end

local function check_label(label, n, classes)
  local whole = fields.whole(label)
  if whole and whole >= 1 and not (classes and whole > #classes) then return whole end
  raise("labels: whole numbers from 1%s expected, got %s for sample %d",
    classes and (" to %d"):format(#classes) or "", show(label), n)
end

-- The label that a name stands for
local function label_of(name, n, classes, numbers)
  if not classes then
    raise("labels: names need those of all classes beside them, classes = { %s, ... }; "
      .. "got %s for sample %d", show(name), show(name), n)
  end
  if not numbers[name] then
    raise("labels: one of %s expected, got %s for sample %d", table.concat(classes, ", "),
      show(name), n)
  end
  return numbers[name]
end

local function label_matrix(list, core, classes)
  local N, numbers, labels = fields.length(list, "labels"), {}, {}
  if N == 0 then raise("labels: one for each sample expected, got none") end
  for label, name in ipairs(classes or {}) do numbers[name] = label end
  for n = 1, N do
    local given_label = list[n]
    labels[n] = type(given_label) == "string" and label_of(given_label, n, classes, numbers)
      or check_label(given_label, n, classes)
  end
  return core.matrix { labels }
end

---@param labels any        a list of whole numbers or of names, or a 1 x N matrix
---@param core Core         of lists
---@param classes string[]?
---@return Matrix           1 x N, whole numbers from 1
function given.labels(labels, core, classes)
  if cores.is_matrix(labels) then
    if labels.rows ~= 1 then
      raise("labels: 1 x N expected, got %d x %d", labels.rows, labels.cols)
    end
    for n = 1, labels.cols do check_label(labels:get(1, n), n, classes) end
    return by_columns(labels)
  end
  if type(labels) ~= "table" then
    raise("labels: a list or a 1 x N matrix expected, got %s", show(labels))
  end
  return label_matrix(labels, core, classes)
end

-- The first element that is no weight
local function check_weights(M)
  if M:is_finite() and M:min() >= 0 then return end
  for j = 1, M.cols do
    for i = 1, M.rows do
      local weight = M:get(i, j)
      if not (weight >= 0 and weight < math.huge) then
        raise("weights: finite numbers of 0 or more expected, got %s for %ssample %d",
          show(weight), M.rows > 1 and ("row %d of "):format(i) or "", j)
      end
    end
  end
end

---@param weights any     a list of N numbers, a table of rows or a matrix
---@param core Core       of tables
---@param T Matrix        targets or labels
---@param rows integer    of weights of single targets, if they are such
---@return Matrix         1 x N or rows x N, finite numbers of 0 or more
function given.weights(weights, core, T, rows)
  local is_list = type(weights) == "table" and type(weights[1]) ~= "table"
  local rows_given = is_list and { weights } or weights
  local M = matrix_of(rows_given, core, "weights")
  if M.cols ~= T.cols or (M.rows ~= 1 and M.rows ~= rows) then
    raise("weights: 1 x %d%s expected, got %d x %d", T.cols,
      rows > 1 and (" or %d x %d"):format(rows, T.cols) or "", M.rows, M.cols)
  end
  check_weights(M)
  return M
end

return given
