local allocated_by = require("spec.support.memory").allocated
local content = require "perilune.data.content"
local file = require "perilune.store.file"
local zlib = require "zlib"

local GZIP = 31 -- zlib's window bits for a gzip wrapper

local function compress(bytes)
  return (zlib.deflate(9, GZIP)(bytes, "finish"))
end

-- All that comes; or nil, the reason and what came before it
local function all(bytes, allowed)
  local chunks = {}
  local reader = assert(content.of(file.of(bytes), allowed))
  while true do
    local chunk, reason = reader:chunk()
    if not chunk then
      local joined = table.concat(chunks)
      assert.equal(#joined, reader.came)
      if reason then return nil, reason, joined end
      return joined, #chunks
    end
    chunks[#chunks + 1] = chunk
  end
end

describe("The content of a file", function()
  local state, noise = 1, {}
  for k = 1, 300000 do
    state = state * 1103515245 + 12345 & 0x7fffffff
    noise[k] = string.char(state >> 16 & 0xff)
  end
  noise = table.concat(noise)

  it("comes in chunks that make up all of it, plain or compressed", function()
    for _, bytes in ipairs { "", "x", "\x1f", ("text\n"):rep(10), noise } do
      assert.equal(bytes, (all(bytes)))
      assert.equal(bytes, (all(compress(bytes))))
    end
    assert.is_true(select(2, all(noise)) > 1)
    assert.is_true(select(2, all(compress(noise))) > 1)
  end)

  it("says before it is read how much can come", function()
    local plain, packed = content.of(file.of("text")), content.of(file.of(compress "text"))
    assert.same({ false, 4 }, { plain.is_gzip, plain.most })
    assert.same({ true, 1032 * packed.size }, { packed.is_gzip, packed.most })
  end)

  it("is refused where the gzip data are damaged, end too early or are followed by others",
    function()
      local packed = compress(noise)
      local function reason(bytes) return (select(2, all(bytes))) end
      assert.matches("^damaged gzip data", reason("\x1f\x8bnothing of the kind"))
      assert.matches("^damaged gzip data", reason(packed:sub(1, -5) .. "\0\0\0\0"))
      assert.matches("^the gzip data ends too early: %d+ bytes came out", reason(packed:sub(1, -2)))
      assert.equal("3 bytes follow the gzip data (none expected)", reason(packed .. "end"))
    end)

  it("is refused where more is inflated than is allowed, before much has come #memory", function()
    local zeros = ("\0"):rep(2 ^ 26)
    local bomb = compress(zeros)
    local _, reason, came = all(bomb, 2 ^ 20)
    assert.equal(("more than 1048576 bytes come out of %d bytes of gzip data (most_bytes allows "
      .. "more)"):format(#bomb), reason)
    assert.is_true(#came <= 2 ^ 20)
    local allocated = allocated_by(function() return all(bomb, 2 ^ 20) end)
    assert.is_true(allocated < 2e7, ("%.0f bytes were allocated"):format(allocated))
    assert.equal(2 ^ 26, #all(bomb, 2 ^ 26))
    assert.equal(2 ^ 26, #all(bomb))
  end)

  it("that cannot be read to its end gives the reason", function()
    local shorter = { size = 10, read = function() return nil, "became shorter" end }
    assert.same({ nil, "became shorter" }, { content.of(shorter) })
    local source = file.of("0123456789")
    source.size = 2 ^ 20
    local reader = assert(content.of(source))
    function source.read() return nil, "became shorter while it was read" end
    assert.same({ nil, "became shorter while it was read" }, { reader:chunk() })
  end)
end)
