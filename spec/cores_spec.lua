local at_caller = require("spec.support.misuse").at_caller
local cores = require "perilune.cores"
local pl = require "perilune"

describe("cores", function()
  it("are found by name and by their matrices", function()
    for _, name in ipairs { "float32", "float64" } do
      assert.equal(pl[name], cores.named(name))
      assert.equal(pl[name], cores.of(pl[name].matrix(1, 1)))
    end
    at_caller(function() cores.named "double" end,
      "dtype: \"float32\" or \"float64\" expected, got \"double\"")
  end)

  it("know their matrices and generators from other values", function()
    for _, core in ipairs { pl.float32, pl.float64 } do
      assert.is_true(cores.is_matrix(core.matrix(1, 1)))
      assert.is_false(cores.is_matrix(core.generator()))
      assert.is_true(cores.is_generator(core.generator()))
      assert.is_false(cores.is_generator(core.matrix(1, 1)))
    end
    local disguised = setmetatable({}, { __metatable = "matrix" })
    for _, other in ipairs { 1, "matrix", {}, io.stdout, disguised } do
      assert.is_false(cores.is_matrix(other))
      assert.is_false(cores.is_generator(other))
    end
  end)

  it("are known from other tables", function()
    assert.is_true(cores.is_core(pl.float32) and cores.is_core(pl.float64))
    local like_one = setmetatable({}, { __index = pl.float32, __eq = function() return true end })
    for _, other in ipairs { like_one, {}, 3, "float32", pl } do
      assert.is_false(cores.is_core(other))
    end
    assert.is_false(cores.is_core(nil))
  end)

  it("have matrices of as many elements as is said, and no larger ones", function()
    for _, core in ipairs { pl.float32, pl.float64 } do
      at_caller(function() core.matrix(1, cores.MOST_ELEMENTS + 1) end,
        ("matrix of 1 to %d elements expected, got 1 x %d"):format(cores.MOST_ELEMENTS,
          cores.MOST_ELEMENTS + 1))
    end
  end)

  it("show a matrix with its type", function()
    assert.equal("a 2 x 3 matrix of float64", cores.show(pl.float64.matrix(2, 3)))
    assert.equal("5", cores.show(5))
  end)
end)

describe("a generator", function()
  it("is told from other values, whichever core made it", function()
    for _, core in ipairs { pl.float32, pl.float64 } do
      cores.check_generator(core.generator(3))
      at_caller(function() cores.check_generator(core.matrix(1, 2)) end,
        "generator: a generator expected, got a 1 x 2 matrix")
    end
    at_caller(function() cores.check_generator(nil) end,
      "generator: a generator expected, got nil")
  end)

  it("has a state of 64 hexadecimal digits, not all of them 0", function()
    cores.check_generator_state(pl.generator(3):state())
    for _, wrong in ipairs { 5, "", ("0"):rep(64), ("x"):rep(64), ("1"):rep(65), ("A"):rep(64) } do
      at_caller(function() cores.check_generator_state(wrong) end,
        "state of a generator: 64 hexadecimal digits expected, got ")
    end
  end)
end)
