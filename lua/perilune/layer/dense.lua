-- The fully connected layer: the paper's layer l.

local Buffer = require "perilune.buffer"
local class = require "perilune.layer.class"
local errors = require "perilune.errors"
local initializer = require "perilune.initializer"

---@class Dense
---@field W Matrix         S_l x S_(l-1)
---@field b Matrix?        S_l x 1; nil where there is none
---@field Z Matrix         S_l x N, of the last forward
---@field A Matrix         S_l x N, of the last forward
---@field Delta Matrix     S_l x N, given to the last backward
---@field H Matrix         S_l x N, of the last backward
---@field dJ_dW Matrix     S_l x S_(l-1), of the last backward
---@field dJ_db Matrix?    S_l x 1, of the last backward
local Dense = class("dense", {
  outputs = { "count" },
  activation = { "part", of = "activation", default = "identity" },
  initializer = { "part", of = "initializer", optional = true },
  bias = { "boolean", default = true },
  scaled = { "boolean", default = false },
})

-- The two passes over a layer with an activation of one's own, which is a call of its own there.
local function passes_with(core, sigma)
  local function forward(A, Z, W, A_below, b)
    core.affine_forward(Z, W, A_below, b)
    sigma.forward(A, Z)
    return A
  end
  local function gradients(dJ_dW, dJ_db, H, A_below, Delta, Z, A, _, adds)
    sigma.backward(H, Delta, Z, A)
    return core.affine_gradients(dJ_dW, dJ_db, H, A_below, adds)
  end
  return forward, gradients
end

---@param options table
---@param context LayerContext
---@return Dense
function Dense.new(options, context)
  local core, inputs, outputs = context.core, context.input.size, options.outputs
  local sigma = options.activation
  if sigma.of then sigma = sigma:of(core) end
  local self = {
    core = core, options = options, inputs = inputs, output = { size = outputs },
    sigma = sigma, handle = sigma.handle,
    dense_forward = core.dense_forward, dense_gradients = core.dense_gradients,
    affine_backward = core.affine_backward, weight_gradient = false,
    buffers = { Delta_below = Buffer.new(core, inputs) },
    N = 0, Z = false, A = false, H = false, Delta_below = false, -- see reserve
    A_below = false, scaled_below = false, prediction = false, scaled_prediction = false,
    factor = options.scaled and 1 / math.sqrt(inputs),
    biases = false, bias_gradient = false, -- where there are any
    latest = setmetatable({}, { __mode = "v" }), -- of predict, which keeps no samples alive
  }
  if not sigma.handle then
    self.dense_forward, self.dense_gradients = passes_with(core, sigma)
  end
  for _, quantity in ipairs { "Z", "A", "H", "prediction" } do
    self.buffers[quantity] = Buffer.new(core, outputs)
  end
  if options.scaled then
    self.buffers.scaled_below = Buffer.new(core, inputs)
    self.buffers.scaled_prediction = Buffer.new(core, inputs)
  end
  local suited = options.scaled and "normal" or initializer.suited(options.activation.name)
  options.initializer = options.initializer or initializer:resolve(suited)
  return Dense.create(self)
end

---@return table[]
function Dense:declare()
  local fill = self.options.initializer.fill
  local function first(M, generator)
    fill(M, generator, self.options.initializer.options)
  end
  -- Kept with the inputs contiguous: every product of training then reads W in its stored order.
  local W = { name = "W", role = "parameter", rows = self.output.size, cols = self.inputs,
    order = "rows", first = first }
  if not self.options.bias then return { W } end
  return { W, {
    name = "b", role = "parameter", rows = self.output.size, cols = 1, decays = false,
    first = self.options.initializer.biases and first or nil,
  } }
end

---Keep the tensors, and beside them what every pass needs, which it then finds in fewer steps.
---@param tensors table<string, Tensor>
function Dense:bind(tensors)
  local W, b = tensors.W, tensors.b
  self.tensors, self.W_tensor = tensors, W
  self.weights, self.biases = W.value, b and b.value or false
  if W.frozen then return end
  self.weight_gradient, self.bias_gradient = W.gradient, b and b.gradient or false
