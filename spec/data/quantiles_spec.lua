local at_caller = require("spec.support.misuse").at_caller
local naive = require "spec.support.naive"
local pl = require "perilune"

describe("quantiles", function()
  it("are numbers below which equal parts of a row lie, linear between neighbours", function()
    assert.same({ { 0, 2.5, 5, 7.5, 10 }, { 1, 1.75, 2.5, 3.25, 4 } },
      { pl.quantiles(pl.matrix { { 10, 0, 5 } }, 4)[1],
        pl.quantiles(pl.matrix { { 4, 1, 3, 2 } }, 4)[1] })
    local X = naive.random(pl.float64, 1, 2, 101)
    for i, list in ipairs(pl.quantiles(X, 10)) do
      assert.equal(11, #list)
      for k = 0, 10 do
        local below = 0
        for n = 1, 101 do if X:get(i, n) < list[k + 1] then below = below + 1 end end
        assert.equal(10 * k, below)
      end
    end
  end)

  it("come once each, and serve piecewise_linear", function()
    local X = pl.matrix { { 1, 1, 1, 1, 2, 3 }, { 0, 1, 0, 1, 0, 1 } }
    local lists = pl.quantiles(X, 5)
    assert.same({ { 1, 2, 3 }, { 0, 1 } }, lists)
    local net = pl.network { inputs = 2, pl.piecewise_linear(lists) }
    assert.equal(3, net.outputs)
  end)

  it("refuse rows that cannot be cut", function()
    at_caller(function() pl.quantiles(pl.matrix { { 1, 2 }, { 3, 3 } }, 2) end,
      "row 2 of X: two or more different numbers expected, all are 3")
    at_caller(function() pl.quantiles(pl.matrix { { 1, naive.nan } }, 2) end,
      "row 1 of X: finite numbers expected")
    at_caller(function() pl.quantiles(pl.matrix { { 1, 2 } }, 0) end,
      "count: a whole number of 1 or more expected, got 0")
    at_caller(function() pl.quantiles(3, 2) end, "X: a matrix expected, got 3")
  end)
end)
