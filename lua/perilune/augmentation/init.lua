-- What makes other samples of those that a network is trained on, in each epoch others, such as
-- images that are turned a little: so it sees more of them than the training set has.
--     part(X, generator)     changes the samples X, S_0 x N, in place; all that is random in it
--                            comes from the generator
-- One of your own is such a function, or a table that can be called like one. The built-in ones
-- distort images.

local Distortion = require "perilune.augmentation.distortion"
local registry = require "perilune.registry"

local augmentation = registry.family("augmentation", {
  make = Distortion.new,
  accepts = function(value)
    if type(value) == "function" then return value end
    local meta = type(value) == "table" and getmetatable(value)
    return type(meta) == "table" and meta.__call ~= nil and value or nil
  end,
  expected = "a function (X, generator) that changes the samples X",
})

-- A kind with the fields that all have: the shape of the images. By default they are square, of one
-- channel; what one in a list says counts for all of them.
local function add(kind)
  for _, name in ipairs { "width", "height", "channels" } do
    kind.fields[name] = { "count", optional = true }
  end
  augmentation:add(kind)
end

add {
  -- by up to so many pixels to the right or left, up or down; parts of pixels too
  name = "shift",
  fields = { pixels = { "number", default = 2, least = 0, most = 1e6 } },
  moves = function(options) return { shift = options.pixels } end,
}

add {
  -- about the middle, by up to so many degrees to either side
  name = "rotate",
  fields = { degrees = { "number", default = 15, least = 0, most = 180 } },
  moves = function(options) return { angle = math.rad(options.degrees) } end,
}

add {
  -- width and height by a factor each, from 1 - range to 1 + range (Ciresan et al. 2010)
  name = "scale",
  fields = { range = { "number", default = 0.15, least = 0, most = 0.9 } },
  moves = function(options) return { scale = options.range } end,
}

add {
  -- rows along each other, so that what was upright leans by up to so many degrees
  name = "shear",
  fields = { degrees = { "number", default = 15, least = 0, most = 80 } },
  moves = function(options) return { shear = math.rad(options.degrees) } end,
}

add {
  -- alpha times fields of uniform numbers in -1..1, one along and one down, which a Gaussian of
  -- deviation sigma has smoothed (Simard et al. 2003)
  name = "elastic",
  fields = {
    alpha = { "number", default = 34, least = 0, most = 1e6 },
    sigma = { "number", default = 4, above = 0, most = 64 },
  },
  moves = function(options) return { alpha = options.alpha, sigma = options.sigma } end,
}

return augmentation
