-- Files are written so that a crash, a full disk or a lost power supply never leaves half a file:
-- the new bytes go to a temporary file beside the target, reach the disk, and take the target's
-- name in one step. Until then the old file is untouched. One writer for each target: the temporary
-- name is fixed, so that a killed process leaves at most one stray file, which the next write
-- removes; and it is a name that nobody else gives a file.
--
-- Large files are read and written chunk by chunk, so that their bytes need not be in memory as a
-- whole beside what is made of them.

local errors = require "perilune.errors"
local lfs = require "lfs"
local system = require "perilune.core.system"

local file = {}

local MOST_LINKS = 40 -- as Linux follows
local SUFFIX = ".perilune-tmp"

-- C ends a path at a zero byte, and would name another file.
local function check_path(path)
  local is_path = type(path) == "string" and path ~= "" and not path:find("\0", 1, true)
  errors.check(is_path, "a path expected, got %s", errors.show(path))
end

-- Messages of the operating system name a path, or do not; ours do, once.
local function failure(path, message)
  message = tostring(message)
  for _, prefix in ipairs { path .. ": ", path .. SUFFIX .. ": " } do
    if message:sub(1, #prefix) == prefix then message = message:sub(#prefix + 1) end
  end
  return nil, path .. ": " .. message
end

local function folder_of(path)
  local folder = path:match("^(.*/)[^/]*$")
  return folder or "."
end

-- The file a chain of symbolic links leads to, whether it exists or not: renaming onto a
-- link would replace the link.
local function resolve(path)
  for _ = 1, MOST_LINKS do
    local attributes = lfs.symlinkattributes(path)
    if not attributes or attributes.mode ~= "link" then return path end
    local target = attributes.target
    if target:sub(1, 1) ~= "/" and path:find("/", 1, true) then
      target = folder_of(path) .. target
    end
    path = target
  end
  return nil, "too many symbolic links"
end

-- "rw-r-----" as chmod's number
local function bits(permissions)
  local number = 0
  for letter in permissions:gmatch "." do
    number = 2 * number + (letter == "-" and 0 or 1)
  end
  return number
end

-- The new file beside the one it will replace: its handle, its path, and the path of the
-- other; or nil and "path: reason".
local function begin(path)
  local target, reason = resolve(path)
  if not target then return failure(path, reason) end
  local old = lfs.attributes(target)
  if old and old.mode ~= "file" then
    return failure(path, ("not replaced, because it is a %s"):format(old.mode))
  end
  local temporary = target .. SUFFIX
  local stray = lfs.symlinkattributes(temporary, "mode")
  if stray == "directory" then
    return failure(path, temporary .. " is in the way, a directory")
  elseif stray then
    os.remove(temporary) -- of a process that was killed
  end
  local handle, refusal = system.create(temporary, old and bits(old.permissions))
  if not handle then return failure(path, refusal) end
  return handle, temporary, target
end

-- Write all chunks and see them to the disk.
local function fill(handle, next_chunk)
  local count = 0
  for chunk in next_chunk do
    count = count + 1
    errors.check(type(chunk) == "string", "strings expected, got %s as chunk %d",
      errors.show(chunk), count)
    local ok, message = handle:write(chunk)
    if not ok then return nil, message end
  end
  return system.sync(handle)
end

-- A function that gives the content as one chunk, then nil
local function one_chunk(content)
  return function()
    local chunk = content
    content = nil
    return chunk
  end
end

---Replace the file `path`, or create it. Either it holds all the bytes afterwards and
---they are on the disk, or the old file is as it was. A symbolic link is followed; its
---file is replaced. Only a regular file is: a device, a directory or a pipe is refused.
---The permissions stay those of the file that is replaced.
---@param path string
---@param content string|fun(): string?  or a function that gives it chunk by chunk, then nil
---@return true?
---@return string?  nil and "path: reason"
function file.write(path, content)
  check_path(path)
  if type(content) == "string" then content = one_chunk(content) end
  errors.check(type(content) == "function",
    "a string or a function that gives strings expected, got %s", errors.show(content))

  local handle, temporary, target = begin(path)
  if not handle then return nil, temporary end
  local ran, ok, message = pcall(fill, handle, content)
  local closed, close_message = handle:close()
  if ran and ok then ok, message = closed, close_message end
  if ran and ok then ok, message = os.rename(temporary, target) end
  if not (ran and ok) then
    os.remove(temporary)
    if not ran then error(ok, 0) end
    return failure(path, message)
  end
  ok, message = system.sync_directory(folder_of(target))
  if not ok then
    return failure(path, "written, but a power loss may undo it: " .. tostring(message))
  end
  return true
end

---Whether write could replace the file `path`, or create it, now: to be asked before hours
---of work whose result is to be written there. A file that is there is not touched.
---@param path string
---@return true?
---@return string?  nil and "path: reason"
function file.check_writable(path)
  check_path(path, 2)
  local handle, temporary = begin(path)
  if not handle then return nil, temporary end
  handle:close()
  os.remove(temporary)
  return true
end

---A regular file that is open for reading; closed at the end of the block that declares it <close>.
---@class Source
---@field size integer  bytes
local Source = {}
Source.__index = Source

---@param first integer  byte, counted from 1
---@param last integer   at least first - 1
---@return string?       bytes first..last
---@return string?       nil and the reason
function Source:read(first, last)
  local count, handle = last - first + 1, self.handle
  if count == 0 then return "" end
  local place, message = handle:seek("set", first - 1)
  if not place then return nil, message end
  -- Asked for so many at once, Lua needs one buffer; "a" would double buffers on the way.
  local bytes
  bytes, message = handle:read(count)
  if message then return nil, message end
  if not bytes or #bytes < count then return nil, "became shorter while it was read" end
  return bytes
end

function Source:__close()
  self.handle:close()
end

---Bytes in memory, to be read as a Source is.
---@class Memory
---@field size integer
local Memory = {}
Memory.__index = Memory

---@param first integer  byte, counted from 1
---@param last integer   at least first - 1
---@return string        bytes first..last
function Memory:read(first, last)
  local bytes = self.bytes
  if first == 1 and last == #bytes then return bytes end -- sub would copy it
  return bytes:sub(first, last)
end

function Memory.__close() end

---Bytes in memory, to be read like a file.
---@param bytes string
---@return Memory
function file.of(bytes)
  return setmetatable({ bytes = bytes, size = #bytes }, Memory)
end

---@param path string
---@return Source?
---@return string?  nil and "path: reason"
function file.open(path)
  check_path(path)
  local mode = lfs.attributes(path, "mode")
  if mode and mode ~= "file" then
    return failure(path, ("is a %s, not a regular file"):format(mode))
  end
  local handle, refusal = io.open(path, "rb")
  if not handle then return failure(path, refusal) end
  local size
  size, refusal = handle:seek "end"
  if not size then
    handle:close()
    return failure(path, refusal)
  end
  return setmetatable({ handle = handle, size = size }, Source)
end

---The content of a regular file.
---@param path string
---@return string?
---@return string?  nil and "path: reason"
function file.read(path)
  local source <close>, refusal = file.open(path)
  if not source then return nil, refusal end
  local bytes, message = source:read(1, source.size)
  if not bytes then return failure(path, message) end
  return bytes
end

return file
