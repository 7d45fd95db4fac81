-- AdaMax (Kingma and Ba 2015, section 7.1): Adam with the largest gradient so far, which fades by
-- beta2, in place of the root of the mean square. The weight decay is in the gradient, as in
-- PyTorch.

return {
  name = "adamax",
  fields = {
    rate = { "number", default = 0.002, least = 0, most = 1e38 },
    beta1 = { "number", default = 0.9, least = 0, below = 1 },
    beta2 = { "number", default = 0.999, least = 0, below = 1 },
    epsilon = { "number", default = 1e-8, above = 0, most = 1e38 },
    weight_decay = { "number", default = 0, least = 0, most = 1e38 },
  },
  keeps = { "m", "u" },
  update = function(core, p, g, kept, options, rate, decay, step)
    core.adamax_update(p, g, kept.m, kept.u, rate, options.beta1, options.beta2, options.epsilon,
      step, decay)
  end,
}
