-- What an optimiser's step makes of one number p with the gradient g, as its formula says, in Lua's
-- doubles: rules[name](options, p, g, kept, step). `kept` begins empty and lasts between steps;
-- options are those of the optimiser, with weight_decay where it has one.

local rules = {}

local function sign(x)
  return x > 0 and 1 or x < 0 and -1 or 0
end

function rules.sgd(o, p, g)
  return p - o.rate * (g + o.weight_decay * p)
end

function rules.momentum(o, p, g, kept)
  g = g + o.weight_decay * p
  kept.v = o.momentum * (kept.v or 0) + g
  if o.nesterov then return p - o.rate * (g + o.momentum * kept.v) end
  return p - o.rate * kept.v
end

function rules.nesterov(o, p, g, kept)
  return rules.momentum(setmetatable({ nesterov = true }, { __index = o }), p, g, kept)
end

-- Chen et al. 2023, algorithm 2
function rules.lion(o, p, g, kept)
  local m = kept.m or 0
  kept.m = o.beta2 * m + (1 - o.beta2) * g
  return p - o.rate * (sign(o.beta1 * m + (1 - o.beta1) * g) + o.weight_decay * p)
end

local function moments(o, g, kept)
  kept.m = o.beta1 * (kept.m or 0) + (1 - o.beta1) * g
  kept.v = o.beta2 * (kept.v or 0) + (1 - o.beta2) * g * g
end

function rules.adam(o, p, g, kept, step)
  moments(o, g, kept)
  local size = kept.v
  if o.amsgrad then
    kept.largest = math.max(kept.largest or 0, size)
    size = kept.largest
  end
  local root = math.sqrt(size / (1 - o.beta2 ^ step))
  return p * (1 - o.rate * o.weight_decay)
    - o.rate * kept.m / (1 - o.beta1 ^ step) / (root + o.epsilon)
end

rules.adamw = rules.adam

function rules.amsgrad(o, p, g, kept, step)
  return rules.adam(setmetatable({ amsgrad = true }, { __index = o }), p, g, kept, step)
end

-- Kingma and Ba 2015, algorithm 2, with epsilon where PyTorch has it
function rules.adamax(o, p, g, kept, step)
  g = g + o.weight_decay * p
  kept.m = o.beta1 * (kept.m or 0) + (1 - o.beta1) * g
  kept.u = math.max(o.beta2 * (kept.u or 0), math.abs(g) + o.epsilon)
  return p - o.rate / (1 - o.beta1 ^ step) * kept.m / kept.u
end

-- Dozat 2016, with the momentum's schedule of its section 3
function rules.nadam(o, p, g, kept, step)
  g = g + o.weight_decay * p
  moments(o, g, kept)
  local function mu(k) return o.beta1 * (1 - 0.5 * 0.96 ^ (k * o.momentum_decay)) end
  local product = 1
  for k = 1, step do product = product * mu(k) end
  local mean = (1 - mu(step)) * g / (1 - product)
    + mu(step + 1) * kept.m / (1 - product * mu(step + 1))
  return p - o.rate * mean / (math.sqrt(kept.v / (1 - o.beta2 ^ step)) + o.epsilon)
end

function rules.adagrad(o, p, g, kept, step)
  g = g + o.weight_decay * p
  kept.v = (kept.v or o.initial_accumulator) + g * g
  return p - o.rate / (1 + (step - 1) * o.rate_decay) * g / (math.sqrt(kept.v) + o.epsilon)
end

function rules.adadelta(o, p, g, kept)
  g = g + o.weight_decay * p
  kept.v = o.rho * (kept.v or 0) + (1 - o.rho) * g * g
  local d = math.sqrt(((kept.d or 0) + o.epsilon) / (kept.v + o.epsilon)) * g
  kept.d = o.rho * (kept.d or 0) + (1 - o.rho) * d * d
  return p - o.rate * d
end

function rules.rmsprop(o, p, g, kept)
  g = g + o.weight_decay * p
  kept.v = o.alpha * (kept.v or 0) + (1 - o.alpha) * g * g
  local size = kept.v
  if o.centered then
    kept.m = o.alpha * (kept.m or 0) + (1 - o.alpha) * g
    size = math.max(size - kept.m ^ 2, 0)
  end
  local d = g / (math.sqrt(size) + o.epsilon)
  if o.momentum > 0 then
    kept.w = o.momentum * (kept.w or 0) + d
    d = kept.w
  end
  return p - o.rate * d
end

-- Igel and Huesken 2003, iRprop-: as Rprop without backtracking, but after a change of sign there
-- is no step, and the next one counts as the first in its direction
function rules.irprop_minus(o, p, g, kept)
  local length, before = kept.length or o.rate, kept.before or 0
  if g * before > 0 then
    length = math.min(length * o.eta_plus, o.step_max)
  elseif g * before < 0 then
    length = math.max(length * o.eta_minus, o.step_min)
    g = 0
  else
    length = math.max(math.min(length, o.step_max), o.step_min)
  end
  kept.length, kept.before = length, g
  return p - sign(g) * length
end

rules.rprop = rules.irprop_minus

-- Riedmiller 1994: the shorter step is made at once
function rules.rprop_minus(o, p, g, kept)
  local length, before = kept.length or o.rate, kept.before or 0
  if g * before > 0 then length = math.min(length * o.eta_plus, o.step_max) end
  if g * before < 0 then length = math.max(length * o.eta_minus, o.step_min) end
  kept.length, kept.before = math.max(math.min(length, o.step_max), o.step_min), g
  return p - sign(g) * kept.length
end

-- Riedmiller and Braun 1993: the step that led too far, which is kept here, is taken back
function rules.rprop_plus(o, p, g, kept)
  local length, before = kept.length or o.rate, kept.before or 0
  if g * before < 0 then
    kept.length, kept.before = math.max(length * o.eta_minus, o.step_min), 0
    return p - kept.step
  end
  if g * before > 0 then length = length * o.eta_plus end
  kept.length, kept.before = math.max(math.min(length, o.step_max), o.step_min), g
  kept.step = -sign(g) * kept.length
  return p + kept.step
end

return rules
