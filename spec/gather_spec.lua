-- Chosen samples, side by side: src/gather.c.

local naive = require "spec.support.naive"
local raises = require "spec.support.raises"

local cores = {
  float32 = require "perilune.core.float32",
  float64 = require "perilune.core.float64",
}
local infinity, nan = naive.infinity, naive.nan

-- Tables of indices that a batch of three samples out of five must refuse, by what is wrong
local bad_indices = {
  { "got 0 as element 2", { 1, 0, 2 } },
  { "got -1 as element 1", { -1, 1, 2 } },
  { "got 6 as element 3", { 1, 2, 6 } },
  { "got 4294967297 as element 1", { 4294967297, 1, 1 } },
  { "got -9223372036854775808 as element 1", { math.mininteger, 1, 1 } },
  { "got 9223372036854775807 as element 1", { math.maxinteger, 1, 1 } },
  { "got 1.5 as element 2", { 1, 1.5, 2 } },
  { "got nan as element 2", { 1, nan, 2 } },
  { "got inf as element 2", { 1, infinity, 2 } },
  { "got 1e+300 as element 2", { 1, 1e300, 2 } },
  { "got nil as element 3", { 1, 2 } },
  { "got nil as element 1", {} },
  { "got nil as element 2", { 1, nil, 2 } },
  { "got one as element 1", { "one", 1, 1 } },
  { "got true as element 3", { 1, 2, true } },
  { "got table: ", { 1, 2, {} } },
  { "got nil as element 1", { [0] = 1, [2] = 1, [3] = 1 } },
}

-- A message of Lua prints NaN with or without a sign.
local function refuses(result, text, f)
  local pattern = text:gsub("%p", "%%%0"):gsub("got nan", "got %%-?nan")
  naive.refuses(result, pattern, f)
end

local function list(n, f)
  local t = {}
  for k = 1, n do t[k] = f(k) end
  return t
end

