-- Optimisers: their steps against loops over single numbers, groups, weight decay, descriptions and
-- options.

local at_caller = require("spec.support.misuse").at_caller
local family = require "perilune.optimizer"
local matrices = require "spec.support.matrices"
local memory = require "spec.support.memory"
local pl = require "perilune"
local rules = require "spec.support.rules"
local support = require "spec.support.parameters"

local distance, same = matrices.distance, matrices.same
local new_list, new_network = support.list, support.network
local assert_same, assert_same_state = support.assert_same, support.assert_same_state
local run, values = support.run, support.values

-- Each with its documented defaults, PyTorch's where it has it; muon has a spec of its own
local defaults = {
  adadelta = { rate = 1, rho = 0.9, epsilon = 1e-6, weight_decay = 0 },
  adagrad = { rate = 0.01, rate_decay = 0, initial_accumulator = 0, epsilon = 1e-10,
    weight_decay = 0 },
  adam = { rate = 0.001, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, amsgrad = false,
    weight_decay = 0 },
  adamax = { rate = 0.002, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0 },
  adamw = { rate = 0.001, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, amsgrad = false,
    weight_decay = 0.01 },
  amsgrad = { rate = 0.001, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0 },
  irprop_minus = { rate = 0.0125, seed = 1, eta_minus = 0.5, eta_plus = 1.2, step_min = 0,
    step_max = 50 },
  lion = { rate = 1e-4, beta1 = 0.9, beta2 = 0.99, weight_decay = 0 },
  momentum = { rate = 0.01, momentum = 0.9, nesterov = false, weight_decay = 0 },
  nadam = { rate = 0.002, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, momentum_decay = 0.004,
    weight_decay = 0 },
  nesterov = { rate = 0.01, momentum = 0.9, weight_decay = 0 },
  rmsprop = { rate = 0.01, alpha = 0.99, epsilon = 1e-8, momentum = 0, centered = false,
    weight_decay = 0 },
  rprop = { rate = 0.01, seed = 1, eta_minus = 0.5, eta_plus = 1.2, step_min = 1e-6,
    step_max = 50 },
  rprop_minus = { rate = 0.0125, seed = 1, eta_minus = 0.5, eta_plus = 1.2, step_min = 0,
    step_max = 50 },
  rprop_plus = { rate = 0.0125, seed = 1, eta_minus = 0.5, eta_plus = 1.2, step_min = 0,
    step_max = 50 },
  sgd = { rate = 0.01, weight_decay = 0 },
}

