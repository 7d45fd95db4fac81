-- What optimisers remember, and how they go on from it.

local at_caller = require("spec.support.misuse").at_caller
local pl = require "perilune"
local support = require "spec.support.parameters"

local new_list, new_network = support.list, support.network
local assert_same, assert_same_state = support.assert_same, support.assert_same_state
local run, values = support.run, support.values

local kinds = {}
for kind, optimizer in pairs(pl.optimizer) do
  if not optimizer.evaluates then kinds[#kinds + 1] = kind end -- those have a spec of their own
end
table.sort(kinds)

local variants = {
  { "sgd", { rate = 0.1 } },
  { "momentum", { rate = 0.1, nesterov = true } },
  { "nesterov", { rate = 0.1 } },
  { "lion", { rate = 0.1 } },
  { "adamw", { rate = 0.1, amsgrad = true } },
  { "amsgrad", { rate = 0.1, beta2 = 0.5 } },
  { "adamax", { rate = 0.1 } },
  { "nadam", { rate = 0.1, momentum_decay = 0.5 } },
  { "adagrad", { rate = 0.1, rate_decay = 0.1, initial_accumulator = 0.5 } },
  { "adadelta", {} },
  { "rmsprop", { momentum = 0.5, groups = { { match = "2", centered = true } } } },
  { "irprop_minus", { rate = 0.1, step_max = 0.2 } },
  { "rprop", { rate = 0.1 } },
  { "rprop_minus", { start = { 0.05, 0.2 } } },
  { "rprop_plus", { start = { 0.05, 0.2 }, groups = { { match = "2", start = { 1, 2 } } } } },
  { "muon", { rate = 0.1, groups = { { match = "1", orthogonal = false } } } },
  { "adam", { rate = 0.1, weight_decay = 0.1 } },
  { "adam", { groups = { { match = "2", rate = 0.1 }, { match = "b$", beta1 = 0.5 } } } },
}

describe("the state of an optimizer", function()
  it("is matrices of the parameters' shapes, by their names", function()
    local optimizer = pl.adam()
    assert.same({ steps = 0, rate = 0.001, tensors = {} }, optimizer:state())
    local net = new_network(pl.float64)
    run(optimizer, net:parameters(), 1, 2)
    local state = optimizer:state()
    assert.equal(2, state.steps)
    local count = 0
    for _, parameter in ipairs(net:parameters()) do
      local kept, value = state.tensors[parameter.name], parameter.value
      for _, key in ipairs { "m", "v" } do
        assert.same({ value.rows, value.cols, value.dtype },
          { kept[key].rows, kept[key].cols, kept[key].dtype })
      end
      count = count + 1
    end
    for _ in pairs(state.tensors) do count = count - 1 end
    assert.equal(0, count)
  end)

  it("is by position for parameters without names", function()
    local optimizer = pl.momentum()
    optimizer:step { { value = pl.matrix(1, 2), gradient = pl.matrix(1, 2):fill(3) } }
    assert.same({ { 3, 3 } }, optimizer:state().tensors["1"].v:totable())
  end)

  it("is only its steps and its rate for one that keeps nothing", function()
    local optimizer = pl.sgd()
    run(optimizer, new_list(pl.float32), 1, 3)
    assert.same({ steps = 3, rate = 0.01, tensors = {} }, optimizer:state())
    assert.equal(3, pl.sgd():restore(optimizer:state()).steps)
  end)

  it("has the rate that was set since", function()
    local optimizer = pl.momentum { rate = 0.1 }
    optimizer.rate = 0.025
    assert.equal(0.025, pl.momentum({ rate = 0.1 }):restore(optimizer:state()).rate)
  end)

  it("is a copy, before the first step after it was restored too", function()
    local optimizer, list = pl.adam(), new_list(pl.float32)
    run(optimizer, list, 1, 2)
    local state = optimizer:state()
    local expected = optimizer:state()
    state.tensors["1.W"].m:fill(7)
    assert_same_state(expected, optimizer:state())
    local restored = pl.adam():restore(expected)
    restored:state().tensors["1.W"].m:fill(7)
    assert_same_state(expected, restored:state())
    expected.tensors["1.W"].m:fill(7)
    assert.not_equal(7, restored:state().tensors["1.W"].m:get(1, 1))
  end)

  it("goes on with other matrices of the same names", function()
    for _, variant in ipairs(variants) do
      local whole = pl[variant[1]](variant[2])
      local expected, list = new_network(pl.float32), new_network(pl.float32)
      run(whole, expected:parameters(), 1, 5)
      -- from the network to a list of its own with the same values, and back
      local optimizer = pl[variant[1]](variant[2])
      run(optimizer, list:parameters(), 1, 2)
      local own = {}
      for k, parameter in ipairs(list:parameters()) do
        local value = parameter.value
        own[k] = {
          name = parameter.name, decays = parameter.decays,
          value = value:copy(value.order),
          gradient = pl.matrix(value.rows, value.cols, value.order),
        }
      end
      run(optimizer, own, 3, 4)
      for k, parameter in ipairs(list:parameters()) do
        parameter.value:assign(own[k].value)
      end
      run(optimizer, list:parameters(), 5, 5)
      assert_same(values(expected:parameters()), list:parameters())
    end
  end)

  for _, variant in ipairs(variants) do
    local kind, given = table.unpack(variant)

    it("is enough to go on to the same bits from each of 20 steps: " .. kind, function()
      local straight, list = pl[kind](given), new_list(pl.float32)
      local states, then_values = {}, {}
      for step = 0, 20 do
        if step > 0 then run(straight, list, step, step) end
        states[step], then_values[step] = straight:state(), values(list)
      end
      for step = 0, 19 do
        local optimizer, other = pl[kind](given):restore(states[step]), new_list(pl.float32)
        for k, M in ipairs(then_values[step]) do other[k].value:assign(M) end
        run(optimizer, other, step + 1, 20)
        assert_same(then_values[20], other)
        assert_same_state(states[20], optimizer:state())
      end
    end)
  end

  it("goes through the file of a checkpoint", function()
    local path = os.tmpname()
    for _, variant in ipairs(variants) do
      local function new_trainer()
        local X = pl.generator(1):normal(pl.matrix(3, 40))
        local net = pl.network { inputs = 3, pl.dense(4, "tanh"), pl.dense(3) }
        return pl.trainer(net, pl.dataset { X = X, T = X:map(math.sin) }, {
          loss = "squared_error", optimizer = pl[variant[1]](variant[2]),
          epochs = 4, batch = 8,
        }), net
      end
      local whole, expected = new_trainer()
      whole:run()
      local first = new_trainer()
      first:run { steps = 7 }
      assert(first:save(path))
      local second, net = new_trainer()
      assert(second:load(path))
      second:run()
      assert_same(values(expected:parameters()), net:parameters())
      assert_same_state(whole.optimizer:state(), second.optimizer:state())
    end
    os.remove(path)
  end)

  it("does not depend on how the parameters are cut into runs", function()
    local groups = { { match = "2", rate = 0.1 }, { match = "b$" } }
    for _, kind in ipairs(kinds) do
      local own_rate = kind == "muon" and 0.1 or nil -- of what is no matrix
      local with = { rate = 0.1, adam_rate = own_rate, groups = groups }
      local expected, net = new_network(pl.float32), new_network(pl.float32)
      run(pl[kind] { rate = 0.1, adam_rate = own_rate }, expected:parameters(), 1, 4)
      local optimizer = pl[kind](with)
      run(optimizer, net:parameters(), 1, 2)
      local other = pl[kind]({ rate = 0.1, adam_rate = own_rate }):restore(optimizer:state())
      run(other, net:parameters(), 3, 3)
      optimizer:restore(other:state())
      run(optimizer, net:parameters(), 4, 4)
      assert_same(values(expected:parameters()), net:parameters())
    end
  end)

  it("may be restored to where it was before, also before the first step", function()
    for _, kind in ipairs(kinds) do
      local optimizer, list = pl[kind](), new_list(pl.float32)
      local start = optimizer:state()
      run(optimizer, list, 1, 3)
      local expected = values(list)
      list = new_list(pl.float32)
      optimizer:restore(start)
      run(optimizer, list, 1, 2)
      local state, then_values = optimizer:state(), values(list)
      run(optimizer, list, 3, 3)
      assert_same(expected, list)
      for k, M in ipairs(then_values) do list[k].value:assign(M) end
      optimizer:restore(state)
      run(optimizer, list, 3, 3)
      assert_same(expected, list)
    end
  end)

  it("is refused for other names, shapes or types, and nothing changes", function()
    local source = pl.adam()
    run(source, new_list(pl.float32), 1, 2)
    local W, float64 = pl.matrix(3, 5), new_list(pl.float64)
    local fewer, more, renamed, reshaped = new_list(pl.float32), new_list(pl.float32),
      new_list(pl.float32), new_list(pl.float32)
    fewer[3] = nil
    more[4] = { name = "3.W", value = W, gradient = W:copy() }
    renamed[1].name = "4.W"
    reshaped[3] = { name = "2.b", value = W, gradient = W:copy() }
    local function message(name, value, got)
      return ("state of the optimiser: 'm' of parameter '%s' like its value expected, "
        .. "a %s by columns, got %s"):format(name, value, got)
    end
    local kept = "a 3 x 4 matrix of float32 by columns"
    for list, expected in pairs {
      [fewer] = "state of the optimiser: none of the parameters is named \"2.b\"",
      [more] = message("3.W", "3 x 5 matrix of float32", "nil"),
      [renamed] = message("4.W", "3 x 4 matrix of float32", "nil"),
      [reshaped] = message("2.b", "3 x 5 matrix of float32", kept),
      [float64] = message("1.W", "3 x 4 matrix of float64", kept),
    } do
      local before, state = values(list), source:state()
      -- the one that has stepped, one restored and not stepped, and one that is asked beforehand
      at_caller(function() source:step(list) end, expected)
      local restored = pl.adam():restore(state)
      at_caller(function() restored:step(list) end, expected)
      at_caller(function() pl.adam():check_state(state, list) end, expected)
      assert_same(before, list)
      assert_same_state(state, source:state())
      assert_same_state(state, restored:state())
      run(restored, new_list(pl.float32), 3, 3)
    end
  end)

  it("is refused where it is of another one's parameters", function()
    local optimizer, other = pl.adam(), pl.adam()
    run(optimizer, new_list(pl.float32), 1, 2)
    other:step { { name = "W", value = pl.matrix(1, 1), gradient = pl.matrix(1, 1) } }
    local before = optimizer:state()
    at_caller(function() optimizer:restore(other:state()) end,
      "state of the optimiser: 'm' of parameter '1.W' like its value expected")
    assert_same_state(before, optimizer:state())
  end)

  it("is refused where it is of another kind", function()
    local sgd, momentum, adam = pl.sgd(), pl.momentum(), pl.adam()
    for _, optimizer in ipairs { sgd, momentum, adam } do
      run(optimizer, new_list(pl.float32), 1, 2)
    end
    local before = adam:state()
    at_caller(function() adam:restore(momentum:state()) end,
      "state of the optimiser: a matrix 'm' expected for parameter ")
    at_caller(function() adam:restore(sgd:state()) end,
      "state of the optimiser: 'm' of parameter '1.W' like its value expected")
    at_caller(function() momentum:restore(adam:state()) end,
      "state of another kind of optimiser: \"m\" of parameter ")
    at_caller(function() sgd:restore(adam:state()) end,
      "state of another kind of optimiser: ")
    assert_same_state(before, adam:state())
  end)

  it("is refused where it is none", function()
    local adam = pl.adam()
    run(adam, new_list(pl.float32), 1, 2)
    local before = adam:state()
    at_caller(function()
      adam:restore { steps = before.steps, tensors = before.tensors }
    end, "state of an optimiser expected, as state() gives it, got a table")
    for _, wrong in ipairs {
      false, 5, {}, { steps = 1 }, { steps = -1, tensors = {} },
      { steps = 0.5, tensors = {} }, { steps = "1", tensors = {} },
      { steps = 1, tensors = 5 }, { steps = 1, tensors = { ["1.W"] = 5 } },
      { steps = 0, tensors = before.tensors }, { steps = 2, tensors = {} },
      { steps = 1, tensors = { ["1.W"] = { m = 1, v = 2 } } },
      { steps = 0, tensors = {}, rate = -1 }, { steps = 0, tensors = {}, rate = 0 / 0 },
      { steps = 0, tensors = {}, rate = "1" },
    } do
      if wrong and type(wrong) == "table" and not wrong.rate then wrong.rate = 1 end
      at_caller(function() adam:restore(wrong or nil) end, "state of ")
      assert_same_state(before, adam:state())
    end
  end)
end)

