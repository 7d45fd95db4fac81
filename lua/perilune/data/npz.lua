-- Archives of NumPy's arrays: a zip file with a member NAME.npy for each (numpy.savez).

local errors = require "perilune.errors"
local fields = require "perilune.fields"
local file = require "perilune.store.file"
local npy = require "perilune.data.npy"
local zip = require "perilune.data.zip"

local npz = {}

local SUFFIX = ".npy"

local declared = {
  dtype = npy.options.dtype, samples = npy.options.samples, only = { "names", optional = true },
}

-- The names of all arrays, in the archive's order; nil and a reason where a member is none
local function all_names(members)
  local names = {}
  for k, member in ipairs(members) do
    local name = member.name:match "^(.*)%.npy$"
    if not name then
      return nil, ("%s is no array: NAME.npy expected (only = { ... } names what is to be read)")
        :format(errors.show(member.name))
    end
    names[k] = name
  end
  return names
end

-- The arrays, by name, or nil and a reason
local function read_arrays(source, options)
  local members, reason = zip.members(source)
  if not members then return nil, reason end
  local names = options.only
  if not names then
    names, reason = all_names(members)
    if not names then return nil, reason end
  end
  local by_name, arrays = {}, {}
  for _, member in ipairs(members) do by_name[member.name] = member end
  for _, name in ipairs(names) do
    local member = by_name[name .. SUFFIX]
    if not member then return nil, ("no array %s"):format(errors.show(name)) end
    local bytes
    bytes, reason = zip.content(source, member)
    if bytes then arrays[name], reason = npy.assemble(bytes, options) end
    if reason then return nil, ("%s: %s"):format(errors.show(name), reason) end
  end
  return arrays
end

---The arrays of an archive that numpy.savez or numpy.savez_compressed has written, by name, each as
---pl.data.npy gives it. Options: those of pl.data.npy, for all; only, a list of names (default: all
---there are). Up to 4 GB; an archive that says it unpacks to more than its bytes can hold is
---refused before memory is asked for.
---    local arrays = assert(pl.data.npz("mnist.npz", { samples = "rows", dtype = "float32" }))
---    local train = pl.dataset { X = arrays.x_train / 255, labels = arrays.y_train + 1 }
---@param path string
---@param given? { dtype: string, samples: "rows", only: string[] }
---@return table<string, Matrix>?
---@return string?  nil and "path: what was expected and what came"
function npz.read(path, given)
  fields.value("path", path, { "path" })
  local options = fields.check(declared, given, "pl.data.npz")
  local source <close>, message = file.open(path)
  if not source then return nil, message end
  local arrays, reason = read_arrays(source, options)
  if not arrays then return nil, ("%s: %s"):format(path, reason) end
  return arrays
end

---Write matrices for numpy.load, each by its name, as pl.data.write.npy does; not compressed. A
---file that is there is replaced at once, or stays.
---    assert(pl.data.write.npz("weights.npz", { W = net.layers[1].W, b = net.layers[1].b }))
---@param path string
---@param arrays table<string, Matrix>  less than 4 GB
---@return true?
---@return string?  nil and "path: reason"
function npz.write(path, arrays)
  fields.value("path", path, { "path" })
  fields.value("arrays", arrays, { "table" })
  local names, members = {}, {}
  for name in pairs(arrays) do names[#names + 1] = name end
  names = fields.value("arrays", names, { "names" })
  table.sort(names)
  for k, name in ipairs(names) do
    local M = arrays[name]
    npy.check_matrix(M, name)
    members[k] = {
      name = name .. SUFFIX, size = select(2, npy.chunks(M)),
      chunks = function() return (npy.chunks(M)) end,
    }
  end
  local chunks, reason = zip.encode(members)
  if not chunks then return nil, ("%s: %s"):format(path, reason) end
  return file.write(path, chunks)
end

return npz
