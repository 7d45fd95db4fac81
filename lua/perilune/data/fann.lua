-- Training data of libfann (Nissen): words of text, numbers all of them. How many samples, inputs
-- and outputs there are comes first, then for each sample its inputs and its outputs.

local Batches = require "perilune.data.batches"
local Dataset = require "perilune.data.dataset"
local content = require "perilune.data.content"
local cores = require "perilune.cores"
local errors = require "perilune.errors"
local fields = require "perilune.fields"
local file = require "perilune.store.file"
local text = require "perilune.data.text"

local fann = {}

local raise, show = errors.raise, errors.show

local SIZES = { "samples", "inputs", "outputs" }
local BATCH = 256 -- samples that are written at once

-- The three sizes are there: make room for what they promise, if the content can hold as much.
local function begin(self)
  local N, inputs, outputs = table.unpack(self.sizes)
  for k, name in ipairs(SIZES) do
    if not math.tointeger(self.sizes[k]) or self.sizes[k] < 1 then
      return nil, ("line %d: a whole number of %s expected, got %s"):format(self.line, name,
        show(self.sizes[k]))
    end
  end
  self.width = inputs + outputs
  if N > cores.MOST_ELEMENTS // self.width then
    return nil, ("%d x %d numbers are more than a matrix holds"):format(N, self.width)
  elseif N * self.width > self.content.most // 2 + 1 then -- a digit and a blank each
    return nil, ("%d samples of %d inputs and %d outputs expected, more than the file can hold")
      :format(N, inputs, outputs)
  end
  self.N, self.inputs = math.tointeger(N), math.tointeger(inputs)
  self.X = self.core.matrix(self.inputs, self.N)
  self.T = self.core.matrix(math.tointeger(outputs), self.N)
  return true
end

local function put(self, x)
  if not self.X then
    self.sizes[#self.sizes + 1] = x
    if #self.sizes == #SIZES then return begin(self) end
    return true
  end
  local n, i = self.count // self.width + 1, self.count % self.width + 1
  if n > self.N then return nil, "a number after the last of the samples" end
  if i <= self.inputs then
    self.X:set(i, n, x)
  else
    self.T:set(i - self.inputs, n, x)
  end
  self.count = self.count + 1
  return true
end

-- The dataset of a content, or nil and a reason
local function assemble(bytes, core)
  local self = { content = bytes, core = core, sizes = {}, count = 0, line = 1 }
  local next_line = text.lines(bytes)
  while true do
    local line, number, reason = next_line()
    if reason then return nil, reason end
    if not line then break end
    self.line = number
    for column, word in line:gmatch "()(%S+)" do
      local x, ok = text.number(word), nil
      if x then
        ok, reason = put(self, x)
      else
        reason = ("a number expected, got %s"):format(show(word))
      end
      if not ok then return nil, ("%s (line %d, column %d)"):format(reason, number, column) end
    end
  end
  if not self.X then
    return nil, ("the numbers of samples, inputs and outputs expected, %d numbers came"):format(
      #self.sizes)
  elseif self.count < self.N * self.width then
    return nil, ("%d samples of %d numbers expected, %d numbers came"):format(self.N, self.width,
      self.count)
  end
  return Dataset.new { X = self.X, T = self.T }
end

local declared = { dtype = { "choice", choices = { "float32", "float64" }, default = "float32" } }

---The samples of a training file of libfann, plain or packed by gzip: X, inputs x N, and T, outputs
---x N.
---    local train = assert(pl.data.fann "xor.data")
---@param path string
---@param given? { dtype: string }  of X and T, default "float32"
---@return Dataset?
---@return string?  nil and "path: what was expected and what came (line, column)"
function fann.read(path, given)
  fields.value("path", path, { "path" })
  local options = fields.check(declared, given, "pl.data.fann")
  local source <close>, message = file.open(path)
  if not source then return nil, message end
  local bytes, reason = content.of(source)
  local dataset
  if bytes then dataset, reason = assemble(bytes, cores[options.dtype]) end
  if not dataset then return nil, ("%s: %s"):format(path, reason) end
  return dataset
end

-- Column n of a matrix as a line of text, to all its digits
local function line_of(M, n)
  local words, format = {}, M.dtype == "float32" and "%.9g" or "%.17g"
  for i = 1, M.rows do words[i] = format:format(M:get(i, n)) end
  return table.concat(words, " ") .. "\n"
end

-- The text chunk by chunk
local function chunks(dataset)
  local batches, has_begun = Batches.new(dataset, { batch = BATCH }), false
  return function()
    if not has_begun then
      has_begun = true
      return ("%d %d %d\n"):format(dataset.N, dataset.inputs, dataset.targets)
    end
    local X, T = batches:next()
    if not X then return nil end
    local lines = {}
    for n = 1, X.cols do
      lines[2 * n - 1], lines[2 * n] = line_of(X, n), line_of(T, n)
    end
    return table.concat(lines)
  end
end

---Write a dataset as a training file of libfann; labels become target columns of 0 and 1. Raises
---where it has weights or numbers that are not finite: the format has no place for them. A file
---that is there is replaced at once, or stays.
---@param path string
---@param dataset Dataset
---@return true?
---@return string?  nil and "path: reason"
function fann.write(path, dataset)
  fields.value("path", path, { "path" })
  Dataset.check(dataset, "pl.data.write.fann")
  if dataset.source.weights then raise "weights: the format has no place for them" end
  local letter, row, sample = dataset:find_nonfinite()
  if letter then
    raise("%s: numbers expected, got NaN or infinity in row %d of sample %d", letter, row, sample)
  end
  return file.write(path, chunks(dataset:one_hot()))
end

return fann
