-- The state of a training run as a file, from which another process goes on: matrices, whole
-- numbers and bytes as tensors, the rest as plain data in the metadata of a safetensors file. What
-- the run is stands beside its state, so that no other network, data or options can take it.
-- Nothing in a file is run.

local errors = require "perilune.errors"
local file = require "perilune.store.file"
local safetensors = require "perilune.store.safetensors"
local state_of = require "perilune.store.state"

local checkpoint = {}

local FORMAT, VERSION = "perilune training", "1"

-- Where two tables of plain data first differ, in the order of their keys: "options.batch is 32 in
-- the file and 64 here"; nil where they do not
local function difference(path, theirs, ours)
  if type(theirs) ~= "table" or type(ours) ~= "table" then
    if theirs == ours then return nil end
    return ("%s is %s in the file and %s here"):format(path, errors.show(theirs),
      errors.show(ours))
  end
  local keys, seen = {}, {}
  for _, side in ipairs { theirs, ours } do
    for key in pairs(side) do
      if not seen[key] then keys[#keys + 1], seen[key] = key, true end
    end
  end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for _, key in ipairs(keys) do
    local inner = path == "" and tostring(key) or ("%s.%s"):format(path, key)
    local found = difference(inner, theirs[key], ours[key])
    if found then return found end
  end
end

---Write a state to the file `path`; see store/file.lua for what that promises. Raises where
---something in the state, as a part of the user's own may give it, is neither plain data nor a
---matrix.
---@param path string
---@param run table    plain data that says what the run is
---@param state table  plain data and matrices
---@return true?
---@return string?     nil and "path: reason"
function checkpoint.save(path, run, state)
  local ok, tensors, text = errors.catch(state_of.encode, { run = run, state = state })
  if ok then
    return file.write(path, safetensors.chunks(tensors, {
      format = FORMAT, version = VERSION, state = text,
    }))
  end
  if type(tensors) ~= "string" or tensors == "not enough memory" then error(tensors, 0) end
  errors.raise("the training cannot be saved: %s", tensors)
end

-- What the file says, or nil and a reason
local function decoded(source)
  local content, reason = safetensors.read(source)
  if not content then return nil, reason end
  local metadata = content.metadata
  if metadata.format ~= FORMAT then
    return nil, ("not a training state of Perilune's, its format is %s"):format(
      errors.show(metadata.format))
  elseif metadata.version ~= VERSION then
    return nil, ("version '%s' of the format expected, got '%s'"):format(VERSION,
      metadata.version)
  elseif not content.checked or not metadata.state then
    return nil, "damaged (a checksum or the state is missing)"
  end
  local value
  value, reason = state_of.decode(metadata.state, content)
  if reason then return nil, reason end
  if type(value) ~= "table" or type(value.run) ~= "table" or type(value.state) ~= "table" then
    return nil, "not a training state of Perilune's"
  end
  return value
end

---The state in the file `path`, if it is one of this run.
---@param path string
---@param run table    plain data that says what the run is
---@return table?
---@return string?     nil and "path: reason"
function checkpoint.load(path, run)
  local source <close>, refusal = file.open(path)
  if not source then return nil, refusal end
  local value, reason = decoded(source)
  if not value then return nil, ("%s: %s"):format(path, reason) end
  local other = difference("", value.run, run)
  if other then return nil, ("%s: the state of another run: %s"):format(path, other) end
  return value.state
end

return checkpoint
