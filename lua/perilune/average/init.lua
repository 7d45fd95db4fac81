-- Averages of a network's tensors over its training, which often predict better than the last.
-- Parameters are averaged, and running statistics with them.
--     average:update(net [, progress])  after each update of the parameters; progress as a
--                                       trainer's
--     average:swap(net)                 exchanges the network's tensors with the average, and back
--     average:state(), :restore(state), :check_state(state)

local Network = require "perilune.network"
local errors = require "perilune.errors"
local fields = require "perilune.fields"
local registry = require "perilune.registry"

local raise, show = errors.raise, errors.show

local NAMES_OF_PROGRESS = { "epoch", "epochs", "batch", "batches" }

---@class Average
---@field name string
---@field options table
---@field count integer       how often the network was taken in
---@field is_swapped boolean  the network has the average, and this what it had
local Average = {}
Average.__index = Average

---Be the average of this network, and of no other. Called by the first update.
---@param net Network
---@return Average self
function Average:bind(net)
  Network.check(net)
  if rawequal(self.net, net) then return self end
  if self.net then raise("this is the average of another network: each needs one of its own") end
  local tensors, means, spare = {}, {}, {}
  for _, tensor in ipairs(net:tensors()) do
    if not tensor.frozen then -- frozen ones stay as they are
      local value = tensor.value
      tensors[#tensors + 1] = tensor
      means[#means + 1], spare[#spare + 1] = value:copy(value.order), value:copy(value.order)
    end
  end
  self.tensors, self.means, self.spare, self.net = tensors, means, spare, net
  return self
end

-- By hand: this is done after each batch, and fields.check makes a table.
local function check_progress(progress)
  for _, name in ipairs(NAMES_OF_PROGRESS) do
    if type(progress) ~= "table" or type(progress[name]) ~= "number" then
      raise("progress: a trainer's expected, with the numbers %s, got %s",
        table.concat(NAMES_OF_PROGRESS, ", "), show(progress))
    end
  end
end

---Take what the network has now into the average, when the kind's time has come; without a
---progress, at each call.
---@param net Network
---@param progress? { epoch: integer, epochs: number, batch: integer, batches: integer }
function Average:update(net, progress)
  self:bind(net)
  if progress ~= nil then check_progress(progress) end
  if self.is_swapped then raise("the network has the average now: swap it back first") end
  local weight = self.kind.weight(self.options, self.count, progress)
  if weight == 0 then return end
  local core, tensors, means = net.core, self.tensors, self.means
  for k = 1, #means do
    local mean, value = means[k], tensors[k].value
    if weight == 1 then
      mean:assign(value)
    else
      core.accumulate(core.hadamard(mean, mean, 1 - weight), weight, value)
    end
  end
  self.count = self.count + 1
end

---Exchange the network's tensors with the average, once there is one.
---@param net Network
function Average:swap(net)
  self:bind(net)
  if self.count == 0 then return end
  local tensors, means, spare = self.tensors, self.means, self.spare
  for k = 1, #means do
    local value = tensors[k].value
    spare[k]:assign(value)
    value:assign(means[k])
    means[k]:assign(spare[k])
  end
  self.is_swapped = not self.is_swapped
end

---Swap until a variable that is to be closed goes out of scope.
---    local _ <close> = average:swapped(net)
---@param net Network
---@return table
function Average:swapped(net)
  self:swap(net)
  return setmetatable({}, { __close = function()
    if self.is_swapped then self:swap(net) end
  end })
end

---@return { count: integer, is_swapped: boolean, tensors: table<string, Matrix>? }
function Average:state()
  local kept = self.count > 0 and {} or nil
  for k, tensor in ipairs(kept and self.tensors or {}) do
    kept[tensor.name] = self.means[k]:copy(tensor.value.order)
  end
  return { count = self.count, is_swapped = self.is_swapped, tensors = kept }
end

local state_fields = {
  count = { "integer", least = 0 }, is_swapped = { "boolean" },
  tensors = { "table", optional = true },
}

local function check_tensors(self, kept)
  local known = {}
  for _, tensor in ipairs(self.tensors) do
    local M, value = kept[tensor.name], tensor.value
    known[tensor.name] = true
    if self.net.core.sample_count(M, value.rows) ~= value.cols then
      raise("state of an average: tensor '%s': a %d x %d matrix of %s expected, got %s",
        tensor.name, value.rows, value.cols, self.net.dtype, show(M))
    end
  end
  for name in pairs(kept) do
    if not known[name] then
      raise("state of an average: tensor %s is none of this network's", show(name))
    end
  end
end

---Raise unless `state` is one that state() gave for a network like the one this is bound to.
---@param state any
function Average:check_state(state)
  local checked = fields.check(state_fields, state, "state of an average")
  if (checked.count > 0) ~= (checked.tensors ~= nil) then
    raise("state of an average: tensors expected once something was averaged, and only then")
  elseif not self.net then
    raise("an average is bound to its network before it is restored: average:bind(net)")
  elseif checked.tensors then
    check_tensors(self, checked.tensors)
  end
end

---Go on from what state() gave.
---@param state table
---@return Average self
function Average:restore(state)
  self:check_state(state)
  self.count, self.is_swapped = fields.whole(state.count), state.is_swapped
  for k, tensor in ipairs(state.tensors and self.tensors or {}) do
    self.means[k]:assign(state.tensors[tensor.name])
  end
  return self
end

local average = registry.family("average", {
  make = function(kind, options)
    return setmetatable({
      name = kind.name, kind = kind, options = options, count = 0, is_swapped = false,
      net = false, tensors = false, means = false, spare = false, -- see bind
    }, Average)
  end,
  accepts = function() return nil end,
  expected = "what pl.average makes",
  remembers = true,
})

average:add {
  -- exponential moving average: decay times the average and 1 - decay times what is new (Polyak and
  -- Juditsky 1992); with warm_up the first count for more, the n-th at least 9 / (9 + n), so that
  -- the beginning is forgotten in short trainings too
  name = "ema",
  fields = {
    decay = { "number", default = 0.999, least = 0, below = 1 },
    warm_up = { "boolean", default = true },
  },
  weight = function(options, count)
    if count == 0 then return 1 end
    local weight = 1 - options.decay
    return options.warm_up and math.max(weight, 9 / (10 + count)) or weight
  end,
}

average:add {
  -- stochastic weight averaging: the mean of what the network was at the end of each epoch, once
  -- the fraction `start` of the training is done (Izmailov et al. 2018)
  name = "swa",
  fields = { start = { "number", default = 0.75, least = 0, below = 1 } },
  weight = function(options, count, progress)
    local is_time = not progress or progress.batch == progress.batches
      and progress.epoch > options.start * progress.epochs
    return is_time and 1 / (count + 1) or 0
  end,
}

return average
