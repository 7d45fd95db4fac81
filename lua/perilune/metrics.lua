-- How good a network is: accuracy, confusion matrix, mean loss.

local Batches = require "perilune.data.batches"
local at_caller = require "perilune.at_caller"
local cores = require "perilune.cores"

local metrics = {}

-- The class of each column: labels as they are; of target or output columns the largest, of a
-- single output whether it is at least one half.
local function classes_of(M, result)
  if M.rows > 1 then return M:argmax(result) end
  return M:map(function(a) return a >= 0.5 and 2 or 1 end)
end

local function labels_of(T, A)
  for name, M in pairs { A = A or false, T = T or false } do
    if not cores.is_matrix(M) then
      error(("%s: a matrix expected, got %s"):format(name, type(M)), 0)
    end
  end
  if T.cols ~= A.cols then
    error(("A has %d samples but T has %d"):format(A.cols, T.cols), 0)
  end
  if T.rows == 1 and A.rows > 1 then return T end
  return classes_of(T)
end

local function correct(A, T, predicted)
  local labels = labels_of(T, A)
  return cores.of(A).count_equal(classes_of(A, predicted), labels)
end

---How many samples are classified as the targets say.
---@param A Matrix  S_L x N outputs
---@param T Matrix  1 x N labels, or S_L x N target columns
---@param predicted? Matrix  1 x N to work in, allocated when absent
---@return integer
function metrics.correct(A, T, predicted)
  local count = at_caller(2, correct, A, T, predicted)
  return count
end

---The share of samples classified as the targets say, in [0, 1].
---@param A Matrix  S_L x N outputs
---@param T Matrix  1 x N labels, or S_L x N target columns
---@return number
function metrics.accuracy(A, T)
  return at_caller(2, correct, A, T) / A.cols
end

local Confusion = {}
Confusion.__index = Confusion

---How often samples of one class (row) were taken for another (column), [actual][predicted].
---@param A Matrix            S_L x N outputs
---@param T Matrix            1 x N labels, or S_L x N target columns
---@param classes? string[]   names for printing
---@return integer[][]
function metrics.confusion(A, T, classes)
  local labels = at_caller(2, labels_of, T, A)
  local count = math.max(A.rows, 2)
  local confusion = setmetatable({ classes = classes }, Confusion)
  for i = 1, count do
    confusion[i] = {}
    for j = 1, count do confusion[i][j] = 0 end
  end
  local predicted = classes_of(A)
  for n = 1, A.cols do
    local actual = confusion[math.tointeger(labels:get(1, n))]
    if not actual then
      error(("labels 1 to %d expected, got %g for sample %d"):format(count,
        labels:get(1, n), n), 2)
    end
    local j = math.tointeger(predicted:get(1, n))
    actual[j] = actual[j] + 1
  end
  return confusion
end

function Confusion:__tostring()
  local function name(i) return tostring(self.classes and self.classes[i] or i) end
  local lines = { "actual \\ predicted" }
  local header = { (" "):rep(10) }
  for j = 1, #self do header[#header + 1] = ("%8s"):format(name(j)) end
  lines[#lines + 1] = table.concat(header)
  for i = 1, #self do
    local line = { ("%10s"):format(name(i)) }
    for j = 1, #self do line[#line + 1] = ("%8d"):format(self[i][j]) end
    lines[#lines + 1] = table.concat(line)
  end
  return table.concat(lines, "\n")
end

local CHUNK = 1000 -- samples at once

---The mean loss over a dataset and, for labels, the accuracy. Training state is not touched.
---@param network Network
---@param dataset Dataset
---@param loss? fun(A: Matrix, T: Matrix, Delta: false): number
---@return { loss: number?, accuracy: number? }
function metrics.evaluate(network, dataset, loss)
  if type(dataset) ~= "table" or not dataset.gather then
    error(("a dataset expected, got %s"):format(type(dataset)), 2)
  end
  if dataset.inputs ~= network.inputs then
    error(("the dataset has %d inputs but the network has %d"):format(dataset.inputs,
      network.inputs), 2)
  end
  local total, hits = 0, 0
  local result
  for X, T in Batches.new(dataset, { batch = CHUNK, dtype = network.dtype }) do
    if not result or result.cols ~= X.cols then
      result = network.core.matrix(network.outputs, X.cols)
    end
    local A = network:predict(X, result)
    if loss then total = total + loss(A, T, false) * X.cols end
    if dataset.has_classes then hits = hits + correct(A, T) end
  end
  return {
    loss = loss and total / dataset.N or nil,
    accuracy = dataset.has_classes and hits / dataset.N or nil,
  }
end

return metrics
