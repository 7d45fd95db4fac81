-- The grammar of files: models, training states, data sets, and what they are read and written by.

local networks = require "spec.fuzz.networks"
local values = require "spec.fuzz.values"

local files = {}

---@type table<string, fun(p: Program)>
local calls = {}
files.calls = calls

-- Files are damaged now and then: a byte of them becomes another, or they end there.
local function path(p, names)
  local text = p:path(names)
  if p:chance(0.2) then
    p:line("damage(%s, %d, %s)", text, p:between(0, 2000), p:pick { "nil", p:between(0, 255) })
  end
  return text
end

function calls.save(p) p:method(networks.any(p), "save", { path(p) }) end

function calls.load(p)
  p:call(("pl.load(%s)"):format(p:arguments { path(p), p:options(networks.own_parts(p)) }),
    { kind = "net", about = { core = "f32", inputs = 3, outputs = 2 } })
end

function calls.trainer_files(p)
  p:method(networks.trainer(p), p:pick { "save", "load" },
    { path(p, { "training", "training", "new", "garbage", "folder" }) })
end

function calls.idx(p)
  local k = p:between(1, 4)
  if k == 1 then
    p:call(("idx.decode(%s)"):format(p:arguments {
      p:pick { '"\\0\\0\\8\\1\\0\\0\\0\\2ab"', '"\\0\\0\\8\\2\\0\\0"', '"\\x1f\\x8b\\8"' },
      p:pick { "nil", '"name"' } }))
  elseif k == 2 then
    p:call(("idx.encode(%s)"):format(p:arguments { p:leaf "{ 2, 3 }", '"abcdef"' }))
  else
    p:call(("pl.data.idx(%s)"):format(p:arguments { path(p) }))
  end
end

local TEXTS = {
  [['x,y\n1,a\n?,b\n']], [['"a ""b""";2,5\r\nc;1e400\r\n']], [['007\n\xE9,1\n"']],
  "('1,a\\n'):rep(99)",
}

local CSV_OPTIONS = {
  { "separator", '";"' }, { "quote", [["'"]] }, { "decimal", '","' }, { "header", "false" },
  { "columns", '{ "p", "q" }' }, { "missing", '{ "1" }' }, { "types", '{ y = "number" }' },
  { "types", '{ "category" }' }, { "like", '{ { name = "x", type = "number" } }' },
  { "most_bytes", "1" }, { "dtype", '"float64"' },
}

