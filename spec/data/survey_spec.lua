local csv = require "perilune.data.csv"
local pl = require "perilune"
local raises = require "spec.support.raises"

-- A table of rows given as lists of cells, below a header
local function table_of(header, rows, options)
  local lines = { header }
  for k, row in ipairs(rows) do lines[k + 1] = table.concat(row, ",") end
  return assert(csv.decode(table.concat(lines, "\n") .. "\n", options))
end

-- 60 rows of numbers that say little about each other, from a generator of its own
local function rows_of(make)
  local state, rows = 7, {}
  local function random(n)
    state = (state * 1103515245 + 12345) % 2 ^ 31 | 0
    return (state >> 16) % n
  end
  for n = 1, 60 do rows[n] = make(random, n) end
  return rows
end

local function names_of(list)
  local names = {}
  for k, found in ipairs(list) do names[k] = found.name end
  return names
end

describe("pl.data.survey", function()
  it("counts classes, in order, and tells the rare ones", function()
    local rows = rows_of(function(random, n)
      return { random(100) / 8, n <= 40 and "no" or n <= 57 and "yes" or "maybe" }
    end)
    local found = pl.data.survey(table_of("x,answer", rows), { target = "answer" })
    assert.equal("classification", found.target.task)
    assert.same({ { name = "maybe", count = 3 }, { name = "no", count = 40 },
      { name = "yes", count = 17 } }, found.target.classes)
    assert.equal("target answer, 3 classes: maybe 3 (5.0 %), no 40 (66.7 %), yes 17 (28.3 %)\n"
      .. "fewer than 10 rows each: class maybe", tostring(found))
  end)

  it("tells of numbers their range, mean and deviation", function()
    local rows = {}
    for n = 1, 40 do rows[n] = { n % 7, n + 0.5 } end
    local target = pl.data.survey(table_of("x,y", rows), { target = "y" }).target
    assert.equal("regression", target.task)
    assert.same({ 1.5, 40.5, 21 }, { target.least, target.most, target.mean })
    assert.is_true(math.abs(target.deviation - math.sqrt((40 ^ 2 - 1) / 12)) < 1e-5)
  end)

  it("takes up to twenty different whole numbers for classes, unless it is told", function()
    local function target_of(different, task)
      local rows = {}
      for n = 1, 60 do rows[n] = { n * 0.37, n % different } end
      return pl.data.survey(table_of("x,y", rows), { target = "y", task = task }).target
    end
    assert.equal("classification", target_of(20).task)
    assert.equal("regression", target_of(21).task)
    assert.equal("regression", target_of(3, "regression").task)
    assert.equal(21, #target_of(21, "classification").classes)
    assert.same({ name = "2", count = 20 }, target_of(3).classes[3])
  end)

  it("finds columns that never change, that repeat others, and that only name rows", function()
    local rows = rows_of(function(random, n)
      local level = random(4)
      return { 1000 + n, 5, level, "L" .. level, random(1000) / 7, random(2) }
    end)
    local found = pl.data.survey(table_of("id,unit,level,grade,x,y", rows), { target = "y" })
    assert.same({ "unit" }, found.constants)
    assert.same({ { "level", "grade" } }, found.same)
    assert.same({ "id" }, found.names_of_rows)
    assert.same({}, found.suspects)
    assert.matches("unit never changes\ngrade says the same as level\n"
      .. "id is different in every row: does it only name them?", tostring(found), 1, true)
  end)

  it("takes columns that differ in one cell, or in what is missing, for different", function()
    local rows = rows_of(function(random, n)
      local x = random(9)
      return { x, n == 31 and (x + 1) % 9 or x, n == 31 and "" or x, random(2) }
    end)
    assert.same({}, pl.data.survey(table_of("a,b,c,y", rows), { target = "y" }).same)
  end)

  it("takes numbers that are nearly all different for the same only by their values", function()
    local rows = rows_of(function(random, n)
      return { n / 3, 100 - n / 3, n / 3, random(2) }
    end)
    assert.same({ { "a", "c" } },
      pl.data.survey(table_of("a,b,c,y", rows), { target = "y" }).same)
  end)

  it("suspects what alone tells a class: by its value, or by a split", function()
    local rows = rows_of(function(random, n)
      local y = random(2)
      local noisy = n % 12 == 0 and 1 - y or y
      return { y == 1 and "closed" or "open", y * 50 + random(500) / 10, noisy, random(100), y }
    end)
    local found = pl.data.survey(table_of("status,paid,noisy,x,y", rows), { target = "y" })
    assert.same({ "status", "paid" }, names_of(found.suspects))
    assert.same({ 1, 1 }, { found.suspects[1].share, found.suspects[2].share })
    assert.matches("paid alone tells the target (100.0 % of it): was it made of it?",
      tostring(found), 1, true)
  end)

  it("suspects what alone tells a number: by its value, or by its order", function()
    local rows = rows_of(function(random, n)
      local y = random(6) + 0.25
      return { "t" .. y, math.exp(y) + n * 1e-4, y + random(5), y + n * 1e-5 }
    end)
    local found = pl.data.survey(table_of("kind,growth,x,y", rows), { target = "y" })
    assert.same({ "kind", "growth" }, names_of(found.suspects))
  end)

  it("does not suspect a name for each row, which tells nothing of others", function()
    local rows = rows_of(function(random, n) return { "row" .. n, random(2) } end)
    local found = pl.data.survey(table_of("name,y", rows, { types = { name = "category" } }),
      { target = "y" })
    assert.same({}, found.suspects)
  end)

  it("counts the share of errors, not of rows, where one class is common", function()
    local rows = rows_of(function(random, n)
      return { random(50), n % 20 == 0 and 1 or 0 } -- always 0 is right in 95 %
    end)
    assert.same({}, pl.data.survey(table_of("x,y", rows), { target = "y" }).suspects)
  end)

  it("takes missing cells as a value of their own", function()
    local rows = rows_of(function(random)
      local y = random(2)
      return { y == 1 and "" or random(30), y }
    end)
    local found = pl.data.survey(table_of("returned,y", rows), { target = "y" })
    assert.same({ "returned" }, names_of(found.suspects))
  end)

  it("looks only at rows whose target is known, and leaves out what it is told to", function()
    local rows = rows_of(function(random, n)
      local y = random(2)
      return { y, n <= 5 and "" or y, "a" }
    end)
    local data = table_of("copy,y,unit", rows)
    local found = pl.data.survey(data, { target = "y" })
    assert.same({ 5, 55, { "copy" } },
      { found.target.missing, found.looked_at, names_of(found.suspects) })
    assert.matches("rows in which the target is missing: 5", tostring(found), 1, true)
    found = pl.data.survey(data, { target = 2, drop = { "copy", 3 } })
    assert.same({ {}, {} }, { found.suspects, found.constants })
  end)

  it("names columns of text and dates, of which no values are kept", function()
    local rows = rows_of(function(random, n)
      return { ("2024-01-%02d"):format(1 + n % 28), ("note %d on it"):format(n), random(2) }
    end)
    local found = pl.data.survey(table_of("day,note,y", rows), { target = "y" })
    assert.same({ { name = "day", type = "date" }, { name = "note", type = "text" } },
      found.left_out)
  end)

  it("needs no target", function()
    local rows = rows_of(function(random) return { random(9), 1 } end)
    local found = pl.data.survey(table_of("x,unit", rows))
    assert.same({ "unit" }, found.constants)
    assert.equal("unit never changes", tostring(found))
  end)

  it("looks at some of the rows of a long table, from its beginning to its end", function()
    local rows = {}
    for n = 1, 50000 do rows[n] = { n <= 45000 and 1 or 2, n % 2 } end
    local found = pl.data.survey(table_of("late,y", rows), { target = "y" })
    assert.same({ 50000, 20000, {} }, { found.N, found.looked_at, found.constants })
    assert.equal(25000, found.target.classes[1].count)
  end)

  it("refuses what it cannot look at", function()
    local data = table_of("x,word", { { 1, "a" }, { 2, "b" }, { 3, "a" } })
    raises("pl.data.survey: a table expected, got 3", pl.data.survey, 3)
    raises("column: the name or number of a column expected, got \"z\"", pl.data.survey, data,
      { target = "z" })
    raises("target: numbers expected for regression, got categories in column \"word\"",
      pl.data.survey, data, { target = "word", task = "regression" })
    raises("unknown option 'goal'", pl.data.survey, data, { goal = "x" })
    local text = table_of("x,note", { { 1, "a b" }, { 2, "c d" } }, { types = { note = "text" } })
    raises("target: numbers or categories expected in column \"note\", got text", pl.data.survey,
      text, { target = "note" })
  end)

  local tables = os.getenv "PERILUNE_TABLES"
  local it_finds = tables and it or pending
  it_finds("finds that one column of Adult says in numbers what another does in words", function()
    local adult = assert(pl.data.csv(tables .. "/adult-train.csv.gz"))
    local found = pl.data.survey(adult, { target = 15 })
    assert.same({ { name = "<=50K", count = 24720 }, { name = ">50K", count = 7841 } },
      found.target.classes)
    assert.same({ { { "column_4", "column_5" } }, {}, {}, {} },
      { found.same, found.suspects, found.constants, found.names_of_rows })
  end)

  it_finds("suspects no column of tables that are known to be sound", function()
    local targets = {
      ["california.csv.gz"] = "median_house_value", ["auto_imports.csv"] = 26,
      ["horse-colic.csv"] = 24, ["breast-cancer.csv"] = 10, ["german.csv"] = 21,
      ["glass.csv"] = 10, ["banknote_authentication.csv"] = 5, ["iris.csv"] = 5,
      ["winequality-white.csv"] = 12,
    }
    for name, target in pairs(targets) do
      local data = assert(pl.data.csv(tables .. "/" .. name))
      local found = pl.data.survey(data, { target = target })
      assert.same({}, found.suspects, name)
      assert.same({}, found.names_of_rows, name)
    end
  end)
end)
