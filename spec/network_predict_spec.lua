-- Prediction: net:predict and net:classify. That it leaves what training keeps as it is is told of
-- every kind of layer in layer/init_spec.lua.

local at_caller = require("spec.support.misuse").at_caller
local distance = require("spec.support.matrices").distance
local memory = require "spec.support.memory"
local naive = require "spec.support.naive"
local own = require "spec.support.layers"
local pl = require "perilune"
local same = require("spec.support.matrices").same

-- 4 inputs, 6 and 5 hidden, 3 outputs.
local function new(given)
  return pl.network({
    inputs = 4, pl.dense(6, "tanh"), pl.dense(5, "sigmoid"), pl.dense(3),
  }, given)
end

local function samples(N, dtype, seed)
  local core = pl[dtype or "float32"]
  return core.generator(seed or 77):normal(core.matrix(4, N))
end

describe("predict", function()
  it("equals forward where training and inference do not differ", function()
    for _, name in ipairs(naive.types) do
      local network = new { dtype = name }
      local X = samples(30, name)
      assert.is_true(same(network:forward(X), network:predict(X)))
    end
  end)

  it("leaves dropout out", function()
    local with = pl.network { inputs = 4, pl.dense(6, "tanh"), pl.dropout(0.5),
      pl.dense(3) }
    local without = pl.network { inputs = 4, pl.dense(6, "tanh"), pl.dense(3) }
    local X = samples(8)
    assert.is_true(same(without:predict(X), with:predict(X)))
    assert.is_true(same(with:predict(X), with:predict(X)))
  end)

  it("gives a matrix of its own each time", function()
    local network = new()
    local one = network:predict(samples(5))
    local kept = one:copy()
    network:predict(samples(5, nil, 3))
    assert.is_true(same(kept, one))
  end)

  it("gives a matrix of its own where all layers hand on what they get", function()
    local network = pl.network({ inputs = 4, pl.dropout(0.5), "counter" },
      { layers = own })
    local X = samples(5)
    local A = network:predict(X)
    assert.is_true(same(X, A))
    A:fill(3)
    assert.is_false(same(X, A))
  end)

  it("writes into a given result and returns it, however it is stored", function()
    local network = new()
    for _, N in ipairs { 5, 1500 } do
      local X = samples(N)
      for _, order in ipairs { "columns", "rows" } do
        local result = pl.matrix(3, N, order)
        assert.is_true(rawequal(result, network:predict(X, result)))
        assert.is_true(same(network:predict(X), result))
      end
    end
  end)

  it("may write over its samples", function()
    local network = pl.network { inputs = 4, pl.dense(6, "tanh"), pl.dense(4) }
    for _, N in ipairs { 5, 2500 } do
      local X = samples(N)
      local expected = network:predict(X)
      assert.is_true(same(expected, network:predict(X, X)))
    end
  end)

  it("takes more samples than one chunk, whatever remains", function()
    local network = new()
    for _, N in ipairs { 1023, 1024, 1025, 2048, 2500 } do
      local X = samples(N)
      local A = network:predict(X)
      assert.same({ 3, N }, { A:shape() })
      assert.is_true(distance(network:forward(X), A) < 1e-6)
    end
  end)

  it("keeps no samples alive", function()
    local network = pl.network {
      inputs = 2, pl.dense(3), pl.batch_norm(), pl.dropout(0.5), pl.residual { pl.dense(3) },
      pl.branch { pl.dense(2), pl.layer_norm() },
    }
    for _, N in ipairs { 5, 3000 } do
      local held = setmetatable({ pl.matrix(2, N) }, { __mode = "v" })
      network:predict(held[1])
      collectgarbage()
      collectgarbage()
      assert.is_nil(held[1])
    end
  end)

  it("needs memory for the result alone, however many samples there are", function()
    local network = pl.network({ inputs = 4, pl.dense(1000, "relu"), pl.dense(3) })
    local X, result = samples(10240), pl.matrix(3, 10240)
    network:predict(X, result)
    local bytes = memory.allocated(function() network:predict(X, result) end)
    assert.is_true(bytes < 100e3, ("%.0f bytes"):format(bytes))
  end)

  it("takes bytes, few and many, in both types", function()
    for _, name in ipairs(naive.types) do
      local network = new { dtype = name }
      for _, N in ipairs { 3, 2500 } do
        local bytes = {}
        for k = 1, 4 * N do bytes[k] = string.char(k * 37 % 256) end
        local X = pl.bytes(table.concat(bytes), 4, N)
        local expected = network:predict(X:columns(1, N, name))
        assert.is_true(same(expected, network:predict(X)))
      end
    end
  end)

  it("takes samples stored by rows, few and many", function()
    local network = new()
    for _, N in ipairs { 5, 1500 } do
      local X = samples(N)
      assert.is_true(same(network:predict(X:copy "rows"), network:predict(X)))
    end
  end)

  it("refuses a result of a wrong shape or type, and leaves it", function()
    local network = new()
    local wrong = pl.matrix(3, 4):fill(7)
    at_caller(function() network:predict(samples(5), wrong) end,
      "result: a 3 x 5 matrix of float32 expected, got a 3 x 4 matrix of float32")
    assert.same(naive.fill(3, 4, 7), wrong:totable())
    at_caller(function() network:predict(samples(1500), pl.matrix(2, 1500)) end,
      "result: a 3 x 1500 matrix of float32 expected, got a 2 x 1500 matrix of float32")
    at_caller(function() network:predict(samples(5), pl.float64.matrix(3, 5)) end,
      "result: a 3 x 5 matrix of float32 expected, got a 3 x 5 matrix of float64")
    at_caller(function() network:predict(samples(5), true) end,
      "result: a 3 x 5 matrix of float32 expected, got true")
  end)
end)

