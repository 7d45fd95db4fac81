-- Tables whose rows stay in their file are the same as those in memory.

local Folder = require "spec.support.folder"
local at_caller = require("spec.support.misuse").at_caller
local csv = require "perilune.data.csv"
local memory = require "spec.support.memory"
local pl = require "perilune"
local same = require("spec.support.matrices").same
local zlib = require "zlib"

describe("a CSV file whose rows stay there", function()
  local folder, path

  setup(function()
    folder = Folder.new()
    path = folder:at "a.csv"
  end)
  teardown(function() folder:remove() end)

  -- The table of a text in memory, and in a file by windows of these sizes
  local function both(text, options, window, chunk)
    folder:write("a.csv", text)
    local in_file = { window = window, chunk = chunk }
    for name, value in pairs(options or {}) do in_file[name] = value end
    return assert(pl.data.csv(path, options)), assert(pl.data.csv(path, in_file))
  end

  local function refuses(reason, text, options)
    folder:write("a.csv", text)
    options = options or {}
    options.window = 2
    local found, message = pl.data.csv(path, options)
    assert.is_nil(found)
    assert.equal(path .. ": " .. reason, message)
  end

  -- Text of so many rows, with what people put into such files
  local function text_of(rows, options)
    local ends = options.ends or "\n"
    local lines = { options.mark and "\xEF\xBB\xBFage,job,note,income" or "age,job,note,income" }
    local jobs = { "zookeeper", '"a ""b"""', "clerk", "", '"x,y"' }
    for n = 1, rows do
      local note = n % 3 == 0 and '"two\nlines"' or "word " .. n
      lines[#lines + 1] = ("%d,%s,%s,%s"):format(n, jobs[(n * n * n) % 5 + 1], note,
        n % 7 == 0 and "?" or n / 8)
      if n % 4 == 0 then lines[#lines + 1] = options.blank and "" or nil end
    end
    return table.concat(lines, ends) .. (options.last == false and "" or ends)
  end

  it("has the numbers, labels and columns that it has in memory", function()
    for _, options in ipairs {
      {}, { ends = "\r\n" }, { blank = true }, { mark = true }, { last = false },
      { ends = "\r\n", blank = true, mark = true, last = false },
    } do
      for _, sizes in ipairs { { 1, 1 }, { 6, 3 }, { 30, 30 }, { 40, 7 }, { 12, 4 } } do
        local table_, in_file = both(text_of(30, options), { types = { note = "text" } },
          sizes[1], sizes[2])
        assert.equal(tostring(table_), tostring(in_file))
        assert.same(table_.columns, in_file.columns)
        assert.same({ 30, 3, 30 }, { in_file.N, in_file.values.rows, in_file.values.cols })
        assert.is_true(same(table_.values, in_file.values:columns(1, 30)))
        assert.is_true(same(table_.values:slice(1, 3, 17, 17), in_file.values:columns(17, 17)))
        for row = 1, 3 do
          assert.is_true(same(table_.values:slice(row, row), in_file.values:row(row)))
        end
      end
    end
  end)

  it("may have no header, other separators and types, and float64", function()
    local text = "1;2,5;b\n3;-4,25;a\n5;0,1;b\n"
    local options = { header = false, decimal = ",", dtype = "float64", columns = { "x", "y", "z" },
      types = { x = "category" } }
    local table_, in_file = both(text, options, 2, 1)
    assert.same(table_.columns, in_file.columns)
    assert.equal("float64", in_file.values.dtype)
    assert.is_true(same(table_.values, in_file.values:columns(1, 3)))
  end)

  it("may begin with the mark of UTF-8 and a row", function()
    for _, text in ipairs { "1,b\n3,a\n", "\n1,b\n3,a\n", "1,b" } do
      for chunk = 1, 2 do
        local table_, in_file = both("\xEF\xBB\xBF" .. text, { header = false }, 2, chunk)
        assert.same(table_.columns, in_file.columns)
        assert.is_true(same(table_.values, in_file.values:columns(1, table_.N)))
      end
    end
  end)

  it("gives datasets of the same samples, with the same schema", function()
    local table_, in_file = both(text_of(60, {}), { types = { note = "text" } }, 20, 5)
    local options = { target = "age", features = { "income", "job" } }
    local one, other = table_:dataset(options), in_file:dataset(options)
    assert.same(one.schema, other.schema)
    assert.equal(one:checksum(), other:checksum())
    assert.same({ tostring(one), one.target }, { tostring(other), other.target })
    options = { target = "job", drop = { "note" } }
    at_caller(function() local _ = in_file:dataset(options) end, 'target: column "job" lacks')
  end)

  it("is trained on with prepared columns as in memory", function()
    local lines = { "a,b,class" }
    local generator = pl.generator(1)
    for n = 1, 200 do
      local a, b = generator:number(), ({ "u", "v", "w" })[generator:integer(1, 3)]
      lines[n + 1] = ("%.3f,%s,%s"):format(a, b, (a > 0.5) == (b == "v") and "yes" or "no")
    end
    local table_, in_file = both(table.concat(lines, "\n"), nil, 40, 10)
    local set, other = table_:dataset { target = "class" }, in_file:dataset { target = "class" }
    local prepared = pl.prepare(set)
    assert.same(prepared, pl.prepare(other))
    local net = pl.network({ inputs = 2, pl.prepare(other), pl.dense(16, "tanh"), pl.dense(2) },
      { seed = 1, classes = set.classes })
    local history = pl.fit(net, other, { loss = "softmax_cross_entropy", epochs = 60, batch = 20,
      optimizer = { "adam", rate = 0.02 } })
    assert.is_true(history[60].accuracy > 0.95)
    assert.equal(history[60].accuracy > 0.95, pl.evaluate(net, set).accuracy > 0.95)
    assert.same(net:classify(set.X), net:classify(other.X))
    assert.same({ "yes" }, (net:classify { a = 0.9, b = "v" }))
  end)

  it("is refused with the faults that it has in memory, at the same places", function()
    refuses("line 3: 2 cells expected, as in line 1, got 3", "a,b\n1,2\n3,4,5\n")
    refuses('line 4, column 2 ("b"): a number that float32 holds expected, got "1e300" (dtype = '
      .. '"float64" holds more)', "a,b\n1,2\n3,4\n5,1e300\n7,8\n")
    refuses("rows expected below the header, got none", "a,b\n", { header = true })
  end)

  it("is refused where rows cannot be found by their number", function()
    for _, text in ipairs { "a,b\r1,2\r3,4", "a,b\n1,2\r3,4\n", "a,b\r1,2\n", "a,b\n1,2\r\r\n" } do
      refuses("rows that end with LF or CR LF expected, got some that end with CR", text)
    end
    refuses("packed by gzip: only in a plain file can rows be found by their number",
      (zlib.deflate(9, 31)("a,b\n1,2\n", "finish")))
    at_caller(function() local _ = csv.decode("a,b\n1,2\n", { window = 2 }) end,
      "window: a file expected whose rows stay there, got text")
    at_caller(function() local _ = pl.data.csv(path, { window = 0 }) end, "window: ")
    folder:write("a.csv", "a,b\n1,2\n3,4\n")
    at_caller(function() local _ = pl.data.csv(path, { window = 1, chunk = 2 }) end,
      "chunk: at most the window's 1 samples expected, got 2")
  end)

  it("is told where the file has changed since", function()
    local rows = {}
    for n = 1, 20000 do rows[n] = ("%d,%s\n"):format(n, n % 2 == 0 and "u" or "v") end
    local _, in_file = both("a,b\n" .. table.concat(rows), nil, 100, 10)
    folder:write("a.csv", "a,b\n" .. table.concat(rows):gsub("v", "w"))
    at_caller(function() local _ = in_file.values:columns(19000, 19001) end,
      path .. ": changed since it was opened")
    folder:write("a.csv", "short")
    at_caller(function() local _ = in_file.values:columns(9000, 9001) end,
      path .. ": became shorter while it was read")
  end)

  it("asks for a part where all rows would be needed at once", function()
    local _, in_file = both("a,b\n1,2\n3,4\n5,6\n", nil, 1, 1)
    at_caller(function() local _ = in_file:select { 1, 2 } end,
      '"select_columns": the 3 samples stay in a file')
  end)

  it("is trained on in the memory of its window", function()
    if (os.getenv("PERILUNE_BUILD") or ""):find("sanitize") then
      return pending("sanitizers reserve more memory than the limit")
    end
    local line = ("0.25,"):rep(20)
    local file = assert(io.open(path, "wb"))
    local names = {}
    for k = 1, 20 do names[k] = "x" .. k end
    file:write(table.concat(names, ","), ",y\n")
    for _ = 1, 200 do file:write(((line .. "no\n") .. (line .. "yes\n")):rep(1000)) end
    file:close()
    local megabytes, N = memory.growth("net = pl.network { inputs = 20, pl.dense(2) }", ([[
      local rows = assert(pl.data.csv(%q, { window = 4096 }))
      local set = rows:dataset { target = "y" }
      pl.fit(net, set, { loss = "softmax_cross_entropy", epochs = 1, batch = 1024 })
      result = set.N]]):format(path))
    assert.equal("400000", N)
    assert.is_true(megabytes < 20, megabytes) -- X would be 32, the file is 42
  end)
end)
