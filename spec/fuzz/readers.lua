-- The readers of files, each with small files that are right, and what a call of one may not do.

local Folder = require "spec.support.folder"
local archive = require "spec.support.archive"
local damage = require "spec.fuzz.damage"
local judge = require "spec.fuzz.judge"
local lfs = require "lfs"
local npy = require "perilune.data.npy"
local pl = require "perilune"
local zlib = require "zlib"

local readers = {}

-- In memory, where there is such a folder: files are many
local BASE = lfs.attributes("/dev/shm", "mode") == "directory" and "/dev/shm" or nil

-- A call may allocate so much, and so much for each byte of the file: what deflate makes of a byte,
-- as it comes and as numbers
local BYTES, BYTES_A_BYTE = 32 * 2 ^ 20, 1032 * 16

local function gzipped(bytes) return (zlib.deflate(6, 31)(bytes, "finish")) end

local function array(M)
  local pieces = {}
  for chunk in npy.chunks(M) do pieces[#pieces + 1] = chunk end
  return table.concat(pieces)
end

local function array_of(descr, shape, elements)
  return "\x93NUMPY\1\0" .. ("<s2"):pack(
    ("{'descr': '%s', 'fortran_order': False, 'shape': %s, }\n"):format(descr, shape)) .. elements
end

local X = pl.matrix { { 1, 2.5, -3 }, { 4, 5, 6 } }

local arrays = {
  array(X), array(X:copy "rows"), array(X:to "float64"),
  array_of(">i4", "(2, 3)", (">i4 i4 i4 i4 i4 i4"):pack(1, -2, 3, 4, 5, 6)),
  array_of("<i8", "(3,)", ("<i8 i8 i8"):pack(1, 2, 3)), array_of("|b1", "(2, 2)", "\0\1\1\0"),
}
local deep = array_of("|u1", "(2, 1, 2)", "\0\1\1\0")

local function npz_of(content, is_deflated)
  return archive {
    { name = "a.npy", content = content, is_deflated = is_deflated },
    { name = "b.npy", content = arrays[5] },
  }
end

local idx_files = {
  "\0\0\8\1\0\0\0\3abc", "\0\0\8\3\0\0\0\2\0\0\0\1\0\0\0\2abcd",
}

-- Goes through all samples of a set that stay in a file. Where they cannot be read any more, or do
-- not fit, it raises.
local function go_through(set)
  return pcall(function()
    for _ in pl.batches(set, { batch = 2, generator = pl.generator(1) }) do end
    return set:find_nonfinite()
  end)
end

-- Files of tables, and what else is in Proben1
local tables = {
  "age,job,income\n41,nurse,1e3\n?,clerk,-2.5\n30,,NA\n", "\xEF\xBB\xBFa;b\r\n1.5;'x\r\n2.25;y\r\n",
  "1,2,a\n3,4,b\n5,6,a\n", '"a ""b""","c\nd"\n"1",2001-01-01\n3,2002-12-31\n', "007\tx\n01\ty\n",
}
local proben1 = {
  "bool_in=1\nreal_in=1\nbool_out=2\nreal_out=0\ntraining_examples=2\nvalidation_examples=1\n"
    .. "test_examples=1\n1 0.25 1 0\n0 -1e-1 0 1\n1 .5 0 1\n0 3 1 0\n",
}

---@class Reader
---@field name string
---@field files string[]                       that are right
---@field read fun(path: string): any, string?
---@field wrap? fun(content: string): string   how damaged content becomes a file again, beside gzip

---@type Reader[]
readers.all = {
  { name = "idx", files = idx_files, read = pl.data.idx },
  { name = "npy", files = arrays, read = pl.data.npy },
  { name = "npy by rows", files = { arrays[1], arrays[2], arrays[4], deep }, read = function(path)
    return pl.data.npy(path, { samples = "rows", dtype = "float32" })
  end },
  { name = "npz", files = { npz_of(arrays[1]), npz_of(arrays[2], true) }, contents = arrays,
    wrap = function(content) return npz_of(content, math.random() < 0.5) end, read = pl.data.npz },
  { name = "fann", files = {
    "4 2 1\n-1 -1\n-1\n-1 1\n1\n1 -1\n1\n1 1\n-1\n", "1 3 2\n0.5 1e3 -2.25\n0 1\n",
  }, read = pl.data.fann },
  { name = "libsvm", files = {
    "+1 1:0.5 3:-2\n-1 2:1e1 # a comment\n\n+1 qid:7 4:.25\n-1\n", "2.5 1:1 2:2\n-0.5 2:1\n",
  }, read = pl.data.libsvm },
  { name = "csv", files = tables, read = pl.data.csv },
  { name = "csv in the file", files = { tables[1], tables[3], tables[5] }, read = function(path)
    local found, message = pl.data.csv(path, { window = 2, chunk = 1 })
    if found and found.values then found.values:columns(1, found.N) end
    return found, message
  end },
  { name = "proben1", files = proben1, read = pl.data.proben1 },
  { name = "chunked", files = {
    arrays[1], arrays[4], arrays[5], deep, idx_files[1], idx_files[2],
  }, read = function(path)
    local ok, set, message = pcall(pl.data.chunked, path,
      { labels = { 1, 2, 1 }, window = 2, chunk = 1 })
    if not ok then -- it has another number of samples
      set, message = pl.data.chunked(path, { T = path, window = 2, chunk = 1 })
    end
    if set then go_through(set) end
    return set, message
  end },
}

-- A file of the reader's kind with something wrong in it, or, seldom, with nothing
local function damaged(reader)
  local files, way = reader.files, math.random(4)
  local file, other = files[math.random(#files)], files[math.random(#files)]
  if way == 1 then return gzipped(damage.some(file, other)) end
  if way == 2 and reader.wrap then
    local contents = reader.contents
    return reader.wrap(damage.some(contents[math.random(#contents)], contents[1]))
  end
  if way == 3 then return damage.some(gzipped(file), gzipped(other)) end
  return damage.some(file, other)
end

-- What is wrong with a call that gave these results and allocated so many bytes, or nil
local function fault_of(path, bytes, allocated, ok, value, message)
  if not ok then return ("it raised: %s"):format(tostring(value)) end
  if allocated > BYTES + BYTES_A_BYTE * #bytes then
    return ("it allocated %.0f bytes for a file of %d"):format(allocated, #bytes)
  end
  if value ~= nil then return nil end
  if type(message) ~= "string" then return "nil without a message" end
  if message:sub(1, #path + 2) ~= path .. ": " then
    return ("a message that does not begin with the path: %s"):format(message)
  end
  if not utf8.len(message) and utf8.len(path) then
    return ("a message that is no text: %q"):format(message)
  end
  local fault = judge.fault_of_results(nil, message)
  return fault and ("%s: %s"):format(fault, message)
end

---Read a file, and say what was wrong with the call.
---@param reader Reader
---@param folder table  where the file is written
---@param bytes string
---@return string?  fault
---@return boolean is_read  whether the reader gave a value
function readers.try(reader, folder, bytes)
  local path = folder:write("damaged", bytes)
  collectgarbage "stop"
  local before = collectgarbage "count"
  local ok, value, message = pcall(reader.read, path)
  local allocated = (collectgarbage "count" - before) * 1024
  collectgarbage "restart"
  return fault_of(path, bytes, allocated, ok, value, message), ok and value ~= nil
end

---Damage files of a reader's kind, and have it read them.
---@param reader Reader
---@param seed integer
---@param first integer   cases first..last follow from the seed and their number
---@param last integer
---@param on_fault fun(case: integer, fault: string, bytes: string)
---@return integer read   how many it took for right ones
function readers.check(reader, seed, first, last, on_fault)
  local folder <close> = setmetatable({ inner = Folder.new(BASE) }, {
    __close = function(self) self.inner:remove() end,
  })
  local read = 0
  for case = first, last do
    math.randomseed(seed, case)
    local bytes = damaged(reader)
    local fault, is_read = readers.try(reader, folder.inner, bytes)
    if fault then on_fault(case, fault, bytes) end
    if is_read then read = read + 1 end
  end
  return read
end

return readers
