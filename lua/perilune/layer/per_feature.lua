-- Layers that turn each feature, a row of A_below, into several of its own: what they share is how
-- rows are taken apart and put together, and a dense layer for each feature above, if one is
-- wanted. An encoder has
--     encoder.size                      rows that feature k becomes, in size[k]
--     encoder:encode(P, k, x)           P of size[k] x N from the row x, 1 x N
--     encoder:differentiate(k, H, P)    what the next two both need; where it has this
--     encoder:gradients(k, H, P, x)     of its parameters; where it has some
--     encoder:slope(delta, k, H, P, x)  delta of 1 x N, the derivative by x

local Buffer = require "perilune.buffer"
local errors = require "perilune.errors"

---@class PerFeature
---@field children table[]?   dense layers, one for each feature
---@field A Matrix            S_l x N, of the last forward
---@field Delta Matrix        S_l x N, given to the last backward
local PerFeature = {}
PerFeature.__index = PerFeature

-- Buffers for one pass over the samples: what feature k is, and what it becomes
local function new_pass(core, sizes, total)
  local pass = { rows = {}, encoded = {}, activations = Buffer.new(core, total) }
  for k, size in ipairs(sizes) do
    pass.rows[k], pass.encoded[k] = Buffer.new(core, 1), Buffer.new(core, size)
  end
  return pass
end

---@param context LayerContext
---@param encoder table
---@param above? { outputs: integer, activation: any }  of the dense layers
---@return PerFeature
function PerFeature.new(context, encoder, above)
  local core, input = context.core, context.input
  local self = setmetatable({ core = core, context = context, encoder = encoder }, PerFeature)
  local outputs = encoder.size
  if above then
    self.children, outputs = {}, {}
    for k, size in ipairs(encoder.size) do
      local description = { "dense", outputs = above.outputs, activation = above.activation }
      self.children[k], outputs[k] = context.make(description, { size = size }, tostring(k)),
        above.outputs
    end
  end
  local total = 0
  for _, size in ipairs(outputs) do total = total + size end
  self.size, self.below = total, Buffer.new(core, input.size)
  self.training = new_pass(core, encoder.size, total)
  self.inference = new_pass(core, encoder.size, total)
  self.Deltas, self.slopes = {}, Buffer.new(core, 1)
  for k, size in ipairs(outputs) do self.Deltas[k] = Buffer.new(core, size) end
  return self
end

local function run(self, pass, method, A_below)
  local core, N, row = self.core, A_below.cols, 1
  local A = pass.activations:columns(N)
  for k = 1, #self.encoder.size do
    local x = core.take_rows(pass.rows[k]:columns(N), A_below, k)
    local inner = self.encoder:encode(pass.encoded[k]:columns(N), k, x)
    local child = self.children and self.children[k]
    if child then inner = child[method](child, inner) end
    core.put_rows(A, row, inner)
    row = row + inner.rows
  end
  return A
end

---@param A_below Matrix  S_(l-1) x N
---@return Matrix         S_l x N; valid until the next forward
function PerFeature:forward(A_below)
  self.N = A_below.cols
  return run(self, self.training, "forward", A_below)
end

---@param A_below Matrix  S_(l-1) x N
---@return Matrix         S_l x N; valid until the next predict
function PerFeature:predict(A_below)
  return run(self, self.inference, "predict", A_below)
end

---@param Delta Matrix           S_l x N
---@param wants_below boolean?
---@param trains boolean         the encoder has parameters that are not frozen
---@return Matrix? Delta_below   S_(l-1) x N; valid until the next backward
function PerFeature:backward(Delta, wants_below, trains)
  if not self.N then errors.raise("backward needs a forward before it") end
  local core, N, row, encoder = self.core, self.N, 1, self.encoder
  local below = wants_below and self.below:columns(N) or nil
  for k = 1, #encoder.size do
    local H = core.take_rows(self.Deltas[k]:columns(N), Delta, row)
    row = row + H.rows
    if self.children then H = self.children[k]:backward(H, trains or wants_below) end
    local P, x = self.training.encoded[k]:columns(N), self.training.rows[k]:columns(N)
    if encoder.differentiate and (trains or below) then encoder:differentiate(k, H, P) end
    if trains then encoder:gradients(k, H, P, x) end
    if below then core.put_rows(below, k, encoder:slope(self.slopes:columns(N), k, H, P, x)) end
  end
  return below
end

return PerFeature
