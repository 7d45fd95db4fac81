local at_caller = require("spec.support.misuse").at_caller
local idx = require "perilune.data.idx"
local lfs = require "lfs"
local mnist = require "perilune.data.mnist"
local zlib = require "zlib"

local PIXELS = 28 * 28
local GZIP = 31 -- zlib's window bits for a gzip wrapper

local function compress(bytes)
  return (zlib.deflate(9, GZIP)(bytes, "finish"))
end

-- N images: all pixels of image n have the value n.
local function images(N)
  local pixels = {}
  for n = 1, N do pixels[n] = string.char(n):rep(PIXELS) end
  return idx.encode({ N, 28, 28 }, table.concat(pixels))
end

local function labels(...)
  return idx.encode({ select("#", ...) }, string.char(...))
end

describe("A folder in MNIST's form", function()
  local folder

  local function write(name, bytes)
    local file <close> = assert(io.open(folder .. "/" .. name, "wb"))
    assert(file:write(bytes))
  end

  -- The message of a folder that must not be readable; it begins with the path of `name`.
  local function message_about(name)
    local train, message = mnist.read(folder)
    assert.is_nil(train)
    local path = folder .. "/" .. name
    assert.equal(path .. ": ", message:sub(1, #path + 2))
    return message:sub(#path + 3)
  end

  before_each(function()
    folder = os.tmpname()
    assert(os.remove(folder))
    assert(lfs.mkdir(folder))
    write("train-images-idx3-ubyte", images(3))
    write("train-labels-idx1-ubyte", labels(0, 9, 4))
    write("t10k-images-idx3-ubyte", images(2))
    write("t10k-labels-idx1-ubyte", labels(7, 0))
  end)

  after_each(function()
    assert(os.execute(("rm -r '%s'"):format(folder)))
  end)

  it("gives a training set and a test set", function()
    local train, test = mnist.read(folder)
    assert.equal(3, train.N)
    assert.equal(2, test.N)
    assert.equal(PIXELS, train.inputs)
    assert.equal(PIXELS, test.inputs)
  end)

  it("gives labels as classes counted from 1, with their names", function()
    local train, test = mnist.read(folder)
    assert.same({ { 1, 10, 5 } }, train.T:totable())
    assert.same({ { 8, 1 } }, test.T:totable())
    assert.same({ "0", "1", "2", "3", "4", "5", "6", "7", "8", "9" }, train.classes)
  end)

  it("gives a column of pixels in [0, 1] for each image, row after row", function()
    local pixels = {}
    for k = 1, PIXELS do pixels[k] = string.char(k % 256) end
    write("t10k-images-idx3-ubyte", idx.encode({ 2, 28, 28 },
      ("\255"):rep(PIXELS) .. table.concat(pixels)))
    local _, test = mnist.read(folder)
    local X = test.X:columns(1, 2, "float64")
    assert.equal(1, X:get(1, 1))
    assert.equal(1, X:get(PIXELS, 1))
    for k = 1, PIXELS do
      assert.is_true(math.abs(X:get(k, 2) - k % 256 / 255) < 1e-15)
    end
  end)

  it("may hold compressed files, some or all", function()
    local plain = mnist.read(folder)
    for _, name in pairs(mnist.files) do
      local path = folder .. "/" .. name
      local file <close> = assert(io.open(path, "rb"))
      write(name .. ".gz", compress(file:read("a")))
      assert(os.remove(path))
      assert.is_true(mnist.available(folder))
      local train, test = mnist.read(folder)
      assert.same(plain.T:totable(), train.T:totable())
      assert.same(plain.X:columns(1, 3):totable(), train.X:columns(1, 3):totable())
      assert.equal(2, test.N)
    end
  end)

  it("is read plain where a file is there in both forms", function()
    write("train-images-idx3-ubyte.gz", "never looked at")
    assert.equal(3, mnist.read(folder).N)
  end)

  it("is not available when one of the files is missing or is a directory", function()
    assert.is_true(mnist.available(folder))
    for _, name in pairs(mnist.files) do
      local path = folder .. "/" .. name
      assert(os.rename(path, path .. ".away"))
      assert.is_false(mnist.available(folder))
      assert.equal(("no such file, nor %s.gz"):format(name), message_about(name))
      assert(lfs.mkdir(path))
      assert.is_false(mnist.available(folder))
      assert(os.remove(path))
      assert(os.rename(path .. ".away", path))
    end
    assert.is_false(mnist.available(folder .. "/missing"))
  end)

  it("is refused when the images are not 28 x 28", function()
    write("train-images-idx3-ubyte", idx.encode({ 3, 28, 27 }, ("x"):rep(3 * 28 * 27)))
    assert.equal("images of N x 28 x 28 expected, 3 x 28 x 27 came",
      message_about("train-images-idx3-ubyte"))
    write("train-images-idx3-ubyte", idx.encode({ 3, PIXELS }, ("x"):rep(3 * PIXELS)))
    assert.equal("images of N x 28 x 28 expected, 3 x 784 came",
      message_about("train-images-idx3-ubyte"))
    write("train-images-idx3-ubyte", labels(1, 2, 3))
    assert.equal("images of N x 28 x 28 expected, 3 came",
      message_about("train-images-idx3-ubyte"))
  end)

  it("is refused when the labels are no list", function()
    write("t10k-labels-idx1-ubyte", images(2))
    assert.equal("a list of N labels expected, 2 x 28 x 28 came",
      message_about("t10k-labels-idx1-ubyte"))
  end)

  it("is refused when there are more or fewer labels than images", function()
    for _, wrong in ipairs { labels(0, 9), labels(0, 9, 4, 4) } do
      write("train-labels-idx1-ubyte", wrong)
      local expected = "3 labels expected, as many as images in %s/%s, %d came"
      assert.equal(expected:format(folder, mnist.files.train_images, #wrong - 8),
        message_about("train-labels-idx1-ubyte"))
    end
  end)

  it("is refused when a label is not a digit", function()
    write("train-labels-idx1-ubyte", labels(0, 9, 10))
    assert.equal("label 10 at sample 3: 0 to 9 expected",
      message_about("train-labels-idx1-ubyte"))
    write("train-labels-idx1-ubyte", labels(255, 10, 1))
    assert.equal("label 255 at sample 1: 0 to 9 expected",
      message_about("train-labels-idx1-ubyte"))
  end)

  it("is refused when a file is damaged", function()
    for _, name in pairs(mnist.files) do
      local file <close> = assert(io.open(folder .. "/" .. name, "rb"))
      local bytes = file:read("a")
      for _, damaged in ipairs { "", bytes:sub(1, 7), bytes:sub(1, -2), bytes .. "x",
        "\1" .. bytes:sub(2), compress(bytes):sub(1, -2), compress(bytes) .. "x" } do
        write(name, damaged)
        message_about(name)
      end
      write(name, bytes)
    end
    assert.is_truthy(mnist.read(folder))
  end)

  it("is named by a string, or the caller is told so", function()
    at_caller(function() local _ = mnist.read() end,
      "directory: a path expected, got nil")
    at_caller(function() local _ = mnist.available("") end,
      'directory: a path expected, got ""')
  end)
end)

describe("Images and labels in memory", function()
  it("make a dataset", function()
    local set = mnist.decode(images(3), compress(labels(0, 9, 4)))
    assert.equal(3, set.N)
    assert.same({ { 1, 10, 5 } }, set.T:totable())
  end)

  it("are refused when damaged, by what they are", function()
    assert.equal("images: a header of 4 bytes expected, 0 came",
      select(2, mnist.decode("", labels(1))))
    assert.equal("labels: a header of 4 bytes expected, 0 came",
      select(2, mnist.decode(images(1), "")))
    assert.equal("labels: 2 labels expected, as many as images in images, 1 came",
      select(2, mnist.decode(images(2), labels(1))))
  end)

  it("are strings, or the caller is told so", function()
    at_caller(function() local _ = mnist.decode(images(1)) end,
      "bytes: a string expected, got nil")
  end)
end)

describe("MNIST itself", function()
  local folder = os.getenv("PERILUNE_MNIST")

  it("has 60000 and 10000 digits, each about as often", function()
    if not folder then return pending("MNIST itself: set PERILUNE_MNIST") end
    local train, test = assert(mnist.read(folder))
    assert.equal(60000, train.N)
    assert.equal(10000, test.N)
    local counts = {}
    for n = 1, train.N do
      local class = train.T:get(1, n) | 0
      counts[class] = (counts[class] or 0) + 1
    end
    assert.same({ 5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949 }, counts)
  end)

  it("begins with a 5 and with a 7", function()
    if not folder then return pending("MNIST itself: set PERILUNE_MNIST") end
    local train, test = assert(mnist.read(folder))
    assert.equal("5", train.classes[train.T:get(1, 1) | 0])
    assert.equal("7", test.classes[test.T:get(1, 1) | 0])
    -- The mean of all pixels, known to everyone who has normalised MNIST by it.
    local X = train.X:columns(1, train.N)
    assert.is_true(math.abs(X:sum() / (PIXELS * 60000) - 0.1307) < 5e-5)
  end)
end)
