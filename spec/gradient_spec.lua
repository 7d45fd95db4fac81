-- What acts between gradient and update, on parameters of a network and on a list of one's own.

local at_caller = require("spec.support.misuse").at_caller
local family = require "perilune.gradient"
local naive = require "spec.support.naive"
local pl = require "perilune"
local reference = require "spec.support.reference"

local core = pl.float64

-- Two parameters with known gradients; a bias does not decay.
local function new_list(given)
  local list = {}
  for k, name in ipairs { "W", "b" } do
    local value = naive.random(core, k, 4, k == 1 and 5 or 1)
    list[k] = {
      name = name, value = value, decays = name == "W",
      gradient = given and core.matrix(given[name]) or naive.random(core, 10 + k, value:shape()),
    }
  end
  return list
end

local function new_network()
  local net = pl.network({ inputs = 5, pl.dense(4, "tanh"), pl.dense(3) },
    { dtype = "float64", seed = 3 })
  for k, parameter in ipairs(net:parameters()) do
    core.generator(k):normal(parameter.gradient)
    core.generator(10 + k):normal(parameter.value)
  end
  return net
end

describe("clipping as PyTorch does it", function()
  for case, expected in pairs(reference.load "gradients") do
    it(case, function()
      local list = new_list(expected.given)
      pl.gradient(reference.description(case))(list)
      for _, parameter in ipairs(list) do
        naive.near(parameter.gradient, expected[parameter.name], 1e-14)
      end
    end)
  end

  it("is the same on the flat vector of a network", function()
    for _, description in ipairs {
      { "clip_norm", most = 0.5 }, { "clip_value", most = 0.5 },
      { "clip_norm", most = 0.5, of = "each" },
    } do
      local net = new_network()
      local list = {}
      for k, parameter in ipairs(net:parameters()) do
        list[k] = { name = parameter.name, value = parameter.value:copy(parameter.value.order),
          gradient = parameter.gradient:copy(parameter.gradient.order) }
      end
      pl.gradient(description)(list)
      pl.gradient(description)(net:parameters())
      for k, parameter in ipairs(net:parameters()) do
        naive.near(parameter.gradient, list[k].gradient:totable(), 1e-15)
      end
    end
  end)

  it("leaves gradients within the bound as they are", function()
    for _, name in ipairs { "clip_norm", "clip_value" } do
      local list = new_list()
      local before = list[1].gradient:totable()
      pl.gradient { name, most = 1e6 }(list)
      naive.near(list[1].gradient, before, 0)
    end
  end)
end)

describe("a penalty", function()
  for _, name in ipairs { "l1", "l2" } do
    it(name .. " adds the gradient of what it adds to J, to all but biases", function()
      local part, list = pl.gradient { name, factor = 0.3 }, new_list()
      local before = { list[1].gradient:copy(), list[2].gradient:copy() }
      part(list)
      naive.near(list[2].gradient, before[2]:totable(), 0)
      local W, h = list[1].value, 1e-6
      for i = 1, W.rows do
        for j = 1, W.cols do
          local w = W:get(i, j)
          local above = part:penalty(W:set(i, j, w + h) and list)
          local below = part:penalty(W:set(i, j, w - h) and list)
          W:set(i, j, w)
          local added = list[1].gradient:get(i, j) - before[1]:get(i, j)
          assert.near((above - below) / (2 * h), added, 1e-9)
        end
      end
    end)
  end
end)

