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

-- Hidden layers with the activation, and outputs that the loss can use; no Z near +- a kink.
local function network_and_inputs(activation, loss, generator)
  local float64 = pl.float64
  local has_range = loss.gives == "probabilities" or loss.outputs_per_target
  -- e^(e^(e^z)) would leave no digits to the differences.
  local hidden = activation == "exponential" and "tanh" or activation
  while true do
    local network = pl.network({
      inputs = INPUTS, pl.dense(HIDDEN, hidden), pl.dense(HIDDEN, activation),
      pl.dense(OUTPUTS * (loss.outputs_per_target or 1), has_range and "sigmoid" or nil),
    }, { dtype = "float64", generator = generator })
    for _, layer in ipairs(network.layers) do generator:normal(layer.b, 0, 0.5) end
    local X = generator:normal(float64.matrix(INPUTS, N))
    network:forward(X)
    local nearest = math.huge
    for _, layer in ipairs(network.layers) do
      local size = float64.matrix(layer.Z.rows, N)
      for _, kink in ipairs(KINKS) do
        float64.subtract(size, float64.abs(size, layer.Z), kink)
        nearest = math.min(nearest, float64.abs(size, size):min())
      end
    end
    if nearest > FAR_FROM_KINK then return network, X end
  end
end

-- Targets of which the outputs A are wrong, and away from the kinks of all losses: those of margins
-- lie where an answer is right, those of differences at 0 and 1.
local function targets(loss, A, generator)
  local T = pl.float64.matrix(loss.labels and 1 or OUTPUTS, N)
  for n = 1, N do
    for i = 1, OUTPUTS do
      local a = A:get(i, n)
      if loss.labels then
        local lowest = T:get(1, n)
        if lowest == 0 or a < A:get(math.tointeger(lowest), n) then T:set(1, n, i) end
      elseif loss.targets == "several" then
        T:set(i, n, a > 0 and 0 or 1)
      elseif loss.range then
        T:set(i, n, generator:number())
      else
        T:set(i, n, a + (generator:number() < 0.5 and 0.5 or -0.5))
      end
    end
  end
  return T
end

local all_passed = true
print(("%-12s %-22s %14s  %s"):format("activation", "loss", "largest error",
  "derivatives"))
for _, activation in ipairs(sorted_keys(pl.float64.activations)) do
  for _, loss in ipairs(sorted_keys(pl.loss)) do
    local generator = pl.float64.generator(options.seed)
    local network, X = network_and_inputs(activation, pl.loss[loss], generator)
    local T = targets(pl.loss[loss], network:forward(X), generator)
    local report = pl.gradient_check(network, X, T, { loss = loss })
    print(("%-12s %-22s %14.2g  %d%s"):format(activation, loss, report.largest_error,
      report.count, report.passed and "" or "  FAILED"))
    all_passed = all_passed and report.passed
  end
end
os.exit(all_passed, true)
