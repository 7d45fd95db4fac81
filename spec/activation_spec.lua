-- sigma and its backward: A = sigma(Z) (1.4) and H = J_sigma^t Delta (4.2), against loops, against
-- central differences and, in units in the last place (ulp), against arithmetic of more digits.

local naive = require "spec.support.naive"
local precise = require "spec.support.precise"
local raises = require "spec.support.raises"

local near, random, refuses = naive.near, naive.random, naive.refuses
local infinity, nan = naive.infinity, naive.nan

local shapes = { { 1, 1 }, { 1, 7 }, { 7, 1 }, { 10, 3 }, { 33, 129 }, { 300, 2 } }

-- z away from kinks, where there is no derivative to compare with: at 0, and at the ends of what is
-- linear. Odd multiples of 0.05 are near none.
local function logits(core, seed, rows, cols)
  return random(core, seed, rows, cols):map(function(z)
    return (math.floor(z * 10) + 0.5) / 10
  end)
end

local function is_nan(x) return x ~= x end

-- One row of numbers, rounded to the type
local function row_of(core, list)
  return core.matrix { list }
end

local limits = {
  float32 = { largest = 2.0 ^ 128 - 2.0 ^ 104, smallest = 2.0 ^ -126, ulp = 2.0 ^ -23 },
  float64 = { largest = math.huge, smallest = 2.0 ^ -1022, ulp = 2.0 ^ -52 },
}

-- The largest distance in ulp of f from the oracle on the points, and where it is. Results that are
-- denormal may be flushed to 0; within `allowed` ulp of the largest number, infinity is near. An
-- oracle gives a number and, beside it, what has been rounded away.
local function worst_error(core, f, oracle, points, allowed)
  local limit = limits[core.name]
  local X = row_of(core, points)
  local x, y = X:totable()[1], f(X, X):totable()[1]
  local worst, place = 0, 0
  for k = 1, #x do
    local expected, rest = oracle(x[k])
    local got = y[k]
    local size = math.abs(expected)
    local error_in_ulp
    if got == expected then
      error_in_ulp = 0
    elseif got == 0 and size < limit.smallest * (1 + allowed * limit.ulp) then
      error_in_ulp = 0
    elseif got == infinity and expected > limit.largest * (1 - allowed * limit.ulp) then
      error_in_ulp = 0
    else
      local distance = math.abs((got - expected) - (rest or 0))
      error_in_ulp = distance / naive.ulp(expected, core.name)
    end
    if is_nan(error_in_ulp) then error_in_ulp = infinity end
    if error_in_ulp > worst then worst, place = error_in_ulp, x[k] end
  end
  return worst, place
end

local function accurate(core, f, oracle, points, allowed)
  local worst, place = worst_error(core, f, oracle, points, allowed)
  if not (worst <= allowed) then
    error(("%.3g ulp off at %.17g, %g allowed"):format(worst, place, allowed), 2)
  end
end

