-- Softmax with cross-entropy, J and Delta, against loops and central differences.

local losses = require "spec.support.losses"
local naive = require "spec.support.naive"

local near, near_number, random = naive.near, naive.near_number, naive.random
local refuses = naive.refuses
local infinity, nan = naive.infinity, naive.nan

-- above 256 classes the loss without Delta works in spans
local shapes = {
  { 1, 1 }, { 1, 9 }, { 9, 1 }, { 10, 64 }, { 33, 7 }, { 7, 129 },
  { 256, 2 }, { 257, 3 }, { 700, 2 },
}

for _, name in ipairs(naive.types) do
  local core = require("perilune.core." .. name)
  local other = require("perilune.core." .. naive.other[name])
  local tolerance = naive.tolerance[name]
  local mixed = naive.mixed(name, "perilune.matrix." .. other.name)

  describe("softmax_cross_entropy in " .. name, function()
    for _, shape in ipairs(shapes) do
      local classes, N = table.unpack(shape)
      local title = (", %d classes and %d samples"):format(classes, N)

      for _, target in ipairs(losses.columns) do
        it("is J and Delta of target columns " .. target.kind .. title, function()
          local Z, T = random(core, 1, classes, N), target.make(core, classes, N)
          local before = T:totable()
          local J, expected = naive.softmax_cross_entropy(Z:totable(), before)
          local Delta = core.matrix(classes, N):fill(nan)
          near_number(core.softmax_cross_entropy(Delta, Z, T), J, tolerance)
          near(Delta, expected, tolerance)
          near_number(core.softmax_cross_entropy(nil, Z, T), J, tolerance)
          near(Z, random(core, 1, classes, N):totable(), 0)
          near(T, before, 0)
          near_number(core.softmax_cross_entropy(Z, Z, T), J, tolerance)
          near(Z, Delta:totable(), 0)
        end)
      end

      if classes > 1 then
        it("gives labels what it gives target columns of one class" .. title, function()
          local Z, list = random(core, 1, classes, N), losses.labels(classes, N)
          local labels = core.matrix { list }
          local T = core.matrix(naive.one_hot(list, classes))
          local by_labels = core.matrix(classes, N):fill(nan)
          local by_columns = core.matrix(classes, N):fill(nan)
          near_number(core.softmax_cross_entropy(by_labels, Z, labels),
            core.softmax_cross_entropy(by_columns, Z, T), tolerance)
          near(by_labels, by_columns:totable(), tolerance)
          near_number(core.softmax_cross_entropy(nil, Z, labels),
            core.softmax_cross_entropy(nil, Z, T), tolerance)
        end)
      end
    end

    it("is the cross-entropy of the activation softmax", function()
      local Z, T = random(core, 1, 6, 5), losses.columns[2].make(core, 6, 5)
      local A = core.activations.softmax.forward(core.matrix(6, 5), Z)
      local J = -core.log(A, A):hadamard(T):sum() / 5
      near_number(core.softmax_cross_entropy(nil, Z, T), J, tolerance)
    end)

    it("pushes down a class that no sample has", function()
      local Z = random(core, 1, 4, 3)
      local Delta = core.matrix(4, 3)
      core.softmax_cross_entropy(Delta, Z, core.matrix { { 1, 2, 1 } })
      for n = 1, 3 do
        assert.is_true(Delta:get(3, n) > 0)
        assert.is_true(Delta:get(4, n) > 0)
      end
    end)

    it("takes columns without a target as no sample, though N counts them", function()
      local Z = random(core, 1, 3, 2)
      local T = core.matrix { { 1, 0 }, { 0, 0 }, { 0, 0 } }
      local alone = core.softmax_cross_entropy(nil, Z:columns(1, 1), T:columns(1, 1))
      local Delta = core.matrix(3, 2):fill(nan)
      near_number(core.softmax_cross_entropy(Delta, Z, T), alone / 2, tolerance)
      near(Delta:columns(2, 2), naive.fill(3, 1, 0), 0)
    end)

    it("is exact for logits of +-1e4", function()
      local Z = core.matrix { { 1e4, 1e4, -1e4 }, { -1e4, -1e4, -1e4 } }
      local Delta = core.matrix(2, 3):fill(nan)
      local J = core.softmax_cross_entropy(Delta, Z, core.matrix { { 1, 2, 1 } })
      near_number(J, (0 + 2e4 + math.log(2)) / 3, tolerance)
      near(Delta, { { 0, 1 / 3, -1 / 6 }, { 0, -1 / 3, 1 / 6 } }, tolerance)
      local again = core.softmax_cross_entropy(nil, Z, core.matrix { { 1, 2, 1 } })
      near_number(again, J, tolerance)
    end)

    it("is finite, and its Delta too, for random logits of +-1e4", function()
      local Z = core.generator(3):uniform(core.matrix(10, 20), -1e4, 1e4)
      for _, target in ipairs(losses.columns) do
        local Delta = core.matrix(10, 20):fill(nan)
        local T = target.make(core, 10, 20)
        local J = core.softmax_cross_entropy(Delta, Z, T)
        assert.is_true(J - J == 0)
        assert.is_true(Delta:is_finite())
        local exact_J, exact_Delta = naive.softmax_cross_entropy(Z:totable(), T:totable())
        near_number(J, exact_J, tolerance)
        near(Delta, exact_Delta, tolerance)
      end
    end)

    it("keeps the small loss of a sure and right answer", function()
      local Z = core.matrix { { 12 }, { 0 } }
      local J = core.softmax_cross_entropy(nil, Z, core.matrix { { 1 } })
      -- log(1 + x) = x - x^2/2 + x^3/3 - ...
      local x = math.exp(-12)
      local expected = x - x ^ 2 / 2 + x ^ 3 / 3
      assert.is_true(math.abs(J / expected - 1) < (name == "float32" and 1e-6 or 1e-10))
    end)

    it("takes classes of -infinity as impossible", function()
      local Z = core.matrix { { 1 }, { -infinity }, { 2 } }
      local Delta = core.matrix(3, 1):fill(nan)
      local two = core.matrix(2, 1)
      local first = core.matrix { { 1 } }
      local J = core.softmax_cross_entropy(two, core.matrix { { 1 }, { 2 } }, first)
      for _, T in ipairs { first, core.matrix { { 1 }, { 0 }, { 0 } } } do
        near_number(core.softmax_cross_entropy(Delta, Z, T), J, tolerance)
        near(Delta, { { two:get(1, 1) }, { 0 }, { two:get(2, 1) } }, tolerance)
      end
      assert.equal(infinity, core.softmax_cross_entropy(nil, Z, core.matrix { { 2 } }))
    end)

    it("is NaN where a logit is, wherever it stands", function()
      for _, classes in ipairs { 3, 40, 300 } do
        for _, place in ipairs { 1, 2, classes } do
          local Z = random(core, 1, classes, 2):set(place, 1, nan)
          for _, T in ipairs { core.matrix { { 1, 1 } }, core.matrix { { 2, 1 } } } do
            local J = core.softmax_cross_entropy(nil, Z, T)
            assert.is_true(J ~= J)
            local Delta = core.matrix(classes, 2)
            J = core.softmax_cross_entropy(Delta, Z, T)
            assert.is_true(J ~= J)
            assert.is_true(Delta:get(place, 1) ~= Delta:get(place, 1))
            assert.is_true(Delta:columns(2, 2):is_finite())
          end
        end
      end
    end)

    it("stays finite where many columns are added up, some of them left out", function()
      local N = 4000
      local Z, T = core.matrix(1000, N), core.matrix(1, N):fill(1)
      local W = core.matrix(1, N):fill(1)
      for n = 32, N, 32 do W:set(1, n, 0) end
      near_number(core.softmax_cross_entropy(core.matrix(1000, N), Z, T, W), math.log(1000),
        tolerance)
    end)

    it("smooths a label to what smoothed columns are", function()
      for _, classes in ipairs { 3, 300 } do
        local Z, list = random(core, 1, classes, 9), losses.labels(classes, 9)
        local T = core.matrix(naive.one_hot(list, classes))
        local smooth = T:map(function(t) return 0.9 * t + 0.1 / classes end)
        local wanted, got = core.matrix(classes, 9), core.matrix(classes, 9):fill(nan)
        local J = core.softmax_cross_entropy(wanted, Z, smooth)
        for _, targets in ipairs { core.matrix { list }, T } do
          near_number(core.softmax_cross_entropy(got, Z, targets, nil, nil, 0.1), J, tolerance)
          near(got, wanted:totable(), tolerance)
          near_number(core.softmax_cross_entropy(nil, Z, targets, nil, nil, 0.1), J, tolerance)
        end
      end
    end)

    it("is as exact for large logits where targets are smoothed", function()
      local Z = core.matrix { { 1e4 }, { 1e4 }, { -1e4 } }
      local J = 0.9 * math.log(2) + 0.1 / 3 * (2 * math.log(2) + 2e4 + math.log(2))
      for _, Delta in ipairs { core.matrix(3, 1), false } do
        near_number(core.softmax_cross_entropy(Delta or nil, Z, core.matrix { { 2 } }, nil, nil,
          0.1), J, tolerance)
      end
    end)

    it("weighs classes as single targets are weighed that have the weights of their rows",
      function()
        for _, classes in ipairs { 3, 300 } do
          local Z, list = random(core, 1, classes, 9), losses.labels(classes, 9)
          local c = core.generator(8):uniform(core.matrix(classes, 1), 0, 2):set(2, 1, 0)
          local by_rows = core.add(core.matrix(classes, 9), core.matrix(classes, 9), c)
          local sum = 0
          for n = 1, 9 do sum = sum + c:get(list[n], 1) end
          for _, smoothing in ipairs { 0, 0.2 } do
            local wanted, got = core.matrix(classes, 9), core.matrix(classes, 9):fill(nan)
            local labels = core.matrix { list }
            local J, total = core.softmax_cross_entropy(wanted, Z, labels, by_rows, nil, smoothing)
            local J_c, total_c = core.softmax_cross_entropy(got, Z, labels, nil, nil, smoothing, c)
            near_number(total_c, sum, tolerance)
            near_number(J_c * total_c, J * total, tolerance)
            near(core.hadamard(got, got, total_c),
              core.hadamard(wanted, wanted, total):totable(), tolerance)
            local T = core.matrix(naive.one_hot(list, classes))
            J_c, total_c = core.softmax_cross_entropy(nil, Z, T, nil, nil, smoothing, c)
            assert.equal(9, total_c)
            near_number(J_c * total_c, J * total, tolerance)
          end
        end
      end)

    it("refuses weights of classes that are wrong, and writes nothing", function()
      local Delta = core.abs(core.matrix(3, 4), random(core, 3, 3, 4))
      local Z, T = random(core, 1, 3, 4), core.matrix(3, 4)
      local function call(smoothing, weights)
        return function() core.softmax_cross_entropy(Delta, Z, T, nil, nil, smoothing, weights) end
      end
      refuses(Delta, "#7 .*%(3 x 1 matrix expected, got 2 x 1%)", call(0, core.matrix(2, 1)))
      refuses(Delta, "#7 .*%(finite weight >= 0 expected, got %-1 in row 2, column 1%)",
        call(0, core.matrix(3, 1):set(2, 1, -1)))
      refuses(Delta, "#1 .*argument #7", call(0, Delta:columns(2, 2)))
      refuses(Delta, "#6 .*%(finite number expected%)", call(infinity))
      refuses(Delta, "#6 .*number expected, got string", call("0.1"))
      refuses(Delta, "#5 .*invalid option 'median'",
        function() core.softmax_cross_entropy(Delta, Z, T, nil, "median") end)
    end)

    it("names a label that is no class, and writes nothing", function()
      local Delta, Z = random(core, 3, 10, 4), random(core, 1, 10, 4)
      for bad, got in pairs {
        [0] = "0", [11] = "11", [1.5] = "1.5", [-1] = "%-1", [infinity] = "inf",
        [1e9] = "1e%+09",
      } do
        local T = core.matrix { { 1, 10, bad, 2 } }
        refuses(Delta, "#3 .*%(labels 1 to 10 expected, got " .. got .. " in column 3%)",
          function() core.softmax_cross_entropy(Delta, Z, T) end)
      end
      local T = core.matrix { { 1, 10, 2, nan } }
      refuses(Delta, "#3 .*%(labels 1 to 10 expected, got %-?nan in column 4%)",
        function() core.softmax_cross_entropy(Delta, Z, T) end)
    end)

    it("names the shape it expected and the one it got, and writes nothing", function()
      local Delta, Z = random(core, 3, 3, 4), random(core, 1, 3, 4)
      local T = core.matrix(3, 4)
      refuses(Delta, "#3 .*%(3 x 4 matrix expected, got 2 x 4%)",
        function() core.softmax_cross_entropy(Delta, Z, core.matrix(2, 4)) end)
      local labels = core.matrix { { 1, 2, 3, 1, 2 } }
      refuses(Delta, "#3 .*%(1 x 4 matrix expected, got 1 x 5%)",
        function() core.softmax_cross_entropy(Delta, Z, labels) end)
      refuses(Delta, "#1 .*%(3 x 2 matrix expected, got 3 x 4%)",
        function()
          core.softmax_cross_entropy(Delta, Z:columns(1, 2), T:columns(1, 2))
        end)
    end)

    it("refuses mixed types, other storage and overlapping results", function()
      local Delta, Z = random(core, 3, 3, 4), random(core, 1, 3, 4)
      local T = core.matrix(3, 4)
      refuses(Delta, "#2 .*" .. mixed,
        function() core.softmax_cross_entropy(Delta, other.matrix(3, 4), T) end)
      refuses(Delta, "#3 .*" .. mixed,
        function() core.softmax_cross_entropy(Delta, Z, other.matrix(3, 4)) end)
      refuses(Z, "#1 .*" .. mixed,
        function() core.softmax_cross_entropy(other.matrix(3, 4), Z, T) end)
      refuses(Delta, "#2 .*matrix stored by columns expected, got one stored by rows",
        function() core.softmax_cross_entropy(Delta, Z:copy("rows"), T) end)
      refuses(T, "#1 .*must not share memory with argument #3",
        function() core.softmax_cross_entropy(T, Z, T) end)
      local whole = random(core, 4, 3, 5)
      refuses(whole, "#1 .*must be argument #2 itself or share no memory with it",
        function()
          core.softmax_cross_entropy(whole:columns(1, 4), whole:columns(2, 5), T)
        end)
    end)
  end)
end

describe("softmax_cross_entropy in float64", function()
  local core = require "perilune.core.float64"

  for _, target in ipairs(losses.columns) do
    it("has Delta = dJ/dZ by central differences: targets " .. target.kind, function()
      local Z, T = random(core, 1, 5, 4), target.make(core, 5, 4)
      local Delta = core.matrix(5, 4)
      core.softmax_cross_entropy(Delta, Z, T)
      local function J() return core.softmax_cross_entropy(nil, Z, T) end
      near(Delta, naive.differences(J, Z), 1e-8)
    end)
  end

  it("has Delta = dJ/dZ by central differences: labels", function()
    local Z, T = random(core, 1, 5, 4), core.matrix { { 5, 1, 1, 3 } }
    local Delta = core.matrix(5, 4)
    core.softmax_cross_entropy(Delta, Z, T)
    local function J() return core.softmax_cross_entropy(nil, Z, T) end
    near(Delta, naive.differences(J, Z), 1e-8)
  end)
end)
