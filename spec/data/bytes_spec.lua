local at_caller = require("spec.support.misuse").at_caller
local anywhere = require("spec.support.misuse").anywhere
local pl = require "perilune"
local same = require("spec.support.matrices").same

describe("bytes", function()
  local content = string.char(0, 51, 102, 153, 204, 255, 1, 2)

  it("are samples of consecutive bytes, scaled to [0, 1]", function()
    local bytes = pl.bytes(content, 2, 3)
    assert.same({ 2, 3 }, { bytes.rows, bytes.cols })
    local expected = pl.float64.matrix { { 0, 0.4, 0.8 }, { 0.2, 0.6, 1 } }
    local X = bytes:columns(1, 3, "float64")
    assert.is_true((expected - X):norm() < 1e-15)
    assert.equal(1, pl.bytes(content, 2, 3):columns(1, 3):max())
  end)

  it("may have a scale of their own, and begin after others", function()
    local bytes = pl.bytes(content, 1, 2, { offset = 6, scale = 0.5 })
    assert.same({ { 0.5, 1 } }, bytes:columns(1, 2):totable())
  end)

  it("give some samples as a matrix, float32 unless said", function()
    local bytes = pl.bytes(content, 2, 4, { scale = 1 })
    local X = bytes:columns(2, 3)
    assert.equal("float32", X.dtype)
    assert.same({ { 102, 204 }, { 153, 255 } }, X:totable())
    assert.equal("float64", bytes:columns(2, 3, "float64").dtype)
  end)

  it("gather samples in any order, into both types", function()
    local bytes = pl.bytes(content, 2, 4, { scale = 1 })
    for _, name in ipairs { "float32", "float64" } do
      local X = pl[name].matrix(2, 3)
      assert.is_true(rawequal(X, bytes:gather(X, { 1, 4, 4, 2 }, 2)))
      assert.same({ { 1, 1, 102 }, { 2, 2, 153 } }, X:totable())
    end
  end)

  it("are those of the string, to the last bit of the scale", function()
    local all = {}
    for k = 0, 255 do all[k + 1] = string.char(k) end
    local X = pl.bytes(table.concat(all), 1, 256):columns(1, 256, "float64")
    local expected = pl.float64.matrix(1, 256)
    for k = 0, 255 do expected:set(1, k + 1, k * (1 / 255)) end
    assert.is_true(same(expected, X))
  end)

  it("refuse a shape that the string does not hold", function()
    at_caller(function() local _ = pl.bytes(content, 3, 3) end,
      "3 x 3 bytes from offset 0 on expected, got 8")
    at_caller(function() local _ = pl.bytes(content, 2, 4, { offset = 1 }) end,
      "2 x 4 bytes from offset 1 on expected, got 7")
    local huge = math.maxinteger
    at_caller(function() local _ = pl.bytes(content, huge, huge) end,
      "bytes from offset 0 on expected, got 8")
  end)

  it("refuse a shape that is none", function()
    at_caller(function() local _ = pl.bytes(content, 0, 3) end,
      "1 or more rows and columns expected, got 0 x 3")
    at_caller(function() local _ = pl.bytes(content, 2, 1.5) end, "got 2 x 1.5")
    at_caller(function() local _ = pl.bytes(content, 2) end, "got 2 x nil")
  end)

  it("refuse an offset that is none", function()
    at_caller(function() local _ = pl.bytes(content, 2, 4, { offset = -1 }) end, "offset")
    at_caller(function() local _ = pl.bytes(content, 2, 2, { offset = 0.5 }) end,
      "offset")
    at_caller(function() local _ = pl.bytes(content, 2, 2, { offset = "one" }) end,
      "offset")
  end)

  it("refuse a scale that is none", function()
    at_caller(function() local _ = pl.bytes(content, 2, 2, { scale = "one" }) end,
      "scale")
  end)

  it("refuse what is no string", function()
    at_caller(function() local _ = pl.bytes(nil, 2, 2) end, "string")
    at_caller(function() local _ = pl.bytes({ 1, 2, 3, 4 }, 2, 2) end, "string")
  end)

  it("refuse an unknown option", function()
    at_caller(function() local _ = pl.bytes(content, 2, 2, { skip = 1 }) end,
      "unknown option 'skip' (known: offset, scale)")
  end)

  it("refuse to gather into other rows than their own", function()
    local bytes = pl.bytes(content, 2, 4)
    anywhere(function() bytes:gather(pl.matrix(3, 1), { 1 }) end, "3")
  end)

  it("refuse samples that are not theirs", function()
    local bytes = pl.bytes(content, 2, 4)
    anywhere(function() bytes:columns(3, 5) end, "5")
    anywhere(function() bytes:columns(0, 2) end, "0")
    anywhere(function() bytes:columns(1, 2, "float16") end, "float16")
  end)
end)
