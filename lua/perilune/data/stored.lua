-- Samples that stay in a file, seen as a matrix: read in chunks of consecutive samples, of which
-- some are kept, the window. Whoever goes through them as they stand, or in the order of
-- perilune.data.order, reads each chunk once; any other order gives the same samples, slowly.

local check_indices = require "perilune.data.indices"
local cores = require "perilune.cores"
local errors = require "perilune.errors"
local fields = require "perilune.fields"

local raise, show = errors.raise, errors.show

local WINDOW_BYTES = 2 ^ 26 -- where nobody says how large the window is
local CHUNKS = 32 -- in a window, likewise
local MATRIX = cores.float32.matrix(1, 1) -- by which methods of matrices are known

---What a file, or anything else, must say of samples that are kept in it
---@class SampleSource
---@field rows integer
---@field cols integer   samples
---@field dtype string   of the window: one in which the samples have room
---@field is_finite boolean?  none of them is NaN or infinite
---@field select? fun(self: SampleSource, rows: integer[]): SampleSource  with some of the rows,
---ascending
---@field fill fun(self: SampleSource, M: Matrix, first: integer): true?, string?  set all columns
---of M to the samples from `first` on; or nil and a message

---@class Stored
---@field rows integer
---@field cols integer    samples
---@field dtype string
---@field chunk integer   samples that are read at once
---@field slots integer   chunks that are kept
---@field is_finite boolean  none of the samples is NaN or infinite, as is known without a look
local Stored = {}

local function is_of_matrices(key)
  return pcall(function() return MATRIX[key] end)
end

local function refuse(self, method)
  raise("%s: the %d samples stay in a file, and are no matrix as a whole (dataset:chunks \"X\" "
    .. "gives them all in turn; dataset:take(list) makes a part, whose X is one where the window "
    .. "has room)", show(method), rawget(self, "cols"))
end

-- Who takes it for a matrix is told what to ask instead.
function Stored.__index(self, key)
  local method = Stored[key]
  if method == nil and is_of_matrices(key) then refuse(self, key) end
  return method
end

---@param source SampleSource
---@param chunk integer   samples that are read at once
---@param slots integer   chunks that are kept in memory
---@return Stored
function Stored.new(source, chunk, slots)
  local core = cores.named(source.dtype)
  local self = setmetatable({
    source = source, rows = source.rows, cols = source.cols, dtype = source.dtype, core = core,
    is_finite = source.is_finite or false, chunk = chunk, slots = slots,
    window = false,    -- until the first chunk is read
    chunk_in = {},     -- of each slot, 0 for none
    slot_of = {},      -- of each chunk that is kept
    next_slot = 1,     -- the one whose chunk was read first
    places = {},       -- columns of the window: of `take`
  }, Stored)
  for slot = 1, slots do self.chunk_in[slot] = 0 end
  return self
end

local declared = { window = { "count", optional = true }, chunk = { "count", optional = true } }

---The options that say how many samples are in memory, and how many are read at once.
Stored.options = declared

