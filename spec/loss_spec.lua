-- The error J and Delta: squared error (2.18), (2.23), and softmax with cross-entropy, against
-- loops and central differences.

local naive = require "spec.support.naive"

local near, near_number, random = naive.near, naive.near_number, naive.random
local refuses = naive.refuses
local infinity, nan = naive.infinity, naive.nan

-- above 256 classes the loss without Delta works in spans
local shapes = {
  { 1, 1 }, { 1, 9 }, { 9, 1 }, { 10, 64 }, { 33, 7 }, { 7, 129 },
  { 256, 2 }, { 257, 3 }, { 700, 2 },
}

local function labels_for(classes, N)
  local labels = {}
  for n = 1, N do labels[n] = (n * n + 3) % classes + 1 end
  return labels
end

-- Target columns that are distributions, or nothing at all, or any numbers
local targets = {
  { kind = "of one class each", make = function(core, classes, N)
    return core.matrix(naive.one_hot(labels_for(classes, N), classes))
  end },
  { kind = "that are soft", make = function(core, classes, N)
    local Z = random(core, 21, classes, N)
    return core.activations.softmax.forward(Z, Z)
  end },
  { kind = "that are all zero", make = function(core, classes, N)
    return core.matrix(classes, N)
  end },
  { kind = "that sum to any number", make = function(core, classes, N)
    return random(core, 22, classes, N)
  end },
}

