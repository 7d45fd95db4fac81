-- Samples by name, as a network that prepares its columns takes them.

local at_caller = require("spec.support.misuse").at_caller
local naive = require "spec.support.naive"
local pl = require "perilune"

local core, nan = pl.float64, naive.nan

local data = pl.dataset {
  X = core.matrix { { 30, 41, 52, nan }, { 1, 2, 1, nan }, { 1, 3, 2, 1 } },
  labels = { 1, 2, 1, 2 }, classes = { "no", "yes" },
  schema = {
    { name = "age", type = "number" },
    { name = "job", type = "category", categories = { "clerk", "nurse" } },
    { name = "cylinders", type = "category", categories = { "4", "6", "8" } },
  },
}

local function network(options)
  return pl.network({ inputs = 3, pl.prepare(data, options), pl.dense(2) },
    { dtype = "float64", classes = data.classes, gives = "logits" })
end

describe("a record", function()
  local net = network()

  it("is predicted as the raw column that it means", function()
    local record = { age = 41, job = "nurse", cylinders = "8" }
    naive.near(net:predict(record), net:predict(core.matrix { { 41 }, { 2 }, { 3 } }):totable(), 0)
    naive.near(net:predict { age = 41, job = "nurse", cylinders = 8 },
      net:predict(record):totable(), 0)
    local classes, P = net:classify(record)
    assert.equal(1, #classes)
    assert.equal(classes[1], net:classify(core.matrix { { 41 }, { 2 }, { 3 } })[1])
    assert.equal(1, P.cols)
  end)

  it("may come in a list", function()
    local X = core.matrix { { 41, 7 }, { 2, 1 }, { 3, 1 } }
    local records = { { age = 41, job = "nurse", cylinders = 8 },
      { age = 7, job = "clerk", cylinders = 4.0 } }
    naive.near(net:predict(records), net:predict(X):totable(), 0)
    assert.same(net:classify(X), net:classify(records))
    local result = core.matrix(2, 2)
    assert.is_true(rawequal(result, net:predict(records, result)))
    naive.near(result, net:predict(X):totable(), 0)
  end)

  it("says by false, or NaN, that a cell is missing", function()
    local expected = net:predict(core.matrix { { nan }, { nan }, { 1 } }):totable()
    naive.near(net:predict { age = false, job = false, cylinders = 4 }, expected, 0)
    naive.near(net:predict { age = nan, job = nan, cylinders = 4 }, expected, 0)
  end)

  it("is refused with the column's name", function()
    local function refused(record, expected)
      at_caller(function() net:predict(record) end, expected)
      at_caller(function() net:classify { { age = 1, job = "clerk", cylinders = 4 }, record } end,
        "record 2: " .. expected)
    end
    refused({ age = 41, cylinders = 4 },
      "column \"job\" is missing (false says that its value is)")
    refused({ age = 41, jobb = "nurse", cylinders = 4 },
      "column \"jobb\" is unknown (did you mean \"job\"?)")
    refused({ age = 41, job = "nurse", cylinders = 4, zip = 1 },
      "column \"zip\" is unknown (known: \"age\", \"job\", \"cylinders\")")
    refused({ age = 41, job = "astronaut", cylinders = 4 },
      "column \"job\": unseen value \"astronaut\" (known: \"clerk\", \"nurse\")")
    refused({ age = 41, job = "clerk", cylinders = 5 }, "column \"cylinders\": unseen value 5")
    refused({ age = "41", job = "clerk", cylinders = 4 },
      "column \"age\": a number expected, got \"41\"")
    refused({ age = math.huge, job = "clerk", cylinders = 4 },
      "column \"age\": a number expected, got inf")
    refused({ age = 41, job = true, cylinders = 4 },
      "column \"job\": the name of a category expected, got true")
    refused({}, "column \"age\" is missing")
    at_caller(function() net:predict { { age = 41, job = "nurse", cylinders = 8 }, 3 } end,
      "record 2: a record expected, got 3")
  end)

  it("may have a category that training had not, where the preparation takes it", function()
    for _, unseen in ipairs { "zeros", "missing" } do
      local other = network { unseen = unseen }
      naive.near(other:predict { age = 1, job = "astronaut", cylinders = 4 },
        other:predict(core.matrix { { 1 }, { 0 }, { 1 } }):totable(), 0)
    end
  end)

  it("is not taken by a network that knows no names", function()
    at_caller(function() pl.network({ inputs = 1, pl.dense(1) }):predict { age = 3 } end,
      "X: samples of 1 inputs expected, got a table")
    at_caller(function() net:predict(data) end, "got a dataset (dataset.X are its samples)")
  end)
end)

describe("a table of columns", function()
  local net = network()
  local Table = {}
  Table.__index = Table

  it("is asked for the rows that the network was made for", function()
    local asked
    function Table.like(_, schema)
      asked = schema
      return pl.matrix { { 41, 30 }, { 2, 1 }, { 3, 3 } } -- of float32
    end
    local A = net:predict(setmetatable({}, Table))
    naive.near(A, net:predict(core.matrix { { 41, 30 }, { 2, 1 }, { 3, 3 } }):totable(), 0)
    assert.same(net.schema, asked)
  end)

  it("may be a file of cells", function()
    local csv = require "perilune.data.csv"
    local cells = assert(csv.decode(
      "cylinders,job,age,zip\n8,nurse,41,x\n6,clerk,30,y\n4,clerk,?,z"))
    naive.near(net:predict(cells), net:predict(core.matrix { { 41, 30, nan }, { 2, 1, 1 },
      { 3, 2, 1 } }):totable(), 0)
    local classes = net:classify(cells)
    assert.equal(3, #classes)
    cells = assert(csv.decode "cylinders,job\n8,nurse\n6,clerk")
    at_caller(function() net:predict(cells) end, "column \"age\" is missing")
    cells = assert(csv.decode "cylinders,job,age\n8,nurse,41\n6,astronaut,30\n8,nurse,5")
    at_caller(function() net:predict(cells) end,
      "column \"job\": an unseen value in sample 2 (known: \"clerk\", \"nurse\"")
  end)

  it("says what it lacks", function()
    function Table.like() return nil, "column \"income\" is missing" end
    at_caller(function() net:predict(setmetatable({}, Table)) end, "column \"income\" is missing")
  end)

  it("is refused a category that training had not", function()
    function Table.like() return core.matrix { { 41, 30 }, { 2, 0 }, { 3, 3 } } end
    at_caller(function() net:predict(setmetatable({}, Table)) end,
      "column \"job\": an unseen value in sample 2 (known: \"clerk\", \"nurse\"; unseen "
        .. "= \"missing\" or \"zeros\" in pl.prepare takes it)")
  end)
end)
