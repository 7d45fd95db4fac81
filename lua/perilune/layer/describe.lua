-- Short forms of descriptions: pl.dense(128, "relu") is { "dense", outputs = 128, activation =
-- "relu" }. The options that every layer has, frozen and shared (see layer/init.lua), come with the
-- others.

local errors = require "perilune.errors"
local fields = require "perilune.fields"
local kinds = require "perilune.layer"

local describe = {}

-- Fields as they can be checked where a layer is written: names of parts may be a user's own, which
-- only the network is told of.
local function checkable(declared)
  local fields_of_all = kinds.with_common(declared)
  for name, field in pairs(declared) do
    if field[1] == "part" then fields_of_all[name] = { "value", optional = true } end
  end
  return fields_of_all
end

-- { name, option = value, ... } from what is required and the other options, checked as far as can
-- be here, so that an error is told where the layer is written
local function description(name, required, options)
  if options ~= nil and type(options) ~= "table" then
    errors.raise("pl.%s: a table of options expected, got %s", name, errors.show(options))
  end
  local made = {}
  for key, value in pairs(options or {}) do made[key] = value end
  for key, value in pairs(required) do made[key] = value end
  fields.check(checkable(kinds.kinds[name].fields), made, name)
  made[1] = name
  return made
end

-- Whether a table can only be options, being neither a description nor an activation of one's own
local function is_options(value)
  return type(value) == "table" and getmetatable(value) == nil and value[1] == nil
    and value.forward == nil and value.backward == nil
end

---A fully connected layer.
---The activation: a name such as "relu", { "leaky_relu", slope = 0.1 }, or a table of your own
---{ name =, forward = function(A, Z), backward = function(H, Delta, Z, A) }; default: identity.
---Options: initializer (a name, a description, a function (W, generator); default: what suits the
---activation), bias (true; false: no b), scaled (false; true: Z = W A / sqrt(S_(l-1)) + b, "neural
---tangent parametrisation", whose W and b begin as normal numbers of deviation 1), frozen, shared.
---    pl.dense(256, "silu", { scaled = true })
---@param outputs integer  S_l, at least 1
---@param activation? string|table  may be left out before options: pl.dense(10, { frozen = true })
---@param options? table
---@return table
function describe.dense(outputs, activation, options)
  if options == nil and is_options(activation) then activation, options = nil, activation end
  return description("dense", { outputs = outputs, activation = activation }, options)
end

---Inverted dropout. Options: frozen, shared, which change nothing about it.
---@param probability number  in [0, 1): the fraction of inputs set to 0
---@param options? table
---@return table
function describe.dropout(probability, options)
  return description("dropout", { probability = probability }, options)
end

---Dropout for layers with selu, which keeps their mean and variance. Options: frozen, shared, which
---change nothing about it.
---@param probability number  in [0, 1)
---@param options? table
---@return table
function describe.alpha_dropout(probability, options)
  return description("alpha_dropout", { probability = probability }, options)
end

---Normal noise of mean 0 on the inputs, in training alone. Options: frozen, shared, which change
---nothing about it.
---@param deviation? number  default 0.1
---@param options? table
---@return table
function describe.gaussian_noise(deviation, options)
  return description("gaussian_noise", { deviation = deviation }, options)
end

---A learned factor for each feature, 1 at first. Options: frozen, shared.
---@param options? table
---@return table
function describe.scaling(options)
  return description("scaling", {}, options)
end

---Categories as vectors that are learned: each input is a label from 1 on, and becomes `outputs`
---features. Options: deviation (1) of the first values, frozen, shared.
---@param categories integer|integer[]  how many labels there are: a list of one number for each
---input, or one for all, which then share their vectors
---@param outputs integer
---@param options? table
---@return table
function describe.embedding(categories, outputs, options)
  return description("embedding", { categories = categories, outputs = outputs }, options)
end

---Each number as waves, sin 2 pi c x and cos 2 pi c x, of frequencies that are learned. Options:
---frequencies (16), deviation (0.1) of the first ones, outputs (of a dense layer for each input
---above; default: none) with its activation ("relu"), frozen, shared.
---@param options? table
---@return table
function describe.periodic(options)
  return description("periodic", {}, options)
end

---Each number as steps of a staircase between boundaries. Options: outputs (of a dense layer for
---each input above; default: none) with its activation ("relu"), frozen, shared.
---@param boundaries number[][]  for each input two or more numbers, growing: pl.quantiles(X, 16)
---@param options? table
---@return table
function describe.piecewise_linear(boundaries, options)
  return description("piecewise_linear", { boundaries = boundaries }, options)
end

---The sum of a body, a layer or a list of layers, and its input. Options: projection (true for a
---dense layer of as many outputs as the body has, or a layer), frozen, shared.
---@param body table
---@param options? table
---@return table
function describe.residual(body, options)
  return description("residual", { body = body }, options)
end

---Parts side by side, each a layer or a list of layers, on the same input.
---Options: join ("concatenate", the default, or "sum"), frozen, shared.
---@param parts table[]
---@param options? table
---@return table
function describe.branch(parts, options)
  return description("branch", { parts = parts }, options)
end

---Batch normalisation. Options: momentum (0.1) of the running statistics, epsilon (1e-5), frozen,
---shared.
---@param options? table
---@return table
function describe.batch_norm(options)
  return description("batch_norm", {}, options)
end

---Layer normalisation. Options: epsilon (1e-5), frozen, shared.
---@param options? table
---@return table
function describe.layer_norm(options)
  return description("layer_norm", {}, options)
end

---Relu with a learned slope. Options: slope (0.25), the first; per_unit (true; false: one slope for
---all units), frozen, shared.
---    pl.network { inputs = 784, pl.dense(128), pl.prelu(), pl.dense(10) }
---@param options? table
---@return table
function describe.prelu(options)
  return description("prelu", {}, options)
end

return describe
