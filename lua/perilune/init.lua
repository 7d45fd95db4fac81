-- The public table. Everything is documented where it is made; matrices and primitives in
-- perilune/core/meta.lua.

if _VERSION ~= "Lua 5.4" and _VERSION ~= "Lua 5.5" then
  error(("Perilune needs Lua 5.4 or 5.5, and this is %s: run it with lua5.4"):format(
    _VERSION), 2)
end

local Batches = require "perilune.data.batches"
local Bytes = require "perilune.data.bytes"
local Dataset = require "perilune.data.dataset"
local Network = require "perilune.network"
local cores = require "perilune.cores"
local dense = require "perilune.layer.dense"
local dropout = require "perilune.layer.dropout"
local gradient_check = require "perilune.gradient_check"
local initializer = require "perilune.initializer"
local loss = require "perilune.loss"
local metrics = require "perilune.metrics"
local optimizer = require "perilune.optimizer"
local schedule = require "perilune.schedule"
local training = require "perilune.training"

-- What needs libraries beyond Lua is loaded when it is used, so that a host that only trains needs
-- none of them.
local function later(name, method)
  return function(...) return require(name)[method](...) end
end

return {
  version = "0.1.0",
  float32 = cores.float32,
  float64 = cores.float64,
  matrix = cores.float32.matrix,
  generator = cores.float32.generator,
  threads = cores.float32.threads,
  network = Network.new,
  dense = dense.description,
  dropout = dropout.description,
  initializer = initializer.functions,
  loss = loss,
  sgd = optimizer.sgd,
  momentum = optimizer.momentum,
  adam = optimizer.adam,
  schedule = schedule,
  dataset = Dataset.new,
  bytes = Bytes.new,
  batches = Batches.new,
  fit = training.fit,
  metrics = metrics,
  evaluate = metrics.evaluate,
  gradient_check = gradient_check,
  load = later("perilune.store.model", "load"),
  data = {
    idx = later("perilune.data.idx", "read"),
    mnist = later("perilune.data.mnist", "read"),
    digits = later("perilune.data.digits", "read"),
  },
}
