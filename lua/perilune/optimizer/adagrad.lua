-- AdaGrad (Duchi et al. 2011): steps over the root of the sum of all squared gradients, which
-- begins with `initial_accumulator`. The rate falls by 1 / (1 + (step - 1) rate_decay); the weight
-- decay is in the gradient. All as in PyTorch.

return {
  name = "adagrad",
  fields = {
    rate = { "number", default = 0.01, least = 0, most = 1e38 },
    rate_decay = { "number", default = 0, least = 0, most = 1e38 },
    initial_accumulator = { "number", default = 0, least = 0, most = 1e38 },
    epsilon = { "number", default = 1e-10, above = 0, most = 1e38 },
    weight_decay = { "number", default = 0, least = 0, most = 1e38 },
  },
  keeps = { "v" },
  update = function(core, p, g, kept, options, rate, decay, step)
    if step == 1 then kept.v:fill(options.initial_accumulator) end
    core.adagrad_update(p, g, kept.v, rate / (1 + (step - 1) * options.rate_decay),
      options.epsilon, decay)
  end,
}
