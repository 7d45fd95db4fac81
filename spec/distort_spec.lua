-- Images distorted: src/distort.c.

local naive = require "spec.support.naive"
local pl = require "perilune"
local reference = require "spec.support.reference"
local splitmix64 = require "spec.support.splitmix64"

local known = reference.load "distortions"

-- The random numbers of a sample, in -1..1: what streams.h says, in whole numbers of Lua
local function uniform_numbers(key, place)
  local function rotated(x, bits) return (x << bits | x >> 32 - bits) & 0xFFFFFFFF end
  local seed, lanes = splitmix64(splitmix64(key + place * 0xD1342543DE82EF95)()), {}
  for lane = 1, 16 do
    local low, high = seed(), seed()
    lanes[lane] = { low & 0xFFFFFFFF, low >> 32, high & 0xFFFFFFFF, high >> 32 }
  end
  local k = 0
  return function()
    k = k + 1
    local s = lanes[(k - 1) % 16 + 1]
    local drawn = rotated(s[1] + s[4] & 0xFFFFFFFF, 7) + s[1] & 0xFFFFFFFF
    local t = s[2] << 9 & 0xFFFFFFFF
    s[3] = s[3] ~ s[1]
    s[4] = s[4] ~ s[2]
    s[2] = s[2] ~ s[3]
    s[1] = s[1] ~ s[4]
    s[3] = s[3] ~ t
    s[4] = rotated(s[4], 11)
    return (drawn < 2 ^ 31 and drawn or drawn - 2 ^ 32) / 2 ^ 31
  end
end

-- A field, height rows of width, smoothed by loops over the whole image
local function smoothed(field, sigma)
  local radius, sum = math.floor(4 * sigma + 0.5), 0
  local function weight(k)
    return math.abs(k) <= radius and math.exp(-k * k / (2 * sigma ^ 2)) or 0
  end
  for k = -radius, radius do sum = sum + weight(k) end
  return naive.build(#field, #field[1], function(y, x)
    return naive.sum(#field, function(i)
      return naive.sum(#field[1], function(j)
        return weight(i - y) * weight(j - x) * field[i][j]
      end)
    end) / sum ^ 2
  end)
end

