-- Small files of every kind, damaged: no reader may crash, hang or raise, take more memory than the
-- file accounts for, or give neither a value nor nil and a message that begins with the path.
-- `make check-readers` runs it in the build with sanitizers; by hand
--     lua5.4 spec/fuzz/check_readers.lua SEED MUTATIONS [READER [CASE]]
-- tries so many damaged files with each reader, or with one alone; with CASE that one file alone,
-- which follows from the seed and the number.

local root = arg[0]:match "^(.*)spec/fuzz/[^/]*$"
package.path = ("%slua/?.lua;%slua/?/init.lua;%s?.lua;%s"):format(root, root, root, package.path)
package.cpath = ("%s/?.so;%s"):format(os.getenv "PERILUNE_BUILD" or root .. "build",
  package.cpath)

local child = require "spec.support.child"
local readers = require "spec.fuzz.readers"

local JOBS = 2
local MOST_FAULTS = 10 -- told of one reader by one process
local SECONDS_A_FILE = 0.02 -- and a minute: then a reader hangs

local function whole(text) return text and math.tointeger(tonumber(text)) end

local function chosen(name)
  if not name then return readers.all end
  for _, reader in ipairs(readers.all) do
    if reader.name == name then return { reader } end
  end
  error("no reader is called " .. name)
end

-- One process: cases first..last of each reader. What it does is written down, in case it ends.
local function run(seed, first, last, name)
  local is_right = true
  for _, reader in ipairs(chosen(name)) do
    local told = 0
    io.write(("%s ..."):format(reader.name))
    io.flush()
    local read = readers.check(reader, seed, first, last, function(case, fault, bytes)
      is_right, told = false, told + 1
      if told > MOST_FAULTS then return end
      print(("\n%s, case %d (make check-readers SEED=%d READER=%q CASE=%d): %s\n    %q"):format(
        reader.name, case, seed, reader.name, case, fault, bytes:sub(1, 400)))
    end)
    print(("%d files, %d of them read, %d faults"):format(last - first + 1, read, told))
    collectgarbage()
  end
  os.exit(is_right, true)
end

-- Several processes, of which each takes its part of the cases
local function check(seed, mutations, name, case)
  local jobs, pipes, is_right = case and 1 or JOBS, {}, true
  for job = 1, jobs do
    local first = case or (job - 1) * mutations // jobs + 1
    local last = case or job * mutations // jobs
    local seconds = math.ceil(60 + (last - first + 1) * #chosen(name) * SECONDS_A_FILE)
    pipes[job] = assert(io.popen(("exec timeout -s ABRT %d %s %s run %d %d %d %s 2>&1"):format(
      seconds, child.lua, arg[0], seed, first, last, name and child.quote(name) or "")))
  end
  for job, pipe in ipairs(pipes) do
    print(("process %d of %d"):format(job, jobs))
    for line in pipe:lines() do print(line) end
    local ok, how, status = pipe:close()
    if not ok and status > 1 then
      print(("it ended with %s %d%s"):format(how, status, status == 124 and ": it hangs" or ""))
    end
    is_right = is_right and ok == true
  end
  os.exit(is_right, true)
end

if arg[1] == "run" then
  run(whole(arg[2]), whole(arg[3]), whole(arg[4]), arg[5])
else
  check(whole(arg[1]) or 1, whole(arg[2]) or 100000, arg[3], whole(arg[4]))
end
