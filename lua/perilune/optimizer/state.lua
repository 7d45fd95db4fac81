-- The matrices that an optimiser keeps beside each parameter: made at the first step, as plain data
-- plus matrices for files.

local cores = require "perilune.cores"

local State = {}
State.__index = State

---@param names string[]  what is kept for each parameter: { "m", "v" }
function State.new(names)
  return setmetatable({ names = names, kept = {}, steps = 0 }, State)
end

---What is kept for the k-th parameter: zeros at first.
---@param k integer
---@param value Matrix
---@return table<string, Matrix>
function State:of(k, value)
  local kept = self.kept[k]
  if kept and kept.core then return kept end
  kept = kept or {}
  kept.core = cores.of(value)
  for _, name in ipairs(self.names) do
    kept[name] = kept[name] or kept.core.matrix(value.rows, value.cols, value.order)
  end
  self.kept[k] = kept
  return kept
end

---@return { steps: integer, matrices: table<string, Matrix>[] }  copies
function State:copy()
  local matrices = {}
  for k, kept in ipairs(self.kept) do
    matrices[k] = {}
    for _, name in ipairs(self.names) do
      matrices[k][name] = kept[name]:copy(kept[name].order)
    end
  end
  return { steps = self.steps, matrices = matrices }
end

---Continue from what copy() gave.
---@param copy table
function State:restore(copy)
  if type(copy) ~= "table" or type(copy.matrices) ~= "table"
    or math.type(copy.steps) ~= "integer" then
    error("optimiser state expected: what state() gave", 3)
  end
  local kept = {}
  for k, matrices in ipairs(copy.matrices) do
    kept[k] = {}
    for _, name in ipairs(self.names) do
      if not matrices[name] then
        error(("optimiser state without '%s' of parameter %d"):format(name, k), 3)
      end
      kept[k][name] = matrices[name]:copy(matrices[name].order)
    end
  end
  self.steps, self.kept = copy.steps, kept
end

return State
