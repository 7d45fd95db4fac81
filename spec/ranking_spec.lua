-- Ranks of labels, and areas under the curves of ranked samples: src/ranking.c.

local naive = require "spec.support.naive"
local pl = require "perilune"
local raises = require "spec.support.raises"

local nan, infinity = naive.nan, naive.infinity

-- By pairs: the weight of those of a positive and a negative that are in the right order, half of
-- the ties, over the weight of all.
local function area_by_pairs(scores, positive, weights)
  local right, all = 0, 0
  for p = 1, #scores do
    for n = 1, #scores do
      if positive[p] and not positive[n] then
        local weight = weights[p] * weights[n]
        local half = scores[p] == scores[n] and weight / 2 or 0
        right = right + (scores[p] > scores[n] and weight or half)
        all = all + weight
      end
    end
  end
  return right / all
end

-- By definition: the mean over the positives of the precision where all with scores like theirs,
-- and higher, are taken.
local function precision_by_loops(scores, positive, weights)
  local sum, all = 0, 0
  for p = 1, #scores do
    if positive[p] then
      local taken, hits = 0, 0
      for n = 1, #scores do
        if scores[n] >= scores[p] then
          taken, hits = taken + weights[n], hits + (positive[n] and weights[n] or 0)
        end
      end
      all = all + weights[p]
      if weights[p] > 0 then sum = sum + weights[p] * hits / taken end
    end
  end
  return all > 0 and sum / all or 0
end

