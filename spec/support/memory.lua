-- What a function allocates, and what it does where it may not.

local Buffer = require "perilune.buffer"

local memory = {}

---Bytes that f() allocates, with the collector stopped; call it before, so that it has its buffers.
---@param f fun()
---@return number
function memory.allocated(f)
  collectgarbage()
  collectgarbage "stop"
  local before = collectgarbage "count"
  f()
  local kilobytes = collectgarbage "count" - before
  collectgarbage "restart"
  return 1024 * kilobytes
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

return memory
