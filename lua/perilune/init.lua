-- The public table. Everything is documented where it is made; matrices and primitives in
-- perilune/core/meta.lua.

if _VERSION ~= "Lua 5.4" and _VERSION ~= "Lua 5.5" then
  error(("Perilune needs Lua 5.4 or 5.5, and this is %s: run it with lua5.4"):format(
    _VERSION), 2)
end

local Batches = require "perilune.data.batches"
local Bytes = require "perilune.data.bytes"
local Dataset = require "perilune.data.dataset"
local Meter = require "perilune.metrics.meter"
local Network = require "perilune.network"
local activation = require "perilune.activation"
local augmentation = require "perilune.augmentation"
local average = require "perilune.average"
local confusion = require "perilune.metrics.confusion"
local cores = require "perilune.cores"
local cross_validate = require "perilune.cross_validate"
local describe = require "perilune.layer.describe"
local evaluate = require("perilune.metrics.evaluate").evaluate
local find_rate = require "perilune.find_rate"
local gradient = require "perilune.gradient"
local gradient_check = require "perilune.gradient_check"
local initializer = require "perilune.initializer"
local loss = require "perilune.loss"
local lsuv = require "perilune.lsuv"
local metric = require "perilune.metrics"
local optimizer = require "perilune.optimizer"
local preparation = require "perilune.data.preparation"
local quantiles = require "perilune.data.quantiles"
local registry = require "perilune.registry"
local report = require "perilune.metrics.report"
local residuals = require "perilune.residuals"
local scaler = require "perilune.scaler"
local schedule = require "perilune.schedule"
local tabular = require "perilune.tabular"
local total_weight = require("perilune.metrics.batch").total_weight
local trainer = require "perilune.trainer"

-- What needs libraries beyond Lua is loaded when it is used, so that a host that only trains needs
-- none of them.
local function later(name, method)
  return function(...) return require(name)[method](...) end
end

-- pl.adam { rate = 1e-3 } is short for pl.optimizer { "adam", rate = 1e-3 }.
local function short(name)
  return function(options) return optimizer:new(name, options) end
end

local public = {
  version = "0.1.0",
  float32 = cores.float32,
  float64 = cores.float64,
  matrix = cores.float32.matrix,
  generator = cores.float32.generator,
  threads = cores.float32.threads,
  network = Network.new,
  activation = registry.public(activation),
  augmentation = registry.public(augmentation),
  average = registry.public(average),
  gradient = registry.public(gradient),
  initializer = registry.public(initializer),
  loss = registry.public(loss),
  metric = registry.public(metric),
  optimizer = registry.public(optimizer),
  scaler = registry.public(scaler),
  schedule = registry.public(schedule),
  dataset = Dataset.new,
  bytes = Bytes.new,
  batches = Batches.new,
  prepare = preparation.prepare,
  tabular = tabular,
  units = preparation.units,
  quantiles = quantiles,
  trainer = trainer.new,
  fit = trainer.fit,
  cross_validate = cross_validate,
  find_rate = find_rate,
  evaluate = evaluate,
  metrics = {
    confusion = confusion, meter = Meter.of, report = report, total_weight = total_weight,
  },
  gradient_check = gradient_check,
  lsuv = lsuv,
  residuals = residuals,
  load = Network.load,
  data = {
    csv = later("perilune.data.csv", "read"),
    idx = later("perilune.data.idx", "read"),
    mnist = later("perilune.data.mnist", "read"),
    digits = later("perilune.data.digits", "read"),
    npy = later("perilune.data.npy", "read"),
    npz = later("perilune.data.npz", "read"),
    fann = later("perilune.data.fann", "read"),
    libsvm = later("perilune.data.libsvm", "read"),
    chunked = later("perilune.data.chunked", "read"),
    write = {
      npy = later("perilune.data.npy", "write"),
      npz = later("perilune.data.npz", "write"),
      fann = later("perilune.data.fann", "write"),
      idx = later("perilune.data.idx", "write"),
    },
    proben1 = later("perilune.data.proben1", "read"),
    survey = later("perilune.data.survey", "survey"),
  },
}
for name in pairs(optimizer.kinds) do public[name] = short(name) end
for name, layer in pairs(describe) do public[name] = layer end

return public
