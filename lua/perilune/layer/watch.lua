-- What a layer of the user's own gives to the layers around it is looked at, so that a wrong matrix
-- is told as that layer's mistake, and not as the argument of a function deep inside the next one.

local cores = require "perilune.cores"
local errors = require "perilune.errors"

---Look at what the methods of a layer give from now on.
---@param layer table
---@param context LayerContext
local function watch(layer, context)
  local core, inputs, outputs = context.core, context.input.size, layer.output.size

  local function check(method, rows, N, M)
    if core.sample_count(M, rows) ~= N or M.order ~= "columns" then
      local by_rows = cores.is_matrix(M) and M.order == "rows" and ", stored by rows" or ""
      errors.raise("layer %s: %s: a %d x %d matrix of %s, stored by columns, expected from it, "
        .. "got %s%s", context.name, method, rows, N, core.name, cores.show(M), by_rows)
    end
    return M
  end

  for _, method in ipairs { "forward", "predict" } do
    local compute = layer[method]
    rawset(layer, method, function(self, A_below)
      return check(method, outputs, A_below.cols, compute(self, A_below))
    end)
  end
  local backward = layer.backward
  rawset(layer, "backward", function(self, Delta, wants_below)
    local Delta_below = backward(self, Delta, wants_below)
    return wants_below and check("backward", inputs, Delta.cols, Delta_below) or nil
  end)
end

return watch
