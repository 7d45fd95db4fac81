local at_caller = require("spec.support.misuse").at_caller
local pl = require "perilune"
local schema = require "perilune.data.schema"

local core = pl.float32

local features = {
  { name = "age", type = "number", least = 17, most = 90, missing = 3 },
  { name = "job", type = "category", categories = { "clerk", "nurse" } },
}

local function set_of(list, rows)
  return pl.dataset { X = core.matrix(rows or 2, 4), T = core.matrix(1, 4), schema = list }
end

describe("the schema of a dataset", function()
  it("says what the rows of X mean, as a copy", function()
    local set = set_of(features)
    assert.same(features, set.schema)
    assert.is_false(rawequal(features[2].categories, set.schema[2].categories))
    assert.is_nil(pl.dataset({ X = core.matrix(2, 4), T = core.matrix(1, 4) }).schema)
  end)

  it("goes with subsets, and with sets in another form", function()
    local set = pl.dataset { X = core.matrix(2, 4), labels = { 1, 2, 1, 2 }, schema = features,
      target = "class" }
    local one, rest = set:split(0.5, pl.generator(1))
    for _, other in ipairs { one, rest, set:to "float64", set:one_hot(), one:for_outputs(1) } do
      assert.same(features, other.schema)
      assert.equal("class", other.target)
    end
  end)

  it("is refused where it does not say what X is", function()
    at_caller(function() set_of(features, 3) end,
      "schema: a feature for each of the 3 rows of X expected, got 2")
    at_caller(function() set_of { 1, 2 } end, "schema: feature 1: a table of options expected")
    at_caller(function() set_of { features[1], features[1] } end,
      "schema: two features are called \"age\"")
    at_caller(function() set_of { features[1], { name = "b", type = "text" } } end,
      "schema: feature 2: type: \"number\" or \"category\" expected, got \"text\"")
    at_caller(function() set_of { features[1], { name = "b", type = "category" } } end,
      "schema: feature 2: a list of its categories expected")
    at_caller(function() set_of { { name = "a", type = "number", categories = { "b" } },
      features[2] } end, "schema: feature 1: categories of a number")
    at_caller(function() set_of { features[1], { name = "b", type = "category",
      categories = { "x", "x" } } } end, "a list of different names expected, got \"x\" twice")
  end)
end)

describe("two schemas", function()
  local function with(change, k, name, value)
    local list = schema.of(features)
    if change then list[k][name] = value end
    return list
  end

  it("are the same where names, types and categories are", function()
    assert.is_nil(schema.difference(features, with()))
    assert.is_nil(schema.difference(features, with(true, 1, "most", 7)))
  end)

  it("differ by what is told", function()
    assert.equal("column 1: \"age\" expected, got \"Age\"",
      schema.difference(features, with(true, 1, "name", "Age")))
    assert.equal("column \"job\": a category expected, got a number",
      schema.difference(features, with(true, 2, "type", "number")))
    assert.equal("column \"job\": \"nurse\" expected as category 2, got \"smith\"",
      schema.difference(features, with(true, 2, "categories", { "clerk", "smith" })))
    assert.equal("column \"job\": nil expected as category 3, got \"smith\"",
      schema.difference(features, with(true, 2, "categories", { "clerk", "nurse", "smith" })))
  end)

  it("are compared before training and evaluation", function()
    local net = pl.network { inputs = 2, pl.prepare(set_of(features)), pl.dense(1) }
    local turned = set_of { features[2], features[1] }
    at_caller(function() pl.fit(net, turned, { loss = "squared_error" }) end,
      "the training set does not have the columns that the network was made for: column 1: \"age\" "
        .. "expected, got \"job\"")
    at_caller(function() pl.evaluate(net, turned, "squared_error") end,
      "the dataset does not have the columns that the network was made for")
  end)
end)

describe("a feature that never changes", function()
  it("is warned of by its name", function()
    local set = set_of(features)
    set.X:set(1, 1, 20)
    for n = 1, 4 do set.X:set(2, n, 2) end
    local net = pl.network { inputs = 2, pl.prepare(set), pl.dense(1) }
    local history = pl.fit(net, set, { loss = "squared_error", epochs = 1 })
    assert.equal("the training set's X never changes in row 2 (\"job\"): nothing can be learned "
      .. "from it", history.warnings[1])
  end)
end)

describe("the features of a schema", function()
  it("are those of a list, or of what has one, as a copy", function()
    local set = set_of(features)
    for _, value in ipairs { features, { schema = features }, set } do
      local found = schema.features_of(value)
      assert.same(features, found)
      assert.is_false(rawequal(features, found) or rawequal(set.schema, found))
    end
    for _, wrong in ipairs { {}, { schema = {} }, { schema = 5 }, 5, "age" } do
      at_caller(function() schema.features_of(wrong) end,
        "like: a schema, or what has one, expected, got ")
    end
    at_caller(function() schema.features_of(nil) end, "got nil")
  end)
end)

describe("names in messages", function()
  it("are cut where there are many", function()
    local names = {}
    for k = 1, 12 do names[k] = "c" .. k end
    assert.equal("\"a\", \"b\"", schema.shown { "a", "b" })
    assert.equal("\"c1\", \"c2\", \"c3\", \"c4\", \"c5\", \"c6\", \"c7\", \"c8\" and 4 more",
      schema.shown(names))
  end)

  it("are those that were probably meant", function()
    local names = { "income", "age", "Hours" }
    assert.equal(" (did you mean \"income\"?)", schema.hint("incme", names))
    assert.equal(" (did you mean \"income\"?)", schema.hint("icnome", names))
    assert.equal(" (did you mean \"Hours\"?)", schema.hint("hours", names))
    assert.equal(" (known: \"income\", \"age\", \"Hours\")", schema.hint("zip", names))
    assert.equal(" (known: \"age\")", schema.hint(3, { "age" }))
    assert.equal(" (known: \"age\")", schema.hint(("x"):rep(1e6), { "age" }))
  end)
end)
