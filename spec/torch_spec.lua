-- PyTorch as an independent oracle, in double: values and gradients of networks of all kinds of
-- layers, and their training. Skipped where Python has no torch.

local json = require "dkjson"
local naive = require "spec.support.naive"
local pl = require "perilune"

local TOLERANCE = 1e-10
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

local relu, tanh = pl.dense(6, "relu"), pl.dense(7, "tanh")

-- Layers on 5 inputs; the loss, and its targets. No bias stands right below a batch normalisation,
-- which takes it away: its gradient would be rounding noise, of which Adam makes steps.
local networks = {
  { "tanh, relu, sigmoid and squared error", "squared_error", normal,
    { tanh, relu, pl.dense(3, "sigmoid") } },
  { "tanh, relu and cross-entropy on labels", "softmax_cross_entropy", labels,
    { tanh, relu, pl.dense(3) } },
  { "sigmoid, softsign and cross-entropy on soft targets", "softmax_cross_entropy", soft,
    { pl.dense(7, "sigmoid"), pl.dense(6, "softsign"), pl.dense(3) } },
  { "softmax as an activation, and squared error", "squared_error", one_hot,
    { pl.dense(7, "softmax"), pl.dense(6), pl.dense(3, "softmax") } },
  { "one output and squared error", "squared_error", normal, { pl.dense(1) } },
  { "batch normalisation", "squared_error", normal,
    { pl.batch_norm(), tanh, pl.batch_norm { momentum = 0.3, epsilon = 1e-3 },
      pl.dense(3) } },
  { "batch normalisation and cross-entropy", "softmax_cross_entropy", labels,
    { relu, pl.batch_norm { momentum = 0.5 }, pl.dense(3, "softsign"),
      pl.batch_norm() } },
  { "frozen batch normalisation", "squared_error", normal,
    { tanh, pl.batch_norm { frozen = true }, pl.dense(3) } },
  { "layer normalisation", "squared_error", normal,
    { pl.layer_norm(), tanh, pl.layer_norm { epsilon = 1e-3 }, pl.dense(3) } },
  { "residual blocks", "softmax_cross_entropy", labels,
    { pl.residual { tanh, pl.layer_norm(), pl.dense(5) },
      pl.residual({ pl.dense(4, "sigmoid"), pl.batch_norm() }, { projection = true }),
      pl.dense(3) } },
  { "a frozen residual block", "squared_error", normal,
    { tanh, pl.residual({ pl.dense(7, "tanh"), pl.batch_norm() },
      { projection = true, frozen = true }), pl.dense(3) } },
  { "branches", "squared_error", normal,
    { pl.branch { tanh, { pl.dense(4, "softsign"), pl.batch_norm() } },
      pl.branch({ relu, pl.dense(6, "sigmoid"),
        pl.residual(pl.dense(6), { projection = true }) }, { join = "sum" }),
      pl.branch { pl.batch_norm(), pl.layer_norm() }, pl.dense(3) } },
  { "layers that share", "squared_error", normal,
    { tanh, pl.dense(7, "tanh", { shared = "code" }),
      pl.dense(7, "sigmoid", { shared = "code" }), pl.dense(3) } },
}

-- Two ways to train each
local trainings = {
  { "SGD", function() return pl.sgd { rate = 0.1 } end, "sgd 20 lr=0.1" },
  { "Adam", function() return pl.adam { rate = 0.01 } end, "adam 20 lr=0.01" },
}

-- Descriptions { "dense", outputs = 10 } as JSON's objects { kind = "dense", outputs = 10 }
local function to_json(description)
  if type(description) ~= "table" then return description end
  local object = {}
  for key, value in pairs(description) do object[key] = to_json(value) end
  if type(description[1]) == "string" then
    object.kind, object[1] = description[1], nil
  end
  return object
end

-- A network whose tensors are no zeros and ones, on 5 inputs
local function network_of(layers)
  local descriptions = table.move(layers, 1, #layers, 1, { inputs = 5 })
  local net = pl.network(descriptions, { dtype = "float64", seed = 3 })
  for k, tensor in ipairs(net:tensors()) do
    if tensor.value.cols == 1 then
      core.generator(10 + k):uniform(tensor.value, 0.5, 1.5)
    end
  end
  return net
end

local function network_case(index, title, loss, targets, layers, training)
  local net, X = network_of(layers), naive.random(core, 4, 5, SAMPLES)
  local T, columns = targets(net.outputs)
  local matrices = { { "X", X }, { "T", columns or T } }
  for _, tensor in ipairs(net:tensors()) do
    matrices[#matrices + 1] = { tensor.name, tensor.value:copy() }
  end
  local name = "network" .. index
  local how, new_optimizer, request = table.unpack(training)
  local description = json.encode(to_json { "chain", layers = net:describe().layers })
  return {
    title = ("trains alike by %s: %s"):format(how, title),
    request = ("network %s %s %s\n%s"):format(name, loss, request, description),
    matrices = matrices,
    check = function(answers)
      local function near(M, quantity)
        naive.near(M, answers[name .. "." .. quantity], TOLERANCE, 2)
      end
      near(net:predict(X), "P")
      local optimizer, errors = new_optimizer(), {}
      for step = 1, #answers[name .. ".J"] do
        local J, Delta = pl.loss[loss](net:forward(X), T)
        errors[step] = { J }
        local Delta_0 = net:backward(Delta, step == 1)
        if step == 1 then
          near(Delta_0, "dJ_dX")
          for _, parameter in ipairs(net:parameters()) do
            near(parameter.gradient, "dJ_d" .. parameter.name)
          end
        end
        optimizer:step(net:parameters())
      end
      near(errors, "J")
      near(net:predict(X), "P_after")
      for _, tensor in ipairs(net:tensors()) do near(tensor.value, tensor.name) end
    end,
  }
end

describe("PyTorch #torch", function()
  if not has_torch() then
    pending("is not installed for " .. PYTHON .. " (Debian: python3-torch)")
    return
  end

  local cases, answers = {}, nil
  for _, network in ipairs(networks) do
    local title, loss, targets, layers = table.unpack(network)
    for _, training in ipairs(trainings) do
      cases[#cases + 1] = network_case(#cases + 1, title, loss, targets, layers, training)
    end
  end

  setup(function() answers = ask(cases) end)

  for _, case in ipairs(cases) do
    it(case.title, function() case.check(answers) end)
  end
end)
