local allocated_by = require "spec.support.allocated_by"
local at_caller = require("spec.support.misuse").at_caller
local content = require "perilune.data.content"
local csv = require "perilune.data.csv"
local memory = require "spec.support.memory"
local pl = require "perilune"
local zlib = require "zlib"

-- The table that a text is read as
local function read(text, options)
  return assert(csv.decode(text, options, "here"))
end

-- Reading must fail, with exactly this after the name.
local function refuses(reason, text, options)
  local found, message = csv.decode(text, options, "here")
  assert.is_nil(found)
  assert.equal("here: " .. reason, message)
end

-- Rows of cells as they were: categories by name, "" for what is missing
local function cells_of(found)
  local rows = {}
  for n = 1, found.N do
    rows[n] = {}
    for k, column in ipairs(found.columns) do
      local x = column.row and found.values:get(column.row, n) or 0 / 0
      local categories = column.categories or {}
      rows[n][k] = x ~= x and "" or categories[x] or x
    end
  end
  return rows
end

local function names_of(found)
  local names = {}
  for k, column in ipairs(found.columns) do names[k] = column.name end
  return names
end

local function types_of(found)
  local types = {}
  for k, column in ipairs(found.columns) do types[k] = column.type end
  return types
end

local function compress(bytes)
  return (zlib.deflate(1, 31)(bytes, "finish"))
end

