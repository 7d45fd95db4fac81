-- Random calls of the whole public interface, right ones and hostile ones: nothing may crash, hang
-- or be reported by a sanitizer, errors are about the user's words and stand at the user's line,
-- and a call that raises leaves its arguments as they were. `make check-api` runs it in the build
-- with sanitizers; by hand
--     lua5.4 spec/fuzz/check_api.lua SEED CALLS [CASE]
-- makes so many calls, in programs that follow from the seed and a number; with CASE that one
-- program alone. Each fault is told with the program that shows it, with what is not needed for it
-- left out.

local lfs = require "lfs"

-- All paths are absolute, since files are written in a folder that is removed afterwards.
local root = arg[0]:match "^(.*)spec/fuzz/[^/]*$"
if root:sub(1, 1) ~= "/" then root = lfs.currentdir() .. "/" .. root end
package.path = ("%slua/?.lua;%slua/?/init.lua;%s?.lua;%s"):format(root, root, root, package.path)
package.cpath = ("%s/?.so;%s"):format(os.getenv "PERILUNE_BUILD" or root .. "build",
  package.cpath)

local child = require "spec.support.child"
local grammar = require "spec.fuzz.grammar"
local world = require "spec.fuzz.world"

local JOBS = 2
local MOST_FAULTS = 20       -- told by one process
local SECONDS_A_CALL = 0.01  -- and a minute: then it hangs
local MOST_MEMORY = 1024     -- MiB, so that the largest matrices are refused

local function indented(text) return (text:gsub("[^\n]+", "    %0")) end

local function lines_of(text)
  local lines = {}
  for line in text:gmatch "[^\n]+" do lines[#lines + 1] = line end
  return lines
end

local function whole(text) return math.tointeger(tonumber(text)) end


-- One process of calls

-- The same for the same fault in other programs
local function kind_of(fault)
  local message = tostring(fault.message):gsub("^case:%d+: ", ""):gsub("got .*", "")
  return fault.what:gsub("%a+%d+", "") .. message:gsub("%d+", "")
end

-- The program without the lines that the fault does not need
local function shortened(text, fault, on_call)
  local kind, lines = kind_of(fault), lines_of(text)
  while #lines > fault.line do table.remove(lines) end
  for k = #lines - 1, 1, -1 do
    local line, is_shown = table.remove(lines, k), false
    pcall(world.run, table.concat(lines, "\n"), {
      on_call = on_call,
      on_fault = function(other) is_shown = is_shown or kind_of(other) == kind end,
    })
    if not is_shown then table.insert(lines, k, line) end
  end
  return table.concat(lines, "\n")
end

local function tell(where, text, fault, on_call)
  print(("\n%s\n%s"):format(fault.what, indented(tostring(fault.message))))
  local inner = fault.trace and fault.trace:gsub("^%s*", ""):gsub("\n[^\n]*'xpcall'.*", "")
  if inner then print(indented(inner)) end
  print(("%s:\n%s"):format(where, indented(shortened(text, fault, on_call))))
  io.stdout:flush()
end

local function where_of(seed, case)
  return ("in case %d (make check-api SEED=%d CASE=%d)"):format(case, seed, case)
end

-- Every `step`-th case from `first` on, until so many calls are made
local function run(seed, first, step, calls)
  local progress = assert(io.open("../progress", "w"))
  progress:setvbuf "no"
  local case, made, raised, told, seen = first, 0, 0, 0, {}
  local function on_call(line)
    progress:seek "set"
    progress:write(("%10d %4d"):format(case, line))
  end
  repeat
    local text, faults = grammar.program(seed, case), {}
    local calls_made, calls_raised = world.run(text, {
      on_call = on_call, on_fault = function(fault) faults[#faults + 1] = fault end,
    })
    made, raised = made + calls_made, raised + calls_raised
    for _, fault in ipairs(faults) do
      local kind = kind_of(fault)
      if not seen[kind] then
        seen[kind], told = true, told + 1
        tell(where_of(seed, case), text, fault, on_call)
      end
    end
    case = case + step
  until made >= calls or told >= MOST_FAULTS
  print(("%d calls, %d raised, %d faults"):format(made, raised, told))
  os.exit(told == 0, true)
end


-- All of them

local function temporary_folder()
  local folder = os.tmpname()
  os.remove(folder)
  assert(lfs.mkdir(folder))
  return folder
end

-- Under the sanitizer, which needs address space without end, its allocator refuses.
local function start(seed, first, step, calls, folder)
  assert(lfs.mkdir(folder) and lfs.mkdir(folder .. "/files"))
  local limit = (os.getenv "SANITIZED_MODULE" and "export ASAN_OPTIONS=max_allocation_size_mb=%d"
    or "ulimit -v $((%d * 1024))"):format(MOST_MEMORY)
  local command = ("exec timeout -s ABRT %d %s %sspec/fuzz/check_api.lua run %d %d %d %d"):format(
    math.ceil(60 + calls * SECONDS_A_CALL), child.lua, root, seed, first, step, calls)
  return assert(io.popen(("cd %s/files && %s && %s 2>&1"):format(folder, limit, command)))
end

-- What the process did last, where it did not come to its end
local function tell_end(seed, folder, how, status)
  local file <close> = io.open(folder .. "/progress")
  local case, line = (file and file:read "a" or ""):match "(%d+)%s+(%d+)"
  print(("\nthe process ended with %s %d%s"):format(how, status,
    status == 124 and ": it hangs" or ""))
  if not case then return end
  local lines = lines_of(grammar.program(seed, whole(case)))
  print(("%s, at line %d:\n%s"):format(where_of(seed, whole(case)), line,
    indented(table.concat(lines, "\n", 1, math.min(whole(line), #lines)))))
end

local function check(seed, calls, only)
  local folder, jobs, is_right = temporary_folder(), only and 1 or JOBS, true
  local pipes, sums = {}, { 0, 0, 0 }
  for job = 1, jobs do
    pipes[job] = start(seed, only or job, jobs, only and 1 or calls // jobs,
      ("%s/%d"):format(folder, job))
  end
  for job, pipe in ipairs(pipes) do
    local has_ended = false
    for line in pipe:lines() do
      local counts = table.pack(line:match "^(%d+) calls, (%d+) raised, (%d+) faults$")
      has_ended = has_ended or counts.n == 3
      for k = 1, #sums do sums[k] = sums[k] + (counts[k] or 0) end
      local is_noise = counts.n == 3 or line:find "WARNING: AddressSanitizer failed to allocate"
      if not is_noise then print(line) end
    end
    local ok, how, status = pipe:close()
    is_right = is_right and ok == true and has_ended
    if not has_ended or (not ok and status > 1) then
      tell_end(seed, ("%s/%d"):format(folder, job), how, status)
    end
  end
  os.execute("rm -rf " .. folder)
  print(("seed %d: %d calls, of which %d raised, and %d faults"):format(seed, sums[1], sums[2],
    sums[3]))
  os.exit(is_right, true)
end

if arg[1] == "run" then
  run(whole(arg[2]), whole(arg[3]), whole(arg[4]), whole(arg[5]))
else
  check(whole(arg[1]) or 1, whole(arg[2]) or 100000, whole(arg[3]))
end
