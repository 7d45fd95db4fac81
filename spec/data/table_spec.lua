local Dataset = require "perilune.data.dataset"
local Table = require "perilune.data.table"
local at_caller = require("spec.support.misuse").at_caller
local csv = require "perilune.data.csv"
local pl = require "perilune"

local PEOPLE = [[
age,job,seen,note,income
41,nurse,2020-01-01,x,high
?,clerk,2020-01-02,y,low
30,,2020-01-03,z,low
52,nurse,2020-01-04,w,high
]]

local function read(text, options)
  local is_people = text:find("note", 1, true)
  return assert(csv.decode(text, options or is_people and { types = { note = "text" } } or nil))
end

-- Rows of a matrix, with false for NaN
local function rows_of(M)
  local rows = M:totable()
  for _, row in ipairs(rows) do
    for n, x in ipairs(row) do row[n] = x == x and x or false end
  end
  return rows
end

describe("a table's columns", function()
  local people = read(PEOPLE)

  it("are found by name and by number, with their cells", function()
    local age, cells = people:column "age"
    assert.equal(people.columns[1], age)
    assert.same({ { 41, false, 30, 52 } }, rows_of(cells))
    local job, labels = people:column(2)
    assert.same({ "clerk", "nurse" }, job.categories)
    assert.same({ { 2, 1, false, 2 } }, rows_of(labels))
    assert.same({ people.columns[4] }, { people:column "note" })
    at_caller(function() local _ = people:column "Age" end, 'column: the name or number of a '
      .. 'column expected, got "Age" (did you mean "age"?)')
    at_caller(function() local _ = people:column(6) end, "got 6")
  end)

  it("tell the rows in which they are not missing", function()
    assert.same({ 1, 3, 4 }, people:present "age")
    assert.same({ 1, 2, 4 }, people:present(2))
    at_caller(function() local _ = people:present "note" end, 'present: column "note" is text')
  end)

  it("are the same of chosen rows, as far as they have values", function()
    local some = people:select { 4, 3, 3 }
    assert.equal(3, some.N)
    assert.same({
      { name = "age", type = "number", missing = 0, row = 1, least = 30, most = 52 },
      { name = "job", type = "category", missing = 2, row = 2, categories = { "clerk", "nurse" } },
      { name = "income", type = "category", missing = 0, row = 3, categories = { "high", "low" } },
    }, some.columns)
    assert.same({ { 52, 30, 30 }, { 2, false, false }, { 1, 2, 2 } }, rows_of(some.values))
    assert.is_nil((people:select { 2 }):column("age").least)
    for _, wrong in ipairs { {}, { 0 }, { 5 }, { 1.5 }, { "1" }, 1 } do
      at_caller(function() local _ = people:select(wrong) end, "indices")
    end
    local words = read("a\nb\n", { header = false, types = { "text" } })
    at_caller(function() local _ = words:select { 1 } end, "select: a table with values expected")
  end)

  it("are shown a line each, with what was found", function()
    assert.equal(table.concat({
      "4 rows, 5 columns",
      "   1  age     number    30 to 52, 1 missing",
      "   2  job     category  2: clerk, nurse, 1 missing",
      "   3  seen    date",
      "   4  note    text",
      "   5  income  category  2: high, low",
    }, "\n"), tostring(people))
    assert.equal("2 rows, 1 columns\n   1  x  category  2: a b, c",
      tostring(read 'x\n"a\nb"\nc\n'))
    local names = {}
    for k = 1, 40 do names[k] = ("caf\xC3\xA9%02d"):format(k) end
    local text = tostring(read(table.concat(names, "\n") .. "\n" .. table.concat(names, "\n"),
      { header = false }))
    assert.equal("80 rows, 1 columns", text:match "^[^\n]*")
    assert.matches("category  40: caf\xC3\xA901, .*%.%.%.$", text)
    assert.is_truthy(utf8.len(text))
  end)

  it("belong to a table, which is known as such", function()
    assert.is_true(Table.is_table(people))
    assert.is_false(Table.is_table {})
  end)
end)