describe("CSV", function()
  it("gives each column's cells as a row of numbers, labels and NaN", function()
    local found = read "age,job,income\n41,nurse,1e3\n?,clerk,-2.5\n30,,NA\n"
    assert.equal(3, found.N)
    assert.same({
      { name = "age", type = "number", missing = 1, row = 1, least = 30, most = 41 },
      { name = "job", type = "category", missing = 1, row = 2, categories = { "clerk", "nurse" } },
      { name = "income", type = "number", missing = 1, row = 3, least = -2.5, most = 1000 },
    }, found.columns)
    assert.same({ "float32", 3, 3, "columns" },
      { found.values.dtype, found.values.rows, found.values.cols, found.values.order })
    assert.same({ { 41, "nurse", 1000 }, { "", "clerk", -2.5 }, { 30, "", "" } }, cells_of(found))
  end)

  it("is the same however its bytes come", function()
    local text = "\xEF\xBB\xBFname;x;\"note\"\r\n'Anna';1.5;\"a;\"\"b\"\"\r\nc\"\r\n"
      .. "Zo\xC3\xAB;?;b\r\n\r\n"
    local expected = cells_of(read(text))
    assert.same({ { "'Anna'", 1.5, 'a;"b"\r\nc' }, { "Zo\xC3\xAB", "", "b" } }, expected)
    local of = content.of
    finally(function() content.of = of end)
    for size = 3, #text do
      function content.of(source)
        local last = 0
        return { came = 0, chunk = function(self)
          local first = last + 1
          last = math.min(last + size, source.size)
          self.came = last
          if first <= last then return source:read(first, last) end
        end }
      end
      assert.same(expected, cells_of(read(text)))
    end
  end)

  it("may have float64 numbers", function()
    local found = read("x,y\n0.1,16777217\n", { dtype = "float64" })
    assert.equal("float64", found.values.dtype)
    assert.same({ { 0.1, 16777217 } }, cells_of(found))
  end)

  it("may be quoted, with separators, quotes and ends of lines between the quotes", function()
    local found = read('x,name\n1,"Doe, Jane"\n2,"the ""best"""\n3,"two\nlines"\n"4", plain \n')
    assert.same({ { 1, "Doe, Jane" }, { 2, 'the "best"' }, { 3, "two\nlines" }, { 4, "plain" } },
      cells_of(found))
    assert.same({ { 5, "a" } }, cells_of(read("x,y\n'5','a'\n", { quote = "'" })))
    assert.same({ { 5, 'a"' } }, cells_of(read('x,y\n5,a"\n', { quote = "" })))
    assert.same({ { "it's", 5 } }, cells_of(read "x,y\nit's,5\n"))
  end)

  it("finds single quotes where the file begins with one, unless it cannot be such", function()
    assert.same({ { "40-49", "a,b" }, { "30-39", "c" } },
      cells_of(read("'40-49','a,b'\n'30-39','c'\n", { header = false })))
    assert.same({ { "'tis", 1 }, { "so", 2 } }, cells_of(read "'tis,1\nso,2\n"))
  end)

  it("finds the separator by reading, or is told it", function()
    for _, separator in ipairs { ",", ";", "\t" } do
      local text = ("a|b|1.5\nd|\"e\te;e,e\"|2\n"):gsub("|", separator)
      assert.same({ { "a", "b", 1.5 }, { "d", "e\te;e,e", 2 } }, cells_of(read(text)))
    end
    assert.same({ { "a,b", 1 }, { "c,d", 2 } }, cells_of(read "a,b;1\nc,d;2\n"))
    assert.same({ { 1, 2 } }, cells_of(read("a|b\n1|2\n", { separator = "|" })))
    assert.same({ { "1,5" }, { "2;5" } },
      cells_of(read("1,5\n2;5\n", { separator = "|", types = { "category" } })))
    assert.same({ "one" }, names_of(read "one\n1\n2\n"))
  end)

  it("has decimal commas where it is told so, and says where that may be meant", function()
    local text = "1,5;2,5;x\n-0,5;3;y\n"
    assert.same({ { 1.5, 2.5, "x" }, { -0.5, 3, "y" } }, cells_of(read(text, { decimal = "," })))
    local names = 'if these are names: types = { ["%s"] = "category" })'
    refuses('line 1, column 1 ("column_1"): a number without a comma expected, got "1,5" (if its '
      .. 'comma is a decimal one: decimal = ","; ' .. names:format "column_1", text)
    refuses('line 2, column 1 ("x"): a number without a comma expected, got "1,234" ('
      .. names:format "x", 'x,y\n"1,234",a\n')
    assert.same({ { 1.5, "a" } },
      cells_of(read('x\ty\n"1,5"\ta\n', { decimal = "," })))
  end)

  it("finds a header by reading, or is told whether there is one", function()
    assert.same({ "x", "y" }, names_of(read "x,y\n1,2\n"))
    assert.same({ "column_1", "column_2" }, names_of(read "1,2\n3,4\n"))
    assert.same({ "column_1", "column_2" }, names_of(read "a,2\nb,4\n"))
    assert.same({ "column_1", "x" }, names_of(read ",x\n1,2\n2,3\n"))
    assert.same({ "job", "sex" }, names_of(read "job,sex\nnurse,f\nclerk,m\nnurse,m\n"))
    assert.same({ "column_1", "column_2" }, names_of(read "nurse,f\nclerk,m\nnurse,m\n"))
    assert.same({ "1999", "2000" }, names_of(read("1999,2000\n1,2\n", { header = true })))
    assert.equal(2, read("a,b\n1,2\n", { header = false, types = { "text", "text" } }).N)
  end)

  it("takes names of its columns from the options", function()
    assert.same({ "p", "q" }, names_of(read("1,2\n", { columns = { "p", "q" } })))
    local renamed = read("x,x\n1,2\n", { columns = { "p", "q" } })
    assert.same({ 1, "p", "q" }, { renamed.N, table.unpack(names_of(renamed)) })
    refuses("line 1: 3 cells expected, one for each of the columns that are named, got 2", "1,2\n",
      { columns = { "p", "q", "r" } })
    refuses('line 1: different names of columns expected, got "x" as columns 1 and 3 '
      .. "(columns = { ... } names them anew)", "x,y,x\n1,2,3\n")
  end)

  it("may end its lines in any way, and may have empty ones", function()
    local expected = { { 1, "a" }, { 2, "b" } }
    for _, text in ipairs {
      "x,y\n1,a\n2,b", "x,y\r\n1,a\r\n2,b\r\n", "x,y\r1,a\r2,b\r", "\n\nx,y\n\n1,a\n  \n2,b\n\n\n",
      "\xEF\xBB\xBFx,y\n1,a\n2,b\n \t\n",
    } do
      assert.same(expected, cells_of(read(text)), text)
      assert.same(expected, cells_of(read(compress(text))), text)
    end
  end)

  it("has missing cells where they are empty or say so", function()
    local marks = { "", "?", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null",
      "None", '""', ' "NA" ' }
    for _, mark in ipairs(marks) do
      local found = read("x,y\n1,a\n" .. mark .. " , " .. mark .. "\n")
      assert.same({ { 1, "a" }, { "", "" } }, cells_of(found), mark)
      assert.same({ 1, 1 }, { found.columns[1].missing, found.columns[2].missing })
    end
    local given = { missing = { "-999", "none", "-" } }
    assert.same({ { "", "" }, { "", "NA" }, { -9, "x" } },
      cells_of(read("x,y\n-999,none\n-,NA\n-9,x\n", given)))
  end)

  it("finds numbers, categories, text and dates by reading, as they are described", function()
    assert.same({ "number", "category", "date", "category", "text" },
      types_of(read "x,y,z,code,none\n1,a,2020-01-31,007,\n2,b,1999-12-01,12,?\n"))
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
      assert.same({ case[3] }, types_of(found), case[1] .. " names")
    end
  end)

  it("has the types that it is told, by name or number of the column", function()
    local text = "id,zip,when,note\n1,01234,2020-01-01,a\n2,98765,2020-01-02,b\n"
    local found = read(text, { types = { "category", zip = "number", when = "category",
      note = "text" } })
    assert.same({ "category", "number", "category", "text" }, types_of(found))
    assert.same({ { "1", 1234, "2020-01-01", "" }, { "2", 98765, "2020-01-02", "" } },
      cells_of(found))
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

  it("keeps the spelling of codes, in the order of their numbers", function()
    local found = read "code\n10\n007\n00\n7\n007\n2\n"
    assert.same({ "00", "2", "007", "7", "10" }, found.columns[1].categories)
    assert.same({ { "10" }, { "007" }, { "00" }, { "7" }, { "007" }, { "2" } }, cells_of(found))
  end)

  it("says of a column of numbers with a few words what may be meant", function()
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
      cells_of(read("age\n12\n13\nold\n", { missing = { "old" } })))
    assert.same({ { "12" }, { "13" }, { "old" } },
      cells_of(read("age\n12\n13\nold\n", { types = { age = "category" } })))
    assert.same({ { "0-4" }, { "5-9" }, { "10" } }, cells_of(read("0-4\n5-9\n10\n")))
  end)

  it("must have rows of one length, or the line is told", function()
    refuses("line 3: 2 cells expected, as in line 1, got 3", "x,y\n1,2\n1,2,3\n4,5\n")
    refuses("line 5: 3 cells expected, as in line 1, got 1", 'x,y,z\n1,2,"\n\n"\n1\n1,2,3\n')
    refuses("line 2: 2 cells expected, as in line 1, got 3", "a,b\n1,2,3\n4,5,6\n")
  end)

  it("must be UTF-8 text, or line and column are told", function()
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

  it("must have rows, and numbers that the type holds", function()
    refuses("a header or rows expected, got none", "")
    refuses("a header or rows expected, got none", "\n \n\r\n")
    refuses("rows expected below the header, got none", "x,y\n")
    refuses('line 2, column 1 ("x"): a number that float32 holds expected, got "1e39" '
      .. '(dtype = "float64" holds more)', "x\n1e39\n")
    refuses('line 2, column 1 ("x"): a number that float64 holds expected, got "1e999"',
      "x\n1e999\n", { dtype = "float64" })
  end)

  it("may have 300 classes, or one", function()
    local lines = {}
    for k = 1, 900 do lines[k] = ("%d,class %d"):format(k, (k - 1) % 300 + 1) end
    local found = read(table.concat(lines, "\n"))
    assert.equal(300, #found.columns[2].categories)
    assert.equal("class 299", found.columns[2].categories[found.values:get(2, 299)])
    assert.same({ "only" }, read("1,only\n2,only\n").columns[2].categories)
  end)

  it("may have thousands of columns", function()
    local row = ("1.25,"):rep(29999) .. "x\n"
    local found = read(row:rep(3))
    assert.same({ 30000, 3 }, { #found.columns, found.N })
    assert.equal(3 * 29999 * 1.25, found.values:slice(1, 29999):sum())
  end)

  it("may not have more columns than that by far, nor endless rows", function()
    local allocated = allocated_by(function()
      refuses("line 1: at most 131072 cells expected in a row, got more", (","):rep(2 ^ 21))
    end)
    assert.is_true(allocated < 1e8, ("%.0f bytes"):format(allocated))
    refuses("rows of at most 4194304 bytes expected, got more (is every quote closed?)",
      ("x"):rep(2 ^ 23))
  end)

  it("may have a million rows", function()
    local lines = {}
    for k = 1, 1000 do lines[k] = ("%d,%s,\"%d.5\"\n"):format(k, k % 3 == 0 and "a" or "b", -k) end
    local text = table.concat(lines):rep(1000)
    local found = read(text)
    assert.equal(1000000, found.N)
    assert.same({ 1000, "a", -999.5 }, { found.columns[1].most, found.columns[2].categories[1],
      found.values:get(3, 999999) })
    local rows = found.values:slice(1, 1)
    assert.equal(1000 * 500500, rows:sum())
  end)

  it("has cells of at most a megabyte", function()
    local long = ("x"):rep(2 ^ 20)
    assert.equal(long, read("1," .. long .. "\n", { types = { [2] = "category" } })
      .columns[2].categories[1])
    local found, message = csv.decode('1,"' .. long:rep(2), { separator = "," }, "here")
    assert.is_nil(found)
    assert.matches("line 1, column 2: the quote that opens this cell is never closed", message)
    found, message = csv.decode("1,2\n" .. '1,"' .. long:rep(8) .. '"\n', nil, "here")
    assert.is_nil(found)
    assert.matches("^here: line 2: a cell of at most 1048576 bytes expected", message)
  end)

  it("that is damaged or too large below gzip gives nil and the reason", function()
    local packed = compress("x,y\n" .. ("1,2\n"):rep(100000))
    local found, message = csv.decode(packed:sub(1, -5), nil, "here")
    assert.is_nil(found)
    assert.matches("^here: the gzip data ends too early", message)
    local allocated = allocated_by(function()
      found, message = csv.decode(packed, { most_bytes = 1000 }, "here")
    end)
    assert.is_nil(found)
    assert.matches("^here: more than 1000 bytes come out of %d+ bytes of gzip data", message)
    assert.is_true(allocated < 1e7)
    assert.equal(100000, read(packed, { most_bytes = 1e6 }).N)
  end)
end)

describe("CSV files", function()
  local path

  before_each(function() path = os.tmpname() end)
  after_each(function() os.remove(path) end)

  local function write(bytes)
    local handle <close> = assert(io.open(path, "wb"))
    assert(handle:write(bytes))
  end

  it("are read as texts are, and named in messages", function()
    write "x,y\n1,a\n2,b\n"
    assert.same({ { 1, "a" }, { 2, "b" } }, cells_of(assert(pl.data.csv(path))))
    write "x,y\n1\n"
    assert.same({ nil, path .. ": line 2: 2 cells expected, as in line 1, got 1" },
      { pl.data.csv(path) })
    local found, message = pl.data.csv(path .. "/missing")
    assert.is_nil(found)
    assert.equal(path .. "/missing: ", message:sub(1, #path + 10))
  end)

  it("take little more memory than their numbers, plain or compressed", function()
    local rows = {}
    for k = 1, 1000 do
      local numbers = {}
      for i = 1, 10 do numbers[i] = ("%.4f"):format(math.sin(k * i)) end
      rows[k] = table.concat(numbers, ",")
    end
    local text = (table.concat(rows, "\n") .. "\n"):rep(400)
    for name, bytes in pairs { plain = text, packed = compress(text) } do
      write(bytes)
      local peak = memory.peak_alone("", ([[
        local found = assert(pl.data.csv %q)
        assert(found.N == 400000 and found.values.rows == 10)]]):format(path))
      assert.is_true(peak < 1.5 * 1.6e7, ("%.2f of %s"):format(peak / 1.6e7, name))
    end
  end)
end)

describe("Options of CSV", function()
  it("are checked at the caller's line", function()
    for expected, options in pairs {
      ['separator: one character, such as ";" expected, got ""'] = { separator = "" },
      ['separator: one character, such as ";" expected, got "\\n"'] = { separator = "\n" },
      ["quote: one character, or \"\" for none expected, got 5"] = { quote = 5 },
      ['decimal: "." or "," expected, got ";"'] = { decimal = ";" },
      ['decimal: another character than the separator expected, got "," for both'] = {
        decimal = ",", separator = ",",
      },
      ["header: true or false expected, got 1"] = { header = 1 },
      ["columns: a list of different names expected, got \"a\" twice"] = { columns = { "a", "a" } },
      ["missing: a list of different names in UTF-8 expected, got 5"] = { missing = { 5 } },
      ["types: \"x\": \"number\" or \"category\" or \"text\" or \"date\" expected, got \"int\""] = {
        types = { x = "int" },
      },
      ["types: names or numbers of columns expected, got true"] = { types = { [true] = "text" } },
      ['dtype: "float32" or "float64" expected, got "int8"'] = { dtype = "int8" },
      ["most_bytes: a number above 0 expected, got 0"] = { most_bytes = 0 },
      ["unknown option 'sep' of pl.data.csv"] = { sep = ";" },
    } do
      at_caller(function() local _ = csv.decode("1,2\n", options) end, expected)
    end
    at_caller(function() local _ = csv.decode(5) end, "text: a string expected, got 5")
    at_caller(function() local _ = csv.decode("", nil, 5) end, "name: a string expected, got 5")
    at_caller(function() local _ = pl.data.csv(5) end, "path: a path expected, got 5")
  end)
end)
