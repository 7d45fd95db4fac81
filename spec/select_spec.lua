-- Parts of matrices as new ones: src/select.c.

local child = require "spec.support.child"
local naive = require "spec.support.naive"
local pl = require "perilune"
local raises = require "spec.support.raises"

for _, dtype in ipairs(naive.types) do
  local core = pl[dtype]

  local function numbered(rows, cols, order, by)
    local M = core.matrix(naive.build(rows, cols, function(i, j)
      return (by or 0) + 100 * i + j
    end))
    return M:copy(order)
  end

  -- check(M, t) in both orders, t being M's table of rows
  local function each(rows, cols, check)
    for _, order in ipairs { "columns", "rows" } do
      local M = numbered(rows, cols, order)
      check(M, M:totable())
    end
  end

  describe("a slice, " .. dtype, function()
    it("is a copy of the rows and columns within its bounds", function()
      each(7, 5, function(M, t)
        for _, bounds in ipairs { { 1, 7, 1, 5 }, { 2, 4, 3, 5 }, { 7, 7, 1, 1 }, { 3, 3 } } do
          local i1, i2, j1, j2 = table.unpack(bounds, 1, 4)
          local slice = M:slice(i1, i2, j1, j2)
          j1, j2 = j1 or 1, j2 or 5
          naive.near(slice, naive.build(i2 - i1 + 1, j2 - j1 + 1, function(i, j)
            return t[i1 + i - 1][j1 + j - 1]
          end), 0)
          slice:fill(0)
        end
        naive.near(M, t, 0)
        naive.near(M:slice(), t, 0)
        assert.equal(M.order, M:slice().order)
      end)
    end)

    it("lies within the matrix", function()
      local M = numbered(4, 3)
      for _, wrong in ipairs { { 0, 2 }, { 3, 2 }, { 1, 5 }, { -1, 1 }, { 5, 5 } } do
        raises(("rows within 1 to 4 expected, got %d to %d"):format(wrong[1], wrong[2]),
          M.slice, M, wrong[1], wrong[2])
      end
      raises("columns within 1 to 3 expected, got 2 to 4", M.slice, M, 1, 2, 2, 4)
      raises("columns within 1 to 3 expected, got 4 to 3", M.slice, M, 1, 2, 4)
      raises("no integer representation", M.slice, M, 1.5, 2)
    end)
  end)

  describe("chosen rows and columns, " .. dtype, function()
    it("come in the order of the list, as often as they are named", function()
      each(5, 4, function(M, t)
        local list = { 3, 1, 3, 5 }
        naive.near(M:select_rows(list), naive.build(4, 4, function(i, j)
          return t[list[i]][j]
        end), 0)
        list = { 4, 4, 1 }
        naive.near(M:select_columns(list), naive.build(5, 3, function(i, j)
          return t[i][list[j]]
        end), 0)
        naive.near(M:select_rows { 2.0 }, { t[2] }, 0)
      end)
    end)

    it("are those that there are", function()
      local M = numbered(3, 4)
      raises("whole numbers from 1 to 3 expected, got 4 as element 2", M.select_rows, M, { 1, 4 })
      raises("whole numbers from 1 to 4 expected, got 0 as element 1", M.select_columns, M, { 0 })
      raises("whole numbers from 1 to 3 expected, got 1.5 as element 1", M.select_rows, M, { 1.5 })
      raises("whole numbers from 1 to 3 expected, got 2 as element 1", M.select_rows, M, { "2" })
      raises("a list of one or more whole numbers expected", M.select_rows, M, {})
      raises("table expected", M.select_columns, M, 3)
    end)

    it("stay within the matrix where a finaliser changes the list meanwhile", function()
      assert.equal("true\n", child.run(([[
        local core = require "perilune.core.%s"
        local M, list, errors = core.matrix(2, 300), {}, 0
        local again = {}
        function again.__gc()
          list[1] = 1e9
          setmetatable({}, again)
        end
        setmetatable({}, again)
        for _ = 1, 20000 do
          for k = 1, 5 do list[k] = 2 end
          if not pcall(M.select_rows, M, list) then errors = errors + 1 end
        end
        print(errors > 0)]]):format(dtype)))
    end)
  end)

  describe("matrices put together, " .. dtype, function()
    it("lie below each other or side by side", function()
      for _, order in ipairs { "columns", "rows" } do
        local A, B, C = numbered(2, 3, order), numbered(1, 3, "rows", 1000), numbered(2, 3)
        local below = {}
        for _, M in ipairs { A, B, C } do
          for _, row in ipairs(M:totable()) do below[#below + 1] = row end
        end
        naive.near(core.vstack(A, B, C), below, 0)
        local transposed = core.hstack(A:t(), B:t(), C:t())
        naive.near(transposed, naive.transpose(below), 0)
        naive.near(core.hstack(A), A:totable(), 0)
        assert.equal(order, core.vstack(A, B, C).order)
      end
    end)

    it("have as many columns, or rows, as the first", function()
      local A = numbered(2, 3)
      raises("2 x 3 matrix expected, got 2 x 4", core.vstack, A, numbered(2, 4))
      raises("2 x 3 matrix expected, got 1 x 3", core.hstack, A, numbered(1, 3))
      raises("expected, got number", core.hstack, A, 3)
      raises("expected, got no value", core.vstack)
      raises("expected", core.vstack, A, pl[naive.other[dtype]].matrix(2, 3))
    end)
  end)
end
