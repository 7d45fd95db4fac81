-- Inverted dropout (Srivastava et al. 2014): in training each input is set to 0 with probability p
-- and divided by 1 - p otherwise, so that prediction needs no factor.

local Buffer = require "perilune.buffer"
local options = require "perilune.options"

---@class Dropout
---@field outputs integer
---@field mask Matrix  S x N factors of the last forward
local Dropout = {}
Dropout.__index = Dropout

local function is_probability(p)
  return type(p) == "number" and p >= 0 and p < 1
end

---What a network builds a dropout layer from.
---@param probability number  in [0, 1): the share of inputs set to 0
---@return table
function Dropout.description(probability)
  if not is_probability(probability) then
    error(("dropout probability in [0, 1) expected, got %s"):format(
      tostring(probability)), 2)
  end
  return { kind = "dropout", probability = probability }
end

---@param description table
---@param context LayerContext
---@return Dropout
function Dropout.new(description, context)
  local given = options(description, { kind = "dropout" }, 1, { probability = true })
  if not is_probability(given.probability) then
    error(("probability in [0, 1) expected, got %s"):format(
      tostring(given.probability)), 0)
  end
  return setmetatable({
    core = context.core,
    generator = context.generator,
    outputs = context.inputs,
    probability = given.probability,
    masks = Buffer.new(context.core, context.inputs),
    activations = Buffer.new(context.core, context.inputs),
    errors = Buffer.new(context.core, context.inputs),
  }, Dropout)
end

---@return table
function Dropout:describe()
  return { kind = "dropout", probability = self.probability }
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

---@param Delta Matrix  S x N
function Dropout:backward(Delta)
  if not self.mask then error("backward needs a forward before it", 2) end
  self.Delta = Delta
end

---@return Matrix  S x N; valid until the next propagate
function Dropout:propagate()
  return self.core.hadamard(self.errors:columns(self.mask.cols), self.Delta, self.mask)
end

function Dropout:__tostring()
  return ("dropout %g"):format(self.probability)
end

return Dropout
