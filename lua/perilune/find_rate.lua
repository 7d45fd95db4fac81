-- A range test of the learning rate (Smith 2017): a copy of the network is trained while the rate
-- grows from step to step; where the loss falls most steeply, the rate serves.

local Batches = require "perilune.data.batches"
local Dataset = require "perilune.data.dataset"
local Network = require "perilune.network"
local errors = require "perilune.errors"
local fields = require "perilune.fields"
local optimizers = require "perilune.optimizer"

local raise, show = errors.raise, errors.show

local SMOOTHING = 0.9 -- how much of the smoothed loss stays from step to step
local TOO_LARGE = 4   -- times the lowest loss: there is nothing to learn from larger rates
local LEFT_OUT = 5    -- last steps that are no candidates: the loss is about to leap
local BAR = 40        -- columns of the drawing

---@class RateTest
---@field rate number?     where the loss fell most steeply; nil where it never fell
---@field rates number[]   that were tried, growing
---@field losses number[]  the smoothed loss of each
local RateTest = {}
RateTest.__index = RateTest

---A line for each of about twenty rates, its loss as a bar, and the rate that was found.
function RateTest:__tostring()
  local lines, count = {}, #self.rates
  local lowest, highest = math.huge, -math.huge
  for _, J in ipairs(self.losses) do lowest, highest = math.min(lowest, J), math.max(highest, J) end
  local every = math.max(1, count // 20)
  for k = 1, count, every do
    local J = self.losses[k]
    local share = highest > lowest and (J - lowest) / (highest - lowest) or 0
    lines[#lines + 1] = ("%9.2e  %10.5g  %s"):format(self.rates[k], J,
      ("#"):rep(math.floor(share * BAR + 0.5)))
  end
  lines[#lines + 1] = self.rate
    and ("rate %.2g: there the loss fell most steeply"):format(self.rate)
    or "the loss never fell: try other rates, or look at the data"
  return table.concat(lines, "\n")
end

-- The rate at which the smoothed loss fell most from one step to the next
local function steepest(rates, losses)
  local best, found = 1e-6 * math.abs(losses[1] or 0), nil -- less is rounding
  for k = 2, #rates - LEFT_OUT do
    local fall = losses[k - 1] - losses[k + 1]
    if fall > best then best, found = fall, rates[k] end
  end
  return found
end

local declared = {
  loss = { "part", of = "loss" },
  optimizer = { "part", of = "optimizer", default = "adam" },
  least = { "number", default = 1e-7, above = 0 },
  most = { "number", default = 10, above = 0, most = 1e38 },
  steps = { "count", default = 100 },
  batch = { "count", default = 128 },
  seed = { "integer", default = 1 },
}

-- Batches without an end
local function endless(batches)
  return function()
    local X, T, weights = batches:next()
    if not X then X, T, weights = batches:next() end
    return X, T, weights
  end
end

-- One step at each rate, until the loss leaps
local function try_rates(net, next_batch, options, self)
  local mean, lowest = 0, math.huge
  local growth = (options.most / options.least) ^ (1 / math.max(1, options.steps - 1))
  for k = 1, options.steps do
    local X, T, weights = next_batch()
    local J, Delta = options.loss(net:forward(X), T, nil, weights)
    if type(J) ~= "number" or J - J ~= 0 then break end
    net:backward(Delta)
    mean = SMOOTHING * mean + (1 - SMOOTHING) * J
    local smoothed = mean / (1 - SMOOTHING ^ k) -- as if the mean had not begun at 0
    lowest = math.min(lowest, smoothed)
    if k > 1 and smoothed > TOO_LARGE * lowest and lowest > 0 then break end
    local rate = options.least * growth ^ (k - 1)
    self.rates[k], self.losses[k] = rate, smoothed
    options.optimizer:step(net:parameters(), rate)
  end
end

---Try learning rates from `least` (1e-7) to `most` (10), one step each, `steps` (100) of them
---evenly on a logarithmic scale, on a copy of the network and with another optimiser like the given
---one: both stay as they are, but for an optimiser of the user's own. Options besides: loss
---(required), optimizer ("adam"), batch (128), seed (1). What it returns prints as a chart.
---@param net Network
---@param dataset Dataset
---@param given table
---@return RateTest
local function find_rate(net, dataset, given)
  Network.check(net)
  Dataset.check(dataset)
  local options = fields.check(declared, given, "find_rate")
  if not (options.most > options.least) then
    raise("find_rate: most: a number above least, %s, expected, got %s", show(options.least),
      show(options.most))
  end
  options.optimizer = optimizers:another(options.optimizer) -- what it remembers stays as it is
  local copy = net:clone()
  local batches = Batches.new(dataset:for_network(net), {
    batch = options.batch, dtype = net.dtype, generator = net.core.generator(options.seed),
  })
  local self = setmetatable({ rates = {}, losses = {} }, RateTest)
  try_rates(copy, endless(batches), options, self)
  self.rate = steepest(self.rates, self.losses)
  return self
end

return find_rate
