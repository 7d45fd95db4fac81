-- Lion (Chen et al. 2023): steps by the sign of a running mean of the gradient, all of the length
-- of the rate, which should be some ten times smaller than Adam's. The weight decay is decoupled.

return {
  name = "lion",
  fields = {
    rate = { "number", default = 1e-4, least = 0, most = 1e38 },
    beta1 = { "number", default = 0.9, least = 0, below = 1 },
    beta2 = { "number", default = 0.99, least = 0, below = 1 },
    weight_decay = { "number", default = 0, least = 0, most = 1e38 },
  },
  keeps = { "m" },
  update = function(core, p, g, kept, options, rate, decay)
    core.lion_update(p, g, kept.m, rate, options.beta1, options.beta2, decay)
  end,
}
