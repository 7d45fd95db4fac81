-- Every part and every fold against its definition; how evenly, against scikit-learn.

local at_caller = require("spec.support.misuse").at_caller
local pl = require "perilune"
local reference = require "spec.support.reference"

-- Inputs that tell which sample they are
local function numbered(N)
  local X = pl.matrix(2, N)
  for n = 1, N do X:set(1, n, n):set(2, n, -n) end
  return X
end

local function labels_of(N, classes)
  local labels = {}
  for n = 1, N do labels[n] = 1 + n % classes end
  return labels
end

local function set_of(N, classes)
  return pl.dataset { X = numbered(N), labels = labels_of(N, classes or 4) }
end

-- Which samples of the whole set a part has
local function samples_of(part)
  local samples = {}
  for n = 1, part.N do samples[n] = part.X:get(1, n) | 0 end
  return samples
end

local function sizes_of(parts)
  local sizes = {}
  for p, part in ipairs(parts) do sizes[p] = part.N end
  return sizes
end

-- How many of each class a part has
local function counts_of(part, classes)
  local counts = {}
  for label = 1, classes do counts[label] = 0 end
  for n = 1, part.N do
    local label = part.T:get(1, n) | 0
    counts[label] = counts[label] + 1
  end
  return counts
end

-- Every sample is in exactly one of the parts.
local function check_partition(parts, N)
  local seen = {}
  for _, part in ipairs(parts) do
    for _, n in ipairs(samples_of(part)) do
      assert.is_nil(seen[n])
      seen[n] = true
    end
  end
  assert.equal(N, #seen)
end

-- No group is in two of the parts.
local function check_groups(parts, groups)
  local part_of = {}
  for p, part in ipairs(parts) do
    for _, n in ipairs(samples_of(part)) do
      assert.equal(p, part_of[groups[n]] or p)
      part_of[groups[n]] = p
    end
  end
end

local function folds_of(set, k, options)
  local parts, trained = {}, {}
  for train, held_out, fold in set:folds(k, options) do
    parts[fold], trained[fold] = held_out, train
  end
  return parts, trained
end

describe("split", function()
  it("puts every sample into exactly one part, with its own target and weight", function()
    local weights = {}
    for n = 1, 21 do weights[n] = n / 2 end
    local set = pl.dataset { X = numbered(21), labels = labels_of(21, 4), weights = weights }
    local one, other = set:split(0.3, pl.generator(1))
    assert.same({ 6, 15 }, { one.N, other.N })
    check_partition({ one, other }, 21)
    for _, part in ipairs { one, other } do
      for k, n in ipairs(samples_of(part)) do
        assert.equal(-n, part.X:get(2, k))
        assert.same({ 1 + n % 4, n / 2 }, { part.T:get(1, k), part.weights:get(1, k) })
      end
    end
  end)

  it("is random, and repeatable by the seed", function()
    local set = set_of(50)
    local function first(seed) return set:split(0.5, pl.generator(seed)):order() end
    assert.same(first(1), first(1))
    assert.not_same(first(1), first(2))
    assert.same(first(1), (set:split(0.5, {}):order()))
    assert.same(first(7), (set:split(0.5, { seed = 7 }):order()))
    assert.same(first(7), (set:split(0.5, { generator = pl.generator(7) }):order()))
  end)

  it("moves the generator that it is given, but not where it raises", function()
    local g = pl.generator(1)
    local set, first = set_of(50), g:state()
    local groups = {}
    for n = 1, 50 do groups[n] = 1 end
    at_caller(function() local _ = set:split(0.5, { generator = g, groups = groups }) end,
      "a fraction that leaves samples in both subsets of 50, groups whole, expected, got 0.5")
    assert.equal(first, g:state())
    local _ = set:split(0.5, g)
    assert.not_equal(first, g:state())
  end)

  it("copies nothing, and leaves the whole set as it is", function()
    local set = set_of(10)
    local one, other = set:split(0.5, pl.generator(1))
    assert.is_true(rawequal(set, one.source))
    assert.is_true(rawequal(set, other.source))
    assert.is_nil(rawget(one, "X"))
    assert.is_nil(rawget(other, "T"))
    assert.equal(10, set.N)
    assert.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, set:order())
  end)

  it("splits a part again", function()
    local set = set_of(20)
    local _, rest = set:split(0.5, pl.generator(1))
    local one, other = rest:split(0.4, pl.generator(2))
    assert.same({ 4, 6 }, { one.N, other.N })
    local both = table.move(other:order(), 1, 6, 5, one:order())
    local expected = rest:order()
    table.sort(both)
    table.sort(expected)
    assert.same(expected, both)
  end)

  it("makes as many parts as fractions, and one of what they leave", function()
    local set = set_of(103)
    for _, case in ipairs {
      { { 0.5, 0.3, 0.2 }, 3 }, { { 0.5, 0.3 }, 3 }, { { 0.25 }, 2 }, { { 0.7, 0.1, 0.1, 0.1 }, 4 },
    } do
      local fractions, count = case[1], case[2]
      local parts = { set:split(fractions, { seed = 2 }) }
      assert.equal(count, #parts)
      check_partition(parts, 103)
      for p, fraction in ipairs(fractions) do
        assert.is_true(math.abs(parts[p].N - fraction * 103) < 1)
      end
    end
    assert.same({ 10, 20, 70 }, sizes_of { set_of(100):split({ 0.1, 0.2 }, pl.generator(1)) })
  end)

  it("keeps the order without shuffling: the first samples are the first part", function()
    local past, future = set_of(10):split(0.7, { shuffle = false })
    assert.same({ 1, 2, 3, 4, 5, 6, 7 }, samples_of(past))
    assert.same({ 8, 9, 10 }, samples_of(future))
  end)

  it("cuts at a time: what is later is in a later part", function()
    local times, days = {}, {}
    for n = 1, 30 do
      times[n] = n * 7 % 30 // 2 -- each time twice
      days[n] = ("2024-01-%02d"):format(times[n] + 1)
    end
    for _, list in ipairs { times, days } do
      local parts = { set_of(30):split({ 0.5, 0.25 }, { time = list }) }
      check_partition(parts, 30)
      local last
      for _, part in ipairs(parts) do
        for _, n in ipairs(samples_of(part)) do
          assert.is_true(not last or list[last] < list[n] or (list[last] == list[n] and last < n))
          last = n
        end
      end
    end
    local past, future = set_of(4):split(0.5, { time = pl.matrix { { 3, 1, 2, 0 } } })
    assert.same({ { 4, 2 }, { 3, 1 } }, { samples_of(past), samples_of(future) })
  end)

  it("gives each part its share of each class, to within one sample, when stratified", function()
    for _, N in ipairs { 25, 40, 103 } do
      for _, fractions in ipairs { { 0.3 }, { 0.6, 0.2 }, { 0.25, 0.25, 0.25 }, { 0.41, 0.07 } } do
        for seed = 1, 3 do
          local set = pl.dataset { X = numbered(N), labels = labels_of(N, 3) }
          local whole = counts_of(set, 3)
          local parts = { set:split(fractions, { stratified = true, seed = seed }) }
          check_partition(parts, N)
          for p, fraction in ipairs(fractions) do
            for label, count in ipairs(counts_of(parts[p], 3)) do
              assert.is_true(math.abs(count - fraction * whole[label]) < 1)
            end
            assert.is_true(math.abs(parts[p].N - fraction * N) < 1.5)
          end
        end
      end
    end
  end)

  it("stratifies as scikit-learn does: the classes have the same counts", function()
    local case = reference.load("splits")["stratified split"]
    local set = pl.dataset { X = numbered(#case.labels), labels = case.labels }
    local one, other = set:split(case.fraction, { stratified = true })
    for label = 1, 4 do
      assert.near(case.counts[1][label], counts_of(one, 4)[label], 1)
      assert.near(case.counts[2][label], counts_of(other, 4)[label], 1)
    end
  end)

  it("stratifies columns of targets by their classes, too", function()
    local set = pl.dataset({ X = numbered(40), labels = labels_of(40, 4) }):one_hot()
    local one = set:split(0.25, { stratified = true })
    local counts = { 0, 0, 0, 0 }
    for n = 1, one.N do
      local label = one.T:argmax():get(1, n) | 0
      counts[label] = counts[label] + 1
    end
    assert.same({ 3, 3, 2, 2 }, (table.sort(counts, function(a, b) return a > b end) or counts))
  end)

  it("is stratified in random order, and in order without shuffling", function()
    local set = set_of(40)
    local one = set:split(0.5, { stratified = true })
    local ordered = one:order()
    table.sort(ordered)
    assert.not_same(ordered, one:order())
    local first, last = set:split(0.5, { stratified = true, shuffle = false })
    for part, expected in pairs { [first] = 0, [last] = 20 } do
      local expected_samples = {}
      for n = 1, 20 do expected_samples[n] = expected + n end
      assert.same(expected_samples, samples_of(part))
    end
  end)

  it("keeps groups whole, by names or numbers, with about their share of the samples", function()
    for seed = 1, 5 do
      local g, groups, largest = pl.generator(seed), {}, 0
      while #groups < 200 do
        local size = g:integer(1, 9)
        largest = math.max(largest, size)
        local name = seed % 2 == 0 and "g" .. #groups or #groups
        for _ = 1, size do groups[#groups + 1] = name end
      end
      local N = #groups
      local order = g:permutation(N)
      local mixed = {}
      for n = 1, N do mixed[n] = groups[order[n]] end
      local parts = { set_of(N):split({ 0.7, 0.2 }, { groups = mixed, seed = seed }) }
      check_partition(parts, N)
      check_groups(parts, mixed)
      for p, fraction in ipairs { 0.7, 0.2, 0.1 } do
        assert.is_true(math.abs(parts[p].N - fraction * N) <= largest)
      end
    end
  end)

  it("draws other groups by another seed", function()
    local groups = {}
    for n = 1, 60 do groups[n] = n // 4 end
    local function held_out(seed)
      local part = set_of(60):split(0.25, { groups = groups, seed = seed })
      local samples = samples_of(part)
      table.sort(samples)
      return samples
    end
    assert.same(held_out(1), held_out(1))
    assert.not_same(held_out(1), held_out(2))
  end)

  it("gives small parts large groups, too: each part has groups of all sizes", function()
    local groups, size_of = {}, {}
    for group = 1, 40 do
      size_of[group] = group <= 20 and 8 or 2
      for _ = 1, size_of[group] do groups[#groups + 1] = group end
    end
    local small = set_of(#groups):split(0.2, { groups = groups })
    local has = {}
    for _, n in ipairs(samples_of(small)) do has[size_of[groups[n]]] = true end
    assert.same({ [2] = true, [8] = true }, has)
  end)

  it("refuses a fraction that leaves a subset empty, or is none", function()
    local set, g = set_of(10), pl.generator(1)
    for _, fraction in ipairs { 0, 1, 0.01, 0.99, -1, 2, 0 / 0, 1 / 0, "0.5" } do
      at_caller(function() local _ = set:split(fraction, g) end,
        "a fraction that leaves samples in both subsets of 10 expected, got ")
    end
    at_caller(function() local _ = set:split({ 0.98, 0.01, 0.01 }, g) end,
      "fractions that leave samples in each of 3 subsets of 10 expected")
    at_caller(function() local _ = set:split({ 0.7, 0.7 }, g) end,
      "fractions: numbers expected that are at most 1 in all, got 1.4")
    at_caller(function() local _ = set:split({ 0.7, -1 }, g) end, "fractions: a list of numbers")
    at_caller(function() local _ = set:split({}, g) end,
      "fractions: a list of numbers expected, got none")
  end)

  it("refuses to go without a generator or options", function()
    at_caller(function() local _ = set_of(10):split(0.5) end,
      "generator: a generator expected, got nil")
  end)

  it("refuses options that do not fit the set, and others", function()
    local set = set_of(4)
    local function refuses(options, expected)
      at_caller(function() local _ = set:split(0.5, options) end, expected)
    end
    refuses({ stratify = true }, "unknown option 'stratify' of split (known: generator, groups,")
    refuses({ repeats = 2 }, "unknown option 'repeats' of split")
    refuses({ groups = { 1, 2, 3 } }, "groups: a list of 4 expected, one for each sample, got 3")
    refuses({ groups = "a" }, "groups: a list of 4 expected, one for each sample, got \"a\"")
    refuses({ groups = { 1, 2, 0 / 0, 4 } },
      "groups: names or numbers expected, got NaN for sample 3")
    refuses({ time = { 1, 2, "3", 4 } },
      "time: numbers, or strings that sort by time, expected, got \"3\" for sample 3")
    refuses({ time = { 1, 2, 3, 4 }, groups = { 1, 2, 3, 4 } },
      "either time or groups expected, got both")
    refuses({ generator = 1 }, "split: generator: a generator expected, got 1")
    set = pl.dataset { X = numbered(4), T = pl.matrix(1, 4) }
    refuses({ stratified = true }, "stratified: a dataset with classes expected")
  end)
end)

describe("folds", function()
  it("hold out every sample once, and give all others to train on", function()
    for _, options in ipairs {
      {}, { shuffle = false }, { stratified = true }, { groups = labels_of(23, 7) },
      { stratified = true, groups = labels_of(23, 9) },
    } do
      local set = set_of(23)
      local parts, trained = folds_of(set, 5, options)
      assert.equal(5, #parts)
      check_partition(parts, 23)
      for fold, part in ipairs(parts) do check_partition({ part, trained[fold] }, 23) end
      if options.groups then check_groups(parts, options.groups) end
    end
  end)

  it("are of one size, to within one sample", function()
    for N = 5, 23 do
      for _, options in ipairs { { seed = N }, { seed = N, stratified = true } } do
        local sizes = sizes_of(folds_of(set_of(N), 5, options))
        assert.is_true(math.max(table.unpack(sizes)) - math.min(table.unpack(sizes)) <= 1)
      end
    end
  end)

  it("copy nothing", function()
    local set = set_of(10)
    for train, held_out in set:folds(2) do
      assert.is_true(rawequal(set, train.source) and rawequal(set, held_out.source))
      assert.is_nil(rawget(train, "X") or rawget(held_out, "X"))
    end
  end)

  it("are the same by the same seed, and others by another", function()
    local function first(options)
      local _, held_out = set_of(20):folds(2, options)()
      return samples_of(held_out)
    end
    assert.same(first(), first { seed = 1 })
    assert.same(first(), first(pl.generator(1)))
    assert.not_same(first(), first { seed = 2 })
    assert.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, first { shuffle = false })
  end)

  it("are drawn before the first is asked for, so that others may use the generator", function()
    local g, h = pl.generator(1), pl.generator(1)
    local one, other = set_of(20):folds(2, { generator = g, repeats = 2 }),
      set_of(20):folds(2, { generator = h, repeats = 2 })
    g:number()
    for _ = 1, 4 do
      local _, part = one()
      local _, same = other()
      assert.same(samples_of(part), samples_of(same))
    end
  end)

  it("go on counting, with parts drawn anew, when repeated", function()
    local parts = folds_of(set_of(20), 4, { repeats = 3 })
    assert.equal(12, #parts)
    for r = 0, 2 do check_partition({ table.unpack(parts, 4 * r + 1, 4 * r + 4) }, 20) end
    assert.not_same(samples_of(parts[1]), samples_of(parts[5]))
  end)

  it("have the counts of scikit-learn's stratified ones", function()
    local case = reference.load("splits")["stratified folds"]
    local set = pl.dataset { X = numbered(#case.labels), labels = case.labels }
    local parts = folds_of(set, 5, { stratified = true })
    local function column(counts, label) -- of a class in all parts, in order
      local list = {}
      for p = 1, 5 do list[p] = counts[p][label] end
      table.sort(list)
      return list
    end
    local counts = {}
    for p, part in ipairs(parts) do counts[p] = counts_of(part, 4) end
    for label = 1, 4 do
      assert.same(column(case.counts, label), column(counts, label))
    end
  end)

  -- How far the parts are from what is expected of them: the sum of (n - e)^2 / e over all classes
  -- and parts, or of sizes alone
  local function unevenness(counts, is_by_class)
    local totals, sum, k = { 0, 0, 0, 0 }, 0, #counts
    for _, list in ipairs(counts) do
      for label, n in ipairs(list) do totals[label] = totals[label] + n end
    end
    local N = totals[1] + totals[2] + totals[3] + totals[4]
    for _, list in ipairs(counts) do
      for label, n in ipairs(list) do
        local e = totals[label] / k
        if is_by_class then sum = sum + (n - e) ^ 2 / e end
      end
      local size = list[1] + list[2] + list[3] + list[4]
      sum = sum + (size - N / k) ^ 2 / (N / k)
    end
    return sum
  end

  for _, name in ipairs { "groups", "stratified groups" } do
    it("of " .. name .. " are about as even as scikit-learn's", function()
      local case = reference.load("splits")[name]
      local set = pl.dataset { X = numbered(#case.labels), labels = case.labels }
      local is_stratified, sum = name ~= "groups", 0
      for seed = 1, 10 do
        local parts = folds_of(set, 4, {
          groups = case.groups, stratified = is_stratified, seed = seed,
        })
        local counts = {}
        for p, part in ipairs(parts) do counts[p] = counts_of(part, 4) end
        sum = sum + unevenness(counts, is_stratified) / 10
      end
      assert.is_true(sum <= unevenness(case.counts, is_stratified) + 0.1)
    end)
  end

  it("are never empty where there are as many groups", function()
    local labels = { 1, 2, 3, 1, 1, 1 }
    local set = pl.dataset { X = numbered(6), labels = labels }
    for _, part in ipairs(folds_of(set, 3, { groups = { 1, 2, 3, 1, 1, 1 }, stratified = true })) do
      assert.is_true(part.N > 0)
    end
  end)

  it("are of the samples of a part, where it is folded", function()
    local part = set_of(40):take { 3, 9, 10, 31, 32, 40 }
    local held_out = {}
    for _, fold in ipairs(folds_of(part, 3)) do
      for _, n in ipairs(samples_of(fold)) do held_out[#held_out + 1] = n end
    end
    table.sort(held_out)
    assert.same({ 3, 9, 10, 31, 32, 40 }, held_out)
  end)

  it("are 2 or more, with a sample or a group for each", function()
    local set = set_of(4)
    at_caller(function() set:folds(1) end, "folds: a whole number of 2 or more expected, and at "
      .. "most one for each of 4 samples, got 1")
    at_caller(function() set:folds(5) end, "at most one for each of 4 samples, got 5")
    at_caller(function() set:folds(3, { groups = { 1, 1, 2, 2 } }) end,
      "at most one for each of 2 groups, got 3")
    at_caller(function() set:folds(2.5) end, "folds: a whole number of 1 or more expected")
    at_caller(function() set:folds(2, { time = { 1, 2, 3, 4 } }) end,
      "folds: time: every sample is held out once, also the first")
    at_caller(function() set:folds(2, { folds = 2 }) end, "unknown option 'folds' of folds")
    at_caller(function() set:folds(2, { repeats = 0 }) end,
      "folds: repeats: a whole number of 1 or more expected, got 0")
  end)
end)
