-- Rprop without backtracking (Riedmiller 1994), the Rprop- of Igel and Huesken (2003): as iRprop-,
-- but an element whose gradient has changed its sign makes the shorter step at once.

local irprop_minus = require "perilune.optimizer.irprop_minus"

return {
  name = "rprop_minus",
  fields = irprop_minus.fields,
  keeps = irprop_minus.keeps,
  begin = irprop_minus.begin,
  update = function(core, p, g, kept, options, rate)
    core.rprop_minus_update(p, g, kept.before, kept.length, rate, options.eta_minus,
      options.eta_plus, options.step_min, options.step_max)
  end,
}
