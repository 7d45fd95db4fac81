local naive = require "spec.support.naive"
local pl = require "perilune"
local raises = require "spec.support.raises"

for _, dtype in ipairs(naive.types) do
  local core = pl[dtype]

  local function numbered(rows, cols, by)
    return core.matrix(naive.build(rows, cols, function(i, j) return by + 10 * i + j end))
  end

  describe("rows, " .. dtype, function()
    it("are put into a matrix, whose other rows stay", function()
      local C = numbered(5, 3, 0)
      assert.is_true(rawequal(C, core.put_rows(C, 2, numbered(2, 3, 1000))))
      assert.same({
        { 11, 12, 13 }, { 1011, 1012, 1013 }, { 1021, 1022, 1023 }, { 41, 42, 43 },
        { 51, 52, 53 },
      }, C:totable())
    end)

    it("are taken from a matrix", function()
      local A = core.matrix(2, 3)
      assert.is_true(rawequal(A, core.take_rows(A, numbered(5, 3, 0), 4)))
      assert.same({ { 41, 42, 43 }, { 51, 52, 53 } }, A:totable())
    end)

    it("may be all of a matrix", function()
      local A = core.take_rows(core.matrix(4, 2), numbered(4, 2, 0), 1)
      assert.same(numbered(4, 2, 0):totable(), A:totable())
      assert.same(A:totable(), core.put_rows(core.matrix(4, 2), 1, A):totable())
    end)

    it("must lie within the matrix, or nothing is changed", function()
      local C, A = numbered(5, 3, 0), numbered(2, 3, 1000)
      local before, before_A = C:totable(), A:totable()
      for _, first in ipairs { 0, -1, 5, 6, math.mininteger, math.maxinteger } do
        raises("2 rows within 1 to 5 expected", core.put_rows, C, first, A)
        raises("2 rows within 1 to 5 expected", core.take_rows, A, C, first)
      end
      raises("rows within 1 to 2 expected", core.put_rows, A, 1, C)
      raises("2 x 3 matrix expected, got 2 x 4", core.put_rows, C, 1, numbered(2, 4, 0))
      raises("5 x 3 matrix expected, got 5 x 4", core.take_rows, A, numbered(5, 4, 0), 1)
      raises("integer", core.put_rows, C, 1.5, A)
      raises("expected", core.put_rows, C, 1, pl[naive.other[dtype]].matrix(2, 3))
      assert.same(before, C:totable())
      assert.same(before_A, A:totable())
    end)

    it("are by columns, and apart from the matrix, or nothing is changed", function()
      local C, by_rows = numbered(5, 3, 0), core.matrix(2, 3, "rows")
      naive.refuses(C, "stored by columns", function() core.put_rows(C, 1, by_rows) end)
      naive.refuses(by_rows, "stored by columns", function() core.take_rows(by_rows, C, 1) end)
      local V = C:view(1, 2, 3)
      naive.refuses(C, "share memory with argument", function() core.put_rows(C, 1, V) end)
      naive.refuses(C, "share memory with argument", function() core.take_rows(V, C, 1) end)
    end)
  end)
end
