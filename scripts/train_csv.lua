#!/usr/bin/env lua5.4
-- Train a network on a table in a file, and tell how good it is on rows that it has not seen.

-- support.lua lies beside this file. Where a link to it was started, a process says where that is;
-- it takes milliseconds in which Ctrl-C is not heard yet, so it is asked only then.
local function near(path, name) return (path:gsub("[^/]*$", name, 1)) end
local is_here = io.open(near(arg[0], "support.lua"))
  and io.open(near(arg[0], "../lua/perilune/init.lua"))
local file = not is_here
  and io.popen("readlink -f -- '" .. arg[0]:gsub("'", [['\'']]) .. "' 2>&-"):read()
local support = dofile(near(file or arg[0], "support.lua"))
local pl = support.require "perilune"
local store = support.require "perilune.store.file"
local system = support.require "perilune.core.system"
local tables = support.require "scripts.support.tables"

-- How many rows are trained on in all where --epochs does not say how often: what two cores do in
-- about 20 seconds.
local ROWS_IN_ALL = 1000000
local FEWEST_EPOCHS, MOST_EPOCHS = 8, 256

-- A conversion for argparse: a part of the rows
local function part(option)
  return function(text)
    local value = tonumber(text)
    if value and value > 0 and value < 1 then return value end
    return nil, ("%s: a fraction between 0 and 1 expected, got '%s'"):format(option, text)
  end
end

local parser = support.parser("train_csv.lua",
  "Train a network on a table: a CSV or TSV file, plain or gzip-compressed.")
  :epilog("Without --target the table is described, and nothing trained. Columns are named by name "
    .. "or number. Of one file a part is kept to test on, stratified by class. Ctrl-C ends "
    .. "training with the score so far.")
parser:argument("file", "the table"):convert(support.path "file")
parser:option("--target", "the column to be learnt")
parser:option("--task", "classification or regression (default: by the target: names and at most "
  .. "20 different whole numbers are classes)")
  :choices { "classification", "regression" }
parser:option("--test", "a file to test on, or the fraction of the rows kept for that", "0.2")
  :convert(function(text)
    return (tonumber(text) and part or support.path)("--test")(text)
  end)
parser:option("--validation", "fraction of the other rows by which the best epoch is chosen", "0.2")
  :convert(part "--validation")
parser:option("--drop", "columns to leave out, separated by commas")
  :convert(support.names "--drop")
tables.add_options(parser)
parser:option("--hidden", "widths of the hidden layers, 0 for none", "256,256,256")
  :convert(support.widths "--hidden")
parser:flag("--periodic", "give numbers also as waves, which shows fine structure in them")
parser:option("--epochs", ("times to go through the training rows (default: %d, fewer of more than "
  .. "%d rows, so that they are at most %d in all)"):format(MOST_EPOCHS,
    math.floor(ROWS_IN_ALL / MOST_EPOCHS), ROWS_IN_ALL))
  :convert(support.count "--epochs")
parser:option("--seed", "of parts, weights and order", "1")
  :convert(support.integer "--seed")
parser:option("--threads", "threads; results do not depend on it (default: all cores)")
  :convert(support.threads "--threads")
parser:option("--save", "write the network to this safetensors file, for predict.lua")
  :convert(support.path "--save")
parser:flag("--quiet", "print the last line only")
local options = parser:parse()

local say = options.quiet and function() end or print


-- The table and its columns

-- The column that an option names: by its name, or else by its number
local function column_of(data, word, option)
  for k, column in ipairs(data.columns) do
    if column.name == word then return column, k end
  end
  local k = math.tointeger(tonumber(word))
  if k and data.columns[k] then return data.columns[k], k end
  local names = {}
  for n, column in ipairs(data.columns) do names[n] = column.name end
  parser:error(("%s: the name or number of a column expected, got '%s' (there are %s)"):format(
    option, word, table.concat(names, ", ")))
end

local function dropped_from(data)
  local names = {}
  for k, word in ipairs(options.drop or {}) do names[k] = column_of(data, word, "--drop").name end
  return names
end

