-- RMSprop (Tieleman and Hinton 2012): steps over the root of a running mean of squared gradients;
-- with `centered` over their deviation (Graves 2013), with `momentum` by a velocity of such steps.
-- The weight decay is in the gradient. All as in PyTorch.

return {
  name = "rmsprop",
  fields = {
    rate = { "number", default = 0.01, least = 0, most = 1e38 },
    alpha = { "number", default = 0.99, least = 0, below = 1 },
    epsilon = { "number", default = 1e-8, above = 0, most = 1e38 },
    momentum = { "number", default = 0, least = 0, below = 1 },
    centered = { "boolean", default = false },
    weight_decay = { "number", default = 0, least = 0, most = 1e38 },
  },
  keeps = function(options)
    local keeps = { "v" }
    if options.centered then keeps[#keeps + 1] = "m" end
    if options.momentum > 0 then keeps[#keeps + 1] = "w" end
    return keeps
  end,
  update = function(core, p, g, kept, options, rate, decay)
    core.rmsprop_update(p, g, kept.v, kept.m, kept.w, rate, options.alpha, options.epsilon,
      options.momentum, decay)
  end,
}
