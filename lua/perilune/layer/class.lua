-- What the layers built in here share: they are made with their methods in them, and their tensors
-- are read by the paper's names, layer.W and layer.dJ_dW, but not replaced: the network's flat
-- vectors hold them. A class of one's own needs none of this; the contract is at the top of
-- perilune/layer/tree.lua.

local errors = require "perilune.errors"
local registry = require "perilune.registry"

local function tensor_of(layer, name)
  local tensors = rawget(layer, "tensors")
  return tensors and tensors[name]
end

-- layer.W is the value of the tensor W, layer.dJ_dW its gradient
local function read(layer, key)
  local tensor = tensor_of(layer, key)
  if tensor then return tensor.value end
  local name = type(key) == "string" and key:match("^dJ_d(.+)$")
  tensor = name and tensor_of(layer, name)
  return tensor and not tensor.frozen and tensor.gradient or nil
end

local function write(layer, key, value)
  local name = type(key) == "string" and key:match("^dJ_d(.+)$") or key
  if tensor_of(layer, name) then
    errors.raise("%s cannot be replaced, only filled: layer.%s:assign(M)", key, key)
  end
  rawset(layer, key, value)
end

---A new class of layers.
---@param name string
---@param fields table<string, table>  its options
---@return table
local function class(name, fields)
  local Class = { name = name, fields = fields, adds = true }
  local meta = { __index = read, __newindex = write, __name = name }

  ---Make a layer: `own` with the methods of the class.
  ---@param own table
  ---@return table
  function Class.create(own)
    for key, value in pairs(Class) do
      if type(value) == "function" and key ~= "new" and key ~= "create" then
        own[key] = value
      end
    end
    meta.__tostring = Class.__tostring
    return setmetatable(own, meta)
  end

  function Class:bind(tensors)
    rawset(self, "tensors", tensors)
  end

  function Class:describe()
    return registry.description(Class, self.options)
  end

  return Class
end

return class
