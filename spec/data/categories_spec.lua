local categories = require "perilune.data.categories"
local pl = require "perilune"
local tables = require "spec.support.tables"

local nan = 0 / 0

describe("names of categories", function()
  it("are in order of their numbers, then of their bytes", function()
    local set = {}
    for _, name in ipairs { "b", "10", "9", "a", "1e1", "-1", "B", "0.5" } do set[name] = true end
    assert.same({ "-1", "0.5", "9", "10", "1e1", "B", "a", "b" }, categories.ordered(set))
    assert.same({}, categories.ordered {})
  end)

  it("have their place as a label", function()
    assert.same({ b = 1, a = 2 }, categories.labels { "b", "a" })
  end)

  it("are found among others, also by what they are called there", function()
    local to, unknown = categories.among({ "x", "y", "z", "a" }, { "a", "b" }, { y = "b", z = "c" })
    assert.same({ 0, 2, 0, 1 }, to)
    assert.same({ "x", "z" }, unknown)
  end)
end)

for _, core in ipairs { pl.float32, pl.float64 } do
  describe("labels of " .. core.name, function()
    it("become those of others, but for NaN", function()
      local labels = core.matrix { { 2, nan, 1, 2 } }
      assert.same({ { 0, false, 3, 0 } }, tables.rows(categories.mapped(labels, { 3, 0 })))
      assert.same({ { 2, false, 1, 2 } }, tables.rows(labels))
    end)

    it("become others in a row of a matrix, and the other rows stay", function()
      local M = core.matrix { { 1, 2, 1 }, { 2, nan, 1 }, { 2, 2, 2 } }
      categories.relabel(M, 2, { 2, 1 })
      assert.same({ { 1, 2, 1 }, { 1, false, 2 }, { 2, 2, 2 } }, tables.rows(M))
    end)

    it("follow the order of their names", function()
      local M = core.matrix { { 7, 7, 7, 7 }, { 1, 2, nan, 3 } }
      assert.same({ "a", "b", "c" }, categories.order(M, 2, { c = 1, a = 2, b = 3 }))
      assert.same({ { 7, 7, 7, 7 }, { 3, 1, false, 2 } }, tables.rows(M))
      assert.same({ "a", "b", "c" }, categories.order(M, 2, { a = 1, b = 2, c = 3 }))
      assert.same({ { 7, 7, 7, 7 }, { 3, 1, false, 2 } }, tables.rows(M))
    end)
  end)
end
