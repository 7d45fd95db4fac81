local faults = require "perilune.data.csv_faults"
local tables = require "spec.support.tables"

local refuses = tables.refuses

describe("a CSV file with a fault", function()
  it("says in which line a row of another length is", function()
    refuses("line 3: 2 cells expected, as in line 1, got 3", "x,y\n1,2\n1,2,3\n4,5\n")
    refuses("line 5: 3 cells expected, as in line 1, got 1", 'x,y,z\n1,2,"\n\n"\n1\n1,2,3\n')
    refuses("line 2: 2 cells expected, as in line 1, got 3", "a,b\n1,2,3\n4,5,6\n")
  end)

  it("says in which line and column it is no UTF-8 text", function()
    local cure = " (iconv -f LATIN1 -t UTF-8 converts a file in Latin-1)"
    refuses('line 3, column 2 ("city"): UTF-8 expected, got byte E9' .. cure,
      "x,city\n1,a\n2,Orl\xE9ans\n")
    refuses("line 1, column 1: UTF-8 expected, got byte E9" .. cure, "caf\xE9,b\n1,2\n")
    refuses('line 2, column 1 ("x"): text expected, got a zero byte', "x,y\n1\0,2\n")
    refuses("UTF-8 expected, got UTF-16 (iconv -f UTF-16 -t UTF-8 converts it)", "\xFF\xFEa\0")
    refuses('line 2, column 1 ("x"): the quote that opens this cell is never closed (quote = "" '
      .. 'takes " as any other character)', 'x,y\n"1,2\n3,4\n', { quote = '"', separator = "," })
    refuses('line 2, column 1 ("x"): "," or the end of the line expected after the closing quote, '
      .. 'got "b"', 'x,y\n"a"b,2\n3,4\n', { separator = "," })
  end)

  it("says that it has no rows, or where a number that the type does not hold", function()
    refuses("a header or rows expected, got none", "")
    refuses("a header or rows expected, got none", "\n \n\r\n")
    refuses("rows expected below the header, got none", "x,y\n")
    refuses('line 2, column 1 ("x"): a number that float32 holds expected, got "1e39" '
      .. '(dtype = "float64" holds more)', "x\n1e39\n")
    refuses('line 2, column 1 ("x"): a number that float64 holds expected, got "1e999"',
      "x\n1e999\n", { dtype = "float64" })
  end)
end)

describe("the place of a cell", function()
  it("has the name of the column, where it is known", function()
    assert.equal("line 3, column 2: ", faults.place(3, 2))
    assert.equal("line 3, column 2: ", faults.place(3, 2, { "x" }))
    assert.equal('line 3, column 2 ("y \\"z\\""): ', faults.place(3, 2, { "x", 'y "z"' }))
  end)
end)
