-- What goes through memory piece by piece is garbage a moment later, but Lua's collector waits until memory
-- has doubled: beside a large network pieces could become as much as the network again. Who makes pieces
-- therefore calls this with each, and few of them are there at any time.

---Have the collector take a step, unless the host has stopped it.
local function collect()
  if collectgarbage "isrunning" then collectgarbage "step" end
end

return collect
