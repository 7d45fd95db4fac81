local at_caller = require("spec.support.misuse").at_caller
local distance = require("spec.support.matrices").distance
local memory = require "spec.support.memory"
local naive = require "spec.support.naive"
local own = require "spec.support.layers"
local pl = require "perilune"
local same = require("spec.support.matrices").same

-- 4 inputs, 6 and 5 hidden, 3 outputs.
local function new(given, hidden)
  return pl.network({
    inputs = 4, pl.dense(6, hidden or "tanh"), pl.dense(5, "sigmoid"), pl.dense(3),
  }, given)
end

local function samples(N, dtype, seed)
  local core = pl[dtype or "float32"]
  return core.generator(seed or 77):normal(core.matrix(4, N))
end

local function shape(M) return ("%d x %d"):format(M:shape()) end

describe("a network's shapes", function()
  it("follow from the inputs and the widths", function()
    local network = new()
    assert.equal(4, network.inputs)
    assert.equal(3, network.outputs)
    local expected = { { "6 x 4", "6 x 1" }, { "5 x 6", "5 x 1" }, { "3 x 5", "3 x 1" } }
    for l, layer in ipairs(network.layers) do
      assert.same(expected[l], { shape(layer.W), shape(layer.b) })
      assert.same(expected[l], { shape(layer.dJ_dW), shape(layer.dJ_db) })
    end
  end)

  it("of Z, A and H are S_l x N", function()
    local network = new()
    network:forward(samples(7))
    network:backward(pl.matrix(3, 7))
    for l, width in ipairs { 6, 5, 3 } do
      local layer = network.layers[l]
      for _, quantity in ipairs { "Z", "A", "H" } do
        assert.equal(width .. " x 7", shape(layer[quantity]))
      end
    end
  end)
end)

describe("a network's parameters", function()
  it("are W and b of each layer by name, with their gradients", function()
    local network = new()
    local names = {}
    for k, parameter in ipairs(network:parameters()) do
      names[k] = parameter.name
      local layer = network.layers[tonumber(parameter.name:match "^%d+")]
      local quantity = parameter.name:match "%.(.*)"
      assert.is_true(rawequal(layer[quantity], parameter.value))
      assert.is_true(rawequal(layer["dJ_d" .. quantity], parameter.gradient))
    end
    assert.same({ "1.W", "1.b", "2.W", "2.b", "3.W", "3.b" }, names)
    assert.equal(6 * 4 + 6 + 5 * 6 + 5 + 3 * 5 + 3, network:parameter_count())
    assert.is_true(rawequal(network:parameters(), network:parameters()))
  end)

  it("are those of the seed, and others for another", function()
    assert.is_true(same(new({ seed = 5 }).theta, new({ seed = 5 }).theta))
    assert.is_false(same(new({ seed = 5 }).theta, new({ seed = 6 }).theta))
    assert.is_true(same(new().theta, new({ seed = 1 }).theta))
  end)

  it("may come from a generator", function()
    local generator = pl.generator(5)
    local network = new { generator = generator }
    assert.is_true(same(new({ seed = 5 }).theta, network.theta))
    assert.is_true(rawequal(generator, network.generator))
  end)
end)

describe("forward", function()
  it("chains the layers: A^(l) = sigma_l(W^(l) A^(l-1) + b^(l)) (1.4)", function()
    local network = new { dtype = "float64" }
    local X = samples(5, "float64")
    local A = X:totable()
    for l, activation in ipairs { "tanh", "sigmoid", "identity" } do
      local layer = network.layers[l]
      A = naive.activate(activation,
        naive.affine(layer.W:totable(), A, layer.b:totable()))
    end
    naive.near(network:forward(X), A, 1e-14)
    assert.is_true(rawequal(network.A, network.layers[3].A))
  end)

  it("gives the same for a sample in whatever batch it comes", function()
    local network = new()
    local X = samples(9)
    local A = network:forward(X):copy()
    for _, N in ipairs { 3, 1, 9, 5 } do
      assert.is_true(distance(A:columns(1, N), network:forward(X:columns(1, N))) < 1e-6)
    end
  end)

  it("takes samples stored by rows, and sees what they are each time", function()
    local network = new()
    local X = samples(9)
    local by_rows = X:copy "rows"
    assert.is_true(same(network:forward(X):copy(), network:forward(by_rows)))
    X:fill(0.5)
    by_rows:fill(0.5)
    assert.is_true(same(network:forward(X):copy(), network:forward(by_rows)))
  end)
end)