function calls.csv(p)
  local options = {}
  for _ = 1, p:between(0, 2) do
    local option = p:pick(CSV_OPTIONS)
    options[#options + 1], options[#options + 2] = option[1], option[2]
  end
  options = p:options(options)
  if p:chance(0.7) then
    p:call(("csv.decode(%s)"):format(p:arguments { p:pick(TEXTS), options, '"name"' }))
  else
    p:call(("pl.data.csv(%s)"):format(p:arguments { path(p), options }))
  end
end

-- Of a table that is there (words.lua), with columns x, job and y
function calls.table(p)
  local column = p:pick { '"x"', '"job"', '"z"', "1", "3", "0.5" }
  local set = p:pick {
    { "target", column }, { "target", '"y"', "drop", '{ "x" }' }, { "like", "people_set" },
    { "target", '"x"', "task", '"classification"', "features", '{ "job" }' },
    { "like", "people_set", "rename", '{ a = "b" }' },
  }
  local name, argument = table.unpack(p:pick {
    { "column", column }, { "present", column }, { "select", "{ 1, 3, 3 }" },
    { "like", "people_set" }, { "like", '{ { name = "y", type = "category" } }' },
    { "dataset", p:options(set) },
  })
  p:call(("people:%s(%s)"):format(name, p:arguments { argument }))
end

-- Options of readers, of which a file of another kind is not worth more than one
local function reader_options(p, name)
  local of = {
    npy = { "samples", '"rows"', "dtype", '"float64"' }, npz = { "only", '{ "a" }' },
    fann = { "dtype", '"float32"' },
    libsvm = { "task", '"regression"', "inputs", 3, "zero_based", "true" },
    chunked = { "labels", "{ 1, 2 }", "window", 2, "chunk", 1, "scale", 0.5 },
  }
  return p:options(of[name])
end

function calls.readers(p)
  local name = p:pick { "npy", "npz", "fann", "libsvm", "chunked" }
  p:call(("pl.data.%s(%s)"):format(name, p:arguments {
    path(p, { "array", "array", "arrays", "garbage", "empty", "folder", "new", "images" }),
    reader_options(p, name) }))
end

-- What is written is what is read then.
function calls.writers(p)
  local M = p:matrix(p:core(), p:between(1, 3), p:between(1, 4))
  p:call(p:pick {
    ("pl.data.write.npy(%s)"):format(p:arguments { '"array"', M }),
    ("pl.data.write.npz(%s)"):format(p:arguments { '"arrays"', ("{ a = %s }"):format(p:leaf(M)) }),
    ("pl.data.write.fann(%s)"):format(p:arguments {
      '"array"', ("pl.dataset { X = %s, T = %s }"):format(M, M) }),
    ("pl.data.write.idx(%s)"):format(p:arguments { '"array"', p:leaf "{ 2, 3 }", '"abcdef"' }),
  })
end

function calls.mnist(p)
  local text = '"\\0\\0\\8\\1\\0\\0\\0\\2ab", "\\0\\0\\8\\1\\0\\0\\0\\2\\3\\12"'
  local folder = path(p, { "folder", "missing/file", "model" })
  local name = p:pick { "mnist.decode", "mnist.available", "pl.data.mnist" }
  p:call(("%s(%s)"):format(name, p:arguments { name == "mnist.decode" and text or folder }))
end

-- Few of them, which takes long enough; without options there would be twelve thousand.
function calls.digits(p)
  p:call(p:pick {
    ("digits.generate(%s, %s)"):format(p:pick { 1, 2, 0, -1, 0.5, '"1"', "nil" },
      p:leaf "f32.generator(1)"),
    ("pl.data.digits { train = %d, test = 1, seed = %s }"):format(p:between(1, 2), p:leaf(3)),
    ("digits.write(%s, { train = 1, test = 1 })"):format(path(p, { "folder", "model" })),
  })
end

-- A content that is a function is asked for more until it gives nil.
function calls.file(p)
  if p:chance(0.5) then
    p:call(("file.write(%s, %s)"):format(p:leaf(path(p)),
      p:pick { '"abc"', "nothing", "raises", "yields", "5", "nil" }))
  else
    p:call(("file.%s(%s)"):format(p:pick { "read", "check_writable" }, p:arguments { path(p) }))
  end
end

function calls.safetensors(p)
  local tensor = p:fields { "name", '"a"', "dtype", '"F32"', "shape", p:leaf "{ 1, 2 }",
    "bytes", '"12345678"' }
  if p:chance(0.6) then
    p:call(("safetensors.chunks(%s)"):format(p:arguments { p:leaf("{ " .. tensor .. " }"),
      p:options { "x", '"y"' } }))
  else
    p:call(("safetensors.is_name(%s)"):format(values.any(p)))
  end
end

function calls.plain(p)
  local k = p:between(1, 3)
  if k == 1 then
    p:call(("plain.encode(%s)"):format(p:leaf(values.table(p, 0))))
  elseif k == 2 then
    p:call(("plain.decode(%s)"):format(p:arguments { p:pick {
      [['{"a":[1,2,{"b":null}]}']], "'[1e999,-0]'", [['"\\ud800"']], "('['):rep(9999)" } }))
  else
    p:call(("plain.length(%s)"):format(values.table(p, 0)))
  end
end

function calls.checkpoint(p)
  p:call(("checkpoint.save(%s)"):format(p:arguments { path(p), p:leaf "{ run = 1 }",
    p:leaf(values.table(p, 0)) }))
  p:call(("checkpoint.load(%s)"):format(p:arguments { path(p), p:leaf "{ run = 1 }" }))
end

function calls.system(p)
  local name, arguments = table.unpack(p:pick {
    { "clock", {} }, { "processors", {} }, { "interrupted", {} }, { "isatty", { "io.stdout" } },
    { "create", { path(p), "420" } }, { "sync", { "closed_file" } },
    { "sync_directory", { path(p, { "folder", "model" }) } },
  })
  p:call(("system.%s(%s)"):format(name, p:arguments(arguments)))
end

return files
