-- An oracle for float64: e^x - 1 and what follows from it, as sums of two doubles with about 100
-- bits in all, high and low. Sums and products by T. J. Dekker, "A floating-point technique for
-- extending the available precision" (1971).

local precise = {}

-- a + b, |a| >= |b|
local function fast_sum(a, b)
  local high = a + b
  return high, b - (high - a)
end

local function add(a, a_low, b, b_low)
  local high = a + b
  local of_b = high - a
  local low = (a - (high - of_b)) + (b - of_b)
  return fast_sum(high, low + a_low + b_low)
end

-- The 26 upper bits of a, and the others: products of such halves are exact.
local function halves(a)
  local scaled = 134217729 * a -- 2^27 + 1
  local upper = scaled - (scaled - a)
  return upper, a - upper
end

local function multiply(a, a_low, b, b_low)
  local high = a * b
  local a1, a2 = halves(a)
  local b1, b2 = halves(b)
  local low = ((a1 * b1 - high) + a1 * b2 + a2 * b1) + a2 * b2
  return fast_sum(high, low + a * b_low + a_low * b)
end

local function divide(a, a_low, b, b_low)
  local high = a / b
  local product, product_low = multiply(high, 0, b, b_low)
  local rest = add(a, a_low, -product, -product_low)
  return fast_sum(high, rest / b)
end

---e^x - 1 for |x| <= 600: Taylor's series near 0, then e^2y - 1 = (e^y - 1) (e^y - 1 + 2)
function precise.expm1(x)
  local doublings = 0
  while math.abs(x) > 0x1p-5 do
    x = x / 2
    doublings = doublings + 1
  end
  local E, E_low = 0, 0
  for k = 16, 1, -1 do -- x / k (1 + what has been summed up)
    E, E_low = add(1, 0, E, E_low)
    E, E_low = multiply(E, E_low, x, 0)
    E, E_low = divide(E, E_low, k, 0)
  end
  for _ = 1, doublings do
    E, E_low = multiply(E, E_low, add(E, E_low, 2, 0))
  end
  return E, E_low
end

---e^x; from 1 / e^-x where e^x - 1 would be near -1
function precise.exp(x)
  local E, E_low = precise.expm1(math.abs(x))
  E, E_low = add(E, E_low, 1, 0)
  if x < 0 then return divide(1, 0, E, E_low) end
  return E, E_low
end

---tanh x = (e^2x - 1) / (e^2x - 1 + 2)
function precise.tanh(x)
  local E, E_low = precise.expm1(2 * x)
  return divide(E, E_low, add(E, E_low, 2, 0))
end

---1 / (1 + e^-x)
function precise.sigmoid(x)
  local E, E_low = precise.expm1(-x)
  return divide(1, 0, add(E, E_low, 2, 0))
end

return precise
