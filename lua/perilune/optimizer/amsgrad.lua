-- AMSGrad (Reddi et al. 2018): Adam, whose steps never grow because of gradients that have become
-- smaller. The weight decay is decoupled.

local adam = require "perilune.optimizer.adam"

return {
  name = "amsgrad",
  fields = {
    rate = adam.fields.rate, beta1 = adam.fields.beta1, beta2 = adam.fields.beta2,
    epsilon = adam.fields.epsilon, weight_decay = adam.fields.weight_decay,
  },
  keeps = { "m", "v", "largest" },
  update = function(core, p, g, kept, options, rate, decay, step)
    core.amsgrad_update(p, g, kept.m, kept.v, kept.largest, rate, options.beta1, options.beta2,
      options.epsilon, step, decay)
  end,
}
