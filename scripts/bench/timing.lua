-- How often a second functions can be called, and with how many threads that is asked.

local support = require "scripts.support"
local system = require "perilune.core.system"

local timing = {}

local WINDOWS, SECONDS = 5, 0.2

-- Calls per second in one window.
local function window(step)
  local steps_at_once = 1
  local count, start = 0, system.clock()
  local now
  repeat
    for _ = 1, steps_at_once do step() end
    count = count + steps_at_once
    now = system.clock()
    if now - start < SECONDS / 10 then steps_at_once = steps_at_once * 2 end
  until now - start >= SECONDS
  return count / (now - start)
end

---Calls per second of each function: the median of its windows. All functions have a window in
---turn, so that what slows the machine for a while slows all of them; the first turn warms up.
---@param ... fun()
---@return number ...
function timing.medians(...)
  local steps = { ... }
  local rates = {}
  for k, step in ipairs(steps) do
    rates[k] = {}
    window(step)
  end
  for w = 1, WINDOWS do
    for k, step in ipairs(steps) do rates[k][w] = window(step) end
  end
  for k in ipairs(steps) do
    table.sort(rates[k])
    rates[k] = rates[k][math.ceil(WINDOWS / 2)]
  end
  return table.unpack(rates)
end

---1, 2, 4, ... and as many as support.use_threads() takes
---@return integer[]
function timing.thread_counts()
  local counts, threads, all = {}, 1, support.all_threads()
  while threads < all do
    counts[#counts + 1] = threads
    threads = 2 * threads
  end
  counts[#counts + 1] = all
  return counts
end

return timing