---How many samples are read at once, and how many such chunks are kept.
---@param rows integer
---@param cols integer
---@param dtype string
---@param options { window: integer?, chunk: integer? }  samples in memory, default: 64 MiB of them;
---samples that are read at once, default: a 32nd of these
---@return integer chunk
---@return integer slots
function Stored.sizes(rows, cols, dtype, options)
  local width = dtype == "float32" and 4 or 8
  local window = math.min(options.window or math.max(1, WINDOW_BYTES // (width * rows)), cols)
  local chunk = math.min(options.chunk or math.max(1, window // CHUNKS), cols)
  local most = cores.MOST_ELEMENTS // rows
  if chunk > window then
    raise("chunk: at most the window's %d samples expected, got %d", window, chunk)
  elseif window > most then
    raise("window: at most %d samples of %d rows expected, got %d", most, rows, window)
  end
  return chunk, (window + chunk - 1) // chunk
end

---Whether `value` is such samples.
---@param value any
---@return boolean
function Stored.is_stored(value)
  return getmetatable(value) == Stored
end

-- Read a chunk in place of the one that was read first, and give its slot.
local function load_chunk(self, chunk)
  local slot = self.next_slot
  local old = self.chunk_in[slot]
  self.chunk_in[slot] = 0
  self.slot_of[old] = nil
  local first = (chunk - 1) * self.chunk + 1
  local count = math.min(self.chunk, self.cols - first + 1)
  local start = (slot - 1) * self.chunk + 1
  self.window = self.window or self.core.matrix(self.rows, self.chunk * self.slots)
  local ok, message = self.source:fill(self.window:columns(start, start + count - 1), first)
  if not ok then raise("%s", message) end
  self.chunk_in[slot], self.slot_of[chunk] = chunk, slot
  self.next_slot = slot % self.slots + 1
  return slot
end

-- Columns first..last of X from the window
local function gather(self, X, first, last)
  if first > last then return end
  local part = last - first + 1 < X.cols and X:columns(first, last) or X
  cores.of(X).gather(part, self.window, self.places, first)
end

---As gather, without checks: for the library's own loops. Raises, with a message that begins with
---the path, where the file cannot be read any more.
---@param X Matrix
---@param indices integer[]?  nil for all, in order
---@param first? integer
---@return Matrix X
function Stored:take(X, indices, first)
  first = first or 1
  local chunk, slot_of, places, done = self.chunk, self.slot_of, self.places, 0
  for j = 1, X.cols do
    local n = first + j - 1
    if indices then n = indices[n] end
    local wanted = (n - 1) // chunk + 1
    local slot = slot_of[wanted]
    if not slot then
      gather(self, X, done + 1, j - 1) -- before the chunk they are in may be replaced
      done, slot = j - 1, load_chunk(self, wanted)
    end
    places[j] = (slot - 1) * chunk + (n - 1) % chunk + 1
  end
  gather(self, X, done + 1, X.cols)
  return X
end

---Column j of X = sample indices[first + j - 1].
---@param X Matrix            rows x any, of either type, stored by columns
---@param indices integer[]   samples, from 1 to cols
---@param first? integer      default 1
---@return Matrix X
function Stored:gather(X, indices, first)
  if not cores.is_matrix(X) or X.rows ~= self.rows or X.order ~= "columns" then
    raise("X: a matrix of %d rows, stored by columns, expected, got %s", self.rows, show(X))
  end
  return self:take(X, indices, check_indices(indices, first, X.cols, self.cols))
end

---Samples first..last as a new matrix.
---@param first integer
---@param last integer
---@param dtype? "float32"|"float64"  default: that of the window
---@return Matrix                     rows x (last - first + 1)
function Stored:columns(first, last, dtype)
  local core = cores.named(dtype or self.dtype)
  local from, to = fields.whole(first), fields.whole(last)
  if not from or not to or from < 1 or to < from or to > self.cols then
    raise("samples within 1 to %d expected, got %s to %s", self.cols, show(first), show(last))
  end
  return self:take(core.matrix(self.rows, to - from + 1), nil, from)
end

-- Some of the rows, as a source
local function selected(self, rows, method)
  if not self.source.select then refuse(self, method) end
  return self.source:select(rows)
end

---Some of the rows of samples that are rows of a text.
---@param rows integer[]  ascending
---@return Stored
function Stored:select_rows(rows)
  return Stored.new(selected(self, rows, "select_rows"), self.chunk, self.slots)
end

---One row of all samples, in memory, likewise.
---@param i integer
---@return Matrix    1 x cols
function Stored:row(i)
  local source, M = selected(self, { i }, "row"), self.core.matrix(1, self.cols)
  for first = 1, self.cols, self.chunk do
    local last = math.min(first + self.chunk - 1, self.cols)
    local ok, message = source:fill(M:columns(first, last), first)
    if not ok then raise("%s", message) end
  end
  return M
end

---The samples that `indices` names, as a matrix of their own. Raises where they are more than the
---window: what is kept in a file has no room elsewhere.
---@param indices integer[]  samples, from 1 to cols
---@return Matrix
function Stored:choose(indices)
  local _, count = check_indices(indices, 1, nil, self.cols)
  if count > self.chunk * self.slots then
    raise("%d samples of those in a file have no room in memory, which the window of %d says "
      .. "(dataset:chunks goes over them)", count, self.chunk * self.slots)
  end
  return self:take(self.core.matrix(self.rows, count), indices)
end

return Stored
