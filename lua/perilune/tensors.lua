-- All parameters and all state of a tree of layers, by name: views of flat vectors, so that a norm,
-- a copy of the best weights, an optimiser's step are few calls. Parameters to train lie in theta,
-- their gradients likewise in dJ_dtheta; state in `moving`, frozen parameters in `fixed`.

local cores = require "perilune.cores"
local errors = require "perilune.errors"
local fields = require "perilune.fields"

local ALIGNMENT = 16 -- elements: tensors begin where the vectors of the processor do

local raise = errors.raise

---@class Tensor
---@field name string       "3.body.1.W"
---@field role "parameter"|"state"
---@field value Matrix
---@field gradient Matrix   of a parameter; of a frozen one a matrix that nothing reads
---@field adds boolean      backward adds to the gradient instead of setting it
---@field frozen boolean    the layer leaves it as it is; no gradient is needed
---@field decays boolean    weight decay applies
local Tensor = {}

function Tensor:__index(key)
  -- Made only for a class that computes the gradient of a frozen parameter in spite of it
  if key == "gradient" and self.frozen and self.role == "parameter" then
    self.gradient = self.value:copy(self.value.order)
    return self.gradient
  end
  return Tensor[key]
end

---Set the gradient to x, or add x to it where it is to be added to; for a frozen parameter do
---nothing.
---@param x Matrix
function Tensor:receive(x)
  if self.frozen then return end
  if self.core.sample_count(x, self.rows) ~= self.cols then
    raise("gradient of %s: a %d x %d matrix of %s expected, got %s", self.name,
      self.rows, self.cols, self.core.name, cores.show(x))
  end
  if self.adds then
    self.core.accumulate(self.gradient, 1, x)
  else
    self.gradient:assign(x)
  end
end

---@class Tensors
---@field theta Matrix?        all parameters to train, one after the other
---@field dJ_dtheta Matrix?    their gradients, likewise
---@field moving Matrix?       all state, likewise
---@field fixed Matrix?        all frozen parameters, likewise
---@field all Tensor[]         each once, in the order of the tree
---@field by_name table<string, Tensor>
---@field parameters Tensor[]  those to train
---@field shared Matrix[]      gradients that several layers add to
---@field size integer         how many numbers there are to train
local Tensors = {}
Tensors.__index = Tensors

local declared_fields = {
  name = { "string" },
  role = { "choice", choices = { "parameter", "state" } },
  rows = { "count" },
  cols = { "count" },
  order = { "choice", choices = { "columns", "rows" }, default = "columns" },
  first = { "function", optional = true },
  decays = { "boolean", default = true },
}

local function is_list(value)
  if type(value) ~= "table" then return false end
  local count = 0
  for _ in pairs(value) do count = count + 1 end
  return count == #value
end

local function check_declared(node, declared)
  local what = ("layer %s: declare"):format(node.path)
  if not is_list(declared) then
    raise("%s: a list of tensors expected, got %s", what, errors.show(declared))
  end
  local seen, list = {}, {}
  for k, given in ipairs(declared) do
    local tensor = fields.check(declared_fields, given, what)
    if not tensor.name:find("^[%w_]+$") then
      raise("%s: a name of letters, digits and _ expected, got %s", what,
        errors.show(tensor.name))
    elseif seen[tensor.name] then
      raise("%s: two tensors are named '%s'", what, tensor.name)
    elseif tensor.rows > cores.MOST_ELEMENTS // tensor.cols then
      raise("%s: '%s' of at most %d elements expected, got %d x %d", what, tensor.name,
        cores.MOST_ELEMENTS, tensor.rows, tensor.cols)
    end
    seen[tensor.name], list[k] = true, tensor
  end
  return list
end

-- The entry that a shared tensor was first declared by, which must be alike
local function owner_of(self, entry)
  local node = entry.node
  if not node.shared then return nil end
  local key = node.shared .. "." .. entry.own_name
  local owner = self.owners[key]
  if not owner then
    self.owners[key] = entry
    return nil
  end
  for _, name in ipairs { "role", "rows", "cols", "order" } do
    if owner[name] ~= entry[name] then
      raise("layers %s and %s share '%s', but not its %s: %s and %s", owner.node.path,
        node.path, entry.own_name, name, owner[name], entry[name])
    end
  end
  if owner.frozen ~= entry.frozen then
    raise("layers %s and %s share '%s': freeze both or neither", owner.node.path,
      node.path, entry.own_name)
  end
  for _, sharer in ipairs { owner, entry } do
    if sharer.role == "parameter" and not sharer.node.class.adds then
      raise("layer %s cannot share its tensors: its class must add to gradients where "
        .. "tensors.%s.adds is true, and say so by adds = true", sharer.node.path,
        entry.own_name)
    end
  end
  return owner
end

