local at_caller = require("spec.support.misuse").at_caller
local child = require "spec.support.child"
local pl = require "perilune"
local Progress = require "perilune.progress"

local CLEAR = "\r\27[K"

-- A file that keeps what is written to it, and fails where it is told to
local function new_stream()
  local stream = { written = {} }
  function stream:write(text)
    if self.fails then return nil, "No space left on device" end
    self.written[#self.written + 1] = text
    return self
  end
  function stream:text() return table.concat(self.written) end
  return stream
end

-- A display with a clock of its own, which goes when it is told to
local function new_display(options)
  local time = { now = 100 }
  options.stream = options.stream or new_stream()
  return Progress.new(options, function() return time.now end), options.stream, time
end

local function progress_of(epoch, batch, loss)
  return { epoch = epoch, epochs = 10, batch = batch, batches = 20, samples = batch * 50,
    loss = loss or 0.5 }
end

-- What a bar looks like, without what tells the terminal where
local function drawn(text)
  local bar = text:match "^\r\27%[%?7l([^\r\n]*)\27%[K\27%[%?7h$"
  return assert(bar, ("no bar: %q"):format(text))
end

describe("a bar", function()
  it("shows the epoch and how much of it is done, the loss, the speed, the time left", function()
    local display, stream, time = new_display { style = "bar" }
    display:begin(progress_of(1, 0), 1000)
    time.now = 102 -- 500 samples in 2 s, and 9500 to go
    display:on_batch(progress_of(1, 10, 0.123456), 1000)
    local bar = ("="):rep(15) .. (" "):rep(15)
    assert.equal("epoch 1/10 [" .. bar .. "] loss 0.1235, 250/s, 38 s left",
      drawn(stream:text()))
  end)

  it("shows the validation of the epoch before, and is not wider than 79 columns", function()
    local display, stream, time = new_display { style = "bar", label = "fold 2/5 " }
    display:begin(progress_of(1, 0), 1000)
    time.now = 110
    display:on_epoch({ epoch = 1, loss = 0.25, validation_loss = 0.3 }, progress_of(2, 0), 1000)
    display:on_batch(progress_of(2, 20, 1234567.8), 1000)
    local text = drawn(stream:text())
    assert.equal("fold 2/5 epoch 2/10 [==========] loss 1.235e+06, validation 0.3, 200/s, "
      .. "40 s left", text)
    local wide, other, clock = new_display { style = "bar" }
    wide:begin(progress_of(1, 0), 1000)
    clock.now = 101
    wide:on_epoch({ epoch = 1, loss = 0.25, validation_loss = 0.3 }, progress_of(2, 0), 1000)
    wide:on_batch(progress_of(2, 5, 0.123456), 1000)
    assert.equal(79, #drawn(other:text()))
  end)

  it("tells the time as a clock does", function()
    for seconds, expected in pairs { [59] = "59 s", [187] = "3:07", [3787] = "1:03:07" } do
      local display, stream, time = new_display { style = "bar" }
      display:begin(progress_of(1, 0), 1000)
      time.now = 100 + seconds -- half is done
      display:on_batch(progress_of(6, 0), 1000)
      assert.equal(expected .. " left", stream:text():match ", ([%d: s]+ left)")
    end
  end)

  it("counts from where the run went on", function()
    local display, stream, time = new_display { style = "bar" }
    display:begin(progress_of(9, 0), 1000)
    time.now = 104
    display:on_batch(progress_of(10, 0), 1000)
    assert.matches("250/s, 4 s left", drawn(stream:text()), 1, true)
  end)

  it("tells no time left where there is no end", function()
    local display, stream, time = new_display { style = "bar" }
    local progress = progress_of(1, 10)
    progress.epochs = math.huge
    display:begin(progress_of(1, 0), 1000)
    time.now = 101
    display:on_batch(progress, 1000)
    assert.matches("^epoch 1 %[=+ +%] loss 0.5, 500/s$", drawn(stream:text()))
  end)

  it("is drawn ten times a second at most", function()
    local display, stream, time = new_display { style = "bar" }
    display:begin(progress_of(1, 0), 1000)
    for batch = 1, 20 do
      time.now = time.now + 0.026
      display:on_batch(progress_of(1, batch), 1000)
    end
    assert.equal(5, #stream.written)
  end)

  it("is gone in the end", function()
    local display, stream, time = new_display { style = "bar" }
    do
      local _ <close> = display:begin(progress_of(1, 0), 1000)
      time.now = 101
      display:on_batch(progress_of(1, 10), 1000)
    end
    assert.equal(CLEAR, stream.written[2])
    display:clear()
    assert.equal(2, #stream.written) -- there is none to be wiped out
  end)
end)

describe("lines", function()
  it("tell of each epoch the losses, other numbers, seconds and samples a second", function()
    local display, stream, time = new_display { style = "lines" }
    display:begin(progress_of(1, 0), 1000)
    display:on_batch(progress_of(1, 10), 1000)
    time.now = 104
    display:on_epoch({ epoch = 1, rate = 1e-3, loss = 0.5, validation_loss = 0.75, f1 = 0.9,
      accuracy = 0.875, note = "x" }, progress_of(2, 0), 1000)
    time.now = 106
    display:on_epoch({ epoch = 2, loss = 0.25 }, progress_of(3, 0), 1000, true)
    assert.equal("epoch 1/10  loss 0.5  validation_loss 0.75  accuracy 0.875  f1 0.9  4.0 s  "
      .. "250 samples/s\nepoch 2/10  loss 0.25  2.0 s  500 samples/s\n", stream:text())
  end)

  it("are one a second at most, the first and the last among them", function()
    local display, stream, time = new_display { style = "lines" }
    display:begin(progress_of(1, 0), 1000)
    for epoch = 1, 30 do
      time.now = time.now + 0.1
      display:on_epoch({ epoch = epoch, loss = 0.5 }, progress_of(epoch + 1, 0), 1000, epoch == 30)
    end
    local epochs = {}
    for epoch in stream:text():gmatch "epoch (%d+)/" do epochs[#epochs + 1] = tonumber(epoch) end
    assert.equal(1, epochs[1])
    assert.equal(30, epochs[#epochs])
    assert.is_true(#epochs >= 3 and #epochs <= 5)
  end)
end)

describe("progress that cannot be written", function()
  it("is lost, and training goes on", function()
    local display, stream, time = new_display { style = "bar" }
    display:begin(progress_of(1, 0), 1000)
    stream.fails, time.now = true, 101
    display:on_batch(progress_of(1, 10), 1000)
    stream.fails, time.now = false, 102
    display:on_batch(progress_of(1, 20), 1000)
    display:clear()
    assert.equal("", stream:text())
  end)

  it("is lost where the file is closed or full", function()
    local closed = assert(io.tmpfile())
    closed:close()
    for _, stream in pairs { closed, io.open("/dev/full", "w") } do
      local display = Progress.new { style = "lines", stream = stream }
      display:on_epoch({ epoch = 1, loss = 0.5 }, progress_of(2, 0), 1000)
      display:on_epoch({ epoch = 2, loss = 0.5 }, progress_of(3, 0), 1000, true)
    end
  end)
end)

-- A small run
local function fit(options)
  local X = pl.generator(1):normal(pl.matrix(2, 60))
  local net = pl.network { inputs = 2, pl.dense(1) }
  options.loss, options.batch = "squared_error", 20
  return pl.fit(net, pl.dataset { X = X, T = X:slice(1, 1, 1, 60) }, options)
end

describe("the progress of a run", function()
  it("is shown as lines", function()
    local stream = new_stream()
    local history = fit { epochs = 2, progress = { style = "lines", stream = stream } }
    local expected = ("^epoch 1/2  loss %.4g  %%d+%%.%%d s  %%d+ samples/s\n"
      .. "epoch 2/2  loss %.4g  "):format(history[1].loss, history[2].loss)
    assert.matches(expected, stream:text())
  end)

  it("is a bar, which makes way for what hooks print", function()
    local stream, epochs, batches = new_stream(), 0, 0
    local system = require "perilune.core.system"
    local history = fit {
      epochs = 3, progress = { style = "bar", stream = stream },
      on_batch = function()
        batches = batches + 1
        local start = system.clock()
        repeat until system.clock() - start > 0.04
      end,
      on_epoch = function(record)
        local last = stream.written[#stream.written]
        assert.is_true(last == nil or last == CLEAR)
        epochs = epochs + 1
        return record.epoch == 2 and "stop"
      end,
    }
    assert.same({ 2, 6, "callback" }, { epochs, batches, history.stopped })
    assert.matches("epoch 2/3 [", stream:text(), 1, true)
    assert.equal(CLEAR, stream.written[#stream.written])
  end)

  it("is gone where the run raises", function()
    local stream = new_stream()
    local system = require "perilune.core.system"
    assert.has_error(function()
      fit { epochs = 3, progress = { style = "bar", stream = stream }, on_batch = function(progress)
        local start = system.clock()
        repeat until system.clock() - start > 0.11
        if progress.batch == 3 then error("mine", 0) end
      end }
    end, "mine")
    assert.matches("epoch 1/3 [", stream:text(), 1, true)
    assert.equal(CLEAR, stream.written[#stream.written])
  end)

  it("changes nothing in what is trained", function()
    local plain = fit { epochs = 3 }
    assert.same(plain, fit { epochs = 3, progress = { style = "lines", stream = new_stream() } })
    assert.same(plain, fit { epochs = 3, progress = false })
  end)

  it("is checked", function()
    at_caller(function() fit { progress = "dots" } end,
      'progress: style: "auto" or "bar" or "lines" expected, got "dots"')
    at_caller(function() fit { progress = { colour = 1 } } end,
      "unknown option 'colour' of progress (known: label, stream, style)")
    at_caller(function() fit { progress = { stream = 1 } } end,
      "progress: stream: a file or anything with a method write expected, got 1")
    at_caller(function() fit { progress = 7 } end, "progress: a table of options expected, got 7")
  end)
end)

local RUN = [[
  local pl = require "perilune"
  local X = pl.generator(1):normal(pl.matrix(50, 20000))
  local net = pl.network { inputs = 50, pl.dense(20, "tanh"), pl.dense(1) }
  pl.fit(net, pl.dataset { X = X, T = X:slice(1, 1, 1, 20000) }, {
    loss = "squared_error", epochs = 1000, progress = %s,
    on_batch = function(progress) %s end,
  })
  print "the end"]]

describe("on a terminal", function()
  local has_terminals = os.execute "script -qec true /dev/null </dev/null >/dev/null 2>&1"
  local wait = [[
    start = start or os.clock()
    if os.clock() - start > 0.5 then return "stop" end]]

  it("true is a bar, which is gone in the end", function()
    if not has_terminals then return pending "script, which makes a terminal, makes none here" end
    local command = child.command(RUN:format("true", wait))
    local output = child.shell("script -qec " .. child.quote(command) .. " /dev/null </dev/null")
    assert.matches("\r\27%[%?7lepoch %d+/1000 %[=* *%] loss [^\n]+ left\27%[K\27%[%?7h", output)
    assert.matches("\r\27%[Kthe end\r\n$", output)
  end)

  it("true is nothing where stderr is none, but for what is asked for", function()
    assert.equal("the end\n", child.run(RUN:format("true", wait)))
    local output = child.run(RUN:format('"lines"', [[return progress.epoch == 3 and "stop"]]))
    assert.matches("^epoch 1/1000  loss [^\n]+ samples/s\n", output)
  end)

  it("Ctrl-C ends the run with its message in a line of its own", function()
    local press = wait:gsub("return \"stop\"", "io.popen('kill -INT $PPID'):close()")
    local output = child.shell(child.command(RUN:format('"bar"', press)))
    assert.matches("\27%[%?7h\r\27%[K[^\r]*interrupted!", output)
  end)
end)
