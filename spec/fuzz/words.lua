-- The words that programs are written in, beside the library: matrices and files to work on,
-- functions and tables that raise, lie or yield, and parts of the user's own.

local idx = require "perilune.data.idx"
local judge = require "spec.fuzz.judge"
local lfs = require "lfs"
local mnist = require "perilune.data.mnist"
local pl = require "perilune"
local zlib = require "zlib"

local words = {
  pl = pl, f32 = pl.float32, f64 = pl.float64, idx = idx, mnist = mnist,
  math = math, string = string, coroutine = coroutine, io = { stdout = io.stdout },
  tostring = tostring,
}

for word, name in pairs {
  buffer = "buffer", checkpoint = "store.checkpoint", csv = "data.csv", digits = "data.digits",
  file = "store.file", plain = "store.plain", safetensors = "store.safetensors",
  system = "core.system",
} do
  words[word] = require("perilune." .. name)
end

words.people = assert(words.csv.decode "x,job,y\n1,a,b\n?,?,c\n3,b,c\n")
words.people_set = words.people:dataset { target = "y" }

words.closed_file = assert(io.tmpfile())
words.closed_file:close()


-- Matrices

function words.normal(core, rows, cols, order, seed)
  return core.generator(seed):normal(core.matrix(rows, cols, order))
end

function words.filled(core, rows, cols, order, x)
  return core.matrix(rows, cols, order):fill(x)
end

