-- A line search for the strong Wolfe conditions (Nocedal and Wright 2006, algorithms 3.5 and 3.6):
-- a step along a direction d that lowers J enough, and where the slope has become small. First the
-- step grows until an interval is known that holds such a point, then the interval shrinks. Trial
-- steps are those of PyTorch's line search: minima of cubics, with its safeguards.

local ARMIJO = 1e-4   -- the fall of J, at least, by what the slope at the start promises
local CURVATURE = 0.9 -- the slope, at most, by that at the start
local MOST = 25       -- evaluations after the first
local LEAST = 1e-9    -- an interval in which no element of theta moves by more is not divided

-- The minimum, from `low` to `high`, of the cubic that has the values J1, J2 and the slopes slope1,
-- slope2 at t1 and t2 (Nocedal and Wright 2006, equation 3.59); the middle where it has none.
local function cubic_minimum(t1, J1, slope1, t2, J2, slope2, low, high)
  local d1 = slope1 + slope2 - 3 * (J1 - J2) / (t1 - t2)
  local square = d1 * d1 - slope1 * slope2
  if not (square >= 0) then return (low + high) / 2 end
  local d2, t = square ^ 0.5
  if t1 <= t2 then
    t = t2 - (t2 - t1) * ((slope2 + d2 - d1) / (slope2 - slope1 + 2 * d2))
  else
    t = t1 - (t1 - t2) * ((slope1 + d2 - d1) / (slope1 - slope2 + 2 * d2))
  end
  if t ~= t then return (low + high) / 2 end
  return math.min(math.max(t, low), high)
end

-- A trial step within the interval from a to b, kept off its ends: the second time in a row that it
-- is near one, or where it is at one, it moves a tenth of the interval away from it. Also whether
-- it was near one and stayed.
local function trial(t, a, b, was_near)
  local low, high = math.min(a, b), math.max(a, b)
  local margin = 0.1 * (high - low)
  if math.min(high - t, t - low) >= margin then return t, false end
  if not (was_near or t >= high or t <= low) then return t, true end
  return math.abs(t - high) < math.abs(t - low) and high - margin or low + margin, false
end

-- J and its slope along d where theta is `start` + t d
local function at(theta, start, d, t)
  theta.core.accumulate(theta.x:assign(start), t, d)
  local J = theta:evaluate()
  return J, theta:dot(theta.g, d)
end

-- From an interval from `low`, where J is less, to `high`, a point that fulfils the conditions, or
-- the best one where there is no room for it or no evaluation left. g_low is the gradient at `low`.
local function shrink(theta, line, J, slope, low, J_low, slope_low, high, J_high, slope_high, count)
  local start, d, g_low = line.start, line.d, line.g_low
  local longest, was_near = math.max(d:max(), -d:min()), false
  while count < MOST and math.abs(high - low) * longest >= LEAST do
    local first, last = math.min(low, high), math.max(low, high)
    local t = cubic_minimum(low, J_low, slope_low, high, J_high, slope_high, first, last)
    t, was_near = trial(t, low, high, was_near)
    local J_t, slope_t = at(theta, start, d, t)
    count = count + 1
    local falls = J_t <= J + ARMIJO * t * slope and J_t < J_low
    if falls then
      local is_found = math.abs(slope_t) <= -CURVATURE * slope
      if not is_found and slope_t * (high - low) >= 0 then
        high, J_high, slope_high = low, J_low, slope_low
      end
      low, J_low, slope_low = t, J_t, slope_t
      g_low:assign(theta.g)
      if is_found then break end
    elseif J_t < J_low then -- which was no lower than the slope had promised either
      high, J_high, slope_high = low, J_low, slope_low
      low, J_low, slope_low = t, J_t, slope_t
      g_low:assign(theta.g)
    else
      high, J_high, slope_high = t, J_t, slope_t
    end
  end
  return low, J_low, count
end

local wolfe = {}

---@class Line
---@field start Matrix  theta at t = 0
---@field d Matrix      the direction
---@field g Matrix      the gradient at t = 0
---@field g_low Matrix  memory like it

---Search along a line, and move theta and its gradient to the step that was found.
---@param theta Theta
---@param line Line
---@param t number          the first step to try, > 0
---@param J number          at t = 0
---@param slope number      along d at t = 0, < 0
---@return number t
---@return number J         there
---@return integer count    of evaluations
function wolfe.search(theta, line, t, J, slope)
  local start, d, g_low = line.start, line.d, line.g_low
  local before, J_before, slope_before = 0, J, slope
  g_low:assign(line.g) -- in this phase the gradient at `before`
  local J_t, slope_t = at(theta, start, d, t)
  local count = 0
  while count < MOST do
    if J_t > J + ARMIJO * t * slope or (count > 1 and J_t >= J_before) then break end
    if math.abs(slope_t) <= -CURVATURE * slope then return t, J_t, count + 1 end
    if slope_t >= 0 then break end
    local longer = cubic_minimum(before, J_before, slope_before, t, J_t, slope_t,
      t + 0.01 * (t - before), t * 10)
    before, J_before, slope_before = t, J_t, slope_t
    g_low:assign(theta.g)
    t, count = longer, count + 1
    J_t, slope_t = at(theta, start, d, t)
  end
  if count == MOST then -- no interval was found
    before, J_before = 0, J
    g_low:assign(line.g)
  end
  if J_before <= J_t then
    t, J_t, count = shrink(theta, line, J, slope, before, J_before, slope_before, t, J_t, slope_t,
      count)
  else
    g_low:assign(theta.g)
    t, J_t, count = shrink(theta, line, J, slope, t, J_t, slope_t, before, J_before, slope_before,
      count)
  end
  theta.core.accumulate(theta.x:assign(start), t, d)
  theta.g:assign(g_low)
  return t, J_t, count + 1
end

return wolfe
