local distance = require("spec.support.matrices").distance
local memory = require "spec.support.memory"
local misuse = require "spec.support.misuse"
local naive = require "spec.support.naive"
local pl = require "perilune"
local reference = require "spec.support.reference"
local same = require("spec.support.matrices").same

local near = naive.near

local function layer_of(core, activation, given)
  local network = pl.network({ inputs = 3, pl.dense(2, activation, given) },
    { dtype = core.name, seed = 4 })
  return network.layers[1], network
end

for _, name in ipairs(naive.types) do
  local core, tolerance = pl[name], naive.tolerance[name]

  for _, activation in ipairs(naive.activations) do
    describe(("a dense layer in %s with %s"):format(name, activation), function()
      local layer, X, Delta, Z

      before_each(function()
        layer = layer_of(core, activation)
        core.generator(9):normal(layer.b)
        X, Delta = naive.random(core, 8, 3, 5), naive.random(core, 7, 2, 5)
        Z = naive.affine(layer.W:totable(), X:totable(), layer.b:totable())
      end)

      it("computes Z = W A_below + b and A = sigma(Z)", function()
        local A = layer:forward(X)
        near(layer.Z, Z, tolerance)
        near(A, naive.activate(activation, Z), tolerance)
        assert.is_true(rawequal(A, layer.A))
      end)

      it("computes H, dJ/dW, dJ/db and Delta below", function()
        layer:forward(X)
        local below = layer:backward(Delta, true)
        local H = naive.backward(activation, Delta:totable(), Z)
        near(layer.H, H, tolerance)
        near(layer.dJ_dW, naive.product(H, X:totable(), "NT"), tolerance)
        near(layer.dJ_db, naive.sum_columns(H), tolerance)
        near(below, naive.product(layer.W:totable(), H, "TN"), tolerance)
        assert.is_true(rawequal(Delta, layer.Delta))
      end)

      it("computes H and Delta below alone when it is frozen", function()
        local frozen = layer_of(core, activation, { frozen = true })
        frozen.W:assign(layer.W)
        frozen.b:assign(layer.b)
        frozen:forward(X)
        local below = frozen:backward(Delta, true)
        local H = naive.backward(activation, Delta:totable(), Z)
        near(frozen.H, H, tolerance)
        near(below, naive.product(layer.W:totable(), H, "TN"), tolerance)
        assert.is_nil(frozen.dJ_dW)
      end)
    end)
  end
end

describe("a dense layer as PyTorch computes it", function()
  local core = pl.float64
  for case, expected in pairs(reference.load "dense") do
    local options = reference.description(case)
    options[1] = nil

    it(case, function()
      local net = pl.network({ inputs = 5, pl.dense(3, "tanh", options) }, { dtype = "float64" })
      local layer = net.layers[1]
      layer.W:assign(core.matrix(expected.W))
      if options.bias then layer.b:assign(core.matrix(expected.b)) end
      local X, Delta = core.matrix(expected.X), core.matrix(expected.Delta)
      near(layer:forward(X), expected.A, 1e-14)
      near(layer:predict(X), expected.A, 1e-14)
      near(layer:backward(Delta, true), expected.below, 1e-14)
      near(layer.dJ_dW, expected.dJ_dW, 1e-14)
      if options.bias then near(layer.dJ_db, expected.dJ_db, 1e-14) end
    end)
  end
end)

