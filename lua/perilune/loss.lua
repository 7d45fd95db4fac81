-- The error J and Delta^(L) = dJ/dA^(L). A loss is a function
--     loss(A, T [, Delta]) --> J, Delta
-- that writes the gradient into Delta, allocates it when Delta is nil, and leaves it out when Delta
-- is false. A function of your own with the same form is as good.

local cores = require "perilune.cores"

local loss = {}

local function core_of(A, name)
  local core = type(A) == "userdata" and cores[A.dtype]
  if not core then
    error(("%s: a matrix of outputs expected, got %s"):format(name, type(A)), 3)
  end
  return core
end

---J = 1/(2N) sum over samples of |a - t|^2 (2.18), Delta = (A - T)/N (2.23).
---@param A Matrix         S_L x N
---@param T Matrix         S_L x N
---@param Delta? Matrix|false
---@return number J, Matrix? Delta
function loss.squared_error(A, T, Delta)
  local core = core_of(A, "squared_error")
  if Delta == nil then Delta = core.matrix(A.rows, A.cols) end
  return core.squared_error(Delta or nil, A, T), Delta or nil
end

---J = -1/N sum over samples of sum_i t_i log softmax(a)_i: softmax and cross-entropy in one, so A
---holds logits and the last layer is "identity". T: 1 x N labels (classes counted from 1), or S_L x N
---target columns.
---@param A Matrix         S_L x N, logits
---@param T Matrix         1 x N or S_L x N
---@param Delta? Matrix|false
---@return number J, Matrix? Delta
function loss.softmax_cross_entropy(A, T, Delta)
  local core = core_of(A, "softmax_cross_entropy")
  if Delta == nil then Delta = core.matrix(A.rows, A.cols) end
  return core.softmax_cross_entropy(Delta or nil, A, T), Delta or nil
end

return loss
