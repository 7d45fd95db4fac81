-- Scalers: how the numbers of a column are brought to a common range. They are fitted to the
-- numbers of the training part, and what they found is plain data:
--     { shift =, factor = }   for y = (x - shift) factor
--     { quantiles = {...} }   for the normal number of the share of samples below x
-- A column that never changes becomes 0: of it nothing can be learned. With `clip` y becomes
-- y / sqrt(1 + (y / clip)^2), which is smooth and between -clip and clip (Holzmueller et al. 2024).
-- One of the user's own is a table { name = "mine", fit = f }, f(numbers) --> shift, factor, where
-- numbers are those of a column, ascending.

local errors = require "perilune.errors"
local fields = require "perilune.fields"
local registry = require "perilune.registry"
local sorted = require "perilune.data.sorted"

local raise, show = errors.raise, errors.show

---@class Scaler
---@field name string?
---@field options table
local Scaler = {}
Scaler.__index = Scaler

local function is_finite(x)
  return type(x) == "number" and x - x == 0
end

local function check_affine(self, shift, factor, numbers)
  local name = self.name or "scaler"
  if self.kind.is_own and not (is_finite(shift) and is_finite(factor)) then
    raise("%s: two finite numbers expected from its fit, got %s and %s", name, show(shift),
      show(factor))
  elseif not is_finite(shift) or not is_finite(factor) or factor == 0 then
    raise("%s: numbers expected that can be scaled, got some from %s to %s", name,
      show(numbers[1]), show(numbers[#numbers]))
  end
end

-- Those of rows are such already; a user's may be anything.
local function check_numbers(numbers)
  if type(numbers) ~= "table" then
    raise("numbers: a list of numbers expected, got %s", show(numbers))
  end
  local count, before = fields.length(numbers, "numbers"), -math.huge
  if count == 0 then raise("numbers: one or more expected, got none") end
  for k = 1, count do
    local x = numbers[k]
    if not is_finite(x) or x < before then
      raise("numbers: finite numbers in ascending order expected, got %s as number %d", show(x), k)
    end
    before = x
  end
end

---Fit it to the numbers of a column.
---@param numbers number[]  finite, ascending, one or more
---@return { shift: number, factor: number, quantiles: number[]?, clip: number? }  plain data
function Scaler:fit(numbers)
  check_numbers(numbers)
  local found
  if not self.kind.is_own and numbers[1] == numbers[#numbers] then
    found = { shift = numbers[1], factor = 0 }
  elseif self.kind.quantiles then
    found = { quantiles = self.kind.quantiles(numbers, self.options) }
  else
    local shift, factor = self.kind.fit(numbers, self.options)
    check_affine(self, shift, factor, numbers)
    found = { shift = shift, factor = factor }
  end
  found.clip = self.options.clip
  return found
end

local function new(kind, options)
  return setmetatable({ name = kind.name, kind = kind, options = options }, Scaler)
end

local function accepts(value, name)
  if getmetatable(value) == Scaler then return value end
  if type(value) ~= "table" or type(value.fit) ~= "function" then return nil end
  return new({ name = value.name or name, fit = value.fit, is_own = true }, {})
end

local scaler = registry.family("scaler", {
  make = new,
  accepts = accepts,
  expected = "a table { name =, fit = f(numbers) --> shift, factor }",
})

local function add(kind)
  kind.fields = kind.fields or {}
  kind.fields.clip = { "number", optional = true, above = 0 }
  scaler:add(kind)
end

-- mean 0 and deviation 1
add {
  name = "standard",
  fit = function(numbers)
    local mean, squares = sorted.mean(numbers), 0
    for k = 1, #numbers do squares = squares + (numbers[k] - mean) ^ 2 end
    return mean, 1 / math.sqrt(squares / #numbers)
  end,
}

-- from `lower` to `upper`
add {
  name = "min_max",
  fields = { lower = { "number", default = 0 }, upper = { "number", default = 1 } },
  fit = function(numbers, options)
    local lower, upper = options.lower, options.upper
    if not (upper > lower) then
      raise("min_max: upper: a number above lower, %s, expected, got %s", show(lower), show(upper))
    end
    local least = numbers[1]
    local factor = (upper - lower) / (numbers[#numbers] - least)
    return least - lower / factor, factor
  end,
}

-- median 0, and 1 between the quartiles; where these are one number, 2 between the ends
-- (Holzmueller et al. 2024)
add {
  name = "robust",
  fit = function(numbers)
    local quartiles = sorted.quantile(numbers, 0.75) - sorted.quantile(numbers, 0.25)
    local range = quartiles > 0 and quartiles or (numbers[#numbers] - numbers[1]) / 2
    return sorted.quantile(numbers, 0.5), 1 / range
  end,
}

-- normal numbers, by the share of samples below; `count` quantiles are kept. A file's header, which
-- holds 1 MiB, has room for about 50 columns of 1000.
add {
  name = "quantile",
  fields = { count = { "integer", default = 1000, least = 2, most = 2 ^ 16 | 0 } },
  quantiles = function(numbers, options)
    local count, quantiles = math.max(2, math.min(options.count, #numbers)), {}
    for k = 1, count do quantiles[k] = sorted.quantile(numbers, (k - 1) / (count - 1)) end
    return quantiles
  end,
}

return scaler
