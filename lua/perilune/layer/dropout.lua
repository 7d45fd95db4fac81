-- Inverted dropout (Srivastava et al. 2014): in training each input is set to 0 with probability p
-- and divided by 1 - p otherwise, so that prediction needs no factor.

local dropping = require "perilune.layer.dropping"

return dropping("dropout", function(p) return 1 / (1 - p), 0, 0 end)
