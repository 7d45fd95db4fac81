local at_caller = require("spec.support.misuse").at_caller
local tables = require "spec.support.tables"

local read = tables.read

describe("a table's inputs", function()
  local people = tables.people()

  it("are the features that are asked for, in the table's order", function()
    local set = people:dataset { target = "income", features = { "job", 1 } }
    assert.same({ "age", "job" }, { set.schema[1].name, set.schema[2].name })
    set = people:select(people:present "age"):dataset { target = "age", task = "regression" }
    assert.same({ "job", "income" }, { set.schema[1].name, set.schema[2].name })
  end)

  it("are refused where features have no values or are none, with the cure", function()
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
end)

describe("a table like another", function()
  local train = tables.people():dataset { target = "income", drop = { "seen", "note" } }

  it("gives its columns by name, its categories as the other labels them", function()
    local X = assert(read("extra,job,age\n1,pilot,20\n2,clerk,\n3,nurse,30\n"):like(train.schema))
    assert.same({ { 20, false, 30 }, { 0, 1, 2 } }, tables.rows(X))
    assert.same({ { 5, 6 }, { false, false } },
      tables.rows(assert(read("age,job\n5,\n6,?\n"):like(train))))
    assert.same({ { false, false }, { 1, 2 } },
      tables.rows(assert(read("age,job\n,clerk\n,nurse\n"):like { schema = train.schema })))
  end)

  it("knows categories that are written as numbers", function()
    local codes = read("code,y\n1,a\n2,b\nx,a\ny,b\n"):dataset { target = "y" }
    assert.same({ "1", "2", "x", "y" }, codes.schema[1].categories)
    assert.same({ { 2, 0, 1 } }, tables.rows(assert(read("code,z\n2,1\n3,1\n1,1\n"):like(codes))))
    assert.same({ { 2, false, 1 } },
      tables.rows(assert(read("code,z\n2,1\n,1\n1,1\n"):like(codes))))
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
      at_caller(function() local _ = tables.people():like(wrong) end,
        "like: a schema, or what has one, expected, got ")
    end
    at_caller(function() local _ = tables.people():like { { name = 5, type = "number" } } end,
      "schema: feature 1: name: a string expected, got 5")
  end)
end)
