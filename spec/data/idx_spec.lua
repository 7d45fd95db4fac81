local at_caller = require("spec.support.misuse").at_caller
local file = require "perilune.store.file"
local idx = require "perilune.data.idx"
local lfs = require "lfs"
local memory = require "spec.support.memory"
local pl = require "perilune"
local zlib = require "zlib"

local GZIP = 31 -- zlib's window bits for a gzip wrapper

local function compress(bytes, level)
  return (zlib.deflate(level or 9, GZIP)(bytes, "finish"))
end

-- A header as it should not be: the count of dimensions and their sizes are taken as given.
local function header(type, ...)
  local bytes = string.pack("BBBB", 0, 0, type, select("#", ...))
  for _, size in ipairs { ... } do bytes = bytes .. string.pack(">I4", size) end
  return bytes
end

-- Each decoding must fail, with a message that begins with the name and has `reason` in it.
local function refuses(bytes, reason)
  local content, message = idx.decode(bytes, "here")
  assert.is_nil(content)
  assert.equal("here: ", message:sub(1, 6))
  assert.is_truthy(message:find(reason, 1, true), message)
end

describe("IDX data", function()
  local tiny = header(8, 2, 3) .. "abcdef"

  it("are decoded to dimensions and the place where the elements begin, compressed or not",
    function()
      for _, bytes in ipairs { tiny, compress(tiny) } do
        local content = idx.decode(bytes)
        assert.equal(tiny, tostring(content.bytes))
        content.bytes = nil
        assert.same({ dimensions = { 2, 3 }, type = "uint8", offset = 12 }, content)
      end
    end)

  it("are the same when they come compressed in many steps", function()
    local state, bytes = 1, {}
    for k = 1, 50000 do
      state = state * 1103515245 + 12345 & 0x7fffffff
      bytes[k] = string.char(state >> 16 & 0xff)
    end
    local large = header(8, 50000) .. table.concat(bytes)
    assert.is_true(#compress(large) > 40000)
    assert.equal(large, tostring(idx.decode(compress(large)).bytes))
  end)

  it("are bytes with a name, or without one", function()
    assert.equal("IDX data: ", select(2, idx.decode("x")):sub(1, 10))
    for _, wrong in ipairs { 5, {}, true } do
      at_caller(function() local _ = idx.decode(wrong) end, "bytes: a string expected, got ")
      at_caller(function() local _ = idx.decode(tiny, wrong) end, "name: a string expected, got ")
    end
  end)

  it("may have one dimension and may have 255", function()
    assert.same({ 1 }, idx.decode(header(8, 1) .. "x").dimensions)
    local ones = {}
    for i = 1, 255 do ones[i] = 1 end
    assert.same(ones, idx.decode(header(8, table.unpack(ones)) .. "x").dimensions)
  end)

  it("are refused when cut off at any length", function()
    for length = 0, #tiny - 1 do
      refuses(tiny:sub(1, length), ("%d came"):format(length))
    end
    refuses(tiny:sub(1, 3), "a header of 4 bytes expected, 3 came")
    refuses(tiny:sub(1, 11), "a header of 12 bytes expected, 11 came")
    refuses(tiny:sub(1, 17),
      "18 bytes expected (2 x 3 elements after 12 bytes of header), 17 came")
  end)

  it("are refused when compressed and cut off at any length", function()
    local packed = compress(tiny)
    for length = 2, #packed - 1 do
      refuses(packed:sub(1, length), "the gzip data ends too early")
    end
  end)

  it("are refused when cut off before they were compressed", function()
    for length = 0, #tiny - 1 do refuses(compress(tiny:sub(1, length)), "expected") end
  end)

  it("are refused when anything follows", function()
    refuses(tiny .. "g",
      "18 bytes expected (2 x 3 elements after 12 bytes of header), 19 came")
    refuses(compress(tiny .. "g"), "18 bytes expected")
  end)

  it("are refused when anything follows the gzip data", function()
    refuses(compress(tiny) .. "garbage", "7 bytes follow the gzip data")
    refuses(compress(tiny) .. "\0", "1 bytes follow the gzip data")
    refuses(compress(tiny) .. compress("more"), "bytes follow the gzip data")
    local padding = ("x"):rep(10000) -- beyond the step in which the data end
    refuses(compress(tiny) .. padding, "10000 bytes follow the gzip data")
  end)

  it("are refused when they do not begin with two zero bytes", function()
    refuses("\1\0" .. tiny:sub(3), "it begins with bytes 01 00 (00 00 expected)")
    refuses("\0\xff" .. tiny:sub(3), "it begins with bytes 00 FF (00 00 expected)")
    refuses(compress("PNG " .. tiny), "it begins with bytes 50 4E (00 00 expected)")
  end)

  it("are refused when their elements are not unsigned bytes", function()
    for _, type in ipairs { 0x00, 0x09, 0x0B, 0x0C, 0x0D, 0x0E, 0xFF } do
      refuses(header(type, 1) .. ("x"):rep(8),
        ("unsupported element type 0x%02X (0x08, unsigned bytes, expected)"):format(type))
    end
  end)

  it("are refused without dimensions and with a dimension of 0", function()
    refuses(header(8), "0 dimensions (at least 1 expected)")
    refuses(header(8, 0), "dimension 1 is 0 (at least 1 expected)")
    refuses(header(8, 3, 0, 2), "dimension 2 is 0 (at least 1 expected)")
  end)

  it("are refused when a dimension is wrong", function()
    refuses(header(8, 2, 4) .. "abcdef", "20 bytes expected")
    refuses(header(8, 2, 2) .. "abcdef", "16 bytes expected")
    refuses(header(8, 0xffffffff) .. "abcdef", "4294967303 bytes expected")
  end)

  it("are refused when the product of the dimensions overflows", function()
    local most = 0xffffffff
    refuses(header(8, most, most) .. "abcdef",
      "the product of the dimensions is beyond 2^63")
    -- A product of 2^64, which would wrap around to 0, and one that would to 6.
    refuses(header(8, 65536, 65536, 65536, 65536), "beyond 2^63")
    refuses(header(8, 2, 3, 2 ^ 31 | 0, 2 ^ 31 | 0, 4) .. "abcdef", "beyond 2^63")
  end)

  it("are refused when a compressed byte is damaged", function()
    local packed = compress(tiny)
    for k = 3, #packed do
      -- Bytes 4 to 10 of a gzip header are flags, a time and a system, of which only flags matter.
      if k == 3 or k > 10 then
        local damaged = packed:sub(1, k - 1) .. string.char(packed:byte(k) ~ 0x10)
          .. packed:sub(k + 1)
        local content, message = idx.decode(damaged, "here")
        assert.is_nil(content, "byte " .. k)
        assert.equal("here: ", message:sub(1, 6))
      end
    end
    refuses(packed:sub(1, -9) .. ("\0"):rep(8), "damaged gzip data")
    refuses("\x1f\x8bnothing of the kind", "damaged gzip data")
  end)

  it("are not inflated far beyond what their header promises", function()
    local stream, megabyte = zlib.deflate(9, GZIP), ("\0"):rep(2 ^ 20 | 0)
    local chunks = { (stream(header(8, 10))) }
    for _ = 1, 64 do chunks[#chunks + 1] = stream(megabyte) end
    chunks[#chunks + 1] = stream("", "finish")
    local bomb = table.concat(chunks)
    assert.is_true(#bomb < 100000)

    collectgarbage()
    collectgarbage("stop")
    local before = collectgarbage("count")
    local content, message = idx.decode(bomb, "here")
    local kilobytes = collectgarbage("count") - before
    collectgarbage("restart")
    assert.is_nil(content)
    assert.equal("here: 18 bytes expected (10 elements after 8 bytes of header), "
      .. "more came", message)
    assert.is_true(kilobytes < 20000, ("%.0f kB were allocated"):format(kilobytes))
  end)

  it("are refused when the header promises more than gzip data can hold", function()
    local zeros = ("\0"):rep(2 ^ 20)
    local packed = compress(header(8, 0xffffffff) .. zeros)
    local allocated, content, message = memory.allocated(function()
      return idx.decode(packed, "here")
    end)
    assert.is_nil(content)
    assert.equal(("here: 4294967303 bytes expected (4294967295 elements after 8 bytes of "
      .. "header), more than %d bytes of gzip data can hold"):format(#packed), message)
    assert.is_true(allocated < 1e7)
    refuses(compress(header(8, 1100 * #packed) .. zeros), "gzip data can hold")
    refuses(compress(header(8, 1000 * #packed) .. zeros), "1048584 came")
  end)

  it("may be packed as densely as deflate can", function()
    local zeros = header(8, 2 ^ 24 | 0) .. ("\0"):rep(2 ^ 24)
    assert.is_true(#compress(zeros) < #zeros / 1000)
    assert.equal(zeros, tostring(idx.decode(compress(zeros)).bytes))
  end)

  it("are called IDX data where they have no name", function()
    assert.equal("IDX data: a header of 4 bytes expected, 0 came",
      select(2, idx.decode("")))
  end)

  it("are a string, or the caller is told so", function()
    at_caller(function() local _ = idx.decode(nil) end,
      "bytes: a string expected, got nil")
  end)
end)

describe("IDX files", function()
  local folder

  before_each(function()
    folder = os.tmpname()
    assert(os.remove(folder))
    assert(lfs.mkdir(folder))
  end)

  after_each(function()
    assert(os.execute(("rm -r '%s'"):format(folder)))
  end)

  local function write(name, bytes)
    local path = folder .. "/" .. name
    local handle <close> = assert(io.open(path, "wb"))
    assert(handle:write(bytes))
    return path
  end

  it("are read plain and compressed, whatever their names", function()
    local bytes = idx.encode({ 2, 2 }, "abcd")
    assert.equal(bytes, tostring(idx.read(write("plain.gz", bytes)).bytes))
    assert.equal(bytes, tostring(idx.read(write("compressed", compress(bytes))).bytes))
  end)

  it("have their path in every message, once", function()
    for _, bytes in ipairs { "", "text", "\x1f\x8b", idx.encode({ 2 }, "ab") .. "c" } do
      local path = write("damaged", bytes)
      local content, message = idx.read(path)
      assert.is_nil(content)
      assert.equal(path .. ": ", message:sub(1, #path + 2))
      assert.is_nil(message:find(path, #path, true))
    end
  end)

  it("take little more memory than they hold, packed or not, as dense as can be #memory", function()
    local size = 2 ^ 25
    -- Numbers of five bits are packed to about two thirds.
    local noise = pl.generator(1):uniform(pl.matrix(2 ^ 20, 1), 0, 31):encode "uint8"
    for name, bytes in pairs {
      plain = idx.encode({ size }, noise:rep(size // #noise)),
      packed = compress(idx.encode({ size }, noise:rep(size // #noise)), 1),
      zeros = compress(idx.encode({ size }, ("\0"):rep(size))),
    } do
      local peak = memory.peak_alone("", ([[
        content = assert(pl.data.idx %q)
        assert(#content.bytes == %d)]]):format(write(name, bytes), size + 8))
      assert.is_true(peak < 1.3 * size, ("%.2f of %s"):format(peak / size, name))
    end
  end)

  it("that cannot be read to their end give nil and the reason", function()
    local path = write("packed", compress(idx.encode({ 100 }, ("x"):rep(100))))
    local open = file.open
    stub(file, "open", function()
      local source = assert(open(path))
      source.size = source.size + 100
      return source
    end)
    finally(function() file.open:revert() end)
    assert.same({ nil, path .. ": became shorter while it was read" }, { idx.read(path) })
  end)

  it("that are missing, or are directories, give nil and a message", function()
    for _, path in ipairs { folder .. "/missing", folder } do
      local content, message = idx.read(path)
      assert.is_nil(content)
      assert.equal(path .. ": ", message:sub(1, #path + 2))
    end
  end)

  it("need a path, or the caller is told so", function()
    at_caller(function() local _ = idx.read {} end, "path: a path expected, got a table")
    at_caller(function() local _ = idx.read "" end, 'path: a path expected, got ""')
    at_caller(function() local _ = idx.read "a\0b" end, "path: a path expected, got")
  end)
end)

describe("Encoding IDX", function()
  it("is the inverse of decoding", function()
    local content = idx.decode(idx.encode({ 3, 1, 2 }, "abcdef"))
    assert.same({ 3, 1, 2 }, content.dimensions)
    assert.equal("abcdef", content.bytes:sub(content.offset + 1))
  end)

  it("gives the bytes of the format", function()
    assert.equal("\0\0\8\2" .. "\0\0\0\2" .. "\0\0\0\3" .. "abcdef",
      idx.encode({ 2, 3 }, "abcdef"))
  end)

  it("takes whole numbers that are written as floats", function()
    assert.equal(idx.encode({ 2, 3 }, "abcdef"), idx.encode({ 2.0, 3.0 }, "abcdef"))
    at_caller(function() local _ = idx.encode({ 2.0, 3 }, "abcde") end,
      "bytes: 2 x 3 = 6 elements expected, got 5")
  end)

  it("raises when dimensions and elements disagree", function()
    at_caller(function() local _ = idx.encode({ 2, 3 }, "abcde") end,
      "bytes: 2 x 3 = 6 elements expected, got 5")
    local large = 2 ^ 31 | 0
    at_caller(function() local _ = idx.encode({ large, large, 4 }, "") end,
      "elements expected, got 0")
  end)

  it("raises for dimensions that the format cannot hold", function()
    at_caller(function() local _ = idx.encode({}, "") end,
      "dimensions: a list of 1 to 255 expected, got 0 of them")
    at_caller(function()
      local _ = idx.encode(setmetatable({ 3 }, { __len = function() return "x" end }), "abc")
    end, "dimensions: a list expected, got one with \"x\" elements")
    at_caller(function() local _ = idx.encode(3, "abc") end,
      "dimensions: a list of 1 to 255 expected, got 3")
    for _, size in ipairs { 0, -1, 1.5, 2 ^ 32, "3" } do
      at_caller(function() local _ = idx.encode({ 1, size }, "abc") end,
        "dimension 2: a whole number from 1 to 4294967295 expected, got ")
    end
    at_caller(function() local _ = idx.encode({ 3 }) end,
      "bytes: a string expected, got nil")
  end)
end)

describe("Writing an IDX file", function()
  it("is the inverse of reading one", function()
    local path = os.tmpname()
    assert.is_true(pl.data.write.idx(path, { 3, 1, 2 }, "abcdef"))
    local content = assert(pl.data.idx(path))
    os.remove(path)
    assert.same({ 3, 1, 2 }, content.dimensions)
    assert.equal("abcdef", content.bytes:sub(content.offset + 1))
  end)

  it("raises as encoding does, and says where there is no place for it", function()
    at_caller(function() local _ = idx.write("a", { 2, 3 }, "abcde") end,
      "bytes: 2 x 3 = 6 elements expected, got 5")
    at_caller(function() local _ = idx.write(5, { 1 }, "a") end, "path: a path expected, got 5")
    local ok, message = idx.write("/missing/folder/a", { 1 }, "a")
    assert.is_nil(ok)
    assert.equal("/missing/folder/a: ", message:sub(1, 19))
  end)
end)
