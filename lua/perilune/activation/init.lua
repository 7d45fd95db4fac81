-- Activations sigma, A = sigma(Z) (1.4). The C core has them; here they become parts that can be
-- described. One of your own is a table
--     { name = "swish", forward = function(A, Z), backward = function(H, Delta, Z, A) }
-- that writes A = sigma(Z), and H = J_sigma^t Delta, which is Delta (.) dsigma/dZ (4.2) where sigma
-- works element by element. A may be Z, and H may be Delta. It may also state its `range`, { least,
-- most } of what it gives: then targets beyond that are refused before the first step.

local cores = require "perilune.cores"
local errors = require "perilune.errors"
local registry = require "perilune.registry"

---@class Activation
---@field name string?
---@field forward fun(A: Matrix, Z: Matrix): Matrix
---@field backward fun(H: Matrix, Delta: Matrix, Z: Matrix, A: Matrix): Matrix
---@field range? number[]   { least, most } of what it gives or comes near to; nil: all numbers
---@field is_elementwise? boolean  false where an element of A depends on its whole column of Z

-- One with the same options in the core of each element type, made when it is first used there.
local Sigma = {}
Sigma.__index = Sigma

---The activation as `core` computes it.
---@param core Core
---@return Activation
function Sigma:of(core)
  self.cores[core] = self.cores[core] or core.activation(self.name, self.options)
  return self.cores[core]
end

-- What the core's function `method` of the activation gives for matrices that have these letters
local function call(sigma, method, letters, ...)
  local result = ...
  if not cores.is_matrix(result) then
    errors.raise("%s: %s: a matrix expected, got %s", sigma.name, letters[1],
      errors.show(result))
  end
  local ok, message = pcall(sigma:of(cores.of(result))[method], ...)
  if not ok then errors.refused(sigma.name, letters, message) end
  return result
end

-- The ranges of options are the core's to know: its message is told without the place where it
-- arose.
local function in_core(kind, options)
  local ok, made = pcall(cores.float32.activation, kind.name, options)
  if ok then return made end
  local reason = made:match "^bad argument .- %((.*)%)$"
  if not reason then error(made, 0) end
  errors.raise("%s: %s", kind.name, reason)
end

local FORWARD, BACKWARD = { "A", "Z" }, { "H", "Delta", "Z", "A" }

local function make(kind, options)
  local made = in_core(kind, options)
  local sigma = setmetatable({
    name = kind.name, options = options, range = made.range,
    is_elementwise = made.is_elementwise, cores = {},
  }, Sigma)
  function sigma.forward(A, Z)
    return call(sigma, "forward", FORWARD, A, Z)
  end
  function sigma.backward(H, Delta, Z, A)
    return call(sigma, "backward", BACKWARD, H, Delta, Z, A)
  end
  return sigma
end

local function check_range(range)
  local least, most
  if type(range) == "table" then least, most = range[1], range[2] end
  local is_range = type(least) == "number" and type(most) == "number" and least < most
  if not is_range then
    errors.raise("activation: range: { least, most } expected, got %s", errors.show(range))
  end
end

-- One of the user's own; given by a name, it has that name.
local function accepts(value, name)
  local has_both = type(value) == "table" and type(value.forward) == "function"
    and type(value.backward) == "function"
  if not has_both or value.predict ~= nil then return nil end -- networks and layers predict
  if value.range ~= nil then check_range(value.range) end
  if value.name or not name then return value end
  return {
    name = name, forward = value.forward, backward = value.backward, range = value.range,
  }
end

local activation = registry.family("activation", {
  make = make,
  accepts = accepts,
  expected = "a table with the functions forward(A, Z) and backward(H, Delta, Z, A)",
})

for name, sigma in pairs(cores.float32.activations) do
  local fields = {}
  for option, default in pairs(sigma.options or {}) do
    fields[option] = { type(default), default = default }
  end
  activation:add { name = name, fields = fields }
end

return activation