end

-- scaled = A_below / sqrt(S_(l-1)): with it in the place of A_below, Z and dJ/dW are as they must
-- be, while W stays as it is.
local function scale(self, scaled, A_below)
  return self.core.hadamard(scaled, A_below, self.factor)
end

-- Make ready for N samples. What needs memory comes first: setting fields that are there needs
-- none, so that all of them fit together whatever happens.
local function reserve(self, A_below)
  local N, buffers = A_below.cols, self.buffers
  if N ~= self.N then
    local scaled_below = self.factor and buffers.scaled_below:columns(N)
    local Z, A, H = buffers.Z:columns(N), buffers.A:columns(N), buffers.H:columns(N)
    self.Z, self.A, self.H, self.Delta_below, self.N = Z, A, H, false, N
    self.scaled_below = scaled_below
  end
  self.A_below = A_below
end

---A^(l) = sigma_l(Z^(l)) with Z^(l) = W^(l) A^(l-1) + b^(l), (1.4); with the option `scaled` W A is
---divided by sqrt(S_(l-1)).
---@param A_below Matrix  S_(l-1) x N; must not change before backward
---@return Matrix         S_l x N; valid until the next forward
function Dense:forward(A_below)
  if A_below ~= self.A_below then reserve(self, A_below) end
  if self.factor then A_below = scale(self, self.scaled_below, A_below) end
  return self.dense_forward(self.A, self.Z, self.weights, A_below, self.biases or nil, self.handle)
end

---As forward, in memory of its own: Z, A and what backward needs stay as they are.
---@param A_below Matrix  S_(l-1) x N
---@return Matrix         S_l x N; valid until the next predict
function Dense:predict(A_below)
  if A_below ~= self.latest.A_below then
    local scaled = self.factor and self.buffers.scaled_prediction:columns(A_below.cols)
    self.prediction = self.buffers.prediction:columns(A_below.cols)
    self.scaled_prediction, self.latest.A_below = scaled, A_below
  end
  local A = self.prediction
  if self.factor then A_below = scale(self, self.scaled_prediction, A_below) end
  return self.dense_forward(A, A, self.weights, A_below, self.biases or nil, self.handle)
end

---H^(l) = Delta^(l) (.) dsigma_l/dZ^(l) (4.2), dJ/dW^(l) and dJ/db^(l) (4.1), and where it is
---wanted Delta^(l-1) = (W^(l))^t H^(l) (4.2); with the option `scaled` dJ/dW and Delta^(l-1) are
---divided by sqrt(S_(l-1)). Needs forward before.
---@param Delta Matrix           S_l x N, dJ/dA^(l)
---@param wants_below boolean?
---@return Matrix? Delta_below   S_(l-1) x N; valid until the next backward
function Dense:backward(Delta, wants_below)
  local A_below = self.A_below
  if not A_below then errors.raise("backward needs a forward before it") end
  self.Delta = Delta
  local H, gradient = self.H, self.weight_gradient
  if gradient then
    self.dense_gradients(gradient, self.bias_gradient or nil, H, self.scaled_below or A_below,
      Delta, self.Z, self.A, self.handle, self.W_tensor.adds)
  else -- frozen
    self.sigma.backward(H, Delta, self.Z, self.A)
  end
  if not wants_below then return nil end
  local Delta_below = self.Delta_below
  if not Delta_below then
    Delta_below = self.buffers.Delta_below:columns(self.N)
    self.Delta_below = Delta_below
  end
  self.affine_backward(Delta_below, self.weights, H)
  return self.factor and scale(self, Delta_below, Delta_below) or Delta_below
end

function Dense:__tostring()
  local options = self.options
  return ("dense %d -> %d, %s%s%s"):format(self.inputs, self.output.size,
    options.activation.name or "an activation without a name",
    options.bias and "" or ", without bias", options.scaled and ", scaled" or "")
end

return Dense
