-- The parameters of a list as one vector, for methods that look at all of them together: theta, its
-- gradient, and what a method keeps beside them. In a network theta is there already, the flat
-- vector; for other lists there are vectors that values and gradients are copied to and from.

local cores = require "perilune.cores"
local errors = require "perilune.errors"
local Plan = require "perilune.optimizer.plan"

local raise = errors.raise

---@class Method   a kind of optimiser that moves theta as a whole and evaluates as it goes
---@field name string
---@field fields table
---@field evaluates true|"jacobian"  what it needs: J and the gradients, or residuals too
---@field keeps fun(options: table): string[]        names of the vectors like theta that it keeps
---@field numbers fun(options: table): table<string, number>   what else it remembers, as it begins
---@field check_numbers (fun(numbers: table, options: table): boolean)?   whether these can be the
---numbers of a state
---@field work fun(core: Core, size: integer, options: table, kept: table): table   memory for a
---step, and what is kept in the form that it is needed in
---@field step fun(theta: Theta, options: table, rate: number?)   one step. It may raise at any
---place: then the values, the gradients, what is kept and the numbers go back

---@class Theta
---@field core Core
---@field entries Entry[]
---@field fixed table|false   the list of parameters where it is a network's own
---@field size integer
---@field count integer     how many of its elements are parameters' own
---@field x Matrix          theta, size x 1
---@field g Matrix          dJ/dtheta, of the last evaluation
---@field kept table<string, Matrix>     vectors like theta
---@field numbers table<string, number>
---@field work table
---@field places table<string, table>    what is kept for each parameter, by name
local Theta = {}
Theta.__index = Theta

-- The list is known, and what is kept is taken, as in a plan: the fields are the same.
Theta.is_of, Theta.take = Plan.is_of, Plan.take

local function check_types(name, entries)
  local first = entries[1]
  for k = 2, #entries do
    local dtype = entries[k].value.dtype
    if dtype ~= first.value.dtype then
      raise("%s: parameters of one type expected, '%s' is of %s and '%s' of %s", name, first.name,
        first.value.dtype, entries[k].name, dtype)
    end
  end
end

-- Where each parameter begins in theta, how long theta is, and how many numbers are parameters':
-- there may be others between those of a network
local function starts_of(entries, flat)
  local starts, count = {}, 0
  for k, entry in ipairs(entries) do
    starts[k] = flat and entry.start or count + 1
    count = count + entry.value.rows * entry.value.cols
  end
  return starts, flat and flat.value.rows or count, count
end

-- Views of a vector, one for each parameter, from element `before` + its start
local function views_of(self, vector, before)
  local views = {}
  for k, value in ipairs(self.values) do
    views[k] = vector:view(before + self.starts[k], value.rows, value.cols, value.order)
  end
  return views
end

-- All that is kept lies in one matrix, a vector in each column, so that to put it back is one copy.
local function make_kept(self, keeps)
  local core, size = self.core, self.size
  self.kept = {}
  if #keeps == 0 then return end
  self.memory, self.memory_before = core.matrix(size, #keeps), core.matrix(size, #keeps)
  for j, key in ipairs(keeps) do
    self.kept[key] = self.memory:view((j - 1) * size + 1, size, 1)
    for k, view in ipairs(views_of(self, self.memory, (j - 1) * size)) do
      local name = self.entries[k].name
      self.places[name] = self.places[name] or {}
      self.places[name][key] = view
    end
  end
end

---@param parameters table  as Plan.read has read them
---@param entries Entry[]   one or more
---@param flat table?
---@param method Method
---@param options table
---@return Theta
function Theta.new(parameters, entries, flat, method, options)
  check_types(method.name, entries)
  local core = cores.of(entries[1].value)
  local self = setmetatable({
    core = core, name = method.name, entries = entries, places = {}, values = {}, gradients = {},
    fixed = flat and parameters or false, numbers = method.numbers(options),
    numbers_before = method.numbers(options), scalar = core.matrix(1, 1), compute = false,
    memory = false, memory_before = false,
  }, Theta)
  for k, entry in ipairs(entries) do
    self.values[k], self.gradients[k] = entry.value, entry.gradient
  end
  self.starts, self.size, self.count = starts_of(entries, flat)
  self.x = flat and flat.value or core.matrix(self.size, 1)
  self.g = flat and flat.gradient or core.matrix(self.size, 1)
  self.x_before, self.g_before = core.matrix(self.size, 1), core.matrix(self.size, 1)
  self.x_views = flat and {} or views_of(self, self.x, 0)
  self.g_views = flat and {} or views_of(self, self.g, 0)
  make_kept(self, method.keeps(options))
  self.work = method.work(core, self.size, options, self.kept)
  return self
end

local function gather(views, matrices)
  for k = 1, #views do views[k]:assign(matrices[k]) end
end

local function scatter(views, matrices)
  for k = 1, #views do matrices[k]:assign(views[k]) end
end

---A step begins: from here it can be taken back.
---@param evaluate function
function Theta:open(evaluate)
  gather(self.x_views, self.values)
  gather(self.g_views, self.gradients)
  self.compute = evaluate
  self.x_before:assign(self.x)
  self.g_before:assign(self.g)
  if self.memory then self.memory_before:assign(self.memory) end
  for name, x in pairs(self.numbers) do self.numbers_before[name] = x end
end

---The step has been made.
function Theta:close()
  scatter(self.x_views, self.values)
  scatter(self.g_views, self.gradients)
  self.compute = false
end

---All as it was when the step began.
function Theta:put_back()
  self.x:assign(self.x_before)
  self.g:assign(self.g_before)
  if self.memory then self.memory:assign(self.memory_before) end
  for name, x in pairs(self.numbers_before) do self.numbers[name] = x end
  self:close()
end

---J and its gradient, g, where theta is now. Raises where they are not finite.
---@param wants_jacobian? boolean
---@return number J
---@return any e  what evaluate gives besides, where it is asked for residuals and their gradients
---@return any G
function Theta:evaluate(wants_jacobian)
  scatter(self.x_views, self.values)
  local J, e, G = self.compute(wants_jacobian)
  gather(self.g_views, self.gradients)
  if type(J) ~= "number" then
    raise("%s: a number J expected from evaluate, got %s", self.name, errors.show(J))
  elseif J - J ~= 0 then
    raise("%s: J is %s at a point that a step came to", self.name, errors.show(J))
  elseif not self.g:is_finite() then
    raise("%s: the gradient is not finite at a point that a step came to", self.name)
  end
  return J, e, G
end

---@param a Matrix  size x 1
---@param b Matrix  size x 1
---@return number   a^t b
function Theta:dot(a, b)
  return self.core.product(self.scalar, a, b, "TN"):get(1, 1)
end

return Theta
