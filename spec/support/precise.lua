-- An oracle for float64: e^x - 1, log(1 + x), how likely normal numbers are, and what follows from
-- them, as sums of two doubles with about 100 bits in all, high and low. Sums and products by T. J.
-- Dekker, "A floating-point technique for extending the available precision" (1971).

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

---z / (1 + e^-z)
function precise.silu(z)
  local S, S_low = precise.sigmoid(z)
  return multiply(z, 0, S, S_low)
end

---alpha (e^z - 1) or z, times scale: both constants are known to 100 bits
function precise.selu(z)
  local scale, scale_low = 0x1.0cfabd6a91132p+0, 0x1.6fc7d272f2695p-55
  if z > 0 then return multiply(z, 0, scale, scale_low) end
  local E, E_low = precise.expm1(z)
  local alpha, alpha_low = 0x1.ac5afad782cf1p+0, 0x1.eb7a46c21f1dfp-54
  E, E_low = multiply(E, E_low, alpha, alpha_low)
  return multiply(E, E_low, scale, scale_low)
end

---z ((1 + e^z)^2 - 1) / ((1 + e^z)^2 + 1), which is z tanh log(1 + e^z)
function precise.mish(z)
  local w, w_low = precise.exp(-math.abs(z))
  local p, p_low, rest, rest_low
  if z > 0 then
    p, p_low = add(1, 0, 2 * w, 2 * w_low)
    rest, rest_low = multiply(2 * w, 2 * w_low, w, w_low)
  else
    p, p_low = multiply(w, w_low, add(2, 0, w, w_low))
    rest, rest_low = 2, 0
  end
  local q, q_low = add(p, p_low, rest, rest_low)
  local t, t_low = divide(p, p_low, q, q_low)
  return multiply(z, 0, t, t_low)
end

-- log(1 + x) for 0 <= x <= 1, by two steps of Newton's method for e^y - 1 = x
local function log1p(x, x_low)
  local y, y_low = x > 1e-5 and math.log(1 + x) or x - x * x / 2, 0
  for _ = 1, 2 do
    local E, E_low = precise.expm1(y) -- of y + y_low: (e^y - 1) + e^y y_low
    local wrong, wrong_low = add(x, x_low, -E, -E_low)
    wrong, wrong_low = add(wrong, wrong_low, -(1 + E) * y_low, 0)
    y, y_low = add(y, y_low, divide(wrong, wrong_low, 1 + E, 0))
  end
  return y, y_low
end

---log(1 + e^z)
function precise.softplus(z)
  local L, L_low = log1p(precise.exp(-math.abs(z)))
  return add(math.max(z, 0), 0, L, L_low)
end

-- e^(-y^2 / 2)
local function bell(y)
  local square, square_low = multiply(y, 0, y, 0)
  local E, E_low = precise.exp(-square / 2)
  return multiply(E, E_low, add(1, 0, -square_low / 2, 0))
end

-- sqrt(2 pi)
local ROOT, ROOT_low = 0x1.40d931ff62706p+1, -0x1.a6a0d6f814637p-53

---How likely a normal number is above y >= 0: near 0 by the series of erf, further out by the
---continued fraction y + 1 / (y + 2 / (y + ...))
function precise.normal_tail(y)
  local density, density_low = bell(y)
  density, density_low = divide(density, density_low, ROOT, ROOT_low)
  if y >= 4 then
    local F, F_low = y, 0
    for k = 400, 1, -1 do F, F_low = add(y, 0, divide(k, 0, F, F_low)) end
    return divide(density, density_low, F, F_low)
  end
  local square, square_low = multiply(y, 0, y, 0)
  local S, S_low = 1, 0
  for odd = 161, 3, -2 do -- 1 + y^2 / odd (what has been summed up)
    S, S_low = multiply(S, S_low, square, square_low)
    S, S_low = divide(S, S_low, odd, 0)
    S, S_low = add(S, S_low, 1, 0)
  end
  S, S_low = multiply(S, S_low, y, 0)
  S, S_low = multiply(S, S_low, density, density_low)
  return add(0.5, 0, -S, -S_low)
end

---z times how likely a normal number is below z
function precise.gelu(z)
  local T, T_low = precise.normal_tail(math.abs(z))
  if z > 0 then T, T_low = add(1, 0, -T, -T_low) end
  return multiply(z, 0, T, T_low)
end

return precise
