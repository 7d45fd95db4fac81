-- Datasets whose X stays in its file: they are used as any other, and give the same.

local Folder = require "spec.support.folder"
local at_caller = require("spec.support.misuse").at_caller
local memory = require "spec.support.memory"
local pl = require "perilune"
local same = require("spec.support.matrices").same

describe("a dataset in a file", function()
  local folder, path, X, T, labels

  setup(function()
    folder = Folder.new()
    path = folder:at "X.npy"
    local generator = pl.generator(1)
    X, labels = generator:normal(pl.matrix(5, 300)), {}
    T = X:map(math.sin):slice(1, 2)
    for n = 1, 300 do labels[n] = X:get(1, n) > X:get(2, n) and 2 or 1 end
    assert(pl.data.write.npy(path, X))
    assert(pl.data.write.npy(folder:at "T.npy", T))
  end)
  teardown(function() folder:remove() end)

  local function in_file(options)
    options = options or {}
    if not options.T then options.labels = labels end
    options.window, options.chunk = options.window or 50, options.chunk or 10
    return assert(pl.data.chunked(path, options))
  end

  it("has as many samples and inputs as the file", function()
    local set = in_file { classes = { "a", "b" } }
    assert.same({ 300, 5, 1, true, { "a", "b" } },
      { set.N, set.inputs, set.targets, set.has_labels, set.classes })
    assert.equal("300 samples of 5 inputs, 2 classes", tostring(set))
    assert.equal("300 samples of 5 inputs, 2 targets, weighted",
      tostring(in_file { T = T, weights = pl.matrix(1, 300):fill(1) }))
  end)

  it("gives the batches that one in memory gives, in order", function()
    for _, options in ipairs { {}, { T = folder:at "T.npy" }, { T = T } } do
      local set = in_file(options)
      local of_memory = options.T and pl.dataset { X = X, T = T }
        or pl.dataset { X = X, labels = labels }
      for _, dtype in ipairs { "float32", "float64" } do
        local one = pl.batches(of_memory, { batch = 37, dtype = dtype })
        for X_n, T_n in pl.batches(set, { batch = 37, dtype = dtype }) do
          local X_m, T_m = one()
          assert.is_true(same(X_m, X_n) and same(T_m, T_n))
        end
        assert.is_nil((one()))
      end
    end
  end)

  it("gives every sample with its target once an epoch, in a new order each time", function()
    local set, before = in_file { T = folder:at "T.npy" }, nil
    local place_of = {}
    for n = 1, 300 do place_of[X:get(1, n)] = n end
    local batches = pl.batches(set, { batch = 32, generator = pl.generator(2) })
    for _ = 1, 3 do
      local order, is_seen = {}, {}
      for X_n, T_n in batches do
        for j = 1, X_n.cols do
          local n = place_of[X_n:get(1, j)]
          assert.is_nil(is_seen[n])
          is_seen[n], order[#order + 1] = true, n
          assert.is_true(same(X:slice(1, 5, n, n), X_n:slice(1, 5, j, j)))
          assert.is_true(same(T:slice(1, 2, n, n), T_n:slice(1, 2, j, j)))
          assert.equal(n, batches:sample(#order))
        end
      end
      assert.equal(300, #order)
      assert.not_same(before, order)
      before = order
    end
  end)

  it("goes on from a state to the same batches, in the middle of an epoch", function()
    local set = in_file()
    local one = pl.batches(set, { batch = 32, generator = pl.generator(2) })
    for _ = 1, one.count + 4 do one() end
    local other = pl.batches(in_file(), { batch = 32, generator = pl.generator(9) })
    other:restore(one:state())
    for _ = 1, 30 do
      local X_one = one()
      local X_other = other()
      assert.is_true(X_one == nil and X_other == nil or same(X_one, X_other))
    end
  end)

  it("is trained to the same bits, and goes on from a checkpoint to the same", function()
    local function trainer()
      local net = pl.network({ inputs = 5, pl.dense(8, "tanh"), pl.dense(2) }, { seed = 1 })
      local held_out, rest = in_file():split(0.2, pl.generator(4))
      return pl.trainer(net, rest, { loss = "softmax_cross_entropy", batch = 16, epochs = 4,
        validation = held_out, metrics = { "f1" } })
    end
    local whole, half = trainer(), trainer()
    whole:run()
    half:run { steps = 20 }
    local checkpoint = folder:at "checkpoint"
    assert(half:save(checkpoint))
    local again = trainer()
    assert(again:load(checkpoint))
    again:run()
    assert.is_true(same(whole.net.theta, again.net.theta))
    assert.is_true(whole.history[4].validation_accuracy > 0.8)
    assert.equal(whole.history[4].validation_loss, again.history[4].validation_loss)
  end)

  it("is evaluated to the same numbers as in memory", function()
    local net = pl.network({ inputs = 5, pl.dense(2) }, { seed = 1, gives = "logits" })
    local of_memory = pl.dataset { X = X, labels = labels }
    local metrics = { "accuracy", "log_loss" }
    assert.same(pl.evaluate(net, of_memory, "softmax_cross_entropy", metrics),
      pl.evaluate(net, in_file(), "softmax_cross_entropy", metrics))
    assert.is_true(same(net:predict(X), net:predict(in_file().X)))
    assert.same(net:classify(X), net:classify(in_file().X))
  end)

  it("is the same as one in memory by its checksum, and by its one_hot and for_outputs", function()
    local set, of_memory = in_file(), pl.dataset { X = X, labels = labels }
    assert.equal(of_memory:checksum(), set:checksum())
    assert.equal(of_memory:one_hot():checksum(), set:one_hot():checksum())
    assert.equal(of_memory:for_outputs(1):checksum(), set:for_outputs(1):checksum())
    assert.equal(of_memory:checksum(), set:to("float64"):to("float32"):checksum())
  end)

  it("has parts that are sets of their own, in the file's order", function()
    local part, rest = in_file():split(0.1, pl.generator(2))
    assert.same({ 30, 270 }, { part.N, rest.N })
    local order = part:order()
    for k = 2, 30 do assert.is_true(order[k] > order[k - 1]) end
    assert.is_true(same(X:select_columns(order), part.X))
    local count = 0
    for X_n in pl.batches(rest, { batch = 64, generator = pl.generator(1) }) do
      count = count + X_n.cols
    end
    assert.equal(270, count)
    at_caller(function() local _ = rest.X end,
      "270 samples of those in a file have no room in memory, which the window of 50 says")
  end)

  it("is refused for training where a number of it is not finite", function()
    local wrong = X:copy():set(3, 222, 0 / 0)
    assert(pl.data.write.npy(folder:at "wrong.npy", wrong))
    local set = assert(pl.data.chunked(folder:at "wrong.npy", { labels = labels, window = 50 }))
    assert.same({ "X", 3, 222 }, { set:find_nonfinite() })
    local net = pl.network { inputs = 5, pl.dense(2) }
    at_caller(function() pl.fit(net, set, { loss = "softmax_cross_entropy" }) end,
      "X has NaN or infinity in row 3 of sample 222")
    local targets = assert(pl.data.chunked(path, { T = folder:at "wrong.npy", window = 50 }))
    assert.same({ "T", 3, 222 }, { targets:find_nonfinite() })
  end)

  it("is warned of by the range of targets in a file", function()
    local net = pl.network { inputs = 5, pl.dense(2, "sigmoid") }
    at_caller(function()
      pl.fit(net, in_file { T = folder:at "T.npy" }, { loss = "squared_error" })
    end, "targets reach from -")
  end)

  it("is refused where labels, targets or sizes do not fit", function()
    at_caller(function() local _ = pl.data.chunked(path, { labels = { 1, 2 } }) end,
      "X has 300 samples but labels has 2")
    at_caller(function() local _ = pl.data.chunked(path, {}) end, "either T or labels expected")
    local sizes = { T = T, window = 10, chunk = 11 }
    at_caller(function() local _ = pl.data.chunked(path, sizes) end,
      "chunk: at most the window's 10 samples expected, got 11")
    at_caller(function() local _ = pl.data.chunked(path, { rows = 1 }) end, "unknown option 'rows'")
    local set, message = pl.data.chunked(folder:at "missing", { labels = labels })
    assert.is_nil(set)
    assert.equal(folder:at "missing" .. ": ", message:sub(1, #folder.path + 10))
    assert.is_nil((pl.data.chunked(path, { T = folder:at "missing" })))
    assert(pl.data.write.npy(folder:at "few.npy", pl.matrix(1, 7)))
    at_caller(function() local _ = pl.data.chunked(path, { T = folder:at "few.npy" }) end,
      "X has 300 samples but T has 7")
  end)

  -- 256 MB that take no room on the disk: a file with a hole
  it("is trained on in the memory of its window", function()
    if (os.getenv("PERILUNE_BUILD") or ""):find("sanitize") then
      return pending("sanitizers reserve more memory than the limit")
    end
    local rows, N = 64, 1000000
    local large = folder:at "large.npy"
    local header = ("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }\n"):format(N,
      rows)
    local file = assert(io.open(large, "wb"))
    file:write("\x93NUMPY\1\0", ("<s2"):pack(header))
    file:seek("cur", 4 * rows * N - 1)
    file:write "\0"
    file:close()
    local megabytes, epochs = memory.growth(([[
      local labels = pl.matrix(1, %d):fill(1)
      labels:set(1, 1, 2)
      options = { labels = labels, window = 65536 }
      net = pl.network { inputs = %d, pl.dense(2) }]]):format(N, rows), ([[
      local set = assert(pl.data.chunked(%q, options))
      local history = pl.fit(net, set, { loss = "softmax_cross_entropy", epochs = 1, batch = 4096 })
      result = #history]]):format(large))
    assert.equal("1", epochs)
    assert.is_true(megabytes < 60, megabytes) -- of which the window is 16, a batch 1
  end)
end)
