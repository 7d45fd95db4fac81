-- Gradient descent: p = p - rate (g + weight_decay p).

return {
  name = "sgd",
  fields = {
    rate = { "number", default = 0.01, least = 0, most = 1e38 },
    weight_decay = { "number", default = 0, least = 0, most = 1e38 },
  },
  keeps = {},
  update = function(core, p, g, _, _, rate, decay)
    core.sgd_update(p, g, rate, decay)
  end,
}
