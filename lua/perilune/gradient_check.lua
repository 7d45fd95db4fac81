-- Whether backward computes the derivatives of what forward computes, by central differences.

local Network = require "perilune.network"
local Snapshot = require "perilune.snapshot"
local cores = require "perilune.cores"
local errors = require "perilune.errors"
local fields = require "perilune.fields"

---@class GradientReport
---@field passed boolean
---@field largest_error number  relative: |a - n| / max(|a| + |n|, floor)
---@field name string           where it is: "1.W", or "X" for Delta^(0)
---@field row integer
---@field col integer
---@field analytic number       what backward says there
---@field numeric number        what the differences say there
---@field count integer         derivatives compared
local Report = {}

function Report.__tostring(self)
  return ("%s: largest relative error %.2g of %d, at %s(%d, %d): "
    .. "%.10g by backward, %.10g by differences"):format(
    self.passed and "passed" or "FAILED", self.largest_error, self.count, self.name,
    self.row, self.col, self.analytic, self.numeric)
end

local option_fields = {
  loss = { "part", of = "loss" },
  weights = { "value", optional = true },
  step = { "number", default = 1e-4, above = 0 },
  tolerance = { "number", default = 1e-6, above = 0 },
  floor = { "number", default = 1e-5, above = 0 },
  inputs = { "boolean", default = true },
}

-- d error_now() / dM(i, j) by Richardson's combination of two central differences, whose error is
-- of order step^4 in place of step^2
local function derivative(M, i, j, error_now, step)
  local at = M:get(i, j)
  local function difference(h)
    M:set(i, j, at + h)
    local J_above = error_now()
    M:set(i, j, at - h)
    return (J_above - error_now()) / (2 * h)
  end
  local numeric = (4 * difference(step) - difference(2 * step)) / 3
  M:set(i, j, at)
  return numeric
end

local function compare(report, parameter, i, j, numeric, floor)
  local analytic = parameter.gradient:get(i, j)
  local relative = math.abs(analytic - numeric)
    / math.max(math.abs(analytic) + math.abs(numeric), floor)
  report.count = report.count + 1
  local is_nan_already = report.largest_error ~= report.largest_error
  if is_nan_already or relative <= report.largest_error then return end
  report.largest_error = relative
  report.name, report.row, report.col = parameter.name, i, j
  report.analytic, report.numeric = analytic, numeric
end

-- What backward says: Delta^(0), where it is wanted, and the gradient of each parameter, as copies
local function analytic_gradients(network, X, Delta, inputs)
  local Delta_0, gradients = network:backward(Delta, inputs), {}
  if inputs then gradients[1] = { name = "X", value = X, gradient = Delta_0:copy() } end
  for _, parameter in ipairs(network:parameters()) do
    gradients[#gradients + 1] = {
      name = parameter.name, value = parameter.value,
      gradient = parameter.gradient:copy(),
    }
  end
  return gradients
end

local function check(network, X, T, chosen, snapshot)
  local function error_now(Delta)
    snapshot:put_back()
    local J, gradient = chosen.loss(network:forward(X), T, Delta, chosen.weights)
    if type(J) ~= "number" then
      errors.raise("loss: a number J and Delta expected from it, got %s", errors.show(J))
    end
    return J, gradient
  end
  local function J() return (error_now(false)) end

  local _, Delta = error_now(nil)
  if not cores.is_matrix(Delta) then
    errors.raise("loss: a number J and a matrix Delta expected from it, got %s as Delta",
      errors.show(Delta))
  end
  local report = setmetatable({ largest_error = -1, count = 0 }, Report)
  for _, parameter in ipairs(analytic_gradients(network, X, Delta, chosen.inputs)) do
    for i = 1, parameter.value.rows do
      for j = 1, parameter.value.cols do
        local numeric = derivative(parameter.value, i, j, J, chosen.step)
        compare(report, parameter, i, j, numeric, chosen.floor)
      end
    end
  end
  -- so that layers keep Z and A of the network as it is, not of the last difference
  snapshot:put_back()
  network:forward(X)
  report.passed = report.largest_error <= chosen.tolerance
  return report
end

---Compare every derivative of a float64 network with central differences: those of all parameters
---and Delta^(0). Options: loss (a name, a description or a function; required), weights (of the
---samples or single targets), step (default 1e-4), tolerance (default 1e-6), floor (default 1e-5:
---derivatives smaller than this are compared absolutely, their differences being rounding noise),
---inputs (true; false leaves Delta^(0) out, where inputs are labels, which have no derivative).
---Keep inputs away from the kink of relu: a difference across it is no derivative. Random layers
---draw the same numbers each time. The network is as before afterwards, its state too, but for its
---gradients and what the layers keep of a forward.
---@param network Network
---@param X Matrix  S_0 x N
---@param T Matrix  S_L x N, or 1 x N labels
---@param given table
---@return GradientReport
local function gradient_check(network, X, T, given)
  Network.check(network)
  local chosen = fields.check(option_fields, given, "gradient_check")
  if network.dtype ~= "float64" then
    errors.raise("gradient_check: a float64 network expected, got float32, which is too "
      .. "coarse for differences")
  elseif not cores.is_matrix(X) then
    errors.raise("X: a matrix expected, got %s", errors.show(X))
  end
  local snapshot, theta = Snapshot.new(network), network.theta
  local theta_before, X_before = theta and theta:copy(), X:copy(X.order)
  local ok, report = pcall(check, network, X, T, chosen, snapshot)
  -- None of this needs memory, which may have run out.
  if theta then theta:assign(theta_before) end
  X:assign(X_before)
  snapshot:put_back()
  if not ok then error(report, 0) end
  return report
end

return gradient_check
