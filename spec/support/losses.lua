-- Every kind of loss, with outputs and targets that it takes.

local naive = require "spec.support.naive"

local losses = {}

local random = naive.random

-- Numbers from low to high
local function uniform(core, seed, rows, N, low, high)
  return core.generator(seed):uniform(core.matrix(rows, N), low, high)
end

local function values(core, rows, N) return random(core, 2, rows, N) end

local function shares(core, rows, N) return uniform(core, 3, rows, N, 0.02, 0.98) end

local function zeros_and_ones(core, rows, N)
  return random(core, 4, rows, N):map(function(x) return x > 0 and 1 or 0 end)
end

local function counts(core, rows, N)
  return uniform(core, 5, rows, N, 0, 6):map(function(x) return math.floor(x) end)
end

local function some_labels(core, rows, N)
  return uniform(core, 6, 1, N, 1, rows + 1):map(function(x)
    return math.min(math.floor(x), rows)
  end)
end

-- For S_L rows: so many numbers of each class, or label
local function weights_of(rows)
  local list = {}
  for i = 1, rows do list[i] = i % 3 + 0.5 end
  return list
end

-- How near to a kink, where there is no second derivative, d or |d| comes
local function from(kink, of)
  return function(A, T)
    local nearest = math.huge
    for i = 1, T.rows do
      for n = 1, T.cols do
        nearest = math.min(nearest, math.abs(of(A:get(i, n), T:get(i, n)) - kink))
      end
    end
    return nearest
  end
end

local function size(a, t) return math.abs(a - t) end
local function signed(z, t) return z * (2 * t - 1) end

local function from_margin(margin)
  return function(Z, T)
    local nearest = math.huge
    for n = 1, Z.cols do
      local label = math.tointeger(T:get(1, n))
      for i = 1, Z.rows do
        if i ~= label then
          local gap = margin - Z:get(label, n) + Z:get(i, n)
          nearest = math.min(nearest, math.abs(gap))
        end
      end
    end
    return nearest
  end
end

---A list of { name =, options = function(S_L), targets = function(core, S_L, N), gives = what
---outputs have to be, elementwise = whether a term depends on one output and target alone, kink =
---function(A, T): how near outputs come to where the loss is not smooth }
losses.list = {
  { name = "squared_error", targets = values, elementwise = true },
  { name = "mean_squared_error", targets = values, elementwise = true },
  { name = "mean_absolute_error", targets = values, elementwise = true, kink = from(0, size) },
  { name = "huber", options = function() return { delta = 0.8 } end, targets = values,
    elementwise = true, kink = from(0.8, size) },
  { name = "smooth_l1", options = function() return { beta = 1.5 } end, targets = values,
    elementwise = true, kink = from(1.5, size) },
  { name = "log_cosh", targets = values, elementwise = true },
  { name = "quantile", options = function() return { tau = 0.8 } end, targets = values,
    elementwise = true, kink = from(0, size) },
  { name = "poisson", targets = counts, elementwise = true },
  { name = "poisson", options = function() return { log_input = false, full = true } end,
    targets = counts, gives = "probabilities", elementwise = true },
  { name = "gaussian_nll", targets = values, gives = "probabilities" },
  { name = "cosine", targets = values },
  { name = "kl_divergence", options = function() return { reduction = "batchmean" } end,
    targets = shares, elementwise = true },
  { name = "softmax_cross_entropy", targets = some_labels },
  { name = "softmax_cross_entropy", options = function() return { label_smoothing = 0.1 } end,
    targets = shares },
  { name = "softmax_cross_entropy", options = function(rows)
    return { class_weights = weights_of(rows) }
  end, targets = some_labels },
  { name = "softmax_cross_entropy", options = function(rows)
    return { label_smoothing = 0.2, class_weights = weights_of(rows) }
  end, targets = some_labels },
  { name = "multi_margin", targets = some_labels, kink = from_margin(1) },
  { name = "multi_margin", options = function() return { p = 2, margin = 0.5 } end,
    targets = some_labels, kink = from_margin(0.5) },
  { name = "binary_cross_entropy", targets = shares, gives = "probabilities",
    elementwise = true },
  { name = "sigmoid_cross_entropy", targets = zeros_and_ones, elementwise = true },
  { name = "sigmoid_cross_entropy", options = function(rows)
    return { pos_weight = weights_of(rows) }
  end, targets = shares, elementwise = true },
  { name = "focal", targets = zeros_and_ones, elementwise = true },
  { name = "hinge", targets = zeros_and_ones, elementwise = true, kink = from(1, signed) },
  { name = "squared_hinge", targets = zeros_and_ones, elementwise = true,
    kink = from(1, signed) },
}

---Outputs for a loss of the list.
function losses.outputs(loss, core, rows, N)
  local all = loss.name == "gaussian_nll" and 2 * rows or rows
  if loss.gives == "probabilities" then return uniform(core, 1, all, N, 0.02, 0.98) end
  return random(core, 1, all, N)
end

---The description of a loss of the list, for S_L targets.
function losses.description(loss, rows)
  local description = { loss.name }
  for name, value in pairs(loss.options and loss.options(rows) or {}) do
    description[name] = value
  end
  return description
end

---What tells it from the others of the list.
function losses.title(loss)
  local names = {}
  for name in pairs(loss.options and loss.options(1) or {}) do names[#names + 1] = name end
  table.sort(names)
  return loss.name .. (#names > 0 and " with " .. table.concat(names, ", ") or "")
end

---Labels of N samples, of every class where there are enough.
function losses.labels(classes, N)
  local labels = {}
  for n = 1, N do labels[n] = (n * n + 3) % classes + 1 end
  return labels
end

---Target columns of softmax_cross_entropy: distributions, or nothing at all, or any numbers
losses.columns = {
  { kind = "of one class each", make = function(core, classes, N)
    return core.matrix(naive.one_hot(losses.labels(classes, N), classes))
  end },
  { kind = "that are soft", make = function(core, classes, N)
    local Z = random(core, 21, classes, N)
    return core.activations.softmax.forward(Z, Z)
  end },
  { kind = "that are all zero", make = function(core, classes, N)
    return core.matrix(classes, N)
  end },
  { kind = "that sum to any number", make = function(core, classes, N)
    return random(core, 22, classes, N)
  end },
}

---Weights of samples or of targets, some of them 0
function losses.weights(core, kind, rows, N)
  local W = core.generator(31):uniform(core.matrix(kind == "samples" and 1 or rows, N))
  return W:map(function(w) return w < 0.3 and 0 or w end)
end

return losses
