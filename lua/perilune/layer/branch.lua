-- Parts side by side on the same input. Their outputs are summed, or concatenated: the rows of the
-- first part come first.

local Buffer = require "perilune.buffer"
local class = require "perilune.layer.class"
local errors = require "perilune.errors"
local list = require "perilune.layer.list"

---@class Branch
---@field parts table[]   layers
local Branch = class("branch", {
  parts = { "table" },
  join = { "choice", choices = { "concatenate", "sum" }, default = "concatenate" },
})

local function total_size(parts, join)
  local total, first = 0, parts[1].output.size
  for k, part in ipairs(parts) do
    local size = part.output.size
    total = total + size
    if join == "sum" and size ~= first then
      errors.raise("part %d has %d outputs and part 1 has %d: a sum needs as many of "
        .. "each", k, size, first)
    end
  end
  return join == "sum" and first or total
end

---@param options { parts: any[], join: string }
---@param context LayerContext
---@return Branch
function Branch.new(options, context)
  list.check(options.parts, "part")
  local core, input, parts, slices = context.core, context.input, {}, {}
  for k, description in ipairs(options.parts) do
    parts[k] = context.make(description, input, tostring(k))
    slices[k] = Buffer.new(core, parts[k].output.size)
  end
  local size = total_size(parts, options.join)
  return Branch.create {
    core = core, context = context, parts = parts, join = options.join,
    output = { size = size }, slices = slices, activations = Buffer.new(core, size),
    predictions = Buffer.new(core, size), below = Buffer.new(core, input.size),
  }
end

local function join(self, A, method, A_below)
  local row = 1
  for k, part in ipairs(self.parts) do
    local inner = part[method](part, A_below)
    if self.join == "concatenate" then
      self.core.put_rows(A, row, inner)
      row = row + inner.rows
    elseif k == 1 then
      A:assign(inner)
    else
      self.core.add(A, A, inner)
    end
  end
  return A
end

---@param A_below Matrix  S_(l-1) x N
---@return Matrix         S_l x N; valid until the next forward
function Branch:forward(A_below)
  self.A = join(self, self.activations:columns(A_below.cols), "forward", A_below)
  return self.A
end

---@param A_below Matrix  S_(l-1) x N
---@return Matrix         S_l x N; valid until the next predict
function Branch:predict(A_below)
  return join(self, self.predictions:columns(A_below.cols), "predict", A_below)
end

---Each part gets its rows of Delta, or all of it; Delta_below is the sum of theirs.
---@param Delta Matrix           S_l x N
---@param wants_below boolean?
---@return Matrix? Delta_below   S_(l-1) x N; valid until the next backward
function Branch:backward(Delta, wants_below)
  self.Delta = Delta
  local N, row = Delta.cols, 1
  local below = wants_below and self.below:columns(N) or nil
  for k, part in ipairs(self.parts) do
    local own = Delta
    if self.join == "concatenate" then
      own = self.core.take_rows(self.slices[k]:columns(N), Delta, row)
      row = row + own.rows
    end
    local inner = part:backward(own, wants_below)
    if below and k == 1 then
      below:assign(inner)
    elseif below then
      self.core.add(below, below, inner)
    end
  end
  return below
end

---@return table
function Branch:describe()
  local parts = {}
  for k, part in ipairs(self.parts) do parts[k] = self.context.describe(part) end
  return { "branch", parts = parts, join = self.join }
end

function Branch:__tostring()
  return ("branch of %s, %s"):format(list.count(self.parts, "part"),
    self.join == "sum" and "summed" or "concatenated")
end

return Branch