describe("backward", function()
  it("chains the layers: Delta^(l-1) = (W^(l))^t H^(l) (4.1) (4.2)", function()
    local network = new { dtype = "float64" }
    local X = samples(5, "float64")
    network:forward(X)
    local Delta = samples(5, "float64", 3):view(1, 3, 5)
    local below = Delta:totable()
    local activations, expected = { "tanh", "sigmoid", "identity" }, {}
    for l = 3, 1, -1 do
      local layer = network.layers[l]
      local H = naive.backward(activations[l], below, layer.Z:totable())
      local A_below = l > 1 and network.layers[l - 1].A or X
      expected[l] = { naive.product(H, A_below:totable(), "NT"), naive.sum_columns(H) }
      below = naive.product(layer.W:totable(), H, "TN")
    end
    assert.is_nil(network:backward(Delta))
    for l, layer in ipairs(network.layers) do
      naive.near(layer.dJ_dW, expected[l][1], 1e-14)
      naive.near(layer.dJ_db, expected[l][2], 1e-14)
    end
    naive.near(network:backward(Delta, true), below, 1e-14)
  end)

  it("replaces the gradients of the batch before", function()
    local network = new()
    network:forward(samples(5))
    network:backward(pl.matrix(3, 5):fill(1))
    local gradient = network.dJ_dtheta:copy()
    network:forward(samples(6, nil, 9))
    network:backward(pl.matrix(3, 6):fill(1))
    network:forward(samples(5))
    network:backward(pl.matrix(3, 5):fill(1))
    assert.is_true(same(gradient, network.dJ_dtheta))
  end)

  it("does not change Delta", function()
    local network = new()
    network:forward(samples(5))
    local Delta = pl.generator(3):normal(pl.matrix(3, 5))
    local before = Delta:copy()
    network:backward(Delta)
    assert.is_true(same(before, Delta))
  end)

  it("takes Delta stored by rows, and sees what it is each time", function()
    local network = new()
    network:forward(samples(5))
    local Delta = pl.generator(3):normal(pl.matrix(3, 5))
    local by_rows = Delta:copy "rows"
    for _ = 1, 2 do
      network:backward(Delta)
      local gradient = network.dJ_dtheta:copy()
      network:backward(by_rows)
      assert.is_true(same(gradient, network.dJ_dtheta))
      Delta:fill(0.5)
      by_rows:fill(0.5)
    end
  end)
end)

describe("a training step", function()
  it("allocates nothing", function()
    local network = pl.network({
      inputs = 40, pl.dense(60, "relu"), pl.dropout(0.1), pl.batch_norm(),
      pl.dense(50, "tanh"),
      pl.residual { pl.dense(50, "tanh", { shared = "code" }),
        pl.dense(50, "tanh", { shared = "code" }) },
      pl.branch { pl.dense(5, "tanh", { frozen = true }), pl.layer_norm() }, pl.dense(10),
    })
    local X, T = pl.matrix(40, 64):fill(0.1), pl.matrix(10, 64)
    local Delta = pl.matrix(10, 64)
    local function steps()
      for _ = 1, 50 do
        pl.loss.squared_error(network:forward(X), T, Delta)
        network:backward(Delta)
      end
    end
    steps()
    assert.equal(0, memory.allocated(steps))
  end)
end)

describe("float32 and float64", function()
  for _, hidden in ipairs(naive.activations) do
    it("agree to 1e-5 in outputs and gradients for the same seed, " .. hidden, function()
      local single = new({ seed = 8 }, hidden)
      local double = new({ seed = 8, dtype = "float64" }, hidden)
      assert.is_true(distance(single.theta, double.theta) < 1e-6)
      local X = samples(20, "float64")
      local A, B = single:forward(X:to "float32"), double:forward(X)
      assert.is_true(distance(A, B) < 1e-5)
      local labels = {}
      for n = 1, 20 do labels[n] = 1 + n % 3 end
      local J_single, Delta = pl.loss.softmax_cross_entropy(A, pl.matrix { labels })
      local Delta_single = single:backward(Delta, true)
      local J_double
      J_double, Delta = pl.loss.softmax_cross_entropy(B, pl.float64.matrix { labels })
      local Delta_double = double:backward(Delta, true)
      assert.near(J_double, J_single, 1e-5)
      assert.is_true(distance(single.dJ_dtheta, double.dJ_dtheta) < 1e-5)
      assert.is_true(distance(Delta_single, Delta_double) < 1e-5)
    end)
  end

  it("agree with dropout, which draws the same numbers", function()
    local function dropped(dtype)
      local network = pl.network({ inputs = 4, pl.dropout(0.5), pl.dense(2) },
        { dtype = dtype })
      network:forward(pl[dtype].matrix(4, 30):fill(1))
      return network.layers[1].A
    end
    assert.equal(0, distance(dropped "float32", dropped "float64"))
    assert.equal(0, dropped("float32"):min())
  end)
end)

