-- Layer-sequential unit-variance initialisation (Mishkin and Matas 2016, algorithm 1): after
-- orthogonal weights, W of one dense layer after the other is divided by the deviation of its Z on
-- a batch, until the variance of Z is 1.

local Network = require "perilune.network"
local Snapshot = require "perilune.snapshot"
local cores = require "perilune.cores"
local errors = require "perilune.errors"
local fields = require "perilune.fields"
local initializer = require "perilune.initializer"

local option_fields = {
  tolerance = { "number", default = 0.1, above = 0 },
  iterations = { "count", default = 10 },
  orthogonal = { "boolean", default = true },
}

-- Dense layers whose W is to be trained, each W once, in the order in which they run: the order of
-- the tree
local function layers_of(net)
  local nodes, seen = {}, {}
  for _, node in ipairs(net.nodes) do
    local W = node.kind == "dense" and node.layer.W
    if W and not node.frozen and not seen[W] then
      seen[W] = true
      nodes[#nodes + 1] = node
    end
  end
  return nodes
end

local function variance(M)
  local count = M.rows * M.cols
  return (M - M:sum() / count):norm() ^ 2 / count
end

local function check_variance(node, found)
  if found > 0 and found < math.huge then return end
  errors.raise("layer %s: its Z has the variance %g on X, which no factor makes 1", node.path,
    found)
end

local function scale(net, X, node, options)
  local core, layer = net.core, node.layer
  for iteration = 0, options.iterations do
    net:forward(X)
    local found = variance(layer.Z)
    check_variance(node, found)
    if math.abs(found - 1) < options.tolerance or iteration == options.iterations then
      return { path = node.path, variance = found, iterations = iteration }
    end
    core.divide(layer.W, layer.W, math.sqrt(found))
  end
end

local function rescale(net, X, options)
  local nodes, report = layers_of(net), {}
  if options.orthogonal then
    local orthogonal = initializer:new "orthogonal"
    for _, node in ipairs(nodes) do orthogonal(node.layer.W, net.generator) end
  end
  local moved = Snapshot.new(net)
  for k, node in ipairs(nodes) do report[k] = scale(net, X, node, options) end
  moved:put_back()
  return report
end

---Rescale W of the dense layers of a network, from the first to the last and within other layers
---too, so that each Z of the batch X has variance 1. Frozen layers stay as they are, and so do
---running statistics; the generator goes on only by what the orthogonal weights take.
---    pl.lsuv(net, dataset:columns(1, 256))
---Options: tolerance (0.1) of the variance; iterations (10), at most so many for each layer;
---orthogonal (true), weights that are orthogonal first; false rescales those that are there.
---@param net Network
---@param X Matrix  S_0 x N, some hundred samples
---@param given? { tolerance: number, iterations: integer, orthogonal: boolean }
---@return { path: string, variance: number, iterations: integer }[]  what was reached, by layer
local function lsuv(net, X, given)
  local options = fields.check(option_fields, given, "pl.lsuv")
  Network.check(net)
  if not cores.is_matrix(X) then
    errors.raise("X: a matrix expected, got %s", errors.show(X))
  end
  local before = net:state()
  local ok, report, is_message = errors.catch(rescale, net, X, options)
  if ok then return report end
  net:restore(before)
  if is_message then errors.raise("%s", report) end
  error(report, 0)
end

return lsuv
