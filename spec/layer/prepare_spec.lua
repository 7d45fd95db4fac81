-- The layer that prepares columns. What it computes: spec/prepare_spec.lua; what is found in data:
-- spec/data/preparation_spec.lua; records: spec/data/records_spec.lua.

local at_caller = require("spec.support.misuse").at_caller
local naive = require "spec.support.naive"
local pl = require "perilune"

local core, nan = pl.float64, naive.nan

-- Numbers that lie far apart, some missing; categories of two, of three, some missing
local function table_of(N, seed)
  local g = core.generator(seed or 1)
  local X = g:normal(core.matrix(4, N))
  for n = 1, N do
    X:set(1, n, 1e4 * X:get(1, n) + 5e4)
    if g:number() < 0.1 then X:set(2, n, nan) end
    X:set(3, n, g:integer(1, 2))
    X:set(4, n, g:number() < 0.1 and nan or g:integer(1, 3))
  end
  return pl.dataset {
    X = X, T = g:normal(core.matrix(2, N)), schema = {
      { name = "income", type = "number" }, { name = "age", type = "number" },
      { name = "sex", type = "category", categories = { "f", "m" } },
      { name = "job", type = "category", categories = { "clerk", "nurse", "smith" } },
    },
  }
end

local data = table_of(40)

local function network(options, dtype)
  return pl.network({ inputs = 4, pl.prepare(data, options), pl.dense(5, "tanh"), pl.dense(2) },
    { dtype = dtype or "float64", seed = 2 })
end

