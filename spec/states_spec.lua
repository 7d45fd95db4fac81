-- Hosts that Lua cannot play, because they are C: spec/support/states.c. More of what hosts may
-- rely on: spec/host_spec.lua.

local child = require "spec.support.child"
local compiled = require "spec.support.compiled"

describe("a host", function()
  local library

  setup(function() library = compiled("states", "-pthread") end)
  teardown(function() if library then os.remove(library) end end)

  -- What `script` prints, in which `host` names the functions of spec/support/states.c
  local function run(script, environment)
    return child.run(([[
      local host = {}
      for _, name in ipairs { "together", "capped", "ask" } do
        host[name] = assert(package.loadlib(%q, name))
      end
    ]]):format(library) .. script, environment)
  end

  it("runs many Lua states in many threads at once, to the same bits", function()
    if not library then return pending "no C compiler, or no headers of Lua" end
    assert.equal("48 results, of one kind\n", run [==[
      local results = host.together([[
        local pl = require "perilune"
        pl.threads(2)
        local X = pl.generator(1):normal(pl.matrix(20, 300))
        local labels = {}
        for n = 1, 300 do labels[n] = 1 + n % 3 end
        local net = pl.network { inputs = 20, pl.dense(64, "relu"), pl.dropout(0.1), pl.dense(3) }
        pl.fit(net, pl.dataset { X = X, labels = labels }, {
          loss = "softmax_cross_entropy", optimizer = "adam", epochs = 2, batch = 50,
        })
        local core = pl.float64 -- and OpenBLAS, which multiplies where both are transposed
        local A = core.generator(2):normal(core.matrix(150, 150))
        local C = core.product(core.matrix(150, 150), A, A, "TT")
        return ("%.17g %.17g"):format(net.theta:norm(), C:norm())
      ]], 16, 3)
      local kinds, count = {}, 0
      for _, result in ipairs(results) do
        if not result:find "^[%d.]+ [%d.]+$" then error(result) end
        count = count + (kinds[result] and 0 or 1)
        kinds[result] = true
      end
      print(#results .. " results, of " .. (count == 1 and "one kind" or count .. " kinds"))
    ]==])
  end)

  it("sets a cap on a state's memory that holds, and the state can be used on", function()
    if not library then return pending "no C compiler, or no headers of Lua" end
    assert.equal("true\t90000.0\ttrue\t0\n", run [==[
      local most = 4 << 20
      local ok, result, highest, left = host.capped([[
        local pl = require "perilune"
        local refused = {
          pcall(pl.matrix, 2000, 1000), -- 8 MB
          pcall(pl.float64.matrix, 2000, 1000, "rows"),
        }
        assert(refused[1] == false and refused[2] == false)
        assert(refused[3] == "not enough memory")
        for k = 1, 1000 do -- garbage of 360 MB, whose size the collector sees
          local M = pl.matrix(300, 300):fill(k)
          assert(M:sum() == 90000 * k)
        end
        local X = pl.matrix(10, 100)
        local net = pl.network { inputs = 10, pl.dense(64, "tanh"), pl.dense(10) }
        pl.fit(net, pl.dataset { X = X, T = X }, { loss = "squared_error", epochs = 3 })
        return pl.matrix(300, 300):fill(1):sum()
      ]], most)
      print(ok, result, highest > 8 * 300 * 300 and highest <= most, left)
    ]==])
  end)

  it("finds OpenBLAS kept to one thread, whatever it was set to", function()
    if not library then return pending "no C compiler, or no headers of Lua" end
    if not io.open "/proc/self/maps" then return pending "this system has no /proc" end
    local threads = run([[
      local pl = require "perilune"
      local A = pl.matrix(40, 40):fill(1)
      pl.float32.product(pl.matrix(40, 40), A, A, "TT")
      local file <close> = assert(io.open "/proc/self/maps")
      local path = file:read("a"):match "(/%S*libopenblas%S*)"
      if not path then print "static" return end
      if host.ask(path, "openblas_get_parallel") == 2 then print "OpenMP" return end
      print(host.ask(path, "openblas_get_num_threads"))
    ]], "OPENBLAS_NUM_THREADS=4")
    if threads == "static\n" then return pending "OpenBLAS is no library of its own here" end
    if threads == "OpenMP\n" then return pending "OpenMP has a setting for each thread" end
    assert.equal("1\n", threads)
  end)
end)
