-- The fully connected layer: the paper's layer l.

local Buffer = require "perilune.buffer"
local choose = require "perilune.choose"
local initializer = require "perilune.initializer"
local options = require "perilune.options"

---@class Dense
---@field inputs integer   S_(l-1)
---@field outputs integer  S_l
---@field W Matrix         S_l x S_(l-1)
---@field b Matrix         S_l x 1
---@field Z Matrix         S_l x N, of the last forward
---@field A Matrix         S_l x N, of the last forward
---@field H Matrix         S_l x N, of the last backward
---@field dJ_dW Matrix     S_l x S_(l-1), of the last backward
---@field dJ_db Matrix     S_l x 1, of the last backward
local Dense = {}
Dense.__index = Dense

---What a network builds a dense layer from.
---The activation: identity, relu, sigmoid, softmax, softsign or tanh; or a table of your own,
---{ name =, forward = function(A, Z), backward = function(H, Delta, Z, A) }.
---The initializer: glorot, he, lecun, uniform or normal, or a function of your own; default: what
---suits the activation.
---@param outputs integer  S_l, at least 1
---@param activation? string|Activation  default: identity
---@param given? { initializer: string|fun(W: Matrix, b: Matrix, generator: Generator) }
---@return table
function Dense.description(outputs, activation, given)
  if math.type(outputs) ~= "integer" or outputs < 1 then
    error(("dense layer of 1 or more outputs expected, got %s"):format(
      tostring(outputs)), 2)
  end
  local chosen = options(given, { initializer = false })
  return {
    kind = "dense",
    outputs = outputs,
    activation = activation or "identity",
    initializer = chosen.initializer or nil,
  }
end

local function check_activation(sigma)
  if type(sigma.forward) ~= "function" or type(sigma.backward) ~= "function" then
    error("an activation needs the functions "
      .. "forward(A, Z) and backward(H, Delta, Z, A)", 0)
  end
  return sigma
end

-- The two passes over a layer: in one call each where sigma is one of the core's.
local function passes(core, sigma)
  if sigma.handle then return core.dense_forward, core.dense_gradients end
  local function forward(A, Z, W, A_below, b)
    core.affine_forward(Z, W, A_below, b)
    sigma.forward(A, Z)
    return A
  end
  local function gradients(dJ_dW, dJ_db, H, A_below, Delta, Z, A)
    sigma.backward(H, Delta, Z, A)
    return core.affine_gradients(dJ_dW, dJ_db, H, A_below)
  end
  return forward, gradients
end

---@param description table
---@param context LayerContext
---@return Dense
function Dense.new(description, context)
  local given = options(description, {
    kind = "dense", activation = "identity", initializer = false,
  }, 1, { outputs = true })
  if math.type(given.outputs) ~= "integer" or given.outputs < 1 then
    error(("1 or more outputs expected, got %s"):format(tostring(given.outputs)), 0)
  end
  local core = context.core
  local self = setmetatable({}, Dense)
  self.core = core
  self.inputs = context.inputs
  self.outputs = given.outputs
  self.sigma = check_activation(context.activations[given.activation]
    or choose("activation", core.activations, given.activation, -1, "table"))
  self.forward_dense, self.backward_dense = passes(core, self.sigma)
  self.handle = self.sigma.handle
  self.activation = self.sigma.name or "custom"
  self.initializer = given.initializer or initializer.suited(self.activation)
  self.initialize = choose("initializer", initializer.functions, self.initializer, -1,
    "function")
  -- Kept with the inputs contiguous: every product of training then reads W in its stored order.
  self.shapes = {
    { name = "W", rows = self.outputs, cols = self.inputs, order = "rows" },
    { name = "b", rows = self.outputs, cols = 1 },
  }
  self.buffers = {}
  for _, quantity in ipairs { "Z", "A", "H" } do
    self.buffers[quantity] = Buffer.new(core, self.outputs)
  end
  self.buffers.Delta_below = Buffer.new(core, self.inputs)
  self.buffers.prediction = Buffer.new(core, self.outputs)
  self.N = 0
  return self
end

---Take the parameters that the network has allocated, in the order of `shapes`, and give them their
---first values.
---@param parameters { value: Matrix, gradient: Matrix }[]
---@param generator Generator
function Dense:bind(parameters, generator)
  self.W, self.dJ_dW = parameters[1].value, parameters[1].gradient
  self.b, self.dJ_db = parameters[2].value, parameters[2].gradient
  self.initialize(self.W, self.b, generator)
end

---@return table  what `Dense.new` makes this layer from again
function Dense:describe()
  return {
    kind = "dense",
    outputs = self.outputs,
    activation = self.activation,
    initializer = type(self.initializer) == "string" and self.initializer or nil,
  }
end

function Dense:reserve(N)
  local buffers = self.buffers
  self.Z = buffers.Z:columns(N)
  self.A = buffers.A:columns(N)
  self.H = buffers.H:columns(N)
  self.N = N
end

---A^(l) = sigma_l(Z^(l)) with Z^(l) = W^(l) A^(l-1) + b^(l), (1.4).
---@param A_below Matrix  S_(l-1) x N; must not change before backward
---@param N? integer      where the caller knows it
---@return Matrix         S_l x N; valid until the next forward
function Dense:forward(A_below, N)
  N = N or A_below.cols
  if N ~= self.N then self:reserve(N) end
  self.A_below = A_below
  return self.forward_dense(self.A, self.Z, self.W, A_below, self.b, self.handle)
end

---As forward, in memory of its own: Z, A and what backward needs stay as they are.
---@param A_below Matrix  S_(l-1) x N
---@param N? integer      where the caller knows it
---@return Matrix         S_l x N; valid until the next predict
function Dense:predict(A_below, N)
  N = N or A_below.cols
  local A = self.prediction
  if N ~= self.predicted then
    A = self.buffers.prediction:columns(N)
    self.prediction, self.predicted = A, N
  end
  return self.forward_dense(A, A, self.W, A_below, self.b, self.handle)
end

---Set H^(l) = Delta^(l) (.) dsigma_l/dZ^(l) (4.2), dJ_dW and dJ_db (4.1). Needs forward before.
---@param Delta Matrix  S_l x N, dJ/dA^(l)
function Dense:backward(Delta)
  local A_below = self.A_below
  if not A_below then error("backward needs a forward before it", 2) end
  self.backward_dense(self.dJ_dW, self.dJ_db, self.H, A_below, Delta, self.Z, self.A,
    self.handle)
end

---Delta^(l-1) = (W^(l))^t H^(l) (4.2), after backward.
---@return Matrix  S_(l-1) x N; valid until the next propagate
function Dense:propagate()
  local Delta_below = self.buffers.Delta_below:columns(self.N)
  return self.core.affine_backward(Delta_below, self.W, self.H)
end

function Dense:__tostring()
  return ("dense %d -> %d, %s"):format(self.inputs, self.outputs, self.activation)
end

return Dense
