-- Residuals of a loss that is a sum of squares, and their gradients: what methods of Gauss, Newton,
-- Levenberg and Marquardt need. With c_k the weight of target k in J = sum of c_k/2 (a_k - t_k)^2,
--     e_k = sqrt(c_k) (a_k - t_k),   J = 1/2 e^t e
-- and the gradient of e_k is what backward gives for a Delta of sqrt(c_k) at k and 0 elsewhere.
-- The loss itself tells c: it is Delta where A - T is 1.
--
-- One forward serves all of them, so that layers which mix samples, or draw numbers, are right too;
-- in return each of S_L N residuals takes a backward over all N samples.

local Network = require "perilune.network"
local cores = require "perilune.cores"
local errors = require "perilune.errors"
local losses = require "perilune.loss"

local MOST_SIZES = 2 -- batches of more sizes in turn, and memory is allocated anew

---@class Residuals
---@field net Network
---@field loss Loss
local Residuals = {}
Residuals.__index = Residuals

local function new_memory(net, N)
  local core, outputs, size = net.core, net.outputs, net.theta.rows
  local function per_target() return core.matrix(outputs, N) end
  local memory = {
    E = per_target(), C = per_target(), Delta = per_target(),
    ones = per_target():fill(1), zeros = per_target():fill(0),
    G = core.matrix(size, outputs * N), gradients = {},
  }
  memory.e, memory.roots = memory.E:view(1, outputs * N, 1), memory.C:view(1, outputs * N, 1)
  memory.targets = memory.Delta:view(1, outputs * N, 1)
  for k = 1, outputs * N do memory.gradients[k] = memory.G:columns(k, k) end
  return memory
end

local function memory_for(self, N)
  local memory = self.memories[N]
  if memory then return memory end
  memory = new_memory(self.net, N)
  if self.count == MOST_SIZES then self.memories, self.count = {}, 0 end
  self.memories[N], self.count = memory, self.count + 1
  return memory
end

---The residuals of the last forward, and their gradients. The network's gradients are those of the
---last residual afterwards: a backward with the loss's Delta sets them.
---@param A Matrix         S_L x N, which the network's forward gave
---@param T Matrix         S_L x N
---@param weights? Matrix  as the loss takes them
---@return Matrix e        S_L N x 1, J = 1/2 e^t e; valid, as G, until the next call
---@return Matrix G        size of theta x S_L N, column k the gradient of e_k
function Residuals:__call(A, T, weights)
  local net, core, compute = self.net, self.net.core, self.loss.compute
  if A == nil or not rawequal(A, net.A) then
    errors.raise("residuals: A: what the network's last forward gave expected, got %s",
      cores.show(A))
  end
  local m = memory_for(self, A.cols)
  local roots, targets = m.roots, m.targets
  compute(m.ones, m.zeros, m.C, weights)
  core.sqrt(m.C, m.C)
  compute(A, T, m.E, weights)
  targets:fill(0)
  for k = 1, targets.rows do
    local root = roots:get(k, 1)
    if root > 0 then
      m.e:set(k, 1, m.e:get(k, 1) / root)
      targets:set(k, 1, root)
      net:backward(m.Delta)
      m.gradients[k]:assign(net.dJ_dtheta)
      targets:set(k, 1, 0)
    else -- the target is masked
      m.e:set(k, 1, 0)
      m.gradients[k]:fill(0)
    end
  end
  return m.e, m.G
end

---What computes the residuals of a loss, which must be a sum of squares, and their gradients by a
---network's parameters: residuals(A, T [, weights]) --> e, G after net:forward.
---@param net Network
---@param loss any   "squared_error", a description, or a loss that says `squares = true`
---@return Residuals
local function new(net, loss)
  Network.check(net)
  if not net.theta then errors.raise("residuals: a network with parameters to train expected") end
  loss = losses:resolve(loss)
  if not loss.squares then
    errors.raise("residuals: a loss that is a sum of squares expected, such as squared_error, got "
      .. "%s", loss.name or "one that does not say so")
  end
  return setmetatable({ net = net, loss = loss, memories = {}, count = 0 }, Residuals)
end

return new
