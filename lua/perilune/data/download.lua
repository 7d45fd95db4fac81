-- MNIST from its public mirrors, by the programs that do this well: curl to fetch, gzip and
-- sha256sum (or Perl's shasum, where that is what there is) to verify. A library for SHA-256 would
-- be OpenSSL's binding, a heavy thing to require of every installation for a check that runs once,
-- and in plain Lua 55 MB would take most of a minute; one of the two programs comes with every
-- system that curl does.
--
-- What counts is the SHA-256 of the uncompressed content: the mirrors compressed it differently.

local fields = require "perilune.fields"
local idx = require "perilune.data.idx"
local lfs = require "lfs"
local mnist = require "perilune.data.mnist"

local download = {}

---Mirrors of MNIST, in the order in which they are tried.
download.mirrors = {
  "https://ossci-datasets.s3.amazonaws.com/mnist/",
  "https://storage.googleapis.com/cvdf-datasets/mnist/",
}

---@class Download
---@field name string    without .gz
---@field size integer   bytes, uncompressed
---@field sha256 string  of the uncompressed content, 64 hexadecimal digits

---The files of MNIST.
---@type Download[]
download.files = {
  {
    name = mnist.files.train_images, size = 47040016,
    sha256 = "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
  },
  {
    name = mnist.files.train_labels, size = 60008,
    sha256 = "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
  },
  {
    name = mnist.files.test_images, size = 7840016,
    sha256 = "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
  },
  {
    name = mnist.files.test_labels, size = 10008,
    sha256 = "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
  },
}

local CONNECT_SECONDS = 10
-- A mirror that gives less than this for so long counts as gone.
local SLOWEST, PATIENCE = 1024, 30 -- bytes a second, seconds
-- Bytes that a compressed file may have beyond the uncompressed one. A mirror with more sends else.
local SLACK = 65536

-- What curl means by its exit status, where it is more than a number.
local reasons = {
  [3] = "not a URL", [6] = "no such host", [7] = "no connection",
  [18] = "ended too early", [22] = "no such file there", [23] = "cannot be written",
  [28] = "no answer in time", [35] = "no secure connection", [37] = "no such file there",
  [60] = "not trusted", [63] = "larger than MNIST's file",
}

-- A word of a shell's command line, whatever it holds.
local function quote(text)
  return "'" .. text:gsub("'", [['\'']]) .. "'"
end

---Run a command line by the system's shell.
---@param command string
---@return string output   what it printed
---@return integer status  its exit status, 128 or more where a signal ended it
local function run(command)
  local pipe <close> = assert(io.popen(command, "r"))
  local output = pipe:read("a") or ""
  local _, how, status = pipe:close()
  return output, how == "signal" and 128 + status or status
end

-- The directory and those above it, where they are missing: true, or nil and a message
local function make(directory)
  if lfs.attributes(directory, "mode") == "directory" then return true end
  local above = directory:match("^(.*[^/])/+[^/]+/*$")
  if above then
    local ok, message = make(above)
    if not ok then return nil, message end
  end
  return lfs.mkdir(directory)
end

---One download, with its options.
---@class Downloader
local Downloader = {}
Downloader.__index = Downloader

---@return string  the names of the programs that are not installed; empty when all are
function Downloader:missing()
  local output = self.run([[
    has() { command -v "$1" >/dev/null 2>&1; }
    has curl || echo curl
    has gzip || echo gzip
    has sha256sum || has shasum || echo "sha256sum or shasum"
  ]])
  local names = output:gsub("%s+$", ""):gsub("\n", ", ")
  return names
end

---Whether a file is the one wanted.
---@param path string
---@param wanted { sha256: string }  of the file when it is not compressed
---@param is_compressed boolean
---@return true?
---@return string?  nil and why not
function Downloader:verify(path, wanted, is_compressed)
  -- What can be read, and only that, is worth its name: gzip itself forgives bytes after its data.
  -- And what is read here is no bomb, which the next program would swallow whole.
  local content, message = idx.read(path)
  if not content then return nil, message:sub(#path + #": " + 1) end
  local output = self.run(([[
    sum=sha256sum
    command -v $sum >/dev/null 2>&1 || sum='shasum -a 256'
    %s <%s | $sum]]):format(is_compressed and "gzip -dc" or "cat", quote(path)))
  local sha256 = output:match("^%x+")
  if sha256 == wanted.sha256 then return true end
  return nil, ("SHA-256 %s expected, got %s"):format(wanted.sha256, sha256 or "none")
end

---Fetch one file of one mirror.
---@param url string
---@param path string                where to
---@param wanted { size: integer }   compressed, about
---@return true?
---@return string?   nil and why not
---@return boolean?  then also whether to give up altogether
function Downloader:fetch(url, path, wanted)
  local output, status = self.run(table.concat({
    "curl", "--fail", "--location", "--globoff", "--proto-redir =https",
    self.progress and "--progress-bar" or "--silent",
    "--connect-timeout", CONNECT_SECONDS,
    "--speed-limit", SLOWEST, "--speed-time", PATIENCE,
    "--max-filesize", wanted.size + SLACK,
    "--write-out", quote("%{errormsg}"), "--output", quote(path), "--url", quote(url),
  }, " "))
  if status == 0 then return true end
  if status >= 128 then return nil, "interrupted", true end
  -- Since 7.75 curl says it in words; before, it printed the name of what it did not know.
  local words = output:match("^%s*([^%%%s].-)%s*$")
  return nil, words or reasons[status] or ("curl ended with status %d"):format(status)
end

---Whether the file is there, plain or compressed, and right.
---@param path string                 of the plain one
---@param wanted { sha256: string }
---@return boolean?
---@return string?  nil and a message for another file in its way
function Downloader:has(path, wanted)
  if lfs.attributes(path, "mode") then
    if self:verify(path, wanted, false) then return true end
    return nil, path .. ": in the way, because it is not MNIST's and would hide it"
  end
  local compressed = path .. ".gz"
  return lfs.attributes(compressed, "mode") ~= nil
    and self:verify(compressed, wanted, true) == true
end

---Get one file from the first mirror that has it right, beginning with the one that served last.
---@param path string  of the plain one; ".gz" is added
---@param wanted { name: string, size: integer, sha256: string }
---@return true?
---@return string?  nil and "path: reason", with every mirror and why it failed
function Downloader:get(path, wanted)
  local name = wanted.name .. ".gz"
  local temporary = path .. ".gz.tmp"
  -- Whatever ends this function, an error such as Lua's own at Ctrl-C as well
  local _ <close> = setmetatable({}, { __close = function() os.remove(temporary) end })
  local failures = {}
  for turn = 0, #self.mirrors - 1 do
    local index = (self.serving - 1 + turn) % #self.mirrors + 1
    local url = self.mirrors[index] .. name
    if self.report(("%s from %s"):format(name, self.mirrors[index])) == "stop" then
      return nil, path .. ".gz: interrupted"
    end
    os.remove(temporary) -- of a process that was killed
    local ok, reason, is_over = self:fetch(url, temporary, wanted)
    if ok then ok, reason = self:verify(temporary, wanted, true) end
    if ok then ok, reason = os.rename(temporary, path .. ".gz") end
    if ok then
      self.serving = index
      return true
    end
    if is_over then return nil, ("%s.gz: %s"):format(path, reason) end
    failures[#failures + 1] = ("%s: %s"):format(url, reason)
    self.report(failures[#failures])
  end
  return nil, ("%s.gz: no mirror gave it (%s)"):format(path,
    table.concat(failures, "; "))
end

local declared = {
  progress = { "boolean", default = false },
  report = { "function", default = function() end },
  mirrors = { "table", default = download.mirrors },
  files = { "table", default = download.files },
  run = { "function", default = run },
}

---Download what is not there yet of MNIST's four files, compressed as the mirrors have them. Each
---takes its name only when it is whole and has the right SHA-256. The directory is made if it is
---missing, and those above it. Options: progress, whether curl draws its bar on standard error
---(default false); report, called with a line of text before each step, where it may answer "stop";
---mirrors, a list of URLs that end in "/"; files, a list of what to fetch; run, what runs a command
---line and returns its output and its exit status.
---@param directory string
---@param given? table
---@return true?
---@return string?  nil and "path: reason", with every mirror and why it failed
function download.mnist(directory, given)
  fields.value("directory", directory, { "path" })
  local self = setmetatable(fields.check(declared, given, "download"), Downloader)
  self.serving = 1
  local missing = self:missing()
  if missing ~= "" then
    return nil, ("%s: cannot be filled without %s"):format(directory, missing)
  end
  -- A name that begins with a dash would be an option to the programs.
  if directory:sub(1, 1) == "-" then directory = "./" .. directory end
  local made, refusal = make(directory)
  if not made then return nil, ("%s: %s"):format(directory, refusal) end
  for _, wanted in ipairs(self.files) do
    local path = ("%s/%s"):format(directory, wanted.name)
    local there, message = self:has(path, wanted)
    if not there and not message then there, message = self:get(path, wanted) end
    if not there then return nil, message end
  end
  return true
end

return download
