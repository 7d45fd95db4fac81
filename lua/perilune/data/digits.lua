-- Handwriting-like digits in MNIST's form, drawn from a seed: for tests, examples and first runs
-- where MNIST itself is not at hand. Each digit has a few ways of writing it, as strokes of a pen.
-- A pen stroke is drawn after its points are moved a little each, and all of them slanted, turned
-- and stretched; the digit then fills about 20 x 20 of 28 x 28 pixels and has its centre of mass
-- near the middle, as in MNIST.
--
-- Only + - * / and whole-number conversions are used, which IEEE arithmetic gives everywhere alike:
-- a seed draws the same pixels on every machine, which sine and cosine would not promise.

local cores = require "perilune.cores"
local digit_strokes = require "perilune.data.digit_strokes"
local fields = require "perilune.fields"
local file = require "perilune.store.file"
local idx = require "perilune.data.idx"
local lfs = require "lfs"
local mnist = require "perilune.data.mnist"

local digits = {}

local SIDE = 28
local PIXELS = SIDE * SIDE
local EXTENT = 18        -- pixels of the longer side, from pen centre to pen centre
local SPACING = 0.75     -- pixels between two prints of the pen
local WOBBLE = 0.4       -- deviation of a stroke's point, where a digit is 10 high
local SLANT = 0.24       -- deviation of x per y
local TURN = 0.085       -- deviation of the tangent of half the angle: 10 degrees
local STRETCH = 0.18     -- deviation of the width
local WIDTH = 1.1        -- mean width, in that of the strokes as written
local DRIFT = 0.6        -- deviation of the centre from the middle, pixels
local NOISE = 0.15       -- most of the ink that a pixel loses
local THINNEST = 0.75    -- radius of the pen, pixels
local THICKEST = 1.85

-- The points of a stroke, and which of them only repeat the one before.
local function prepare(stroke)
  local prepared = {}
  local count = #stroke // 2
  local function is_same(i, j)
    return stroke[2 * i - 1] == stroke[2 * j - 1] and stroke[2 * i] == stroke[2 * j]
  end
  for i = 1, count do
    prepared[i] = {
      x = stroke[2 * i - 1], y = stroke[2 * i], repeats = i > 1 and is_same(i, i - 1),
    }
  end
  return prepared
end

local ways = {}
for digit = 0, 9 do
  ways[digit] = {}
  for w, way in ipairs(digit_strokes[digit]) do
    ways[digit][w] = {}
    for s, stroke in ipairs(way) do ways[digit][w][s] = prepare(stroke) end
  end
end

---One pen and one sheet of paper, for any number of digits: nothing is allocated for each.
---@class Pen
local Pen = {}
Pen.__index = Pen

---@param generator Generator
---@return Pen
function Pen.new(generator)
  return setmetatable({
    generator = generator,
    ink = {},             -- of each pixel, row by row, 0 to 1
    X = {}, Y = {},       -- points of a stroke
    x = {}, y = {}, radius = {}, prints = 0, -- where the pen touches the paper
  }, Pen)
end

-- The sum of three uniform numbers: near enough to normal, never far out, exact on every machine.
local function normal(generator, deviation)
  local sum = generator:number() + generator:number() + generator:number()
  return 2 * deviation * (sum - 1.5)
end

local function between(generator, low, high)
  return low + (high - low) * generator:number()
end

---The points of all strokes, moved at random.
---@param way table[][]  strokes
---@return number scale  the factor that makes the digit fill its place
function Pen:place(way)
  local generator = self.generator
  local tangent = normal(generator, TURN)
  local cosine = (1 - tangent * tangent) / (1 + tangent * tangent)
  local sine = 2 * tangent / (1 + tangent * tangent)
  local slant, stretch = normal(generator, SLANT), WIDTH + normal(generator, STRETCH)
  local left, right, top, bottom = math.huge, -math.huge, math.huge, -math.huge
  local X, Y = self.X, self.Y
  local k = 0
  for _, stroke in ipairs(way) do
    for _, point in ipairs(stroke) do
      k = k + 1
      if point.repeats then
        X[k], Y[k] = X[k - 1], Y[k - 1]
      else
        local y = point.y - 5 + normal(generator, WOBBLE)
        local x = (point.x - 3 + normal(generator, WOBBLE)) * stretch - slant * y
        X[k], Y[k] = cosine * x - sine * y, sine * x + cosine * y
        left, right = math.min(left, X[k]), math.max(right, X[k])
        top, bottom = math.min(top, Y[k]), math.max(bottom, Y[k])
      end
    end
  end
  return EXTENT * between(generator, 0.86, 1) / math.max(right - left, bottom - top)
