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
local pl = support.require "perilune"
local system = support.require "perilune.core.system"

local workloads = {
  { name = "W1", widths = { 784, 30, 10 }, batch = 10 },
  { name = "W2", widths = { 784, 128, 10 }, batch = 32 },
  { name = "W3", widths = { 784, 512, 512, 10 }, batch = 128 },
  { name = "W4", widths = { 784, 2048, 2048, 10 }, batch = 512 },
  { name = "INF1", widths = { 784, 512, 512, 10 }, batch = 1, predicts = true },
  { name = "INF1024", widths = { 784, 512, 512, 10 }, batch = 1024, predicts = true },
}
local SAMPLES = 10240
local WINDOWS, SECONDS = 5, 0.2

local names = {}
for k, workload in ipairs(workloads) do
  names[k] = workload.name
  workloads[workload.name] = workload
end

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
  :choices { "workloads", "optimizers", "passes", "augmentations" }
parser:flag("--products",
  "GFLOP/s of matrix products, beside OpenBLAS's on as many threads")
parser:option("--gather", "slices of float32 data, or batches shuffled from bytes",
  "slice")
  :choices { "slice", "shuffled" }
local options = parser:parse()


-- Data: slices are views made once, shuffled batches are gathered as pl.fit gathers them.

local generator = pl.generator(1)

local function labels()
  local T = pl.matrix(1, SAMPLES)
  for n = 1, SAMPLES do T:set(1, n, generator:integer(1, 10)) end
  return T
end

local function slices(batch)
  local X, T = generator:uniform(pl.matrix(784, SAMPLES)), labels()
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

local function shuffled(batch, augment)
  local bytes = {}
  for k = 1, SAMPLES do
    bytes[k] = generator:uniform(pl.matrix(784, 1), 0, 255):encode "uint8"
  end
  local dataset = pl.dataset {
    X = pl.bytes(table.concat(bytes), 784, SAMPLES), labels = labels(),
  }
  local batches = pl.batches(dataset, { batch = batch, generator = generator, augment = augment })
  return function()
    local X, T = batches()
    if not X then return batches() end
    return X, T
  end
end


-- What is measured: functions that do one batch

