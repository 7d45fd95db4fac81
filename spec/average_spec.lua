-- Averages of a network's tensors, in open loops. How a trainer uses them is in trainer specs.

local at_caller = require("spec.support.misuse").at_caller
local family = require "perilune.average"
local naive = require "spec.support.naive"
local pl = require "perilune"

local function new_network()
  return pl.network({
    inputs = 3, pl.dense(4, "tanh"), pl.batch_norm(), pl.dense(2, { frozen = true }),
  }, { dtype = "float64", seed = 3 })
end

-- Other values for all tensors that training moves
local function move(net, seed)
  for k, tensor in ipairs(net:tensors()) do
    if not tensor.frozen then pl.float64.generator(100 * seed + k):normal(tensor.value) end
  end
end

local function values(net)
  local all = {}
  for _, tensor in ipairs(net:tensors()) do all[tensor.name] = tensor.value:copy() end
  return all
end

-- The average by its definition: the sum of weights times what the network was
local function expected_of(seen, weights)
  local sums = {}
  for name, M in pairs(seen[1]) do
    sums[name] = pl.float64.matrix(M.rows, M.cols)
    for k, weight in ipairs(weights) do sums[name] = sums[name] + weight * seen[k][name] end
  end
  return sums
end

local function check(description, weights, progress)
  local net, average, seen = new_network(), pl.average(description), {}
  for step = 1, #weights do
    move(net, step)
    seen[step] = values(net)
    average:update(net, progress and progress(step))
  end
  average:swap(net)
  for name, M in pairs(expected_of(seen, weights)) do
    naive.near(net.held.by_name[name].value, M:totable(), 1e-14)
  end
  average:swap(net)
  for name, M in pairs(seen[#weights]) do
    naive.near(net.held.by_name[name].value, M:totable(), 0)
  end
end

describe("an average", function()
  it("ema forgets what is past", function()
    local d = 0.75
    check({ "ema", decay = d, warm_up = false },
      { d ^ 3, (1 - d) * d ^ 2, (1 - d) * d, 1 - d })
  end)

  it("ema forgets the beginning sooner with a warm-up", function()
    local w1, w2 = 9 / 11, 9 / 12
    check("ema", { (1 - w1) * (1 - w2), w1 * (1 - w2), w2 })
    check({ "ema", decay = 0.1 }, { 0.01, 0.09, 0.9 })
  end)

  it("swa is the mean of what the network was at the ends of late epochs", function()
    check("swa", { 0.25, 0.25, 0.25, 0.25 })
    check({ "swa", start = 0.5 }, { 0, 0, 0, 0, 0, 0.5, 0, 0.5 }, function(step)
      return { epoch = (step + 1) // 2, epochs = 4, batch = 2 - step % 2, batches = 2 }
    end)
  end)

  it("leaves the network as it is before the first update", function()
    local net, average = new_network(), pl.average "swa"
    average:update(net, { epoch = 1, epochs = 4, batch = 1, batches = 1 })
    local before = net.theta:totable()
    average:swap(net)
    naive.near(net.theta, before, 0)
    assert.is_false(average.is_swapped)
  end)

  it("goes on from a state, whether swapped or not", function()
    local net, average = new_network(), pl.average "ema"
    for step = 1, 3 do
      move(net, step)
      average:update(net)
    end
    for _ = 1, 2 do
      local again, other = net:clone(), pl.average "ema"
      other:bind(again):restore(average:state())
      if average.is_swapped then other:swap(again) end
      move(again, 9)
      other:update(again)
      other:swap(again)
      local expected, plain = pl.average "ema", new_network()
      for _, step in ipairs { 1, 2, 3, 9 } do
        move(plain, step)
        expected:update(plain)
      end
      expected:swap(plain)
      naive.near(again.theta, plain.theta:totable(), 0)
      average:swap(net)
    end
  end)

  it("is described", function()
    for _, description in ipairs {
      { "ema", decay = 0.5, warm_up = false }, { "swa", start = 0.5 },
    } do
      assert.same(description, family:describe(pl.average(description)))
    end
  end)

  it("refuses another network, and to go on while the network has it", function()
    local net, average = new_network(), pl.average "ema"
    average:update(net)
    at_caller(function() average:update(new_network()) end,
      "this is the average of another network")
    at_caller(function() pl.average.ema:update(3) end, "a network expected, got 3")
    for _, wrong in ipairs { 3, {}, { epoch = 1, epochs = 2, batch = "1", batches = 3 } } do
      at_caller(function() pl.average.swa:update(net, wrong) end, "progress: a trainer's expected")
    end
    average:swap(net)
    at_caller(function() average:update(net) end, "the network has the average now")
  end)

  it("refuses a state that is none of its own", function()
    local net, average = new_network(), pl.average "ema"
    average:update(net)
    local state = average:state()
    at_caller(function() pl.average.ema:restore(state) end,
      "an average is bound to its network before it is restored")
    state.tensors["1.W"] = nil
    at_caller(function() average:restore(state) end,
      "state of an average: tensor '1.W': a 4 x 3 matrix of float64 expected, got nil")
    at_caller(function() average:restore { count = 1, is_swapped = false } end,
      "state of an average: tensors expected once something was averaged")
    at_caller(function() local _ = pl.average(print) end, "average: a name, { name, option")
  end)
end)
