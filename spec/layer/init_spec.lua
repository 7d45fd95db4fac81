-- What holds for every kind of layer that is built in, by the contract at the top of
-- perilune/layer/tree.lua.

local at_caller = require("spec.support.misuse").at_caller
local distance = require("spec.support.matrices").distance
local kinds = require "perilune.layer"
local memory = require "spec.support.memory"
local pl = require "perilune"
local same = require("spec.support.matrices").same

local core = pl.float64
local SIZE = 6

-- Activations are smooth, so that differences are derivatives everywhere.
local descriptions = {
  batch_norm = { "batch_norm" },
  ["branch, concatenated"] = {
    "branch", parts = { { "dense", outputs = 2, activation = "tanh" },
      { "dropout", probability = 0.3 } },
  },
  ["branch, summed"] = {
    "branch", join = "sum", parts = { { "dense", outputs = SIZE }, { "layer_norm" } },
  },
  chain = { "chain", layers = { pl.dense(4, "tanh"), pl.dropout(0.2), pl.dense(5) } },
  dense = { "dense", outputs = 4, activation = "sigmoid" },
  alpha_dropout = { "alpha_dropout", probability = 0.4 },
  dropout = { "dropout", probability = 0.4 },
  piecewise_linear = { "piecewise_linear", boundaries = {
    { -0.5, 0.1, 0.6 }, { 0, 1 }, { -0.9, 0.3, 0.4, 0.9 }, { -1, 1 }, { 0.1, 0.2 }, { -3, 3 },
  } },
  ["piecewise_linear, dense above"] = {
    "piecewise_linear", outputs = 2, activation = "tanh", boundaries = {
      { -0.5, 0.1, 0.6 }, { 0, 1 }, { -0.9, 0.3, 0.4, 0.9 }, { -1, 1 }, { 0.1, 0.2 }, { -3, 3 },
    },
  },
  periodic = { "periodic", frequencies = 3 },
  ["periodic, dense above"] = {
    "periodic", frequencies = 2, deviation = 0.5, outputs = 3, activation = "tanh",
  },
  prepare = { "prepare", columns = {
    { name = "a", type = "number", shift = 0.2, factor = 1.5, fill = 0 },
    { name = "b", type = "number", shift = -0.1, factor = 2, fill = 0, clip = 0.7 },
    { name = "c", type = "number", quantiles = { -3, 3 }, fill = 0, clip = 1 },
    { name = "d", type = "number", shift = 0, factor = -1, fill = 0, clip = 3 },
    { name = "e", type = "number", shift = 0, factor = 0, fill = 0 },
    { name = "f", type = "number", shift = 0.5, factor = 1, fill = 0, indicator = true },
  } },
  gaussian_noise = { "gaussian_noise", deviation = 0.2 },
  scaling = { "scaling" },
  layer_norm = { "layer_norm" },
  prelu = { "prelu" },
  ["prelu of one slope"] = { "prelu", per_unit = false, slope = 0.1 },
  residual = {
    "residual", body = { pl.batch_norm(), pl.dense(SIZE, "tanh"), pl.dropout(0.1) },
  },
  ["residual with a projection"] = {
    "residual", body = { "dense", outputs = 3, activation = "softsign" },
    projection = true,
  },
}

local function sorted(t)
  local names = {}
  for name in pairs(t) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function copied(description)
  local copy = {}
  for key, value in pairs(description) do copy[key] = value end
  return copy
end

-- The layer between two others, as its surroundings may matter; `frozen` freezes it alone.
local function network_of(name, given)
  given = given or {}
  local layer = copied(descriptions[name])
  layer.frozen = given.frozen
  local net = pl.network({ inputs = 5, pl.dense(SIZE, "tanh"), layer, pl.dense(3) },
    { dtype = given.dtype or "float64", seed = 3 })
  for k, tensor in ipairs(net:tensors()) do -- also what begins with zeros and ones
    local M = tensor.value
    local noise = net.core.generator(100 + k):uniform(net.core.matrix(M.rows, M.cols), 0,
      0.3)
    M:assign(M + noise)
  end
  return net, net.layers[2]
end

local function samples(rows, N, seed)
  return core.generator(seed or 77):normal(core.matrix(rows, N))
