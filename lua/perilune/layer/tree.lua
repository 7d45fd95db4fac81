-- The tree of layers that descriptions describe. A layer is whatever keeps this contract; a class
-- of them is made known by its name, in the option `layers` of pl.network and pl.load.
--
--   Class.new(options, context) --> layer
--       options: the description without its name, checked and completed where the class declares
--       `fields`, else as it was given; context: see LayerContext
--   layer.output
--       { size = S_l }
--   layer:declare() --> list                  only of a layer with tensors
--       of { name = "W", role = "parameter" or "state", rows =, cols =, order = "columns" or
--       "rows", first = function(M, generator), decays = boolean }. `first` sets the first values,
--       by default zeros; weight decay leaves a parameter alone where `decays` is false
--   layer:bind(tensors)
--       keep tensors.W.value, .gradient, .adds, .frozen (see below); without this method the layer
--       gets them as its field `tensors`
--   layer:forward(A_below) --> A
--       S_(l-1) x N to S_l x N, for training; keeps what backward needs; A is valid until the next
--       forward
--   layer:predict(A_below) --> A
--       the same for inference; leaves what forward kept as it is
--   layer:backward(Delta, wants_below) --> Delta_below or nil
--       sets the gradients of its parameters; S_l x N to S_(l-1) x N, but only where Delta_below is
--       wanted; does not change Delta
--   layer:describe() --> description
--       from which it can be made again; without this method it is what the layer was made from
--   layer:state() --> state, layer:restore(state)
--       only of a layer that remembers more than its tensors, which prediction does not need: a
--       model file holds tensors alone. restore checks all of the state before it changes anything
--
-- `Class.is_transparent = true` says that what such a layer gives in training is, but for what it
-- draws, what it is given: as the last one it leaves the network's outputs those of the layer
-- below, which is asked what they can be.
--
-- `Class.takes_missing = true` says that NaN in A_below is a cell that is missing: where it is the
-- first layer, the network may be trained on such samples.
--
-- Where a forward raises, the network puts back what it has moved by then: the place of the
-- generator, tensors that are state, and what layers give by state().
--
-- Matrices that layers hand to each other are stored by columns, and may be handed on as they are:
-- A may be A_below, and Delta_below may be Delta. What a layer of the user's own gives, and what it
-- hands to the layers within it, is looked at each time.
--
-- A gradient is set, or where tensors.W.adds is true added to: such is a tensor that several layers
-- share. A class that heeds this, as tensors.W:receive(gradient) does, says so by `Class.adds =
-- true`; others cannot be shared. Where tensors.W.frozen is true the layer leaves the tensor as it
-- is: no gradient need be computed, and none is used.

local errors = require "perilune.errors"
local fields = require "perilune.fields"
local kinds = require "perilune.layer"
local registry = require "perilune.registry"
local watch = require "perilune.layer.watch"

---@class LayerContext
---@field core Core
---@field generator Generator   for whatever the layer draws at random
---@field input { size: integer }   of A_below: size is S_(l-1)
---@field name string           the path of the layer, "3.body.1"
---@field make fun(description: any, input: { size: integer }, name: string): table   a layer within
---this one
---@field describe fun(layer: table): table   the description of a layer made so
---@field trains fun(layer: table): boolean   whether a layer made so has parameters to train; from
---bind on

---@class LayerNode
---@field path string        "3.body.1"; "" of the root
---@field kind string        the name of its class
---@field class table
---@field layer table
---@field children LayerNode[]
---@field given table        the options that it was made from
---@field own_frozen boolean  it was described as frozen
---@field frozen boolean     it is, by itself or with a layer around it
---@field own_shared string?  it was described so
---@field shared string?     key of the tensors that it shares, by itself or with a layer around it
---@field trains boolean     it, or a layer within it, has parameters to train
---@field draws boolean      its forward may draw from the generator

local raise, show = errors.raise, errors.show

local DEEPEST = 100 -- layers within layers

local tree = {}

-- A table of a user's own that is a part, such as an activation, has functions or a metatable.
local function is_data(value)
  if type(value) ~= "table" or getmetatable(value) ~= nil then return false end
  local first = type(value[1])
  local is_description = first == "string" or first == "table" -- or a list of them
  if is_description then return true end
  for _, member in pairs(value) do
    if type(member) == "function" then return false end
  end
  return true
end

---A description of one's own: what is done later with the tables that it was copied from changes
---nothing here. Parts that are values of the user's own stay what they are.
---@param description any
---@param depth? integer  how many tables it lies in
---@return any
function tree.copy(description, depth)
  if not is_data(description) then return description end
  depth = depth or 0
  if depth > DEEPEST then
    raise("layers within layers at most %d deep expected", DEEPEST)
  end
  local copy = {}
  for key, value in pairs(description) do copy[key] = tree.copy(value, depth + 1) end
  return copy
end

-- A list of layers is a chain.
local function as_chain(description)
  if type(description) ~= "table" or type(description[1]) ~= "table" then
    return description
  end
  return { "chain", layers = description }
end

local function class_named(name, own)
  local class = kinds.kinds[name] or own[name]
  if class == nil then
    raise("unknown kind of layer '%s' (known: %s)", name, kinds:names(own))
  elseif type(class) ~= "table" or type(class.new) ~= "function" then
    raise("layers: '%s': a class with a function new(options, context) expected, got %s",
      name, show(class))
  elseif class.fields ~= nil then
    fields.check_declared(class.fields)
  end
  return class
