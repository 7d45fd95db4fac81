-- The range test of the learning rate: what it finds serves, and nothing else is touched.

local at_caller = require("spec.support.misuse").at_caller
local clouds = require "spec.support.clouds"
local pl = require "perilune"

local train = clouds.new(300, 1)

local function new_network()
  local layers = { inputs = 2, pl.dense(16, "tanh"), pl.dropout(0.1), pl.dense(3) }
  return pl.network(layers, { seed = 4 })
end

local function options(given)
  local chosen = { loss = "softmax_cross_entropy", batch = 32 }
  for name, value in pairs(given or {}) do chosen[name] = value end
  return chosen
end

-- The loss after a few epochs at a rate
local function loss_at(optimizer, rate)
  local history = pl.fit(new_network(), train, {
    loss = "softmax_cross_entropy", batch = 32, epochs = 4, optimizer = { optimizer, rate = rate },
  })
  return history[#history].loss
end

describe("find_rate", function()
  it("names a rate that trains, better than far smaller ones", function()
    for _, optimizer in ipairs { "adam", "sgd", "momentum" } do
      local test = pl.find_rate(new_network(), train, options { optimizer = optimizer })
      assert.is_true(loss_at(optimizer, test.rate) < 0.7 * loss_at(optimizer, test.rate / 100))
      assert.is_true(test.rate > 1e-3 and test.rate < 2)
    end
  end)

  it("tries rates evenly on a logarithmic scale", function()
    local test = pl.find_rate(new_network(), train, options { least = 1e-4, most = 1, steps = 5 })
    for k, rate in ipairs { 1e-4, 1e-3, 1e-2, 1e-1, 1 } do
      assert.near(rate, test.rates[k], 1e-12 * rate)
    end
    assert.equal(5, #test.losses)
  end)

  it("ends where the loss leaps", function()
    local data = pl.dataset { X = { { 1, 2, 3, 4 } }, T = { { 2, 4, 6, 8 } } }
    local net = pl.network({ inputs = 1, pl.dense(1) }, { seed = 1 })
    local test = pl.find_rate(net, data, {
      loss = "squared_error", optimizer = "sgd", most = 1e6, steps = 200,
    })
    -- J = 7.5 / 2 (w - 2)^2 + ...: steps of more than 2 / 8.6 throw w away from its optimum
    assert.is_true(#test.rates < 200 and test.rates[#test.rates] < 50)
    assert.is_true(test.rate < 2 / 7.5)
  end)

  it("touches neither the network nor the optimiser", function()
    local net, optimizer = new_network(), pl.sgd { rate = 0.25 }
    local theta, generator = net.theta:encode "float32", net.generator:state()
    pl.find_rate(net, train, options { optimizer = optimizer })
    assert.equal(theta, net.theta:encode "float32")
    assert.equal(generator, net.generator:state())
    assert.equal(0, optimizer.steps)
    assert.equal(0.25, optimizer.rate)
  end)

  it("is the same each time", function()
    local one = pl.find_rate(new_network(), train, options())
    local other = pl.find_rate(new_network(), train, options())
    assert.same(one.losses, other.losses)
    assert.not_same(one.losses, pl.find_rate(new_network(), train, options { seed = 2 }).losses)
  end)

  it("prints a chart and the rate", function()
    local test = pl.find_rate(new_network(), train, options())
    local text, lines = tostring(test), 0
    for line in text:gmatch "[^\n]+" do
      lines = lines + 1
      assert.matches(line:match "^rate" and "^rate %S+: there the loss fell most steeply$"
        or "^ *%d%.%d%de[-+]%d%d +%S+  #*$", line)
    end
    assert.is_true(lines >= 15 and lines <= 30)
  end)

  it("names no rate where the loss never falls", function()
    local function flat(A)
      return 1, pl.float32.matrix(A.rows, A.cols)
    end
    local test = pl.find_rate(new_network(), train, options { loss = flat })
    assert.is_nil(test.rate)
    assert.matches("the loss never fell", tostring(test), 1, true)
  end)

  it("refuses what cannot be tried", function()
    at_caller(function() pl.find_rate(3, train, options()) end, "a network expected, got 3")
    at_caller(function() pl.find_rate(new_network(), 3, options()) end, "a dataset expected")
    at_caller(function() pl.find_rate(new_network(), train) end, "option 'loss' is required")
    at_caller(function() pl.find_rate(new_network(), train, options { least = 1, most = 0.1 }) end,
      "find_rate: most: a number above least, 1, expected, got 0.1")
    at_caller(function() pl.find_rate(new_network(), train, options { rate = 1 }) end,
      "unknown option 'rate' of find_rate")
  end)
end)
