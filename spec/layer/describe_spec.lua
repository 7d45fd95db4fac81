local at_caller = require("spec.support.misuse").at_caller
local pl = require "perilune"

describe("the short forms of descriptions", function()
  it("are tables of a name and options, as they can be written in full", function()
    assert.same({ "dense", outputs = 3 }, pl.dense(3))
    assert.same({ "dense", outputs = 3, activation = "relu" }, pl.dense(3, "relu"))
    assert.same({ "dense", outputs = 3, activation = "relu", initializer = "he",
      frozen = true }, pl.dense(3, "relu", { initializer = "he", frozen = true }))
    assert.same({ "dense", outputs = 3, shared = "code" },
      pl.dense(3, nil, { shared = "code" }))
    assert.same({ "dropout", probability = 0.5 }, pl.dropout(0.5))
    assert.same({ "dropout", probability = 0.5, frozen = true },
      pl.dropout(0.5, { frozen = true }))
    assert.same({ "batch_norm" }, pl.batch_norm())
    assert.same({ "batch_norm", momentum = 0.2 }, pl.batch_norm { momentum = 0.2 })
    assert.same({ "layer_norm", epsilon = 1e-3, frozen = true },
      pl.layer_norm { epsilon = 1e-3, frozen = true })
    local body = { pl.dense(3) }
    assert.same({ "residual", body = body }, pl.residual(body))
    assert.same({ "residual", body = body, projection = true, shared = "block" },
      pl.residual(body, { projection = true, shared = "block" }))
    assert.same({ "branch", parts = body }, pl.branch(body))
    assert.same({ "branch", parts = body, join = "sum" },
      pl.branch(body, { join = "sum" }))
  end)

  it("take options in the place of an activation that is left out", function()
    assert.same({ "dense", outputs = 3, frozen = true }, pl.dense(3, { frozen = true }))
    at_caller(function() local _ = pl.dense(3, { frozn = true }) end,
      "unknown option 'frozn' of dense")
    local own = { forward = print, backward = print }
    assert.equal(own, pl.dense(3, own).activation)
    assert.same({ "elu", alpha = 2 }, pl.dense(3, { "elu", alpha = 2 }).activation)
  end)

  it("leave the table of options as it is", function()
    local options = { initializer = "he" }
    pl.dense(3, "relu", options)
    assert.same({ initializer = "he" }, options)
  end)

  it("take parts of a user's own, which only the network is told of", function()
    local description = pl.dense(3, "swish", { initializer = "mine" })
    assert.same({ "swish", "mine" }, { description.activation, description.initializer })
  end)

  it("are checked where they are written", function()
    at_caller(function() local _ = pl.dense(3, "relu", { frozen = 1 }) end,
      "dense: frozen: true or false expected, got 1")
    at_caller(function() local _ = pl.batch_norm { shared = true } end,
      "batch_norm: shared: a string expected, got true")
    at_caller(function() local _ = pl.dropout(0.5, { seed = 1 }) end,
      "unknown option 'seed' of dropout (known: frozen, probability, shared)")
    at_caller(function() local _ = pl.residual({ pl.dense(3) }, { project = true }) end,
      "unknown option 'project' of residual (known: body, frozen, projection, shared)")
    at_caller(function() local _ = pl.batch_norm(0.1) end,
      "pl.batch_norm: a table of options expected, got 0.1")
    at_caller(function()
      local _ = pl.layer_norm { 1 }
    end, "unknown option '1' of layer_norm")
  end)
end)
