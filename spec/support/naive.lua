-- Oracles: the paper's formulas as loops over tables of rows, in Lua's doubles, with nothing shared
-- with the library; and the comparison of a matrix with such a table.

local naive = {}

naive.types = { "float32", "float64" }
naive.other = { float32 = "float64", float64 = "float32" }

-- What rounding alone may do to a result, and what central differences in float64 resolve.
naive.tolerance = { float32 = 1e-5, float64 = 1e-12 }
naive.resolution = { float32 = 1e-5, float64 = 1e-7 }

naive.nan = 0 / 0
naive.infinity = 1 / 0

---A table of rows with f(i, j) as its elements.
function naive.build(rows, cols, f)
  local M = {}
  for i = 1, rows do
    M[i] = {}
    for j = 1, cols do M[i][j] = f(i, j) end
  end
  return M
end

function naive.fill(rows, cols, x)
  return naive.build(rows, cols, function() return x end)
end

---sum of f(k) for k = 1..n
function naive.sum(n, f)
  local total = 0
  for k = 1, n do total = total + f(k) end
  return total
end

function naive.transpose(A)
  return naive.build(#A[1], #A, function(i, j) return A[j][i] end)
end

---A B, or with transposed = "NT", "TN", "TT" the product of the transposes
function naive.product(A, B, transposed)
  transposed = transposed or "NN"
  if transposed:sub(1, 1) == "T" then A = naive.transpose(A) end
  if transposed:sub(2, 2) == "T" then B = naive.transpose(B) end
  return naive.build(#A, #B[1], function(i, j)
    local sum = 0
    for k = 1, #B do sum = sum + A[i][k] * B[k][j] end
    return sum
  end)
end

---f of the elements of one or more matrices of one shape
function naive.zip(f, A, B, C)
  return naive.build(#A, #A[1], function(i, j)
    return f(A[i][j], B and B[i][j], C and C[i][j])
  end)
end

function naive.hadamard(A, B)
  return naive.zip(function(a, b) return a * b end, A, B)
end

function naive.subtract(A, B)
  return naive.zip(function(a, b) return a - b end, A, B)
end

function naive.scale(x, A)
  return naive.zip(function(a) return x * a end, A)
end

---H J_N: the sum over the samples, as a column
function naive.sum_columns(H)
  return naive.build(#H, 1, function(i)
    return naive.sum(#H[i], function(n) return H[i][n] end)
  end)
end

---Columns first..last
function naive.columns(A, first, last)
  return naive.build(#A, last - first + 1, function(i, j) return A[i][first + j - 1] end)
end

---W A + b, b repeated over the columns (1.4)
function naive.affine(W, A, b)
  return naive.build(#W, #A[1], function(i, n)
    local z = b[i][1]
    for k = 1, #A do z = z + W[i][k] * A[k][n] end
    return z
  end)
end

---tanh to about an ulp: Lambert's continued fraction near 0, where (e^x - e^-x) would cancel
function naive.tanh(x)
  if math.abs(x) < 1 then
    local fraction = 27
    for odd = 25, 1, -2 do fraction = odd + x * x / fraction end
    return x / fraction
  end
  local y = 1 - 2 / (math.exp(2 * math.abs(x)) + 1)
  return x < 0 and -y or y
end

-- The density of normal numbers
local function density(z)
  return math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
end

---How likely a normal number is below z: the series of erf, whose terms are all positive, near 0,
---further out the continued fraction z + 1 / (z + 2 / (z + 3 / ...)) of Laplace
function naive.normal(z)
  local y = math.abs(z)
  local tail
  if y < 3 then
    local term, sum = y, y
    for odd = 3, 99, 2 do
      term = term * y * y / odd
      sum = sum + term
    end
    tail = 0.5 - density(y) * sum
  else
    local fraction = y
    for k = 200, 1, -1 do fraction = y + k / fraction end
    tail = density(y) / fraction
  end
  return z > 0 and 1 - tail or tail
end

local function sigmoid(z) return 1 / (1 + math.exp(-z)) end

-- log(1 + e^z)
local function softplus(z)
  local w = math.exp(-math.abs(z))
  local u = 1 + w -- log u (w / (u - 1)) puts the rounding of u right (Kahan)
  return math.max(z, 0) + (u == 1 and w or math.log(u) * (w / (u - 1)))
end

-- u and du/dz of the approximation of gelu by z (1 + tanh u) / 2
local function gelu_argument(z)
  local factor = math.sqrt(2 / math.pi)
  return factor * (z + 0.044715 * z ^ 3), factor * (1 + 3 * 0.044715 * z ^ 2)
end

local SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772

local function elu(z, options)
  local alpha = options and options.alpha or 1
  return z > 0 and z or alpha * (math.exp(z) - 1)
end

local function elu_derivative(z, options)
  local alpha = options and options.alpha or 1
  return z > 0 and 1 or alpha * math.exp(z)
end

-- sigma and its derivative of the elementwise activations, some with options
naive.elementwise = {
  elu = { value = elu, derivative = elu_derivative },
  exponential = { value = math.exp, derivative = math.exp },
  gelu = {
    value = function(z, options)
      if options and options.approximate == "tanh" then
        return z * (1 + naive.tanh(gelu_argument(z))) / 2
      end
      return z * naive.normal(z)
    end,
    derivative = function(z, options)
      if options and options.approximate == "tanh" then
        local u, slope = gelu_argument(z)
        local t = naive.tanh(u)
        return (1 + t) / 2 + z * (1 - t ^ 2) / 2 * slope
      end
      return naive.normal(z) + z * density(z)
    end,
  },
  hard_sigmoid = {
    value = function(z) return math.min(math.max(z + 3, 0), 6) / 6 end,
    derivative = function(z) return math.abs(z) < 3 and 1 / 6 or 0 end,
  },
  hard_tanh = {
    value = function(z, options)
      return math.min(math.max(z, options and options.lower or -1), options and options.upper or 1)
    end,
    derivative = function(z, options)
      local lower, upper = options and options.lower or -1, options and options.upper or 1
      return lower < z and z < upper and 1 or 0
    end,
  },
  identity = {
    value = function(z) return z end,
    derivative = function() return 1 end,
  },
  leaky_relu = {
    value = function(z, options)
      local slope = options and options.slope or 0.01
      return z > 0 and z or slope * z
    end,
    derivative = function(z, options)
      local slope = options and options.slope or 0.01
      return z > 0 and 1 or slope
    end,
  },
  mish = {
    value = function(z) return z * naive.tanh(softplus(z)) end,
    derivative = function(z)
      local t = naive.tanh(softplus(z))
      return t + z * (1 - t ^ 2) * sigmoid(z)
    end,
  },
  relu = {
    value = function(z) return z > 0 and z or 0 end,
    derivative = function(z) return z > 0 and 1 or 0 end,
  },
  selu = {
    value = function(z) return SELU_SCALE * elu(z, { alpha = SELU_ALPHA }) end,
    derivative = function(z) return SELU_SCALE * elu_derivative(z, { alpha = SELU_ALPHA }) end,
  },
  sigmoid = {
    value = sigmoid,
    derivative = function(z)
      return 1 / ((1 + math.exp(-z)) * (1 + math.exp(z)))
    end,
  },
  silu = {
    value = function(z) return z * sigmoid(z) end,
    derivative = function(z) return sigmoid(z) * (1 + z * (1 - sigmoid(z))) end,
  },
  softplus = {
    value = function(z, options)
      local beta, threshold = options and options.beta or 1, options and options.threshold or 20
      return beta * z > threshold and z or softplus(beta * z) / beta
    end,
    derivative = function(z, options)
      local beta, threshold = options and options.beta or 1, options and options.threshold or 20
      return beta * z > threshold and 1 or sigmoid(beta * z)
    end,
  },
  softsign = {
    value = function(z) return z / (1 + math.abs(z)) end,
    derivative = function(z) return 1 / (1 + math.abs(z)) ^ 2 end,
  },
  tanh = {
    value = naive.tanh,
    derivative = function(z) return 4 / (math.exp(z) + math.exp(-z)) ^ 2 end,
  },
}

naive.activations = {
  "elu", "exponential", "gelu", "hard_sigmoid", "hard_tanh", "identity", "leaky_relu",
  "log_softmax", "mish", "relu", "selu", "sigmoid", "silu", "softmax", "softplus", "softsign",
  "tanh",
}

---softmax of a list
local function softmax(z)
  local largest = math.max(table.unpack(z))
  local a, total = {}, 0
  for i = 1, #z do
    a[i] = math.exp(z[i] - largest)
    total = total + a[i]
  end
  for i = 1, #z do a[i] = a[i] / total end
  return a
end

local function column(A, n)
  local list = {}
  for i = 1, #A do list[i] = A[i][n] end
  return list
end

---A = sigma(Z)
function naive.activate(name, Z, options)
  local sigma = naive.elementwise[name]
  if sigma then return naive.zip(function(z) return sigma.value(z, options) end, Z) end
  local columns = {}
  for n = 1, #Z[1] do
    columns[n] = softmax(column(Z, n))
    for i = 1, #Z do
      if name == "log_softmax" then columns[n][i] = math.log(columns[n][i]) end
    end
  end
  return naive.transpose(columns)
end

---dsigma/dZ, element by element
function naive.derivative(name, Z)
  return naive.zip(naive.elementwise[name].derivative, Z)
end

---da_i / dz_j of one column z, a list
function naive.jacobian(name, z, options)
  local sigma = naive.elementwise[name]
  local a = not sigma and softmax(z)
  return naive.build(#z, #z, function(i, j)
    local diagonal = i == j and 1 or 0
    if sigma then return diagonal * sigma.derivative(z[i], options) end
    if name == "log_softmax" then return diagonal - a[j] end
    return a[i] * (diagonal - a[j])
  end)
end

---H = J_sigma^t Delta, by the whole Jacobian of every column
function naive.backward(name, Delta, Z, options)
  local columns = {}
  for n = 1, #Z[1] do
    local J = naive.jacobian(name, column(Z, n), options)
    columns[n] = {}
    for j = 1, #Z do
      columns[n][j] = naive.sum(#Z, function(i) return J[i][j] * Delta[i][n] end)
    end
  end
  return naive.transpose(columns)
end

-- w(i, n) of weights of samples, 1 x N, or of targets, S_L x N, or of none; and sum w_in / S_L
local function weighting(rows, N, weights)
  local function w(i, n)
    if not weights then return 1 end
    return #weights == 1 and weights[1][n] or weights[i][n]
  end
  return w, naive.sum(rows, function(i)
    return naive.sum(N, function(n) return w(i, n) end)
  end) / rows
end

---J = sum w |a - t|^2 / 2 over the total weight, without weights 1/2N sum |a - t|^2 (2.18), and
---Delta = dJ/dA (2.23)
function naive.squared_error(A, T, weights)
  local w, total = weighting(#A, #A[1], weights)
  local J = 0
  local Delta = naive.build(#A, #A[1], function(i, n)
    if w(i, n) == 0 then return 0 end
    J = J + w(i, n) * (A[i][n] - T[i][n]) ^ 2 / 2
    return w(i, n) * (A[i][n] - T[i][n]) / total
  end)
  return total == 0 and 0 or J / total, Delta, total
end

---J = - sum w t log softmax(z) over the total weight (without weights N), and dJ/dZ; T: target
---columns
function naive.softmax_cross_entropy(Z, T, weights)
  local N = #Z[1]
  local w, norm = weighting(#Z, N, weights)
  local A = naive.activate("softmax", Z)
  local J = 0
  local Delta = naive.fill(#Z, N, 0)
  for n = 1, N do
    local z = column(Z, n)
    local largest = math.max(table.unpack(z))
    local total = naive.sum(#z, function(i) return math.exp(z[i] - largest) end)
    local function target(i) return w(i, n) == 0 and 0 or w(i, n) * T[i][n] end
    local targets = naive.sum(#z, target)
    for i = 1, #z do
      local log_a = z[i] - largest - math.log(total)
      if target(i) ~= 0 then J = J - target(i) * log_a end
      if norm ~= 0 then Delta[i][n] = (A[i][n] * targets - target(i)) / norm end
    end
  end
  return norm == 0 and 0 or J / norm, Delta, norm
end

---Target columns of 0 and 1 from a list of labels
function naive.one_hot(labels, classes)
  return naive.build(classes, #labels, function(i, n)
    return labels[n] == i and 1 or 0
  end)
end

local function same(a, e, tolerance)
  if a == e then return true end -- infinities too
  if a ~= a or e ~= e then return a ~= a and e ~= e end
  return math.abs(a - e) <= tolerance * (1 + math.abs(e))
end

---Raise unless two numbers differ by at most tolerance (1 + |expected|); NaN equals NaN.
function naive.near_number(actual, expected, tolerance, level)
  if not same(actual, expected, tolerance) then
    local message = "%.17g expected, got %.17g (tolerance %g)"
    error(message:format(expected, actual, tolerance), (level or 1) + 1)
  end
end

---Raise unless a matrix, or a table of rows, has the shape and elements of the table of rows
---`expected`.
function naive.near(actual, expected, tolerance, level)
  level = (level or 1) + 1
  if type(actual) ~= "table" then actual = actual:totable() end
  if #actual ~= #expected or #actual[1] ~= #expected[1] then
    error(("%d x %d expected, got %d x %d"):format(#expected, #expected[1], #actual,
      #actual[1]), level)
  end
  for i = 1, #expected do
    for j = 1, #expected[i] do
      local a, e = actual[i][j], expected[i][j]
      if not same(a, e, tolerance) then
        local message = "element (%d, %d): %.17g expected, got %.17g (tolerance %g)"
        error(message:format(i, j, e, a, tolerance), level)
      end
    end
  end
end

---Whether a matrix differs from a table of rows by more than `gap` somewhere: a wrong formula must
---be seen.
function naive.differs(actual, expected, gap)
  if type(actual) ~= "table" then actual = actual:totable() end
  for i = 1, #expected do
    for j = 1, #expected[i] do
      if math.abs(actual[i][j] - expected[i][j]) > gap then return true end
    end
  end
  return false
end

---A matrix of normal numbers: the same ones, rounded, in both types, whatever the order of storage.
function naive.random(core, seed, rows, cols, order)
  local M = core.generator(seed):normal(core.matrix(rows, cols))
  return order and M:copy(order) or M
end

---dJ/dM for a function J of the float64 matrix M, by central differences, as a table of rows
function naive.differences(J, M, step)
  step = step or 1e-4
  return naive.build(M.rows, M.cols, function(i, j)
    local x = M:get(i, j)
    M:set(i, j, x + step)
    local after = J()
    M:set(i, j, x - step)
    local before = J()
    M:set(i, j, x)
    return (after - before) / (2 * step)
  end)
end

---dF_kn / dM_ij for a matrix function F of the float64 matrix M: result[k][n][i][j], by central
---differences
function naive.matrix_differences(F, M, step)
  step = step or 1e-4
  local slopes = naive.build(M.rows, M.cols, function(i, j)
    local x = M:get(i, j)
    M:set(i, j, x + step)
    local after = F():totable()
    M:set(i, j, x - step)
    local before = F():totable()
    M:set(i, j, x)
    return naive.zip(function(a, b) return (a - b) / (2 * step) end, after, before)
  end)
  local shape = slopes[1][1]
  return naive.build(#shape, #shape[1], function(k, n)
    return naive.build(M.rows, M.cols, function(i, j) return slopes[i][j][k][n] end)
  end)
end

---Call f, which must raise a message that matches the pattern and leave the matrix `result` as it
---was.
function naive.refuses(result, pattern, f)
  local before = result:totable()
  local ok, message = pcall(f)
  if ok then error(("an error like '%s' expected, got none"):format(pattern), 2) end
  if not tostring(message):find(pattern) then
    error(("an error like '%s' expected, got '%s'"):format(pattern, message), 2)
  end
  naive.near(result, before, 0, 2)
end

---The pattern of the message about an argument that is not a matrix of type `name`
function naive.mixed(name, got)
  local message = ("(perilune.matrix.%s expected, got %s)"):format(name, got)
  return (message:gsub("%p", "%%%0"))
end

---The distance of neighbouring numbers of the type around x, from the exponent of x; of the
---smallest normal number below that
function naive.ulp(x, name)
  local bits = string.unpack("<i8", string.pack("<d", x))
  local exponent = (bits >> 52 & 0x7ff) - 1023
  if name == "float32" then return 2.0 ^ (math.max(exponent, -126) - 23) end
  return 2.0 ^ (math.max(exponent, -1022) - 52)
end

return naive
