-- Gradient descent with momentum: v = momentum v + g + weight_decay p, p = p - rate v, or with
-- `nesterov` a look ahead (Sutskever et al. 2013).

return {
  name = "momentum",
  fields = {
    rate = { "number", default = 0.01, least = 0, most = 1e38 },
    momentum = { "number", default = 0.9, least = 0, below = 1 },
    nesterov = { "boolean", default = false },
    weight_decay = { "number", default = 0, least = 0, most = 1e38 },
  },
  keeps = { "v" },
  update = function(core, p, g, kept, options, rate, decay)
    core.momentum_update(p, g, kept.v, rate, options.momentum, options.nesterov, decay)
  end,
}
