local at_caller = require("spec.support.misuse").at_caller
local pl = require "perilune"

local NAN = 0 / 0

local function numbered(N, core)
  local X = (core or pl.float32).matrix(2, N)
  for n = 1, N do X:set(1, n, n):set(2, n, -n) end
  return X
end

local function set_of(N, first)
  local labels, X = {}, numbered(N)
  for n = 1, N do
    labels[n] = 1 + n % 3
    X:set(1, n, X:get(1, n) + (first or 1) - 1)
  end
  return pl.dataset { X = X, labels = labels, classes = { "c", "a", "b" } }
end

-- People as a table of a file gives them: raw numbers, labels of categories, NaN where missing
local function people()
  return pl.dataset {
    X = { { 20, 30, NAN, 50, 60 }, { 1, 2, 2, NAN, 0 } }, labels = { 1, 2, 2, 1, 2 },
    classes = { "no", "yes" }, target = "income",
    schema = {
      { name = "age", type = "number", least = 20, most = 60 },
      { name = "job", type = "category", categories = { "clerk", "nurse" } },
    },
  }
end

local function first_row(set) return set.X:totable()[1] end

describe("take", function()
  it("gives the first samples", function()
    local set = set_of(9)
    assert.same({ 1, 2, 3, 4 }, first_row(set:take(4)))
    assert.same(first_row(set), first_row(set:take(9.0)))
  end)

  it("gives samples in the order of a list, which may name some twice", function()
    local part = set_of(9):take { 7, 1, 7.0 }
    assert.same({ 7, 1, 7 }, first_row(part))
    assert.same({ 2, 2, 2 }, part.T:totable()[1])
    assert.same({ 1, 7 }, first_row(part:take { 2, 3 }))
  end)

  it("copies nothing but the list", function()
    local set, list = set_of(9), { 3, 2 }
    local part = set:take(list)
    list[1] = 9
    assert.is_true(rawequal(set, part.source))
    assert.is_nil(rawget(part, "X"))
    assert.same({ 3, 2 }, first_row(part))
  end)

  it("refuses samples that there are not", function()
    local set = set_of(9)
    at_caller(function() local _ = set:take(10) end, "take: 1 to 9 samples expected, got 10")
    at_caller(function() local _ = set:take(0) end, "take: 1 to 9 samples expected, got 0")
    at_caller(function() local _ = set:take(1.5) end, "take: 1 to 9 samples expected, got 1.5")
    at_caller(function() local _ = set:take {} end, "indices: one or more samples expected")
    at_caller(function() local _ = set:take { 1, 10 } end, "indices: samples 1 to 9 expected")
    at_caller(function() local _ = set:take "all" end, "indices: a list of samples expected")
  end)
end)

describe("where", function()
  it("gives the samples that are accepted, by rows, classes and numbers", function()
    local set = set_of(9)
    assert.same({ 5, 6, 7, 8, 9 },
      first_row(set:where(function(sample) return sample[1] > 4 end)))
    assert.same({ 1, 4, 7 },
      first_row(set:where(function(sample) return sample.class == "a" end)))
    assert.same({ 2, 4, 6, 8 }, first_row(set:where(function(_, n) return n % 2 == 0 end)))
    assert.is_true(rawequal(set, set:where(function() return true end).source))
  end)

  it("goes on with a part by the part's own samples", function()
    local part = set_of(9):take { 9, 8, 7, 6 }
    assert.same({ 9, 7 }, first_row(part:where(function(_, n) return n % 2 == 1 end)))
    assert.same({ 8, 7 },
      first_row(part:where(function(sample) return sample[1] > 6 and sample[2] > -9 end)))
  end)

  it("shows columns by name: numbers, names of categories, nil where they are missing", function()
    local seen = {}
    people():where(function(sample, n)
      seen[n] = { sample.age or "missing", sample.job or "missing", sample.income }
      return true
    end)
    assert.same({
      { 20, "clerk", "no" }, { 30, "nurse", "yes" }, { "missing", "nurse", "yes" },
      { 50, "missing", "no" }, { 60, 0, "yes" },
    }, seen)
  end)

  it("shows labels without names, a target, and several", function()
    local function seen_of(set, name)
      local seen = {}
      set:where(function(sample, n)
        seen[n] = sample[name]
        return true
      end)
      return seen
    end
    local X = numbered(2)
    assert.same({ 2, 1 }, seen_of(pl.dataset { X = X, labels = { 2, 1 } }, "class"))
    assert.same({ 0.5, 4 }, seen_of(pl.dataset { X = X, T = { { 0.5, 4 } } }, "target"))
    assert.same({ { 1, 3 }, { 2, 4 } },
      seen_of(pl.dataset { X = X, T = { { 1, 2 }, { 3, 4 } } }, "target"))
    assert.same({ "b", "a" }, seen_of(
      pl.dataset { X = X, T = { { 0, 1 }, { 1, 0 } }, classes = { "a", "b" } }, "class"))
  end)

  it("reads bytes as the numbers that they become", function()
    local X = pl.bytes("\1\2\3\4\5\6", 2, 3, { scale = 1 })
    local set = pl.dataset { X = X, T = { { 1, 2, 3 } } }
    local part = set:where(function(sample) return sample[2] >= 4 end)
    assert.same({ { 3, 5 }, { 4, 6 } }, part:to("float32").X:columns(1, 2):totable())
  end)

  it("goes through many samples", function()
    local set = set_of(100000)
    assert.equal(25000, set:where(function(sample) return sample[1] % 4 == 0 end).N)
  end)

  it("raises where none is accepted, and for names that there are not", function()
    at_caller(function() local _ = set_of(9):where(function() end) end,
      "where: none of 9 samples was accepted")
    at_caller(function() local _ = set_of(9):where "x" end, "where: a function expected")
    at_caller(function()
      local _ = people():where(function(sample) return sample.aeg > 1 end)
    end, "where: a sample has the rows 1 to 2, its columns by name and \"income\", not \"aeg\"")
    at_caller(function()
      local _ = set_of(9):where(function(sample) return sample[3] > 1 end)
    end, "where: a sample has the rows 1 to 2 and \"class\", not 3")
  end)
end)

