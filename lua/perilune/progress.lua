-- How far training is, for people: a bar that is drawn anew on a terminal, or a line for each epoch
-- in a log file. What cannot be written is lost, and training goes on.

local errors = require "perilune.errors"
local fields = require "perilune.fields"
local system = require "perilune.core.system"

local EVERY = 0.1     -- seconds from one drawing of the bar to the next
local LINES_EVERY = 1 -- seconds from one line to the next, but for the first and the last
local WIDTH = 79      -- columns of the bar and what is beside it
local LEAST, MOST = 10, 30 -- columns of the bar alone

-- A terminal that has fewer columns would go on in its next line, which is never wiped out: so it
-- is told to cut lines off meanwhile. Each drawing is one write, and leaves it as it was.
local BEGIN, END, CLEAR = "\r\27[?7l", "\27[K\27[?7h", "\r\27[K"

---@class Progress
---@field style "bar"|"lines"
local Progress = {}
Progress.__index = Progress

local styles = { "auto", "bar", "lines" }

local declared = {
  style = { "choice", choices = styles, default = "auto" },
  stream = { "value", optional = true },
  label = { "string", default = "" },
}

local function is_terminal(stream)
  return io ~= nil and io.type(stream) == "file" and system.isatty(stream)
end

---What shows the progress as an option asks for: true is a bar on a terminal, and nothing
---elsewhere; "bar" and "lines" are these anywhere. Options in a table: style ("auto", as true,
---"bar" or "lines"), stream (io.stderr, or anything with a method write), label (what is written
---first).
---@param given true|"bar"|"lines"|table
---@param clock? fun(): number  seconds
---@return Progress?  nil where nothing is to be shown
function Progress.new(given, clock)
  clock = clock or system.clock
  if type(given) == "string" then given = { style = given } end
  local options = fields.check(declared, given ~= true and given or {}, "progress")
  local stream, style = options.stream or io and io.stderr, options.style
  local kind = type(stream)
  if options.stream and not ((kind == "table" or kind == "userdata") and stream.write) then
    errors.raise("progress: stream: a file or anything with a method write expected, got %s",
      errors.show(stream))
  end
  if style == "auto" then style = is_terminal(stream) and "bar" or nil end
  if not style or not stream then return nil end
  return setmetatable({
    stream = stream, style = style, label = options.label, clock = clock,
    is_drawn = false, is_lost = false, -- whether a bar is to be seen; whether writing has failed
    start = 0, done = 0, samples = 0,  -- when the run began, and what had been done then
    drawn = 0, line = false, width = MOST, epoch_start = clock(), validation = false,
  }, Progress)
end

local function write(self, text)
  local stream = self.stream
  if self.is_lost or (io and io.type(stream) == "closed file") then return end
  local ok, message = stream:write(text)
  self.is_lost = not ok and message ~= nil
  if not self.is_lost and stream.flush then stream:flush() end
end

-- The epochs that are done, with the part of the one that has begun; and the samples
local function done_of(progress, N)
  return progress.epoch - 1 + progress.batch / progress.batches,
    (progress.epoch - 1) * N + progress.samples
end

---Training begins, or goes on. The bar goes where the value is closed, however that comes.
---@param progress table  the trainer's
---@param N integer       samples of an epoch
---@return Progress self
function Progress:begin(progress, N)
  self.start = self.clock()
  self.drawn, self.epoch_start = self.start, self.start
  self.done, self.samples = done_of(progress, N)
  return self
end

-- 7 s, 3:07, 1:03:07
local function duration(seconds)
  seconds = math.ceil(seconds)
  if seconds < 60 then return ("%d s"):format(seconds) end
  if seconds < 3600 then return ("%d:%02d"):format(seconds // 60, seconds % 60) end
  return ("%d:%02d:%02d"):format(seconds // 3600, seconds // 60 % 60, seconds % 60)
end

local function epoch_of(epoch, epochs)
  if epochs == math.huge then return ("epoch %d"):format(epoch) end
  return ("epoch %d/%d"):format(epoch, epochs)
end

local function bar_of(self, progress, N, now)
  local done, samples = done_of(progress, N)
  local elapsed, epochs = now - self.start, progress.epochs
  local words = { ("loss %.4g"):format(progress.loss) }
  if self.validation then words[2] = ("validation %.4g"):format(self.validation) end
  if elapsed > 0 then
    words[#words + 1] = ("%.0f/s"):format((samples - self.samples) / elapsed)
  end
  if epochs < math.huge and done > self.done then
    words[#words + 1] = duration(elapsed / (done - self.done) * (epochs - done)) .. " left"
  end
  local before = self.label .. epoch_of(progress.epoch, epochs)
  local after = table.concat(words, ", ")
  local room = WIDTH - #before - #after - #" [] "
  self.width = math.max(LEAST, math.min(self.width, room)) -- never wider: it would only flicker
  local width = self.width
  local filled = width * progress.batch // progress.batches
  return ("%s [%s%s] %s"):format(before, ("="):rep(filled), (" "):rep(width - filled), after)
end

---A batch was trained: the bar is drawn, ten times a second at most.
---@param progress table  the trainer's
---@param N integer       samples of an epoch
function Progress:on_batch(progress, N)
  if self.style ~= "bar" then return end
  local now = self.clock()
  if now - self.drawn < EVERY then return end
  self.drawn, self.is_drawn = now, true
  write(self, BEGIN .. bar_of(self, progress, N, now) .. END)
end

-- The numbers of a record: the losses, then the others by name
local function numbers_of(record)
  local words, others = { ("loss %.4g"):format(record.loss) }, {}
  if record.validation_loss then
    words[2] = ("validation_loss %.4g"):format(record.validation_loss)
  end
  local is_told = { epoch = true, rate = true, loss = true, validation_loss = true }
  for name, value in pairs(record) do
    if type(value) == "number" and not is_told[name] then others[#others + 1] = name end
  end
  table.sort(others)
  for _, name in ipairs(others) do words[#words + 1] = ("%s %.4g"):format(name, record[name]) end
  return words
end

---An epoch is over: a line says so, where there are lines.
---@param record table    of the epoch
---@param progress table  the trainer's
---@param N integer       samples of an epoch
---@param is_last any       true where the training ends with it
function Progress:on_epoch(record, progress, N, is_last)
  local now = self.clock()
  local seconds = now - self.epoch_start
  self.epoch_start, self.validation = now, record.validation_loss or false
  if self.style == "bar" then return end
  if self.line and now - self.line < LINES_EVERY and not is_last then return end
  self.line = now
  local words = numbers_of(record)
  table.insert(words, 1, self.label .. epoch_of(record.epoch, progress.epochs))
  words[#words + 1] = ("%.1f s"):format(seconds)
  if seconds > 0 then words[#words + 1] = ("%.0f samples/s"):format(N / seconds) end
  write(self, table.concat(words, "  ") .. "\n")
end

---Wipe the bar out, where there is one.
function Progress:clear()
  if not self.is_drawn then return end
  self.is_drawn = false
  write(self, CLEAR)
end

Progress.__close = Progress.clear

return Progress