end

-- The class that a description names, with the options for it, checked, and those of every layer
local function read(description, own)
  local name, given = registry.name_of(as_chain(description))
  if not name then
    raise("a layer expected, such as pl.dense(10) or { \"dense\", outputs = 10 }, got %s",
      show(description))
  end
  local class = class_named(name, own.layer)
  local declares, everywhere = class.fields ~= nil, { frozen = given.frozen, shared = given.shared }
  local options = fields.check(kinds.with_common(class.fields or {}),
    declares and given or everywhere, name, own)
  everywhere = { frozen = options.frozen, shared = options.shared }
  given.frozen, given.shared, options.frozen, options.shared = nil, nil, nil, nil
  if not declares then options = tree.copy(given) end
  return { class = class, kind = name, given = given }, options, everywhere
end

local required = { "forward", "predict", "backward" }
local optional = { "declare", "bind", "describe", "state", "restore" }

local function check_layer(layer)
  if type(layer) ~= "table" then
    raise("its class's new must return a layer, got %s", show(layer))
  end
  for _, method in ipairs(required) do
    if type(layer[method]) ~= "function" then
      raise("its class has no method %s", method)
    end
  end
  registry.check_methods(layer, optional)
  local size = layer.output
  local is_table = type(size) == "table"
  if is_table then size = size.size end
  if not is_table or not fields.whole(size) or size < 1 then
    raise("its field output = { size = S_l } must say how many outputs it has, got %s",
      show(size))
  end
end

local function check_inner(node, input, name)
  if type(input) ~= "table" or not fields.whole(input.size) then
    raise("context.make: input: { size = S } expected, got %s", show(input))
  elseif type(name) ~= "string" or not name:find("^[%w_]+$") then
    raise("context.make: a name of letters, digits and _ expected, got %s", show(name))
  elseif node.names[name] then
    raise("context.make: two layers within it are named '%s'", name)
  end
end

-- f(...); what is wrong in a layer raises with its path, which is told once: not again by those
-- around it.
local function told_with_path(self, path, f, ...)
  local ok, result, is_message = errors.catch(f, ...)
  if ok then return result end
  if not is_message then error(result, 0) end
  if result ~= self.told then
    self.told = path == "" and result or ("layer %s: %s"):format(path, result)
  end
  raise(self.told)
end

local make

local function build(self, parent, path, description, input, name)
  local node, options, everywhere = read(description, self.own)
  node.tree, node.path, node.trains = self, path, false
  node.draws = kinds.kinds[node.kind] == nil -- one of the user's own may do it in any way
  node.children, node.names, node.of = {}, {}, {}
  node.own_frozen, node.own_shared = everywhere.frozen, everywhere.shared
  node.frozen = everywhere.frozen or parent ~= nil and parent.frozen
  -- What lies within a layer is shared with what lies at the same place within the other.
  local shares_with_parent = parent and parent.shared and parent.shared .. "." .. name
  node.shared = everywhere.shared or shares_with_parent
  local context = setmetatable({ core = self.core, input = input, name = path }, {
    __index = function(_, key)
      if key ~= "generator" then return nil end
      node.draws = true
      return self.generator
    end,
  })
  function context.make(inner, inner_input, inner_name)
    check_inner(node, inner_input, inner_name)
    local child = make(self, node, inner, inner_input, inner_name)
    node.children[#node.children + 1], node.of[child.layer] = child, child
    node.names[inner_name] = true
    return child.layer
  end
  function context.describe(layer)
    return tree.describe(node.of[layer])
  end
  function context.trains(layer)
    return node.of[layer].trains
  end
  node.layer = node.class.new(options, context)
  check_layer(node.layer)
  if not kinds.kinds[node.kind] then watch.results(node.layer, context) end
  if parent and not kinds.kinds[parent.kind] then watch.arguments(node.layer, context) end
  return node
end

function make(self, parent, description, input, name)
  local path = parent and parent.path ~= "" and parent.path .. "." .. name or name
  return told_with_path(self, path, build, self, parent, path, description, input, name)
end

local function list_nodes(node, nodes)
  nodes[#nodes + 1] = node
  for _, child in ipairs(node.children) do list_nodes(child, nodes) end
  return nodes
end

---The tree of layers for context.input inputs.
---@param description any   of the root: a list of layers
---@param context { core: Core, generator: Generator, input: { size: integer }, own: table }
---@return LayerNode root, LayerNode[] nodes   all of them, each before those within it
function tree.new(description, context)
  local self = {
    core = context.core, generator = context.generator, own = context.own,
  }
  local root = make(self, nil, description, context.input, "")
  return root, list_nodes(root, {})
end

local function describe(node)
  local description = node.layer.describe and node.layer:describe()
  if description == nil then
    description = { node.kind }
    for name, value in pairs(node.given) do description[name] = value end
  end
  local name, options = registry.name_of(description)
  if name ~= node.kind then
    raise("describe must give { %s, ... }, got %s", show(node.kind),
      show(name or description))
  end
  if node.own_frozen or node.own_shared then
    description, options[1] = options, name
    options.frozen, options.shared = node.own_frozen or nil, node.own_shared
  end
  return tree.copy(description)
end

---The description of a layer in the tree: what it says itself, with the options that every layer
---has.
---@param node LayerNode
---@return string|table
function tree.describe(node)
  return told_with_path(node.tree, node.path, describe, node)
end

return tree
