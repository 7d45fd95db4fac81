-- What pl.prepare and pl.units find in the training part. The layers that they describe:
-- spec/layer/prepare_spec.lua, spec/layer/units_spec.lua; scalers: spec/scaler/init_spec.lua.

local at_caller = require("spec.support.misuse").at_caller
local naive = require "spec.support.naive"
local pl = require "perilune"
local reference = require "spec.support.reference"

local core = pl.float64
local nan = naive.nan

local answers = reference.load "scalers"

local function prepared(data, options)
  local description = pl.prepare(data, options)
  return pl.network({ inputs = #description.columns, description }, { dtype = "float64" })
end

-- The matrix of cells, "?" for a missing one
local function matrix(cells)
  return core.matrix(naive.build(#cells, #cells[1], function(i, n)
    return cells[i][n] == "?" and nan or cells[i][n]
  end))
end

-- Which leaves numbers as they are
local plain = { name = "plain", fit = function() return 0, 1 end }

describe("imputation", function()
  local X, probe = matrix(answers.imputation.X.train), matrix(answers.imputation.X.held_out)
  for case, impute in pairs { median = "median", mean = "mean", constant = -7.5 } do
    it("is scikit-learn's, with a row that says which cells were missing: " .. case, function()
      local net = prepared(X, { scaler = plain, impute = impute })
      naive.near(net:predict(X), answers.imputation[case].train, 1e-12)
      naive.near(net:predict(probe), answers.imputation[case].held_out, 1e-12)
      assert.same({ "x1", "x2", "x1 missing" }, net.layers[1].output.names)
    end)
  end

  it("can do without that row", function()
    local net = prepared(X, { scaler = plain, indicator = false })
    assert.same({ "x1", "x2" }, net.layers[1].output.names)
    naive.near(net:predict(probe), { answers.imputation.median.held_out[1],
      answers.imputation.median.held_out[2] }, 1e-12)
  end)

  it("takes numbers that are missing only where the network is used", function()
    local net = prepared(core.matrix { { 1, 3, 8 } }, { scaler = plain })
    naive.near(net:predict(core.matrix { { nan, 2 } }), { { 3, 2 } }, 0)
  end)
end)

local schema = { { name = "job", type = "category", categories = { "clerk", "nurse", "smith" } } }

local function jobs(labels) -- in training
  return pl.dataset { X = core.matrix { labels }, T = core.matrix(1, #labels), schema = schema }
end

describe("categories", function()
  local known = core.matrix { { 1, 2, 3, 0 } } -- 0: one that training had not

  it("are scikit-learn's rows, all of them 0 for an unseen one", function()
    local net = prepared(jobs { 1, 2 }, { unseen = "zeros" })
    naive.near(net:predict(known), answers.categories["one_hot, unseen zeros"], 0)
    assert.same({ "job = clerk", "job = nurse", "job = smith" }, net.layers[1].output.names)
  end)

  it("are scikit-learn's rows with a place for missing ones", function()
    local X = core.matrix { { 1, 2, nan, 3, 2 } }
    local net = prepared(jobs { 1, 2, nan, 3, 2 })
    naive.near(net:predict(X), answers.categories["one_hot, missing place"], 0)
    assert.equal("job missing", net.layers[1].output.names[4])
    net = prepared(jobs { 1, 2, nan }, { unseen = "missing" })
    naive.near(net:predict(core.matrix { { 0, nan, 1 } }),
      { { 0, 0, 1 }, { 0, 0, 0 }, { 0, 0, 0 }, { 1, 1, 0 } }, 0)
  end)

  it("are rows of 0 where they are missing, if that is asked for or training has none", function()
    for _, net in ipairs {
      prepared(jobs { 1, nan }, { missing = "zeros" }), prepared(jobs { 1, 2 }),
    } do
      naive.near(net:predict(core.matrix { { nan, 3 } }), { { 0, 0 }, { 0, 0 }, { 0, 1 } }, 0)
    end
  end)

  it("are scikit-learn's numbers, -1 for an unseen or a missing one", function()
    local net = prepared(jobs { 1, 2 }, { encoding = "ordinal", unseen = "zeros" })
    naive.near(net:predict(known), answers.categories["ordinal, unseen zeros"], 0)
    naive.near(net:predict(core.matrix { { nan } }), { { -1 } }, 0)
    net = prepared(jobs { 1, nan }, { encoding = "ordinal" })
    naive.near(net:predict(core.matrix { { nan } }), { { 3 } }, 0)
  end)

  it("are -1 and 1 where there are two, and 0 where they are missing", function()
    local function set(labels)
      return pl.dataset { X = core.matrix { labels }, T = core.matrix(1, #labels), schema = {
        { name = "sex", type = "category", categories = { "f", "m" } },
      } }
    end
    local X = core.matrix { { 1, 2, nan } }
    local net = prepared(set { 1, 2 }, { unseen = "zeros" })
    naive.near(net:predict(X), { { -1, 1, 0 } }, 0)
    naive.near(net:predict(core.matrix { { 0 } }), { { 0 } }, 0)
    naive.near(prepared(set { 1, 2, nan }, { missing = "zeros" }):predict(X), { { -1, 1, 0 } }, 0)
    naive.near(prepared(set { 1, 2, nan }):predict(X),
      { { 1, 0, 0 }, { 0, 1, 0 }, { 0, 0, 1 } }, 0)
    naive.near(prepared(set { 1, 2 }, { binary = false }):predict(X),
      { { 1, 0, 0 }, { 0, 1, 0 } }, 0)
  end)

  it("are refused where a label is none", function()
    for _, wrong in ipairs { 4, 1.5, -1 } do
      at_caller(function() pl.prepare(jobs { 1, wrong }) end,
        "pl.prepare: column \"job\": labels from 0 to 3, or NaN, expected, got")
    end
  end)
end)

describe("pl.prepare", function()
  local X = core.matrix { { 1, 2, 3, nan }, { 1, 2, 3, 1 }, { 2, 2, 4, 4 } }
  local set = pl.dataset {
    X = X, T = core.matrix(1, 4), schema = {
      { name = "age", type = "number", least = 0, most = 9 }, schema[1],
      { name = "income", type = "number", missing = 0 },
    },
  }

  it("takes options of single columns by name", function()
    local description = pl.prepare(set, { scaler = "standard", columns = {
      income = { scaler = { "min_max", clip = 2 } }, job = { encoding = "ordinal" },
      age = { indicator = false, impute = 5 },
    } })
    assert.same({ "prepare", columns = {
      { name = "age", type = "number", least = 1, most = 3, used = true, scaler = "standard",
        shift = 2, factor = 1 / math.sqrt(2 / 3), fill = 5, indicator = false },
      { name = "job", type = "category", categories = { "clerk", "nurse", "smith" }, used = true,
        encoding = "ordinal", missing = "zeros", unseen = "refuse" },
      { name = "income", type = "number", least = 2, most = 4, used = true, scaler = "min_max",
        shift = 2, factor = 0.5, clip = 2, fill = 3, indicator = false },
    } }, description)
  end)

  it("can leave out numbers or categories, for branches", function()
    local layers = { inputs = 3, pl.branch {
      pl.prepare(set, { only = "categories" }), pl.prepare(set, { only = "numbers" }),
    } }
    local net = pl.network(layers, { dtype = "float64" })
    local both = pl.network({ inputs = 3, pl.prepare(set) }, { dtype = "float64" }):predict(X)
    assert.same({ "age", "income", "age missing" }, net.layers[1].parts[2].output.names)
    naive.near(net:predict(X), core.vstack(both:slice(4, 6), both:slice(1, 3)):totable(), 0)
    assert.is_true(net.takes_missing)
    naive.near(net:predict { age = 1, job = "smith", income = 3 },
      net:predict(core.matrix { { 1 }, { 3 }, { 3 } }):totable(), 0)
    at_caller(function() net:predict { age = 1, job = "pilot", income = 3 } end,
      "column \"job\": unseen value \"pilot\" (known: \"clerk\", \"nurse\", \"smith\")")
    assert.same({ "age", "job", "income" },
      { net.schema[1].name, net.schema[2].name, net.schema[3].name })
  end)

  it("makes 0 of a column of nothing but missing cells", function()
    local net = prepared(core.matrix { { nan, nan } })
    naive.near(net:predict(core.matrix { { nan, 7 } }), { { 0, 0 } }, 0)
    assert.same({ "x1" }, net.layers[1].output.names)
  end)

  it("fits to a subset by its own samples", function()
    local all = pl.dataset { X = core.matrix { { 0, 10, 500 } }, T = core.matrix(1, 3) }
    local _, rest = all:split(1 / 3, pl.generator(3))
    local X_rest = rest.X:totable()[1]
    assert.equal(math.min(X_rest[1], X_rest[2]),
      pl.prepare(rest, { scaler = "min_max" }).columns[1].least)
  end)

  it("takes bytes", function()
    local bytes = pl.bytes(string.char(0, 255, 255, 0, 0, 255), 2, 3)
    local description = pl.prepare(bytes, { scaler = "min_max" })
    assert.equal(1, description.columns[1].most)
    local set_of_bytes = pl.dataset { X = bytes, T = pl.matrix(1, 3) }
    assert.same(description, pl.prepare(set_of_bytes, { scaler = "min_max" }))
  end)

  it("is refused what it cannot be fitted to", function()
    at_caller(function() pl.prepare { 1, 2 } end,
      "pl.prepare: a dataset or a matrix expected, got a table")
    at_caller(function() pl.prepare(core.matrix { { 1, 2, -math.huge } }) end,
      "pl.prepare: column \"x1\": finite numbers expected, got -inf in sample 3")
    at_caller(function() pl.prepare(set, { columns = { incme = {} } }) end,
      "pl.prepare: columns: column \"incme\" is unknown (did you mean \"income\"?)")
    at_caller(function() pl.prepare(set, { columns = { zip = {} } }) end,
      "column \"zip\" is unknown (known: \"age\", \"job\", \"income\")")
    at_caller(function() pl.prepare(set, { columns = { job = { scaler = "robust" } } }) end,
      "unknown option 'scaler' of pl.prepare: column \"job\" (known: binary, encoding, missing, "
        .. "unseen)")
    at_caller(function() pl.prepare(set, { impute = "mode" }) end,
      "pl.prepare: impute: \"median\", \"mean\" or a number expected, got \"mode\"")
    at_caller(function() pl.prepare(set, { scalar = "robust" }) end, "unknown option 'scalar'")
  end)
end)

describe("pl.units", function()
  it("finds shift, factor and range of each target", function()
    assert.same({ "units", scaler = "min_max", clip = true, targets = {
      { shift = 10, factor = 0.1, least = 10, most = 20 },
      { shift = 0, factor = 1, least = 0, most = 1 },
    } }, pl.units(core.matrix { { 10, 20, 15 }, { 0, 1, nan } },
      { scaler = "min_max", clip = true }))
  end)

  it("takes targets that never change as they are", function()
    assert.same({ { shift = 7, factor = 1, least = 7, most = 7 } },
      pl.units(core.matrix { { 7, 7 } }).targets)
  end)

  it("passes over targets whose weight is 0", function()
    local X, T = core.matrix(1, 3), core.matrix { { 1, 1e9, 3 }, { 5, 6, 9 } }
    local of_samples = pl.dataset { X = X, T = T, weights = { 1, 0, 2 } }
    assert.equal(3, pl.units(of_samples).targets[1].most)
    local of_targets = pl.dataset { X = X, T = T, weights = { { 1, 0, 1 }, { 1, 1, 0 } } }
    assert.equal(3, pl.units(of_targets).targets[1].most)
    assert.equal(6, pl.units(of_targets).targets[2].most)
  end)

  it("is refused what are no numbers, and scalers that cannot be undone", function()
    local labels = pl.dataset { X = core.matrix(1, 2), labels = { 1, 2 } }
    at_caller(function() pl.units(labels) end,
      "pl.units: targets that are numbers expected, got labels")
    at_caller(function() pl.units(3) end,
      "pl.units: a dataset or a matrix of targets expected, got 3")
    at_caller(function() pl.units(core.matrix { { nan, nan } }) end,
      "pl.units: row 1 of T: numbers expected, got none")
    at_caller(function() pl.units(core.matrix { { 1, math.huge } }) end,
      "pl.units: row 1 of T: finite numbers expected")
    for _, scaler in ipairs { "quantile", { "robust", clip = 3 } } do
      at_caller(function() pl.units(core.matrix { { 1, 2 } }, { scaler = scaler }) end,
        "pl.units: scaler: one that shifts and scales expected, which can be undone, got")
    end
  end)
end)
