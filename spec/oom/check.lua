-- Whether everything survives that memory runs out, at any moment. Each scenario is run with its
-- k-th request for memory failing: for every k or, where there are many, for a sample.
--
-- Only "not enough memory" may come of it. Then what the scenario works on must look as it did
-- before, and the same run, now that there is memory, must give the same bits as if nothing had
-- happened. The host sees to it that all memory is given back and that no file stays open.
--
-- Each run has a process of its own, forked from one that has made what the scenario works on: so
-- all begin alike, and a crash is one failure more.

local argparse = require "argparse"
local lfs = require "lfs"
local oom = require "oom"

local SECONDS = 60    -- after which a run counts as hanging: it takes a few milliseconds
local MOST_SHOWN = 5  -- failures of a scenario
local NOTES = "notes" -- the file by which a process tells what it has found

local arguments = { ... }
local here = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$")

local function whole(text)
  return math.tointeger(tonumber(text)), "a whole number expected"
end

local function points(text)
  if text == "all" then return math.huge end
  return whole(text)
end

local function read_options()
  local parser = argparse("check-oom", "Let memory run out at every moment of each scenario.")
  parser:argument("scenarios", "those to run (default: all)"):args "*"
  parser:option("--points", "moments to try in each scenario and mode, or all", "40")
    :convert(points)
  parser:option("--seed", "of the sample of moments", "1"):convert(whole)
  parser:option("--request", "try this request alone"):convert(whole)
  parser:option("--mode", "only that request fails, the next one too, or all from it on")
    :choices { "once", "twice", "always" }:count "*"
  local options = parser:parse(arguments)
  if #options.mode == 0 then options.mode = { "once", "twice", "always" } end
  return options
end

-- f() in a process of its own; whether it has given true there, and the process has given all back.
local function apart(f)
  local process = oom.fork()
  if process ~= 0 then
    local status = oom.wait(process)
    if status < 0 then print(("ended by signal %d"):format(-status)) end
    return status == 0
  end
  oom.alarm(SECONDS)
  local ok, is_well = xpcall(f, debug.traceback)
  if not ok then print(is_well) end
  os.exit(ok and is_well == true, true)
end

-- The string that f gives in a process of its own
local function told(f)
  local is_well = apart(function()
    local file <close> = assert(io.open(NOTES, "wb"))
    return file:write(f()) ~= nil
  end)
  assert(is_well, "the scenario fails even where there is memory")
  local file <close> = assert(io.open(NOTES, "rb"))
  return file:read "a"
end

local function begin(scenario, object)
  if scenario.begin then scenario.begin(object) end
end

local function look(scenario, object)
  return scenario.look and scenario.look(object) or ""
end

-- A run without any failure: how many requests it makes, how all looks before, the bits that come
-- out
local function rehearse(scenario, object)
  local count, bits = ("js4"):unpack(told(function()
    begin(scenario, object)
    local count, ok, result = oom.call(0, "once", scenario.run, object)
    assert(ok, result)
    return ("js4"):pack(count, scenario.bits(object, result))
  end))
  local before = told(function()
    begin(scenario, object)
    return look(scenario, object)
  end)
  return { count = count, before = before, bits = bits }
end

-- Lua names the file of a module that it cannot read.
local function is_of_memory(message)
  return message == "not enough memory" or type(message) == "string"
    and message:find "^error loading module .*not enough memory$" ~= nil
end

-- Run with the k-th request failing; what is wrong then, nil where nothing is
local function fault(scenario, object, expected, k, mode)
  begin(scenario, object)
  local _, ok, result = oom.call(k, mode, scenario.run, object)
  if not ok then
    if not is_of_memory(result) then
      return "another error: " .. tostring(result)
    elseif look(scenario, object) ~= expected.before then
      return "it is not as it was before"
    end
    result = scenario.run(object)
  end
  if scenario.bits(object, result) ~= expected.bits then
    return ok and "another result" or "another result of the run after it"
  end
end

-- The requests to let fail: all, or a sample of `most`
local function sample(count, most)
  local chosen = {}
  for k = 1, count do chosen[k] = k end
  if count <= most then return chosen end
  for k = 1, most do
    local other = math.random(k, count)
    chosen[k], chosen[other] = chosen[other], chosen[k]
  end
  return table.move(chosen, 1, most, 1, {})
end

local function try(name, scenario, options)
  math.randomseed(options.seed)
  local object = scenario.setup and scenario.setup()
  -- A stack that was deep stays so for some collections, and calls then need no memory.
  for _ = 1, 10 do collectgarbage() end
  local expected = rehearse(scenario, object)
  local failures, tried = 0, 0
  for _, mode in ipairs(options.mode) do
    local requests = options.request and { options.request }
      or sample(expected.count, options.points)
    tried = tried + #requests
    for _, k in ipairs(requests) do
      local is_well = apart(function()
        local ok, found = pcall(fault, scenario, object, expected, k, mode)
        if ok and not found then return true end
        if failures < MOST_SHOWN then
          print(("%s: request %d, %s: %s"):format(name, k, mode, found))
        end
      end)
      if not is_well then failures = failures + 1 end
    end
  end
  print(("%-18s %5d requests for memory, %4d runs, %d failures"):format(name, expected.count,
    tried, failures))
  return failures == 0
end

local function sorted_names(t)
  local names = {}
  for name in pairs(t) do names[#names + 1] = name end
  table.sort(names)
  return names
end

-- Run `f` in a folder that is removed afterwards.
local function in_folder(f)
  local folder = os.tmpname()
  os.remove(folder)
  assert(lfs.mkdir(folder))
  assert(lfs.chdir(folder))
  local result = f()
  for name in lfs.dir "." do
    if lfs.attributes(name, "mode") == "file" then os.remove(name) end
  end
  lfs.chdir "/"
  lfs.rmdir(folder)
  return result
end

local options = read_options()
local scenarios = dofile(here .. "/scenarios.lua")
local names = #options.scenarios > 0 and options.scenarios or sorted_names(scenarios)
local failed = in_folder(function()
  local count = 0
  for _, name in ipairs(names) do
    local scenario = assert(scenarios[name], "no scenario is named " .. name)
    -- In a process of its own, too: what one scenario loads the next one has to load again.
    local is_well = apart(function()
      oom.alarm(0) -- it may take long: each of its runs has an alarm of its own
      return try(name, scenario, options)
    end)
    if not is_well then count = count + 1 end
  end
  return count
end)
if failed > 0 then print(("%d of %d scenarios failed"):format(failed, #names)) end
return failed == 0 and 0 or 1
