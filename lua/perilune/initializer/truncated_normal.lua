-- Normal numbers within lower and upper, as those of torch.nn.init.trunc_normal_: each is drawn
-- again until it is. Where that would take long, because the bounds are near each other or far from
-- the mean, uniform numbers are drawn and kept as often as the density says (Robert 1995).

local cores = require "perilune.cores"
local errors = require "perilune.errors"

local WIDE = 2.5      -- deviations: normal numbers are within at least every second time
local NEGLIGIBLE = 78 -- twice the logarithm of 2^56: what is less likely by that is left out

-- A function that draws one number of mean 0 and deviation 1 within low and high
local function drawer(low, high, generator, normal)
  if low <= 0 and high >= 0 and high - low >= WIDE then
    return function()
      local z
      repeat z = normal() until z >= low and z <= high
      return z
    end
  end
  local nearest = math.max(low, math.min(high, 0)) -- where the density is largest
  local reach = math.sqrt(nearest ^ 2 + NEGLIGIBLE) - math.abs(nearest)
  low, high = math.max(low, nearest - reach), math.min(high, nearest + reach)
  return function()
    local z
    repeat z = low + (high - low) * generator:number()
    until generator:number() < math.exp((nearest - z) * (nearest + z) / 2)
    return z
  end
end

return {
  name = "truncated_normal",
  fields = {
    mean = { "number", default = 0 }, deviation = { "number", default = 1, above = 0 },
    lower = { "number", default = -2 }, upper = { "number", default = 2 },
  },
  check = function(options)
    if options.lower >= options.upper then
      errors.raise("truncated_normal: upper: a number above lower (%s) expected, got %s",
        errors.show(options.lower), errors.show(options.upper))
    end
  end,
  fill = function(W, generator, options)
    local mean, deviation = options.mean, options.deviation
    local one = cores.of(W).matrix(1, 1)
    local draw = drawer((options.lower - mean) / deviation, (options.upper - mean) / deviation,
      generator, function() return generator:normal(one):get(1, 1) end)
    for j = 1, W.cols do
      for i = 1, W.rows do W:set(i, j, mean + deviation * draw()) end
    end
    return W
  end,
}
