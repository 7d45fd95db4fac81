local csv = require "perilune.data.csv"

-- The table that a text is read as
local function read(text, options)
  return assert(csv.decode(text, options, "here"))
end

local function column_types(found)
  local types = {}
  for k, column in ipairs(found.columns) do types[k] = column.type end
  return types
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
    local rows = found.values:totable()
    assert.same({ 41, 30 }, { rows[1][1], rows[1][3] })
    assert.same({ 2, 1 }, { rows[2][1], rows[2][2] })
    assert.same({ 1000, -2.5 }, { rows[3][1], rows[3][2] })
    for _, x in ipairs { rows[1][2], rows[2][3], rows[3][3] } do assert.is_true(x ~= x) end
  end)

  it("finds numbers, categories, text and dates by reading", function()
    assert.same({ "number", "category", "date", "category", "text" },
      column_types(read "x,y,z,code,none\n1,a,2020-01-31,007,\n2,b,1999-12-01,12,?\n"))
  end)
end)
