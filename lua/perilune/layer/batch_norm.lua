-- Batch normalisation (Ioffe and Szegedy 2015): each feature is shifted and scaled to mean 0 and
-- variance 1 over the batch, and then by what is learned, `shift` and `scale`. For inference the
-- mean and variance are running ones, which training keeps: running = (1 - momentum) running +
-- momentum batch's, of the unbiased variance.
--
-- The running statistics serve in training too, and stay as they are, in two cases. A batch of one
-- sample has no variance: so the last, smaller batch of an epoch trains even then. And a frozen
-- layer is to compute what it computed when it was frozen, whatever comes.

local Buffer = require "perilune.buffer"
local class = require "perilune.layer.class"
local errors = require "perilune.errors"

---@class BatchNorm
---@field scale Matrix             S x 1, learned
---@field shift Matrix             S x 1, learned
---@field running_mean Matrix      S x 1, state
---@field running_variance Matrix  S x 1, state
---@field Y Matrix                 S x N, normalised, of the last forward
---@field A Matrix                 S x N, of the last forward
---@field Delta Matrix             S x N, given to the last backward
local BatchNorm = class("batch_norm", {
  momentum = { "number", default = 0.1, least = 0, most = 1 },
  epsilon = { "number", default = 1e-5, above = 0 },
})

---@param options { momentum: number, epsilon: number }
---@param context LayerContext
---@return BatchNorm
function BatchNorm.new(options, context)
  local core, size = context.core, context.input.size
  local self = { core = core, options = options, output = { size = size } }
  for _, buffer in ipairs { "normalized", "activations", "products", "below",
    "predicted" } do
    self[buffer] = Buffer.new(core, size)
  end
  return BatchNorm.create(self)
end

---Keep the tensors, and make the columns that every pass needs.
---@param tensors table<string, Tensor>
function BatchNorm:bind(tensors)
  self.tensors = tensors
  for _, column in ipairs { "mean", "variance", "factor", "sum", "sum_Y",
    "predicted_factor" } do
    self[column] = self.core.matrix(self.output.size, 1)
  end
end

local function ones(M) return M:fill(1) end

---@return table[]
function BatchNorm:declare()
  local rows = self.output.size
  return {
    { name = "scale", role = "parameter", rows = rows, cols = 1, first = ones,
      decays = false },
    { name = "shift", role = "parameter", rows = rows, cols = 1, decays = false },
    { name = "running_mean", role = "state", rows = rows, cols = 1 },
    { name = "running_variance", role = "state", rows = rows, cols = 1, first = ones },
  }
end

-- factor = 1 / sqrt(variance + epsilon)
local function set_factor(self, factor, variance)
  local core = self.core
  core.sqrt(factor, core.add(factor, variance, self.options.epsilon))
  return core.divide(factor, 1, factor)
end

-- M = M + momentum (x - M)
local function follow(self, M, x)
  local core, momentum = self.core, self.options.momentum
  core.hadamard(M, M, 1 - momentum)
  core.accumulate(M, momentum, x)
end

-- Y = X - mean of the batch, its factor, and the running statistics after it
local function center_by_batch(self, Y, X)
  local core, N, tensors = self.core, X.cols, self.tensors
  local mean, variance = self.mean, self.variance
  core.hadamard(mean, core.sum_columns(mean, X), 1 / N)
  core.subtract(Y, X, mean)
  local squares = core.square(self.products:columns(N), Y)
  core.hadamard(variance, core.sum_columns(variance, squares), 1 / N)
  set_factor(self, self.factor, variance)
  follow(self, tensors.running_mean.value, mean)
  core.hadamard(variance, variance, N / (N - 1))
  follow(self, tensors.running_variance.value, variance)
end

---Y = (X - mean) / sqrt(variance + epsilon), A = scale (.) Y + shift. Moves the running statistics.
---@param A_below Matrix  S x N
---@return Matrix         S x N; valid until the next forward
function BatchNorm:forward(A_below)
  local core, N, tensors = self.core, A_below.cols, self.tensors
  local Y = self.normalized:columns(N)
  self.is_by_batch = N > 1 and not tensors.running_mean.frozen
  if self.is_by_batch then
    center_by_batch(self, Y, A_below)
  else
    core.subtract(Y, A_below, tensors.running_mean.value)
    set_factor(self, self.factor, tensors.running_variance.value)
  end
  core.hadamard(Y, Y, self.factor)
  self.Y = Y
  self.A = core.hadamard(self.activations:columns(N), Y, tensors.scale.value)
  return core.add(self.A, self.A, tensors.shift.value)
end

---The same by the running statistics.
---@param A_below Matrix  S x N
---@return Matrix         S x N; valid until the next predict
function BatchNorm:predict(A_below)
  local core, tensors = self.core, self.tensors
  local factor = set_factor(self, self.predicted_factor, tensors.running_variance.value)
  local A = self.predicted:columns(A_below.cols)
  core.subtract(A, A_below, tensors.running_mean.value)
  core.hadamard(A, A, core.hadamard(factor, factor, tensors.scale.value))
  return core.add(A, A, tensors.shift.value)
end

---dJ/dshift = Delta J_N, dJ/dscale = (Delta (.) Y) J_N, and
---Delta_below = scale / sqrt(variance + epsilon) (.) (Delta - dJ/dshift / N - Y (.) dJ/dscale / N),
---without the last two terms where the statistics were not those of the batch.
---@param Delta Matrix           S x N
---@param wants_below boolean?
---@return Matrix? Delta_below   S x N; valid until the next backward
function BatchNorm:backward(Delta, wants_below)
  local Y, core, tensors = self.Y, self.core, self.tensors
  if not Y then errors.raise("backward needs a forward before it") end
  self.Delta = Delta
  local N, sum, sum_Y = Delta.cols, self.sum, self.sum_Y
  local products = self.products:columns(N)
  if not tensors.scale.frozen then
    tensors.shift:receive(core.sum_columns(sum, Delta))
    tensors.scale:receive(core.sum_columns(sum_Y, core.hadamard(products, Delta, Y)))
  end
  if not wants_below then return nil end
  local below, G = self.below:columns(N), Delta
  if self.is_by_batch then
    core.hadamard(products, Y, core.hadamard(sum_Y, sum_Y, 1 / N))
    G = core.subtract(below, Delta, core.hadamard(sum, sum, 1 / N))
    core.subtract(below, below, products)
  end
  return core.hadamard(below, G, core.hadamard(sum, self.factor, tensors.scale.value))
end

function BatchNorm:__tostring()
  return ("batch_norm, momentum %g"):format(self.options.momentum)
end

return BatchNorm
