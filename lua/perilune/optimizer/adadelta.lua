-- AdaDelta (Zeiler 2012): steps that have the unit of the parameter, by the ratio of the running
-- means of squared steps and squared gradients. The weight decay is in the gradient, as in PyTorch.

return {
  name = "adadelta",
  fields = {
    rate = { "number", default = 1, least = 0, most = 1e38 },
    rho = { "number", default = 0.9, least = 0, below = 1 },
    epsilon = { "number", default = 1e-6, above = 0, most = 1e38 },
    weight_decay = { "number", default = 0, least = 0, most = 1e38 },
  },
  keeps = { "v", "w" },
  update = function(core, p, g, kept, options, rate, decay)
    core.adadelta_update(p, g, kept.v, kept.w, rate, options.rho, options.epsilon, decay)
  end,
}
