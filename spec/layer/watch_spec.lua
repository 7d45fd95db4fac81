local at_caller = require("spec.support.misuse").at_caller
local pl = require "perilune"

local core = pl.float32
local X = core.matrix(2, 5):fill(1)

-- A network with a layer from 3 to 3, whose method `name` gives what f(matrix) gives
local function network(name, f)
  local class = {}
  class.__index = class
  function class.new(_, context)
    return setmetatable({ output = context.input }, class)
  end
  function class.forward(_, A_below) return A_below end
  function class.predict(_, A_below) return A_below end
  function class.backward(_, Delta, wants_below) return wants_below and Delta or nil end
  if name then
    class[name] = function(_, M) return f(M) end
  end
  return pl.network({ inputs = 2, pl.dense(3), { { "own" } }, pl.dense(1) },
    { layers = { own = class } })
end

describe("a layer of one's own", function()
  it("may hand on what it is given", function()
    local net = network()
    net:backward(net:forward(X))
    assert.equal(1, net:predict(X).rows)
  end)

  local wrong = {
    ["got nil"] = function() end,
    ["got a 2 x 5 matrix of float32"] = function() return core.matrix(2, 5) end,
    ["got a 3 x 1 matrix of float32"] = function() return core.matrix(3, 1) end,
    ["got a 3 x 5 matrix of float64"] = function(M) return M:to "float64" end,
    ["got a 3 x 5 matrix of float32, stored by rows"] = function(M) return M:copy "rows" end,
  }
  for _, method in ipairs { "forward", "predict", "backward" } do
    for got, f in pairs(wrong) do
      it("is named when its " .. method .. " gives something else: " .. got, function()
        local net = network(method, f)
        at_caller(function()
          if method == "predict" then net:predict(X) else net:backward(net:forward(X)) end
        end, "layer 2.1: " .. method .. ": a 3 x 5 matrix of float32, stored by columns, "
          .. "expected from it, " .. got)
      end)
    end
  end

  it("need not give a Delta_below that is not wanted", function()
    local class = {}
    class.__index = class
    function class.new(_, context) return setmetatable({ output = context.input }, class) end
    function class.forward(_, A_below) return A_below end
    class.predict = class.forward
    function class.backward() return 5 end
    local net = pl.network({ inputs = 2, "own", pl.dense(1) }, { layers = { own = class } })
    net:backward(net:forward(X))
  end)
end)

describe("a layer within one of the user's own", function()
  -- A network with a layer of one's own from 2 to 3 around a dense one, to whose method `name` it
  -- hands what f(matrix) gives
  local function around(name, f)
    local class = {}
    class.__index = class
    function class.new(_, context)
      local self = { inner = context.make({ "dense", outputs = 3 }, context.input, "inner") }
      self.output = self.inner.output
      return setmetatable(self, class)
    end
    for _, method in ipairs { "forward", "predict", "backward" } do
      class[method] = function(self, M, wants_below)
        local handed = M
        if method == name then handed = f(M) end
        local result = self.inner[method](self.inner, handed, wants_below)
        return result
      end
    end
    return pl.network({ inputs = 2, "own", pl.dense(1) }, { layers = { own = class } })
  end

  it("computes what it would without one", function()
    local net = around()
    local A = net:forward(X):copy()
    net:backward(A)
    assert.equal(0, (A - net:predict(X)):norm())
  end)

  for _, case in ipairs {
    { "forward", "2 x N", { ["got nil"] = function() end,
      ["got a 3 x 5 matrix of float32"] = function() return core.matrix(3, 5) end,
      ["got a 2 x 5 matrix of float32, stored by rows"] = function(M) return M:copy "rows" end } },
    { "predict", "2 x N", { ["got a 2 x 5 matrix of float64"] = function(M)
      return M:to "float64"
    end } },
    { "backward", "3 x 5", { ["got a 3 x 4 matrix of float32"] = function(M)
      return M:columns(1, 4)
    end } },
  } do
    local method, shape, wrong = table.unpack(case)
    for got, f in pairs(wrong) do
      it("names itself when its " .. method .. " is given something else: " .. got, function()
        local net = around(method, f)
        local ok, message = pcall(function()
          if method == "predict" then net:predict(X) else net:backward(net:forward(X)) end
        end)
        assert.is_false(ok)
        assert.truthy(message:find("^spec/layer/watch_spec%.lua:%d+: layer 1%.inner: "))
        assert.truthy(message:find(("%s: a %s matrix of float32, stored by columns, expected, %s")
          :format(method, shape, got), 1, true))
      end)
    end
  end

  it("is told to go forward before it goes backward", function()
    local class = {}
    class.__index = class
    function class.new(_, context)
      local inner = context.make({ "dense", outputs = 2 }, context.input, "inner")
      return setmetatable({ inner = inner, output = inner.output }, class)
    end
    function class.forward(_, A_below) return A_below end
    class.predict = class.forward
    function class:backward(Delta) self.inner:backward(Delta) end
    local net = pl.network({ inputs = 2, "own" }, { layers = { own = class } })
    local A = net:forward(X)
    local ok, message = pcall(net.backward, net, A)
    assert.is_false(ok)
    assert.truthy(message:find("layer 1.inner: backward needs a forward before it", 1, true))
  end)
end)
