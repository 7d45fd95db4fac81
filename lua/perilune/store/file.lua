-- Whole files, read and written so that a crash, a full disk or a lost power supply never
-- leaves half a file: the new bytes go to a temporary file beside the target, reach the
-- disk, and take the target's name in one step. Until then the old file is untouched. One
-- writer for each target: the temporary name is fixed, so that a killed process leaves at
-- most one stray file, which the next write replaces.

local lfs = require "lfs"
local system = require "perilune.core.system"

local file = {}

local MOST_LINKS = 40 -- as Linux follows

local function check_path(path, level)
  if type(path) ~= "string" then
    error(("a path expected, got %s"):format(type(path)), level + 1)
  end
  -- C ends a path at a zero byte, and would name another file.
  if path == "" or path:find("\0", 1, true) then
    error(("a path expected, got %q"):format(path), level + 1)
  end
end

-- Messages of the operating system name a path, or do not; ours do, once.
local function failure(path, message)
  message = tostring(message)
  for _, prefix in ipairs { path .. ": ", path .. ".tmp: " } do
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

-- Write and close whatever happens; the first failure counts.
local function fill(handle, chunks)
  local ok, message = true, nil
  for _, chunk in ipairs(chunks) do
    ok, message = handle:write(chunk)
    if not ok then break end
  end
  if ok then ok, message = system.sync(handle) end
  local closed, close_message = handle:close()
  if ok then ok, message = closed, close_message end
  return ok, message
end

---Replace the file `path`, or create it. Either it holds all the bytes afterwards and
---they are on the disk, or the old file is as it was. A symbolic link is followed; its
---file is replaced. Only a regular file is: a device, a directory or a pipe is refused.
---The permissions are those of a new file.
---@param path string
---@param chunks string|string[]  the content, in one or several pieces
---@return true?
---@return string?  nil and "path: reason"
function file.write(path, chunks)
  check_path(path, 2)
  if type(chunks) == "string" then chunks = { chunks } end
  if type(chunks) ~= "table" then
    error(("a string or a list of strings expected, got %s"):format(type(chunks)), 2)
  end
  for k, chunk in ipairs(chunks) do
    if type(chunk) ~= "string" then
      error(("strings expected, got %s as chunk %d"):format(type(chunk), k), 2)
    end
  end

  local target, reason = resolve(path)
  if not target then return failure(path, reason) end
  local mode = lfs.attributes(target, "mode")
  if mode and mode ~= "file" then
    return failure(path, ("not replaced, because it is a %s"):format(mode))
  end
  local temporary = target .. ".tmp"
  local stray = lfs.symlinkattributes(temporary, "mode")
  if stray == "directory" then
    return failure(path, temporary .. " is in the way, a directory")
  elseif stray then
    os.remove(temporary) -- were it a link, opening it would write elsewhere
  end

  local handle, refusal = io.open(temporary, "wb")
  if not handle then return failure(path, refusal) end
  local ok, message = fill(handle, chunks)
  if ok then ok, message = os.rename(temporary, target) end
  if not ok then
    os.remove(temporary)
    return failure(path, message)
  end
  ok, message = system.sync_directory(folder_of(target))
  if not ok then
    return failure(path, "written, but a power loss may undo it: " .. tostring(message))
  end
  return true
end

---The content of a regular file.
---@param path string
---@return string?
---@return string?  nil and "path: reason"
function file.read(path)
  check_path(path, 2)
  local attributes = lfs.attributes(path)
  if attributes and attributes.mode ~= "file" then
    return failure(path, ("is a %s, not a regular file"):format(attributes.mode))
  end
  local handle, refusal = io.open(path, "rb")
  if not handle then return failure(path, refusal) end
  -- Asked for the size at once, Lua needs one buffer of it; "a" would double buffers on
  -- the way.
  local size = attributes and attributes.size or 0
  local bytes, message = handle:read(size > 0 and size or "a")
  handle:close()
  if not bytes then return failure(path, message or "ends at once") end
  if #bytes < size then return failure(path, "became shorter while it was read") end
  return bytes
end

return file