describe("max_norm", function()
  it("brings rows that are too long back to the surface, after the update", function()
    local net = new_network()
    local part = pl.gradient { "max_norm", most = 1.5 }
    local list, before, gradients = net:parameters(), {}, net.dJ_dtheta:totable()
    for k, parameter in ipairs(list) do before[k] = parameter.value:totable() end
    part(list)
    naive.near(net.dJ_dtheta, gradients, 0)
    part:after(list)
    local shortened = 0
    for k, parameter in ipairs(list) do
      for i, row in ipairs(parameter.value:totable()) do
        local sum = 0
        for _, w in ipairs(before[k][i]) do sum = sum + w * w end
        local is_long = parameter.value.cols > 1 and sum > 1.5 ^ 2
        local factor = is_long and 1.5 / math.sqrt(sum) or 1
        shortened = shortened + (is_long and 1 or 0)
        for j, w in ipairs(row) do assert.near(factor * before[k][i][j], w, 1e-14) end
      end
    end
    assert.is_true(shortened > 2 and shortened < 7)
  end)

  it("leaves rows of zeros as they are", function()
    local list = { { name = "W", value = core.matrix(2, 3), gradient = core.matrix(2, 3) } }
    pl.gradient.max_norm:after(list)
    naive.near(list[1].value, { { 0, 0, 0 }, { 0, 0, 0 } }, 0)
  end)
end)

describe("noise", function()
  local function noise_of(part)
    local list = { { name = "W", value = core.matrix(100, 100), gradient = core.matrix(100, 100) } }
    part(list)
    return list[1].gradient
  end

  it("has the variance that falls with the steps", function()
    local part = pl.gradient { "noise", variance = 4, decay = 0.5 }
    for step = 0, 3 do
      local G = noise_of(part)
      local expected = math.sqrt(4 / (1 + step) ^ 0.5)
      assert.near(expected, G:norm() / 100, 0.03 * expected) -- 4 standard deviations
      assert.near(0, G:sum() / 1e4, 0.04 * expected)
    end
  end)

  it("goes on from a state to the same bits", function()
    local part = pl.gradient { "noise", seed = 5 }
    noise_of(part)
    local state = part:state()
    local expected = noise_of(part):encode "float64"
    local other = pl.gradient { "noise", seed = 7 }
    assert.equal(expected, noise_of(other:restore(state)):encode "float64")
    at_caller(function() other:restore { steps = 1 } end, "state of noise: option 'float32' is")
    at_caller(function()
      other:restore { steps = -1, float32 = state.float32, float64 = state.float64 }
    end, "state of noise: steps: a whole number of 0 or more expected, got -1")
  end)
end)

describe("what acts on gradients", function()
  it("is described, each use with a memory of its own", function()
    for _, description in ipairs {
      { "clip_norm", most = 2, of = "each" }, { "clip_value", most = 3 },
      { "l1", factor = 0.5 }, { "l2", factor = 0.25 }, { "max_norm", most = 2 },
      { "noise", variance = 1, decay = 0.5, seed = 3 },
    } do
      assert.same(description, family:describe(pl.gradient(description)))
    end
    assert.are_not.equal(pl.gradient.noise, pl.gradient.noise)
  end)

  it("may be a function of one's own", function()
    local function half(parameters)
      for _, parameter in ipairs(parameters) do
        core.hadamard(parameter.gradient, parameter.gradient, 0.5)
      end
    end
    assert.equal(half, pl.gradient(half))
  end)

  it("refuses what are no parameters, and unknown names and options", function()
    at_caller(function() pl.gradient.clip_norm(3) end, "a list of parameters expected")
    at_caller(function() pl.gradient.clip_norm() end, "a list of parameters expected")
    at_caller(function() pl.gradient.l1:penalty { 3 } end, "parameter 1: { name =, value =,")
    at_caller(function() pl.gradient.clip_norm(new_network()) end,
      "a list of parameters expected, as net:parameters() gives it, got a network")
    at_caller(function() local _ = pl.gradient "clip" end, "unknown gradient 'clip' (known: "
      .. "clip_norm, clip_value, l1, l2, max_norm, noise)")
    at_caller(function() local _ = pl.gradient { "clip_norm", most = 0 } end,
      "clip_norm: most: a number of at most 1e+38 and above 0 expected, got 0")
  end)
end)
