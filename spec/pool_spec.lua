-- Threads: src/pool.c, and that no result depends on their number.

local child = require "spec.support.child"
local naive = require "spec.support.naive"
local pl = require "perilune"
local raises = require "spec.support.raises"

local sanitized = (os.getenv("PERILUNE_BUILD") or ""):find("sanitize") ~= nil

-- A field of this process's status, or nil where the system has none: "Threads", "VmRSS" in KiB
local function status(field)
  local file <close> = io.open("/proc/self/status")
  return file and tonumber(file:read("a"):match(field .. ":%s*(%d+)"))
end

-- Call results(), a list of matrices, with 1 to 4 threads; all must be the same to the last bit.
local function same_bits(what, results)
  local wanted
  for threads = 1, 4 do
    pl.threads(threads)
    local bytes = {}
    for k, M in ipairs(results()) do bytes[k] = M:encode(M.dtype, "little", M.order) end
    wanted = wanted or bytes
    for k = 1, #wanted do
      if bytes[k] ~= wanted[k] then
        error(("%s: result %d differs with %d threads"):format(what, k, threads), 2)
      end
    end
  end
  pl.threads(1)
end

describe("the number of threads", function()
  before_each(function() pl.threads(1) end)
  teardown(function() pl.threads(1) end)

  it("is 1 unless set", function()
    assert.equal("1\t1\t1\n", child.run [[
      local pl = require "perilune"
      print(pl.threads(), pl.float32.threads(), pl.float64.threads(nil))]])
  end)

  it("is set, returned and kept, for both element types at once", function()
    for threads = 1, 4 do
      assert.equal(threads, pl.threads(threads))
      assert.equal(threads, pl.threads())
      assert.equal(threads, pl.float64.threads())
    end
    assert.equal(2, pl.float64.threads(2))
    assert.equal(2, pl.float32.threads(2.0))
    assert.equal("integer", math.type(pl.threads()))
    assert.equal(1, pl.threads(1))
  end)

  it("is at most 256", function()
    assert.equal(256, pl.threads(256))
    local A = pl.generator():normal(pl.matrix(300, 300))
    assert.equal(90000, pl.float32.count_equal(A + A, 2 * A))
    assert.equal(1, pl.threads(1))
  end)

  it("is refused when it is anything else, and stays what it was", function()
    pl.threads(2)
    for _, n in ipairs { 0, 257, -1, math.mininteger, math.maxinteger, 2 ^ 32 + 1 } do
      local text = "1 to 256 threads expected, got " .. math.tointeger(n)
      raises(text, pl.threads, n)
    end
    raises("no integer representation", pl.threads, 1.5)
    raises("no integer representation", pl.threads, naive.infinity)
    raises("number expected, got string", pl.threads, "x")
    raises("number expected, got boolean", pl.threads, false)
    raises("number expected, got table", pl.threads, {})
    assert.equal(2, pl.threads())
  end)

  it("changes many times in a row and leaves no thread behind", function()
    if not status "Threads" then return pending "this system has no /proc/self/status" end
    -- In a process that had no others before: the system still counts a joined one for a moment.
    assert.equal("200 changes\n", child.run [[
      local pl = require "perilune"
      local function count()
        local file <close> = io.open("/proc/self/status")
        return tonumber(file:read("a"):match("Threads:%s*(%d+)"))
      end
      local before = count()
      local function check_count(expected)
        local late = os.time() + 10
        repeat
          if count() == expected then return end
        until os.time() > late
        error(("%d threads expected, got %d"):format(expected, count()))
      end
      local A = pl.generator():normal(pl.matrix(1, 70000))
      local B = 2 * A
      for k = 1, 200 do
        pl.threads(1 + k % 5)
        check_count(before + k % 5)
        assert(pl.float32.count_equal(A + A, B) == 70000)
      end
      pl.threads(1)
      check_count(before)
      print "200 changes"]])
  end)
end)

