-- The gain of an activation: by how much weights must be larger than those that keep the size of
-- signals where there is no activation. The values are those of torch.nn.init.calculate_gain; that
-- of relu and leaky_relu is from He et al. 2015, that of tanh common use.

require "perilune.activation" -- the family that descriptions are resolved in

local errors = require "perilune.errors"
local fields = require "perilune.fields"

local function one() return 1 end

local gains = {
  identity = one,
  leaky_relu = function(options) return math.sqrt(2 / (1 + options.slope ^ 2)) end,
  relu = function() return math.sqrt(2) end,
  selu = function() return 3 / 4 end,
  sigmoid = one,
  tanh = function() return 5 / 3 end,
}

local function known()
  local names = {}
  for name in pairs(gains) do names[#names + 1] = name end
  table.sort(names)
  return table.concat(names, ", ")
end

---A field that is a gain: a number of 0 or more, or the description of an activation that has one,
---{ "leaky_relu", slope = 0.2 }. The value is the number.
---@param value any
---@param own? table     a user's own parts by name
---@param name string
---@return number?, string?
function fields.types.gain(value, _, own, name)
  if type(value) == "number" then
    return fields.types.number(value, { least = 0 })
  elseif type(value) ~= "string" and type(value) ~= "table" then
    return nil, "a number or an activation"
  end
  local sigma = fields.types.part(value, { of = "activation" }, own, name)
  local gain = gains[sigma.name]
  if not gain then
    errors.raise("%s: a number, or an activation whose gain is known (%s) expected, got %s", name,
      known(), errors.show(sigma.name or value))
  end
  return gain(sigma.options)
end
