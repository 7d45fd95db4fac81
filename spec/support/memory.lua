-- What a function allocates, what it needs at its greatest, and what it does where it may not.

local Buffer = require "perilune.buffer"
local child = require "spec.support.child"
local file = require "perilune.store.file"

local memory = {}

---Call f, with the collector stopped. What is to need nothing must have been called before, so that
---it has its buffers.
---@param f fun(): any, any
---@return number bytes  what was allocated, whatever is kept of it
---@return any ...       the first two results of f
function memory.allocated(f)
  collectgarbage "stop"
  local before = collectgarbage "count"
  local first, second = f()
  local after = collectgarbage "count"
  collectgarbage "restart"
  return (after - before) * 1024, first, second
end

---pcall(f, ...) where there is no memory for the k-th matrix that is asked of a buffer.
---@return boolean ok, any ...
function memory.without_buffer(k, f, ...)
  local columns, count = Buffer.columns, 0
  function Buffer.columns(...)
    count = count + 1
    if count == k then error("not enough memory", 0) end
    return columns(...)
  end
  local results = table.pack(pcall(f, ...))
  Buffer.columns = columns
  return table.unpack(results, 1, results.n)
end

---The most memory that a function uses beyond what was in use before, as far as it shows with each
---chunk of a file that it reads or writes. The collector runs; what it has not come to yet grows
---with the process: see peak_alone.
---@param f fun()
---@return number bytes
function memory.peak(f)
  local open, write = file.open, file.write
  collectgarbage()
  collectgarbage()
  local before, most = collectgarbage "count", 0
  local function look(...)
    most = math.max(most, collectgarbage "count" - before)
    return ...
  end
  function file.open(path)
    local source, reason = open(path)
    if not source then return nil, reason end
    local function read(_, ...) return look(source:read(...)) end
    return setmetatable({ size = source.size, read = read },
      { __close = function() getmetatable(source).__close(source) end })
  end
  function file.write(path, next_chunk)
    return write(path, function() return look(next_chunk()) end)
  end
  local ok, message = pcall(f)
  file.open, file.write = open, write
  if not ok then error(message, 0) end
  look()
  return 1024 * most
end

---The same of `call` in a process of its own, whose collector is the incremental one or the
---generational one: whichever lets it use more.
---@param before string  Lua that prepares it, with globals for `call`
---@param call string    Lua
---@return number bytes
function memory.peak_alone(before, call)
  local most = 0
  for _, collector in ipairs { "incremental", "generational" } do
    local output = child.run(([[
      collectgarbage %q
      memory, pl = require "spec.support.memory", require "perilune"
      %s
      print(memory.peak(function() %s end))]]):format(collector, before, call))
    most = math.max(most, tonumber(output))
  end
  return most
end

---Run `before`, then `call`, in a process of its own.
---@param before string  Lua, with globals for `call`
---@param call string    Lua that sets the global `result`
---@return number megabytes  by which the most that the process ever held has grown in `call`; 0
---where the system does not tell
---@return string result
function memory.growth(before, call)
  local output = child.run(([[
    pl = require "perilune"
    local is_told = io.open "/proc/self/status" ~= nil
    local function most()
      if not is_told then return 0 end
      for line in io.lines "/proc/self/status" do
        local kilobytes = line:match "^VmHWM:%%s*(%%d+)"
        if kilobytes then return kilobytes // 1024 end
      end
    end
    %s
    local held = most()
    %s
    print(most() - held, result)]]):format(before, call))
  local megabytes, result = output:match "^(%d+)%s+(%S+)"
  return tonumber(megabytes), result
end

return memory