describe("an activation of one's own", function()
  local square = { name = "square" }
  function square.forward(A, Z) return A:assign(Z:hadamard(Z)) end
  function square.backward(H, Delta, Z) return H:assign(2 * Delta:hadamard(Z)) end

  it("may be given by name through the option activations", function()
    local network = pl.network({ inputs = 4, pl.dense(3, "square") },
      { dtype = "float64", activations = { square = square } })
    local X = samples(5, "float64")
    local Z = network.layers[1].W * X + network.layers[1].b
    assert.is_true(distance(Z:hadamard(Z), network:forward(X)) < 1e-15)
    local report = pl.gradient_check(network, X, pl.float64.matrix(3, 5),
      { loss = "squared_error" })
    assert.is_true(report.passed, tostring(report))
  end)
end)

describe("a network as text", function()
  it("names inputs, parameters, type and each layer", function()
    local network = pl.network({
      inputs = 4, pl.dense(6, "relu"), pl.dropout(0.5), { "counter" },
      pl.dense(6, "tanh", { frozen = true }),
      pl.dense(3, "identity", { shared = "last" }),
    }, { layers = own })
    assert.equal("network of 4 inputs, 51 parameters, float32\n"
      .. "  1  dense 4 -> 6, relu\n"
      .. "  2  dropout 0.5\n"
      .. "  3  counter\n"
      .. "  4  dense 6 -> 6, tanh, frozen\n"
      .. "  5  dense 6 -> 3, identity, shared as last", tostring(network))
  end)
end)

