-- Units of the targets, in all that meets them: training, evaluation, early stopping, files.

local at_caller = require("spec.support.misuse").at_caller
local naive = require "spec.support.naive"
local pl = require "perilune"

local core, nan = pl.float64, naive.nan

-- Two targets of different ranges, far from 0
local function set_of(N, seed)
  local X = naive.random(core, seed or 1, 3, N)
  local T = core.matrix(2, N)
  for n = 1, N do
    T:set(1, n, 2e5 + 5e4 * naive.tanh(X:get(1, n) + X:get(2, n)))
    T:set(2, n, -3 + 0.01 * X:get(3, n))
  end
  return pl.dataset { X = X, T = T }
end

local data = set_of(64)

local function network(options, dtype)
  return pl.network({ inputs = 3, pl.dense(8, "tanh"), pl.dense(2), pl.units(data, options) },
    { dtype = dtype or "float64", seed = 3 })
end

-- (t - mean) / deviation of each target
local function standardised(T)
  local rows = {}
  for i, row in ipairs(T:totable()) do
    local N = #row
    local mean = naive.sum(N, function(n) return row[n] end) / N
    local variance = naive.sum(N, function(n) return (row[n] - mean) ^ 2 end) / N
    rows[i] = {}
    for n = 1, N do rows[i][n] = (row[n] - mean) / math.sqrt(variance) end
  end
  return core.matrix(rows)
end

local T_scaled = standardised(data.T)

local function rmse(A, T)
  local D = A - T
  return D:norm() / math.sqrt(T.rows * T.cols)
end

