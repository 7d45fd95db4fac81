-- Boundaries that cut the numbers of a feature into parts of equally many.

local cores = require "perilune.cores"
local errors = require "perilune.errors"
local fields = require "perilune.fields"
local sorted = require "perilune.data.sorted"

---For each row of X the numbers below which 0, 1/count, 2/count, ... 1 of its elements lie, linear
---between neighbours (Hyndman and Fan 1996, type 7; NumPy's quantile), none of them twice: of a row
---with few different numbers there are fewer. Rows of one number alone are refused.
---@param X Matrix        S x N, finite
---@param count integer   parts, 1 or more
---@return number[][]     S lists
local function quantiles(X, count)
  if not cores.is_matrix(X) then errors.raise("X: a matrix expected, got %s", errors.show(X)) end
  count = fields.value("count", count, { "count" })
  local lists = {}
  for i = 1, X.rows do
    if not X:slice(i, i):is_finite() then
      errors.raise("row %d of X: finite numbers expected", i)
    end
    local numbers, list = sorted.row(X, i), {}
    for k = 0, count do
      local boundary = sorted.quantile(numbers, k / count)
      if boundary ~= list[#list] then list[#list + 1] = boundary end
    end
    if #list < 2 then
      errors.raise("row %d of X: two or more different numbers expected, all are %s", i,
        errors.show(list[1]))
    end
    lists[i] = list
  end
  return lists
end

return quantiles
