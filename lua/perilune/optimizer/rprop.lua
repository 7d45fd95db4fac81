-- Rprop (Riedmiller and Braun 1993) as PyTorch has it, which is iRprop- with other defaults.

local irprop_minus = require "perilune.optimizer.irprop_minus"

return {
  name = "rprop",
  fields = {
    rate = { "number", default = 0.01, least = 0, most = 1e38 },
    start = irprop_minus.fields.start, seed = irprop_minus.fields.seed,
    eta_minus = irprop_minus.fields.eta_minus, eta_plus = irprop_minus.fields.eta_plus,
    step_min = { "number", default = 1e-6, least = 0, most = 1e38 },
    step_max = irprop_minus.fields.step_max,
  },
  keeps = irprop_minus.keeps,
  begin = irprop_minus.begin,
  update = irprop_minus.update,
}
