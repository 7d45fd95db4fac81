-- The first weights of a layer. An initialiser of your own is a function (W, generator) that fills
-- W, whose fans are W.cols inputs and W.rows outputs. The variances are those that keep the size of
-- signals from layer to layer: see each source.

local cores = require "perilune.cores"
local errors = require "perilune.errors"
local registry = require "perilune.registry"

---@class Initializer
---@field name string?
---@field options table?
---@field fill fun(W: Matrix, generator: Generator, options: table?)
---@field biases boolean   b is filled likewise; else b begins with zeros

local Initializer = {}
Initializer.__index = Initializer

---Fill W.
---@param W Matrix  S_l x S_(l-1)
---@param generator Generator
---@return any  whatever the function that fills W returns
function Initializer:__call(W, generator)
  if not cores.is_matrix(W) then
    errors.raise("W: a matrix expected, got %s", errors.show(W))
  end
  cores.check_generator(generator)
  return self.fill(W, generator, self.options)
end

local initializer = registry.family("initializer", {
  make = function(kind, options)
    return setmetatable({
      name = kind.name, options = options, fill = kind.fill, biases = kind.biases,
    }, Initializer)
  end,
  accepts = function(value, name)
    if getmetatable(value) == Initializer then return value end
    if type(value) ~= "function" then return nil end
    return setmetatable({ name = name, fill = value, biases = false }, Initializer)
  end,
  expected = "a function (W, generator)",
})

initializer:add {
  -- uniform in +-sqrt(6 / (S_(l-1) + S_l)) (Glorot and Bengio 2010, equation 16): for symmetric
  -- activations such as tanh
  name = "glorot",
  fill = function(W, generator)
    local bound = math.sqrt(6 / (W.cols + W.rows))
    return generator:uniform(W, -bound, bound)
  end,
}

initializer:add {
  -- normal with variance 2 / S_(l-1) (He et al. 2015, equation 10): for relu
  name = "he",
  fill = function(W, generator) return generator:normal(W, 0, math.sqrt(2 / W.cols)) end,
}

initializer:add {
  -- normal with variance 1 / S_(l-1) (LeCun et al. 1998, "Efficient BackProp", section 4.6)
  name = "lecun",
  fill = function(W, generator) return generator:normal(W, 0, math.sqrt(1 / W.cols)) end,
}

initializer:add {
  -- uniform in +-bound whatever the widths, b too
  name = "uniform",
  fields = { bound = { "number", default = 0.5, least = 0 } },
  biases = true,
  fill = function(W, generator, options)
    return generator:uniform(W, -options.bound, options.bound)
  end,
}

initializer:add {
  -- normal whatever the widths, b too (Nielsen 2015, chapter 1)
  name = "normal",
  fields = {
    mean = { "number", default = 0 }, deviation = { "number", default = 1, least = 0 },
  },
  biases = true,
  fill = function(W, generator, options)
    return generator:normal(W, options.mean, options.deviation)
  end,
}

-- The initialiser that suits an activation, where none is asked for
local suited = { relu = "he", leaky_relu = "he", elu = "he" }

---@param activation string?  its name
---@return string
function initializer.suited(activation)
  return suited[activation] or "glorot"
end

return initializer
