local at_caller = require("spec.support.misuse").at_caller
local tables = require "spec.support.tables"

local read = tables.read

describe("what a table's dataset learns", function()
  local people = tables.people()

  it("learns numbers where the target has many, and is told which where they are few", function()
    local function set(values, task)
      local lines = { "x,y" }
      for k, y in ipairs(values) do lines[k + 1] = k .. "," .. y end
      return read(table.concat(lines, "\n")):dataset { target = "y", task = task }
    end
    local many = {}
    for k = 1, 21 do many[k] = k end
    assert.is_false(set(many).has_labels)
    assert.same({ { 0.5, 2, 3 } }, tables.rows(set({ 0.5, 2, 3 }).T))
    local binary = set { 1, 0, 1 }
    assert.same({ { "0", "1" }, { { 2, 1, 2 } } }, { binary.classes, tables.rows(binary.T) })
    at_caller(function() local _ = set { 1, 2, 3 } end, 'target: column "y" has 3 different whole '
      .. 'numbers, which may be meant as classes: task = "classification" or task = "regression"')
    assert.same({ { 1, 2, 3 } }, tables.rows(set({ 1, 2, 3 }, "regression").T))
    local gap = set({ 7, 1, 3, 2, 5, 10, 1 }, "classification")
    assert.same({ "1", "2", "3", "5", "7", "10" }, gap.classes)
    assert.same({ { 5, 1, 3, 2, 4, 6, 1 } }, tables.rows(gap.T))
    assert.same({ "-1", "0.1" }, set({ 0.1, -1 }, "classification").classes)
  end)

  it("is refused where the target cannot be learnt, with the cure", function()
    local function refuses(expected, options, text)
      local given_table = text and read(text) or people
      at_caller(function() local _ = given_table:dataset(options) end, expected)
    end
    refuses("option 'target' is required", {})
    refuses('target: the name or number of a column expected, got "Income"', { target = "Income" })
    refuses('target: column "age" lacks 1 of 4 cells, the first in row 2: leave their rows out, '
      .. 'table:select(table:present("age"))', { target = "age", drop = { "seen", "note" } })
    refuses('target: column "note" is text, of which no values are kept: drop = { "note" }, or '
      .. 'read the table with types = { ["note"] = "category" }', { target = "note" })
    refuses('target: numbers expected for regression, got categories in column "income"',
      { target = "income", drop = { "seen", "note" }, task = "regression" })
    refuses('target: two classes or more expected in column "y", got only "a"', { target = "y" },
      "x,y\n1,a\n2,a\n")
    local lines = { "x,y" }
    for k = 1, 1001 do lines[k + 1] = "1," .. k end
    refuses('at most 1000 classes expected, got more different numbers in column "y": task = '
      .. '"regression"', { target = "y", task = "classification" }, table.concat(lines, "\n"))
  end)
end)

describe("classes like those of another set", function()
  local train = tables.people():dataset { target = "income", drop = { "seen", "note" } }

  it("tells of classes that the other has not, and how to say which are meant", function()
    local other = read("age,job,income\n1,nurse,low.\n2,clerk,High\n3,clerk,low\n4,nurse,rich\n")
    at_caller(function() local _ = other:dataset { like = train } end, 'target: column "income" '
      .. 'has "High", "low.", "rich", which are none of the classes "high", "low": rename = { '
      .. '["High"] = "high", ["low."] = "low", ["rich"] = ... } says which are meant')
    local test = other:dataset { like = train,
      rename = { High = "high", ["low."] = "low", rich = "high" } }
    assert.same({ { 2, 1, 2, 1 } }, tables.rows(test.T))
  end)
end)