local function evenly(points, first, last, count)
  for k = 0, count do points[#points + 1] = first + (last - first) * k / count end
end

-- Powers of ten of both signs over the whole range, and all places where something happens
local function sample(name)
  local points = { 0 }
  local low, high = -45, 38.5
  if name == "float64" then low, high = -323, 308.2 end
  for k = 0, 99999 do
    local x = 10.0 ^ (low + (high - low) * k / 99999)
    points[#points + 1] = x
    points[#points + 1] = -x
  end
  evenly(points, -1.5, 1.5, 40000)
  evenly(points, -20, 20, 20000)
  if name == "float32" then
    evenly(points, -104.5, 89.5, 40000)
    evenly(points, 88.6, 88.8, 10000)
    evenly(points, -87.5, -87.2, 10000)
  else
    evenly(points, -746, 711, 40000)
    evenly(points, 709.7, 709.8, 10000)
    evenly(points, -708.5, -708.3, 10000)
  end
  return points
end

-- Every activation as it is unless told otherwise, and with options
local cases = {}
for _, name in ipairs(naive.activations) do cases[#cases + 1] = { name = name } end
for _, case in ipairs {
  { name = "elu", options = { alpha = 0 } }, { name = "elu", options = { alpha = 2.5 } },
  { name = "leaky_relu", options = { slope = 0 } },
  { name = "leaky_relu", options = { slope = 0.3 } },
  { name = "leaky_relu", options = { slope = 1.5 } },
  { name = "gelu", options = { approximate = "tanh" } },
  { name = "hard_tanh", options = { lower = -0.3, upper = 0.7 } },
  { name = "softplus", options = { beta = 2.5, threshold = 1 } },
} do
  local written = {}
  for key, value in pairs(case.options) do written[#written + 1] = key .. " = " .. value end
  table.sort(written)
  case.title = ("%s with %s"):format(case.name, table.concat(written, ", "))
  cases[#cases + 1] = case
end

-- The core's activation of a case
local function activation_of(core, case)
  if not case.options then return core.activations[case.name] end
  return core.activation(case.name, case.options)
end

for _, name in ipairs(naive.types) do
  local core = require("perilune.core." .. name)
  local other = require("perilune.core." .. naive.other[name])
  local tolerance = naive.tolerance[name]

  for _, case in ipairs(cases) do
    local activation, options = case.name, case.options
    local sigma = activation_of(core, case)

    describe((case.title or activation) .. " in " .. name, function()
      it("has its name", function() assert.equal(activation, sigma.name) end)

      for _, shape in ipairs(shapes) do
        local rows, N = table.unpack(shape)
        local title = (" of %d x %d"):format(rows, N)

        it("computes A = sigma(Z) (1.4), also in place," .. title, function()
          local Z = random(core, 1, rows, N)
          local expected = naive.activate(activation, Z:totable(), options)
          local A = core.matrix(rows, N):fill(nan)
          assert.equal(A, sigma.forward(A, Z))
          near(A, expected, tolerance)
          near(sigma.forward(Z, Z), A:totable(), 0)
        end)

        it("computes H = J_sigma^t Delta (4.2), also in place," .. title, function()
          local Z, Delta = random(core, 1, rows, N), random(core, 2, rows, N)
          local A = sigma.forward(core.matrix(rows, N), Z)
          local expected = naive.backward(activation, Delta:totable(), Z:totable(),
            options)
          local H = core.matrix(rows, N):fill(nan)
          assert.equal(H, sigma.backward(H, Delta, Z, A))
          near(H, expected, tolerance)
          near(sigma.backward(Delta, Delta, Z, A), H:totable(), 0)
        end)
      end

      it("gives the same bits whatever the number of threads", function()
        local Z, Delta = random(core, 1, 300, 400), random(core, 2, 300, 400)
        local function both()
          local A = sigma.forward(core.matrix(300, 400), Z)
          local H = sigma.backward(core.matrix(300, 400), Delta, Z, A)
          return A:encode(name) .. H:encode(name)
        end
        local before = core.threads()
        core.threads(1)
        local one = both()
        core.threads(3)
        local three = both()
        core.threads(before)
        assert.is_true(one == three)
      end)

      it("lets NaN through, and only where it is", function()
        -- first, last and inside: vectors, remainders and softmax's search for the largest differ
        for _, i in ipairs { 1, 5, 17, 37 } do
          local Z = random(core, 1, 37, 3):set(i, 2, nan)
          local A = sigma.forward(core.matrix(37, 3), Z)
          assert.is_true(is_nan(A:get(i, 2)))
          for k = 1, 37 do
            assert.is_false(is_nan(A:get(k, 1)))
            assert.is_false(is_nan(A:get(k, 3)))
            if not naive.elementwise[activation] or k == i then
              assert.is_true(is_nan(A:get(k, 2)))
            else
              assert.is_false(is_nan(A:get(k, 2)))
            end
          end
        end
      end)

      it("lets NaN in Delta through to H", function()
        local Z = core.matrix(5, 3):fill(0.5)
        local A = sigma.forward(core.matrix(5, 3), Z)
        local Delta = random(core, 2, 5, 3):set(4, 2, nan)
        local H = sigma.backward(core.matrix(5, 3), Delta, Z, A)
        assert.is_true(is_nan(H:get(4, 2)))
        assert.is_false(is_nan(H:get(4, 1)))
      end)

      it("names the shape it expected and the one it got, and writes nothing", function()
        local A, Z = random(core, 1, 3, 4), random(core, 2, 3, 4)
        local Delta = random(core, 3, 3, 4)
        refuses(A, "#2 to 'forward' %(3 x 4 matrix expected, got 4 x 3%)",
          function() sigma.forward(A, core.matrix(4, 3)) end)
        refuses(A, "#2 .*%(3 x 4 matrix expected, got 3 x 3%)",
          function() sigma.backward(A, Delta:columns(1, 3), Z, A) end)
        refuses(A, "#3 .*%(3 x 4 matrix expected, got 1 x 4%)",
          function() sigma.backward(A, Delta, core.matrix(1, 4), A) end)
        refuses(A, "#4 .*%(3 x 4 matrix expected, got 3 x 1%)",
          function() sigma.backward(A, Delta, Z, core.matrix(3, 1)) end)
      end)

      it("refuses mixed types, other storage and partly overlapping results", function()
        local A, Z = random(core, 1, 3, 4), random(core, 2, 3, 4)
        local Delta = random(core, 3, 3, 4)
        local mixed = naive.mixed(name, "perilune.matrix." .. other.name)
        refuses(A, "#2 to 'forward' " .. mixed,
          function() sigma.forward(A, other.matrix(3, 4)) end)
        refuses(A, "#3 .*" .. mixed,
          function() sigma.backward(A, Delta, other.matrix(3, 4), Z) end)
        refuses(A, "#2 to 'forward' " .. naive.mixed(name, "nil"),
          function() sigma.forward(A, nil) end)
        refuses(A, "#2 .*matrix stored by columns expected, got one stored by rows",
          function() sigma.forward(A, Z:copy("rows")) end)
        local whole = random(core, 4, 3, 5)
        refuses(whole, "must be argument #2 itself or share no memory with it",
          function() sigma.forward(whole:columns(1, 4), whole:columns(2, 5)) end)
        refuses(whole, "must be argument #4 itself or share no memory with it",
          function()
            sigma.backward(whole:columns(1, 4), Delta, Z, whole:columns(2, 5))
          end)
      end)
    end)
  end

  describe("the options of activations in " .. name, function()
    it("are named beside each activation, with their usual values", function()
      for activation, sigma in pairs(core.activations) do
        local usual = {
          elu = { alpha = 1 }, leaky_relu = { slope = 0.01 }, gelu = { approximate = "none" },
          hard_tanh = { lower = -1, upper = 1 }, softplus = { beta = 1, threshold = 20 },
        }
        assert.same(usual[activation] or {}, sigma.options)
      end
    end)

    it("are the usual ones where none are given", function()
      local Z = random(core, 1, 5, 5)
      for _, activation in ipairs(naive.activations) do
        local expected = core.activations[activation].forward(core.matrix(5, 5), Z)
        for _, options in ipairs { false, {} } do
          local sigma = core.activation(activation, options or nil)
          assert.equal(activation, sigma.name)
          assert.same(core.activations[activation].options, sigma.options)
          near(sigma.forward(core.matrix(5, 5), Z), expected:totable(), 0)
        end
      end
    end)

    it("belong to the handle, too, and to each activation alone", function()
      local Z, A_below, W = core.matrix { { -8 } }, core.matrix { { -2 } },
        core.matrix { { 4 } }
      local A, H, dJ_dW = core.matrix(1, 1), core.matrix(1, 1), core.matrix(1, 1)
      local one = core.matrix { { 1 } }
      local half = core.activation("leaky_relu", { slope = 0.5 })
      local quarter = core.activation("leaky_relu", { slope = 0.25 })
      half.options.slope = 3 -- a note of what it was made with, and no more
      for _, pair in ipairs { { half, 0.5 }, { quarter, 0.25 }, { half, 0.5 } } do
        local sigma, slope = table.unpack(pair)
        assert.equal(-8 * slope, sigma.forward(A, Z):get(1, 1))
        assert.equal(slope, sigma.backward(H, one, Z, A):get(1, 1))
        core.dense_forward(A, core.matrix(1, 1), W, A_below, nil, sigma.handle)
        assert.equal(-8 * slope, A:get(1, 1))
        core.dense_gradients(dJ_dW, nil, H, A_below, one, Z, A, sigma.handle)
        assert.equal(-2 * slope, dJ_dW:get(1, 1))
      end
    end)

    it("raise for a name that there is not, naming those that there are", function()
      raises("unknown activation 'relo' (known: elu, exponential, gelu, hard_sigmoid, hard_tanh, "
        .. "identity, leaky_relu, log_softmax, mish, relu, selu, sigmoid, silu, softmax, "
        .. "softplus, softsign, tanh)", core.activation, "relo")
      raises("string expected, got nil", core.activation, nil)
      raises("unknown option 'slop' of leaky_relu (known: slope)", core.activation,
        "leaky_relu", { slop = 1 })
      raises("unknown option 'slope' of relu (known: none)", core.activation, "relu",
        { slope = 1 })
      raises("unknown option '1' of elu (known: alpha)", core.activation, "elu", { 1 })
      raises("unknown option 'least' of hard_tanh (known: lower, upper)", core.activation,
        "hard_tanh", { least = 1 })
      raises("table expected, got number", core.activation, "elu", 1)
    end)

    it("raise for a value out of range or of another type", function()
      local above = name == "float32" and 1e39 or infinity
      for _, pair in ipairs { { "elu", "alpha" }, { "leaky_relu", "slope" } } do
        local activation, option = table.unpack(pair)
        for _, bad in ipairs { -0.01, infinity, -infinity, nan, above } do
          raises(option .. ": number from 0.0 to ", core.activation, activation,
            { [option] = bad })
        end
        raises("expected, got -0.01", core.activation, activation, { [option] = -0.01 })
        raises("expected, got string", core.activation, activation, { [option] = "1" })
        raises("expected, got boolean", core.activation, activation, { [option] = true })
      end
      raises("beta: number from ", core.activation, "softplus", { beta = 0 })
      raises("threshold: number from 0.0 to ", core.activation, "softplus", { threshold = -1 })
      for _, bad in ipairs { "exact", 1, false } do
        raises(("approximate: none or tanh expected, got %s"):format(bad), core.activation, "gelu",
          { approximate = bad })
      end
    end)

    it("raise where the lower bound is not below the upper", function()
      raises("upper: number above lower (2.0) expected, got 1.0", core.activation, "hard_tanh",
        { lower = 2 })
      raises("upper: number above lower (-1.0) expected, got -1.5", core.activation, "hard_tanh",
        { upper = -1.5 })
    end)
  end)

  describe("the extremes in " .. name .. ":", function()
    local function forward(activation, ...)
      local Z = core.matrix { { ... } }
      return core.activations[activation].forward(core.matrix(1, Z.cols), Z):totable()[1]
    end

    -- Limits for z to +-infinity, of sigma and of its derivative
    local limits_of = {
      elu = { infinity, -1, 1, 0 }, exponential = { infinity, 0, infinity, 0 },
      gelu = { infinity, 0, 1, 0 }, hard_sigmoid = { 1, 0, 0, 0 }, hard_tanh = { 1, -1, 0, 0 },
      identity = { infinity, -infinity, 1, 1 }, mish = { infinity, 0, 1, 0 },
      relu = { infinity, 0, 1, 0 }, sigmoid = { 1, 0, 0, 0 }, silu = { infinity, 0, 1, 0 },
      softplus = { infinity, 0, 1, 0 }, softsign = { 1, -1, 0, 0 }, tanh = { 1, -1, 0, 0 },
    }

    for activation, expected in pairs(limits_of) do
      it(activation .. " has its limits at both infinities, and near them", function()
        for _, options in ipairs { {}, { approximate = activation == "gelu" and "tanh" or nil } } do
          local sigma = core.activation(activation, options)
          for _, z in ipairs { infinity, limits.float32.largest } do
            local Z, one = core.matrix { { z, -z } }, core.matrix { { 1, 1 } }
            local A, H = core.matrix(1, 2), core.matrix(1, 2)
            sigma.forward(A, Z)
            sigma.backward(H, one, Z, A)
            local function limit(x, sign)
              return z < infinity and math.abs(x) == infinity and activation ~= "exponential"
                and sign * z or x
            end
            assert.equal(limit(expected[1], 1), A:get(1, 1))
            assert.equal(limit(expected[2], -1), A:get(1, 2))
            if activation == "exponential" then
              assert.equal(infinity, H:get(1, 1))
            else
              assert.near(expected[3], H:get(1, 1), 1e-38)
            end
            assert.near(expected[4], H:get(1, 2), 1e-38)
          end
        end
      end)
    end

    it("selu keeps infinity and comes to its least", function()
      local A = forward("selu", infinity, -infinity, -1e4)
      assert.equal(infinity, A[1])
      for k = 2, 3 do
        assert.near(-1.7580993408473766, A[k], 1e-6)
        assert.equal(core.matrix { { core.activations.selu.range[1] } }:get(1, 1), A[k])
      end
    end)

    it("softplus of any beta is z far above 0, and 0 far below", function()
      for _, options in ipairs { { beta = 1e-3 }, { beta = 1e3 }, { threshold = 1e30 } } do
        local sigma = core.activation("softplus", options)
        local Z = core.matrix { { 1e6, -1e6, 1e30, infinity, -infinity } }
        local A = sigma.forward(core.matrix(1, 5), Z):totable()[1]
        assert.near(1e6, A[1], 1)
        assert.near(1e30, A[3], 1e24)
        assert.same({ 0, infinity, 0 }, { A[2], A[4], A[5] })
      end
    end)

    it("log_softmax of logits of any size is finite where they are", function()
      local Z = core.matrix { { 1e4, -1e4, 3, 1e30 }, { -1e4, -1e4, -infinity, 1e30 } }
      local A = core.activations.log_softmax.forward(core.matrix(2, 4), Z)
      near(A, { { 0, -math.log(2), 0, -math.log(2) },
        { -2e4, -math.log(2), -infinity, -math.log(2) } }, tolerance)
      local H = core.activations.log_softmax.backward(core.matrix(2, 4),
        core.matrix(2, 4):fill(1), Z, A)
      near(H, { { -1, 0, -1, 0 }, { 1, 0, 1, 0 } }, tolerance)
    end)

    it("log_softmax of an infinite logit is not a number, in its column only", function()
      local Z = core.matrix { { infinity, 1 }, { 0, 1 } }
      local A = core.activations.log_softmax.forward(core.matrix(2, 2), Z)
      near(A, { { nan, -math.log(2) }, { nan, -math.log(2) } }, tolerance)
    end)

    it("the derivatives of what turns sharply are 0 where it turns", function()
      local one, H = core.matrix { { 1, 1 } }, core.matrix(1, 2)
      for activation, kink in pairs { hard_sigmoid = 3, hard_tanh = 1 } do
        local Z = core.matrix { { kink, -kink } }
        core.activations[activation].backward(H, one, Z, Z)
        assert.same({ { 0, 0 } }, H:totable())
      end
    end)

    it("relu keeps infinity and drops what is below 0", function()
      local A = forward("relu", infinity, -infinity, 1e4, -1e4, 0)
      assert.same({ infinity, 0, 1e4, 0, 0 }, A)
    end)

    it("leaky_relu keeps both infinities", function()
      assert.same({ infinity, -infinity, 0 },
        forward("leaky_relu", infinity, -infinity, 0))
    end)

    it("elu comes to -alpha far below 0 and keeps infinity", function()
      assert.same({ infinity, -1, -1, 1e4, 0 },
        forward("elu", infinity, -infinity, -1e4, 1e4, 0))
      local Z, H = core.matrix { { -1e4, -infinity } }, core.matrix(1, 2):fill(nan)
      core.activations.elu.backward(H, core.matrix(1, 2):fill(1e4), Z, Z)
      assert.same({ 0, 0 }, H:totable()[1])
    end)

    it("the derivatives at 0 are those from below", function()
      local Z, one, H = core.matrix(1, 1), core.matrix { { 1 } }, core.matrix(1, 1)
      local function at_0(activation, options)
        return core.activation(activation, options).backward(H, one, Z, Z):get(1, 1)
      end
      assert.equal(0.5, at_0("leaky_relu", { slope = 0.5 }))
      assert.equal(0.5, at_0("elu", { alpha = 0.5 }))
    end)

    it("sigmoid saturates at 0 and 1 and is 1/2 at 0", function()
      local A = forward("sigmoid", 1e4, -1e4, infinity, -infinity, 0)
      assert.same({ 1, 0, 1, 0, 0.5 }, A)
    end)

    it("tanh saturates at -1 and 1 and is 0 at 0", function()
      local A = forward("tanh", 1e4, -1e4, infinity, -infinity, 0)
      assert.same({ 1, -1, 1, -1, 0 }, A)
    end)

    it("softsign comes to -1 and 1 for the largest numbers", function()
      local large = limits.float32.largest
      assert.same({ 1, -1, 0 }, forward("softsign", large, -large, 0))
    end)

    it("backward of saturated activations is finite and 0", function()
      for _, activation in ipairs { "sigmoid", "tanh" } do
        local Z = core.matrix { { 1e4, -1e4, infinity, -infinity } }
        local A = core.activations[activation].forward(core.matrix(1, 4), Z)
        local H = core.matrix(1, 4):fill(nan)
        core.activations[activation].backward(H, core.matrix(1, 4):fill(1e4), Z, A)
        assert.same({ 0, 0, 0, 0 }, H:totable()[1])
      end
    end)

    it("relu's derivative at 0 is 0", function()
      local Z, H = core.matrix(1, 1), core.matrix(1, 1)
      core.activations.relu.backward(H, core.matrix(1, 1):fill(3), Z, core.matrix(1, 1))
      assert.equal(0, H:get(1, 1))
    end)

    it("softmax of logits of any size sums to 1", function()
      local Z = core.matrix { { 1e4, -1e4, 3, 1e30 }, { -1e4, -1e4, -infinity, 1e30 } }
      local A = core.activations.softmax.forward(core.matrix(2, 4), Z)
      assert.same({ { 1, 0.5, 1, 0.5 }, { 0, 0.5, 0, 0.5 } }, A:totable())
      local many = random(core, 1, 1000, 2) * 50
      local sums = core.sum_rows(core.matrix(1, 2),
        core.activations.softmax.forward(core.matrix(1000, 2), many))
      near(sums, { { 1, 1 } }, tolerance)
    end)

    it("softmax of an infinite logit is not a number, in its column only", function()
      local Z = core.matrix { { infinity, 1 }, { 0, 1 } }
      local A = core.activations.softmax.forward(core.matrix(2, 2), Z)
      near(A, { { nan, 0.5 }, { nan, 0.5 } }, tolerance)
    end)

    it("exp is 1 at 0, 0 at -infinity, infinite at infinity", function()
      local X = core.matrix { { 0, -infinity, infinity, 1e4, -1e4, nan } }
      local Y = core.exp(X, X):totable()[1]
      assert.same({ 1, 0, infinity, infinity, 0 }, { table.unpack(Y, 1, 5) })
      assert.is_true(is_nan(Y[6]))
    end)

    it("exp, tanh and sigmoid of denormals are those of 0, or exact", function()
      local tiny = name == "float32" and 1e-40 or 1e-310
      local X = core.matrix { { tiny, -tiny } }
      near(core.exp(core.matrix(1, 2), X), { { 1, 1 } }, 0)
      near(core.activations.sigmoid.forward(core.matrix(1, 2), X), { { 0.5, 0.5 } }, 0)
      for k, y in ipairs(core.tanh(core.matrix(1, 2), X):totable()[1]) do
        assert.is_true(y == 0 or y == X:get(1, k))
      end
    end)
  end)

  describe("the accuracy in " .. name .. ":", function()
    local points

    setup(function() points = sample(name) end)
    teardown(function() points = nil end)

    -- Where the double mathematics of Lua does not tell: enough points to find the worst places
    local function few(first, last, count)
      local some = {}
      evenly(some, first, last, count or 10000)
      evenly(some, -1, 1, count or 10000)
      for k = 1, #points, 50 do
        if math.abs(points[k]) < 300 then some[#some + 1] = points[k] end
      end
      return some
    end

    it("exp is at most 1.5 ulp off over the whole range", function()
      -- Lua's own exp may be up to 1 ulp off in double.
      accurate(core, core.exp, math.exp, points, name == "float32" and 1.5 or 2.5)
      accurate(core, core.exp, precise.exp, few(-40, 40), 1.5)
    end)

    it("tanh is at most 1.5 ulp off over the whole range", function()
      accurate(core, core.tanh, naive.tanh, points, name == "float32" and 1.5 or 2.5)
      accurate(core, core.tanh, precise.tanh, few(-20, 20), 1.5)
    end)

    it("elu is at most 4 ulp off over the whole range", function()
      -- e^x - 1 = 2 t / (1 - t) with t = tanh(x/2), which does not cancel
      local function elu(x)
        local t = naive.tanh(x / 2)
        return x > 0 and x or 2 * t / (1 - t)
      end
      accurate(core, core.activations.elu.forward, elu, points,
        name == "float32" and 4 or 6)
    end)

    -- What is 0 for large negative z is compared where e^z is no denormal number.
    local function larger(least, source)
      local some = {}
      for _, z in ipairs(source) do
        if z > least then some[#some + 1] = z end
      end
      return some
    end
    local small = name == "float32" and -87 or -700

    it("gelu is at most 4 ulp off over the whole range", function()
      local least = name == "float32" and -12.5 or -37
      local forward = core.activations.gelu.forward
      accurate(core, forward, naive.elementwise.gelu.value, larger(0, points), 4)
      local zs = {}
      evenly(zs, least, 20, 1000)
      evenly(zs, -1, 1, 1000)
      accurate(core, forward, precise.gelu, zs, 4)
    end)

    it("silu and mish are at most 4 ulp off over the whole range", function()
      for activation, oracle in pairs { silu = precise.silu, mish = precise.mish } do
        accurate(core, core.activations[activation].forward, oracle,
          larger(small, few(-40, 40, 2000)), 4)
      end
    end)

    it("softplus is at most 2 ulp off over the whole range", function()
      local sigma = core.activation("softplus", { threshold = 1e30 })
      local zs = larger(small, few(-40, 40, 2000))
      accurate(core, sigma.forward, precise.softplus, zs, 2)
    end)

    it("selu is at most 4 ulp off, exponential 1.5", function()
      local zs = {} -- a denormal z, which counts as 0, may be scaled to what is none
      for _, z in ipairs(few(-40, 40, 2000)) do
        if math.abs(z) >= limits[name].smallest then zs[#zs + 1] = z end
      end
      accurate(core, core.activations.selu.forward, precise.selu, zs, 4)
      accurate(core, core.activations.exponential.forward, precise.exp, few(-40, 40), 1.5)
    end)

    -- The denominator 1 + e^-z is rounded, too: seen where it is just above a power of 2.
    it("sigmoid is at most 2.5 ulp off over the whole range, 1.5 above 0", function()
      local forward = core.activations.sigmoid.forward
      local sigmoid = naive.elementwise.sigmoid.value
      accurate(core, forward, sigmoid, points, name == "float32" and 2.5 or 5)
      accurate(core, forward, precise.sigmoid, few(-40, 40), 2.5)
      local above = {}
      evenly(above, 0, 40, 20000)
      accurate(core, forward, precise.sigmoid, above, 1.5)
    end)

    it("the activation tanh is core.tanh", function()
      local X = row_of(core, points)
      local A = core.activations.tanh.forward(core.matrix(1, X.cols), X)
      local Y = core.tanh(core.matrix(1, X.cols), X)
      assert.equal(X.cols, core.count_equal(A, Y))
    end)

    it("tanh is odd to the last bit and never beyond 1", function()
      local X = row_of(core, points)
      local Y = core.tanh(core.matrix(1, X.cols), X)
      local negated = core.tanh(core.matrix(1, X.cols), -X)
      assert.equal(X.cols, core.count_equal(Y, -negated))
      assert.is_true(Y:max() <= 1 and Y:min() >= -1)
    end)
  end)
end

describe("the activations in float64", function()
  local core = require "perilune.core.float64"

  for _, case in ipairs(cases) do
    local sigma = activation_of(core, case)
    local title = case.title or case.name

    it("have the derivatives of central differences: " .. title, function()
      for _, shape in ipairs(shapes) do
        local rows, N = shape[1], math.min(shape[2], 9)
        local Z, weights = logits(core, 5, rows, N), random(core, 6, rows, N)
        local A, product = core.matrix(rows, N), core.matrix(rows, N)
        -- The gradient of sum weights (.) sigma(Z) is J_sigma^t weights.
        local expected = naive.differences(function()
          return core.hadamard(product, weights, sigma.forward(A, Z)):sum()
        end, Z, 1e-4)
        sigma.forward(A, Z)
        near(sigma.backward(core.matrix(rows, N), weights, Z, A), expected, 1e-6)
      end
    end)

    it("have the Jacobian of central differences: " .. title, function()
      local Z = logits(core, 7, 6, 1)
      local A = core.matrix(6, 1)
      local expected = naive.matrix_differences(function()
        return sigma.forward(A, Z)
      end, Z, 1e-4)
      sigma.forward(A, Z)
      for i = 1, 6 do
        local unit = core.matrix(6, 1):set(i, 1, 1)
        near(sigma.backward(core.matrix(6, 1), unit, Z, A), expected[i][1], 1e-7)
      end
    end)
  end

  -- Computed with 60 decimal digits, for the doubles written here.
  local known = {
    exp = {
      { -700.0, 9.85967654375977085671e-305 }, { -100.0, 3.72007597602083596296e-44 },
      { -10.5, 2.75364493497471578574e-5 }, { -1.0, 3.67879441171442321596e-1 },
      { -0.3465735, 7.07106845024131290496e-1 }, { 1e-10, 1.00000000010000000001e+0 },
      { 0.1, 1.10517091807564763095e+0 }, { 0.5, 1.64872127070012814685e+0 },
      { 1.0, 2.71828182845904523536e+0 }, { 2.5, 1.21824939607034734381e+1 },
      { 10.0, 2.20264657948067165170e+4 }, { 100.0, 2.68811714181613544841e+43 },
      { 500.25, 1.80224808238816077805e+217 }, { 709.75, 1.73983687326416055770e+308 },
    },
    tanh = {
      { 1e-10, 1.00000000000000003643e-10 }, { 0.001, 9.99999666666800020763e-4 },
      { 0.1, 9.96679946249558226143e-2 }, { 0.25, 2.44918662403709129278e-1 },
      { 0.3465735, 3.33333253084466317575e-1 }, { 0.5, 4.62117157260009758502e-1 },
      { 0.75, 6.35148952387287319214e-1 }, { 1.0, 7.61594155955764888119e-1 },
      { 2.0, 9.64027580075816883946e-1 }, { 3.5, 9.98177897611198709284e-1 },
      { 7.0, 9.99998336943944671736e-1 }, { 12.0, 9.99999999924497309117e-1 },
      { 18.0, 9.99999999999999536095e-1 },
    },
  }
  for f, pairs_of in pairs(known) do
    it("take the known values of " .. f .. " to 2 ulp", function()
      for _, pair in ipairs(pairs_of) do
        local x, expected = pair[1], pair[2]
        local got = core[f](core.matrix(1, 1), core.matrix { { x } }):get(1, 1)
        local off = math.abs(got - expected) / naive.ulp(expected, "float64")
        if not (off <= 2) then error(("%s(%.17g) is %g ulp off"):format(f, x, off)) end
      end
    end)
  end

  it("have exp(x) exp(-x) = 1 to 4 ulp", function()
    local points = {}
    evenly(points, -700, 700, 100000)
    local X = row_of(core, points)
    local Y = core.exp(core.matrix(1, X.cols), X)
    core.hadamard(Y, Y, core.exp(core.matrix(1, X.cols), -X))
    assert.is_true((Y - 1):max() <= 4 * 2.0 ^ -52)
    assert.is_true((Y - 1):min() >= -4 * 2.0 ^ -52)
  end)
end)
