-- iRprop- (Igel and Huesken 2003), for gradients of all samples at once: each element has a step
-- length of its own, which grows while the sign of its gradient stays and shrinks where it changes;
-- there the element waits for a step. The first length is the rate: later ones do not follow a
-- schedule, but a rate of 0 stops everything.

return {
  name = "irprop_minus",
  fields = {
    rate = { "number", default = 0.0125, least = 0, most = 1e38 },
    eta_minus = { "number", default = 0.5, above = 0, below = 1 },
    eta_plus = { "number", default = 1.2, above = 1, most = 1e38 },
    step_min = { "number", default = 0, least = 0, most = 1e38 },
    step_max = { "number", default = 50, above = 0, most = 1e38 },
  },
  keeps = { "before", "length" },
  update = function(core, p, g, kept, options, rate)
    core.rprop_update(p, g, kept.before, kept.length, rate, options.eta_minus, options.eta_plus,
      options.step_min, options.step_max)
  end,
}
