local tables = require "spec.support.tables"

local read = tables.read

describe("the values of a CSV file", function()
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
end)
