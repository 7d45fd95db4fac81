-- The kinds of layers that a description can name.

local registry = require "perilune.registry"

local layer = registry.family("layer", { expected = "a description of a layer" })

for _, name in ipairs {
  "alpha_dropout", "batch_norm", "branch", "chain", "dense", "dropout", "embedding",
  "gaussian_noise", "layer_norm", "periodic", "piecewise_linear", "prelu", "prepare", "residual",
  "scaling", "units",
} do
  layer:add(require("perilune.layer." .. name))
end

-- Options that every layer has, whatever its kind: `frozen` keeps its tensors, and those of the
-- layers within it, as they are; layers with the same name in `shared` share their tensors, and so
-- do the layers within them.
layer.common = {
  frozen = { "boolean", default = false },
  shared = { "string", optional = true },
}

---The fields of a class, with those that every layer has.
---@param declared table<string, table>
---@return table<string, table>
function layer.with_common(declared)
  local all = {}
  for name, field in pairs(declared) do all[name] = field end
  for name, field in pairs(layer.common) do all[name] = field end
  return all
end

return layer