describe("a table's dataset", function()
  local people = read(PEOPLE)
  local given = { target = "income", drop = { "seen", "note" } }
  local train = people:dataset(given)

  it("has the raw cells, the labels, and what both mean", function()
    Dataset.check(train)
    assert.same({ { 41, false, 30, 52 }, { 2, 1, false, 2 } }, rows_of(train.X))
    assert.same({ { 1, 2, 2, 1 } }, rows_of(train.T))
    assert.same({ "high", "low" }, train.classes)
    assert.same({
      { name = "age", type = "number", missing = 1, least = 30, most = 52 },
      { name = "job", type = "category", missing = 1, categories = { "clerk", "nurse" } },
    }, train.schema)
    assert.equal("income", train.target)
  end)

  it("has the features that are asked for, in the table's order", function()
    local set = people:dataset { target = "income", features = { "job", 1 } }
    assert.same({ "age", "job" }, { set.schema[1].name, set.schema[2].name })
    set = people:select(people:present "age"):dataset { target = "age", task = "regression" }
    assert.same({ "job", "income" }, { set.schema[1].name, set.schema[2].name })
  end)

  it("learns numbers where the target has many, and is told which where they are few", function()
    local function set(values, task)
      local lines = { "x,y" }
      for k, y in ipairs(values) do lines[k + 1] = k .. "," .. y end
      return read(table.concat(lines, "\n")):dataset { target = "y", task = task }
    end
    local many = {}
    for k = 1, 21 do many[k] = k end
    assert.is_false(set(many).has_labels)
    assert.same({ { 0.5, 2, 3 } }, rows_of(set({ 0.5, 2, 3 }).T))
    local binary = set { 1, 0, 1 }
    assert.same({ { "0", "1" }, { { 2, 1, 2 } } }, { binary.classes, rows_of(binary.T) })
    at_caller(function() local _ = set { 1, 2, 3 } end, 'target: column "y" has 3 different whole '
      .. 'numbers, which may be meant as classes: task = "classification" or task = "regression"')
    assert.same({ { 1, 2, 3 } }, rows_of(set({ 1, 2, 3 }, "regression").T))
    local gap = set({ 7, 1, 3, 2, 5, 10, 1 }, "classification")
    assert.same({ "1", "2", "3", "5", "7", "10" }, gap.classes)
    assert.same({ { 5, 1, 3, 2, 4, 6, 1 } }, rows_of(gap.T))
    assert.same({ "-1", "0.1" }, set({ 0.1, -1 }, "classification").classes)
  end)

  it("is refused where the target cannot be learnt, with the cure", function()
    local function refuses(expected, options, text)
      local given_table = text and read(text) or people
      at_caller(function() local _ = given_table:dataset(options) end, expected)
    end
    refuses("option 'target' is required", {})
    refuses('target: the name or number of a column expected, got "Income"', { target = "Income" })
    refuses('target: column "age" lacks 1 of 4 cells, the first in row 2: leave their rows out, '
      .. 'table:select(table:present("age"))', { target = "age", drop = { "seen", "note" } })
    refuses('target: column "note" is text, of which no values are kept: drop = { "note" }, or '
      .. 'read the table with types = { ["note"] = "category" }', { target = "note" })
    refuses('target: numbers expected for regression, got categories in column "income"',
      { target = "income", drop = { "seen", "note" }, task = "regression" })
    refuses('target: two classes or more expected in column "y", got only "a"', { target = "y" },
      "x,y\n1,a\n2,a\n")
    local lines = { "x,y" }
    for k = 1, 1001 do lines[k + 1] = "1," .. k end
    refuses('at most 1000 classes expected, got more different numbers in column "y": task = '
      .. '"regression"', { target = "y", task = "classification" }, table.concat(lines, "\n"))
  end)

  it("is refused where features have no values or are none, with the cure", function()
    local function refuses(expected, options)
      at_caller(function() local _ = people:dataset(options) end, expected)
    end
    refuses('features: column "seen" is of dates, of which no values are kept: drop = { "seen" }',
      { target = "income" })
    refuses('features: column "note" is text', { target = "income", features = { "note" } })
    refuses("features: other columns than the target expected, got \"income\"",
      { target = "income", features = { "income" } })
    refuses('features: "age" twice', { target = "income", features = { "age", 1 } })
    refuses('features: the name or number of a column expected, got "Age"',
      { target = "income", features = { "Age" } })
    refuses('drop: the name or number of a column expected, got "Age"',
      { target = "income", drop = { "Age" } })
    refuses("features: one or more columns expected, got none",
      { target = "income", drop = { 1, 2, 3, 4 } })
    refuses("unknown option 'traget'", { traget = "income" })
    local empty = read("x,y,z\n1,,a\n2,,b\n")
    at_caller(function() local _ = empty:dataset { target = "z" } end,
      'features: column "y" has nothing but missing cells: drop = { "y" }')
  end)

  it("trains a network and is classified by name", function()
    local numbers = read "x,y,kind\n0,0,a\n1,0,b\n0,1,b\n1,1,a\n"
    local set = numbers:dataset { target = "kind" }
    local net = pl.network({ inputs = set.inputs, pl.dense(8, "tanh"), pl.dense(2) },
      { seed = 1, classes = set.classes })
    pl.fit(net, set, { loss = "softmax_cross_entropy", optimizer = { "adam", rate = 0.05 },
      epochs = 200 })
    assert.same({ "a", "b", "b", "a" }, (net:classify(assert(numbers:like(set)))))
  end)
end)

