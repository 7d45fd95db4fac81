-- A learned factor for each feature, 1 at first: the network itself finds out which inputs matter
-- (Holzmueller et al. 2024, section 3.1).

local Buffer = require "perilune.buffer"
local class = require "perilune.layer.class"
local errors = require "perilune.errors"

---@class Scaling
---@field s Matrix      S x 1, learned
---@field A Matrix      S x N, of the last forward
---@field Delta Matrix  S x N, given to the last backward
local Scaling = class("scaling", {})

---@param options table
---@param context LayerContext
---@return Scaling
function Scaling.new(options, context)
  local core, size = context.core, context.input.size
  local self = { core = core, options = options, output = { size = size } }
  for _, buffer in ipairs { "activations", "predictions", "products", "below" } do
    self[buffer] = Buffer.new(core, size)
  end
  return Scaling.create(self)
end

local function ones(M) return M:fill(1) end

---@return table[]
function Scaling:declare()
  return {
    { name = "s", role = "parameter", rows = self.output.size, cols = 1, first = ones,
      decays = false },
  }
end

---@param tensors table<string, Tensor>
function Scaling:bind(tensors)
  self.tensors, self.sum = tensors, self.core.matrix(self.output.size, 1)
end

---A = s (.) A_below, s repeated over the columns
---@param A_below Matrix  S x N
---@return Matrix         S x N; valid until the next forward
function Scaling:forward(A_below)
  self.A_below = A_below
  local A = self.activations:columns(A_below.cols)
  self.A = self.core.hadamard(A, A_below, self.tensors.s.value)
  return self.A
end

---@param A_below Matrix  S x N
---@return Matrix         S x N; valid until the next predict
function Scaling:predict(A_below)
  return self.core.hadamard(self.predictions:columns(A_below.cols), A_below,
    self.tensors.s.value)
end

---dJ/ds = (Delta (.) A_below) J_N, Delta_below = s (.) Delta
---@param Delta Matrix           S x N
---@param wants_below boolean?
---@return Matrix? Delta_below   S x N; valid until the next backward
function Scaling:backward(Delta, wants_below)
  if not self.A_below then errors.raise("backward needs a forward before it") end
  self.Delta = Delta
  local core, N, s = self.core, Delta.cols, self.tensors.s
  if not s.frozen then
    local products = core.hadamard(self.products:columns(N), Delta, self.A_below)
    s:receive(core.sum_columns(self.sum, products))
  end
  if not wants_below then return nil end
  return core.hadamard(self.below:columns(N), Delta, s.value)
end

function Scaling.__tostring()
  return "scaling"
end

return Scaling