describe("misuse of a network", function()
  it("in its layers is named at the caller's line", function()
    at_caller(function() local _ = pl.network(3) end,
      "a table of inputs and layers expected, got 3")
    at_caller(function() local _ = pl.network { pl.dense(3) } end,
      "inputs: a whole number of 1 or more expected, got nil")
    at_caller(function() local _ = pl.network { inputs = 2.5, pl.dense(3) } end,
      "inputs: a whole number of 1 or more expected, got 2.5")
    at_caller(function() local _ = pl.network { inputs = 2, pl.dense(3), "relu" } end,
      "layer 2: unknown kind of layer 'relu'")
  end)

  it("in its options is named at the caller's line", function()
    local layers = { inputs = 2, pl.dense(3) }
    local function refused(options, expected)
      at_caller(function() local _ = pl.network(layers, options) end, expected)
    end
    refused({ sed = 1 }, "unknown option 'sed' of pl.network")
    refused({ dtype = "double" },
      "dtype: \"float32\" or \"float64\" expected, got \"double\"")
    refused({ seed = "one" }, "seed: a whole number expected, got \"one\"")
    refused({ generator = 5 }, "generator: a generator expected, got 5")
    refused({ layers = 5 }, "layers: a table expected, got 5")
    refused({ gives = "numbers" },
      "gives: \"logits\" or \"probabilities\" or \"log_probabilities\" or \"values\" expected")
    refused({ targets = "many" }, "targets: \"values\" or \"one\" or \"several\" expected")
    refused(1, "pl.network: a table of options expected, got 1")
  end)

  it("with a dot for the colon is named at the caller's line", function()
    local net, X = pl.network { inputs = 2, pl.dense(3) }, pl.matrix(2, 5)
    local path = os.tmpname()
    for method, argument in pairs {
      forward = X, backward = X, predict = X, predict_scaled = X, classify = X, save = path,
    } do
      at_caller(function() local _ = net[method](argument) end,
        ("a network expected before the colon of net:%s(...), got "):format(method))
    end
    at_caller(function() local _ = net.forward(X) end, "got a 2 x 5 matrix")
    at_caller(function() local _ = net.parameters() end, "net:parameters(...), got nil")
    os.remove(path)
  end)

  it("in the names of its classes is named at the caller's line", function()
    local function refused(outputs, classes, expected)
      at_caller(function()
        local _ = pl.network({ inputs = 2, pl.dense(outputs) }, { classes = classes })
      end, expected)
    end
    refused(3, { "a", "b" }, "classes: 3 names expected for 3 outputs, got 2")
    refused(1, { "a" }, "classes: 2 names expected for 1 output, got 1")
    refused(3, { "a", nil, "c" }, "classes: a list of different names expected")
    refused(2, { "a", "a" }, "a list of different names expected, got \"a\" twice")
    refused(2, { "a", 5 }, "classes: a list of different names in UTF-8 expected, got 5")
    refused(2, { "a", second = "b" }, "classes: a list of different names expected")
    refused(2, 5, "classes: a list of different names expected, got 5")
  end)

  it("in its inputs is named at the caller's line", function()
    local network = new()
    for _, method in ipairs { "forward", "predict" } do
      at_caller(function() network[method](network, pl.matrix(3, 5)) end,
        "X has 3 rows but the network has 4 inputs")
      at_caller(function() network[method](network, {}) end,
        "X: samples of 4 inputs expected, got a table")
      local set = pl.dataset { X = samples(5), T = pl.matrix(3, 5) }
      at_caller(function() network[method](network, set) end,
        "X: samples of 4 inputs expected, got a dataset (dataset.X are its samples)")
      for _, wrong in ipairs { 3, false, "X" } do
        at_caller(function() network[method](network, wrong) end,
          "X: samples of 4 inputs expected, got ")
      end
      at_caller(function() network[method](network, nil) end,
        "X: samples of 4 inputs expected, got nil")
      at_caller(function() network[method](network, samples(5, "float64")) end,
        "a matrix of float32 expected, got one of float64 (X:to(\"float32\") converts)")
    end
    at_caller(function() network:forward(pl.bytes(("x"):rep(8), 4, 2)) end,
      "X: a matrix expected, got bytes (X:columns(first, last) makes one)")
  end)

  it("by a table that says it equals whatever it is compared with is no matrix", function()
    local network = new()
    local equal = setmetatable({}, { __eq = function() return true end })
    at_caller(function() network:forward(equal) end, "X: samples of 4 inputs expected, got a table")
    network:forward(samples(5))
    at_caller(function() network:backward(equal) end, "of float32 expected, got a table")
    local answers = setmetatable({}, { __index = function() return 4 end })
    at_caller(function() network:predict(answers) end,
      "X: samples of 4 inputs expected, got a table")
  end)

  it("by a Delta of a wrong shape names both shapes, and changes nothing", function()
    local network = new()
    network:forward(samples(5))
    network:backward(pl.matrix(3, 5):fill(1))
    local before = network.dJ_dtheta:copy()
    at_caller(function() network:backward(pl.matrix(3, 4)) end,
      "Delta: a 3 x 5 matrix of float32 expected, got a 3 x 4 matrix of float32")
    at_caller(function() network:backward(pl.matrix(2, 5)) end,
      "Delta: a 3 x 5 matrix of float32 expected, got a 2 x 5 matrix of float32")
    at_caller(function() network:backward(pl.float64.matrix(3, 5)) end,
      "Delta: a 3 x 5 matrix of float32 expected, got a 3 x 5 matrix of float64")
    for _, wrong in ipairs { 3, {}, false } do
      at_caller(function()
        network:backward(wrong)
      end, "Delta: a 3 x 5 matrix of float32")
    end
    at_caller(function() network:backward(nil) end,
      "Delta: a 3 x 5 matrix of float32 expected, got nil")
    assert.is_true(same(before, network.dJ_dtheta))
    -- A Delta that was right for one batch is not for another of another size.
    local Delta = pl.matrix(3, 5)
    network:backward(Delta)
    network:forward(samples(6))
    at_caller(function() network:backward(Delta) end,
      "Delta: a 3 x 6 matrix of float32 expected, got a 3 x 5 matrix of float32")
  end)

  it("by backward before any forward is refused", function()
    at_caller(function() new():backward(pl.matrix(3, 4)) end,
      "backward needs a forward before it")
  end)

  it("by backward after a forward that raised midway is refused", function()
    local network = pl.network({ inputs = 4, pl.dense(3), "counter" }, { layers = own })
    network:forward(samples(5))
    network.layers[2].forward = function() error("out of order", 0) end
    assert.has_error(function() network:forward(samples(5, nil, 3)) end, "out of order")
    at_caller(function() network:backward(pl.matrix(3, 5)) end,
      "backward needs a forward before it")
  end)
end)
