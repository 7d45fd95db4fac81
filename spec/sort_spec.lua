-- Numbers in ascending order: src/sort.c.

local naive = require "spec.support.naive"
local pl = require "perilune"
local raises = require "spec.support.raises"

for _, name in ipairs(naive.types) do
  local core = pl[name]

  describe("sort in " .. name, function()
    it("puts the elements of a matrix into ascending order", function()
      for _, count in ipairs { 1, 2, 3, 4, 7, 100, 1001 } do
        local x = naive.random(core, count, 1, count)
        local expected = x:totable()
        table.sort(expected[1])
        assert.is_true(rawequal(x, core.sort(x)))
        naive.near(x, expected, 0)
      end
    end)

    it("sorts equal ones, infinite ones, and puts NaN last", function()
      local nan, infinity = naive.nan, naive.infinity
      local x = core.matrix { { 2, nan, -infinity, 2, 0, nan, infinity, -1, 2 } }
      naive.near(core.sort(x), { { -infinity, -1, 0, 2, 2, 2, infinity, nan, nan } }, 0)
      naive.near(core.sort(core.matrix { { nan, nan } }), { { nan, nan } }, 0)
    end)

    it("goes by the order of storage", function()
      naive.near(core.sort(core.matrix { { 4, 2 }, { 3, 1 } }), { { 1, 3 }, { 2, 4 } }, 0)
      naive.near(core.sort(core.matrix({ { 4, 2 }, { 3, 1 } }):copy "rows"),
        { { 1, 2 }, { 3, 4 } }, 0)
    end)

    it("leaves the elements beside a view alone", function()
      local x = core.matrix { { 5, 4, 3, 2, 1 } }
      core.sort(x:columns(2, 4))
      naive.near(x, { { 5, 2, 3, 4, 1 } }, 0)
    end)

    it("refuses what is no matrix", function()
      raises("matrix." .. name .. " expected, got table", core.sort, {})
    end)
  end)
end