-- The place of a tensor in its flat vector, which must not become too long for a matrix
local function place(self, entry)
  local room = entry.trains and "theta" or entry.role == "state" and "moving" or "fixed"
  entry.room = room
  local size, ends = entry.rows * entry.cols, self.ends
  entry.start = ends[room] + 1
  ends[room] = ends[room] + (size + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
  if ends[room] > cores.MOST_ELEMENTS then
    raise("layer %s: with '%s' of %d x %d the tensors have more than %d elements in all",
      entry.node.path, entry.own_name, entry.rows, entry.cols, cores.MOST_ELEMENTS)
  end
  if entry.trains then self.size = self.size + size end
end

-- What the layers declare, and where in the flat vectors each tensor will lie
local function collect(self, nodes)
  for _, node in ipairs(nodes) do
    local declared = node.layer.declare and node.layer:declare() or {}
    for _, entry in ipairs(check_declared(node, declared)) do
      entry.node, entry.own_name = node, entry.name
      entry.name = (node.path == "" and "" or node.path .. ".") .. entry.own_name
      entry.frozen = node.frozen
      entry.trains = entry.role == "parameter" and not entry.frozen
      entry.owner = owner_of(self, entry)
      self.entries[#self.entries + 1] = entry
      if entry.owner then
        entry.owner.is_shared, entry.is_shared = true, true
      else
        place(self, entry)
      end
    end
  end
end

---What the tensors of these layers are, before anything is allocated: their names, shapes and roles
---are in `entries`. `allocate` follows.
---@param core Core
---@param nodes LayerNode[]
---@return Tensors
function Tensors.new(core, nodes)
  local self = setmetatable({
    core = core, nodes = nodes, entries = {}, owners = {},
    ends = { theta = 0, moving = 0, fixed = 0 },
    all = {}, by_name = {}, parameters = {}, shared = {}, size = 0,
  }, Tensors)
  collect(self, nodes)
  return self
end

local function vector(core, size)
  return size > 0 and core.matrix(size, 1) or nil
end

local function tensor_of(self, entry)
  local values = self[entry.room]
  local tensor = setmetatable({
    core = self.core, name = entry.name, role = entry.role, frozen = entry.frozen,
    decays = entry.decays, start = entry.start, rows = entry.rows, cols = entry.cols,
    value = values:view(entry.start, entry.rows, entry.cols, entry.order),
  }, Tensor)
  if entry.trains then
    tensor.gradient = self.dJ_dtheta:view(entry.start, entry.rows, entry.cols,
      entry.order)
  end
  return tensor
end

local function is_trained(node)
  for _, child in ipairs(node.children) do
    if is_trained(child) then node.trains = true end
  end
  return node.trains
end

-- Tensors of each layer by their own names; shared ones in each layer that shares them
local function make(self)
  local of = {}
  for _, node in ipairs(self.nodes) do of[node] = {} end
  for _, entry in ipairs(self.entries) do
    local owner = entry.owner
    local tensor = owner and owner.tensor or tensor_of(self, entry)
    tensor.adds = entry.is_shared and entry.trains or false
    entry.tensor, of[entry.node][entry.own_name] = tensor, tensor
    if entry.trains then entry.node.trains = true end
    if not owner then
      self.all[#self.all + 1], self.by_name[entry.name] = tensor, tensor
      if entry.trains then self.parameters[#self.parameters + 1] = tensor end
    end
  end
  for _, tensor in ipairs(self.parameters) do
    if tensor.adds then self.shared[#self.shared + 1] = tensor.gradient end
  end
  return of
end

---Allocate the flat vectors, bind each layer's tensors to it, and set first values, unless
---`is_empty`.
---@param generator Generator
---@param is_empty? boolean  the values come from elsewhere
function Tensors:allocate(generator, is_empty)
  local core = self.core
  self.theta = vector(core, self.ends.theta)
  self.dJ_dtheta = vector(core, self.ends.theta)
  self.moving = vector(core, self.ends.moving)
  self.fixed = vector(core, self.ends.fixed)
  self.parameters.flat = self.theta and { value = self.theta, gradient = self.dJ_dtheta }
  local of = make(self)
  is_trained(self.nodes[1])
  for _, node in ipairs(self.nodes) do
    if node.layer.bind then
      node.layer:bind(of[node])
    else
      node.layer.tensors = of[node]
    end
  end
  for _, entry in ipairs(self.entries) do
    if not is_empty and entry.first and not entry.owner then
      entry.first(entry.tensor.value, generator)
    end
  end
end

---Copies of all tensors, by name.
---@return table<string, Matrix>
function Tensors:state()
  local state = {}
  for _, tensor in ipairs(self.all) do
    state[tensor.name] = tensor.value:copy(tensor.value.order)
  end
  return state
end

---Raise unless `state` has a matrix of the right shape and type for each tensor, and nothing else.
---@param state any
function Tensors:check(state)
  if type(state) ~= "table" then
    raise("tensors: a table of matrices by name expected, got %s", errors.show(state))
  end
  for _, tensor in ipairs(self.all) do
    local M, value = state[tensor.name], tensor.value
    if self.core.sample_count(M, value.rows) ~= value.cols then
      raise("tensor '%s': a %d x %d matrix of %s expected, got %s", tensor.name,
        value.rows, value.cols, self.core.name, cores.show(M))
    end
  end
  for name in pairs(state) do
    if not self.by_name[name] then
      raise("tensor %s is none of this network's", errors.show(name))
    end
  end
end

---Take the values that state() gave, having checked them all.
---@param state table<string, Matrix>
function Tensors:restore(state)
  self:check(state)
  for _, tensor in ipairs(self.all) do tensor.value:assign(state[tensor.name]) end
end

return Tensors
