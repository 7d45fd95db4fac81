-- The content of a data file chunk by chunk, inflated where the file is gzip: its first bytes
-- decide, not its name. Every reader takes its bytes from here, so that none has a file in memory
-- as a whole, and none lets a small file become more than was allowed for.

local collect = require "perilune.collect"
local zlib = require "zlib"

local content = {}

local GZIP = "\x1f\x8b"
local GZIP_ONLY = 31 -- zlib's window bits: a 32 KiB window in a gzip wrapper, nothing else
local LARGEST_RATIO = 1032 -- deflate makes no more bytes of one
local PACKED_CHUNK = 4096 -- packed bytes that are inflated at once: to about 4 MB at most
local CHUNK = 2 ^ 18 | 0 -- bytes of a plain file that are read at once

-- What a gzip file may become where nobody says: text that people pack is seldom a hundredth, and
-- small files may be anything.
local USUAL_RATIO = 100
local ALWAYS_ALLOWED = 2 ^ 28 | 0

---@class Content
---@field size integer     bytes of the source
---@field is_gzip boolean
---@field most integer     bytes that can come: the source's own or, of gzip, what deflate can make
---of them
---@field came integer     bytes that have come so far
local Content = {}
Content.__index = Content

-- What so many packed bytes inflate to, whether that is the end, and how many bytes were used by
-- then
local function inflate(stream, packed)
  local ok, chunk, ended, consumed = pcall(stream, packed)
  if ok then return chunk, ended, consumed end
  if chunk == "not enough memory" then error(chunk, 0) end
  return nil, "damaged gzip data: content or checksum is wrong"
end

local function next_plain(self)
  local first = self.used + 1
  self.used = math.min(self.used + CHUNK, self.size)
  if first <= self.used then return self.source:read(first, self.used) end
end

local function next_inflated(self)
  if self.ended then
    local after = self.size - self.consumed
    if after == 0 then return nil end
    return nil, ("%d bytes follow the gzip data (none expected)"):format(after)
  end
  local first = self.used + 1
  self.used = math.min(self.used + PACKED_CHUNK, self.size)
  if first > self.used then
    return nil, ("the gzip data ends too early: %d bytes came out of it"):format(self.came)
  end
  local packed, reason = self.source:read(first, self.used)
  if not packed then return nil, reason end
  local chunk
  chunk, self.ended, self.consumed = inflate(self.stream, packed)
  if not chunk then return nil, self.ended end
  if self.came + #chunk > self.allowed then
    return nil, ("more than %.0f bytes come out of %d bytes of gzip data (most_bytes allows more)")
      :format(self.allowed, self.size)
  end
  return chunk
end

---The next chunk, of any size, also empty. The one before counts as garbage then: let go of it
---before you ask.
---@return string?  nil at the end
---@return string?  or nil and the reason why it cannot be read to its end
function Content:chunk()
  collect(self.last_size)
  local chunk, reason = self:next()
  self.last_size = chunk and #chunk or 0
  self.came = self.came + self.last_size
  return chunk, reason
end

---The content of `source`, from its first byte on.
---@param source Source|Memory  open as long as chunks are asked for (perilune.store.file)
---@param allowed? number       bytes that gzip may inflate to; default: a hundred times the source
---or 256 MiB, whichever is more. A reader that knows from a header what has to come gives math.huge
---and stops there itself.
---@return Content?
---@return string?              nil and the reason why it cannot be read
function content.of(source, allowed)
  local size = source.size
  local start, reason = source:read(1, math.min(#GZIP, size))
  if not start then return nil, reason end
  local is_gzip = start == GZIP
  return setmetatable({
    source = source, size = size, is_gzip = is_gzip,
    next = is_gzip and next_inflated or next_plain,
    stream = is_gzip and zlib.inflate(GZIP_ONLY) or nil,
    allowed = allowed or math.max(USUAL_RATIO * size, ALWAYS_ALLOWED),
    most = is_gzip and LARGEST_RATIO * size or size,
    used = 0, consumed = 0, ended = false, came = 0, last_size = 0,
  }, Content)
end

return content
