-- Normal noise of mean 0 on the inputs, in training alone (Bishop 1995): a smoother network, as
-- from more samples.

local Buffer = require "perilune.buffer"
local class = require "perilune.layer.class"
local errors = require "perilune.errors"

---@class GaussianNoise
---@field A Matrix  S x N, of the last forward
local GaussianNoise = class("gaussian_noise",
  { deviation = { "number", default = 0.1, least = 0, most = 1e18 } })
GaussianNoise.is_transparent = true

---@param options { deviation: number }
---@param context LayerContext
---@return GaussianNoise
function GaussianNoise.new(options, context)
  local core, size = context.core, context.input.size
  return GaussianNoise.create {
    core = core, options = options, generator = context.generator, output = { size = size },
    activations = Buffer.new(core, size),
  }
end

---@param A_below Matrix  S x N
---@return Matrix         S x N; valid until the next forward
function GaussianNoise:forward(A_below)
  local A = self.activations:columns(A_below.cols)
  self.A = self.core.add(A, self.generator:normal(A, 0, self.options.deviation), A_below)
  return self.A
end

---@param A_below Matrix
---@return Matrix A_below
function GaussianNoise.predict(_, A_below)
  return A_below
end

---@param Delta Matrix           S x N
---@param wants_below boolean?
---@return Matrix? Delta_below   Delta itself
function GaussianNoise:backward(Delta, wants_below)
  if not self.A then errors.raise("backward needs a forward before it") end
  self.Delta = Delta
  return wants_below and Delta or nil
end

function GaussianNoise:__tostring()
  return ("gaussian_noise %g"):format(self.options.deviation)
end

return GaussianNoise
