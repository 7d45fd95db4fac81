local Folder = require "spec.support.folder"
local at_caller = require("spec.support.misuse").at_caller
local pl = require "perilune"
local same = require("spec.support.matrices").same
local zlib = require "zlib"

describe("a training file of libfann", function()
  local folder, path

  before_each(function()
    folder = Folder.new()
    path = folder:at "a.data"
  end)
  after_each(function() folder:remove() end)

  local function read(text, options)
    return pl.data.fann(folder:write("a.data", text), options)
  end

  local function refuses(text, reason)
    local dataset, message = read(text)
    assert.is_nil(dataset)
    assert.equal(path .. ": ", message:sub(1, #path + 2))
    assert.is_truthy(message:find(reason, 1, true), message)
  end

  local xor = "4 2 1\n-1 -1\n-1\n-1 1\n1\n1 -1\n1\n1 1\n-1\n"

  it("has inputs and outputs of each sample", function()
    local set = read(xor)
    assert.same({ { -1, -1, 1, 1 }, { -1, 1, -1, 1 } }, set.X:totable())
    assert.same({ { -1, 1, 1, -1 } }, set.T:totable())
    assert.same({ "float32", 4, 2, 1 }, { set.X.dtype, set.N, set.inputs, set.targets })
    assert.equal("float64", read(xor, { dtype = "float64" }).T.dtype)
  end)

  it("is one of words, wherever its lines end", function()
    for _, text in ipairs {
      (xor:gsub("\n", " ")), (xor:gsub("\n", "\r\n")), "\n\n" .. xor:gsub(" ", "\t") .. "\n \n",
      (zlib.deflate(9, 31)(xor, "finish")),
    } do
      assert.same({ { -1, 1, 1, -1 } }, read(text).T:totable())
    end
  end)

  it("is refused where its header is none", function()
    refuses("", "the numbers of samples, inputs and outputs expected, 0 numbers came")
    refuses("4 2", "the numbers of samples, inputs and outputs expected, 2 numbers came")
    refuses("0 2 1\n", "line 1: a whole number of samples expected, got 0")
    refuses("1\n2.5 1\n1 1 1", "line 2: a whole number of inputs expected, got 2.5")
    refuses("1 2 -1\n1 1 1", "line 1: a whole number of outputs expected, got -1")
    refuses("1e300 1 1 1", "a whole number of samples expected")
    refuses("65536 65536 1\n", "more than a matrix holds")
    refuses("1 9007199254740992 9007199254740992\n", "more than a matrix holds")
    refuses("1000000 10 1\n1 2 3", "1000000 samples of 10 inputs and 1 outputs expected, more than "
      .. "the file can hold (line 1, column 12)")
  end)

  it("is refused where a number is missing, is none or follows", function()
    refuses("2 1 1\n1 2\n3\n", "2 samples of 2 numbers expected, 3 numbers came")
    refuses("2 1 1\n1 2\n3 4\n 5\n", "a number after the last of the samples (line 4, column 2)")
    refuses("2 1 1\n1 2\n3 x4", 'a number expected, got "x4" (line 3, column 3)')
    for _, word in ipairs { "nan", "inf", "1e999", "0x10", "1,5" } do
      refuses("1 1 1\n1 " .. word, ("a number expected, got %q (line 2, column 3)"):format(word))
    end
    refuses("x", 'a number expected, got "x" (line 1, column 1)')
  end)

  it("is written, and read again to the same bits", function()
    for _, dtype in ipairs { "float32", "float64" } do
      local generator, core = pl.generator(1), pl[dtype]
      local set = pl.dataset {
        X = generator:normal(core.matrix(5, 1001)), T = generator:normal(core.matrix(2, 1001)),
      }
      assert.is_true(pl.data.write.fann(path, set))
      assert.equal("1001 5 2\n", folder:read("a.data"):match "^[^\n]*\n")
      local again = pl.data.fann(path, { dtype = dtype })
      assert.is_true(same(set.X, again.X))
      assert.is_true(same(set.T, again.T))
    end
  end)

  it("has a target for each class of a set with labels", function()
    local set = pl.dataset { X = pl.matrix { { 1, 2, 3 } }, labels = { 2, 1, 2 } }
    assert(pl.data.write.fann(path, set))
    assert.equal("3 1 2\n1\n0 1\n2\n1 0\n3\n0 1\n", folder:read "a.data")
  end)

  it("is not written of what it has no place for", function()
    local X = pl.matrix { { 1, 2 } }
    at_caller(function()
      local _ = pl.data.write.fann(path, pl.dataset { X = X, T = X, weights = { 1, 2 } })
    end, "weights: the format has no place for them")
    at_caller(function()
      local _ = pl.data.write.fann(path, pl.dataset { X = X, T = pl.matrix { { 1, 0 / 0 } } })
    end, "T: numbers expected, got NaN or infinity in row 1 of sample 2")
    at_caller(function() local _ = pl.data.write.fann(path, X) end, "a dataset expected")
    at_caller(function() local _ = pl.data.write.fann(nil, X) end, "path: a path expected")
    assert.is_nil(io.open(path))
  end)

  it("is refused with options that there are not", function()
    at_caller(function() local _ = read(xor, { samples = 1 }) end, "unknown option 'samples'")
    at_caller(function() local _ = pl.data.fann {} end, "path: a path expected, got a table")
    assert.is_nil((pl.data.fann(folder:at "missing")))
  end)
end)
