#!/usr/bin/env lua5.4
-- Train a network on the MNIST digits.

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
local store = support.require "perilune.store.file"
local system = support.require "perilune.core.system"

local parser = support.parser("train_mnist.lua", "Train a network on the MNIST digits.")
  :epilog("Where no folder is named and the project has no MNIST yet, it is downloaded; "
    .. "without a network connection training is on digits that the script draws itself. "
    .. "Ctrl-C ends training with the accuracy so far.")
parser:mutex(
  parser:option("--data", "folder of the four MNIST files, plain or .gz "
    .. "(default: $PERILUNE_MNIST, else data/mnist in the project)")
    :convert(support.path "--data"),
  parser:flag("--synthetic", "train on drawn digits in any case"))
parser:option("--epochs", "times to go through the training set", "10")
  :convert(support.count "--epochs")
parser:option("--batch", "samples in a mini-batch", "128")
  :convert(support.count "--batch")
parser:option("--hidden", "widths of the hidden layers, 0 for none", "512,512")
  :convert(support.widths "--hidden")
parser:option("--activation", "of the hidden layers", "relu")
parser:option("--output", "activation of the last layer", "identity")
parser:option("--loss", "softmax_cross_entropy (on logits) or squared_error",
  "softmax_cross_entropy")
  :choices { "softmax_cross_entropy", "squared_error" }
parser:option("--optimizer", "any of the library's: adam, sgd, nesterov, muon, ...", "adam")
parser:option("--rate", "learning rate (default: 0.002 for adam, 0.05 for sgd, momentum "
  .. "and nesterov, the optimizer's own for others)")
  :convert(support.positive "--rate")
parser:option("--schedule", "of the learning rate: constant, step, exponential, cosine "
  .. "or warm_up (one epoch of it, then cosine)", "cosine")
  :choices { "constant", "step", "exponential", "cosine", "warm_up" }
parser:option("--augment", "other images made of the training set's in each epoch: shift, rotate, "
  .. "scale, shear or elastic, with =AMOUNT (pixels, degrees, range, degrees, alpha) or without, "
  .. "several with commas: elastic,rotate=10")
parser:option("--dropout", "probability for the hidden layers", "0")
  :convert(support.fraction "--dropout")
parser:option("--weight-decay", "of an optimizer that has it (default: its own)")
  :convert(support.not_negative "--weight-decay")
parser:option("--initializer",
  "glorot, he, lecun, orthogonal or another (default: by activation)")
parser:option("--validation", "fraction of the training set held out to validate on", "0.05")
  :convert(support.fraction "--validation")
parser:option("--seed", "of weights, order, dropout and augmentation", "1")
  :convert(support.integer "--seed")
parser:option("--dtype", "float32 or float64", "float32")
  :choices { "float32", "float64" }
parser:option("--threads",
  "threads; results do not depend on it (default: all cores)")
  :convert(support.threads "--threads")
parser:option("--save", "write the network to this safetensors file")
  :convert(support.path "--save")
parser:option("--target", "exit with status 1 when the test accuracy is below this, in %")
  :convert(support.not_negative "--target")
parser:flag("--quiet", "print the last line only")
local options = parser:parse()

local say = options.quiet and function() end or print


-- Data

local function drawn_digits()
  local digits = support.require "perilune.data.digits"
  say("drawing synthetic digits")
  return digits.read { seed = options.seed }
end

local function downloaded(directory)
  support.note_interrupt("the download ends")
  local ok, message = support.require("perilune.data.download").mnist(directory, {
    progress = not options.quiet and system.isatty(io.stderr),
    report = function(line)
      say(line)
      if system.interrupted() then return "stop" end
    end,
  })
  support.end_if_interrupted()
  support.end_at_interrupt()
  return ok, message
end

local function read_data()
  if options.synthetic then return true, drawn_digits() end
  local directory, named_by = mnist.directory(options.data)
  local available = support.require("perilune.data.mnist").available
  if not named_by and not available(directory) then
    say(("no MNIST in %s: downloading it"):format(directory))
    local ok, message = downloaded(directory)
    if not ok then
      support.warn("MNIST could not be downloaded: " .. message
        .. "\ntraining on synthetic digits instead: "
        .. "the accuracy will be theirs, not MNIST's")
      return true, drawn_digits()
    end
  end
  return false, mnist.read(directory, named_by)
