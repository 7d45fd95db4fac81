-- How specs compare matrices: `==` on matrices asks whether they are one object.

local matrices = {}

---Whether A and B have the same type, shape and bits, however they are stored.
---@return boolean
function matrices.same(A, B)
  return A.dtype == B.dtype and A.rows == B.rows and A.cols == B.cols
    and A:encode(A.dtype) == B:encode(B.dtype)
end

---The largest |a - b|, for matrices of any types; NaN if there is one.
---@return number
function matrices.distance(A, B)
  local D = A:to "float64" - B:to "float64"
  return math.max(D:max(), -D:min())
end

return matrices