for _, dtype in ipairs(naive.types) do
  local core = pl[dtype]

  -- Scores, which are positive, and weights, with `values` different scores
  local function drawn(N, values, seed)
    local g = core.generator(seed)
    local scores, positive, weights = {}, {}, {}
    for n = 1, N do
      scores[n] = (g:integer(1, values) - values / 2) / 8
      positive[n] = g:number() < 0.3
      weights[n] = g:integer(0, 4) / 2
    end
    return scores, positive, weights
  end

  local function targets(positive)
    local T = core.matrix(1, #positive)
    for n, is_positive in ipairs(positive) do T:set(1, n, is_positive and 1 or 0) end
    return T
  end

  local function near(expected, actual)
    assert(math.abs(expected - actual) <= 1e-12, ("%.17g expected, got %.17g"):format(expected,
      actual))
  end

  describe("areas under curves in " .. dtype, function()
    it("are what pairs and loops say, with ties and weights", function()
      for seed, values in ipairs { 2, 5, 30, 100000 } do
        local scores, positive, weights = drawn(150, values, seed)
        local A, T = core.matrix { scores }, targets(positive)
        local ones = naive.fill(1, 150, 1)[1]
        local roc, average = core.curve_areas(A, T, 1)
        near(area_by_pairs(scores, positive, ones), roc)
        near(precision_by_loops(scores, positive, ones), average)
        roc, average = core.curve_areas(A, T, 1, core.matrix { weights })
        near(area_by_pairs(scores, positive, weights), roc)
        near(precision_by_loops(scores, positive, weights), average)
      end
    end)

    it("take the row that is asked for, of targets, labels and weights, in both orders", function()
      local scores, positive, weights = drawn(60, 20, 7)
      local others = drawn(60, 20, 8)
      local expected = { core.curve_areas(core.matrix { scores }, targets(positive), 1,
        core.matrix { weights }) }
      local rows, labels = {}, {}
      for n = 1, 60 do
        rows[n], labels[n] = positive[n] and 1 or 0, positive[n] and 2 or 1 + 2 * (n % 2)
      end
      local zeros = naive.fill(1, 60, 0)[1]
      local A = core.matrix { others, scores, others }
      local T = core.matrix { zeros, rows, zeros }
      local W = core.matrix { zeros, weights, zeros }
      for _, order in ipairs { "columns", "rows" } do
        assert.same(expected, { core.curve_areas(A:copy(order), T:copy(order), 2, W:copy(order)) })
        assert.same(expected,
          { core.curve_areas(A:copy(order), core.matrix { labels }, 2, core.matrix { weights }) })
      end
    end)

    it("order numbers of any size and sign, and both zeros as one", function()
      local A = core.matrix { { -infinity, -1e30, -1, -1e-30, 0, 1e-30, 1, 1e30, infinity } }
      local T = core.matrix { { 0, 0, 0, 0, 0, 1, 1, 1, 1 } }
      assert.same({ 1, 1 }, { core.curve_areas(A, T, 1) })
      assert.same({ 0 }, { (core.curve_areas(-A, T, 1)) })
      local zeros = core.matrix { { 0.0, -0.0 } }
      assert.same({ 0.5, 0.5 }, { core.curve_areas(zeros, core.matrix { { 1, 0 } }, 1) })
      assert.same({ 0.5, 0.5 }, { core.curve_areas(zeros, core.matrix { { 0, 1 } }, 1) })
    end)

    it("are NaN and 0 where there is no positive, NaN and 1 where there is no other", function()
      local A = core.matrix { { 1, 2, 3 } }
      local roc, average = core.curve_areas(A, core.matrix(1, 3), 1)
      assert.is_true(roc ~= roc)
      assert.equal(0, average)
      roc, average = core.curve_areas(A, core.matrix(1, 3):fill(1), 1)
      assert.is_true(roc ~= roc)
      assert.equal(1, average)
      roc, average = core.curve_areas(A, core.matrix(1, 3), 1, core.matrix(1, 3))
      assert.is_true(roc ~= roc)
      assert.equal(0, average)
    end)

    it("leave out samples of weight 0, whatever they are", function()
      local A = core.matrix { { 1, nan, 3, 2 } }
      local T = core.matrix { { 0, 1, nan, 1 } }
      local weights = core.matrix { { 1, 0, 0, 1 } }
      assert.same({ 1, 1 }, { core.curve_areas(A, T, 1, weights) })
    end)

    it("are refused what cannot be ranked", function()
      local A, T = core.matrix(2, 3), core.matrix(2, 3)
      raises("2 x 3 matrix expected, got 2 x 4", core.curve_areas, A, core.matrix(2, 4), 1)
      raises("1 x 3 matrix expected, got 1 x 4", core.curve_areas, A, core.matrix(1, 4), 1)
      for _, i in ipairs { 0, 3, -1 } do
        raises("a row of A expected", core.curve_areas, A, T, i)
      end
      raises("2 x 3 matrix expected, got 3 x 3", core.curve_areas, A, T, 1, core.matrix(3, 3))
      raises("expected", core.curve_areas, A, pl[naive.other[dtype]].matrix(2, 3), 1)
      local wrong = core.matrix { { 0, 0, 0 }, { 0, nan, 0 } }
      raises("#1 to 'f' (a number expected for sample 2)", core.curve_areas, wrong, T, 2)
      raises("#2 to 'f' (a number expected for sample 2)", core.curve_areas, A, wrong, 2)
      for _, w in ipairs { -1, nan, infinity } do
        raises("#4 to 'f' (a finite number of 0 or more expected for sample 3)",
          core.curve_areas, A, T, 1, core.matrix { { 1, 0, w } })
      end
    end)
  end)

  describe("the rank of a label in " .. dtype, function()
    it("is its place in a stable sort of the outputs, the largest first", function()
      local S, N = 7, 50
      local g = core.generator(3)
      local A, labels = core.matrix(S, N), core.matrix(1, N)
      for n = 1, N do
        labels:set(1, n, g:integer(1, S))
        for i = 1, S do A:set(i, n, g:integer(1, 4)) end
      end
      for _, order in ipairs { "columns", "rows" } do
        local r = core.label_ranks(core.matrix(1, N), A:copy(order), labels)
        for n = 1, N do
          local sorted = {}
          for i = 1, S do sorted[i] = i end
          table.sort(sorted, function(a, b)
            local x, y = A:get(a, n), A:get(b, n)
            return x > y or (x == y and a < b)
          end)
          assert.equal(labels:get(1, n), sorted[math.tointeger(r:get(1, n))])
        end
      end
    end)

    it("is 1 where argmax gives the label", function()
      local A = naive.random(core, 4, 5, 300)
      local r = core.label_ranks(core.matrix(1, 300), A, A:argmax())
      assert.equal(300, core.count_equal(r, core.matrix(1, 300):fill(1)))
    end)

    it("may take the place of the labels", function()
      local A, labels = core.matrix { { 3, 1 }, { 2, 2 } }, core.matrix { { 2, 2 } }
      assert.is_true(rawequal(labels, core.label_ranks(labels, A, labels)))
      assert.same({ { 2, 1 } }, labels:totable())
    end)

    it("is refused for what has none, and nothing is written", function()
      local A, r = core.matrix(3, 2), core.matrix(1, 2):fill(9)
      for _, label in ipairs { 0, 4, 1.5, nan, -1, infinity } do
        raises("labels 1 to 3", core.label_ranks, r, A, core.matrix { { 1, label } })
      end
      local wrong = core.matrix { { 0, 0 }, { 0, nan }, { 0, 0 } }
      raises("without NaN", core.label_ranks, r, wrong, core.matrix { { 1, 1 } })
      raises("1 x 2 matrix expected", core.label_ranks, r, A, core.matrix(1, 3))
      raises("1 x 2 matrix expected", core.label_ranks, core.matrix(1, 3), A, core.matrix(1, 2))
      raises("argument", core.label_ranks, A:view(1, 1, 2), A, core.matrix { { 1, 1 } })
      assert.same({ { 9, 9 } }, r:totable())
    end)
  end)
end
