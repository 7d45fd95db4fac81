-- What a layer of the user's own hands on is looked at, so that a wrong matrix is told as that
-- layer's mistake, and not as the argument of a function deep inside the next one: its results, and
-- what it gives to the layers within it.

local cores = require "perilune.cores"
local errors = require "perilune.errors"

local watch = {}

-- Raise unless M is rows x N, or of any N where none is given.
local function check(context, method, rows, N, M, from)
  local core = context.core
  local cols = core.sample_count(M, rows)
  if cols and cols == (N or cols) and M.order == "columns" then return M end
  local by_rows = cores.is_matrix(M) and M.order == "rows" and ", stored by rows" or ""
  errors.raise("layer %s: %s: a %d x %s matrix of %s, stored by columns, expected%s, got %s%s",
    context.name, method, rows, N or "N", core.name, from, cores.show(M), by_rows)
end

---Look at what the methods of a layer give from now on.
---@param layer table
---@param context LayerContext
function watch.results(layer, context)
  local inputs, outputs = context.input.size, layer.output.size
  for _, method in ipairs { "forward", "predict" } do
    local compute = layer[method]
    rawset(layer, method, function(self, A_below)
      local N = A_below.cols
      return check(context, method, outputs, N, compute(self, A_below), " from it")
    end)
  end
  local backward = layer.backward
  rawset(layer, "backward", function(self, Delta, wants_below)
    local N, Delta_below = Delta.cols, backward(self, Delta, wants_below)
    return wants_below and check(context, "backward", inputs, N, Delta_below, " from it") or nil
  end)
end

---Look at what the methods of a layer are given from now on.
---@param layer table
---@param context LayerContext
function watch.arguments(layer, context)
  local inputs, outputs = context.input.size, layer.output.size
  local forward, predict, backward, N = layer.forward, layer.predict, layer.backward, nil

  rawset(layer, "forward", function(self, A_below)
    check(context, "forward", inputs, nil, A_below, "")
    N = A_below.cols
    return forward(self, A_below)
  end)
  rawset(layer, "predict", function(self, A_below)
    return predict(self, check(context, "predict", inputs, nil, A_below, ""))
  end)
  rawset(layer, "backward", function(self, Delta, wants_below)
    if not N then errors.raise("layer %s: backward needs a forward before it", context.name) end
    return backward(self, check(context, "backward", outputs, N, Delta, ""), wants_below)
  end)
end

return watch
