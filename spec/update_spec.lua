-- The optimisers' steps against their published formulas as loops, over several steps.

local naive = require "spec.support.naive"

local near, random, refuses = naive.near, naive.random, naive.refuses
local nan, infinity = naive.nan, naive.infinity

local STEPS = 6
local shapes = { { 1, 1 }, { 1, 17 }, { 33, 7 } }

-- The formulas, in double, of one number each: state.v and state.m begin as 0.
local formula = {}

function formula.sgd(p, g, _, o)
  return p - o.rate * (g + o.decay * p)
end

function formula.momentum(p, g, state, o)
  local d = g + o.decay * p
  state.v = o.mu * state.v + d
  return p - o.rate * (o.nesterov and d + o.mu * state.v or state.v)
end

function formula.adam(p, g, state, o, step)
  state.m = o.beta1 * state.m + (1 - o.beta1) * g
  state.v = o.beta2 * state.v + (1 - o.beta2) * g ^ 2
  local m = state.m / (1 - o.beta1 ^ step)
  local v = state.v / (1 - o.beta2 ^ step)
  return p - o.rate * o.decay * p - o.rate * m / (math.sqrt(v) + o.epsilon)
end

-- The calls of the primitives with the same options
local call = {}

function call.sgd(core, p, g, _, o)
  return core.sgd_update(p, g, o.rate, o.decay)
end

function call.momentum(core, p, g, state, o)
  return core.momentum_update(p, g, state.v, o.rate, o.mu, o.nesterov, o.decay)
end

function call.adam(core, p, g, state, o, step)
  return core.adam_update(p, g, state.m, state.v, o.rate, o.beta1, o.beta2, o.epsilon,
    step, o.decay)
end

local cases = {
  { "sgd", { rate = 0.1, decay = 0 }, "sgd" },
  { "sgd", { rate = 0.1, decay = 0.05 }, "sgd with weight decay" },
  { "momentum", { rate = 0.1, mu = 0.9, decay = 0 }, "momentum" },
  { "momentum", { rate = 0.1, mu = 0, decay = 0 }, "momentum of 0" },
  { "momentum", { rate = 0.1, mu = 0.9, decay = 0.05 }, "momentum with weight decay" },
  { "momentum", { rate = 0.1, mu = 0.9, nesterov = true, decay = 0 },
    "Nesterov momentum" },
  { "momentum", { rate = 0.1, mu = 0.8, nesterov = true, decay = 0.05 },
    "Nesterov momentum with weight decay" },
  { "adam", { rate = 0.01, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, decay = 0 },
    "Adam" },
  { "adam", { rate = 0.01, beta1 = 0, beta2 = 0, epsilon = 1e-3, decay = 0 },
    "Adam without memory" },
  { "adam", { rate = 0.01, beta1 = 0.8, beta2 = 0.99, epsilon = 1e-8, decay = 0.1 },
    "Adam with decoupled weight decay" },
  { "adam", { rate = 0.01, beta1 = 0.9, beta2 = 0.999, epsilon = 0.1, decay = 0 },
    "Adam with a large epsilon" },
}

