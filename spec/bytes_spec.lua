-- Matrices to binary strings and back, and to the other element type: src/bytes.c.

local child = require "spec.support.child"
local memory = require "spec.support.memory"
local naive = require "spec.support.naive"
local raises = require "spec.support.raises"

local cores = {
  float32 = require "perilune.core.float32",
  float64 = require "perilune.core.float64",
}
local orders = { "columns", "rows" }
local infinity, nan = naive.infinity, naive.nan

-- The format of string.pack for one element
local function format(type, endian)
  local letter = ({ uint8 = "B", float32 = "f", float64 = "d" })[type]
  return (endian == "big" and ">" or "<") .. letter
end

local width = { uint8 = 1, float32 = 4, float64 = 8 }

-- What encode must give, by string.pack
local function packed(M, type, endian, order)
  local bytes = {}
  for k = 0, M.rows * M.cols - 1 do
    local i, j = k % M.rows, k // M.rows
    if order == "rows" then i, j = k // M.cols, k % M.cols end
    local x = M:get(i + 1, j + 1)
    bytes[#bytes + 1] = string.pack(format(type, endian),
      type == "uint8" and math.floor(x + 0.5) or x)
  end
  return table.concat(bytes)
end

for _, name in ipairs(naive.types) do
  local core = cores[name]
  local other = name == "float32" and "float64" or "float32"

  -- Elements that every encoding can hold
  local function pixels(order)
    return core.matrix({ { 0, 1, 2 }, { 127, 128, 255 } }):copy(order)
  end

  describe("encode of " .. name, function()
    it("gives the bytes that string.pack gives, in every order and endianness", function()
      for _, stored in ipairs(orders) do
        for _, M in ipairs { pixels(stored), naive.random(core, 1, 5, 7, stored) } do
          for type in pairs(width) do
            for _, endian in ipairs { "little", "big" } do
              for _, order in ipairs(orders) do
                if type ~= "uint8" or M.rows == 2 then
                  local wanted = packed(M, type, endian, order)
                  assert.is_true(wanted == M:encode(type, endian, order))
                end
              end
            end
          end
        end
      end
    end)

    it("is little-endian and by columns unless told", function()
      local M = pixels("rows")
      assert.equal("\0\127\1\128\2\255", M:encode("uint8"))
      assert.equal("\0\1\2\127\128\255", M:encode("uint8", nil, "rows"))
      assert.equal(packed(M, "float64", "little", "columns"), M:encode("float64"))
      assert.equal(packed(M, "float64", "big", "columns"), M:encode("float64", "big"))
    end)

    it("gives a string of the right length for large matrices", function()
      local M = core.matrix(1000, 100)
      for type, bytes in pairs(width) do
        assert.equal(1e5 * bytes, #M:encode(type))
        assert.equal(1e5 * bytes, #M:copy("rows"):encode(type, "big"))
      end
    end)

    it("gives a range of the elements in every order", function()
      for _, stored in ipairs(orders) do
        local M = naive.random(core, 6, 5, 7, stored)
        for _, order in ipairs(orders) do
          local all = packed(M, name, "big", order)
          for _, range in ipairs { { 1, 1 }, { 35, 35 }, { 3, 20 }, { 6 }, { 1, 35 } } do
            local first, last = range[1], range[2]
            local wanted = all:sub(width[name] * (first - 1) + 1, width[name] * (last or 35))
            assert.is_true(wanted == M:encode(name, "big", order, first, last))
          end
        end
      end
    end)

    it("looks at the elements of the range alone", function()
      local M = core.matrix { { 1, 2, 300 } }
      assert.equal("\1\2", M:encode("uint8", nil, nil, 1, 2))
      raises("elements from 0 to 255 expected", M.encode, M, "uint8", nil, nil, 2, 3)
    end)

    it("refuses a range that is not one of the matrix", function()
      local M = core.matrix(2, 3)
      for _, range in ipairs {
        { 0, 1 }, { 1, 7 }, { 3, 2 }, { 7, 7 }, { -1, 2 }, { math.mininteger, 1 },
        { 1, math.maxinteger },
      } do
        raises(("elements within 1 to 6 expected, got %d to %d"):format(range[1], range[2]),
          M.encode, M, name, nil, nil, range[1], range[2])
      end
      raises("no integer representation", M.encode, M, name, nil, nil, 1.5)
    end)

    it("rounds to the nearest byte", function()
      local M = core.matrix { { 0.4, 0.6, 254.6, 255.4, -0.4, 7.25, 127.75 } }
      assert.equal("\0\1\255\255\0\7\128", M:encode("uint8"))
    end)

    it("rounds the largest number below one half down", function()
      local below = name == "float32" and 0x1.fffffep-2 or 0x1.fffffffffffffp-2
      assert.equal("\0", core.matrix({ { below } }):encode("uint8"))
    end)

    it("refuses to put into a byte what does not fit", function()
      for _, x in ipairs { -0.5, -1, 255.5, 256, 1e30, infinity, -infinity, nan } do
        local M = core.matrix({ { 1, 2 }, { 3, x } })
        naive.refuses(M, "elements from 0 to 255 expected for uint8, got",
          function() M:encode("uint8") end)
      end
    end)

    -- Making room for the string may collect garbage, and so run finalisers, between a check and
    -- its use. A process of its own has little garbage, so that they run often.
    it("checks the very elements that it encodes, whatever a finaliser does", function()
      assert.equal("true\ttrue\n", child.run(([[
        local core = require "perilune.core.%s"
        local M = core.matrix(40, 40)
        local wanted = ("\7"):rep(1600)
        local changes, errors, wrong = 0, 0, 0
        local again = {}
        function again.__gc()
          M:fill(300)
          changes = changes + 1
          setmetatable({}, again)
        end
        setmetatable({}, again)
        for _ = 1, 20000 do
          M:fill(7)
          local ok, bytes = pcall(M.encode, M, "uint8")
          if not ok then errors = errors + 1 elseif bytes ~= wanted then wrong = wrong + 1 end
        end
        print(wrong == 0, changes > errors and errors > 0)]]):format(name)))
    end)

    it("rounds to float32, whose range ends earlier", function()
      if name == "float32" then return end
      local M = core.matrix { { 0.1, 1e300, -1e300, 1e-300, 2 ^ 24 + 1 } }
      naive.near(cores.float32.decode(M:encode("float32"), "float32", 1, 5),
        { { 0x1.99999ap-4, infinity, -infinity, 0, 2 ^ 24 } }, 0)
    end)

    it("refuses unknown types, orders and strangers", function()
      local M = core.matrix(2, 2)
      raises("invalid option 'int8'", M.encode, M, "int8")
      raises("invalid option 'middle'", M.encode, M, "uint8", "middle")
      raises("invalid option 'diagonal'", M.encode, M, "uint8", "big", "diagonal")
      raises("string expected, got no value", M.encode, M)
      raises(name .. " expected, got FILE*", M.encode, io.stdout, "uint8")
    end)
  end)

  describe("decode to " .. name, function()
    it("gives back what was encoded, in every order and endianness", function()
      for _, stored in ipairs(orders) do
        for _, M in ipairs { pixels(stored), naive.random(core, 2, 4, 5, stored) } do
          for type in pairs(width) do
            for _, endian in ipairs { "little", "big" } do
              for _, order in ipairs(orders) do
                if type == "float64" or type == name or M.rows == 2 then
                  local bytes = M:encode(type, endian, order)
                  local D = core.decode(bytes, type, M.rows, M.cols, endian, 0, order)
                  naive.near(D, M:totable(), 0)
                  assert.equal(order, D.order)
                  assert.equal(name, D.dtype)
                end
              end
            end
          end
        end
      end
    end)

    it("takes whole numbers of every width, signed and not", function()
      for type, letter in pairs {
        int8 = "i1", int16 = "i2", uint16 = "I2", int32 = "i4", uint32 = "I4", int64 = "i8",
        uint64 = "I8",
      } do
        local bits, is_signed = 8 * tonumber(letter:sub(2)), letter:sub(1, 1) == "i"
        local few = math.min(bits, name == "float32" and 24 or 53) - (is_signed and 1 or 0)
        local numbers = { 0, 1, 5, 100, (1 << few) - 1 }
        if is_signed then
          for k = 1, #numbers do numbers[#numbers + 1] = -numbers[k] end
          numbers[#numbers + 1] = -1 << (bits - 1)
        else
          numbers[#numbers + 1] = 1 << (bits - 1)
        end
        for _, endian in ipairs { "<", ">" } do
          local bytes = ""
          for _, x in ipairs(numbers) do bytes = bytes .. (endian .. letter):pack(x) end
          local expected = {}
          for k, x in ipairs(numbers) do
            expected[k] = x < 0 and not is_signed and 2.0 ^ (bits - 1) or x + 0.0
          end
          local D = core.decode(bytes, type, 1, #numbers, endian == ">" and "big" or "little")
          naive.near(D, { expected }, 0)
          D:fill(7):decode(bytes, type, endian == ">" and "big" or "little")
          naive.near(D, { expected }, 0)
        end
      end
    end)

    it("refuses a whole number that would become another, and changes nothing", function()
      local least = name == "float32" and 0x1000001 or 0x20000000000001
      local cases = {
        { "int64", "<i8", least, least }, { "int64", "<i8", -least, -least },
        { "uint64", "<I8", -1, "18446744073709551615" },
        { "int64", "<i8", math.maxinteger, "9223372036854775807" },
      }
      if name == "float32" then
        table.insert(cases, { "int32", "<i4", least, least })
        table.insert(cases, { "int32", "<i4", -least, -least })
        table.insert(cases, { "uint32", "<I4", 0xffffffff, "4294967295" })
      end
      local M = core.matrix(1, 3):fill(7)
      for _, case in ipairs(cases) do
        local type, format_of, x, shown = table.unpack(case)
        local bytes = format_of:pack(1) .. format_of:pack(x)
        local message = ("element 2 is %s, which %s does not hold exactly"):format(shown, name)
        naive.refuses(M, message:gsub("-", "%%-"), function() M:decode(bytes, type) end)
        raises(message, core.decode, bytes, type, 1, 2)
      end
    end)

    it("begins at the offset, which need not be aligned", function()
      local M = naive.random(core, 3, 3, 2)
      for offset = 0, 9 do
        local bytes = ("x"):rep(offset) .. M:encode("float64") .. "rest"
        naive.near(core.decode(bytes, "float64", 3, 2, "little", offset), M:totable(), 0)
      end
    end)

    it("is little-endian and by columns unless told", function()
      local M = core.decode("\1\2\3\4", "uint8", 2, 2)
      assert.same({ { 1, 3 }, { 2, 4 } }, M:totable())
      M = core.decode(string.pack("<d", 1.5), "float64", 1, 1, nil, nil, nil)
      assert.same({ { 1.5 } }, M:totable())
    end)

    it("raises when the string ends too early, and counts the bytes", function()
      for type, bytes in pairs(width) do
        local text = ("2 x 3 elements of %d bytes expected, got %d bytes"):format(bytes,
          6 * bytes - 1)
        raises(text, core.decode, ("x"):rep(6 * bytes - 1), type, 2, 3)
        raises(text, core.decode, ("x"):rep(6 * bytes + 3), type, 2, 3, "little", 4)
        core.decode(("x"):rep(6 * bytes), type, 2, 3)
      end
      raises("got 0 bytes", core.decode, "", "uint8", 1, 1)
      raises("got 0 bytes", core.decode, "abc", "uint8", 1, 1, "big", 3)
    end)

    it("refuses sizes that no string has, however they multiply", function()
      for _, size in ipairs {
        { 0, 1 }, { 1, 0 }, { -1, -1 }, { -2, 2 }, { 2 ^ 31, 1 }, { 2 ^ 32, 2 ^ 32 },
        { 2 ^ 61, 8 }, { 2 ^ 62, 4 }, { math.mininteger, math.mininteger },
        { math.maxinteger, 2 },
      } do
        local rows, cols = math.tointeger(size[1]), math.tointeger(size[2])
        for type in pairs(width) do
          local text = ("%d x %d elements of"):format(rows, cols)
          raises(text, core.decode, ("x"):rep(64), type, rows, cols)
        end
      end
    end)

    it("refuses offsets outside the string", function()
      for _, offset in ipairs { -1, 5, math.mininteger, math.maxinteger } do
        raises("offset within the string expected", core.decode, "abcd", "uint8", 1, 1,
          "little", offset)
      end
      raises("no integer representation", core.decode, "abcd", "uint8", 1, 1, "big", 0.5)
    end)

    it("refuses what is no string, type or order", function()
      raises("string expected, got table", core.decode, {}, "uint8", 1, 1)
      raises("string expected, got no value", core.decode)
      raises("invalid option 'float16'", core.decode, "abcd", "float16", 1, 1)
      raises("invalid option 'native'", core.decode, "abcd", "uint8", 1, 1, "native")
      raises("invalid option 'x'", core.decode, "abcd", "uint8", 1, 1, "big", 0, "x")
      raises("number expected, got no value", core.decode, "abcd", "uint8", 1)
    end)
  end)

  describe("a " .. name .. " matrix's own decode", function()
    it("sets all elements, in every order and endianness, and gives the matrix", function()
      for _, stored in ipairs(orders) do
        for _, M in ipairs {
          pixels(stored), naive.random(core, 2, 4, 5, stored), core.matrix { { 7 } },
        } do
          for type in pairs(width) do
            for _, endian in ipairs { "little", "big" } do
              for _, order in ipairs(orders) do
                if type == "float64" or type == name or M.rows == 2 then
                  local D = core.matrix(M.rows, M.cols, stored):fill(nan)
                  assert.equal(D, D:decode(packed(M, type, endian, order), type, endian, order))
                  naive.near(D, M:totable(), 0)
                end
              end
            end
          end
        end
      end
    end)

    it("sets as many elements as the string holds, from the first that is named on", function()
      for _, stored in ipairs(orders) do
        for _, order in ipairs(orders) do
          local M, D = naive.random(core, 3, 5, 7, stored), core.matrix(5, 7, stored)
          local bytes, first = M:encode(name, "little", order), 1
          for _, count in ipairs { 1, 0, 4, 25, 5 } do
            local piece = bytes:sub(width[name] * (first - 1) + 1,
              width[name] * (first - 1 + count))
            D:decode(piece, name, "little", order, first)
            first = first + count
            for k = 1, 35 do
              local i, j = (k - 1) % 5 + 1, (k - 1) // 5 + 1
              if order == "rows" then i, j = (k - 1) // 7 + 1, (k - 1) % 7 + 1 end
              assert.equal(k < first and M:get(i, j) or 0, D:get(i, j))
            end
          end
        end
      end
    end)

    it("sets a view, and nothing beside it", function()
      local M = core.matrix(2, 4):fill(9)
      M:columns(2, 3):decode("\1\2\3\4", "uint8")
      assert.same({ { 9, 1, 3, 9 }, { 9, 2, 4, 9 } }, M:totable())
    end)

    it("allocates nothing", function()
      local M = naive.random(core, 3, 20, 30, "rows")
      local bytes = M:encode(name)
      assert.equal(0, memory.allocated(function() M:decode(bytes, name) end))
    end)

    it("refuses what does not fit, and changes nothing then", function()
      local M = naive.random(core, 4, 2, 3)
      for type, bytes in pairs(width) do
        naive.refuses(M, ("at most 6 elements of %d bytes expected, got %d bytes"):format(
          bytes, 7 * bytes), function() M:decode(("x"):rep(7 * bytes), type) end)
        naive.refuses(M, ("at most 2 elements of %d bytes expected, got %d bytes"):format(
          bytes, 3 * bytes),
          function() M:decode(("x"):rep(3 * bytes), type, "little", "rows", 5) end)
        if bytes > 1 then
          naive.refuses(M, ("got %d bytes"):format(2 * bytes - 1),
            function() M:decode(("x"):rep(2 * bytes - 1), type) end)
        end
      end
      for _, first in ipairs { 0, -1, 7, math.mininteger, math.maxinteger } do
        naive.refuses(M, "element within the matrix expected",
          function() M:decode("", "uint8", "little", "rows", first) end)
      end
    end)

    it("refuses unknown types, orders and strangers", function()
      local M = core.matrix(2, 2)
      raises("invalid option 'float16'", M.decode, M, "", "float16")
      raises("invalid option 'middle'", M.decode, M, "", "uint8", "middle")
      raises("invalid option 'diagonal'", M.decode, M, "", "uint8", "big", "diagonal")
      raises("string expected, got no value", M.decode, M)
      raises(name .. " expected, got FILE*", M.decode, io.stdout, "", "uint8")
    end)
  end)

  describe("numbers that are not finite, in " .. name, function()
    it("keep their bits, a NaN its payload", function()
      local bits = name == "float32"
        and { 0x7f800000, 0xff800000, 0x7fc00000, 0x7fc12345, 0xffc54321, 0x80000000, 1 }
        or {
          0x7ff0000000000000, 0xfff0000000000000, 0x7ff8000000000000, 0x7ff8123456789abc,
          0xfff8abcdef012345, 0x8000000000000000, 1,
        }
      for endian, letter in pairs { little = "<", big = ">" } do
        local bytes = {}
        for k, x in ipairs(bits) do
          bytes[k] = string.pack(letter .. (name == "float32" and "I4" or "i8"), x)
        end
        local all = table.concat(bytes)
        local M = core.decode(all, name, 1, #bits, endian)
        assert.is_true(all == M:encode(name, endian))
        assert.is_true(all == M:copy("rows"):encode(name, endian, "rows"))
        assert.equal(infinity, M:get(1, 1))
        assert.equal(-infinity, M:get(1, 2))
        for j = 3, 5 do assert.is_true(M:get(1, j) ~= M:get(1, j)) end
      end
    end)

    it("stay what they are in the other type", function()
      local M = core.matrix { { infinity, -infinity, nan, 0, -0.0 } }
      local t = M:to(other)
      naive.near(t, { { infinity, -infinity, nan, 0, 0 } }, 0)
      assert.equal(-infinity, 1 / t:get(1, 5))
      assert.equal(infinity, 1 / t:get(1, 4))
    end)
  end)

  describe("to, from " .. name, function()
    it("copies to the other type and back, keeping the order", function()
      for _, order in ipairs(orders) do
        local M = naive.random(cores.float32, 4, 5, 6, order):to(name)
        local N = M:to(other)
        assert.equal(other, N.dtype)
        assert.equal(order, N.order)
        naive.near(N, M:totable(), 0) -- these are float32 numbers in both
        local back = N:to(name)
        assert.equal(name, back.dtype)
        naive.near(back, M:totable(), 0)
        N:fill(0)
        assert.not_equal(0, M:norm())
      end
    end)

    it("rounds to float32 as string.pack does", function()
      local M = naive.random(cores.float64, 5, 20, 20)
      naive.near(M:to("float32"), naive.zip(function(x)
        return (string.unpack("<f", string.pack("<f", x)))
      end, M:totable()), 0)
    end)

    it("copies even to the same type", function()
      local M = core.matrix { { 1, 2 } }
      local N = M:to(name)
      assert.equal(name, N.dtype)
      assert.not_equal(M, N)
      N:fill(0)
      assert.same({ { 1, 2 } }, M:totable())
    end)

    it("copies a view", function()
      local M = core.matrix { { 1, 2, 3 }, { 4, 5, 6 } }
      assert.same({ { 2, 3 }, { 5, 6 } }, M:columns(2, 3):to(other):totable())
    end)

    it("refuses other names and strangers", function()
      local M = core.matrix(1, 1)
      raises("invalid option 'uint8'", M.to, M, "uint8")
      raises("string expected, got no value", M.to, M)
      raises("expected, got perilune.matrix." .. other, M.to, M:to(other), name)
    end)

    it("says so when the other core is not loaded", function()
      local module = "perilune.core." .. other
      local loaded = package.loaded[module]
      finally(function() package.loaded[module] = loaded end)
      package.loaded[module] = nil
      local M = core.matrix(1, 1)
      raises(module .. " is not loaded", M.to, M, other)
    end)

    it("survives a core whose functions have been replaced", function()
      local module = "perilune.core." .. other
      local loaded = package.loaded[module]
      finally(function() package.loaded[module] = loaded end)
      local M = core.matrix(1, 1)
      package.loaded[module] = {}
      raises("attempt to call", M.to, M, other)
      package.loaded[module] = { decode = function() return "anything" end }
      assert.equal("anything", M:to(other))
    end)
  end)
end
