-- Training on images that are distorted, beside training on them as they are.

local batches = require "scripts.bench.batches"
local support = require "scripts.support"
local timing = require "scripts.bench.timing"
local workloads = require "scripts.bench.workloads"

local augmentations = {}

local LISTS = {
  {}, { "shift", "rotate", "scale", "shear" }, { "elastic" }, { "elastic", "rotate" },
}

function augmentations.print_table()
  local W3 = workloads.by_name.W3
  print(("%-8s %-28s %8s %14s %12s"):format("workload", "augmentation", "threads", "samples/s",
    "x time"))
  for threads = 1, math.min(support.all_threads(), 2) do
    support.use_threads(threads)
    local steps = {}
    for k, list in ipairs(LISTS) do
      steps[k] = workloads.step(W3, "sgd", batches.shuffled(W3.batch, list))
    end
    local rates = { timing.medians(table.unpack(steps)) }
    for k, list in ipairs(LISTS) do
      print(("%-8s %-28s %8d %14.0f %12.2f"):format("W3", table.concat(list, " "), threads,
        rates[k] * W3.batch, rates[1] / rates[k]))
    end
  end
end

return augmentations