for _, name in ipairs(naive.types) do
  local core = require("perilune.core." .. name)
  local other = require("perilune.core." .. naive.other[name])
  local tolerance = naive.tolerance[name]

  -- p after some steps, and its state, by the primitive
  local function run(case, rows, cols, order, steps)
    local p = random(core, 1, rows, cols, order)
    local state = {
      m = core.matrix(rows, cols, order), v = core.matrix(rows, cols, order),
    }
    for step = 1, steps or STEPS do
      local g = random(core, 10 + step, rows, cols, order)
      assert.equal(p, call[case[1]](core, p, g, state, case[2], step))
    end
    return p, state
  end

  describe("the update in " .. name .. " of", function()
    for _, case in ipairs(cases) do
      local method, o, title = table.unpack(case)

      it(title .. " follows its formula over several steps", function()
        for _, shape in ipairs(shapes) do
          local rows, cols = table.unpack(shape)
          local expected = random(core, 1, rows, cols):totable()
          local states = naive.build(rows, cols, function() return { m = 0, v = 0 } end)
          for step = 1, STEPS do
            local g = random(core, 10 + step, rows, cols):totable()
            expected = naive.build(rows, cols, function(i, j)
              return formula[method](expected[i][j], g[i][j], states[i][j], o, step)
            end)
          end
          local p, state = run(case, rows, cols)
          near(p, expected, tolerance)
          if method ~= "sgd" then
            near(state.v, naive.zip(function(s) return s.v end, states), tolerance)
          end
          if method == "adam" then
            near(state.m, naive.zip(function(s) return s.m end, states), tolerance)
          end
        end
      end)

      it(title .. " is the same for parameters stored by rows", function()
        near(run(case, 33, 7, "rows"), run(case, 33, 7):totable(), tolerance)
      end)

      it(title .. " gives the same bits whatever the number of threads", function()
        local before = core.threads()
        core.threads(1)
        local one = run(case, 333, 301, nil, 2):encode(name)
        core.threads(3)
        local three = run(case, 333, 301, nil, 2):encode(name)
        core.threads(before)
        assert.is_true(one == three)
      end)

      it(title .. " leaves the gradient as it is", function()
        local p, g = random(core, 1, 5, 5), random(core, 2, 5, 5)
        call[method](core, p, g, { m = core.matrix(5, 5), v = core.matrix(5, 5) }, o, 1)
        near(g, random(core, 2, 5, 5):totable(), 0)
      end)

      it(title .. " lets NaN in the gradient through to its parameter alone", function()
        local p, g = random(core, 1, 5, 5), random(core, 2, 5, 5):set(4, 2, nan)
        call[method](core, p, g, { m = core.matrix(5, 5), v = core.matrix(5, 5) }, o, 1)
        assert.is_true(p:get(4, 2) ~= p:get(4, 2))
        assert.is_true(p:set(4, 2, 0):is_finite())
      end)

      it(title .. " refuses a rate that is negative or not finite", function()
        local p, g = random(core, 1, 5, 5), random(core, 2, 5, 5)
        local state = { m = random(core, 3, 5, 5), v = random(core, 4, 5, 5) }
        for _, bad in ipairs { nan, -1e-3, infinity, -infinity } do
          local options = setmetatable({ rate = bad }, { __index = o })
          local function step() call[method](core, p, g, state, options, 1) end
          for _, M in ipairs { p, state.m, state.v } do
            refuses(M, "finite number >= 0 expected", step)
          end
          options = setmetatable({ decay = bad }, { __index = o })
          refuses(p, "finite number >= 0 expected", step)
        end
      end)

      it(title .. " with rate 0 moves nothing", function()
        local p, g = random(core, 1, 5, 5), random(core, 2, 5, 5)
        local before = p:totable()
        local options = setmetatable({ rate = 0 }, { __index = o })
        local state = { m = core.matrix(5, 5), v = core.matrix(5, 5) }
        call[method](core, p, g, state, options, 1)
        near(p, before, 0)
      end)

      it(title .. " may flush denormal state, but no more", function()
        local tiny = name == "float32" and 1e-41 or 1e-310
        local p, q = random(core, 1, 5, 5), random(core, 1, 5, 5)
        local g = random(core, 2, 5, 5)
        local denormal = {
          m = core.matrix(5, 5):fill(tiny), v = core.matrix(5, 5):fill(tiny),
        }
        local zero = { m = core.matrix(5, 5), v = core.matrix(5, 5) }
        for step = 1, 3 do
          call[method](core, p, g, denormal, o, step)
          call[method](core, q, g, zero, o, step)
        end
        near(p, q:totable(), tolerance)
        near(denormal.v, zero.v:totable(), tolerance)
      end)
    end

    it("Adam first moves by the rate, whatever the gradient's size", function()
      -- m^ = g and sqrt(v^) = |g|: what the bias correction is for
      for _, size in ipairs { 1e-3, 1, 1e3 } do
        local p = core.matrix(1, 2)
        local g = core.matrix { { size, -size } }
        local m, v = core.matrix(1, 2), core.matrix(1, 2)
        core.adam_update(p, g, m, v, 0.01, 0.9, 0.999, 1e-10, 1)
        near(p, { { -0.01, 0.01 } }, 1e-6)
      end
    end)

    it("Adam's bias correction is exact for betas near 1", function()
      -- v = (1 - beta2) g^2 has to be what 1 - beta2^1 corrects; as a float 1 - 1e-8 is 1
      for _, beta2 in ipairs { 0.99, 0.999, 0.9999, 1 - 1e-8 } do
        for _, beta1 in ipairs { 0.9, 0.999, 1 - 1e-8 } do
          local p, m, v = core.matrix(1, 1), core.matrix(1, 1), core.matrix(1, 1)
          core.adam_update(p, core.matrix(1, 1):fill(3), m, v, 1, beta1, beta2, 1e-12, 1)
          near(p, { { -1 } }, 1e-6)
        end
      end
    end)

    it("Adam with betas of 0 moves by the rate at every step", function()
      -- g after one a hundred thousand times as large: nothing of the old state may stay
      local p, m, v = core.matrix(1, 1), core.matrix(1, 1), core.matrix(1, 1)
      for step, g in ipairs { 1, 1e-5, 1 } do
        core.adam_update(p, core.matrix { { g } }, m, v, 0.01, 0, 0, 1e-30, step)
        near(p, { { -0.01 * step } }, tolerance)
      end
    end)

    it("Adam leaves parameters without gradient, whatever the epsilon", function()
      for _, epsilon in ipairs { 1e-8, 1e-30, 1e-44, 1e-300 } do
        local p = random(core, 1, 1, 5)
        local before = p:totable()
        local g, m, v = core.matrix(1, 5), core.matrix(1, 5), core.matrix(1, 5)
        core.adam_update(p, g, m, v, 0.01, 0.9, 0.999, epsilon, 1)
        near(p, before, 0)
      end
    end)

    it("a rate beyond the type's range makes no NaN of a gradient of 0", function()
      -- refused or not: 1e39 is a finite number, but infinite as a float
      local p = random(core, 1, 1, 5)
      local before = p:totable()
      pcall(function() core.sgd_update(p, core.matrix(1, 5), 1e39) end)
      near(p, before, 0)
    end)

    it("a step over views of one vector moves their elements alone", function()
      local theta, g = random(core, 1, 40, 1), random(core, 2, 40, 1)
      local expected = theta:totable()
      for i = 11, 30 do expected[i][1] = expected[i][1] - 0.5 * g:get(i, 1) end
      core.sgd_update(theta:view(11, 4, 5), g:view(11, 4, 5), 0.5)
      near(theta, expected, tolerance)
    end)

    it("fractions outside [0, 1), epsilon 0 and step 0 are refused", function()
      local p, g = random(core, 1, 5, 5), random(core, 2, 5, 5)
      local m, v = core.matrix(5, 5), core.matrix(5, 5)
      for _, bad in ipairs { 1, -0.1, nan, infinity } do
        refuses(p, "#5 .*number in %[0, 1%) expected",
          function() core.momentum_update(p, g, v, 0.1, bad) end)
        refuses(p, "#6 .*number in %[0, 1%) expected",
          function() core.adam_update(p, g, m, v, 0.1, bad, 0.9, 1e-8, 1) end)
        refuses(p, "#7 .*number in %[0, 1%) expected",
          function() core.adam_update(p, g, m, v, 0.1, 0.9, bad, 1e-8, 1) end)
      end
      refuses(p, "#8 .*number > 0 expected",
        function() core.adam_update(p, g, m, v, 0.1, 0.9, 0.9, 0, 1) end)
      refuses(p, "#8 .*expected",
        function() core.adam_update(p, g, m, v, 0.1, 0.9, 0.9, nan, 1) end)
      refuses(p, "#9 .*step >= 1 expected",
        function() core.adam_update(p, g, m, v, 0.1, 0.9, 0.9, 1e-8, 0) end)
      refuses(p, "#9 .*number has no integer representation",
        function() core.adam_update(p, g, m, v, 0.1, 0.9, 0.9, 1e-8, 1.5) end)
      refuses(p, "#3 .*number expected, got no value",
        function() core.sgd_update(p, g) end)
    end)

    it("names the shape it expected and the one it got, and writes nothing", function()
      local p, g = random(core, 1, 3, 4), random(core, 2, 3, 4)
      local m, v = random(core, 3, 3, 4), random(core, 4, 3, 4)
      local wrong = core.matrix(4, 3)
      refuses(p, "#2 to 'sgd_update' %(3 x 4 matrix expected, got 4 x 3%)",
        function() core.sgd_update(p, wrong, 0.1) end)
      refuses(p, "#3 to 'momentum_update' %(3 x 4 matrix expected, got 4 x 3%)",
        function() core.momentum_update(p, g, wrong, 0.1, 0.9) end)
      refuses(m, "#4 to 'adam_update' %(3 x 4 matrix expected, got 4 x 3%)",
        function() core.adam_update(p, g, m, wrong, 0.1, 0.9, 0.9, 1e-8, 1) end)
      refuses(v, "#3 to 'adam_update' %(3 x 4 matrix expected, got 4 x 3%)",
        function() core.adam_update(p, g, wrong, v, 0.1, 0.9, 0.9, 1e-8, 1) end)
    end)

    it("refuses mixed types, other storage and overlapping matrices", function()
      local p, g = random(core, 1, 3, 4), random(core, 2, 3, 4)
      local v = random(core, 3, 3, 4)
      refuses(p, "#2 .*" .. naive.mixed(name, "perilune.matrix." .. other.name),
        function() core.sgd_update(p, other.matrix(3, 4), 0.1) end)
      refuses(p, "#3 .*" .. naive.mixed(name, "perilune.matrix." .. other.name),
        function() core.momentum_update(p, g, other.matrix(3, 4), 0.1, 0.9) end)
      refuses(p, "#2 .*matrix stored in the order of argument #1 expected",
        function() core.sgd_update(p, g:copy("rows"), 0.1) end)
      refuses(p, "#2 .*must not share memory with argument #1",
        function() core.sgd_update(p, p, 0.1) end)
      refuses(v, "#3 .*must not share memory with argument #2",
        function() core.momentum_update(p, v, v, 0.1, 0.9) end)
      refuses(v, "#4 .*must not share memory with argument #3",
        function() core.adam_update(p, g, v, v, 0.1, 0.9, 0.9, 1e-8, 1) end)
    end)
  end)

  describe("the caller's floating-point state in " .. name, function()
    local function denormals_live()
      -- variables, so that nothing is computed by the compiler
      local smallest, one = 5e-324, 1
      return smallest * one ~= 0 and smallest + smallest == 1e-323
        and 2.0 ^ -1022 / (2 * one) > 0
    end

    it("keeps its denormals after every kind of call, refused ones too", function()
      local p, g = random(core, 1, 200, 200), random(core, 2, 200, 200)
      local v, C = core.matrix(200, 200), core.matrix(200, 200)
      local b = core.matrix(200, 1)
      local before = core.threads()
      for _, threads in ipairs { 1, 3 } do
        core.threads(threads)
        for _, f in ipairs {
          function() core.sgd_update(p, g, 0.1) end,
          function() core.momentum_update(p, g, v, 0.1, 0.9) end,
          function() core.adam_update(p, g, C, v, 0.1, 0.9, 0.99, 1e-8, 1) end,
          function() core.product(C, p, g) end,
          function() core.affine_forward(C, p, g, b) end,
          function() core.affine_gradients(C, b, p, g) end,
          function() core.activations.tanh.forward(C, p) end,
          function() core.activations.softmax.backward(C, p, g, v) end,
          function() core.squared_error(C, p, g) end,
          function() core.softmax_cross_entropy(C, p, g) end,
          function() core.exp(C, p) end,
          function() core.sum_columns(b, p) end,
          function() pcall(core.product, C, p, b) end,
          function() return p * g + b, -p, p:sum(), p:norm() end,
        } do
          f()
          assert.is_true(denormals_live())
        end
      end
      core.threads(before)
    end)
  end)
end
