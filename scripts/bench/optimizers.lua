-- Steps of each optimiser over parameters that no cache holds, beside a copy of as many bytes as it
-- reads and writes: p and what it keeps both ways, and g.

local pl = require "perilune"
local support = require "scripts.support"
local timing = require "scripts.bench.timing"

local optimizers = {}

local SIDE = 2048

local generator = pl.generator(1)

local function new_step(name, side)
  local parameter = {
    name = "p", value = generator:normal(pl.matrix(side, side)),
    gradient = generator:normal(pl.matrix(side, side)),
  }
  local list, optimizer = { parameter }, pl.optimizer(name)
  return function() optimizer:step(list) end, optimizer, parameter.gradient
end

local function print_row(name)
  local step, optimizer, gradient = new_step(name, SIDE)
  local target = pl.matrix(SIDE, SIDE)
  step()
  local kept = 0
  for _ in pairs(optimizer:state().tensors.p or {}) do kept = kept + 1 end
  local rate, copy_rate = timing.medians(step, function() target:assign(gradient) end)
  local ns, copy_ns = 1e9 / rate / SIDE ^ 2, 1e9 / copy_rate / SIDE ^ 2 * (3 + 2 * kept) / 2
  print(("%-14s %6d %12.3f %12.2f"):format(name, kept, ns, ns / copy_ns))
end

-- Of a step of muon nearly all are products, three for each of its iterations.
local function print_muon(side)
  local step, optimizer, gradient = new_step("muon", side)
  local S, product = pl.matrix(side, side), pl.float32.product
  local rate, products_rate = timing.medians(step, function()
    for _ = 1, optimizer.options.iterations do
      product(S, gradient, gradient, "NT")
      product(S, gradient, gradient)
      product(S, gradient, gradient)
    end
  end)
  print(("muon, a matrix of %d x %d: %.1f ms, %.0f %% of the speed of its products alone"):format(
    side, side, 1000 / rate, 100 * rate / products_rate))
end

function optimizers.print_table()
  support.use_threads(1)
  print(("%-14s %6s %12s %12s"):format("optimizer", "keeps", "ns/element", "x copy"))
  local kinds = {}
  for name, optimizer in pairs(pl.optimizer) do
    local is_one_pass = optimizer.evaluates == false and name ~= "muon"
    if is_one_pass then kinds[#kinds + 1] = name end
  end
  table.sort(kinds)
  for _, name in ipairs(kinds) do
    print_row(name)
    collectgarbage()
  end
  print_muon(512)
end

return optimizers
