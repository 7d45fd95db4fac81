-- Numbers as steps of a staircase (Gorishniy et al. 2022, section 3.2): feature x becomes, for each
-- pair of neighbours among its boundaries, how much of the way from one to the other lies below x.
-- With `outputs` a dense layer of its own is above them. The boundaries come from the training
-- data: pl.quantiles(X, count).

local PerFeature = require "perilune.layer.per_feature"
local class = require "perilune.layer.class"
local errors = require "perilune.errors"
local fields = require "perilune.fields"

---@class PiecewiseLinear
---@field A Matrix      S_l x N, of the last forward
---@field Delta Matrix  S_l x N, given to the last backward
local PiecewiseLinear = class("piecewise_linear", {
  boundaries = { "table" },
  outputs = { "count", optional = true },
  activation = { "part", of = "activation", default = "relu" },
})

-- Lists of numbers, each above the one before, one for each input
local function checked(boundaries, inputs)
  local count = fields.length(boundaries, "boundaries")
  if count ~= inputs then
    errors.raise("boundaries: a list for each of the %d inputs expected, got %d", inputs, count)
  end
  local lists = {}
  for k = 1, inputs do
    local what = ("boundaries: %d"):format(k)
    local list = fields.value(what, boundaries[k], { "numbers" })
    if #list < 2 then errors.raise("%s: two or more numbers expected, got %d", what, #list) end
    for t = 2, #list do
      if not (list[t] > list[t - 1]) then
        errors.raise("%s: numbers expected, each above the one before, got %s after %s", what,
          errors.show(list[t]), errors.show(list[t - 1]))
      end
    end
    lists[k] = list
  end
  return lists
end

-- The boundaries as a column, in the network's type, whose numbers may be fewer
local function column(core, list, k)
  local ends = core.matrix(#list, 1)
  for t, boundary in ipairs(list) do
    ends:set(t, 1, boundary)
    if t > 1 and not (ends:get(t, 1) > ends:get(t - 1, 1)) then
      errors.raise("boundaries: %d: %s and %s are one number in %s", k,
        errors.show(list[t - 1]), errors.show(boundary), core.name)
    end
  end
  return ends
end

-- What PerFeature asks of it
local Encoder = {}
Encoder.__index = Encoder

---The steps of feature k.
---@param P Matrix   size[k] x N
---@param k integer  the feature
---@param x Matrix   1 x N
---@return Matrix P
function Encoder:encode(P, k, x)
  return self.core.piecewise_linear(P, self.ends[k], x)
end

---The derivative of J by x.
---@param delta Matrix  1 x N
---@param k integer
---@param H Matrix      size[k] x N
---@param x Matrix      1 x N
---@return Matrix delta
function Encoder:slope(delta, k, H, _, x)
  return self.core.piecewise_linear_backward(delta, H, self.ends[k], x)
end

---@param options table
---@param context LayerContext
---@return PiecewiseLinear
function PiecewiseLinear.new(options, context)
  local core, sizes, ends, total = context.core, {}, {}, 0
  for k, list in ipairs(checked(options.boundaries, context.input.size)) do
    sizes[k], ends[k], total = #list - 1, column(core, list, k), total + #list
  end
  local encoder = setmetatable({ core = core, size = sizes, ends = ends }, Encoder)
  local above = options.outputs
    and { outputs = options.outputs, activation = options.activation }
  local features = PerFeature.new(context, encoder, above)
  return PiecewiseLinear.create {
    options = options, total = total, features = features, output = { size = features.size },
  }
end

---@param A_below Matrix  S_(l-1) x N
---@return Matrix         S_l x N; valid until the next forward
function PiecewiseLinear:forward(A_below)
  self.A = self.features:forward(A_below)
  return self.A
end

---@param A_below Matrix  S_(l-1) x N
---@return Matrix         S_l x N; valid until the next predict
function PiecewiseLinear:predict(A_below)
  return self.features:predict(A_below)
end

---@param Delta Matrix           S_l x N
---@param wants_below boolean?
---@return Matrix? Delta_below   S_(l-1) x N; valid until the next backward
function PiecewiseLinear:backward(Delta, wants_below)
  self.Delta = Delta
  return self.features:backward(Delta, wants_below, false)
end

function PiecewiseLinear:__tostring()
  local outputs = self.options.outputs
  return ("piecewise_linear, %d boundaries%s"):format(self.total,
    outputs and (", %d outputs each"):format(outputs) or "")
end

return PiecewiseLinear
