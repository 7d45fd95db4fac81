-- PyTorch as an independent oracle, in double: the loss and all gradients of networks, and the paths of the
-- optimisers. Skipped where Python has no torch.

local naive = require "spec.support.naive"
local pl = require "perilune"

local TOLERANCE = 1e-10
local STEPS = 5
local SAMPLES = 11
local PYTHON = "/usr/bin/python3" -- Debian's: python3-torch is installed for no other

local core = pl.float64

local function has_torch()
  return (os.execute(PYTHON .. " -c 'import torch' >/dev/null 2>&1"))
end

local function write_matrix(file, name, M)
  file:write(("matrix %s %d %d\n"):format(name, M.rows, M.cols))
  for _, row in ipairs(M:totable()) do
    local words = {}
    for j, x in ipairs(row) do words[j] = ("%.17g"):format(x) end
    file:write(table.concat(words, " "), "\n")
  end
end

local function read_row(line)
  local row = {}
  for word in line:gmatch("%S+") do
    local x = tonumber(word)
    row[#row + 1] = assert(x, word)
  end
  return row
end

-- The answers to the requests of all cases, as tables of rows by "case.name"
local function ask(cases)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  for _, case in ipairs(cases) do
    file:write(case.request, "\n")
    for _, named in ipairs(case.matrices) do write_matrix(file, named[1], named[2]) end
  end
  file:close()
  local pipe = assert(io.popen(PYTHON .. " spec/support/torch_oracle.py " .. path))
  local answers = {}
  for line in pipe:lines() do
    local name, rows = line:match("^matrix (%S+) (%d+)")
    answers[name] = {}
    for i = 1, tonumber(rows) do answers[name][i] = read_row(pipe:read("l")) end
  end
  local ok = pipe:close()
  os.remove(path)
  assert(ok, "torch_oracle.py failed")
  return answers
end

-- Kinds of targets: T as the loss takes it, and target columns for PyTorch

local function normal(outputs)
  return naive.random(core, 5, outputs, SAMPLES)
end

local function labels(outputs)
  local list = {}
  for n = 1, SAMPLES do list[n] = n * n % outputs + 1 end
  return core.matrix { list }, core.matrix(naive.one_hot(list, outputs))
end

local function one_hot(outputs)
  local _, columns = labels(outputs)
  return columns
end

local function soft(outputs)
  local Z = normal(outputs)
  return core.activations.softmax.forward(Z, Z)
end

local networks = {
  { "tanh, relu, sigmoid and squared error", "squared_error", normal,
    { 7, "tanh" }, { 6, "relu" }, { 3, "sigmoid" } },
  { "tanh, relu and cross-entropy on labels", "softmax_cross_entropy", labels,
    { 7, "tanh" }, { 6, "relu" }, { 3, "identity" } },
  { "sigmoid, softsign and cross-entropy on soft targets", "softmax_cross_entropy", soft,
    { 7, "sigmoid" }, { 6, "softsign" }, { 3, "identity" } },
  { "softmax as an activation, and squared error", "squared_error", one_hot,
    { 7, "softmax" }, { 6, "identity" }, { 3, "softmax" } },
  { "one output and squared error", "squared_error", normal, { 1, "identity" } },
}

local optimizers = {
  { "sgd", pl.sgd { rate = 0.1 }, "sgd STEPS lr=0.1" },
  { "sgd with weight decay", pl.sgd { rate = 0.1, weight_decay = 0.03 },
    "sgd STEPS lr=0.1 weight_decay=0.03" },
  { "momentum", pl.momentum { rate = 0.1, momentum = 0.9 },
    "sgd STEPS lr=0.1 momentum=0.9" },
  { "momentum with weight decay",
    pl.momentum { rate = 0.1, momentum = 0.8, weight_decay = 0.03 },
    "sgd STEPS lr=0.1 momentum=0.8 weight_decay=0.03" },
  { "Nesterov momentum",
    pl.momentum { rate = 0.1, momentum = 0.9, nesterov = true },
    "sgd STEPS lr=0.1 momentum=0.9 nesterov=True" },
  { "Nesterov momentum with weight decay",
    pl.momentum { rate = 0.1, momentum = 0.8, nesterov = true, weight_decay = 0.03 },
    "sgd STEPS lr=0.1 momentum=0.8 nesterov=True weight_decay=0.03" },
  { "Adam", pl.adam { rate = 0.01 }, "adam STEPS lr=0.01" },
  { "Adam with other constants",
    pl.adam { rate = 0.1, beta1 = 0.7, beta2 = 0.95, epsilon = 1e-3 },
    "adam STEPS lr=0.1 beta1=0.7 beta2=0.95 eps=1e-3" },
  { "AdamW", pl.adam { rate = 0.01, weight_decay = 0.1 },
    "adamw STEPS lr=0.01 weight_decay=0.1" },
}

local function network_case(index, title, loss, targets, ...)
  local layers = { ... }
  local descriptions, words = { inputs = 5 }, {}
  for l, layer in ipairs(layers) do
    descriptions[l] = pl.dense(layer[1], layer[2])
    words[l] = layer[2]
  end
  local net = pl.network(descriptions, { dtype = "float64", seed = 3 })
  local X = naive.random(core, 4, 5, SAMPLES)
  local T, columns = targets(net.outputs)
  local matrices = { { "X", X }, { "T", columns or T } }
  for l, layer in ipairs(net.layers) do
    layer.b:assign(naive.random(core, 10 + l, layer.outputs, 1))
    matrices[#matrices + 1] = { "W" .. l, layer.W }
    matrices[#matrices + 1] = { "b" .. l, layer.b }
  end
  local name = "network" .. index
  return {
    title = "gives the same loss and gradients: " .. title,
    request = ("network %s %s %s"):format(name, loss, table.concat(words, " ")),
    matrices = matrices,
    check = function(answers)
      local function near(M, quantity)
        naive.near(M, answers[name .. "." .. quantity], TOLERANCE)
      end
      local J, Delta = pl.loss[loss](net:forward(X), T)
      near({ { J } }, "J")
      near(net:backward(Delta, true), "dJ_dX")
      for l, layer in ipairs(net.layers) do
        near(layer.dJ_dW, "dJ_dW" .. l)
        near(layer.dJ_db, "dJ_db" .. l)
      end
    end,
  }
end

local function optimizer_case(index, title, optimizer, request)
  local p = naive.random(core, 1, 7, 6)
  local matrices = { { "p", p:copy() } }
  for step = 1, STEPS do
    matrices[step + 1] = { "g" .. step, naive.random(core, 20 + step, 7, 6) }
  end
  local name = "optimizer" .. index
  return {
    title = "takes the same steps: " .. title,
    request = ("optimizer %s %s"):format(name, (request:gsub("STEPS", STEPS))),
    matrices = matrices,
    check = function(answers)
      for step = 1, STEPS do
        optimizer:step { { name = "p", value = p, gradient = matrices[step + 1][2] } }
        naive.near(p, answers[("%s.p%d"):format(name, step)], TOLERANCE)
      end
    end,
  }
end

describe("PyTorch #torch", function()
  if not has_torch() then
    pending("is not installed for " .. PYTHON .. " (Debian: python3-torch)")
    return
  end

  local cases, answers = {}, nil
  for k, network in ipairs(networks) do
    cases[#cases + 1] = network_case(k, table.unpack(network))
  end
  for k, optimizer in ipairs(optimizers) do
    cases[#cases + 1] = optimizer_case(k, table.unpack(optimizer))
  end

  setup(function() answers = ask(cases) end)

  for _, case in ipairs(cases) do
    it(case.title, function() case.check(answers) end)
  end
end)
