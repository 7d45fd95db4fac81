local naive = require "spec.support.naive"
local pl = require "perilune"
local sorted = require "perilune.data.sorted"

describe("the numbers of a row", function()
  it("come in ascending order, without those that are missing", function()
    local X = pl.float64.matrix { { 3, naive.nan, 1, 2 }, { 0, 0, 0, 0 } }
    local before = X:totable()
    local numbers, missing = sorted.row(X, 1)
    assert.same({ 1, 2, 3 }, numbers)
    assert.equal(1, missing)
    naive.near(X, before, 0)
    numbers, missing = sorted.row(pl.matrix { { naive.nan, naive.nan } }, 1)
    assert.same({}, numbers)
    assert.equal(2, missing)
  end)

  it("have quantiles that lie between neighbours", function()
    local numbers = { 1, 2, 4, 8, 16 }
    local wanted = { [0] = 1, [1 / 4] = 2, [0.3] = 2.4, [0.5] = 4, [0.9] = 12.8, [1] = 16 }
    for p, expected in pairs(wanted) do
      naive.near_number(sorted.quantile(numbers, p), expected, 1e-15)
    end
    assert.equal(7, sorted.quantile({ 7 }, 0.3))
    assert.equal(6.2, sorted.mean(numbers))
  end)
end)
