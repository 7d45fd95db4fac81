-- The line search by itself: what it finds fulfils the strong Wolfe conditions, whatever step it
-- begins with.

local pl = require "perilune"
local wolfe = require "perilune.optimizer.wolfe"

local core = pl.float64

-- A theta of one element, 0 at first, along which J is f; and the line
local function new(f, slope)
  local theta = { core = core, x = core.matrix(1, 1), g = core.matrix(1, 1), evaluations = 0 }
  function theta:evaluate()
    self.evaluations = self.evaluations + 1
    local t = self.x:get(1, 1)
    self.g:set(1, 1, slope(t))
    return f(t)
  end
  function theta.dot(_, a, b) return a:get(1, 1) * b:get(1, 1) end
  return theta, {
    start = core.matrix(1, 1), d = core.matrix { { 1 } }, g = core.matrix { { slope(0) } },
    g_low = core.matrix(1, 1),
  }
end

local functions = {
  parabola = { function(t) return (t - 3) ^ 2 end, function(t) return 2 * (t - 3) end },
  quartic = { function(t) return (t - 1) ^ 4 end, function(t) return 4 * (t - 1) ^ 3 end },
  ["More and Thuente's first"] = { function(t) return -t / (t * t + 2) end,
    function(t) return (t * t - 2) / (t * t + 2) ^ 2 end },
  waves = { function(t) return 0.1 * t * t - math.sin(3 * t) end,
    function(t) return 0.2 * t - 3 * math.cos(3 * t) end },
  wall = { function(t) return math.exp(t) - 2 * t end, function(t) return math.exp(t) - 2 end },
}

describe("the line search", function()
  for name, pair in pairs(functions) do
    local f, slope = pair[1], pair[2]

    it("finds a step that lowers J enough, where it is nearly flat: " .. name, function()
      for _, first in ipairs { 1e-3, 0.05, 0.3, 1, 2.5, 7, 30 } do
        local theta, line = new(f, slope)
        local t, J, count = wolfe.search(theta, line, first, f(0), slope(0))
        assert.is_true(J <= f(0) + 1e-4 * t * slope(0), first)
        assert.is_true(math.abs(slope(t)) <= 0.9 * math.abs(slope(0)), first)
        assert.equal(f(t), J)
        assert.equal(theta.evaluations, count)
      end
    end)

    it("leaves theta and its gradient there: " .. name, function()
      for _, first in ipairs { 1e-3, 1, 30 } do
        local theta, line = new(f, slope)
        local t = wolfe.search(theta, line, first, f(0), slope(0))
        assert.equal(t, theta.x:get(1, 1))
        assert.equal(slope(t), theta.g:get(1, 1))
      end
    end)
  end

  it("gives up after 26 evaluations where J falls for ever", function()
    local theta, line = new(function(t) return -t end, function() return -1 end)
    local t, J, count = wolfe.search(theta, line, 1, 0, -1)
    assert.equal(26, count)
    assert.is_true(t > 1e6)
    assert.equal(-t, J)
    assert.equal(-1, theta.g:get(1, 1))
  end)

  it("does not divide an interval in which theta hardly moves", function()
    -- The slope at the start promises a fall that there is not.
    local theta, line = new(function(t) return t end, function() return -1 end)
    local t, J, count = wolfe.search(theta, line, 1e-10, 0, -1)
    assert.same({ 0, 0, 1 }, { t, J, count })
  end)
end)
