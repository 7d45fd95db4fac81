-- Data of LIBSVM (Chang and Lin): a line for each sample, its label and then index:value for each
-- feature that is not 0, by increasing index. What follows # is a comment; qid:number, the group of
-- a sample for ranking, is passed over, since nothing here ranks.

local Dataset = require "perilune.data.dataset"
local content = require "perilune.data.content"
local cores = require "perilune.cores"
local errors = require "perilune.errors"
local fields = require "perilune.fields"
local file = require "perilune.store.file"
local text = require "perilune.data.text"

local libsvm = {}

local show = errors.show

-- A file is sparse, a matrix is not: of so many bytes it has no more numbers, unless one says how
-- many inputs there are.
local ELEMENTS_A_BYTE = 1000

local declared = {
  task = { "choice", choices = { "classification", "regression" }, optional = true },
  classes = { "names", optional = true },
  inputs = { "count", optional = true },
  zero_based = { "boolean", default = false },
  dtype = { "choice", choices = { "float32", "float64" }, default = "float32" },
}

-- The feature that a word says, counted from 1, and its value; true where it says none; or nil and
-- a reason.
local function parse_feature(word, options, last)
  local digits, written = word:match "^(%d+):(.*)$"
  if not digits then
    if word:find "^qid:%d+$" then return true end
    return nil, "index:value expected, got " .. show(word)
  end
  local first = options.zero_based and 0 or 1
  local index, value = math.tointeger(tonumber(digits)), text.number(written)
  if not value then return nil, ("a number expected, got %s"):format(show(written)) end
  if not index or index < first or index > cores.MOST_ELEMENTS then
    return nil, ("an index of %d or more expected, got %s%s"):format(first, digits,
      index == 0 and " (zero_based = true counts from 0)" or "")
  end
  index = index + 1 - first
  if index <= last then
    return nil, ("indices in increasing order expected, got %s after %d"):format(digits,
      last - 1 + first)
  elseif options.inputs and index > options.inputs then
    return nil, ("%d inputs expected, got index %s"):format(options.inputs, digits)
  end
  return index, value
end

-- The label of a line, nil where it says nothing; on_feature(index, value) for each feature. Or
-- nil, a reason and the column where it is to be seen.
local function parse_line(line, options, on_feature)
  local label, last = nil, 0
  for column, word in line:gsub("#.*", ""):gmatch "()(%S+)" do
    if label then
      local index, value = parse_feature(word, options, last)
      if not index then return nil, value, column end
      if index ~= true then
        last = index
        on_feature(index, value)
      end
    else
      label = text.number(word)
      if not label then
        return nil, ("a label expected, a number, got %s%s"):format(show(word),
          word:find(",", 1, true) and " (several labels of a sample are not read)" or ""), column
      end
    end
  end
  return label
end

-- All samples of a source, in order: on_label(n, label), then on_feature(index, value) for each of
-- its features. Gives how many they are, and how many bytes; or nil and a reason.
local function each_sample(source, options, on_label, on_feature)
  local bytes, reason = content.of(source)
  if not bytes then return nil, reason end
  local next_line, N = text.lines(bytes), 0
  while true do
    local line, number, why = next_line()
    if why then return nil, why end
    if not line then return N, bytes.came end
    local label, wrong, column = parse_line(line, options, on_feature)
    if wrong then return nil, ("%s (line %d, column %d)"):format(wrong, number, column) end
    if label then
      N = N + 1
      on_label(N, label)
    end
  end
end

-- What a first pass over the file finds: all labels, and how many inputs there are
local function survey(source, options)
  local labels, most = {}, 0
  local N, came = each_sample(source, options, function(n, label) labels[n] = label end,
    function(index) most = math.max(most, index) end)
  if not N then return nil, came end
  if N == 0 then return nil, "samples expected, none came" end
  local inputs = options.inputs or most
  if inputs == 0 then return nil, "features expected, none came" end
  if inputs > cores.MOST_ELEMENTS // N then
    return nil, ("%d inputs x %d samples are more than a matrix holds"):format(inputs, N)
  elseif not options.inputs and inputs * N > ELEMENTS_A_BYTE * came then
    return nil, ("%d inputs x %d samples are many for %d bytes, and the matrix holds all of them: "
      .. "inputs = %d says that they are meant"):format(inputs, N, came, inputs)
  end
  return labels, inputs
