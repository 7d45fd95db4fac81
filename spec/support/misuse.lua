-- Misuse must raise where the caller can see it: an error whose position is a line of the spec
-- itself.

local misuse = {}

---`f` raises a message with `expected` in it (a plain string), at one of the lines of `f` and
---naming no other. The call under test must not be a tail call, which would leave no line to name.
---@param f fun()
---@param expected string
function misuse.at_caller(f, expected)
  local ok, message = pcall(f)
  if ok then error(("an error with '%s' expected, none came"):format(expected), 2) end
  message = tostring(message)
  if not message:find(expected, 1, true) then
    error(("an error with '%s' expected, got: %s"):format(expected, message), 2)
  end
  local source = debug.getinfo(f, "S")
  local prefix = source.short_src .. ":"
  local line = message:sub(1, #prefix) == prefix
    and tonumber(message:match("^%d+", #prefix + 1))
  if not line or line < source.linedefined or line > source.lastlinedefined then
    error(("an error at the caller's line expected, got: %s"):format(message), 2)
  end
  if message:find("%.lua:%d+: ", #prefix) then
    error(("an error that names no other line expected, got: %s"):format(message), 2)
  end
end

---`f` raises a message with `expected` in it, wherever it may place it: for checks made in C, which
---name their Lua caller.
---@param f fun()
---@param expected string
function misuse.anywhere(f, expected)
  local ok, message = pcall(f)
  if ok then error(("an error with '%s' expected, none came"):format(expected), 2) end
  if not tostring(message):find(expected, 1, true) then
    error(("an error with '%s' expected, got: %s"):format(expected, tostring(message)), 2)
  end
end

return misuse
