-- Gradients of a large batch from smaller ones, computed one after the other, so that the layers
-- keep no more than a small one asks for. J and the gradients are the means by what the losses of
-- the small ones count by: those of the large batch, but where layers look at a batch as a whole
-- (batch_norm).

local Buffer = require "perilune.buffer"
local total_weight = require("perilune.metrics.batch").total_weight

---@class Accumulation
---@field adds boolean    losses are sums over samples, and so are J and the gradients
---@field size integer    samples that are computed at once
---@field before integer  samples of the batch before those that the layers have now
local Accumulation = {}
Accumulation.__index = Accumulation

---@param net Network
---@param size integer
---@param adds boolean
---@return Accumulation
function Accumulation.new(net, size, adds)
  local gradients = net.dJ_dtheta
  return setmetatable({
    net = net, size = size, adds = adds, before = 0, outputs = Buffer.new(net.core, net.outputs),
    sum = gradients and net.core.matrix(gradients:shape()),
    views = setmetatable({}, { __mode = "k" }),
  }, Accumulation)
end

-- Columns first to last of M, the same view each time: batches come in the same matrices again.
local function columns(self, M, first, last)
  local views = self.views[M]
  if not views then
    views = {}
    self.views[M] = views
  end
  local view = views[first]
  if not view or view.cols ~= last - first + 1 then
    view = M:columns(first, last)
    views[first] = view
  end
  return view
end

---Forward and backward of a batch; afterwards parameters have their gradients.
---@param X Matrix         S_0 x N
---@param T Matrix         S_L x N, or 1 x N labels
---@param weights? Matrix  1 x N or S_L x N
---@param lose fun(A: Matrix, T: Matrix, weights: Matrix?): number, Matrix, number?  J and Delta,
---and what J counts by, where that is not the weight of the samples
---@return Matrix A   S_L x N; valid until the next compute
---@return number J
---@return number total  what J counts by
function Accumulation:compute(X, T, weights, lose)
  local net, core, N = self.net, self.net.core, X.cols
  local A, gradients, sum = self.outputs:columns(N), net.dJ_dtheta, self.sum
  local J, total = 0, 0
  for first = 1, N, self.size do
    local last = math.min(first + self.size - 1, N)
    local own = weights and columns(self, weights, first, last) or nil
    self.before = first - 1
    local A_own = net:forward(columns(self, X, first, last))
    local J_own, Delta, weight = lose(A_own, columns(self, T, first, last), own)
    weight = weight or total_weight(own, last - first + 1, net.outputs)
    columns(self, A, first, last):assign(A_own)
    net:backward(Delta)
    if sum then
      if first == 1 then sum:fill(0) end
      core.accumulate(sum, self.adds and 1 or weight, gradients)
    end
    J, total = J + (self.adds and 1 or weight) * J_own, total + weight
  end
  local divisor = self.adds and 1 or total
  if divisor > 0 then
    J = J / divisor
    if sum then core.hadamard(gradients, sum, 1 / divisor) end
  end
  return A, J, total
end

return Accumulation