---Normal numbers, and x in the middle.
function words.spotted(core, rows, cols, order, x)
  return words.normal(core, rows, cols, order, 1):set((rows + 1) // 2, (cols + 1) // 2, x)
end

function words.labels(core, N, classes, seed)
  local M, generator = core.matrix(1, N), core.generator(seed)
  for n = 1, N do M:set(1, n, generator:integer(1, classes)) end
  return M
end


-- Hostile functions and tables

function words.raises() error(judge.TRAP) end

function words.raises_table() error(judge.TRAP_TABLE) end

function words.raises_nil() error(nil) end

function words.yields(...)
  coroutine.yield(1)
  return ...
end

function words.collects()
  collectgarbage()
  return 1
end

function words.echo(...) return ... end

words.give = words.echo -- makes the call within it no tail call, which would have no line

function words.nothing() end

function words.gives(...)
  local results = table.pack(...)
  return function() return table.unpack(results, 1, results.n) end
end

---A table whose metamethods are those given: { index = f } is __index = f.
function words.trap(content, metamethods)
  local meta = {}
  for name, value in next, metamethods do meta["__" .. name] = value end
  return setmetatable(content, meta)
end

---An empty table that reads as `content` does.
function words.proxy(content)
  return setmetatable({}, {
    __index = content, __len = function() return #content end,
    __pairs = function() return pairs(content) end,
  })
end

-- The tables in a state, and the keys in them, in an order that is always the same
local function places(t, list, depth)
  local keys = {}
  for key in next, t do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for _, key in ipairs(keys) do
    list[#list + 1] = { t, key }
    local inner = rawget(t, key)
    if type(inner) == "table" and depth < 5 then places(inner, list, depth + 1) end
  end
  return list
end

---A state with another value at one of its places.
function words.altered(state, place, value)
  if type(state) ~= "table" then return state end
  local list = places(state, { { state, "x" } }, 0)
  local t, key = table.unpack(list[place % #list + 1])
  rawset(t, key, value)
  return state
end


-- Parts of the user's own, with some of their functions replaced

local function with(part, changed)
  for name, value in next, changed do part[name] = value end
  return part
end

---A class of layers that adds a learned shift.
function words.layer(changed)
  local Class = { adds = true }
  Class.__index = Class
  function Class.new(_, context)
    return setmetatable({ core = context.core, output = context.input }, Class)
  end
  function Class:declare()
    return { { name = "shift", role = "parameter", rows = self.output.size, cols = 1 },
      { name = "seen", role = "state", rows = 1, cols = 1 } }
  end
  function Class:predict(X)
    return self.core.add(self.core.matrix(X.rows, X.cols), X, self.tensors.shift.value)
  end
  Class.forward = Class.predict
  function Class:backward(Delta)
    local sum = self.core.matrix(Delta.rows, 1)
    self.tensors.shift:receive(self.core.sum_columns(sum, Delta))
    return Delta
  end
  return with(Class, changed)
end

---A class of layers around another layer, to which it hands on what f gives.
function words.around(f)
  local Class = {}
  Class.__index = Class
  function Class.new(_, context)
    local inner = context.make({ "dense", outputs = context.input.size }, context.input, "inner")
    return setmetatable({ inner = inner, output = inner.output }, Class)
  end
  for _, method in ipairs { "forward", "predict", "backward" } do
    Class[method] = function(self, M, wants_below)
      local result = self.inner[method](self.inner, f(M), wants_below)
      return result
    end
  end
  return Class
end

---The activation a = 2 z.
function words.activation(changed)
  return with({
    name = "own",
    forward = function(A, Z) return pl[Z.dtype].add(A, Z, Z) end,
    backward = function(H, Delta) return pl[H.dtype].add(H, Delta, Delta) end,
  }, changed)
end

---Gradient descent.
function words.optimizer(changed)
  local own = { rate = 0.1 }
  function own:step(parameters, rate)
    for _, p in ipairs(parameters) do
      pl[p.value.dtype].sgd_update(p.value, p.gradient, rate or self.rate)
    end
  end
  return with(own, changed)
end

---A loss J = sum of (a - t)^2 / 2, whatever the weights.
function words.own_loss(A, T, Delta)
  local core = pl[A.dtype]
  local D = core.subtract(Delta or core.matrix(A.rows, A.cols), A, T)
  return D:norm() ^ 2 / 2, Delta ~= false and D or nil
end


-- Files, in the current folder

local function remove(path)
  if lfs.symlinkattributes(path, "mode") ~= "directory" then return os.remove(path) end
  for name in lfs.dir(path) do
    if name ~= "." and name ~= ".." then remove(path .. "/" .. name) end
  end
  lfs.rmdir(path)
end

local function write(path, bytes)
  local file <close> = assert(io.open(path, "wb"))
  file:write(bytes)
end

local function read(path)
  local file <close> = io.open(path, "rb")
  return file and file:read "a"
end

-- The contents of the files that are something, made once
local contents

local function make_contents()
  local net = pl.network({ inputs = 3, pl.dense(4, "tanh"), pl.dense(2) }, { seed = 1 })
  local set = pl.dataset { X = { { 1, 2 }, { 3, 4 }, { 5, 6 } }, labels = { 1, 2 } }
  local trainer = pl.trainer(net, set, { loss = "softmax_cross_entropy", epochs = 2 })
  assert(net:save "model")
  assert(trainer:save "training")
  contents = {
    model = read "model", training = read "training",
    images = idx.encode({ 2, 28, 28 }, ("\7"):rep(2 * 28 * 28)),
    labels = idx.encode({ 2 }, "\3\9"),
    garbage = ("\0garbage\255"):rep(40), empty = "",
  }
  contents["images.gz"] = zlib.deflate(9, 31)(contents.images, "finish")
end

---The files as every program finds them, and no others.
function words.files()
  for name in lfs.dir "." do
    if name ~= "." and name ~= ".." then remove(name) end
  end
  if not contents then make_contents() end
  for name, bytes in next, contents do write(name, bytes) end
  assert(lfs.mkdir "folder")
  for name, key in next, mnist.files do
    write("folder/" .. name, key:find "images" and contents.images or contents.labels)
  end
  lfs.link("model", "link", true)
  lfs.link("loop", "loop", true)
end

---Damage a file: a byte of it becomes another, or it ends there.
function words.damage(path, place, byte)
  local bytes = read(path)
  if not bytes then return end
  local at = place % (#bytes + 1)
  local rest = byte and string.char(byte) .. bytes:sub(at + 1) or ""
  write(path, bytes:sub(1, math.max(0, at - 1)) .. rest)
end

return words