for _, name in ipairs(naive.types) do
  local core = require("perilune.core." .. name)
  local other = require("perilune.core." .. naive.other[name])
  local tolerance = naive.tolerance[name]
  local mixed = naive.mixed(name, "perilune.matrix." .. other.name)

  describe("squared_error in " .. name, function()
    for _, shape in ipairs(shapes) do
      local rows, N = table.unpack(shape)

      it(("is J (2.18) and Delta (2.23) of %d x %d"):format(rows, N), function()
        local A, T = random(core, 1, rows, N), random(core, 2, rows, N)
        local J, expected = naive.squared_error(A:totable(), T:totable())
        local Delta = core.matrix(rows, N):fill(nan)
        near_number(core.squared_error(Delta, A, T), J, tolerance)
        near(Delta, expected, tolerance)
        near_number(core.squared_error(nil, A, T), J, tolerance)
        near(A, random(core, 1, rows, N):totable(), 0)
        near(T, random(core, 2, rows, N):totable(), 0)
        near_number(core.squared_error(A, A, T), J, tolerance)
        near(A, expected, tolerance)
      end)
    end

    it("is 0 where A = T", function()
      local A = random(core, 1, 4, 5)
      local Delta = core.matrix(4, 5):fill(nan)
      assert.equal(0, core.squared_error(Delta, A, A))
      near(Delta, naive.fill(4, 5, 0), 0)
    end)

    it("is NaN, or infinite, where A or T is", function()
      for _, place in ipairs { 1, 4, 9 } do
        local T = random(core, 2, 3, 3)
        local A = random(core, 1, 3, 3)
        A:view(place, 1, 1):fill(nan)
        local J = core.squared_error(nil, A, T)
        assert.is_true(J ~= J)
        J = core.squared_error(core.matrix(3, 3), T, A)
        assert.is_true(J ~= J)
        A:view(place, 1, 1):fill(infinity)
        assert.equal(infinity, core.squared_error(nil, A, T))
      end
    end)

    it("names the shape it expected and the one it got, and writes nothing", function()
      local A, T = random(core, 1, 3, 4), random(core, 2, 3, 4)
      local Delta = random(core, 3, 3, 4)
      refuses(Delta, "#3 to 'squared_error' %(3 x 4 matrix expected, got 1 x 4%)",
        function() core.squared_error(Delta, A, core.matrix(1, 4)) end)
      refuses(Delta, "#3 to 'squared_error' %(2 x 4 matrix expected, got 3 x 4%)",
        function() core.squared_error(Delta, core.matrix(2, 4), T) end)
      refuses(Delta, "#1 to 'squared_error' %(3 x 2 matrix expected, got 3 x 4%)",
        function() core.squared_error(Delta, A:columns(1, 2), T:columns(1, 2)) end)
    end)

    it("refuses mixed types, other storage and partly overlapping results", function()
      local A, T = random(core, 1, 3, 4), random(core, 2, 3, 4)
      local Delta = random(core, 3, 3, 4)
      refuses(Delta, "#2 .*" .. mixed,
        function() core.squared_error(Delta, other.matrix(3, 4), T) end)
      refuses(Delta, "#3 .*" .. mixed,
        function() core.squared_error(Delta, A, other.matrix(3, 4)) end)
      refuses(A, "#1 .*" .. mixed,
        function() core.squared_error(other.matrix(3, 4), A, T) end)
      refuses(A, "#1 .*" .. naive.mixed(name, "number"),
        function() core.squared_error(1, A, T) end)
      refuses(Delta, "#3 .*matrix stored by columns expected, got one stored by rows",
        function() core.squared_error(Delta, A, T:copy("rows")) end)
      local whole = random(core, 4, 3, 5)
      refuses(whole, "#1 .*must be argument #2 itself or share no memory with it",
        function() core.squared_error(whole:columns(1, 4), whole:columns(2, 5), T) end)
    end)
  end)

  describe("softmax_cross_entropy in " .. name, function()
    for _, shape in ipairs(shapes) do
      local classes, N = table.unpack(shape)
      local title = (", %d classes and %d samples"):format(classes, N)

      for _, target in ipairs(targets) do
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
          local Z, list = random(core, 1, classes, N), labels_for(classes, N)
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
      local Z, T = random(core, 1, 6, 5), targets[2].make(core, 6, 5)
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
      for _, target in ipairs(targets) do
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

-- Weights of samples and of single targets, some of them 0
local function weights_for(core, kind, rows, N)
  local W = core.generator(31):uniform(core.matrix(kind == "samples" and 1 or rows, N))
  return W:map(function(w) return w < 0.3 and 0 or w end)
end

local kinds = { "samples", "targets" }

for _, name in ipairs(naive.types) do
  local core = require("perilune.core." .. name)
  local other = require("perilune.core." .. naive.other[name])
  local tolerance = naive.tolerance[name]

  -- The losses, each with targets in every form it takes
  local losses = {
    { name = "squared_error", oracle = naive.squared_error, make = function(rows, N)
      return random(core, 2, rows, N)
    end },
    { name = "softmax_cross_entropy", oracle = naive.softmax_cross_entropy,
      make = function(rows, N) return targets[2].make(core, rows, N) end },
    { name = "softmax_cross_entropy", of = " of labels",
      oracle = function(Z, T, weights)
        return naive.softmax_cross_entropy(Z, naive.one_hot(T[1], #Z), weights)
      end,
      make = function(rows, N) return core.matrix { labels_for(rows, N) } end },
  }

  for _, loss in ipairs(losses) do
    local f = core[loss.name]

    describe(("weights in %s%s in %s"):format(loss.name, loss.of or "", name), function()
      for _, kind in ipairs(kinds) do
        for _, shape in ipairs { { 2, 1 }, { 10, 64 }, { 33, 7 }, { 3, 20000 } } do
          local rows, N = table.unpack(shape)

          it(("of %s weigh J and Delta of %d x %d"):format(kind, rows, N), function()
            local A, T = random(core, 1, rows, N), loss.make(rows, N)
            local W = weights_for(core, kind, rows, N)
            local J, expected, total = loss.oracle(A:totable(), T:totable(), W:totable())
            local Delta = core.matrix(rows, N):fill(nan)
            local got_J, got_total = f(Delta, A, T, W)
            near_number(got_J, J, tolerance)
            near_number(got_total, total, 1e-12)
            near(Delta, expected, tolerance)
            near_number(f(nil, A, T, W), J, tolerance)
            near_number(f(A, A, T, W), J, tolerance)
            near(A, Delta:totable(), 0)
          end)
        end

        it("of " .. kind .. " that are all 1 change nothing", function()
          local A, T = random(core, 1, 5, 8), loss.make(5, 8)
          local ones = core.matrix(kind == "samples" and 1 or 5, 8):fill(1)
          local Delta, weighted = core.matrix(5, 8), core.matrix(5, 8):fill(nan)
          local J, total = f(Delta, A, T)
          assert.equal(8, total)
          local J_weighted, total_weighted = f(weighted, A, T, ones)
          near_number(J_weighted, J, tolerance)
          assert.equal(8, total_weighted)
          near(weighted, Delta:totable(), tolerance)
          near_number(f(nil, A, T, nil), J, 1e-14)
        end)

        it("of " .. kind .. " that are all 0 give J = 0 and Delta = 0", function()
          local zeros = core.matrix(kind == "samples" and 1 or 5, 8)
          for _, x in ipairs { 1, nan } do
            local T = loss.make(5, 8)
            if x ~= x then T:fill(nan) end
            local Delta = core.matrix(5, 8):fill(nan)
            assert.same({ 0, 0 }, { f(Delta, random(core, 1, 5, 8), T, zeros) })
            near(Delta, naive.fill(5, 8, 0), 0)
          end
        end)
      end

      it("of 0, 1 and 2 leave samples out, take them, and take them twice", function()
        local A, T = random(core, 1, 4, 6), loss.make(4, 6)
        local W = core.matrix { { 1, 0, 2, 0, 1, 2 } }
        local taken = { 1, 3, 3, 5, 6, 6 }
        local A_taken = core.gather(core.matrix(4, 6), A, taken)
        local T_taken = core.gather(core.matrix(T.rows, 6), T, taken)
        local Delta, Delta_taken = core.matrix(4, 6), core.matrix(4, 6)
        near_number(f(Delta, A, T, W), f(Delta_taken, A_taken, T_taken), tolerance)
        local sums = core.matrix(4, 6)
        for k, n in ipairs(taken) do
          local sum = sums:columns(n, n)
          core.add(sum, sum, Delta_taken:columns(k, k))
        end
        near(Delta, sums:totable(), tolerance)
      end)

      it("of 0 leave out what is not a number", function()
        for _, kind in ipairs(kinds) do
          local A, T = random(core, 1, 4, 6), loss.make(4, 6)
          local W = weights_for(core, kind, 4, 6):columns(1, 6)
          W:columns(2, 2):fill(0)
          local wanted = core.matrix(4, 6)
          local J, total = f(wanted, A, T, W)
          A:columns(2, 2):fill(nan)
          T:columns(2, 2):fill(nan)
          local Delta = core.matrix(4, 6):fill(nan)
          assert.same({ J, total }, { f(Delta, A, T, W) })
          near(Delta, wanted:totable(), 0)
          near_number(f(nil, A, T, W), J, 1e-14)
        end
      end)

      it("do not keep what is not a number from J where they are not 0", function()
        for _, kind in ipairs(kinds) do
          local A, T = random(core, 1, 4, 6):set(3, 2, nan), loss.make(4, 6)
          local Delta = core.matrix(4, 6)
          local W = core.matrix(kind == "samples" and 1 or 4, 6):fill(1)
          local J = f(Delta, A, T, W)
          assert.is_true(J ~= J)
          assert.is_true(Delta:get(3, 2) ~= Delta:get(3, 2))
          assert.is_true(Delta:columns(3, 6):is_finite())
        end
      end)

      it("give the same bits whatever the number of threads", function()
        local A, T = random(core, 1, 7, 20000), loss.make(7, 20000)
        local before = core.threads()
        finally(function() core.threads(before) end)
        for _, kind in ipairs(kinds) do
          local W = weights_for(core, kind, 7, 20000)
          local results = {}
          for threads = 1, 3, 2 do
            core.threads(threads)
            local Delta = core.matrix(7, 20000)
            local J, total = f(Delta, A, T, W)
            results[#results + 1] = Delta:encode(name) .. string.pack("dd", J, total)
          end
          assert.is_true(results[1] == results[2])
        end
      end)

      it("are refused when negative or not finite, naming where, before Delta is written",
        function()
          local A, T = random(core, 1, 3, 4), loss.make(3, 4)
          local Delta = random(core, 3, 3, 4)
          for bad, got in pairs {
            [-1] = "%-1", [infinity] = "inf", [-infinity] = "%-inf",
          } do
            local W = core.matrix(3, 4):fill(1):set(2, 3, bad)
            refuses(Delta, "#4 .*%(finite weight >= 0 expected, got " .. got
              .. " in row 2, column 3%)", function() f(Delta, A, T, W) end)
            W = core.matrix(1, 4):fill(1):set(1, 3, bad)
            refuses(Delta, "#4 .*%(finite weight >= 0 expected, got " .. got
              .. " in column 3%)", function() f(Delta, A, T, W) end)
          end
          local W = core.matrix(1, 4):set(1, 4, nan)
          refuses(Delta, "#4 .*got %-?nan in column 4", function() f(Delta, A, T, W) end)
          if name == "float64" then
            W:fill(1.7e308)
            refuses(Delta, "#4 .*weights with a finite sum expected",
              function() f(Delta, A, T, W) end)
          end
        end)

      it("are refused in another shape, type or order, or where Delta is", function()
        local A, T = random(core, 1, 3, 4), loss.make(3, 4)
        local Delta = core.abs(core.matrix(3, 4), random(core, 3, 3, 4))
        refuses(Delta, "#4 .*%(1 x 4 matrix expected, got 1 x 3%)",
          function() f(Delta, A, T, core.matrix(1, 3)) end)
        refuses(Delta, "#4 .*%(3 x 4 matrix expected, got 2 x 4%)",
          function() f(Delta, A, T, core.matrix(2, 4)) end)
        refuses(Delta, "#4 .*" .. naive.mixed(name, "perilune.matrix." .. other.name),
          function() f(Delta, A, T, other.matrix(1, 4)) end)
        refuses(Delta, "#4 .*" .. naive.mixed(name, "table"),
          function() f(Delta, A, T, { 1, 1, 1, 1 }) end)
        refuses(Delta, "#4 .*matrix stored by columns expected, got one stored by rows",
          function() f(Delta, A, T, core.matrix(3, 4, "rows")) end)
        refuses(Delta, "#1 .*argument #4", function() f(Delta, A, T, Delta) end)
        refuses(Delta, "#1 .*argument #4",
          function() f(Delta, A, T, Delta:view(2, 1, 4)) end)
      end)
    end)
  end

  describe("weights of single targets in " .. name, function()
    it("leave out the targets that are missing", function()
      local A, T = random(core, 1, 3, 4), random(core, 2, 3, 4)
      local W = core.matrix(3, 4):fill(1):set(2, 1, 0):set(1, 3, 0):set(3, 3, 0)
      local wanted = core.matrix(3, 4)
      local J = core.squared_error(wanted, A, T, W)
      assert.equal(0, wanted:get(2, 1))
      T:set(2, 1, nan):set(1, 3, nan):set(3, 3, infinity)
      local Delta = core.matrix(3, 4)
      assert.equal(J, (core.squared_error(Delta, A, T, W)))
      near(Delta, wanted:totable(), 0)
      -- the mean over the nine that are there, times S_L
      local D = core.hadamard(core.matrix(3, 4), A - T:map(function(t)
        return t - t == 0 and t or 0
      end), W)
      near_number(J, core.square(D, D):sum() / 2 / 9 * 3, tolerance)
    end)

    it("weigh a label by the weight of its class", function()
      local Z = random(core, 1, 3, 4)
      local W = core.matrix(3, 4):fill(1)
      local by_class = { 1, 5, 0 }
      for i = 1, 3 do
        for n = 1, 4 do W:set(i, n, by_class[i]) end
      end
      local labels = core.matrix { { 2, 2, 3, 1 } }
      local J, total = core.softmax_cross_entropy(nil, Z, labels, W)
      local A = core.activations.softmax.forward(core.matrix(3, 4), Z)
      local expected = -5 * math.log(A:get(2, 1)) - 5 * math.log(A:get(2, 2))
        - math.log(A:get(1, 4))
      assert.equal(8, total)
      near_number(J, expected / 8, tolerance)
    end)

    it("still refuse a label that is no class where a class of its sample has weight",
      function()
        local Z, Delta = random(core, 1, 3, 2), random(core, 2, 3, 2)
        local W = core.matrix(3, 2):set(2, 2, 1)
        core.softmax_cross_entropy(nil, Z, core.matrix { { 7, 1 } }, W)
        local labels = core.matrix { { 1, 7 } }
        refuses(Delta, "#3 .*%(labels 1 to 3 expected, got 7 in column 2%)",
          function() core.softmax_cross_entropy(Delta, Z, labels, W) end)
      end)
  end)
end

describe("the losses in float64", function()
  local core = require "perilune.core.float64"

  for _, kind in ipairs(kinds) do
    it("have Delta by central differences with weights of " .. kind, function()
      local W = weights_for(core, kind, 5, 4)
      for _, case in ipairs {
        { core.squared_error, random(core, 2, 5, 4) },
        { core.softmax_cross_entropy, targets[2].make(core, 5, 4) },
        { core.softmax_cross_entropy, targets[4].make(core, 5, 4) },
        { core.softmax_cross_entropy, core.matrix { { 5, 1, 1, 3 } } },
      } do
        local f, T = table.unpack(case)
        local A, Delta = random(core, 1, 5, 4), core.matrix(5, 4)
        f(Delta, A, T, W)
        near(Delta, naive.differences(function() return (f(nil, A, T, W)) end, A), 1e-8)
      end
    end)
  end

  it("have Delta = dJ/dA by central differences (2.20)", function()
    local A, T = random(core, 1, 5, 4), random(core, 2, 5, 4)
    local Delta = core.matrix(5, 4)
    core.squared_error(Delta, A, T)
    local function J() return core.squared_error(nil, A, T) end
    near(Delta, naive.differences(J, A), 1e-8)
  end)

  for _, target in ipairs(targets) do
    it("have Delta = dJ/dZ by central differences: targets " .. target.kind, function()
      local Z, T = random(core, 1, 5, 4), target.make(core, 5, 4)
      local Delta = core.matrix(5, 4)
      core.softmax_cross_entropy(Delta, Z, T)
      local function J() return core.softmax_cross_entropy(nil, Z, T) end
      near(Delta, naive.differences(J, Z), 1e-8)
    end)
  end

  it("have Delta = dJ/dZ by central differences: labels", function()
    local Z, T = random(core, 1, 5, 4), core.matrix { { 5, 1, 1, 3 } }
    local Delta = core.matrix(5, 4)
    core.softmax_cross_entropy(Delta, Z, T)
    local function J() return core.softmax_cross_entropy(nil, Z, T) end
    near(Delta, naive.differences(J, Z), 1e-8)
  end)
end)
