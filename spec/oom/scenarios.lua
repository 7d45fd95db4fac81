-- What is done while memory runs out (see check.lua). A scenario is
--     setup() --> object            what it works on; optional
--     begin(object)                 what has to be done before each run; optional
--     run(object) --> result        while memory runs out
--     bits(object, result) --> string   what must come out, whatever failed before
--     look(object) --> string       what a run that fails must leave as it was; optional
-- Nothing of the library is loaded before setup.

local function later(name)
  return setmetatable({}, {
    __index = function(_, key) return require(name)[key] end,
  })
end

local pl = later "perilune"

-- All of a value, as a string
local function dump(value, pieces)
  local is_outer = not pieces
  pieces = pieces or {}
  local kind = type(value)
  if kind == "table" then
    local keys = {}
    for key in next, value do keys[#keys + 1] = key end
    table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
    for _, key in ipairs(keys) do
      pieces[#pieces + 1] = tostring(key)
      dump(value[key], pieces)
    end
    pieces[#pieces + 1] = "end"
  elseif kind == "userdata" and getmetatable(value) == "matrix" then
    pieces[#pieces + 1] = ("%d x %d"):format(value.rows, value.cols)
    pieces[#pieces + 1] = value:encode(value.dtype)
  elseif kind == "userdata" and getmetatable(value) == "generator" then
    pieces[#pieces + 1] = value:state()
  else
    pieces[#pieces + 1] = kind == "number" and ("%a"):format(value) or tostring(value)
  end
  return is_outer and table.concat(pieces, "\n") or nil
end

-- Layers of every kind
local function layers()
  return {
    inputs = 5,
    pl.dense(6, { "leaky_relu", slope = 0.1 }),
    pl.batch_norm(), pl.gaussian_noise(), pl.scaling(),
    pl.residual { pl.dense(6, "tanh"), pl.dropout(0.2), pl.layer_norm(), pl.dense(6) },
    pl.branch { pl.dense(4, "relu"), { pl.dense(6, "sigmoid"), pl.alpha_dropout(0.1) } },
    pl.residual(pl.dense(7, "elu"), { projection = true }),
    pl.residual { pl.dense(7, "softsign", { shared = "twin" }),
      pl.dense(7, "identity", { shared = "twin" }) },
    pl.dense(7, "tanh", { frozen = true }),
    pl.dense(3),
  }
end

local CLASSES = { "a", "b", "c" }

local function network(dtype)
  return pl.network(layers(), { seed = 3, classes = CLASSES, dtype = dtype, gives = "logits" })
end

-- Of 12 samples, in batches of 5: 5, 5 and 2
local function data(dtype)
  local core = pl[dtype or "float32"]
  local X, labels = core.generator(2):normal(core.matrix(5, 12)), {}
  for n = 1, 12 do labels[n] = n % 3 + 1 end
  return pl.dataset { X = X, labels = labels, classes = CLASSES }
end

local function net_and_data()
  local net, set = network(), data()
  return { net = net, set = set, X = set.X, T = set.T }
end

local function state_of_net(o) return dump { o.net:state(), o.net.gives } end

-- After so many batches of 4 samples
local function new_trainer(steps, on_gradients, metrics)
  local train, held_out = data():split(0.8, pl.generator(1))
  local net = network()
  local trainer = pl.trainer(net, train, {
    loss = "softmax_cross_entropy", epochs = 3, batch = 4, validation = held_out,
    schedule = { "warm_up", after = { "plateau", patience = 0 } },
    early_stopping = { patience = 2 },
    optimizer = { "adam", groups = { { match = "%.b$", rate = 0.01 } } },
    metrics = metrics or {}, on_gradients = on_gradients or function() end,
    on_batch = function() end, on_epoch = function() end,
  })
  for _ = 1, steps do trainer:step() end
  return { net = net, trainer = trainer }
end

local function state_of_trainer(o)
  return dump { o.trainer:state(), o.trainer.progress, o.net:state() }
end

local function read(path)
  local file = io.open(path, "rb")
  if not file then return "none" end
  local bytes = file:read "a"
  file:close()
  return bytes
end

local function write(path, bytes)
  local file <close> = assert(io.open(path, "wb"))
  file:write(bytes)
end

local function files()
  local names = {}
  for name in require "lfs".dir "." do
    if name ~= "notes" then names[#names + 1] = name end
  end
  table.sort(names)
  return table.concat(names, " ")
end

local scenarios = {}

local modules = { "perilune", "perilune.store.model", "perilune.store.checkpoint",
  "perilune.data.digits", "perilune.data.checksum" }

scenarios.require = {
  run = function()
    for _, name in ipairs(modules) do require(name) end
  end,
  bits = function() return dump((pl.matrix { { 1, 2 } } * pl.matrix { { 3 }, { 4 } })) end,
}

scenarios.create = {
  setup = function() return require "perilune" end,
  run = function() return network() end,
  bits = function(_, net) return dump { net:state(), net:describe() } end,
}

scenarios.dataset = {
  setup = function() return require "perilune" end,
  run = function()
    local set = data()
    local a, b = set:split(0.5, pl.generator(3))
    local train, held_out = set:folds(2, { stratified = true, groups = set:columns() })()
    local some = set:where(function(sample) return sample[1] > 0 end)
    return { set.X, set.T, a.X, b.T, set:one_hot().T, b:checksum(), set:to("float64").X,
      train.X, held_out.T, some.X, a:concat(set:to("float64")).X }
  end,
  bits = function(_, result) return dump(result) end,
}

scenarios.matrices = {
  setup = function() return pl.matrix { { 1, 2 }, { 3, 4 } } end,
  run = function(A)
    local B = A:view(2, 1, 2) + A:columns(1, 1):transpose()
    return {
      B, A:to "float64", tostring(A), A:totable(), A:map(math.exp), A * A, -A / 3,
      A:encode "uint8", pl.generator(3):permutation(9), A == B, A:argmax(),
    }
  end,
  bits = function(_, result) return dump(result) end,
  look = dump,
}

scenarios.forward = {
  setup = net_and_data,
  run = function(o) return o.net:forward(o.X) end,
  bits = function(o, A) return dump(A) .. state_of_net(o) end,
  look = state_of_net,
}

-- Made, trained for a step, and asked, with layers for inputs of other kinds
scenarios.embeddings = {
  setup = function() return require "perilune" end,
  run = function()
    local X, boundaries = pl.matrix { { 1, 2, 3 }, { 2, 1, 2 } }, { { 0, 1, 2 }, { 0, 2, 3 } }
    local results = {}
    for k, layer in ipairs { pl.embedding(3, 4), pl.periodic { frequencies = 2, outputs = 3 },
      pl.piecewise_linear(boundaries, { outputs = 3 }) } do
      local net = pl.network { inputs = 2, layer, pl.dense(2) }
      net:backward(net:forward(X):copy())
      pl.sgd():step(net:parameters())
      results[k] = { net:predict(X), net.theta }
    end
    return results
  end,
  bits = function(_, results) return dump(results) end,
}

-- Columns of a table with their schema; one cell is missing
local function table_data()
  local X = pl.matrix { { 3, 1, 0 / 0, 4 }, { 1, 2, 2, 1 } }
  return pl.dataset { X = X, T = pl.matrix { { 10, 20, 15, 30 } }, schema = {
    { name = "age", type = "number" },
    { name = "job", type = "category", categories = { "clerk", "nurse" } },
  } }
end

local function table_network(set)
  return pl.network({
    inputs = 2, pl.prepare(set, { scaler = "quantile" }), pl.dense(3, "tanh"), pl.dense(1),
    pl.units(set),
  }, { seed = 1 })
end

-- Fitted, described, and asked by name
scenarios.prepare = {
  setup = function()
    require "perilune"
    return table_data()
  end,
  run = function(set)
    local net = table_network(set)
    local records = { { age = 3, job = "nurse" }, { age = false, job = "clerk" } }
    return { net:describe(), net:predict(records), set:for_network(net).T,
      pl.evaluate(net, set, "squared_error", { "mae" }) }
  end,
  bits = function(_, result) return dump(result) end,
}

-- What trains well on a table, for an epoch; and what a survey finds in one
scenarios.tabular = {
  setup = function()
    require "perilune"
    require "perilune.data.survey"
    local text = "age,job\n3,clerk\n1,nurse\n?,nurse\n4,clerk\n"
    return { set = table_data(), table = require("perilune.data.csv").decode(text) }
  end,
  run = function(o)
    local net, options = pl.tabular(o.set, {
      validation = o.set, hidden = { 3 }, periodic = { frequencies = 2, outputs = 2 }, epochs = 1,
    })
    pl.fit(net, o.set, options)
    return { net:predict(o.set.X), tostring(pl.data.survey(o.table, { target = "job" })) }
  end,
  bits = function(_, result) return dump(result) end,
}

-- A step with units, and metrics in them
scenarios.step_units = {
  setup = function()
    require "perilune"
    local set = table_data()
    local net = table_network(set)
    return { net = net, trainer = pl.trainer(net, set, {
      loss = "squared_error", batch = 2, validation = set, metrics = { "rmse" }, epochs = 2,
    }) }
  end,
  run = function(o) o.trainer:step() end,
  bits = state_of_trainer,
  look = state_of_trainer,
}

-- Another size of batch
scenarios.forward_again = {
  setup = function()
    local o = net_and_data()
    o.net:forward(o.X:columns(1, 5):copy())
    return o
  end,
  run = function(o) return o.net:forward(o.X) end,
  bits = function(o, A)
    local gradient = dump { A, o.net:backward(A:copy(), true), o.net.dJ_dtheta }
    return gradient .. dump { o.net:forward(o.X:columns(1, 5)) }
  end,
  look = state_of_net,
}

scenarios.backward = {
  setup = function()
    local o = net_and_data()
    o.Delta = o.net:forward(o.X):copy()
    return o
  end,
  run = function(o)
    local J, Delta = pl.loss.softmax_cross_entropy(o.Delta, o.T)
    return { J, o.net:backward(Delta, true) }
  end,
  bits = function(o, result) return dump { result, o.net.dJ_dtheta } end,
  look = state_of_net,
}

scenarios.optimizer = {
  setup = function()
    local o = net_and_data()
    o.net:backward(o.net:forward(o.X):copy())
    o.optimizer = pl.adam { groups = { { match = "b$", rate = 0.1 } } }
    return o
  end,
  run = function(o) o.optimizer:step(o.net:parameters()) end,
  bits = function(o) return dump { o.optimizer:state(), o.net.theta } end,
  look = function(o) return dump { o.optimizer:state(), o.net.theta } end,
}

-- By several rules, one of which needs memory of its own
scenarios.optimizer_rules = {
  setup = function()
    local o = net_and_data()
    o.net:backward(o.net:forward(o.X):copy())
    o.optimizer = pl.muon { groups = { { match = "^1", orthogonal = false } } }
    return o
  end,
  run = function(o) o.optimizer:step(o.net:parameters()) end,
  bits = function(o) return dump { o.optimizer:state(), o.net.theta } end,
  look = function(o) return dump { o.optimizer:state(), o.net.theta } end,
}

-- Those that evaluate
for _, kind in ipairs { "lbfgs", "levenberg_marquardt", "scg" } do
  scenarios["optimizer_" .. kind] = {
    setup = function()
      local o = { X = pl.matrix { { 0, 0, 1, 1 }, { 0, 1, 0, 1 } },
        T = pl.matrix { { 0, 1, 1, 0 } } }
      o.net = pl.network({ inputs = 2, pl.dense(3, "tanh"), pl.dense(1) }, { seed = 1 })
      o.optimizer = pl.optimizer(kind)
      o.residuals = pl.residuals(o.net, "squared_error")
      return o
    end,
    run = function(o)
      o.optimizer:step(o.net:parameters(), nil, function(wants_jacobian)
        local A = o.net:forward(o.X)
        local J, Delta = pl.loss.squared_error(A, o.T)
        local e, G
        if wants_jacobian then e, G = o.residuals(A, o.T) end
        o.net:backward(Delta)
        return J, e, G
      end)
    end,
    bits = function(o) return dump { o.optimizer:state(), o.net.theta } end,
    look = function(o) return dump { o.optimizer:state(), o.net.theta } end,
  }
end

-- Of parameters that are not a network's
scenarios.optimizer_own = {
  setup = function()
    local o = { list = {}, optimizer = pl.momentum() }
    for k = 1, 3 do
      local value = pl.matrix(2, k):fill(k)
      o.list[k] = { name = "p" .. k, value = value, gradient = value:copy() }
    end
    return o
  end,
  run = function(o) o.optimizer:step(o.list) end,
  bits = function(o) return dump { o.optimizer:state(), o.list } end,
  look = function(o) return dump { o.optimizer:state(), o.list } end,
}

scenarios.trainer = {
  setup = function() require "perilune" end,
  run = function() return new_trainer(0) end,
  bits = function(_, o) return state_of_trainer(o) end,
}

for _, steps in ipairs { 0, 1, 4 } do
  scenarios["step_" .. steps + 1] = {
    setup = function() return new_trainer(steps) end,
    run = function(o) o.trainer:step() end,
    bits = state_of_trainer,
    look = state_of_trainer,
  }
end

-- With metrics that keep counts, and scores in memory that grows
local METRICS = { "f1", "roc_auc" }

for _, steps in ipairs { 0, 1, 4 } do
  scenarios["step_metrics_" .. steps + 1] = {
    setup = function() return new_trainer(steps, nil, METRICS) end,
    run = function(o) o.trainer:step() end,
    bits = state_of_trainer,
    look = state_of_trainer,
  }
end

scenarios.run_metrics = {
  setup = function() return new_trainer(0, nil, METRICS) end,
  run = function(o) return o.trainer:run() end,
  bits = state_of_trainer,
}

scenarios.restore_metrics = {
  setup = function()
    local o = new_trainer(1, nil, METRICS)
    o.state = new_trainer(5, nil, METRICS).trainer:state()
    return o
  end,
  run = function(o) o.trainer:restore(o.state) end,
  bits = function(o)
    local at_first = state_of_trainer(o)
    o.trainer:run()
    return at_first .. state_of_trainer(o)
  end,
  look = state_of_trainer,
}

-- A state is taken in a hook, and the step goes on where there was no memory for it.
scenarios.step_state = {
  setup = function()
    local o
    o = new_trainer(1, function()
      if o and o.asks then pcall(o.trainer.state, o.trainer) end
    end)
    return o
  end,
  run = function(o)
    o.asks = true
    o.trainer:step()
  end,
  bits = state_of_trainer,
  look = state_of_trainer,
}

-- The last batch of an epoch: once it is trained, it stays so
scenarios.step_last = {
  setup = function() return new_trainer(2) end,
  run = function(o) o.trainer:step() end,
  bits = state_of_trainer,
}

scenarios.run = {
  setup = function() return new_trainer(0) end,
  run = function(o) return o.trainer:run() end,
  bits = state_of_trainer,
}

scenarios.fit = {
  setup = net_and_data,
  run = function(o)
    o.before = o.net:state()
    local history = pl.fit(o.net, o.set, {
      loss = "softmax_cross_entropy", epochs = 2, batch = 5, validation = o.set,
      early_stopping = { patience = 1 }, optimizer = "momentum",
    })
    return { history, o.net:state() }
  end,
  -- From the same state fit gives the same: so the network has come to no harm
  bits = function(o, result)
    if o.first then
      o.net:restore(o.first)
      result = scenarios.fit.run(o)
    end
    return dump(result)
  end,
  look = function(o)
    o.first = o.before
    return ""
  end,
}

scenarios.find_rate = {
  setup = net_and_data,
  run = function(o)
    return pl.find_rate(o.net, o.set, { loss = "softmax_cross_entropy", steps = 5, batch = 6 })
  end,
  bits = function(o, result) return dump(result) .. state_of_net(o) end,
  look = state_of_net,
}

scenarios.cross_validate = {
  setup = net_and_data,
  run = function(o)
    local result = pl.cross_validate(function() return network() end, o.set, {
      loss = "softmax_cross_entropy", folds = 2, epochs = 1, batch = 6, validation = 0.3,
    })
    return { result.folds, result.mean, result.predictions }
  end,
  bits = function(_, result) return dump(result) end,
}

scenarios.average = {
  setup = function()
    local o = net_and_data()
    o.average = pl.average "ema"
    return o
  end,
  run = function(o) o.average:update(o.net) end,
  bits = function(o)
    o.net.theta:fill(1)
    o.average:swap(o.net)
    return dump { o.average:state(), o.net:state() }
  end,
  look = state_of_net,
}

scenarios.state = {
  setup = net_and_data,
  run = function(o) return o.net:state() end,
  bits = function(_, state) return dump(state) end,
  look = state_of_net,
}

scenarios.restore = {
  setup = function()
    local o = net_and_data()
    o.state = o.net:state()
    o.net:backward(o.net:forward(o.X):copy())
    pl.sgd():step(o.net:parameters())
    return o
  end,
  run = function(o) o.net:restore(o.state) end,
  bits = state_of_net,
  look = state_of_net,
}

scenarios.clone = {
  setup = net_and_data,
  run = function(o) return o.net:clone() end,
  bits = function(o, clone)
    return dump { clone:state(), clone:forward(o.X) } .. state_of_net(o)
  end,
  look = state_of_net,
}

scenarios.trainer_state = {
  setup = function() return new_trainer(4) end,
  run = function(o) return o.trainer:state() end,
  bits = function(o, state) return dump(state) .. state_of_trainer(o) end,
  look = state_of_trainer,
}

for name, steps in pairs { trainer_restore = 0, trainer_restore_later = 7 } do
  scenarios[name] = {
    setup = function()
      local o = new_trainer(steps)
      o.state = new_trainer(5).trainer:state()
      return o
    end,
    run = function(o) o.trainer:restore(o.state) end,
    bits = function(o)
      local at_first = state_of_trainer(o)
      o.trainer:run()
      return at_first .. state_of_trainer(o)
    end,
    look = state_of_trainer,
  }
end

scenarios.batches = {
  setup = function()
    local set = data():split(0.9, pl.generator(1))
    return pl.batches(set, { batch = 4, generator = pl.generator(5) })
  end,
  run = function(batches) return batches:next() end,
  bits = function(batches, X) return dump { X, batches:state(), batches:next() } end,
  look = function(batches) return dump(batches:state()) end,
}

scenarios.batches_augmented = {
  setup = function()
    return pl.batches(data(), {
      batch = 4, generator = pl.generator(5),
      augment = { { "elastic", width = 5 }, "rotate", function(X, generator)
        X:set(1, 1, generator:number())
      end },
    })
  end,
  run = function(batches) return batches:next() end,
  bits = function(batches, X) return dump { X, batches:state(), batches:next() } end,
  look = function(batches) return dump(batches:state()) end,
}

scenarios.augmentation = {
  setup = function()
    return {
      part = pl.augmentation { "elastic", alpha = 3, sigma = 1 }, generator = pl.generator(2),
      X = pl.generator(1):normal(pl.matrix(9, 7)),
    }
  end,
  run = function(o) return o.part(o.X, o.generator) end,
  bits = function(o) return dump { o.X, o.generator:state() } end,
  look = function(o) return dump { o.X, o.generator:state() } end,
}

scenarios.batches_restore = {
  setup = function()
    local function new() return pl.batches(data(), { batch = 4, generator = pl.generator(5) }) end
    local o = { batches = new() }
    local other = new()
    other:next()
    other:next()
    o.state = other:state()
    return o
  end,
  run = function(o) o.batches:restore(o.state) end,
  bits = function(o) return dump { o.batches:state(), o.batches:next() } end,
  look = function(o) return dump(o.batches:state()) end,
}

scenarios.predict = {
  setup = function()
    local o = net_and_data()
    o.net:predict(o.X:columns(1, 5))
    o.net:forward(o.X)
    return o
  end,
  run = function(o) return o.net:predict(o.X) end,
  bits = function(o, A)
    return dump { A, o.net:predict(o.X:columns(1, 5)), o.net:backward(A, true), o.net.dJ_dtheta }
  end,
  look = state_of_net,
}

scenarios.classify = {
  setup = net_and_data,
  run = function(o) return { o.net:classify(o.X) } end,
  bits = function(o, result) return dump(result) .. state_of_net(o) end,
  look = state_of_net,
}

scenarios.evaluate = {
  setup = net_and_data,
  run = function(o)
    return { pl.evaluate(o.net, o.set, "softmax_cross_entropy", METRICS),
      tostring(pl.metrics.confusion(o.net:predict(o.X), o.T, CLASSES)) }
  end,
  bits = function(o, result) return dump(result) .. state_of_net(o) end,
  look = state_of_net,
}

scenarios.gradient_check = {
  setup = function()
    local set = data "float64"
    local net = pl.network({ inputs = 5, pl.dense(2, "tanh"), pl.batch_norm(), pl.dropout(0.2),
      pl.dense(3) }, { dtype = "float64" })
    return { net = net, X = set.X, T = set.T }
  end,
  run = function(o)
    return pl.gradient_check(o.net, o.X, o.T, { loss = "softmax_cross_entropy" })
  end,
  bits = function(o, report) return dump(report) .. state_of_net(o) end,
  look = function(o) return dump { o.net:state(), o.X } end,
}

-- `save` writes over a file that is there
local function saving(setup)
  return {
    setup = function()
      local o = setup()
      write("saved", "old")
      assert(o.save "expected")
      o.expected = read "expected"
      os.remove "expected"
      return o
    end,
    begin = function() write("saved", "old") end,
    run = function(o) return assert(o.save "saved") end,
    bits = function(o) return tostring(read "saved" == o.expected) .. files() end,
    look = function() return read "saved" .. files() end,
  }
end

scenarios.save = saving(function()
  local net = network()
  return { save = function(path) return net:save(path) end }
end)

scenarios.trainer_save = saving(function()
  local trainer = new_trainer(4).trainer
  return { save = function(path) return trainer:save(path) end }
end)

scenarios.load = {
  setup = function() assert(network():save "model") end,
  run = function() return assert(pl.load "model") end,
  bits = function(_, net) return dump { net:state(), net:predict(data().X) } end,
}

scenarios.trainer_load = {
  setup = function()
    assert(new_trainer(5).trainer:save "training")
    return new_trainer(1)
  end,
  run = function(o) assert(o.trainer:load "training") end,
  bits = function(o)
    local at_first = state_of_trainer(o)
    o.trainer:run()
    return at_first .. state_of_trainer(o)
  end,
  look = state_of_trainer,
}

local function write_idx(name, convert)
  require "perilune"
  local bytes = require "perilune.data.idx".encode({ 4, 28, 28 }, ("\7\1"):rep(2 * 784))
  write(name, convert and convert(bytes) or bytes)
end

scenarios.idx = {
  setup = function() write_idx "idx" end,
  run = function() return assert(pl.data.idx "idx") end,
  bits = function(_, content) return dump(content) end,
}

scenarios.idx_gzip = {
  setup = function()
    write_idx("idx", function(bytes)
      return (require "zlib".deflate(6, 31)(bytes, "finish"))
    end)
  end,
  run = function() return assert(pl.data.idx "idx") end,
  bits = function(_, content) return dump(content) end,
}

-- Quotes, categories, missing cells, and a number that Lua converts
local TABLE = 'x,"job, or ""none""",when\n1.5,nurse,2020-01-01\n?,"a ""b""",2020-01-02\n'
  .. "1e-30,nurse,2020-01-03\n"

scenarios.csv = {
  setup = function()
    require "perilune"
    write("table.csv", TABLE .. ("2,clerk,2020-01-04\n"):rep(500))
  end,
  run = function() return assert(pl.data.csv("table.csv", { types = { x = "category" } })) end,
  bits = function(_, found) return dump { found.values, found.columns } end,
}

scenarios.csv_gzip = {
  setup = function()
    require "perilune"
    write("table.csv", (require "zlib".deflate(6, 31)(TABLE, "finish")))
  end,
  run = function() return assert(pl.data.csv "table.csv") end,
  bits = function(_, found) return dump { found.values, found.columns } end,
}

scenarios.table = {
  setup = function()
    local train = assert(require "perilune.data.csv".decode(TABLE .. "7,clerk,2020-01-05\n"))
    return { train = train, set = train:dataset { target = 2, drop = { 3 } } }
  end,
  run = function(o)
    local some = o.train:select(o.train:present "x")
    return { some:dataset { like = o.set }, assert(some:like(o.set)), tostring(some) }
  end,
  bits = function(_, r) return dump { r[1].X, r[1].T, r[2], r[3] } end,
}

scenarios.npz = {
  setup = function()
    assert(pl.data.write.npz("arrays", { X = data().X, y = pl.matrix { { 1, 2, 3 } } }))
  end,
  run = function() return assert(pl.data.npz("arrays", { dtype = "float64" })) end,
  bits = function(_, arrays) return dump(arrays) end,
}

scenarios.npz_write = saving(function()
  local arrays = { X = data().X, y = pl.matrix { { 1, 2, 3 } } }
  return { save = function(path) return pl.data.write.npz(path, arrays) end }
end)

local TEXTS = {
  fann = "2 2 1\n1 2\n3\n4 5\n6\n", libsvm = "1 1:0.5 3:2\n-1 2:1\n1 1:1\n",
}
for name, text in pairs(TEXTS) do
  scenarios[name] = {
    setup = function()
      require "perilune"
      write(name, text)
    end,
    run = function() return assert(pl.data[name](name)) end,
    bits = function(_, set) return dump { set.X, set.T } end,
  }
end

-- Batches of samples that stay in a file: two chunks of three samples are kept.
local function batches_of_file()
  local labels = {}
  for n = 1, 12 do labels[n] = n % 3 + 1 end
  local set = assert(pl.data.chunked("X.npy", { labels = labels, window = 6, chunk = 3 }))
  return pl.batches(set, { batch = 4, generator = pl.generator(5) })
end

scenarios.chunked = {
  setup = function() assert(pl.data.write.npy("X.npy", data().X)) end,
  run = batches_of_file,
  bits = function(_, batches) return dump { batches:next(), batches:next() } end,
}

scenarios.chunked_batches = {
  setup = function()
    assert(pl.data.write.npy("X.npy", data().X))
    return batches_of_file()
  end,
  run = function(batches) return batches:next() end,
  bits = function(batches, X) return dump { X, batches:state(), batches:next() } end,
  look = function(batches) return dump(batches:state()) end,
}

scenarios.csv_in_file = {
  setup = function()
    require "perilune"
    write("rows", "a,b,c\n1,x,yes\n2,y,no\n,x,no\n4,z,yes\n")
  end,
  run = function()
    local found = assert(pl.data.csv("rows", { window = 2, chunk = 1 }))
    local set = found:dataset { target = "c" }
    return { set.X:columns(1, 4), set.T }
  end,
  bits = function(_, numbers) return dump(numbers) end,
}

scenarios.mnist = {
  setup = function()
    require "perilune"
    assert(require "perilune.data.digits".write(".", { train = 2, test = 1 }))
  end,
  run = function() return { pl.data.mnist "." } end,
  bits = function(_, sets) return dump { sets[1].X:columns(1, 2), sets[1].T, sets[2].T } end,
}

scenarios.digits = {
  setup = function() return require "perilune" end,
  run = function() return { pl.data.digits { train = 2, test = 1 } } end,
  bits = function(_, sets) return dump { sets[1].X:columns(1, 2), sets[1].T, sets[2].T } end,
}

scenarios.threads = {
  setup = function()
    local A = pl.generator(1):normal(pl.matrix(200, 200))
    return { A = A, B = A:transpose() }
  end,
  run = function(o)
    for n = 1, 3 do pl.threads(n) end
    return o.A * o.B
  end,
  bits = function(_, C)
    pl.threads(1)
    return dump(C)
  end,
}

return scenarios
