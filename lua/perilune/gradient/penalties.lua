-- Penalties on large weights, as terms of J: they add their gradients, and the optimiser sees no
-- difference. Biases and what normalises are left out, as they are of weight decay. The losses that
-- are reported stay those of the data.

local cores = require "perilune.cores"
local new_scratch = require "perilune.gradient.scratch"

local factor = { "number", default = 1e-4, least = 0, most = 1e38 }

local function begin(self)
  self.scratch = new_scratch()
end

-- f(value, gradient, core) for each parameter that decays
local function each(parameters, f)
  for _, parameter in ipairs(parameters) do
    if parameter.decays ~= false then
      f(parameter.value, parameter.gradient, cores.of(parameter.value))
    end
  end
end

return {
  l1 = {
    -- factor |theta|_1 (Tibshirani 1996), whose gradient is factor sign(theta)
    name = "l1",
    fields = { factor = factor },
    begin = begin,
    apply = function(self, parameters, options)
      each(parameters, function(value, gradient, core)
        core.accumulate(gradient, options.factor, core.sign(self.scratch(value), value))
      end)
    end,
    penalty = function(self, parameters, options)
      local sum = 0
      each(parameters, function(value, _, core)
        sum = sum + core.abs(self.scratch(value), value):sum()
      end)
      return options.factor * sum
    end,
  },
  l2 = {
    -- factor / 2 |theta|^2 (Krogh and Hertz 1992), whose gradient is factor theta: PyTorch's
    -- weight_decay in optimisers that are not decoupled
    name = "l2",
    fields = { factor = factor },
    apply = function(_, parameters, options)
      each(parameters, function(value, gradient, core)
        core.accumulate(gradient, options.factor, value)
      end)
    end,
    penalty = function(_, parameters, options)
      local sum = 0
      each(parameters, function(value)
        local norm = value:norm()
        sum = sum + norm * norm
      end)
      return options.factor / 2 * sum
    end,
  },
}
