#!/usr/bin/env lua5.4
-- Train networks on a data set of Proben1 by the report's protocol, and tell the test errors.

-- support.lua lies beside this file. Where a link to it was started, a process says where that is;
-- it takes milliseconds in which Ctrl-C is not heard yet, so it is asked only then.
local function near(path, name) return (path:gsub("[^/]*$", name, 1)) end
local is_here = io.open(near(arg[0], "support.lua"))
  and io.open(near(arg[0], "../lua/perilune/init.lua"))
local file = not is_here
  and io.popen("readlink -f -- '" .. arg[0]:gsub("'", [['\'']]) .. "' 2>&-"):read()
local support = dofile(near(file or arg[0], "support.lua"))
local pl = support.require "perilune"

-- A conversion for argparse: two numbers, of which the library says more.
local function lengths(text)
  local first, last = text:match "^([^,]+),([^,]+)$"
  first, last = tonumber(first), tonumber(last)
  if first and last and first > 0 and last > 0 then return { first, last } end
  return nil, ("--start: two numbers above 0, such as 0.005,0.02, expected, got '%s'"):format(text)
end

local parser = support.parser("proben1.lua", "Train networks on a data set of Proben1 "
  .. "(Prechelt 1994) by the report's protocol, and tell their errors on its test set.")
  :epilog("Each run is a network of its own, with the weights that it had at the least validation "
    .. "error. The last line is: E, mean and deviation over the runs; class, the same in % where "
    .. "the set has classes, else - -; epochs, the mean of how many were trained.")
parser:argument("file", "of the data set, such as cancer1.dt"):convert(support.path "file")
parser:option("--hidden", "widths of the hidden layers, 0 for none", "0")
  :convert(support.widths "--hidden")
parser:option("--output", "activation of the last layer: linear, softsign, sigmoid or another",
  "linear")
parser:option("--activation", "of the hidden layers", "softsign")
parser:option("--runs", "networks to train, with the seeds seed, seed + 1, ...", "10")
  :convert(support.count "--runs")
parser:option("--seed", "of the first run's weights and step lengths", "1")
  :convert(support.integer "--seed")
parser:option("--epochs", "most of a run", "3000"):convert(support.count "--epochs")
parser:option("--weights", "first weights are drawn from -weights to weights", "0.01")
  :convert(support.not_negative "--weights")
parser:option("--optimizer", "variant of Rprop: irprop_minus, rprop_minus, rprop_plus",
  "irprop_minus"):choices { "irprop_minus", "rprop_minus", "rprop_plus" }
parser:option("--start", "first step lengths are drawn from here to there", "0.005,0.02")
  :convert(lengths)
parser:option("--eta-plus", "factor by which step lengths grow", "1.2")
  :convert(support.positive "--eta-plus")
parser:option("--strip", "epochs from one look at the validation error to the next", "5")
  :convert(support.count "--strip")
parser:option("--generalization-loss", "stop where the validation error is so many % above its "
  .. "least", "5"):convert(support.not_negative "--generalization-loss")
parser:option("--progress", "stop where the training goes on by less, in parts per thousand; "
  .. "0 for never", "0.1"):convert(support.not_negative "--progress")
parser:option("--dtype", "float32 or float64", "float64"):choices { "float32", "float64" }
parser:option("--threads", "threads; results do not depend on it", "1")
  :convert(support.threads "--threads")
parser:flag("--quiet", "print the last line only")
local options = parser:parse()

local output = options.output == "linear" and "identity" or options.output

local function new_network(train, seed)
  local layers, initializer = { inputs = train.inputs }, { "uniform", bound = options.weights }
  for _, width in ipairs(options.hidden) do
    layers[#layers + 1] = pl.dense(width, options.activation, { initializer = initializer })
  end
  layers[#layers + 1] = pl.dense(train.targets, output, { initializer = initializer })
  return parser:must("--hidden", pl.network, layers,
    { seed = seed, dtype = options.dtype, classes = train.classes })
end

local function new_optimizer(seed)
  return parser:must("--optimizer", pl.optimizer, {
    options.optimizer, start = options.start, seed = seed, eta_plus = options.eta_plus,
    step_min = 0, step_max = 50,
  })
end

-- The report's measures are of outputs from 0 to 1: there the squared error percentage
-- E = 100 (o_max - o_min) / (N P) sum (o - t)^2 is 100 times the mean over all targets.
local ERROR = "mean_squared_error"

-- One network, trained until a rule says stop; its test errors and its history
local function run(train, validation, test, seed)
  local net = new_network(train, seed)
  local history = support.must(pl.fit, net, train, {
    loss = ERROR, optimizer = new_optimizer(seed), epochs = options.epochs, batch = train.N,
    shuffle = false, validation = validation,
    early_stopping = {
      strip = options.strip, generalization_loss = options.generalization_loss,
      progress = options.progress > 0 and options.progress or nil,
    },
  })
  local results = pl.evaluate(net, test, ERROR)
  return 100 * results.loss, results.accuracy and 100 * (1 - results.accuracy), history
end

-- Mean and deviation of a sample, which is 0 for one number
local function statistics(list)
  local mean, squares = 0, 0
  for _, x in ipairs(list) do mean = mean + x / #list end
  for _, x in ipairs(list) do squares = squares + (x - mean) ^ 2 end
  return mean, math.sqrt(squares / math.max(1, #list - 1))
end


parser:must("--activation", pl.activation, options.activation)
parser:must("--output", pl.activation, output)
support.use_threads(options.threads)
local train, validation, test = pl.data.proben1(options.file, { dtype = options.dtype })
if not train then support.fail(validation) end

local errors, wrong, epochs = {}, {}, {}
for k = 1, options.runs do
  local seed = options.seed + k - 1
  local E, class, history = run(train, validation, test, seed)
  errors[k], wrong[k], epochs[k] = E, class, #history
  if not options.quiet then
    print(("seed %d  E %.2f%s  %d epochs, the best %d"):format(seed, E,
      class and ("  class %.2f"):format(class) or "", #history, history.best_epoch or 0))
  end
end
print(("E %s class %s epochs %.0f"):format(("%.2f %.2f"):format(statistics(errors)),
  #wrong > 0 and ("%.2f %.2f"):format(statistics(wrong)) or "- -", (statistics(epochs))))
