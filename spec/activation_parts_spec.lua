-- Activations as parts: described by name and options, or a user's own. What they compute is the
-- core's, and tested in activation_spec.lua.

local at_caller = require("spec.support.misuse").at_caller
local naive = require "spec.support.naive"
local pl = require "perilune"
local reference = require "spec.support.reference"

local family = require "perilune.activation"

local function sigmoid(Z)
  local core = pl[Z.dtype]
  return core.activations.sigmoid.forward(core.matrix(Z.rows, Z.cols), Z)
end

-- z sigmoid(z)
local function new_swish(name)
  return {
    name = name,
    forward = function(A, Z) return A:assign(sigmoid(Z):hadamard(Z)) end,
    backward = function(H, Delta, Z)
      local S = sigmoid(Z)
      return H:assign(Delta:hadamard(S + Z:hadamard(S):hadamard(1 - S)))
    end,
  }
end

local function dense(activation)
  return { inputs = 3, { "dense", outputs = 2, activation = activation } }
end

describe("activations as PyTorch computes them", function()
  local core = pl.float64
  for case, expected in pairs(reference.load "activations") do
    it(case, function()
      local sigma = pl.activation(reference.description(case))
      local Z, Delta = core.matrix(expected.Z), core.matrix(expected.Delta)
      local A, H = core.matrix(Z.rows, Z.cols), core.matrix(Z.rows, Z.cols)
      naive.near(sigma.forward(A, Z), expected.A, 1e-14)
      naive.near(sigma.backward(H, Delta, Z, A), expected.H, 1e-14)
    end)
  end
end)

