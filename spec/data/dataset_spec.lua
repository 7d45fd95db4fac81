local at_caller = require("spec.support.misuse").at_caller
local pl = require "perilune"

-- Inputs that tell which sample they are: 10 n and 10 n + 1.
local function numbered(N, core)
  local X = (core or pl.float32).matrix(2, N)
  for n = 1, N do X:set(1, n, 10 * n):set(2, n, 10 * n + 1) end
  return X
end

local function labels_of(N, classes)
  local labels = {}
  for n = 1, N do labels[n] = 1 + n % classes end
  return labels
end

-- The samples of a set as a table of columns, inputs and targets.
local function contents(dataset)
  local core = pl[dataset.T.dtype]
  local X = core.matrix(dataset.inputs, dataset.N)
  local T = core.matrix(dataset.T.rows, dataset.N)
  dataset:gather(X, T, dataset:columns())
  return X:transpose():totable(), T:transpose():totable()
end

describe("a dataset", function()
  it("holds inputs and target columns", function()
    local X, T = numbered(5), pl.matrix(3, 5)
    local dataset = pl.dataset { X = X, T = T }
    assert.same({ 2, 5, false }, { dataset.inputs, dataset.N, dataset.has_classes })
    assert.is_true(rawequal(X, dataset.X))
    assert.is_true(rawequal(T, dataset.T))
    assert.is_nil(dataset.classes)
  end)

  it("holds inputs and labels, and names of the classes", function()
    local dataset = pl.dataset {
      X = numbered(3), labels = { 3, 1, 2 }, classes = { "a", "b", "c" },
    }
    assert.is_true(dataset.has_classes)
    assert.same({ { 3, 1, 2 } }, dataset.T:totable())
    assert.same({ "a", "b", "c" }, dataset.classes)
    assert.is_true(pl.dataset({ X = numbered(3), labels = { 3, 1, 2 } }).has_classes)
  end)

  it("takes tables of rows", function()
    local dataset = pl.dataset { X = { { 1, 2 }, { 3, 4 } }, T = { { 5, 6 } } }
    assert.same({ { 1, 2 }, { 3, 4 } }, dataset.X:totable())
    assert.same({ { 5, 6 } }, dataset.T:totable())
  end)

  it("takes labels as a matrix", function()
    local labels = pl.matrix { { 1, 2 } }
    assert.is_true(rawequal(labels, pl.dataset({ X = numbered(2), labels = labels }).T))
  end)

  it("takes bytes", function()
    local X = pl.bytes("abcdef", 2, 3, { scale = 1 })
    local dataset = pl.dataset { X = X, labels = { 1, 2, 1 } }
    assert.same({ 2, 3 }, { dataset.inputs, dataset.N })
    assert.same({ { 97, 98 }, { 99, 100 }, { 101, 102 } }, (contents(dataset)))
  end)

  it("is of the type of its inputs", function()
    local dataset = pl.dataset { X = numbered(2, pl.float64), labels = { 1, 2 } }
    assert.equal("float64", dataset.T.dtype)
  end)

  it("has classes where target columns come with their names", function()
    assert.is_true(pl.dataset({
      X = numbered(2), T = pl.matrix(2, 2), classes = { "a", "b" },
    }).has_classes)
  end)

  it("says what it is", function()
    assert.equal("3 samples of 2 inputs, 3 classes", tostring(pl.dataset {
      X = numbered(3), labels = { 3, 1, 2 }, classes = { "a", "b", "c" },
    }))
    assert.equal("3 samples of 2 inputs, labels",
      tostring(pl.dataset { X = numbered(3), labels = { 3, 1, 2 } }))
    assert.equal("3 samples of 2 inputs, 4 targets",
      tostring(pl.dataset { X = numbered(3), T = pl.matrix(4, 3) }))
  end)

  it("refuses sizes that disagree", function()
    at_caller(function() pl.dataset { X = numbered(3), T = pl.matrix(1, 4) } end,
      "X has 3 samples but T has 4")
    at_caller(function() pl.dataset { X = numbered(3), labels = { 1, 2 } } end,
      "X has 3 samples but labels has 2")
    at_caller(function() pl.dataset { X = numbered(3), labels = pl.matrix(2, 3) } end,
      "labels: 1 x N expected, got 2 x 3")
  end)

  it("refuses targets and labels at once, or neither", function()
    at_caller(function() pl.dataset { X = numbered(1) } end,
      "either T or labels expected")
    at_caller(function()
      pl.dataset { X = numbered(1), T = pl.matrix(1, 1), labels = { 1 } }
    end, "either T or labels expected")
  end)

  it("refuses labels that are no classes, and says which sample has one", function()
    at_caller(function() pl.dataset { X = numbered(3), labels = { 1, 0, 2 } } end,
      "labels are whole numbers from 1 to ...: got 0 for sample 2")
    at_caller(function() pl.dataset { X = numbered(3), labels = { 1, 1, 1.5 } } end,
      "got 1.5 for sample 3")
    at_caller(function()
      pl.dataset { X = numbered(3), labels = { 1, 3, 2 }, classes = { "a", "b" } }
    end, "labels are whole numbers from 1 to 2: got 3 for sample 2")
    at_caller(function() pl.dataset { X = numbered(2), labels = { 1, 0 / 0 } } end,
      "for sample 2")
    at_caller(function() pl.dataset { X = numbered(2), labels = { 1, math.huge } } end,
      "for sample 2")
  end)

  it("refuses what is no data", function()
    at_caller(function() pl.dataset { X = 3, labels = { 1 } } end,
      "X: a matrix, a table of rows or bytes expected, got number")
    at_caller(function() pl.dataset { labels = { 1 } } end, "option 'X' is required")
    at_caller(function() pl.dataset { X = numbered(1), T = 3 } end, "T: ")
    at_caller(function() pl.dataset { X = numbered(1), labels = 3 } end, "labels: ")
    at_caller(function() pl.dataset { X = numbered(1), labels = { 1 }, classes = 3 } end,
      "classes")
  end)

  it("refuses an unknown field", function()
    at_caller(function() pl.dataset { X = numbered(1), label = { 1 } } end,
      "unknown option 'label' (known: T, X, classes, labels)")
  end)
end)

