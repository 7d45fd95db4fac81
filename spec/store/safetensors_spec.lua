local allocated_by = require("spec.support.memory").allocated
local at_caller = require("spec.support.misuse").at_caller
local cores = require "perilune.cores"
local errors = require "perilune.errors"
local file = require "perilune.store.file"
local naive = require "spec.support.naive"
local safetensors = require "perilune.store.safetensors"
local stored = require "spec.support.stored"

-- A file with this header, and data of so many bytes.
local function file_of(header, bytes)
  return string.pack("<s8", header) .. ("\0"):rep(bytes or 0)
end

local function tensor(shape, offsets, dtype)
  return ('{"dtype":"%s","shape":%s,"data_offsets":%s}'):format(dtype or "F32", shape,
    offsets)
end

-- A file whose only tensor is described so.
local function file_with(shape, offsets, bytes, dtype)
  return file_of('{"x":' .. tensor(shape, offsets, dtype) .. "}", bytes)
end

-- A file of two tensors with so many numbers, at these places.
local function file_with_two(numbers_x, x, numbers_y, y, bytes)
  return file_of(('{"x":%s,"y":%s}'):format(tensor(numbers_x, x), tensor(numbers_y, y)),
    bytes)
end

-- A file whose only tensor has this name.
local function file_named(name)
  return file_of(('{"%s":%s}'):format(name, tensor("[1]", "[0,4]")), 4)
end