describe("classify", function()
  -- What the only layer gives is what it gets: W is the unit matrix.
  local function network_of(outputs, given)
    given.dtype = "float64"
    local net = pl.network({ inputs = outputs, pl.dense(outputs) }, given)
    net.layers[1].W:fill(0)
    for i = 1, outputs do net.layers[1].W:set(i, i, 1) end
    return net
  end

  local X = pl.float64.matrix { { 2, -1, 0 }, { 1, 3, 0 }, { 0, 5, 1 } }

  it("gives the label of the largest output, and the probabilities of logits", function()
    local labels, P = network_of(3, { gives = "logits" }):classify(X)
    assert.same({ 1, 3, 3 }, labels)
    naive.near(P, naive.activate("softmax", X:totable()), 1e-14)
  end)

  it("gives names where the network has names", function()
    local net = network_of(3, { gives = "logits", classes = { "ant", "bee", "cat" } })
    assert.same({ "ant", "cat", "cat" }, (net:classify(X)))
  end)

  it("gives what the outputs are, where they are probabilities or values", function()
    for _, gives in ipairs { "probabilities", "values" } do
      local labels, P = network_of(3, { gives = gives }):classify(X)
      assert.same({ 1, 3, 3 }, labels)
      assert.is_true(same(X, P))
    end
  end)

  it("of one output, that is the second class from a half on", function()
    local one = pl.float64.matrix { { -0.1, 0, 0.2, 0.5, 7 } }
    local labels, P = network_of(1, { gives = "logits" }):classify(one)
    assert.same({ 1, 2, 2, 2, 2 }, labels)
    naive.near(P, naive.activate("sigmoid", one:totable()), 1e-15)
    labels, P = network_of(1, { gives = "probabilities",
      classes = { "no", "yes" } }):classify(one)
    assert.same({ "no", "no", "no", "yes", "yes" }, labels)
    assert.is_true(same(one, P))
  end)

  it("gives of several labels all from a half on, which may be none", function()
    local Z = pl.float64.matrix { { 2, -1, 0 }, { 1, -3, 0 }, { 0, -5, 1 } }
    local labels, P = network_of(3, { gives = "logits", targets = "several" }):classify(Z)
    assert.same({ { 1, 2, 3 }, {}, { 1, 2, 3 } }, labels)
    naive.near(P, naive.activate("sigmoid", Z:totable()), 1e-15)
    for _, gives in ipairs { "probabilities", "values" } do
      local net = network_of(3, {
        gives = gives, targets = "several", classes = { "ant", "bee", "cat" },
      })
      labels, P = net:classify(Z / 4)
      assert.same({ { "ant" }, {}, {} }, labels)
      assert.is_true(same(Z / 4, P))
    end
  end)

  it("gives one class where targets say one, or the only output is that of the second", function()
    assert.same({ 1, 3, 3 }, (network_of(3, { gives = "logits", targets = "one" }):classify(X)))
    local one = pl.float64.matrix { { -0.1, 0 } }
    assert.same({ 1, 2 }, (network_of(1, { gives = "logits", targets = "several" }):classify(one)))
  end)

  it("leaves the samples as they are, and takes many of them, and bytes", function()
    local net = network_of(3, { gives = "logits" })
    local before = X:copy()
    net:classify(X)
    assert.is_true(same(before, X))
    local bytes = {}
    for n = 1, 1500 do
      bytes[n] = string.char(n % 3 == 0 and 9 or 1, n % 3 == 1 and 9 or 2, 3)
    end
    local labels = net:classify(pl.bytes(table.concat(bytes), 3, 1500))
    for n = 1, 1500 do
      assert.equal(n % 3 == 0 and 1 or n % 3 == 1 and 2 or 3, labels[n])
    end
  end)

  it("refuses a network that does not know what its outputs are, and says how", function()
    at_caller(function() network_of(3, {}):classify(X) end,
      "what the outputs are is not known: train the network with fit, or say "
      .. "gives = \"logits\" or \"probabilities\" when it is made")
  end)

  it("refuses to predict into a part of its samples, and changes nothing then", function()
    local net = pl.network({ inputs = 3, pl.dropout(0.5) }, { seed = 1 })
    local all = naive.random(pl.float32, 1, 3, 9)
    local before = all:totable()
    for _, result in ipairs { all:columns(1, 5), all:columns(3, 7), all:view(2, 3, 5, "rows") } do
      at_caller(function() net:predict(all:columns(1, 5), result) end,
        "result: X itself or a matrix expected that shares no memory with it")
    end
    net:predict(all, all)
    assert.same(before, all:totable())
  end)

  it("refuses names of classes that were set to something else", function()
    local net = network_of(3, { gives = "logits" })
    for _, wrong in ipairs { 5, { "a", "b" }, { "a", "b", 3 } } do
      net.classes = wrong
      at_caller(function() net:classify(X) end, "classes: ")
      at_caller(function() net:describe() end, "classes: ")
    end
  end)

  it("refuses outputs that are NaN, and says of which sample", function()
    for _, gives in ipairs { "logits", "probabilities" } do
      for outputs = 1, 3, 2 do
        local net = network_of(outputs, { gives = gives })
        local wrong = naive.random(pl.float64, 1, outputs, 4):set(outputs, 3, 0 / 0)
        at_caller(function()
          net:classify(wrong)
        end, ("the network gives NaN for sample 3: X is NaN in row %d of sample 3"):format(outputs))
      end
    end
  end)
end)
