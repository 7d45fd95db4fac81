local at_caller = require("spec.support.misuse").at_caller
local download = require "perilune.data.download"
local idx = require "perilune.data.idx"
local lfs = require "lfs"
local mnist = require "perilune.data.mnist"
local zlib = require "zlib"

local GZIP = 31 -- zlib's window bits for a gzip wrapper

local function compress(bytes)
  return (zlib.deflate(9, GZIP)(bytes, "finish"))
end

-- Stand-ins for MNIST's files: small ones, with hashes of sha256sum's.
local first_bytes, second_bytes = idx.encode({ 5 }, "first"), idx.encode({ 6 }, "second")
local files = {
  {
    name = "first-file", size = 13,
    sha256 = "906d04be8bdb38ea36ce52b7e12d7b05c66c09366e7a76e406849ffa1e240382",
  },
  {
    name = "second-file", size = 14,
    sha256 = "04ee804e5c4eacc884f32580e9e6b8dcb759fc67ef374e67116aaaab2ce029cb",
  },
}
local first_gz, second_gz = compress(first_bytes), compress(second_bytes)

-- A host where nobody listens: refused at once, without a name to resolve.
local NOBODY = "http://127.0.0.1:9/"

describe("Downloading MNIST", function()
  local folder, target, good, bad

  local function write(path, bytes)
    local file <close> = assert(io.open(path, "wb"))
    assert(file:write(bytes))
  end

  local function read(path)
    local file <close> = assert(io.open(path, "rb"))
    return file:read("a")
  end

  local function entries(path)
    local names = {}
    for name in lfs.dir(path) do
      if name ~= "." and name ~= ".." then names[#names + 1] = name end
    end
    table.sort(names)
    return names
  end

  local function url(path) return "file://" .. path .. "/" end

  local function run(command)
    local pipe <close> = assert(io.popen(command))
    local output = pipe:read("a")
    local _, _, status = pipe:close()
    return output, status
  end

  before_each(function()
    folder = os.tmpname()
    assert(os.remove(folder))
    target, good, bad = folder .. "/target", folder .. "/good", folder .. "/bad"
    for _, path in ipairs { folder, target, good, bad } do assert(lfs.mkdir(path)) end
    write(good .. "/first-file.gz", first_gz)
    write(good .. "/second-file.gz", second_gz)
  end)

  after_each(function()
    assert(os.execute(("rm -r '%s'"):format(folder)))
  end)

  local function is_complete(path)
    assert.same({ "first-file.gz", "second-file.gz" }, entries(path))
    assert.equal(first_bytes, tostring(idx.read(path .. "/first-file.gz").bytes))
    assert.equal(second_bytes, tostring(idx.read(path .. "/second-file.gz").bytes))
  end

  it("fetches every file, and leaves nothing beside them", function()
    assert.is_true(download.mnist(target, { mirrors = { url(good) }, files = files }))
    is_complete(target)
  end)

  it("makes the directory", function()
    local path = target .. "/new"
    assert.is_true(download.mnist(path, { mirrors = { url(good) }, files = files }))
    is_complete(path)
  end)

  it("makes the directories above it", function()
    local path = folder .. "/new/in/one//another/"
    assert.is_true(download.mnist(path, { mirrors = { url(good) }, files = files }))
    is_complete(path)
  end)

  it("tells of a directory that it cannot make", function()
    local path = folder .. "/file/new"
    write(folder .. "/file", "in the way")
    local ok, message = download.mnist(path, { mirrors = { url(good) }, files = files })
    assert.is_nil(ok)
    assert.equal(path .. ": ", message:sub(1, #path + 2))
  end)

  it("works in a directory of any name", function()
    for _, name in ipairs { "with space", "it's", '"quoted"', "$(touch made)",
      "`touch made`", "a;touch made", "-leading", "--output", "line\nend", "back\\slash",
      "*", "%s", "~", "&" } do
      local path = folder .. "/" .. name
      assert.is_true(download.mnist(path, { mirrors = { url(good) }, files = files }))
      is_complete(path)
    end
    assert.is_nil(lfs.attributes("made"))
  end)

  it("works in a relative directory whose name begins with a dash", function()
    local here = lfs.currentdir()
    assert(lfs.chdir(folder))
    local ok, message = download.mnist("-o", { mirrors = { url(good) }, files = files })
    assert(lfs.chdir(here))
    assert.is_true(ok, message)
    is_complete(folder .. "/-o")
  end)

  describe("goes to the next mirror", function()
    local function falls_back(expected)
      local lines = {}
      assert.is_true(download.mnist(target, {
        mirrors = { url(bad), url(good) }, files = files,
        report = function(line) lines[#lines + 1] = line end,
      }))
      is_complete(target)
      assert.equal("first-file.gz from " .. url(bad), lines[1])
      local failure = url(bad) .. "first-file.gz: "
      assert.equal(failure, lines[2]:sub(1, #failure))
      assert.is_truthy(lines[2]:find(expected, #failure, true), lines[2])
      assert.equal("first-file.gz from " .. url(good), lines[3])
    end

    it("when a file is not there", function()
      falls_back("open file")
    end)

    it("when a file has other content", function()
      local other = idx.encode({ 5 }, "frist")
      write(bad .. "/first-file.gz", compress(other))
      falls_back("SHA-256 " .. files[1].sha256 .. " expected, got ")
    end)

    it("when a file is cut off at any length", function()
      for length = 2, #first_gz - 1, 5 do
        write(bad .. "/first-file.gz", first_gz:sub(1, length))
        falls_back("the gzip data ends too early")
        assert(os.remove(target .. "/first-file.gz"))
        assert(os.remove(target .. "/second-file.gz"))
      end
    end)

    it("when a file is empty", function()
      write(bad .. "/first-file.gz", "")
      falls_back("a header of 4 bytes expected, 0 came")
    end)

    it("when something follows the gzip data", function()
      write(bad .. "/first-file.gz", first_gz .. "garbage")
      falls_back("7 bytes follow the gzip data")
    end)

    it("when a page comes in place of the file", function()
      write(bad .. "/first-file.gz", "<html><body>Please log in.</body></html>")
      falls_back("it begins with bytes 3C 68 (00 00 expected)")
    end)

    it("when a file inflates to more than it can be", function()
      write(bad .. "/first-file.gz", compress(first_bytes .. ("\0"):rep(10000000)))
      falls_back("13 bytes expected (5 elements after 8 bytes of header), more came")
    end)

    it("and stays with the one that served", function()
      local lines = {}
      assert.is_true(download.mnist(target, {
        mirrors = { url(bad), url(good) }, files = files,
        report = function(line) lines[#lines + 1] = line end,
      }))
      assert.equal("second-file.gz from " .. url(good), lines[#lines])
    end)

    it("when nobody answers", function()
      assert.is_true(download.mnist(target, {
        mirrors = { NOBODY, url(good) }, files = files,
      }))
      is_complete(target)
    end)
  end)

  describe("fails", function()
    it("with the names of all mirrors and why each failed, and leaves nothing", function()
      write(bad .. "/first-file.gz", first_gz:sub(1, -2))
      local ok, message = download.mnist(target, {
        mirrors = { NOBODY, url(bad) }, files = files,
      })
      assert.is_nil(ok)
      local start = ("%s/first-file.gz: no mirror gave it (%sfirst-file.gz: "):format(
        target, NOBODY)
      assert.equal(start, message:sub(1, #start))
      local rest = "; " .. url(bad) .. "first-file.gz: the gzip data ends too early: "
      assert.is_truthy(message:find(rest, #start, true), message)
      assert.same({}, entries(target))
    end)

    it("and keeps the files it had", function()
      assert(os.remove(good .. "/second-file.gz"))
      assert.is_nil((download.mnist(target, { mirrors = { url(good) }, files = files })))
      assert.same({ "first-file.gz" }, entries(target))
    end)

    it("when programs are missing, and says which", function()
      local function run_without() return "gzip\nsha256sum or shasum\n", 0 end
      local ok, message = download.mnist(target, { run = run_without, files = files })
      assert.is_nil(ok)
      assert.equal(target .. ": cannot be filled without gzip, sha256sum or shasum",
        message)
    end)

    it("at once when curl is interrupted", function()
      local calls = 0
      local ok, message = download.mnist(target, {
        mirrors = { url(bad), url(good) }, files = files,
        run = function(command)
          if not command:find("^curl ") then return run(command) end
          calls = calls + 1
          return "", 130
        end,
      })
      assert.is_nil(ok)
      assert.equal(target .. "/first-file.gz: interrupted", message)
      assert.equal(1, calls)
    end)

    it("when it is told to stop, and leaves what it has", function()
      local told = {}
      local ok, message = download.mnist(target, {
        mirrors = { url(good) }, files = files,
        report = function(line)
          told[#told + 1] = line
          return #told == 2 and "stop" or nil
        end,
      })
      assert.is_nil(ok)
      assert.equal(target .. "/second-file.gz: interrupted", message)
      assert.same({ "first-file.gz" }, entries(target))
    end)

    it("and leaves no half of a file behind, whatever ends it", function()
      local ok, message = pcall(download.mnist, target, {
        mirrors = { url(good) }, files = files,
        run = function(command)
          local output, status = run(command)
          if command:find("^curl ") then error("interrupted!", 0) end
          return output, status
        end,
      })
      assert.is_false(ok)
      assert.equal("interrupted!", message)
      assert.same({}, entries(target))
    end)

    it("with a reason from curl's status where curl gives no words", function()
      for status, reason in pairs { [6] = "no such host", [28] = "no answer in time",
        [99] = "curl ended with status 99" } do
        for _, output in ipairs { "", "%{errormsg}" } do
          local _, message = download.mnist(target, {
            mirrors = { NOBODY }, files = files,
            run = function(command)
              if command:find("^curl ") then return output, status end
              return run(command)
            end,
          })
          local expected = "first-file.gz: " .. reason .. ")"
          assert.is_truthy(message:find(expected, 1, true), message)
        end
      end
    end)
  end)

  describe("finds what is there already", function()
    local fetched

    local function counting(command)
      if command:find("^curl ") then fetched = fetched + 1 end
      return run(command)
    end

    local function again()
      fetched = 0
      return download.mnist(target, {
        mirrors = { url(good) }, files = files, run = counting,
      })
    end

    it("and fetches nothing twice", function()
      assert.is_true(again())
      assert.equal(2, fetched)
      assert.is_true(again())
      assert.equal(0, fetched)
    end)

    it("and fetches what is damaged again", function()
      assert.is_true(again())
      local cut, longer = first_gz:sub(1, -2), first_gz .. "x"
      for _, damaged in ipairs { "", cut, longer, second_gz } do
        write(target .. "/first-file.gz", damaged)
        assert.is_true(again())
        assert.equal(1, fetched)
        is_complete(target)
      end
    end)

    it("and replaces what a killed process left", function()
      write(target .. "/first-file.gz.tmp", "half")
      assert.is_true(again())
      is_complete(target)
    end)

    it("not compressed, too", function()
      write(target .. "/first-file", first_bytes)
      assert.is_true(again())
      assert.equal(1, fetched)
      assert.same({ "first-file", "second-file.gz" }, entries(target))
    end)

    it("and does not hide behind another file", function()
      write(target .. "/first-file", second_bytes)
      local ok, message = again()
      assert.is_nil(ok)
      assert.equal(target .. "/first-file: in the way, because it is not MNIST's "
        .. "and would hide it", message)
      assert.equal(second_bytes, read(target .. "/first-file"))
    end)
  end)

  it("shows curl's progress if asked to, and bounds the time and the size", function()
    for _, progress in ipairs { true, false } do
      local commands = {}
      download.mnist(target, {
        progress = progress, files = files, mirrors = { NOBODY },
        run = function(command)
          if not command:find("^curl ") then return run(command) end
          commands[#commands + 1] = command
          return "", 7
        end,
      })
      assert.equal(1, #commands)
      assert.equal(progress, commands[1]:find(" --progress-bar ", 1, true) ~= nil)
      assert.equal(not progress, commands[1]:find(" --silent ", 1, true) ~= nil)
      assert.is_truthy(commands[1]:find(" --connect-timeout 10 ", 1, true))
      assert.is_truthy(commands[1]:find(" --speed-limit 1024 --speed-time 30 ", 1, true))
      assert.is_truthy(commands[1]:find(" --max-filesize 65549 ", 1, true))
    end
  end)

  it("knows MNIST's four files and two mirrors of them", function()
    local names = {}
    for _, file in ipairs(download.files) do
      names[file.name] = true
      assert.equal(64, #file.sha256)
    end
    for _, name in pairs(mnist.files) do assert.is_true(names[name]) end
    assert.equal(4, #download.files)
    for _, mirror in ipairs(download.mirrors) do
      assert.is_truthy(mirror:find("^https://.*/$"))
    end
  end)

  it("takes a directory and known options, or tells the caller", function()
    at_caller(function() local _ = download.mnist() end,
      "directory: a path expected, got nil")
    at_caller(function() local _ = download.mnist("") end,
      'directory: a path expected, got ""')
    at_caller(function() local _ = download.mnist("a\0b") end,
      'directory: a path expected, got "a')
    at_caller(function() local _ = download.mnist(target, { mirror = NOBODY }) end,
      "unknown option 'mirror' of download (known: files, mirrors, progress, ")
    at_caller(function() local _ = download.mnist(target, { mirrors = NOBODY }) end,
      "download: mirrors: a table expected, got")
  end)

  it("gets the real files right", function()
    local source = os.getenv("PERILUNE_MNIST")
    if not source then return pending("MNIST's own files: set PERILUNE_MNIST") end
    if source:sub(1, 1) ~= "/" then source = lfs.currentdir() .. "/" .. source end
    assert.is_true(download.mnist(target, { mirrors = { url(source) } }))
    assert.is_true(mnist.available(target))
    assert.equal(4, #entries(target))
  end)
end)