describe("A safetensors file", function()
  local tensors = {
    { name = "b", dtype = "F32", shape = { 2, 3 },
      bytes = string.pack("<ffffff", 1, 2, 3, 4, 5, 6) },
    { name = "a \u{20AC}\n", dtype = "F32", shape = { 1 }, bytes = string.pack("<f", 7) },
    { name = "c", dtype = "F64", shape = {}, bytes = string.pack("<d", 8) },
    { name = "d", dtype = "U8", shape = { 3 }, bytes = "\0\1\xff" },
    { name = "e", dtype = "I64", shape = { 1, 2 }, bytes = string.pack("<jj", -1, 2) },
  }
  local metadata = { zeta = "last", alpha = 'first "\\\n' }

  describe("when written", function()
    it("is a length, a JSON header with sorted keys, and the data", function()
      local bytes = stored.encode({ tensors[1] }, metadata)
      local length = string.unpack("<I8", bytes)
      assert.equal(0, length % 8)
      assert.equal(('{"__metadata__":{"alpha":"first \\"\\\\\\n",' ..
        '"crc32_data":"%s",' ..
        '"crc32_header":"%s","zeta":"last"},' ..
        '"b":{"data_offsets":[0,24],"dtype":"F32","shape":[2,3]}}'):format(
        bytes:match('crc32_data":"(%x+)'), bytes:match('crc32_header":"(%x+)')),
        (bytes:sub(9, 8 + length):gsub(" +$", "")))
      assert.equal(tensors[1].bytes, bytes:sub(9 + length))
    end)

    it("is the same for the same content", function()
      local first = stored.encode(tensors, { a = "1", b = "2", c = "3", d = "4" })
      local second = stored.encode(tensors, { d = "4", c = "3", b = "2", a = "1" })
      assert.equal(first, second)
    end)

    it("comes in chunks, the header first, bytes as they are", function()
      local next_chunk = safetensors.chunks(tensors, metadata)
      assert.equal("{", next_chunk():sub(9, 9))
      for _, place in ipairs { 3, 5, 1, 2, 4 } do
        assert.equal(tensors[place].bytes, next_chunk())
      end
      assert.is_nil(next_chunk())
    end)

    for _, name in ipairs(naive.types) do
      it("holds matrices row by row, in chunks of 256 KiB at most: " .. name, function()
        local core, dtype = cores[name], name == "float32" and "F32" or "F64"
        for _, order in ipairs { "rows", "columns" } do
          local M = naive.random(core, 1, 300, 701, order)
          local row = naive.random(core, 2, 1, 9)
          local all = { { name = "M", shape = { 300, 701 }, matrix = M },
            { name = "row", shape = { 9 }, matrix = row } }
          local count, longest = 0, 0
          for chunk in safetensors.chunks(all) do
            count, longest = count + 1, math.max(longest, #chunk)
          end
          assert.is_true(count > 4 and longest == 2 ^ 18)
          assert.equal(stored.encode {
            { name = "M", dtype = dtype, shape = { 300, 701 },
              bytes = M:encode(name, "little", "rows") },
            { name = "row", dtype = dtype, shape = { 9 }, bytes = row:encode(name) },
          }, stored.encode(all))
        end
      end)
    end

    it("has each tensor at a multiple of its numbers' width", function()
      local content = assert(stored.decode(stored.encode(tensors)))
      for name, width in pairs { b = 4, ["a \u{20AC}\n"] = 4, c = 8, e = 8 } do
        assert.equal(0, (content.tensors[name].first - 1) % width)
      end
    end)

    it("does not take other keys for its checksums", function()
      for _, key in ipairs { 'a"crc32_header', "crc32_header\"", 'a","crc32_header' } do
        local bytes = stored.encode({ tensors[1] }, { [key] = "abc" })
        local content = assert(stored.decode(bytes))
        assert.equal("abc", content.metadata[key])
        assert.is_true(content.checked)
      end
      local same = { name = "crc32_header", dtype = "F32", shape = { 1 }, bytes = "1234" }
      assert.is_true(assert(stored.decode(stored.encode { same })).checked)
    end)

    it("raises for what is no list of tensors, and no metadata", function()
      for _, wrong in ipairs { 5, "x", { 5 } } do
        at_caller(function() local _ = safetensors.chunks(wrong) end, "tensors: a ")
      end
      at_caller(function() local _ = safetensors.chunks({}, 5) end,
        "metadata: a table of texts expected, got 5")
      local endless = setmetatable({}, { __index = function() return 1 end })
      local bad = { name = "x", dtype = "F32", shape = endless, bytes = "1234" }
      at_caller(function() local _ = safetensors.chunks { bad } end,
        "at most two whole numbers")
    end)

    it("raises for tensors that make no sense", function()
      local good = { name = "x", dtype = "F32", shape = { 1 }, bytes = "1234" }
      local function refuses(field, value, expected)
        local bad = setmetatable({ [field] = value }, { __index = good })
        at_caller(function()
          local next_chunk = safetensors.chunks { bad }
          return next_chunk
        end, expected)
      end
      refuses("name", "", "name of 1 to 255 bytes of UTF-8 expected for tensor 1")
      refuses("name", ("n"):rep(256), "name of 1 to 255 bytes")
      refuses("name", "\xff", "name of 1 to 255 bytes")
      refuses("name", "__metadata__", "name of 1 to 255 bytes")
      refuses("name", 5, "name of 1 to 255 bytes")
      refuses("dtype", "F16",
        "dtype F32, F64, I64 or U8 expected for tensor 'x', got \"F16\"")
      local shapes = { { 0 }, { -1 }, { 1.0 }, { 2 ^ 31 | 0 }, { 1, 1, 1 }, false }
      for _, shape in ipairs(shapes) do
        refuses("shape", shape, "at most two whole numbers from 1 to 2147483647 expected")
      end
      refuses("matrix", 5, "a matrix expected for tensor 'x', got 5")
      refuses("bytes", "123", "4 bytes expected for tensor 'x', got 3")
      refuses("bytes", false, "4 bytes expected for tensor 'x', got 0")
      refuses("matrix", cores.float32.matrix(1, 2), "4 bytes expected for tensor 'x', got 8")
      at_caller(function()
        local next_chunk = safetensors.chunks { good, good }
        return next_chunk
      end, "two tensors are named 'x'")
    end)

    it("raises for metadata that are not text, or reserved", function()
      for key, value in pairs { a = 5, [5] = "a", b = "\xff", ["\xff"] = "c" } do
        at_caller(function()
          local next_chunk = safetensors.chunks({}, { [key] = value })
          return next_chunk
        end, "UTF-8 expected in the metadata")
      end
      at_caller(function()
        local next_chunk = safetensors.chunks({}, { crc32_data = "0" })
        return next_chunk
      end, "metadata key 'crc32_data' is reserved")
    end)
  end)

  it("has tensors with names of 1 to 255 bytes of UTF-8", function()
    for _, name in ipairs { "a", "\0", "\u{20AC}", ("n"):rep(255) } do
      assert.is_true(safetensors.is_name(name))
    end
    for _, name in ipairs { "", ("n"):rep(256), "\xff", "__metadata__", 5, {} } do
      assert.is_false(safetensors.is_name(name))
    end
  end)

  describe("when read", function()
    it("gives what was written", function()
      local bytes = stored.encode(tensors, metadata)
      local content = assert(stored.decode(bytes))
      assert.same({ "c", "e", "b", "a \u{20AC}\n", "d" }, content.names)
      for _, written in ipairs(tensors) do
        local place = content.tensors[written.name]
        assert.equal(written.dtype, place.dtype)
        assert.same(written.shape, place.shape)
        assert.equal(written.bytes, bytes:sub(place.first, place.last))
        assert.equal(written.bytes, content:bytes(place))
      end
      assert.equal("last", content.metadata.zeta)
      assert.equal('first "\\\n', content.metadata.alpha)
      assert.is_true(content.checked)
    end)

    it("may hold nothing", function()
      local content = assert(stored.decode(stored.encode {}))
      assert.same({}, content.names)
      assert.is_true(content.checked)
      content = assert(stored.decode(file_of "{}"))
      assert.same({}, content.names)
      assert.same({}, content.tensors)
      assert.same({}, content.metadata)
      assert.is_false(content.checked)
    end)

    it("may come from others: no checksums, any order, white space", function()
      local header = ('{"b" : %s,\n "a": %s,"__metadata__":{"format":"pt"}}   '):format(
        tensor("[1]", "[8, 12]"), tensor("[2,1]", "[0,8]"))
      local content = assert(stored.decode(file_of(header, 12)))
      assert.same({ "a", "b" }, content.names)
      local a, b = content.tensors.a, content.tensors.b
      assert.equal(8, a.last - a.first + 1)
      assert.equal(a.last + 1, b.first)
      assert.equal("pt", content.metadata.format)
      assert.is_false(content.checked)
    end)

    it("is refused where it is damaged in any single bit, or cut off anywhere", function()
      local bytes = stored.encode(tensors, metadata)
      for length = 0, #bytes - 1 do
        local content, reason = stored.decode(bytes:sub(1, length))
        assert.is_nil(content)
        assert.equal("string", type(reason))
      end
      local unseen = 0
      for position = 1, #bytes do
        for bit = 0, 7 do
          local flipped = string.char(bytes:byte(position) ~ 1 << bit)
          local content, reason = stored.decode(
            bytes:sub(1, position - 1) .. flipped .. bytes:sub(position + 1))
          -- Damage to the name of a checksum makes it absent: `checked` tells.
          if content then
            assert.is_false(content.checked)
            unseen = unseen + 1
          else
            assert.equal("string", type(reason))
          end
        end
      end
      assert.is_true(unseen <= 8 * #"crc32_header")
    end)

    it("gives numbers some at a time, or fills a matrix with them", function()
      for _, name in ipairs(naive.types) do
        for _, order in ipairs { "rows", "columns" } do
          local core = cores[name]
          local M = naive.random(core, 1, 301, 700, order)
          local bytes = stored.encode {
            { name = "M", shape = { 301, 700 }, matrix = M },
            { name = "byte", dtype = "U8", shape = { 1 }, bytes = "x" },
          }
          local content = assert(stored.decode(bytes))
          local chunks, elements, width = {}, 0, name == "float32" and 4 or 8
          for first, chunk in content:chunks(content.tensors.M) do
            assert.equal(elements + 1, first)
            assert.is_true(#chunk <= 2 ^ 18)
            chunks[#chunks + 1], elements = chunk, elements + #chunk // width
          end
          assert.equal(M:encode(name, "little", "rows"), table.concat(chunks))
          for _, into in ipairs { "rows", "columns" } do
            local filled = core.matrix(301, 700, into)
            assert.equal(filled, content:fill(filled, content.tensors.M))
            naive.near(filled, M:totable(), 0)
          end
        end
      end
    end)

    it("says so where the file cannot be read to its end", function()
      local bytes = stored.encode(tensors, metadata)
      local length = string.unpack("<I8", bytes)
      for _, readable in ipairs { 0, 8, 8 + length } do
        local source = file.of(bytes)
        function source:read(first, last)
          if last > readable then return nil, "Input/output error" end
          return self.bytes:sub(first, last)
        end
        assert.same({ nil, "Input/output error" }, { safetensors.read(source) })
      end
      local source = file.of(bytes)
      local content = assert(safetensors.read(source))
      function source.read() return nil, "100 % lost" end
      local ok, reason = errors.catch(content.bytes, content, content.tensors.b)
      assert.same({ false, "100 % lost" }, { ok, reason })
      ok, reason = errors.catch(content.chunks(content, content.tensors.b))
      assert.same({ false, "100 % lost" }, { ok, reason })
    end)

    it("is refused when bytes follow", function()
      local bytes = stored.encode(tensors, metadata)
      assert.same({ nil, "55 bytes of data expected, got 56" },
        { stored.decode(bytes .. "\0") })
    end)

    local one = '{"x":' .. tensor("[1]", "[0,4]") .. "}"
    for _, case in ipairs {
      { "nothing", "", "too short" },
      { "seven bytes", "1234567", "too short" },
      { "a length beyond 1 MiB", string.pack("<I8", 2 ^ 20 + 1 | 0) .. one,
        "longer than 1 MiB" },
      { "a length beyond 2^63", ("\xff"):rep(8) .. one, "longer than 1 MiB" },
      { "a length beyond the file", string.pack("<I8", 1000) .. one,
        "ends within its header" },
      { "no header", string.pack("<I8", 0), "no header" },
      { "white space first", file_of(" " .. one, 4), "no header" },
      { "a list as header", file_of "[]", "no header" },
      { "broken JSON", file_of '{"x":', "header: unterminated object" },
      { "a header that is no JSON", file_of "{x}", "header: no valid JSON value" },
      { "more after the header", file_of(one .. "{}", 4), "more text after the end" },
      { "a zero byte after the header", file_of(one .. "\0", 4),
        "more text after the end" },
      { "a name twice", file_of('{"x":' .. tensor("[1]", "[0,4]") .. "," ..
        '"x":' .. tensor("[1]", "[4,8]") .. "}", 8), "begins at byte 4 of the data" },
      { "a name that is no text", file_of("{1" .. one:sub(5), 4), "a tensor's name" },
      { "an element without name", file_of "{[]}", "a tensor's name" },
      { "metadata that are null", file_of '{"__metadata__":null}', "no object" },
      { "metadata that are no object", file_of '{"__metadata__":"a"}', "no object" },
      { "metadata that are no text", file_of '{"__metadata__":{"a":1}}', "not text" },
      { "null in metadata", file_of '{"__metadata__":{"a":null}}', "not text" },
      { "metadata in metadata", file_of '{"__metadata__":{"a":{}}}', "not text" },
      { "a list as metadata", file_of '{"__metadata__":["a"]}', "not text" },
      { "metadata that are not UTF-8", file_of '{"__metadata__":{"a":"\\ud83d"}}',
        "not text" },
      { "an empty name", file_named "", "not 1 to 255 bytes" },
      { "a long name", file_named(("n"):rep(256)), "not 1 to 255 bytes" },
      { "a name that is not UTF-8", file_named "\xff", "header: not UTF-8" },
      { "a name with half a surrogate pair", file_named "\\ud83d", "bytes of UTF-8" },
      { "a tensor that is no object", file_of '{"x":5}', 'tensor "x" is no object' },
      { "a tensor that is null", file_of '{"x":null}', 'tensor "x" is no object' },
      { "a tensor without dtype", file_of '{"x":{"shape":[1],"data_offsets":[0,4]}}',
        'dtype "nil" of "x" is unsupported' },
      { "a tensor without shape", file_of '{"x":{"dtype":"F32","data_offsets":[0,4]}}',
        'shape of "x" is not one of a matrix' },
      { "a tensor without place", file_of '{"x":{"dtype":"F32","shape":[1]}}',
        'data_offsets of "x" are not a range' },
      { "a tensor with more", file_of '{"x":{"code":"F32"}}',
        'tensor "x" has an unknown key' },
      { "bytes that disagree with the shape", file_with("[2]", "[0,1]", 1, "U8"),
        'tensor "x" has 1 bytes of data, its shape needs 2' },
      { "whole numbers that disagree with the shape",
        file_with("[1]", "[0,4]", 4, "I64"),
        'tensor "x" has 4 bytes of data, its shape needs 8' },
      { "an empty tensor of bytes", file_with("[0]", "[0,0]", 0, "U8"),
        'shape of "x" is not one of a matrix' },
      { "truth values", file_with("[1]", "[0,1]", 1, "BOOL"),
        'dtype "BOOL" of "x" is unsupported (F32, F64, I64 or U8 expected)' },
      { "half precision", file_with("[1]", "[0,2]", 2, "F16"),
        'dtype "F16" of "x" is unsupported' },
      { "an unknown type", file_with("[1]", "[0,4]", 4, "f32"),
        'dtype "f32" of "x" is unsupported' },
      { "a type that is no name", file_of '{"x":{"dtype":5}}', 'dtype "5" of "x"' },
      { "rank 3", file_with("[1,1,1]", "[0,4]", 4), "not one of a matrix" },
      { "a fraction as extent", file_with("[2.5]", "[0,10]", 10),
        'shape of "x" is not one of a matrix' },
      { "a float as extent", file_with("[1.0]", "[0,4]", 4), "not one of a matrix" },
      { "a negative extent", file_with("[-1,-1]", "[0,4]", 4), "not one of a matrix" },
      { "an empty tensor", file_with("[0]", "[0,0]"), "not one of a matrix" },
      { "an extent beyond 2^31", file_with("[2147483648]", "[0,4]", 4),
        "not one of a matrix" },
      { "an extent beyond 2^64", file_with("[18446744073709551617]", "[0,4]", 4),
        "not one of a matrix" },
      { "a product that overflows", file_with("[2147483647,2147483647]", "[0,4]", 4),
        "not one of a matrix" },
      { "an extent that is no number", file_with('["1"]', "[0,4]", 4),
        "not one of a matrix" },
      { "an extent that is null", file_with("[null]", "[0,4]", 4),
        "not one of a matrix" },
      { "a shape that is no list", file_with("1", "[0,4]", 4), "not one of a matrix" },
      { "offsets that are no list", file_with("[1]", "4", 4), "not a range" },
      { "one offset", file_with("[1]", "[0]", 4), "not a range" },
      { "three offsets", file_with("[1]", "[0,4,8]", 4), "not a range" },
      { "offsets that run backwards", file_with("[1]", "[4,0]", 4), "not a range" },
      { "a negative offset", file_with("[1]", "[-4,0]", 4), "not a range" },
      { "offsets that overflow",
        file_with("[1]", "[9223372036854775807,9223372036854775811]", 4), "not a range" },
      { "floats as offsets", file_with("[1]", "[0.0,4.0]", 4), "not a range" },
      { "offsets that disagree with the shape", file_with("[2]", "[0,4]", 4),
        'tensor "x" has 4 bytes of data, its shape needs 8' },
      { "offsets beyond the data", file_of(one, 3), "4 bytes of data expected, got 3" },
      { "a hole at the start", file_with("[1]", "[4,8]", 8),
        'tensor "x" begins at byte 4 of the data, 0 expected' },
      { "a hole", file_with_two("[1]", "[0,4]", "[1]", "[8,12]", 12),
        'tensor "y" begins at byte 8 of the data, 4 expected' },
      { "an overlap", file_with_two("[2]", "[0,8]", "[1]", "[4,8]", 8),
        'tensor "y" begins at byte 4 of the data, 8 expected' },
      { "the same data twice", file_with_two("[1]", "[0,4]", "[1]", "[0,4]", 4),
        "begins at byte 0 of the data, 4 expected" },
      { "data that belong to nobody", file_of(one, 8),
        "4 bytes of data expected, got 8" },
      { "a wrong checksum of the data",
        file_of('{"__metadata__":{"crc32_data":"00000000"},' .. one:sub(2), 4),
        "damaged data" },
      { "a wrong checksum of the header",
        file_of '{"__metadata__":{"crc32_header":"00000000"}}', "damaged header" },
    } do
      it("is refused with " .. case[1], function()
        local content, reason = stored.decode(case[2])
        assert.is_nil(content)
        assert.is_truthy(reason:find(case[3], 1, true), reason)
      end)
    end

    describe("and hostile", function()
      local MiB = 2 ^ 20 | 0
      -- A header of 1 MiB: the opening, then as many chunks as fit.
      local function full_of(opening, chunk)
        return opening .. chunk:rep((MiB - #opening) // #chunk)
      end
      local function keys_of(opening)
        local keys = {}
        for k = 1, 70000 do keys[k] = ('"%x":""'):format(k) end
        return opening .. table.concat(keys, ",")
      end
      for what, header in pairs {
        ["brackets"] = full_of("", "["),
        ["brackets within"] = full_of('{"x":', "["),
        ["braces within"] = full_of("", '{"x":'),
        ["braces in metadata"] = full_of('{"__metadata__":', '{"a":'),
        ["empty lists"] = full_of('{"x":[', "[]"),
        ["short lists"] = full_of('{"x":[', "[1]"),
        ["lists in lists"] = full_of('{"x":[', "[[[[]]]]"),
        ["short objects"] = full_of('{"x":[', "{1:1}"),
        ["a long shape"] = full_of('{"x":{"shape":[1', ",1"),
        ["long offsets"] = full_of('{"x":{"data_offsets":[1', ",1"),
        ["many tensors"] = keys_of "{",
        ["many keys of metadata"] = keys_of '{"x":5,"__metadata__":{',
        ["spaces"] = full_of("{", " "),
        ["comments"] = full_of("{", "/**/"),
        ["a long string"] = full_of('{"', "s"),
        ["escapes"] = full_of('{"', "\\n"),
        ["digits"] = full_of('{"x":{"shape":[', "1"),
      } do
        it("costs no more than 64 MiB with " .. what, function()
          -- Once as it is, once with what could end it, so that all of it is built.
          for _, ending in ipairs { "", "]}", '"}', "}}" } do
            local bytes = file_of(header:sub(1, MiB - #ending) .. ending)
            local allocated, content, reason = allocated_by(function()
              return stored.decode(bytes)
            end)
            assert.is_nil(content)
            assert.equal("string", type(reason))
            assert.is_true(allocated <= 64 * MiB, ("%d bytes"):format(allocated))
          end
        end)
      end

      it("is not even parsed beyond 1 MiB of header", function()
        local bytes = file_of(full_of("", "[") .. "[")
        local allocated, content, reason = allocated_by(function()
          return stored.decode(bytes)
        end)
        assert.is_nil(content)
        assert.matches("longer than 1 MiB", reason)
        assert.is_true(allocated < 1000, ("%d bytes"):format(allocated))
      end)
    end)

    it("may have thousands of tensors, and a header of 1 MiB but no more", function()
      local many = {}
      for k = 1, 10000 do
        many[k] = { name = tostring(k), dtype = "F32", shape = { 1 }, bytes = "1234" }
      end
      local content = assert(stored.decode(stored.encode(many)))
      assert.equal(10000, #content.names)
      assert.equal("10000", content.names[10000])

      local long = ("x"):rep(2 ^ 20 - 75)
      local bytes = stored.encode({}, { a = long })
      assert.equal(2 ^ 20 | 0, (string.unpack("<I8", bytes)))
      assert.equal(long, assert(stored.decode(bytes)).metadata.a)
      at_caller(function()
        local next_chunk = safetensors.chunks({}, { a = long .. "x" })
        return next_chunk
      end, "need a header of 1048584 bytes, at most 1048576 are allowed")
    end)
  end)
end)
