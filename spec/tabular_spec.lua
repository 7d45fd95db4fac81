local naive = require "spec.support.naive"
local pl = require "perilune"
local raises = require "spec.support.raises"

local core = pl.float64
local nan = naive.nan

-- 20 samples of two numbers, one of them sometimes missing, a category of two and one of three
local SCHEMA = {
  { name = "age", type = "number" }, { name = "income", type = "number" },
  { name = "sex", type = "category", categories = { "f", "m" } },
  { name = "job", type = "category", categories = { "clerk", "nurse", "smith" } },
}
local AGE = { 31, 45, 22, 67, 54, 38, 29, 41, 73, 36, 50, 27, 62, 33, 48, 25, 58, 44, 39, 300 }
local INCOME = { 12, 40, nan, 28, 95, 31, 17, nan, 22, 35, 61, 14, 44, 26, 52, 11, 70, 37, 30, 48 }
local SEX = { 1, 2, 1, 1, 2, 2, 1, 2, 1, 2, 1, 1, 2, 2, 1, 2, 1, 2, 1, 2 }
local JOB = { 1, 2, 3, 1, 3, 2, 1, 1, 2, 3, 3, 1, 2, 3, 2, 1, 3, 2, 1, 3 }
local LABELS = { 1, 2, 1, 3, 2, 1, 1, 2, 3, 2, 2, 1, 3, 1, 2, 1, 3, 2, 1, 2 }

local function samples() return core.matrix { AGE, INCOME, SEX, JOB } end

local function of_classes()
  return pl.dataset {
    X = samples(), labels = core.matrix { LABELS }, classes = { "a", "b", "c" }, schema = SCHEMA,
  }
end

local function of_numbers()
  local T = {}
  for n = 1, 20 do T[n] = 100 + AGE[n] * 0.7 + SEX[n] * JOB[n] end
  return pl.dataset { X = samples(), T = core.matrix { T }, schema = SCHEMA }, T
end


-- The paper in loops

