local allocated_by = require("spec.support.memory").allocated
local content = require "perilune.data.content"
local csv = require "perilune.data.csv"
local tables = require "spec.support.tables"
local zlib = require "zlib"

local read = tables.read

local function compress(bytes)
  return (zlib.deflate(1, 31)(bytes, "finish"))
end

describe("a pass over a CSV file", function()
  it("is the same however its bytes come", function()
    local text = "\xEF\xBB\xBFname;x;\"note\"\r\n'Anna';1.5;\"a;\"\"b\"\"\r\nc\"\r\n"
      .. "Zo\xC3\xAB;?;b\r\n\r\n"
    local expected = tables.cells(read(text))
    assert.same({ { "'Anna'", 1.5, 'a;"b"\r\nc' }, { "Zo\xC3\xAB", "", "b" } }, expected)
    local of = content.of
    finally(function() content.of = of end)
    for size = 3, #text do
      function content.of(source)
        local last = 0
        return { came = 0, chunk = function(self)
          local first = last + 1
          last = math.min(last + size, source.size)
          self.came = last
          if first <= last then return source:read(first, last) end
        end }
      end
      assert.same(expected, tables.cells(read(text)))
    end
  end)

  it("lets cells have at most a megabyte", function()
    local long = ("x"):rep(2 ^ 20)
    assert.equal(long, read("1," .. long .. "\n", { types = { [2] = "category" } })
      .columns[2].categories[1])
    local found, message = csv.decode('1,"' .. long:rep(2), { separator = "," }, "here")
    assert.is_nil(found)
    assert.matches("line 1, column 2: the quote that opens this cell is never closed", message)
    found, message = csv.decode("1,2\n" .. '1,"' .. long:rep(8) .. '"\n', nil, "here")
    assert.is_nil(found)
    assert.matches("^here: line 2: a cell of at most 1048576 bytes expected", message)
  end)

  it("over damaged or too much gzip data gives nil and the reason", function()
    local packed = compress("x,y\n" .. ("1,2\n"):rep(100000))
    local found, message = csv.decode(packed:sub(1, -5), nil, "here")
    assert.is_nil(found)
    assert.matches("^here: the gzip data ends too early", message)
    local allocated = allocated_by(function()
      found, message = csv.decode(packed, { most_bytes = 1000 }, "here")
    end)
    assert.is_nil(found)
    assert.matches("^here: more than 1000 bytes come out of %d+ bytes of gzip data", message)
    assert.is_true(allocated < 1e7)
    assert.equal(100000, read(packed, { most_bytes = 1e6 }).N)
  end)
end)
