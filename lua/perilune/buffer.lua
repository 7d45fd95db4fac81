-- Memory for one quantity, rows x N for whatever N comes: allocated for the largest N
-- seen, so that a training loop in its stride allocates nothing.

local cores = require "perilune.cores"
local errors = require "perilune.errors"
local fields = require "perilune.fields"

local Buffer = {}
Buffer.__index = Buffer

local MOST_VIEWS = 16 -- more batch sizes than this in turn, and views are made anew

---@param core Core
---@param rows integer
---@return Buffer
function Buffer.new(core, rows)
  errors.check(cores.is_core(core), "core: pl.float32 or pl.float64 expected, got %s",
    errors.show(core))
  rows = fields.value("rows", rows, { "count" })
  return setmetatable({
    core = core, rows = rows, capacity = 0, whole = false, views = {}, count = 0,
  }, Buffer)
end

-- Begin anew with the views of `whole`. The table comes first: where there is no memory for it, all
-- stays.
local function begin(self, whole, capacity)
  local views = { [capacity] = whole }
  self.whole, self.capacity, self.views, self.count = whole, capacity, views, 1
end

---A rows x N matrix, its elements left over from earlier use. Shares memory with all that this
---buffer gave for an N not larger.
---@param N integer
---@return Matrix
function Buffer:columns(N)
  local view = self.views[N]
  if view then return view end
  N = fields.value("N", N, { "count" })
  local most = cores.MOST_ELEMENTS // self.rows
  errors.check(N <= most, "N: at most %d columns of %d rows expected, got %d", most, self.rows, N)
  if N > self.capacity then
    view = self.core.matrix(self.rows, N)
    begin(self, view, N)
  else
    view = self.whole:columns(1, N)
    if self.count == MOST_VIEWS then begin(self, self.whole, self.capacity) end
    self.views[N] = view
    self.count = self.count + 1
  end
  return view
end

return Buffer
