-- MNIST: where it is, and its reading.

local reader = require "perilune.data.mnist"
local support = require "scripts.support"

local mnist = {}

---Where MNIST is looked for: the argument, the environment, the project.
---@param given string?
---@return string directory
---@return string? named_by  what names it: then this folder is meant, and no other data
function mnist.directory(given)
  if given then return given, "--data" end
  local environment = os.getenv("PERILUNE_MNIST")
  if environment and environment ~= "" then return environment, "PERILUNE_MNIST" end
  return support.root .. "/data/mnist", nil
end

---MNIST, or the end of the script.
---@param directory string
---@param named_by string?  for the message
---@return Dataset train
---@return Dataset test
function mnist.read(directory, named_by)
  local train, test = reader.read(directory)
  if not train then support.fail((named_by and named_by .. ": " or "") .. test) end
  return train, test
end

return mnist
