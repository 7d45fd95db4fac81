local Folder = require "spec.support.folder"
local at_caller = require("spec.support.misuse").at_caller
local columns = require "perilune.data.table_columns"
local pl = require "perilune"
local tables = require "spec.support.tables"

describe("the columns of a table", function()
  local people = tables.people()

  it("have names, and are found by these and by their numbers", function()
    assert.same({ "age", "job", "seen", "note", "income" }, columns.names(people))
    assert.equal(people.columns[2], columns.find(people, "job", "here"))
    assert.equal(people.columns[2], columns.find(people, 2, "here"))
    assert.equal(people.columns[2], columns.find(people, 2.0, "here"))
    for _, wrong in ipairs { "zip", 0, 6, 1.5, true } do
      at_caller(function() columns.find(people, wrong, "here") end,
        "here: the name or number of a column expected, got ")
    end
  end)

  it("are found by a name that is a number before they are by their place", function()
    local numbers = tables.read("2,1\n5,6\n", { header = true })
    assert.equal(numbers.columns[1], columns.find(numbers, "2", "here"))
    assert.equal(numbers.columns[2], columns.find(numbers, 2, "here"))
  end)

  it("must have values where they are needed", function()
    assert.equal(people.columns[1], columns.valued(people.columns[1], "here", 4))
    at_caller(function() columns.valued(people.columns[3], "here", 4) end,
      'here: column "seen" is of dates, of which no values are kept: drop = { "seen" }')
    at_caller(function() columns.valued(people.columns[4], "here", 4) end,
      'here: column "note" is text, of which no values are kept: drop = { "note" }')
    local empty = tables.read "x,y\n1,\n2,\n"
    at_caller(function() columns.valued(empty.columns[2], "here", 2) end,
      'here: column "y" has nothing but missing cells: drop = { "y" }')
  end)

  it("give their cells, also where the rows stay in a file", function()
    assert.same({ { 41, false, 30, 52 } }, tables.rows(columns.cells(people.values, 1)))
    local folder = Folder.new()
    finally(function() folder:remove() end)
    local path = folder:write("a.csv", "x,y\n1,b\n2,a\n3,b\n")
    local stored = assert(pl.data.csv(path, { window = 1, chunk = 1 }))
    assert.same({ { 2, 1, 2 } }, tables.rows(columns.cells(stored.values, 2)))
  end)
end)
