-- Three clouds of points in the plane, which a small network tells apart.

local pl = require "perilune"

local clouds = {}

---@param N integer
---@param seed integer
---@param dtype? string
---@param given? table  more fields of the dataset
---@return Dataset
function clouds.new(N, seed, dtype, given)
  local core = pl[dtype or "float32"]
  local generator = core.generator(seed)
  local X = generator:normal(core.matrix(2, N), 0, 0.5)
  local labels = {}
  for n = 1, N do
    local class = generator:integer(1, 3)
    labels[n] = class
    X:set(1, n, X:get(1, n) + 2 * math.cos(2 * math.pi * class / 3))
    X:set(2, n, X:get(2, n) + 2 * math.sin(2 * math.pi * class / 3))
  end
  local fields = { X = X, labels = labels, classes = { "a", "b", "c" } }
  for name, value in pairs(given or {}) do fields[name] = value end
  return pl.dataset(fields)
end

---@return Network  2 inputs, 8 tanh units, 3 outputs
function clouds.classifier(dtype, seed)
  return pl.network({ inputs = 2, pl.dense(8, "tanh"), pl.dense(3) },
    { dtype = dtype, seed = seed })
end

---Train a network to tell clouds apart, for three epochs unless `given` says else.
---@param network Network
---@param dataset Dataset
---@param given? table  options of pl.fit
---@return table history
function clouds.fit(network, dataset, given)
  local chosen = {
    loss = "softmax_cross_entropy", optimizer = pl.adam { rate = 0.02 },
    epochs = 3, batch = 32,
  }
  for name, value in pairs(given or {}) do chosen[name] = value end
  local history = pl.fit(network, dataset, chosen)
  return history
end

return clouds