-- alpha times smoothed noise, as a column of two fields
local function elastic(width, height, key, place, alpha, sigma)
  local next_number, column = uniform_numbers(key, place), {}
  for _ = 1, 16 do next_number() end -- those of the other distortions
  for _ = 1, 2 do
    local field = smoothed(naive.build(height, width, next_number), sigma)
    for y = 1, height do
      for x = 1, width do column[#column + 1] = { alpha * field[y][x] } end
    end
  end
  return column
end

-- An image at (x, y), counted from 0, by the four pixels around
local function interpolated(image, width, height, x, y)
  local function pixel(i, j)
    local is_inside = i >= 0 and i < width and j >= 0 and j < height
    return is_inside and image[j * width + i + 1][1] or 0
  end
  local sum, left, top = 0, math.floor(x), math.floor(y)
  for i = left, left + 1 do
    for j = top, top + 1 do
      sum = sum + (1 - math.abs(x - i)) * (1 - math.abs(y - j)) * pixel(i, j)
    end
  end
  return sum
end

local function column_of(list)
  local column = {}
  for k, x in ipairs(list) do column[k] = { x } end
  return column
end

for _, name in ipairs(naive.types) do
  local core, tolerance = pl[name], 10 * naive.tolerance[name]

  -- Displacements of N images; options by name, all others 0
  local function displace(width, height, N, options)
    local D, S = core.matrix(2 * width * height, N), core.matrix(2 * width * height, N)
    local function of(option, default) return options[option] or default or 0 end
    return core.displace(D, S, of("key", 7), of "place", width, of "shift", of "angle", of "scale",
      of "shear", of "alpha", of("sigma", 1))
  end

  describe("displacements in " .. name, function()
    it("are those of scipy and numpy", function()
      for _, answer in pairs(known) do
        local given = answer.given
        if given then
          local D = displace(given.width, given.height, 1, given)
          naive.near(D, column_of(answer.D), tolerance)
        end
      end
    end)

    it("are alpha times noise that a Gaussian has smoothed", function()
      for _, case in ipairs { { 5, 4, 1 }, { 16, 3, 0.7 }, { 15, 2, 2 }, { 33, 3, 2.5 } } do
        local width, height, sigma = table.unpack(case)
        local D = displace(width, height, 1, { key = -99, place = 5, alpha = 3, sigma = sigma })
        naive.near(D, elastic(width, height, -99, 5, 3, sigma), tolerance)
      end
    end)

    it("of several kinds add up", function()
      local options = { shift = 2, angle = 0.3, scale = 0.1, shear = 0.2 }
      local affine = displace(9, 9, 3, options)
      local field = displace(9, 9, 3, { alpha = 4, sigma = 1.5 })
      options.alpha, options.sigma = 4, 1.5
      naive.near(displace(9, 9, 3, options), (affine + field):totable(), tolerance)
    end)

    it("follow from the key and the place of a sample alone", function()
      local options = { shift = 2, angle = 0.3, scale = 0.1, shear = 0.2, alpha = 4, sigma = 1.5 }
      local all = displace(10, 10, 300, options)
      for _, first in ipairs { 1, 2, 17, 300 } do
        options.place = first - 1
        local N = math.min(3, 301 - first)
        naive.near(displace(10, 10, N, options), all:columns(first, first + N - 1):totable(), 0)
      end
      for threads = 2, 8, 3 do
        core.threads(threads)
        options.place = 0
        naive.near(displace(10, 10, 300, options), all:totable(), 0)
      end
      core.threads(1)
      options.key = 8
      assert.is_true((displace(10, 10, 300, options) - all):norm() > 1)
    end)

    it("shift by a uniform number of pixels, to each side alike", function()
      local N, most = 20000, 3
      local D = displace(1, 2, N, { shift = most })
      for row = 1, 4, 2 do
        local shifts = D:slice(row, row)
        naive.near(D:slice(row + 1, row + 1), shifts:totable(), 0) -- both pixels alike
        assert.near(0, shifts:mean(), 5 * most / math.sqrt(3 * N))
        assert.near(most ^ 2 / 3, shifts:norm() ^ 2 / N, 0.05 * most ^ 2)
        assert.is_true(shifts:max() <= most and shifts:max() > 0.99 * most)
        assert.is_true(shifts:min() >= -most and shifts:min() < -0.99 * most)
      end
      local product = core.hadamard(core.matrix(1, N), D:slice(1, 1), D:slice(3, 3)):sum() / N
      assert.near(0, product, 5 * most ^ 2 / 3 / math.sqrt(N)) -- right and down independently
    end)

    it("turn about the middle by up to the angle, and keep distances", function()
      local N, most = 5000, 0.5
      local D = displace(3, 1, N, { angle = most }) -- (1, 0) from the middle
      local largest = 0
      for n = 1, N do
        assert.near(0, D:get(2, n), 1e-6)
        assert.near(0, D:get(5, n), 1e-6)
        local x, y = 1 + D:get(3, n), D:get(6, n)
        assert.near(1, x * x + y * y, 1e-5)
        largest = math.max(largest, math.abs(math.atan(y, x)))
      end
      assert.is_true(largest <= most + 1e-6 and largest > 0.99 * most)
    end)

    it("have the deviation of smoothed uniform numbers", function()
      -- far from the edges alpha / sqrt 3 times the norm of the Gaussian, 1 / (2 sigma sqrt pi)
      local D = displace(33, 33, 400, { alpha = 10, sigma = 2 })
      local middle = D:slice(16 * 33 + 17, 16 * 33 + 17)
      local expected = 10 / math.sqrt(3) / (4 * math.sqrt(math.pi))
      assert.near(expected, middle:norm() / 20, 0.15 * expected)
    end)

    it("are refused for wrong arguments, and nothing is changed", function()
      local D, S = naive.random(core, 1, 12, 2), core.matrix(12, 2)
      local function refuses(message, place, value)
        local arguments = { D, S, 1, 0, 3, 0, 0, 0, 0, 1, 1, n = 11 }
        arguments[place] = value
        naive.refuses(D, message, function() core.displace(table.unpack(arguments, 1, 11)) end)
      end
      refuses("matrix to work in expected", 2, nil)
      refuses("12 x 2 matrix", 2, core.matrix(12, 3))
      refuses("must not share memory", 2, D)
      refuses("no integer representation", 3, 0.5)
      refuses("no integer representation", 4, 0.5)
      for _, width in ipairs { 0, -1, 4, 7, 2 ^ 40 | 0 } do
        refuses("width of images of 6 pixels expected", 5, width)
      end
      for place = 6, 10 do
        for _, value in ipairs { -0.1, naive.nan, naive.infinity } do
          refuses("number from 0 to ", place, value)
        end
        refuses("number expected, got string", place, "1")
      end
      refuses("number from 0 to 0.99 expected", 8, 1)
      for _, sigma in ipairs { 0, -1, 64.1, naive.nan } do
        refuses("number above 0, at most 64, expected", 11, sigma)
      end
      local odd = naive.random(core, 1, 3, 2)
      naive.refuses(odd, "two rows for each pixel expected",
        function() core.displace(odd, nil, 1, 0, 1, 0, 0, 0, 0, 0, 1) end)
      local rows = naive.random(core, 1, 4, 3):copy "rows"
      naive.refuses(rows, "stored by columns",
        function() core.displace(rows, nil, 1, 0, 1, 0, 0, 0, 0, 0, 1) end)
    end)
  end)

  describe("resampled images in " .. name, function()
    it("are those of scipy", function()
      for _, answer in pairs(known) do
        if answer.X and answer.D then
          local X = core.matrix(column_of(answer.X))
          local A = core.resample(core.matrix(X.rows, 1), X, core.matrix(column_of(answer.D)),
            answer.width)
          naive.near(A, column_of(answer.A), tolerance)
        end
      end
    end)

    it("by an affine map are those of scipy's affine_transform", function()
      local answer = known.affine_transform
      local M, t, width = answer.M, answer.t, answer.width
      local X = core.matrix(column_of(answer.X))
      local D, height = core.matrix(2 * X.rows, 1), X.rows // width
      for y = 0, height - 1 do
        for x = 0, width - 1 do
          local k = y * width + x + 1
          D:set(k, 1, M[2][1] * y + M[2][2] * x + t[2] - x)
          D:set(X.rows + k, 1, M[1][1] * y + M[1][2] * x + t[1] - y)
        end
      end
      naive.near(core.resample(core.matrix(X.rows, 1), X, D, width), column_of(answer.A), tolerance)
    end)

    it("are interpolated between the four pixels around, 0 outside", function()
      for _, case in ipairs { { 1, 1 }, { 1, 5 }, { 5, 1 }, { 16, 3 }, { 17, 4 } } do
        local width, height = table.unpack(case)
        local P = width * height
        local X, D = naive.random(core, 2, P, 1), naive.random(core, 3, 2 * P, 1)
        core.hadamard(D, D, 3)
        local image, fields = X:totable(), D:totable()
        local A = core.resample(core.matrix(P, 1), X, D, width)
        naive.near(A, naive.build(P, 1, function(k)
          return interpolated(image, width, height, (k - 1) % width + fields[k][1],
            (k - 1) // width + fields[P + k][1])
        end), tolerance)
      end
    end)

    it("keep their bits where nothing is displaced, whatever is beside them", function()
      local X = naive.random(core, 4, 30, 3)
      X:set(2, 1, naive.nan):set(9, 1, naive.infinity):set(5, 2, -0.0)
      local A = core.resample(core.matrix(30, 3), X, core.matrix(60, 3), 6)
      assert.equal(X:encode(name), A:encode(name))
    end)

    it("shifted by whole pixels are the same pixels elsewhere", function()
      local X, D = core.matrix { { 1 }, { 2 }, { 3 }, { 4 }, { 5 }, { 6 } }, core.matrix(12, 1)
      for k = 1, 6 do D:set(k, 1, 1) end
      local A = core.resample(core.matrix(6, 1), X, D, 3)
      assert.same({ { 2 }, { 3 }, { 0 }, { 5 }, { 6 }, { 0 } }, A:totable())
      D:fill(0)
      for k = 7, 12 do D:set(k, 1, -1) end
      core.resample(A, X, D, 3)
      assert.same({ { 0 }, { 0 }, { 0 }, { 1 }, { 2 }, { 3 } }, A:totable())
    end)

    it("are 0 however far away, and NaN where nobody knows", function()
      local X, D = core.matrix(4, 1):fill(1), core.matrix(8, 1)
      D:set(1, 1, 1e30):set(2, 1, -naive.infinity):set(3, 1, naive.nan):set(8, 1, naive.nan)
      local A = core.resample(core.matrix(4, 1), X, D, 2)
      assert.same({ 0, 0 }, { A:get(1, 1), A:get(2, 1) })
      assert.is_true(A:get(3, 1) ~= A:get(3, 1) and A:get(4, 1) ~= A:get(4, 1))
    end)

    it("are the same for any threads", function()
      local X, D = naive.random(core, 5, 300, 200), naive.random(core, 6, 200, 200)
      local A = core.resample(core.matrix(300, 200), X, D, 10) -- of three channels
      for _, threads in ipairs { 2, 3, 8 } do
        core.threads(threads)
        local more = core.resample(core.matrix(300, 200), X, D, 10)
        core.threads(1)
        assert.equal(A:encode(name), more:encode(name))
      end
    end)

    it("are refused for wrong arguments, and nothing is changed", function()
      local A, X, D = naive.random(core, 1, 6, 2), core.matrix(6, 2), core.matrix(12, 2)
      naive.refuses(A, "6 x 2 matrix", function() core.resample(A, core.matrix(6, 3), D, 3) end)
      naive.refuses(A, "12 x 2 matrix", function() core.resample(A, X, core.matrix(12, 1), 3) end)
      for _, rows in ipairs { 1, 11, 8, 24 } do
        naive.refuses(A, "two rows for each pixel expected",
          function() core.resample(A, X, core.matrix(rows, 2), 1) end)
      end
      for _, width in ipairs { 0, 4, -3 } do
        naive.refuses(A, "width of images of 6 pixels expected",
          function() core.resample(A, X, D, width) end)
      end
      naive.refuses(A, "must not share memory", function() core.resample(A, A, D, 3) end)
      local both = naive.random(core, 1, 4, 2)
      naive.refuses(both, "must not share memory",
        function() core.resample(both, core.matrix(4, 2), both, 1) end)
      naive.refuses(A, "stored by columns",
        function() core.resample(A, X, D:copy "rows", 3) end)
      naive.refuses(A, "stored by columns",
        function() core.resample(A, X:copy "rows", D, 3) end)
    end)
  end)
end