for _, name in ipairs(naive.types) do
  local core = cores[name]

  local function samples(rows, cols)
    return naive.random(core, 1, rows, cols)
  end

  describe("gather in " .. name, function()
    it("puts the chosen columns side by side", function()
      local S = samples(4, 50)
      local t = S:totable()
      local indices = core.generator(1):permutation(50)
      for _, N in ipairs { 1, 2, 50 } do
        local X = core.matrix(4, N):fill(nan)
        assert.equal(X, core.gather(X, S, indices))
        naive.near(X, naive.build(4, N, function(i, j) return t[i][indices[j]] end), 0)
      end
    end)

    it("begins at element first of the indices", function()
      local S = samples(3, 10)
      local t = S:totable()
      local indices = { 3, 1, 10, 3, 3, 7 }
      for first = 1, 4 do
        local X = core.gather(core.matrix(3, 3), S, indices, first)
        naive.near(X, naive.build(3, 3, function(i, j)
          return t[i][indices[first + j - 1]]
        end), 0)
      end
      local X = core.gather(core.matrix(3, 3), S, indices, nil)
      assert.equal(t[1][3], X:get(1, 1))
    end)

    it("takes samples of the other type, converted as to() converts", function()
      local other = cores[name == "float32" and "float64" or "float32"]
      local special = { 0.1, -0.1, 1 / 3, 3e38, -3e38, 1e-37, 0, -0.0, infinity, -infinity }
      table.move({ 1e39, 16777217, 1 + 2 ^ -24 }, 1, 3, 11, special) -- that float32 has not
      for rows = 1, #special do
        local S = other.generator(1):normal(other.matrix(rows, 20))
        for i = 1, rows do S:set(i, 7, special[i]) end
        local indices = core.generator(2):permutation(20)
        local X = core.gather(core.matrix(rows, 20), S, indices)
        local expected = core.gather(core.matrix(rows, 20), S:to(name), indices)
        assert.equal(expected:encode(name), X:encode(name))
      end
    end)

    it("takes the samples in order where there are no indices", function()
      local S, bytes = samples(3, 1200), ("perilune"):rep(450)
      for _, range in ipairs { { 1, 1200 }, { 1, 5 }, { 600, 600 }, { 1197, 4 }, { 7, 1030 } } do
        local first, count = table.unpack(range)
        local indices = list(count, function(k) return first + k - 1 end)
        local function same(A, B) assert.equal(3 * count, core.count_equal(A, B)) end
        local X, Y = core.matrix(3, count), core.matrix(3, count)
        same(core.gather(X, S, indices), core.gather(Y, S, nil, first))
        same(core.gather_bytes(X, bytes, 0, 1, indices),
          core.gather_bytes(Y, bytes, 0, 1, nil, first))
      end
      assert.same(S:columns(1, 2):totable(), core.gather(core.matrix(3, 2), S, nil):totable())
    end)

    it("refuses samples in order that are not all there", function()
      local S, X = samples(2, 5), core.matrix(2, 3):fill(9)
      for _, first in ipairs { 0, -1, 4, 6, math.mininteger, math.maxinteger } do
        local text = ("samples 1 to 5 expected, got 3 from %d on"):format(first)
        refuses(X, text, function() core.gather(X, S, nil, first) end)
        refuses(X, text, function() core.gather_bytes(X, "perilunes!", 0, 1, nil, first) end)
      end
      refuses(core.matrix(2, 6), "samples 1 to 5 expected, got 6 from 1 on",
        function() core.gather(core.matrix(2, 6), S, nil) end)
    end)

    it("takes any part of a table, at any key", function()
      local S = samples(2, 5)
      local indices = { [-1] = 5, [0] = 4, [1] = 3 }
      local X = core.gather(core.matrix(2, 3), S, indices, -1)
      assert.same(S:columns(5, 5):totable(), X:columns(1, 1):totable())
      assert.same(S:columns(3, 3):totable(), X:columns(3, 3):totable())
    end)

    it("takes more samples than there are, when some are chosen again", function()
      local S = core.matrix { { 1, 2, 3 } }
      local X = core.matrix(1, 10000)
      core.gather(X, S, list(10000, function(k) return 1 + k % 3 end))
      assert.equal(2, X:get(1, 1))
      assert.equal(1 + 10000 % 3, X:get(1, 10000))
    end)

    it("takes whole numbers that are floats", function()
      local X = core.gather(core.matrix(1, 2), core.matrix { { 7, 8, 9 } }, { 3.0, 1.0 })
      assert.same({ { 9, 7 } }, X:totable())
    end)

    it("does not mind what stands in the table behind the chosen ones", function()
      local S = samples(3, 5)
      local bytes = string.char(table.unpack(list(15, function(k) return k end)))
      local expected, scaled = S:columns(4, 5), nil
      local ends = { 0, -3, 6, 1e300, nan, "one", {}, math.mininteger, math.maxinteger }
      for _, value in ipairs(ends) do
        local indices = { 4, 5, value, value, value }
        assert.equal(6, core.count_equal(expected,
          core.gather(core.matrix(3, 2), S, indices)))
        local X = core.gather_bytes(core.matrix(3, 2), bytes, 0, 1, indices)
        scaled = scaled or X
        assert.equal(6, core.count_equal(scaled, X))
      end
      assert.equal(10, scaled:get(1, 1))
    end)

    it("is the same for any number of threads, however many samples", function()
      local S = samples(70, 300)
      local indices = list(2500, function(k) return k * 7 % 300 + 1 end)
      local bytes = core.generator(2):uniform(core.matrix(70, 300), 0, 255):encode "uint8"
      local wanted
      for threads = 1, 4 do
        core.threads(threads)
        local X = core.gather(core.matrix(70, 2500), S, indices)
        local Y = core.gather_bytes(core.matrix(70, 2500), bytes, 0, 1, indices)
        wanted = wanted or { X, Y }
        assert.equal(70 * 2500, core.count_equal(wanted[1], X))
        assert.equal(70 * 2500, core.count_equal(wanted[2], Y))
      end
      core.threads(1)
      for _, k in ipairs { 1, 512, 513, 1024, 1025, 2500 } do
        assert.equal(70, core.count_equal(S:columns(indices[k], indices[k]),
          wanted[1]:columns(k, k)))
      end
    end)

    it("reads the table itself, not what its metamethods pretend", function()
      local indices = setmetatable({}, { __index = function() return 1 end })
      local X, S = core.matrix(1, 1), core.matrix(1, 1)
      raises("got nil as element 1", core.gather, X, S, indices)
    end)

    it("refuses indices that are no samples, and leaves the result as it was", function()
      local S, X = samples(2, 5), core.matrix(2, 3):fill(9)
      for _, bad in ipairs(bad_indices) do
        refuses(X, "samples 1 to 5 expected", function() core.gather(X, S, bad[2]) end)
        refuses(X, bad[1], function() core.gather(X, S, bad[2]) end)
      end
      for _, first in ipairs { 0, 2, 4, -5, math.mininteger, math.maxinteger } do
        refuses(X, "got nil as element",
          function() core.gather(X, S, { 1, 2, 3 }, first) end)
      end
    end)

    it("refuses what is no table, or no whole number as first", function()
      local S, X = samples(2, 5), core.matrix(2, 3):fill(9)
      refuses(X, "table expected, got number", function() core.gather(X, S, 1) end)
      refuses(X, "table expected, got no value", function() core.gather(X, S) end)
      refuses(X, "table expected, got peri", function() core.gather(X, S, S) end)
      refuses(X, "no integer representation",
        function() core.gather(X, S, { 1, 2, 3 }, 1.5) end)
    end)

    -- Keys beyond the largest integer do not exist; arithmetic must not wrap around to reach
    -- others.
    it("stops at the last integer key", function()
      local S, X = samples(2, 5), core.matrix(2, 2):fill(9)
      local indices = { [math.maxinteger] = 1, [math.mininteger] = 2 }
      assert.is_true(pcall(core.gather, core.matrix(2, 1), S, indices, math.maxinteger))
      refuses(X, "expected", function() core.gather(X, S, indices, math.maxinteger) end)
    end)

    it("refuses samples of another length, storage by rows, and what is no matrix", function()
      local S, X = samples(4, 5), core.matrix(3, 2):fill(9)
      refuses(X, "3 x 5 matrix expected, got 4 x 5",
        function() core.gather(X, S, { 1, 2 }) end)
      local text = "matrix stored by columns expected, got one stored by rows"
      refuses(X, text, function() core.gather(X, core.matrix(3, 5, "rows"), { 1, 2 }) end)
      local R = core.matrix(4, 2, "rows")
      refuses(R, text, function() core.gather(R, S, { 1, 2 }) end)
      refuses(X, "expected, got number", function() core.gather(X, 1, { 1, 2 }) end)
      local other = cores[name == "float32" and "float64" or "float32"]
      refuses(X, "3 x 5 matrix expected, got 4 x 5",
        function() core.gather(X, other.matrix(4, 5), { 1, 2 }) end)
      refuses(X, text, function() core.gather(X, other.matrix(3, 5, "rows"), { 1, 2 }) end)
      refuses(X, "samples 1 to 5 expected",
        function() core.gather(X, other.matrix(3, 5), { 1, 6 }) end)
    end)

    it("refuses a result that is part of the samples", function()
      local S = samples(3, 6)
      refuses(S, "share memory with argument #2",
        function() core.gather(S:columns(2, 3), S, { 1, 1 }) end)
      refuses(S, "share memory with argument #2",
        function() core.gather(S, S, { 6, 5, 4, 3, 2, 1 }) end)
    end)
  end)

  describe("gather_bytes in " .. name, function()
    local bytes = {}
    for k = 0, 299 do bytes[#bytes + 1] = string.char(k * 7 % 256) end
    bytes = table.concat(bytes)

    it("scales the bytes of the chosen samples, after the offset", function()
      for _, shape in ipairs { { 1, 10 }, { 3, 20 }, { 17, 5 }, { 28, 10 } } do
        local rows, N = table.unpack(shape)
        for _, offset in ipairs { 0, 1, 16 } do
          local count = (300 - offset) // rows
          local indices = core.generator(2):permutation(count)
          local X = core.matrix(rows, math.min(N, count)):fill(nan)
          assert.equal(X, core.gather_bytes(X, bytes, offset, 0.5, indices))
          naive.near(X, naive.build(rows, X.cols, function(i, j)
            return 0.5 * bytes:byte(offset + (indices[j] - 1) * rows + i)
          end), 0)
        end
      end
    end)

    it("takes octets as it takes a string", function()
      local octets = core.octets(10):append "abcdef"
      local X = core.gather_bytes(core.matrix(2, 2), octets, 1, 1, { 2, 1 })
      assert.same({ { 100, 98 }, { 101, 99 } }, X:totable())
      refuses(X, "samples 1 to 2 expected, got 3", -- the bytes there are, not those there may be
        function() core.gather_bytes(X, octets, 1, 1, { 3, 1 }) end)
    end)

    it("begins at element first of the indices", function()
      local X = core.gather_bytes(core.matrix(2, 2), "abcdef", 0, 1, { 3, 1, 2 }, 2)
      assert.same({ { 97, 99 }, { 98, 100 } }, X:totable())
    end)

    it("scales by any number", function()
      local X = core.matrix(1, 2)
      naive.near(core.gather_bytes(X, "\0\255", 0, 1 / 255, { 1, 2 }), { { 0, 1 } }, 1e-7)
      naive.near(core.gather_bytes(X, "\0\255", 0, -2, { 1, 2 }), { { 0, -510 } }, 0)
    end)

    it("refuses indices that are no samples, and leaves the result as it was", function()
      local X = core.matrix(2, 3):fill(9)
      for _, bad in ipairs(bad_indices) do
        for _, offset in ipairs { 0, 3 } do -- one byte more than five samples
          local string = ("x"):rep(offset + 11)
          local function call() core.gather_bytes(X, string, offset, 1, bad[2]) end
          refuses(X, "samples 1 to 5 expected", call)
          refuses(X, bad[1], call)
        end
      end
    end)

    it("knows that a string may hold no sample at all", function()
      local X = core.matrix(5, 1):fill(9)
      refuses(X, "samples 1 to 0 expected, got 1",
        function() core.gather_bytes(X, "four", 0, 1, { 1 }) end)
      refuses(X, "samples 1 to 0 expected, got 1",
        function() core.gather_bytes(X, "", 0, 1, { 1 }) end)
      refuses(X, "samples 1 to 0 expected, got 1",
        function() core.gather_bytes(X, "fiver", 1, 1, { 1 }) end)
      refuses(X, "samples 1 to 0 expected, got 1",
        function() core.gather_bytes(X, "fiver", 5, 1, { 1 }) end)
    end)

    it("refuses offsets outside the string, and other wrong arguments", function()
      local X = core.matrix(1, 1):fill(9)
      for _, offset in ipairs { -1, 5, math.mininteger, math.maxinteger } do
        refuses(X, "offset within the bytes expected",
          function() core.gather_bytes(X, "four", offset, 1, { 1 }) end)
      end
      refuses(X, "no integer representation",
        function() core.gather_bytes(X, "four", 0.5, 1, { 1 }) end)
      refuses(X, "string or octets expected, got number",
        function() core.gather_bytes(X, 1234, 0, 1, { 1 }) end)
      refuses(X, "number expected, got string",
        function() core.gather_bytes(X, "four", 0, "scale", { 1 }) end)
      refuses(X, "table expected, got number",
        function() core.gather_bytes(X, "four", 0, 1, 1) end)
      refuses(X, "no integer representation",
        function() core.gather_bytes(X, "four", 0, 1, { 1 }, 1.5) end)
    end)

    it("refuses a result stored by rows", function()
      local X = core.matrix(2, 2, "rows")
      refuses(X, "matrix stored by columns expected, got one stored by rows",
        function() core.gather_bytes(X, "four", 0, 1, { 1, 2 }) end)
    end)
  end)
end
