-- Layers 1..L in a row: forward, backward, prediction, parameters.

local at_caller = require "perilune.at_caller"
local cores = require "perilune.cores"
local kinds = require "perilune.layer"
local options = require "perilune.options"

-- A layer is whatever has these methods; a class of them is made known by the option `layers`.
--
--   Class.new(description, context)    a layer for context.inputs inputs, with the field `outputs`
--                                      and, where it has parameters, `shapes`: a list of
--                                      { name =, rows =, cols =, order = }
--   layer:bind(parameters, generator)  only with `shapes`: keep parameters[k].value and .gradient,
--                                      set first values
--   layer:forward(A_below, N) --> A    S_(l-1) x N to S_l x N, keeping what backward needs
--   layer:predict(A_below, N) --> A    the same for inference; without it forward is used
--   layer:backward(Delta)              set the parameters' gradients, keep what propagate needs
--   layer:propagate() --> Delta_below  dJ/dA^(l-1), S_(l-1) x N; called only where it is needed
--   layer:describe() --> description   plain data from which new makes it again, for files

---@class LayerContext
---@field core Core
---@field inputs integer          S_(l-1)
---@field generator Generator     for whatever the layer draws at random
---@field activations table<string, Activation>  the caller's own

---@class Network
---@field layers table[]      layers 1..L
---@field inputs integer      S_0
---@field outputs integer     S_L
---@field classes string[]?   names of the classes, in the order of the outputs
---@field theta Matrix        all parameters of the layers, one after the other
---@field dJ_dtheta Matrix    their gradients, likewise
local Network = {}
Network.__index = Network

local ALIGNMENT = 16 -- elements: parameters begin where the vectors of the processor do
local LARGE = 65536  -- elements: a parameter of so many is shared by threads on its own
local CHUNK = 1024   -- samples that predict takes at once: its memory does not grow with N

local function new_layer(description, context, classes, position)
  if type(description) ~= "table" then
    error(("layer %d: a layer expected, got %s"):format(position, type(description)), 0)
  end
  local class = classes[description.kind] or kinds[description.kind]
  if not class then
    error(("layer %d: unknown kind of layer '%s'"):format(position,
      tostring(description.kind)), 0)
  end
  local ok, layer = pcall(class.new, description, context)
  if not ok then
    local reason = tostring(layer):gsub("^[^:\n]*:%d+: ", "")
    error(("layer %d: %s"):format(position, reason), 0)
  end
  if math.type(layer.outputs) ~= "integer" or layer.outputs < 1 then
    error(("layer %d: its field outputs must say how many it has"):format(position), 0)
  end
  return layer
end

