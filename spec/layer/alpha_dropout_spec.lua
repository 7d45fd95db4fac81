local naive = require "spec.support.naive"
local pl = require "perilune"

local core = pl.float64

local function layer_of(size, p)
  return pl.network({ inputs = size, pl.alpha_dropout(p) }, { dtype = "float64" }).layers[1]
end

describe("alpha_dropout", function()
  it("keeps the mean and the variance of normal inputs", function()
    for _, p in ipairs { 0.05, 0.2, 0.5 } do
      local A = layer_of(100, p):forward(core.generator(3):normal(core.matrix(100, 2000)))
      local flat = A:view(1, 1, 200000)
      assert.near(0, A:mean(), 0.015)
      assert.near(1, core.deviation_columns(core.matrix(1, 1), flat):get(1, 1), 0.015)
    end
  end)

  -- PyTorch 1.13, torch.nn.functional.alpha_dropout: a = ((alpha'^2 p + 1) (1 - p))^(-1/2), and
  -- x a + (-a p alpha') where x stays, alpha' a + (-a p alpha') where not, alpha' =
  -- -1.7580993408473766
  it("has the factors of the paper", function()
    local X = naive.random(core, 1, 20, 30)
    local layer = layer_of(20, 0.3)
    local A, limit = layer:forward(X), -1.7580993408473766
    local a = ((limit ^ 2 * 0.3 + 1) * 0.7) ^ -0.5
    local low = a * limit - a * 0.3 * limit
    local kept = core.dropout(X:copy(), core.matrix(20, 30):fill(1), 0.3, layer.key, 1):totable()
    naive.near(A, naive.zip(function(m, x)
      return m == 1 and a * x - a * 0.3 * limit or low
    end, kept, X:totable()), 1e-14)
    local Delta = naive.random(core, 2, 20, 30)
    naive.near(layer:backward(Delta, true),
      naive.zip(function(m, d) return a * m * d end, kept, Delta:totable()), 1e-14)
  end)

  it("does nothing in prediction", function()
    local net = pl.network { inputs = 4, pl.alpha_dropout(0.5) }
    local X = pl.generator(1):normal(pl.matrix(4, 5))
    naive.near(net:predict(X), X:totable(), 0)
    assert.equal("alpha_dropout 0.5", tostring(net.layers[1]))
  end)
end)
