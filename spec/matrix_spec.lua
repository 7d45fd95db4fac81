-- The matrix userdata: src/matrix.c.

local child = require "spec.support.child"
local raises = require "spec.support.raises"

local cores = {
  float32 = require "perilune.core.float32",
  float64 = require "perilune.core.float64",
}

-- Element (i, j) is 10 i + j: every place can be told from every other.
local function numbered(core, rows, cols, order)
  local M = core.matrix(rows, cols, order)
  for i = 1, rows do
    for j = 1, cols do M:set(i, j, 10 * i + j) end
  end
  return M
end

for _, name in ipairs { "float32", "float64" } do
  local core = cores[name]
  local other = name == "float32" and "float64" or "float32"

  describe("a matrix of " .. name, function()
    describe("when it is made", function()
      it("holds zeros", function()
        assert.same({ { 0, 0 }, { 0, 0 }, { 0, 0 } }, core.matrix(3, 2):totable())
        assert.same({ { 0, 0 }, { 0, 0 }, { 0, 0 } }, core.matrix(3, 2, "rows"):totable())
      end)

      it("holds zeros in memory that was used before", function()
        for _ = 1, 50 do core.matrix(40, 40):fill(7) end
        collectgarbage()
        for _ = 1, 50 do assert.equal(0, core.matrix(40, 40):norm()) end
      end)

      it("holds the numbers of a table of rows", function()
        local M = core.matrix { { 1, 2, 3 }, { 4, 5, 6 } }
        assert.same({ { 1, 2, 3 }, { 4, 5, 6 } }, M:totable())
        assert.equal(2, M.rows)
        assert.equal(3, M.cols)
      end)

      it("stores its columns one after the other, or its rows when told", function()
        assert.equal("columns", core.matrix(2, 3).order)
        assert.equal("columns", core.matrix(2, 3, "columns").order)
        assert.equal("rows", core.matrix(2, 3, "rows").order)
        assert.equal("columns", core.matrix({ { 1, 2 }, { 3, 4 } }).order)
        local M = numbered(core, 2, 3)
        assert.same({ { 11, 21, 12, 22, 13, 23 } }, M:view(1, 1, 6):totable())
        M = numbered(core, 2, 3, "rows")
        assert.same({ { 11, 12, 13, 21, 22, 23 } }, M:view(1, 1, 6):totable())
      end)

      it("stores a vector by columns whatever it is told: both are the same", function()
        assert.equal("columns", core.matrix(5, 1, "rows").order)
        assert.equal("columns", core.matrix(1, 5, "rows").order)
      end)

      it("keeps numbers that are not finite", function()
        local M = core.matrix { { math.huge, -math.huge, 0 / 0 } }
        assert.equal(math.huge, M:get(1, 1))
        assert.equal(-math.huge, M:get(1, 2))
        assert.is_true(M:get(1, 3) ~= M:get(1, 3))
      end)

      it("refuses an order that is neither", function()
        raises("invalid option 'diagonal'", core.matrix, 2, 2, "diagonal")
      end)

      it("refuses sizes below 1 and above 2^31 - 1 elements, naming them", function()
        for _, size in ipairs {
          { 0, 1 }, { 1, 0 }, { -1, 1 }, { 1, -1 }, { -1, -1 }, { 46341, 46341 },
          { 46340, 46342 }, { 65536, 65536 }, { 2 ^ 31, 1 }, { 1, 2 ^ 31 },
          { 2 ^ 32, 2 ^ 32 }, { 2 ^ 62, 4 }, { 2 ^ 62, 2 ^ 62 }, { math.mininteger, 1 },
          { math.mininteger, -1 }, { math.mininteger, math.mininteger },
          { math.maxinteger, math.maxinteger },
        } do
          local rows, cols = math.tointeger(size[1]), math.tointeger(size[2])
          local text = "matrix of 1 to 2147483647 elements expected, got %d x %d"
          text = text:format(rows, cols)
          raises(text, core.matrix, rows, cols)
          raises(text, core.matrix, rows, cols, "rows")
        end
      end)

      it("refuses sizes that are not whole numbers", function()
        raises("no integer representation", core.matrix, 1.5, 2)
        raises("no integer representation", core.matrix, 2, 0 / 0)
        raises("no integer representation", core.matrix, 2, 1e300)
        raises("number expected, got no value", core.matrix)
        raises("number expected, got no value", core.matrix, 2)
        raises("number expected, got nil", core.matrix, 2, nil)
        raises("number expected, got string", core.matrix, "two", 2)
        raises("number expected, got function", core.matrix, print, 2)
      end)

      it("refuses tables that are empty", function()
        raises("table of rows expected, got an empty table", core.matrix, {})
        raises("got 1 x 0", core.matrix, { {} })
        raises("got 2 x 0", core.matrix, { {}, {} })
      end)

      it("refuses rows of different lengths, naming the row", function()
        raises("got 2 numbers in row 1 and 1 in row 2", core.matrix, { { 1, 2 }, { 3 } })
        raises("got 1 numbers in row 1 and 2 in row 3", core.matrix,
          { { 1 }, { 2 }, { 3, 4 } })
      end)

      it("refuses what is not a number, naming its place", function()
        raises("row 1, column 2, got table", core.matrix, { { 1, {} } })
        raises("row 2, column 1, got boolean", core.matrix, { { 1 }, { true } })
        raises("row 1, column 1, got string", core.matrix, { { "one" } })
        raises("row 2, column 3, got string", core.matrix, { { 1, 2, 3 }, { 4, 5, "6" } })
        raises("table of rows expected, got a number as row 1", core.matrix, { 1, 2 })
        raises("table of rows expected, got a string as row 2", core.matrix,
          { { 1 }, "row" })
      end)

      it("reads the table itself, not what its metamethods pretend", function()
        local sly = setmetatable({ { 1, 2 } }, {
          __len = function() error("asked for the length") end,
          __index = function() error("asked for a missing row") end,
        })
        assert.same({ { 1, 2 } }, core.matrix(sly):totable())
      end)
    end)

    describe("an element", function()
      it("is read and written by row and column, whatever the order", function()
        for _, order in ipairs { "columns", "rows" } do
          local M = numbered(core, 3, 4, order)
          for i = 1, 3 do
            for j = 1, 4 do assert.equal(10 * i + j, M:get(i, j)) end
          end
        end
      end)

      it("is rounded to the element type", function()
        local x = core.matrix(1, 1):set(1, 1, 0.1):get(1, 1)
        local format = name == "float32" and "<f" or "<d"
        assert.equal((string.unpack(format, string.pack(format, 0.1))), x)
      end)

      it("is set by a call that returns the matrix", function()
        local M = core.matrix(2, 2)
        assert.equal(M, M:set(1, 2, 3))
      end)

      it("lies within the matrix, or the error names the range", function()
        local M = numbered(core, 2, 3)
        raises("row 1 to 2 expected, got 0", M.get, M, 0, 1)
        raises("row 1 to 2 expected, got 3", M.get, M, 3, 1)
        raises("column 1 to 3 expected, got -1", M.get, M, 1, -1)
        raises("column 1 to 3 expected, got 4", M.get, M, 1, 4)
        raises("row 1 to 2 expected, got 4294967297", M.get, M, 2 ^ 32 + 1, 1)
        raises("expected, got -9223372036854775808", M.get, M, 1, math.mininteger)
        raises("row 1 to 2 expected, got 0", M.set, M, 0, 1, 5)
        raises("column 1 to 3 expected, got 4", M.set, M, 2, 4, 5)
        raises("no integer representation", M.get, M, 1.5, 1)
        raises("number expected, got no value", M.get, M, 1)
        assert.same(numbered(core, 2, 3):totable(), M:totable())
      end)

      it("is set to a number only", function()
        local M = numbered(core, 2, 3)
        raises("number expected, got no value", M.set, M, 1, 1)
        raises("number expected, got nil", M.set, M, 1, 1, nil)
        raises("number expected, got string", M.set, M, 1, 1, "x")
        raises("number expected, got string", M.set, M, 1, 1, "2")
        assert.same(numbered(core, 2, 3):totable(), M:totable())
      end)
    end)

    describe("as a Lua value", function()
      it("has the fields rows, cols, order and dtype", function()
        local M = core.matrix(2, 3, "rows")
        assert.equal(2, M.rows)
        assert.equal(3, M.cols)
        assert.equal("integer", math.type(M.rows))
        assert.equal("rows", M.order)
        assert.equal(name, M.dtype)
      end)

      it("returns its rows and columns from shape", function()
        local rows, cols = core.matrix(2, 3):shape()
        assert.equal(2, rows)
        assert.equal(3, cols)
        assert.equal("integer", math.type(rows))
        assert.equal(2, select("#", core.matrix(2, 3):shape()))
      end)

      it("says how many samples of so many rows it holds, if any", function()
        for _, order in ipairs { "columns", "rows" } do
          local N = core.sample_count(core.matrix(2, 3, order), 2)
          assert.equal(3, N)
          assert.equal("integer", math.type(N))
          assert.is_nil(core.sample_count(core.matrix(2, 3, order), 3))
        end
        local foreign = cores[other].matrix(2, 3)
        for _, value in ipairs { foreign, {}, "x", 2, true, io.stdout } do
          assert.is_nil(core.sample_count(value, 2))
        end
        assert.is_nil(core.sample_count(nil, 2))
        raises("number expected, got nil", core.sample_count, core.matrix(2, 3), nil)
      end)

      it("tells which matrices share memory", function()
        local M, shares = core.matrix(4, 6), core.shares_memory
        assert.is_true(shares(M, M))
        assert.is_true(shares(M, M:columns(6, 6)))
        assert.is_true(shares(M:columns(1, 3), M:columns(3, 4)))
        assert.is_true(shares(M:view(1, 24, 1), M:view(24, 1, 1, "rows")))
        assert.is_false(shares(M:columns(1, 3), M:columns(4, 6)))
        assert.is_false(shares(M:columns(4, 6), M:columns(1, 3)))
        assert.is_false(shares(M, core.matrix(4, 6)))
        raises("expected, got table", shares, M, {})
        raises("expected, got", shares, M, cores[other].matrix(4, 6))
      end)

      it("has no other field to read", function()
        local M = core.matrix(2, 3)
        raises("a matrix has no field 'columns_'", function() return M.columns_ end)
        raises("a matrix has no field '1'", function() return M[1] end)
        raises("a matrix has no field 'nil'", function() return M[nil] end)
        raises("a matrix has no field 'true'", function() return M[true] end)
        raises("a matrix has no field 'methods'", function() return M.methods end)
        raises("a matrix has no field '__index'", function() return M.__index end)
      end)

      it("has no field to set", function()
        local M = core.matrix(2, 3)
        raises("a matrix has no field 'x' to set", function() M.x = 1 end)
        raises("a matrix has no field 'rows' to set", function() M.rows = 1 end)
        raises("a matrix has no field '1' to set", function() M[1] = 1 end)
        raises("a matrix has no field 'get' to set", function() M.get = print end)
        assert.equal(2, M.rows)
      end)

      it("keeps its metatable to itself", function()
        local M = core.matrix(2, 3)
        assert.equal("matrix", getmetatable(M))
        assert.is_false(pcall(setmetatable, M, {}))
        raises("attempt to get length", function() return #M end)
        raises("attempt to call", function() return M() end)
      end)

      it("is equal to itself only", function()
        local M = core.matrix(2, 2)
        assert.is_true(M == M)
        assert.is_false(M == core.matrix(2, 2))
      end)

      it("prints its shape, its type and its numbers by rows", function()
        local text = tostring(core.matrix { { 1, 2 }, { 3, -0.5 } })
        assert.equal(("2 x 2 matrix (%s)\n 1 2\n 3 -0.5"):format(name),
          (text:gsub(" %s+", " ")))
        assert.equal(text, tostring(core.matrix({ { 1, 2 }, { 3, -0.5 } }):copy("rows")))
      end)

      it("prints the corner of a large one", function()
        local text = tostring(core.matrix(1000, 1000))
        local lines = select(2, text:gsub("\n", "\n"))
        assert.equal(9, lines)
        assert.is_truthy(text:find("...", 1, true))
        assert.is_true(#text < 1000)
        assert.is_nil(tostring(core.matrix(8, 8)):find("...", 1, true))
      end)

      it("prints numbers that are not finite", function()
        local text = tostring(core.matrix { { math.huge, -math.huge, 0 / 0 } })
        assert.is_truthy(text:find("\n%s*inf%s+%-inf%s+%-?nan$"), text)
      end)

      it("prints the longest numbers apart from their neighbours", function()
        local x = name == "float64" and -1.2345678e-100 or -1.2345678e-30
        local text = tostring(core.matrix { { x, x } })
        assert.is_truthy(text:find("\n%s*%S+%s+%S+$"), text)
      end)
    end)

    describe("a view", function()
      it("of columns shares memory with its matrix, both ways", function()
        local M = numbered(core, 3, 4)
        local V = M:columns(2, 3)
        assert.same({ { 12, 13 }, { 22, 23 }, { 32, 33 } }, V:totable())
        V:set(1, 1, 100)
        assert.equal(100, M:get(1, 2))
        M:set(3, 3, 200)
        assert.equal(200, V:get(3, 2))
      end)

      it("of one column, of the last and of all columns is possible", function()
        local M = numbered(core, 2, 3)
        assert.same({ { 11 }, { 21 } }, M:columns(1, 1):totable())
        assert.same({ { 13 }, { 23 } }, M:columns(3, 3):totable())
        assert.same(M:totable(), M:columns(1, 3):totable())
      end)

      it("of columns lies within the matrix", function()
        local M = numbered(core, 2, 3)
        raises("column 1 to 3 expected, got 0", M.columns, M, 0, 1)
        raises("column 1 to 3 expected, got 4", M.columns, M, 1, 4)
        raises("column 2 to 3 expected, got 1", M.columns, M, 2, 1)
        raises("column 1 to 3 expected, got 4294967297", M.columns, M, 1, 2 ^ 32 + 1)
        raises("number expected, got no value", M.columns, M, 1)
      end)

      it("of columns needs columns stored as such", function()
        local M = numbered(core, 2, 3, "rows")
        raises("matrix stored by columns expected", M.columns, M, 1, 2)
        assert.same({ { 1, 2 } }, core.matrix({ { 1, 2, 3 } }):columns(1, 2):totable())
      end)

      it("of elements begins anywhere and has a shape and an order of its own", function()
        local V = core.matrix { { 0, 1, 2, 3, 4, 5, 6 } }
        assert.same({ { 1, 3, 5 }, { 2, 4, 6 } }, V:view(2, 2, 3):totable())
        assert.same({ { 1, 2, 3 }, { 4, 5, 6 } }, V:view(2, 2, 3, "rows"):totable())
        assert.equal("rows", V:view(2, 2, 3, "rows").order)
        V:view(2, 2, 3, "rows"):set(2, 1, 40)
        assert.equal(40, V:get(1, 5))
      end)

      it("of elements ends within the matrix: an error says how many are left", function()
        local M = numbered(core, 3, 4)
        assert.equal(34, M:view(12, 1, 1):get(1, 1))
        raises("element 1 to 12 expected, got 0", M.view, M, 0, 1, 1)
        raises("element 1 to 12 expected, got 13", M.view, M, 13, 1, 1)
        raises("at most 12 elements from element 1 on expected, got 13 x 1",
          M.view, M, 1, 13, 1)
        raises("at most 3 elements from element 10 on expected, got 2 x 2",
          M.view, M, 10, 2, 2)
        raises("got 0 x 1", M.view, M, 1, 0, 1)
        raises("got -1 x -1", M.view, M, 1, -1, -1)
        raises("got 4294967297 x 4294967297", M.view, M, 1, 2 ^ 32 + 1, 2 ^ 32 + 1)
        raises("got 2147483647 x 1", M.view, M, 1, 2147483647, 1)
        raises("invalid option", M.view, M, 1, 1, 1, "both")
      end)

      it("of a view shares memory with the first matrix", function()
        local M = numbered(core, 2, 5)
        local V = M:columns(2, 5):columns(2, 3):view(2, 1, 2)
        assert.same({ { 23, 14 } }, V:totable())
        V:fill(0)
        assert.same({ { 11, 12, 13, 0, 15 }, { 21, 22, 0, 24, 25 } }, M:totable())
      end)

      it("keeps its matrix alive", function()
        local views = {}
        for k = 1, 100 do
          local M = core.matrix(50, 50):fill(k)
          views[k] = M:columns(2, 40):columns(3, 5):view(2, 7, 7)
        end
        collectgarbage()
        collectgarbage()
        for _ = 1, 100 do core.matrix(50, 50):fill(-1) end
        for k = 1, 100 do
          assert.equal(k, views[k]:min())
          assert.equal(k, views[k]:max())
        end
      end)

      it("gives its matrix back when it is gone itself", function()
        collectgarbage()
        local before = collectgarbage("count")
        for _ = 1, 20 do core.matrix(300, 300):columns(1, 2):columns(1, 1) end
        collectgarbage()
        collectgarbage()
        assert.is_true(collectgarbage("count") - before < 100)
      end)

      it("allocates no elements", function()
        local M = core.matrix(1000, 100)
        collectgarbage()
        local before = collectgarbage("count")
        local V = M:columns(1, 100)
        assert.is_true(collectgarbage("count") - before < 1)
        assert.equal(100, V.cols)
      end)
    end)

    describe("a copy", function()
      it("has the elements and memory of its own, by columns unless told", function()
        for _, order in ipairs { "columns", "rows" } do
          local M = numbered(core, 3, 4, order)
          for _, wanted in ipairs { "columns", "rows" } do
            local C = M:copy(wanted)
            assert.equal(wanted, C.order)
            assert.same(M:totable(), C:totable())
            C:set(1, 1, 0)
            assert.equal(11, M:get(1, 1))
          end
          assert.equal("columns", M:copy().order)
        end
      end)

      it("changes the order of shapes larger than its inner squares", function()
        for _, shape in ipairs { { 16, 16 }, { 17, 15 }, { 1, 40 }, { 33, 47 } } do
          local M = core.matrix(shape[1], shape[2])
          for i = 1, shape[1] do
            for j = 1, shape[2] do M:set(i, j, 100 * i + j) end
          end
          local R = M:copy("rows")
          assert.same(M:totable(), R:totable())
          assert.equal(M:encode("float64"), R:copy():encode("float64"))
        end
      end)

      it("refuses an unknown order", function()
        local M = core.matrix(2, 2)
        raises("invalid option", M.copy, M, "random")
      end)
    end)

    describe("the transpose", function()
      it("has rows for columns and is stored by columns", function()
        for _, order in ipairs { "columns", "rows" } do
          for _, shape in ipairs { { 3, 4 }, { 1, 5 }, { 5, 1 }, { 1, 1 }, { 33, 18 } } do
            local M = numbered(core, shape[1], shape[2], order)
            local t = M:transpose()
            assert.equal(shape[2], t.rows)
            assert.equal(shape[1], t.cols)
            assert.equal("columns", t.order)
            for i = 1, shape[1] do
              for j = 1, shape[2] do assert.equal(M:get(i, j), t:get(j, i)) end
            end
            t:fill(0)
            assert.equal(11, M:get(1, 1))
          end
        end
      end)
    end)

    describe("assignment", function()
      it("copies the elements between all orders and returns the matrix", function()
        for _, to in ipairs { "columns", "rows" } do
          for _, from in ipairs { "columns", "rows" } do
            local M, B = core.matrix(3, 4, to), numbered(core, 3, 4, from)
            assert.equal(M, M:assign(B))
            assert.same(B:totable(), M:totable())
            assert.equal(to, M.order)
          end
        end
      end)

      it("works between overlapping views of one order", function()
        local M = core.matrix { { 1, 2, 3, 4, 5 } }
        M:columns(2, 5):assign(M:columns(1, 4))
        assert.same({ { 1, 1, 2, 3, 4 } }, M:totable())
        M:columns(1, 4):assign(M:columns(2, 5))
        assert.same({ { 1, 2, 3, 4, 4 } }, M:totable())
        assert.same({ { 1, 2, 3, 4, 4 } }, M:assign(M):totable())
      end)

      it("refuses overlapping elements in the other order", function()
        local M = numbered(core, 3, 3)
        local before = M:totable()
        local V = M:view(1, 3, 3, "rows")
        raises("#2 to 'f' (must not share memory with argument #1: give a copy, M:copy())",
          M.assign, M, V)
        raises("#1 to 'assign' (must not share memory with the matrix itself: give a copy",
          function() M:assign(V) end)
        assert.same(before, M:totable())
      end)

      it("refuses another shape, naming both", function()
        local M = numbered(core, 2, 3)
        raises("2 x 3 matrix expected, got 3 x 2", M.assign, M, core.matrix(3, 2))
        raises("2 x 3 matrix expected, got 6 x 1", M.assign, M, core.matrix(6, 1))
        raises("expected, got number", M.assign, M, 1)
        assert.same(numbered(core, 2, 3):totable(), M:totable())
      end)
    end)

    it("becomes a table of rows and comes back", function()
      local rows = { { 1, 2.5, -3 }, { 4, 0, 6 } }
      local t = core.matrix(rows):totable()
      assert.same(rows, t)
      assert.same(rows, core.matrix(t):copy("rows"):totable())
      assert.equal("float", math.type(t[1][1]))
    end)

    describe("as an argument", function()
      local M, wanted = core.matrix(2, 2), "perilune.matrix." .. name .. " expected, got "

      it("is told from files, generators, tables and plain values", function()
        for _, value in ipairs {
          { io.stdout, "FILE*" }, { core.generator(), "perilune.generator" },
          { {}, "table" }, { "x", "string" }, { 1, "number" }, { print, "function" },
          { true, "boolean" }, { coroutine.create(print), "thread" },
        } do
          raises(wanted .. value[2], M.get, value[1], 1, 1)
          raises(wanted .. value[2], M.shape, value[1])
          raises(wanted .. value[2], M.assign, M, value[1])
          raises(wanted .. value[2], core.product, value[1], M, M)
          raises(wanted .. value[2], core.exp, M, value[1])
        end
        raises(wanted .. "nil", M.get, nil, 1, 1)
        raises(wanted .. "no value", M.get)
      end)

      it("is not mixed with the other element type: the error names both", function()
        local N = cores[other].matrix(2, 2)
        local text = wanted .. "perilune.matrix." .. other
        raises(text, M.get, N, 1, 1)
        raises(text, M.assign, M, N)
        raises(text, core.product, M, M, N)
        raises(text, core.affine_forward, M, N, M, core.matrix(2, 1))
        raises(text, function() return M * N end)
        raises("perilune.matrix." .. other, function() return M + N end)
        raises("perilune.matrix." .. other, function() return M - N end)
      end)
    end)
  end)
end

describe("a matrix that memory has no room for", function()
  it("raises an error that the script can catch, and leaves the state usable", function()
    if (os.getenv("PERILUNE_BUILD") or ""):find("sanitize") then
      return pending("the sanitizers reserve more memory than the limit of this test")
    end
    local output = child.shell("ulimit -v 1000000; " .. child.command [[
      for _, name in ipairs { "float32", "float64" } do
        local core = require("perilune.core." .. name)
        print(pcall(core.matrix, 46340, 46340))
        print(pcall(core.matrix, 1, 2147483647))
        print(pcall(core.matrix, 2147483647, 1))
        local M = core.matrix(20000, 1):fill(1)
        local N = core.matrix(1, 20000):fill(1)
        print(pcall(function() return M * N end))
        print(pcall(function() return M + N end))
        print(M:sum())
      end]])
    local failures = ("false\tnot enough memory\n"):rep(5)
    assert.equal((failures .. "20000.0\n"):rep(2), output)
  end)
end)
