local Folder = require "spec.support.folder"
local at_caller = require("spec.support.misuse").at_caller
local child = require "spec.support.child"
local find_python = require "spec.support.find_python"
local pl = require "perilune"
local same = require("spec.support.matrices").same

describe("an archive of NumPy", function()
  local folder, path

  before_each(function()
    folder = Folder.new()
    path = folder:at "a.npz"
  end)
  after_each(function() folder:remove() end)

  local function normal(seed, rows, cols, dtype)
    return pl.generator(seed):normal(pl[dtype or "float32"].matrix(rows, cols))
  end

  it("has its matrices by name, as they were written", function()
    local arrays = {
      X = normal(1, 300, 400), y = normal(2, 1, 5, "float64"), ["layer/W"] = normal(3, 2, 3),
    }
    assert.is_true(pl.data.write.npz(path, arrays))
    local again = assert(pl.data.npz(path))
    local count = 0
    for name, M in pairs(again) do
      count = count + 1
      assert.is_true(same(arrays[name], M))
    end
    assert.equal(3, count)
  end)

  it("gives those that are asked for, as npy gives them", function()
    assert(pl.data.write.npz(path, { a = pl.matrix { { 1, 2, 3 } }, b = pl.matrix(2, 2) }))
    local arrays = pl.data.npz(path, { only = { "a" }, samples = "rows", dtype = "float64" })
    assert.is_nil(arrays.b)
    assert.same({ { 1 }, { 2 }, { 3 } }, arrays.a:totable())
    assert.equal("float64", arrays.a.dtype)
    local nothing, message = pl.data.npz(path, { only = { "a", "c" } })
    assert.is_nil(nothing)
    assert.equal(path .. ': no array "c"', message)
  end)

  it("is refused where a byte of it is another, or it ends early", function()
    assert(pl.data.write.npz(path, { a = pl.matrix { { 1, 2, 3 } } }))
    local bytes = folder:read "a.npz"
    for length = 0, #bytes - 1 do
      local nothing, message = pl.data.npz(folder:write("b.npz", bytes:sub(1, length)))
      assert.is_nil(nothing)
      assert.equal(folder:at "b.npz" .. ": ", message:sub(1, #path + 2))
    end
    -- Times, versions and attributes say nothing of the content, nor does the local header's copy.
    local told = 0
    for k = 1, #bytes do
      local damaged = bytes:sub(1, k - 1) .. string.char(bytes:byte(k) ~ 0x55) .. bytes:sub(k + 1)
      local arrays, message = pl.data.npz(folder:write("b.npz", damaged))
      if arrays then
        assert.same({ { 1, 2, 3 } }, (arrays.a or select(2, next(arrays))):totable())
      else
        told = told + 1
        assert.equal(folder:at "b.npz" .. ": ", message:sub(1, #path + 2))
      end
    end
    assert.is_true(told > 200)
  end)

  it("is refused where a member is no array", function()
    local zip = require "perilune.data.zip"
    local file = require "perilune.store.file"
    local function text() return coroutine.wrap(function() coroutine.yield "hello" end) end
    local npy = require "perilune.data.npy"
    local M = pl.matrix(1, 1)
    assert(file.write(path, zip.encode {
      { name = "readme.txt", size = 5, chunks = text },
      { name = "bad.npy", size = 5, chunks = text },
      { name = "good.npy", size = select(2, npy.chunks(M)),
        chunks = function() return (npy.chunks(M)) end },
    }))
    assert.equal(path .. ': "readme.txt" is no array: NAME.npy expected (only = { ... } names what '
      .. "is to be read)", select(2, pl.data.npz(path)))
    assert.equal(path .. ': "bad": no array of NumPy: it does not begin with \\x93NUMPY',
      select(2, pl.data.npz(path, { only = { "bad" } })))
    assert.same({ { 0 } }, pl.data.npz(path, { only = { "good" } }).good:totable())
  end)

  it("is not written of what are no matrices", function()
    at_caller(function() local _ = pl.data.write.npz(path, { a = 5 }) end,
      "a: a matrix expected, got 5")
    at_caller(function() local _ = pl.data.write.npz(path, { pl.matrix(1, 1) }) end, "names")
    at_caller(function() local _ = pl.data.write.npz(path, {}) end, "arrays")
    at_caller(function() local _ = pl.data.write.npz(path) end, "arrays: a table expected, got nil")
    assert.is_nil((pl.data.npz(path)))
  end)

  it("is what NumPy says it is, in both directions #python", function()
    local python = find_python()
    if not python then
      pending "no python3 with numpy"
      return
    end
    local M = normal(3, 3, 4, "float64")
    assert(pl.data.write.npz(folder:at "ours.npz", { M = M, N = M:copy "rows" }))
    local script = [[
import os, sys
import numpy as np
os.chdir(sys.argv[1])
x = np.random.default_rng(1).random((300, 200))
arrays = {"x": x, "y": np.arange(7), "z": np.zeros((2, 3, 4), dtype="u1"), "e/f": x[:2, :3].T}
np.savez("stored.npz", **arrays)
np.savez_compressed("deflated.npz", **arrays)
ours = np.load("ours.npz")
print("return {%s}, %.17g, %.17g" % (", ".join(ours.files), np.abs(x[:, 3]).sum(), x[299, 199]))
for name in ours.files:
    print(", {%s}" % ", ".join("{%s}" % ", ".join(repr(float(v)) for v in row)
                               for row in ours[name]))
]]
    local code = child.shell(("%s -c %s %s"):format(python, child.quote(script), folder.path))
    local _, sum, last, ours, rows = assert(load(code, code, "t", {}))()
    assert.same(M:totable(), ours)
    assert.same(M:totable(), rows)
    for _, name in ipairs { "stored", "deflated" } do
      local whole, message = pl.data.npz(folder:at(name .. ".npz"))
      assert.is_nil(whole)
      assert.is_truthy(message:find('"z": 3 dimensions (2 x 3 x 4)', 1, true))
      local arrays = assert(pl.data.npz(folder:at(name .. ".npz"), { samples = "rows" }))
      assert.same({ 200, 300 }, { arrays.x:shape() })
      assert.equal(last, arrays.x:get(200, 300))
      assert.is_true(math.abs(arrays.x:slice(4, 4):sum() - sum) < 1e-9)
      assert.same({ { 0, 1, 2, 3, 4, 5, 6 } }, arrays.y:totable())
      assert.same({ 12, 2 }, { arrays.z:shape() })
      assert.same({ 2, 3 }, { arrays["e/f"]:shape() })
    end
  end)
end)
