-- Lists of parameters for specs of optimisers, and gradients that depend on the parameters and the
-- step.

local matrices = require "spec.support.matrices"
local pl = require "perilune"

local parameters = {}

---A list of one's own: parameters of each kind of storage, the last of which no decay touches.
---@param core Core
---@return table[]
function parameters.list(core)
  local generator = core.generator(21)
  local list = {}
  for k, name in ipairs { "1.W", "2.W", "2.b" } do
    local order = k == 2 and "rows" or "columns"
    list[k] = {
      name = name, value = generator:normal(core.matrix(3, 4, order)),
      gradient = core.matrix(3, 4, order), decays = k < 3,
    }
  end
  return list
end

---A network whose parameters need several runs: two layers are large, and normalisation and biases
---do not decay.
---@param core Core
---@return Network
function parameters.network(core)
  return pl.network({
    inputs = 258, pl.dense(256, "tanh"), pl.layer_norm(), pl.dense(257, "relu"),
    pl.dense(3),
  }, { dtype = core.name, seed = 4 })
end

---The gradient of an element p of the k-th parameter.
---@return number
function parameters.gradient(p, step, k)
  return p / (step + k) + 0.1 * k
end

---@param list table[]
---@param step integer
function parameters.set_gradients(list, step)
  for k, parameter in ipairs(list) do
    local core, g = pl[parameter.value.dtype], parameter.gradient
    core.add(g, core.hadamard(g, parameter.value, 1 / (step + k)), 0.1 * k)
  end
end

---Steps `first` to `last`.
---@param rate? number
function parameters.run(optimizer, list, first, last, rate)
  for step = first, last do
    parameters.set_gradients(list, step)
    optimizer:step(list, rate)
  end
end

---Copies of the values.
---@return Matrix[]
function parameters.values(list)
  local copies = {}
  for k, parameter in ipairs(list) do copies[k] = parameter.value:copy() end
  return copies
end

---Raise unless the values are `expected` to the last bit.
---@param expected Matrix[]
---@param list table[]
function parameters.assert_same(expected, list)
  if #expected ~= #list then error("as many parameters expected", 2) end
  for k, M in ipairs(expected) do
    if not matrices.same(M, list[k].value) then
      error(("parameter %d differs"):format(k), 2)
    end
  end
end

---Raise unless two states of optimisers are the same to the last bit.
function parameters.assert_same_state(expected, state)
  if expected.steps ~= state.steps then error("as many steps expected", 2) end
  if expected.rate ~= state.rate then error("the same rate expected", 2) end
  for name, kept in pairs(expected.tensors) do
    for key, M in pairs(kept) do
      if not matrices.same(M, state.tensors[name][key]) then
        error(("%s of %s differs"):format(key, name), 2)
      end
    end
  end
  for name in pairs(state.tensors) do
    if not expected.tensors[name] then error(name .. " is not expected", 2) end
  end
end

return parameters