describe("one_hot", function()
  it("gives target columns in place of labels", function()
    local dataset = pl.dataset {
      X = numbered(3), labels = { 3, 1, 2 }, classes = { "a", "b", "c" },
    }
    local one_hot = dataset:one_hot()
    assert.same({ { 0, 1, 0 }, { 0, 0, 1 }, { 1, 0, 0 } }, one_hot.T:totable())
    assert.is_true(one_hot.has_classes)
    assert.same({ { 3, 1, 2 } }, dataset.T:totable())
  end)

  it("has as many targets as there are names, else labels, else as asked", function()
    local X = numbered(2)
    local classes = { "a", "b", "c", "d" }
    local named = pl.dataset { X = X, labels = { 1, 2 }, classes = classes }
    assert.equal(4, named:one_hot().T.rows)
    assert.equal(2, pl.dataset({ X = X, labels = { 1, 2 } }):one_hot().T.rows)
    assert.equal(5, pl.dataset({ X = X, labels = { 1, 2 } }):one_hot(5).T.rows)
  end)

  it("leaves target columns as they are", function()
    local dataset = pl.dataset { X = numbered(2), T = pl.matrix(3, 2) }
    assert.is_true(rawequal(dataset, dataset:one_hot()))
  end)

  it("keeps the element type and the parts", function()
    local dataset = pl.dataset { X = numbered(10, pl.float64), labels = labels_of(10, 3) }
    local part = dataset:split(0.3, pl.generator(1)):one_hot()
    assert.equal(3, part.N)
    assert.equal("float64", part.T.dtype)
    local X, T = contents(part)
    for k = 1, 3 do assert.equal(1, T[k][1 + X[k][1] // 10 % 3 | 0]) end
  end)

  it("refuses fewer outputs than classes", function()
    local dataset = pl.dataset { X = numbered(2), labels = { 1, 3 } }
    at_caller(function() dataset:one_hot(2) end, "3")
  end)
end)

describe("split", function()
  it("puts every sample into exactly one part, with its own target", function()
    local dataset = pl.dataset { X = numbered(21), labels = labels_of(21, 4) }
    local one, other = dataset:split(0.3, pl.generator(1))
    assert.same({ 6, 15 }, { one.N, other.N })
    local seen = {}
    for _, part in ipairs { one, other } do
      local X, T = contents(part)
      for k, x in ipairs(X) do
        local n = x[1] // 10 | 0
        assert.is_nil(seen[n])
        seen[n] = true
        assert.same({ 10 * n, 10 * n + 1 }, x)
        assert.same({ 1 + n % 4 }, T[k])
      end
    end
    assert.equal(21, #seen)
  end)

  it("is random, and repeatable by the seed", function()
    local dataset = pl.dataset { X = numbered(50), labels = labels_of(50, 4) }
    local function first(seed) return dataset:split(0.5, pl.generator(seed)):columns() end
    assert.same(first(1), first(1))
    assert.not_same(first(1), first(2))
  end)

  it("copies nothing, and leaves the whole set as it is", function()
    local dataset = pl.dataset { X = numbered(10), labels = labels_of(10, 4) }
    local one, other = dataset:split(0.5, pl.generator(1))
    assert.is_true(rawequal(dataset.X, one.X))
    assert.is_true(rawequal(dataset.T, other.T))
    assert.equal(10, dataset.N)
    assert.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, dataset:columns())
  end)

  it("splits a part again", function()
    local dataset = pl.dataset { X = numbered(20), labels = labels_of(20, 4) }
    local _, rest = dataset:split(0.5, pl.generator(1))
    local one, other = rest:split(0.4, pl.generator(2))
    assert.same({ 4, 6 }, { one.N, other.N })
    local both = table.move(other:columns(), 1, 6, 5, one:columns())
    local expected = rest:columns()
    table.sort(both)
    table.sort(expected)
    assert.same(expected, both)
  end)

  it("refuses a share that leaves a part empty, or is none", function()
    local dataset = pl.dataset { X = numbered(10), labels = labels_of(10, 4) }
    local g = pl.generator(1)
    for _, share in ipairs { 0, 1, 0.01, 0.99, -1, 2, 0 / 0, 1 / 0, "0.5" } do
      at_caller(function() local _ = dataset:split(share, g) end,
        "a share that leaves samples in both parts of 10 expected, got "
        .. tostring(share))
    end
  end)

  it("refuses to go without a generator", function()
    local dataset = pl.dataset { X = numbered(10), labels = labels_of(10, 4) }
    at_caller(function() local _ = dataset:split(0.5) end, "generator")
  end)
end)

describe("to", function()
  it("converts inputs and targets", function()
    local dataset = pl.dataset { X = numbered(3), T = pl.matrix(1, 3):fill(2) }
    local double = dataset:to "float64"
    assert.same({ "float64", "float64" }, { double.X.dtype, double.T.dtype })
    assert.same(dataset.X:totable(), double.X:totable())
    assert.same(dataset.T:totable(), double.T:totable())
    assert.equal("float32", dataset.X.dtype)
  end)

  it("gives the set itself where nothing is to be converted", function()
    local dataset = pl.dataset { X = numbered(3), T = pl.matrix(1, 3) }
    assert.is_true(rawequal(dataset, dataset:to "float32"))
  end)

  it("leaves bytes as they are", function()
    local dataset = pl.dataset { X = pl.bytes("abcdef", 2, 3), labels = { 1, 2, 1 } }
    local double = dataset:to "float64"
    assert.is_true(rawequal(dataset.X, double.X))
    assert.equal("float64", double.T.dtype)
  end)

  it("keeps the parts", function()
    local dataset = pl.dataset { X = numbered(10), labels = labels_of(10, 4) }
    local part = dataset:split(0.3, pl.generator(1))
    assert.same(part:columns(), part:to("float64"):columns())
  end)

  it("refuses an unknown type", function()
    local dataset = pl.dataset { X = numbered(3), T = pl.matrix(1, 3) }
    at_caller(function() dataset:to "float16" end, "float16")
  end)
end)
