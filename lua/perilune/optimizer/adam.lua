-- Adam (Kingma and Ba 2015); with weight_decay AdamW (Loshchilov and Hutter 2019), the decay being
-- decoupled.

return {
  name = "adam",
  fields = {
    rate = { "number", default = 0.001, least = 0, most = 1e38 },
    beta1 = { "number", default = 0.9, least = 0, below = 1 },
    beta2 = { "number", default = 0.999, least = 0, below = 1 },
    epsilon = { "number", default = 1e-8, above = 0, most = 1e38 },
    weight_decay = { "number", default = 0, least = 0, most = 1e38 },
  },
  keeps = { "m", "v" },
  update = function(core, p, g, kept, options, rate, decay, step)
    core.adam_update(p, g, kept.m, kept.v, rate, options.beta1, options.beta2,
      options.epsilon, step, decay)
  end,
}
