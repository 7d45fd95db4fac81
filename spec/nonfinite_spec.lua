local at_caller = require("spec.support.misuse").at_caller
local nonfinite = require "perilune.nonfinite"
local pl = require "perilune"

local infinity, nan = math.huge, 0 / 0

for _, dtype in ipairs { "float32", "float64" } do
  local core = pl[dtype]

  describe("numbers that are not finite, " .. dtype, function()
    it("are found column after column, with their place and value", function()
      for _, order in ipairs { "columns", "rows" } do
        local M = core.matrix(3, 4, order)
        assert.is_nil(nonfinite.find(M))
        M:set(1, 3, infinity):set(3, 2, -infinity)
        assert.same({ 3, 2, -infinity }, { nonfinite.find(M) })
        assert.same({ 1, 3, infinity }, { nonfinite.find(M, function(i) return i == 3 end) })
        assert.is_nil(nonfinite.find(M, function() return true end))
      end
    end)

    it("are not all NaN", function()
      assert.equal(2, nonfinite.find_nan(core.matrix { { 1, 2, nan }, { 1, nan, 1 } }))
      assert.is_nil(nonfinite.find_nan(core.matrix { { 1, infinity }, { 2, -infinity } }))
    end)

    it("are told of parameters first, then of state", function()
      local net = pl.network({ inputs = 2, pl.dense(3), pl.batch_norm(),
        pl.dense(2, "tanh", { frozen = true }) }, { dtype = dtype })
      assert.is_nil(nonfinite.in_tensors(net.held))
      net.layers[2].tensors.running_mean.value:set(2, 1, nan)
      assert.equal("2.running_mean is NaN in row 2, column 1", nonfinite.in_tensors(net.held))
      net.layers[3].W:set(1, 3, infinity)
      assert.equal("3.W is inf in row 1, column 3", nonfinite.in_tensors(net.held))
      net.layers[1].b:set(2, 1, -infinity)
      assert.equal("1.b is -inf in row 2, column 1", nonfinite.in_tensors(net.held))
    end)
  end)

  describe("what went wrong first in a batch, " .. dtype, function()
    local net, X, T

    before_each(function()
      net = pl.network({
        inputs = 2, pl.dense(3, "tanh"), pl.residual { pl.dense(3), pl.dense(3, "relu") },
        pl.dense(2),
      }, { dtype = dtype })
      X = core.generator(1):normal(core.matrix(2, 4))
      T = core.matrix(2, 4)
    end)

    local function cause(weights)
      net:forward(X)
      return nonfinite.in_batch(net, { X = X, T = T, weights = weights },
        function(column) return 10 * column end)
    end

    it("is nothing where all is finite", function()
      assert.is_nil(cause())
    end)

    it("is a sample before what follows from it", function()
      X:set(2, 3, nan)
      net.layers[1].W:set(1, 1, infinity)
      assert.equal("X is NaN in row 2 of sample 30", cause())
    end)

    it("is a parameter before what follows from it", function()
      net.layers[3].b:set(1, 1, nan)
      assert.equal("3.b is NaN in row 1, column 1", cause())
    end)

    it("is Z or A of a layer before that of one around it or above it", function()
      local largest = dtype == "float32" and 3e38 or 1.7e308
      net.layers[2].body.layers[2].b:fill(largest)
      net.layers[2].body.layers[1].b:fill(1)
      net.layers[2].body.layers[2].W:fill(largest)
      assert.equal("Z of layer 2.body.2 is inf in row 1 of sample 10", cause())
      net.layers[2].body.layers[2].W:fill(0)
      net.layers[3].W:fill(2)
      assert.equal("Z of layer 3 is inf in row 1 of sample 10", cause())
    end)

    it("is a target that is not left out, last", function()
      T:set(2, 1, nan):set(1, 4, nan)
      assert.equal("T is NaN in row 2 of sample 10", cause())
      assert.equal("T is NaN in row 1 of sample 40", cause(core.matrix { { 0, 1, 1, 1 } }))
      assert.is_nil(cause(core.matrix { { 1, 1, 1, 0 }, { 0, 1, 1, 1 } }))
    end)
  end)

  describe("outputs that are NaN, " .. dtype, function()
    local net = pl.network({ inputs = 2, pl.dense(2) }, { dtype = dtype })
    local X, A = core.matrix(2, 3), core.matrix(2, 3)

    it("are told with the sample, and the cause where one is found", function()
      nonfinite.check_outputs(net, X, A)
      A:set(2, 2, nan)
      at_caller(function() nonfinite.check_outputs(net, X, A, 5) end,
        "the network gives NaN for sample 7")
      net.layers[1].b:set(2, 1, nan)
      at_caller(function() nonfinite.check_outputs(net, X, A) end,
        "the network gives NaN for sample 2: 1.b is NaN in row 2, column 1")
      at_caller(function() nonfinite.check_outputs(net, X:copy():set(1, 2, infinity), A, 5) end,
        "the network gives NaN for sample 7: X is inf in row 1 of sample 7")
    end)
  end)
end

describe("bytes", function()
  it("are finite: the cause is another", function()
    local net = pl.network { inputs = 2, pl.dense(2) }
    net.layers[1].b:set(2, 1, nan)
    local A = pl.matrix(2, 3):fill(nan)
    at_caller(function() nonfinite.check_outputs(net, pl.bytes("abcdef", 2, 3), A) end,
      "the network gives NaN for sample 1: 1.b is NaN in row 2, column 1")
  end)
end)
