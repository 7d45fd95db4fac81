local at_caller = require("spec.support.misuse").at_caller
local csv = require "perilune.data.csv"
local tables = require "spec.support.tables"

local read, refuses = tables.read, tables.refuses

describe("the types of a CSV file's columns", function()
  it("are found by reading: numbers, categories, text and dates, as they are described", function()
    assert.same({ "number", "category", "date", "category", "text" },
      tables.types(read "x,y,z,code,none\n1,a,2020-01-31,007,\n2,b,1999-12-01,12,?\n"))
    -- Few names, names that come again, and names that do not
    local function names(count, times)
      local lines = {}
      for k = 1, count * times do lines[k] = ("n%d"):format(k % count) end
      return table.concat(lines, "\n")
    end
    for _, case in ipairs {
      { 20, 1, "category" }, { 21, 1, "text" }, { 21, 2, "category" }, { 1000, 2, "category" },
      { 1001, 2, "text" },
    } do
      local found = read(names(case[1], case[2]), { header = false })
      assert.same({ case[3] }, tables.types(found), case[1] .. " names")
    end
  end)

  it("are those that are told, by name or number of the column", function()
    local text = "id,zip,when,note\n1,01234,2020-01-01,a\n2,98765,2020-01-02,b\n"
    local found = read(text, { types = { "category", zip = "number", when = "category",
      note = "text" } })
    assert.same({ "category", "number", "category", "text" }, tables.types(found))
    assert.same({ { "1", 1234, "2020-01-01", "" }, { "2", 98765, "2020-01-02", "" } },
      tables.cells(found))
    assert.equal("date", read(text, { types = { when = "date" } }).columns[3].type)
    refuses('column 4 ("note"): dates expected, got others in 2 of 2 cells', text,
      { types = { note = "date" } })
    refuses('line 2, column 4 ("note"): a number expected, got "a"', text,
      { types = { note = "number" } })
    refuses('types: the name or number of a column expected, got "ZIP" (did you mean "zip"?)', text,
      { types = { ZIP = "number" } })
    refuses('types: the name or number of a column expected, got 5 (known: "id", "zip", "when", '
      .. '"note")', text, { types = { [5] = "number" } })
  end)

  it("are those of another set's features, where it has such columns", function()
    local train = tables.people():dataset { target = "income", drop = { "seen", "note" } }
    local text = "job,age,income\n1,30,low\n2,40,high\n"
    local found = read(text, { like = train, types = { income = "text" } })
    assert.same({ "category", "number", "text" },
      { found.columns[1].type, found.columns[2].type, found.columns[3].type })
    assert.same({ { 30, 40 }, { 0, 0 } }, tables.rows(assert(found:like(train))))
    local wrong, message = csv.decode("job,age\na,x\n", { like = train })
    assert.is_nil(wrong)
    assert.equal('CSV data: line 2, column 2 ("age"): a number expected, got "x"', message)
    assert.equal(1, read("other\n5\n", { like = train }).N)
    at_caller(function() local _ = csv.decode("1,2", { like = {} }) end,
      "like: a schema, or what has one, expected, got a table")
  end)

  it("may be of numbers with decimal commas, where that is told", function()
    local text = "1,5;2,5;x\n-0,5;3;y\n"
    assert.same({ { 1.5, 2.5, "x" }, { -0.5, 3, "y" } },
      tables.cells(read(text, { decimal = "," })))
    local names = 'if these are names: types = { ["%s"] = "category" })'
    refuses('line 1, column 1 ("column_1"): a number without a comma expected, got "1,5" (if its '
      .. 'comma is a decimal one: decimal = ","; ' .. names:format "column_1", text)
    refuses('line 2, column 1 ("x"): a number without a comma expected, got "1,234" ('
      .. names:format "x", 'x,y\n"1,234",a\n')
    assert.same({ { 1.5, "a" } },
      tables.cells(read('x\ty\n"1,5"\ta\n', { decimal = "," })))
    local numbers = { types = { x = "number" } }
    refuses('line 2, column 1 ("x"): a number expected, got "1,5" (if its comma is a decimal one: '
      .. 'decimal = ",")', "x;y\n1,5;a\n", numbers)
    refuses('line 2, column 1 ("x"): a number expected, got "1,234"', 'x,y\n"1,234",a\n', numbers)
  end)

  it("leave codes their spelling, in the order of their numbers", function()
    local found = read "code\n10\n007\n00\n7\n007\n2\n"
    assert.same({ "00", "2", "007", "7", "10" }, found.columns[1].categories)
    assert.same({ { "10" }, { "007" }, { "00" }, { "7" }, { "007" }, { "2" } }, tables.cells(found))
  end)

  it("are in doubt where a column of numbers has a few words", function()
    refuses('line 4, column 2 ("age"): a number expected, as in 2 of 3 cells, got "old" (if it '
      .. 'stands for a missing cell: missing = { "old", ... }; if these are names: types = { '
      .. '["age"] = "category" })', "name,age\na,12\nb,13\nc,old\n")
    refuses('line 1, column 1 ("column_1"): a number expected, as in 2 of 3 cells, got "id" (if it '
      .. 'names the column: header = true; if these are names: types = { ["column_1"] = "category" '
      .. "})", "id,1999\n1,12\n2,13\n")
    local codes = {}
    for k = 1, 1500 do codes[k] = ("%05d"):format(k) end
    refuses('line 1502, column 1 ("code"): a number expected, as in 1500 of 1501 cells, got "none" '
      .. '(if it stands for a missing cell: missing = { "none", ... }; if these are names: types = '
      .. '{ ["code"] = "category" })', "code\n" .. table.concat(codes, "\n") .. "\nnone\n")
    assert.same({ { 12 }, { 13 }, { "" } },
      tables.cells(read("age\n12\n13\nold\n", { missing = { "old" } })))
    assert.same({ { "12" }, { "13" }, { "old" } },
      tables.cells(read("age\n12\n13\nold\n", { types = { age = "category" } })))
    assert.same({ { "0-4" }, { "5-9" }, { "10" } }, tables.cells(read("0-4\n5-9\n10\n")))
  end)
end)
