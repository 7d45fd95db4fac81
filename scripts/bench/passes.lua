-- Passes over matrices that no cache holds, of activations, losses, dropout and scalers, beside a
-- copy of as many bytes as each moves: `words` of 4 bytes for each element.

local pl = require "perilune"
local support = require "scripts.support"
local timing = require "scripts.bench.timing"

local passes = {}

local ROWS, COLS = 256, 16384

local function new_matrix(seed)
  return pl.generator(seed):uniform(pl.matrix(ROWS, COLS), 0.01, 0.99)
end

local function print_row(name, words, pass)
  local source, target = new_matrix(1), pl.matrix(ROWS, COLS)
  local rate, copy_rate = timing.medians(pass, function() target:assign(source) end)
  local ns, copy_ns = 1e9 / rate / (ROWS * COLS), 1e9 / copy_rate / (ROWS * COLS) * words / 2
  print(("%-34s %12.3f %12.2f"):format(name, ns, ns / copy_ns))
  collectgarbage()
end

-- The parts of a family by name, in order
local function sorted(family)
  local list = {}
  for name, part in pairs(family) do list[#list + 1] = { name = name, part = part } end
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end

-- A loss of so many outputs; most take targets like the outputs, which are between 0 and 1.
local function print_loss(name, loss)
  local A, Delta = new_matrix(1), pl.matrix(ROWS, COLS)
  local T, words = new_matrix(2), 3
  if loss.labels == "only" then T, words = pl.matrix(1, COLS):fill(7), 2 end
  if (loss.outputs_per_target or 1) == 2 then T, words = T:slice(1, ROWS / 2), 2.5 end
  print_row(name, words, function() loss(A, T, Delta) end)
end

-- Numbers of columns, scaled and clipped in various ways
local function print_scaler(name, scaler)
  local X, Delta = new_matrix(1), new_matrix(2)
  local fitted = pl.prepare(X:columns(1, 100), { scaler = scaler })
  local layer = pl.network({ inputs = ROWS, fitted }).layers[1]
  layer:forward(X)
  print_row(name .. ", forward", 2, function() layer:predict(X) end)
  print_row(name .. ", backward", 3, function() layer:backward(Delta, true) end)
end

function passes.print_table()
  support.use_threads(1)
  print(("%-34s %12s %12s"):format("pass", "ns/element", "x copy"))
  local Z, A, H, Delta = new_matrix(1), new_matrix(2), pl.matrix(ROWS, COLS), new_matrix(3)
  for _, entry in ipairs(sorted(pl.activation)) do
    local sigma = entry.part
    print_row(entry.name .. ", forward", 2, function() sigma.forward(A, Z) end)
    print_row(entry.name .. ", backward", 3, function() sigma.backward(H, Delta, Z, A) end)
  end
  for _, entry in ipairs(sorted(pl.loss)) do print_loss(entry.name, entry.part) end
  local key = 0
  print_row("dropout", 2, function()
    key = key + 1
    pl.float32.dropout(A, Z, 0.5, key, 2)
  end)
  print_scaler("prepare, standard", "standard")
  print_scaler("prepare, robust with clip", { "robust", clip = 3 })
end

return passes
