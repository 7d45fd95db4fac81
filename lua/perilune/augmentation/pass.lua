-- Several distortions of images as one: each pixel of the result is looked up in the image once, at
-- the place where all of them together have it from.

local Buffer = require "perilune.buffer"
local errors = require "perilune.errors"

local raise = errors.raise

local CHUNK = 2 ^ 22 | 0 -- displacements that are computed at once

---@class Pass
---@field core Core
---@field width integer
---@field sums table<string, number>  what `displace` takes, from all distortions
---@field names table<string, boolean>  the distortions that are part of it
local Pass = {}
Pass.__index = Pass

local SHAPE = { "width", "height", "channels" }

-- What the distortions say of the images' shape; what one says counts for all.
local function said_shape(distortions)
  local said, words = {}, {}
  for _, name in ipairs(SHAPE) do
    for _, distortion in ipairs(distortions) do
      local value = distortion.options[name]
      if said[name] and value and value ~= said[name] then
        raise("augment: images of one %s expected, got %d and %d", name, said[name], value)
      end
      said[name] = said[name] or value
    end
    if said[name] then words[#words + 1] = ("%s %d"):format(name, said[name]) end
  end
  return said, words
end

---The shape of images of so many inputs: as the distortions say, otherwise as many rows as columns,
---and one channel.
---@param distortions Distortion[]
---@param inputs integer
---@return { width: integer, height: integer, channels: integer }
function Pass.image(distortions, inputs)
  local said, words = said_shape(distortions)
  local channels = said.channels or 1
  local pixels = inputs / channels
  local width = said.width or said.height and pixels / said.height or math.sqrt(pixels)
  local height = said.height or pixels / width
  local image = {
    width = math.tointeger(width), height = math.tointeger(height), channels = channels,
  }
  local fits = image.width and image.height and 1.0 * width * height * channels == inputs
  if fits then return image end
  raise("augment: %s expected, got %d inputs (the options width, height and channels tell "
    .. "another shape)",
    #words > 0 and "images of " .. table.concat(words, ", ") or "square images", inputs)
end

---@param core Core
---@param image { width: integer, height: integer, channels: integer }
---@return Pass
function Pass.new(core, image)
  local pixels = image.width * image.height
  return setmetatable({
    core = core, width = image.width, names = {}, chunk = math.max(1, CHUNK // (2 * pixels)),
    sums = { shift = 0, angle = 0, scale = 0, shear = 0, alpha = 0, sigma = 1 },
    displacements = Buffer.new(core, 2 * pixels), between = Buffer.new(core, 2 * pixels),
    results = Buffer.new(core, pixels * image.channels),
  }, Pass)
end

---Make a distortion part of this; one of a kind.
---@param distortion Distortion
function Pass:add(distortion)
  self.names[distortion.name] = true
  for name, value in pairs(distortion.moves) do self.sums[name] = value end
end

local function distort(self, A, X, key, place)
  local core, sums, N = self.core, self.sums, X.cols
  local D = self.displacements:columns(N)
  local S = sums.alpha > 0 and self.between:columns(N) or nil
  core.displace(D, S, key, place, self.width, sums.shift, sums.angle, sums.scale, sums.shear,
    sums.alpha, sums.sigma)
  core.resample(A, X, D, self.width)
end

---Distorted samples. What is drawn for a sample follows from the key and its place alone.
---@param X Matrix        S_0 x N
---@param key integer
---@param place integer   of the first sample
---@return Matrix         S_0 x N; valid until the next call
function Pass:apply(X, key, place)
  local N, chunk = X.cols, self.chunk
  local A = self.results:columns(N)
  if N <= chunk then
    distort(self, A, X, key, place)
    return A
  end
  for first = 1, N, chunk do
    local last = math.min(first + chunk - 1, N)
    distort(self, A:columns(first, last), X:columns(first, last), key, place + first - 1)
  end
  return A
end

return Pass