end


-- The network, the optimiser and the schedule that the options describe

local function new_network(train)
  local layers = { inputs = train.inputs }
  local initializer = { initializer = options.initializer }
  for _, width in ipairs(options.hidden) do
    layers[#layers + 1] = pl.dense(width, options.activation, initializer)
    if options.dropout > 0 then layers[#layers + 1] = pl.dropout(options.dropout) end
  end
  layers[#layers + 1] = pl.dense(#train.classes, options.output, initializer)
  return parser:must("--hidden", pl.network, layers, {
    seed = options.seed, dtype = options.dtype, classes = train.classes,
  })
end

local function new_optimizer()
  local rates = { adam = 0.002, sgd = 0.05, momentum = 0.05, nesterov = 0.05 }
  return parser:must("--optimizer", pl.optimizer, {
    options.optimizer, rate = options.rate or rates[options.optimizer],
    weight_decay = options.weight_decay,
  })
end

-- "elastic,rotate=10" as descriptions, and the option of each that the number is
local function augmentations()
  local amounts = {
    shift = "pixels", rotate = "degrees", scale = "range", shear = "degrees", elastic = "alpha",
  }
  local parts = {}
  for word in ((options.augment or "") .. ","):gmatch "([^,]+)," do
    local name, amount = word:match "^([^=]+)=?(.*)$"
    local described = { name }
    if amount ~= "" then described[amounts[name] or "amount"] = tonumber(amount) or amount end
    parts[#parts + 1] = parser:must("--augment", pl.augmentation, described)
  end
  return parts
end

local function schedule_description()
  if options.schedule == "warm_up" then return { "warm_up", after = "cosine" } end
  return options.schedule
end


-- A line for each epoch, beside the bar that training draws on a terminal

local epoch_started, samples

local function on_batch(progress)
  samples = progress.samples
  if system.interrupted() then return "stop" end
end

local function on_epoch(record)
  local seconds = system.clock() - epoch_started
  local validation = record.validation_accuracy
    and (", validation %.2f %%"):format(100 * record.validation_accuracy) or ""
  say(("epoch %2d  loss %.4f  train %.2f %%%s  %.1f s  %.0f samples/s"):format(
    record.epoch, record.loss, 100 * record.accuracy, validation, seconds,
    samples / seconds))
  epoch_started = system.clock()
  if system.interrupted() then return "stop" end
end


-- The run

-- What the options name is looked up before data are read, which may mean a download.
parser:must("--activation", pl.activation, options.activation)
parser:must("--output", pl.activation, options.output)
if options.initializer then parser:must("--initializer", pl.initializer, options.initializer) end
local optimizer, augment = new_optimizer(), augmentations()
if options.save then
  local ok, message = store.check_writable(options.save)
  if not ok then support.fail("--save: " .. message) end
end
support.use_threads(options.threads)
local synthetic, train, test = read_data()
local network = new_network(train)
local name = synthetic and "synthetic digits" or "MNIST"
say(("%s: %d training samples, %d test samples"):format(name, train.N, test.N))
say(network)

if options.loss == "squared_error" then train, test = train:one_hot(), test:one_hot() end
local validation
if options.validation > 0 then
  validation, train = parser:must("--validation", train.split, train, options.validation,
    pl.generator(options.seed))
end

support.note_interrupt("the accuracy so far follows")
epoch_started = system.clock()
support.must(pl.fit, network, train, {
  loss = options.loss, optimizer = optimizer, schedule = schedule_description(),
  epochs = options.epochs, batch = options.batch, augment = augment, validation = validation,
  seed = options.seed, progress = not options.quiet, on_batch = on_batch, on_epoch = on_epoch,
})

local saved, message = true, nil
if options.save then
  saved, message = network:save(options.save)
  if saved then say("saved " .. options.save) end
end
local accuracy = 100 * pl.evaluate(network, test).accuracy
print(("test accuracy%s %.2f %%"):format(synthetic and " (synthetic digits)" or "",
  accuracy))
if not saved then support.fail(message) end
support.end_if_interrupted()
if options.target and accuracy < options.target then
  support.fail(("below the target of %g %%"):format(options.target))
end
