-- Muon: its steps against loops over tables of rows, what it makes of singular values, and which
-- parameters take which steps.

local at_caller = require("spec.support.misuse").at_caller
local memory = require "spec.support.memory"
local naive = require "spec.support.naive"
local pl = require "perilune"
local rules = require "spec.support.rules"
local support = require "spec.support.parameters"

local assert_same, assert_same_state = support.assert_same, support.assert_same_state
local core = pl.float64

local A, B, C = 3.4445, -4.7750, 2.0315

-- Newton and Schulz from the left, whatever the shape; wide matrices alone make the cheaper product
local function orthogonalized(G, iterations)
  local squares = 0
  for _, row in ipairs(G) do
    for _, x in ipairs(row) do squares = squares + x * x end
  end
  local X = naive.scale(1 / (math.sqrt(squares) + 1e-7), G)
  for _ = 1, iterations do
    local S = naive.product(X, X, "NT")
    local P = naive.zip(function(s, t) return B * s + C * t end, S, naive.product(S, S))
    X = naive.zip(function(x, y) return A * x + y end, X, naive.product(P, X))
  end
  return X
end

-- One step of W, by rows, whose velocity is kept.v
local function expected_step(o, W, G, kept)
  local v = kept.v or naive.fill(#W, #W[1], 0)
  kept.v = naive.zip(function(a, g) return o.momentum * a + g end, v, G)
  local along = kept.v
  if o.nesterov then
    along = naive.zip(function(g, a) return g + o.momentum * a end, G, kept.v)
  end
  local scale = o.rate * math.sqrt(math.max(1, #W / #W[1]))
  return naive.zip(function(w, x) return w * (1 - o.rate * o.weight_decay) - scale * x end, W,
    orthogonalized(along, o.iterations))
end

local defaults = {
  rate = 0.02, momentum = 0.95, nesterov = true, iterations = 5, weight_decay = 0,
  orthogonal = true, adam_rate = 3e-4, beta1 = 0.9, beta2 = 0.95, epsilon = 1e-10,
}

local function options_of(given)
  return setmetatable(given, { __index = defaults })
end

local function list_of(rows, cols, order)
  return { {
    name = "W", value = naive.random(core, 1, rows, cols, order),
    gradient = core.matrix(rows, cols, order),
  } }
end

describe("muon", function()
  it("has the documented defaults", function()
    assert.same(defaults, pl.muon().options)
  end)

  for _, given in ipairs {
    {}, { nesterov = false, momentum = 0.5 }, { iterations = 1 }, { iterations = 6, rate = 0.3 },
    { weight_decay = 0.5, rate = 0.1 }, { momentum = 0 },
  } do
    local words = {}
    for name, value in pairs(given) do words[#words + 1] = ("%s = %s"):format(name, value) end
    table.sort(words)
    it(("steps as its formula says { %s }"):format(table.concat(words, ", ")), function()
      for _, shape in ipairs { { 4, 7 }, { 7, 4 }, { 5, 5 }, { 2, 30 }, { 30, 2 } } do
        for _, order in ipairs { "columns", "rows" } do
          local list = list_of(shape[1], shape[2], order)
          local expected, kept = list[1].value:totable(), {}
          local optimizer = pl.muon(given)
          for step = 1, 5 do
            list[1].gradient:assign(naive.random(core, 10 + step, shape[1], shape[2]))
            optimizer:step(list)
            expected = expected_step(options_of(given), expected, list[1].gradient:totable(), kept)
          end
          naive.near(list[1].value, expected, 1e-10)
          naive.near(optimizer:state().tensors.W.v, kept.v, 1e-12)
        end
      end
    end)
  end

  it("brings singular values near 1, however different they are", function()
    -- the gradient is diagonal, its elements are its singular values, and the step is too
    local list = { { name = "W", value = core.matrix(6, 6), gradient = core.matrix(6, 6) } }
    for k = 1, 6 do list[1].gradient:set(k, k, 0.6 ^ k * (-1) ^ k) end
    pl.muon({ rate = 1 }):step(list)
    for i = 1, 6 do
      for j = 1, 6 do
        local w = list[1].value:get(i, j)
        if i ~= j then
          assert.near(0, w, 1e-15)
        else
          assert.is_true(math.abs(w) > 0.65 and math.abs(w) < 1.25)
          assert.equal(i % 2 == 1, w > 0)
        end
      end
    end
  end)

  it("does not move a matrix without gradient", function()
    local list = list_of(3, 4)
    local before = support.values(list)
    pl.muon():step(list)
    assert_same(before, list)
  end)

  it("finds the optimum of a sum of squares, at a falling rate", function()
    local W, optimum = core.matrix(6, 4), naive.random(core, 2, 6, 4)
    local G = core.matrix(6, 4)
    local optimizer = pl.muon()
    for step = 1, 400 do
      core.subtract(G, W, optimum)
      optimizer:step({ { name = "W", value = W, gradient = G } }, 0.1 * (1 - step / 401) ^ 2)
    end
    assert.is_true((W - optimum):norm() < 1e-3)
  end)

  it("steps as AdamW over vectors, and matrices of groups that ask for it", function()
    local given = { weight_decay = 0.5, groups = {
      { match = "^1%.", orthogonal = false }, { match = "^2%.b", rate = 0.1, weight_decay = 0.25 },
      { match = "^3%.", orthogonal = false, rate = 0.01, beta1 = 0.5 },
    } }
    local list, expected = {}, {}
    for k, parameter in ipairs {
      { "1.W", 3, 4, 3e-4, 0.9, 0.5 }, { "2.W", 3, 4 }, { "2.b", 3, 1, 0.1, 0.9, 0.25 },
      { "3.W", 4, 3, 0.01, 0.5, 0.5 }, { "4.scale", 1, 3, 3e-4, 0.9, 0 },
    } do
      local name, rows, cols, rate, beta1, decay = table.unpack(parameter)
      list[k] = { name = name, value = naive.random(core, k, rows, cols),
        gradient = naive.random(core, 9 + k, rows, cols), decays = name:find "W" ~= nil }
      local o = options_of { rate = rate, beta1 = beta1, weight_decay = decay }
      local value, G = list[k].value:totable(), list[k].gradient:totable()
      if name == "2.W" then
        expected[k] = expected_step(options_of { weight_decay = 0.5 }, value, G, {})
      else
        expected[k] = naive.zip(function(p, g) return rules.adam(o, p, g, {}, 1) end, value, G)
      end
    end
    pl.muon(given):step(list)
    for k, parameter in ipairs(list) do naive.near(parameter.value, expected[k], 1e-12) end
  end)

  it("multiplies all its rates where a step is given one", function()
    local optimizer = pl.muon { rate = 0.1, adam_rate = 0.5 }
    local b = core.matrix(2, 1)
    optimizer:step({ { name = "b", value = b, gradient = core.matrix(2, 1):fill(7) } }, 0.02)
    naive.near(b, { { -0.1 }, { -0.1 } }, 1e-9)
  end)

  it("keeps a velocity for matrices and Adam's moments for the rest", function()
    local optimizer = pl.muon { groups = { { match = "^1", orthogonal = false } } }
    local net = pl.network { inputs = 3, pl.dense(4), pl.dense(2) }
    optimizer:step(net:parameters())
    local names = {}
    for name, kept in pairs(optimizer:state().tensors) do
      local keys = {}
      for key in pairs(kept) do keys[#keys + 1] = key end
      table.sort(keys)
      names[name] = table.concat(keys, " ")
    end
    assert.same({ ["1.W"] = "m v", ["1.b"] = "m v", ["2.W"] = "v", ["2.b"] = "m v" }, names)
  end)

  it("gives the same for parameters in flat vectors and one by one, in both types", function()
    for _, dtype in ipairs(naive.types) do
      local X, Y = support.network(pl[dtype]), support.network(pl[dtype])
      local one_by_one = table.move(Y:parameters(), 1, #Y:parameters(), 1, {})
      support.run(pl.muon(), X:parameters(), 1, 2)
      support.run(pl.muon(), one_by_one, 1, 2)
      assert_same(support.values(X:parameters()), one_by_one)
    end
  end)

  it("steps over matrices of one shape in both types", function()
    local list, expected = {}, {}
    for k, dtype in ipairs(naive.types) do
      list[k] = { name = dtype, value = naive.random(pl[dtype], 1, 4, 3),
        gradient = naive.random(pl[dtype], 2, 4, 3) }
      expected[k] = expected_step(defaults, list[k].value:totable(), list[k].gradient:totable(), {})
    end
    pl.muon():step(list)
    for k, dtype in ipairs(naive.types) do
      naive.near(list[k].value, expected[k], naive.tolerance[dtype])
    end
  end)

  it("gives the same bits whatever the number of threads", function()
    local before = core.threads()
    local values = {}
    for _, threads in ipairs { 1, 3 } do
      core.threads(threads)
      local net = support.network(pl.float32)
      support.run(pl.muon(), net:parameters(), 1, 2)
      values[#values + 1] = support.values(net:parameters())
      if threads == 3 then assert_same(values[1], net:parameters()) end
    end
    core.threads(before)
  end)

  it("allocates nothing in a step", function()
    local net = support.network(pl.float32)
    local optimizer = pl.muon()
    support.run(optimizer, net:parameters(), 1, 2)
    assert.equal(0, memory.allocated(function()
      for _ = 1, 5 do optimizer:step(net:parameters(), 0.01) end
    end))
  end)

  it("changes nothing where a product raises, in the first step or later", function()
    -- as it does where there is no room for OpenBLAS
    local net = pl.network({ inputs = 3, pl.dense(4), pl.dense(2) }, { dtype = "float64" })
    local optimizer, product = pl.muon(), core.product
    for step = 1, 2 do
      support.set_gradients(net:parameters(), step)
      local before, state = support.values(net:parameters()), optimizer:state()
      local calls = 0
      core.product = function(...)
        calls = calls + 1
        if calls == 17 then error("no room", 0) end -- in the second layer
        return product(...)
      end
      local ok, message = pcall(optimizer.step, optimizer, net:parameters())
      core.product = product
      assert.same({ false, "no room" }, { ok, message })
      assert_same(before, net:parameters())
      assert_same_state(state, optimizer:state())
      optimizer:step(net:parameters())
    end
  end)

  it("refuses a state whose matrices took other steps", function()
    local function parameters() return pl.network({ inputs = 3, pl.dense(4) }):parameters() end
    local orthogonal, list = pl.muon(), parameters()
    orthogonal:step(list)
    local other = pl.muon { groups = { { match = "W", orthogonal = false } } }
    at_caller(function() other:restore(orthogonal:state()) end,
      "state of the optimiser: a matrix 'm' expected for parameter \"1.W\", got nil")
    other:step(parameters())
    at_caller(function() orthogonal:restore(other:state()) end,
      "state of another kind of optimiser: \"m\" of parameter \"1.W\" is not kept here")
  end)

  it("refuses options out of their range", function()
    at_caller(function() local _ = pl.muon { rate = 0 } end,
      "muon: rate: a number of at most 1e+38 and above 0 expected, got 0")
    at_caller(function() local _ = pl.muon { iterations = 0 } end,
      "muon: iterations: a whole number of 1 or more expected, got 0")
    at_caller(function() local _ = pl.muon { momentum = 1 } end, "muon: momentum: ")
  end)
end)
