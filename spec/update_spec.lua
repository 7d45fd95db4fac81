-- The optimisers' steps against their published formulas as loops, over several steps.

local naive = require "spec.support.naive"
local rules = require "spec.support.rules"

local near, random, refuses = naive.near, naive.random, naive.refuses
local nan, infinity = naive.nan, naive.infinity

local STEPS = 6
local shapes = { { 1, 1 }, { 1, 17 }, { 33, 7 } }

-- The calls of the primitives with the options of the rules, by whose names of what is kept they
-- know `kept`
local call = {}

function call.sgd(core, p, g, _, o)
  return core.sgd_update(p, g, o.rate, o.weight_decay)
end

function call.momentum(core, p, g, kept, o)
  return core.momentum_update(p, g, kept.v, o.rate, o.momentum, o.nesterov, o.weight_decay)
end

function call.lion(core, p, g, kept, o)
  return core.lion_update(p, g, kept.m, o.rate, o.beta1, o.beta2, o.weight_decay)
end

function call.adam(core, p, g, kept, o, step)
  return core.adam_update(p, g, kept.m, kept.v, o.rate, o.beta1, o.beta2, o.epsilon, step,
    o.weight_decay)
end

function call.amsgrad(core, p, g, kept, o, step)
  return core.amsgrad_update(p, g, kept.m, kept.v, kept.largest, o.rate, o.beta1, o.beta2,
    o.epsilon, step, o.weight_decay)
end

function call.adamax(core, p, g, kept, o, step)
  return core.adamax_update(p, g, kept.m, kept.u, o.rate, o.beta1, o.beta2, o.epsilon, step,
    o.weight_decay)
end

function call.nadam(core, p, g, kept, o, step)
  local mu = o.beta1 / 2 -- without a decay of the momentum
  return core.nadam_update(p, g, kept.m, kept.v, o.rate, o.beta1, o.beta2, o.epsilon, step,
    (1 - mu) / (1 - mu ^ step), mu / (1 - mu ^ (step + 1)), o.weight_decay)
end

function call.adagrad(core, p, g, kept, o)
  return core.adagrad_update(p, g, kept.v, o.rate, o.epsilon, o.weight_decay)
end

function call.adadelta(core, p, g, kept, o)
  return core.adadelta_update(p, g, kept.v, kept.d, o.rate, o.rho, o.epsilon, o.weight_decay)
end

function call.rmsprop(core, p, g, kept, o)
  return core.rmsprop_update(p, g, kept.v, o.centered and kept.m or nil,
    o.momentum > 0 and kept.w or nil, o.rate, o.alpha, o.epsilon, o.momentum, o.weight_decay)
end

for _, rule in ipairs { "rprop", "rprop_minus", "rprop_plus" } do
  call[rule] = function(core, p, g, kept, o)
    return core[rule .. "_update"](p, g, kept.before, kept.length, o.rate, o.eta_minus,
      o.eta_plus, o.step_min, o.step_max)
  end
end

local adams = { rate = 0.01, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0,
  momentum_decay = 0 }
local adagrads = { rate = 0.1, epsilon = 1e-10, rate_decay = 0, initial_accumulator = 0,
  weight_decay = 0 }
local rmsprops = { rate = 0.01, alpha = 0.9, epsilon = 1e-8, momentum = 0, weight_decay = 0 }
local rprops = { rate = 0.05, eta_minus = 0.5, eta_plus = 1.2, step_min = 1e-6, step_max = 50 }

local function with(defaults, options)
  return setmetatable(options, { __index = defaults })
end

