-- Parts that make other samples: perilune.augmentation and its distortions.

local at_caller = require("spec.support.misuse").at_caller
local family = require "perilune.augmentation"
local naive = require "spec.support.naive"
local pl = require "perilune"

local kinds = { "elastic", "rotate", "scale", "shear", "shift" }

-- What the primitives make of X: the displacements with these options, others 0
local function distorted(core, X, width, key, options)
  local P = X.rows // (options.channels or 1)
  local D, S = core.matrix(2 * P, X.cols), core.matrix(2 * P, X.cols)
  core.displace(D, S, key, 0, width, options.shift or 0, options.angle or 0, options.scale or 0,
    options.shear or 0, options.alpha or 0, options.sigma or 1)
  return core.resample(core.matrix(X.rows, X.cols), X, D, width)
end

local function key_of(seed) return pl.generator(seed):integer(math.mininteger, math.maxinteger) end

for _, name in ipairs(naive.types) do
  local core = pl[name]

  describe("an augmentation of images in " .. name, function()
    it("distorts as it is told, by the generator", function()
      for _, case in ipairs {
        { { "shift", pixels = 1.5 }, { shift = 1.5 } },
        { { "rotate", degrees = 30 }, { angle = math.pi / 6 } },
        { { "scale", range = 0.3 }, { scale = 0.3 } },
        { { "shear", degrees = 45 }, { shear = math.pi / 4 } },
        { { "elastic", alpha = 5, sigma = 1.5 }, { alpha = 5, sigma = 1.5 } },
        { "shift", { shift = 2 } }, { "rotate", { angle = math.pi / 12 } },
        { "scale", { scale = 0.15 } }, { "shear", { shear = math.pi / 12 } },
        { "elastic", { alpha = 34, sigma = 4 } },
      } do
        local X, generator = naive.random(core, 1, 49, 5), pl.generator(3)
        local expected = distorted(core, X, 7, key_of(3), case[2])
        assert.is_true(rawequal(X, pl.augmentation(case[1])(X, generator)))
        naive.near(X, expected:totable(), 0)
        local other = pl.generator(3)
        other:integer(math.mininteger, math.maxinteger)
        assert.equal(other:state(), generator:state())
      end
    end)

    it("that moves nothing leaves each bit as it was", function()
      local X = naive.random(core, 1, 36, 4)
      X:set(1, 1, -0.0):set(8, 2, naive.infinity)
      local bits = X:encode(name)
      for _, description in ipairs {
        { "shift", pixels = 0 }, { "rotate", degrees = 0 }, { "scale", range = 0 },
        { "shear", degrees = 0 }, { "elastic", alpha = 0 },
      } do
        pl.augmentation(description)(X, pl.generator(1))
        assert.equal(bits, X:encode(name))
      end
    end)

    it("takes images of any shape, with channels side by side", function()
      for _, case in ipairs {
        { 24, 6, { width = 6 } }, { 24, 6, { height = 4 } }, { 24, 6, { width = 6, height = 4 } },
        { 48, 4, { channels = 3 }, 3 }, { 48, 8, { width = 8, channels = 2 }, 2 },
      } do
        local rows, width, options, channels = table.unpack(case, 1, 4)
        local X = naive.random(core, 2, rows, 3)
        local expected = distorted(core, X, width, key_of(5), { shift = 1, channels = channels })
        options[1], options.pixels = "shift", 1
        naive.near(pl.augmentation(options)(X, pl.generator(5)), expected:totable(), 0)
      end
    end)
  end)
end

describe("the family of augmentations", function()
  it("has these kinds, which describe themselves", function()
    assert.equal(table.concat(kinds, ", "), family:names())
    for _, name in ipairs(kinds) do
      local part = pl.augmentation[name]
      assert.equal(name, part.name)
      local again = family:resolve(family:describe(part))
      assert.same(part.options, again.options)
    end
    assert.same({ "rotate", degrees = 3, width = 8 },
      family:describe(pl.augmentation { "rotate", degrees = 3, width = 8 }))
  end)

  it("takes a function of one's own, or a table that can be called", function()
    local function own() end
    local callable = setmetatable({ name = "mine" }, { __call = own })
    assert.equal(own, pl.augmentation(own))
    assert.equal(callable, pl.augmentation(callable))
    assert.equal("mine", family:describe(callable))
  end)

  it("says what it expects", function()
    local X, generator = pl.matrix(9, 2), pl.generator(1)
    at_caller(function() pl.augmentation "flip" end,
      "unknown augmentation 'flip' (known: elastic, rotate, scale, shear, shift)")
    at_caller(function() pl.augmentation(3) end,
      "a function (X, generator) that changes the samples X expected, got 3")
    at_caller(function() pl.augmentation {} end, "expected, got a table")
    at_caller(function() pl.augmentation { "rotate", angle = 3 } end,
      "unknown option 'angle' of rotate (known: channels, degrees, height, width)")
    for _, case in ipairs {
      { "shift", "pixels", -1 }, { "rotate", "degrees", 181 }, { "scale", "range", 0.91 },
      { "shear", "degrees", 81 }, { "elastic", "alpha", naive.nan }, { "elastic", "sigma", 0 },
      { "elastic", "sigma", 65 }, { "shift", "width", 0 }, { "shift", "channels", 1.5 },
    } do
      at_caller(function() pl.augmentation { case[1], [case[2]] = case[3] } end,
        ("%s: %s: a "):format(case[1], case[2]))
    end
    at_caller(function() pl.augmentation.rotate(3, generator) end,
      "X: a matrix of samples, stored by columns, expected, got 3")
    at_caller(function() pl.augmentation.rotate(X:copy "rows", generator) end,
      "X: a matrix of samples, stored by columns, expected, got a 9 x 2 matrix")
    at_caller(function() pl.augmentation.rotate(X) end, "generator: a generator expected, got nil")
  end)

  it("changes nothing where the samples are no images", function()
    local X, generator = naive.random(pl.float32, 1, 10, 2), pl.generator(1)
    local before, state = X:totable(), generator:state()
    at_caller(function() pl.augmentation.rotate(X, generator) end,
      "augment: square images expected, got 10 inputs (the options width, height and channels "
        .. "tell another shape)")
    assert.same(before, X:totable())
    assert.equal(state, generator:state())
  end)
end)
