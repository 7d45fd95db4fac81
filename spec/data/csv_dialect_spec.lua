local allocated_by = require("spec.support.memory").allocated
local tables = require "spec.support.tables"

local read, refuses = tables.read, tables.refuses

describe("how a CSV file is written", function()
  it("may have quotes, with separators, quotes and ends of lines between the quotes", function()
    local found = read('x,name\n1,"Doe, Jane"\n2,"the ""best"""\n3,"two\nlines"\n"4", plain \n')
    assert.same({ { 1, "Doe, Jane" }, { 2, 'the "best"' }, { 3, "two\nlines" }, { 4, "plain" } },
      tables.cells(found))
    assert.same({ { 5, "a" } }, tables.cells(read("x,y\n'5','a'\n", { quote = "'" })))
    assert.same({ { 5, 'a"' } }, tables.cells(read('x,y\n5,a"\n', { quote = "" })))
    assert.same({ { "it's", 5 } }, tables.cells(read "x,y\nit's,5\n"))
  end)

  it("may have single quotes where it begins with one, unless it cannot be such", function()
    assert.same({ { "40-49", "a,b" }, { "30-39", "c" } },
      tables.cells(read("'40-49','a,b'\n'30-39','c'\n", { header = false })))
    assert.same({ { "'tis", 1 }, { "so", 2 } }, tables.cells(read "'tis,1\nso,2\n"))
  end)

  it("has its separator found by reading, or told", function()
    for _, separator in ipairs { ",", ";", "\t" } do
      local text = ("a|b|1.5\nd|\"e\te;e,e\"|2\n"):gsub("|", separator)
      assert.same({ { "a", "b", 1.5 }, { "d", "e\te;e,e", 2 } }, tables.cells(read(text)))
    end
    assert.same({ { "a,b", 1 }, { "c,d", 2 } }, tables.cells(read "a,b;1\nc,d;2\n"))
    assert.same({ { 1, 2 } }, tables.cells(read("a|b\n1|2\n", { separator = "|" })))
    assert.same({ { "1,5" }, { "2;5" } },
      tables.cells(read("1,5\n2;5\n", { separator = "|", types = { "category" } })))
    assert.same({ "one" }, tables.names(read "one\n1\n2\n"))
  end)

  it("has a header by reading, or as it is told", function()
    assert.same({ "x", "y" }, tables.names(read "x,y\n1,2\n"))
    assert.same({ "column_1", "column_2" }, tables.names(read "1,2\n3,4\n"))
    assert.same({ "column_1", "column_2" }, tables.names(read "a,2\nb,4\n"))
    assert.same({ "column_1", "x" }, tables.names(read ",x\n1,2\n2,3\n"))
    assert.same({ "job", "sex" }, tables.names(read "job,sex\nnurse,f\nclerk,m\nnurse,m\n"))
    assert.same({ "column_1", "column_2" }, tables.names(read "nurse,f\nclerk,m\nnurse,m\n"))
    assert.same({ "1999", "2000" }, tables.names(read("1999,2000\n1,2\n", { header = true })))
    assert.equal(2, read("a,b\n1,2\n", { header = false, types = { "text", "text" } }).N)
  end)

  it("has the names of columns that are told", function()
    assert.same({ "p", "q" }, tables.names(read("1,2\n", { columns = { "p", "q" } })))
    local renamed = read("x,x\n1,2\n", { columns = { "p", "q" } })
    assert.same({ 1, "p", "q" }, { renamed.N, table.unpack(tables.names(renamed)) })
    refuses("line 1: 3 cells expected, one for each of the columns that are named, got 2", "1,2\n",
      { columns = { "p", "q", "r" } })
    refuses('line 1: different names of columns expected, got "x" as columns 1 and 3 '
      .. "(columns = { ... } names them anew)", "x,y,x\n1,2,3\n")
  end)

  it("may not have more columns than that by far, nor endless rows", function()
    local allocated = allocated_by(function()
      refuses("line 1: at most 131072 cells expected in a row, got more", (","):rep(2 ^ 21))
    end)
    assert.is_true(allocated < 1e8, ("%.0f bytes"):format(allocated))
    refuses("rows of at most 4194304 bytes expected, got more (is every quote closed?)",
      ("x"):rep(2 ^ 23))
  end)
end)
