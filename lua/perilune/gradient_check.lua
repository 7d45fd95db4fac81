-- Whether backward computes the derivatives of what forward computes, by central differences.

local choose = require "perilune.choose"
local losses = require "perilune.loss"
local options = require "perilune.options"

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

---Compare every derivative of a float64 network with central differences: those of all parameters
---and Delta^(0).
---Options: loss (a name of pl.loss or a function; required), step (default 1e-4), tolerance
---(default 1e-6), floor (default 1e-5: derivatives smaller than this are compared absolutely, their
---differences being rounding noise).
---Keep inputs away from the kink of relu: a difference across it is no derivative. Random layers
---draw the same numbers each time. The network is as before afterwards, but for its gradients.
---@param network Network
---@param X Matrix  S_0 x N
---@param T Matrix  S_L x N, or 1 x N labels
---@param given table
---@return GradientReport
local function gradient_check(network, X, T, given)
  local chosen = options(given, { step = 1e-4, tolerance = 1e-6, floor = 1e-5 }, nil,
    { loss = true })
  local loss = choose("loss", losses, chosen.loss, nil, "function")
  for _, name in ipairs { "step", "tolerance", "floor" } do
    if type(chosen[name]) ~= "number" or not (chosen[name] > 0) then
      error(("%s: a number above 0 expected, got %s"):format(name,
        tostring(chosen[name])), 2)
    end
  end
  if network.dtype ~= "float64" then
    error("gradient check: a float64 network expected, got float32, "
      .. "which differences are too coarse for", 2)
  end
  local drawn = network.generator:state()
  local function forward()
    network.generator:restore(drawn)
    return network:forward(X)
  end

  local _, Delta = loss(forward(), T)
  local Delta_0 = network:backward(Delta, true):copy()
  local compared = { { name = "X", value = X, gradient = Delta_0 } }
  for _, parameter in ipairs(network:parameters()) do
    compared[#compared + 1] = {
      name = parameter.name, value = parameter.value,
      gradient = parameter.gradient:copy(),
    }
  end

  local report = setmetatable({ largest_error = -1, count = 0 }, Report)
  local function compare(parameter, i, j)
    local value = parameter.value
    local at = value:get(i, j)
    local function difference(step)
      value:set(i, j, at + step)
      local J_above = loss(forward(), T, false)
      value:set(i, j, at - step)
      return (J_above - loss(forward(), T, false)) / (2 * step)
    end
    -- Richardson's combination of two central differences: an error of step^4, not step^2.
    local numeric = (4 * difference(chosen.step) - difference(2 * chosen.step)) / 3
    value:set(i, j, at)
    local analytic = parameter.gradient:get(i, j)
    local relative = math.abs(analytic - numeric)
      / math.max(math.abs(analytic) + math.abs(numeric), chosen.floor)
    report.count = report.count + 1
    local is_nan_already = report.largest_error ~= report.largest_error
    if not (is_nan_already or relative <= report.largest_error) then
      report.largest_error = relative
      report.name, report.row, report.col = parameter.name, i, j
      report.analytic, report.numeric = analytic, numeric
    end
  end
  for _, parameter in ipairs(compared) do
    for i = 1, parameter.value.rows do
      for j = 1, parameter.value.cols do compare(parameter, i, j) end
    end
  end
  forward()
  report.passed = report.largest_error <= chosen.tolerance
  return report
end

return gradient_check
