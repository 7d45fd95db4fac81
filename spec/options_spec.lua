local at_caller = require("spec.support.misuse").at_caller
local options = require "perilune.options"

describe("options", function()
  local defaults = { rate = 0.01, nesterov = false }

  local function constructor(given)
    local complete = options(given, defaults, nil, { loss = true })
    return complete
  end

  it("fills in what is not given", function()
    assert.same({ rate = 0.01, nesterov = false, loss = 1 }, constructor { loss = 1 })
  end)

  it("prefers what is given", function()
    assert.same({ rate = 2, nesterov = true, loss = 1 },
      constructor { rate = 2, nesterov = true, loss = 1 })
  end)

  it("takes no table for an empty one", function()
    assert.same(defaults, options(nil, defaults))
  end)

  it("changes neither the given table nor the defaults", function()
    local given = { loss = 1 }
    local complete = constructor(given)
    complete.rate = 5
    assert.same({ loss = 1 }, given)
    assert.same({ rate = 0.01, nesterov = false }, defaults)
  end)

  it("keeps a given false", function()
    assert.is_false(options({ shuffle = false }, { shuffle = true }).shuffle)
  end)

  it("refuses an unknown key and lists the known ones", function()
    at_caller(function() constructor { learning_rate = 1, loss = 1 } end,
      "unknown option 'learning_rate' (known: loss, nesterov, rate)")
  end)

  it("refuses a positional value", function()
    at_caller(function() constructor { 0.1, loss = 1 } end, "unknown option '1'")
  end)

  it("refuses to go without a required one", function()
    at_caller(function() constructor {} end, "option 'loss' is required")
    at_caller(function() constructor() end, "option 'loss' is required")
  end)

  it("refuses what is no table", function()
    at_caller(function() constructor(0.1) end, "a table of options expected, got number")
  end)

  it("raises as many calls up as asked", function()
    local function outer(given)
      local function inner()
        local complete = options(given, defaults, 3)
        return complete
      end
      local complete = inner()
      return complete
    end
    at_caller(function() outer { rat = 1 } end, "unknown option 'rat'")
  end)
end)
