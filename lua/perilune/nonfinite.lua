-- Where numbers that are NaN or infinite come from, for messages. One such number soon makes others
-- of all that is computed from it, so the search goes in the order of the computation, and what it
-- finds first is the cause: samples, parameters, Z and A of the layers, targets.

local cores = require "perilune.cores"
local errors = require "perilune.errors"

local nonfinite = {}

local function is_nonfinite(x) return x - x ~= 0 end
local function is_nan(x) return x ~= x end

-- Of samples with missing cells, for a network that takes them
local function is_missing(_, _, x) return x ~= x end

local function find(M, is_wrong, is_left_out)
  if M:is_finite() then return nil end
  for j = 1, M.cols do
    for i = 1, M.rows do
      local x = M:get(i, j)
      if is_wrong(x) and not (is_left_out and is_left_out(i, j, x)) then return i, j, x end
    end
  end
end

---The first element, column after column, that is NaN or infinite.
---@param M Matrix
---@param is_left_out? fun(i: integer, j: integer, x: number): boolean  whether element x may be so
---@return integer? row     nil where there is none
---@return integer? column
---@return number? value
function nonfinite.find(M, is_left_out)
  return find(M, is_nonfinite, is_left_out)
end

---The first column that holds NaN.
---@param M Matrix
---@return integer?  nil where none does
function nonfinite.find_nan(M)
  local _, column = find(M, is_nan)
  return column
end

-- The messages. `sample` gives the sample that a column is.

local function in_samples(letter, M, sample, is_left_out)
  if not cores.is_matrix(M) then return nil end -- bytes are finite
  local i, j, x = nonfinite.find(M, is_left_out)
  return i and ("%s is %s in row %d of sample %d"):format(letter, errors.show(x), i, sample(j))
end

local function in_role(tensors, role)
  for _, tensor in ipairs(tensors.all) do
    local i, j, x
    if tensor.role == role then i, j, x = nonfinite.find(tensor.value) end
    if i then
      return ("%s is %s in row %d, column %d"):format(tensor.name, errors.show(x), i, j)
    end
  end
end

-- A layer computes after those within it.
local function in_layers(node, sample)
  for _, child in ipairs(node.children) do
    local found = in_layers(child, sample)
    if found then return found end
  end
  for _, letter in ipairs { "Z", "A" } do
    local found = in_samples(("%s of layer %s"):format(letter, node.path), node.layer[letter],
      sample)
    if found then return found end
  end
end

---What is wrong in the parameters or, where those are finite, in the state of a network.
---@param tensors Tensors
---@return string?  "1.W is inf in row 2, column 2"; nil where all are finite
function nonfinite.in_tensors(tensors)
  for _, flat in ipairs { "theta", "moving", "fixed" } do
    if tensors[flat] and not tensors[flat]:is_finite() then
      return in_role(tensors, "parameter") or in_role(tensors, "state")
    end
  end
end

---What went wrong first in a batch that the network has gone forward with. State is not looked at:
---forward has just made it of this batch.
---@param net Network
---@param batch { X: Matrix, T: Matrix, weights: Matrix? }
---@param sample fun(column: integer): integer
---@param before? integer  columns of the batch before those that the layers have, default 0
---@return string?  "Z of layer 2 is inf in row 3 of sample 17"; nil where all is finite
function nonfinite.in_batch(net, batch, sample, before)
  local weights = batch.weights
  local function is_left_out(i, j)
    return weights ~= nil and weights:get(weights.rows > 1 and i or 1, j) == 0
  end
  return in_samples("X", batch.X, sample, net.takes_missing and is_missing or nil)
    or in_role(net.held, "parameter")
    or in_layers(net.root, function(column) return sample((before or 0) + column) end)
    or in_samples("T", batch.T, sample, is_left_out)
end

---Raise where the outputs that a network predicts are NaN, with the sample and the cause.
---@param net Network
---@param X Matrix|Bytes
---@param A Matrix         what it gives for X
---@param before? integer  samples before those of X, default 0
function nonfinite.check_outputs(net, X, A, before)
  local n = nonfinite.find_nan(A)
  if not n then return end
  before = before or 0
  local function sample(column) return before + column end
  local cause = in_samples("X", X, sample, net.takes_missing and is_missing or nil)
    or net.held and nonfinite.in_tensors(net.held)
  errors.raise("the network gives NaN for sample %d%s", sample(n), cause and ": " .. cause or "")
end

return nonfinite
