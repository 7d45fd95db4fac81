local Folder = require "spec.support.folder"
local at_caller = require("spec.support.misuse").at_caller
local child = require "spec.support.child"
local find_python = require "spec.support.find_python"
local pl = require "perilune"
local same = require("spec.support.matrices").same
local zlib = require "zlib"

-- A file as numpy.lib.format describes it, with a header that need not be right
local function array(header, elements, version)
  local major = version or 1
  local length = major == 1 and "<I2" or "<I4"
  header = header .. (" "):rep(-(#header + 1 + 8 + length:packsize()) % 64) .. "\n"
  return "\x93NUMPY" .. string.char(major, 0) .. length:pack(#header) .. header .. elements
end

local function header(descr, shape, is_fortran)
  return ("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }"):format(descr,
    is_fortran and "True" or "False", shape)
end

local function packed(format, numbers)
  local pieces = {}
  for k, x in ipairs(numbers) do pieces[k] = format:pack(x) end
  return table.concat(pieces)
end

describe("an array of NumPy", function()
  local folder

  before_each(function() folder = Folder.new() end)
  after_each(function() folder:remove() end)

  local function read(bytes, options)
    return pl.data.npy(folder:write("a.npy", bytes), options)
  end

  local function refuses(bytes, reason, options)
    local M, message = read(bytes, options)
    assert.is_nil(M)
    assert.equal(folder:at "a.npy" .. ": ", message:sub(1, #folder.path + 8))
    assert.is_truthy(message:find(reason, 1, true), message)
  end

  local six = packed("<f", { 1, 2, 3, 4, 5, 6 })
  local small = array(header("<f4", "(2, 3)"), six)

  it("gives a matrix of its shape, whose elements follow by rows or in Fortran order by columns",
    function()
      local M = read(small)
      assert.same({ { 1, 2, 3 }, { 4, 5, 6 } }, M:totable())
      assert.same({ "float32", "columns" }, { M.dtype, M.order })
      assert.same({ { 1, 3, 5 }, { 2, 4, 6 } }, read(array(header("<f4", "(2, 3)", true), six))
        :totable())
    end)

  it("has a sample in each row, if one says so, and may then have more dimensions", function()
    local rows = { samples = "rows" }
    assert.same({ { 1, 4 }, { 2, 5 }, { 3, 6 } }, read(small, rows):totable())
    assert.same({ { 1, 2 }, { 3, 4 }, { 5, 6 } },
      read(array(header("<f4", "(2, 3)", true), six), rows):totable())
    assert.same({ { 1, 4 }, { 2, 5 }, { 3, 6 } },
      read(array(header("<f4", "(2, 3, 1)"), six), rows):totable())
    assert.same({ { 1, 2, 3, 4, 5, 6 } }, read(array(header("<f4", "(6,)"), six), rows):totable())
    refuses(array(header("<f4", "(2, 3, 1)"), six), '3 dimensions (2 x 3 x 1): 1 or 2 expected, or '
      .. 'samples = "rows", which puts all but the first one behind the other')
    refuses(array(header("<f4", "(2, 3, 1)", true), six),
      "3 dimensions (2 x 3 x 1) in Fortran order: 1 or 2 expected", rows)
  end)

  it("is one row, where it has one dimension", function()
    assert.same({ { 1, 2, 3, 4, 5, 6 } }, read(array(header("<f4", "(6,)"), six)):totable())
    assert.same({ { 1, 2, 3, 4, 5, 6 } }, read(array(header("<f4", "(6L,)", true), six)):totable())
  end)

  it("may be of versions 1.0, 2.0 and 3.0", function()
    for version = 1, 3 do
      local M = read(array(header("<f4", "(2, 3)"), six, version))
      assert.same({ { 1, 2, 3 }, { 4, 5, 6 } }, M:totable())
    end
    refuses(array(header("<f4", "(2, 3)"), six, 4), "version 1.0, 2.0 or 3.0 expected, 4.0 came")
  end)

  it("may have elements of these types, in either order of bytes", function()
    for descr, format in pairs {
      ["<f4"] = "<f", [">f4"] = ">f", ["<f8"] = "<d", [">f8"] = ">d", ["|i1"] = "i1",
      ["|u1"] = "I1", ["<i2"] = "<i2", [">i2"] = ">i2", ["<u2"] = "<I2", ["<i4"] = "<i4",
      [">i4"] = ">i4", ["<u4"] = "<I4", ["<i8"] = "<i8", [">i8"] = ">i8", [">u8"] = ">I8",
      ["|b1"] = "I1",
    } do
      local is_signed = descr:find "[if]"
      local numbers = { 1, 0, 1 }
      if descr ~= "|b1" then numbers = { 5, is_signed and -7 or 7, 100 } end
      local M = read(array(header(descr, "(3,)"), packed(format, numbers)))
      local width = tonumber(descr:sub(-1))
      assert.same({ numbers }, M:totable())
      local is_wide = descr:find "f8" or width >= 4 and not descr:find "f"
      assert.equal(is_wide and "float64" or "float32", M.dtype)
      for _, dtype in ipairs { "float32", "float64" } do
        M = read(array(header(descr, "(3,)"), packed(format, numbers)), { dtype = dtype })
        assert.same({ numbers }, M:totable())
        assert.equal(dtype, M.dtype)
      end
    end
  end)

  it("may hold what is no number", function()
    local M = read(array(header("<f8", "(3,)"), packed("<d", { 0 / 0, math.huge, -math.huge })))
    assert.is_true(M:get(1, 1) ~= M:get(1, 1))
    assert.same({ math.huge, -math.huge }, { M:get(1, 2), M:get(1, 3) })
  end)

  it("is refused where its elements are none that a matrix holds", function()
    for descr, what in pairs {
      ["<c8"] = "complex numbers", ["<f2"] = "numbers of another width", ["<f16"] = "another width",
      ["|O"] = "objects", ["<U5"] = "text", ["|S3"] = "text", ["<M8[ns]"] = "dates",
      ["<m8[s]"] = "durations", ["|V8"] = "records",
    } do
      refuses(array(header(descr, "(1,)"), ("x"):rep(16)), what)
    end
    refuses(array("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", six),
      "elements are records, which a matrix does not hold: save each field as an array of its own")
  end)

  it("is refused where it holds an integer that the matrix does not", function()
    local bytes = array(header("<i8", "(2, 2)"), packed("<i8", { 1, 2, 3, 0x20000000000001 }))
    refuses(bytes, "element [1, 1] is 9007199254740993, which float64 does not hold exactly")
    bytes = array(header("<i4", "(2, 2)", true), packed("<i4", { 1, 0x1000001, 3, 4 }))
    assert.equal(0x1000001, read(bytes):get(2, 1))
    refuses(bytes, 'element [1, 0] is 16777217, which float32 does not hold exactly (dtype = '
      .. '"float64" holds more)', { dtype = "float32" })
  end)

  it("is refused where its header is none", function()
    refuses("", "a header of 12 bytes expected, 0 came")
    refuses("\x93NUMPX\1\0\x10\0", "it does not begin with \\x93NUMPY")
    refuses("1,2,3\n4,5,6\n", "no array of NumPy")
    refuses("\x93NUMPY\2\0" .. ("<I4"):pack(0xfffffff0) .. "{", "of at most 65535 bytes expected")
    refuses(array("{'fortran_order': False, 'shape': (6,), }", six), "no 'descr' in the header")
    refuses(array("{'descr': '<f4', 'shape': (6,), }", six), "'fortran_order': True or False")
    refuses(array("{'descr': '<f4', 'fortran_order': 0, 'shape': (6,), }", six), "True or False")
    refuses(array("{'descr': '<f4', 'fortran_order': False, }", six), "'shape': a tuple expected")
    refuses(array(header("<f4", "(6.0,)"), six), "a shape of whole numbers expected")
    refuses(array(header("<f4", "(-6,)"), six), "a shape of whole numbers expected")
    refuses(array(header("<f4", "(2, 0)"), ""), "it is empty")
    refuses(array(header("<f4", "()"), six), "a single number, not an array")
    refuses(array(header("<f4", "(" .. ("1, "):rep(33) .. ")"), six), "too many dimensions")
    for _, shape in ipairs { "(2147483648,)", "(65536, 65536)", "(99999999999999999999,)" } do
      refuses(array(header("<f4", shape), six), shape:find "99" and "whole numbers expected"
        or "2147483647 elements at most expected")
    end
  end)

  it("is refused where bytes are missing or follow, packed or not", function()
    local function compressed(bytes) return (zlib.deflate(9, 31)(bytes, "finish")) end
    for length = 0, #small - 1 do
      refuses(small:sub(1, length), "expected")
      refuses(compressed(small:sub(1, length)), "expected")
    end
    refuses(small .. "x", '152 bytes expected (2 x 3 elements of type "<f4" after 128 bytes of '
      .. 'header), 153 came')
    refuses(compressed(small .. "x"), "more came")
    refuses(compressed(small):sub(1, -9), "the gzip data ends too early")
    refuses(array(header("<f4", "(2000000000,)"), six), "8000000128 bytes expected")
    refuses(compressed(array(header("<f4", "(2000000000,)"), six)), "bytes of gzip data can hold")
  end)

  it("may be packed by gzip", function()
    local M = read((zlib.deflate(9, 31)(small, "finish")))
    assert.same({ { 1, 2, 3 }, { 4, 5, 6 } }, M:totable())
  end)

  it("is read in chunks, wherever they end in an element", function()
    local M = pl.generator(1):normal(pl.float64.matrix(331, 1009))
    local bytes = array(header("<f8", "(331, 1009)"), M:encode("float64", "little", "rows"))
    assert.is_true(same(M, read(bytes)))
    assert.is_true(same(M, read((zlib.deflate(1, 31)(bytes, "finish")))))
  end)

  it("is written as it is stored, and read again to the same bits", function()
    local path = folder:at "out.npy"
    for _, dtype in ipairs { "float32", "float64" } do
      for _, order in ipairs { "columns", "rows" } do
        local M = pl.generator(2):normal(pl[dtype].matrix(300, 401)):copy(order)
        assert.is_true(pl.data.write.npy(path, M))
        local again = pl.data.npy(path)
        assert.is_true(same(M, again))
      end
    end
  end)

  it("is not written where it cannot be", function()
    local ok, message = pl.data.write.npy(folder:at "missing/a.npy", pl.matrix(1, 1))
    assert.is_nil(ok)
    assert.equal(folder:at "missing/a.npy" .. ": ", message:sub(1, #folder.path + 16))
    at_caller(function() local _ = pl.data.write.npy(folder:at "a.npy", { 1 }) end,
      "M: a matrix expected, got a table")
    at_caller(function() local _ = pl.data.write.npy("", pl.matrix(1, 1)) end,
      "path: a path expected")
  end)

  it("is refused with options that there are not", function()
    at_caller(function() local _ = pl.data.npy(5) end, "path: a path expected, got 5")
    at_caller(function() local _ = read(small, { type = 1 }) end,
      "unknown option 'type' of pl.data.npy (known: dtype, samples)")
    at_caller(function() local _ = read(small, { samples = "columns" }) end, 'samples: "rows"')
    assert.is_nil((pl.data.npy(folder:at "missing.npy")))
  end)

  it("is what NumPy says it is, in both directions #python", function()
    local python = find_python()
    if not python then
      pending "no python3 with numpy"
      return
    end
    local written = pl.generator(3):normal(pl.float64.matrix(3, 4))
    assert(pl.data.write.npy(folder:at "ours.npy", written))
    assert(pl.data.write.npy(folder:at "rows.npy", written:copy "rows"))
    local script = [[
import os, sys, warnings
import numpy as np
os.chdir(sys.argv[1])
warnings.simplefilter("ignore")
generator = np.random.default_rng(1)
arrays = []
for descr in ["<f4", ">f4", "<f8", ">f8", "?", "i1", "u1", "<i2", ">u2", "<i4", ">i4", "<u4",
              "<i8", ">i8", ">u8"]:
    for version in [(1, 0), (2, 0), (3, 0)]:
        for order in "CF":
            x = (generator.random((4, 3)) * 100).astype(descr).copy(order=order)
            path = "theirs%d.npy" % len(arrays)
            with open(path, "wb") as f:
                np.lib.format.write_array(f, x, version=version)
            arrays.append(x)
def shown(x):
    return "{%s}" % ", ".join("{%s}" % ", ".join(repr(float(v)) for v in row) for row in x)
print("return {", ", ".join(map(shown, arrays)), "}, ", shown(np.load("ours.npy")), ",",
      shown(np.load("rows.npy")))
]]
    local code = child.shell(("%s -c %s %s"):format(python, child.quote(script), folder.path))
    local theirs, ours, rows = assert(load(code), code)()
    assert.equal(90, #theirs)
    for k, expected in ipairs(theirs) do
      local M = assert(pl.data.npy(folder:at(("theirs%d.npy"):format(k - 1))))
      assert.same(expected, M:totable())
    end
    assert.same(written:totable(), ours)
    assert.same(written:totable(), rows)
  end)
end)
