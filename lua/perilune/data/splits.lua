-- How the samples of a set are cut into parts: at random or in order, class by class, group by
-- group. Parts are subsets, which copy nothing.

local cores = require "perilune.cores"
local errors = require "perilune.errors"
local fields = require "perilune.fields"
local float32 = require "perilune.core.float32"

local raise, show = errors.raise, errors.show

local ROUNDING = 1e-9 -- what a number of samples may be off by, and is whole

---@class Dataset
local Splits = {}

-- What samples are cut by
local declared = {
  stratified = { "boolean", default = false },
  groups = { "value", optional = true },
  shuffle = { "boolean", default = true },
  time = { "value", optional = true },
  seed = { "integer", default = 1 },
  generator = { "value", optional = true, test = cores.is_generator, expected = "a generator" },
}

-- The options that are given, or those of a generator in their place
local function options_of(given, others, what)
  if cores.is_generator(given) then given = { generator = given } end
  if given == nil then cores.check_generator(given) end
  local all = {}
  for _, list in ipairs { declared, others } do
    for name, field in pairs(list) do all[name] = field end
  end
  return fields.check(all, given, what)
end

-- A value for each sample, as a list of its own
local function one_each(values, N, what, expected, test)
  if cores.is_matrix(values) and values.rows == 1 then values = values:totable()[1] end
  local count = type(values) == "table" and fields.length(values, what)
  if count ~= N then
    raise("%s: a list of %d expected, one for each sample, got %s", what, N,
      count and ("%d"):format(count) or show(values))
  end
  local list = {}
  for n = 1, N do
    local value = values[n]
    if not test(value, n > 1 and list[1] or value) then
      raise("%s: %s expected, got %s for sample %d", what, expected, show(value), n)
    end
    list[n] = value
  end
  return list
end

local function is_name(value)
  return value ~= nil and value == value
end

local function is_time(value, first)
  local is_number = type(value) == "number" and value == value
  return (is_number or type(value) == "string") and type(value) == type(first)
end

-- Samples by their time; those of the same time stay as they are.
local function in_time(times)
  local order = {}
  for n = 1, #times do order[n] = n end
  table.sort(order, function(m, n)
    if times[m] ~= times[n] then return times[m] < times[n] end
    return m < n
  end)
  return order
end

-- What samples are cut by, checked, for a set
local function criteria(self, options)
  local N = self.N
  local times = options.time and one_each(options.time, N, "time",
    "numbers, or strings that sort by time,", is_time)
  local groups = options.groups and one_each(options.groups, N, "groups", "names or numbers",
    is_name)
  if times and groups then raise("either time or groups expected, got both") end
  local labels = options.stratified and self:class_labels "stratified":totable()[1]
  return { times = times, groups = groups, labels = labels, is_shuffled = options.shuffle }
end

-- The generator to draw from: a copy, so that a call that raises has not moved the user's.
local function random_of(options)
  return options.generator and options.generator:copy() or float32.generator(options.seed)
end

-- The order in which samples are dealt to the parts
local function draw_order(N, by, random)
  if by.times then return in_time(by.times) end
  local order = {}
  for n = 1, N do order[n] = n end
  return by.is_shuffled and random:permutation(order) or order
end