end

---Prints of the pen from point b to point c. The curve is Catmull and Rom's, a cubic whose slope at
---b is (c - a) / 2, in Bezier's form.
---@param a integer        the point before b, or b again at an end or a corner
---@param b integer
---@param c integer
---@param d integer        the point after c, or c again
---@param scale number     by which the points are multiplied
---@param radius_b number  of the pen at b, pixels
---@param radius_c number
function Pen:follow(a, b, c, d, scale, radius_b, radius_c)
  local X, Y, x, y, radius = self.X, self.Y, self.x, self.y, self.radius
  local bx, by, cx, cy = X[b] * scale, Y[b] * scale, X[c] * scale, Y[c] * scale
  local px, py = bx + (cx - X[a] * scale) / 6, by + (cy - Y[a] * scale) / 6
  local qx, qy = cx - (X[d] * scale - bx) / 6, cy - (Y[d] * scale - by) / 6
  local across = math.abs(cx - bx) + math.abs(cy - by) -- at least the distance
  local steps = across // SPACING + 1
  local n = self.prints
  for step = 1, steps do
    local t = step / steps
    local u = 1 - t
    local ub, up, uq, uc = u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t
    n = n + 1
    x[n] = ub * bx + up * px + uq * qx + uc * cx
    y[n] = ub * by + up * py + uq * qy + uc * cy
    radius[n] = u * radius_b + t * radius_c
  end
  self.prints = n
end

---All prints of the strokes.
---@param way table[][]  strokes
function Pen:write(way)
  local generator = self.generator
  local scale = self:place(way)
  local thickness = between(generator, THINNEST, THICKEST)
  self.prints = 0
  local first = 1
  for _, stroke in ipairs(way) do
    local last = first + #stroke - 1
    local before = thickness * between(generator, 0.8, 1.2)
    for b = first, last - 1 do
      local c = b + 1
      local after = thickness * between(generator, 0.8, 1.2)
      if not stroke[c - first + 1].repeats then
        self:follow(math.max(b - 1, first), b, c, math.min(c + 1, last), scale, before,
          after)
      end
      before = after
    end
    first = last + 1
  end
end

---How far the prints are to be moved: their centre of mass belongs in the middle of the paper, and
---does not quite meet it.
---@return number x, number y  pixels
function Pen:middle()
  local x, y, n = self.x, self.y, self.prints
  local sum_x, sum_y = 0, 0
  for k = 1, n do sum_x, sum_y = sum_x + x[k], sum_y + y[k] end
  local middle = SIDE / 2 -- pixels count from 0, and MNIST has its centres at 14, not 13.5
  return middle - sum_x / n + normal(self.generator, DRIFT),
    middle - sum_y / n + normal(self.generator, DRIFT)
end

---Each print blackens a disc with a soft edge, one pixel wide.
function Pen:stamp()
  local ink, floor = self.ink, math.floor
  for k = 1, PIXELS do ink[k] = 0 end
  local shift_x, shift_y = self:middle()
  local print_x, print_y, radius = self.x, self.y, self.radius
  for n = 1, self.prints do
    local x, y, r = print_x[n] + shift_x, print_y[n] + shift_y, radius[n]
    local outer = (r + 0.5) * (r + 0.5)
    local slope = 1 / (2 * r) -- over the edge, from outer to (r - 0.5)^2
    local left, right = floor(x - r + 0.5), floor(x + r + 0.5)
    local top, bottom = floor(y - r + 0.5), floor(y + r + 0.5)
    if left < 0 then left = 0 end
    if top < 0 then top = 0 end
    if right >= SIDE then right = SIDE - 1 end
    if bottom >= SIDE then bottom = SIDE - 1 end
    for row = top, bottom do
      local rest = outer - (row - y) * (row - y)
      local k = row * SIDE + left + 1
      for column = left, right do
        local amount = (rest - (column - x) * (column - x)) * slope
        if amount > ink[k] then ink[k] = amount end
        k = k + 1
      end
    end
  end
