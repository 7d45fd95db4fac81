-- Errors of what a function calls, told as the function's own. Not to be tail called: a tail call
-- would take the place of the function whose caller is meant.

---Call f(...); an error it raises is raised again at the line `level` calls up (1: the caller of at_caller,
---2: its caller), without the place inside the library where it arose.
---@param level integer
---@param f function
---@return any ...
local function at_caller(level, f, ...)
  local results = table.pack(pcall(f, ...))
  if results[1] then return table.unpack(results, 2, results.n) end
  local message = results[2]
  if type(message) == "string" then
    message = message:gsub("^[^:\n]*:%d+: ", ""):gsub("'perilune%.core%.float%d%d%.", "'")
  end
  error(message, level + 1)
end

return at_caller
