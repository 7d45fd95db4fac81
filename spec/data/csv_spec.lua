local at_caller = require("spec.support.misuse").at_caller
local csv = require "perilune.data.csv"
local memory = require "spec.support.memory"
local pl = require "perilune"
local tables = require "spec.support.tables"
local zlib = require "zlib"

local read = tables.read

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
    assert.same({ { 41, "nurse", 1000 }, { "", "clerk", -2.5 }, { 30, "", "" } },
      tables.cells(found))
  end)

  it("may have float64 numbers", function()
    local found = read("x,y\n0.1,16777217\n", { dtype = "float64" })
    assert.equal("float64", found.values.dtype)
    assert.same({ { 0.1, 16777217 } }, tables.cells(found))
  end)

  it("may end its lines in any way, and may have empty ones", function()
    local expected = { { 1, "a" }, { 2, "b" } }
    for _, text in ipairs {
      "x,y\n1,a\n2,b", "x,y\r\n1,a\r\n2,b\r\n", "x,y\r1,a\r2,b\r", "\n\nx,y\n\n1,a\n  \n2,b\n\n\n",
      "\xEF\xBB\xBFx,y\n1,a\n2,b\n \t\n",
    } do
      assert.same(expected, tables.cells(read(text)), text)
      assert.same(expected, tables.cells(read(compress(text))), text)
    end
  end)

  it("has missing cells where they are empty or say so", function()
    local marks = { "", "?", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null",
      "None", '""', ' "NA" ' }
    for _, mark in ipairs(marks) do
      local found = read("x,y\n1,a\n" .. mark .. " , " .. mark .. "\n")
      assert.same({ { 1, "a" }, { "", "" } }, tables.cells(found), mark)
      assert.same({ 1, 1 }, { found.columns[1].missing, found.columns[2].missing })
    end
    local given = { missing = { "-999", "none", "-" } }
    assert.same({ { "", "" }, { "", "NA" }, { -9, "x" } },
      tables.cells(read("x,y\n-999,none\n-,NA\n-9,x\n", given)))
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
    assert.same({ { 1, "a" }, { 2, "b" } }, tables.cells(assert(pl.data.csv(path))))
    write "x,y\n1\n"
    assert.same({ nil, path .. ": line 2: 2 cells expected, as in line 1, got 1" },
      { pl.data.csv(path) })
    local found, message = pl.data.csv(path .. "/missing")
    assert.is_nil(found)
    assert.equal(path .. "/missing: ", message:sub(1, #path + 10))
  end)

  it("take little more memory than their numbers, plain or compressed #memory", function()
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
