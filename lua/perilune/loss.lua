-- The error J and Delta^(L) = dJ/dA^(L). A loss is a function
--     loss(A, T [, Delta]) --> J, Delta
-- that writes the gradient into Delta, allocates it when Delta is nil, and leaves it out when Delta
-- is false. A function of your own with the same form is as good.

local cores = require "perilune.cores"

local loss = {}

-- The form above from a primitive of the core, whose first argument is the result.
local function from_primitive(name)
  local primitives = { float32 = cores.float32[name], float64 = cores.float64[name] }
  return function(A, T, Delta)
    local primitive = type(A) == "userdata" and primitives[A.dtype]
    if not primitive then
      error(("%s: a matrix of outputs expected, got %s"):format(name, type(A)), 2)
    end
    if Delta == false then return primitive(nil, A, T) end
    if Delta == nil then
      primitive(nil, A, T) -- raises before anything is allocated
      Delta = cores.of(A).matrix(A.rows, A.cols)
    end
    return primitive(Delta, A, T), Delta
  end
end

---J = 1/(2N) sum over samples of |a - t|^2 (2.18), Delta = (A - T)/N (2.23).
---@param A Matrix         S_L x N
---@param T Matrix         S_L x N
---@param Delta? Matrix|false
---@return number J, Matrix? Delta
loss.squared_error = from_primitive "squared_error"

---J = -1/N sum over samples of sum_i t_i log softmax(a)_i: softmax and cross-entropy in one, so A
---holds logits and the last layer is "identity".
---T: 1 x N labels (classes counted from 1), or S_L x N target columns.
---@param A Matrix         S_L x N, logits
---@param T Matrix         1 x N or S_L x N
---@param Delta? Matrix|false
---@return number J, Matrix? Delta
loss.softmax_cross_entropy = from_primitive "softmax_cross_entropy"

return loss
