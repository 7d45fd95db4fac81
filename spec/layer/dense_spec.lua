local Dense = require "perilune.layer.dense"
local distance = require("spec.support.matrices").distance
local pl = require "perilune"
local misuse = require "spec.support.misuse"
local same = require("spec.support.matrices").same

local function layer_of(core, activation, given)
  local network = pl.network({ inputs = 3, pl.dense(2, activation, given) },
    { dtype = core.name, seed = 4 })
  return network.layers[1], network
end

for _, name in ipairs { "float32", "float64" } do
  local core = pl[name]
  local tolerance = name == "float32" and 1e-6 or 1e-14

  describe("a dense layer in " .. name, function()
    local function near(expected, M)
      assert.is_true((expected - M):norm() < tolerance * (1 + M:norm()))
    end

    for activation in pairs(core.activations) do
      it("computes Z = W A_below + b and A = sigma(Z), " .. activation, function()
        local layer = layer_of(core, activation)
        core.generator(9):normal(layer.b)
        local X = core.generator(8):normal(core.matrix(3, 5))
        local Z = layer.W * X + layer.b
        local A = layer:forward(X)
        near(Z, layer.Z)
        near(core.activations[activation].forward(core.matrix(2, 5), Z), A)
        assert.is_true(rawequal(A, layer.A))
      end)

      it("computes H, dJ/dW, dJ/db and Delta below, " .. activation, function()
        local layer = layer_of(core, activation)
        local generator = core.generator(7)
        local X = generator:normal(core.matrix(3, 5))
        local Delta = generator:normal(core.matrix(2, 5))
        layer:forward(X)
        layer:backward(Delta)
        local H = core.activations[activation].backward(core.matrix(2, 5), Delta,
          layer.Z, layer.A)
        near(H, layer.H)
        near(H * X:transpose(), layer.dJ_dW)
        near(H * core.matrix(5, 1):fill(1), layer.dJ_db)
        near(layer.W:transpose() * H, layer:propagate())
      end)
    end
  end)
end

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
      layer:backward(pl.matrix(2, N))
      assert.equal(N, layer:propagate().cols)
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
    local layer = layer_of(pl.float64, cube)
    assert.equal("dense 3 -> 2, cube", tostring(layer))
    layer:forward(pl.float64.matrix(3, 1):fill(0.5))
    layer:backward(pl.float64.matrix(2, 1):fill(1))
    assert.near(layer.Z:get(2, 1) ^ 3, layer.A:get(2, 1), 1e-15)
    assert.near(3 * layer.Z:get(2, 1) ^ 2, layer.H:get(2, 1), 1e-15)
  end)

  it("describes itself as plain data", function()
    assert.same({
      kind = "dense", outputs = 2, activation = "tanh", initializer = "glorot",
    }, layer_of(pl.float32, "tanh"):describe())
    assert.same({
      kind = "dense", outputs = 2, activation = "relu", initializer = "lecun",
    }, layer_of(pl.float32, "relu", { initializer = "lecun" }):describe())
    local own = layer_of(pl.float32, "relu", { initializer = function() end })
    assert.same({ kind = "dense", outputs = 2, activation = "relu" }, own:describe())
  end)

  it("is printed as one line", function()
    assert.equal("dense 3 -> 2, identity", tostring(layer_of(pl.float32)))
  end)

  it("refuses a number of outputs that is none", function()
    for _, outputs in ipairs { 0, -1, 1.5, "2", {}, true } do
      misuse.at_caller(function() local _ = pl.dense(outputs) end,
        "dense layer of 1 or more outputs expected, got " .. tostring(outputs))
    end
    misuse.at_caller(function() local _ = pl.dense() end,
      "dense layer of 1 or more outputs expected, got nil")
  end)

  it("refuses an unknown option", function()
    misuse.at_caller(function() local _ = pl.dense(2, "relu", { init = "he" }) end,
      "unknown option 'init' (known: initializer)")
  end)

  it("names the known activations and initializers for an unknown one", function()
    misuse.at_caller(function() pl.network { inputs = 3, pl.dense(2, "relo") } end,
      "layer 1: unknown activation 'relo' (known: elu, identity, leaky_relu, relu, "
      .. "sigmoid, softmax, softsign, tanh)")
    misuse.at_caller(function()
      pl.network { inputs = 3, pl.dense(2), pl.dense(2, "relu", { initializer = "hee" }) }
    end, "layer 2: unknown initializer 'hee' (known: glorot, he, lecun, normal, uniform)")
  end)

  it("refuses an activation without forward or backward", function()
    misuse.at_caller(function()
      pl.network { inputs = 3, pl.dense(2, { forward = function() end }) }
    end, "layer 1: an activation needs the functions forward(A, Z) and "
      .. "backward(H, Delta, Z, A)")
  end)

  it("refuses a description with a wrong field, naming none of its lines", function()
    misuse.at_caller(function()
      pl.network { inputs = 3, { kind = "dense", outputs = 2, activaton = "relu" } }
    end, "layer 1: unknown option 'activaton'")
    misuse.at_caller(function()
      pl.network { inputs = 3, { kind = "dense" } }
    end, "layer 1: option 'outputs' is required")
    misuse.at_caller(function()
      pl.network { inputs = 3, { kind = "dense", outputs = 0 } }
    end, "layer 1: 1 or more outputs expected, got 0")
  end)

  it("refuses backward before any forward", function()
    local layer = layer_of(pl.float32)
    misuse.at_caller(function() layer:backward(pl.matrix(2, 1)) end,
      "backward needs a forward before it")
  end)

  it("refuses inputs and errors of a wrong shape, with both shapes", function()
    local layer = layer_of(pl.float32)
    misuse.anywhere(function() layer:forward(pl.matrix(4, 5)) end, "4 x 5")
    layer:forward(pl.matrix(3, 5))
    misuse.anywhere(function() layer:backward(pl.matrix(3, 5)) end,
      "2 x 5 matrix expected, got 3 x 5")
  end)

  it("is made of its description by new", function()
    local context = {
      core = pl.float32, inputs = 3, generator = pl.generator(1), activations = {},
    }
    local layer = Dense.new({ kind = "dense", outputs = 2 }, context)
    assert.same({ { name = "W", rows = 2, cols = 3, order = "rows" },
      { name = "b", rows = 2, cols = 1 } }, layer.shapes)
    assert.equal("identity", layer.activation)
  end)
end)