describe("concat", function()
  it("gives the samples of both sets, one after the other", function()
    local both = set_of(3):concat(set_of(4, 11))
    assert.same({ 1, 2, 3, 11, 12, 13, 14 }, first_row(both))
    assert.same({ 2, 3, 1, 2, 3, 1, 2 }, both.T:totable()[1])
    assert.same({ "c", "a", "b" }, both.classes)
    assert.is_true(both.has_labels and both.has_classes)
    assert.same({ 7, 2, 1 }, { both.N, both.inputs, both.targets })
    assert.is_true(rawequal(both, both.source))
  end)

  it("takes parts, and puts parts of one set together without a copy", function()
    local set = set_of(9)
    assert.same({ 9, 1, 12, 11 },
      first_row(set:take({ 9, 1 }):concat(set_of(9, 11):take { 2, 1 })))
    local both = set:take({ 9, 1 }):concat(set:take { 3, 3 })
    assert.is_true(rawequal(set, both.source))
    assert.same({ 9, 1, 3, 3 }, first_row(both))
    assert.same({ 1, 2, 3, 1, 2, 3 }, first_row(set:take(3):concat(set:take(3))))
  end)

  it("keeps targets and weights, in the first set's types", function()
    local one = pl.dataset { X = numbered(2), T = { { 1, 2 } }, weights = { 1, 2 } }
    local other = pl.dataset {
      X = numbered(1, pl.float64), T = { { 3 } }, weights = { 0.5 },
    }
    local both = one:concat(other)
    assert.same({ "float32", "float32", "float32" },
      { both.X.dtype, both.T.dtype, both.weights.dtype })
    assert.same({ { { 1, 2, 1 }, { -1, -2, -1 } }, { { 1, 2, 3 } }, { { 1, 2, 0.5 } } },
      { both.X:totable(), both.T:totable(), both.weights:totable() })
    assert.equal("float64", other:concat(one).X.dtype)
  end)

  it("keeps bytes that mean the same numbers, and makes matrices of others", function()
    local function bytes(text, scale, offset)
      return pl.dataset {
        X = pl.bytes(text, 2, 2, { scale = scale, offset = offset }), labels = { 1, 2 },
      }
    end
    local one = bytes("\1\2\3\4", 0.5)
    local both = one:take({ 2 }):concat(bytes("\0\5\6\7\8", 0.5, 1))
    assert.equal(0.5, both.X.scale)
    assert.same({ { 1.5, 2.5, 3.5 }, { 2, 3, 4 } }, both.X:columns(1, 3):totable())
    assert.same({ { 0.5, 1.5, 1, 3 }, { 1, 2, 2, 4 } },
      one:concat(bytes("\1\2\3\4", 1)).X:totable())
    assert.same({ { 0.5, 1.5, 1 }, { 1, 2, -1 } },
      one:concat(pl.dataset { X = numbered(1), labels = { 1 } }).X:totable())
  end)

  it("keeps schema and target", function()
    local both = people():concat(people())
    assert.same({ "income", "age" }, { both.target, both.schema[1].name })
    assert.equal(10, both.N)
    assert.equal("age", people():take(2).schema[1].name)
    assert.equal("income", people():to("float64").target)
  end)

  it("refuses sets that do not fit", function()
    local set = set_of(3)
    local function refuses(other, expected, one)
      at_caller(function() local _ = (one or set):concat(other) end, "concat: " .. expected)
    end
    refuses({}, "a dataset expected, got a table")
    refuses(pl.dataset { X = { { 1 } }, labels = { 1 } }, "2 inputs expected, got 1")
    refuses(pl.dataset { X = numbered(1), T = { { 1 } } },
      "labels expected, got columns of targets")
    refuses(set, "columns of targets expected, got labels",
      pl.dataset { X = numbered(1), T = { { 1 } } })
    refuses(pl.dataset { X = numbered(1), T = { { 1 }, { 2 } } }, "1 targets expected, got 2",
      pl.dataset { X = numbered(1), T = { { 1 } } })
    refuses(pl.dataset { X = numbered(1), labels = { 1 }, classes = { "c", "b" } },
      "class 2: \"a\" expected, got \"b\"")
    refuses(pl.dataset { X = numbered(1), labels = { 1 } }, "class 1: \"c\" expected, got nil")
    local plain, weighted = pl.dataset { X = numbered(1), T = { { 1 } } },
      pl.dataset { X = numbered(1), T = { { 1 } }, weights = { 1 } }
    refuses(weighted, "no weights expected, got 1 x N", plain)
    refuses(plain, "weights of 1 x N expected, got none", weighted)
  end)

  it("refuses schemas that differ, by what differs", function()
    local function refuses(change, expected)
      local other = people()
      change(other)
      at_caller(function() local _ = people():concat(other) end, "concat: " .. expected)
    end
    refuses(function(set) set.schema = nil end, "a schema expected, got none")
    refuses(function(set) set.schema[1].name = "years" end,
      "column 1: \"age\" expected, got \"years\"")
    refuses(function(set) set.schema[1].type = "category" end,
      "column \"age\": a number expected, got a category")
    refuses(function(set) set.schema[2].categories[2] = "cook" end,
      "column \"job\": \"nurse\" expected as category 2, got \"cook\"")
  end)
end)