local kinds = {}
for kind in pairs(defaults) do kinds[#kinds + 1] = kind end
table.sort(kinds)

-- The settings that hold for a parameter, worked out apart from the library
local function settings_for(kind, given, parameter, factor)
  local settings, group = {}, nil
  for _, candidate in ipairs(given.groups or {}) do
    if parameter.name:find(candidate.match) then
      group = candidate
      break
    end
  end
  for name, default in pairs(defaults[kind]) do
    settings[name] = default
    if given[name] ~= nil then settings[name] = given[name] end
  end
  if settings.weight_decay and parameter.decays == false then settings.weight_decay = 0 end
  for name in pairs(settings) do
    if group and group[name] ~= nil then settings[name] = group[name] end
  end
  settings.rate = settings.rate * (factor or 1)
  return settings
end

-- The same steps number by number
local function expected_values(kind, given, parameters, steps, factor)
  local results = {}
  for k, parameter in ipairs(parameters) do
    local settings = settings_for(kind, given, parameter, factor)
    results[k] = parameter.value:map(function(p)
      local kept = {}
      for step = 1, steps do
        p = rules[kind](settings, p, support.gradient(p, step, k), kept, step)
      end
      return p
    end)
  end
  return results
end

local groups = {
  { match = "^1%.", rate = 0.05, weight_decay = 0 },
  { match = "b$", weight_decay = 0.25 },
  { match = "", rate = 0.2 },
}

local variants = {
  { "sgd", {} },
  { "sgd", { rate = 0.3, weight_decay = 0.1 } },
  { "sgd", { rate = 0.3, weight_decay = 0.1, groups = groups } },
  { "momentum", {} },
  { "momentum", { rate = 0.2, momentum = 0.5, weight_decay = 0.1 } },
  { "momentum", { rate = 0.2, nesterov = true, weight_decay = 0.1 } },
  { "momentum", { rate = 0.2, weight_decay = 0.1, groups = {
    { match = "2", momentum = 0.3, nesterov = true }, groups[1] } } },
  { "adam", {} },
  { "adam", { rate = 0.1, beta1 = 0.8, beta2 = 0.9, epsilon = 0.01, weight_decay = 1 } },
  { "adam", { rate = 0.1, weight_decay = 0.5, groups = groups } },
  { "adam", { rate = 0.1, groups = { { match = "W$", beta1 = 0.5, beta2 = 0.5 } } } },
  { "adam", { rate = 0.1, beta2 = 0.5, groups = { { match = "2", amsgrad = true } } } },
}

-- Those of the others, over a list alone: how parameters are cut into runs does not depend on the
-- kind.
local others = {
  { "adadelta", {} },
  { "adadelta", { rate = 0.5, rho = 0.5, epsilon = 1e-3, weight_decay = 0.1, groups = groups } },
  { "adagrad", {} },
  { "adagrad", { rate = 0.1, rate_decay = 0.5, initial_accumulator = 0.25, weight_decay = 0.5,
    groups = { { match = "W", initial_accumulator = 1 } } } },
  { "adamax", {} },
  { "adamax", { rate = 0.1, beta2 = 0.5, weight_decay = 0.5, groups = groups } },
  { "adamw", {} },
  { "adamw", { rate = 0.1, amsgrad = true, beta2 = 0.5, groups = groups } },
  { "amsgrad", { beta2 = 0.5 } },
  { "amsgrad", { rate = 0.1, beta2 = 0.3, weight_decay = 0.5, groups = groups } },
  { "irprop_minus", {} },
  { "irprop_minus", { rate = 0.5, eta_minus = 0.25, eta_plus = 2, step_min = 0.1, step_max = 1,
    groups = { { match = "2", rate = 0.1, step_max = 0.2 } } } },
  { "lion", {} },
  { "lion", { rate = 0.1, beta1 = 0.5, beta2 = 0.8, weight_decay = 0.5, groups = groups } },
  { "nadam", {} },
  { "nadam", { rate = 0.1, momentum_decay = 0.5, weight_decay = 0.5, groups = {
    { match = "2", beta1 = 0.5, momentum_decay = 0 }, groups[1] } } },
  { "nesterov", {} },
  { "nesterov", { rate = 0.1, momentum = 0.5, weight_decay = 0.5, groups = groups } },
  { "rmsprop", {} },
  { "rmsprop", { centered = true, epsilon = 1e-3, weight_decay = 0.5, groups = groups } },
  { "rmsprop", { rate = 0.1, momentum = 0.5, groups = { { match = "2", centered = true,
    epsilon = 0.1 }, { match = "1", momentum = 0 } } } },
  { "rprop", {} },
  { "rprop", { rate = 0.5, groups = { { match = "2", rate = 0.1, eta_plus = 2 } } } },
  { "rprop_minus", { rate = 0.3 } },
  { "rprop_plus", { rate = 0.3, groups = { { match = "2", step_max = 0.4 } } } },
}
local is_other = {}
for _, variant in ipairs(others) do
  variants[#variants + 1] = variant
  is_other[variant] = true
end

local function title(kind, given)
  local words = {}
  for name, value in pairs(given) do
    if type(value) == "table" then value = ("%d groups"):format(#value) end
    words[#words + 1] = ("%s = %s"):format(name, value)
  end
  table.sort(words)
  return ("%s { %s }"):format(kind, table.concat(words, ", "))
end

local lists = {
  { "a list of one's own", new_list },
  { "a network", function(core) return new_network(core):parameters() end },
}

for _, variant in ipairs(variants) do
  local kind, given = variant[1], variant[2]

  describe(title(kind, given), function()
    for _, list in ipairs(lists) do
      if not is_other[variant] or list[2] == new_list then
        it("steps as its formula says over " .. list[1], function()
          local parameters = list[2](pl.float64)
          local expected = expected_values(kind, given, parameters, 4)
          run(pl[kind](given), parameters, 1, 4)
          for k, parameter in ipairs(parameters) do
            assert.is_true(distance(expected[k], parameter.value) < 1e-12)
          end
        end)
      end

      for _, dtype in ipairs { "float32", "float64" } do
        local what = ("%s, %s"):format(list[1], dtype)
        it("continues from its state to the same bits over " .. what, function()
          local core = pl[dtype]
          local straight, first_half = pl[kind](given), pl[kind](given)
          local expected, parameters = list[2](core), list[2](core)
          run(straight, expected, 1, 5)
          run(first_half, parameters, 1, 3)
          local state = first_half:state()
          -- what happens to the one that it came from is nothing to the state
          run(first_half, list[2](core), 4, 5)
          local second_half = pl[kind](given)
          second_half:restore(state)
          run(second_half, parameters, 4, 5)
          assert_same(values(expected), parameters)
          -- nor is what happens to the one that was restored
          local again = pl[kind](given):restore(state)
          assert.equal(3, again.steps)
          assert_same_state(state, again:state())
        end)
      end
    end

    it("takes the rate of a step, and multiplies those of groups likewise", function()
      local parameters = new_list(pl.float64)
      local expected = expected_values(kind, given, parameters, 3, 0.5)
      local optimizer = pl[kind](given)
      run(optimizer, parameters, 1, 3, optimizer.rate / 2)
      for k, parameter in ipairs(parameters) do
        assert.is_true(distance(expected[k], parameter.value) < 1e-12)
      end
    end)

    it("allocates nothing in a step", function()
      for _, list in ipairs(lists) do
        local parameters = list[2](pl.float32)
        local optimizer = pl[kind](given)
        run(optimizer, parameters, 1, 2)
        assert.equal(0, memory.allocated(function()
          for _ = 1, 10 do optimizer:step(parameters, 0.01) end
        end))
      end
    end)
  end)
end

describe("Rprop's first step lengths", function()
  -- The lengths after the first step, in which no sign can have changed
  local function lengths(given, parameters)
    local optimizer, all = pl.rprop_plus(given), {}
    run(optimizer, parameters, 1, 1)
    for _, parameter in ipairs(parameters) do
      local M = optimizer:state().tensors[parameter.name].length
      for i = 1, M.rows do
        for j = 1, M.cols do all[#all + 1] = M:get(i, j) end
      end
    end
    return all
  end

  it("are drawn from `start`, for each parameter's elements, by the seed", function()
    local all = lengths({ start = { 0.005, 0.02 } }, new_network(pl.float64):parameters())
    local mean, square = 0, 0
    for _, d in ipairs(all) do
      assert.is_true(d >= 0.005 and d <= 0.02)
      mean, square = mean + d / #all, square + d * d / #all
    end
    assert.is_true(math.abs(mean - 0.0125) < 1e-4)
    assert.is_true(math.abs(square - mean ^ 2 - 0.015 ^ 2 / 12) < 1e-6)
    local function of(seed)
      return lengths({ start = { 1, 2 }, seed = seed }, new_list(pl.float64))
    end
    assert.same(of(7), of(7))
    assert.not_same(of(7), of(8))
    assert.same(of(nil), of(1))
  end)

  it("are not the first weights over again, drawn by the same seed", function()
    local first = pl.float64.generator(7):uniform(pl.float64.matrix(1, 3), 1, 2):totable()[1]
    local drawn = lengths({ start = { 1, 2 }, seed = 7 }, new_list(pl.float64))
    for k, number in ipairs(first) do assert.not_equal(number, drawn[k]) end
  end)

  it("are the same however parameters are cut into stretches, and in both types", function()
    local function cut(by_name, core)
      return lengths({ start = { 1, 2 }, groups = by_name }, new_list(core or pl.float64))
    end
    assert.same(cut(), cut { { match = "2", eta_plus = 2 }, { match = "b", eta_minus = 0.1 } })
    for k, d in ipairs(cut(nil, pl.float32)) do
      assert.is_true(math.abs(d - cut()[k]) < 1e-6)
    end
  end)

  it("are what elements move by, whose gradient is not 0", function()
    for _, kind in ipairs { "rprop", "irprop_minus", "rprop_minus", "rprop_plus" } do
      local p, g = pl.matrix { { 0, 0, 0 } }, pl.matrix { { 5, -1, 0 } }
      local optimizer = pl[kind] { start = { 0.5, 2 } }
      optimizer:step { { name = "p", value = p, gradient = g } }
      local d = optimizer:state().tensors.p.length
      assert.same({ { -d:get(1, 1), d:get(1, 2), 0 } }, p:totable())
    end
  end)

  it("are the rate without it; a rate of 0 stops them in any case", function()
    for _, d in ipairs(lengths({ rate = 0.25 }, new_list(pl.float64))) do
      assert.equal(0.25, d)
    end
    local list = new_list(pl.float64)
    local before = values(list)
    run(pl.rprop_plus { start = { 1, 2 } }, list, 1, 2, 0)
    assert_same(before, list)
  end)

  it("are two numbers above 0, the larger one last", function()
    at_caller(function() local _ = pl.rprop { start = { 2, 1 } } end,
      "rprop: start: two numbers, the larger one last, expected, got { 2, 1 }")
    at_caller(function() local _ = pl.rprop { start = { 0, 1 } } end, "rprop: start: ")
  end)
end)

describe("an optimizer", function()
  it("has the documented defaults", function()
    for kind, expected in pairs(defaults) do
      assert.same(expected, pl[kind]().options)
      assert.equal(expected.rate, pl[kind]().rate)
    end
  end)

  it("is made by its short name, by its description, or by its name alone", function()
    for _, optimizer in ipairs {
      pl.adam { rate = 0.5 }, pl.optimizer { "adam", rate = 0.5 },
    } do
      assert.same({ "adam", 0.5, 0.9 },
        { optimizer.name, optimizer.rate, optimizer.options.beta1 })
    end
    for _, kind in ipairs(kinds) do
      assert.equal(kind, pl[kind]().name)
      assert.equal(kind, pl.optimizer(kind).name)
      assert.equal(kind, pl.optimizer[kind].name)
    end
  end)

  it("is a new one each time, but itself when it is one", function()
    assert.not_equal(pl.optimizer.adam, pl.optimizer.adam)
    assert.not_equal(pl.optimizer "adam", pl.optimizer "adam")
    local adam = pl.adam()
    assert.equal(adam, pl.optimizer(adam))
  end)

  it("has a description from which an equal one is made", function()
    for _, variant in ipairs(variants) do
      local optimizer = pl[variant[1]](variant[2])
      local description = family:describe(optimizer)
      local again = pl.optimizer(description)
      assert.same(description, family:describe(again))
      local A, B = new_list(pl.float32), new_list(pl.float32)
      run(optimizer, A, 1, 3)
      run(again, B, 1, 3)
      assert_same(values(A), B)
    end
    local groups_of_one = { { match = "b", rate = 1 } }
    assert.same({ "sgd", rate = 0.5, weight_decay = 0, groups = groups_of_one },
      family:describe(pl.sgd { rate = 0.5, groups = groups_of_one }))
  end)

  it("may be a table of one's own with a step", function()
    local own = { name = "mine", step = function() end }
    assert.equal(own, pl.optimizer(own))
    assert.equal("mine", family:describe(own))
    at_caller(function() local _ = pl.optimizer { name = "sgd", step = own.step } end,
      "the optimizer 'sgd' is built in: give your own another name")
  end)

  it("steps at a rate given for the step, and keeps its own", function()
    local optimizer = pl.sgd { rate = 1 }
    local p, g = pl.matrix { { 10 } }, pl.matrix { { 1 } }
    local list = { { value = p, gradient = g } }
    optimizer:step(list, 0.25)
    assert.equal(9.75, p:get(1, 1))
    optimizer:step(list)
    assert.equal(8.75, p:get(1, 1))
    optimizer.rate = 0.5
    optimizer:step(list)
    assert.equal(8.25, p:get(1, 1))
  end)

  it("does not move the parameters at rate 0", function()
    for _, kind in ipairs(kinds) do
      local parameters = new_list(pl.float32)
      local decay = defaults[kind].weight_decay and 0.5
      run(pl[kind] { rate = 0, weight_decay = decay }, parameters, 1, 2)
      assert_same(values(new_list(pl.float32)), parameters)
    end
  end)

  it("reads the gradients and does not write them", function()
    local parameters = new_list(pl.float32)
    parameters[1].gradient:fill(0.5)
    for _, kind in ipairs(kinds) do
      pl[kind]({ weight_decay = defaults[kind].weight_decay and 0.1 }):step(parameters)
      assert.equal(6, parameters[1].gradient:sum())
    end
  end)

  it("gives the same for parameters in flat vectors and one by one", function()
    for _, variant in ipairs(variants) do
      local A, B = new_network(pl.float32), new_network(pl.float32)
      local one_by_one = table.move(B:parameters(), 1, #B:parameters(), 1, {})
      run(pl[variant[1]](variant[2]), A:parameters(), 1, 3)
      run(pl[variant[1]](variant[2]), one_by_one, 1, 3)
      assert_same(values(A:parameters()), one_by_one)
    end
  end)

  it("trains a network in an open loop", function()
    for _, kind in ipairs(kinds) do
      local net = pl.network({ inputs = 3, pl.dense(8, "tanh"), pl.dense(2) })
      local rates = { adadelta = 10, lion = 0.01 }
      local optimizer = pl[kind] { rate = rates[kind] or 0.05 }
      local X = pl.generator(4):normal(pl.matrix(3, 6))
      local T = pl.generator(5):normal(pl.matrix(2, 6))
      local first = pl.loss.squared_error(net:forward(X), T, false)
      for _ = 1, 200 do
        local _, Delta = pl.loss.squared_error(net:forward(X), T)
        net:backward(Delta)
        optimizer:step(net:parameters())
      end
      assert.is_true(pl.loss.squared_error(net:forward(X), T, false) < 0.2 * first)
    end
  end)

  for _, kind in ipairs(kinds) do
    it("finds the lowest point of a bowl that is steeper one way: " .. kind, function()
      local core = pl.float64
      local steepness = core.matrix { { 0.2 }, { 1 }, { 4 } }
      local lowest = core.matrix { { 1 }, { -2 }, { 0.5 } }
      local p, g = core.matrix(3, 1), core.matrix(3, 1)
      local list = { { name = "p", value = p, gradient = g } }
      local optimizer = pl[kind] { weight_decay = defaults[kind].weight_decay and 0 }
      local STEPS, rate = 3000, ({ adadelta = 1, adagrad = 1 })[kind] or 0.1
      for step = 1, STEPS do
        core.hadamard(g, core.subtract(g, p, lowest), steepness)
        optimizer:step(list, rate * (1 - step / (STEPS + 1)) ^ 2)
      end
      assert.is_true(distance(p, lowest) < 1e-6)
    end)
  end

  it("is printed with its name and rate", function()
    assert.equal("sgd, rate 0.5", tostring(pl.sgd { rate = 0.5 }))
    assert.equal("momentum, rate 0.01", tostring(pl.momentum()))
    assert.equal("adam, rate 0.001", tostring(pl.adam()))
  end)

  it("neither changes the options that it was given nor depends on them", function()
    local given = { rate = 0.5, groups = { { match = "b$", rate = 0.25 } } }
    local optimizer = pl.adam(given)
    optimizer:step(new_list(pl.float32))
    assert.same({ rate = 0.5, groups = { { match = "b$", rate = 0.25 } } }, given)
    given.groups[1].rate, given.groups[2] = 7, { match = "W" }
    assert.same({ { match = "b$", rate = 0.25 } }, family:describe(optimizer).groups)
  end)

  it("takes whole numbers that are written as floats, and the other way round", function()
    local A, B = new_list(pl.float32), new_list(pl.float32)
    run(pl.sgd { rate = 1 }, A, 1, 2)
    run(pl.sgd { rate = 1.0 }, B, 1, 2)
    assert_same(values(A), B)
    local state = pl.adam():state()
    state.steps = 0.0
    assert.equal("integer", math.type(pl.adam():restore(state).steps))
  end)
end)

describe("weight decay", function()
  it("pulls towards 0 without a gradient", function()
    for _, kind in ipairs(kinds) do
      if defaults[kind].weight_decay then
        local p = pl.float64.matrix { { 1, -1 } }
        local parameters = { { value = p, gradient = pl.float64.matrix(1, 2) } }
        pl[kind]({ rate = 0.1, weight_decay = 0.5 }):step(parameters)
        assert.is_true(0 < p:get(1, 1) and p:get(1, 1) < 1)
        assert.equal(-p:get(1, 1), p:get(1, 2))
      end
    end
  end)

  it("is rate times decay times the parameter for those that do not divide by its size", function()
    for _, kind in ipairs { "sgd", "momentum", "adam", "adamw", "amsgrad", "lion" } do
      local p = pl.float64.matrix { { 1, -1 } }
      local parameters = { { value = p, gradient = pl.float64.matrix(1, 2) } }
      pl[kind]({ rate = 0.1, weight_decay = 0.5 }):step(parameters)
      assert.near(0.95, p:get(1, 1), 1e-12)
      assert.near(-0.95, p:get(1, 2), 1e-12)
    end
  end)

  it("leaves biases and normalisation alone unless a group asks for it", function()
    for _, asked in ipairs { false, true } do
      local net = pl.network { inputs = 3, pl.dense(4), pl.batch_norm(), pl.layer_norm() }
      for _, parameter in ipairs(net:parameters()) do parameter.value:fill(2) end
      pl.sgd({ rate = 0.5, weight_decay = 0.5, groups = asked and {
        { match = "b$", weight_decay = 0.25 }, { match = "^2", weight_decay = 1 },
      } or nil }):step(net:parameters())
      local expected = { ["1.W"] = 1.5 }
      if asked then
        expected = {
          ["1.W"] = 1.5, ["1.b"] = 1.75, ["2.scale"] = 1, ["2.shift"] = 1,
        }
      end
      for _, parameter in ipairs(net:parameters()) do
        local value = expected[parameter.name] or 2
        assert.same({ value, value }, { parameter.value:min(), parameter.value:max() })
      end
    end
  end)

  it("leaves biases alone whose group asks for another rate only", function()
    local list = new_list(pl.float32)
    for _, parameter in ipairs(list) do parameter.value:fill(2) end
    pl.sgd({ rate = 0.5, weight_decay = 0.5, groups = { { match = "2", rate = 1 } } })
      :step(list)
    assert.same({ 1.5, 1, 2 },
      { list[1].value:max(), list[2].value:max(), list[3].value:max() })
  end)
end)

describe("groups", function()
  it("follow the rate that is set between steps only where they have none", function()
    local list = new_list(pl.float32)
    for _, parameter in ipairs(list) do
      parameter.value:fill(0)
      parameter.gradient:fill(1)
    end
    local optimizer = pl.sgd { rate = 1, groups = {
      { match = "1.W", rate = 0.5 }, { match = "2.W", weight_decay = 0 } } }
    optimizer.rate = 2
    optimizer:step(list)
    assert.same({ -0.5, -2, -2 },
      { list[1].value:max(), list[2].value:max(), list[3].value:max() })
  end)

  it("may freeze what they match", function()
    local list = new_list(pl.float32)
    local before = values(list)
    run(pl.adam { groups = { { match = "^2", rate = 0 } } }, list, 1, 3)
    assert.is_false(same(before[1], list[1].value))
    assert.is_true(same(before[2], list[2].value))
    assert.is_true(same(before[3], list[3].value))
  end)

  it("are checked where they are written", function()
    at_caller(function() local _ = pl.sgd { groups = { match = "b$" } } end,
      "sgd: groups: a list of groups, { { match = ... }, ... }, expected, got a table")
    at_caller(function() local _ = pl.sgd { groups = 5 } end,
      "sgd: groups: a list of groups, { { match = ... }, ... }, expected, got 5")
    at_caller(function() local _ = pl.sgd { groups = { { rate = 1 } } } end,
      "group 1: option 'match' is required")
    at_caller(function() local _ = pl.sgd { groups = { { match = "b" }, 5 } } end,
      "group 2: a table of options expected, got 5")
    local group = { match = "b", beta1 = 0.5 }
    at_caller(function() local _ = pl.sgd { groups = { group } } end,
      "unknown option 'beta1' of group 1 (known: match, rate, weight_decay)")
    group.rate = -1
    at_caller(function() local _ = pl.adam { groups = { group } } end,
      "group 1: rate: a number from 0 to 1e+38 expected, got -1")
    at_caller(function()
      pl.optimizer { "adam", groups = { { match = "b", groups = {} } } }
    end, "unknown option 'groups' of group 1")
    at_caller(function() local _ = pl.sgd { groups = { { match = "[b" } } } end,
      "match: a pattern of Lua's expected, got \"[b\"")
    at_caller(function()
      pl.sgd { rate = 0, groups = { { match = "b", rate = 1 } } }
    end, "rate: above 0 expected where groups have their own (a last group "
      .. "{ match = \"\", rate = 0 } leaves the other parameters as they are)")
  end)

  it("are checked against the names of the parameters before the first update", function()
    local list = new_list(pl.float32)
    for match, expected in pairs {
      ["b%"] = "match: a pattern of Lua's expected, got \"b%\"",
      ["%.bias$"] = "group 2: no parameter has a name that \"%.bias$\" matches, "
        .. "the first has \"1.W\"",
    } do
      local optimizer = pl.adam { groups = { { match = "W" }, { match = match } } }
      at_caller(function() optimizer:step(list) end, expected)
      assert.same({ steps = 0, rate = optimizer.rate, tensors = {} }, optimizer:state())
    end
    assert_same(values(new_list(pl.float32)), list)
    pl.adam({ groups = { { match = "W" } } }):step {} -- all of a network may be frozen
  end)

  it("may match what an earlier one has taken", function()
    local list = new_list(pl.float32)
    pl.adam({ groups = { { match = "^2" }, { match = "b$" } } }):step(list)
  end)
end)

describe("the options of an optimizer", function()
  it("are refused when they are unknown", function()
    at_caller(function() local _ = pl.sgd { learning_rate = 1 } end,
      "unknown option 'learning_rate' of sgd (known: groups, rate, weight_decay)")
    at_caller(function() local _ = pl.momentum { beta = 1 } end,
      "unknown option 'beta' of momentum")
    at_caller(function() local _ = pl.optimizer { "adam", eps = 1 } end,
      "unknown option 'eps' of adam")
    at_caller(function() local _ = pl.adam { "sgd" } end, "unknown option '1' of adam")
    at_caller(function() local _ = pl.adam(0.1) end,
      "adam: a table of options expected, got 0.1")
    at_caller(function() local _ = pl.optimizer "quickprop" end,
      "unknown optimizer 'quickprop' (known: adadelta, adagrad, adam, adamax, adamw, amsgrad, "
        .. "irprop_minus, lbfgs, levenberg_marquardt, lion, momentum, muon, nadam, nesterov, "
        .. "rmsprop, rprop, rprop_minus, rprop_plus, scg, sgd)")
    at_caller(function() local _ = pl.optimizer.quickprop end, "unknown optimizer 'quickprop'")
    at_caller(function() local _ = pl.rprop { weight_decay = 0 } end,
      "unknown option 'weight_decay' of rprop")
    at_caller(function() local _ = pl.optimizer { step = 5 } end,
      "a table with the method step(parameters, rate) expected, got a table")
  end)

  it("are refused when they are out of their range", function()
    at_caller(function() local _ = pl.sgd { rate = -1 } end,
      "sgd: rate: a number from 0 to 1e+38 expected, got -1")
    for _, wrong in ipairs { 0 / 0, 1 / 0, 1e39, "fast", true } do
      at_caller(function() local _ = pl.sgd { rate = wrong } end,
        "sgd: rate: a number from 0 to 1e+38 expected, got ")
      at_caller(function() local _ = pl.adam { weight_decay = wrong } end,
        "adam: weight_decay: a number from 0 to 1e+38 expected, got ")
      at_caller(function() local _ = pl.adam { epsilon = wrong } end, "adam: epsilon: ")
    end
    at_caller(function() local _ = pl.momentum { momentum = 1 } end,
      "momentum: momentum: a number of 0 or more and below 1 expected, got 1")
    at_caller(function() local _ = pl.momentum { nesterov = 1 } end,
      "momentum: nesterov: true or false expected, got 1")
    at_caller(function() local _ = pl.adam { beta1 = 1 } end,
      "adam: beta1: a number of 0 or more and below 1 expected, got 1")
    at_caller(function() local _ = pl.adam { beta2 = -0.1 } end, "expected, got -0.1")
    at_caller(function() local _ = pl.adam { epsilon = 0 } end,
      "adam: epsilon: a number of at most 1e+38 and above 0 expected, got 0")
    at_caller(function() local _ = pl.irprop_minus { eta_plus = 1 } end,
      "irprop_minus: eta_plus: a number of at most 1e+38 and above 1 expected, got 1")
    at_caller(function() local _ = pl.rprop { eta_minus = 0 } end, "rprop: eta_minus: ")
    at_caller(function() local _ = pl.rmsprop { alpha = 1 } end, "rmsprop: alpha: ")
  end)
end)
