-- Inverted dropout (Srivastava et al. 2014): in training each input is set to 0 with probability p
-- and divided by 1 - p otherwise, so that prediction needs no factor.

local Buffer = require "perilune.buffer"
local class = require "perilune.layer.class"
local errors = require "perilune.errors"

---@class Dropout
---@field mask Matrix  S x N factors of the last forward
---@field A Matrix     S x N, of the last forward
local Dropout = class("dropout", { probability = { "number", least = 0, below = 1 } })

---@param options table
---@param context LayerContext
---@return Dropout
function Dropout.new(options, context)
  local core, size = context.core, context.input.size
  return Dropout.create {
    core = core, options = options, generator = context.generator,
    probability = options.probability, output = { size = size },
    masks = Buffer.new(core, size), activations = Buffer.new(core, size),
    below = Buffer.new(core, size),
  }
end

---@param A_below Matrix  S x N
---@return Matrix         S x N; valid until the next forward
function Dropout:forward(A_below)
  local N = A_below.cols
  self.mask = self.generator:dropout(self.masks:columns(N), self.probability)
  self.A = self.core.hadamard(self.activations:columns(N), A_below, self.mask)
  return self.A
end

---@param A_below Matrix
---@return Matrix A_below
function Dropout.predict(_, A_below)
  return A_below
end

---@param Delta Matrix           S x N
---@param wants_below boolean?
---@return Matrix? Delta_below   S x N; valid until the next backward
function Dropout:backward(Delta, wants_below)
  if not self.mask then errors.raise("backward needs a forward before it") end
  self.Delta = Delta
  if not wants_below then return nil end
  return self.core.hadamard(self.below:columns(self.mask.cols), Delta, self.mask)
end

function Dropout:__tostring()
  return ("dropout %g"):format(self.probability)
end

return Dropout
