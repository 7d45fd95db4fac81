-- A Lua interpreter of its own for what a test cannot do to the one it runs in: limits, signals,
-- its end.

local child = {}

---@param text string
---@return string  the text as one word of the shell
function child.quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local first = 0
while arg[first - 1] do first = first - 1 end

---The interpreter that runs the specs, as one word of the shell: modules fit one version of Lua.
child.lua = child.quote(arg[first])

---A shell command that runs `script` with the modules of this test.
---@param script string
---@param environment? string  assignments: "OPENBLAS_CORETYPE=Zen"
---@return string
function child.command(script, environment)
  return ("%s LUA_PATH=%s LUA_CPATH=%s %s -e %s"):format(environment or "",
    child.quote(package.path), child.quote(package.cpath), child.lua, child.quote(script))
end

---Run a shell command.
---@param command string
---@return string output   what it wrote, errors included
---@return string how      "exit" or "signal"
---@return integer status
function child.shell(command)
  local pipe = assert(io.popen("{ " .. command .. "\n} 2>&1"))
  local output = pipe:read("a")
  return output, select(2, pipe:close())
end

---Run `script`, which must succeed.
---@param script string
---@param environment? string
---@return string output
function child.run(script, environment)
  local output, how, status = child.shell(child.command(script, environment))
  if how ~= "exit" or status ~= 0 then
    error(("a script ended with %s %d: %s"):format(how, status, output), 2)
  end
  return output
end

---The interpreters of this machine that are too old for us.
---@return string[]
function child.older()
  local names = {}
  for _, name in ipairs { "lua5.1", "luajit", "lua5.2", "lua5.3" } do
    if os.execute(("command -v %s >/dev/null"):format(name)) then
      names[#names + 1] = name
    end
  end
  return names
end

return child