local function new_network(workload)
  local layers = { inputs = workload.widths[1] }
  for l = 2, #workload.widths do
    layers[l - 1] = pl.dense(workload.widths[l], l < #workload.widths and "relu" or nil)
  end
  return pl.network(layers)
end

local function prediction(network, next_batch, batch)
  local A = pl.matrix(network.outputs, batch)
  return function() network:predict(next_batch(), A) end
end

local function training(network, next_batch, batch, optimizer)
  local loss = pl.loss.softmax_cross_entropy
  local Delta = pl.matrix(network.outputs, batch)
  local parameters = network:parameters()
  return function()
    local X, T = next_batch()
    loss(network:forward(X), T, Delta)
    network:backward(Delta)
    optimizer:step(parameters)
  end
end

-- The matrix products of the same batch, and nothing else.
local function products(network, next_batch, workload)
  local N, widths, product = workload.batch, workload.widths, pl.float32.product
  local A, H, dJ_dW, Delta = {}, {}, {}, {}
  for l = 1, #widths - 1 do
    A[l] = pl.matrix(widths[l + 1], N)
    H[l] = generator:normal(pl.matrix(widths[l + 1], N))
    dJ_dW[l] = pl.matrix(widths[l + 1], widths[l], "rows")
    Delta[l] = pl.matrix(widths[l], N)
  end
  return function()
    local X = next_batch()
    for l, layer in ipairs(network.layers) do
      product(A[l], layer.W, l == 1 and X or A[l - 1])
    end
    if workload.predicts then return end
    for l = #network.layers, 1, -1 do
      product(dJ_dW[l], H[l], l == 1 and X or A[l - 1], "NT")
      if l > 1 then product(Delta[l], network.layers[l].W, H[l], "TN") end
    end
  end
end

-- Batches per second in one window.
local function window(step)
  local steps_at_once = 1
  local count, start = 0, system.clock()
  local now
  repeat
    for _ = 1, steps_at_once do step() end
    count = count + steps_at_once
    now = system.clock()
    if now - start < SECONDS / 10 then steps_at_once = steps_at_once * 2 end
  until now - start >= SECONDS
  return count / (now - start)
end

-- Medians of the functions' rates, their windows taken in turn.
local function medians(...)
  local steps = { ... }
  local rates = {}
  for k, step in ipairs(steps) do
    rates[k] = {}
    window(step)
  end
  for w = 1, WINDOWS do
    for k, step in ipairs(steps) do rates[k][w] = window(step) end
  end
  for k in ipairs(steps) do
    table.sort(rates[k])
    rates[k] = rates[k][math.ceil(WINDOWS / 2)]
  end
  return table.unpack(rates)
end

local function prepare(workload, optimizer, gather, augment)
  local next_batch = (gather == "slice" and slices or shuffled)(workload.batch, augment)
  local network = new_network(workload)
  local step
  if workload.predicts then
    step = prediction(network, next_batch, workload.batch)
  else
    step = training(network, next_batch, workload.batch, pl[optimizer] { rate = 0.01 })
  end
  return step, network, next_batch
end

local function measure_one(workload)
  local threads = options.threads or 1
  local optimizer = options.optimizer or (workload.predicts and "none" or "sgd")
  if (optimizer == "none") ~= (workload.predicts == true) then
    parser:error(("--optimizer: %s expected for %s"):format(
      workload.predicts and "none" or "sgd or adam", workload.name))
  end
  support.use_threads(threads)
  local rate = medians((prepare(workload, optimizer, options.gather)))
  print(("perilune %s %s %d %.1f"):format(workload.name, optimizer, threads,
    rate * workload.batch))
end

-- 1, 2, 4, ... and all processors
local function thread_counts()
  local counts, threads, all = {}, 1, system.processors()
  while threads < all do
    counts[#counts + 1] = threads
    threads = 2 * threads
  end
  counts[#counts + 1] = all
  return counts
end

local function measure_workloads()
  print(("%-8s %-5s %8s %14s %16s"):format("workload", "", "threads", "samples/s",
    "of products alone"))
  for _, workload in ipairs(workloads) do
    for _, optimizer in ipairs(workload.predicts and { "none" } or { "sgd", "adam" }) do
      for _, threads in ipairs(thread_counts()) do
        support.use_threads(threads)
        local step, network, next_batch = prepare(workload, optimizer, options.gather)
        local rate, products_rate = medians(step, products(network, next_batch, workload))
        print(("%-8s %-5s %8d %14.0f %15.0f %%"):format(workload.name, optimizer, threads,
          rate * workload.batch, 100 * rate / products_rate))
        collectgarbage()
      end
    end
  end
end

-- Training on images that are distorted, beside training on them as they are
local function measure_augmentations()
  local lists = {
    {}, { "shift", "rotate", "scale", "shear" }, { "elastic" }, { "elastic", "rotate" },
  }
  print(("%-8s %-28s %8s %14s %12s"):format("workload", "augmentation", "threads", "samples/s",
    "x time"))
  for threads = 1, math.min(system.processors(), 2) do
    support.use_threads(threads)
    local steps = {}
    for k, list in ipairs(lists) do steps[k] = prepare(workloads.W3, "sgd", "shuffled", list) end
    local rates = { medians(table.unpack(steps)) }
    for k, list in ipairs(lists) do
      print(("%-8s %-28s %8d %14.0f %12.2f"):format("W3", table.concat(list, " "), threads,
        rates[k] * workloads.W3.batch, rates[1] / rates[k]))
    end
  end
end

-- Steps of each optimiser over parameters that no cache holds, beside a copy of as many bytes as it
-- reads and writes: p and what it keeps both ways, and g.
local SIDE = 2048

local function new_step(name, side)
  local parameter = {
    name = "p", value = generator:normal(pl.matrix(side, side)),
    gradient = generator:normal(pl.matrix(side, side)),
  }
  local list, optimizer = { parameter }, pl.optimizer(name)
  return function() optimizer:step(list) end, optimizer, parameter.gradient
end

local function measure_optimizer(name)
  local step, optimizer, gradient = new_step(name, SIDE)
  local target = pl.matrix(SIDE, SIDE)
  step()
  local kept = 0
  for _ in pairs(optimizer:state().tensors.p or {}) do kept = kept + 1 end
  local rate, copy_rate = medians(step, function() target:assign(gradient) end)
  local ns, copy_ns = 1e9 / rate / SIDE ^ 2, 1e9 / copy_rate / SIDE ^ 2 * (3 + 2 * kept) / 2
  print(("%-14s %6d %12.3f %12.2f"):format(name, kept, ns, ns / copy_ns))
end

-- Of a step of muon nearly all are products, three for each of its iterations.
local function measure_muon(side)
  local step, optimizer, gradient = new_step("muon", side)
  local S, product = pl.matrix(side, side), pl.float32.product
  local rate, products_rate = medians(step, function()
    for _ = 1, optimizer.options.iterations do
      product(S, gradient, gradient, "NT")
      product(S, gradient, gradient)
      product(S, gradient, gradient)
    end
  end)
  print(("muon, a matrix of %d x %d: %.1f ms, %.0f %% of the speed of its products alone"):format(
    side, side, 1000 / rate, 100 * rate / products_rate))
end

local function measure_optimizers()
  support.use_threads(1)
  print(("%-14s %6s %12s %12s"):format("optimizer", "keeps", "ns/element", "x copy"))
  local kinds = {}
  for name, optimizer in pairs(pl.optimizer) do
    local is_one_pass = optimizer.evaluates == false and name ~= "muon"
    if is_one_pass then kinds[#kinds + 1] = name end
  end
  table.sort(kinds)
  for _, name in ipairs(kinds) do
    measure_optimizer(name)
    collectgarbage()
  end
  measure_muon(512)
end

-- Passes over matrices that no cache holds, beside a copy of as many bytes as each moves:
-- `words` of 4 bytes for each element.
local ROWS, COLS = 256, 16384

local function new_matrix(seed)
  return pl.generator(seed):uniform(pl.matrix(ROWS, COLS), 0.01, 0.99)
end

local function measure_pass(name, words, step)
  local source, target = new_matrix(1), pl.matrix(ROWS, COLS)
  local rate, copy_rate = medians(step, function() target:assign(source) end)
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
local function measure_loss(name, loss)
  local A, Delta = new_matrix(1), pl.matrix(ROWS, COLS)
  local T, words = new_matrix(2), 3
  if loss.labels == "only" then T, words = pl.matrix(1, COLS):fill(7), 2 end
  if (loss.outputs_per_target or 1) == 2 then T, words = T:slice(1, ROWS / 2), 2.5 end
  measure_pass(name, words, function() loss(A, T, Delta) end)
end

-- Numbers of columns, scaled and clipped in various ways
local function measure_scaler(name, scaler)
  local X, Delta = new_matrix(1), new_matrix(2)
  local fitted = pl.prepare(X:columns(1, 100), { scaler = scaler })
  local layer = pl.network({ inputs = ROWS, fitted }).layers[1]
  layer:forward(X)
  measure_pass(name .. ", forward", 2, function() layer:predict(X) end)
  measure_pass(name .. ", backward", 3, function() layer:backward(Delta, true) end)
end

local function measure_passes()
  support.use_threads(1)
  print(("%-34s %12s %12s"):format("pass", "ns/element", "x copy"))
  local Z, A, H, Delta = new_matrix(1), new_matrix(2), pl.matrix(ROWS, COLS), new_matrix(3)
  for _, entry in ipairs(sorted(pl.activation)) do
    local sigma = entry.part
    measure_pass(entry.name .. ", forward", 2, function() sigma.forward(A, Z) end)
    measure_pass(entry.name .. ", backward", 3, function() sigma.backward(H, Delta, Z, A) end)
  end
  for _, entry in ipairs(sorted(pl.loss)) do measure_loss(entry.name, entry.part) end
  local key = 0
  measure_pass("dropout", 2, function()
    key = key + 1
    pl.float32.dropout(A, Z, 0.5, key, 2)
  end)
  measure_scaler("prepare, standard", "standard")
  measure_scaler("prepare, robust with clip", { "robust", clip = 3 })
end

-- Squares, and what the layers of W1 to W4 multiply: Z = W A, dJ/dW = H A^t, Delta = W^t H
local function product_shapes()
  local shapes = {}
  for side = 6, 12 do
    local n = math.tointeger(2 ^ side)
    shapes[#shapes + 1] = { name = "square", m = n, n = n, k = n, how = "NN" }
  end
  for w = 1, 4 do
    local workload = workloads["W" .. w]
    local N, widths = workload.batch, workload.widths
    for l = 2, #widths do
      local S, S_below, name = widths[l], widths[l - 1], workload.name .. " layer " .. l - 1
      shapes[#shapes + 1] = { name = name .. " Z", m = S, n = N, k = S_below, how = "TN" }
      shapes[#shapes + 1] = { name = name .. " dJ/dW", m = S_below, n = S, k = N, how = "NT" }
      if l > 2 then
        shapes[#shapes + 1] = { name = name .. " Delta", m = S_below, n = N, k = S, how = "NN" }
      end
    end
  end
  return shapes
end

-- Both ways in turns: GFLOP/s of ours, and of OpenBLAS's gemm on as many threads.
local function measure_product(core, shape)
  local m, n, k = shape.m, shape.n, shape.k
  local function operand(rows, cols, is_transposed)
    local M = is_transposed and core.matrix(cols, rows) or core.matrix(rows, cols)
    return generator:uniform(M, -1, 1)
  end
  local A, B = operand(m, k, shape.how:sub(1, 1) == "T"), operand(k, n, shape.how:sub(2) == "T")
  local C = core.matrix(m, n)
  local rate, blas_rate = medians(function() core.product(C, A, B, shape.how) end,
    function() core.product(C, A, B, shape.how, false, "openblas") end)
  local billions = 2e-9 * m * n * k
  return rate * billions, blas_rate * billions
end

local function measure_products()
  print(("%-16s %-8s %-2s %16s %8s %10s %12s %8s"):format("product", "dtype", "", "m x n x k",
    "threads", "GFLOP/s", "OpenBLAS", "ratio"))
  for _, shape in ipairs(product_shapes()) do
    for _, dtype in ipairs { "float32", "float64" } do
      for _, threads in ipairs(thread_counts()) do
        support.use_threads(threads)
        local rate, blas_rate = measure_product(pl[dtype], shape)
        print(("%-16s %-8s %-2s %16s %8d %10.1f %12.1f %8.2f"):format(shape.name, dtype, shape.how,
          ("%d x %d x %d"):format(shape.m, shape.n, shape.k), threads, rate, blas_rate,
          rate / blas_rate))
        collectgarbage()
      end
    end
  end
end

if options.products then
  if options.workload or options.table then
    parser:error("--products excludes --workload and --table")
  end
  measure_products()
elseif options.workload and options.table then
  parser:error("--table and --workload exclude each other")
elseif options.workload then
  measure_one(workloads[options.workload])
elseif options.optimizer or options.threads then
  parser:error("--optimizer and --threads are of one --workload")
elseif options.table then
  ({
    workloads = measure_workloads, optimizers = measure_optimizers, passes = measure_passes,
    augmentations = measure_augmentations,
  })[options.table]()
else
  measure_workloads()
  print()
  measure_optimizers()
  print()
  measure_passes()
  print()
  measure_augmentations()
end
