-- The grammar of what C does: functions of both cores, methods and operators of matrices,
-- generators. Each entry gives valid arguments, as text, for a call of the name that it stands
-- under. What has no entry is called with such as its documentation asks for.

local parts = require "spec.fuzz.parts"
local pl = require "perilune"
local values = require "spec.fuzz.values"

local primitives = {}

local sorted_names = parts.sorted_names

-- for line, types in signatures(path) do: the functions of a file of annotations, each with the
-- types of its parameters
local function signatures(path)
  local types, next_line = {}, io.lines(path)
  return function()
    for line in next_line do
      local type = line:match "^%-%-%-@param [%a_]+%?? +(%S+)"
      if type then
        types[#types + 1] = type
      elseif line:find "^function" then
        local found = types
        types = {}
        return line, found
      end
    end
  end
end

local function order(p) return ("%q"):format(p:pick { "rows", "columns" }) end

-- Values of flags, which any value is
local function flag(p) return p:pick { "true", "false", "nil" } end

-- A matrix, column, row or number beside a matrix
local function operand(p, core, rows, cols)
  local k = p:between(1, 6)
  if k == 1 then return values.number(p) end
  if k == 2 then return p:matrix(core, rows, 1) end
  if k == 3 then return p:matrix(core, 1, cols) end
  return p:matrix(core, rows, cols)
end

local activations = sorted_names(pl.float32.activations)

local function sigma(p, core) return ("%s.activations.%s"):format(core, p:pick(activations)) end

-- `count` matrices of one shape and order
local function alike(p, core, count)
  local r, c, of = p:size(), p:size(), p:pick { "rows", "columns" }
  local list = {}
  for k = 1, count do list[k] = p:matrix(core, r, c, of) end
  return list
end

local function with(list, ...)
  for _, text in ipairs { ... } do list[#list + 1] = text end
  return list
end

-- Functions of a core: arguments from the program and the name of the core
local of_core = {}

for _, name in ipairs { "add", "subtract", "hadamard", "divide", "maximum", "minimum" } do
  of_core[name] = function(p, core)
    local r, c = p:size(), p:size()
    return { p:matrix(core, r, c), operand(p, core, r, c), operand(p, core, r, c) }
  end
end

for _, name in ipairs { "abs", "exp", "log", "sign", "sqrt", "square", "tanh", "count_equal",
  "shares_memory" } do
  of_core[name] = function(p, core)
    local r, c = p:size(), p:size()
    return { p:matrix(core, r, c), p:matrix(core, r, c) }
  end
end

function of_core.accumulate(p, core)
  local r, c = p:size(), p:size()
  return { p:matrix(core, r, c), values.number(p), p:matrix(core, r, c) }
end

function of_core.product(p, core)
  local m, n, k, how = p:size(), p:size(), p:size(), p:pick { "NN", "NT", "TN", "TT" }
  local A = how:sub(1, 1) == "T" and p:matrix(core, k, m) or p:matrix(core, m, k)
  local B = how:sub(2, 2) == "T" and p:matrix(core, n, k) or p:matrix(core, k, n)
  return { p:matrix(core, m, n), A, B, ("%q"):format(how), flag(p) }
end

function of_core.sum_columns(p, core)
  local r, c = p:size(), p:size()
  return { p:matrix(core, r, 1), p:matrix(core, r, c) }
end

function of_core.sum_rows(p, core)
  local r, c = p:size(), p:size()
  return { p:matrix(core, 1, c), p:matrix(core, r, c) }
end

function of_core.log_sum_exp(p, core)
  local r, c = p:size(), p:size()
  return { p:matrix(core, 1, c), p:samples(core, r, c) }
end

function of_core.sample_count(p, core)
  local r = p:size()
  return { p:matrix(core, r, p:size()), r }
end

function of_core.displace(p, core)
  local width, height, N = p:between(1, 20), p:between(1, 4), p:size()
  local rows = 2 * width * height
  return { p:samples(core, rows, N), p:samples(core, rows, N), p:between(-9, 9), p:between(0, 9),
    width, p:number(), p:number(), p:number(0.9), p:number(), p:number(), p:number(9) }
end

function of_core.resample(p, core)
  local width, height, N, channels = p:between(1, 20), p:between(1, 4), p:size(), p:between(1, 3)
  local pixels = width * height
  return { p:samples(core, channels * pixels, N), p:samples(core, channels * pixels, N),
    p:samples(core, 2 * pixels, N), width }
end

function of_core.affine_forward(p, core)
  local o, i, N = p:size(), p:size(), p:size()
  return { p:samples(core, o, N), p:matrix(core, o, i), p:matrix(core, i, N),
    p:chance(0.8) and p:matrix(core, o, 1) or "nil" }
end

function of_core.affine_gradients(p, core)
  local o, i, N = p:size(), p:size(), p:size()
  return { p:matrix(core, o, i), p:chance(0.8) and p:matrix(core, o, 1) or "nil",
    p:samples(core, o, N), p:matrix(core, i, N), flag(p) }
end

function of_core.affine_backward(p, core)
  local o, i, N = p:size(), p:size(), p:size()
  return { p:matrix(core, i, N), p:matrix(core, o, i), p:matrix(core, o, N), flag(p) }
end

function of_core.dense_forward(p, core)
  local o, i, N = p:size(), p:size(), p:size()
  local Z = p:samples(core, o, N)
  return { p:chance(0.3) and Z or p:samples(core, o, N), Z, p:matrix(core, o, i),
    p:matrix(core, i, N), p:chance(0.8) and p:matrix(core, o, 1) or "nil",
    sigma(p, core) .. ".handle" }
end

function of_core.dense_gradients(p, core)
  local o, i, N = p:size(), p:size(), p:size()
  local H = p:samples(core, o, N)
  return { p:matrix(core, o, i), p:chance(0.8) and p:matrix(core, o, 1) or "nil", H,
    p:matrix(core, i, N), p:chance(0.3) and H or p:samples(core, o, N),
    p:samples(core, o, N), p:samples(core, o, N), sigma(p, core) .. ".handle", flag(p) }
end

function of_core.gather(p, core)
  local r, n, N = p:size(), p:size(), p:size()
  return { p:samples(core, r, n), p:samples(core, r, N), p:indices(n, N), p:pick { "nil", 1 } }
end

function of_core.gather_bytes(p, core)
  local r, n, N, offset = p:size(), p:size(), p:between(1, 9), p:between(0, 5)
  return { p:samples(core, r, n), ('("\\7"):rep(%d)'):format(r * N + offset), offset,
    p:number(), p:indices(n, N), p:pick { "nil", 1 } }
end

function of_core.put_rows(p, core)
  local r, c, n = p:size() + 2, p:size(), p:between(1, 3)
  return { p:samples(core, r, c), p:between(1, r - n + 1), p:samples(core, n, c) }
end

function of_core.take_rows(p, core)
  local r, c, n = p:size() + 2, p:size(), p:between(1, 3)
  return { p:samples(core, n, c), p:samples(core, r, c), p:between(1, r - n + 1) }
end

---A table of rows.
function primitives.rows(p, rows, cols)
  local lines = {}
  for i = 1, rows do
    local row = {}
    for j = 1, cols do row[j] = p:leaf(p:number(9)) end
    lines[i] = p:leaf("{ " .. table.concat(row, ", ") .. " }")
  end
  return "{ " .. table.concat(lines, ", ") .. " }"
end

function of_core.matrix(p)
  if p:chance(0.4) then
    return { primitives.rows(p, p:between(1, 4), p:between(1, 4)), "nil", order(p) }
  end
  return { p:size(), p:size(), order(p) }
end

function of_core.decode(p)
  local type, width = table.unpack(p:pick { { "uint8", 1 }, { "float32", 4 }, { "float64", 8 } })
  local r, c, offset = p:size(), p:size(), p:between(0, 9)
  return { ('("\\1\\2\\127\\255\\0"):rep(%d)'):format((r * c * width + offset) // 5 + 1),
    ("%q"):format(type), r, c, p:pick { '"little"', '"big"', "nil" }, offset, order(p) }
end

function of_core.generator(p) return { p:between(-1000, 1000) } end

function of_core.threads(p) return { p:pick { "nil", 1, 2 } } end

function of_core.activation(p)
  local name = p:pick(activations)
  local options = {}
  for _, option in ipairs(sorted_names(pl.float32.activations[name].options or {})) do
    options[#options + 1], options[#options + 2] = option, p:number(2)
  end
  return { ("%q"):format(name), p:pick { "nil", p:fields(options) } }
end

-- Losses: Delta, A, T, weights
local function of_loss(p, core)
  local o, N = p:size(), p:size()
  local weights = p:pick { "nil", ("filled(%s, %d, %d, nil, %s)"):format(core, p:pick { 1, o }, N,
    p:number()) }
  return { p:chance(0.3) and "nil" or p:samples(core, o, N), p:samples(core, o, N),
    p:chance(0.4) and p:labels(core, N, o) or p:samples(core, o, N), weights }
end

for _, name in ipairs(parts.names "loss") do
  if pl.float32[name] then of_core[name] = of_loss end
end

function of_core.sgd_update(p, core)
  return with(alike(p, core, 2), p:number(), p:pick { "nil", p:number() })
end

function of_core.momentum_update(p, core)
  return with(alike(p, core, 3), p:number(), p:number(0.99), flag(p), p:number())
end

function of_core.adam_update(p, core)
  return with(alike(p, core, 4), p:number(), p:number(0.99), p:number(0.99), "1e-8",
    p:between(1, 9), p:number())
end

---Arguments of a loss: A, T, Delta, weights.
function primitives.of_loss(p, core)
  local Delta, A, T, weights = table.unpack(of_loss(p, core))
  return { A, T, p:chance(0.2) and "false" or Delta, weights }
end


---Both functions of an activation.
primitives.of_sigma = {
  forward = function(p, core)
    local r, N = p:size(), p:size()
    local Z = p:samples(core, r, N)
    return { p:chance(0.3) and Z or p:samples(core, r, N), Z }
  end,
  backward = function(p, core)
    local r, N = p:size(), p:size()
    local Delta = p:samples(core, r, N)
    return { p:chance(0.3) and Delta or p:samples(core, r, N), Delta, p:samples(core, r, N),
      p:samples(core, r, N) }
  end,
}


-- Methods of a matrix: what follows it as arguments
local of_matrix = {}

for _, name in ipairs {
  "shape", "transpose", "totable", "sum", "norm", "max", "min", "is_finite",
} do
  of_matrix[name] = function() return {} end
end

function of_matrix.get(p, m) return { p:between(1, m.rows), p:between(1, m.cols) } end

function of_matrix.set(p, m)
  return { p:between(1, m.rows), p:between(1, m.cols), values.number(p) }
end

function of_matrix.columns(p, m)
  local first = p:between(1, m.cols)
  return { first, p:between(first, m.cols) }
end

function of_matrix.view(p, m)
  local size = m.rows * m.cols
  local first = p:between(1, size)
  local rows = p:between(1, size - first + 1)
  return { first, rows, p:between(1, (size - first + 1) // rows), order(p) }
end

function of_matrix.copy(p) return { p:pick { "nil", order(p) } } end

function of_matrix.to(p) return { p:pick { '"float32"', '"float64"' } } end

function of_matrix.hadamard(p, m)
  return { p:matrix(m.core, p:pick { 1, m.rows }, p:pick { 1, m.cols }) }
end

function of_matrix.map(p) return { p:chance(0.6) and "math.abs" or values.callback(p) } end

function of_matrix.fill(p) return { values.number(p) } end

function of_matrix.assign(p, m) return { p:matrix(m.core, m.rows, m.cols) } end

function of_matrix.argmax(p, m)
  return { p:chance(0.5) and p:matrix(m.core, 1, m.cols) or "nil" }
end

function of_matrix.encode(p, m)
  local first = p:between(1, m.rows * m.cols)
  return { p:pick { '"uint8"', '"float32"', '"float64"' }, p:pick { "nil", '"little"', '"big"' },
    p:pick { "nil", order(p) }, first, p:between(first, m.rows * m.cols) }
end

function of_matrix.decode(p, m)
  return { ('("\\1\\2\\127\\255"):rep(%d)'):format(m.rows * m.cols), '"float32"',
    p:pick { "nil", '"little"' }, order(p), p:pick { "nil", 1 } }
end


-- Methods of a generator, likewise
local of_generator = {}

for _, name in ipairs { "number", "copy", "state" } do
  of_generator[name] = function() return {} end
end

function of_generator.uniform(p, g)
  return { p:matrix(g.core, p:size(), p:size()), "-" .. p:number(), p:number() }
end

function of_generator.normal(p, g)
  return { p:matrix(g.core, p:size(), p:size()), p:number(), p:number() }
end

function of_generator.permutation(p)
  return { p:chance(0.5) and p:between(0, 50) or p:indices(p:between(0, 9), 9) }
end

function of_generator.integer(p) return { p:between(-100, 0), p:between(0, 100) } end

function of_generator.assign(p, g)
  return { ("%s.generator(%d)"):format(g.core, p:between(1, 9)) }
end

function of_generator.restore(p, g)
  return { p:chance(0.6) and g.name .. ":state()" or values.string(p) }
end


-- What the documentation says of the types of arguments, by the class and the name of the function
local documented = { core = {}, Matrix = {}, Generator = {} }

for line, types in signatures(package.searchpath("perilune.core.meta", package.path)) do
  local class, name = line:match "^function (%a+)[.:]([%a_]+)"
  if documented[class] then documented[class][name] = types end
end

-- An argument of a documented type, beside matrices of one shape
local function of_documented(p, core, type, rows, cols)
  if type:find "^Matrix" then
    return p:matrix(core, p:pick { rows, rows, 1 }, p:pick { cols, cols, 1 }, p:pick {
      "columns", "columns", "rows" })
  elseif type:find '^"' then
    local words = {}
    for word in type:gmatch '"[^"]*"' do words[#words + 1] = word end
    return p:pick(words)
  elseif type:find "^integer%[%]" then
    return p:indices(p:between(1, 4), math.min(rows, cols))
  elseif type:find "^integer" then
    return p:between(1, 5)
  elseif type:find "^number" then
    return p:number(2)
  elseif type:find "^boolean" then
    return flag(p)
  end
  return values.any(p)
end

local function as_documented(types)
  return function(p, about)
    local core = type(about) == "table" and about.core or about
    local rows, cols, list = p:size(), p:size(), {}
    for k, type in ipairs(types) do list[k] = of_documented(p, core, type, rows, cols) end
    return list
  end
end

for class, entries in pairs { core = of_core, Matrix = of_matrix, Generator = of_generator } do
  for name, types in pairs(documented[class]) do
    entries[name] = entries[name] or as_documented(types)
  end
end


local OPERATORS = {
  "%s + %s", "%s - %s", "%s * %s", "%s / %s", "-%s", "tostring(%s)", "%s == %s", "%s[%s]",
  "#tostring(%s)", "%s ^ %s",
}

---A matrix of the program, small unless the program is of large ones.
function primitives.new_matrix(p)
  local core, rows, cols = p:core(), p:size(), p:size()
  local of = p:pick { "columns", "columns", "rows" }
  return p:make("m", ("normal(%s, %d, %d, %q, %d)"):format(core, rows, cols, of,
    p:between(1, 99)), { core = core, rows = rows, cols = cols, order = of })
end

local function new_generator(p)
  local core = p:core()
  return p:make("g", ("%s.generator(%d)"):format(core, p:between(1, 99)), { core = core })
end

local function any_matrix(p) return p:object("m", primitives.new_matrix) end

-- A finaliser that changes a matrix in the midst of the next call
local function arm(p)
  if p:chance(0.04) and p.of.m then
    p:line("arm(changes(%s), %d)", p:known("m").name, p:between(1, 5))
  end
end

---One call of a function, a method or an operator.
---@type table<string, fun(p: Program)>
local calls = {}
primitives.calls = calls

function calls.core(p)
  local core, name = p:core(), p:pick(sorted_names(of_core))
  local text = p:arguments(of_core[name](p, core))
  arm(p)
  p:call(("%s.%s(%s)"):format(core, name, text))
end

function calls.sigma(p)
  local core, name = p:core(), p:pick { "forward", "backward" }
  local text = p:arguments(primitives.of_sigma[name](p, core))
  p:call(("%s.%s(%s)"):format(sigma(p, core), name, text))
end

-- Called with a dot, so that self may be hostile, too
local function call_method(p, object, methods)
  local name = p:pick(sorted_names(methods))
  local text = p:arguments { object.name, table.unpack(methods[name](p, object)) }
  arm(p)
  p:call(("%s.%s(%s)"):format(object.name, name, text))
end

function calls.matrix(p) call_method(p, any_matrix(p), of_matrix) end

function calls.generator(p) call_method(p, p:object("g", new_generator), of_generator) end

function calls.operator(p)
  local m, text = any_matrix(p), p:pick(OPERATORS)
  local other = p:chance(0.5) and operand(p, m.core, m.rows, m.cols) or values.any(p)
  local left, right = m.name, "(" .. other .. ")"
  if p:chance(0.5) and text ~= "%s[%s]" then left, right = right, left end
  p:call(text:format(left, right))
end

---Assigning to what has no fields.
function calls.assignment(p)
  p:call(("(function() %s[%s] = %s end)()"):format(any_matrix(p).name, values.key(p),
    values.any(p)))
end

return primitives
