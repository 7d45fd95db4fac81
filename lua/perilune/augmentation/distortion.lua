-- A distortion of images, at random within what its options allow. A sample is an image row by row,
-- the channels of a pixel side by side; what lies outside of it is 0.

local Pass = require "perilune.augmentation.pass"
local cores = require "perilune.cores"
local errors = require "perilune.errors"

local raise = errors.raise

---@class Distortion
---@field name string
---@field options table
---@field moves table<string, number>  what of `displace` it sets
local Distortion = {}
Distortion.__index = Distortion

---@param kind Kind
---@param options table
---@return Distortion
function Distortion.new(kind, options)
  return setmetatable({
    name = kind.name, options = options, moves = kind.moves(options), pass = false, rows = false,
  }, Distortion)
end

---Whether `value` is a distortion, and not one of the user's own augmentations.
---@param value any
---@return boolean
function Distortion.is_distortion(value)
  return getmetatable(value) == Distortion
end

-- The pass for samples of so many inputs: that of the last call, where it serves
local function pass_for(self, core, inputs)
  if not self.pass or self.pass.core ~= core or self.rows ~= inputs then
    local pass = Pass.new(core, Pass.image({ self }, inputs))
    pass:add(self)
    self.pass, self.rows = pass, inputs
  end
  return self.pass
end

---Distort samples in place, each by numbers of its own.
---@param X Matrix  S_0 x N, stored by columns
---@param generator Generator
---@return Matrix X
function Distortion:__call(X, generator)
  if not cores.is_matrix(X) or X.order ~= "columns" then
    raise("X: a matrix of samples, stored by columns, expected, got %s", errors.show(X))
  end
  cores.check_generator(generator)
  local pass = pass_for(self, cores.of(X), X.rows)
  local ahead = generator:copy()
  X:assign(pass:apply(X, ahead:integer(math.mininteger, math.maxinteger), 0))
  generator:assign(ahead)
  return X
end

return Distortion