describe("an activation", function()
  for _, name in ipairs(naive.activations) do
    it(name .. " is known by its name, in both types", function()
      local sigma = pl.activation[name]
      assert.equal(name, sigma.name)
      assert.equal(name, pl.activation(name).name)
      assert.equal(name, pl.activation({ name }).name)
      for _, dtype in ipairs(naive.types) do
        local core = pl[dtype]
        local Z, Delta = naive.random(core, 1, 3, 4), naive.random(core, 2, 3, 4)
        local tolerance = naive.tolerance[dtype]
        local A = sigma.forward(core.matrix(3, 4), Z)
        naive.near(A, naive.activate(name, Z:totable()), tolerance)
        local H = sigma.backward(core.matrix(3, 4), Delta, Z, A)
        naive.near(H, naive.backward(name, Delta:totable(), Z:totable()), tolerance)
      end
    end)
  end

  it("is the same one each time it is read by its name", function()
    assert.equal(pl.activation.relu, pl.activation.relu)
    assert.equal(pl.activation.relu, pl.activation(pl.activation.relu))
  end)

  it("is among all of them by pairs", function()
    local names = {}
    for name, sigma in pairs(pl.activation) do
      names[name] = sigma.name
    end
    for name in pairs(pl.float32.activations) do assert.equal(name, names[name]) end
  end)

  it("has a description from which an equal one is made", function()
    for name, sigma in pairs(pl.float32.activations) do
      local description = { name }
      for option, default in pairs(sigma.options) do
        description[option] = type(default) == "number" and default / 2 or "tanh"
      end
      local made = pl.activation(description)
      assert.same(next(sigma.options) and description or name, family:describe(made))
      local again = pl.activation(family:describe(made))
      local Z = naive.random(pl.float64, 1, 3, 4)
      naive.near(again.forward(pl.float64.matrix(3, 4), Z),
        made.forward(pl.float64.matrix(3, 4), Z):totable(), 0)
    end
  end)

  it("names the known ones where the name is unknown", function()
    at_caller(function() local _ = pl.activation "rely" end,
      "unknown activation 'rely' (known: ")
    at_caller(function() local _ = pl.activation.rely end,
      "unknown activation 'rely' (known: ")
    at_caller(function() local _ = pl.activation { "rely", slope = 1 } end,
      "identity, ")
    at_caller(function() pl.network(dense(pl.network { inputs = 2, pl.dense(2) })) end,
      "with the functions forward(A, Z) and backward(H, Delta, Z, A) expected, got a table")
    at_caller(function() pl.network(dense "rely") end,
      "layer 1: dense: activation: unknown activation 'rely' (known: ")
  end)

  it("refuses unknown options and what is no activation", function()
    at_caller(function() local _ = pl.activation { "tanh", slope = 1 } end,
      "unknown option 'slope' of tanh (known: none)")
    at_caller(function() local _ = pl.activation { "tanh", 2 } end,
      "unknown option '2' of tanh")
    for _, wrong in ipairs { 5, true, {}, { 5 }, { forward = print },
      { forward = print, backward = 1 }, print } do
      at_caller(function() local _ = pl.activation(wrong) end,
        "activation: a name, { name, option = value } or a table with the functions "
        .. "forward(A, Z) and backward(H, Delta, Z, A) expected, got ")
      at_caller(function() pl.network(dense(wrong)) end, "layer 1: dense: activation: ")
    end
    at_caller(function() local _ = pl.activation(nil) end, "expected, got nil")
  end)

  it("refuses values of options that the core does not take, in its words", function()
    at_caller(function() local _ = pl.activation { "elu", alpha = -1 } end,
      "elu: alpha: number from 0.0 to ")
    at_caller(function() local _ = pl.activation { "gelu", approximate = "erf" } end,
      "gelu: approximate: none or tanh expected, got erf")
    at_caller(function() local _ = pl.activation { "hard_tanh", lower = 1 } end,
      "hard_tanh: upper: number above lower (1.0) expected, got 1.0")
  end)

  it("states the range of what it gives, which its options may change", function()
    assert.same({ 0, 1 }, pl.activation.sigmoid.range)
    assert.same({ -0.5, 2 }, pl.activation({ "hard_tanh", lower = -0.5, upper = 2 }).range)
    assert.same({ -0.25, math.huge }, pl.activation({ "elu", alpha = 0.25 }).range)
    assert.same({ 0, math.huge }, pl.activation({ "leaky_relu", slope = 0 }).range)
    assert.is_nil(pl.activation.leaky_relu.range)
    assert.is_nil(pl.activation.identity.range)
    local Z = pl.float64.generator(1):normal(pl.float64.matrix(50, 400), 0, 3)
    for name, sigma in pairs(pl.activation) do
      local A = sigma.forward(pl.float64.matrix(50, 400), Z)
      local range = sigma.range or { -math.huge, math.huge }
      local reach = name:find "elu" and 0.01 or 0.2 -- gelu and others turn near their least
      assert.is_true(range[1] <= A:min() and A:max() <= range[2], name)
      if range[1] > -math.huge then assert.is_true(A:min() < range[1] + reach, name) end
      if range[2] < math.huge then assert.is_true(A:max() > range[2] - reach, name) end
    end
  end)

  it("says whether it works element by element", function()
    for name, sigma in pairs(pl.activation) do
      assert.equal(naive.elementwise[name] ~= nil, sigma.is_elementwise)
    end
  end)

  it("asks for matrices by the letters of the paper, of one shape", function()
    at_caller(function() pl.activation.tanh.forward(nil, pl.matrix(1, 1)) end,
      "tanh: A: a matrix expected, got nil")
    at_caller(function() pl.activation.tanh.backward(5) end,
      "tanh: H: a matrix expected, got 5")
    local A, Z = pl.matrix(2, 2), pl.matrix(2, 3)
    at_caller(function() pl.activation.tanh.forward(A, Z) end, "tanh: ")
    at_caller(function() pl.activation.tanh.backward(A, A, Z, A) end, "tanh: Z: ")
    at_caller(function() pl.activation.tanh.forward(A) end, "tanh: Z: ")
  end)
end)

