local pl = require "perilune"

local function numbered(N, core)
  local X = (core or pl.float32).matrix(2, N)
  for n = 1, N do X:set(1, n, 10 * n):set(2, n, 10 * n + 1) end
  return X
end

describe("the checksum of a dataset", function()
  -- The CRC-32 of zlib and PNG, bit by bit
  local function crc32(bytes)
    local crc = 0xffffffff
    for k = 1, #bytes do
      crc = crc ~ bytes:byte(k)
      for _ = 1, 8 do crc = crc & 1 == 1 and crc >> 1 ~ 0xedb88320 or crc >> 1 end
    end
    return ("%08x"):format(crc ~ 0xffffffff)
  end

  local function new(changes)
    local fields = { X = numbered(3), T = { { 1, 2, 3 } }, weights = { 1, 2, 3 } }
    for name, value in pairs(changes or {}) do fields[name] = value end
    return pl.dataset(fields)
  end

  it("is the CRC-32 of shapes, types and numbers", function()
    local numbers = string.pack("<ffffff", 10, 11, 20, 21, 30, 31)
    local targets = string.pack("<fff", 1, 2, 3)
    assert.equal(crc32("X: 2 x 3 float32\n" .. numbers .. "T: 1 x 3 float32\n" .. targets
      .. "weights: 1 x 3 float32\n" .. targets), new():checksum())
  end)

  it("is that of the numbers, however they are held", function()
    local bytes = pl.bytes(string.char(10, 11, 20, 21, 30, 31), 2, 3, { scale = 1 })
    assert.equal(new():checksum(), new({ X = bytes }):checksum())
    assert.equal(new():checksum(), new({ X = numbered(3):copy "rows" }):checksum())
  end)

  it("is another for any other number, shape or type", function()
    local sums = { [new():checksum()] = true }
    local X = numbered(3)
    X:set(2, 3, 31.00001)
    for _, changes in ipairs {
      { X = X }, { X = numbered(3, pl.float64) }, { T = { { 1, 2, 4 } } },
      { T = { { 1, 2, 3 }, { 0, 0, 0 } } }, { weights = { 1, 2, 4 } },
      { weights = false }, { X = { { 10, 11, 20 } } },
    } do
      local sum = new(changes):checksum()
      assert.is_nil(sums[sum])
      sums[sum] = true
    end
  end)

  it("is computed once", function()
    local X = numbered(3)
    local dataset = new { X = X }
    local sum = dataset:checksum()
    X:fill(0)
    assert.equal(sum, dataset:checksum())
  end)
end)
