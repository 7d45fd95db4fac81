local at_caller = require("spec.support.misuse").at_caller
local core = require "perilune.core.float32"
local digits = require "perilune.data.digits"
local float64 = require "perilune.core.float64"
local lfs = require "lfs"
local mnist = require "perilune.data.mnist"

local PIXELS = 28 * 28

-- A sum of the bytes that depends on their order: Adler's, with a larger modulus.
local function checksum(bytes)
  local a, b = 1, 0
  for k = 1, #bytes do
    a = (a + bytes:byte(k)) % 4294967291
    b = (b + a) % 4294967291
  end
  return ("%08x%08x"):format(b, a)
end

describe("Drawn digits", function()
  local images, labels = digits.generate(500, core.generator(1))

  it("are images of 28 x 28 bytes, each with a label", function()
    assert.equal(500 * PIXELS, #images)
    assert.equal(500, #labels)
  end)

  it("are of all ten kinds, as often as the number allows", function()
    for _, count in ipairs { 1, 10, 95, 100 } do
      local _, some = digits.generate(count, core.generator(3))
      local counts = {}
      for digit = 0, 9 do
        counts[digit] = select(2, some:gsub(string.char(digit), ""))
        assert.is_true(counts[digit] == count // 10 or counts[digit] == (count + 9) // 10)
      end
    end
  end)

  it("come in random order", function()
    local in_order = 0
    for n = 2, #labels do
      if labels:byte(n) == (labels:byte(n - 1) + 1) % 10 then in_order = in_order + 1 end
    end
    assert.is_true(in_order < 100, ("%d of 499 follow in order"):format(in_order))
  end)

  it("are the same from the same seed, in either element type", function()
    local again, again_labels = digits.generate(50, core.generator(7))
    local double, double_labels = digits.generate(50, float64.generator(7))
    assert.is_true(again == double)
    assert.equal(again_labels, double_labels)
  end)

  it("are others from another seed", function()
    local seven = digits.generate(50, core.generator(7))
    assert.is_false(seven == digits.generate(50, core.generator(8)))
  end)

  it("are the same on every machine", function()
    assert.equal("235cef9200b3b860", checksum(images))
  end)

  it("differ from each other", function()
    local seen = {}
    for n = 0, 499 do
      local image = images:sub(n * PIXELS + 1, (n + 1) * PIXELS)
      assert.is_nil(seen[image])
      seen[image] = true
    end
  end)

  it("are white on black, of MNIST's size and in the middle as MNIST's are", function()
    for n = 0, 499 do
      local mass, x, y, brightest, inked = 0, 0, 0, 0, 0
      local left, right, top, bottom = 28, -1, 28, -1
      for k = 0, PIXELS - 1 do
        local pixel = images:byte(n * PIXELS + k + 1)
        local column, row = k % 28, k // 28
        mass, x, y = mass + pixel, x + pixel * column, y + pixel * row
        brightest = math.max(brightest, pixel)
        if pixel > 0 then
          inked = inked + 1
          left, right = math.min(left, column), math.max(right, column)
          top, bottom = math.min(top, row), math.max(bottom, row)
        end
      end
      assert.is_true(brightest > 180)
      assert.is_true(inked > 30 and inked < PIXELS // 2)
      assert.is_true(math.abs(x / mass - 14) < 3.5 and math.abs(y / mass - 14) < 3.5)
      local extent = math.max(right - left, bottom - top) + 1
      assert.is_true(extent >= 15 and extent <= 25, ("%d pixels"):format(extent))
    end
  end)

  it("need a positive number of them and a generator", function()
    at_caller(function() local _ = digits.generate(0, core.generator(1)) end,
      "count: a whole number of 1 or more expected, got 0")
    at_caller(function() local _ = digits.generate(1.5, core.generator(1)) end,
      "count: a whole number of 1 or more expected, got 1.5")
    at_caller(function() local _ = digits.generate(10, 1) end,
      "generator: a generator expected, got 1")
  end)
end)

describe("Datasets of drawn digits", function()
  it("have the form of MNIST's", function()
    local train, test = digits.read { train = 40, test = 20 }
    assert.equal(40, train.N)
    assert.equal(20, test.N)
    assert.equal(PIXELS, train.inputs)
    assert.same({ "0", "1", "2", "3", "4", "5", "6", "7", "8", "9" }, test.classes)
    local X = test.X:columns(1, 20)
    assert.equal(0, X:min())
    assert.is_true(X:max() > 0.8 and X:max() <= 1)
    assert.equal(1, test.T:min())
    assert.equal(10, test.T:max())
  end)

  it("have two sets that do not depend on each other's size", function()
    local train, test = digits.read { train = 30, test = 20 }
    local train_alone = digits.read { train = 30, test = 1 }
    local _, test_alone = digits.read { train = 1, test = 20 }
    assert.equal(tostring(train.X.bytes), tostring(train_alone.X.bytes))
    assert.equal(tostring(test.X.bytes), tostring(test_alone.X.bytes))
  end)

  it("have different digits in the two sets, and for each seed", function()
    local train, test = digits.read { train = 20, test = 20 }
    local other_train, other_test = digits.read { train = 20, test = 20, seed = 2 }
    local seen = {}
    for _, set in ipairs { train, test, other_train, other_test } do
      local bytes = tostring(set.X.bytes)
      assert.is_nil(seen[bytes])
      seen[bytes] = true
    end
  end)

  it("take whole numbers and known options only", function()
    assert.equal(20, digits.read({ train = 20.0, test = 1, seed = 3.0 }).N)
    at_caller(function() local _ = digits.read { train = 0 } end,
      "train: a whole number of 1 or more expected, got 0")
    at_caller(function() local _ = digits.read { test = "20" } end,
      'test: a whole number of 1 or more expected, got "20"')
    at_caller(function() local _ = digits.read { seed = 1.5 } end,
      "seed: a whole number")
    at_caller(function() local _ = digits.read { tests = 20 } end,
      "unknown option 'tests' of digits (known: seed, test, train)")
  end)
end)

describe("Files of drawn digits", function()
  local folder

  before_each(function()
    folder = os.tmpname()
    assert(os.remove(folder))
    assert(lfs.mkdir(folder))
  end)

  after_each(function()
    assert(os.execute(("rm -r '%s'"):format(folder)))
  end)

  it("hold what read gives", function()
    assert.is_true(digits.write(folder, { train = 30, test = 20, seed = 5 }))
    local train, test = mnist.read(folder)
    local drawn_train, drawn_test = digits.read { train = 30, test = 20, seed = 5 }
    assert.equal(tostring(drawn_train.X.bytes), tostring(train.X.bytes))
    assert.equal(tostring(drawn_test.X.bytes), tostring(test.X.bytes))
    assert.same(drawn_train.T:totable(), train.T:totable())
    assert.same(drawn_test.T:totable(), test.T:totable())
  end)

  it("replace those of an earlier drawing", function()
    assert.is_true(digits.write(folder, { train = 30, test = 20 }))
    assert.is_true(digits.write(folder, { train = 10, test = 5 }))
    assert.equal(10, mnist.read(folder).N)
  end)

  it("are not written over or beside downloaded ones", function()
    local path = folder .. "/" .. mnist.files.train_images .. ".gz"
    assert(io.open(path, "wb")):close()
    local ok, message = digits.write(folder, { train = 10, test = 5 })
    assert.is_nil(ok)
    assert.equal(path .. ": in the way, because drawn digits would hide it", message)
    assert.is_false(mnist.available(folder))
  end)

  it("need a directory that is there", function()
    local ok, message = digits.write(folder .. "/missing", { train = 10, test = 5 })
    assert.is_nil(ok)
    assert.equal(folder .. "/missing/", message:sub(1, #folder + 9))
    at_caller(function() local _ = digits.write() end,
      "directory: a path expected, got nil")
    at_caller(function() local _ = digits.write(folder, { seeds = 1 }) end,
      "unknown option 'seeds'")
  end)
end)
