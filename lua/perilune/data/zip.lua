-- Zip archives, as far as .npz needs them: members that are stored or deflated, up to 4 GB. What a
-- member is called and how large it is stands in the directory at the archive's end; the header
-- before a member only says where its bytes begin.

local collect = require "perilune.collect"
local errors = require "perilune.errors"
local zlib = require "zlib"

local zip = {}

local show = errors.show

local END, MEMBER, LOCAL = "PK\5\6", "PK\1\2", "PK\3\4"
local END_SIZE, MEMBER_SIZE, LOCAL_SIZE = 22, 46, 30
local LONGEST_COMMENT = 65535
local STORED, DEFLATED = 0, 8
local ENCRYPTED, UTF8 = 0x1, 0x800 -- bits of the flags
local RAW = -15 -- zlib's window bits: a 32 KiB window without a wrapper
local LARGEST_RATIO = 1032 -- deflate makes no more bytes of one
local PACKED_CHUNK = 4096 -- packed bytes that are inflated at once: to about 4 MB at most
local CHUNK = 2 ^ 18 | 0 -- bytes of a stored member that are read at once
local FULL = 0xffffffff -- in place of a size: it is in a field for archives beyond 4 GB
local VERSION = 20 -- of the format: 2.0
local DATE, TIME = 0x21, 0 -- January 1, 1980: the same members give the same archive

---@class ZipMember
---@field name string
---@field method integer
---@field crc integer
---@field packed integer  bytes in the archive
---@field size integer    bytes when unpacked
---@field header integer  bytes before its header

-- The last bytes that may be the end of the directory, with where they begin; a comment may follow.
local function find_end(source)
  local first = math.max(1, source.size - END_SIZE - LONGEST_COMMENT + 1)
  local tail, reason = source:read(first, source.size)
  if not tail then return nil, nil, reason end
  for at = #tail - END_SIZE + 1, 1, -1 do
    if tail:sub(at, at + 3) == END and ("<I2"):unpack(tail, at + 20) == #tail - at - 21 then
      return tail:sub(at, at + END_SIZE - 1), first + at - 1
    end
  end
  return nil, nil, "no zip archive: its directory at the end is missing"
end

local function parse_member(directory, at)
  if #directory - at + 1 < MEMBER_SIZE or directory:sub(at, at + 3) ~= MEMBER then
    return nil, "damaged directory: a member expected"
  end
  local flags, method, _, _, crc, packed, size, name_length, extra, comment, _, _, _, header =
    ("<I2 I2 I2 I2 I4 I4 I4 I2 I2 I2 I2 I2 I4 I4"):unpack(directory, at + 8)
  local next_at = at + MEMBER_SIZE + name_length + extra + comment
  if next_at > #directory + 1 then return nil, "damaged directory: it ends within a member" end
  local name = directory:sub(at + MEMBER_SIZE, at + MEMBER_SIZE + name_length - 1)
  if flags & ENCRYPTED ~= 0 then return nil, show(name) .. " is encrypted" end
  if method ~= STORED and method ~= DEFLATED then
    return nil, ("%s is packed by method %d (0, stored, or 8, deflated, expected)"):format(
      show(name), method)
  end
  if packed == FULL or size == FULL or header == FULL then
    return nil, ("%s is in an archive beyond 4 GB: keep its arrays in files of their own"):format(
      show(name))
  end
  local most = method == STORED and packed or packed * LARGEST_RATIO
  if size > most or method == STORED and size ~= packed then
    return nil, ("%s: %d bytes expected, %d bytes in the archive cannot hold as many"):format(
      show(name), size, packed)
  end
  return {
    name = name, method = method, crc = crc, packed = packed, size = size, header = header,
  }, next_at
end

---The members of an archive, in the order of its directory.
---@param source Source|Memory
---@return ZipMember[]?
---@return string?  nil and a reason
function zip.members(source)
  local last, place, reason = find_end(source)
  if not last then return nil, reason end
  local disk, first_disk, here, count, size, offset = ("<I2 I2 I2 I2 I4 I4"):unpack(last, 5)
  if disk ~= 0 or first_disk ~= 0 or here ~= count then
    return nil, "an archive in one file expected, this one has several"
  elseif offset == FULL or count == 0xffff then
    return nil, "the archive is beyond 4 GB: keep its arrays in files of their own"
  elseif offset + size ~= place - 1 then
    return nil, ("damaged archive: a directory of %d bytes after %d bytes expected"):format(size,
      offset)
  end
  local directory
  directory, reason = source:read(offset + 1, offset + size)
  if not directory then return nil, reason end
  local members, names, at, packed = {}, {}, 1, 0
  for k = 1, count do
    local member, next_at = parse_member(directory, at)
    if not member then return nil, next_at end
    if names[member.name] then return nil, ("%s is there twice"):format(show(member.name)) end
    members[k], names[member.name], at = member, true, next_at
    -- Members that lie over each other would make much of few bytes.
    packed = packed + LOCAL_SIZE + #member.name + member.packed
  end
  if packed > offset then
    return nil, ("damaged directory: members of %d bytes in an archive of %d"):format(packed,
      offset)
  end
  return members
end

