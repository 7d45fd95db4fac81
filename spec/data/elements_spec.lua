local Elements = require "perilune.data.elements"
local Folder = require "spec.support.folder"
local pl = require "perilune"
local same = require("spec.support.matrices").same
local zlib = require "zlib"

describe("samples in a file of elements", function()
  local folder, path

  before_each(function()
    folder = Folder.new()
    path = folder:at "X"
  end)
  after_each(function() folder:remove() end)

  local function refuses(reason, bytes)
    local source, message = Elements.open(folder:write("X", bytes), {})
    assert.is_nil(source)
    assert.equal(path .. ": ", message:sub(1, #path + 2))
    assert.is_truthy(message:find(reason, 1, true), message)
  end

  local function columns(source, first, count)
    local M = pl[source.dtype].matrix(source.rows, count)
    assert(source:fill(M, first))
    return M
  end

  it("are counted by the first dimension, in Fortran order by the last", function()
    local X = pl.generator(1):normal(pl.float64.matrix(3, 40))
    assert(pl.data.write.npy(path, X))
    local source = assert(Elements.open(path, {}))
    assert.same({ 3, 40, "float64", false },
      { source.rows, source.cols, source.dtype, source.is_finite })
    assert.is_true(same(X:slice(1, 3, 5, 20), columns(source, 5, 16)))
    assert(pl.data.write.npy(path, X:copy "rows"))
    source = assert(Elements.open(path, { dtype = "float32", scale = 2 }))
    assert.same({ 40, 3 }, { source.rows, source.cols })
    assert.is_true(same((X:slice(2, 3):transpose() * 2):to "float32", columns(source, 2, 2)))
  end)

  it("of an IDX file are scaled to [0, 1], unless one says how", function()
    assert(pl.data.write.idx(path, { 3, 1, 2 }, "\0\51\102\153\204\255"))
    local source = assert(Elements.open(path, {}))
    assert.same({ 2, 3, "float32", true },
      { source.rows, source.cols, source.dtype, source.is_finite })
    assert.is_true(same(pl.bytes("\0\51\102\153\204\255", 2, 3):columns(1, 3),
      columns(source, 1, 3)))
    source = assert(Elements.open(path, { scale = 1 }))
    assert.same({ { 102, 204 }, { 153, 255 } }, columns(source, 2, 2):totable())
  end)

  it("are refused where the file is none, packed, too short or too long", function()
    assert(pl.data.write.npy(path, pl.matrix(2, 3)))
    local bytes = folder:read "X"
    refuses("152 bytes expected, 153 came", bytes .. "x")
    refuses("152 bytes expected, 151 came", bytes:sub(1, -2))
    refuses("its header ends too early", bytes:sub(1, 100))
    refuses("packed by gzip: only in a plain file", (zlib.deflate(9, 31)(bytes, "finish")))
    refuses("no array of NumPy", "1,2,3\n")
    refuses("10 bytes expected, 9 came", "\0\0\8\1\0\0\0\2a")
    refuses("its header ends too early", "")
    local source, message = Elements.open(folder:at "missing", {})
    assert.is_nil(source)
    assert.equal(folder:at "missing", message:sub(1, #folder.path + 8))
  end)

  it("are told where the file has changed since", function()
    local X = pl.matrix(2, 50000) -- more than what is read ahead of the header
    assert(pl.data.write.npy(path, X))
    local source = assert(Elements.open(path, {}))
    folder:write("X", "short")
    local ok, message = source:fill(X, 1)
    assert.is_nil(ok)
    assert.equal(path .. ": became shorter while it was read", message)
  end)

  it("are told where one does not fit", function()
    folder:write("X", "\x93NUMPY\1\0" .. ("<s2"):pack(
      "{'descr': '<i8', 'fortran_order': False, 'shape': (3,), }")
      .. ("<i8 i8 i8"):pack(1, 0x20000000000001, 3))
    local source = assert(Elements.open(path, {}))
    local M = source:fill(pl.float64.matrix(1, 1), 1)
    assert.is_true(M)
    local ok, message = source:fill(pl.float64.matrix(1, 2), 2)
    assert.is_nil(ok)
    assert.equal(path .. ": samples 2 to 3 hold 9007199254740993, which float64 does not hold "
      .. "exactly", message)
  end)
end)
