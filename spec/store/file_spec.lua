local allocated_by = require("spec.support.memory").allocated
local at_caller = require("spec.support.misuse").at_caller
local child = require "spec.support.child"
local file = require "perilune.store.file"
local lfs = require "lfs"
local match = require "luassert.match"
local system = require "perilune.core.system"

local function content(path)
  local handle <close> = assert(io.open(path, "rb"))
  return handle:read "a"
end

-- A function that gives the strings of a list one after the other
local function one_by_one(chunks)
  local k = 0
  return function()
    k = k + 1
    return chunks[k]
  end
end

describe("Files", function()
  local folder, path, snapshot

  local function entries()
    local names = {}
    for name in lfs.dir(folder) do
      if name ~= "." and name ~= ".." then names[#names + 1] = name end
    end
    table.sort(names)
    return names
  end

  before_each(function()
    folder = os.tmpname()
    assert(os.remove(folder))
    assert(lfs.mkdir(folder))
    path = folder .. "/target"
    snapshot = assert:snapshot()
  end)

  after_each(function()
    snapshot:revert()
    assert(os.execute(("rm -r '%s'"):format(folder)))
  end)

  describe("written", function()
    it("hold the bytes, and nothing lies beside them", function()
      local bytes = "a\0b\r\n\xff"
      assert.is_true(file.write(path, bytes))
      assert.equal(bytes, content(path))
      assert.equal(bytes, file.read(path))
      assert.same({ "target" }, entries())
    end)

    it("may come in several chunks, or none", function()
      assert.is_true(file.write(path, one_by_one { "a", "", "b", ("c"):rep(100000) }))
      assert.equal("ab" .. ("c"):rep(100000), content(path))
      assert.is_true(file.write(path, one_by_one {}))
      assert.equal("", content(path))
      assert.equal("", file.read(path))
    end)

    it("take the place of an older file", function()
      assert.is_true(file.write(path, "old"))
      assert.is_true(file.write(path, "new"))
      assert.equal("new", content(path))
    end)

    it("may be named without a folder", function()
      local before = lfs.currentdir()
      assert(lfs.chdir(folder))
      local ok, reason = file.write("target", "here")
      assert(lfs.chdir(before))
      assert.is_true(ok, reason)
      assert.equal("here", content(path))
    end)

    it("reach the disk before they take the name, and the folder after", function()
      local order = {}
      stub(system, "sync", function() order[#order + 1] = "sync" return true end)
      stub(os, "rename", function() order[#order + 1] = "rename" return true end)
      stub(system, "sync_directory", function(where)
        order[#order + 1] = where
        return true
      end)
      assert.is_true(file.write(path, "new"))
      assert.same({ "sync", "rename", folder .. "/" }, order)
    end)

    it("follow symbolic links, and leave them links", function()
      assert(lfs.mkdir(folder .. "/sub"))
      assert(lfs.link("sub/link", path, true))
      assert(lfs.link("real", folder .. "/sub/link", true))
      assert.is_true(file.write(path, "created"))
      assert.equal("created", content(folder .. "/sub/real"))
      assert.is_true(file.write(path, "replaced"))
      assert.equal("replaced", content(folder .. "/sub/real"))
      assert.equal("link", lfs.symlinkattributes(path, "mode"))
      assert.equal("link", lfs.symlinkattributes(folder .. "/sub/link", "mode"))
    end)

    it("refuse symbolic links that go round", function()
      assert(lfs.link("other", path, true))
      assert(lfs.link("target", folder .. "/other", true))
      assert.same({ nil, path .. ": too many symbolic links" }, { file.write(path, "x") })
    end)

    it("refuse to replace a folder, a device or a pipe", function()
      assert.same({ nil, folder .. ": not replaced, because it is a directory" },
        { file.write(folder, "x") })
      assert.same({ nil, "/dev/full: not replaced, because it is a char device" },
        { file.write("/dev/full", "x") })
      assert(os.execute(("mkfifo '%s'"):format(path)))
      assert.same({ nil, path .. ": not replaced, because it is a named pipe" },
        { file.write(path, "x") })
      assert.equal("char device", lfs.attributes("/dev/full", "mode"))
    end)

    it("need a folder that exists", function()
      local missing = folder .. "/missing/target"
      assert.same({ nil, missing .. ": No such file or directory" },
        { file.write(missing, "x") })
    end)

    it("replace the temporary file of a process that was killed", function()
      assert.is_true(file.write(path .. ".perilune-tmp", "half a fi"))
      assert.is_true(file.write(path, "whole"))
      assert.same({ "target" }, entries())
    end)

    it("do not go where a link in place of the temporary file leads", function()
      assert.is_true(file.write(folder .. "/precious", "old"))
      assert(lfs.link("precious", path .. ".perilune-tmp", true))
      assert.is_true(file.write(path, "new"))
      assert.equal("old", content(folder .. "/precious"))
      assert.equal("file", lfs.symlinkattributes(path, "mode"))
    end)

    it("do not remove a folder in place of the temporary file", function()
      assert(lfs.mkdir(path .. ".perilune-tmp"))
      local ok, reason = file.write(path, "x")
      assert.is_nil(ok)
      assert.equal(("%s: %s.perilune-tmp is in the way, a directory"):format(path, path),
        reason)
      assert.same({ "target.perilune-tmp" }, entries())
    end)

    it("leave files of other names alone", function()
      local others = {
        "target.tmp", "target.new", "target~", "target.bak", "#target#", ".target.swp",
        ".target.tmp",
      }
      for _, name in ipairs(others) do
        assert(io.open(folder .. "/" .. name, "wb")):write(name):close()
      end
      assert.is_true(file.write(path, "new"))
      for _, name in ipairs(others) do
        assert.equal(name, content(folder .. "/" .. name))
      end
    end)

    it("keep the permissions of the file that they replace", function()
      for _, permissions in ipairs {
        "rw-------", "r--r-----", "rwxr-xr-x", "rw-rw-rw-", "---------",
      } do
        assert.is_true(file.write(path, "old"))
        local mode = permissions:gsub("[rwx]", "1"):gsub("-", "0")
        assert(os.execute(("chmod %o '%s'"):format(tonumber(mode, 2), path)))
        assert.is_true(file.write(path, "new"))
        assert.equal(permissions, lfs.attributes(path, "permissions"))
        assert(os.remove(path))
      end
    end)

    it("have those that any new file has where they replace none", function()
      assert.is_true(file.write(path, "new"))
      assert(io.open(folder .. "/other", "wb")):close()
      assert.equal(lfs.attributes(folder .. "/other", "permissions"),
        lfs.attributes(path, "permissions"))
    end)

    it("raise for what is no path and no bytes", function()
      at_caller(function()
        local ok = file.write(nil, "x")
        return ok
      end, "a path expected, got nil")
      at_caller(function()
        local ok = file.write("a\0b", "x")
        return ok
      end, "a path expected, got \"a\\0b\"")
      at_caller(function()
        local ok = file.write(path, 5)
        return ok
      end, "a string or a function that gives strings expected, got 5")
      at_caller(function()
        local ok = file.write(path, one_by_one { "a", 5 })
        return ok
      end, "strings expected, got 5 as chunk 2")
      assert.same({}, entries())
    end)
  end)

  describe("keep the old file, and leave no temporary one, when", function()
    local open = io.open

    local function fails(expected)
      assert.is_true(file.write(path, "old"))
      return function(...)
        local ok, reason = file.write(path, ...)
        assert.is_nil(ok)
        assert.equal(path .. ": " .. expected, reason)
        assert.equal("old", content(path))
        assert.same({ "target" }, entries())
      end
    end

    it("the disk is full", function()
      local check = fails "No space left on device"
      stub(system, "create", function(name)
        assert(open(name, "wb")):close()
        return open("/dev/full", "wb")
      end)
      check "small enough for the buffer"
      check(one_by_one { ("x"):rep(100000), ("y"):rep(100000) })
    end)

    it("the file cannot be created", function()
      local check = fails "Permission denied"
      stub(system, "create", function(name)
        return nil, name .. ": Permission denied", 13
      end)
      check "new"
    end)

    it("closing fails", function()
      local check = fails "Input/output error"
      local create = system.create
      stub(system, "create", function(...)
        local handle = create(...)
        return {
          write = function(_, ...) return handle:write(...) end,
          close = function()
            handle:close()
            return nil, "Input/output error", 5
          end,
        }
      end)
      stub(system, "sync", function() return true end)
      check "new"
    end)

    it("what gives the chunks raises", function()
      assert.is_true(file.write(path, "old"))
      local count = 0
      for _, message in ipairs { "no more", {} } do
        local ok, raised = pcall(file.write, path, function()
          count = count + 1
          if count % 3 == 0 then error(message, 0) end
          return ("x"):rep(100000)
        end)
        assert.is_false(ok)
        assert.equal(message, raised)
        assert.equal("old", content(path))
        assert.same({ "target" }, entries())
      end
    end)

    it("the bytes do not reach the disk", function()
      local check = fails "Input/output error"
      stub(system, "sync", function() return nil, "Input/output error", 5 end)
      check "new"
      assert.stub(system.sync).was_called_with(match._)
    end)

    it("the file cannot take its name", function()
      local check = fails "Operation not permitted"
      stub(os, "rename", function(from)
        return nil, from .. ": Operation not permitted", 1
      end)
      check "new"
    end)
  end)

  describe("are known to be writable", function()
    it("where they could be created or replaced, and nothing is done yet", function()
      assert.is_true(file.check_writable(path))
      assert.same({}, entries())
      assert.is_true(file.write(path, "old"))
      local before = lfs.attributes(path)
      assert.is_true(file.check_writable(path))
      local after = lfs.attributes(path)
      assert.equal("old", content(path))
      for _, attribute in ipairs { "ino", "permissions", "modification", "change" } do
        assert.equal(before[attribute], after[attribute])
      end
      assert.same({ "target" }, entries())
    end)

    it("or not, with the reason that writing them would have", function()
      assert(os.execute(("mkfifo '%s'"):format(path)))
      for _, wrong in ipairs {
        folder, folder .. "/", path, "/dev/full", folder .. "/missing/target",
        folder .. "/missing/", path .. "/target", folder .. "/" .. ("x"):rep(300),
      } do
        local ok, reason = file.check_writable(wrong)
        assert.is_nil(ok)
        assert.equal(wrong, reason:sub(1, #wrong))
        assert.same({ nil, reason }, { file.write(wrong, "x") })
      end
      assert.same({ "target" }, entries())
    end)

    it("or not, where the folder takes no new files", function()
      stub(system, "create", function(name)
        return nil, name .. ": Permission denied", 13
      end)
      assert.same({ nil, path .. ": Permission denied" }, { file.check_writable(path) })
    end)

    it("unless it is no path that is asked about", function()
      at_caller(function()
        local ok = file.check_writable ""
        return ok
      end, "a path expected, got \"\"")
    end)
  end)

  it("are not called safe when the folder does not reach the disk", function()
    stub(system, "sync_directory", function() return nil, "Input/output error", 5 end)
    local ok, reason = file.write(path, "new")
    assert.is_nil(ok)
    assert.equal(path .. ": written, but a power loss may undo it: Input/output error",
      reason)
    assert.same({ "target" }, entries())
  end)

  it("are the old or the new one after a kill at any moment", function()
    local program = folder .. "/save.lua"
    assert.is_true(file.write(program, [[
      package.path, package.cpath = arg[2], arg[3]
      local file = require "perilune.store.file"
      for k = 0, math.huge do
        local letter = string.char(97 + k % 26)
        local chunks = 0
        assert(file.write(arg[1], function()
          chunks = chunks + 1
          return chunks <= 2 and letter:rep(100000) or nil
        end))
      end
    ]]))
    for k = 1, 8 do
      -- The pause is random, and so is the moment; the numbers only spread it over a few saves.
      os.execute(([[%s '%s' '%s' '%s' '%s' & child=$!
        tries=0
        while [ ! -e '%s' ] && [ $tries -lt 500 ]; do
          sleep 0.01; tries=$((tries + 1))
        done
        sleep 0.0%d; kill -9 $child; wait $child 2>/dev/null]]):format(
        child.lua, program, path, package.path, package.cpath, path, k))
      local bytes = content(path)
      assert.equal(200000, #bytes)
      assert.equal(bytes:sub(1, 1):rep(200000), bytes)
      assert(os.remove(path))
    end
    for _, name in ipairs(entries()) do
      assert.is_truthy(name == "save.lua" or name == "target.perilune-tmp",
        name)
    end
  end)

  describe("read", function()
    it("give their reason when they are missing, folders or devices", function()
      assert.same({ nil, path .. ": No such file or directory" }, { file.read(path) })
      assert.same({ nil, folder .. ": is a directory, not a regular file" },
        { file.read(folder) })
      assert.same({ nil, "/dev/zero: is a char device, not a regular file" },
        { file.read "/dev/zero" })
    end)

    it("chunk by chunk give the bytes that are asked for", function()
      assert.is_true(file.write(path, "some bytes"))
      local source <close> = assert(file.open(path))
      assert.equal(10, source.size)
      assert.equal("bytes", source:read(6, 10))
      assert.equal("some", source:read(1, 4))
      assert.equal("", source:read(3, 2))
      assert.equal("", source:read(11, 10))
    end)

    it("may be bytes in memory, which are not copied as a whole", function()
      local bytes = ("x"):rep(10000) .. "end"
      local source <close> = file.of(bytes)
      assert.equal(10003, source.size)
      assert.equal("xend", source:read(10000, 10003))
      assert.equal("", source:read(5, 4))
      assert.equal("", file.of(""):read(1, 0))
      local allocated = allocated_by(function() assert.equal(bytes, source:read(1, 10003)) end)
      assert.is_true(allocated < 5000)
    end)

    it("say so when they have become shorter", function()
      assert.is_true(file.write(path, ("x"):rep(100000)))
      local source <close> = assert(file.open(path))
      assert(io.open(path, "wb")):write(("y"):rep(10000)):close()
      for _, range in ipairs { { 1, 100000 }, { 9999, 10001 }, { 10001, 10001 } } do
        assert.same({ nil, "became shorter while it was read" },
          { source:read(range[1], range[2]) })
      end
      assert.equal("yy", source:read(9999, 10000))
    end)

    it("are closed at the end of the block", function()
      assert.is_true(file.write(path, "some bytes"))
      local handle
      do
        local source <close> = assert(file.open(path))
        handle = source.handle
        assert.equal("file", io.type(handle))
      end
      assert.equal("closed file", io.type(handle))
    end)

    it("give the system's reason when they cannot be read", function()
      assert.is_true(file.write(path, "some bytes"))
      local source <close> = assert(file.open(path))
      source.handle:close()
      source.handle = assert(io.open(folder, "rb")) -- opens, and cannot be read
      local bytes, reason = source:read(1, 4)
      assert.is_nil(bytes)
      assert.equal("Is a directory", reason)
      assert.is_true(file.write(path, "new"))
    end)

    it("raise for what is no path", function()
      at_caller(function()
        local bytes = file.read {}
        return bytes
      end, "a path expected, got a table")
    end)
  end)
end)
