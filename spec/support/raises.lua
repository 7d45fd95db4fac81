-- A check made in C or by Lua: f(...) raises a message with `text` in it, a plain string.

local misuse = require "spec.support.misuse"

---@param text string
---@param f function
return function(text, f, ...)
  local arguments = table.pack(...)
  local function call() f(table.unpack(arguments, 1, arguments.n)) end
  local ok, message = pcall(misuse.anywhere, call, text)
  if not ok then error(message, 2) end
end
