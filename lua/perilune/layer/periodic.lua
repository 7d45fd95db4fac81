-- Numbers as waves (Gorishniy et al. 2022, section 3.3): feature x becomes sin 2 pi c x and cos 2
-- pi c x for frequencies c that are learned, and with `outputs` a dense layer of its own above
-- them, so that a network of tables sees fine structure in a number.

local Buffer = require "perilune.buffer"
local PerFeature = require "perilune.layer.per_feature"
local class = require "perilune.layer.class"

---@class Periodic
---@field c Matrix      frequencies x S_(l-1), learned
---@field dJ_dc Matrix
local Periodic = class("periodic", {
  frequencies = { "count", default = 16 },
  deviation = { "number", default = 0.1, above = 0, most = 1e18 },
  outputs = { "count", optional = true },
  activation = { "part", of = "activation", default = "relu" },
})

-- What PerFeature asks of it
local Encoder = {}
Encoder.__index = Encoder

---Sines and cosines of feature k.
---@param P Matrix   size[k] x N
---@param k integer  the feature
---@param x Matrix   1 x N
---@return Matrix P
function Encoder:encode(P, k, x)
  return self.core.periodic(P, self.frequencies[k], x)
end

---G, the derivative by c x: that by c is G x^t, that by x is c^t G.
---@param k integer
---@param H Matrix  size[k] x N
---@param P Matrix  size[k] x N, what encode gave
function Encoder:differentiate(k, H, P)
  self.G = self.core.periodic_backward(self.derivatives[k]:columns(P.cols), H, P)
end

---dJ/dc of feature k.
---@param k integer
---@param x Matrix   1 x N
function Encoder:gradients(k, _, _, x)
  self.core.product(self.sums[k], self.G, x, "NT")
end

---The derivative of J by x.
---@param delta Matrix  1 x N
---@param k integer
---@return Matrix delta
function Encoder:slope(delta, k)
  return self.core.product(delta, self.frequencies[k], self.G, "TN")
end

---@param options table
---@param context LayerContext
---@return Periodic
function Periodic.new(options, context)
  local core, sizes, derivatives = context.core, {}, {}
  for k = 1, context.input.size do
    sizes[k], derivatives[k] = 2 * options.frequencies, Buffer.new(core, options.frequencies)
  end
  local encoder = { core = core, size = sizes, derivatives = derivatives, G = false }
  setmetatable(encoder, Encoder)
  local above = options.outputs
    and { outputs = options.outputs, activation = options.activation }
  local features = PerFeature.new(context, encoder, above)
  return Periodic.create {
    core = core, options = options, encoder = encoder, features = features,
    inputs = context.input.size, output = { size = features.size },
  }
end

---@return table[]
function Periodic:declare()
  local deviation = self.options.deviation
  return {
    { name = "c", role = "parameter", rows = self.options.frequencies, cols = self.inputs,
      first = function(M, generator) generator:normal(M, 0, deviation) end },
  }
end

local function columns_of(M)
  local columns = {}
  for k = 1, M.cols do columns[k] = M:columns(k, k) end
  return columns
end

---@param tensors table<string, Tensor>
function Periodic:bind(tensors)
  local encoder, c = self.encoder, tensors.c.value
  self.tensors, self.sum = tensors, self.core.matrix(c.rows, c.cols)
  encoder.frequencies, encoder.sums = columns_of(c), columns_of(self.sum)
end

---@param A_below Matrix  S_(l-1) x N
---@return Matrix         S_l x N; valid until the next forward
function Periodic:forward(A_below)
  self.A = self.features:forward(A_below)
  return self.A
end

---@param A_below Matrix  S_(l-1) x N
---@return Matrix         S_l x N; valid until the next predict
function Periodic:predict(A_below)
  return self.features:predict(A_below)
end

---@param Delta Matrix           S_l x N
---@param wants_below boolean?
---@return Matrix? Delta_below   S_(l-1) x N; valid until the next backward
function Periodic:backward(Delta, wants_below)
  self.Delta = Delta
  local c = self.tensors.c
  local below = self.features:backward(Delta, wants_below, not c.frozen)
  c:receive(self.sum)
  return below
end

function Periodic:__tostring()
  local outputs = self.options.outputs
  return ("periodic, %d frequencies%s"):format(self.options.frequencies,
    outputs and (", %d outputs each"):format(outputs) or "")
end

return Periodic
