-- Dropout for networks with selu, whose units keep mean 0 and variance 1 (Klambauer et al. 2017,
-- section 3): what is dropped becomes selu's lower limit, not 0, and the whole is scaled and
-- shifted back.

local dropping = require "perilune.layer.dropping"

local LIMIT = -1.7580993408473766 -- of selu for z to minus infinity: - scale alpha

return dropping("alpha_dropout", function(p)
  local scale = 1 / math.sqrt((1 - p) * (1 + p * LIMIT * LIMIT))
  local shift = -scale * p * LIMIT
  return scale, shift, scale * LIMIT + shift
end)
