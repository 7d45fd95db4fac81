-- Zip archives in memory, for specs that need right ones and wrong ones.

local zlib = require "zlib"

---An archive with what is said of its members, right or wrong
---@param members table[]  name, content, is_deflated; and what its headers are to say instead of
---what is so: crc, packed, size, flags, method, header, signature; after, bytes behind its content
---@param options? table   before, bytes before all; comment; count, size, offset, disk likewise
---@return string
return function(members, options)
  options = options or {}
  local bytes, entries = options.before or "", {}
  for k, member in ipairs(members) do
    local content = member.content
    local data, method = content, 0
    if member.is_deflated then
      data, method = zlib.deflate(9, -15)(content, "finish"), 8
    end
    data = data .. (member.after or "")
    local crc = member.crc or zlib.crc32()(content)
    local packed, size = member.packed or #data, member.size or #content
    local fields = ("<I2 I2 I2 I2 I2 I4 I4 I4 I2"):pack(20, member.flags or 0,
      member.method or method, 0, 0x21, crc, packed, size, #member.name)
    entries[k] = "PK\1\2" .. ("<I2"):pack(20) .. fields
      .. ("<I2 I2 I2 I2 I4 I4"):pack(0, 0, 0, 0, 0, member.header or #bytes) .. member.name
    bytes = bytes .. (member.signature or "PK\3\4") .. fields .. ("<I2"):pack(0) .. member.name
      .. data
  end
  local directory = table.concat(entries)
  return bytes .. directory .. "PK\5\6" .. ("<I2 I2 I2 I2 I4 I4 s2"):pack(options.disk or 0, 0,
    options.count or #members, options.count or #members, options.size or #directory,
    options.offset or #bytes, options.comment or "")
end
