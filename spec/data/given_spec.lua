local at_caller = require("spec.support.misuse").at_caller
local pl = require "perilune"

local function numbered(N, core)
  local X = (core or pl.float32).matrix(2, N)
  for n = 1, N do X:set(1, n, 10 * n):set(2, n, 10 * n + 1) end
  return X
end

describe("pl.dataset", function()
  it("takes labels by the names of their classes", function()
    local dataset = pl.dataset {
      X = numbered(4), labels = { "dog", "cat", "dog", 1 }, classes = { "cat", "dog" },
    }
    assert.same({ { 2, 1, 2, 1 } }, dataset.T:totable())
    assert.is_true(dataset.has_labels)
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

  it("copies a matrix that is stored by rows", function()
    local X, T = numbered(3):copy "rows", pl.matrix(2, 3):copy "rows"
    local dataset = pl.dataset { X = X, T = T, weights = pl.matrix(2, 3, "rows") }
    assert.same({ "columns", "columns", "columns" }, {
      dataset.X.order, dataset.T.order, dataset.weights.order,
    })
    assert.same(X:totable(), dataset.X:totable())
    local labels = pl.matrix({ { 1, 2, 1 } }, nil, "rows")
    dataset = pl.dataset { X = X, labels = labels }
    assert.same({ "columns", { { 1, 2, 1 } } }, { dataset.T.order, dataset.T:totable() })
  end)

  it("makes tables of the type of the inputs", function()
    local dataset = pl.dataset {
      X = numbered(2, pl.float64), labels = { 1, 2 }, weights = { 1, 2 },
    }
    assert.same({ "float64", "float64" }, { dataset.T.dtype, dataset.weights.dtype })
    local T = pl.dataset({ X = numbered(2, pl.float64), T = { { 0.1, 0.2 } } }).T
    assert.equal(0.1, T:get(1, 1))
  end)

  it("refuses tables that are no rows of numbers, and says where", function()
    local function refuses(X, expected)
      at_caller(function() pl.dataset { X = X, labels = { 1, 2 } } end, expected)
    end
    refuses({}, "X: numbers expected, got an empty table")
    refuses({ {} }, "X: numbers expected, got an empty table")
    refuses({ 1, 2 }, "X: a table of rows expected, got 1 as row 1")
    refuses({ { 1, 2 }, 3 }, "X: a table of rows expected, got 3 as row 2")
    refuses({ { 1, 2 }, { 3 } },
      "X: rows of one length expected, got 2 numbers in row 1 and 1 in row 2")
    refuses({ { 1, 2 }, { 3, "4" } },
      'X: a number expected in row 2, column 2, got "4"')
    at_caller(function() pl.dataset { X = numbered(2), T = { { 1, "2" } } } end,
      'T: a number expected in row 1, column 2, got "2"')
  end)

  it("refuses labels that are no classes, and says which sample has one", function()
    local function refuses(labels, expected, classes)
      at_caller(function()
        pl.dataset { X = numbered(3), labels = labels, classes = classes }
      end, expected)
    end
    local classes = { "a", "b" }
    for _, make in ipairs { function(labels) return labels end,
      function(labels) return pl.matrix { labels } end } do
      refuses(make { 1, 0, 2 },
        "labels: whole numbers from 1 expected, got 0 for sample 2")
      refuses(make { 1, 1, 1.5 }, "got 1.5 for sample 3")
      refuses(make { 1, 3, 2 },
        "labels: whole numbers from 1 to 2 expected, got 3 for sample 2", classes)
      refuses(make { 1, 0 / 0, 1 }, "got NaN for sample 2")
      refuses(make { 1, 1, math.huge }, "got inf for sample 3")
    end
    refuses({ 1, true, 1 }, "got true for sample 2")
    refuses({}, "labels: one for each sample expected, got none")
    refuses({ { 1, 2, 1 } }, "got a table for sample 1")
  end)

  it("refuses names that are no classes, and strings as numbers", function()
    local function refuses(labels, expected, classes)
      at_caller(function()
        pl.dataset { X = numbered(3), labels = labels, classes = classes }
      end, expected)
    end
    refuses({ "a", "b", "a" }, 'labels: names need those of all classes beside them, '
      .. 'classes = { "a", ... }; got "a" for sample 1')
    refuses({ 1, 2, "1" }, 'got "1" for sample 3')
    refuses({ "a", "b", "c" }, 'labels: one of a, b expected, got "c" for sample 3',
      { "a", "b" })
    refuses({ "a", "b", "1" }, 'got "1" for sample 3', { "a", "b" })
  end)

  it("refuses classes that are no names, or too many or few", function()
    local function refuses(classes, expected)
      at_caller(function()
        pl.dataset { X = numbered(1), labels = { 1 }, classes = classes }
      end, expected)
    end
    refuses(3, "classes: a list of different names expected, got 3")
    refuses({ "a", "a" }, 'classes: a list of different names expected, got "a" twice')
    refuses({ 0, 1 },
      "classes: a list of different names in UTF-8 expected, got 0 as name 1")
    at_caller(function()
      pl.dataset { X = numbered(2), T = pl.matrix(3, 2), classes = { "a", "b" } }
    end, "classes: 3 names expected for T of 3 rows, got 2")
    at_caller(function()
      pl.dataset { X = numbered(2), T = { { 1, 3 } }, classes = { "a", "b", "c" } }
    end, "classes: 2 names expected for T of 1 row, got 3 (labels are given as")
  end)

  it("refuses what is no data", function()
    at_caller(function() pl.dataset { X = 3, labels = { 1 } } end,
      "X: a matrix, a table of rows or bytes expected, got 3")
    at_caller(function() pl.dataset { labels = { 1 } } end, "option 'X' is required")
    at_caller(function() pl.dataset { X = numbered(1), T = 3 } end,
      "T: a matrix or a table of rows expected, got 3")
    at_caller(function() pl.dataset { X = numbered(1), labels = 3 } end,
      "labels: a list or a 1 x N matrix expected, got 3")
    at_caller(function() pl.dataset(3) end,
      "pl.dataset: a table of options expected, got 3")
  end)
end)

describe("the weights of a dataset", function()
  local function weighted(weights)
    return pl.dataset { X = numbered(3), T = pl.matrix(2, 3), weights = weights }
  end

  it("are one for each sample, or for each target", function()
    assert.same({ { 1, 0.5, 2 } }, weighted({ 1, 0.5, 2 }).weights:totable())
    assert.same({ { 1, 0, 2 } }, weighted({ { 1, 0, 2 } }).weights:totable())
    local of_targets = { { 1, 0, 2 }, { 3, 4, 0 } }
    assert.same(of_targets, weighted(of_targets).weights:totable())
    local M = pl.matrix { { 1, 0, 2 } }
    assert.is_true(rawequal(M, weighted(M).weights))
  end)

  it("of labels may be one for each class", function()
    local three = pl.matrix(3, 2)
    local function new(classes)
      return pl.dataset {
        X = numbered(2), labels = { 3, 1 }, weights = three, classes = classes,
      }
    end
    assert.equal(3, new({ "a", "b", "c" }).weights.rows)
    assert.equal(3, new().weights.rows)
    at_caller(function() new { "a", "b", "c", "d" } end,
      "weights: 1 x 2 or 4 x 2 expected, got 3 x 2")
  end)

  it("are refused in another shape", function()
    at_caller(function() weighted { 1, 2 } end,
      "weights: 1 x 3 or 2 x 3 expected, got 1 x 2")
    at_caller(function() weighted(pl.matrix(3, 3)) end,
      "weights: 1 x 3 or 2 x 3 expected, got 3 x 3")
    at_caller(function()
      pl.dataset { X = numbered(3), T = pl.matrix(1, 3), weights = pl.matrix(2, 3) }
    end, "weights: 1 x 3 expected, got 2 x 3")
    at_caller(function() weighted(3) end,
      "weights: a matrix or a table of rows expected, got 3")
    at_caller(function() weighted {} end, "weights: numbers expected, got an empty table")
  end)

  it("are finite numbers of 0 or more, or the place is told", function()
    local expected = "weights: finite numbers of 0 or more expected, got "
    at_caller(function() weighted { 1, 2, -1 } end, expected .. "-1 for sample 3")
    at_caller(function() weighted { 1, 0 / 0, 1 } end, expected .. "NaN for sample 2")
    at_caller(function() weighted { 1, 2, math.huge } end, expected .. "inf for sample 3")
    at_caller(function() weighted { { 1, 1, 1 }, { 1, -2, 1 } } end,
      expected .. "-2 for row 2 of sample 2")
    at_caller(function() weighted { 1, "2", 3 } end,
      'weights: a number expected in row 1, column 2, got "2"')
  end)
end)
