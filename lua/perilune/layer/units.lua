-- The units of the targets, as the last layer of a network: it is trained on scaled targets, and
-- predicts in the units that targets have. In training the layer does nothing; the trainer and
-- pl.evaluate scale the targets by it (Dataset:for_network), and metrics are in the targets' units.

local Buffer = require "perilune.buffer"
local class = require "perilune.layer.class"
local cores = require "perilune.cores"
local errors = require "perilune.errors"
local fields = require "perilune.fields"

---@class Units
---@field A Matrix         S_l x N, of the last forward: scaled
---@field Delta Matrix     S_l x N, given to the last backward
local Units = class("units", {
  targets = { "table" },
  scaler = { "string", optional = true },
  clip = { "boolean", default = false },
})

Units.is_transparent = true

local declared = {
  shift = { "number" }, factor = { "number" }, least = { "number" }, most = { "number" },
}

-- Columns of what the targets are described by, in one element type, and 1 / factor
local function constants_of(core, targets)
  local constants = { inverse = core.matrix(#targets, 1) }
  for name in pairs(declared) do constants[name] = core.matrix(#targets, 1) end
  for i, target in ipairs(targets) do
    for name in pairs(declared) do constants[name]:set(i, 1, target[name]) end
    constants.inverse:set(i, 1, 1 / target.factor)
  end
  for _, column in pairs(constants) do
    if not column:is_finite() then
      errors.raise("targets: numbers expected that %s has", core.name)
    end
  end
  return constants
end

---@param options { targets: table[], clip: boolean }
---@param context LayerContext
---@return Units
function Units.new(options, context)
  local size, targets = context.input.size, {}
  local count = fields.length(options.targets, "targets")
  if count ~= size then
    errors.raise("targets: one for each of the %d outputs below expected, got %d", size, count)
  end
  for i = 1, size do
    targets[i] = fields.check(declared, options.targets[i], ("targets: %d"):format(i))
    if targets[i].factor == 0 then
      errors.raise("targets: %d: factor: a number that is not 0 expected", i)
    end
  end
  return Units.create {
    core = context.core, options = options, output = { size = size }, clip = options.clip,
    constants = { [context.core.name] = constants_of(context.core, targets) }, targets = targets,
    predictions = Buffer.new(context.core, size),
  }
end

-- The columns of constants in the type of M
local function constants_for(self, M)
  local core = cores.of(M)
  local constants = self.constants[core.name] or constants_of(core, self.targets)
  self.constants[core.name] = constants
  return core, constants
end

---Targets as training has them: (T - shift) factor.
---@param T Matrix  S_l x N, of either type
---@return Matrix   a new one, of T's type
function Units:scale(T)
  local core, c = constants_for(self, T)
  local scaled = core.matrix(T.rows, T.cols)
  core.subtract(scaled, T, c.shift)
  return core.hadamard(scaled, scaled, c.factor)
end

---Scaled numbers in the units of the targets: A / factor + shift.
---@param result Matrix   S_l x N, may be A
---@param A Matrix        S_l x N, of the network's type
---@param clips boolean?  keep them within the range of the training targets
---@return Matrix result
function Units:unscale(result, A, clips)
  local core, c = constants_for(self, A)
  core.hadamard(result, A, c.inverse)
  core.add(result, result, c.shift)
  if not clips then return result end
  return core.minimum(result, core.maximum(result, result, c.least), c.most)
end

---@param A_below Matrix  S_l x N
---@return Matrix         the same
function Units:forward(A_below)
  self.A = A_below
  return A_below
end

---@param A_below Matrix  S_l x N, scaled
---@return Matrix         S_l x N, in the units of the targets; valid until the next predict
function Units:predict(A_below)
  return self:unscale(self.predictions:columns(A_below.cols), A_below, self.clip)
end

---@param Delta Matrix           S_l x N
---@param wants_below boolean?
---@return Matrix? Delta_below   the same
function Units:backward(Delta, wants_below)
  self.Delta = Delta
  return wants_below and Delta or nil
end

function Units:__tostring()
  return ("units of %d target%s%s"):format(#self.targets, #self.targets == 1 and "" or "s",
    self.clip and ", clipped" or "")
end

return Units
