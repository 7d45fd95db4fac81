-- Memory for one quantity, rows x N for whatever N comes: allocated for the largest N
-- seen, so that a training loop in its stride allocates nothing.

local Buffer = {}
Buffer.__index = Buffer

local MOST_VIEWS = 16 -- more batch sizes than this in turn, and views are made anew

---@param core Core
---@param rows integer
function Buffer.new(core, rows)
  return setmetatable({
    core = core, rows = rows, capacity = 0, views = {}, count = 0,
  }, Buffer)
end

---A rows x N matrix, its elements left over from earlier use. Shares memory with all that this
---buffer gave for an N not larger.
---@param N integer
---@return Matrix
function Buffer:columns(N)
  local view = self.views[N]
  if view then return view end
  if N > self.capacity then
    self.whole = self.core.matrix(self.rows, N)
    self.capacity = N
  end
  if N == self.capacity or self.count == MOST_VIEWS then
    self.views = { [self.capacity] = self.whole }
    self.count = 1
  end
  if N < self.capacity then
    self.views[N] = self.whole:columns(1, N)
    self.count = self.count + 1
  end
  return self.views[N]
end

return Buffer
