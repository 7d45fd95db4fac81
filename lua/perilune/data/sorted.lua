-- The numbers of a row in ascending order, their mean and quantiles.

local Stored = require "perilune.data.stored"
local cores = require "perilune.cores"

local sorted = {}

---The numbers of row i, without those that are missing, NaN.
---@param X Matrix|Stored
---@param i integer
---@return number[]  ascending; infinite ones come first and last
---@return integer missing  how many are
function sorted.row(X, i)
  local core = cores.of(X)
  local row = core.sort(Stored.is_stored(X) and X:row(i) or X:slice(i, i):copy())
  local numbers, count = row:totable()[1], row.cols
  while count > 0 and numbers[count] ~= numbers[count] do
    numbers[count], count = nil, count - 1
  end
  return numbers, row.cols - count
end

---@param numbers number[]  one or more
---@return number
function sorted.mean(numbers)
  local sum = 0
  for k = 1, #numbers do sum = sum + numbers[k] end
  return sum / #numbers
end

---The number below which the share p of them lies, linear between neighbours (Hyndman and Fan 1996,
---type 7; NumPy's quantile).
---@param numbers number[]  ascending, one or more
---@param p number          from 0 to 1
---@return number
function sorted.quantile(numbers, p)
  local q = (#numbers - 1) * p
  local k = math.floor(q)
  local low, high = numbers[k + 1], numbers[k + 2] or numbers[k + 1]
  return low + (q - k) * (high - low)
end

return sorted
