-- A residual block (He et al. 2016): A = body(A_below) + A_below, or + projection(A_below) where
-- the body gives another number of outputs.

local Buffer = require "perilune.buffer"
local class = require "perilune.layer.class"
local errors = require "perilune.errors"

---@class Residual
---@field body table         a layer, a chain when a list was given
---@field projection table|false  a layer
local Residual = class("residual", {
  body = { "layer" },
  projection = { "layer", optional = true },
})

---@param options { body: any, projection: any }
---@param context LayerContext
---@return Residual
function Residual.new(options, context)
  local input = context.input
  local body = context.make(options.body, input, "body")
  local size = body.output.size
  local projection = false
  if options.projection then
    local description = options.projection
    if description == true then description = { "dense", outputs = size } end
    projection = context.make(description, input, "projection")
  end
  local shortcut = projection and projection.output.size or input.size
  if shortcut ~= size then
    errors.raise("its body has %d outputs but %s has %d, and they are summed%s", size,
      projection and "the projection" or "its input", shortcut,
      projection and "" or " (projection = true makes as many of the input)")
  end
  local core = context.core
  return Residual.create {
    core = core, context = context, body = body, projection = projection,
    output = { size = size }, activations = Buffer.new(core, size),
    predictions = Buffer.new(core, size), below = Buffer.new(core, input.size),
  }
end

---@param A_below Matrix  S_(l-1) x N
---@return Matrix         S_l x N; valid until the next forward
function Residual:forward(A_below)
  local shortcut = self.projection and self.projection:forward(A_below) or A_below
  local inner = self.body:forward(A_below)
  self.A = self.core.add(self.activations:columns(inner.cols), inner, shortcut)
  return self.A
end

---@param A_below Matrix  S_(l-1) x N
---@return Matrix         S_l x N; valid until the next predict
function Residual:predict(A_below)
  local shortcut = self.projection and self.projection:predict(A_below) or A_below
  local inner = self.body:predict(A_below)
  return self.core.add(self.predictions:columns(inner.cols), inner, shortcut)
end

---Delta_below = body's + Delta, or + the projection's.
---@param Delta Matrix           S_l x N
---@param wants_below boolean?
---@return Matrix? Delta_below   S_(l-1) x N; valid until the next backward
function Residual:backward(Delta, wants_below)
  self.Delta = Delta
  local shortcut = Delta
  if self.projection then shortcut = self.projection:backward(Delta, wants_below) end
  local inner = self.body:backward(Delta, wants_below)
  if not wants_below then return nil end
  return self.core.add(self.below:columns(Delta.cols), inner, shortcut)
end

---@return table
function Residual:describe()
  return {
    "residual", body = self.context.describe(self.body),
    projection = self.projection and self.context.describe(self.projection) or nil,
  }
end

function Residual:__tostring()
  return "residual" .. (self.projection and ", with a projection" or "")
end

return Residual
