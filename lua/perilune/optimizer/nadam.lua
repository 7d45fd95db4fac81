-- NAdam (Dozat 2016): Adam with Nesterov's momentum, which rises to beta1 as `momentum_decay` says.
-- The weight decay is in the gradient, as in PyTorch.

local function momentum(options, k)
  return options.beta1 * (1 - 0.5 * 0.96 ^ (k * options.momentum_decay))
end

-- The product of the momenta up to a step. It follows from the step alone, so it is no state: the
-- last one is kept in `work` only so that a step need not multiply all of them again.
local function product_up_to(options, step, work)
  if work.step > step then work.step, work.product = 0, 1 end
  for k = work.step + 1, step do work.product = work.product * momentum(options, k) end
  work.step = step
  return work.product
end

return {
  name = "nadam",
  fields = {
    rate = { "number", default = 0.002, least = 0, most = 1e38 },
    beta1 = { "number", default = 0.9, least = 0, below = 1 },
    beta2 = { "number", default = 0.999, least = 0, below = 1 },
    epsilon = { "number", default = 1e-8, above = 0, most = 1e38 },
    momentum_decay = { "number", default = 0.004, least = 0, most = 1e38 },
    weight_decay = { "number", default = 0, least = 0, most = 1e38 },
  },
  keeps = { "m", "v" },
  work = function() return { step = 0, product = 1 } end,
  update = function(core, p, g, kept, options, rate, decay, step, work)
    local product = product_up_to(options, step, work)
    local mu, next_mu = momentum(options, step), momentum(options, step + 1)
    core.nadam_update(p, g, kept.m, kept.v, rate, options.beta1, options.beta2, options.epsilon,
      step, (1 - mu) / (1 - product), next_mu / (1 - product * next_mu), decay)
  end,
}
