-- What Lua cannot do to the process it runs in: a C file of spec/support as a library, for
-- package.loadlib.

local child = require "spec.support.child"

---@param name string   of the file, without .c
---@param flags? string  for the compiler, after the file
---@return string?  the path of the library, to be removed; nil where it cannot be compiled
local function compiled(name, flags)
  local path = os.tmpname()
  local lua = _VERSION:gsub("Lua ", "lua")
  local command = "cc -shared -fPIC -o %s $(pkg-config --cflags %s) spec/support/%s.c %s "
    .. "2>/dev/null"
  if os.execute(command:format(child.quote(path), lua, name, flags or "")) then return path end
  os.remove(path)
end

return compiled
