#!/usr/bin/env lua5.4
-- Measure the speed of training and prediction, with the public API only, as a user's script would.
-- With --workload one measurement, whose last line reads "perilune W3 sgd 1 27000.0" (samples per
-- second, the median of five windows of 0.2 s after one to warm up); without it a table of all, one
-- of the optimisers' steps, one of activations, losses and dropout, and one of augmentations;
-- --table picks one of them. With --products matrix products beside OpenBLAS's.

-- support.lua lies beside this file. Where a link to it was started, a process says where that is;
-- it takes milliseconds in which Ctrl-C is not heard yet, so it is asked only then.
local function near(path, name) return (path:gsub("[^/]*$", name, 1)) end
local is_here = io.open(near(arg[0], "support.lua"))
  and io.open(near(arg[0], "../lua/perilune/init.lua"))
local file = not is_here
  and io.popen("readlink -f -- '" .. arg[0]:gsub("'", [['\'']]) .. "' 2>&-"):read()
local support = dofile(near(file or arg[0], "support.lua"))
local workloads = support.require "scripts.bench.workloads"

local names = {}
for k, workload in ipairs(workloads.all) do names[k] = workload.name end

-- What is run by default, in this order
local TABLES = { "workloads", "optimizers", "passes", "augmentations" }

local parser = support.parser("bench.lua",
  "Measure the speed of training and prediction.")
parser:option("--workload",
  "one of the networks and batch sizes (default: a table of all)")
  :choices(names)
parser:option("--optimizer",
  "of the workload: sgd (default), adam, or none for prediction")
  :choices { "sgd", "adam", "none" }
parser:option("--threads", "of the workload (default: 1)")
  :convert(support.threads "--threads")
parser:option("--table", "workloads, optimizers, passes or augmentations (default: all)")
  :choices(TABLES)
parser:flag("--products",
  "GFLOP/s of matrix products, beside OpenBLAS's on as many threads")
parser:option("--gather", "slices of float32 data, or batches shuffled from bytes",
  "slice")
  :choices { "slice", "shuffled" }
local options = parser:parse()

local function measure_one(workload)
  local threads = options.threads or 1
  local optimizer = options.optimizer or (workload.predicts and "none" or "sgd")
  if (optimizer == "none") ~= (workload.predicts == true) then
    parser:error(("--optimizer: %s expected for %s"):format(
      workload.predicts and "none" or "sgd or adam", workload.name))
  end
  support.use_threads(threads)
  print(("perilune %s %s %d %.1f"):format(workload.name, optimizer, threads,
    workloads.rate(workload, optimizer, options.gather)))
end

-- Each table is a file in bench/.
local function print_table(name)
  require("scripts.bench." .. name).print_table(options.gather)
end

if options.products then
  if options.workload or options.table or options.optimizer or options.threads then
    parser:error("--products excludes --workload, --optimizer, --threads and --table")
  end
  print_table "products"
elseif options.workload and options.table then
  parser:error("--table and --workload exclude each other")
elseif options.workload then
  measure_one(workloads.by_name[options.workload])
elseif options.optimizer or options.threads then
  parser:error("--optimizer and --threads are of one --workload")
elseif options.table then
  print_table(options.table)
else
  for k, name in ipairs(TABLES) do
    if k > 1 then print() end
    print_table(name)
  end
end
