#!/usr/bin/env lua5.4
-- The accuracy of a saved network on the MNIST test set, or what it sees in one image.

local support = dofile((arg[0]:match("^(.*/)") or "") .. "support.lua")
local argparse = support.require "argparse"
local pl = support.require "perilune"
local system = support.require "perilune.core.system"

local parser = argparse("predict.lua", "Evaluate a saved network on the MNIST test set.")
  :help_max_width(90)
parser:argument("file", "a network that train_mnist.lua --save wrote")
parser:option("--data", "folder of the MNIST files "
  .. "(default: $PERILUNE_MNIST, else data/mnist in the project)")
parser:flag("--synthetic", "the test set of drawn digits instead")
parser:option("--seed", "of the drawn digits", "1"):convert(support.integer "--seed")
parser:option("--image", "draw this image of the test set, counted from 1, "
  .. "with its probabilities")
  :convert(support.count "--image")
parser:flag("--confusion", "also print how often each digit was taken for which")
local options = parser:parse()

local function read_test_set()
  if options.synthetic then
    local _, test = support.require("perilune.data.digits").read { seed = options.seed }
    return test
  end
  local train, test = support.require("perilune.data.mnist").read(
    support.mnist_directory(options.data))
  if not train then support.fail(test) end
  return test
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

-- The outputs as probabilities: logits go through softmax, outputs that are such already are only
-- made to sum to 1.
local function probabilities(network, A)
  if network.layers[#network.layers].activation == "identity" then
    return network.core.activations.softmax.forward(A, A)
  end
  return A / A:sum()
end

pl.threads(math.min(system.processors(), 256))
local network, message = pl.load(options.file)
if not network then support.fail(message) end
local test = read_test_set()
if network.inputs ~= test.inputs then
  support.fail(("%s has %d inputs, and the images have %d pixels"):format(options.file,
    network.inputs, test.inputs))
end
local classes = network.classes or test.classes

if options.image then
  if options.image > test.N then
    parser:error(("--image: 1 to %d expected, got %d"):format(test.N, options.image))
  end
  local X = test.X:columns(options.image, options.image, network.dtype)
  draw(X)
  local P = probabilities(network, network:predict(X))
  for i = 1, P.rows do
    local p = P:get(i, 1)
    print(("%3s  %6.2f %%  %s"):format(classes[i] or i, 100 * p,
      ("#"):rep(math.floor(40 * p + 0.5))))
  end
  local predicted = math.tointeger(P:argmax():get(1, 1))
  local actual = math.tointeger(test.T:get(1, options.image))
  print(("predicted %s, labelled %s"):format(classes[predicted] or predicted,
    test.classes[actual]))
  return
end

local A = network:predict(test.X)
if options.confusion then
  print(pl.metrics.confusion(A, test.T:to(network.dtype), classes))
end
print(("test accuracy%s %.2f %%"):format(
  options.synthetic and " (synthetic digits)" or "",
  100 * pl.evaluate(network, test).accuracy))
