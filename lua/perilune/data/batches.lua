-- Mini-batches: for X, T in pl.batches(dataset, { batch = 128, generator = g }) do ... end

local Buffer = require "perilune.buffer"
local cores = require "perilune.cores"
local options = require "perilune.options"

---@class Batches
---@field count integer     batches in an epoch
---@field position integer  samples of this epoch already given
local Batches = {}
Batches.__index = Batches

---The samples of a dataset in batches of `batch` (default 128), the last one smaller where they do
---not divide. With a `generator` in a new order each epoch, without one as they stand. In `dtype`
---(default: that of the dataset).
---@param dataset Dataset
---@param given? { batch: integer, generator: Generator, dtype: string }
---@return Batches
function Batches.new(dataset, given)
  if type(dataset) ~= "table" or not dataset.gather then
    error(("a dataset expected, got %s"):format(type(dataset)), 2)
  end
  local chosen = options(given, {
    batch = 128, generator = false, dtype = dataset.T.dtype,
  })
  if math.type(chosen.batch) ~= "integer" or chosen.batch < 1 then
    error(("batch: 1 or more samples expected, got %s"):format(tostring(chosen.batch)), 2)
  end
  if chosen.generator and not cores.is_generator(chosen.generator) then
    error(("generator: a generator expected, got %s"):format(type(chosen.generator)), 2)
  end
  local core = cores.named(chosen.dtype)
  dataset = dataset:to(chosen.dtype)
  return setmetatable({
    dataset = dataset,
    batch = math.min(chosen.batch, dataset.N),
    generator = chosen.generator or nil,
    count = (dataset.N + chosen.batch - 1) // chosen.batch,
    X = Buffer.new(core, dataset.inputs),
    T = Buffer.new(core, dataset.T.rows),
    order = dataset:columns(),
    position = 0,
  }, Batches)
end

---Begin an epoch anew: after a loop that was left half way.
---@return Batches self
function Batches:restart()
  self.position = 0
  return self
end

---The next batch, or nil once at the end of an epoch; then the next epoch follows.
---@return Matrix? X  S_0 x batch; valid until the next batch
---@return Matrix? T  S_L x batch, or 1 x batch labels; likewise
function Batches:next()
  local N = self.dataset.N
  local first = self.position + 1
  if first > N then
    self.position = 0
    return nil
  end
  if first == 1 and self.generator then
    self.generator:permutation(self.order)
  end
  local size = math.min(self.batch, N - self.position)
  local X, T = self.X:columns(size), self.T:columns(size)
  self.dataset:gather(X, T, self.order, first)
  self.position = self.position + size
  return X, T
end

Batches.__call = Batches.next

---Where in the data training stands, as plain data; the order of the samples is part of it.
---@return table
function Batches:state()
  return {
    position = self.position,
    order = table.move(self.order, 1, #self.order, 1, {}),
    generator = self.generator and self.generator:state(),
  }
end

---Continue from what state() gave.
---@param state table
---@return Batches self
function Batches:restore(state)
  if type(state) ~= "table" or type(state.order) ~= "table"
    or math.type(state.position) ~= "integer" then
    error("state of batches expected: what state() gave", 2)
  end
  if self.generator and type(state.generator) ~= "string" then
    error("state with that of a generator expected", 2)
  end
  if #state.order ~= #self.order or state.position > #self.order then
    error(("state of %d samples expected, got one of %d"):format(#self.order,
      #state.order), 2)
  end
  if self.generator then self.generator:restore(state.generator) end
  table.move(state.order, 1, #state.order, 1, self.order)
  self.position = state.position
  return self
end

return Batches
