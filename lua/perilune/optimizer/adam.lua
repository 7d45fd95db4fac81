-- Adam (Kingma and Ba 2015); with weight_decay AdamW (Loshchilov and Hutter 2019), the decay being
-- decoupled; with `amsgrad` the largest size of the gradients so far counts (Reddi et al. 2018).

return {
  name = "adam",
  fields = {
    rate = { "number", default = 0.001, least = 0, most = 1e38 },
    beta1 = { "number", default = 0.9, least = 0, below = 1 },
    beta2 = { "number", default = 0.999, least = 0, below = 1 },
    epsilon = { "number", default = 1e-8, above = 0, most = 1e38 },
    amsgrad = { "boolean", default = false },
    weight_decay = { "number", default = 0, least = 0, most = 1e38 },
  },
  keeps = function(options)
    return options.amsgrad and { "m", "v", "largest" } or { "m", "v" }
  end,
  update = function(core, p, g, kept, options, rate, decay, step)
    if options.amsgrad then
      core.amsgrad_update(p, g, kept.m, kept.v, kept.largest, rate, options.beta1, options.beta2,
        options.epsilon, step, decay)
    else
      core.adam_update(p, g, kept.m, kept.v, rate, options.beta1, options.beta2, options.epsilon,
        step, decay)
    end
  end,
}
