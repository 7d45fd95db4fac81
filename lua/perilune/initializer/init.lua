-- The first weights of a layer. An initialiser of your own is a function (W, generator) that fills
-- W, whose fans are W.cols inputs and W.rows outputs. The variances are those that keep the size of
-- signals from layer to layer: see each source. Those that PyTorch has are PyTorch's; a gain is a
-- number or an activation: { "glorot", gain = "tanh" }.

require "perilune.initializer.gain"

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
    if kind.check then kind.check(options) end
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

local distributions = { "normal", "uniform" }

initializer:add {
  -- variance 2 gain^2 / (S_(l-1) + S_l), uniform unless told otherwise (Glorot and Bengio 2010,
  -- equation 16): for symmetric activations such as tanh
  name = "glorot",
  fields = {
    distribution = { "choice", choices = distributions, default = "uniform" },
    gain = { "gain", default = 1 },
  },
  fill = function(W, generator, options)
    local fans, gain = W.cols + W.rows, options.gain
    if options.distribution == "normal" then
      return generator:normal(W, 0, gain * math.sqrt(2 / fans))
    end
    local bound = gain * math.sqrt(6 / fans)
    return generator:uniform(W, -bound, bound)
  end,
}

local SQRT_2 = math.sqrt(2)

initializer:add {
  -- variance gain^2 / S_(l-1), normal unless told otherwise (He et al. 2015, equation 10): for relu
  name = "he",
  fields = {
    distribution = { "choice", choices = distributions, default = "normal" },
    gain = { "gain", default = SQRT_2 },
  },
  fill = function(W, generator, options)
    local factor = options.gain / SQRT_2
    if options.distribution == "normal" then
      return generator:normal(W, 0, factor * math.sqrt(2 / W.cols))
    end
    local bound = factor * math.sqrt(6 / W.cols)
    return generator:uniform(W, -bound, bound)
  end,
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

initializer:add {
  name = "zeros",
  fill = function(W) return W:fill(0) end,
}

initializer:add {
  name = "constant",
  fields = { value = { "number", default = 0 } },
  fill = function(W, _, options) return W:fill(options.value) end,
}

initializer:add {
  -- 1 on the diagonal, so that what goes in comes out, as far as there are units for it
  name = "identity",
  fill = function(W)
    W:fill(0)
    for i = 1, math.min(W.rows, W.cols) do W:set(i, i, 1) end
    return W
  end,
}

initializer:add {
  -- normal but for `sparsity` of each column, which is 0 (Martens 2010; as torch.nn.init.sparse_)
  name = "sparse",
  fields = {
    sparsity = { "number", default = 0.9, least = 0, most = 1 },
    deviation = { "number", default = 0.01, least = 0 },
  },
  fill = function(W, generator, options)
    generator:normal(W, 0, options.deviation)
    local zeros = math.ceil(options.sparsity * W.rows)
    for j = 1, W.cols do
      local order = generator:permutation(W.rows)
      for k = 1, zeros do W:set(order[k], j, 0) end
    end
    return W
  end,
}

for _, name in ipairs { "orthogonal", "truncated_normal" } do
  initializer:add(require("perilune.initializer." .. name))
end

-- The initialiser that suits an activation, where none is asked for: he for what is near 0 on one
-- side, lecun for selu, whose authors ask for it
local suited = { selu = "lecun" }
for _, name in ipairs { "elu", "gelu", "leaky_relu", "mish", "relu", "silu", "softplus" } do
  suited[name] = "he"
end

---@param activation string?  its name
---@return string
function initializer.suited(activation)
  return suited[activation] or "glorot"
end

return initializer
