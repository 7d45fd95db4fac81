-- The grammar of networks: layers, parts, optimisers, training. What is made by `new_...` is valid;
-- `calls` have something hostile among their arguments about half of the time.

local Program = require "spec.fuzz.program"
local data = require "spec.fuzz.data"
local parts = require "spec.fuzz.parts"
local primitives = require "spec.fuzz.primitives"
local values = require "spec.fuzz.values"

local networks = {}

local hook = parts.hook

local function quoted(text) return ("%q"):format(text) end

local function dtype_of(core) return core == "f32" and '"float32"' or '"float64"' end


-- Networks. A description knows how many outputs it has, but for those that hostile values have
-- changed.

local describe_layers

local function common(p)
  if p:chance(0.85) then return {} end
  local frozen = { "frozen", "true" }
  return p.is_valid and frozen or p:pick { frozen, { "shared", '"both"' } }
end

local function activation(p) return parts.any(p, "activation") end

-- One layer on `size` inputs: its text, and how many outputs it has
local function describe_layer(p, size, depth)
  local k, outputs = p:between(1, 12), p:between(1, 5)
  if k <= 4 then
    return ("pl.dense(%s, %s, %s)"):format(p:leaf(outputs), activation(p),
      p:chance(0.3) and p:fields { "initializer", parts.any(p, "initializer"),
        table.unpack(common(p)) } or "nil"), outputs
  elseif k == 5 then
    return ("{ %s, outputs = %s, activation = %s }"):format(p:leaf('"dense"'),
      p:leaf(outputs), activation(p)), outputs
  elseif k == 6 then
    return ("pl.dropout(%s)"):format(p:leaf(p:number(0.9))), size
  elseif k == 7 then
    return ("pl.batch_norm(%s)"):format(p:leaf(p:fields(common(p)))), size
  elseif k == 8 then
    return ("pl.layer_norm(%s)"):format(p:leaf(p:fields(common(p)))), size
  elseif k == 9 then
    return p:leaf(p:pick { '"mine"', '{ "mine", option = 1 }', '"around"' }), size
  elseif depth == 0 then
    return ("pl.dense(%d)"):format(outputs), outputs
  elseif k <= 11 then
    local body, last = describe_layers(p, size, depth - 1)
    return ("pl.residual(%s, %s)"):format(p:leaf("{ " .. body .. " }"),
      p:fields { "projection", p:leaf "true" }), last
  end
  local first, left = describe_layers(p, size, depth - 1)
  local second, right = describe_layers(p, size, depth - 1)
  return ("pl.branch({ { %s }, { %s } })"):format(first, second), left + right
end

function describe_layers(p, size, depth)
  local layers = {}
  for l = 1, p:between(1, 3) do layers[l], size = describe_layer(p, size, depth) end
  return table.concat(layers, ", "), size
end

local METHODS_OF_LAYER = {
  "new", "forward", "predict", "backward", "declare", "bind", "describe", "state", "restore",
  "adds", "fields",
}

---The options by which the user's own parts are known.
function networks.own_parts(p)
  local class, around = "layer {}", "echo"
  if p.hostility > 0 and p:chance(0.2) then
    class = ("layer { %s = %s }"):format(p:pick(METHODS_OF_LAYER), values.callback(p))
  end
  if p.hostility > 0 and p:chance(0.2) then around = values.callback(p) end
  return { "layers", ("{ mine = %s, around = around(%s) }"):format(class, around),
    "activations", "{ own = activation {} }" }
end

