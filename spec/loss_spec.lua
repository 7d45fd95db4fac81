-- What all losses share: weights, reductions, refusals, the same bits for any number of threads.

local losses = require "spec.support.losses"
local naive = require "spec.support.naive"
local pl = require "perilune"

local near, near_number, random = naive.near, naive.near_number, naive.random
local refuses = naive.refuses
local infinity, nan = naive.infinity, naive.nan

local kinds = { "samples", "targets" }

for _, name in ipairs(naive.types) do
  local core = require("perilune.core." .. name)
  local other = require("perilune.core." .. naive.other[name])
  local tolerance = naive.tolerance[name]

  -- The losses, each with targets in every form it takes
  local cases = {
    { name = "squared_error", oracle = naive.squared_error, make = function(rows, N)
      return random(core, 2, rows, N)
    end },
    { name = "softmax_cross_entropy", oracle = naive.softmax_cross_entropy,
      make = function(rows, N) return losses.columns[2].make(core, rows, N) end },
    { name = "softmax_cross_entropy", of = " of labels",
      oracle = function(Z, T, weights)
        return naive.softmax_cross_entropy(Z, naive.one_hot(T[1], #Z), weights)
      end,
      make = function(rows, N) return core.matrix { losses.labels(rows, N) } end },
  }

  for _, loss in ipairs(cases) do
    local f = core[loss.name]

    describe(("weights in %s%s in %s"):format(loss.name, loss.of or "", name), function()
      for _, kind in ipairs(kinds) do
        for _, shape in ipairs { { 2, 1 }, { 10, 64 }, { 33, 7 }, { 3, 20000 } } do
          local rows, N = table.unpack(shape)

          it(("of %s weigh J and Delta of %d x %d"):format(kind, rows, N), function()
            local A, T = random(core, 1, rows, N), loss.make(rows, N)
            local W = losses.weights(core, kind, rows, N)
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
          local W = losses.weights(core, kind, 4, 6):columns(1, 6)
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
          local W = losses.weights(core, kind, 7, 20000)
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
      local W = losses.weights(core, kind, 5, 4)
      for _, case in ipairs {
        { core.squared_error, random(core, 2, 5, 4) },
        { core.softmax_cross_entropy, losses.columns[2].make(core, 5, 4) },
        { core.softmax_cross_entropy, losses.columns[4].make(core, 5, 4) },
        { core.softmax_cross_entropy, core.matrix { { 5, 1, 1, 3 } } },
      } do
        local f, T = table.unpack(case)
        local A, Delta = random(core, 1, 5, 4), core.matrix(5, 4)
        f(Delta, A, T, W)
        near(Delta, naive.differences(function() return (f(nil, A, T, W)) end, A), 1e-8)
      end
    end)
  end
end)

-- Each of the cases of spec.support.losses, called as a part
local function each_loss(body)
  for _, case in ipairs(losses.list) do
    local function of(rows) return pl.loss(losses.description(case, rows)) end
    body(case, losses.title(case), of)
  end
end

for _, name in ipairs(naive.types) do
  local core = require("perilune.core." .. name)
  local tolerance = naive.tolerance[name]

  describe("each loss in " .. name, function()
    each_loss(function(case, title, of)
      local function arguments(rows, N)
        return of(rows), losses.outputs(case, core, rows, N), case.targets(core, rows, N)
      end

      it("is the mean of its samples', and their Deltas': " .. title, function()
        for _, shape in ipairs { { 2, 1 }, { 1, 6 }, { 33, 7 }, { 300, 3 } } do
          local rows, N = table.unpack(shape)
          local labels = case.targets(core, 2, 1).rows == 1
          if rows > 1 or not labels then
            local loss, A, T = arguments(rows, N)
            local J, Delta = loss(A, T)
            local sum, total, of_samples = 0, 0, core.matrix(A.rows, N)
            for n = 1, N do
              local J_n, _, w = loss(A:columns(n, n), T:columns(n, n), of_samples:columns(n, n))
              sum, total = sum + w * J_n, total + w
              core.hadamard(of_samples:columns(n, n), of_samples:columns(n, n), w)
            end
            if case.name == "kl_divergence" then total = N end
            near_number(J, sum / total, tolerance)
            near(Delta, core.hadamard(of_samples, of_samples, 1 / total):totable(), tolerance)
          end
        end
      end)

      it("is a sum where that is asked for: " .. title, function()
        local loss, A, T = arguments(3, 8)
        local description = losses.description(case, 3)
        description.reduction = "sum"
        local J, Delta = loss(A, T)
        local sum, of_sum = pl.loss(description)(A, T)
        local ratio = sum / J
        near(of_sum, core.hadamard(Delta, Delta, ratio):totable(), tolerance)
        local W = core.matrix(1, 8):fill(3)
        near_number(pl.loss(description)(A, T, false, W), 3 * sum, tolerance)
        near_number(pl.loss(description)(A, T, false, W:fill(0)), 0, 0)
      end)

      it("has weights by which samples count: " .. title, function()
        for _, shape in ipairs { { 2, 9 }, { 33, 20 }, { 3, 400 } } do
          local rows, N = table.unpack(shape)
          local loss, A, T = arguments(rows, N)
          local W = losses.weights(core, "samples", rows, N)
          local J, Delta, total = loss(A, T, nil, W)
          local sum, weight, of_samples = 0, 0, core.matrix(A.rows, N)
          for n = 1, N do
            local delta = of_samples:columns(n, n)
            local J_n, _, w = loss(A:columns(n, n), T:columns(n, n), delta)
            w = w * W:get(1, n)
            sum, weight = sum + w * J_n, weight + w
            core.hadamard(delta, delta, w)
          end
          near_number(J, sum / weight, tolerance)
          near_number(total, weight, tolerance)
          near(Delta, core.hadamard(of_samples, of_samples, 1 / weight):totable(), tolerance)
          near_number(loss(A, T, false, W), J, tolerance)
        end
      end)

      it("takes weights of targets that are alike for those of samples: " .. title, function()
        for _, shape in ipairs { { 4, 9 }, { 300, 3 } } do
          local rows, N = table.unpack(shape)
          local loss, A, T = arguments(rows, N)
          local W = losses.weights(core, "samples", rows, N)
          local each = core.add(core.matrix(rows, N), core.matrix(rows, N), W)
          local J, Delta, total = loss(A, T, nil, W)
          local of_targets = core.matrix(A.rows, N):fill(nan)
          local J_each, _, total_each = loss(A, T, of_targets, each)
          near_number(J_each, J, tolerance)
          near_number(total_each, total, tolerance)
          near(of_targets, Delta:totable(), tolerance)
        end
      end)

      it("leaves out samples of weight 0, whatever they hold: " .. title, function()
        local loss, A, T = arguments(5, 40)
        local W = losses.weights(core, "samples", 5, 40):set(1, 2, 0):set(1, 3, 0):set(1, 40, 0)
        for _, weights in ipairs { W, core.add(core.matrix(5, 40), core.matrix(5, 40), W) } do
          local J, Delta = loss(A, T, nil, weights)
          local B, U = A:copy(), T:copy()
          B:columns(2, 2):fill(nan)
          B:columns(40, 40):fill(infinity)
          U:columns(2, 3):fill(nan)
          U:columns(40, 40):fill(-infinity)
          local again = core.matrix(A.rows, 40):fill(nan)
          assert.equal(J, (loss(B, U, again, weights)))
          near(again, Delta:totable(), 0)
          near(again:columns(40, 40), naive.fill(A.rows, 1, 0), 0)
          near_number(loss(B, U, false, weights), J, 1e-14)
        end
      end)

      it("is NaN where an output or a target is: " .. title, function()
        for _, place in ipairs { 1, 2, 5 } do
          local loss, A, T = arguments(5, 40)
          if T.rows > 1 then
            local U = T:copy():set(place, 30, nan)
            local J = loss(A, U)
            assert.is_true(J ~= J)
            J = loss(A, U, false, core.matrix(1, 40):fill(2))
            assert.is_true(J ~= J)
          end
          A:set(place, 30, nan)
          local J, Delta = loss(A, T)
          assert.is_true(J ~= J)
          Delta:columns(30, 30):fill(0)
          assert.is_true(Delta:is_finite())
        end
      end)

      it("may write Delta into A: " .. title, function()
        for _, weights in ipairs { false, "samples", "targets" } do
          local loss, A, T = arguments(7, 50)
          local W = weights and losses.weights(core, weights, 7, 50) or nil
          local J, Delta = loss(A, T, nil, W)
          assert.equal(J, (loss(A, T, A, W)))
          near(A, Delta:totable(), 0)
          if case.elementwise then
            loss, A, T = arguments(7, 50)
            assert.equal(J, (loss(A, T, T, W)))
            near(T, Delta:totable(), 0)
          end
        end
      end)

      it("has the same bits for any number of threads: " .. title, function()
        local loss, A, T = arguments(7, 12000)
        local before = core.threads()
        finally(function() core.threads(before) end)
        for _, weights in ipairs { false, "samples", "targets" } do
          local W = weights and losses.weights(core, weights, 7, 12000) or nil
          local results = {}
          for threads = 1, 3 do
            core.threads(threads)
            local J, Delta, total = loss(A, T, nil, W)
            local alone = loss(A, T, false, W)
            results[threads] = Delta:encode(name) .. string.pack("ddd", J, total, alone)
          end
          assert.is_true(results[1] == results[2] and results[1] == results[3])
        end
      end)
    end)

    it("weighs single targets, and leaves out those of weight 0, whatever is there", function()
      each_loss(function(case, _, of)
        if not case.elementwise then return end
        local loss, A, T = of(4), losses.outputs(case, core, 4, 90), case.targets(core, 4, 90)
        local W = losses.weights(core, "targets", 4, 90)
        local J, Delta = loss(A, T, nil, W)
        local sum, per_target = 0, 1
        if case.name == "squared_error" or case.name == "kl_divergence" then per_target = 4 end
        for i = 1, 4 do
          for n = 1, 90 do
            local w = W:get(i, n)
            if w == 0 then
              A:set(i, n, nan)
              T:set(i, n, infinity)
            else
              -- in row i, so that it has the options of its row
              local alone = core.matrix(4, 1):set(i, 1, w)
              local J_in, _, w_in = loss(A:columns(n, n), T:columns(n, n), false, alone)
              sum = sum + J_in * w_in * 4 / per_target
            end
          end
        end
        near_number(J, sum * per_target / W:sum(), tolerance)
        local again = core.matrix(4, 90):fill(nan)
        assert.equal(J, (loss(A, T, again, W)))
        near(again, Delta:totable(), 0)
      end)
    end)
  end)
end
