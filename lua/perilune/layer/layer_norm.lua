-- Layer normalisation (Ba, Kiros and Hinton 2016): each sample is shifted and scaled to mean 0 and
-- variance 1 over its features, and then by what is learned, `shift` and `scale`; the same in
-- training and in inference.

local Buffer = require "perilune.buffer"
local class = require "perilune.layer.class"
local errors = require "perilune.errors"

---@class LayerNorm
---@field scale Matrix  S x 1, learned
---@field shift Matrix  S x 1, learned
---@field Y Matrix      S x N, normalised, of the last forward
---@field A Matrix      S x N, of the last forward
---@field Delta Matrix  S x N, given to the last backward
local LayerNorm = class("layer_norm",
  { epsilon = { "number", default = 1e-5, above = 0 } })

---@param options { epsilon: number }
---@param context LayerContext
---@return LayerNorm
function LayerNorm.new(options, context)
  local core, size = context.core, context.input.size
  local self = { core = core, options = options, output = { size = size } }
  for _, buffer in ipairs { "normalized", "activations", "products", "below",
    "predicted" } do
    self[buffer] = Buffer.new(core, size)
  end
  for _, row in ipairs { "factors", "means", "predicted_factors" } do
    self[row] = Buffer.new(core, 1)
  end
  return LayerNorm.create(self)
end

---Keep the tensors, and make the column that every pass needs.
---@param tensors table<string, Tensor>
function LayerNorm:bind(tensors)
  self.tensors, self.sum = tensors, self.core.matrix(self.output.size, 1)
end

local function ones(M) return M:fill(1) end

---@return table[]
function LayerNorm:declare()
  local rows = self.output.size
  return {
    { name = "scale", role = "parameter", rows = rows, cols = 1, first = ones,
      decays = false },
    { name = "shift", role = "parameter", rows = rows, cols = 1, decays = false },
  }
end

-- Y = (X - mean) / sqrt(variance + epsilon) of each column; work is as large as Y, factor and mean
-- are rows
local function normalize(self, Y, X, work, factor, mean)
  local core, size = self.core, self.output.size
  core.subtract(Y, X, core.hadamard(mean, core.sum_rows(mean, X), 1 / size))
  core.sum_rows(factor, core.square(work, Y))
  core.hadamard(factor, factor, 1 / size)
  core.sqrt(factor, core.add(factor, factor, self.options.epsilon))
  core.divide(factor, 1, factor)
  return core.hadamard(Y, Y, factor)
end

---A = scale (.) Y + shift, Y = (X - mean) / sqrt(variance + epsilon) over the rows of each column.
---@param A_below Matrix  S x N
---@return Matrix         S x N; valid until the next forward
function LayerNorm:forward(A_below)
  local core, N, tensors = self.core, A_below.cols, self.tensors
  self.factor = self.factors:columns(N)
  self.Y = normalize(self, self.normalized:columns(N), A_below, self.products:columns(N),
    self.factor, self.means:columns(N))
  self.A = core.hadamard(self.activations:columns(N), self.Y, tensors.scale.value)
  return core.add(self.A, self.A, tensors.shift.value)
end

---@param A_below Matrix  S x N
---@return Matrix         S x N; valid until the next predict
function LayerNorm:predict(A_below)
  local core, N, tensors = self.core, A_below.cols, self.tensors
  local A = self.predicted:columns(N)
  normalize(self, A, A_below, self.products:columns(N), self.predicted_factors:columns(N),
    self.means:columns(N))
  core.hadamard(A, A, tensors.scale.value)
  return core.add(A, A, tensors.shift.value)
end

---dJ/dshift = Delta J_N, dJ/dscale = (Delta (.) Y) J_N, and with G = scale (.) Delta Delta_below =
---(G - mean of G - Y (.) mean of G (.) Y) / sqrt(variance + epsilon), means over each column.
---@param Delta Matrix           S x N
---@param wants_below boolean?
---@return Matrix? Delta_below   S x N; valid until the next backward
function LayerNorm:backward(Delta, wants_below)
  local Y, core, tensors, sum = self.Y, self.core, self.tensors, self.sum
  if not Y then errors.raise("backward needs a forward before it") end
  self.Delta = Delta
  local N, size = Delta.cols, self.output.size
  local products, mean = self.products:columns(N), self.means:columns(N)
  if not tensors.scale.frozen then
    tensors.shift:receive(core.sum_columns(sum, Delta))
    tensors.scale:receive(core.sum_columns(sum, core.hadamard(products, Delta, Y)))
  end
  if not wants_below then return nil end
  local G = core.hadamard(self.below:columns(N), Delta, tensors.scale.value)
  core.sum_rows(mean, core.hadamard(products, G, Y))
  core.hadamard(products, Y, core.hadamard(mean, mean, 1 / size))
  core.hadamard(mean, core.sum_rows(mean, G), 1 / size)
  core.subtract(G, G, mean)
  core.subtract(G, G, products)
  return core.hadamard(G, G, self.factor)
end

function LayerNorm.__tostring()
  return "layer_norm"
end

return LayerNorm
