local allocated_by = require("spec.support.memory").allocated
local at_caller = require("spec.support.misuse").at_caller
local pl = require "perilune"
local proben1 = require "perilune.data.proben1"
local zlib = require "zlib"

local GZIP = 31 -- zlib's window bits for a gzip wrapper

local function compress(bytes)
  return (zlib.deflate(9, GZIP)(bytes, "finish"))
end

local function header(bool_in, real_in, bool_out, real_out, training, validation, test)
  return ("bool_in=%s\nreal_in=%s\nbool_out=%s\nreal_out=%s\ntraining_examples=%s\n"):format(
    bool_in, real_in, bool_out, real_out, training)
    .. ("validation_examples=%s\ntest_examples=%s\n"):format(validation, test)
end

local classes = header(1, 1, 2, 0, 2, 1, 1) .. "1 0.25 1 0\n0 -1e-1 0 1\n1 .5 0 1\n0 3 1 0\n"
local numbers = header(0, 1, 0, 2, 1, 1, 1) .. "1 0 1\n2 0.5 0\n3 1 1\n"

describe("A file of Proben1", function()
  local path

  local function read(bytes, options)
    do
      local file <close> = assert(io.open(path, "wb"))
      assert(file:write(bytes))
    end
    return proben1.read(path, options)
  end

  -- The file must not be readable, with a message that names it and the line.
  local function refuses(bytes, line, reason)
    local train, message, test = read(bytes)
    assert.is_nil(train)
    assert.is_nil(test)
    local prefix = ("%s: line %d: "):format(path, line)
    assert.equal(prefix, message:sub(1, #prefix))
    assert.is_truthy(message:find(reason, #prefix, true), message)
  end

  before_each(function() path = os.tmpname() end)
  after_each(function() os.remove(path) end)

  it("gives what to train, to validate and to test on, in the order of its lines", function()
    local train, validation, test = read(classes)
    assert.same({ { 1, 0 }, { 0.25, -0.1 } }, train.X:to("float64"):map(function(x)
      return math.floor(x * 1e6 + 0.5) / 1e6
    end):totable())
    assert.same({ { 1, 0 }, { 0, 1 } }, train.T:totable())
    assert.same({ { 1 }, { 0.5 } }, validation.X:totable())
    assert.same({ { 0 }, { 1 } }, validation.T:totable())
    assert.same({ { 0 }, { 3 } }, test.X:totable())
    assert.same({ { 1 }, { 0 } }, test.T:totable())
  end)

  it("is read by pl.data.proben1, in either type", function()
    for _, dtype in ipairs { "float32", "float64" } do
      read(classes)
      local train, validation, test = pl.data.proben1(path, { dtype = dtype })
      for _, set in ipairs { train, validation, test } do
        assert.same({ dtype, dtype }, { set.X.dtype, set.T.dtype })
      end
    end
    assert.equal("float32", read(classes).X.dtype)
    assert.equal(-0.1, (read(classes, { dtype = "float64" })).X:get(2, 2))
  end)

  it("says classes where its outputs are binary and one of each example's is 1", function()
    for _, set in ipairs { read(classes) } do
      assert.is_true(set.has_classes)
      assert.is_false(set.has_labels)
      assert.same({ "1", "2" }, set.classes)
    end
    for _, set in ipairs { read(numbers) } do
      assert.is_false(set.has_classes)
      assert.is_nil(set.classes)
    end
    local one_output = header(0, 1, 1, 0, 1, 1, 1) .. "1 0\n2 1\n3 1\n"
    assert.same({ "0", "1" }, read(one_output).classes)
    -- no class, or two, in any of the three sets; or a number
    for _, last in ipairs { "0 0", "1 1", "0.5 0" } do
      local train = read(header(0, 1, 2, 0, 1, 1, 1) .. "1 0 1\n2 1 0\n3 " .. last .. "\n")
      assert.is_false(train.has_classes)
    end
    -- by the header these are numbers
    assert.is_false(read(header(0, 1, 0, 2, 1, 1, 1) .. "1 0 1\n2 1 0\n3 1 0\n").has_classes)
  end)

  it("may be compressed, have lines of other systems, blanks, and no end of its last line",
    function()
      local expected = read(classes):checksum()
      for _, bytes in ipairs {
        compress(classes), classes:gsub("\n", "\r\n"), classes:gsub(" ", "\t  "),
        classes:gsub("=", " = "), classes:gsub("\n$", ""), classes .. "\n \n\n",
      } do
        assert.equal(expected, read(bytes):checksum())
      end
    end)

  it("may be of many chunks", function()
    local rows, state = {}, 1
    for n = 1, 60000 do
      state = state * 1103515245 + 12345 & 0x7fffffff
      rows[n] = ("%d %d"):format(state, n)
    end
    local text = header(0, 1, 0, 1, 59998, 1, 1) .. table.concat(rows, "\n")
    assert.is_true(#text > 2 ^ 19)
    for _, bytes in ipairs { text, compress(text) } do
      local train, _, test = read(bytes, { dtype = "float64" })
      assert.equal(state, test.X:get(1, 1))
      for n = 1, train.N, 997 do
        assert.equal(rows[n], ("%d %d"):format(train.X:get(1, n), train.T:get(1, n)))
      end
    end
  end)

  it("has a header of seven counts, in their order", function()
    refuses("", 1, "bool_in=COUNT expected, got the end of the file")
    refuses("bool_in=1\nbool_out=2\n", 2, 'real_in=COUNT expected, got "bool_out=2"')
    refuses(classes:gsub("=2\n", "=-2\n"), 3, 'bool_out=COUNT expected, got "bool_out=-2"')
    refuses(classes:gsub("=2\n", "=2.5\n"), 3, "bool_out=COUNT expected")
    refuses(classes:gsub("=2\n", "=99999999999999999999\n"), 3, "bool_out=COUNT expected")
    refuses(header(0, 0, 1, 0, 1, 1, 1), 7, "one input or more expected, got 0")
    refuses(header(0, 1, 0, 0, 1, 1, 1), 7, "one output or more expected, got 0")
    refuses(header(0, 1, 1, 0, 1, 0, 1), 7, "validation_examples: 1 or more expected, got 0")
  end)

  it("has as many examples as its header promises, of as many numbers", function()
    refuses(classes .. "1 1 1 0\n", 12, "more examples than the header promises")
    refuses(classes .. "\n\nx", 14, "more examples than the header promises")
    refuses(classes:gsub("0 3 1 0\n", "       \n"), 11, "4 numbers expected, got 0")
    refuses(classes:gsub("0 3 1 0\n", "0 3 1\n\n\n"), 11, "4 numbers expected, got 3")
    refuses(classes:gsub("0 3 1 0\n", "0 3 1 0 1\n"), 11, "4 numbers expected, got 5")
    refuses(classes:gsub("0 3 1 0\n", "") .. (" "):rep(9), 11, "4 numbers expected, got 0")
    refuses(classes:gsub(" 1\n0 3", " 1 0 3"), 10, "4 numbers expected, got 8")
    refuses(header(0, 1, 0, 1, 2, 1, 1) .. "1 1\n1 11111\n", 10,
      "an example expected, as the header promises, got the end of the file")
  end)

  it("has numbers, finite ones in their type", function()
    for _, wrong in ipairs { "x", "0x10", "nan", "inf", "-", "1e999", "3.5e38", "1,5", "1;0" } do
      refuses(classes:gsub("%.5", wrong), 10, ("column 2: a number expected, got %q"):format(wrong))
    end
    assert.equal(3.5e38, (select(2, read(classes:gsub("%.5", "3.5e38"), { dtype = "float64" })))
      .X:get(2, 1))
  end)

  it("that promises more than it can hold takes no memory", function()
    for _, counts in ipairs {
      { 0, 1, 1, 0, 2 ^ 40 | 0, 1, 1 }, { 2 ^ 62 | 0, 2 ^ 62 | 0, 1, 0, 1, 1, 1 },
      { 1, 0, 1, 0, math.maxinteger, math.maxinteger, math.maxinteger }, { 1, 0, 1, 0, 200, 1, 1 },
    } do
      local bytes = header(table.unpack(counts)) .. "1 1\n"
      local taken = allocated_by(function() refuses(bytes, 7, "are promised, more than") end)
      assert.is_true(taken < 2 ^ 20)
      if counts[5] > 200 then refuses(compress(bytes), 7, "are promised, more than") end
    end
  end)

  it("has lines of a bounded length", function()
    refuses(("x"):rep(2 ^ 22), 1, "a line of at most 1048576 bytes expected")
    refuses(compress(classes .. ("7"):rep(2 ^ 22)), 12, "a line of at most 1048576 bytes expected")
  end)

  it("that is damaged anywhere gives a message, or three sets", function()
    local random = pl.generator(5)
    local drawn = pl.float64.matrix(1, 3)
    for _, whole in ipairs { classes, numbers, compress(classes) } do
      for _ = 1, 300 do
        random:uniform(drawn)
        local place = 1 + (drawn:get(1, 1) * #whole // 1 | 0)
        local byte = string.char(drawn:get(1, 2) * 256 // 1 | 0)
        local cut = drawn:get(1, 3)
        local bytes = whole:sub(1, place - 1) .. (cut < 0.8 and byte or "")
          .. (cut < 0.9 and whole:sub(place + 1) or "")
        local train, message, test = read(bytes)
        if train then
          assert.is_true(train.N >= 1 and message.N >= 1 and test.N >= 1)
          assert.is_true(train.X:is_finite() and train.T:is_finite())
        else
          assert.equal(path .. ": ", message:sub(1, #path + 2))
        end
      end
    end
  end)

  it("that is missing, or damaged gzip, gives a message too", function()
    assert.same({ nil, "no/such.dt: No such file or directory" }, { proben1.read "no/such.dt" })
    local _, message = read(compress(classes):sub(1, -9))
    assert.matches("the gzip data ends too early", message)
  end)

  it("is named by a path, and read with options that are known", function()
    at_caller(function() local _ = proben1.read(7) end, "path: a path expected, got 7")
    at_caller(function() local _ = pl.data.proben1(path, { dtype = "float16" }) end, "dtype: ")
    at_caller(function() local _ = proben1.read(path, { type = 1 }) end, "unknown option 'type'")
  end)
end)

describe("Proben1's own files", function()
  local folder = os.getenv "PERILUNE_PROBEN1"

  -- Inputs, outputs, samples of each set, and whether they say classes
  local expected = {
    building1 = { 14, 3, 2104, 1052, 1052, false }, cancer1 = { 9, 2, 350, 175, 174, true },
    card1 = { 51, 2, 345, 173, 172, true }, diabetes1 = { 8, 2, 384, 192, 192, true },
    flare1 = { 24, 3, 533, 267, 266, false }, gene1 = { 120, 3, 1588, 794, 793, true },
    glass1 = { 9, 6, 107, 54, 53, true }, heart1 = { 35, 2, 460, 230, 230, true },
    hearta1 = { 35, 1, 460, 230, 230, false }, heartc1 = { 35, 2, 152, 76, 75, true },
    horse1 = { 58, 3, 182, 91, 91, true }, soybean1 = { 82, 19, 342, 171, 170, true },
    thyroid1 = { 21, 3, 3600, 1800, 1800, true },
  }

  it("have the sizes that the report gives", function()
    if not folder then return pending("Proben1 itself: set PERILUNE_PROBEN1") end
    for name, sizes in pairs(expected) do
      local train, validation, test = assert(proben1.read(("%s/%s.dt"):format(folder, name)))
      assert.same(sizes, { train.inputs, train.targets, train.N, validation.N, test.N,
        train.has_classes }, name)
    end
  end)

  it("are read number by number", function()
    if not folder then return pending("Proben1 itself: set PERILUNE_PROBEN1") end
    local path, first = folder .. "/cancer1.dt", 7
    local sets, all = { proben1.read(path, { dtype = "float64" }) }, {}
    for _, set in ipairs(sets) do
      for n = 1, set.N do
        local row = {}
        for i = 1, set.inputs do row[i] = set.X:get(i, n) end
        for i = 1, set.targets do row[set.inputs + i] = set.T:get(i, n) end
        all[#all + 1] = row
      end
    end
    local number = 0
    for line in io.lines(path) do
      number = number + 1
      local column = 0
      for word in line:gmatch(number > first and "%S+" or "()()()$") do
        column = column + 1
        if number > first then assert.equal(tonumber(word), all[number - first][column]) end
      end
    end
    assert.equal(number - first, #all)
  end)
end)
