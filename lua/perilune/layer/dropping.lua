-- Layers that drop inputs at random in training and let all through in prediction: they differ in
-- what becomes of those that stay and of the others.

local Buffer = require "perilune.buffer"
local class = require "perilune.layer.class"
local errors = require "perilune.errors"

---A class of such layers. factors(p) gives, for the probability p, what the inputs that stay are
---multiplied by, what is added to them, and what the others become.
---@param name string
---@param factors fun(p: number): number, number, number
---@return table
local function dropping(name, factors)
  ---@class Dropping
  ---@field key integer  which inputs the last forward dropped follows from it; nil before
  ---@field A Matrix     S x N, of the last forward
  local Dropping = class(name, { probability = { "number", least = 0, below = 1 } })
  Dropping.is_transparent = true

  function Dropping.new(options, context)
    local core, size = context.core, context.input.size
    local scale, shift, dropped = factors(options.probability)
    return Dropping.create {
      core = core, options = options, generator = context.generator,
      probability = options.probability, scale = scale, shift = shift, dropped = dropped,
      output = { size = size }, activations = Buffer.new(core, size),
      below = Buffer.new(core, size),
    }
  end

  ---@param A_below Matrix  S x N
  ---@return Matrix         S x N; valid until the next forward
  function Dropping:forward(A_below)
    local A = self.activations:columns(A_below.cols)
    self.key = self.generator:integer(math.mininteger, math.maxinteger)
    self.A = self.core.dropout(A, A_below, self.probability, self.key, self.scale, self.shift,
      self.dropped)
    return self.A
  end

  ---@param A_below Matrix
  ---@return Matrix A_below
  function Dropping.predict(_, A_below)
    return A_below
  end

  ---What was dropped is drawn again from the key.
  ---@param Delta Matrix           S x N
  ---@param wants_below boolean?
  ---@return Matrix? Delta_below   S x N; valid until the next backward
  function Dropping:backward(Delta, wants_below)
    if not self.key then errors.raise("backward needs a forward before it") end
    self.Delta = Delta
    if not wants_below then return nil end
    return self.core.dropout(self.below:columns(Delta.cols), Delta, self.probability, self.key,
      self.scale)
  end

  function Dropping:__tostring()
    return ("%s %g"):format(name, self.probability)
  end

  return Dropping
end

return dropping
