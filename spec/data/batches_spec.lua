local at_caller = require("spec.support.misuse").at_caller
local pl = require "perilune"

-- Sample n has the inputs n, -n and the target 2 n.
local function numbered(N, core)
  core = core or pl.float32
  local X, T = core.matrix(2, N), core.matrix(1, N)
  for n = 1, N do
    X:set(1, n, n):set(2, n, -n)
    T:set(1, n, 2 * n)
  end
  return pl.dataset { X = X, T = T }
end

-- The rest of an epoch: a list of batches, each a list of samples.
local function epoch(batches)
  local lists = {}
  for X, T in batches do
    local list = {}
    for j = 1, X.cols do
      list[j] = X:get(1, j) | 0
      assert.equal(-list[j], X:get(2, j))
      assert.equal(2 * list[j], T:get(1, j))
    end
    assert.equal(X.cols, T.cols)
    lists[#lists + 1] = list
  end
  return lists
end

local function flat(lists)
  local all = {}
  for _, list in ipairs(lists) do table.move(list, 1, #list, #all + 1, all) end
  return all
end

local function sizes(lists)
  local counts = {}
  for k, list in ipairs(lists) do counts[k] = #list end
  return counts
end

local function sorted(list)
  table.sort(list)
  return list
end

local function range(N)
  local list = {}
  for n = 1, N do list[n] = n end
  return list
end

describe("batches", function()
  it("are written as a for loop", function()
    local seen = 0
    for X, T in pl.batches(numbered(7), { batch = 3 }) do
      assert.equal(2, X.rows)
      assert.equal(1, T.rows)
      seen = seen + X.cols
    end
    assert.equal(7, seen)
  end)

  it("give the samples as they stand without a generator", function()
    local batches = pl.batches(numbered(7), { batch = 3 })
    for _ = 1, 2 do
      assert.same({ { 1, 2, 3 }, { 4, 5, 6 }, { 7 } }, epoch(batches))
    end
  end)

  it("give every sample exactly once an epoch, in a new order each time", function()
    local batches = pl.batches(numbered(53), { batch = 10, generator = pl.generator(3) })
    local orders = {}
    for k = 1, 4 do
      local lists = epoch(batches)
      assert.same({ 10, 10, 10, 10, 10, 3 }, sizes(lists))
      local order = flat(lists)
      for _, other in ipairs(orders) do assert.not_same(other, order) end
      orders[k] = order
      assert.same(range(53), sorted(flat(lists)))
    end
  end)

  it("come in the same order for the same seed, and in another for another", function()
    local function order(seed)
      local generator = pl.generator(seed)
      local batches = pl.batches(numbered(30), { batch = 7, generator = generator })
      return { epoch(batches), epoch(batches) }
    end
    assert.same(order(1), order(1))
    assert.not_same(order(1), order(2))
  end)

  it("end in a smaller one only where they do not divide", function()
    assert.same({ 4, 4 }, sizes(epoch(pl.batches(numbered(8), { batch = 4 }))))
    assert.same({ 4, 4, 1 }, sizes(epoch(pl.batches(numbered(9), { batch = 4 }))))
    assert.same({ 9 }, sizes(epoch(pl.batches(numbered(9), { batch = 100 }))))
    assert.same({ 9 }, sizes(epoch(pl.batches(numbered(9)))))
    assert.same({ 1, 1, 1 }, sizes(epoch(pl.batches(numbered(3), { batch = 1 }))))
  end)

  it("say how many they are in an epoch", function()
    assert.equal(3, pl.batches(numbered(9), { batch = 4 }).count)
    assert.equal(2, pl.batches(numbered(8), { batch = 4 }).count)
    assert.equal(1, pl.batches(numbered(8)).count)
  end)

  it("are 128 samples unless said", function()
    assert.same({ 128, 72 }, sizes(epoch(pl.batches(numbered(200)))))
  end)

  it("may be of the other type, whatever the inputs are", function()
    local bytes = pl.dataset { X = pl.bytes("abcdef", 2, 3), labels = { 1, 2, 1 } }
    for _, dataset in ipairs { numbered(5), numbered(5, pl.float64), bytes } do
      for _, name in ipairs { "float32", "float64" } do
        local X, T = pl.batches(dataset, { dtype = name }):next()
        assert.same({ name, name }, { X.dtype, T.dtype })
      end
    end
    assert.equal("float64", pl.batches(numbered(5, pl.float64)):next().dtype)
  end)

  it("of a part give the samples of the part", function()
    local part = numbered(20):split(0.4, pl.generator(1))
    local batches = pl.batches(part, { batch = 3, generator = pl.generator(2) })
    local expected = sorted(part:columns())
    for _ = 1, 2 do assert.same(expected, sorted(flat(epoch(batches)))) end
  end)

  it("begin anew after restart", function()
    local batches = pl.batches(numbered(10), { batch = 4 })
    batches:next()
    assert.is_true(rawequal(batches, batches:restart()))
    assert.same({ { 1, 2, 3, 4 }, { 5, 6, 7, 8 }, { 9, 10 } }, epoch(batches))
  end)

  it("allocate nothing once every size was seen", function()
    local generator = pl.generator(1)
    local batches = pl.batches(numbered(1000), { batch = 64, generator = generator })
    local function epochs()
      for _ = 1, 5 do
        for _ in batches do end
      end
    end
    epochs()
    collectgarbage()
    collectgarbage "stop"
    local before = collectgarbage "count"
    epochs()
    local kilobytes = collectgarbage "count" - before
    collectgarbage "restart"
    assert.equal(0, kilobytes)
  end)
end)

describe("the state of batches", function()
  local function new(seed)
    return pl.batches(numbered(23), { batch = 5, generator = pl.generator(seed or 4) })
  end

  for given = 0, 5 do
    it(("after %d batches gives the same ones that remain"):format(given), function()
      local batches = new()
      epoch(batches)
      for _ = 1, given do batches:next() end
      local state = batches:state()
      local expected = { epoch(batches), epoch(batches), epoch(batches) }
      local other = new(99)
      assert.is_true(rawequal(other, other:restore(state)))
      assert.same(expected, { epoch(other), epoch(other), epoch(other) })
    end)
  end

  it("is plain data of its own", function()
    local batches = new()
    batches:next()
    local state = batches:state()
    assert.equal(5, state.position)
    assert.equal("string", type(state.generator))
    local copy = { table.unpack(state.order) }
    epoch(batches)
    epoch(batches)
    assert.same(copy, state.order)
    local one, two = new():restore(state), new():restore(state)
    assert.same({ epoch(one), epoch(one) }, { epoch(two), epoch(two) })
  end)

  it("works without a generator", function()
    local batches = pl.batches(numbered(7), { batch = 3 })
    batches:next()
    local state = batches:state()
    local other = pl.batches(numbered(7), { batch = 3 }):restore(state)
    assert.same({ { 4, 5, 6 }, { 7 } }, epoch(other))
  end)

  it("of another number of samples is refused", function()
    local other = pl.batches(numbered(7), { batch = 3 })
    at_caller(function() other:restore(new():state()) end,
      "state of 7 samples expected, got one of 23")
  end)

  it("without what the batches need is refused, and changes nothing", function()
    local batches = new()
    at_caller(function() batches:restore(nil) end, "state")
    at_caller(function() batches:restore {} end, "state")
    local state = new():state()
    state.generator = nil
    state.position = 5
    at_caller(function() batches:restore(state) end, "generator")
    assert.equal(0, batches.position)
  end)
end)

describe("misuse of batches", function()
  it("names what was expected and what came", function()
    local dataset = numbered(3)
    at_caller(function() pl.batches(dataset, { size = 3 }) end,
      "unknown option 'size' (known: batch, dtype, generator)")
    for _, batch in ipairs { 0, -1, 1.5, "3" } do
      at_caller(function() pl.batches(dataset, { batch = batch }) end,
        "batch: 1 or more samples expected, got " .. batch)
    end
    at_caller(function() pl.batches(dataset, { dtype = "double" }) end,
      "dtype 'float32' or 'float64' expected, got 'double'")
    at_caller(function() pl.batches(dataset, { generator = 3 }) end, "generator")
    at_caller(function() pl.batches(nil) end, "dataset")
    at_caller(function() pl.batches(pl.matrix(2, 3)) end, "dataset")
  end)
end)
