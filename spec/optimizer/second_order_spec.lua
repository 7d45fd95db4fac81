-- What the optimisers that evaluate have in common: lists of parameters, states, and steps that
-- raise.

local at_caller = require("spec.support.misuse").at_caller
local family = require "perilune.optimizer"
local naive = require "spec.support.naive"
local pl = require "perilune"
local squares = require "spec.support.squares"
local support = require "spec.support.parameters"

local assert_same, values = support.assert_same, support.values

-- Few iterations in a step, and nothing that ends one early
local kinds = {
  lbfgs = { iterations = 3, history = 4, tolerance_change = 0, tolerance_gradient = 0 },
  levenberg_marquardt = { damping = 1, tolerance_gradient = 0 },
  scg = { iterations = 5, tolerance_gradient = 0 },
}

local lists = { flat = squares.network_list, own = squares.own_list }

local function each(f)
  for kind, options in pairs(kinds) do
    for _, dtype in ipairs(naive.types) do
      for name, list in pairs(lists) do
        f(function() return pl[kind](options) end, function() return list(pl[dtype]) end,
          ("%s in %s, %s"):format(kind, dtype, name))
      end
    end
  end
end

local function assert_same_state(expected, state)
  support.assert_same_state(expected, state)
  assert.same(expected.numbers, state.numbers)
end

local function run(optimizer, list, steps)
  local evaluate, count = squares.of(list)
  for _ = 1, steps do optimizer:step(list, nil, evaluate) end
  return evaluate, count
end