-- The names of what is learnt from: all columns with values but the target and those to be dropped
local function features_of(data, target, dropped)
  local is_left_out, names = { [target.name] = true }, {}
  for _, name in ipairs(dropped) do is_left_out[name] = true end
  for _, column in ipairs(data.columns) do
    if column.row and not is_left_out[column.name] then names[#names + 1] = column.name end
  end
  if #names == 0 then support.fail("no column is left to learn from") end
  return names
end

-- A test file may spell classes in another way: "<=50K." for "<=50K". Each is taken for the one
-- that differs by what stands at its end.
local function renamed(column, classes)
  local names, is_class = {}, {}
  for _, class in ipairs(classes or {}) do is_class[class] = true end
  for _, name in ipairs(column.categories or {}) do
    local plain = name:gsub("[%s%p]+$", "")
    if not is_class[name] and is_class[plain] then
      names[name] = plain
      say(("in %s, %s is taken for %s"):format(options.test, name, plain))
    end
  end
  return names
end

-- The rows of a file whose target is known, with a word about the others
local function known(data, target, path)
  local missing = data:column(target).missing
  if missing == 0 then return data end
  say(("%s: %d rows without a target are left out"):format(path, missing))
  return data:select(support.must(data.present, data, target))
end

local function read_test(train, target)
  local types = { [target.name] = target.type }
  for _, feature in ipairs(train.schema) do types[feature.name] = feature.type end
  local data = known(tables.read(options.test, options, types), target.name, options.test)
  return support.must(data.dataset, data, {
    like = train, rename = renamed(data:column(target.name), train.classes),
  })
end

-- Training, validation and test set
local function parts_of(data, target, task, features)
  local whole = support.must(data.dataset, data, {
    target = target.name, task = task, features = features,
  })
  local how = { stratified = whole.has_classes, seed = options.seed }
  local test
  if type(options.test) == "string" then
    test = read_test(whole, target)
  else
    test, whole = parser:must("--test", whole.split, whole, options.test, how)
  end
  local validation, train = parser:must("--validation", whole.split, whole, options.validation,
    how)
  return train, validation, test
end


-- What is told at the end

-- The score of a network that has learnt nothing: always the commonest class of the training rows
local function commonest(train, test)
  local counts, best = {}, nil
  for _, label in ipairs(train.T:totable()[1]) do
    counts[label] = (counts[label] or 0) + 1
    if not best or counts[label] > counts[best] then best = label end
  end
  local right = 0
  for _, label in ipairs(test.T:totable()[1]) do
    if label == best then right = right + 1 end
  end
  return train.classes[best], 100 * right / test.N
end

local function tell_classes(net, train, test)
  say(pl.metrics.report(net:predict(test.X), test.T, { classes = test.classes, gives = net.gives }))
  local class, guessed = commonest(train, test)
  print(("test accuracy %.2f %% (always %s: %.2f %%)"):format(
    100 * pl.evaluate(net, test).accuracy, class, guessed))
end

local function tell_numbers(net, train, test)
  local mean = train.T:sum() / train.N
  local D = test.T:map(function(t) return t - mean end)
  local found = pl.evaluate(net, test, nil, { "rmse", "mae", "r2" })
  print(("test RMSE %.6g, MAE %.6g, R2 %.4f (always the mean: RMSE %.6g)"):format(found.rmse,
    found.mae, found.r2, D:norm() / math.sqrt(test.N)))
end


-- The run

if options.save then
  local ok, message = store.check_writable(options.save)
  if not ok then support.fail("--save: " .. message) end
end
support.use_threads(options.threads)
local data = tables.read(options.file, options)
say(("%s: %s"):format(options.file, tostring(data)))
if not options.target then
  local remarks = tostring(pl.data.survey(data))
  if remarks ~= "" then print(remarks) end
  print "--target COLUMN trains a network for a column"
  return
end
local target = column_of(data, options.target, "--target")
local dropped = dropped_from(data)
local found = support.must(pl.data.survey, data, {
  target = target.name, task = options.task, drop = dropped,
})
say(found)
if found.target.task == "classification" and target.type == "number" and not options.task then
  say(("%s has %d different whole numbers, which are taken as classes (--task regression: as "
    .. "numbers)"):format(target.name, found.target.different))
end
local features = features_of(data, target, dropped)
local train, validation, test = parts_of(known(data, target.name, options.file), target,
  found.target.task, features)
local epochs = options.epochs
  or math.max(FEWEST_EPOCHS, math.min(MOST_EPOCHS, math.floor(ROWS_IN_ALL / train.N)))
local net, settings = support.must(pl.tabular, train, {
  validation = validation, hidden = options.hidden, periodic = options.periodic, epochs = epochs,
  seed = options.seed,
})
say(("%d rows to train on, %d to validate, %d to test"):format(train.N, validation.N, test.N))
say(net)

support.note_interrupt("the score so far follows")
settings.progress = not options.quiet
settings.on_batch = function()
  if system.interrupted() then return "stop" end
end
local started = system.clock()
local history = support.must(pl.fit, net, train, settings)
local best = history.best_epoch and history[history.best_epoch]
if best then
  say(("best epoch %d of %d, validation %s, %.1f s"):format(history.best_epoch, #history,
    best.validation_accuracy and ("accuracy %.2f %%"):format(100 * best.validation_accuracy)
      or ("RMSE %.6g"):format(best.validation_rmse), system.clock() - started))
end

local saved, message = true, nil
if options.save then
  saved, message = net:save(options.save)
  if saved then say("saved " .. options.save) end
end
local tell = train.has_classes and tell_classes or tell_numbers
tell(net, train, test)
if not saved then support.fail(message) end
support.end_if_interrupted()
