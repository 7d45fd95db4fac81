local Folder = require "spec.support.folder"
local at_caller = require("spec.support.misuse").at_caller
local child = require "spec.support.child"
local find_python = require "spec.support.find_python"
local pl = require "perilune"
local zlib = require "zlib"

describe("a file of LIBSVM", function()
  local folder, path

  before_each(function()
    folder = Folder.new()
    path = folder:at "a.txt"
  end)
  after_each(function() folder:remove() end)

  local function read(text, options)
    return pl.data.libsvm(folder:write("a.txt", text), options)
  end

  local function refuses(text, reason, options)
    local dataset, message = read(text, options)
    assert.is_nil(dataset)
    assert.equal(path .. ": ", message:sub(1, #path + 2))
    assert.is_truthy(message:find(reason, 1, true), message)
  end

  local small = "+1 1:0.5 3:-2\n-1 2:1e1 # a comment 5:5\n\n# another\n+1 qid:7 4:.25\n-1\n"

  it("has samples, of which it leaves out zeros", function()
    for _, text in ipairs {
      small, (small:gsub("\n", "\r\n")), (small:gsub(" ", "\t")),
      (zlib.deflate(9, 31)(small, "finish")),
    } do
      local set = read(text)
      assert.same({ { 0.5, 0, 0, 0 }, { 0, 10, 0, 0 }, { -2, 0, 0, 0 }, { 0, 0, 0.25, 0 } },
        set.X:totable())
      assert.same({ { 2, 1, 2, 1 } }, set.T:totable())
      assert.same({ "-1", "1" }, set.classes)
    end
    assert.equal("float64", read(small, { dtype = "float64" }).X.dtype)
  end)

  it("has classes where all labels are whole, by increasing number, else targets", function()
    local set = read "10 1:1\n2 1:2\n3.0 1:3\n2 1:4"
    assert.same({ "2", "3", "10" }, set.classes)
    assert.same({ { 3, 1, 2, 1 } }, set.T:totable())
    set = read "10 1:1\n2.5 1:2\n"
    assert.same({ { 10, 2.5 } }, set.T:totable())
    assert.is_false(set.has_labels)
    assert.same({ { 10, 2 } }, read("10 1:1\n2 1:2\n", { task = "regression" }).T:totable())
    assert.same({ "0.5", "2" }, read("2 1:1\n0.5 1:1\n", { task = "classification" }).classes)
  end)

  it("has the classes and inputs of another, where one says so", function()
    local set = read("-1 1:3\n", { classes = { "-1", "+1" }, inputs = 3 })
    assert.same({ { 3 }, { 0 }, { 0 } }, set.X:totable())
    assert.same({ "-1", "+1" }, set.classes)
    assert.same({ { 2 } }, read("1 1:3", { classes = { "-1", "+1" } }).T:totable())
    refuses("2 1:3\n", "a label of -1, 1 expected, got 2 for sample 1", { classes = { "-1", "1" } })
    refuses("1 4:3\n", "3 inputs expected, got index 4 (line 1, column 3)", { inputs = 3 })
    at_caller(function() local _ = read(small, { classes = { "cat" } }) end,
      'classes: labels as they are written in the file expected, got "cat"')
    at_caller(function() local _ = read(small, { classes = { "1" }, task = "regression" }) end,
      "classes: none expected for regression")
  end)

  it("may count from 0", function()
    assert.same({ { 5 }, { 6 } }, read("1 0:5 1:6", { zero_based = true }).X:totable())
    refuses("1 0:5 1:6", "an index of 1 or more expected, got 0 (zero_based = true counts from 0) "
      .. "(line 1, column 3)")
    assert.same({ { 5 }, { 6 } },
      read("1 0:5 1:6", { zero_based = true, inputs = 2 }).X:totable())
    refuses("1 0:5 2:6", "2 inputs expected, got index 2", { zero_based = true, inputs = 2 })
    refuses("1 2:5 1:6", "got 1 after 2", { zero_based = true })
  end)

  it("is refused where a word is none of its own", function()
    refuses("", "samples expected, none came")
    refuses("# nothing\n\n", "samples expected, none came")
    refuses("1\n-1\n", "features expected, none came")
    refuses("1 1:1\nx 1:1\n", 'a label expected, a number, got "x" (line 2, column 1)')
    refuses("1,2 1:1\n", "(several labels of a sample are not read) (line 1, column 1)")
    refuses("nan 1:1\n", "a label expected")
    refuses("1 1\n", 'index:value expected, got "1" (line 1, column 3)')
    refuses("1 1:1 a:1\n", 'index:value expected, got "a:1" (line 1, column 7)')
    refuses("1 -1:1\n", "index:value expected")
    refuses("1 qid:x\n", "index:value expected")
    refuses("1 1:x\n", 'a number expected, got "x" (line 1, column 3)')
    refuses("1 1:\n", 'a number expected, got ""')
    refuses("1 1:nan\n", "a number expected")
    refuses("1 1:1 1:2\n", "indices in increasing order expected, got 1 after 1 (line 1, column 7)")
    refuses("1 3:1 2:2\n", "indices in increasing order expected, got 2 after 3")
    refuses("1 2147483648:1\n", "an index of 1 or more expected, got 2147483648")
    refuses("1 99999999999999999999:1\n", "an index of 1 or more expected")
  end)

  it("is refused where a few bytes would become a large matrix, unless one says its size",
    function()
      refuses("1 1000000:1\n", "1000000 inputs x 1 samples are many for 12 bytes, and the matrix "
        .. "holds all of them: inputs = 1000000 says that they are meant")
      assert.equal(1000000, read("1 1000000:1\n", { inputs = 1000000 }).inputs)
      refuses("1 2147483647:1\n1 1:1\n", "2147483647 inputs x 2 samples are more than a matrix "
        .. "holds", { inputs = 2147483647 })
    end)

  it("is refused with options that there are not", function()
    at_caller(function() local _ = read(small, { task = "ranking" }) end, "task: ")
    at_caller(function() local _ = read(small, { inputs = 0 }) end, "inputs: ")
    at_caller(function() local _ = pl.data.libsvm() end, "path: a path expected, got nil")
    assert.is_nil((pl.data.libsvm(folder:at "missing")))
  end)

  it("is what scikit-learn reads #python", function()
    local python = find_python()
    local has = python and os.execute(python .. " -c 'import sklearn' >/dev/null 2>&1")
    if not has then
      pending "no python3 with scikit-learn"
      return
    end
    local script = [[
import os, sys
import numpy as np
from sklearn.datasets import dump_svmlight_file, load_svmlight_file
os.chdir(sys.argv[1])
generator = np.random.default_rng(1)
X = generator.random((30, 12)) * (generator.random((30, 12)) < 0.3)
X[:, 11] = 1
dump_svmlight_file(X, generator.integers(-1, 3, 30), "whole.txt", zero_based=False, comment="x")
dump_svmlight_file(X, generator.random(30), "real.txt", query_id=np.arange(30))
def shown(x):
    return "{%s}" % ", ".join(repr(float(v)) for v in x)
for name in "whole.txt", "real.txt":
    X, y = load_svmlight_file(name)
    print("return " if name == "whole.txt" else ", ", "{%s}, %s" % (
        ", ".join(map(shown, X.toarray().T)), shown(y)))
]]
    local code = child.shell(("%s -c %s %s"):format(python, child.quote(script), folder.path))
    local X, y, X2, y2 = assert(load(code, code, "t", {}))()
    local set = assert(pl.data.libsvm(folder:at "whole.txt", { dtype = "float64" }))
    assert.same(X, set.X:totable())
    for n = 1, set.N do assert.equal(y[n], tonumber(set.classes[set.T:get(1, n) // 1 | 0])) end
    set = assert(pl.data.libsvm(folder:at "real.txt", { dtype = "float64", zero_based = true }))
    assert.same(X2, set.X:totable())
    assert.same({ y2 }, set.T:totable())
  end)
end)
