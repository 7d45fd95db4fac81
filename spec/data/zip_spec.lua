local archive = require "spec.support.archive"
local file = require "perilune.store.file"
local pl = require "perilune"
local zip = require "perilune.data.zip"
local zlib = require "zlib"

local function content_of(source, member)
  local bytes, reason = zip.content(source, member)
  if not bytes then return nil, reason end
  local pieces = {}
  while true do
    local chunk, why = bytes:chunk()
    if why then return nil, why end
    if not chunk then return table.concat(pieces) end
    pieces[#pieces + 1] = chunk
  end
end

local function refuses(bytes, reason)
  local members, message = zip.members(file.of(bytes))
  assert.is_nil(members)
  assert.is_truthy(message:find(reason, 1, true), message)
end

-- The directory is right, and the first member is not.
local function refuses_content(bytes, reason)
  local source = file.of(bytes)
  local members = assert(zip.members(source))
  local content, message = content_of(source, members[1])
  assert.is_nil(content)
  assert.is_truthy(message:find(reason, 1, true), message)
end

describe("a zip archive", function()
  local long = ("abc"):rep(300000)
  local two = { { name = "a", content = "hello" }, { name = "b/c", content = long,
    is_deflated = true } }

  it("has members by name and size, stored or deflated", function()
    local source = file.of(archive(two))
    local members = zip.members(source)
    assert.same({ "a", "b/c" }, { members[1].name, members[2].name })
    assert.same({ 5, #long }, { members[1].size, members[2].size })
    assert.equal("hello", content_of(source, members[1]))
    assert.equal(long, content_of(source, members[2]))
  end)

  it("may be empty, hold empty members, and end with a comment", function()
    assert.same({}, zip.members(file.of(archive {})))
    for _, is_deflated in ipairs { true, false } do
      local source = file.of(archive({ { name = "a", content = "", is_deflated = is_deflated } },
        { comment = ("PK\5\6"):rep(9000) }))
      assert.equal("", content_of(source, zip.members(source)[1]))
    end
  end)

  it("is refused where its directory is missing or damaged", function()
    refuses("", "no zip archive")
    refuses(("x"):rep(70000), "no zip archive")
    local bytes = archive(two)
    for length = 0, #bytes - 1, 7 do refuses(bytes:sub(1, length), "no zip archive") end
    refuses(archive(two, { count = 3 }), "damaged directory: a member expected")
    refuses(archive(two, { size = 5 }), "a directory of 5 bytes after")
    refuses(archive(two, { offset = 0xfffffff0 }), "bytes after 4294967280 bytes expected")
    refuses(archive(two, { disk = 1 }), "an archive in one file expected")
    refuses(archive(two, { offset = 0xffffffff }), "beyond 4 GB")
    refuses(archive { { name = "a", content = "x" }, { name = "a", content = "y" } },
      '"a" is there twice')
  end)

  it("is refused where its members are packed as we cannot unpack", function()
    refuses(archive { { name = "a", content = "x", flags = 1 } }, '"a" is encrypted')
    refuses(archive { { name = "a", content = "x", method = 12 } }, '"a" is packed by method 12')
    refuses(archive { { name = "a", content = "x", size = 0xffffffff } }, "beyond 4 GB")
  end)

  it("is refused where it promises more than its bytes can hold", function()
    refuses(archive { { name = "a", content = "x", size = 2 } }, "cannot hold as many")
    refuses(archive { { name = "a", content = long, is_deflated = true, size = 0xfffffffe } },
      "4294967294 bytes expected")
    -- Many members that are all of the same bytes
    local packed = #zlib.deflate(9, -15)(long, "finish")
    local members = { { name = "0", content = long, is_deflated = true } }
    for k = 1, 9 do
      members[k + 1] = { name = tostring(k), content = "", method = 8, packed = packed, header = 0,
        size = #long, crc = 1 }
    end
    refuses(archive(members), "damaged directory: members of")
  end)

  it("refuses a member whose bytes are others than the directory says", function()
    refuses_content(archive { { name = "a", content = "hello", crc = 1 } }, "its checksum is wrong")
    refuses_content(archive { { name = "a", content = long, is_deflated = true, crc = 1 } },
      "its checksum is wrong")
    refuses_content(archive { { name = "a", content = long, is_deflated = true, size = 899999 } },
      "899999 bytes expected, more came")
    refuses_content(archive { { name = "a", content = long, is_deflated = true, size = 900001 } },
      "900001 bytes expected, 900000 came")
    refuses_content(archive { { name = "a", content = long, is_deflated = true, after = "x" } },
      "bytes follow its deflated data")
    refuses_content(archive { { name = "a", content = "\7\7\7", method = 8 } },
      "damaged deflated data")
    local noise = pl.generator(1):normal(pl.matrix(1, 50)):encode "float32"
    refuses_content(archive { { name = "a", content = noise, is_deflated = true, packed = 99 } },
      "its deflated data end too early")
    refuses_content(archive { { name = "a", content = "x", signature = "PK\3\5" } },
      "its header is missing")
    refuses_content(archive { { name = "a", content = "x", header = 0xfffffff0 } },
      "its header is missing")
    local gap = archive({ { name = "a", content = "x", header = 8 } }, { before = ("x"):rep(9) })
    refuses_content(gap, "its header is missing")
  end)

  it("is written with stored members, which it has again", function()
    local function of(...)
      local pieces = { ... }
      return { size = #table.concat(pieces), chunks = function()
        local k = 0
        return function()
          k = k + 1
          return pieces[k]
        end
      end }
    end
    local members = { of("one", "two"), of "", of(long) }
    members[1].name, members[2].name, members[3].name = "a.npy", "b", "\u{e4}"
    local pieces = {}
    for chunk in zip.encode(members) do pieces[#pieces + 1] = chunk end
    local source = file.of(table.concat(pieces))
    local found = zip.members(source)
    for k, expected in ipairs { "onetwo", "", long } do
      assert.equal(members[k].name, found[k].name)
      assert.equal(expected, content_of(source, found[k]))
    end
  end)

  it("is not written beyond 4 GB", function()
    local chunks, message = zip.encode { { name = "a", size = 2 ^ 32 | 0, chunks = error } }
    assert.is_nil(chunks)
    assert.is_truthy(message:find("less than 4 GB", 1, true))
  end)
end)
