-- Layers as a user writes them: plain Lua on matrices, by the contract at the top of
-- perilune/layer/tree.lua.

local layers = {}

-- A = s (.) A_below, each row with a factor of its own. It has neither bind nor describe, and heeds
-- `adds`.
local Scale = { adds = true }
Scale.__index = Scale
layers.scale = Scale

function Scale.new(options, context)
  return setmetatable({
    core = context.core, first = options.first or 1,
    output = { size = context.input.size },
  }, Scale)
end

function Scale:declare()
  return { {
    name = "s", role = "parameter", rows = self.output.size, cols = 1,
    first = function(M) M:fill(self.first) end,
  } }
end

function Scale:forward(A_below)
  self.A_below = A_below
  return A_below:hadamard(self.tensors.s.value)
end

function Scale:predict(A_below)
  return A_below:hadamard(self.tensors.s.value)
end

function Scale:backward(Delta, wants_below)
  local s = self.tensors.s
  local dJ_ds = self.core.matrix(self.output.size, 1)
  s:receive(self.core.sum_columns(dJ_ds, Delta:hadamard(self.A_below)))
  return wants_below and Delta:hadamard(s.value) or nil
end

-- A = A_below - mean, which is state and then moves to mean + momentum (the batch's - mean). It has
-- a bind.
local Center = {
  fields = { momentum = { "number", default = 0.1, above = 0, most = 1 } },
}
Center.__index = Center
layers.center = Center

function Center.new(options, context)
  return setmetatable({
    core = context.core, momentum = options.momentum,
    output = { size = context.input.size },
  }, Center)
end

function Center:declare()
  return { { name = "mean", role = "state", rows = self.output.size, cols = 1 } }
end

function Center:bind(tensors)
  self.mean = tensors.mean.value
end

function Center:forward(A_below)
  local mean = self.mean
  local A = A_below - mean
  local sum = self.core.sum_columns(self.core.matrix(mean.rows, 1), A_below)
  mean:assign(mean + self.momentum * (sum / A_below.cols - mean))
  return A
end

function Center:predict(A_below)
  return A_below - self.mean
end

function Center.backward(_, Delta)
  return Delta
end

-- A = G (.) H + (1 - G) (.) A_below (Srivastava et al. 2015): a layer of layers.
local Highway = {}
Highway.__index = Highway
layers.highway = Highway

function Highway.new(options, context)
  local input = context.input
  local function dense(activation, name)
    local description = { "dense", outputs = input.size, activation = activation }
    return context.make(description, input, name)
  end
  return setmetatable({
    transform = dense(options.activation or "tanh", "transform"),
    gate = dense("sigmoid", "gate"), output = { size = input.size },
  }, Highway)
end

local function mix(H, G, A_below)
  return H:hadamard(G) + A_below:hadamard(1 - G)
end

function Highway:forward(A_below)
  self.A_below = A_below
  self.H, self.G = self.transform:forward(A_below), self.gate:forward(A_below)
  return mix(self.H, self.G, A_below)
end

function Highway:predict(A_below)
  return mix(self.transform:predict(A_below), self.gate:predict(A_below), A_below)
end

function Highway:backward(Delta, wants_below)
  local A_below, G = self.A_below, self.G
  local by_gate = Delta:hadamard(self.H - A_below)
  local through_H = self.transform:backward(Delta:hadamard(G), wants_below)
  local through_G = self.gate:backward(by_gate, wants_below)
  if not wants_below then return nil end
  return through_H + through_G + Delta:hadamard(1 - G)
end

-- Hands on what it gets, and remembers how many batches it has seen: more than tensors.
local Counter = {}
Counter.__index = Counter
layers.counter = Counter

function Counter.new(_, context)
  return setmetatable({ output = { size = context.input.size }, batches = 0 }, Counter)
end

function Counter:forward(A_below)
  self.batches = self.batches + 1
  return A_below
end

function Counter.predict(_, A_below) return A_below end

function Counter.backward(_, Delta) return Delta end

function Counter:state() return { batches = self.batches } end

function Counter:restore(state)
  if type(state.batches) ~= "number" then error("batches: a number expected", 0) end
  self.batches = state.batches
end

return layers
