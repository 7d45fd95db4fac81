-- The owner of one tree of layers: forward, backward, prediction in chunks, tensors, state, files.

local Records = require "perilune.data.records"
local Snapshot = require "perilune.snapshot"
local Tensors = require "perilune.tensors"
local activation = require "perilune.activation"
local cores = require "perilune.cores"
local errors = require "perilune.errors"
local fields = require "perilune.fields"
local gives_field = require "perilune.gives"
local nonfinite = require "perilune.nonfinite"
local registry = require "perilune.registry"
local restore_all = require "perilune.restore_all"
local schema = require "perilune.data.schema"
local stands_in = require "perilune.data.stands_in"
local tree = require "perilune.layer.tree"

---@class Network
---@field layers table[]      layers 1..L
---@field inputs integer      S_0
---@field outputs integer     S_L
---@field classes string[]?   names of the classes
---@field gives string?       what the outputs are: "logits", "probabilities" or "values"; set by
---training
---@field targets string?     what targets say of a sample: "values", "one" class or "several"
---labels; set by training, where the loss says it
---@field schema table[]?    what inputs mean: of its layer `prepare` (perilune.data.schema)
---@field units Units?        its last layer, where that scales targets
---@field takes_missing boolean  NaN in X is a missing cell
---@field core Core
---@field dtype "float32"|"float64"
---@field generator Generator
---@field theta Matrix        all parameters to train, one after the other
---@field dJ_dtheta Matrix    their gradients, likewise
---@field before Snapshot|false  of before the last forward; false where a forward moves nothing
local Network = {}
Network.__index = Network

-- No matrix yet. No table, because a metatable of the user's might answer that it equals his.
local function NONE() end

local CHUNK = 1024 -- samples that predict takes at once: its memory does not grow with N

local raise, show = errors.raise, errors.show

local function copied(t)
  local copy = {}
  for key, value in pairs(t) do copy[key] = value end
  return copy
end

---Raise unless `value` is a network.
---@param value any
function Network.check(value)
  if getmetatable(value) ~= Network then raise("a network expected, got %s", show(value)) end
end

-- Raise where a method was called as net.forward(X), which passes X for the network and nothing for
-- X. Methods that are called in each step ask only where their argument is missing, which takes no
-- time.
local function check_self(self, method)
  if getmetatable(self) ~= Network then
    raise("a network expected before the colon of net:%s(...), got %s", method, show(self))
  end
end

