-- Lists of samples, as they are given to gather.

local errors = require "perilune.errors"
local fields = require "perilune.fields"

local raise, show = errors.raise, errors.show

---Raise unless elements first..first + count - 1 of `indices` are samples of a set of N.
---@param indices any
---@param first any       nil: 1
---@param count integer?  nil: all of a list, which then must hold some
---@param N integer
---@return integer first
---@return integer count
local function check_indices(indices, first, count, N)
  if type(indices) ~= "table" then
    raise("indices: a list of samples expected, got %s", show(indices))
  end
  if not count then
    count = fields.length(indices, "indices")
    if count == 0 then raise("indices: one or more samples expected, got none") end
  end
  local start = first == nil and 1 or fields.whole(first)
  if not start then raise("first: a whole number expected, got %s", show(first)) end
  if start > math.maxinteger - count then
    raise("first: a place in the list expected, got %s", show(first))
  end
  for k = start, start + count - 1 do
    local index = fields.whole(indices[k])
    if not index or index < 1 or index > N then
      raise("indices: samples 1 to %d expected, got %s as element %d", N,
        show(indices[k]), k)
    end
  end
  return start, count
end

return check_indices