-- How many of `count` samples each part gets: its share of them, rounded up or down, so that they
-- are `count` in all. `owed`, how many the parts have got too few of others, says who is rounded
-- up.
local function apportion(count, shares, owed)
  local counts, left, fractional = {}, count, {}
  for p, share in ipairs(shares) do
    local exact = share * count
    counts[p] = math.floor(exact + ROUNDING)
    left, owed[p] = left - counts[p], owed[p] + exact - counts[p]
    if exact - counts[p] > ROUNDING then fractional[#fractional + 1] = p end
  end
  local debt = {}
  for p = 1, #shares do debt[p] = math.floor(owed[p] / ROUNDING + 0.5) end
  table.sort(fractional, function(p, q)
    if debt[p] ~= debt[q] then return debt[p] > debt[q] end
    return p < q
  end)
  for k = 1, left do
    local p = fractional[k]
    counts[p], owed[p] = counts[p] + 1, owed[p] - 1
  end
  return counts
end

-- The labels that there are, in order, and how many samples have each
local function count_classes(labels, N)
  if not labels then return { 1 }, { N } end
  local counts, classes = {}, {}
  for _, label in ipairs(labels) do
    if not counts[label] then classes[#classes + 1] = label end
    counts[label] = (counts[label] or 0) + 1
  end
  table.sort(classes)
  return classes, counts
end

-- The part of each sample, dealt class by class: the first of a class in `order` to the first part
local function deal_samples(order, by, shares)
  local owed, part_of, left, part = {}, {}, {}, {}
  for p = 1, #shares do owed[p] = 0 end
  local classes, counts = count_classes(by.labels, #order)
  for _, label in ipairs(classes) do
    left[label], part[label] = apportion(counts[label], shares, owed), 1
  end
  for _, n in ipairs(order) do
    local label = by.labels and by.labels[n] or 1
    local counts_left, p = left[label], part[label]
    while counts_left[p] == 0 do p = p + 1 end
    counts_left[p], part[label], part_of[n] = counts_left[p] - 1, p, p
  end
  return part_of
end

-- The groups, as they first appear in `order`: their samples, and how many of each class
local function collect_groups(order, by)
  local groups, of = {}, {}
  for _, n in ipairs(order) do
    local name, label = by.groups[n], by.labels and by.labels[n] or 1
    local group = of[name]
    if not group then
      group = { place = #groups + 1, counts = {} }
      groups[group.place], of[name] = group, group
    end
    group[#group + 1] = n
    group.counts[label] = (group.counts[label] or 0) + 1
  end
  return groups
end

-- How much the sum of (n - e)^2 / e grows, for n samples where e are expected, with g more
local function growth_of(n, e, g)
  return g * (g + 2 * (n - e)) / e
end

-- The part of each sample, dealt group by group. The large ones come first, because the small ones
-- fit in the gaps that they leave; those of about one size, which differ by less than a factor of
-- two, as they are in `order`. Each goes where parts come to have what is expected of them: where
-- the sum of (n - e)^2 / e over the classes, and for all samples, grows least.
local function deal_groups(order, by, shares)
  local groups, part_of, N = collect_groups(order, by), {}, #order
  local function magnitude(group) return math.floor(math.log(#group, 2) + ROUNDING) end
  table.sort(groups, function(one, other)
    local m, n = magnitude(one), magnitude(other)
    if m ~= n then return m > n end
    return one.place < other.place
  end)
  local _, counts = count_classes(by.labels, N)
  local have = {}
  for p = 1, #shares do have[p] = { all = 0 } end
  for _, group in ipairs(groups) do
    local best, least = 1, math.huge
    for p, share in ipairs(shares) do
      local growth = growth_of(have[p].all, share * N, #group)
      for label, g in pairs(group.counts) do
        growth = growth + growth_of(have[p][label] or 0, share * counts[label], g)
      end
      if growth < least - ROUNDING then best, least = p, growth end
    end
    have[best].all = have[best].all + #group
    for label, g in pairs(group.counts) do have[best][label] = (have[best][label] or 0) + g end
    for _, n in ipairs(group) do part_of[n] = best end
  end
  return part_of
end

-- The part of each sample, and the order in which the parts have their samples
local function deal(N, by, shares, random)
  local order = draw_order(N, by, random)
  return (by.groups and deal_groups or deal_samples)(order, by, shares), order
end

-- The samples of some parts, in order
local function samples_of(part_of, order, is_chosen)
  local samples = {}
  for _, n in ipairs(order) do
    if is_chosen(part_of[n]) then samples[#samples + 1] = n end
  end
  return samples
end

-- The shares of the parts, which are 1 in all
local function shares_of(fractions)
  if type(fractions) == "number" then return { fractions, 1 - fractions } end
  local shares = fields.value("fractions", fractions, { "numbers", above = 0, below = 1 })
  local sum = 0
  for _, share in ipairs(shares) do sum = sum + share end
  if sum > 1 + ROUNDING then
    raise("fractions: numbers expected that are at most 1 in all, got %g", sum)
  end
  if sum < 1 - ROUNDING then shares[#shares + 1] = 1 - sum end
  return shares
end

-- Raise unless each part has samples.
local function check_parts(part_of, shares, fractions, by)
  local has_any, is_full = {}, true
  for _, p in ipairs(part_of) do has_any[p] = true end
  for p = 1, #shares do is_full = is_full and has_any[p] end
  if is_full then return end
  local groups = by.groups and ", groups whole," or ""
  if type(fractions) == "number" then
    raise("a fraction that leaves samples in both subsets of %d%s expected, got %s", #part_of,
      groups, show(fractions))
  end
  raise("fractions that leave samples in each of %d subsets of %d%s expected", #shares, #part_of,
    groups)
end

---Subsets of the given fractions of the samples, each sample in one of them; nothing is copied.
---    local held_out, rest = set:split(0.2, pl.generator(1))
---    local train, validation, test = set:split({ 0.7, 0.15 }, { stratified = true, seed = 1 })
---    local past, future = set:split(0.8, { shuffle = false })
---A number makes two parts; a list as many as it has, and one more of what it leaves. Options:
---stratified (false): each part has its share of each class, to within one sample, for sets with
---classes. groups, a name or a number for each sample: those of a group come into one part; the
---parts have about their shares. shuffle (true): false leaves the samples in order, the first in
---the first part. time, a number or a string for each sample: so too, in order of time; samples of
---the same time stay as they are. seed (1) or generator. With groups and stratified the classes are
---shared out as evenly as the groups allow.
---@param fractions number|number[]  in (0, 1), at most 1 in all
---@param given Generator|table      a generator, or options
---@return Dataset ...
function Splits:split(fractions, given)
  local is_fraction = type(fractions) == "number" and fractions > 0 and fractions < 1
  if type(fractions) ~= "table" and not is_fraction then
    raise("a fraction that leaves samples in both subsets of %d expected, got %s", self.N,
      show(fractions))
  end
  local shares = shares_of(fractions)
  local options = options_of(given, {}, "split")
  local by, random = criteria(self, options), random_of(options)
  local part_of, order = deal(self.N, by, shares, random)
  check_parts(part_of, shares, fractions, by)
  local parts = {}
  for p = 1, #shares do
    parts[p] = self:subset(samples_of(part_of, order, function(part) return part == p end))
  end
  if options.generator then options.generator:assign(random) end
  return table.unpack(parts)
end

-- Raise unless there are samples, or groups, for so many folds.
local function check_folds(N, by, k)
  local most, what, seen = 0, by.groups and "groups" or "samples", {}
  for n = 1, N do
    local group = by.groups and by.groups[n] or n
    if not seen[group] then most, seen[group] = most + 1, true end
  end
  if k < 2 or k > most then
    raise("folds: a whole number of 2 or more expected, and at most one for each of %d %s, got %d",
      most, what, k)
  end
end

---Each of k parts in turn held out, and the others to train on: for cross-validation.
---    for train, held_out, fold in set:folds(5, { stratified = true, seed = 1 }) do ... end
---Every sample is held out once, in parts of as many samples, to within one. Options: those of
---split but time, and repeats (1): so many times, each with parts drawn anew; `fold` goes on
---counting. Nothing is copied. After the fold comes a list of the samples of this set that are held
---out, in the order of held_out.
---@param k integer               2 or more
---@param given Generator|table?  a generator, or options
---@return fun(): Dataset?, Dataset?, integer?, integer[]?  train, held_out, fold, samples
function Splits:folds(k, given)
  k = fields.value("folds", k, { "count" })
  local options = options_of(given or {}, { repeats = { "count", default = 1 } }, "folds")
  if options.time then raise("folds: time: every sample is held out once, also the first") end
  local by, random, shares = criteria(self, options), random_of(options), {}
  check_folds(self.N, by, k)
  for p = 1, k do shares[p] = 1 / k end
  local dealt, fold = {}, 0
  for r = 1, options.repeats do dealt[r] = { deal(self.N, by, shares, random) } end
  if options.generator then options.generator:assign(random) end
  return function()
    if fold == k * options.repeats then return nil end
    local part_of, order = table.unpack(dealt[fold // k + 1])
    local held_out = fold % k + 1
    fold = fold + 1
    local rest = samples_of(part_of, order, function(part) return part ~= held_out end)
    local samples = samples_of(part_of, order, function(part) return part == held_out end)
    return self:subset(rest), self:subset(table.move(samples, 1, #samples, 1, {})), fold, samples
  end
end

return Splits