end

-- The features of a second pass, in a matrix of what the first one has found
local function fill(source, options, inputs, N)
  local X, n, is_changed = cores[options.dtype].matrix(inputs, N), 1, false
  local count, reason = each_sample(source, options, function(sample) n = sample + 1 end,
    function(index, value)
      if n > N or index > inputs then
        is_changed = true
      else
        X:set(index, n, value)
      end
    end)
  if not count then return nil, reason end
  if count ~= N or is_changed then return nil, "it changed while it was read" end
  return X
end

local function are_whole(labels)
  for n = 1, #labels do
    if not math.tointeger(labels[n]) then return false end
  end
  return true
end

-- A label as most would write it, or else with all its digits
local function name_of(number)
  local short = ("%.14g"):format(number)
  return tonumber(short) == number and short or ("%.17g"):format(number)
end

-- The classes that the labels are of, by increasing number, and the place of each among them
local function classes_of(labels, options)
  local numbers, places = {}, {}
  if options.classes then
    for k, name in ipairs(options.classes) do
      numbers[k] = text.number(name)
      if not numbers[k] then
        errors.raise("classes: labels as they are written in the file expected, got %s", show(name))
      end
    end
  else
    for n = 1, #labels do
      if not places[labels[n]] then
        places[labels[n]], numbers[#numbers + 1] = true, labels[n]
      end
    end
    table.sort(numbers)
  end
  local names = options.classes or {}
  for k, number in ipairs(numbers) do
    places[number], names[k] = k, names[k] or name_of(number)
  end
  return names, places
end

local function classified(X, labels, options)
  local names, places = classes_of(labels, options)
  local list = {}
  for n = 1, #labels do
    list[n] = places[labels[n]]
    if not list[n] then
      return nil, ("a label of %s expected, got %s for sample %d"):format(
        table.concat(names, ", "), show(labels[n]), n)
    end
  end
  return Dataset.new { X = X, labels = list, classes = names }
end

local function dataset_of(source, options)
  local labels, inputs = survey(source, options)
  if not labels then return nil, inputs end
  local X, reason = fill(source, options, inputs, #labels)
  if not X then return nil, reason end
  local task = options.task or (options.classes or are_whole(labels)) and "classification"
  if task == "classification" then return classified(X, labels, options) end
  return Dataset.new { X = X, T = cores[options.dtype].matrix { labels } }
end

---The samples of a file of LIBSVM, plain or packed by gzip: X, S_0 x N, with all the zeros that the
---file leaves out. Options: task, "classification" (default where all labels are whole numbers),
---whose classes are named as the labels are, by increasing number ("-1", "1"), or "regression",
---whose targets they are; classes, those of another file, such as train.classes, in their order;
---inputs, S_0 (default: the largest index; a test set needs that of its training set); zero_based,
---whether indices count from 0; dtype of X and T (default "float32").
---    local train = assert(pl.data.libsvm "a9a")
---    local like = { inputs = train.inputs, classes = train.classes }
---    local test = assert(pl.data.libsvm("a9a.t", like))
---@param path string
---@param given? { task: string, classes: string[], inputs: integer, zero_based: boolean,
---dtype: string }
---@return Dataset?
---@return string?  nil and "path: what was expected and what came (line, column)"
function libsvm.read(path, given)
  fields.value("path", path, { "path" })
  local options = fields.check(declared, given, "pl.data.libsvm")
  if options.classes and options.task == "regression" then
    errors.raise "classes: none expected for regression"
  end
  local source <close>, message = file.open(path)
  if not source then return nil, message end
  local dataset, reason = dataset_of(source, options)
  if not dataset then return nil, ("%s: %s"):format(path, reason) end
  return dataset
end

return libsvm
