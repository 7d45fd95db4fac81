-- Layers in a row, each on the output of the one below: A^(l) = layer^(l)(A^(l-1)), l = 1..L.

local class = require "perilune.layer.class"
local list = require "perilune.layer.list"

---@class Chain
---@field layers table[]   layers 1..L
---@field lowest integer   the lowest to train, L + 1 where there is none
---@field A Matrix         S_L x N, of the last forward
---@field Delta Matrix     S_L x N, given to the last backward
local Chain = class("chain", { layers = { "table" } })

---@param options { layers: table[] }
---@param context LayerContext
---@return Chain
function Chain.new(options, context)
  list.check(options.layers, "layer")
  local layers, input = {}, context.input
  for l, description in ipairs(options.layers) do
    layers[l] = context.make(description, input, tostring(l))
    input = layers[l].output
  end
  return Chain.create { layers = layers, output = input, context = context }
end

---Find the lowest layer with parameters to train: nobody needs the Delta below it.
function Chain:bind()
  local l = 1
  while self.layers[l] and not self.context.trains(self.layers[l]) do l = l + 1 end
  self.lowest = l
end

---@param A_below Matrix  S_0 x N
---@return Matrix         S_L x N; valid until the next forward
function Chain:forward(A_below)
  local A, layers = A_below, self.layers
  for l = 1, #layers do A = layers[l]:forward(A) end
  self.A = A
  return A
end

---@param A_below Matrix  S_0 x N
---@param last? integer   up to layer `last`, default L
---@return Matrix         S_L x N; valid until the next predict
function Chain:predict(A_below, last)
  local A, layers = A_below, self.layers
  for l = 1, last or #layers do A = layers[l]:predict(A) end
  return A
end

---Delta^(l-1) of each layer from Delta^(l), and the gradients on the way, by (4.1) and (4.2).
---@param Delta Matrix           S_L x N
---@param wants_below boolean?
---@return Matrix? Delta_below   S_0 x N; valid until the next backward
function Chain:backward(Delta, wants_below)
  self.Delta = Delta
  local layers = self.layers
  local last = wants_below and 1 or self.lowest
  for l = #layers, last, -1 do
    Delta = layers[l]:backward(Delta, wants_below or l > last)
  end
  return wants_below and Delta or nil
end

---@return table
function Chain:describe()
  local layers = {}
  for l, layer in ipairs(self.layers) do layers[l] = self.context.describe(layer) end
  return { "chain", layers = layers }
end

function Chain:__tostring()
  return "chain of " .. list.count(self.layers, "layer")
end

return Chain
