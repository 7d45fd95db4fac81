-- How much memory a call asks for, whatever it keeps of it.

---Call f.
---@param f fun(): any, any
---@return number bytes  what the collector had to find room for, with nothing given back
---@return any ...       the first two results of f
return function(f)
  collectgarbage "stop"
  local before = collectgarbage "count"
  local first, second = f()
  local after = collectgarbage "count"
  collectgarbage "restart"
  return (after - before) * 1024, first, second
end
