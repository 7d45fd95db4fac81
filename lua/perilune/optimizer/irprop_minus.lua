-- iRprop- (Igel and Huesken 2003), for gradients of all samples at once: each element has a step
-- length of its own, which grows while the sign of its gradient stays and shrinks where it changes;
-- there the element waits for a step. Later lengths do not follow a schedule of the rate, but a
-- rate of 0 stops everything.
--
-- The first length is the rate, or with `start` = { least, most } a number drawn from there for
-- each element, by `seed`, as Riedmiller and Braun (1993) leave open and Prechelt (1994) does: the
-- elements then do not move in step.

-- A network's first weights may come from a generator of the same seed, which would draw the same
-- numbers for them.
local OTHERS = 0x5bd1e995

-- Lengths for a parameter that has made no step. One generator draws for all parameters of a seed,
-- in their order, so that how they are cut into stretches does not matter.
local function begin(core, kept, options, shared)
  local range, seed = options.start, options.seed
  if not range then return end
  shared[seed] = shared[seed] or core.generator(seed ~ OTHERS)
  shared[seed]:uniform(kept.length, range[1], range[2])
end

return {
  name = "irprop_minus",
  fields = {
    rate = { "number", default = 0.0125, least = 0, most = 1e38 },
    start = { "interval", above = 0, most = 1e38, optional = true },
    seed = { "integer", default = 1 },
    eta_minus = { "number", default = 0.5, above = 0, below = 1 },
    eta_plus = { "number", default = 1.2, above = 1, most = 1e38 },
    step_min = { "number", default = 0, least = 0, most = 1e38 },
    step_max = { "number", default = 50, above = 0, most = 1e38 },
  },
  keeps = { "before", "length" },
  begin = begin,
  update = function(core, p, g, kept, options, rate)
    core.rprop_update(p, g, kept.before, kept.length, rate, options.eta_minus, options.eta_plus,
      options.step_min, options.step_max)
  end,
}
