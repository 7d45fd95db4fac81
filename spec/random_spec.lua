-- The generator: src/random.c.

local child = require "spec.support.child"
local memory = require "spec.support.memory"
local naive = require "spec.support.naive"
local raises = require "spec.support.raises"
local splitmix64 = require "spec.support.splitmix64"

local cores = {
  float32 = require "perilune.core.float32",
  float64 = require "perilune.core.float64",
}
local infinity, nan = naive.infinity, naive.nan

-- xoshiro256++ as published (Blackman and Vigna 2019), in Lua's 64-bit integers, which wrap around
-- as its own do.

local function rotate_left(x, bits)
  return x << bits | x >> (64 - bits)
end

-- A function that returns the next 64 bits, and its state s[0..3]
local function xoshiro256pp(seed)
  local fill = splitmix64(seed)
  local s = { [0] = fill(), fill(), fill(), fill() }
  return function()
    local result = rotate_left(s[0] + s[3], 23) + s[0]
    local t = s[1] << 17
    s[2] = s[2] ~ s[0]
    s[3] = s[3] ~ s[1]
    s[1] = s[1] ~ s[2]
    s[0] = s[0] ~ s[3]
    s[2] = s[2] ~ t
    s[3] = rotate_left(s[3], 45)
    return result
  end, s
end

-- All 64 bits of a generator, as its own program would give them: integer() counts from the lowest
-- integer.
local function all_bits(g)
  return g:integer(math.mininteger, math.maxinteger) ~ math.mininteger
end

local function unit(bits)
  return (bits >> 11) * 2.0 ^ -53
end

local function moments(M)
  local n = M.rows * M.cols
  local mean = M:sum() / n
  return mean, M:norm() ^ 2 / n - mean ^ 2
end

local seeds = { 1, 0, -1, 42, math.maxinteger, math.mininteger }

