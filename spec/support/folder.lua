-- A folder of files that a spec makes, and removes with all that is in it.

local lfs = require "lfs"

local Folder = {}
Folder.__index = Folder

---@param base? string  the folder in which it is made, default that of temporary files
---@return table  a new, empty one
function Folder.new(base)
  local path = os.tmpname()
  os.remove(path)
  if base then path = base .. path:match "/[^/]*$" end
  assert(lfs.mkdir(path))
  return setmetatable({ path = path }, Folder)
end

---The path of a file in it, there or not
---@param name string
---@return string
function Folder:at(name)
  return self.path .. "/" .. name
end

---Write a file.
---@param name string
---@param bytes string
---@return string path
function Folder:write(name, bytes)
  local path = self:at(name)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(bytes))
  return path
end

---@param name string
---@return string bytes
function Folder:read(name)
  local file <close> = assert(io.open(self:at(name), "rb"))
  return file:read "a"
end

function Folder:remove()
  for name in lfs.dir(self.path) do
    if name ~= "." and name ~= ".." then os.remove(self:at(name)) end
  end
  assert(lfs.rmdir(self.path))
end

return Folder
