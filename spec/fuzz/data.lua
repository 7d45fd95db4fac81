-- The grammar of data: datasets, bytes, batches, metrics, buffers.

local Program = require "spec.fuzz.program"
local parts = require "spec.fuzz.parts"
local pl = require "perilune"
local primitives = require "spec.fuzz.primitives"
local values = require "spec.fuzz.values"

local data = {}

local function dtype(p) return p:pick { '"float32"', '"float64"' } end

local function weights_text(p, rows, N)
  local k = p:between(1, 6)
  if k == 1 then return ("f32.matrix(1, %d):fill(%s)"):format(N, p:number()) end
  if k == 2 and not p.is_valid then
    return ("f64.matrix(%d, %d):fill(%s)"):format(rows, N, p:number())
  end
  if k == 3 then
    local list = {}
    for n = 1, N do list[n] = p:leaf(p:number()) end
    return "{ " .. table.concat(list, ", ") .. " }"
  end
end

-- The options of pl.dataset, for a network of so many inputs and outputs
local function dataset_options(p, inputs, outputs)
  local N, core = p:between(1, 9), p:core()
  local list = { "X", p:tame(core, inputs, N) }
  if p:chance(0.15) then
    list[2] = ('pl.bytes(("\\3\\200\\9"):rep(%d), %d, %d)'):format(inputs * N, inputs, N)
  elseif p:chance(0.15) then
    list[2] = primitives.rows(p, inputs, N)
  end
  local rest
  if p:chance(0.5) then
    local most = math.max(outputs, 2)
    rest = { "labels", p:chance(0.5) and p:labels(core, N, most) or p:indices(N, most) }
    if p:chance(0.3) then
      rest[3], rest[4] = "classes", "{ "
      for k = 1, most do rest[4] = ("%s%q, "):format(rest[4], "c" .. k) end
      rest[4] = rest[4] .. "}"
    end
  else
    rest = { "T", p:chance(0.2) and primitives.rows(p, outputs, N) or p:tame(core, outputs, N) }
  end
  local weights = p:chance(0.3) and weights_text(p, outputs, N)
  if weights then rest[#rest + 1], rest[#rest + 2] = "weights", weights end
  for _, text in ipairs(rest) do list[#list + 1] = text end
  return list, { inputs = inputs, outputs = outputs, N = N }
end

---A dataset for a network of so many inputs and outputs.
data.new_dataset = Program.valid(function(p, inputs, outputs)
  local list, about = dataset_options(p, inputs or p:between(1, 5), outputs or p:between(2, 4))
  return p:make("set", ("pl.dataset %s"):format(p:fields(list)), about)
end)

local function any_dataset(p) return p:object("set", data.new_dataset) end

local new_batches = Program.valid(function(p)
  return p:make("batches", ("pl.batches(%s, { batch = %d, generator = %s })"):format(
    any_dataset(p).name, p:between(1, 5), p:pick { "nil", "f32.generator(3)" }))
end)

local new_bytes = Program.valid(function(p)
  local rows, cols = p:between(1, 4), p:between(1, 6)
  return p:make("bytes", ('pl.bytes(("\\1\\77"):rep(%d), %d, %d)'):format(rows * cols, rows,
    cols), { rows = rows, cols = cols })
end)

---@type table<string, fun(p: Program)>
local calls = {}
data.calls = calls

function calls.dataset(p)
  local list, about = dataset_options(p, p:between(1, 5), p:between(1, 4))
  p:call(("pl.dataset(%s)"):format(p:options(list)), { kind = "set", about = about })
end

function calls.dataset_reads(p)
  p:read(any_dataset(p), { "tostring(%s)", "%s:columns()", "%s:find_nonfinite()",
    "%s:checksum()", "%s.X", "%s.T", "%s.weights" })
end

-- Methods that give another dataset
function calls.dataset_changes(p)
  local set = any_dataset(p)
  local arguments = { one_hot = p:pick { "nil", 3 }, for_outputs = set.outputs, to = dtype(p) }
  local method = p:pick { "one_hot", "for_outputs", "to" }
  p:method(set, method, { arguments[method] }, { kind = "set", about = set })
end

function calls.dataset_lists(p)
  local set = any_dataset(p)
  if p:chance(0.5) then
    p:method(set, "order", { p:pick { "nil", "{}" } })
  else
    local text = p:arguments { p:pick { '"X"', '"T"', '"weights"' } }
    p:call(("%s:pieces(%s)()"):format(set.name, text), { needs = { set } })
  end
end

function calls.split(p)
  local set = any_dataset(p)
  p:method(set, "split", { p:number(), "f32.generator(2)" }, { kinds = { "set", "set" },
    about = { inputs = set.inputs, outputs = set.outputs, N = 1 } })
end

-- What samples are cut by, for a set of N
local function split_options(p, N)
  local function yes_or_no() return p:pick { "true", "false" } end
  return p:options { "stratified", yes_or_no(), "shuffle", yes_or_no(), "seed", 3,
    "groups", p:pick { "nil", p:indices(N, 3) }, "time", p:pick { "nil", p:indices(N, 3) } }
end

function calls.split_by(p)
  local set = any_dataset(p)
  p:method(set, "split", { p:pick { p:number(), "{ 0.3, 0.3 }" }, split_options(p, set.N) },
    { kinds = { "set", "set" }, about = { inputs = set.inputs, outputs = set.outputs, N = 1 } })
end

function calls.folds(p)
  local set = any_dataset(p)
  local text = p:arguments { p:between(1, 4), split_options(p, set.N) }
  p:call(("%s:folds(%s)()"):format(set.name, text), { needs = { set } })
end

function calls.samples(p)
  local set = any_dataset(p)
  local method = p:pick { "take", "where", "concat" }
  local arguments = {
    take = p:pick { p:between(1, 4), p:indices(3, set.N) },
    where = p:pick { "function(sample) return sample[1] > 0 end",
      "function(_, n) return n % 2 == 1 end" },
    concat = any_dataset(p).name,
  }
  p:method(set, method, { arguments[method] }, { kind = "set",
    about = { inputs = set.inputs, outputs = set.outputs, N = 1 } })
end

function calls.gather(p)
  local set, core, n = any_dataset(p), p:core(), p:between(1, 4)
  p:method(set, "gather", { p:samples(core, set.inputs, n),
    p:samples(core, p:pick { 1, set.outputs }, n), p:indices(n, set.N), p:pick { "nil", 1 } })
end

function calls.bytes(p)
  local rows, cols = p:between(1, 4), p:between(1, 6)
  p:call(("pl.bytes(%s)"):format(p:arguments {
    ('("\\1\\77\\200"):rep(%d)'):format(rows * cols), rows, cols,
    p:options { "offset", 1, "scale", "1 / 255" } }),
    { kind = "bytes", about = { rows = rows, cols = cols } })
end

function calls.bytes_methods(p)
  local bytes, n = p:object("bytes", new_bytes), p:between(1, 4)
  local method = p:pick { "gather", "columns", "choose" }
  local arguments = {
    gather = { p:samples(p:core(), bytes.rows, n), p:indices(n, bytes.cols), p:pick { "nil", 1 } },
    columns = { 1, bytes.cols, p:pick { "nil", dtype(p) } },
    choose = { p:indices(n, bytes.cols) },
  }
  p:method(bytes, method, arguments[method])
end

function calls.batches(p)
  p:call(("pl.batches(%s)"):format(p:arguments { any_dataset(p).name, p:options {
    "batch", p:between(1, 9), "generator", "f64.generator(3)", "dtype", dtype(p),
    "shuffle", p:pick { "true", "false" }, "augment", parts.any(p, "augmentation") } }),
    { kind = "batches" })
end

function calls.batches_methods(p)
  local batches, k = p:object("batches", new_batches), p:between(1, 5)
  if k == 1 then
    p:method(batches, "restart")
  elseif k == 2 then
    p:method(batches, p:pick { "restore", "check_state" }, { p:altered(batches) })
  else
    p:read(batches, { "%s:next()", "%s()" })
  end
end

-- Augmentations in a loop of one's own: images of few pixels
function calls.augmentation(p)
  p:call(("pl.augmentation(%s)(%s)"):format(parts.described(p, "augmentation"),
    p:arguments { p:samples(p:core(), p:pick { 1, 4, 9 }, p:size()), "f32.generator(3)" }))
end

-- Functions of outputs and targets
function calls.metrics(p)
  local core, r, N = p:core(), p:between(1, 5), p:between(1, 6)
  local A, T = p:samples(core, r, N), p:chance(0.5) and p:labels(core, N, r)
    or p:samples(core, r, N)
  p:call(("tostring(pl.metrics[%q](%s))"):format(p:pick(parts.sorted_names(pl.metrics)),
    p:arguments { A, T, p:pick { "nil", p:samples(core, 1, N), '{ "a", "b" }' },
      p:pick { "nil", '"logits"', '"values"' } }))
end

function calls.quantiles(p)
  p:call(("pl.quantiles(%s, %s)"):format(p:leaf(p:matrix(p:core(), p:size(), p:size())),
    p:pick { 1, 3, 0, -1, 0.5, '"3"', "nil" })) -- of a million parts there would be as many
end

-- Whatever else is public, with whatever
function calls.anything(p)
  local names, arguments = {}, {}
  for _, name in ipairs(parts.sorted_names(pl)) do
    local is_quick = name ~= "quantiles" -- which see
    if type(pl[name]) == "function" and is_quick then names[#names + 1] = name end
  end
  for k = 1, p:between(0, 3) do arguments[k] = values.any(p) end
  p:call(("pl.%s(%s)"):format(p:pick(names), table.concat(arguments, ", ")))
end

function calls.total_weight(p)
  local N = p:between(1, 5)
  p:call(("pl.metrics.total_weight(%s)"):format(p:arguments {
    p:pick { "nil", p:tame(p:core(), 1, N) }, N, 3 }))
end

local new_meter = Program.valid(function(p)
  local core = p:core()
  return p:make("meter", ("pl.metrics.meter({ %q }, { outputs = 3, dtype = %s.name })")
    :format(p:pick { "accuracy", "f1", "roc_auc", "log_loss" }, core), { core = core })
end)

function calls.meter(p)
  p:call(("pl.metrics.meter({ %s }, %s)"):format(
    p:leaf(("%q"):format(p:pick(parts.sorted_names(pl.metric)))),
    p:options { "outputs", 3, "dtype", '"float64"', "gives", '"logits"' }))
end

function calls.meter_methods(p)
  local meter, N = p:object("meter", new_meter), p:between(1, 5)
  local method = p:pick { "add", "restore", "results", "reset" }
  local arguments = {
    add = { p:tame(meter.core, 3, N), p:labels(meter.core, N, 3), "nil" },
    restore = { p:altered(meter) }, results = {}, reset = {},
  }
  p:method(meter, method, arguments[method])
end

function calls.metric(p)
  local core, N = p:core(), p:between(1, 5)
  p:call(("pl.metric[%q](%s)"):format(p:pick(parts.sorted_names(pl.metric)),
    p:arguments { p:tame(core, 3, N), p:labels(core, N, 3), "nil", '{ gives = "logits" }' }))
end

function calls.buffer(p)
  p:call(("buffer.new(%s):columns(%s)"):format(p:arguments { p:core(), p:size() },
    p:arguments { p:size() }))
end

return data
