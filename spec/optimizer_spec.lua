local at_caller = require("spec.support.misuse").at_caller
local distance = require("spec.support.matrices").distance
local pl = require "perilune"
local same = require("spec.support.matrices").same

-- Two parameters of each kind of storage, and gradients that depend on the step.
local function parameters_of(core)
  local generator = core.generator(21)
  local parameters = {}
  for k, order in ipairs { "columns", "rows" } do
    parameters[k] = {
      value = generator:normal(core.matrix(3, 4, order)),
      gradient = core.matrix(3, 4, order),
    }
  end
  return parameters
end

local function run(optimizer, parameters, first, last)
  for step = first, last do
    for k, parameter in ipairs(parameters) do
      parameter.gradient:assign(parameter.value:map(function(p)
        return math.sin(p * step + k)
      end))
    end
    optimizer:step(parameters)
  end
end

-- What an update makes of p and g, as its formula says; `kept` is a table for what lasts between steps.
local rules = {
  sgd = function(o, p, g) return p - o.rate * (g + o.weight_decay * p) end,
  momentum = function(o, p, g, kept)
    g = g + o.weight_decay * p
    kept.v = o.momentum * (kept.v or 0) + g
    if o.nesterov then return p - o.rate * (g + o.momentum * kept.v) end
    return p - o.rate * kept.v
  end,
  adam = function(o, p, g, kept, step)
    kept.m = o.beta1 * (kept.m or 0) + (1 - o.beta1) * g
    kept.v = o.beta2 * (kept.v or 0) + (1 - o.beta2) * g * g
    local m = kept.m / (1 - o.beta1 ^ step)
    local v = kept.v / (1 - o.beta2 ^ step)
    return p * (1 - o.rate * o.weight_decay) - o.rate * m / (math.sqrt(v) + o.epsilon)
  end,
}

local variants = {
  { "sgd", {} },
  { "sgd", { rate = 0.3, weight_decay = 0.1 } },
  { "momentum", {} },
  { "momentum", { rate = 0.2, momentum = 0.5, weight_decay = 0.1 } },
  { "momentum", { rate = 0.2, nesterov = true, weight_decay = 0.1 } },
  { "adam", {} },
  { "adam", { rate = 0.1, beta1 = 0.8, beta2 = 0.9, epsilon = 0.01, weight_decay = 1 } },
}

