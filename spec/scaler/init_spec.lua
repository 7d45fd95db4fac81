-- Scalers: what they find in the numbers of a column, and what a layer makes of that, as
-- scikit-learn has it.

local at_caller = require("spec.support.misuse").at_caller
local naive = require "spec.support.naive"
local pl = require "perilune"
local reference = require "spec.support.reference"

local core = pl.float64

-- A network that only prepares numbers by this scaler
local function prepared(X, scaler)
  local description = pl.prepare(X, { scaler = scaler, indicator = false })
  return pl.network({ inputs = X.rows, description }, { dtype = "float64" })
end

describe("a scaler", function()
  local answers = reference.load "scalers"
  local train, held_out = core.matrix(answers.X.train), core.matrix(answers.X.held_out)

  for case, expected in pairs(answers.numbers) do
    it("is scikit-learn's: " .. case, function()
      local net = prepared(train, reference.description(case))
      naive.near(net:predict(train), expected.train, 1e-12)
      naive.near(net:predict(held_out), expected.held_out, 1e-12)
    end)
  end

  it("is known by its name, described, and with its defaults", function()
    for _, name in ipairs { "standard", "min_max", "robust", "quantile" } do
      assert.equal(name, pl.scaler[name].name)
      assert.equal(name, pl.scaler { name, clip = 2 }.name)
    end
    assert.equal(1000, pl.scaler.quantile.options.count)
    at_caller(function() local _ = pl.scaler { "standard", clip = 0 } end,
      "standard: clip: a number above 0 expected, got 0")
    at_caller(function() local _ = pl.scaler "standart" end,
      "unknown scaler 'standart' (known: min_max, quantile, robust, standard)")
  end)

  it("gives plain data", function()
    assert.same({ shift = 3, factor = 0.5 }, pl.scaler.robust:fit { 1, 2, 3, 4, 5 })
    assert.same({ shift = 2.5, factor = 1 / math.sqrt(1.25), clip = 2 },
      pl.scaler { "standard", clip = 2 }:fit { 1, 2, 3, 4 })
    assert.same({ quantiles = { 1, 3, 7 } }, pl.scaler { "quantile", count = 3 }:fit { 1, 3, 7 })
    assert.same({ quantiles = { 1, 7 } }, pl.scaler.quantile:fit { 1, 7 })
  end)

  it("makes 0 of a column that never changes, and of a single sample", function()
    for _, name in ipairs { "standard", "min_max", "robust", "quantile" } do
      assert.same({ shift = 7, factor = 0 }, pl.scaler[name]:fit { 7, 7, 7 })
      assert.same({ shift = 7, factor = 0 }, pl.scaler[name]:fit { 7 })
      naive.near(prepared(core.matrix { { 7, 7 } }, name):predict(core.matrix { { 7, 9 } }),
        { { 0, 0 } }, 0)
    end
  end)
end)

describe("the fit of a scaler", function()
  it("refuses what are no numbers of a column", function()
    local function refused(numbers, expected)
      at_caller(function() pl.scaler.standard:fit(numbers) end, "numbers: " .. expected)
    end
    refused(3, "a list of numbers expected, got 3")
    refused({}, "one or more expected, got none")
    refused({ 2, 1 }, "finite numbers in ascending order expected, got 1 as number 2")
    refused({ 1, naive.nan }, "finite numbers in ascending order expected, got NaN as number 2")
    refused({ 1, math.huge }, "finite numbers in ascending order expected, got inf as number 2")
    refused({ "1" }, "finite numbers in ascending order expected, got \"1\" as number 1")
  end)
end)

describe("the robust scaler", function()
  it("takes half the range where the quartiles are one number", function()
    assert.same({ shift = 1, factor = 2 / 8 }, pl.scaler.robust:fit { 0, 1, 1, 1, 1, 1, 8 })
  end)
end)

describe("the scaler min_max", function()
  it("refuses ends that are none", function()
    at_caller(function() pl.scaler { "min_max", lower = 1, upper = 1 }:fit { 1, 2 } end,
      "min_max: upper: a number above lower, 1, expected, got 1")
  end)
end)

describe("numbers that are too far apart, or too near,", function()
  it("are refused, with the column", function()
    local X = core.matrix { { 1, 2, 3 }, { -1e308, 0, 1e308 } }
    at_caller(function() pl.prepare(X, { scaler = "min_max" }) end,
      "pl.prepare: column \"x2\": min_max: numbers expected that can be scaled, got some from "
        .. "-1e+308 to 1e+308")
    at_caller(function() pl.scaler.standard:fit { 0, 5e-324 } end, "numbers expected that can be")
  end)

  it("are refused by a network whose type cannot scale them", function()
    local description = pl.prepare(core.matrix { { 0, 1e-60 } }, { scaler = "min_max" })
    at_caller(function() pl.network { inputs = 1, description } end,
      "layer 1: column \"x1\": float32 does not have its shift or its factor")
  end)
end)

describe("a scaler of one's own", function()
  it("gives a shift and a factor", function()
    local decades = { name = "decades", fit = function(numbers) return numbers[1], 0.1 end }
    local net = prepared(core.matrix { { 20, 30, 5 } }, decades)
    naive.near(net:predict(core.matrix { { 5, 25 } }), { { 0, 2 } }, 0)
    assert.equal("decades", net:describe().layers[1].columns[1].scaler)
    naive.near(prepared(core.matrix { { 3, 3 } }, decades):predict(core.matrix { { 13 } }),
      { { 1 } }, 1e-15)
  end)

  it("is told what it must give", function()
    at_caller(function()
      pl.prepare(core.matrix { { 1, 2 } }, {
        scaler = { name = "mine", fit = function() return 1 end },
      })
    end, "column \"x1\": mine: two finite numbers expected from its fit, got 1 and nil")
    at_caller(function() pl.prepare(core.matrix { { 1, 2 } }, { scaler = { fit = 1 } }) end,
      "pl.prepare: scaler: a name, { name, option = value } or a table { name =, fit = f(numbers)")
  end)
end)
