local Table = require "perilune.data.table"
local at_caller = require("spec.support.misuse").at_caller
local tables = require "spec.support.tables"

local read = tables.read

describe("a table's columns", function()
  local people = tables.people()

  it("are found by name and by number, with their cells", function()
    local age, cells = people:column "age"
    assert.equal(people.columns[1], age)
    assert.same({ { 41, false, 30, 52 } }, tables.rows(cells))
    local job, labels = people:column(2)
    assert.same({ "clerk", "nurse" }, job.categories)
    assert.same({ { 2, 1, false, 2 } }, tables.rows(labels))
    assert.same({ people.columns[4] }, { people:column "note" })
    at_caller(function() local _ = people:column "Age" end, 'column: the name or number of a '
      .. 'column expected, got "Age" (did you mean "age"?)')
    at_caller(function() local _ = people:column(6) end, "got 6")
  end)

  it("tell the rows in which they are not missing", function()
    assert.same({ 1, 3, 4 }, people:present "age")
    assert.same({ 1, 2, 4 }, people:present(2))
    at_caller(function() local _ = people:present "note" end, 'present: column "note" is text')
  end)

  it("are the same of chosen rows, as far as they have values", function()
    local some = people:select { 4, 3, 3 }
    assert.equal(3, some.N)
    assert.same({
      { name = "age", type = "number", missing = 0, row = 1, least = 30, most = 52 },
      { name = "job", type = "category", missing = 2, row = 2, categories = { "clerk", "nurse" } },
      { name = "income", type = "category", missing = 0, row = 3, categories = { "high", "low" } },
    }, some.columns)
    assert.same({ { 52, 30, 30 }, { 2, false, false }, { 1, 2, 2 } }, tables.rows(some.values))
    assert.is_nil((people:select { 2 }):column("age").least)
    for _, wrong in ipairs { {}, { 0 }, { 5 }, { 1.5 }, { "1" }, 1 } do
      at_caller(function() local _ = people:select(wrong) end, "indices")
    end
    local words = read("a\nb\n", { header = false, types = { "text" } })
    at_caller(function() local _ = words:select { 1 } end, "select: a table with values expected")
  end)

  it("are shown a line each, with what was found", function()
    assert.equal(table.concat({
      "4 rows, 5 columns",
      "   1  age     number    30 to 52, 1 missing",
      "   2  job     category  2: clerk, nurse, 1 missing",
      "   3  seen    date",
      "   4  note    text",
      "   5  income  category  2: high, low",
    }, "\n"), tostring(people))
    assert.equal("2 rows, 1 columns\n   1  x  category  2: a b, c",
      tostring(read 'x\n"a\nb"\nc\n'))
    local names = {}
    for k = 1, 40 do names[k] = ("caf\xC3\xA9%02d"):format(k) end
    local text = tostring(read(table.concat(names, "\n") .. "\n" .. table.concat(names, "\n"),
      { header = false }))
    assert.equal("80 rows, 1 columns", text:match "^[^\n]*")
    assert.matches("category  40: caf\xC3\xA901, .*%.%.%.$", text)
    assert.is_truthy(utf8.len(text))
  end)

  it("belong to a table, which is known as such", function()
    assert.is_true(Table.is_table(people))
    assert.is_false(Table.is_table {})
  end)
end)
