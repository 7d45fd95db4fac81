-- What a process that embeds the library may rely on, and no other spec shows. README.md says where
-- each promise to hosts is tested.

local child = require "spec.support.child"

-- Trains and predicts with two threads.
local work = [[
  local pl = require "perilune"
  pl.threads(2)
  local X = pl.generator(1):normal(pl.matrix(2, 64))
  local data = pl.dataset { X = X, T = X }
  local net = pl.network { inputs = 2, pl.dense(64, "relu"), pl.dropout(0.5),
    pl.dense(2) }
  pl.fit(net, data, { loss = "squared_error", epochs = 2, validation = data })
  net:predict(X)
]]

describe("in a host application, the library", function()
  it("asks Lua neither for the environment nor for the time or random numbers", function()
    assert.equal("", child.run([[
      local function refused(name)
        return function() error(name .. " was called") end
      end
      for _, name in ipairs { "getenv", "time", "clock", "date", "setlocale" } do
        os[name] = refused(name)
      end
      math.random, math.randomseed = refused "random", refused "randomseed"
    ]] .. work))
  end)

  it("prints nothing", function()
    assert.equal("", child.run(work))
  end)

  it("neither handles signals nor ignores them", function()
    if not io.open "/proc/self/status" then
      return pending "this system has no /proc/self/status"
    end
    -- Signals 1 to 31: where there are threads, the C library handles some of its own above.
    assert.equal("true\n", child.run([[
      local function signals(field)
        local file <close> = io.open "/proc/self/status"
        return tonumber(file:read("a"):match(field .. ":%s*(%x+)"), 16) & 0x7FFFFFFF
      end
      local ignored, caught = signals "SigIgn", signals "SigCgt"
    ]] .. work .. [[
      print(signals "SigIgn" == ignored and signals "SigCgt" == caught)
    ]]))
  end)
end)
