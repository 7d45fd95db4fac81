local Distortion = require "perilune.augmentation.distortion"
local Pass = require "perilune.augmentation.pass"
local memory = require "spec.support.memory"
local naive = require "spec.support.naive"
local pl = require "perilune"

local function pass_of(core, image, ...)
  local pass = Pass.new(core, image)
  for _, description in ipairs { ... } do pass:add(pl.augmentation(description)) end
  return pass
end

local SQUARE = { width = 8, height = 8, channels = 1 }

describe("the shape of images", function()
  local function shape(inputs, ...)
    local parts = {}
    for k, description in ipairs { ... } do parts[k] = pl.augmentation(description) end
    local image = Pass.image(parts, inputs)
    return { image.width, image.height, image.channels }
  end

  it("is square, of one channel, unless said", function()
    assert.same({ 28, 28, 1 }, shape(784, "elastic"))
    assert.same({ 1, 1, 1 }, shape(1, "elastic"))
    assert.same({ 32, 32, 3 }, shape(3072, { "shift", channels = 3 }))
  end)

  it("may be said by any of several, in parts", function()
    assert.same({ 8, 4, 2 }, shape(64, { "shift", width = 8 }, { "rotate", channels = 2 }))
    assert.same({ 16, 4, 1 }, shape(64, "shift", { "rotate", height = 4 }))
    assert.same({ 16, 4, 1 }, shape(64, { "shift", width = 16.0 }, { "rotate", width = 16 }))
  end)

  it("has to fit the inputs, and all that is said of it", function()
    local function refuses(expected, ...)
      local ok, message = pcall(shape, ...)
      assert.is_false(ok)
      assert.is_truthy(message:find("augment: " .. expected, 1, true), message)
    end
    refuses("square images expected, got 785 inputs", 785, "elastic")
    for _, case in ipairs {
      { "width 9", { width = 9 } }, { "width 4, height 4", { width = 4, height = 4 } },
      { "channels 5", { channels = 5 } }, { "width 4294967296", { width = 2 ^ 32 } },
      { "height 65", { height = 65 } },
    } do
      case[2][1] = "shift"
      refuses(("images of %s expected, got 64 inputs"):format(case[1]), 64, case[2])
    end
    refuses("images of one width expected, got 8 and 4", 64, { "shift", width = 8 },
      { "rotate", width = 4 })
  end)
end)

describe("a pass", function()
  for _, name in ipairs(naive.types) do
    local core = pl[name]

    it("makes one distortion of several in " .. name, function()
      local X = naive.random(core, 1, 64, 6)
      local D, S = core.matrix(128, 6), core.matrix(128, 6)
      core.displace(D, S, 11, 3, 8, 1.5, math.rad(20), 0.2, math.rad(10), 7, 2)
      local expected = core.resample(core.matrix(64, 6), X, D, 8)
      local pass = pass_of(core, SQUARE, { "elastic", alpha = 7, sigma = 2 },
        { "rotate", degrees = 20 }, { "scale", range = 0.2 }, { "shear", degrees = 10 },
        { "shift", pixels = 1.5 })
      naive.near(pass:apply(X, 11, 3), expected:totable(), 0)
    end)
  end

  it("gives the same in chunks", function()
    local X = naive.random(pl.float32, 1, 64, 100)
    local whole = pass_of(pl.float32, SQUARE, "elastic", "shift"):apply(X, 5, 7):totable()
    local pass = pass_of(pl.float32, SQUARE, "elastic", "shift")
    pass.chunk = 33
    naive.near(pass:apply(X, 5, 7), whole, 0)
    assert.equal(33, pass.displacements.capacity)
  end)

  it("computes a few MB of displacements at once, whatever the images", function()
    for _, side in ipairs { 1, 28, 500, 3000 } do
      local pass = Pass.new(pl.float32, { width = side, height = side, channels = 1 })
      assert.is_true(pass.chunk == 1 or pass.chunk * 2 * side * side <= 2 ^ 22)
    end
  end)

  it("allocates nothing once the size was seen", function()
    local X = naive.random(pl.float32, 1, 64, 20)
    local pass = pass_of(pl.float32, SQUARE, "elastic", "rotate")
    pass:apply(X, 1, 0)
    assert.equal(0, memory.allocated(function() pass:apply(X, 2, 20) end))
  end)

  it("knows a distortion from other values", function()
    assert.is_true(Distortion.is_distortion(pl.augmentation.shift))
    for _, value in ipairs { print, {}, "shift", 3 } do
      assert.is_false(Distortion.is_distortion(value))
    end
  end)
end)
