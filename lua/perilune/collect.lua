-- What goes through memory piece by piece is garbage a moment later, but Lua's collector waits until memory
-- has doubled: beside a large network pieces could become as much as the network again. Who makes pieces
-- therefore says so here, and few of them are there at any time.

local STEP = 2 ^ 18 -- bytes of garbage for each step of the collector

local made = 0

---Have the collector take steps for garbage of so many bytes, unless the host has stopped it.
---@param bytes integer
local function collect(bytes)
  made = made + bytes
  if made < STEP then return end
  made = 0
  if collectgarbage "isrunning" then collectgarbage "step" end
end

return collect
