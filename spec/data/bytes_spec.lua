local at_caller = require("spec.support.misuse").at_caller
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
      "bytes: 3 x 3 from offset 0 on expected, got 8")
    at_caller(function() local _ = pl.bytes(content, 2, 4, { offset = 1 }) end,
      "bytes: 2 x 4 from offset 1 on expected, got 7")
    local huge = math.maxinteger
    at_caller(function() local _ = pl.bytes(content, huge, huge) end,
      "from offset 0 on expected, got 8")
  end)

  it("refuse a shape that is none", function()
    at_caller(function() local _ = pl.bytes(content, 0, 3) end,
      "rows: a whole number of 1 or more expected, got 0")
    at_caller(function() local _ = pl.bytes(content, 2, 1.5) end,
      "cols: a whole number of 1 or more expected, got 1.5")
    at_caller(function() local _ = pl.bytes(content, 2) end, "got nil")
    at_caller(function() local _ = pl.bytes(content, "2", 3) end, 'rows: ')
  end)

  it("take whole numbers that are written as floats", function()
    local bytes = pl.bytes(content, 2.0, 3.0, { offset = 1.0, scale = 1 })
    assert.same({ 2, 3, 1 }, { bytes.rows, bytes.cols, bytes.offset })
    assert.same({ { 153 }, { 204 } }, bytes:columns(2.0, 2.0):totable())
  end)

  it("refuse an offset or a scale that is none", function()
    for _, offset in ipairs { -1, 0.5, "1" } do
      at_caller(function() local _ = pl.bytes(content, 2, 2, { offset = offset }) end,
        "pl.bytes: offset: a whole number of 0 or more expected, got ")
    end
    for _, scale in ipairs { "1", 0 / 0, math.huge } do
      at_caller(function() local _ = pl.bytes(content, 2, 2, { scale = scale }) end,
        "pl.bytes: scale: a number expected, got ")
    end
  end)

  it("refuse what is neither a string nor octets", function()
    at_caller(function() local _ = pl.bytes(nil, 2, 2) end,
      "bytes: a string or octets expected, got nil")
    at_caller(function() local _ = pl.bytes({ 1, 2, 3, 4 }, 2, 2) end,
      "bytes: a string or octets expected, got a table")
  end)

  it("refuse an unknown option", function()
    at_caller(function() local _ = pl.bytes(content, 2, 2, { skip = 1 }) end,
      "unknown option 'skip' of pl.bytes (known: offset, scale)")
  end)

  it("refuse to gather into what does not fit", function()
    local bytes = pl.bytes(content, 2, 4)
    local expected = "X: a matrix of 2 rows, stored by columns, expected, got "
    at_caller(function() bytes:gather(pl.matrix(3, 1), { 1 }) end,
      expected .. "a 3 x 1 matrix")
    at_caller(function() bytes:gather(pl.matrix(2, 2, "rows"), { 1, 2 }) end, expected)
    at_caller(function() bytes:gather(nil, { 1 }) end, expected .. "nil")
  end)

  it("refuse samples that are not theirs, and change nothing then", function()
    local bytes = pl.bytes(content, 2, 4)
    local X = pl.matrix(2, 3):fill(7)
    for _, wrong in ipairs { 0, 5, 1.5, "2", -1 } do
      at_caller(function() bytes:gather(X, { 1, wrong, 2 }) end,
        "indices: samples 1 to 4 expected, got ")
    end
    at_caller(function() bytes:gather(X, { 1, 2 }) end, "got nil as element 3")
    at_caller(function() bytes:gather(X, { 1, 2, 3 }, 2) end, "got nil as element 4")
    at_caller(function() bytes:gather(X, { 1, 2, 3 }, 0.5) end,
      "first: a whole number expected, got 0.5")
    at_caller(function() bytes:gather(X, 3) end,
      "indices: a list of samples expected, got 3")
    assert.same({ { 7, 7, 7 }, { 7, 7, 7 } }, X:totable())
    at_caller(function() local _ = bytes:columns(3, 5) end,
      "samples within 1 to 4 expected, got 3 to 5")
    at_caller(function() local _ = bytes:columns(0, 2) end, "got 0 to 2")
    at_caller(function() local _ = bytes:columns(3, 2) end, "got 3 to 2")
    at_caller(function() local _ = bytes:columns(1) end, "got 1 to nil")
    at_caller(function() local _ = bytes:columns(1, 2, "float16") end,
      'dtype: "float32" or "float64" expected, got "float16"')
  end)
end)

describe("Chosen bytes", function()
  local bytes = pl.bytes("\9abcdefgh", 2, 4, { offset = 1, scale = 0.5 })

  it("are those of the chosen samples, in their order", function()
    local chosen = bytes:choose { 4, 1, 4 }
    assert.equal("ghabgh", chosen.bytes)
    assert.same({ 2, 3, 0.5 }, { chosen.rows, chosen.cols, chosen.scale })
    local X = pl.matrix(2, 3)
    assert.is_true(same(bytes:gather(X, { 4, 1, 4 }), chosen:columns(1, 3)))
  end)

  it("are none of others", function()
    at_caller(function() local _ = bytes:choose { 1, 5 } end,
      "indices: samples 1 to 4 expected, got 5 as element 2")
    for _, wrong in ipairs { 3, "x", io.stdout } do
      at_caller(function() local _ = bytes:choose(wrong) end,
        "indices: a list of samples expected, got ")
    end
    at_caller(function() local _ = bytes:choose {} end,
      "indices: one or more samples expected, got none")
  end)

  it("are as many as the list says, whatever its metatable answers beyond", function()
    local function list_of(length)
      return setmetatable({}, {
        __index = function() return 2 end, __len = function() return length end,
      })
    end
    assert.equal("cdcd", bytes:choose(list_of(2)).bytes)
    assert.equal("cd", bytes:choose { 2.0 }.bytes)
    for _, length in ipairs { -1, 0.5, "x" } do
      at_caller(function() local _ = bytes:choose(list_of(length)) end,
        "indices: a list expected, got one with ")
    end
  end)
end)
