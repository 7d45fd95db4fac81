-- Hostile values, as text: wrong types, sizes that are huge, zero, negative or fractions, NaN and
-- infinities, strings that are nearly right, userdata of others, and traps (see world.lua): tables
-- whose metamethods, and functions which, raise, lie, yield, or change a matrix meanwhile.

local values = {}

local INTEGERS = {
  "0", "1", "-1", "2", "3", "5", "17", "64", "46341", "65536", "1 << 31", "(1 << 31) - 1",
  "-(1 << 31)", "1 << 32", "(1 << 32) + 1", "1 << 53", "1 << 62", "math.maxinteger",
  "math.mininteger",
}

local NUMBERS = {
  "0.0", "-0.0", "1.0", "2.5", "0.5", "-0.5", "0/0", "-(0/0)", "1/0", "-1/0", "1e308",
  "-1e308", "5e-324", "1e-45", "1e-40", "3.5e38", "1e300", "2^53", "2^63", "-2^63",
  "255.5", "254.7",
}

local STRINGS = {
  '""', '"relu"', '"softmax"', '"leaky_relu"', '"mine"', '"float32"', '"float64"',
  '"rows"', '"columns"', '"TN"', '"x\\0y"', '"12"', '"0x10"', '"1e3"', '"stop"', '"big"',
  '"uint8"', '"%s%d%n"', '("A"):rep(300)', '"\\255\\254"', '"glorot"', '"squared_error"',
  '"softmax_cross_entropy"', '"validation_loss"', '"dense"', '"chain"', '"W"', '"rate"',
  '"["', '"adam"', '"cosine"', '("0"):rep(64)', '("f"):rep(64)', '("\\0"):rep(900)',
  '"logits"', '"caf\\u{e9}"',
}

local KEYS = {
  '"rate"', '"X"', '"cols"', '"rows"', '"gather"', '"name"', '"layers"', '"frozen"',
  '"shared"', '"step"', '"flat"', '"parameters"', '"held"', '"state"', '"T"', "1", "2", "0",
  "-1", "1.5", "true", "{}", '""', '"kind"', '"outputs"', '"forward"', '"new"', "math.huge",
}

local METHODS = {
  "index", "newindex", "len", "eq", "lt", "call", "gc", "tostring", "pairs", "add", "mul",
}

---Paths that calls are given: files of the world, and some that are none.
values.files = {
  "model", "training", "garbage", "empty", "images", "labels", "images.gz", "folder", "link",
  "loop", "missing/file", "", "a\0b", "new", "new",
}

function values.integer(p) return p:pick(INTEGERS) end

function values.number(p)
  return p:chance(0.3) and p:pick(INTEGERS) or p:pick(NUMBERS)
end

function values.string(p) return p:pick(STRINGS) end

function values.key(p) return p:pick(KEYS) end

-- A variable of the program, whatever it holds
local function variable(p)
  local kinds = {}
  for kind in pairs(p.of) do kinds[#kinds + 1] = kind end
  if #kinds == 0 then return "nil" end
  table.sort(kinds)
  return p:known(p:pick(kinds)).name
end

---A function that is given as a hook or a part.
function values.callback(p)
  local k = p:between(1, 10)
  if k == 1 then return "raises" end
  if k == 2 then return "raises_table" end
  if k == 3 then return "raises_nil" end
  if k == 4 then return "yields" end
  if k == 5 then return "echo" end
  if k == 6 then return "nothing" end
  if k == 7 then return p:known "m" and ("changes(%s)"):format(p:known("m").name) or "nothing" end
  if k == 8 then return "collects" end
  if k == 9 then return 'gives("stop")' end
  return ("gives(%s)"):format(values.any(p, 1))
end

-- A table, now and then with what is plausible in it, whose metatable is a trap
local function trap(p, depth)
  local fields = {}
  for _ = 1, p:pick { 1, 1, 2 } do
    local method = p:pick(METHODS)
    local text = values.callback(p)
    if method == "len" and p:chance(0.7) then
      text = ("gives(%s)"):format(p:pick { "-1", "0", "3", '"x"', "2.5", "0/0", "50" })
    elseif method == "pairs" then
      text = p:pick { "raises", "raises_table" }
    end
    fields[#fields + 1] = ("%s = %s"):format(method, text)
  end
  if p:chance(0.15) then
    fields[#fields + 1] = p:pick { 'name = "perilune.matrix.float32"', "name = 5",
      'metatable = "matrix"', 'metatable = "generator"', "metatable = false" }
  end
  return ("trap(%s, { %s })"):format(values.table(p, depth), table.concat(fields, ", "))
end

function values.table(p, depth)
  local pieces = {}
  for _ = 1, p:between(0, 3) do
    local text = values.any(p, depth + 1)
    if p:chance(0.5) then text = ("[%s] = %s"):format(values.key(p), text) end
    pieces[#pieces + 1] = text
  end
  return "{ " .. table.concat(pieces, ", ") .. " }"
end

---Anything at all.
---@param p Program
---@param depth? integer  tables around it
function values.any(p, depth)
  depth = depth or 0
  local k = p:between(1, 100)
  if k <= 12 then return "nil" end
  if k <= 16 then return p:pick { "true", "false" } end
  if k <= 32 then return values.integer(p) end
  if k <= 46 then return values.number(p) end
  if k <= 60 then return values.string(p) end
  if k <= 72 then return variable(p) end
  if k <= 76 then
    return p:pick { "io.stdout", "closed_file", "coroutine.create(nothing)", "f32", "f64",
      "f32.activations.relu.handle", "f64.generator(2)", "f32.matrix(2, 2)",
      "f64.matrix(1, 3)", "f32.matrix(1, 1)" }
  end
  if k <= 84 then return values.callback(p) end
  if depth > 1 then return "{}" end
  if k <= 91 then return values.table(p, depth) end
  return trap(p, depth)
end

return values