local function title(kind, given)
  local words = {}
  for name, value in pairs(given) do
    words[#words + 1] = ("%s = %s"):format(name, value)
  end
  table.sort(words)
  return ("%s { %s }"):format(kind, table.concat(words, ", "))
end

for _, variant in ipairs(variants) do
  local kind, given = variant[1], variant[2]

  describe(title(kind, given), function()
    it("steps as its formula says, each parameter for itself", function()
      local core = pl.float64
      local optimizer = pl[kind](given)
      local parameters, expected = parameters_of(core), parameters_of(core)
      local kept = {}
      for step = 1, 4 do
        run(optimizer, parameters, step, step)
        for k, parameter in ipairs(expected) do
          for i = 1, 3 do
            for j = 1, 4 do
              local name = ("%d %d %d"):format(k, i, j)
              kept[name] = kept[name] or {}
              local p = parameter.value:get(i, j)
              parameter.value:set(i, j,
                rules[kind](optimizer, p, math.sin(p * step + k), kept[name], step))
            end
          end
        end
      end
      for k in ipairs(parameters) do
        assert.is_true(distance(expected[k].value, parameters[k].value) < 1e-13)
      end
    end)

    for _, name in ipairs { "float32", "float64" } do
      it("continues from its state to the same bits, " .. name, function()
        local core = pl[name]
        local straight, first_half = pl[kind](given), pl[kind](given)
        local expected, parameters = parameters_of(core), parameters_of(core)
        run(straight, expected, 1, 6)
        run(first_half, parameters, 1, 3)
        local state = first_half:state()
        -- what happens to the one it came from is nothing to the state
        run(first_half, parameters_of(core), 4, 5)
        local second_half = pl[kind](given)
        second_half:restore(state)
        run(second_half, parameters, 4, 6)
        for k in ipairs(expected) do
          assert.is_true(same(expected[k].value, parameters[k].value))
        end
        -- nor is what happens to the one that was restored
        local again = pl[kind](given)
        again:restore(state)
        assert.equal(3, again:state().steps)
      end)
    end
  end)
end

describe("an optimizer", function()
  it("has the documented defaults", function()
    assert.equal(0.01, pl.sgd().rate)
    assert.equal(0, pl.sgd().weight_decay)
    local momentum = pl.momentum()
    assert.same({ 0.01, 0.9, false, 0 },
      { momentum.rate, momentum.momentum, momentum.nesterov, momentum.weight_decay })
    local adam = pl.adam()
    assert.same({ 0.001, 0.9, 0.999, 1e-8, 0 },
      { adam.rate, adam.beta1, adam.beta2, adam.epsilon, adam.weight_decay })
  end)

  it("steps at a rate given for the step, and keeps its own", function()
    local optimizer = pl.sgd { rate = 1 }
    local p, g = pl.matrix { { 10 } }, pl.matrix { { 1 } }
    optimizer:step({ { value = p, gradient = g } }, 0.25)
    assert.equal(9.75, p:get(1, 1))
    optimizer:step({ { value = p, gradient = g } })
    assert.equal(8.75, p:get(1, 1))
  end)

  it("does not move the parameters at rate 0", function()
    for _, kind in ipairs { "sgd", "momentum", "adam" } do
      local parameters = parameters_of(pl.float32)
      run(pl[kind] { rate = 0, weight_decay = 0.5 }, parameters, 1, 2)
      for k, before in ipairs(parameters_of(pl.float32)) do
        assert.is_true(same(before.value, parameters[k].value))
      end
    end
  end)

  it("reads the gradients and does not write them", function()
    local parameters = parameters_of(pl.float32)
    parameters[1].gradient:fill(0.5)
    for _, kind in ipairs { "sgd", "momentum", "adam" } do
      pl[kind]({ weight_decay = 0.1 }):step(parameters)
      assert.equal(6, parameters[1].gradient:sum())
    end
  end)

  it("makes weights decay towards 0 without a gradient", function()
    for _, kind in ipairs { "sgd", "momentum", "adam" } do
      local p = pl.float64.matrix { { 1, -1 } }
      local parameters = { { value = p, gradient = pl.float64.matrix(1, 2) } }
      local optimizer = pl[kind] { rate = 0.1, weight_decay = 0.5 }
      optimizer:step(parameters)
      assert.near(0.95, p:get(1, 1), 1e-12)
      assert.near(-0.95, p:get(1, 2), 1e-12)
    end
  end)

  it("gives the same for a network's parameters one by one and as one vector", function()
    for _, kind in ipairs { "sgd", "momentum", "adam" } do
      local function trained(list)
        local network = pl.network({ inputs = 3, pl.dense(4, "tanh"), pl.dense(2) })
        local optimizer = pl[kind] { rate = 0.1, weight_decay = 0.1 }
        local X = pl.generator(4):normal(pl.matrix(3, 6))
        for _ = 1, 5 do
          local _, Delta = pl.loss.squared_error(network:forward(X), pl.matrix(2, 6))
          network:backward(Delta)
          optimizer:step(network[list](network))
        end
        return network.theta
      end
      assert.is_true(same(trained "parameters", trained "flat_parameters"))
    end
  end)

  it("is printed with its name and rate", function()
    assert.equal("sgd, rate 0.5", tostring(pl.sgd { rate = 0.5 }))
    assert.equal("momentum, rate 0.01", tostring(pl.momentum()))
    assert.equal("adam, rate 0.001", tostring(pl.adam()))
  end)

  it("does not change the table of options it was given", function()
    local given = { rate = 0.5 }
    pl.adam(given):step(parameters_of(pl.float32))
    assert.same({ rate = 0.5 }, given)
  end)

  it("has a state of plain data and matrices", function()
    local optimizer = pl.adam()
    assert.same({ steps = 0, matrices = {} }, optimizer:state())
    optimizer:step(parameters_of(pl.float32))
    local state = optimizer:state()
    assert.equal(1, state.steps)
    assert.equal(2, #state.matrices)
    assert.same({ 3, 4 }, { state.matrices[2].m:shape() })
    assert.same({ 3, 4 }, { state.matrices[2].v:shape() })
  end)

  it("refuses an unknown option", function()
    at_caller(function() local _ = pl.sgd { learning_rate = 1 } end,
      "unknown option 'learning_rate' (known: rate, weight_decay)")
    at_caller(function() local _ = pl.momentum { beta = 1 } end, "unknown option 'beta'")
    at_caller(function() local _ = pl.adam { eps = 1 } end, "unknown option 'eps'")
    at_caller(function() local _ = pl.adam(0.1) end,
      "a table of options expected, got number")
  end)

  it("refuses an option out of its range", function()
    at_caller(function() local _ = pl.sgd { rate = -1 } end,
      "sgd: a finite number >= 0 expected as rate, got -1")
    at_caller(function() local _ = pl.sgd { rate = 0 / 0 } end, "expected as rate, got")
    at_caller(function() local _ = pl.sgd { rate = 1 / 0 } end,
      "expected as rate, got inf")
    at_caller(function() local _ = pl.sgd { rate = "fast" } end,
      "expected as rate, got fast")
    at_caller(function() local _ = pl.sgd { weight_decay = -1 } end,
      "expected as weight_decay, got -1")
    at_caller(function() local _ = pl.momentum { momentum = 1 } end,
      "momentum: a number in [0, 1) expected as momentum, got 1")
    at_caller(function() local _ = pl.adam { beta1 = 1 } end, "expected as beta1, got 1")
    at_caller(function() local _ = pl.adam { beta2 = -0.1 } end,
      "expected as beta2, got -0.1")
    at_caller(function() local _ = pl.adam { epsilon = 0 } end,
      "expected as epsilon, got 0")
  end)

  it("refuses a state of another kind of optimizer, and keeps its own", function()
    local sgd, adam = pl.sgd(), pl.adam()
    local parameters = parameters_of(pl.float32)
    sgd:step(parameters)
    adam:step(parameters)
    at_caller(function() adam:restore(sgd:state()) end,
      "optimiser state without 'm' of parameter 1")
    assert.equal(2, #adam:state().matrices)
  end)

  it("refuses to restore what is no state", function()
    at_caller(function() pl.adam():restore(nil) end, "state")
    at_caller(function() pl.adam():restore {} end, "state")
  end)
end)
