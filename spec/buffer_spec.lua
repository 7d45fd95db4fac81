local Buffer = require "perilune.buffer"
local at_caller = require("spec.support.misuse").at_caller
local memory = require "spec.support.memory"
local pl = require "perilune"

describe("a buffer", function()
  it("gives a matrix of its rows and the columns asked for", function()
    local buffer = Buffer.new(pl.float64, 3)
    for _, N in ipairs { 5, 2, 5, 7, 1 } do
      local M = buffer:columns(N)
      assert.same({ 3, N }, { M:shape() })
      assert.equal("float64", M.dtype)
    end
  end)

  it("gives the same matrix for the same columns", function()
    local buffer = Buffer.new(pl.float32, 3)
    local whole = buffer:columns(8)
    local part = buffer:columns(3)
    assert.is_true(rawequal(whole, buffer:columns(8)))
    assert.is_true(rawequal(part, buffer:columns(3)))
  end)

  it("shares its memory between sizes", function()
    local buffer = Buffer.new(pl.float32, 2)
    local whole = buffer:columns(6)
    buffer:columns(4):fill(5)
    assert.same({ { 5, 5, 5, 5, 0, 0 }, { 5, 5, 5, 5, 0, 0 } }, whole:totable())
  end)

  it("allocates nothing for sizes seen before", function()
    local buffer = Buffer.new(pl.float32, 100)
    local function round()
      for _ = 1, 100 do
        buffer:columns(64)
        buffer:columns(17)
      end
    end
    round()
    assert.equal(0, memory.allocated(round))
  end)

  it("allocates no element for a size below the largest seen", function()
    local buffer = Buffer.new(pl.float32, 1000)
    buffer:columns(1000) -- 4 MB
    local bytes = memory.allocated(function()
      for N = 1, 999 do buffer:columns(N) end
    end)
    assert.is_true(bytes < 1000 * 1024, bytes)
  end)

  it("keeps few views, however many sizes come in turn", function()
    local buffer = Buffer.new(pl.float32, 2)
    buffer:columns(200)
    for N = 1, 200 do buffer:columns(N) end
    local count = 0
    for _ in pairs(buffer.views) do count = count + 1 end
    assert.is_true(count <= 16)
    assert.equal(200, buffer:columns(200).cols)
  end)

  it("leaves a matrix it has given usable after it grows", function()
    local buffer = Buffer.new(pl.float32, 2)
    local small = buffer:columns(2):fill(4)
    buffer:columns(9):fill(1)
    collectgarbage()
    assert.same({ { 4, 4 }, { 4, 4 } }, small:totable())
  end)

  it("refuses what is no core, and sizes that are none", function()
    for _, wrong in ipairs { 3, "float32", {}, setmetatable({}, { __index = pl.float32 }) } do
      at_caller(function() local _ = Buffer.new(wrong, 2) end,
        "core: pl.float32 or pl.float64 expected, got ")
    end
    for _, wrong in ipairs { 0, -1, 0.5, "2", 0 / 0 } do
      at_caller(function() local _ = Buffer.new(pl.float32, wrong) end,
        "rows: a whole number of 1 or more expected, got ")
      local buffer = Buffer.new(pl.float32, 2)
      at_caller(function() buffer:columns(wrong) end,
        "N: a whole number of 1 or more expected, got ")
    end
    at_caller(function() Buffer.new(pl.float32, 3):columns(1 << 30) end,
      "N: at most 715827882 columns of 3 rows expected, got 1073741824")
  end)
end)
