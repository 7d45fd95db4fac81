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