local function network_options(p, core)
  local list = networks.own_parts(p)
  for _, text in ipairs { "dtype", dtype_of(core), "seed", p:between(1, 99) } do
    list[#list + 1] = text
  end
  return list
end

local new_network = Program.valid(function(p)
  local core, inputs = p:core(), p:between(1, 5)
  local layers, outputs = describe_layers(p, inputs, 1)
  if p:chance(0.6) then
    outputs = p:between(2, 4)
    layers = ("%s, pl.dense(%d)"):format(layers, outputs)
  end
  return p:make("net", ("pl.network({ inputs = %d, %s }, %s)"):format(inputs, layers,
    p:fields(network_options(p, core))), { core = core, inputs = inputs, outputs = outputs })
end)

---A network of the program.
function networks.any(p) return p:object("net", new_network) end

local any_network = networks.any

-- N samples for the network
local function samples_for(p, net, N)
  if p:chance(0.1) then
    return ('pl.bytes(("\\3\\200"):rep(%d), %d, %d)'):format(net.inputs * N, net.inputs, N)
  end
  return p:matrix(net.core, net.inputs, N)
end

---@type table<string, fun(p: Program)>
local calls = {}
networks.calls = calls

function calls.network(p)
  local core, inputs = p:core(), p:between(1, 5)
  local layers, outputs = describe_layers(p, inputs, 2)
  local options = network_options(p, core)
  local function add(name, text)
    if p:chance(0.2) then options[#options + 1], options[#options + 2] = name, text end
  end
  add("generator", core .. ".generator(3)")
  add("classes", '{ "a", "b" }')
  p:call(("pl.network(%s, %s)"):format(
    p:leaf(("{ inputs = %s, %s }"):format(p:leaf(inputs), layers)), p:options(options)),
    { kind = "net", about = { core = core, inputs = inputs, outputs = outputs } })
end

-- A layer of any kind, by what its kind declares
function calls.layer(p)
  p:call(("pl.network { inputs = 3, %s }"):format(parts.described(p, "layer")))
end

function calls.description(p)
  p:call(("pl.%s(%s)"):format(p:pick(parts.sorted_names(require "perilune.layer.describe")),
    p:arguments { p:pick { p:between(1, 9), p:number(), "{ pl.dense(3) }",
      '{ pl.dense(3), { "dense", outputs = 2 } }', "{ epsilon = 1e-3 }" },
      p:pick { "nil", '"tanh"', "{ frozen = true }" }, "nil" }))
end

function calls.forward(p)
  local net = any_network(p)
  p:method(net, "forward", { samples_for(p, net, p:between(1, 9)) }, { how = "trains" })
end

function calls.backward(p)
  local net, N = any_network(p), p:between(1, 5)
  if p:chance(0.9) then
    p:call(("%s:forward(%s)"):format(net.name, p:tame(net.core, net.inputs, N)),
      { needs = { net }, how = "trains" })
  end
  p:method(net, "backward", { p:matrix(net.core, net.outputs, N),
    p:pick { "nil", "true", "false" } })
end

function calls.predict(p)
  local net, N = any_network(p), p:between(1, 9)
  p:method(net, "predict", { samples_for(p, net, N),
    p:chance(0.3) and p:matrix(net.core, net.outputs, N) or "nil" })
end

-- A network of its own on columns of a table, asked by name
function calls.prepare(p)
  local X = p:leaf("f32.matrix { { 1, 2, 0 / 0 }, { 1, 2, 1 } }")
  local schema = p:leaf(('{ { name = "a", type = "number", least = %s }, { name = "b", type = '
    .. '"category", categories = %s } }'):format(p:leaf "1", p:leaf '{ "x", "y" }'))
  local set = ("pl.dataset { X = %s, T = f32.matrix { { %s, 5, 9 } }, schema = %s }"):format(X,
    p:number(9), schema)
  local options = p:options { "scaler", parts.any(p, "scaler"), "impute", p:pick { '"mean"', "3" },
    "unseen", '"zeros"', "columns", p:leaf('{ a = { indicator = false } }') }
  local units = p:options { "scaler", parts.any(p, "scaler"), "clip", "true" }
  local record = ("{ a = %s, b = %s }"):format(p:leaf(p:number(9)), p:leaf '"x"')
  p:call(("(function() local set = %s; local net = pl.network({ inputs = 2, pl.prepare(set, %s), "
    .. "pl.dense(1), pl.units(set, %s) }); net:forward(set.X); net:backward(f32.matrix(1, 3), true)"
    .. " return net:predict(%s) end)()"):format(set, options, units,
    p:pick { record, ("{ %s, %s }"):format(record, p:leaf(record)), "set.X" }))
end

-- What trains well on a table, of classes or numbers, for an epoch
function calls.tabular(p)
  local X = p:leaf("f32.matrix { { 1, 2, 0 / 0, 5 }, { 1, 2, 1, 1 } }")
  local schema = p:leaf('{ { name = "a", type = "number" }, { name = "b", type = "category", '
    .. 'categories = { "x", "y" } } }')
  local targets = p:pick { "labels = { 1, 2, 2, 1 }", "T = f32.matrix { { 1, 5, 9, 2 } }" }
  local options = p:options { "hidden", p:pick { "3", "{ 4, 2 }", "{}" }, "periodic",
    p:pick { "true", "{ frequencies = 2 }" }, "prepare", '{ scaler = "standard" }', "rate", "0.01",
    "batch", "2", "seed", "3", "dtype", '"float64"' }
  p:call(("(function() local set = pl.dataset { X = %s, %s, schema = %s }; local net, o = "
    .. "pl.tabular(set, %s); o.epochs = 1; pl.fit(net, set, o); return net:predict(set.X:to("
    .. "net.dtype)) end)()"):format(X, targets, schema, options))
end

function calls.classify(p)
  local net = any_network(p)
  if p:chance(0.7) then
    p:line("if %s then %s.gives = %s end", net.name, net.name,
      p:pick { '"logits"', '"probabilities"', '"values"', values.any(p) })
  end
  if p:chance(0.1) then
    p:line("if %s then %s.classes = %s end", net.name, net.name, values.any(p))
  end
  p:method(net, "classify", { samples_for(p, net, 4) })
end

function calls.network_reads(p)
  p:read(any_network(p), { "tostring(%s)", "%s:parameters()", "%s:tensors()",
    "%s:parameter_count()", "%s:describe()", "%s:state()" })
end

function calls.clone(p)
  local net = any_network(p)
  p:call(net.name .. ":clone()", { kind = "net", needs = { net },
    about = { core = net.core, inputs = net.inputs, outputs = net.outputs } })
end

function calls.restore_network(p)
  local net = any_network(p)
  p:method(net, p:pick { "restore", "check_state" }, { p:altered(net) })
end

-- A layer's quantities are read by the paper's names, and its tensors cannot be replaced.
function calls.layer_fields(p)
  local net, name = any_network(p), p:pick { "W", "b", "Z", "A", "H", "dJ_dW", "x", "Delta" }
  if p:chance(0.5) then
    p:call(("%s.layers[1][%s]"):format(net.name, p:chance(0.7) and quoted(name)
      or values.key(p)), { needs = { net } })
  else
    p:call(("(function() %s.layers[1].%s = %s end)()"):format(net.name,
      p:pick { "W", "b", "dJ_dW" }, values.any(p)), { needs = { net } })
  end
end

function calls.parts(p)
  local family = p:pick(parts.families)
  p:call(p:pick { ("pl.%s[%s]"):format(family, values.any(p)),
    ("pl.%s(%s)"):format(family, parts.any(p, family)) })
end

function calls.activation(p)
  local name, core = p:pick(parts.names "activation"), p:core()
  local method = p:pick { "forward", "backward" }
  p:call(("pl.activation.%s.%s(%s)"):format(name, method,
    p:arguments(primitives.of_sigma[method](p, core))))
end

function calls.loss(p)
  p:call(("pl.loss(%s)(%s)"):format(parts.described(p, "loss"),
    p:arguments(primitives.of_loss(p, p:core()))))
end

function calls.initializer(p)
  local core = p:core()
  p:call(("pl.initializer(%s)(%s)"):format(parts.described(p, "initializer"),
    p:arguments { p:matrix(core, p:size(), p:size()), core .. ".generator(3)" }))
end

function calls.schedule(p)
  p:call(("pl.schedule(%s)(%s)"):format(parts.described(p, "schedule"),
    p:arguments { p:number(9), p:pick { "10", "math.huge" } }))
end


-- Optimisers

local new_optimizer = Program.valid(function(p)
  return p:make("optimizer", ("pl.optimizer(%s)"):format(parts.described(p, "optimizer")))
end)

local function any_optimizer(p) return p:object("optimizer", new_optimizer) end

-- A list of parameters: a network's, or one's own
local function parameters(p)
  if p:chance(0.5) then return any_network(p).name .. ":parameters()" end
  local core, list = p:core(), {}
  for j = 1, p:between(1, 2) do
    local r, c, order = p:between(1, 4), p:between(1, 4), p:pick { "rows", "columns" }
    list[j] = p:fields { "name", ('"p%d"'):format(j), "value", p:matrix(core, r, c, order),
      "gradient", p:matrix(core, r, c, order) }
  end
  return "{ " .. table.concat(list, ", ") .. " }"
end

function calls.optimizer_step(p)
  p:method(any_optimizer(p), "step", { parameters(p), p:pick { "nil", p:number() } })
end

function calls.optimizer_state(p)
  local optimizer = any_optimizer(p)
  p:method(optimizer, p:pick { "restore", "check_state" }, { p:altered(optimizer) })
end

-- Parts that act on gradients, and averages of a network's tensors
for _, family in ipairs { "gradient", "average" } do
  local new = Program.valid(function(p)
    return p:make(family, ("pl.%s(%s)"):format(family, parts.described(p, family)))
  end)
  calls[family] = function(p)
    local part, arguments = p:object(family, new), { parameters(p) }
    local method = p:pick { "after", "penalty", "update", "swap", "bind", "check_state", "restore" }
    if method == "restore" or method == "check_state" then
      p:line("if not %s.state then %s.state = nothing end", part.name, part.name)
      arguments = { p:altered(part) }
    elseif family == "average" then
      arguments = { any_network(p).name }
    elseif p:chance(0.5) then
      p:call(("%s(%s)"):format(part.name, p:arguments(arguments)))
      return
    end
    p:method(part, method, arguments)
  end
end


-- Training. Hooks end a run that a limit does not.

local function training_options(p, net)
  local list = {
    "loss", parts.any(p, "loss"),
    "optimizer", parts.any(p, "optimizer"), "epochs", p:leaf(p:between(1, 3)),
    "batch", p:between(1, 9), "seed", p:between(1, 9),
    "on_batch", ("limited(%s)"):format(hook(p, "nothing")),
  }
  local function add(name, text)
    if p:chance(0.25) then list[#list + 1], list[#list + 2] = name, text end
  end
  add("schedule", parts.any(p, "schedule"))
  add("validation", data.new_dataset(p, net.inputs, net.outputs).name)
  add("early_stopping", p:leaf(p:pick { "true", "{ patience = 1 }", '{ monitor = "loss" }' }))
  add("on_gradients", hook(p, "nothing"))
  add("on_epoch", hook(p, "nothing"))
  add("on_warning", hook(p, "nothing"))
  add("shuffle", "false")
  add("augment", p:pick { parts.any(p, "augmentation"),
    ("{ %s, %s }"):format(parts.any(p, "augmentation"), parts.any(p, "augmentation")) })
  return list
end

local UNTOUCHED = { on_batch = true }

local new_trainer = Program.valid(function(p)
  local net = new_network(p)
  local set = p:make("set", ("pl.dataset { X = normal(%s, %d, 4, nil, 3), T = normal(%s, %d, "
    .. "4, nil, 4) }"):format(net.core, net.inputs, net.core, net.outputs),
    { inputs = net.inputs, outputs = net.outputs, N = 4 })
  -- What the last layer cannot give is refused, and so may be the making of the trainer.
  p:call(("pl.trainer(%s, %s, { loss = \"squared_error\", optimizer = %s, batch = 2, "
    .. "epochs = 3, on_batch = limited(%s) })"):format(net.name, set.name,
    parts.described(p, "optimizer"), hook(p, "nothing")), { kind = "trainer" })
  return p.of.trainer[#p.of.trainer]
end)

---A trainer of the program.
function networks.trainer(p) return p:object("trainer", new_trainer) end

-- A network, a dataset for it, and options
local function training(p)
  local net = any_network(p)
  local set = data.new_dataset(p, net.inputs, net.outputs)
  return p:leaf(net.name), p:leaf(set.name),
    p:options(training_options(p, net), UNTOUCHED)
end

function calls.fit(p)
  p:call(("pl.fit(%s, %s, %s)"):format(training(p)), { how = "trains" })
end

function calls.trainer(p)
  p:call(("pl.trainer(%s, %s, %s)"):format(training(p)), { kind = "trainer" })
end

-- Calls that are made in a hook, while another is under way
function calls.reentrant(p)
  local net, trainer = any_network(p), p:known "trainer"
  if trainer then
    p:line("function again() local _ = %s:%s() end", trainer.name,
      p:pick { "step", "state", "epoch" })
  else
    p:line("function again() local _ = %s and %s:forward(normal(%s, %d, 2, nil, 1)) end",
      net.name, net.name, net.core, net.inputs)
  end
  p:call(("pl.fit(%s, %s, { loss = own_loss, epochs = 1, on_batch = limited(again), "
    .. "on_gradients = %s })"):format(net.name, data.new_dataset(p, net.inputs, net.outputs).name,
    p:pick { "again", "nil" }), { needs = { net }, how = "trains" })
end

function calls.find_rate(p)
  local net = any_network(p)
  local options = p:fields({ "loss", parts.any(p, "loss"), "steps", p:between(1, 9),
    "optimizer", parts.any(p, "optimizer") }, { steps = true })
  p:call(("tostring(pl.find_rate(%s))"):format(p:arguments { net.name,
    data.new_dataset(p, net.inputs, net.outputs).name, options }))
end

function calls.cross_validate(p)
  local net = any_network(p)
  local options = p:fields({ "loss", parts.any(p, "loss"), "folds", p:between(1, 3), "epochs", 1,
    "optimizer", parts.any(p, "optimizer"), "stratified", p:pick { "true", "false" } },
    { epochs = true })
  p:call(("tostring(pl.cross_validate(%s))"):format(p:arguments {
    ("function() return %s:clone() end"):format(net.name),
    data.new_dataset(p, net.inputs, net.outputs).name, options }), { how = "trains" })
end

function calls.evaluate(p)
  local net = any_network(p)
  p:call(("pl.evaluate(%s)"):format(p:arguments { net.name,
    data.new_dataset(p, net.inputs, net.outputs).name, parts.any(p, "loss") }))
end

function calls.train(p)
  local trainer = networks.trainer(p)
  p:call(p:pick { "%s:step()", "%s:epoch()", "%s:run(%s)", "%s:run(%s)" }:format(trainer.name,
    p:options { p:pick { "steps", "epochs", "ms", "us" }, p:between(1, 3) }),
    { needs = { trainer }, how = "trains" })
end

function calls.trainer_state(p)
  local trainer = networks.trainer(p)
  p:method(trainer, p:pick { "restore", "check_state" }, { p:altered(trainer) })
end

function calls.gradient_check(p)
  local net = p:make("net", ("pl.network({ inputs = 2, pl.dense(2, %q), pl.dense(2) }, "
    .. "{ dtype = \"float64\", seed = %d })"):format(p:pick(parts.names "activation"),
    p:between(1, 99)), { core = "f64", inputs = 2, outputs = 2 })
  p:call(("tostring(pl.gradient_check(%s))"):format(p:arguments { net.name,
    p:tame("f64", 2, 2), p:tame("f64", 2, 2),
    p:options { "loss", parts.any(p, "loss"), "step", "1e-4", "tolerance", "1e-5" } }))
end

function calls.lsuv(p)
  local net = any_network(p)
  p:call(("pl.lsuv(%s)"):format(p:arguments { net.name, p:tame(net.core, net.inputs, 4),
    p:fields { "iterations", p:between(1, 3), "orthogonal", p:pick { "true", "false" } } }))
end

function calls.go_on(p) p:call("go_on()", { how = "trains" }) end

return networks
