local Dataset = require "perilune.data.dataset"
local at_caller = require("spec.support.misuse").at_caller
local pl = require "perilune"
local tables = require "spec.support.tables"

local read = tables.read

describe("a table's dataset", function()
  local people = tables.people()
  local given = { target = "income", drop = { "seen", "note" } }
  local train = people:dataset(given)

  it("has the raw cells, the labels, and what both mean", function()
    Dataset.check(train)
    assert.same({ { 41, false, 30, 52 }, { 2, 1, false, 2 } }, tables.rows(train.X))
    assert.same({ { 1, 2, 2, 1 } }, tables.rows(train.T))
    assert.same({ "high", "low" }, train.classes)
    assert.same({
      { name = "age", type = "number", missing = 1, least = 30, most = 52 },
      { name = "job", type = "category", missing = 1, categories = { "clerk", "nurse" } },
    }, train.schema)
    assert.equal("income", train.target)
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

describe("a dataset like another table's", function()
  local train = tables.people():dataset { target = "income", drop = { "seen", "note" } }

  it("gives a dataset with the other's columns, classes and task", function()
    local test = read("income,job,age\nlow,nurse,1\nhigh,pilot,2\nlow,clerk,3\n")
      :dataset { like = train }
    assert.same({ { 1, 2, 3 }, { 2, 0, 1 } }, tables.rows(test.X))
    assert.same({ { 2, 1, 2 } }, tables.rows(test.T))
    assert.same({ train.classes, train.schema, train.target },
      { test.classes, test.schema, test.target })
    local numbers = read("x,y\n1,0.5\n2,0.7\n"):dataset { target = "y" }
    assert.same({ { 1, 2 } }, tables.rows(read("y,x\n1,3\n2,4\n"):dataset({ like = numbers }).T))
    local classes = read("x,y\n1,3\n2,5\n"):dataset { target = "y" }
    assert.same({ { 2, 2 } }, tables.rows(read("x,y\n1,5\n2,5\n"):dataset({ like = classes }).T))
  end)

  it("gives a dataset like a network's, whose target is named", function()
    local net = pl.network({ inputs = 2, pl.prepare(train), pl.dense(2) },
      { classes = train.classes })
    local test = read("result,job,age\nlow,nurse,1\nhigh,pilot,2\n")
      :dataset { like = net, target = "result" }
    assert.same({ { 1, 2 }, { 2, 0 } }, tables.rows(test.X))
    assert.same({ { 2, 1 } }, tables.rows(test.T))
    assert.equal("result", test.target)
    assert.equal("result", (read("result,job,age\nlow,nurse,1\nhigh,pilot,2\n")
      :dataset { like = train, target = 1 }).target)
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
