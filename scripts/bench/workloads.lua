-- Networks and batch sizes with a name, for training and prediction; a table of their speed, beside
-- that of their matrix products alone.

local batches = require "scripts.bench.batches"
local pl = require "perilune"
local support = require "scripts.support"
local timing = require "scripts.bench.timing"

local workloads = {}

-- The widths are those of the inputs and of each layer.
---@class Workload
---@field name string
---@field widths integer[]
---@field batch integer
---@field predicts boolean?  the workload is prediction, not training

---@type Workload[]
workloads.all = {
  { name = "W1", widths = { 784, 30, 10 }, batch = 10 },
  { name = "W2", widths = { 784, 128, 10 }, batch = 32 },
  { name = "W3", widths = { 784, 512, 512, 10 }, batch = 128 },
  { name = "W4", widths = { 784, 2048, 2048, 10 }, batch = 512 },
  { name = "INF1", widths = { 784, 512, 512, 10 }, batch = 1, predicts = true },
  { name = "INF1024", widths = { 784, 512, 512, 10 }, batch = 1024, predicts = true },
}

---@type table<string, Workload>
workloads.by_name = {}
for _, workload in ipairs(workloads.all) do workloads.by_name[workload.name] = workload end

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
  local generator = pl.generator(1)
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

---A function that does one batch of the workload.
---@param workload Workload
---@param optimizer string  its name; "none" where the workload predicts
---@param next_batch fun(): Matrix, Matrix
---@return fun() step
---@return Network network
function workloads.step(workload, optimizer, next_batch)
  local network = new_network(workload)
  if workload.predicts then return prediction(network, next_batch, workload.batch), network end
  return training(network, next_batch, workload.batch, pl[optimizer] { rate = 0.01 }), network
end

---Samples per second, with the threads that are set.
---@param workload Workload
---@param optimizer string
---@param gather "slice" | "shuffled"
---@return number
function workloads.rate(workload, optimizer, gather)
  local step = workloads.step(workload, optimizer, batches[gather](workload.batch))
  return timing.medians((step)) * workload.batch
end

---@param gather "slice" | "shuffled"
function workloads.print_table(gather)
  print(("%-8s %-5s %8s %14s %16s"):format("workload", "", "threads", "samples/s",
    "of products alone"))
  for _, workload in ipairs(workloads.all) do
    for _, optimizer in ipairs(workload.predicts and { "none" } or { "sgd", "adam" }) do
      for _, threads in ipairs(timing.thread_counts()) do
        support.use_threads(threads)
        local next_batch = batches[gather](workload.batch)
        local step, network = workloads.step(workload, optimizer, next_batch)
        local rate, products_rate = timing.medians(step, products(network, next_batch, workload))
        print(("%-8s %-5s %8d %14.0f %15.0f %%"):format(workload.name, optimizer, threads,
          rate * workload.batch, 100 * rate / products_rate))
        collectgarbage()
      end
    end
  end
end

return workloads