-- The first and the last byte of what a member holds in the archive
local function extent(source, member)
  local first = member.header + 1
  if first + LOCAL_SIZE - 1 > source.size then return nil, nil, "its header is missing" end
  local header, reason = source:read(first, first + LOCAL_SIZE - 1)
  if not header then return nil, nil, reason end
  if header:sub(1, 4) ~= LOCAL then return nil, nil, "its header is missing" end
  local name_length, extra = ("<I2 I2"):unpack(header, 27)
  first = first + LOCAL_SIZE + name_length + extra
  local last = first + member.packed - 1
  if last > source.size then return nil, nil, "it reaches beyond the end of the archive" end
  return first, last
end

local function inflate(stream, packed)
  local ok, chunk, ended, consumed = pcall(stream, packed)
  if ok then return chunk, ended, consumed end
  if chunk == "not enough memory" then error(chunk, 0) end
  return nil, "damaged deflated data"
end

-- Chunks from byte `first` to byte `last`, inflated. Nil at the end, or nil and a reason
local function inflated(source, member, first, last)
  local stream, ended, consumed = zlib.inflate(RAW), false, 0
  return function()
    if ended then
      if consumed == member.packed then return nil end
      return nil, "bytes follow its deflated data"
    end
    if first > last then return nil, "its deflated data end too early" end
    local packed, reason = source:read(first, math.min(first + PACKED_CHUNK - 1, last))
    if not packed then return nil, reason end
    first = first + #packed
    local chunk
    chunk, ended, consumed = inflate(stream, packed)
    if not chunk then return nil, ended end
    return chunk
  end
end

local function stored(source, first, last)
  return function()
    if first > last then return nil end
    local chunk, reason = source:read(first, math.min(first + CHUNK - 1, last))
    if not chunk then return nil, reason end
    first = first + #chunk
    return chunk
  end
end

---What a member holds, to be read as a Content is: not more than the directory says comes, and
---where it ends its checksum was right.
---@class Unpacked
---@field size integer
---@field most integer
---@field is_gzip false
local Unpacked = {}
Unpacked.__index = Unpacked

---The next chunk, of any size. The one before counts as garbage then.
---@return string?  nil at the end
---@return string?  or nil and the reason why it cannot be read to its end
function Unpacked:chunk()
  collect(self.last_size)
  local chunk, reason = self.next()
  self.last_size = chunk and #chunk or 0
  self.came = self.came + self.last_size
  if reason then return nil, reason end
  if self.came > self.size then return nil, ("%d bytes expected, more came"):format(self.size) end
  if chunk then
    self.crc = self.add(chunk)
    return chunk
  elseif self.came < self.size then
    return nil, ("%d bytes expected, %d came"):format(self.size, self.came)
  elseif self.crc ~= self.expected then
    return nil, "its checksum is wrong: it is damaged"
  end
end

---The content of a member.
---@param source Source|Memory  open as long as chunks are asked for
---@param member ZipMember
---@return Unpacked?
---@return string?  nil and a reason
function zip.content(source, member)
  local first, last, reason = extent(source, member)
  if not first then return nil, reason end
  return setmetatable({
    size = member.size, most = member.size, is_gzip = false, expected = member.crc,
    next = member.method == STORED and stored(source, first, last)
      or inflated(source, member, first, last),
    add = zlib.crc32(), crc = 0, came = 0, last_size = 0,
  }, Unpacked)
end

-- The checksum of what a function gives chunk by chunk
local function checksum(next_chunk)
  local add, crc = zlib.crc32(), 0
  for chunk in next_chunk do crc = add(chunk) end
  return crc
end

local function local_header(member)
  return LOCAL .. ("<I2 I2 I2 I2 I2 I4 I4 I4 I2 I2"):pack(VERSION, UTF8, STORED, TIME, DATE,
    member.crc, member.size, member.size, #member.name, 0) .. member.name
end

local function directory_of(members, offset)
  local entries = {}
  for k, member in ipairs(members) do
    entries[k] = MEMBER .. ("<I2 I2 I2 I2 I2 I2 I4 I4 I4 I2 I2 I2 I2 I2 I4 I4"):pack(VERSION,
      VERSION, UTF8, STORED, TIME, DATE, member.crc, member.size, member.size, #member.name, 0, 0,
      0, 0, 0, member.header) .. member.name
  end
  local directory, count = table.concat(entries), #members
  return directory .. END .. ("<I2 I2 I2 I2 I4 I4 I2"):pack(0, 0, count, count, #directory, offset,
    0)
end

---An archive of stored members, chunk by chunk, for file.write.
---@param members { name: string, size: integer, chunks: fun(): fun(): string? }[]  what `chunks`
---gives is called twice: the checksum of a member stands before it
---@return (fun(): string?)?
---@return string?  nil and a reason
function zip.encode(members)
  local stored_members, offset = {}, 0
  for k, member in ipairs(members) do
    stored_members[k] = { name = member.name, size = member.size, header = offset }
    offset = offset + LOCAL_SIZE + #member.name + member.size
  end
  if offset >= FULL or #members >= 0xffff then
    return nil, "an archive of less than 4 GB expected: write each array into a file of its own"
  end
  return coroutine.wrap(function()
    for k, member in ipairs(members) do
      stored_members[k].crc = checksum(member.chunks())
      coroutine.yield(local_header(stored_members[k]))
      for chunk in member.chunks() do coroutine.yield(chunk) end
    end
    coroutine.yield(directory_of(stored_members, offset))
    return nil
  end)
end

return zip
