-- Optimisers take parameters where PyTorch's take them, in 100 steps.

local naive = require "spec.support.naive"
local pl = require "perilune"
local reference = require "spec.support.reference"

-- As in spec/reference/optimizers.py
local function set_gradient(g, p, step)
  for k = 0, p.rows - 1 do
    local x = p:get(k + 1, 1)
    g:set(k + 1, 1, (k + 1) / 4 * (x - k / 10) + math.cos(step * (k + 1)) / 2)
  end
end

describe("optimisers step as PyTorch's", function()
  local core = pl.float64
  for case, expected in pairs(reference.load "optimizers") do
    it(case, function()
      local optimizer = pl.optimizer(reference.description(case))
      local p = core.matrix { expected.start }:transpose()
      local list = { { name = "p", value = p, gradient = core.matrix(p.rows, 1) } }
      local step = 0
      for k, last in ipairs(expected.steps) do
        while step < last do
          step = step + 1
          set_gradient(list[1].gradient, p, step)
          optimizer:step(list)
        end
        naive.near(p:transpose(), { expected.p[k] }, 1e-10)
      end
      assert.equal(100, step)
    end)
  end
end)
