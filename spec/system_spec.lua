-- What Lua cannot ask of the operating system: src/system.c.

local child = require "spec.support.child"
local lfs = require "lfs"
local raises = require "spec.support.raises"
local system = require "perilune.core.system"

describe("the operating system's", function()
  describe("clock", function()
    it("never runs backwards", function()
      local last = system.clock()
      for _ = 1, 10000 do
        local now = system.clock()
        assert.is_true(now >= last)
        last = now
      end
    end)

    it("counts seconds, and parts of them", function()
      local start = system.clock()
      assert(io.popen("sleep 0.1")):close()
      local passed = system.clock() - start
      assert.is_true(passed >= 0.1 and passed < 10, passed)
      assert.equal("float", math.type(start))
    end)
  end)

  it("processors are one or more", function()
    local count = system.processors()
    assert.equal("integer", math.type(count))
    assert.is_true(count >= 1)
  end)

  it("processors are those that this process may use", function()
    if not child.shell("taskset -c 0 true && echo works"):find("^works") then
      return pending("this machine has no taskset, or no processor 0 for us")
    end
    local count = child.command('print(require("perilune.core.system").processors())')
    assert.equal("1\n", (child.shell("taskset -cp 0 $$ >/dev/null; " .. count)))
  end)

  it("processors that share a core count as one", function()
    local status <close> = io.open("/proc/self/status")
    local allowed = status and status:read("a"):match("Cpus_allowed_list:%s*(%S+)")
    local cores, count = {}, 0
    for first, last in (allowed or ""):gmatch("(%d+)%-?(%d*)") do
      for processor = tonumber(first), tonumber(last) or tonumber(first) do
        local file <close> = io.open(("/sys/devices/system/cpu/cpu%d/topology/"
          .. "thread_siblings_list"):format(processor))
        if not file then return pending("this system does not tell who shares a core") end
        local siblings = file:read()
        if not cores[siblings] then count = count + 1 end
        cores[siblings] = true
      end
    end
    if count == 0 then return pending("this system has no /proc/self/status") end
    assert.equal(count, system.processors())
  end)

  describe("terminal", function()
    it("is not what a file or a pipe is", function()
      local file = assert(io.tmpfile())
      assert.is_false(system.isatty(file))
      file:close()
      local pipe = assert(io.popen("true"))
      assert.is_false(system.isatty(pipe))
      pipe:close()
      local output = child.run('print(require("perilune.core.system").isatty(io.stdout))')
      assert.equal("false\n", output)
    end)

    it("is asked of an open file only", function()
      local file = assert(io.tmpfile())
      file:close()
      raises("open file expected, got a closed one", system.isatty, file)
      raises("FILE* expected, got string", system.isatty, "stdout")
      raises("FILE* expected, got no value", system.isatty)
      raises("FILE* expected, got number", system.isatty, 1)
      local M = require("perilune.core.float32").matrix(1, 1)
      raises("FILE* expected, got perilune.matrix.float32", system.isatty, M)
    end)
  end)

  describe("new file", function()
    local path
    before_each(function()
      path = os.tmpname()
      os.remove(path)
    end)
    after_each(function() os.remove(path) end)

    local function permissions() return lfs.attributes(path, "permissions") end

    it("is open for writing, and closed as any other", function()
      local file = assert(system.create(path))
      assert.equal("file", io.type(file))
      assert.equal(file, file:write("some", " bytes"))
      assert.is_true(file:close())
      assert.equal("closed file", io.type(file))
      local reader <close> = assert(io.open(path, "rb"))
      assert.equal("some bytes", reader:read("a"))
    end)

    it("never takes the place of a file or a link", function()
      local file = assert(system.create(path))
      file:write("precious")
      file:close()
      local again, message, code = system.create(path)
      assert.is_nil(again)
      assert.equal(path .. ": File exists", message)
      assert.equal("integer", math.type(code))
      assert.equal(8, lfs.attributes(path, "size"))
      os.remove(path)
      assert(lfs.link(path .. ".elsewhere", path, true))
      assert.is_nil((system.create(path)))
      assert.is_nil((io.open(path .. ".elsewhere")))
    end)

    it("has the permissions that are asked for, whatever the umask", function()
      for expected, number in pairs {
        ["rw-r--r--"] = 420, ["rw-------"] = 384, ["---------"] = 0, ["rwxrwxrwx"] = 511,
      } do
        child.shell("umask 077; " .. child.command(
          ('require("perilune.core.system").create(%q, %d)'):format(path, number)))
        assert.equal(expected, permissions())
        os.remove(path)
      end
    end)

    it("has those of the umask where none are asked for", function()
      child.shell("umask 027; " .. child.command(
        ('require("perilune.core.system").create(%q):close()'):format(path)))
      assert.equal("rw-r-----", permissions())
    end)

    it("is refused with a reason where it cannot be", function()
      assert.same({ nil, path .. "/in/it: No such file or directory", 2 },
        { system.create(path .. "/in/it") })
      raises("permissions of 0 to 511 expected", system.create, path, 512)
      raises("permissions of 0 to 511 expected", system.create, path, -1)
      raises("number expected, got string", system.create, path, "rw-------")
      raises("string expected, got nil", system.create, nil)
      assert.is_nil((io.open(path)))
    end)

    it("is closed by the collector", function()
      local limited = "ulimit -n 20; " .. child.command(([[
        local system = require "perilune.core.system"
        for k = 1, 100 do
          assert(system.create(%q))
          os.remove(%q)
          if k %% 5 == 0 then collectgarbage() end
        end
        print "done"]]):format(path, path))
      assert.equal("done\n", (child.shell(limited)))
    end)
  end)

  describe("disk", function()
    local path = os.tmpname()
    teardown(function() os.remove(path) end)

    it("has what was written once sync returns true", function()
      local file = assert(io.open(path, "wb"))
      file:write("still in a buffer")
      assert.is_true(system.sync(file))
      local reader <close> = assert(io.open(path, "rb"))
      assert.equal("still in a buffer", reader:read("a"))
      file:close()
    end)

    it("is not reached through a pipe, which sync says in a message", function()
      local pipe = assert(io.popen("cat >" .. child.quote(path), "w"))
      pipe:write("x")
      local ok, message, code = system.sync(pipe)
      pipe:close()
      assert.is_nil(ok)
      assert.equal("string", type(message))
      assert.equal("integer", math.type(code))
    end)

    it("may be full, which sync says in a message", function()
      local file = io.open("/dev/full", "wb")
      if not file then return pending("this machine has no /dev/full") end
      file:write("x")
      local ok, message = system.sync(file)
      assert.is_nil(ok)
      assert.is_truthy(message:find("No space left", 1, true), message)
      file:close()
    end)

    it("is told of an open file only", function()
      local file = assert(io.tmpfile())
      file:close()
      raises("open file expected, got a closed one", system.sync, file)
      raises("FILE* expected, got string", system.sync, path)
      raises("FILE* expected, got no value", system.sync)
    end)

    it("is told of a directory", function()
      assert.is_true(system.sync_directory("."))
      assert.is_true(system.sync_directory(path:match("^(.*)/") or "."))
    end)

    it("has no such directory: nil, a message with the path, and the code", function()
      local missing = path .. ".missing/nowhere"
      local ok, message, code = system.sync_directory(missing)
      assert.is_nil(ok)
      assert.equal(missing .. ": No such file or directory", message)
      assert.equal("integer", math.type(code))
      ok, message = system.sync_directory(path)
      assert.is_nil(ok)
      assert.equal(path .. ": Not a directory", message)
      assert.is_nil((system.sync_directory("")))
      raises("string expected, got nil", system.sync_directory, nil)
    end)

    it("is asked about thousands of directories without keeping one open", function()
      local limited = "ulimit -n 20; " .. child.command [[
        local system = require "perilune.core.system"
        for _ = 1, 100 do
          assert(system.sync_directory("."))
          assert(not system.sync_directory("missing"))
        end
        print "done"]]
      assert.equal("done\n", (child.shell(limited)))
    end)
  end)

  describe("interrupt", function()
    -- A shell's parent is the interpreter that started it. Not os.execute, which ignores SIGINT
    -- meanwhile.
    local script = [[
      local system = require "perilune.core.system"
      io.stdout:setvbuf("no")
      local function press()
        io.popen("kill -INT $PPID"):close()
        local start = system.clock()
        while not system.interrupted() and system.clock() < start + 2 do end
      end
    ]]

    it("is a flag at first, and ends the process the second time", function()
      local output, how, status = child.shell(child.command(script .. [[
        print(system.interrupted())
        system.catch_interrupt()
        print(system.interrupted())
        press()
        print(system.interrupted(), system.interrupted())
        press()
        print "still there"]]))
      assert.equal("false\nfalse\ntrue\ttrue\n", output)
      local ended = how == "exit" and status == 130 or how == "signal" and status == 2
      assert.is_true(ended, how .. " " .. tostring(status))
    end)

    it("is caught again after catch_interrupt was called again", function()
      local output = child.run(script .. [[
        for _ = 1, 3 do
          system.catch_interrupt()
          print(system.interrupted())
          press()
          print(system.interrupted())
        end]])
      assert.equal(("false\ntrue\n"):rep(3), output)
    end)

    it("is answered at once, by words of the program's", function()
      local output, how, status = child.shell(child.command(script .. [[
        system.catch_interrupt("heard, ", false)
        press()
        print("and going on")
        system.catch_interrupt("heard, and over\n", true)
        press()
        print "still there"]]))
      assert.equal("heard, and going on\nheard, and over\n", output)
      local ended = how == "exit" and status == 130 or how == "signal" and status == 2
      assert.is_true(ended, how .. " " .. tostring(status))
    end)

    it("is answered while C is at work, not after it", function()
      local output = child.shell(child.command(script .. [[
        system.catch_interrupt("over\n", true)
        local pipe = io.popen("exec 2>/dev/null; kill -INT $PPID; sleep 2")
        print(pipe:read("a"), "still there")]]))
      assert.equal("over\n", output)
    end)

    it("is answered in a line or two", function()
      raises("at most 160 bytes expected", system.catch_interrupt, ("x"):rep(161))
      raises("string expected, got boolean", system.catch_interrupt, true)
    end)

    it("does not disturb threads at work, nor what is read meanwhile", function()
      local output = child.run(script .. [[
        local core = require "perilune.core.float32"
        core.threads(4)
        local A = core.generator():normal(core.matrix(300, 300))
        local wanted = A * A
        system.catch_interrupt()
        local pipe = io.popen("sleep 0.1; kill -INT $PPID; sleep 0.1; echo the end")
        local count = 0
        repeat
          assert(core.count_equal(A * A, wanted) == 90000)
          count = count + 1
        until system.interrupted() or count == 1000000
        print(count > 1 and system.interrupted(), pipe:read("a"))]])
      assert.equal("true\tthe end\n\n", output)
    end)
  end)
end)
