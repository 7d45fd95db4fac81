-- What a process that embeds the library may rely on, and no other spec shows. README.md says where
-- each promise to hosts is tested.

local child = require "spec.support.child"
local compiled = require "spec.support.compiled"

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

-- Each is run as if it were the only one, so that the library is loaded with all that it needs.
describe("on a thread with 64 KiB of stack for it, the library", function()
  local library

  setup(function() library = compiled("stack", "-pthread") end)
  teardown(function() if library then os.remove(library) end end)

  local function it_runs(what, script)
    it(what, function()
      if not library then return pending "no C compiler" end
      if os.getenv "SANITIZED_LUA" then return pending "the sanitizer needs more" end
      -- A stack that is too small ends the child.
      assert.equal("done\n", child.run(([[
        local needed = assert(package.loadlib(%q, "needed"))
        local own = needed(2 ^ 20, function() end)
        needed(own + 2 ^ 16, function()
          %s
        end)
        print "done"]]):format(library, script)))
    end)
  end

  for _, dtype in ipairs { "float32", "float64" } do
    it_runs("multiplies: " .. dtype, ([[
      local core = require("perilune").%s
      for _, size in ipairs { { 20, 30, 4 }, { 300, 4096, 40 }, { 64, 1024, 300 },
        { 130, 512, 600 }, { 1100, 1100, 1100 } } do
        local m, k, n = table.unpack(size)
        for _, order in ipairs { "columns", "rows" } do
          local A, B = core.matrix(m, k, order), core.matrix(k, n, order)
          local At, Bt = core.matrix(k, m, order):transpose(), core.matrix(n, k, order):transpose()
          for _, product in ipairs { A * B, At * B, A * Bt, At * Bt } do product:max() end
        end
      end]]):format(dtype))
  end

  it_runs("works with matrices, however large", [[
    local pl = require "perilune"
    local core = pl.float32
    local g = core.generator(1)
    local X, labels = g:normal(core.matrix(700, 900, "rows")), core.matrix(1, 900):fill(2)
    local Y = (X + X:copy() * 2 - 1):map(math.abs)
    Y = pl.activation.softmax.forward(core.matrix(700, 900), Y:copy())
    local _ = Y:sum() + Y:norm() + Y:max(), Y:argmax(), tostring(Y), Y:totable(), Y:is_finite()
    core.softmax_cross_entropy(core.matrix(700, 900), Y, labels)
    core.squared_error(core.matrix(700, 900), Y, Y)
    core.decode(Y:encode "float64", "float64", 700, 900)
    core.gather(core.matrix(700, 900), Y, g:permutation(900))]])

  it_runs("trains, predicts, saves and loads", [[
    local pl = require "perilune"
    local train, test = pl.data.digits { train = 300, test = 100 }
    local net = pl.network({
      inputs = 784, pl.dense(256), pl.batch_norm(), pl.layer_norm(),
      pl.residual { pl.dense(256, { "leaky_relu", slope = 0.1 }), pl.dropout(0.2), pl.dense(256) },
      pl.branch { pl.dense(20), pl.dense(30) }, pl.dense(10),
    }, { classes = train.classes })
    local trainer = pl.trainer(net, train, {
      loss = "softmax_cross_entropy", epochs = 2, validation = test, early_stopping = true,
      optimizer = { "adam", groups = { { match = "%.b$", rate = 0.1 } } },
    })
    local path = os.tmpname()
    trainer:run { epochs = 1 }
    assert(trainer:save(path))
    assert(trainer:load(path))
    trainer:run()
    assert(net:save(path))
    assert(pl.load(path)):classify(test.X)
    os.remove(path)
    pcall(pl.network, { inputs = 3, { "dens" } })]])
end)
