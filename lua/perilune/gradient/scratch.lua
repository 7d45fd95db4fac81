-- Memory to work in that is like a matrix: made once for each, and gone with it.

local cores = require "perilune.cores"

---@return fun(M: Matrix): Matrix  gives the same matrix for the same M, with M's shape and order
local function new()
  local made = setmetatable({}, { __mode = "k" })
  return function(M)
    local like = made[M]
    if not like then
      like = cores.of(M).matrix(M.rows, M.cols, M.order)
      made[M] = like
    end
    return like
  end
end

return new
