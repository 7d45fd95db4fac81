local anywhere = require("spec.support.misuse").anywhere
local cores = require "perilune.cores"

for name, core in pairs { float32 = cores.float32, float64 = cores.float64 } do
  describe("cells of " .. name, function()
    local function cells(columns, options)
      options = options or {}
      return core.cells(columns, options.header or false, options.separator or ",",
        options.quote or '"', options.point or ".", options.markers or { "?", "NA" })
    end

    -- All of a text, cut after `size` bytes and what was left before
    local function in_pieces(text, size, step)
      local left, from = "", 1
      repeat
        local piece = text:sub(from, from + size - 1)
        from = from + size
        local is_last = from > #text
        local bytes = left .. piece
        local at, fault, line, column, got = step(bytes, is_last)
        if not at then return nil, fault, line, column, got end
        left = bytes:sub(at)
      until is_last
      assert.equal("", left)
      return true
    end

    local text = 'a,"b ""x"", y"\r\n 1.5 , "two\nlines"\n\n?,NA\r-2e3,\ncaf\xC3\xA9,"  3 "'

    it("count each kind, however the text is cut", function()
      for size = 1, #text do
        local c = cells(2)
        assert.is_true(in_pieces(text, size, function(...) return c:count(...) end))
        assert.same({ 5, 7 }, { c:place() })
        local first, names = c:column(1)
        assert.same({ 1, 2, 2, 0, 0, 1 }, { first.missing, first.numbers, first.words, first.codes,
          first.dates, first.first_word })
        assert.is_true(names["caf\xC3\xA9"] == 7 and names.a == 1 and names["1.5"] == 2)
        local second, others = c:column(2)
        assert.same({ 2, 1, 2 }, { second.missing, second.numbers, second.words })
        assert.is_truthy(others['b "x", y'] and others["two\nlines"])
      end
    end)

    it("fill a matrix, however the text is cut", function()
      local numbers = "x,y,z\n1,skipped,b\n?,\"1,2\",a\n-2.5,,b\n 1e2 ,9,\"\"\n"
      for size = 1, #numbers do
        local c, values = cells(3, { header = true }), core.matrix(2, 4)
        assert.is_true(in_pieces(numbers, size, function(bytes, is_last)
          return c:fill(bytes, is_last, values, "n-c")
        end))
        local rows = values:totable()
        assert.is_true(rows[1][2] ~= rows[1][2] and rows[2][4] ~= rows[2][4])
        rows[1][2], rows[2][4] = 0, 0
        assert.same({ { 1, 0, -2.5, 100 }, { 1, 2, 1, 0 } }, rows)
        local found, labels = c:column(1), select(2, c:column(3))
        assert.same({ -2.5, 100 }, { found.least, found.most })
        assert.same({ a = 2, b = 1 }, labels)
      end
    end)

    it("tell the first rows and what their cells are", function()
      local rows = cells(0):rows('a,1\n\n"x",,NA,-2.5\r\nlast', true, 5)
      assert.same({
        { "a", "1", line = 1, kinds = { "w", "n" } },
        { "x", "", "NA", "-2.5", line = 3, kinds = { "w", "m", "m", "n" } },
        { "last", line = 4, kinds = { "w" } },
      }, rows)
      assert.same({ { "a", line = 1, kinds = { "w" } } }, cells(0):rows("a\nb\nc", true, 1))
      assert.same({ { "a", line = 1, kinds = { "w" } } }, cells(0):rows("a\nb,c", false, 9))
      assert.same({}, cells(0):rows("\n \n", true, 9))
    end)

    it("know codes by their leading zeros, and dates", function()
      local c = cells(1)
      assert(c:count(table.concat({ "007", "00", "0", "0.5", "00.5", "-01", "10" }, "\n"), true))
      assert.equal(3, (c:column(1)).codes)
      local dates = {
        "2020-01-31", "1999/12/1", "31.12.1999", "1/2/2003", "12/31/1999", "2020-01-31 12:30",
        "2020-01-31T12:30:59.5+02:00", "2020-01-31T12:30Z",
      }
      local others = {
        "40-49", "12-14", "1-2-3", "20-01-31", "2020-13-31", "2020-01-32", "2020-00-01", "12:30",
        "2020-01-31x", "2020-01-31T", "2020-01/31", "12345-01-01", "a-b-2020", "2020-01", "--",
      }
      for k, list in ipairs { dates, others } do
        for _, word in ipairs(list) do
          c = cells(1)
          assert(c:count(word, true))
          assert.equal(k == 1 and 1 or 0, (c:column(1)).dates, word)
        end
      end
    end)

    it("keep no more names than a column of categories may have", function()
      local words = {}
      for k = 1, 1500 do words[k] = "w" .. k end
      local c = cells(1)
      assert(c:count(table.concat(words, "\n"), true))
      local column, names = c:column(1)
      assert.same({ 1500, 1001, true }, { column.words, column.names, column.is_full })
      assert.is_nil(names.w1002)
      c = cells(1)
      assert(c:count(("x"):rep(201) .. "\nshort", true))
      assert.is_true((c:column(1)).is_full)
    end)

    it("give nil and the fault where the text has one", function()
      local function fault(expected, given, columns, options)
        for size = 1, #given do
          local c = cells(columns, options)
          local found = { in_pieces(given, size, function(...) return c:count(...) end) }
          assert.same(expected, { table.unpack(found, 2, 5) }, given)
        end
      end
      fault({ "ragged", 2, 1 }, "a,b\nc\nd,e\n", 2)
      fault({ "ragged", 2, 4 }, "a,b\nc,\"\n\",e,f\nd,e\n", 2)
      fault({ "ragged", 1, 1 }, "a\nc,d\n", 2, { header = true })
      fault({ "zero byte", 2, 2 }, "a,b\nc,d\0e\n", 2)
      fault({ "zero byte", 1, 1 }, "\0", 1)
      fault({ "zero byte", 1, 1 }, "12\0,b\n", 2)
      fault({ "not closed", 2, 2 }, 'a,b\nc,"d\ne,f\n', 2)
      fault({ "after quote", 1, 1, ("d"):byte() }, '"c" d,e\n', 2)
      for _, wrong in ipairs {
        "\xFF", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "caf\xE9", "\x80",
        "\xC3", "\xE2\x82", "\xF0\x9F\x98", "\xF5\x80\x80\x80", "\xC3\xC3",
      } do
        local byte = wrong:match("[\x80-\xFF]"):byte()
        fault({ "utf8", 2, 1, byte }, "a,b\n" .. wrong .. ",x\n", 2)
        fault({ "utf8", 2, 2, byte }, "a,b\nx,\"" .. wrong .. "\"\n", 2)
      end
      for _, well in ipairs { "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xEF\xBF\xBD" } do
        assert.is_truthy(cells(1):count(well, true))
      end
    end)

    it("give nil and the fault where a number does not fit", function()
      local values = core.matrix(1, 2)
      local function fault(text_given)
        return { select(2, cells(1):fill(text_given, true, values, "n")) }
      end
      assert.same({ "no number", 2, 1, "x" }, fault "1\nx\n")
      assert.same({ "not finite", 1, 1, "1e400" }, fault "1e400\n")
      assert.same({ "more rows", 3, 1 }, fault "1\n2\n3\n")
      local large = cells(1):fill("1e40", true, values, "n")
      assert.equal(name == "float64", large ~= nil)
    end)

    it("take no quotes as such where there is no quote", function()
      local c = cells(2, { quote = "" })
      assert(c:count('"a,b"\n', true))
      assert.equal(1, select(2, c:column(1))['"a'])
    end)

    it("refuse arguments that they cannot use, and stay as they are", function()
      local c, values = cells(2), core.matrix(1, 3)
      local function refuses(expected, f, ...)
        local arguments = table.pack(...)
        anywhere(function() f(table.unpack(arguments, 1, arguments.n)) end, expected)
      end
      refuses("number of columns expected", core.cells, -1, false, ",", "", ".", {})
      refuses("one byte expected", core.cells, 1, false, ",,", "", ".", {})
      refuses("one byte expected", core.cells, 1, false, "", "", ".", {})
      refuses("one byte expected", core.cells, 1, false, ",", "ab", ".", {})
      refuses("one byte expected", core.cells, 1, false, ",", "", "\0", {})
      refuses("table expected", core.cells, 1, false, ",", "", ".")
      refuses("strings expected", core.cells, 1, false, ",", "", ".", { 1 })
      local many = {}
      for k = 1, 65 do many[k] = "m" .. k end
      refuses("at most 64 markers expected", core.cells, 1, false, ",", "", ".", many)
      refuses("string expected", c.count, c, 5, true)
      refuses("perilune.cells." .. name .. " expected", c.count, values, "", true)
      refuses("known number of columns expected", c.count, cells(0), "", true)
      refuses("a letter for each column expected", c.fill, c, "", true, values, "n")
      refuses("2 x 3 matrix expected, got 1 x 3", c.fill, c, "", true, values, "nn")
      local by_rows = core.matrix(2, 2):copy "rows"
      refuses("stored by columns expected", c.fill, c, "", true, by_rows, "nn")
      refuses("new rows expected", c.rows, c, "", true, 1)
      refuses("a column expected", c.column, c, 3)
      refuses("a column expected", c.column, c, 0)
      assert.same({ 0, 1 }, { c:place() })
    end)
  end)
end