describe("a table like another", function()
  local train = read(PEOPLE):dataset { target = "income", drop = { "seen", "note" } }

  it("gives its columns by name, its categories as the other labels them", function()
    local X = assert(read("extra,job,age\n1,pilot,20\n2,clerk,\n3,nurse,30\n"):like(train.schema))
    assert.same({ { 20, false, 30 }, { 0, 1, 2 } }, rows_of(X))
    assert.same({ { 5, 6 }, { false, false } },
      rows_of(assert(read("age,job\n5,\n6,?\n"):like(train))))
    assert.same({ { false, false }, { 1, 2 } },
      rows_of(assert(read("age,job\n,clerk\n,nurse\n"):like { schema = train.schema })))
  end)

  it("knows categories that are written as numbers", function()
    local codes = read("code,y\n1,a\n2,b\nx,a\ny,b\n"):dataset { target = "y" }
    assert.same({ "1", "2", "x", "y" }, codes.schema[1].categories)
    assert.same({ { 2, 0, 1 } }, rows_of(assert(read("code,z\n2,1\n3,1\n1,1\n"):like(codes))))
  end)

  it("is read with the types of the other's features", function()
    local text = "job,age,income\n1,30,low\n2,40,high\n"
    local found = read(text, { like = train, types = { income = "text" } })
    assert.same({ "category", "number", "text" },
      { found.columns[1].type, found.columns[2].type, found.columns[3].type })
    assert.same({ { 30, 40 }, { 0, 0 } }, rows_of(assert(found:like(train))))
    local wrong, message = csv.decode("job,age\na,x\n", { like = train })
    assert.is_nil(wrong)
    assert.equal('CSV data: line 2, column 2 ("age"): a number expected, got "x"', message)
    assert.equal(1, read("other\n5\n", { like = train }).N)
    at_caller(function() local _ = csv.decode("1,2", { like = {} }) end,
      "like: a schema, or what has one, expected, got a table")
  end)

  it("gives nil and the reason where columns do not fit", function()
    local function refuses(reason, text, options)
      assert.same({ nil, reason }, { read(text, options or {}):like(train.schema) })
    end
    refuses('column "job" is missing (did you mean "Job"?)', "age,Job\n1,nurse\n2,clerk\n")
    refuses('column "job" is missing (known: "age", "task")', "age,task\n1,nurse\n2,clerk\n")
    refuses('column "age": numbers expected, got names ("a", "b")', "age,job\na,nurse\nb,clerk\n")
    refuses('column "age": numbers expected, got text (read the table with types = { ["age"] = '
      .. '"number" })', "age,job\n1,nurse\n2,clerk\n", { types = { age = "text" } })
    refuses('column "job": categories expected, got dates (read the table with types = { ["job"] '
      .. '= "category" })', "age,job\n1,2020-01-01\n2,2020-01-02\n")
    for _, wrong in ipairs { {}, 5, { schema = {} }, { schema = 5 } } do
      at_caller(function() local _ = read(PEOPLE):like(wrong) end,
        "like: a schema, or what has one, expected, got ")
    end
    at_caller(function() local _ = read(PEOPLE):like { { name = 5, type = "number" } } end,
      "schema: feature 1: name: a string expected, got 5")
  end)

  it("gives a dataset with the other's columns, classes and task", function()
    local test = read("income,job,age\nlow,nurse,1\nhigh,pilot,2\nlow,clerk,3\n")
      :dataset { like = train }
    assert.same({ { 1, 2, 3 }, { 2, 0, 1 } }, rows_of(test.X))
    assert.same({ { 2, 1, 2 } }, rows_of(test.T))
    assert.same({ train.classes, train.schema, train.target },
      { test.classes, test.schema, test.target })
    local numbers = read("x,y\n1,0.5\n2,0.7\n"):dataset { target = "y" }
    assert.same({ { 1, 2 } }, rows_of(read("y,x\n1,3\n2,4\n"):dataset({ like = numbers }).T))
    local classes = read("x,y\n1,3\n2,5\n"):dataset { target = "y" }
    assert.same({ { 2, 2 } }, rows_of(read("x,y\n1,5\n2,5\n"):dataset({ like = classes }).T))
  end)

  it("gives a dataset like a network's, whose target is named", function()
    local net = pl.network({ inputs = 2, pl.prepare(train), pl.dense(2) },
      { classes = train.classes })
    local test = read("result,job,age\nlow,nurse,1\nhigh,pilot,2\n")
      :dataset { like = net, target = "result" }
    assert.same({ { 1, 2 }, { 2, 0 } }, rows_of(test.X))
    assert.same({ { 2, 1 } }, rows_of(test.T))
    assert.equal("result", test.target)
    assert.equal("result", (read("result,job,age\nlow,nurse,1\nhigh,pilot,2\n")
      :dataset { like = train, target = 1 }).target)
  end)

  it("tells of classes that the other has not, and how to say which are meant", function()
    local other = read("age,job,income\n1,nurse,low.\n2,clerk,High\n3,clerk,low\n4,nurse,rich\n")
    at_caller(function() local _ = other:dataset { like = train } end, 'target: column "income" '
      .. 'has "High", "low.", "rich", which are none of the classes "high", "low": rename = { '
      .. '["High"] = "high", ["low."] = "low", ["rich"] = ... } says which are meant')
    local test = other:dataset { like = train,
      rename = { High = "high", ["low."] = "low", rich = "high" } }
    assert.same({ { 2, 1, 2, 1 } }, rows_of(test.T))
  end)

  it("is refused where the other says nothing, or the target does not fit", function()
    local function refuses(expected, options, text)
      local other = read(text or "age,job,income\n1,nurse,low\n2,clerk,high\n")
      at_caller(function() local _ = other:dataset(options) end, expected)
    end
    local plain = pl.dataset { X = { { 1, 2 } }, T = { { 1, 2 } } }
    local expected = "like: a dataset that was made of a table, or a network and a target, "
      .. "expected, got "
    refuses(expected .. "a dataset without a schema", { like = plain })
    refuses(expected .. "a table without a schema", { like = {} })
    refuses(expected .. "a table without a target", { like = { schema = train.schema } })
    refuses("drop: not expected beside like, which says it", { like = train, drop = { "age" } })
    refuses("rename: not expected without like", { target = "income", rename = { a = "b" } })
    refuses('like: column "job" is missing', { like = train }, "age,income\n1,low\n2,high\n")
    refuses('target: the name or number of a column expected, got "income"', { like = train },
      "age,job\n1,nurse\n2,clerk\n")
    local numbers = read("age,y\n1,0.5\n2,0.7\n"):dataset { target = "y" }
    refuses('target: numbers expected in column "y", got categories', { like = numbers },
      "age,y\n1,a\n2,b\n")
  end)
end)