describe("an optimizer that evaluates", function()
  it("is one of those that are tried here", function()
    for name, kind in pairs(family.kinds) do
      assert.equal(kind.evaluates ~= nil, kinds[name] ~= nil, name)
    end
  end)

  it("comes to the minimum, in both types, over flat vectors and one by one", function()
    each(function(new, new_list, what)
      local list = new_list()
      local evaluate = squares.of(list)
      local J = evaluate()
      run(new(), list, 40)
      local limit = list[1].value.dtype == "float64" and 1e-20 or 1e-9
      assert.is_true(evaluate() < limit * J, what)
    end)
  end)

  it("steps alike over flat vectors and over the same parameters one by one", function()
    for kind, options in pairs(kinds) do
      local flat = squares.network_list(pl.float64)
      local own = {}
      for k, parameter in ipairs(flat) do
        local value = parameter.value:copy(parameter.value.order)
        own[k] = { name = parameter.name, value = value,
          gradient = parameter.gradient:copy(parameter.gradient.order) }
      end
      run(pl[kind](options), flat, 5)
      run(pl[kind](options), own, 5)
      for k, parameter in ipairs(own) do
        naive.near(parameter.value, flat[k].value:totable(), 1e-9)
      end
    end
  end)

  it("goes on from a state to the same bits, from each of 20 steps", function()
    each(function(new, new_list, what)
      local list, optimizer = new_list(), new()
      local evaluate = squares.of(list)
      local states, seen = {}, {}
      for step = 0, 20 do
        states[step], seen[step] = optimizer:state(), values(list)
        optimizer:step(list, nil, evaluate)
      end
      for step = 0, 20 do
        local other_list = new_list()
        for k, M in ipairs(seen[step]) do other_list[k].value:assign(M) end
        local other = new():restore(states[step])
        assert_same_state(states[step], other:state())
        run(other, other_list, 21 - step)
        assert_same(values(list), other_list)
        assert_same_state(optimizer:state(), other:state())
        assert.equal(21, other.steps, what)
      end
    end)
  end)

  it("may be restored to where it was, also to before the first step", function()
    each(function(new, new_list)
      local list, optimizer = new_list(), new()
      local start, first = optimizer:state(), values(list)
      run(optimizer, list, 2)
      local state, later = optimizer:state(), values(list)
      run(optimizer, list, 2)
      local expected = values(list)
      for k, M in ipairs(later) do list[k].value:assign(M) end
      run(optimizer:restore(state), list, 2)
      assert_same(expected, list)
      for k, M in ipairs(first) do list[k].value:assign(M) end
      run(optimizer:restore(start), list, 4)
      assert_same(expected, list)
    end)
  end)

  it("keeps matrices of the parameters' shapes, by their names", function()
    each(function(new, new_list)
      local list, optimizer = new_list(), new()
      assert.same({}, optimizer:state().tensors)
      run(optimizer, list, 1)
      local tensors = optimizer:state().tensors
      for _, parameter in ipairs(list) do
        for _, key in ipairs(optimizer.keeps) do
          local M, value = tensors[parameter.name][key], parameter.value
          assert.same({ value.rows, value.cols, value.dtype }, { M.rows, M.cols, M.dtype })
        end
      end
    end)
  end)

  it("fits a smooth curve by far fewer evaluations than Adam", function()
    -- Each until J is below its limit, or the evaluations are used up
    local function fit(optimizer, limit, most)
      local X = pl.float64.generator(1):uniform(pl.float64.matrix(1, 50), -1.5, 1.5)
      local T, count = X:map(math.sin), 0
      local net = pl.network({ inputs = 1, pl.dense(8, "tanh"), pl.dense(1) },
        { dtype = "float64", seed = 3 })
      local residuals = pl.residuals(net, "squared_error")
      local function evaluate(wants_jacobian)
        count = count + 1
        local A = net:forward(X)
        local J, Delta = pl.loss.squared_error(A, T)
        local e, G
        if wants_jacobian then e, G = residuals(A, T) end
        net:backward(Delta)
        return J, e, G
      end
      local J = math.huge
      while J > limit and count < most do
        if not optimizer.evaluates then evaluate() end
        optimizer:step(net:parameters(), nil, evaluate)
        J = pl.loss.squared_error(net:predict(X), T, false)
      end
      return J, count
    end
    for _, tried in ipairs {
      { 1500, "lbfgs", { history = 100, tolerance_change = 0, tolerance_gradient = 0,
        least_curvature = 0 } },
      { 1000, "levenberg_marquardt", { factor = 3 } },
    } do
      local most, kind, options = table.unpack(tried)
      local J, count = fit(pl[kind](options), 1e-10, most)
      assert.is_true(J <= 1e-10, kind)
      local adam = fit(pl.adam { rate = 0.01 }, 0, 10 * count)
      assert.is_true(adam > 1e-7, kind)
    end
  end)

  it("goes on from a file of the trainer's", function()
    local X = pl.generator(1):uniform(pl.matrix(1, 40), -2, 2)
    local data = pl.dataset { X = X, T = X:map(math.sin) }
    local path = os.tmpname()
    for kind, options in pairs(kinds) do
      local function new_trainer(seed)
        local described = { kind }
        for name, value in pairs(options) do described[name] = value end
        local net = pl.network({ inputs = 1, pl.dense(5, "tanh"), pl.dense(1) }, { seed = seed })
        return pl.trainer(net, data, { loss = "squared_error", optimizer = described,
          batch = 25, epochs = 6 }), net
      end
      local whole, expected = new_trainer(1)
      whole:run()
      local first = new_trainer(1)
      first:run { steps = 5 }
      assert(first:save(path))
      local second, net = new_trainer(2)
      assert(second:load(path))
      second:run()
      assert_same(values(expected:parameters()), net:parameters())
      assert_same_state(whole.optimizer:state(), second.optimizer:state())
      assert.is_true(whole.history[6].loss < whole.history[1].loss)
    end
    os.remove(path)
  end)

  it("takes the penalties of a trainer as part of J", function()
    -- J = 1/2 (a - 1)^2 + factor / 2 a^2 for a single weight a, which is 1 / (1 + factor) then
    local data = pl.dataset { X = pl.float64.matrix { { 1 } }, T = pl.float64.matrix { { 1 } } }
    for _, kind in ipairs { "lbfgs", "scg" } do
      local net = pl.network({ inputs = 1, pl.dense(1, nil, { bias = false }) },
        { dtype = "float64" })
      pl.fit(net, data, { loss = "squared_error", optimizer = kind, epochs = 5,
        gradients = { "l2", factor = 0.25 } })
      assert.near(0.8, net.layers[1].W:get(1, 1), 1e-6)
    end
  end)

  it("allocates nothing in a step", function()
    each(function(new, new_list, what)
      local list, optimizer = new_list(), new()
      local evaluate = run(optimizer, list, 3)
      collectgarbage "stop"
      optimizer:step(list, nil, evaluate) -- the collector may have made Lua's stack smaller
      local before = collectgarbage "count"
      for _ = 1, 5 do optimizer:step(list, nil, evaluate) end
      local after = collectgarbage "count"
      collectgarbage "restart"
      assert.equal(before, after, what)
    end)
  end)

  it("gives the same bits whatever the number of threads", function()
    local before = pl.threads()
    for kind, options in pairs(kinds) do
      local expected
      for _, threads in ipairs { 1, 3 } do
        pl.threads(threads)
        local net = pl.network({ inputs = 10, pl.dense(20, "tanh"), pl.dense(2) }, { seed = 1 })
        local generator = pl.generator(5)
        local data = pl.dataset { X = generator:normal(pl.matrix(10, 30)),
          T = generator:normal(pl.matrix(2, 30)) }
        local described = { kind }
        for name, value in pairs(options) do described[name] = value end
        pl.fit(net, data, { loss = "squared_error", optimizer = described, epochs = 2 })
        expected = expected or values(net:parameters())
        assert_same(expected, net:parameters())
      end
    end
    pl.threads(before)
  end)

  it("changes nothing where a step raises, whichever evaluation it is in", function()
    each(function(new, new_list, what)
      for _, last in ipairs { 0, 2 } do -- steps before it
        local list, optimizer = new_list(), new()
        local evaluate, count = run(optimizer, list, last)
        local state, before = optimizer:state(), values(list)
        for _, wrong in ipairs { "raises", 0 / 0, 1 / 0 } do
          for calls = 1, 2 do
            count.evaluations = 0
            local ok, message = pcall(optimizer.step, optimizer, list, nil, function(wants)
              local J, e, G = evaluate(wants)
              if count.evaluations < calls then return J, e, G end
              if wrong == "raises" then error("no more", 0) end
              return wrong, e, G
            end)
            assert.is_false(ok, what)
            assert.matches(wrong == "raises" and "no more" or "at a point that a step came to",
              message)
            assert_same(before, list)
            assert_same_state(state, optimizer:state())
          end
        end
        -- and goes on as if nothing had been
        run(optimizer, list, 3)
        local other_list = new_list()
        run(new(), other_list, last + 3)
        assert_same(values(other_list), list)
      end
    end)
  end)

  it("refuses gradients that are not finite", function()
    local list, optimizer = squares.own_list(pl.float64), pl.lbfgs()
    local evaluate = squares.of(list)
    at_caller(function()
      optimizer:step(list, nil, function()
        local J = evaluate()
        list[2].gradient:set(1, 1, 0 / 0)
        return J
      end)
    end, "lbfgs: the gradient is not finite at a point that a step came to")
  end)

  it("puts the gradients back where a step raises", function()
    local list, optimizer = squares.own_list(pl.float64), pl.lbfgs()
    local evaluate = squares.of(list)
    list[1].gradient:fill(7)
    pcall(optimizer.step, optimizer, list, nil, function()
      evaluate()
      error "no"
    end)
    assert.same({ { 7, 7, 7, 7 } }, list[1].gradient:totable())
  end)

  it("refuses states of others, and nothing changes", function()
    local list, optimizer = squares.own_list(pl.float64), pl.lbfgs { history = 2 }
    run(optimizer, list, 3)
    local state = optimizer:state()
    local function with(change)
      local copy = optimizer:state()
      change(copy)
      return function() optimizer:restore(copy) end
    end
    at_caller(with(function(s) s.numbers = nil end), "state of lbfgs: a table of numbers expected")
    at_caller(with(function(s) s.numbers.length = "1" end),
      "state of lbfgs: a number 'length' expected, got \"1\"")
    at_caller(with(function(s) s.numbers.pairs = 1.5 end),
      "state of lbfgs: a number 'pairs' expected, got 1.5")
    at_caller(with(function(s) s.numbers.pairs = 3 end), "state of lbfgs: its numbers are none")
    at_caller(with(function(s) s.numbers.newest = 0 end), "state of lbfgs: its numbers are none")
    at_caller(with(function(s) s.numbers.damping = 1 end),
      "state of another kind of optimiser: \"damping\" is not kept here")
    at_caller(with(function(s) s.rate = -1 end), "state of an optimiser expected")
    at_caller(with(function(s) s.tensors["1.W"].d = nil end),
      "a matrix 'd' expected for parameter \"1.W\"")
    at_caller(with(function(s) s.tensors["1.W"] = nil end), "'d' of parameter '1.W' like its value")
    at_caller(function() optimizer:restore(pl.adam():state()) end, "a table of numbers expected")
    at_caller(function() optimizer:restore(7) end, "state of an optimiser expected")
    assert_same_state(state, optimizer:state())
    local other = pl.lbfgs({ history = 2 }):restore(state)
    local fewer = { list[1] }
    at_caller(function() other:step(fewer, nil, squares.of(fewer)) end,
      "none of the parameters is named")
  end)

  it("refuses what it cannot step over, or without an evaluation", function()
    local list, optimizer = squares.own_list(pl.float64), pl.lbfgs()
    local evaluate = squares.of(list)
    at_caller(function() optimizer:step(list) end,
      "lbfgs: evaluate expected, step(parameters, rate, evaluate), a function that computes J")
    at_caller(function() optimizer:step(list, -1, evaluate) end,
      "rate: a finite number of 0 or more expected, got -1")
    at_caller(function() optimizer:step(7, nil, evaluate) end, "a list of parameters expected")
    at_caller(function() optimizer:step(list, nil, function() end) end,
      "lbfgs: a number J expected from evaluate, got nil")
    list[3].value, list[3].gradient = pl.matrix(3, 4), pl.matrix(3, 4)
    at_caller(function() optimizer:step(list, nil, evaluate) end,
      "lbfgs: parameters of one type expected, '1.W' is of float64 and '2.b' of float32")
    at_caller(function() optimizer:check_parameters(7) end, "a list of parameters expected")
  end)

  it("steps over no parameters at all", function()
    local optimizer = pl.lbfgs()
    optimizer:step({}, nil, function() return 0 end)
    assert.equal(1, optimizer.steps)
  end)

  it("trains a network that is frozen, which stays as it is", function()
    local data = pl.dataset { X = pl.matrix(3, 4):fill(1), T = pl.matrix(2, 4) }
    for kind in pairs(kinds) do
      local net = pl.network { inputs = 3, pl.dense(2, nil, { frozen = true }) }
      local before = net.layers[1].W:copy()
      pl.fit(net, data, { loss = "squared_error", optimizer = kind, epochs = 2 })
      naive.near(net.layers[1].W, before:totable(), 0)
    end
  end)

  it("shows its name and its rate", function()
    assert.equal("lbfgs, rate 1", tostring(pl.lbfgs()))
  end)
end)
