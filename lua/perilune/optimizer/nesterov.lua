-- Momentum with a look ahead (Sutskever et al. 2013), in PyTorch's form.

local momentum = require "perilune.optimizer.momentum"

return {
  name = "nesterov",
  fields = {
    rate = momentum.fields.rate, momentum = momentum.fields.momentum,
    weight_decay = momentum.fields.weight_decay,
  },
  keeps = momentum.keeps,
  update = function(core, p, g, kept, options, rate, decay)
    core.momentum_update(p, g, kept.v, rate, options.momentum, true, decay)
  end,
}
