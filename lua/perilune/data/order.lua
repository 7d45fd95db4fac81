-- In which order the samples of an epoch come: by a permutation of all, or, where they stay in a
-- file, of its chunks, and then of the samples in some chunks at a time, a window. Both follow from
-- the generator's state when the epoch begins.

local Stored = require "perilune.data.stored"
local float64 = require "perilune.core.float64"

-- All samples alike

---@class Order
local Permuted = {}
Permuted.__index = Permuted

---Begin an epoch. Needs no memory, and raises nothing.
---@param generator Generator  moves
function Permuted:draw(generator)
  generator:permutation(self.dataset:order(self.columns))
end

---The samples of the epoch from a place on.
---@param place integer   1 to N
---@return integer[]      columns of the source
---@return integer        where the first of them is in this list
function Permuted:at(place)
  return self.columns, place
end

-- Chunks of a file, and a window of them

---@class Windows
---@field chosen integer[]?   the columns, ascending; nil for all
---@field firsts integer[]    the place of the first column of each chunk that has any; one beyond
---@field chunks integer[]    in the order of the epoch
---@field starts integer[]    the place in the epoch of each window's first sample, and one beyond
---@field seed integer        of the windows of this epoch
---@field window integer      which one `columns` has, 0 for none
local Windows = {}
Windows.__index = Windows

-- Where the columns of each chunk begin, among those that are chosen
local function firsts_of(chosen, N, chunk)
  local firsts, last = {}, 0
  for place = 1, N, chosen and 1 or chunk do
    local number = ((chosen and chosen[place] or place) - 1) // chunk + 1
    if number ~= last then firsts[#firsts + 1], last = place, number end
  end
  firsts[#firsts + 1] = N + 1
  return firsts
end

local function new_windows(dataset, stored)
  local self = setmetatable({
    chosen = dataset.chosen, firsts = firsts_of(dataset.chosen, dataset.N, stored.chunk),
    slots = stored.slots, chunks = {}, starts = {}, seed = 0,
    window = 0, columns = {}, list = {},
  }, Windows)
  for k = 1, #self.firsts - 1 do self.chunks[k] = k end
  for k = 1, (#self.chunks - 1) // self.slots + 2 do self.starts[k] = 0 end
  return self
end

---Begin an epoch. Needs no memory, and raises nothing.
---@param generator Generator  moves
function Windows:draw(generator)
  local chunks, starts, firsts, place = self.chunks, self.starts, self.firsts, 1
  for k = 1, #chunks do chunks[k] = k end
  generator:permutation(chunks)
  for k = 1, #chunks do
    if (k - 1) % self.slots == 0 then starts[(k - 1) // self.slots + 1] = place end
    place = place + firsts[chunks[k] + 1] - firsts[chunks[k]]
  end
  starts[#starts] = place
  self.seed, self.window = generator:integer(math.mininteger, math.maxinteger), 0
end

-- Make the columns of a window: those of its chunks, by a generator of its own, so that any window
-- of an epoch can be made without those before it.
local function make(self, window)
  local columns, count = self.columns, 0
  self.window = 0
  for k = (window - 1) * self.slots + 1, math.min(window * self.slots, #self.chunks) do
    local chunk = self.chunks[k]
    for place = self.firsts[chunk], self.firsts[chunk + 1] - 1 do
      count = count + 1
      columns[count] = self.chosen and self.chosen[place] or place
    end
  end
  for k = count + 1, #columns do columns[k] = nil end
  float64.generator(self.seed + window):permutation(columns)
  self.window = window
end

-- The window in which a place of the epoch is
local function window_at(self, place)
  local starts, window = self.starts, math.max(self.window, 1)
  while place < starts[window] do window = window - 1 end
  while place >= starts[window + 1] do window = window + 1 end
  return window
end

---As Permuted:at, so many of them; the list is valid until the next call.
---@param place integer
---@param count integer
---@return integer[]
---@return integer
function Windows:at(place, count)
  local list, given = self.list, 0
  while given < count do
    local window = window_at(self, place)
    if window ~= self.window then make(self, window) end
    local offset = place - self.starts[window]
    local some = math.min(count - given, #self.columns - offset)
    table.move(self.columns, offset + 1, offset + some, given + 1, list)
    given, place = given + some, place + some
  end
  return list, 1
end

---The order of the samples of a set, to be drawn for each epoch.
---@param dataset Dataset
---@return Order
local function new_order(dataset)
  local X = dataset.source.X
  if Stored.is_stored(X) then return new_windows(dataset, X) end
  return setmetatable({ dataset = dataset, columns = dataset:order() }, Permuted)
end

return new_order