describe("prepare", function()
  it("tells what it prepares, and what its outputs are", function()
    local net = network()
    assert.equal("prepare 2 numbers, 2 categories -> 8", tostring(net.layers[1]))
    assert.same({ "income", "age", "age missing", "sex", "job = clerk", "job = nurse",
      "job = smith", "job missing" }, net.layers[1].output.names)
    assert.equal("prepare 1 number, 1 category -> 3", tostring(pl.network { inputs = 2,
      { "prepare", columns = {
        { name = "a", type = "number", shift = 0, factor = 1, fill = 0 },
        { name = "b", type = "category", categories = { "x", "y" }, encoding = "one_hot",
          missing = "zeros", unseen = "refuse" },
      } } }.layers[1]))
    assert.same(net.schema, network():clone().schema)
  end)

  it("has the derivative by numbers, 0 by categories and what is missing", function()
    for _, scaler in ipairs { "standard", { "robust", clip = 3 }, { "quantile", count = 2 } } do
      local net = network { scaler = scaler }
      local X = data.X:copy()
      local report = pl.gradient_check(net, X, data.T, { loss = "squared_error", inputs = false })
      assert.is_true(report.passed, tostring(report))
      local _, Delta = pl.loss.squared_error(net:forward(X), data.T)
      local below = net:backward(Delta, true)
      for n = 1, 40 do
        for i = 1, 4 do
          local x, numeric = X:get(i, n), 0
          if i <= 2 and x == x then
            local step = i == 1 and 1 or 1e-4
            local function J_at(value)
              X:set(i, n, value)
              return (pl.loss.squared_error(net:forward(X), data.T))
            end
            numeric = (J_at(x + step) - J_at(x - step)) / (2 * step)
            X:set(i, n, x)
          end
          -- the ends of the quantiles are knots
          local is_end = type(scaler) == "table" and scaler[1] == "quantile"
            and math.abs(below:get(i, n) - numeric) > 1e-7
            and (x == net.layers[1].columns[i].least or x == net.layers[1].columns[i].most)
          if not is_end then naive.near_number(below:get(i, n), numeric, 1e-7) end
        end
      end
    end
  end)

  it("gives the same in float32, but for rounding", function()
    naive.near(network(nil, "float32"):predict(data.X:to "float32"),
      network():predict(data.X):totable(), 1e-5)
  end)

  it("comes back from a file with the same answers to the last bit", function()
    for _, options in ipairs {
      { scaler = "quantile" }, { encoding = "ordinal" }, { missing = "zeros", unseen = "zeros" },
    } do
      local net, path = network(options), os.tmpname()
      assert(net:save(path))
      local again = assert(pl.load(path))
      os.remove(path)
      naive.near(again:predict(data.X), net:predict(data.X):totable(), 0)
      assert.same(net:describe(), again:describe())
      assert.same(net.schema, again.schema)
      naive.near(net:clone():predict(data.X), net:predict(data.X):totable(), 0)
    end
  end)

  it("leaves what forward kept alone when it predicts", function()
    local net = network()
    local A = net:forward(data.X):totable()
    local Delta = naive.random(core, 4, 2, 40)
    local below = net:backward(Delta, true):totable()
    net:predict(table_of(40, 9).X)
    naive.near(net.A, A, 0)
    naive.near(net:backward(Delta, true), below, 0)
  end)

  it("lets a network train on missing cells, and others be told the cure", function()
    local net = network()
    local history = pl.fit(net, data, { loss = "squared_error", epochs = 2 })
    assert.is_true(history[2].loss < history[1].loss)
    local plain = pl.network({ inputs = 4, pl.dense(2) }, { dtype = "float64" })
    at_caller(function() pl.fit(plain, data, { loss = "squared_error" }) end,
      "the training set: numbers expected, X has NaN or infinity in row ")
    at_caller(function() pl.fit(plain, data, { loss = "squared_error" }) end,
      " (pl.prepare as the first layer takes missing cells)")
    local X = data.X:copy()
    X:set(1, 7, math.huge)
    local infinite = pl.dataset { X = X, T = data.T, schema = data.schema }
    at_caller(function() pl.fit(net, infinite, { loss = "squared_error" }) end,
      "the training set: numbers expected, X has NaN or infinity in row 1 (\"income\") of sample 7")
  end)

  it("refuses what training had not before the first step", function()
    local X = data.X:copy()
    X:set(4, 9, 0)
    local validation = pl.dataset { X = X, T = data.T, schema = data.schema }
    local options = { loss = "squared_error", epochs = 1, validation = validation }
    at_caller(function() pl.trainer(network(), data, options) end,
      "the validation set: column \"job\": an unseen value in sample 9 (unseen = \"missing\" or "
        .. "\"zeros\" in pl.prepare takes it)")
    pl.fit(network { unseen = "zeros" }, data, options)
  end)

  it("does not hide what makes a loss infinite behind a missing cell", function()
    local net = network()
    local W = net.layers[3].W
    W:set(1, 1, math.huge)
    W:set(1, 2, math.huge)
    W:set(1, 3, -math.huge)
    net.layers[2].b:fill(5)
    at_caller(function() pl.evaluate(net, data, "squared_error") end,
      "the network gives NaN for sample")
    local _, message = pcall(pl.evaluate, net, data, "squared_error")
    assert.is_truthy(message:find("3.W is inf in row 1, column 1", 1, true), message)
  end)

  it("takes missing cells where all parts of a branch do", function()
    local numbers, plain = pl.prepare(data, { only = "numbers" }), pl.scaling()
    assert.is_true(pl.network({ inputs = 4, pl.branch { numbers, { numbers } } }).takes_missing)
    assert.is_false(pl.network({ inputs = 4, pl.branch { numbers, plain } }).takes_missing)
    local later = pl.network { inputs = 4, plain, numbers }
    assert.is_false(later.takes_missing)
    assert.is_nil(later.schema) -- it says nothing of X
  end)

  it("names the column of a label that is none", function()
    local net, X = network(), data.X:copy()
    X:set(4, 3, 4)
    at_caller(function() net:forward(X) end,
      "column \"job\": labels from 1 to 3 expected, got 4 in sample 3")
    X:set(4, 3, 0)
    at_caller(function() net:predict(X) end,
      "column \"job\": an unseen value in sample 3 (known: \"clerk\", \"nurse\", \"smith\"")
  end)

  it("allocates nothing in its stride", function()
    local allocated_by = require("spec.support.memory").allocated
    local layer, Delta = network().layers[1], core.matrix(8, 40)
    local function steps()
      layer:forward(data.X)
      layer:predict(data.X)
      layer:backward(Delta, true)
    end
    steps()
    assert.equal(0, (allocated_by(steps)))
  end)

  it("refuses descriptions that are none", function()
    local function new(columns, inputs)
      return pl.network { inputs = inputs or 1, { "prepare", columns = columns } }
    end
    local function number(options)
      local column = { name = "a", type = "number", fill = 0, shift = 0, factor = 1 }
      for key, value in pairs(options) do
        if value == "nothing" then column[key] = nil else column[key] = value end
      end
      return { column }
    end
    at_caller(function() new({}, 2) end,
      "layer 1: columns: a feature for each of the 2 rows of X expected, got 0")
    at_caller(function() new(number { fill = "nothing" }) end,
      "layer 1: columns: column \"a\": its fill is missing")
    at_caller(function() new(number { shift = "nothing" }) end,
      "layer 1: columns: column \"a\": shift and factor, or quantiles, expected")
    at_caller(function() new(number { quantiles = { 1 } }) end,
      "column \"a\": quantiles: two or more numbers expected, got 1")
    at_caller(function() new(number { quantiles = { 1, 0 } }) end,
      "column \"a\": quantiles: numbers expected, none below the one before, got 0 after 1")
    at_caller(function() new(number { used = false }) end,
      "layer 1: columns: one or more that are used expected")
    at_caller(function() new(number { color = "red" }) end, "unknown option 'color' of columns")
    at_caller(function() new(number { clip = -1 }) end, "clip: a number above 0 expected, got -1")
    at_caller(function()
      new { { name = "a", type = "category", categories = { "x" }, encoding = "binary",
        missing = "zeros", unseen = "refuse" } }
    end, "column \"a\": binary: two categories expected, and missing = \"zeros\"")
  end)
end)
