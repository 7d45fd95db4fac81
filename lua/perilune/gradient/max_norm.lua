-- Each unit's weights, a row of W, within a ball of radius `most`, to whose surface they go back
-- after the update where they have left it (Srivastava et al. 2014, section 5.1). Biases and what
-- normalises are left alone.

local cores = require "perilune.cores"
local new_scratch = require "perilune.gradient.scratch"

-- Factors of the rows of W: most / |row| where that is below 1, else 1
local function factors(self, W, most)
  local core = cores.of(W)
  local squares, norms = core.square(self.scratch(W), W), self.norms[W]
  if not norms then
    norms = core.matrix(W.rows, 1)
    self.norms[W] = norms
  end
  core.sqrt(norms, core.sum_columns(norms, squares))
  return core.divide(norms, most, core.maximum(norms, norms, most))
end

return {
  name = "max_norm",
  fields = { most = { "number", default = 3, above = 0, most = 1e18 } },
  begin = function(self)
    self.scratch, self.norms = new_scratch(), setmetatable({}, { __mode = "k" })
  end,
  apply = function() end,
  after = function(self, parameters, options)
    for _, parameter in ipairs(parameters) do
      local W = parameter.value
      if parameter.decays ~= false and W.cols > 1 then
        cores.of(W).hadamard(W, W, factors(self, W, options.most))
      end
    end
  end,
}