end

-- Everything that training leaves behind, as a string
local function remembered(net)
  local parts = { net.generator:state(), net.dJ_dtheta:encode(net.dtype) }
  for _, tensor in ipairs(net:tensors()) do
    parts[#parts + 1] = tensor.value:encode(net.dtype)
  end
  for _, node in ipairs(net.nodes) do
    for _, quantity in ipairs { "Z", "A", "H", "Y", "mask", "factor", "Delta" } do
      local M = rawget(node.layer, quantity)
      if M then
        parts[#parts + 1] = ("%s.%s %d x %d "):format(node.path, quantity, M:shape())
          .. M:encode(net.dtype)
      end
    end
  end
  return table.concat(parts, "|")
end

local function train(net, steps)
  local optimizer = pl.adam { rate = 0.02 }
  local X, T = samples(5, 12), samples(3, 12, 78)
  for _ = 1, steps do
    local _, Delta = pl.loss.squared_error(net:forward(X), T)
    net:backward(Delta)
    optimizer:step(net:parameters())
  end
end

describe("the kinds of layers", function()
  it("are all tried here", function()
    -- of labels, which no layer gives: embedding_spec.lua; the last of a network: units_spec.lua
    local tried = { embedding = true, units = true }
    for _, description in pairs(descriptions) do tried[description[1]] = true end
    assert.same(sorted(kinds.kinds), sorted(tried))
  end)
end)

for _, name in ipairs(sorted(descriptions)) do
  describe("a layer, " .. name .. ",", function()
    it("has derivatives that agree with central differences", function()
      local net = network_of(name)
      local report = pl.gradient_check(net, samples(5, 7), samples(3, 7, 5),
        { loss = "squared_error" })
      assert.is_true(report.passed, tostring(report))
    end)

    it("has them for one sample, too", function()
      local report = pl.gradient_check(network_of(name), samples(5, 1), samples(3, 1, 5),
        { loss = "squared_error" })
      assert.is_true(report.passed, tostring(report))
    end)

    it("has them when it is frozen", function()
      local report = pl.gradient_check(network_of(name, { frozen = true }), samples(5, 7),
        samples(3, 7, 5), { loss = "squared_error" })
      assert.is_true(report.passed, tostring(report))
    end)

    it("changes neither A_below nor Delta", function()
      local _, layer = network_of(name)
      local A_below, Delta = samples(SIZE, 7), samples(layer.output.size, 7, 5)
      local A_before, Delta_before = A_below:copy(), Delta:copy()
      layer:forward(A_below)
      layer:predict(A_below)
      layer:backward(Delta, false)
      layer:backward(Delta, true)
      assert.is_true(same(A_before, A_below))
      assert.is_true(same(Delta_before, Delta))
    end)

    it("gives S_l x N forward and in prediction, and S_(l-1) x N backward", function()
      local _, layer = network_of(name)
      for _, N in ipairs { 4, 1, 9 } do
        local A = layer:forward(samples(SIZE, N))
        assert.same({ layer.output.size, N }, { A:shape() })
        local prediction = layer:predict(samples(SIZE, N + 1))
        assert.same({ layer.output.size, N + 1 }, { prediction:shape() })
        local Delta_below = layer:backward(samples(layer.output.size, N), true)
        assert.same({ SIZE, N }, { Delta_below:shape() })
      end
    end)

    it("gives Delta below only where it is wanted, and the same gradients", function()
      local net, layer = network_of(name)
      layer:forward(samples(SIZE, 7))
      local Delta = samples(layer.output.size, 7, 5)
      assert.is_nil(layer:backward(Delta, false))
      local gradients = net.dJ_dtheta:copy()
      assert.is_truthy(layer:backward(Delta, true))
      assert.is_true(same(gradients, net.dJ_dtheta))
      assert.is_nil(layer:backward(Delta))
    end)

    it("keeps A, and the Delta that it was given, to be read", function()
      local _, layer = network_of(name)
      local A = layer:forward(samples(SIZE, 7))
      local Delta = samples(layer.output.size, 7, 5)
      layer:backward(Delta, true)
      assert.is_true(rawequal(A, layer.A))
      assert.is_true(rawequal(Delta, layer.Delta))
    end)

    it("predicts without a trace in what forward and backward left", function()
      local net = network_of(name)
      train(net, 1)
      local before = remembered(net)
      for _, N in ipairs { 1, 12, 40, 1500 } do net:predict(samples(5, N, N)) end
      assert.is_true(before == remembered(net))
    end)

    it("goes backward after a prediction as it would have without", function()
      local net = network_of(name)
      local twin = net:clone()
      local X, Delta = samples(5, 12), samples(3, 12, 5)
      net:forward(X)
      net:predict(samples(5, 30, 8))
      twin:forward(X)
      local below, expected = net:backward(Delta, true), twin:backward(Delta, true)
      assert.is_true(same(expected, below))
      assert.is_true(same(twin.dJ_dtheta, net.dJ_dtheta))
    end)

    it("predicts in chunks what it predicts sample by sample", function()
      local net = network_of(name)
      train(net, 3)
      local X = samples(5, 2100)
      local A = net:predict(X)
      for _, n in ipairs { 1, 2, 1000, 1024, 1025, 2048, 2049, 2100 } do
        assert.is_true(distance(A:columns(n, n), net:predict(X:columns(n, n))) < 1e-13)
      end
    end)

    it("computes the same whatever sizes of batches came before", function()
      local net = network_of(name)
      for step, N in ipairs { 12, 5, 12, 5, 1, 20, 5, 12 } do
        local fresh = net:clone() -- has seen no batch
        local X, Delta = samples(5, N, step), samples(3, N, 50 + step)
        assert.is_true(same(fresh:forward(X), net:forward(X)))
        assert.is_true(same(fresh:backward(Delta, true), net:backward(Delta, true)))
        assert.is_true(same(fresh.dJ_dtheta, net.dJ_dtheta))
        assert.is_true(same(fresh:predict(X), net:predict(X)))
      end
    end)

    it("allocates nothing in a step, two sizes of batches in turn", function()
      for _, dtype in ipairs { "float32", "float64" } do
        local net = network_of(name, { dtype = dtype })
        local Xs, Deltas, N = {}, {}, { 64, 17, 1 }
        for k = 1, 3 do
          Xs[k], Deltas[k] = samples(5, N[k]):to(dtype), samples(3, N[k]):to(dtype)
        end
        local function steps()
          for _ = 1, 20 do
            for k = 1, 3 do
              net:forward(Xs[k])
              net:backward(Deltas[k], k == 2)
            end
          end
        end
        steps()
        assert.equal(0, memory.allocated(steps))
      end
    end)

    it("frozen, keeps every bit of its tensors and needs no gradient", function()
      local net = network_of(name, { frozen = true })
      local before = {}
      for k, tensor in ipairs(net:tensors()) do before[k] = tensor.value:copy() end
      local first = net:parameters()[1].value:copy()
      train(net, 5)
      for k, tensor in ipairs(net:tensors()) do
        if tensor.name:find "^2%." then
          assert.is_true(tensor.frozen)
          assert.is_true(same(before[k], tensor.value), tensor.name)
          assert.is_nil(rawget(tensor, "gradient"))
        end
      end
      for _, parameter in ipairs(net:parameters()) do
        assert.is_nil(parameter.name:find "^2%.")
      end
      assert.is_false(same(first, net:parameters()[1].value))
    end)

    it("is described as data from which the same layer is made", function()
      for _, option in ipairs { {}, { frozen = true }, { shared = "all" } } do
        local layer = copied(descriptions[name])
        layer.frozen, layer.shared = option.frozen, option.shared
        local net = pl.network { inputs = SIZE, layer }
        local description = net:describe().layers[1]
        local again = pl.network { inputs = SIZE, description }
        assert.same(description, again:describe().layers[1])
        assert.equal(tostring(net), tostring(again))
        if next(option) then
          assert.equal(option.frozen, description.frozen)
          assert.equal(option.shared, description.shared)
        end
      end
    end)

    it("refuses backward before any forward", function()
      local _, layer = network_of(name)
      at_caller(function() layer:backward(samples(layer.output.size, 2), true) end,
        "backward needs a forward before it")
    end)
  end)
end
