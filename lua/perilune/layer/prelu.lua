-- Relu with a learned slope below 0 (He et al. 2015, equations 1 and 11): a = x where x > 0, else
-- slope x, with a slope for each unit or one for all.

local Buffer = require "perilune.buffer"
local class = require "perilune.layer.class"
local errors = require "perilune.errors"

---@class Prelu
---@field slope Matrix      S x 1, or 1 x 1 where all units have one; learned
---@field dJ_dslope Matrix  likewise, of the last backward
---@field A Matrix          S x N, of the last forward
---@field Delta Matrix      S x N, given to the last backward
local Prelu = class("prelu", {
  slope = { "number", default = 0.25 },
  per_unit = { "boolean", default = true },
})

---@param options { slope: number, per_unit: boolean }
---@param context LayerContext
---@return Prelu
function Prelu.new(options, context)
  local core, size = context.core, context.input.size
  return Prelu.create {
    core = core, options = options, output = { size = size },
    activations = Buffer.new(core, size), predictions = Buffer.new(core, size),
    below = Buffer.new(core, size), A_below = false,
  }
end

---@return table[]
function Prelu:declare()
  local options = self.options
  return { {
    -- Decay would pull it towards relu: there is none (He et al. 2015, section 2.1).
    name = "slope", role = "parameter", rows = options.per_unit and self.output.size or 1, cols = 1,
    decays = false, first = function(M) M:fill(options.slope) end,
  } }
end

---A = A_below where that is above 0, else slope (.) A_below.
---@param A_below Matrix  S x N; must not change before backward
---@return Matrix         S x N; valid until the next forward
function Prelu:forward(A_below)
  self.A_below = A_below
  self.A = self.core.prelu_forward(self.activations:columns(A_below.cols), A_below,
    self.tensors.slope.value)
  return self.A
end

---@param A_below Matrix  S x N
---@return Matrix         S x N; valid until the next predict
function Prelu:predict(A_below)
  return self.core.prelu_forward(self.predictions:columns(A_below.cols), A_below,
    self.tensors.slope.value)
end

---Delta_below = Delta where A_below is above 0, else slope (.) Delta; dJ/dslope = the sum of Delta
---(.) A_below where that is not.
---@param Delta Matrix           S x N
---@param wants_below boolean?
---@return Matrix? Delta_below   S x N; valid until the next backward
function Prelu:backward(Delta, wants_below)
  local A_below, slope = self.A_below, self.tensors.slope
  if not A_below then errors.raise("backward needs a forward before it") end
  self.Delta = Delta
  local below, gradient
  if wants_below then below = self.below:columns(Delta.cols) end
  if not slope.frozen then gradient = slope.gradient end
  return self.core.prelu_backward(below, gradient, Delta, A_below, slope.value, slope.adds)
end

function Prelu:__tostring()
  return self.options.per_unit and "prelu" or "prelu, one slope"
end

return Prelu