local function sorted(numbers)
  local known = {}
  for _, x in ipairs(numbers) do
    if x == x then known[#known + 1] = x end
  end
  table.sort(known)
  return known
end

local function quantile(numbers, p)
  local known = sorted(numbers)
  local q = 1 + (#known - 1) * p
  local k = math.floor(q)
  return known[k] + (q - k) * ((known[k + 1] or known[k]) - known[k])
end

local function robust(numbers)
  local middle = quantile(numbers, 0.5)
  local range = quantile(numbers, 0.75) - quantile(numbers, 0.25)
  local row = {}
  for n, x in ipairs(numbers) do
    local y = ((x == x and x or middle) - middle) / range
    row[n] = y / math.sqrt(1 + (y / 3) ^ 2)
  end
  return row
end

-- Inputs as section 3.1 of the paper has them; where some are missing a row says which.
local function prepared()
  local missing, sex, jobs = {}, {}, { {}, {}, {} }
  for n = 1, 20 do
    missing[n], sex[n] = INCOME[n] ~= INCOME[n] and 1 or 0, SEX[n] == 2 and 1 or -1
    for k = 1, 3 do jobs[k][n] = JOB[n] == k and 1 or 0 end
  end
  return { robust(AGE), robust(INCOME), missing, sex, table.unpack(jobs) }
end

local function sigmoid(z) return 1 / (1 + math.exp(-z)) end

local LAMBDA, ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717
local sigmas = {
  selu = {
    function(z) return LAMBDA * (z > 0 and z or ALPHA * (math.exp(z) - 1)) end,
    function(z) return LAMBDA * (z > 0 and 1 or ALPHA * math.exp(z)) end,
  },
  mish = {
    function(z) return z * naive.tanh(math.log(1 + math.exp(z))) end,
    function(z)
      local y = naive.tanh(math.log(1 + math.exp(z)))
      return y + z * sigmoid(z) * (1 - y * y)
    end,
  },
}

-- 1/N sum over samples of -t' log softmax(a), t' = 0.9 t + 0.1 / 3
local function smoothed_cross_entropy(A, targets)
  local N, J = #targets, 0
  local Delta = naive.fill(3, N, 0)
  for n, label in ipairs(targets) do
    local total = naive.sum(3, function(i) return math.exp(A[i][n]) end)
    for i = 1, 3 do
      local t = 0.1 / 3 + (label == i and 0.9 or 0)
      J = J - t * (A[i][n] - math.log(total)) / N
      Delta[i][n] = (math.exp(A[i][n]) / total - t) / N
    end
  end
  return J, Delta
end

local function mean_squared_error(A, targets)
  local N, J, Delta = #targets, 0, { {} }
  for n, t in ipairs(targets) do
    J = J + (A[1][n] - t) ^ 2 / N
    Delta[1][n] = 2 * (A[1][n] - t) / N
  end
  return J, Delta
end

-- J of a batch and its gradients, by the parameters' names; layers 3, 4 and 5 are dense.
local function gradients_of(theta, X, targets, sigma, loss)
  local A, Z, gradients = { [2] = {} }, {}, {}
  for i, row in ipairs(X) do
    A[2][i] = {}
    for n, x in ipairs(row) do A[2][i][n] = theta["2.s"][i][1] * x end
  end
  for l = 3, 5 do
    local W, b = theta[l .. ".W"], theta[l .. ".b"]
    Z[l] = naive.affine(naive.scale(1 / math.sqrt(#W[1]), W), A[l - 1], b)
    A[l] = l < 5 and naive.zip(sigmas[sigma][1], Z[l]) or Z[l]
  end
  local J, Delta = loss(A[5], targets)
  for l = 5, 3, -1 do
    local W = theta[l .. ".W"]
    local H = l < 5 and naive.hadamard(Delta, naive.zip(sigmas[sigma][2], Z[l])) or Delta
    local factor = 1 / math.sqrt(#W[1])
    gradients[l .. ".W"] = naive.scale(factor, naive.product(H, A[l - 1], "NT"))
    gradients[l .. ".b"] = naive.sum_columns(H)
    Delta = naive.scale(factor, naive.product(W, H, "TN"))
  end
  gradients["2.s"] = naive.sum_columns(naive.hadamard(Delta, X))
  return J, gradients
end

-- Adam with beta1 = 0.9, beta2 = 0.95, and rates by group
local function adam(theta, gradients, state, rate, step)
  for name, p in pairs(theta) do
    local factor = name == "2.s" and 6 or name:find "b$" and 0.1 or 1
    state[name] = state[name]
      or { m = naive.fill(#p, #p[1], 0), v = naive.fill(#p, #p[1], 0) }
    local m, v = state[name].m, state[name].v
    for i, row in ipairs(p) do
      for j in ipairs(row) do
        local g = gradients[name][i][j]
        m[i][j] = 0.9 * m[i][j] + 0.1 * g
        v[i][j] = 0.95 * v[i][j] + 0.05 * g * g
        local m_hat, v_hat = m[i][j] / (1 - 0.9 ^ step), v[i][j] / (1 - 0.95 ^ step)
        row[j] = row[j] - factor * rate * m_hat / (math.sqrt(v_hat) + 1e-8)
      end
    end
  end
end

-- J before each of `steps` steps from theta, which is moved; batches of 8, 8 and 4 in order
local function trained(theta, targets, how, steps)
  local X, state, losses = prepared(), {}, {}
  for step = 1, steps do
    local first = (step - 1) % 3 * 8 + 1
    local last = math.min(first + 7, 20)
    local J, gradients = gradients_of(theta, naive.columns(X, first, last),
      { table.unpack(targets, first, last) }, how.sigma, how.loss)
    local t = (step - 0.5) / steps
    local rate = how.rate * (0.5 - 0.5 * math.cos(2 * math.pi * math.log(1 + 15 * t, 2)))
    adam(theta, gradients, state, rate, step)
    losses[step] = J
  end
  return losses
end

local function values_of(net)
  local theta = {}
  for _, parameter in ipairs(net:parameters()) do
    theta[parameter.name] = parameter.value:totable()
  end
  return theta
end

local STEPS = 102 -- 34 epochs of three batches

local function check(dataset, targets, how)
  local net, options = pl.tabular(dataset, {
    hidden = { 5, 4 }, batch = 8, epochs = STEPS / 3, dtype = "float64",
  })
  local theta, J_of, step = values_of(net), {}, 0
  options.shuffle = false
  local compute = pl.loss(options.loss)
  options.loss = function(A, T, Delta, weights)
    local J, D = compute(A, T, Delta, weights)
    step = step + 1
    J_of[step] = J
    return J, D
  end
  pl.fit(net, dataset, options)
  local losses = trained(theta, targets, how, STEPS)
  naive.near({ J_of }, { losses }, 1e-9)
  for _, parameter in ipairs(net:parameters()) do
    naive.near(parameter.value, theta[parameter.name], 1e-9)
  end
end

describe("pl.tabular", function()
  it("trains on classes by the formulas of the paper", function()
    check(of_classes(), LABELS, { sigma = "selu", loss = smoothed_cross_entropy, rate = 0.04 })
  end)

  it("trains on numbers by the formulas of the paper", function()
    local dataset, T = of_numbers()
    local mean = naive.sum(20, function(n) return T[n] end) / 20
    local variance = naive.sum(20, function(n) return (T[n] - mean) ^ 2 end) / 20
    local scaled = {}
    for n = 1, 20 do scaled[n] = (T[n] - mean) / math.sqrt(variance) end
    check(dataset, scaled, { sigma = "mish", loss = mean_squared_error, rate = 0.07 })
  end)

  it("begins with normal weights and a last layer of zeros", function()
    local net = pl.tabular(of_classes())
    for l = 3, 5 do
      local W = net.layers[l].W
      local squares = W:norm() ^ 2 / (W.rows * W.cols)
      assert.is_true(math.abs(squares - 1) < 0.15, "the variance of layer " .. l)
    end
    assert.equal(0, net.layers[6].W:norm())
    assert.equal(0, net.layers[6].b:norm())
    assert.same({ 1, 1 }, { net.layers[2].s:min(), net.layers[2].s:max() })
  end)

  it("gives numbers as they are and as waves where periodic is asked for", function()
    local net = pl.tabular(of_classes(), {
      periodic = { frequencies = 2, outputs = 2 }, hidden = { 3 }, dtype = "float64",
      prepare = { scaler = { "robust", clip = 3 } },
    })
    local theta, rows = values_of(net), prepared()
    for feature = 1, 3 do -- two numbers, and which is missing
      for i = 1, 2 do
        local W = theta[("1.2.2.%d.W"):format(feature)]
        local wave = {}
        for n, x in ipairs(rows[feature]) do
          wave[n] = naive.sum(2, function(k)
            local angle = 2 * math.pi * theta["1.2.2.c"][k][feature] * x
            return W[i][k] * math.sin(angle) + W[i][2 + k] * math.cos(angle)
          end)
        end
        table.insert(rows, 3 + 2 * (feature - 1) + i, wave)
      end
    end
    naive.near(net.layers[1]:predict(samples()), rows, 1e-12)
  end)

  it("makes numbers normal by their quantiles where they are given as waves", function()
    local net = pl.tabular(of_classes(), { periodic = true })
    for part = 1, 2 do
      local layer = net.layers[1].parts[part]
      local columns = (layer.columns or layer.layers[1].columns)
      assert.same({ "quantile", "quantile" }, { columns[1].scaler, columns[2].scaler })
    end
    assert.equal("robust", pl.tabular(of_classes()).layers[1].columns[1].scaler)
  end)

  it("has right gradients with waves", function()
    local net = pl.tabular(of_classes(), { periodic = true, hidden = { 4 }, dtype = "float64" })
    pl.generator(1):normal(net.layers[4].W)
    local set = of_classes()
    local report = pl.gradient_check(net, set.X, set.T, {
      loss = "softmax_cross_entropy", inputs = false, -- labels are among them
    })
    assert.is_true(report.passed)
  end)

  it("gives the waves a tenth of the rate, by groups that match all they are meant for", function()
    local _, options = pl.tabular(of_classes(), { periodic = true })
    local rates = {}
    for _, name in ipairs { "1.2.2.c", "1.2.2.1.W", "1.2.2.1.b", "2.s", "3.W", "3.b", "6.b" } do
      for _, group in ipairs(options.optimizer.groups) do
        rates[name] = rates[name] or (name:find(group.match) and group.rate)
      end
      rates[name] = (rates[name] or options.optimizer.rate) / options.optimizer.rate
    end
    local expected = {
      ["1.2.2.c"] = 0.1, ["1.2.2.1.W"] = 0.1, ["1.2.2.1.b"] = 0.1, ["2.s"] = 6, ["3.W"] = 1,
      ["3.b"] = 0.1, ["6.b"] = 0.1,
    }
    for name, rate in pairs(expected) do naive.near_number(rates[name], rate, 1e-12) end
  end)

  it("keeps the best epoch on the validation set", function()
    local set = of_classes()
    local net, options = pl.tabular(set, { validation = set, epochs = 20, hidden = { 16 } })
    local history = pl.fit(net, set, options)
    local best = 0
    for _, record in ipairs(history) do best = math.max(best, record.validation_accuracy) end
    assert.equal(20, #history)
    assert.equal(best, pl.evaluate(net, set).accuracy)
  end)

  it("predicts numbers within the range of the training targets, in their units", function()
    local set, T = of_numbers()
    local net, options = pl.tabular(set, { validation = set, epochs = 40, hidden = { 16 } })
    local history = pl.fit(net, set, options)
    local A = net:predict(set.X:to "float32")
    local least, most = math.min(table.unpack(T)), math.max(table.unpack(T))
    assert.is_true(A:min() >= least - 1e-4 and A:max() <= most + 1e-4)
    local best = math.huge
    for _, record in ipairs(history) do best = math.min(best, record.validation_rmse) end
    local rmse = pl.evaluate(net, set, nil, { "rmse" }).rmse
    assert.is_true(math.abs(rmse - best) < 1e-4 * best)
    assert.is_true(rmse < 20, "better than the mean, whose rmse is about 38")
  end)

  it("takes a category that it has not seen", function()
    local set = of_classes()
    local net, options = pl.tabular(set, { epochs = 1 })
    pl.fit(net, set, options)
    local classes = net:classify { age = 40, income = false, sex = "f", job = "astronaut" }
    assert.equal(1, #classes)
  end)

  it("takes plain matrices, targets in columns and labels without names", function()
    local X = core.generator(1):normal(core.matrix(3, 30))
    local net = pl.tabular(pl.dataset { X = X, T = core.matrix(2, 30) }, { hidden = 4 })
    assert.equal(2, net.outputs)
    local labels = core.matrix(1, 30):fill(1):set(1, 7, 4)
    net = pl.tabular(pl.dataset { X = X, labels = labels }, { hidden = 4 })
    assert.equal(4, net.outputs)
  end)

  it("refuses what it cannot use", function()
    local X = core.matrix { { 1, 2, 1, 2 } }
    local categories = pl.dataset {
      X = X, labels = { 1, 2, 1, 2 },
      schema = { { name = "a", type = "category", categories = { "x", "y" } } },
    }
    raises("periodic: a column of numbers expected, and all are categories", pl.tabular, categories,
      { periodic = true })
    raises("outputs: a whole number of 1 or more expected", pl.tabular, categories,
      { hidden = { 0 } })
    raises("hidden: a width or a list of widths expected", pl.tabular, categories,
      { hidden = "64" })
    raises("validation: a dataset expected", pl.tabular, categories, { validation = 0.1 })
    raises("unknown option 'width'", pl.tabular, categories, { width = 3 })
    raises("pl.tabular: a dataset expected", pl.tabular, X)
  end)
end)
