-- The world that a program (program.lua) runs in: its words, and `call`, which makes one call and
-- says what was wrong with it.

local judge = require "spec.fuzz.judge"
local words = require "spec.fuzz.words"

local world = {}

local MOST_BATCHES = 30       -- of one call that trains: a limit not to be reached is no hang
local MOST_INSTRUCTIONS = 5e7 -- of Lua in one call: about a second
local ARENA = 600             -- elements that views of a program share
local LARGE = 20000           -- elements of which no copy is made before each call
local NORMAL_COLLECTION = { 200, 100, 13 }
local EAGER_COLLECTION = { 10, 1000, 30 } -- the whole of a collection at each allocation


-- What a call must not change where it raises: all numbers that the program holds

local function bits(M) return M:encode(M.dtype, "little", M.order) end

local function is_matrix(value)
  return type(value) == "userdata" and getmetatable(value) == "matrix"
end

local pictures_of = {
  m = function(value)
    return is_matrix(value) and value.rows * value.cols <= LARGE and bits(value) or nil
  end,
  g = function(value)
    return type(value) == "userdata" and getmetatable(value) == "generator" and value:state()
  end,
  net = function(value)
    if type(value) ~= "table" then return nil end
    local pieces = {}
    for k, tensor in ipairs(value:tensors()) do pieces[k] = bits(tensor.value) end
    return table.concat(pieces)
  end,
}

-- Names of variables begin with their kind.
local function picture(environment, name)
  return pictures_of[name:match "^%a+"](environment[name])
end

local function pictures(environment, with_networks)
  local taken = {}
  for name in next, environment do
    local kind = name:match "^(%a+)%d+$"
    local is_seen = kind == "m" or with_networks and pictures_of[kind]
    if is_seen then taken[name] = picture(environment, name) end
  end
  return taken
end


-- Running

local function collect_as(settings) collectgarbage("incremental", table.unpack(settings)) end

-- In the handler of errors, where the stack of what raised is still there
local function explain(message)
  return { message = message, is_own = judge.is_own_error(), trace = debug.traceback("", 2) }
end

-- What f gives. An endless loop in Lua ends with an error.
local function guarded(f)
  debug.sethook(function() error("it hangs", 2) end, "", MOST_INSTRUCTIONS)
  local results = table.pack(xpcall(f, explain))
  debug.sethook()
  return results
end

local function report(self, what, failure)
  self.on_fault { line = self.line, what = what, message = failure.message, trace = failure.trace }
end

-- What is wrong with a call that raised
local function check_failure(self, failure, before)
  if type(failure) ~= "table" or failure.trace == nil then -- no memory or stack for the handler
    failure = { message = failure }
  end
  local what = not failure.is_own and judge.fault_of(failure.message)
  if what then report(self, what, failure) end
  for name, picture_before in next, before do
    local is_changed = picture(self.environment, name) ~= picture_before
    if is_changed and not self.is_spoiled then -- by a finaliser, even while it is looked at
      report(self, ("it raised, and %s is not as it was"):format(name), failure)
    end
  end
end

-- f in a coroutine of its own; what yields there goes on later.
local function apart(self, f)
  local thread = coroutine.create(function() return guarded(f) end)
  local _, results = coroutine.resume(thread)
  if coroutine.status(thread) == "dead" then return results end
  self.threads[#self.threads + 1] = thread
  return { true, n = 1 }
end

-- One call: what f returns, or nothing where it raises. How: "trains", it may change networks
-- before it raises; "apart", it runs in a coroutine.
local function call(self, f, how)
  self.line = debug.getinfo(f, "S").linedefined
  self.calls, self.is_spoiled, self.batches = self.calls + 1, false, 0
  self.on_call(self.line)
  local before = how ~= "apart" and pictures(self.environment, not how) or {}
  if self.armed then self.armed() end
  local results = how == "apart" and apart(self, f) or guarded(f)
  if self.armed then
    self.armed = nil
    collect_as(NORMAL_COLLECTION)
  end
  if not results[1] then
    self.raised = self.raised + 1
    check_failure(self, results[2], before)
    return
  end
  local refusal = judge.fault_of_results(results[2], results[3])
  if refusal then report(self, refusal, { message = results[3] }) end
  return table.unpack(results, 2, results.n)
end


-- The words that need to know of the run

local of_run = {}

-- Let the call that yielded last go on.
function of_run.go_on(self)
  local thread = table.remove(self.threads)
  if not thread then return end
  local _, results = coroutine.resume(thread)
  if coroutine.status(thread) == "dead" and not results[1] then
    check_failure(self, results[2], {})
  end
end

-- At each of the next allocations `action` runs, as the finaliser of garbage: `times` times.
function of_run.arm(self, action, times)
  self.armed = function()
    local function lay()
      setmetatable({}, { __gc = function()
        times = times - 1
        if times > 0 then lay() else collect_as(NORMAL_COLLECTION) end
        action()
      end })
    end
    lay()
    collect_as(EAGER_COLLECTION)
  end
end

-- A function that changes a matrix whenever it is called
function of_run.changes(self, M)
  local count = 0
  return function(...)
    count = count + 1
    self.is_spoiled = true
    if is_matrix(M) then M:fill(({ 1, 0 / 0, -1e9 })[count % 3 + 1]) end
    return ...
  end
end

-- A hook that ends a run which would have no end
function of_run.limited(self, hook)
  return function(...)
    self.batches = self.batches + 1
    if self.batches > MOST_BATCHES then return "stop" end
    return hook(...)
  end
end

of_run.call = call

local function new_environment(self)
  local environment = {}
  for name, value in next, words do environment[name] = value end
  for name, f in next, of_run do
    environment[name] = function(...) return f(self, ...) end
  end
  environment._ENV = environment
  environment.arena = {
    f32 = words.normal(words.f32, ARENA, 1, "columns", 1),
    f64 = words.normal(words.f64, ARENA, 1, "columns", 1),
  }
  return environment
end

---Run a program. Files are written in the current folder.
---@param text string
---@param options { on_fault: function, on_call: function }  on_call(line) comes before each call
---@return integer calls, integer raised
function world.run(text, options)
  local self = {
    calls = 0, raised = 0, threads = {}, line = 0,
    on_fault = options.on_fault, on_call = options.on_call,
  }
  self.environment = new_environment(self)
  local program = assert(load(text, judge.SOURCE, "t", self.environment))
  local ok, failure = xpcall(program, explain)
  collect_as(NORMAL_COLLECTION)
  if not ok then report(self, "what is valid raised", failure) end
  return self.calls, self.raised
end

return world
