-- Gradients within bounds, so that a single steep place does not throw the parameters far away.

local cores = require "perilune.cores"

local most = { "number", default = 1, above = 0, most = 1e38 }

-- One vector of all gradients, where there is one
local function gradients(parameters)
  if parameters.flat then return { parameters.flat } end
  return parameters
end

-- So that |G| is at most `limit`; `norm` is |G|. The small number is PyTorch's.
local function scale(G, norm, limit)
  local factor = limit / (norm + 1e-6)
  if factor < 1 then cores.of(G).hadamard(G, G, factor) end
end

local function norm_of_all(parameters)
  local sum = 0
  for _, parameter in ipairs(gradients(parameters)) do
    local norm = parameter.gradient:norm()
    sum = sum + norm * norm
  end
  return math.sqrt(sum)
end

return {
  value = {
    -- every element from -most to most (PyTorch's clip_grad_value_)
    name = "clip_value",
    fields = { most = most },
    apply = function(_, parameters, options)
      for _, parameter in ipairs(gradients(parameters)) do
        local G = parameter.gradient
        cores.of(G).clamp(G, G, -options.most, options.most)
      end
    end,
  },
  norm = {
    -- the norm of all gradients together at most `most`, their direction kept (Pascanu et al. 2013;
    -- PyTorch's clip_grad_norm_), or that of `each` parameter's
    name = "clip_norm",
    fields = {
      most = most, of = { "choice", choices = { "all", "each" }, default = "all" },
    },
    apply = function(_, parameters, options)
      if options.of == "all" then
        local norm = norm_of_all(parameters)
        for _, parameter in ipairs(gradients(parameters)) do
          scale(parameter.gradient, norm, options.most)
        end
      else
        for _, parameter in ipairs(parameters) do
          scale(parameter.gradient, parameter.gradient:norm(), options.most)
        end
      end
    end,
  },
}