-- Rule, options, title, and the names of what is compared of what it keeps
local cases = {
  { "sgd", { rate = 0.1, weight_decay = 0 }, "sgd", {} },
  { "sgd", { rate = 0.1, weight_decay = 0.05 }, "sgd with weight decay", {} },
  { "momentum", { rate = 0.1, momentum = 0.9, weight_decay = 0 }, "momentum", { "v" } },
  { "momentum", { rate = 0.1, momentum = 0, weight_decay = 0 }, "momentum of 0", { "v" } },
  { "momentum", { rate = 0.1, momentum = 0.9, weight_decay = 0.05 },
    "momentum with weight decay", { "v" } },
  { "momentum", { rate = 0.1, momentum = 0.9, nesterov = true, weight_decay = 0 },
    "Nesterov momentum", { "v" } },
  { "momentum", { rate = 0.1, momentum = 0.8, nesterov = true, weight_decay = 0.05 },
    "Nesterov momentum with weight decay", { "v" } },
  { "lion", { rate = 0.1, beta1 = 0.9, beta2 = 0.99, weight_decay = 0 }, "Lion", { "m" } },
  { "lion", { rate = 0.1, beta1 = 0.5, beta2 = 0.8, weight_decay = 0.1 },
    "Lion with weight decay", { "m" } },
  { "adam", adams, "Adam", { "m", "v" } },
  { "adam", with(adams, { beta1 = 0, beta2 = 0, epsilon = 1e-3 }), "Adam without memory",
    { "m", "v" } },
  { "adam", with(adams, { beta1 = 0.8, beta2 = 0.99, weight_decay = 0.1 }),
    "Adam with decoupled weight decay", { "m", "v" } },
  { "adam", with(adams, { epsilon = 0.1 }), "Adam with a large epsilon", { "m", "v" } },
  { "amsgrad", with(adams, { beta2 = 0.5 }), "AMSGrad", { "m", "v", "largest" } },
  { "amsgrad", with(adams, { beta2 = 0.3, weight_decay = 0.1 }),
    "AMSGrad with decoupled weight decay", { "m", "v", "largest" } },
  { "adamax", adams, "AdaMax", { "m", "u" } },
  { "adamax", with(adams, { beta2 = 0.5, weight_decay = 0.1, epsilon = 0.1 }),
    "AdaMax with weight decay", { "m", "u" } },
  { "nadam", adams, "NAdam", { "m", "v" } },
  { "nadam", with(adams, { beta1 = 0.8, beta2 = 0.9, weight_decay = 0.1 }),
    "NAdam with weight decay", { "m", "v" } },
  { "adagrad", adagrads, "AdaGrad", { "v" } },
  { "adagrad", with(adagrads, { epsilon = 0.1, weight_decay = 0.1 }),
    "AdaGrad with weight decay", { "v" } },
  { "adadelta", { rate = 1, rho = 0.9, epsilon = 1e-6, weight_decay = 0 }, "AdaDelta",
    { "v", "d" } },
  { "adadelta", { rate = 0.5, rho = 0.5, epsilon = 1e-3, weight_decay = 0.1 },
    "AdaDelta with weight decay", { "v", "d" } },
  { "rmsprop", rmsprops, "RMSprop", { "v" } },
  { "rmsprop", with(rmsprops, { weight_decay = 0.1, momentum = 0.5 }),
    "RMSprop with momentum and weight decay", { "v", "w" } },
  { "rmsprop", with(rmsprops, { centered = true, epsilon = 1e-3 }), "centered RMSprop",
    { "v", "m" } },
  { "rmsprop", with(rmsprops, { centered = true, epsilon = 1e-3, momentum = 0.9 }),
    "centered RMSprop with momentum", { "v", "m", "w" } },
  { "rprop", rprops, "Rprop", { "before", "length" } },
  { "rprop", with(rprops, { eta_minus = 0.3, eta_plus = 2, step_min = 0.02, step_max = 0.15 }),
    "Rprop between narrow limits", { "before", "length" } },
  { "rprop_minus", with(rprops, { rate = 0.3 }), "Rprop-", { "before", "length" } },
  { "rprop_plus", with(rprops, { rate = 0.3 }), "Rprop+", { "before", "length" } },
  { "rprop_plus", with(rprops, { rate = 0.3, step_min = 0.02, step_max = 0.4 }),
    "Rprop+ between narrow limits", { "before", "length" } },
}

local KEPT = { "m", "v", "u", "d", "w", "largest", "before", "length" }

local function new_kept(core, rows, cols, order, x)
  local kept = {}
  for _, key in ipairs(KEPT) do
    kept[key] = core.matrix(rows, cols, order):fill(x or 0)
  end
  return kept
