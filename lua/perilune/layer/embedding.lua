-- Categories as vectors that are learned (Bengio et al. 2003): each feature of A_below is a label
-- from 1 on, and becomes that row of W. With a list of categories each feature has rows of its own;
-- with one number all features share the same.

local PerFeature = require "perilune.layer.per_feature"
local class = require "perilune.layer.class"
local errors = require "perilune.errors"
local fields = require "perilune.fields"

---@class Embedding
---@field W Matrix      all rows, categories x outputs, stored by rows
---@field dJ_dW Matrix
local Embedding = class("embedding", {
  categories = { "value" }, outputs = { "count" },
  deviation = { "number", default = 1, least = 0, most = 1e18 },
})

local function counts_of(categories, features)
  local shared = fields.whole(categories)
  if shared and shared >= 1 then
    local counts = {}
    for k = 1, features do counts[k] = shared end
    return counts, true
  end
  local counts = fields.value("categories", categories, { "numbers", least = 1 })
  for k, count in ipairs(counts) do counts[k] = fields.value("categories", count, { "count" }) end
  if #counts ~= features then
    errors.raise("categories: a number for each of the %d inputs expected, got %d", features,
      #counts)
  end
  return counts, false
end

-- What PerFeature asks of it
local Encoder = {}
Encoder.__index = Encoder

---The rows of W for the labels of feature k. Raises for a label that there is not.
---@param P Matrix   size[k] x N
---@param k integer  the feature
---@param x Matrix   1 x N
---@return Matrix P
function Encoder:encode(P, k, x)
  local ok, A = pcall(self.core.embed, P, self.tables[k], x)
  if ok then return A end
  local reason = tostring(A):match "%((labels from .*)%)$"
  if not reason then error(A, 0) end
  errors.raise("input %d: %s", k, reason)
end

---Add to the rows of dJ/dW.
---@param k integer
---@param H Matrix   size[k] x N
---@param x Matrix   1 x N
function Encoder:gradients(k, H, _, x)
  self.core.embed_gradient(self.gradients_of[k], H, x)
end

---A label has no derivative.
---@param delta Matrix  1 x N
---@return Matrix delta
function Encoder.slope(_, delta)
  return delta:fill(0)
end

---@param options { categories: integer|integer[], outputs: integer, deviation: number }
---@param context LayerContext
---@return Embedding
function Embedding.new(options, context)
  local counts, is_shared = counts_of(options.categories, context.input.size)
  local sizes, total = {}, 0
  for k, count in ipairs(counts) do
    sizes[k], total = options.outputs, is_shared and count or total + count
  end
  local encoder = setmetatable({ core = context.core, size = sizes }, Encoder)
  local features = PerFeature.new(context, encoder)
  return Embedding.create {
    options = options, counts = counts, is_shared = is_shared, total = total,
    encoder = encoder, features = features, output = { size = features.size },
  }
end

---@return table[]
function Embedding:declare()
  local deviation = self.options.deviation
  return {
    { name = "W", role = "parameter", rows = self.total, cols = self.options.outputs,
      order = "rows",
      first = function(M, generator) generator:normal(M, 0, deviation) end },
  }
end

-- The rows of each feature
local function tables_of(self, M)
  local tables, start, outputs = {}, 1, self.options.outputs
  for k, count in ipairs(self.counts) do
    tables[k] = M:view(start, count, outputs, "rows")
    if not self.is_shared then start = start + count * outputs end
  end
  return tables
end

---@param tensors table<string, Tensor>
function Embedding:bind(tensors)
  local W = tensors.W
  self.tensors = tensors
  self.encoder.tables = tables_of(self, W.value)
  self.encoder.gradients_of = not W.frozen and tables_of(self, W.gradient) or nil
end

---@param A_below Matrix  labels, S_(l-1) x N
---@return Matrix         S_l x N; valid until the next forward
function Embedding:forward(A_below)
  self.A = self.features:forward(A_below)
  return self.A
end

---@param A_below Matrix  labels, S_(l-1) x N
---@return Matrix         S_l x N; valid until the next predict
function Embedding:predict(A_below)
  return self.features:predict(A_below)
end

---Only rows whose labels came have a gradient that is not 0.
---@param Delta Matrix           S_l x N
---@param wants_below boolean?
---@return Matrix? Delta_below   zeros, S_(l-1) x N; valid until the next backward
function Embedding:backward(Delta, wants_below)
  self.Delta = Delta
  local W = self.tensors.W
  if not W.frozen and not W.adds then W.gradient:fill(0) end
  return self.features:backward(Delta, wants_below, not W.frozen)
end

function Embedding:__tostring()
  return ("embedding of %d categories, %d each"):format(self.total, self.options.outputs)
end

return Embedding