describe("the threads", function()
  before_each(function() pl.threads(1) end)
  teardown(function() pl.threads(1) end)

  local ends = {
    { "runs out of script", "", "exit", 0 },
    { "calls os.exit", "os.exit(3)", "exit", 3 },
    { "closes its state and exits", "os.exit(4, true)", "exit", 4 },
    { "fails", "error 'in the end'", "exit", 1 },
    { "ends within a map", "A:map(function() os.exit(5, true) end)", "exit", 5 },
  }
  for _, case in ipairs(ends) do
    it("end with a Lua state that " .. case[1], function()
      local _, how, code = child.shell(child.command([[
        local pl = require "perilune"
        pl.threads(4)
        local A = pl.generator():normal(pl.matrix(300, 300))
        local B = A * A + A
        ]] .. case[2]))
      assert.equal(case[3], how)
      assert.equal(case[4], code)
    end)
  end

  -- Objects are finalised in the reverse order of their making: this one after the pool, whose
  -- memory goes next. Nothing would end threads that it started.
  it("are not started again by a finaliser that runs after theirs, but it may compute",
    function()
      assert.equal("true\t90000.0\n", child.run [[
        local function threads()
          local file <close> = io.open("/proc/self/status")
          return file and file:read("a"):match("Threads:%s*(%d+)")
        end
        local core
        late = setmetatable({}, { __gc = function()
          local before = threads()
          pcall(core.threads, 4)
          local A = core.matrix(300, 300):fill(1)
          for _ = 1, 20 do A = A + A - A end
          print(threads() == before, A:sum())
        end })
        core = require "perilune.core.float32"
        core.threads(2)]])
    end)

  it("that cannot be started are counted in the error; the others work", function()
    if sanitized then return pending("sanitizers reserve more memory than the limit") end
    local output = child.shell("ulimit -v 700000; " .. child.command [[
      local core = require "perilune.core.float32"
      local ok, message = pcall(core.threads, 256)
      local started = core.threads()
      local counted = message:match("256 threads expected, only (%d+) could be started")
      print(ok, counted == tostring(started), started > 1 and started < 256)
      local A = core.matrix(300, 300):fill(1)
      print((A + A):sum(), core.threads(1))]])
    assert.equal("false\ttrue\ttrue\n180000.0\t1\n", output)
  end)

  -- Large products copy an operand to memory that each thread has of its own. The system puts new
  -- memory below what it gave before: a thread that wrote beyond its end would write to `guard`.
  -- Where OpenBLAS multiplies them, it may have no room for all threads.
  local large = [[
    local core = require "perilune.core.float32"
    local g = core.generator()
    local A, B = g:normal(core.matrix(2048, 256)), g:normal(core.matrix(256, 2048))
    local C, wanted = core.matrix(2048, 2048), core.matrix(2048, 2048)
    local function multiply(C)
      local ok, message = pcall(core.product, C, A, B)
      assert(ok or message:find "not enough memory: OpenBLAS", message)
      return ok
    end
    local has_room = multiply(wanted)
    core.threads(2)
    local room = core.matrix(5000, 5000)
    local guard = core.matrix(2048, 2048):fill(1)
    local function check()
      for _ = 1, 30 do has_room = multiply(C) and has_room end
      local same = core.count_equal(C, wanted) == 2048 ^ 2
      print(same or not has_room, guard:sum() == 2048 ^ 2)
    end
  ]]

  it("have memory of their own, though not all could be started", function()
    if sanitized then return pending("sanitizers reserve more memory than the limit") end
    local output = child.shell("ulimit -v 700000; " .. child.command(large .. [[
      multiply(C)
      print((pcall(core.threads, 256)))
      room = nil -- there is some for what the others need
      collectgarbage()
      check()]]))
    assert.equal("false\ntrue\ttrue\n", output)
  end)

  it("have memory of their own, though a finaliser changes their number meanwhile", function()
    assert.equal("true\ttrue\n8\n", child.run(large .. [[
      collectgarbage("incremental", 100, 1000, 40) -- a whole cycle at once
      collectgarbage "stop"
      setmetatable({}, { __gc = function() core.threads(8) end })
      collectgarbage "restart" -- when the next object is made
      check()
      collectgarbage()
      print(core.threads())]]))
  end)

  -- Built with threads, OpenBLAS needs a buffer for each processor too: the limit has room for
  -- those, and for a few threads of ours.
  local limit = "P=$(getconf _NPROCESSORS_ONLN); export P; "
    .. "ulimit -v $(((P + 4) * 140000)); "

  it("raise where OpenBLAS has no room, and do other work", function()
    if sanitized then return pending("sanitizers reserve more memory than the limit") end
    local output = child.shell(limit .. child.command [[
      local core = require "perilune.core.float64"
      core.threads(math.min(os.getenv "P" + 8, 256))
      local A, C = core.matrix(3, 3):fill(1), core.matrix(3, 3):fill(5)
      -- both transposed: OpenBLAS's on every processor
      local ok, message = pcall(core.product, C, A, A, "TT")
      print(ok, message:match("not enough memory: OpenBLAS"), C:sum())
      print((A + A):sum(), (A * A:columns(1, 1)):sum())
      core.threads(1)
      print(core.product(C, A, A, "TT"):sum())]])
    assert.equal("false\tnot enough memory: OpenBLAS\t45.0\n18.0\t9.0\n27.0\n", output)
  end)

  it("raise so before any result is written", function()
    if sanitized then return pending("sanitizers reserve more memory than the limit") end
    local output = child.shell(limit .. child.command [[
      local core = require "perilune.core.float32"
      core.threads(math.min(os.getenv "P" + 8, 256))
      -- By rows, H A_below^t is a product of two transposes.
      local A_below, H = core.matrix(4, 5, "rows"):fill(1), core.matrix(3, 5):fill(1)
      local dJ_dW, dJ_db = core.matrix(3, 4, "rows"):fill(2), core.matrix(3, 1):fill(2)
      local Delta, relu = core.matrix(3, 5):fill(7), core.activations.relu
      local function refused(...)
        local ok, message = pcall(...)
        return not ok and message:match "not enough memory: OpenBLAS"
      end
      print(refused(core.dense_gradients, dJ_dW, dJ_db, H, A_below, Delta, Delta, Delta,
        relu.handle))
      print(refused(core.affine_gradients, dJ_dW, dJ_db, H, A_below))
      print(dJ_dW:sum(), dJ_db:sum(), H:sum())
      core.threads(1)
      core.dense_gradients(dJ_dW, dJ_db, H, A_below, Delta, Delta, Delta, relu.handle)
      print(dJ_dW:sum(), dJ_db:sum(), H:sum())]])
    local refused = ("not enough memory: OpenBLAS\n"):rep(2)
    assert.equal(refused .. "24.0\t6.0\t15.0\n420.0\t105.0\t105.0\n", output)
  end)

  it("leave the rounding of the caller's own small numbers as it was", function()
    local A = pl.float64.generator():normal(pl.float64.matrix(300, 300))
    for _, threads in ipairs { 1, 4 } do
      pl.threads(threads)
      local tiny = A:get(1, 1) ~= 0 and 2.0 ^ -1073
      assert.equal(90000, pl.float64.count_equal(A + A, A * 2))
      assert.equal(2.0 ^ -1074, tiny / 2)
      assert.is_true(tiny / 2 > 0)
    end
  end)

  it("allow a program to be started meanwhile", function()
    pl.threads(4)
    local A = pl.generator():normal(pl.matrix(300, 300))
    local B = A * A
    for _ = 1, 5 do
      assert.equal("1\n", child.run "print(1)")
      assert.equal(90000, pl.float32.count_equal(A * A, B))
    end
  end)

  it("wake up again after they have slept", function()
    pl.threads(4)
    local A = pl.generator():normal(pl.matrix(300, 300))
    local B = A * A
    for _ = 1, 5 do
      assert(io.popen("sleep 0.02")):close()
      assert.equal(90000, pl.float32.count_equal(A * A, B))
    end
  end)

  -- What follows counts how often threads went to sleep, which the system tells.
  local sleeps = [[
    local pl = require "perilune"
    local function ids()
      local list = {}
      for id in io.popen("ls /proc/$PPID/task"):lines() do
        list[#list + 1] = math.tointeger(id)
      end
      table.sort(list)
      return list
    end
    local threads = {}
    local function start(count)
      pl.threads(count)
      threads = ids()
      os.execute "sleep 0.3"
      return #threads == count
    end
    local function sleeps(from) -- of the threads from this one on
      local total = 0
      for k = from, #threads do
        local file <close> = io.open(("/proc/self/task/%d/status"):format(threads[k]))
        total = total + file:read("a"):match("\nvoluntary_ctxt_switches:%s*(%d+)")
      end
      return total
    end
  ]]

  -- A thread that is woken for nothing takes the time of one that works: with sixteen of them small
  -- networks were slower than with one.
  it("that have no share in a run sleep on", function()
    if not status "Threads" then return pending "this system has no /proc/self/status" end
    assert.equal("true\ttrue\n", child.run(sleeps .. [[
      local started = start(8)
      local A = pl.generator():normal(pl.matrix(200, 300))  -- two pieces
      local before = sleeps(3)
      for k = 1, 300 do
        for _ = 1, 10 do A = (A + A) * 0.5 end
        if k % 30 == 0 then os.execute "sleep 0.01" end
      end
      print(started, sleeps(3) == before)]]))
  end)

  -- Each of the two pieces takes longer than what the pool calls a rest.
  it("are woken where runs of two long pieces follow each other", function()
    if not status "Threads" then return pending "this system has no /proc/self/status" end
    assert.equal("true\ttrue\n", child.run(sleeps .. [[
      local started = start(2)
      local A = pl.float64.matrix(200, 300):fill(1.5)
      local before = sleeps(2)
      for _ = 1, 300 do pl.float64.power(A, A, 1.01) end
      os.execute "sleep 0.1"
      print(started, sleeps(2) > before)]]))
  end)
end)

for _, name in ipairs(naive.types) do
  local core = pl[name]
  local random = naive.random

  describe("with any number of threads, in " .. name .. ",", function()
    teardown(function() pl.threads(1) end)

    -- All that a layer of `outputs` computes from `inputs` for N samples
    local function layer(inputs, outputs, N, activation, order)
      local W, b = random(core, 1, outputs, inputs, order), random(core, 2, outputs, 1)
      local A_below, Delta = random(core, 3, inputs, N), random(core, 4, outputs, N)
      local sigma = core.activations[activation]
      return function()
        local Z, A = core.matrix(outputs, N), core.matrix(outputs, N)
        local Z_fused, fused = core.matrix(outputs, N), core.matrix(outputs, N)
        local H = core.matrix(outputs, N)
        local dJ_dW, dJ_db = core.matrix(outputs, inputs, order), core.matrix(outputs, 1)
        local Delta_below = core.matrix(inputs, N)
        core.affine_forward(Z, W, A_below, b)
        sigma.forward(A, Z)
        core.dense_forward(fused, Z_fused, W, A_below, b, sigma.handle)
        sigma.backward(H, Delta, Z, A)
        core.affine_gradients(dJ_dW, dJ_db, H, A_below)
        core.affine_backward(Delta_below, W, H)
        local H_fused, dJ_db_fused = core.matrix(outputs, N), core.matrix(outputs, 1)
        local dJ_dW_fused = core.matrix(outputs, inputs, order)
        core.dense_gradients(dJ_dW_fused, dJ_db_fused, H_fused, A_below, Delta, Z, A,
          sigma.handle)
        return {
          Z, A, fused, Z_fused, H, dJ_dW, dJ_db, Delta_below, H_fused, dJ_dW_fused,
          dJ_db_fused,
        }
      end
    end

    local names = naive.activations

    for _, N in ipairs { 1, 7, 100, 129 } do
      it("layers of odd widths have the same bits: samples " .. N, function()
        local widths = { 1, 10, 33, 500, 784, 10, 500, 33, 784, 1 }
        for l = 1, #widths - 1 do
          local order = l % 2 == 0 and "columns" or "rows"
          local activation = names[1 + (l + N) % #names]
          local inputs, outputs = widths[l], widths[l + 1]
          local what = ("%d -> %d %s, %s"):format(inputs, outputs, activation, order)
          same_bits(what, layer(inputs, outputs, N, activation, order))
        end
      end)
    end

    it("large layers have the same bits, with every activation", function()
      if sanitized then return pending("takes long under the sanitizers") end
      for k, activation in ipairs(names) do
        local order = k % 2 == 0 and "columns" or "rows"
        same_bits(activation, layer(301, 257, 513, activation, order))
      end
    end)

    it("products have the same bits, transposed or not, in all orders", function()
      for _, size in ipairs {
        { 1, 784, 500 }, { 500, 784, 1 }, { 129, 1, 500 }, { 200, 301, 150 },
      } do
        local m, k, n = table.unpack(size)
        for _, transposed in ipairs { "NN", "NT", "TN", "TT" } do
          local A, B = random(core, 5, m, k), random(core, 6, k, n)
          if transposed:sub(1, 1) == "T" then A = A:transpose() end
          if transposed:sub(2, 2) == "T" then B = B:transpose() end
          same_bits(("%d x %d x %d %s"):format(m, k, n, transposed), function()
            local results = {}
            for _, order in ipairs { "columns", "rows" } do
              local C = core.matrix(m, n, order)
              results[#results + 1] = core.product(C, A, B, transposed)
              C = core.matrix(m, n, order)
              results[#results + 1] = core.product(C, A:copy("rows"), B, transposed)
            end
            return results
          end)
        end
      end
    end)

    it("updates have the same bits", function()
      for _, size in ipairs { 1, 1000, 32769, 200003 } do
        local p, g = random(core, 7, size, 1), random(core, 8, size, 1)
        same_bits(("%d parameters"):format(size), function()
          -- parameters, and behind them what is kept
          local M = {}
          for k = 1, 30 do M[k] = k <= 11 and p:copy() or core.matrix(size, 1) end
          for step = 1, 2 do
            core.sgd_update(M[1], g, 0.1, 0.01)
            core.momentum_update(M[2], g, M[12], 0.1, 0.9, true, 0.01)
            core.adam_update(M[3], g, M[13], M[14], 0.1, 0.9, 0.999, 1e-8, step, 0.01)
            core.amsgrad_update(M[4], g, M[15], M[16], M[17], 0.1, 0.9, 0.5, 1e-8, step, 0.01)
            core.adamax_update(M[5], g, M[18], M[19], 0.1, 0.9, 0.999, 1e-8, step, 0.01)
            core.nadam_update(M[6], g, M[20], M[21], 0.1, 0.9, 0.9, 1e-8, step, 0.1, 1, 0.01)
            core.adagrad_update(M[7], g, M[22], 0.1, 1e-8, 0.01)
            core.adadelta_update(M[8], g, M[23], M[24], 1, 0.9, 1e-6, 0.01)
            core.rmsprop_update(M[9], g, M[25], M[26], M[27], 0.1, 0.9, 1e-8, 0.9, 0.01)
            core.lion_update(M[10], g, M[28], 0.1, 0.9, 0.99, 0.01)
            core.rprop_update(M[11], g, M[29], M[30], 0.1, 0.5, 1.2, 1e-6, 50)
          end
          return M
        end)
      end
    end)

    it("losses have the same bits", function()
      for _, N in ipairs { 1, 129, 5000 } do
        local Z, T = random(core, 9, 10, N), random(core, 10, 10, N)
        core.square(T, T)
        same_bits(("%d samples"):format(N), function()
          local D, E, J = core.matrix(10, N), core.matrix(10, N), core.matrix(2, 1)
          J:set(1, 1, core.softmax_cross_entropy(D, Z, T))
          J:set(2, 1, core.squared_error(E, Z, T))
          return { D, E, J }
        end)
      end
    end)

    it("reductions have the same bits", function()
      for _, size in ipairs { { 1, 7 }, { 300, 301 }, { 3, 200003 }, { 200003, 3 } } do
        for _, order in ipairs { "columns", "rows" } do
          local M = random(core, 11, size[1], size[2], order)
          local B = core.abs(M:copy(order), M)
          same_bits(("%d x %d, %s"):format(size[1], size[2], order), function()
            local numbers = core.matrix { {
              M:sum(), M:norm(), M:max(), M:min(), core.count_equal(M, B),
            } }
            return {
              numbers, core.sum_columns(core.matrix(M.rows, 1), M),
              core.sum_rows(core.matrix(1, M.cols), M), M:argmax(),
            }
          end)
        end
      end
    end)

    it("numbers are drawn and filled in alike", function()
      same_bits("draws", function()
        local g = core.generator(12)
        return {
          g:uniform(core.matrix(300, 301)), g:normal(core.matrix(300, 301, "rows")),
          core.matrix(300, 301):fill(1.5),
        }
      end)
    end)

    it("numbers below the normal ones vanish alike", function()
      local tiny = name == "float32" and 2.0 ^ -140 or 2.0 ^ -1060
      local A = core.matrix(300, 300):fill(tiny)
      same_bits("denormals", function()
        return { A + A, A * A, core.square(A:copy(), A) }
      end)
      for threads = 1, 2 do
        pl.threads(threads)
        for _, M in ipairs { A, A:columns(1, 1) } do
          assert.same({ 0, 0 }, { M:sum(), M:norm() })
          assert.equal(M.rows * M.cols, core.count_equal(M, 0 * M))
          assert.equal(0, core.accumulate(0 * M, 1, M):norm())
          assert.equal(0, core.sum_rows(core.matrix(1, M.cols), M):norm())
        end
      end
      pl.threads(1)
    end)
  end)
end

-- A function that trains a network, large enough that threads share each step, and returns its
-- parameters as bytes. As source, because children run it too.
local train = [[
local function train(pl, name, threads)
  local core = pl[name]
  pl.threads(threads)
  local generator = core.generator(3)
  local X = generator:normal(core.matrix(120, 700))
  local labels = {}
  for n = 1, 700 do labels[n] = generator:integer(1, 10) end
  local net = pl.network({
    inputs = 120,
    pl.dense(150, "relu"), pl.dropout(0.2), pl.dense(101, "tanh"), pl.dense(10),
  }, { dtype = name, seed = 5 })
  pl.fit(net, pl.dataset { X = X, labels = labels }, {
    loss = "softmax_cross_entropy", optimizer = pl.adam(), epochs = 3, batch = 300,
  })
  pl.threads(1)
  return net.theta:encode(name)
end
]]

describe("a whole training", function()
  local train_here = load(train .. "return train")()

  for _, name in ipairs(naive.types) do
    it("ends in the same bits with any number of threads: " .. name, function()
      finally(function() pl.threads(1) end)
      local wanted = train_here(pl, name, 1)
      for threads = 2, 4 do assert.is_true(train_here(pl, name, threads) == wanted) end
    end)
  end

  -- OpenBLAS has kernels of its own for each kind of processor.
  local kinds = {
    { "Nehalem", { "sse4_2" } }, { "Haswell", { "avx2", "fma" } },
    { "Zen", { "avx2", "fma" } },
    { "SkylakeX", { "avx512f", "avx512dq", "avx512bw", "avx512vl" } },
  }
  local file = io.open("/proc/cpuinfo")
  local flags = file and file:read("a"):match("flags%s*:([^\n]*)") or ""
  if file then file:close() end

  for _, kind in ipairs(kinds) do
    it("does so with OpenBLAS's kernels for " .. kind[1], function()
      for _, flag in ipairs(kind[2]) do
        if not flags:find("%f[%w]" .. flag .. "%f[%W]") then
          return pending("this processor has no " .. flag)
        end
      end
      local output = child.run(train .. [[
        local pl = require "perilune"
        for _, name in ipairs { "float32", "float64" } do
          local wanted = train(pl, name, 1)
          for threads = 2, 4 do print(train(pl, name, threads) == wanted) end
        end]], "OPENBLAS_CORETYPE=" .. kind[1])
      assert.equal(("true\n"):rep(6), output)
    end)
  end
end)

describe("training in its stride", function()
  -- A function that does one step, taking batches in turn; the last one of an epoch is smaller.
  local function stepper(name)
    local core = pl[name]
    local X = naive.random(core, 1, 5, 50)
    local labels = {}
    for n = 1, 50 do labels[n] = 1 + n % 3 end
    local net = pl.network({
      inputs = 5,
      pl.dense(7, "tanh"), pl.dropout(0.1), pl.dense(6, "softmax"), pl.dense(3),
    }, { dtype = name })
    local batches = pl.batches(pl.dataset { X = X, labels = labels },
      { batch = 16, generator = core.generator(2) })
    local Deltas = { [16] = core.matrix(3, 16), [2] = core.matrix(3, 2) }
    local optimizer, parameters = pl.adam(), net:parameters()
    return function()
      local X_batch, T = batches:next()
      if not X_batch then X_batch, T = batches:next() end
      local A = net:forward(X_batch)
      local _, Delta = pl.loss.softmax_cross_entropy(A, T, Deltas[X_batch.cols])
      net:backward(Delta)
      optimizer:step(parameters)
    end
  end

  for _, name in ipairs(naive.types) do
    for _, threads in ipairs { 1, 3 } do
      it(("allocates nothing: %s, %d threads"):format(name, threads), function()
        finally(function()
          collectgarbage("restart")
          pl.threads(1)
        end)
        pl.threads(threads)
        local step = stepper(name)
        collectgarbage()
        collectgarbage("stop")
        for _ = 1, 20 do step() end
        local before = collectgarbage("count")
        for _ = 1, 10000 do step() end
        local after = collectgarbage("count") -- `assert.equal` itself makes a table
        assert.equal(before, after)
      end)
    end
  end

  it("needs no more memory after many steps", function()
    if not status "VmRSS" then return pending("this system has no /proc/self/status") end
    finally(function() pl.threads(1) end)
    pl.threads(2)
    local step = stepper "float32"
    for _ = 1, 1000 do step() end
    collectgarbage()
    local before = status "VmRSS"
    for _ = 1, 1e5 do step() end
    collectgarbage()
    local grown = status "VmRSS" - before
    assert.is_true(grown < 1024, ("%d KiB more"):format(grown))
  end)
end)
