-- Mini-batches: for X, T, weights in pl.batches(dataset, { batch = 128, generator = g }) do ... end
--
-- The order of an epoch follows from the generator's state at its start, and from nothing before:
-- so the place in the data is that state and a number of samples. What augmentations draw follows
-- from a key, which is drawn as an epoch begins, and from the place of the sample in it.

local AugmentationList = require "perilune.augmentation.list"
local Buffer = require "perilune.buffer"
local Dataset = require "perilune.data.dataset"
local cores = require "perilune.cores"
local errors = require "perilune.errors"
local fields = require "perilune.fields"
local new_order = require "perilune.data.order"
require "perilune.augmentation" -- the family of the option

local raise, show = errors.raise, errors.show

---@class Batches
---@field batch integer     samples in a batch but the last
---@field count integer     batches in an epoch
---@field position integer  samples of this epoch already given
local Batches = {}
Batches.__index = Batches

local declared = {
  batch = { "count", default = 128 },
  generator = {
    "value", optional = true, test = cores.is_generator, expected = "a generator",
  },
  shuffle = { "boolean", default = true },
  dtype = { "choice", choices = { "float32", "float64" }, optional = true },
  augment = { "parts", of = "augmentation", default = {} },
}

---The samples of a dataset in batches of `batch` (default 128), the last one smaller where they do
---not divide. With a `generator` in a new order each epoch; without one, or with shuffle = false,
---as they stand. In `dtype` (default: that of the dataset's X, of its T where X is bytes); samples
---of the other type are converted as their batch is made. With `augment`, an augmentation or a list
---of them, X is made of the samples and is another in each epoch; that needs a generator.
---@param dataset Dataset
---@param given? { batch: integer, generator: Generator, shuffle: boolean, dtype: string,
---augment: any }
---@return Batches
function Batches.new(dataset, given)
  Dataset.check(dataset, "pl.batches")
  local options = fields.check(declared, given, "pl.batches")
  local source = dataset.source
  local dtype = options.dtype or source.X.dtype or source.T.dtype
  local core, generator, augment = cores[dtype], options.generator, options.augment
  if #augment > 0 and not generator then
    raise("pl.batches: augment: a generator expected with it, which it draws from")
  end
  local batch = math.min(options.batch, dataset.N)
  return setmetatable({
    dataset = dataset, source = source, generator = generator,
    augmentation = #augment > 0 and AugmentationList.new(augment, core, dataset.inputs),
    key = false, -- of this epoch's augmentations
    start = generator and generator:copy(), -- as it was when the epoch began
    ahead = generator and generator:copy(), -- see next
    batch = batch, count = (dataset.N + batch - 1) // batch,
    X = Buffer.new(core, dataset.inputs), T = Buffer.new(core, dataset.targets),
    weights = source.weights and Buffer.new(core, source.weights.rows),
    -- nil: as they stand
    order = generator and options.shuffle and new_order(dataset) or nil,
    position = 0,
  }, Batches)
end

---How many batches of this epoch were given.
---@return integer
function Batches:number()
  return (self.position + self.batch - 1) // self.batch
end

---Begin an epoch anew: after a loop that was left half way.
---@return Batches self
function Batches:restart()
  self.position = 0
  return self
end

-- What is random in the epoch that begins with the generator as it is, which moves
local function draw_epoch(self, generator)
  if self.order then self.order:draw(generator) end
  if self.augmentation then self.key = generator:integer(math.mininteger, math.maxinteger) end
end

---The sample of the dataset at this place in the epoch, for messages.
---@param place integer  1 to N
---@return integer
function Batches:sample(place)
  if not self.order then return place end
  local list, first = self.order:at(place, 1)
  local column, chosen = list[first], self.dataset.chosen
  if not chosen then return column end
  for n = 1, #chosen do
    if chosen[n] == column then return n end
  end
end

---Go back to an earlier `position` in this epoch: the same batches come again. For the library's
---own loops, without checks.
---@param samples integer
function Batches:back(samples)
  self.position = samples
  if samples == 0 and self.generator then self.generator:assign(self.start) end
end

---Undo the back that has just been made, to the `position` before it.
---@param samples integer
function Batches:forth(samples)
  if self.position == 0 and self.generator then self.generator:assign(self.ahead) end
  self.position = samples
end

---The next batch, or nil once at the end of an epoch; then the next epoch follows.
---@return Matrix? X        S_0 x batch; valid until the next batch
---@return Matrix? T        S_L x batch, or 1 x batch labels; likewise
---@return Matrix? weights  1 x batch or S_L x batch, likewise; nil where the set has none
function Batches:next()
  local left = self.dataset.N - self.position
  if left == 0 then
    self:restart()
    return nil
  end
  local size = left < self.batch and left or self.batch
  local X, T = self.X:columns(size), self.T:columns(size)
  local weights = self.weights and self.weights:columns(size)
  -- The generator moves when the batch is there, and nothing raises any more.
  local begins = self.position == 0 and self.generator
  if begins then draw_epoch(self, self.ahead:assign(self.generator)) end
  local columns, first = self.dataset.chosen, self.position + 1
  if self.order then columns, first = self.order:at(first, size) end
  self.source:gather_unchecked(X, T, columns, first, weights)
  if self.augmentation then X = self.augmentation:apply(X, self.key, self.position) end
  if begins then
    self.start:assign(self.generator)
    self.generator:assign(self.ahead)
  end
  self.position = self.position + size
  return X, T, weights
end

Batches.__call = Batches.next

---Where in the data training stands, as plain data.
---@return { samples: integer, start: string?, generator: string? }  how many of this epoch were
---given, the state of the generator at the epoch's start, unless it is yet to begin, and now
function Batches:state()
  return {
    samples = self.position,
    start = self.generator and self.position > 0 and self.start:state() or nil,
    generator = self.generator and self.generator:state(),
  }
end

---Raise unless `state` is one that state() of batches like these gave.
---@param state any
function Batches:check_state(state)
  if type(state) ~= "table" then
    raise("state of batches expected, as state() gives it, got %s", show(state))
  end
  local checked = fields.check({
    samples = { "integer", least = 0, most = self.dataset.N },
    start = { "string", optional = true }, generator = { "string", optional = true },
  }, state, "state of batches")
  local is_shuffled, has_begun = self.generator ~= nil, checked.samples > 0
  if (checked.generator ~= nil) ~= is_shuffled then
    raise("state of batches: one %s a generator expected, as these are",
      is_shuffled and "with" or "without")
  elseif (checked.start ~= nil) ~= (is_shuffled and has_begun) then
    raise("state of batches: the state of the generator at the start of the epoch %s",
      checked.start and "without samples given" or "is missing")
  end
  for _, name in ipairs { "generator", "start" } do
    if checked[name] then cores.check_generator_state(checked[name]) end
  end
end

---Check a state, and give a function that continues from it, which needs no memory and raises
---nothing.
---@param state any
---@return fun()
function Batches:restorer(state)
  self:check_state(state)
  return function()
    self.position = fields.whole(state.samples)
    if not self.generator then return end
    if state.start then
      self.start:assign(self.generator:restore(state.start))
      draw_epoch(self, self.generator)
    end
    self.generator:restore(state.generator)
  end
end

---Continue from what state() gave. Raises for a state of other batches, and changes nothing then.
---@param state table
---@return Batches self
function Batches:restore(state)
  self:restorer(state)()
  return self
end

return Batches