end

---The image as bytes. The noise is the ink's alone: the paper of MNIST is clean.
---@return string  row by row
function Pen:develop()
  local ink, generator = self.ink, self.generator
  local darkest = between(generator, 225, 255.99)
  local number = generator.number
  for k = 1, PIXELS do
    local amount = ink[k]
    if amount > 0 then
      if amount > 1 then amount = 1 end
      ink[k] = darkest * amount * (1 - NOISE * number(generator)) // 1 | 0
    end
  end
  return string.char(table.unpack(ink, 1, PIXELS))
end

---Draw a digit in one of the ways to write it.
---@param digit integer  0..9
---@return string        its image as bytes, row by row
function Pen:digit(digit)
  local of_digit = ways[digit]
  self:write(of_digit[self.generator:integer(1, #of_digit)])
  self:stamp()
  return self:develop()
end

---Draw digits: as many of each as `count` allows, in random order.
---@param count integer         >= 1
---@param generator Generator
---@return string images        count images of 28 x 28 bytes, row by row, 0 (black) to 255 (white)
---@return string labels        count bytes, 0..9
function digits.generate(count, generator)
  count = fields.value("count", count, { "count" })
  cores.check_generator(generator)
  local labels, images = {}, {}
  for n = 1, count do labels[n] = n % 10 end
  generator:permutation(labels)
  local pen = Pen.new(generator)
  for n = 1, count do
    images[n] = pen:digit(labels[n])
    labels[n] = string.char(labels[n])
  end
  return table.concat(images), table.concat(labels)
end

local declared = {
  train = { "count", default = 12000 },
  test = { "count", default = 2000 },
  seed = { "integer", default = 1 },
}

-- A training set and a test set as the contents of four files, named as in mnist.files. Each set
-- has a generator of its own: its digits do not depend on how many the other has.
local function contents(given)
  local options = fields.check(declared, given, "digits")
  local result = {}
  for k, set in ipairs { "train", "test" } do
    local count = options[set]
    local generator = cores.float32.generator(2 * options.seed + k - 1)
    local images, labels = digits.generate(count, generator)
    result[set .. "_images"] = idx.encode({ count, SIDE, SIDE }, images)
    result[set .. "_labels"] = idx.encode({ count }, labels)
  end
  return result
end

---Draw a training set and a test set, in the form of MNIST's.
---Options: train and test, numbers of samples (12000 and 2000); seed, a whole number (1).
---@param given? table
---@return Dataset train  784 x N pixels in [0, 1]; digit + 1 is the class
---@return Dataset test
function digits.read(given)
  local content = contents(given)
  return assert(mnist.decode(content.train_images, content.train_labels)),
    assert(mnist.decode(content.test_images, content.test_labels))
end

---Draw a training set and a test set, and write them as the four files of MNIST, not compressed.
---Files of these names are replaced, but nothing is written into a folder that holds compressed
---ones: those are MNIST's as downloaded, and would no longer be read.
---@param directory string
---@param given? table   options as for read
---@return true?
---@return string?       nil and "path: reason"
function digits.write(directory, given)
  fields.value("directory", directory, { "path" })
  local content = contents(given)
  for _, name in pairs(mnist.files) do
    local compressed = ("%s/%s.gz"):format(directory, name)
    if lfs.attributes(compressed) then
      return nil, compressed .. ": in the way, because drawn digits would hide it"
    end
  end
  for key, name in pairs(mnist.files) do
    local ok, message = file.write(("%s/%s"):format(directory, name), content[key])
    if not ok then return nil, message end
  end
  return true
end

return digits