---Raise unless these are names for the classes of a network with so many outputs.
---@param classes any
---@param outputs integer
function Network.check_classes(classes, outputs)
  fields.value("classes", classes, { "names" })
  local needed = outputs == 1 and 2 or outputs
  if #classes ~= needed then
    raise("classes: %d names expected for %d output%s, got %d", needed, outputs,
      outputs == 1 and "" or "s", #classes)
  end
end

local own_tables = { layers = "layer", activations = "activation",
  initializers = "initializer" }

local own_fields = {}
for option in pairs(own_tables) do own_fields[option] = { "table", default = {} } end

local option_fields = {
  dtype = { "choice", choices = { "float32", "float64" }, default = "float32" },
  seed = { "integer", default = 1 },
  generator = { "value", optional = true, test = cores.is_generator, expected = "a generator" },
  classes = { "names", optional = true },
  gives = gives_field,
  targets = { "choice", choices = { "values", "one", "several" }, optional = true },
  layers = own_fields.layers, activations = own_fields.activations,
  initializers = own_fields.initializers,
}

-- A user's own parts by family, checked not to take built-in names
local function own_parts(options)
  local own = {}
  for option, family in pairs(own_tables) do
    registry.families[family]:check_own(options[option])
    own[family] = options[option]
  end
  return own
end

-- The layers that X is given to, those of branches too
local function first_nodes(node, list)
  local children = node.children
  local count = node.kind == "branch" and #children or node.kind == "chain" and 1 or 0
  for k = 1, count do first_nodes(children[k], list) end
  if count == 0 then list[#list + 1] = node end
  return list
end

-- What X and T mean to the network's layers beyond numbers. Where columns are prepared in several
-- branches, each is known as it is used.
local function find_meanings(self)
  local last, columns = self.root.children[#self.root.children], nil
  self.takes_missing = true
  for _, node in ipairs(first_nodes(self.root, {})) do
    self.takes_missing = self.takes_missing and node.class.takes_missing == true
    if node.kind == "prepare" then
      columns = columns or {}
      for k, column in ipairs(node.layer.columns) do
        columns[k] = column.used and column or columns[k] or column
      end
    end
  end
  if columns then self.schema, self.records = schema.of(columns), Records.new(columns) end
  self.units = last.kind == "units" and last.layer or nil
  for _, node in ipairs(self.nodes) do
    if node.kind == "units" and node ~= last then
      raise("layer %s: units are the last layer of a network, and of no layer within it", node.path)
    end
  end
end

-- A network whose tensors are declared and not allocated. It keeps what it was made from, for
-- clones. `what` says whose options these are, for messages.
local function declared(inputs, layers, given, what)
  local options = fields.check(option_fields, given, what)
  inputs, layers = fields.value("inputs", inputs, { "count" }), tree.copy(layers)
  for option in pairs(own_tables) do options[option] = copied(options[option]) end
  local core = cores[options.dtype]
  local self = setmetatable({
    X = NONE, Delta = NONE, -- of the last forward and the last backward
    core = core, dtype = options.dtype, inputs = inputs, classes = options.classes,
    gives = options.gives, targets = options.targets,
    generator = options.generator or core.generator(options.seed),
    source = { layers = layers, options = options },
  }, Network)
  self.root, self.nodes = tree.new({ "chain", layers = layers }, {
    core = core, generator = self.generator, input = { size = inputs },
    own = own_parts(options),
  })
  self.layers = self.root.layer.layers
  self.outputs = self.root.layer.output.size
  find_meanings(self)
  if self.classes then Network.check_classes(self.classes, self.outputs) end
  self.held = Tensors.new(core, self.nodes)
  return self
end

-- Whether a forward changes more than what layers keep for backward
local function moves(self)
  if self.held.moving then return true end
  for _, node in ipairs(self.nodes) do
    if node.draws or node.layer.state then return true end
  end
  return false
end

local function allocate(self, is_empty)
  self.held:allocate(self.generator, is_empty)
  self.theta, self.dJ_dtheta = self.held.theta, self.held.dJ_dtheta
  self.shared = self.held.shared
  self.before = moves(self) and Snapshot.new(self)
  return self
end

---A network of S_0 = `inputs` inputs and the layers 1..L.
---    pl.network({ inputs = 784, pl.dense(128, "relu"), pl.dense(10) }, { seed = 1 })
---Options: dtype ("float32" or "float64"), seed (default 1) or generator, for the first weights and
---dropout; classes, the names of the classes; gives, what the outputs are ("logits",
---"probabilities" or "values"), and targets, what targets say of a sample ("values", "one" class,
---or "several" labels; training sets both); layers, activations and initializers, your own by name.
---@param descriptions table
---@param given? table
---@return Network
function Network.new(descriptions, given)
  if type(descriptions) ~= "table" then
    raise("a table of inputs and layers expected, got %s", show(descriptions))
  end
  local layers = copied(descriptions)
  layers.inputs = nil
  return allocate(declared(descriptions.inputs, layers, given, "pl.network"))
end

---The network that `describe` described, with the values that `find` finds: a function from the
---name, rows and cols of a tensor, called for all of them before anything is allocated, to a
---function that fills the tensor's matrix.
---@param description table  { inputs =, dtype =, layers = {...}, classes =, gives =, targets = }
---@param own { layers: table, activations: table, initializers: table }
---@param find fun(name: string, rows: integer, cols: integer): fun(M: Matrix)
---@return Network
function Network.from_description(description, own, find)
  local self = declared(description.inputs, description.layers, {
    dtype = description.dtype, classes = description.classes, gives = description.gives,
    targets = description.targets,
    layers = own.layers, activations = own.activations, initializers = own.initializers,
  }, "description")
  local sources = {}
  for _, entry in ipairs(self.held.entries) do
    if not entry.owner then
      sources[entry.name] = find(entry.name, entry.rows, entry.cols)
    end
  end
  allocate(self, true)
  for _, tensor in ipairs(self.held.all) do sources[tensor.name](tensor.value) end
  return self
end

---Plain data from which this network can be made again. Raises for a part that has no name, and for
---names of classes that were set to something else.
---@return table
function Network:describe()
  if self.classes then Network.check_classes(self.classes, self.outputs) end
  local root = tree.describe(self.root)
  return {
    inputs = self.inputs, dtype = self.dtype, layers = root.layers, gives = self.gives,
    targets = self.targets, classes = self.classes and copied(self.classes),
  }
end

---Another network with the same layers, values and state of its generator, sharing nothing with
---this one.
---@return Network
function Network:clone()
  local options = copied(self.source.options)
  options.generator = self.core.generator(1)
  options.classes, options.gives, options.targets = self.classes, self.gives, self.targets
  local clone = declared(self.inputs, self.source.layers, options, "clone")
  return allocate(clone, true):restore(self:state())
end

local function states_of_layers(self)
  local states = {}
  for _, node in ipairs(self.nodes) do
    if node.layer.state then states[node.path] = node.layer:state() end
  end
  return states
end

---All that the network remembers from batch to batch: copies of its tensors, the state of its
---generator, and of layers that keep more.
---@return { tensors: table<string, Matrix>, generator: string, layers: table<string, any> }
function Network:state()
  return {
    tensors = self.held:state(), generator = self.generator:state(),
    layers = states_of_layers(self),
  }
end

---Raise unless `state` is one of a network like this one.
---@param state any
function Network:check_state(state)
  if type(state) ~= "table" or type(state.layers) ~= "table" then
    raise("state of a network expected, as state() gives it, got %s", show(state))
  end
  self.held:check(state.tensors)
  cores.check_generator_state(state.generator)
  local paths = {}
  for _, node in ipairs(self.nodes) do
    if node.layer.state then
      paths[node.path] = true
      if state.layers[node.path] == nil then
        raise("state of layer %s is missing", node.path)
      end
    end
  end
  for path in pairs(state.layers) do
    if not paths[path] then raise("state of a layer %s, which keeps none", show(path)) end
  end
end

---Continue from what state() gave. Raises for the state of another network, and changes nothing
---then.
---@param state table
---@return Network self
function Network:restore(state)
  self:check_state(state)
  local layers = {}
  for _, node in ipairs(self.nodes) do
    if node.layer.state then
      layers[#layers + 1] = { part = node.layer, state = state.layers[node.path] }
    end
  end
  restore_all(layers)
  self.held:restore(state.tensors)
  self.generator:restore(state.generator)
  return self
end

-- How many samples of S_0 inputs X holds, and whether it is a matrix; else bytes
local function check_samples(self, X)
  local N = self.core.sample_count(X, self.inputs)
  if N then return N, true end
  local is_matrix = cores.is_matrix(X)
  if not is_matrix and not stands_in(X) then
    local shown = show(X)
    raise("X: samples of %d inputs expected, got %s%s", self.inputs, shown,
      shown == "a dataset" and " (dataset.X are its samples)" or "")
  elseif X.rows ~= self.inputs then
    raise("X has %d rows but the network has %d inputs", X.rows, self.inputs)
  elseif is_matrix then
    raise("X: a matrix of %s expected, got one of %s (X:to(%q) converts)", self.dtype,
      X.dtype, self.dtype)
  end
  return X.cols, false
end

-- X as forward takes it. What a matrix is never changes, so that one that was fine need not be
-- looked at again.
local function accept_X(self, X)
  local _, is_matrix = check_samples(self, X)
  if not is_matrix then
    raise("X: a matrix expected, got bytes (X:columns(first, last) makes one)")
  end
  if X.order == "rows" then return X:copy() end
  self.X = X
  return X
end

---A^(L) of the samples X, keeping in the layers what backward needs. Where a layer raises, state
---and the generator are as they were.
---@param X Matrix  S_0 x N; must not change before backward
---@return Matrix   S_L x N; valid until the next forward
function Network:forward(X)
  if X == nil then check_self(self, "forward") end
  if X ~= self.X then X = accept_X(self, X) end
  self.A = nil -- where a layer raises there is nothing to go backward from
  local _ <close> = self.before and self.before:take()
  self.A = self.root.layer:forward(X)
  return self.A
end

-- Delta as backward takes it, for the A of the last forward
local function accept_Delta(self, Delta)
  local A = self.A
  if not A then raise("backward needs a forward before it") end
  if self.core.sample_count(Delta, self.outputs) ~= A.cols then
    raise("Delta: a %d x %d matrix of %s expected, got %s", self.outputs, A.cols,
      self.dtype, cores.show(Delta))
  end
  if Delta.order == "rows" then return Delta:copy() end
  self.Delta, self.A_of_Delta = Delta, A
  return Delta
end

---The gradients of all parameters from Delta^(L) = dJ/dA^(L), by (4.1) and (4.2).
---@param Delta Matrix        S_L x N
---@param wants_below? boolean  also compute Delta^(0), which training does not need
---@return Matrix?            Delta^(0), S_0 x N, when asked for; valid until the next backward
function Network:backward(Delta, wants_below)
  if Delta == nil then check_self(self, "backward") end
  if Delta ~= self.Delta or self.A ~= self.A_of_Delta then
    Delta = accept_Delta(self, Delta)
  end
  local shared = self.shared
  for k = 1, #shared do shared[k]:fill(0) end
  return self.root.layer:backward(Delta, wants_below)
end

-- X itself; or of what has names, a record, a list of records or a table of columns, the samples by
-- the names of the schema. Bytes are tables, too.
local function by_names(self, X)
  local records = self.records
  if not records or type(X) ~= "table" or stands_in(X) then return X end
  if getmetatable(X) == nil then return records:samples(self.core, X) end
  if type(X.like) ~= "function" then return X end
  local found, message = X:like(self.schema)
  if not found then raise("%s", message) end
  if cores.is_matrix(found) and found.dtype ~= self.dtype then return found:to(self.dtype) end
  return found
end

-- Prediction by the layers up to `last`
local function predict(self, X, result, last)
  X = by_names(self, X)
  local N, is_matrix = check_samples(self, X)
  local layer = self.root.layer
  if result == nil then
    result = self.core.matrix(self.outputs, N)
  elseif self.core.sample_count(result, self.outputs) ~= N then
    raise("result: a %d x %d matrix of %s expected, got %s", self.outputs, N, self.dtype,
      cores.show(result))
  elseif is_matrix and result ~= X and self.core.shares_memory(result, X) then
    raise("result: X itself or a matrix expected that shares no memory with it")
  end
  if is_matrix and X.order == "rows" then X = X:copy() end
  if N <= CHUNK and is_matrix then return result:assign(layer:predict(X, last)) end
  if result.order == "rows" then return result:assign(predict(self, X, nil, last)) end
  for from = 1, N, CHUNK do
    local to = math.min(from + CHUNK - 1, N)
    local samples = X:columns(from, to, not is_matrix and self.dtype or nil)
    result:columns(from, to):assign(layer:predict(samples, last))
  end
  return result
end

---A^(L) of the samples X, for inference: what forward left for backward stays as it is, dropout
---does nothing, and the memory used does not grow with N, but for the result (and a copy of X or of
---the result where that is stored by rows). Where the last layer is `units`, in the units of the
---targets. A network whose first layer is `prepare` also takes a record, a list of records, or a
---table of columns, by the names of its schema:
---    net:predict { age = 41, job = "nurse", income = false }   -- false: it is missing
---@param X Matrix|Bytes|table  S_0 x N
---@param result? Matrix    S_L x N, allocated when absent; may be X
---@return Matrix           S_L x N
function Network:predict(X, result)
  if X == nil then check_self(self, "predict") end
  return predict(self, X, result)
end

---As predict, but where the last layer is `units` without it: scaled numbers, as losses take them.
---@param X Matrix|Bytes|table  S_0 x N
---@param result? Matrix    S_L x N
---@return Matrix           S_L x N
function Network:predict_scaled(X, result)
  if X == nil then check_self(self, "predict_scaled") end
  return predict(self, X, result, self.units and #self.layers - 1 or nil)
end

-- The rows of the largest elements, or of one output whether it says the second class
local function single_classes(self, P)
  local found, names = {}, self.classes
  local best = self.outputs > 1 and P:argmax() or nil
  for n = 1, P.cols do
    local label = best and math.tointeger(best:get(1, n)) or (P:get(1, n) >= 0.5 and 2 or 1)
    found[n] = names and names[label] or label
  end
  return found
end

-- The rows of all elements from 1/2 on
local function several_labels(self, P)
  local found, names = {}, self.classes
  for n = 1, P.cols do
    local labels = {}
    for i = 1, P.rows do
      if P:get(i, n) >= 0.5 then labels[#labels + 1] = names and names[i] or i end
    end
    found[n] = labels
  end
  return found
end

---The class of each sample: names where the network has names for its classes, else labels counted
---from 1. Where the targets of a network of several outputs are "several" labels, it is a list for
---each sample: of all whose probability is 1/2 or more, in order; it may be empty. Raises where the
---network gives NaN.
---@param X Matrix|Bytes|table  S_0 x N, or what predict takes by name
---@return (string|integer)[]|(string|integer)[][] classes   N of them
---@return Matrix probabilities   S_L x N: of classes, or each of a label by itself; of one output
---for two classes 1 x N, that of the second
function Network:classify(X)
  check_self(self, "classify")
  local gives, names = self.gives, self.classes
  if not gives then
    raise("what the outputs are is not known: train the network with fit, or say "
      .. "gives = \"logits\" or \"probabilities\" when it is made")
  end
  if names then Network.check_classes(names, self.outputs) end
  local are_several = self.targets == "several" and self.outputs > 1
  X = by_names(self, X)
  local P = self:predict(X)
  if gives == "logits" then
    local is_each = self.outputs == 1 or are_several
    activation:resolve(is_each and "sigmoid" or "softmax").forward(P, P)
  elseif gives == "log_probabilities" then
    self.core.exp(P, P)
  end
  nonfinite.check_outputs(self, X, P)
  local read = are_several and several_labels or single_classes
  return read(self, P), P
end

---The parameters to train, by name, each with its gradient: what an optimiser steps over.
---@return Tensor[]
function Network:parameters()
  if self == nil then check_self(self, "parameters") end
  return self.held.parameters
end

---All tensors by name: parameters, frozen ones too, and state.
---@return Tensor[]
function Network:tensors()
  return self.held.all
end

---@return integer  how many numbers training adjusts
function Network:parameter_count()
  return self.held.size
end

---Write the network to a safetensors file, atomically. Raises where a parameter or a state is not
---finite: the file before, which may be the better one, stays.
---@param path string
---@return true?, string?  nil and a message on failure
function Network:save(path)
  check_self(self, "save")
  local wrong = nonfinite.in_tensors(self.held)
  if wrong then raise("the network cannot be saved: %s", wrong) end
  return require("perilune.store.model").save(self, path)
end

---The network in a file that save wrote.
---@param path string
---@param given? { layers: table, activations: table, initializers: table }  your own by name, where
---the network has some
---@return Network?
---@return string?  nil and "path: reason"
function Network.load(path, given)
  local own = fields.check(own_fields, given, "pl.load")
  own_parts(own)
  return require("perilune.store.model").load(path, function(description, find)
    return Network.from_description(description, own, find)
  end)
end

local function draw(node, lines, indent)
  for _, child in ipairs(node.children) do
    local meta = getmetatable(child.layer)
    local text = type(meta) == "table" and meta.__tostring and tostring(child.layer)
      or child.kind
    lines[#lines + 1] = ("%s%s  %s%s%s"):format(indent, child.path, text,
      child.own_frozen and ", frozen" or "",
      child.own_shared and (", shared as %s"):format(child.own_shared) or "")
    draw(child, lines, indent .. "  ")
  end
end

function Network:__tostring()
  local lines = {
    ("network of %d inputs, %d parameters, %s"):format(self.inputs, self.held.size,
      self.dtype),
  }
  draw(self.root, lines, "  ")
  return table.concat(lines, "\n")
end

return Network
