#!/usr/bin/env lua5.4
-- What a saved network says: of the rows of a table where it was trained on one; otherwise its
-- accuracy on the MNIST test set, or what it sees in one image.

-- support.lua lies beside this file. Where a link to it was started, a process says where that is;
-- it takes milliseconds in which Ctrl-C is not heard yet, so it is asked only then.
local function near(path, name) return (path:gsub("[^/]*$", name, 1)) end
local is_here = io.open(near(arg[0], "support.lua"))
  and io.open(near(arg[0], "../lua/perilune/init.lua"))
local file = not is_here
  and io.popen("readlink -f -- '" .. arg[0]:gsub("'", [['\'']]) .. "' 2>&-"):read()
local support = dofile(near(file or arg[0], "support.lua"))
local pl = support.require "perilune"
local mnist = support.require "scripts.support.mnist"
local tables = support.require "scripts.support.tables"

local parser = support.parser("predict.lua",
  "Predict the rows of a table, or evaluate a saved network on the MNIST test set.")
  :epilog("Of a table the predictions are written as CSV: a class and its probability, or a "
    .. "number, for each row.")
parser:argument("file", "a network that train_csv.lua --save or train_mnist.lua --save wrote")
  :convert(support.path "file")
parser:argument("table", "the rows to predict, for a network of train_csv.lua: a file as it takes")
  :args "?"
  :convert(support.path "table")
tables.add_options(parser)
parser:mutex(
  parser:option("--data", "folder of the MNIST files "
    .. "(default: $PERILUNE_MNIST, else data/mnist in the project)")
    :convert(support.path "--data"),
  parser:flag("--synthetic", "the test set of drawn digits instead"))
parser:option("--seed", "of the drawn digits (default: 1)")
  :convert(support.integer "--seed")
parser:mutex(
  parser:option("--image", "draw this image of the test set, counted from 1, "
    .. "with its probabilities")
    :convert(support.count "--image"),
  parser:flag("--confusion",
    "also print how often each digit was taken for which"))
local options = parser:parse()
if options.seed and not options.synthetic then
  parser:error("--seed is of the digits that --synthetic draws")
end

local function read_test_set()
  if options.synthetic then
    local digits = support.require "perilune.data.digits"
    return select(2, digits.read { seed = options.seed or 1 })
  end
  local directory, named_by = mnist.directory(options.data)
  return select(2, mnist.read(directory, named_by or "no --data"))
end

local SHADES = { " ", ".", ":", "-", "=", "+", "*", "#", "%", "@" }
local SIDE = 28

-- Two characters a pixel, which is about square on a terminal.
local function draw(X)
  for i = 0, SIDE - 1 do
    local line = {}
    for j = 1, SIDE do
      local shade = SHADES[1 + math.floor(X:get(i * SIDE + j, 1) * (#SHADES - 1) + 0.5)]
      line[j] = shade .. shade
    end
    print((table.concat(line):gsub("%s+$", "")))
  end
end

-- A cell of CSV (RFC 4180)
local function quoted(text)
  if not text:find '[",\r\n]' then return text end
  return '"' .. text:gsub('"', '""') .. '"'
end

-- A word on the names in a column that the network has not seen: it predicts without them.
local function warn_of_unseen(column, feature)
  local is_known, unseen = {}, {}
  for _, name in ipairs(feature.categories) do is_known[name] = true end
  for _, name in ipairs(column.categories or {}) do
    if not is_known[name] then unseen[#unseen + 1] = name end
  end
  if #unseen == 0 then return end
  support.warn(("%s: column %q: not seen in training: %s"):format(options.table, feature.name,
    support.require("perilune.data.schema").shown(unseen)))
end

-- The rows of the table by the columns of the network's schema: others it may have are passed over.
local function samples_of(network)
  local types = {}
  for _, feature in ipairs(network.schema) do types[feature.name] = feature.type end
  local data = tables.read(options.table, options, types)
  local X, reason = data:like(network.schema)
  if not X then support.fail(("%s: %s"):format(options.table, reason)) end
  for _, feature in ipairs(network.schema) do
    if feature.categories then warn_of_unseen(data:column(feature.name), feature) end
  end
  return X:to(network.dtype)
end

local function predict_table(network)
  local X = samples_of(network)
  if network.units then
    local A = support.must(network.predict, network, X)
    print "prediction"
    for n = 1, A.cols do print(("%.9g"):format(A:get(1, n))) end
    return
  end
  local classes, P = support.must(network.classify, network, X)
  print "class,probability"
  local highest = P.rows > 1 and P:argmax()
  for n = 1, P.cols do
    local p = highest and P:get(math.tointeger(highest:get(1, n)), n)
      or math.max(P:get(1, n), 1 - P:get(1, n))
    print(("%s,%.6f"):format(quoted(tostring(classes[n])), p))
  end
end

-- Options of the other kind of networks would be passed over.
local function refuse(names, kind, kind_of_network)
  for _, name in ipairs(names) do
    if options[name] then
      local option = name:gsub("_", "-")
      parser:error(("--%s is for networks of %s, and %s is for %s"):format(option, kind,
        options.file, kind_of_network))
    end
  end
end

support.use_threads()
local network, message = pl.load(options.file)
if not network then support.fail(message) end
if network.schema then
  refuse({ "data", "synthetic", "image", "confusion" }, "images", "tables")
  if not options.table then
    parser:error(options.file .. " is for tables: name the file of the rows to predict")
  end
  return predict_table(network)
elseif options.table then
  support.fail(options.file .. " is for images, not for tables")
end
refuse(tables.options, "tables", "images")
local test = read_test_set()
if network.inputs ~= test.inputs then
  support.fail(("%s has %d inputs, and the images have %d pixels"):format(options.file,
    network.inputs, test.inputs))
end
if network.outputs ~= #test.classes then
  support.fail(("%s has %d outputs, and there are %d digits"):format(options.file,
    network.outputs, #test.classes))
end
local classes = network.classes or test.classes

if options.image then
  if options.image > test.N then
    parser:error(("--image: 1 to %d expected, got %d"):format(test.N, options.image))
  end
  local X = test.X:columns(options.image, options.image, network.dtype)
  draw(X)
  local names, P = network:classify(X)
  for i = 1, P.rows do
    local p = P:get(i, 1)
    print(("%3s  %6.2f %%  %s"):format(classes[i] or i, 100 * p,
      ("#"):rep(math.floor(40 * p + 0.5))))
  end
  local actual = math.tointeger(test.T:get(1, options.image))
  print(("predicted %s, labelled %s"):format(names[1], test.classes[actual]))
  return
end

if options.confusion then
  local A = network:predict(test.X)
  print(pl.metrics.confusion(A, test.T:to(network.dtype), classes))
end
print(("test accuracy%s %.2f %%"):format(
  options.synthetic and " (synthetic digits)" or "",
  100 * pl.evaluate(network, test).accuracy))