for _, name in ipairs(naive.types) do
  local core = cores[name]
  local other = name == "float32" and "float64" or "float32"

  describe("a generator of " .. name, function()
    it("starts in the state that splitmix64 makes from the seed", function()
      for _, seed in ipairs(seeds) do
        local _, s = xoshiro256pp(seed)
        assert.equal(("%016x%016x%016x%016x"):format(s[0], s[1], s[2], s[3]),
          core.generator(seed):state())
      end
    end)

    it("draws what xoshiro256++ draws", function()
      for _, seed in ipairs(seeds) do
        local g, next_bits = core.generator(seed), xoshiro256pp(seed)
        for _ = 1, 1000 do
          assert.equal(next_bits(), all_bits(g))
        end
        for _ = 1, 1000 do assert.equal(unit(next_bits()), g:number()) end
      end
    end)

    it("follows the authors' program from the state 1, 2, 3, 4", function()
      local state = ("%016x%016x%016x%016x"):format(1, 2, 3, 4)
      local g = core.generator():restore(state)
      for _, bits in ipairs { 41943041, 58720359, 3588806011781223, 3591011842654386 } do
        assert.equal(bits, all_bits(g))
      end
    end)

    it("has the seed 1 unless told, and takes whole numbers only", function()
      assert.equal(core.generator(1):state(), core.generator():state())
      assert.equal(core.generator(1):state(), core.generator(nil):state())
      raises("no integer representation", core.generator, 1.5)
      raises("number expected, got string", core.generator, "seed")
      raises("number expected, got table", core.generator, {})
    end)

    it("gives the same bits for the same seed, others for another", function()
      local function draw(seed)
        local g = core.generator(seed)
        local numbers = g:normal(core.matrix(13, 7)):encode(name)
          .. g:uniform(core.matrix(5, 5)):encode(name)
        return numbers .. table.concat(g:permutation(100), " ") .. g:state()
      end
      assert.equal(draw(7), draw(7))
      assert.not_equal(draw(7), draw(8))
    end)

    it("keeps its metatable to itself", function()
      local g = core.generator()
      assert.equal("generator", getmetatable(g))
      assert.is_false(pcall(setmetatable, g, {}))
      assert.is_nil(g.seed)
    end)

    it("is no matrix and no file, and fills nothing but matrices", function()
      local g, M = core.generator(), core.matrix(2, 2)
      local text = "perilune.generator expected, got "
      raises(text .. "perilune.matrix." .. name, g.uniform, M, M)
      raises(text .. "FILE*", g.number, io.stdout)
      raises(text .. "no value", g.state)
      text = "perilune.matrix expected, got "
      for _, fill in ipairs { "uniform", "normal" } do
        raises(text .. "perilune.generator", g[fill], g, g, 0.5)
        raises(text .. "FILE*", g[fill], g, io.stdout, 0.5)
        raises(text .. "table", g[fill], g, setmetatable({}, {}), 0.5)
        raises(text .. "number", g[fill], g, 1, 0.5)
        raises(text .. "no value", g[fill], g)
      end
    end)

    for _, fill in ipairs { "uniform", "normal" } do
      it("fills matrices of the other type as that type's own does: " .. fill, function()
        for _, order in ipairs { "columns", "rows" } do
          for _, size in ipairs { { 11, 6 }, { 7, 301 }, { 1, 1 } } do
            local M = cores[other].matrix(size[1], size[2], order)
            local g, h = core.generator(3), cores[other].generator(3)
            assert.equal(M, g[fill](g, M, 0.25))
            local wanted = h[fill](h, cores[other].matrix(size[1], size[2]), 0.25)
            assert.same(wanted:totable(), M:totable())
            assert.equal(h:state(), g:state())
          end
        end
      end)
    end

    it("is the same kind of value whichever core made it", function()
      local g, h = core.generator(4), cores[other].generator(5)
      assert.equal(h, h:assign(g))
      assert.equal(g:state(), h:state())
      assert.equal(core.generator(4):number(), h:copy():number())
    end)

    it("serves a network of either type", function()
      local pl = require "perilune"
      local function outputs(generator)
        local net = pl.network({ inputs = 5, pl.dense(3), pl.dropout(0.5) },
          { dtype = other, generator = generator })
        return net:forward(cores[other].matrix(5, 40) + 1):encode(other)
      end
      assert.equal(outputs(cores[other].generator(7)), outputs(core.generator(7)))
    end)

    it("needs no core but those of the matrices that it fills", function()
      assert.equal("true\ttrue\n", child.run(([[
        local core = require "perilune.core.%s"
        local g = core.generator()
        local before = g:normal(core.matrix(3, 3)):norm() > 0
        local M = require("perilune.core.%s").matrix(3, 3)
        print(before, g:normal(M):norm() > 0)]]):format(name, other)))
    end)

    for _, fill in ipairs { "uniform", "normal" } do
      for _, shape in ipairs { { 11, 6 }, { 1, 1 }, { 2, 128 }, { 37, 23 }, { 3, 1000 } } do
        local rows, cols = shape[1], shape[2]
        it(("fills a %d x %d matrix by rows with the same elements: %s"):format(rows, cols,
          fill), function()
          local R, C = core.matrix(rows, cols, "rows"), core.matrix(rows, cols)
          local order = R.order
          local g, h = core.generator(3), core.generator(3)
          assert.equal(R, g[fill](g, R, 0.25))
          assert.equal(C, h[fill](h, C, 0.25))
          assert.same(C:totable(), R:totable())
          assert.equal(order, R.order)
          assert.equal(g:state(), h:state())
        end)
      end

      it("allocates nothing, however the matrix is stored: " .. fill, function()
        for _, order in ipairs { "rows", "columns" } do
          local M, g = core.matrix(100, 100, order), core.generator(3)
          assert.equal(0, memory.allocated(function() g[fill](g, M, 0.25) end))
        end
      end)

      it("fills a view and nothing beside it: " .. fill, function()
        local M, g = core.matrix(4, 6):fill(9), core.generator(3)
        g[fill](g, M:columns(2, 4), 0.25)
        for i = 1, 4 do
          for _, j in ipairs { 1, 5, 6 } do assert.equal(9, M:get(i, j)) end
          for j = 2, 4 do assert.not_equal(9, M:get(i, j)) end
        end
      end)
    end

    describe("uniform", function()
      it("gives low + (high - low) u, column after column", function()
        local next_bits = xoshiro256pp(5)
        local wanted = naive.transpose(naive.build(6, 7, function()
          return -2 + 5 * unit(next_bits())
        end))
        local M = core.generator(5):uniform(core.matrix(7, 6), -2, 3)
        naive.near(M, wanted, name == "float32" and 1e-7 or 0)
      end)

      it("lies in [0, 1) unless told, with the mean and variance of that", function()
        local M = core.generator(11):uniform(core.matrix(500, 400))
        assert.is_true(M:min() >= 0 and M:max() < 1)
        assert.is_true(M:min() < 1e-4 and M:max() > 1 - 1e-4)
        local mean, variance = moments(M)
        naive.near_number(mean, 1 / 2, 5 * math.sqrt(1 / 12 / 2e5))
        naive.near_number(variance, 1 / 12, 5 * math.sqrt(1 / 180 / 2e5))
      end)

      it("fills every tenth of its range alike", function()
        local counts = {}
        local M = core.generator(12):uniform(core.matrix(1, 100000))
        for _, x in ipairs(M:totable()[1]) do
          local tenth = math.floor(10 * x)
          counts[tenth] = (counts[tenth] or 0) + 1
        end
        local chi_square = 0
        for tenth = 0, 9 do chi_square = chi_square + (counts[tenth] - 1e4) ^ 2 / 1e4 end
        assert.is_true(chi_square < 27.9) -- 9 degrees of freedom, 0.1 %
      end)

      it("never reaches the upper bound by rounding", function()
        local M = core.matrix(1000, 100)
        local x = 1 + 2.0 ^ -20
        core.generator(2):uniform(M, 1, x)
        assert.is_true(M:min() >= 1 and M:max() < x)
        core.generator(2):uniform(M, 2.0 ^ 20, 2.0 ^ 20 + 1)
        assert.is_true(M:min() >= 2 ^ 20 and M:max() < 2 ^ 20 + 1)
      end)

      it("may have an empty range", function()
        local M = core.generator():uniform(core.matrix(2, 2), 3, 3)
        naive.near(M, naive.fill(2, 2, 3), 0)
      end)

      it("spreads over the whole range that two finite bounds leave", function()
        local large = name == "float32" and 3e38 or 1.7e308
        local M = core.generator(1):uniform(core.matrix(10, 10), -large, large)
        assert.is_true(M:is_finite())
        assert.is_true(M:min() < -large / 2 and M:max() > large / 2)
      end)

      it("refuses bounds that are not finite or the wrong way round", function()
        local g, M = core.generator(), core.matrix(2, 2):fill(1)
        local before = g:state()
        naive.refuses(M, "#2 .*finite number expected", function() g:uniform(M, nan) end)
        naive.refuses(M, "#3 .*finite number expected",
          function() g:uniform(M, 0, infinity) end)
        naive.refuses(M, "lower bound expected", function() g:uniform(M, 2) end)
        naive.refuses(M, "lower bound expected", function() g:uniform(M, 1, -1) end)
        naive.refuses(M, "number expected, got string", function() g:uniform(M, "x") end)
        assert.equal(before, g:state())
      end)
    end)

    describe("normal", function()
      it("has the moments and tails of the normal distribution", function()
        local n = 400000
        local M = core.generator(21):normal(core.matrix(1000, 400))
        local mean, variance = moments(M)
        naive.near_number(mean, 0, 5 / math.sqrt(n))
        naive.near_number(variance, 1, 5 * math.sqrt(2 / n) / 2)
        local cubes = core.hadamard(core.matrix(1000, 400), M, M)
        local fourth = cubes:norm() ^ 2 / n
        core.hadamard(cubes, cubes, M)
        naive.near_number(cubes:sum() / n, 0, 5 * math.sqrt(15 / n))
        naive.near_number(fourth, 3, 5 * math.sqrt(96 / n) / 4)
        -- the share beyond 1, 2, 3, 4 deviations
        for k, share in ipairs { 0.3173105, 0.0455003, 0.0026998, 6.3342e-5 } do
          local beyond = core.abs(core.matrix(1000, 400), M)
          local count = core.maximum(beyond, core.sign(beyond, beyond - k), 0):sum()
          naive.near_number(count / n, share, 5 * math.sqrt(share / n))
        end
        assert.is_true(M:max() > 4 and M:max() < 7 and M:min() < -4 and M:min() > -7)
      end)

      it("pairs are not correlated", function()
        local M = core.generator(22):normal(core.matrix(2, 100000))
        local product = core.matrix(2, 2)
        core.product(product, M, M, "NT")
        naive.near_number(product:get(1, 2) / 1e5, 0, 5 / math.sqrt(1e5))
      end)

      it("is the polar method on the generator's numbers", function()
        local next_bits = xoshiro256pp(9)
        local wanted = {}
        while #wanted < 101 do
          local x, y = 2 * unit(next_bits()) - 1, 2 * unit(next_bits()) - 1
          local s = x * x + y * y
          if s < 1 and s ~= 0 then
            local factor = math.sqrt(-2 * math.log(s) / s)
            wanted[#wanted + 1], wanted[#wanted + 2] = x * factor, y * factor
          end
        end
        local M = core.generator(9):normal(core.matrix(1, 101))
        wanted[102] = nil -- of the last pair only one was needed
        naive.near(M, { wanted }, name == "float32" and 1e-7 or 1e-15)
      end)

      it("takes a mean and a deviation", function()
        local Z = core.generator(4):normal(core.matrix(5, 5))
        local M = core.generator(4):normal(core.matrix(5, 5), 10, 0.5)
        naive.near(M, naive.zip(function(z) return 10 + 0.5 * z end, Z:totable()), 1e-6)
        M = core.generator():normal(core.matrix(2, 3), 7, 0)
        naive.near(M, naive.fill(2, 3, 7), 0)
      end)

      it("refuses numbers that are not finite, and a negative deviation", function()
        local g, M = core.generator(), core.matrix(2, 2):fill(1)
        local before = g:state()
        naive.refuses(M, "#2 .*finite number", function() g:normal(M, infinity) end)
        naive.refuses(M, "#3 .*finite number", function() g:normal(M, 0, nan) end)
        naive.refuses(M, "#3 .*number >= 0 expected", function() g:normal(M, 0, -1) end)
        assert.equal(before, g:state())
      end)
    end)

    describe("permutation", function()
      it("holds every number from 1 to n once", function()
        local g = core.generator(41)
        for _, n in ipairs { 0, 1, 2, 3, 10, 1000 } do
          local p = g:permutation(n)
          assert.equal(n, #p)
          local seen = {}
          for _, k in ipairs(p) do
            assert.equal("integer", math.type(k))
            assert.is_true(k >= 1 and k <= n and not seen[k])
            seen[k] = true
          end
        end
      end)

      it("is each of the 24 orders of four equally often", function()
        local g, counts = core.generator(42), {}
        for _ = 1, 24000 do
          local order = table.concat(g:permutation(4))
          counts[order] = (counts[order] or 0) + 1
        end
        local chi_square, orders = 0, 0
        for _, count in pairs(counts) do
          orders = orders + 1
          chi_square = chi_square + (count - 1000) ^ 2 / 1000
        end
        assert.equal(24, orders)
        assert.is_true(chi_square < 49.7, chi_square) -- 23 degrees of freedom, 0.1 %
      end)

      it("shuffles a table in place, and returns it", function()
        local t = {}
        for k = 1, 100 do t[k] = "element " .. k end
        local before = table.move(t, 1, 100, 1, {})
        assert.equal(t, core.generator(43):permutation(t))
        assert.not_same(before, t)
        table.sort(t)
        table.sort(before)
        assert.same(before, t)
        assert.same({}, core.generator():permutation({}))
      end)

      it("shuffles a table as it permutes numbers", function()
        local t = {}
        for k = 1, 50 do t[k] = k end
        assert.same(core.generator(44):permutation(50), core.generator(44):permutation(t))
      end)

      it("allocates nothing for a table", function()
        local g, t = core.generator(45), core.generator(46):permutation(1000)
        collectgarbage()
        collectgarbage("stop")
        finally(function() collectgarbage("restart") end)
        g:permutation(t) -- Lua's own stack, which collections shrink, has grown again now
        local before = collectgarbage("count")
        for _ = 1, 100 do g:permutation(t) end
        local after = collectgarbage("count") -- `assert.equal` itself makes a table
        assert.equal(before, after)
      end)

      it("ignores metamethods and other fields of the table", function()
        local t = setmetatable({ 1, 2, 3, name = "kept" }, {
          __index = error, __newindex = error, __len = error,
        })
        core.generator():permutation(t)
        assert.equal("kept", rawget(t, "name"))
      end)

      it("refuses negative, broken and missing counts", function()
        local g = core.generator()
        raises("count from 0 to 2^31 - 1 expected", g.permutation, g, -1)
        raises("count from 0 to 2^31 - 1 expected", g.permutation, g, 2 ^ 31)
        raises("no integer representation", g.permutation, g, 1.5)
        raises("number expected, got no value", g.permutation, g)
        raises("number expected, got string", g.permutation, g, "many")
      end)
    end)

    describe("integer", function()
      it("lies within its bounds and reaches them", function()
        local g = core.generator(51)
        for _, bounds in ipairs {
          { 1, 6 }, { -3, 3 }, { 0, 0 }, { math.maxinteger - 1, math.maxinteger },
          { math.mininteger, math.mininteger + 2 },
        } do
          local low, high = table.unpack(bounds)
          local seen = {}
          for _ = 1, 200 do
            local k = g:integer(low, high)
            assert.equal("integer", math.type(k))
            assert.is_true(k >= low and k <= high)
            seen[k] = true
          end
          assert.is_true(seen[low] and seen[high])
        end
      end)

      it("draws from all integers", function()
        local g = core.generator(52)
        for _, low in ipairs { math.mininteger, math.mininteger + 1 } do
          local negative = 0
          for _ = 1, 1000 do
            if g:integer(low, math.maxinteger) < 0 then negative = negative + 1 end
          end
          assert.is_true(math.abs(negative - 500) < 80)
        end
      end)

      -- The remainders of 2^64 draws by 3 * 2^62 would fall in the lowest third half of the time.
      it("has no modulo bias", function()
        local g, lowest = core.generator(53), 0
        for _ = 1, 3000 do
          local k = g:integer(math.mininteger, math.mininteger + (3 << 62) - 1)
          if k < math.mininteger + (1 << 62) then lowest = lowest + 1 end
        end
        assert.is_true(math.abs(lowest - 1000) < 130, lowest)
      end)

      it("refuses bounds the wrong way round or not whole", function()
        local g = core.generator()
        raises("lower bound expected", g.integer, g, 2, 1)
        raises("lower bound expected", g.integer, g, math.maxinteger, math.mininteger)
        raises("no integer representation", g.integer, g, 0.5, 1)
        raises("no integer representation", g.integer, g, 0, infinity)
        raises("number expected, got no value", g.integer, g, 1)
      end)
    end)

    describe("its state", function()
      it("is copied, and assigned, with all that it will give", function()
        local g = core.generator(5)
        g:number()
        local copy, assigned = g:copy(), core.generator(6)
        assert.equal(assigned, assigned:assign(g))
        for _ = 1, 5 do
          local x = g:number()
          assert.equal(x, copy:number())
          assert.equal(x, assigned:number())
        end
        raises("generator", g.assign, g, 5)
      end)

      it("is 64 hexadecimal digits from which it continues", function()
        local g = core.generator(61)
        g:normal(core.matrix(3, 3))
        local state = g:state()
        assert.is_truthy(state:find("^" .. ("[0-9a-f]"):rep(64) .. "$"))
        local first = g:normal(core.matrix(4, 5)):encode(name) .. g:number()
        local h = core.generator(62)
        assert.equal(h, h:restore(state))
        assert.equal(first, h:normal(core.matrix(4, 5)):encode(name) .. h:number())
        assert.equal(g:state(), h:state())
        assert.equal(state, h:restore(state):state())
      end)

      it("of one type continues in the other", function()
        local h = cores[other].generator(9):restore(core.generator(63):state())
        assert.equal(core.generator(63):number(), h:number())
      end)

      it("is refused when it is anything else, and nothing changes", function()
        local g = core.generator(64)
        local state = g:state()
        for _, bad in ipairs {
          "", state:sub(1, 63), state .. "0", ("0"):rep(64), ("g"):rep(64), ("A"):rep(64),
          ("\0"):rep(64), state:sub(1, 63) .. "\0", state:sub(1, 63) .. " ",
          state:sub(1, 63) .. "\n", "0x" .. state:sub(3), 5,
        } do
          raises("state of 64 hexadecimal digits, not all 0, expected", g.restore, g, bad)
          assert.equal(state, g:state())
        end
        raises("string expected, got nil", g.restore, g, nil)
        raises("string expected, got table", g.restore, g, {})
      end)
    end)
  end)
end

describe("the two element types", function()
  it("get the same numbers, rounded", function()
    for _, fill in ipairs { "uniform", "normal" } do
      for _, arguments in ipairs { { 0.25 }, { 0.1, 0.7 } } do
        local narrow, wide = cores.float32.generator(71), cores.float64.generator(71)
        local M, W = cores.float32.matrix(50, 41), cores.float64.matrix(50, 41)
        narrow[fill](narrow, M, table.unpack(arguments))
        wide[fill](wide, W, table.unpack(arguments))
        assert.is_true(M:encode("float32") == W:to("float32"):encode("float32"), fill)
        assert.equal(narrow:state(), wide:state())
      end
    end
  end)
end)
