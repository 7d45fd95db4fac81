-- Normal noise on the gradients, with the variance `variance` / (1 + t)^decay in step t, counted
-- from 0, which helps out of poor beginnings (Neelakantan et al. 2015).

local cores = require "perilune.cores"
local errors = require "perilune.errors"
local fields = require "perilune.fields"
local new_scratch = require "perilune.gradient.scratch"

local function generators(seed)
  return { float32 = cores.float32.generator(seed), float64 = cores.float64.generator(seed) }
end

local state_fields = {
  steps = { "integer", least = 0 }, float32 = { "string" }, float64 = { "string" },
}

local function check_state(_, state)
  if type(state) ~= "table" then
    errors.raise("state of noise: a table expected, got %s", errors.show(state))
  end
  fields.check(state_fields, state, "state of noise")
  cores.check_generator_state(state.float32)
  cores.check_generator_state(state.float64)
end

return {
  name = "noise",
  fields = {
    variance = { "number", default = 0.01, least = 0, most = 1e18 },
    decay = { "number", default = 0.55, least = 0 },
    seed = { "integer", default = 1 },
  },
  begin = function(self, options)
    self.scratch, self.steps, self.generators = new_scratch(), 0, generators(options.seed)
  end,
  apply = function(self, parameters, options)
    local deviation = math.sqrt(options.variance / (1 + self.steps) ^ options.decay)
    for _, parameter in ipairs(parameters) do
      local G = parameter.gradient
      local drawn = self.generators[G.dtype]:normal(self.scratch(G), 0, deviation)
      cores.of(G).accumulate(G, 1, drawn)
    end
    self.steps = self.steps + 1
  end,
  state = function(self)
    return { steps = self.steps, float32 = self.generators.float32:state(),
      float64 = self.generators.float64:state() }
  end,
  check_state = check_state,
  restore = function(self, state)
    check_state(self, state)
    self.steps = fields.whole(state.steps)
    self.generators.float32:restore(state.float32)
    self.generators.float64:restore(state.float64)
    return self
  end,
}