describe("an activation of one's own", function()
  it("is taken as it is, with a name or without", function()
    for _, swish in ipairs { new_swish "swish", new_swish() } do
      assert.equal(swish, pl.activation(swish))
      assert.equal(swish.name, family:describe(swish))
      local net = pl.network(dense(swish), { dtype = "float64" })
      local X = naive.random(pl.float64, 3, 3, 4)
      local layer = net.layers[1]
      local A = net:forward(X)
      local Z = naive.affine(layer.W:totable(), X:totable(), layer.b:totable())
      local expected = naive.zip(function(z) return z / (1 + math.exp(-z)) end, Z)
      naive.near(A, expected, 1e-12)
    end
  end)

  it("has its gradients checked like any other", function()
    local net = pl.network({ inputs = 3, pl.dense(4, new_swish "swish"), pl.dense(2) },
      { dtype = "float64" })
    local X, T = naive.random(pl.float64, 3, 3, 4), naive.random(pl.float64, 4, 2, 4)
    local function J()
      local value = pl.loss.squared_error(net:forward(X), T, false)
      return value
    end
    local _, Delta = pl.loss.squared_error(net:forward(X), T)
    net:backward(Delta)
    for _, parameter in ipairs(net:parameters()) do
      local gradient = parameter.gradient:copy()
      naive.near(gradient, naive.differences(J, parameter.value),
        naive.resolution.float64)
    end
  end)

  it("may be given by name in the options of a network", function()
    local own = { activations = { swish = new_swish(), hush = new_swish "hush" } }
    for name in pairs(own.activations) do
      local net = pl.network(dense(name), own)
      assert.equal(name, net:describe().layers[1].activation)
      assert.matches(name, tostring(net), 1, true)
    end
    assert.is_nil(own.activations.swish.name) -- what is the user's stays as it was
  end)

  it("may state its range, which is a pair of numbers", function()
    local bounded = new_swish()
    bounded.range = { -0.3, math.huge }
    local net = pl.network(dense "swish", { activations = { swish = bounded } })
    local data = pl.dataset { X = naive.random(pl.float32, 3, 3, 4), T = { { 1, 1, 1, 1 },
      { -1, 1, 1, 1 } } }
    at_caller(function() pl.fit(net, data, { loss = "squared_error" }) end,
      "targets reach from -1 to 1, but the last layer's swish only gives -0.3 and above")
    for _, range in ipairs { 5, {}, { 1 }, { 1, 0 }, { "a", 2 } } do
      bounded.range = range
      at_caller(function() local _ = pl.activation(bounded) end,
        "activation: range: { least, most } expected, got ")
    end
  end)

  it("must not take the name of one that is built in", function()
    at_caller(function() local _ = pl.activation(new_swish "relu") end,
      "the activation 'relu' is built in: give your own another name")
    at_caller(function() pl.network(dense(new_swish "relu")) end,
      "the activation 'relu' is built in")
    local own = { activations = { relu = new_swish() } }
    at_caller(function() pl.network(dense "tanh", own) end,
      "the activation 'relu' is built in")
    at_caller(function() pl.load("nowhere", own) end, "the activation 'relu' is built in")
  end)

  it("must have a string as its name, and that by which it is given", function()
    at_caller(function() local _ = pl.activation(new_swish(5)) end,
      "activation of one's own: a name as a string expected, got 5")
    at_caller(function()
      pl.network(dense "swish", { activations = { swish = new_swish "hush" } })
    end, "the activation given as 'swish' has the name 'hush'")
    local unnamed = { activations = { new_swish() } }
    at_caller(function() pl.network(dense "tanh", unnamed) end,
      "activation of one's own: a name as a string expected, got 1")
  end)

  it("takes no options", function()
    at_caller(function()
      pl.network(dense { "swish", slope = 2 }, { activations = { swish = new_swish() } })
    end, "the activation 'swish' is one of your own, which take no options")
  end)

  it("is among the known names where it is given", function()
    at_caller(function()
      pl.network(dense "hush", { activations = { swish = new_swish() } })
    end, "swish, tanh)")
  end)
end)