-- Cut one flat vector, and one for the gradients, into the parameters of all layers.
local function allocate(self)
  local first = 1
  local cuts = {}
  local stretches = {} -- where those of flat_parameters begin
  for l, layer in ipairs(self.layers) do
    for _, shape in ipairs(layer.shapes or {}) do
      cuts[#cuts + 1] = { layer = l, shape = shape, first = first }
      local size = shape.rows * shape.cols
      if first == 1 or size >= LARGE then stretches[#stretches + 1] = first end
      first = first + (size + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
      self.size = self.size + size
    end
  end
  if #cuts == 0 then return end
  self.theta = self.core.matrix(first - 1, 1)
  self.dJ_dtheta = self.core.matrix(first - 1, 1)
  for k, start in ipairs(stretches) do
    local count = (stretches[k + 1] or first) - start
    self.flat[k] = {
      name = "theta." .. k,
      value = self.theta:view(start, count, 1),
      gradient = self.dJ_dtheta:view(start, count, 1),
    }
  end
  for _, cut in ipairs(cuts) do
    local shape = cut.shape
    self.named[#self.named + 1] = {
      name = cut.layer .. "." .. shape.name,
      value = self.theta:view(cut.first, shape.rows, shape.cols, shape.order),
      gradient = self.dJ_dtheta:view(cut.first, shape.rows, shape.cols, shape.order),
    }
  end
end

local function bind(self)
  local bound = 0
  for l, layer in ipairs(self.layers) do
    local count = #(layer.shapes or {})
    if count > 0 then
      local own = table.move(self.named, bound + 1, bound + count, 1, {})
      layer:bind(own, self.generator)
      self.lowest = self.lowest or l
      bound = bound + count
    end
  end
end

local function check_descriptions(descriptions)
  if type(descriptions) ~= "table" then
    error(("a table of inputs and layers expected, got %s"):format(type(descriptions)), 0)
  end
  local count = #descriptions
  for key in pairs(descriptions) do
    local is_layer = math.type(key) == "integer" and key >= 1 and key <= count
    if key ~= "inputs" and not is_layer then
      error(("unknown field '%s' beside inputs and the layers"):format(tostring(key)), 0)
    end
  end
  if math.type(descriptions.inputs) ~= "integer" or descriptions.inputs < 1 then
    error(("inputs: a whole number of 1 or more expected, got %s"):format(
      tostring(descriptions.inputs)), 0)
  end
  if count == 0 then error("at least one layer expected", 0) end
end

local defaults = {
  dtype = "float32", seed = 1, generator = false, classes = false, layers = {},
  activations = {},
}

local function new(descriptions, given)
  check_descriptions(descriptions)
  local core = cores.named(given.dtype, -1)
  local self = setmetatable({
    core = core,
    dtype = given.dtype,
    inputs = descriptions.inputs,
    classes = given.classes or nil,
    generator = given.generator or core.generator(given.seed),
    layers = {},
    named = {},
    flat = {},
    size = 0,
  }, Network)
  local width = self.inputs
  for l, description in ipairs(descriptions) do
    self.layers[l] = new_layer(description, {
      core = core, inputs = width, generator = self.generator,
      activations = given.activations,
    }, given.layers, l)
    width = self.layers[l].outputs
  end
  self.outputs = width
  if self.classes and #self.classes ~= self.outputs then
    error(("names for %d classes expected, one for each output, got %d"):format(
      self.outputs, #self.classes), 0)
  end
  allocate(self)
  bind(self)
  return self
end

---A network of S_0 = `inputs` inputs and the layers 1..L.
---    pl.network({ inputs = 784, pl.dense(128, "relu"), pl.dense(10) }, { seed = 1 })
---Options: dtype ("float32" or "float64"), seed (default 1) or generator, for the first weights and
---dropout; classes, the names of the outputs; layers and activations, tables of your own by name.
---@param descriptions table
---@param given? table
---@return Network
function Network.new(descriptions, given)
  local self = at_caller(2, new, descriptions, options(given, defaults))
  return self
end

---The network that `describe` described, its weights newly initialised.
---@param description table  { inputs =, dtype =, layers = {...}, classes = }
---@param given? { layers: table, activations: table }
---@return Network
function Network.from_description(description, given)
  given = options(given, { layers = {}, activations = {} })
  if type(description) ~= "table" or type(description.layers) ~= "table" then
    error("a description expected: a table of inputs, dtype and layers", 2)
  end
  local layers = description.layers
  local self = at_caller(2, Network.new,
    table.move(layers, 1, #layers, 1, { inputs = description.inputs }), {
      dtype = description.dtype, classes = description.classes,
      layers = given.layers, activations = given.activations,
    })
  return self
end

---Plain data from which `from_description` makes this network again.
---@return table
function Network:describe()
  local layers = {}
  for l, layer in ipairs(self.layers) do
    if not layer.describe then
      error(("layer %d has no method describe, which files need"):format(l), 2)
    end
    layers[l] = layer:describe()
  end
  return {
    inputs = self.inputs, dtype = self.dtype, layers = layers, classes = self.classes,
  }
end

-- How many samples of S_0 inputs X holds, and whether it is a matrix; else bytes
local function check_samples(self, X, level)
  local N = self.core.sample_count(X, self.inputs)
  if N then return N, true end
  local is_matrix = cores.is_matrix(X)
  if not is_matrix and not (type(X) == "table" and X.gather) then
    error(("X: samples of %d inputs expected, got %s"):format(self.inputs, type(X)),
      level + 1)
  end
  if X.rows ~= self.inputs then
    error(("X has %d rows but the network has %d inputs"):format(X.rows, self.inputs),
      level + 1)
  end
  return X.cols, is_matrix
end

---A^(L) of the samples X, keeping in the layers what backward needs.
---@param X Matrix  S_0 x N; must not change before backward
---@return Matrix   S_L x N; valid until the next forward
function Network:forward(X)
  local N = check_samples(self, X, 2)
  local A, layers = X, self.layers
  for l = 1, #layers do A = layers[l]:forward(A, N) end
  return A
end

---The gradients of all parameters from Delta^(L) = dJ/dA^(L), by (4.1) and (4.2).
---@param Delta Matrix       S_L x N
---@param to_inputs? boolean  also compute Delta^(0), which training does not need
---@return Matrix?           Delta^(0), S_0 x N, when asked for; valid until the next backward
function Network:backward(Delta, to_inputs)
  local lowest = to_inputs and 1 or self.lowest or 1
  local layers = self.layers
  for l = #layers, lowest, -1 do
    local layer = layers[l]
    layer:backward(Delta)
    if l > lowest or to_inputs then Delta = layer:propagate() end
  end
  if to_inputs then return Delta end
end

local function predict_chunk(self, X, N)
  local A, layers = X, self.layers
  for l = 1, #layers do
    local layer = layers[l]
    A = layer.predict and layer:predict(A, N) or layer:forward(A, N)
  end
  return A
end

---A^(L) of the samples X, for inference: what forward left for backward stays as it is, dropout
---does nothing, and the memory used does not grow with N, but for the result.
---@param X Matrix|Bytes    S_0 x N
---@param result? Matrix    S_L x N, allocated when absent
---@return Matrix           S_L x N
function Network:predict(X, result)
  local N, is_matrix = check_samples(self, X, 2)
  if not result then
    result = self.core.matrix(self.outputs, N)
  elseif self.core.sample_count(result, self.outputs) ~= N then
    error(("a result of %d x %d expected, got %d x %d"):format(self.outputs, N,
      result.rows, result.cols), 2)
  end
  if N <= CHUNK and is_matrix then return result:assign(predict_chunk(self, X, N)) end
  if is_matrix and X.order == "rows" then X = X:copy() end
  for first = 1, N, CHUNK do
    local last = math.min(first + CHUNK - 1, N)
    local samples = X:columns(first, last, not is_matrix and self.dtype or nil)
    result:columns(first, last):assign(predict_chunk(self, samples, last - first + 1))
  end
  return result
end

---@return { name: string, value: Matrix, gradient: Matrix }[]
function Network:parameters()
  return self.named
end

---What an optimiser steps over: the same numbers as parameters(), in as few vectors as threads can
---share well: each large parameter begins one. So a thread updates the units of a layer whose
---gradients it has computed, and their numbers stay in its cache.
---@return { name: string, value: Matrix, gradient: Matrix }[]
function Network:flat_parameters()
  return self.flat
end

---@return integer  how many numbers training adjusts
function Network:parameter_count()
  return self.size
end

---Write the network to a safetensors file, atomically.
---@param path string
---@return true?, string?  nil and a message on failure
function Network:save(path)
  return require("perilune.store.model").save(self, path)
end

function Network:__tostring()
  local lines = {
    ("network of %d inputs, %d parameters, %s"):format(self.inputs, self.size,
      self.dtype),
  }
  for l, layer in ipairs(self.layers) do
    local has_name = (getmetatable(layer) or {}).__tostring
    lines[#lines + 1] = ("  %d  %s"):format(l, has_name and tostring(layer) or "layer")
  end
  return table.concat(lines, "\n")
end

return Network
