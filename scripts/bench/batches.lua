-- Mini-batches of random images, one after the other without end: how they come to the network is a
-- part of what a step of training costs.

local pl = require "perilune"

local batches = {}

local SAMPLES = 10240
local PIXELS, CLASSES = 784, 10

local generator = pl.generator(1)

local function labels()
  local T = pl.matrix(1, SAMPLES)
  for n = 1, SAMPLES do T:set(1, n, generator:integer(1, CLASSES)) end
  return T
end

---Slices of float32 data, views that are made once.
---@param batch integer  samples in each
---@return fun(): Matrix, Matrix  next_batch() --> X, T
function batches.slice(batch)
  local X, T = generator:uniform(pl.matrix(PIXELS, SAMPLES)), labels()
  local Xs, Ts = {}, {}
  for first = 1, SAMPLES - batch + 1, batch do
    Xs[#Xs + 1] = X:columns(first, first + batch - 1)
    Ts[#Ts + 1] = T:columns(first, first + batch - 1)
  end
  local k = 0
  return function()
    k = k % #Xs + 1
    return Xs[k], Ts[k]
  end
end

---Batches shuffled from bytes, gathered as pl.fit gathers them.
---@param batch integer
---@param augment? table  augmentations of the images
---@return fun(): Matrix, Matrix  next_batch() --> X, T
function batches.shuffled(batch, augment)
  local bytes = {}
  for k = 1, SAMPLES do
    bytes[k] = generator:uniform(pl.matrix(PIXELS, 1), 0, 255):encode "uint8"
  end
  local dataset = pl.dataset {
    X = pl.bytes(table.concat(bytes), PIXELS, SAMPLES), labels = labels(),
  }
  local next_batch = pl.batches(dataset,
    { batch = batch, generator = generator, augment = augment })
  return function()
    local X, T = next_batch()
    if not X then return next_batch() end
    return X, T
  end
end

return batches
