#!/usr/bin/env lua5.4
-- Print the gradient check of every activation with every loss, in float64: backward against
-- central differences. Exit status 1 when one is off.

-- support.lua lies beside this file. Where a link to it was started, a process says where that is;
-- it takes milliseconds in which Ctrl-C is not heard yet, so it is asked only then.
local function near(path, name) return (path:gsub("[^/]*$", name, 1)) end
local is_here = io.open(near(arg[0], "support.lua"))
  and io.open(near(arg[0], "../lua/perilune/init.lua"))
local file = not is_here
  and io.popen("readlink -f -- '" .. arg[0]:gsub("'", [['\'']]) .. "' 2>&-"):read()
local support = dofile(near(file or arg[0], "support.lua"))
local pl = support.require "perilune"

local parser = support.parser("gradients.lua",
  "Check the gradients of every activation with every loss, in float64.")
parser:option("--seed", "of weights and data", "1"):convert(support.integer "--seed")
local options = parser:parse()

local N, INPUTS, HIDDEN, OUTPUTS = 6, 4, 5, 3
local FAR_FROM_KINK = 1e-2 -- a hundred steps of the differences

local function sorted_keys(t)
  local keys = {}
  for key in pairs(t) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

local KINKS = { 0, 1, 3 } -- of relu and others, hard_tanh, hard_sigmoid

-- Hidden layers and output layer with the activation; none of their Z near +- a kink.
local function network_and_inputs(activation, generator)
  local float64 = pl.float64
  local Z_size = float64.matrix(HIDDEN, N)
  -- e^(e^(e^z)) would leave no digits to the differences.
  local hidden = activation == "exponential" and "tanh" or activation
  while true do
    local network = pl.network({
      inputs = INPUTS, pl.dense(HIDDEN, hidden), pl.dense(HIDDEN, hidden),
      pl.dense(OUTPUTS, activation),
    }, { dtype = "float64", generator = generator })
    for _, layer in ipairs(network.layers) do generator:normal(layer.b, 0, 0.5) end
    local X = generator:normal(float64.matrix(INPUTS, N))
    network:forward(X)
    local nearest = math.huge
    for _, layer in ipairs(network.layers) do
      local size = layer.Z.rows == HIDDEN and Z_size or float64.matrix(layer.Z.rows, N)
      for _, kink in ipairs(KINKS) do
        float64.subtract(size, float64.abs(size, layer.Z), kink)
        nearest = math.min(nearest, float64.abs(size, size):min())
      end
    end
    if nearest > FAR_FROM_KINK then return network, X end
  end
end

local function targets(loss, generator)
  if loss == "squared_error" then
    return generator:normal(pl.float64.matrix(OUTPUTS, N))
  end
  local labels = {}
  for n = 1, N do labels[n] = generator:integer(1, OUTPUTS) end
  return pl.float64.matrix { labels }
end

local all_passed = true
print(("%-12s %-22s %14s  %s"):format("activation", "loss", "largest error",
  "derivatives"))
for _, activation in ipairs(sorted_keys(pl.float64.activations)) do
  for _, loss in ipairs(sorted_keys(pl.loss)) do
    local generator = pl.float64.generator(options.seed)
    local network, X = network_and_inputs(activation, generator)
    local T = targets(loss, generator)
    local report = pl.gradient_check(network, X, T, { loss = loss })
    print(("%-12s %-22s %14.2g  %d%s"):format(activation, loss, report.largest_error,
      report.count, report.passed and "" or "  FAILED"))
    all_passed = all_passed and report.passed
  end
end
os.exit(all_passed, true)
