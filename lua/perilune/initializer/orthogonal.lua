-- Orthonormal rows or, where W has fewer of them, columns, times the gain (Saxe, McClelland and
-- Ganguli 2014). Every such matrix is as likely as another: the normal matrix that it is made of
-- has no preferred direction, and Gram and Schmidt's method keeps that.

local cores = require "perilune.cores"

local BLOCK = 32 -- columns: the more, the more of the work is in large products

-- B = B - Q Q^t B
local function project_out(core, B, Q)
  local P = core.product(core.matrix(Q.cols, B.cols), Q, B, "TN")
  return core.product(B, Q, core.hadamard(P, P, -1), "NN", true)
end

local function orthonormalize(core, Q)
  for first = 1, Q.cols, BLOCK do
    local B = Q:columns(first, math.min(first + BLOCK - 1, Q.cols))
    if first > 1 then project_out(core, B, Q:columns(1, first - 1)) end
    for j = 1, B.cols do
      local q = B:columns(j, j)
      if j > 1 then project_out(core, q, B:columns(1, j - 1)) end
      core.divide(q, q, q:norm())
    end
  end
end

return {
  name = "orthogonal",
  fields = { gain = { "gain", default = 1 } },
  fill = function(W, generator, options)
    local core, rows, cols = cores.of(W), W:shape()
    local Q = generator:normal(core.matrix(math.max(rows, cols), math.min(rows, cols)))
    -- The second time there is nearly nothing left to take away, and nothing is lost to rounding.
    for _ = 1, 2 do orthonormalize(core, Q) end
    W:assign(rows < cols and Q:transpose() or Q)
    return core.hadamard(W, W, options.gain)
  end,
}
