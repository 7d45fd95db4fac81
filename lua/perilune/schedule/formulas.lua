-- Schedules that are formulas of the time alone: factor(options, epoch, epochs), of the epochs
-- done, with fractions, and of all there will be, which may be math.huge. After the end each stays
-- as it is at the end. Where PyTorch has one, it is the same, as a factor of the optimiser's rate.

-- How much of the training is done, from 0 to 1
local function done(epoch, epochs)
  return epoch < epochs and epoch / epochs or 1
end

-- Half a wave of a cosine, from 1 at t = 0 to 0 at t = 1
local function wave(t)
  return (1 + math.cos(math.pi * t)) / 2
end

-- From 1 down to `floor` as x goes from 1 to 0
local function above(floor, x)
  return floor + (1 - floor) * x
end

local floor = { "number", default = 0, least = 0, most = 1 }

return {
  {
    -- the rate as it is
    name = "constant",
    factor = function() return 1 end,
  },
  {
    -- times `factor` after every `every` epochs (PyTorch's StepLR)
    name = "step",
    fields = {
      every = { "number", default = 10, above = 0 },
      factor = { "number", default = 0.1, above = 0 },
    },
    factor = function(options, epoch) return options.factor ^ (epoch // options.every) end,
  },
  {
    -- times `factor` at each of the epochs `milestones` (PyTorch's MultiStepLR)
    name = "multi_step",
    fields = {
      milestones = { "numbers", least = 0 },
      factor = { "number", default = 0.1, above = 0 },
    },
    factor = function(options, epoch)
      local passed = 0
      for _, milestone in ipairs(options.milestones) do
        if epoch >= milestone then passed = passed + 1 end
      end
      return options.factor ^ passed
    end,
  },
  {
    -- times `factor` each epoch, smoothly (PyTorch's ExponentialLR)
    name = "exponential",
    fields = { factor = { "number", default = 0.95, above = 0 } },
    factor = function(options, epoch) return options.factor ^ epoch end,
  },
  {
    -- 1 / (1 + decay e)^power: 1 / e in the long run, or 1 / sqrt(e) with power = 0.5
    name = "inverse",
    fields = {
      decay = { "number", default = 1, least = 0 },
      power = { "number", default = 1, least = 0 },
    },
    factor = function(options, epoch) return (1 + options.decay * epoch) ^ -options.power end,
  },
  {
    -- from 1 down to `floor` at the end, in a line, or bent by `power` (PyTorch's PolynomialLR)
    name = "polynomial",
    fields = { power = { "number", default = 1, above = 0 }, floor = floor },
    factor = function(options, epoch, epochs)
      return above(options.floor, (1 - done(epoch, epochs)) ^ options.power)
    end,
  },
  {
    -- half a cosine wave from 1 down to `floor` at the end (Loshchilov and Hutter 2017; PyTorch's
    -- CosineAnnealingLR)
    name = "cosine",
    fields = { floor = floor },
    factor = function(options, epoch, epochs)
      return above(options.floor, wave(done(epoch, epochs)))
    end,
  },
  {
    -- half waves from 1 to `floor`, one after the other: the first takes `epochs`, each other
    -- `growth` times as long as the one before (Loshchilov and Hutter 2017; PyTorch's
    -- CosineAnnealingWarmRestarts). It knows no end of the training: let that be one of a wave.
    name = "cosine_restarts",
    fields = {
      epochs = { "number", default = 10, above = 0 },
      growth = { "number", default = 1, least = 1 },
      floor = floor,
    },
    factor = function(options, epoch)
      local length, growth = options.epochs, options.growth
      if growth == 1 then return above(options.floor, wave(epoch % length / length)) end
      local function start(n) return length * (growth ^ n - 1) / (growth - 1) end
      local n = math.log(1 + epoch / length * (growth - 1), growth) // 1
      if epoch >= start(n + 1) then n = n + 1 end -- which a rounded logarithm may miss
      local within = math.max(0, epoch - start(n))
      return above(options.floor, wave(within / (length * growth ^ n)))
    end,
  },
  {
    -- 1 for the fraction `flat` of the training, then half a cosine wave down to `floor`
    name = "flat_cosine",
    fields = { flat = { "number", default = 0.5, least = 0, below = 1 }, floor = floor },
    factor = function(options, epoch, epochs)
      local t = (done(epoch, epochs) - options.flat) / (1 - options.flat)
      return above(options.floor, wave(math.max(0, t)))
    end,
  },
  {
    -- half a wave from `first` up to 1 in the fraction `rise` of the training, and half a wave from
    -- there down to `last` (Smith and Topin 2018; PyTorch's OneCycleLR, whose max_lr is the
    -- optimiser's rate here, without its cycle of the momentum)
    name = "one_cycle",
    fields = {
      rise = { "number", default = 0.3, above = 0, below = 1 },
      first = { "number", default = 1 / 25, least = 0, most = 1 },
      last = { "number", default = 1 / 250000, least = 0, most = 1 },
    },
    factor = function(options, epoch, epochs)
      local t, rise = done(epoch, epochs), options.rise
      if t < rise then return above(options.first, wave(1 - t / rise)) end
      return above(options.last, wave((t - rise) / (1 - rise)))
    end,
  },
  {
    -- `cycles` whole waves from 0 over 1 back to 0, each twice as long as the one before:
    -- (1 - cos(2 pi log2(1 + (2^cycles - 1) t))) / 2 (Holzmueller et al. 2024, with 4 of them)
    name = "log_periodic",
    fields = { cycles = { "count", default = 4 } },
    factor = function(options, epoch, epochs)
      local stretched = 1 + (2 ^ options.cycles - 1) * done(epoch, epochs)
      return wave(1 + 2 * math.log(stretched, 2))
    end,
  },
  {
    -- a linear rise over the first `epochs`, then the schedule `after`, which sees only what
    -- remains (Goyal et al. 2017)
    name = "warm_up",
    fields = {
      epochs = { "number", default = 1, above = 0 },
      after = { "part", of = "schedule", default = "constant" },
    },
    factor = function(options, epoch, epochs)
      if epoch < options.epochs then return epoch / options.epochs end
      return options.after(epoch - options.epochs, epochs - options.epochs)
    end,
  },
}
