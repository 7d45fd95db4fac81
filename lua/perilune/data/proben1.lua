-- The data sets of Proben1 (Prechelt 1994), a collection of problems that are divided once and for
-- all, so that results can be compared. A file is text: seven lines of header,
--     bool_in=0                  inputs, outputs: how many hold 0 and 1 only, and how many numbers
--     real_in=9
--     bool_out=2
--     real_out=0
--     training_examples=350
--     validation_examples=175
--     test_examples=174
-- and then a line for each example, inputs before outputs: those to train on come first, then those
-- to validate on, then those to test on.

local content = require "perilune.data.content"
local cores = require "perilune.cores"
local Dataset = require "perilune.data.dataset"
local errors = require "perilune.errors"
local fields = require "perilune.fields"
local file = require "perilune.store.file"
local text = require "perilune.data.text"

local show = errors.show

local proben1 = {}

local HEADER = { "bool_in", "real_in", "bool_out", "real_out", "training_examples",
  "validation_examples", "test_examples" }
local SETS = { "training_examples", "validation_examples", "test_examples" }
local LONGEST = 2 ^ 20 | 0 -- bytes of a line
local LARGEST = { float32 = 3.4028234663852886e38, float64 = 1.7976931348623157e308 }

-- Gives the next line and its number; nil at the end, or nil, its number and a reason.
local function lines_of(source)
  local next_line, number = text.lines(source, LONGEST), 0
  return function()
    number = number + 1
    local line, _, reason = next_line()
    return line, number, reason
  end
end

-- The seven counts by their names; or nil, the line and the reason
local function read_header(next_line)
  local header = {}
  for _, name in ipairs(HEADER) do
    local line, number, reason = next_line()
    local count = line and line:match("^" .. name .. "%s*=%s*(%d+)%s*$")
    header[name] = math.tointeger(tonumber(count))
    if not header[name] then
      return nil, number, reason or ("%s=COUNT expected, got %s"):format(name,
        line and show(line) or "the end of the file")
    end
  end
  return header
end

-- What is wrong with a header: a count, or that all bytes that can come, `most`, cannot hold what
-- it promises. That is looked at before memory is asked for.
local function doubt(header, most)
  local inputs, outputs = 0.0 + header.bool_in + header.real_in, 0.0 + header.bool_out
    + header.real_out
  if inputs < 1 then return "bool_in and real_in: one input or more expected, got 0" end
  if outputs < 1 then return "bool_out and real_out: one output or more expected, got 0" end
  local examples = 0.0
  for _, name in ipairs(SETS) do
    if header[name] < 1 then return name .. ": 1 or more expected, got 0" end
    examples = examples + header[name]
  end
  -- A number is a digit and what parts it from the next.
  local numbers = examples * (inputs + outputs)
  if 2 * numbers - 1 > most or numbers > cores.MOST_ELEMENTS then
    return ("%.0f examples of %.0f numbers are promised, more than %s can hold"):format(examples,
      inputs + outputs, numbers > cores.MOST_ELEMENTS and "matrices" or ("%.0f bytes"):format(most))
  end
end

-- The numbers of a line, in `numbers`; or nil and the reason
local function read_example(line, numbers, count, largest)
  local column = 0
  for word in line:gmatch "%S+" do
    column = column + 1
    local x = text.number(word)
    if not x or not (math.abs(x) <= largest) then
      return nil, ("column %d: a number expected, got %s"):format(column, show(word))
    end
    if column <= count then numbers[column] = x end
  end
  if column ~= count then
    return nil, ("%d numbers expected, got %d"):format(count, column)
  end
  return numbers
end

-- Whether the outputs say a class: 0 and 1 only, and where there are several one 1
local function says_class(numbers, inputs, outputs)
  local ones = 0
  for i = inputs + 1, inputs + outputs do
    if numbers[i] == 1 then
      ones = ones + 1
    elseif numbers[i] ~= 0 then
      return false
    end
  end
  return outputs == 1 or ones == 1
end

-- X and T of the next N examples, and whether they say classes; or nil, the line and the reason
local function read_set(next_line, N, header, core)
  local inputs, outputs = header.bool_in + header.real_in, header.bool_out + header.real_out
  local X, T = core.matrix(inputs, N), core.matrix(outputs, N)
  local say_classes, numbers, largest = header.real_out == 0, {}, LARGEST[core.name]
  for n = 1, N do
    local line, number, reason = next_line()
    if line then
      reason = select(2, read_example(line, numbers, inputs + outputs, largest))
    elseif not reason then
      reason = "an example expected, as the header promises, got the end of the file"
    end
    if reason then return nil, number, reason end
    for i = 1, inputs do X:set(i, n, numbers[i]) end
    for i = 1, outputs do T:set(i, n, numbers[inputs + i]) end
    say_classes = say_classes and says_class(numbers, inputs, outputs)
  end
  return { X = X, T = T, say_classes = say_classes }
end

-- The file has no names for classes: they are numbered as the outputs are; one output says 0 or 1.
local function class_names(outputs)
  if outputs == 1 then return { "0", "1" } end
  local names = {}
  for k = 1, outputs do names[k] = tostring(k) end
  return names
end

-- The three sets; or nil, the line and the reason
local function read(source, core)
  local next_line = lines_of(source)
  local header, number, reason = read_header(next_line)
  if not header then return nil, number, reason end
  reason = doubt(header, source.most)
  if reason then return nil, #HEADER, reason end
  local sets, say_classes = {}, true
  for k, name in ipairs(SETS) do
    sets[k], number, reason = read_set(next_line, header[name], header, core)
    if not sets[k] then return nil, number, reason end
    say_classes = say_classes and sets[k].say_classes
  end
  local line
  repeat line, number, reason = next_line() until not line or line:find "%S"
  if line then reason = "more examples than the header promises" end
  if reason then return nil, number, reason end

  local classes = say_classes and class_names(header.bool_out) or nil
  for k, set in ipairs(sets) do
    sets[k] = Dataset.new { X = set.X, T = set.T, classes = classes }
  end
  return sets
end

local option_fields = { dtype = { "choice", choices = { "float32", "float64" },
  default = "float32" } }

---A data set of Proben1, plain or gzip-compressed, as it is divided in the file. X and T are the
---file's numbers. Where all outputs are binary and each example has one 1 among them, the sets have
---classes, "1", "2", ... in the order of the outputs; where a single output is, "0" and "1".
---    local train, validation, test = assert(pl.data.proben1 "cancer1.dt")
---@param path string
---@param options? { dtype: "float32"|"float64" }  default "float32"
---@return Dataset? train
---@return Dataset|string validation  or, after nil, "path: line 12: what was expected, what came"
---@return Dataset? test
function proben1.read(path, options)
  fields.value("path", path, { "path" })
  options = fields.check(option_fields, options, "pl.data.proben1")
  local opened <close>, message = file.open(path)
  if not opened then return nil, message end
  local source, reason = content.of(opened)
  if not source then return nil, ("%s: %s"):format(path, reason) end
  local sets, number
  sets, number, reason = read(source, cores[options.dtype])
  if not sets then return nil, ("%s: line %d: %s"):format(path, number, reason) end
  return sets[1], sets[2], sets[3]
end

return proben1