end

for _, name in ipairs(naive.types) do
  local core = require("perilune.core." .. name)
  local other = require("perilune.core." .. naive.other[name])
  local tolerance = naive.tolerance[name]

  -- p after some steps, and its state, by the primitive
  local function run(case, rows, cols, order, steps)
    local p = random(core, 1, rows, cols, order)
    local kept = new_kept(core, rows, cols, order)
    for step = 1, steps or STEPS do
      local g = random(core, 10 + step, rows, cols, order)
      assert.equal(p, call[case[1]](core, p, g, kept, case[2], step))
    end
    return p, kept
  end

  describe("the update in " .. name .. " of", function()
    for _, case in ipairs(cases) do
      local rule, o, title, compared = table.unpack(case)

      it(title .. " follows its formula over several steps", function()
        for _, shape in ipairs(shapes) do
          local rows, cols = table.unpack(shape)
          local expected = random(core, 1, rows, cols):totable()
          local kept = naive.build(rows, cols, function() return {} end)
          for step = 1, STEPS do
            local g = random(core, 10 + step, rows, cols):totable()
            expected = naive.build(rows, cols, function(i, j)
              return rules[rule](o, expected[i][j], g[i][j], kept[i][j], step)
            end)
          end
          local p, matrices = run(case, rows, cols)
          near(p, expected, tolerance)
          for _, key in ipairs(compared) do
            near(matrices[key], naive.zip(function(all) return all[key] end, kept), tolerance)
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
        call[rule](core, p, g, new_kept(core, 5, 5), o, 1)
        near(g, random(core, 2, 5, 5):totable(), 0)
      end)

      it(title .. " lets NaN in the gradient through to its parameter alone", function()
        local p, g = random(core, 1, 5, 5), random(core, 2, 5, 5):set(4, 2, nan)
        call[rule](core, p, g, new_kept(core, 5, 5), o, 1)
        assert.is_true(p:get(4, 2) ~= p:get(4, 2))
        assert.is_true(p:set(4, 2, 0):is_finite())
      end)

      it(title .. " refuses a rate that is negative or not finite", function()
        local p, g = random(core, 1, 5, 5), random(core, 2, 5, 5)
        local kept = new_kept(core, 5, 5, nil, 0.25)
        for _, bad in ipairs { nan, -1e-3, infinity, -infinity } do
          local options = with(o, { rate = bad })
          local function step() call[rule](core, p, g, kept, options, 1) end
          refuses(p, "finite number >= 0 expected", step)
          for _, key in ipairs(compared) do
            refuses(kept[key], "finite number >= 0 expected", step)
          end
          if o.weight_decay then
            options = with(o, { weight_decay = bad })
            refuses(p, "finite number >= 0 expected", step)
          end
        end
      end)

      it(title .. " with rate 0 moves nothing", function()
        local p, g = random(core, 1, 5, 5), random(core, 2, 5, 5)
        local before = p:totable()
        call[rule](core, p, g, new_kept(core, 5, 5), with(o, { rate = 0 }), 1)
        near(p, before, 0)
      end)

      it(title .. " may flush denormal state, but no more", function()
        local tiny = name == "float32" and 1e-41 or 1e-310
        local p, q = random(core, 1, 5, 5), random(core, 1, 5, 5)
        local g = random(core, 2, 5, 5)
        local denormal, zero = new_kept(core, 5, 5, nil, tiny), new_kept(core, 5, 5)
        for step = 1, 3 do
          call[rule](core, p, g, denormal, o, step)
          call[rule](core, q, g, zero, o, step)
        end
        near(p, q:totable(), tolerance)
        for _, key in ipairs(compared) do
          near(denormal[key], zero[key]:totable(), tolerance)
        end
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

    for _, rule in ipairs { "adamax", "nadam", "amsgrad" } do
      it(rule .. " leaves parameters without gradient, whatever the epsilon", function()
        for _, epsilon in ipairs { 1e-8, 1e-44, 1e-300 } do
          local p = random(core, 1, 1, 5)
          local before = p:totable()
          local kept = new_kept(core, 1, 5)
          call[rule](core, p, core.matrix(1, 5), kept, with(adams, { epsilon = epsilon }), 1)
          near(p, before, 0)
        end
      end)
    end

    it("AMSGrad's steps never grow where gradients shrink", function()
      local p, kept = core.matrix(1, 1), new_kept(core, 1, 1)
      local o, length = with(adams, { beta1 = 0, beta2 = 0 }), infinity
      for step = 1, 5 do
        local before = p:get(1, 1)
        call.amsgrad(core, p, core.matrix(1, 1):fill(10 ^ -step), kept, o, step)
        assert.is_true(before - p:get(1, 1) < length)
        length = before - p:get(1, 1)
      end
      near(kept.largest, { { 0.01 } }, tolerance)
    end)

    it("centered RMSprop copes with gradients that never change", function()
      -- v - m^2 is 0 but for rounding, which may bring it below
      local p, kept = core.matrix(1, 64), new_kept(core, 1, 64)
      local g = random(core, 5, 1, 64)
      for _ = 1, 300 do
        call.rmsprop(core, p, g, kept, with(rmsprops, { centered = true }), 1)
      end
      assert.is_true(p:is_finite())
    end)

    it("Rprop knows the sign of the smallest gradients", function()
      -- their product is 0
      local tiny = name == "float32" and 1e-30 or 1e-200
      local p, kept = core.matrix(1, 2), new_kept(core, 1, 2)
      local o = with(rprops, { rate = 1 })
      call.rprop(core, p, core.matrix { { tiny, -tiny } }, kept, o, 1)
      call.rprop(core, p, core.matrix { { tiny, tiny } }, kept, o, 2)
      near(kept.length, { { 1.2, 0.5 } }, tolerance)
      near(p, { { -2.2, 1 } }, tolerance)
      near(kept.before, { { tiny, 0 } }, 1e-37)
    end)

    it("Rprop with a shortest step of 0 does not begin anew", function()
      local p, kept = core.matrix(1, 1), new_kept(core, 1, 1)
      local o = with(rprops, { rate = 1, eta_minus = 0, step_min = 0 })
      for step, g in ipairs { 1, -1, 1, 1, 1 } do
        call.rprop(core, p, core.matrix { { g } }, kept, o, step)
      end
      near(p, { { -1 } }, tolerance)
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
      refuses(p, "#5 .*number > 0 expected", function() core.adagrad_update(p, g, v, 0.1, 0) end)
      refuses(p, "#7 .*number in %[0, 1%) expected",
        function() core.rmsprop_update(p, g, v, nil, nil, 0.1, 1, 1e-8, 0) end)
      refuses(p, "#6 .*number in %[0, 1%) expected",
        function() core.rprop_update(p, g, m, v, 0.1, 1, 1.2, 0, 50) end)
    end)

    it("what may be nil is otherwise checked like the rest", function()
      local p, g, v = random(core, 1, 3, 4), random(core, 2, 3, 4), core.matrix(3, 4)
      refuses(p, "#4 .*" .. "perilune.matrix." .. name .. " expected, got boolean",
        function() core.rmsprop_update(p, g, v, false, nil, 0.1, 0.9, 1e-8, 0) end)
      refuses(p, "#5 .*3 x 4 matrix expected, got 4 x 3",
        function() core.rmsprop_update(p, g, v, nil, core.matrix(4, 3), 0.1, 0.9, 1e-8, 0) end)
      refuses(p, "#5 .*must not share memory with argument #3",
        function() core.rmsprop_update(p, g, v, nil, v, 0.1, 0.9, 1e-8, 0) end)
      refuses(p, "#3 .*expected, got nil",
        function() core.rmsprop_update(p, g, nil, nil, nil, 0.1, 0.9, 1e-8, 0) end)
      refuses(p, "#4 .*expected, got no value",
        function() core.rmsprop_update(p, g, v) end)
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
          function() core.rprop_update(p, g, C, v, 0.1, 0.5, 1.2, 0, 50) end,
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
