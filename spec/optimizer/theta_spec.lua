-- The parameters of a list as one vector.

local Plan = require "perilune.optimizer.plan"
local Theta = require "perilune.optimizer.theta"
local matrices = require "spec.support.matrices"
local pl = require "perilune"
local squares = require "spec.support.squares"

local method = {
  name = "method", keeps = function() return { "a", "b" } end,
  numbers = function() return { count = 0 } end, work = function() return {} end,
}

local function new(list)
  local entries, flat = Plan.read(list)
  return Theta.new(list, entries, flat, method, {})
end

describe("theta", function()
  local core = pl.float64

  it("is the flat vector of a network itself", function()
    local list = squares.network_list(core)
    local theta = new(list)
    assert.is_true(rawequal(list.flat.value, theta.x))
    assert.is_true(rawequal(list.flat.gradient, theta.g))
    assert.equal(26, theta.count) -- 3 -> 4 -> 2 with biases
    assert.equal(list.flat.value.rows, theta.size)
  end)

  it("is put together from a list, each parameter as it is stored", function()
    local list = squares.own_list(core)
    local theta = new(list)
    theta:open(function() return 0 end)
    local expected = {}
    for _, parameter in ipairs(list) do
      for k = 1, parameter.value.rows * parameter.value.cols do
        expected[#expected + 1] = parameter.value:view(k, 1, 1):get(1, 1)
      end
    end
    assert.equal(24, theta.size)
    assert.same({ expected }, theta.x:transpose():totable())
  end)

  it("writes to the list as it evaluates, and reads the gradients", function()
    local list = squares.own_list(core)
    local theta = new(list)
    theta:open(function()
      assert.equal(7, list[3].value:get(2, 3))
      list[2].gradient:fill(5)
      return 3, "e", "G"
    end)
    theta.x:fill(7)
    assert.same({ 3, "e", "G" }, { theta:evaluate(true) })
    assert.equal(5, theta.g:get(5, 1)) -- the first of the second parameter
    assert.equal(0, theta.g:get(4, 1))
  end)

  it("puts values, gradients, what is kept and numbers back", function()
    for _, new_list in pairs { squares.network_list, squares.own_list } do
      local list = new_list(core)
      local theta = new(list)
      list[1].gradient:fill(2)
      theta.kept.a:fill(3)
      local values, gradient = {}, list[1].gradient:copy()
      for k, parameter in ipairs(list) do values[k] = parameter.value:copy() end
      theta:open(function() return 0 end)
      theta.x:fill(9)
      theta.g:fill(9)
      theta.kept.a:fill(9)
      theta.numbers.count = 9
      theta:evaluate()
      theta:put_back()
      for k, parameter in ipairs(list) do
        assert.is_true(matrices.same(values[k], parameter.value))
      end
      assert.is_true(matrices.same(gradient, list[1].gradient))
      assert.equal(3, theta.kept.a:get(1, 1))
      assert.equal(0, theta.numbers.count)
    end
  end)

  it("keeps vectors whose parts are known by the parameters' names", function()
    for _, new_list in pairs { squares.network_list, squares.own_list } do
      local list = new_list(core)
      local theta = new(list)
      theta.kept.a:fill(1)
      theta.kept.b:fill(2)
      for _, parameter in ipairs(list) do
        local kept, value = theta.places[parameter.name], parameter.value
        assert.equal(value.rows * value.cols, kept.a:sum())
        assert.equal(2 * value.rows * value.cols, kept.b:sum())
        assert.same({ value.rows, value.cols, value.order },
          { kept.a.rows, kept.a.cols, kept.a.order })
      end
    end
  end)

  it("has a scalar product", function()
    local theta = new(squares.own_list(core))
    local a, b = core.matrix(24, 1):fill(2), core.matrix(24, 1):fill(3)
    assert.equal(144, theta:dot(a, b))
  end)
end)
