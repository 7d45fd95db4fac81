-- What a function allocates.

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

return memory
