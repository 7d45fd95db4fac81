-- Matrix products, ours beside OpenBLAS's gemm on as many threads.

local pl = require "perilune"
local support = require "scripts.support"
local timing = require "scripts.bench.timing"
local workloads = require "scripts.bench.workloads"

local products = {}

local generator = pl.generator(1)

-- Squares, and what the layers of W1 to W4 multiply: Z = W A, dJ/dW = H A^t, Delta = W^t H
local function shapes()
  local list = {}
  for side = 6, 12 do
    local n = math.tointeger(2 ^ side)
    list[#list + 1] = { name = "square", m = n, n = n, k = n, how = "NN" }
  end
  for w = 1, 4 do
    local workload = workloads.by_name["W" .. w]
    local N, widths = workload.batch, workload.widths
    for l = 2, #widths do
      local S, S_below, name = widths[l], widths[l - 1], workload.name .. " layer " .. l - 1
      list[#list + 1] = { name = name .. " Z", m = S, n = N, k = S_below, how = "TN" }
      list[#list + 1] = { name = name .. " dJ/dW", m = S_below, n = S, k = N, how = "NT" }
      if l > 2 then
        list[#list + 1] = { name = name .. " Delta", m = S_below, n = N, k = S, how = "NN" }
      end
    end
  end
  return list
end

-- GFLOP/s of ours, and of OpenBLAS's
local function rates(core, shape)
  local m, n, k = shape.m, shape.n, shape.k
  local function operand(rows, cols, is_transposed)
    local M = is_transposed and core.matrix(cols, rows) or core.matrix(rows, cols)
    return generator:uniform(M, -1, 1)
  end
  local A, B = operand(m, k, shape.how:sub(1, 1) == "T"), operand(k, n, shape.how:sub(2) == "T")
  local C = core.matrix(m, n)
  local rate, blas_rate = timing.medians(function() core.product(C, A, B, shape.how) end,
    function() core.product(C, A, B, shape.how, false, "openblas") end)
  local billions = 2e-9 * m * n * k
  return rate * billions, blas_rate * billions
end

function products.print_table()
  print(("%-16s %-8s %-2s %16s %8s %10s %12s %8s"):format("product", "dtype", "", "m x n x k",
    "threads", "GFLOP/s", "OpenBLAS", "ratio"))
  for _, shape in ipairs(shapes()) do
    for _, dtype in ipairs { "float32", "float64" } do
      for _, threads in ipairs(timing.thread_counts()) do
        support.use_threads(threads)
        local rate, blas_rate = rates(pl[dtype], shape)
        print(("%-16s %-8s %-2s %16s %8d %10.1f %12.1f %8.2f"):format(shape.name, dtype, shape.how,
          ("%d x %d x %d"):format(shape.m, shape.n, shape.k), threads, rate, blas_rate,
          rate / blas_rate))
        collectgarbage()
      end
    end
  end
end

return products