describe("units", function()
  it("do nothing in training, and give the targets' units in prediction", function()
    local net = network()
    local scaled = net:forward(data.X):totable()
    naive.near(net:predict_scaled(data.X), scaled, 0)
    local target = net.units.targets
    naive.near(net:predict(data.X), naive.build(2, 64, function(i, n)
      return scaled[i][n] / target[i].factor + target[i].shift
    end), 1e-15)
    assert.equal("units of 2 targets", tostring(net.layers[3]))
    assert.equal("units of 2 targets, clipped", tostring(network({ clip = true }).units))
  end)

  it("pass the gradient check, by scaled targets", function()
    local report = pl.gradient_check(network(), data.X, T_scaled, { loss = "squared_error" })
    assert.is_true(report.passed, tostring(report))
  end)

  it("keep predictions within the range of the training targets where they are clipped", function()
    local net = network { clip = true }
    net.layers[2].b:assign(core.matrix { { 100 }, { -100 } })
    local least, most = data.T:slice(2, 2):min(), data.T:slice(1, 1):max()
    local A = net:predict(data.X)
    assert.same({ most, most, least, least }, { A:slice(1, 1):min(), A:slice(1, 1):max(),
      A:slice(2, 2):min(), A:slice(2, 2):max() })
    assert.is_true(network():predict_scaled(data.X):max() < 100)
  end)

  it("scale the targets of a dataset for loops of one's own", function()
    local net = network()
    local set = data:for_network(net)
    naive.near(set.T, T_scaled:totable(), 1e-12)
    assert.is_true(rawequal(set.X, data.X))
    local part = data:split(0.25, pl.generator(2))
    local scaled = part:for_network(net)
    assert.equal(16, scaled.N)
    naive.near(scaled.T, net.units:scale(part.T):totable(), 0)
    local plain = pl.network({ inputs = 3, pl.dense(2) }, { dtype = "float64" })
    assert.is_true(rawequal(data, data:for_network(plain)))
  end)

  it("train on scaled targets; the loss is of these, metrics are in the targets' units", function()
    local net = network()
    local plain = pl.network({ inputs = 3, pl.dense(8, "tanh"), pl.dense(2) },
      { dtype = "float64", seed = 3 })
    local options = { loss = "squared_error", epochs = 3, batch = 20, metrics = { "rmse", "mae" },
      validation = set_of(30, 9), optimizer = { "adam", rate = 0.01 } }
    local history = pl.fit(net, data, options)
    options.validation, options.metrics = nil, nil
    local expected = pl.fit(plain, pl.dataset { X = data.X, T = T_scaled }, options)
    for epoch = 1, 3 do
      naive.near_number(history[epoch].loss, expected[epoch].loss, 1e-12)
    end
    for k, parameter in ipairs(net:parameters()) do
      naive.near(parameter.value, plain:parameters()[k].value:totable(), 1e-12)
    end
    local validation = set_of(30, 9)
    naive.near_number(history[3].validation_rmse, rmse(net:predict(validation.X), validation.T),
      1e-12)
    naive.near_number(history[3].validation_loss, (pl.loss.squared_error(
      net:predict_scaled(validation.X), validation:for_network(net).T)), 1e-12)
    assert.is_true(history[3].mae > 100)
  end)

  it("are those of the targets in evaluation", function()
    local net = network { clip = true }
    local found = pl.evaluate(net, data, "squared_error", { "rmse", "mae", "r2",
      { name = "largest", more_is_better = false,
        compute = function(A, T) return math.max((A - T):max(), (T - A):max()) end } })
    local A = net:predict(data.X)
    naive.near_number(found.rmse, rmse(A, data.T), 1e-12)
    naive.near_number(found.mae, (A - data.T):map(math.abs):sum() / 128, 1e-12)
    naive.near_number(found.r2, pl.metric.r2(A, data.T), 1e-9)
    naive.near_number(found.largest, math.max((A - data.T):max(), (data.T - A):max()), 1e-9)
    naive.near_number(found.loss, (pl.loss.squared_error(net:predict_scaled(data.X), T_scaled)),
      1e-12)
  end)

  it("let early stopping look at a number in the targets' units", function()
    local net = network()
    local validation = set_of(30, 9)
    local history = pl.fit(net, data, { loss = "squared_error", epochs = 12, batch = 16,
      metrics = { "rmse" }, validation = validation, optimizer = { "adam", rate = 0.05 },
      early_stopping = { monitor = "validation_rmse", patience = 3 } })
    naive.near_number(history[history.best_epoch].validation_rmse,
      rmse(net:predict(validation.X), validation.T), 1e-12)
  end)

  it("come back from a file and a clone with the same answers to the last bit", function()
    for _, dtype in ipairs(naive.types) do
      local net, path = network({ clip = true, scaler = "robust" }, dtype), os.tmpname()
      assert(net:save(path))
      local again = assert(pl.load(path))
      os.remove(path)
      local X = data.X:to(dtype)
      naive.near(again:predict(X), net:predict(X):totable(), 0)
      naive.near(net:clone():predict(X), net:predict(X):totable(), 0)
      assert.same(net:describe(), again:describe())
    end
  end)

  it("are the same after a checkpoint", function()
    local options = { loss = "squared_error", epochs = 4, batch = 16, metrics = { "rmse" } }
    local whole = network()
    local expected = pl.fit(whole, data, options)
    local path = os.tmpname()
    local first = pl.trainer(network(), data, options)
    first:run { steps = 6 }
    assert(first:save(path))
    local second = pl.trainer(network(), data, options)
    assert(second:load(path))
    os.remove(path)
    local history = second:run()
    assert.equal(expected[4].rmse, history[4].rmse)
    naive.near(second.net:predict(data.X), whole:predict(data.X):totable(), 0)
  end)

  it("leave out targets that are not known", function()
    local T = data.T:copy()
    T:set(1, 5, nan)
    local weights = core.matrix(2, 64):fill(1)
    weights:set(1, 5, 0)
    local masked = pl.dataset { X = data.X, T = T, weights = weights }
    local net = pl.network({ inputs = 3, pl.dense(2), pl.units(masked) }, { dtype = "float64" })
    local history = pl.fit(net, masked,
      { loss = "squared_error", epochs = 2, metrics = { "rmse" } })
    assert.is_true(history[2].rmse == history[2].rmse)
  end)

  it("serve float32 networks on targets of float64, which has more digits", function()
    local years = pl.dataset { X = data.X, T = core.matrix(1, 64) }
    for n = 1, 64 do years.T:set(1, n, 1e9 + n) end -- float32 cannot tell these apart
    local net = pl.network { inputs = 3, pl.dense(1), pl.units(years) }
    local trainer = pl.trainer(net, years, { loss = "squared_error" })
    naive.near_number(trainer.dataset.T:get(1, 2) - trainer.dataset.T:get(1, 1),
      net.units.targets[1].factor, 1e-6)
  end)

  it("are there where learning rates are tried", function()
    local test = pl.find_rate(network(), data, { loss = "squared_error", steps = 30 })
    assert.is_true(test.losses[1] < 100) -- of targets of 2e5
  end)

  it("are the last layer of a network, and no other", function()
    local units = pl.units(core.matrix { { 1, 2 } })
    for _, layers in ipairs {
      { inputs = 1, units, pl.dense(1) }, { inputs = 1, pl.residual(units) },
      { inputs = 1, pl.branch { units, pl.dense(1) } },
      { inputs = 1, pl.dense(1), { "chain", layers = { units } } },
    } do
      at_caller(function() pl.network(layers) end,
        ": units are the last layer of a network, and of no layer within it")
    end
    at_caller(function() pl.network { inputs = 1, pl.dense(2), units } end,
      "layer 2: targets: one for each of the 2 outputs below expected, got 1")
    at_caller(function()
      pl.network { inputs = 1, { "units", targets = {
        { shift = 0, factor = 0, least = 0, most = 1 } } } }
    end, "layer 1: targets: 1: factor: a number that is not 0 expected")
    at_caller(function()
      pl.network { inputs = 1, { "units", targets = {
        { shift = 1e300, factor = 1, least = 0, most = 1 } } } }
    end, "layer 1: targets: numbers expected that float32 has")
  end)

  it("are of numbers, and not of classes", function()
    local labels = pl.dataset { X = data.X, labels = pl.matrix(1, 64):fill(1) }
    at_caller(function() pl.fit(network(), labels, { loss = "softmax_cross_entropy" }) end,
      "the network's units are those of 2 targets, which are numbers, got labels")
    local one = pl.dataset { X = data.X, T = core.matrix(1, 64) }
    at_caller(function() pl.evaluate(network(), one, "squared_error") end,
      "the network's units are those of 2 targets, which are numbers, got 1")
  end)

  it("leave the range of the layer below to be checked", function()
    local units = pl.units(data, { scaler = "min_max" })
    local net = pl.network({ inputs = 3, pl.dense(2, "sigmoid"), units }, { dtype = "float64" })
    local beyond = pl.dataset { X = data.X, T = data.T * 2 }
    pl.fit(net, data, { loss = "squared_error", epochs = 1, validation = beyond })
    net = pl.network({ inputs = 3, pl.dense(2, "sigmoid"), pl.units(data) }, { dtype = "float64" })
    at_caller(function() pl.fit(net, data, { loss = "squared_error" }) end,
      "but the last layer's sigmoid only gives 0 to 1")
  end)

  it("allocate nothing in their stride", function()
    local allocated_by = require("spec.support.memory").allocated
    local layer, A = network().layers[3], naive.random(core, 4, 2, 40)
    local function steps()
      layer:forward(A)
      layer:predict(A)
      layer:backward(A, true)
    end
    steps()
    assert.equal(0, (allocated_by(steps)))
  end)
end)