describe("a dense layer without bias, or scaled,", function()
  local variants = { { bias = false }, { scaled = true }, { bias = false, scaled = true } }

  it("has no b, and no gradient of it", function()
    local layer, net = layer_of(pl.float32, "tanh", { bias = false })
    layer:forward(pl.matrix(3, 4):fill(1))
    layer:backward(pl.matrix(2, 4):fill(1))
    assert.is_nil(layer.b)
    assert.is_nil(layer.dJ_db)
    assert.equal(6, net:parameter_count())
    assert.equal(1, #net:parameters())
  end)

  it("passes the gradient check, also with shared and frozen layers around it", function()
    for _, options in ipairs(variants) do
      for _, activation in ipairs { "tanh", "softmax" } do
        local shared = { shared = "s", bias = options.bias, scaled = options.scaled }
        local frozen = { frozen = true, bias = options.bias, scaled = options.scaled }
        local net = pl.network({ inputs = 3, pl.dense(3, activation, shared),
          pl.dense(3, activation, shared), pl.dense(4, "silu", frozen),
          pl.dense(2, "identity", options) }, { dtype = "float64", seed = 3 })
        local X = naive.random(pl.float64, 3, 3, 6)
        local report = pl.gradient_check(net, X, pl.float64.matrix { { 1, 2, 1, 1, 2, 2 } },
          { loss = "softmax_cross_entropy" })
        assert.is_true(report.passed and report.largest_error <= 1e-6)
      end
    end
  end)

  it("takes an activation of one's own", function()
    local tanh = pl.activation.tanh
    local own = { forward = tanh.forward, backward = tanh.backward }
    for _, options in ipairs(variants) do
      local X, Delta = naive.random(pl.float64, 1, 3, 5), naive.random(pl.float64, 2, 2, 5)
      local results = {}
      for k, activation in ipairs { "tanh", own } do
        options.initializer = "lecun"
        local layer = layer_of(pl.float64, activation, options)
        results[k] = { layer:forward(X), layer:backward(Delta, true), layer.dJ_dW }
      end
      for q = 1, 3 do near(results[2][q], results[1][q]:totable(), 1e-14) end
    end
  end)

  it("begins, scaled, with normal numbers of deviation 1, and Z is as large as X", function()
    local net = pl.network({ inputs = 400, pl.dense(300, nil, { scaled = true }) },
      { dtype = "float64" })
    local layer = net.layers[1]
    assert.near(1, layer.W:norm() ^ 2 / (300 * 400), 0.02)
    assert.near(1, layer.b:norm() ^ 2 / 300, 0.25)
    layer.b:fill(0)
    net:forward(pl.float64.generator(5):normal(pl.float64.matrix(400, 50)))
    assert.near(1, layer.Z:norm() ^ 2 / (300 * 50), 0.1)
  end)

  it("goes backward as it went forward, whatever was predicted between", function()
    for _, options in ipairs(variants) do
      local layer = layer_of(pl.float64, "tanh", options)
      local X, Delta = naive.random(pl.float64, 1, 3, 5), naive.random(pl.float64, 2, 2, 5)
      layer:forward(X)
      local below, dJ_dW = layer:backward(Delta, true):copy(), layer.dJ_dW:copy()
      layer:predict(naive.random(pl.float64, 3, 3, 9))
      assert.is_true(same(below, layer:backward(Delta, true)))
      assert.is_true(same(dJ_dW, layer.dJ_dW))
    end
  end)

  it("comes back from a file and as a clone", function()
    for _, options in ipairs(variants) do
      local _, net = layer_of(pl.float32, "gelu", options)
      local path, X = os.tmpname(), naive.random(pl.float32, 1, 3, 5)
      assert(net:save(path))
      for _, again in ipairs { assert(pl.load(path)), net:clone() } do
        assert.is_true(same(net:predict(X), again:predict(X)))
        assert.same(net:describe(), again:describe())
      end
      os.remove(path)
    end
  end)

  it("is as it was where there is no memory for another size of batch", function()
    local small, large = naive.random(pl.float32, 1, 3, 5), naive.random(pl.float32, 2, 3, 8)
    local layer = layer_of(pl.float32, "tanh", { scaled = true })
    local A = layer:forward(small):copy()
    for k = 1, 4 do
      assert.is_false((memory.without_buffer(k, layer.forward, layer, large)))
    end
    for k = 1, 2 do
      assert.is_false((memory.without_buffer(k, layer.predict, layer, large)))
    end
    assert.is_true(same(A, layer:forward(small)))
    assert.is_true(same(A, layer:predict(small)))
  end)
end)

describe("a dense layer", function()
  it("predicts what it computes forward, and keeps Z, A and H", function()
    local layer = layer_of(pl.float32, "tanh")
    local X = pl.generator(2):normal(pl.matrix(3, 4))
    local other = pl.generator(3):normal(pl.matrix(3, 4))
    local A = layer:forward(X):copy()
    layer:backward(pl.matrix(2, 4):fill(1))
    local H = layer.H:copy()
    local Z = layer.Z:copy()
    assert.is_false(same(A, layer:predict(other)))
    assert.is_true(same(A, layer.A))
    assert.is_true(same(Z, layer.Z))
    assert.is_true(same(H, layer.H))
    assert.is_true(same(A, layer:predict(X)))
  end)

  it("follows the number of samples, and gives the same for each sample", function()
    local layer = layer_of(pl.float32, "relu")
    local X = pl.generator(2):normal(pl.matrix(3, 9))
    local whole = layer:forward(X):copy()
    for _, N in ipairs { 4, 9, 1, 4 } do
      assert.is_true(distance(whole:columns(1, N), layer:forward(X:columns(1, N))) < 1e-6)
      assert.equal(N, layer:backward(pl.matrix(2, N), true).cols)
    end
  end)

  it("leaves the columns of a smaller batch out of the gradients", function()
    local layer = layer_of(pl.float64, "identity")
    layer:forward(pl.float64.matrix(3, 6):fill(100))
    layer:backward(pl.float64.matrix(2, 6):fill(100))
    layer:forward(pl.float64.matrix(3, 2):fill(1))
    layer:backward(pl.float64.matrix(2, 2):fill(1))
    assert.same({ { 2, 2, 2 }, { 2, 2, 2 } }, layer.dJ_dW:totable())
    assert.same({ { 2 }, { 2 } }, layer.dJ_db:totable())
  end)

  it("takes an activation of one's own, a table with forward and backward", function()
    local cube = { name = "cube" }
    function cube.forward(A, Z) return A:assign(Z:map(function(z) return z ^ 3 end)) end
    function cube.backward(H, Delta, Z)
      return H:assign(Delta:hadamard(Z:map(function(z) return 3 * z ^ 2 end)))
    end
    for _, frozen in ipairs { false, true } do
      local layer = layer_of(pl.float64, cube, { frozen = frozen })
      assert.equal("dense 3 -> 2, cube", tostring(layer))
      layer:forward(pl.float64.matrix(3, 1):fill(0.5))
      layer:backward(pl.float64.matrix(2, 1):fill(1))
      assert.near(layer.Z:get(2, 1) ^ 3, layer.A:get(2, 1), 1e-15)
      assert.near(3 * layer.Z:get(2, 1) ^ 2, layer.H:get(2, 1), 1e-15)
      assert.is_true(same(layer.A, layer:predict(pl.float64.matrix(3, 1):fill(0.5))))
    end
  end)

  it("draws its first W, and for some b, by its initializer", function()
    local layer = layer_of(pl.float32, "relu",
      { initializer = { "uniform", bound = 0.5 } })
    assert.is_true(layer.W:norm() > 0 and layer.W:max() <= 0.5 and layer.W:min() >= -0.5)
    assert.is_true(layer.b:norm() > 0)
    layer = layer_of(pl.float32, "relu", {
      initializer = function(W, generator) return generator:uniform(W, 3, 4) end,
    })
    assert.is_true(layer.W:min() >= 3 and layer.W:max() < 4)
    assert.equal(0, layer.b:norm())
  end)

  it("stores W by rows: the weights of a unit are neighbours", function()
    local layer = layer_of(pl.float32, "relu")
    assert.equal("rows", layer.W.order)
    assert.equal("rows", layer.dJ_dW.order)
  end)

  it("describes itself as plain data", function()
    local function described(activation, given)
      local _, net = layer_of(pl.float32, activation, given)
      return net:describe().layers[1]
    end
    local function expected(activation, own_initializer, options)
      local description = { "dense", outputs = 2, activation = activation,
        initializer = own_initializer, bias = true, scaled = false }
      for name, value in pairs(options or {}) do description[name] = value end
      return description
    end
    assert.same(expected("tanh", { "glorot", distribution = "uniform", gain = 1 }),
      described "tanh")
    assert.same(expected("relu", "lecun"), described("relu", { initializer = "lecun" }))
    assert.same(expected("relu", { "normal", mean = 0, deviation = 0.1 }),
      described("relu", { initializer = { "normal", deviation = 0.1 } }))
    assert.same(expected("relu"), described("relu", { initializer = function() end }))
    assert.same(expected("relu", { "normal", mean = 0, deviation = 1 },
      { bias = false, scaled = true }), described("relu", { bias = false, scaled = true }))
  end)

  it("is printed as one line", function()
    assert.equal("dense 3 -> 2, identity", tostring((layer_of(pl.float32))))
    assert.equal("dense 3 -> 2, relu, without bias, scaled",
      tostring((layer_of(pl.float32, "relu", { bias = false, scaled = true }))))
    local core_tanh = pl.activation.tanh
    local unnamed = { forward = core_tanh.forward, backward = core_tanh.backward }
    assert.equal("dense 3 -> 2, an activation without a name",
      tostring((layer_of(pl.float32, unnamed))))
  end)

  it("takes a whole number written as a float", function()
    local net = pl.network { inputs = 3.0, pl.dense(2.0) }
    assert.equal("2 x 3", ("%d x %d"):format(net.layers[1].W:shape()))
  end)

  it("refuses a number of outputs that is none", function()
    for _, outputs in ipairs { 0, -1, 1.5, 0 / 0, 1 / 0, "2", {}, true } do
      misuse.at_caller(function() local _ = pl.dense(outputs) end,
        "dense: outputs: a whole number of 1 or more expected, got ")
    end
    misuse.at_caller(function()
      local _ = pl.dense()
    end, "dense: option 'outputs' is required")
  end)

  it("refuses an unknown option", function()
    misuse.at_caller(function() local _ = pl.dense(2, "relu", { init = "he" }) end,
      "unknown option 'init' of dense (known: activation, ")
    misuse.at_caller(function() local _ = pl.dense(2, "relu", "he") end,
      "pl.dense: a table of options expected, got \"he\"")
  end)

  it("names the known activations and initializers for an unknown one", function()
    misuse.at_caller(function()
      local _ = pl.network { inputs = 3, pl.dense(2, "relo") }
    end, "layer 1: dense: activation: unknown activation 'relo' (known: ")
    misuse.at_caller(function()
      local _ = pl.network {
        inputs = 3, pl.dense(2), pl.dense(2, "relu", { initializer = "hee" }),
      }
    end, "layer 2: dense: initializer: unknown initializer 'hee' (known: constant, glorot, ")
  end)

  it("refuses an activation without forward or backward", function()
    misuse.at_caller(function()
      local _ = pl.network { inputs = 3, pl.dense(2, { forward = function() end }) }
    end, "dense: activation: a name, { name, option = value } or a table with the functions "
      .. "forward(A, Z) and backward(H, Delta, Z, A) expected, got a table")
  end)

  it("refuses a description with a wrong field, naming none of its lines", function()
    misuse.at_caller(function()
      local _ = pl.network { inputs = 3, { "dense", outputs = 2, activaton = "relu" } }
    end, "layer 1: unknown option 'activaton'")
    misuse.at_caller(function() local _ = pl.network { inputs = 3, { "dense" } } end,
      "layer 1: dense: option 'outputs' is required")
    misuse.at_caller(function()
      local _ = pl.network { inputs = 3, { "dense", outputs = 0 } }
    end, "layer 1: dense: outputs: a whole number of 1 or more expected, got 0")
    misuse.at_caller(function() local _ = pl.network { inputs = 3, { "dense", 10 } } end,
      "layer 1: unknown option '2' of dense")
  end)

  it("refuses inputs and errors of a wrong shape, with both shapes", function()
    local layer = layer_of(pl.float32)
    misuse.anywhere(function() layer:forward(pl.matrix(4, 5)) end, "4 x 5")
    layer:forward(pl.matrix(3, 5))
    misuse.anywhere(function() layer:backward(pl.matrix(3, 5)) end,
      "2 x 5 matrix expected, got 3 x 5")
  end)

  it("is as it was for one size of batch where there is no memory for another", function()
    local function passes(layer, X)
      local A = layer:forward(X):copy()
      return { A, layer:backward(A, true):copy(), layer.dJ_dW:copy(), layer:predict(X):copy() }
    end
    local small, large = naive.random(pl.float32, 1, 3, 5), naive.random(pl.float32, 2, 3, 8)
    for k = 1, 4 do
      local layer, other = layer_of(pl.float32, "tanh"), layer_of(pl.float32, "tanh")
      passes(layer, small)
      local pass = k <= 3 and layer.forward or layer.predict
      assert.same({ false, "not enough memory" },
        { memory.without_buffer(k <= 3 and k or 1, pass, layer, large) })
      for _, X in ipairs { small, large } do
        local got, expected = passes(layer, X), passes(other, X)
        for q = 1, #expected do assert.is_true(same(got[q], expected[q])) end
      end
    end
  end)
end)
