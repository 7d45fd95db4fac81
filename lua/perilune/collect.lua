-- What goes through memory chunk by chunk is garbage a moment later, but Lua's collector waits
-- until memory has doubled: beside a large network chunks could become as much as the network
-- again. Who makes chunks therefore says so here, and few of them are there at any time.
--
-- It is called before a chunk is made, when the one before is about to be let go. To the
-- generational collector, which the interpreter of the command line has, a chunk that is still held
-- in a second step counts as old, and stays until all of memory is gone through.

local STEP = 2 ^ 18 -- bytes of garbage for each step of the collector
local MOST_STEPS = 4 -- at once: they go through all of a small process

local made = 0

---Have the collector take steps for garbage of so many bytes, unless the host has stopped it.
---@param bytes integer
local function collect(bytes)
  made = made + bytes
  local steps = math.min(made // STEP, MOST_STEPS)
  made = made % STEP
  if not collectgarbage "isrunning" then return end
  for _ = 1, steps do collectgarbage "step" end
end

return collect
