local at_caller = require("spec.support.misuse").at_caller
local memory = require "spec.support.memory"
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

  it("are one where more samples are asked for than there are", function()
    for _, batch in ipairs { 21, 2 ^ 62, math.maxinteger } do
      local batches = pl.batches(numbered(20), { batch = batch })
      assert.same({ 1, 20 }, { batches.count, batches.batch })
    end
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
    local expected = sorted(part:order())
    for _ = 1, 2 do assert.same(expected, sorted(flat(epoch(batches)))) end
  end)

  it("begin anew after restart", function()
    local batches = pl.batches(numbered(10), { batch = 4 })
    batches:next()
    assert.is_true(rawequal(batches, batches:restart()))
    assert.same({ { 1, 2, 3, 4 }, { 5, 6, 7, 8 }, { 9, 10 } }, epoch(batches))
  end)

  it("come with the weights of their samples, where there are some", function()
    local N = 9
    local weights, of_targets = pl.matrix(1, N), pl.matrix(2, N)
    for n = 1, N do
      weights:set(1, n, n / 4)
      of_targets:set(1, n, n):set(2, n, n / 2)
    end
    local X, T = pl.matrix(1, N), pl.matrix(2, N)
    for n = 1, N do X:set(1, n, n) end
    for _, w in ipairs { weights, of_targets } do
      local dataset = pl.dataset { X = X, T = T, weights = w }
      for _, set in ipairs { dataset, (dataset:split(0.7, pl.generator(3))) } do
        for _, dtype in ipairs { "float32", "float64" } do
          local seen = 0
          local batches = pl.batches(set, {
            batch = 4, generator = pl.generator(5), dtype = dtype,
          })
          for X_given, _, given in batches do
            assert.same({ w.rows, X_given.cols }, { given:shape() })
            assert.equal(dtype, given.dtype)
            for j = 1, given.cols do
              for i = 1, w.rows do
                assert.equal(w:get(i, X_given:get(1, j) | 0), given:get(i, j))
              end
            end
            seen = seen + given.cols
          end
          assert.equal(set.N, seen)
        end
      end
    end
    assert.is_nil(select(3, pl.batches(numbered(3)):next()))
  end)

  it("are of the type of the inputs unless said, of the targets for bytes", function()
    local set = pl.dataset { X = pl.float64.matrix(2, 3), T = pl.float32.matrix(1, 3) }
    local X, T = pl.batches(set):next()
    assert.same({ "float64", "float64" }, { X.dtype, T.dtype })
    set = pl.dataset { X = pl.bytes("abcdef", 2, 3), T = pl.float64.matrix(1, 3) }
    assert.equal("float64", pl.batches(set):next().dtype)
  end)

  it("take a size that is written as a float", function()
    assert.same({ 4, 4, 1 }, sizes(epoch(pl.batches(numbered(9), { batch = 4.0 }))))
  end)

  it("allocate nothing within an epoch once every size was seen", function()
    local function bytes_of(options)
      local dataset = numbered(1000)
      local weights = pl.matrix(1, 1000)
      local set = pl.dataset { X = dataset.X, T = dataset.T, weights = weights }
      options.batch = 64
      local batches = pl.batches((set:split(0.7, pl.generator(1))), options)
      for _ in batches do end
      batches:next()
      return (memory.allocated(function()
        for _ in batches do end
      end))
    end
    assert.equal(0, bytes_of {})
    assert.equal(0, bytes_of { generator = pl.generator(1) })
  end)

  it("keep an epoch's start in a few bytes", function()
    local batches = pl.batches(numbered(1000), { generator = pl.generator(1) })
    for _ in batches do end
    local bytes = memory.allocated(function()
      for _ = 1, 10 do
        for _ in batches do end
      end
    end)
    assert.is_true(bytes < 2048, bytes)
  end)
end)

describe("the order of an epoch", function()
  it("follows from the generator's state at its start alone", function()
    local generator = pl.generator(8)
    local batches = pl.batches(numbered(20), { batch = 6, generator = generator })
    local state = generator:state()
    local first = flat(epoch(batches))
    epoch(batches)
    batches:next()
    batches:restart()
    generator:restore(state)
    assert.same(first, flat(epoch(batches)))
    local other = pl.batches(numbered(20), { batch = 3, generator = pl.generator(8) })
    assert.same(first, flat(epoch(other)))
  end)

  it("is a permutation of the samples in order, by the generator", function()
    local part = numbered(20):split(0.5, pl.generator(1))
    local expected = pl.generator(2):permutation(part:order())
    local batches = pl.batches(part, { batch = 4, generator = pl.generator(2) })
    assert.same(expected, flat(epoch(batches)))
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
      other:next()
      assert.is_true(rawequal(other, other:restore(state)))
      assert.same(expected, { epoch(other), epoch(other), epoch(other) })
    end)
  end

  it("holds to the end of an epoch, where the next batch is none", function()
    local batches = new()
    for _ = 1, 5 do batches:next() end
    local other = new(99):restore(batches:state())
    assert.equal(23, other.position)
    assert.is_nil(other:next())
    batches:next()
    assert.same(epoch(batches), epoch(other))
  end)

  it("gone back to gives the same batches again", function()
    for _, generator in ipairs { false, pl.generator(4) } do
      local batches = pl.batches(numbered(20), { batch = 6, generator = generator or nil })
      for _ in batches do end -- an epoch
      local seen = {}
      for number = 1, batches.count do
        local position, before = batches.position, batches:state()
        local X = batches:next():copy()
        assert.equal(number, batches:number())
        batches:back(position)
        assert.same(before, batches:state())
        assert.equal(number - 1, batches:number())
        assert.same(X:totable(), batches:next():totable())
        for j = 1, X.cols do seen[X:get(1, j)] = true end
      end
      assert.equal(20, #seen)
    end
  end)

  it("gone back to is left again to where it was before", function()
    for _, given in ipairs { 1, 2 } do
      local function begun()
        local batches = pl.batches(numbered(10), { batch = 4, generator = pl.generator(5) })
        for _ = 1, given do batches:next() end
        return batches
      end
      local expected, batches = begun(), begun()
      batches:back(batches.position - 4)
      batches:forth(4 * given)
      assert.same(expected:state(), batches:state())
      assert.same(epoch(expected), epoch(batches))
    end
  end)

  it("stays as it is where the next batch cannot be had", function()
    local generator = pl.generator(5)
    local batches = pl.batches(numbered(10), { batch = 4, generator = generator })
    local before, source = generator:state(), batches.source
    batches.source = { gather_unchecked = function() error("not enough memory", 0) end }
    assert.has_error(function() batches:next() end, "not enough memory")
    assert.same({ samples = 0, generator = before }, batches:state())
    batches.source = source
    local expected = pl.batches(numbered(10), { batch = 4, generator = pl.generator(5) })
    assert.same(epoch(expected), epoch(batches))
    assert.same(expected:state(), batches:state())
  end)

  it("before the first batch has no start, nor after restart", function()
    local batches = new()
    local generator = pl.generator(4):state()
    assert.same({ samples = 0, generator = generator }, batches:state())
    batches:next()
    assert.equal(generator, batches:state().start)
    batches:restart()
    assert.same({ samples = 0, generator = batches.generator:state() }, batches:state())
  end)

  it("is given and taken when the generator is drawn from between batches", function()
    local function run(batches, count)
      local given = {}
      for _ = 1, count do
        local X = batches:next()
        given[#given + 1] = X and X:totable() or "end"
        given[#given + 1] = batches.generator:number()
      end
      return given
    end
    local batches = new()
    run(batches, 8)
    local state = batches:state()
    local expected = run(batches, 10)
    assert.same(expected, run(new(99):restore(state), 10))
  end)

  it("is plain data, and as small for any number of samples", function()
    local batches = new()
    batches:next()
    local state = batches:state()
    assert.same({ 5, 64, 64 }, { state.samples, #state.start, #state.generator })
    local copy = { samples = 5.0, start = state.start, generator = state.generator }
    local one, two = new():restore(state), new():restore(copy)
    assert.equal("integer", math.type(two.position))
    assert.same({ epoch(one), epoch(one) }, { epoch(two), epoch(two) })
  end)

  it("works without a generator", function()
    local batches = pl.batches(numbered(7), { batch = 3 })
    batches:next()
    assert.same({ samples = 3 }, batches:state())
    local other = pl.batches(numbered(7), { batch = 3 }):restore(batches:state())
    assert.same({ { 4, 5, 6 }, { 7 } }, epoch(other))
  end)

  it("of other batches is refused, and changes nothing", function()
    local batches = new()
    batches:next()
    local before, remaining = batches:state(), new(5):restore(batches:state())
    local function refuses(expected, changes)
      local state = {}
      for name, value in pairs(before) do state[name] = value end
      for name, value in pairs(changes) do state[name] = value or nil end
      for _, method in ipairs { "restore", "check_state" } do
        at_caller(function() batches[method](batches, state) end, expected)
      end
    end
    refuses("state of batches: samples: a whole number from 0 to 23 expected, got 24",
      { samples = 24 })
    refuses("samples: a whole number from 0 to 23 expected, got -1", { samples = -1 })
    refuses("samples: a whole number from 0 to 23 expected, got 1.5", { samples = 1.5 })
    refuses("option 'samples' is required", { samples = false })
    refuses("one with a generator expected, as these are", { generator = false })
    refuses("the state of the generator at the start of the epoch is missing",
      { start = false })
    refuses("the state of the generator at the start of the epoch without samples given",
      { samples = 0 })
    refuses("64 hexadecimal digits expected", { generator = "x" })
    refuses("64 hexadecimal digits expected", { start = ("0"):rep(64) })
    refuses("start: a string expected, got 3", { start = 3 })
    refuses("unknown option 'order'", { order = {} })
    for _, value in ipairs { 3, "state" } do
      at_caller(function() batches:restore(value) end,
        "state of batches expected, as state() gives it, got ")
    end
    at_caller(function() batches:restore() end, "got nil")
    local plain = pl.batches(numbered(23))
    at_caller(function() plain:restore(before) end,
      "one without a generator expected, as these are")
    assert.same(before, batches:state())
    assert.same(epoch(remaining), epoch(batches))
  end)

  it("that is right passes the check, which changes nothing", function()
    local batches = new()
    batches:next()
    local state = batches:state()
    batches:next()
    local now = batches:state()
    batches:check_state(state)
    assert.same(now, batches:state())
  end)
end)

describe("augmented batches", function()
  -- Images of 3 x 3 pixels, sample n of them all n
  local function images(N, core)
    local X = (core or pl.float32).matrix(9, N)
    for n = 1, N do X:columns(n, n):fill(n) end
    return pl.dataset { X = X, T = X:slice(1, 1) }
  end

  local AUGMENT = { "shift", { "rotate", degrees = 40 } }

  local function new(options)
    local chosen = { batch = 4, generator = pl.generator(6), augment = AUGMENT }
    for name, value in pairs(options or {}) do chosen[name] = value end
    return pl.batches(images(10), chosen)
  end

  local function contents(batches)
    local all = {}
    for X, T in batches do all[#all + 1] = X:encode "float32" .. T:encode "float32" end
    return all
  end

  it("are other samples than the set's, which stay as they are", function()
    local set = images(10)
    local before, moved = set.X:totable(), 0
    for X, T in pl.batches(set, { batch = 4, generator = pl.generator(1), augment = "shift" }) do
      for j = 1, X.cols do
        for i = 1, 9 do
          local x = X:get(i, j)
          assert.is_true(x >= 0 and x <= T:get(1, j) * (1 + 1e-6))
          if x ~= T:get(1, j) then moved = moved + 1 end
        end
      end
    end
    assert.is_true(moved > 45)
    assert.same(before, set.X:totable())
  end)

  it("are others in each epoch, shuffled or not", function()
    for _, shuffle in ipairs { true, false } do
      local batches, seen = new { shuffle = shuffle }, {}
      for _ = 1, 3 do
        for _, content in ipairs(contents(batches)) do
          assert.is_nil(seen[content])
          seen[content] = true
        end
      end
    end
  end)

  it("have the order that they would have without", function()
    local augmented, plain = new(), new { augment = {} }
    for X, T in plain do
      local other, targets = augmented:next()
      assert.same(T:totable(), targets:totable())
      assert.equal(X.cols, other.cols)
    end
  end)

  it("draw for a sample by its place in the epoch, whatever the size of batches", function()
    local one, all = {}, {}
    for X in new { batch = 1 } do one[#one + 1] = X:encode "float32" end
    for X in new { batch = 10 } do all[#all + 1] = X:encode "float32" end
    assert.equal(all[1], table.concat(one))
  end)

  it("as they stand come in order", function()
    local order = {}
    for _, T in new { shuffle = false } do
      for j = 1, T.cols do order[#order + 1] = T:get(1, j) | 0 end
    end
    assert.same(range(10), order)
    assert.equal(3, new({ shuffle = false }):sample(3))
  end)

  it("come of bytes, in either type", function()
    local bytes = pl.dataset { X = pl.bytes(("\255"):rep(36), 9, 4), labels = { 1, 2, 1, 2 } }
    for _, dtype in ipairs { "float32", "float64" } do
      local X = pl.batches(bytes, { generator = pl.generator(1), augment = "shift",
        dtype = dtype }):next()
      assert.equal(dtype, X.dtype)
      assert.is_true(X:min() < 1 and X:max() <= 1)
    end
  end)

  it("go on from a state to the same bits", function()
    for _, shuffle in ipairs { true, false } do
      for given = 0, 3 do
        local batches = new { shuffle = shuffle }
        contents(batches)
        for _ = 1, given do batches:next() end
        local state = batches:state()
        local expected = { contents(batches), contents(batches), contents(batches) }
        local other = new { shuffle = shuffle, generator = pl.generator(99) }
        other:next()
        other:restore(state)
        assert.same(expected, { contents(other), contents(other), contents(other) })
      end
    end
  end)

  it("gone back to are the same again", function()
    local batches = new()
    for _ in batches do end
    for _ = 1, batches.count do
      local position, before = batches.position, batches:state()
      local X = batches:next():copy()
      batches:back(position)
      assert.same(before, batches:state())
      assert.same(X:totable(), batches:next():totable())
    end
  end)

  it("stay where they are when a function of one's own raises", function()
    local fails = true
    local function own(X)
      X:fill(0)
      if fails then error("no", 0) end
    end
    local batches = new { augment = { own, "shift" } }
    local before = batches:state()
    assert.has_error(function() batches:next() end, "no")
    assert.same(before, batches:state())
    fails = false
    local expected = new { augment = { own, "shift" } }
    assert.same(contents(expected), contents(batches))
    assert.same(expected:state(), batches:state())
  end)

  it("allocate nothing once every size was seen", function()
    local batches = new()
    for _ in batches do end
    batches:next()
    assert.equal(0, memory.allocated(function()
      for _ in batches do end
    end))
  end)

  it("need a generator, and images", function()
    local set = images(4)
    at_caller(function() pl.batches(set, { augment = "shift" }) end,
      "pl.batches: augment: a generator expected with it, which it draws from")
    at_caller(function() pl.batches(set, { augment = "flip" }) end,
      "pl.batches: augment: unknown augmentation 'flip'")
    at_caller(function()
      pl.batches(numbered(4), { generator = pl.generator(1), augment = "shift" })
    end, "augment: square images expected, got 2 inputs")
  end)
end)

describe("misuse of batches", function()
  it("names what was expected and what came", function()
    local dataset = numbered(3)
    at_caller(function() pl.batches(dataset, { size = 3 }) end,
      "unknown option 'size' of pl.batches (known: augment, batch, dtype, "
        .. "generator, shuffle)")
    for _, batch in ipairs { 0, -1, 1.5, "3" } do
      at_caller(function() pl.batches(dataset, { batch = batch }) end,
        "pl.batches: batch: a whole number of 1 or more expected, got ")
    end
    at_caller(function() pl.batches(dataset, { dtype = "double" }) end,
      'dtype: "float32" or "float64" expected, got "double"')
    at_caller(function() pl.batches(dataset, { generator = 3 }) end,
      "generator: a generator expected, got 3")
    at_caller(function() pl.batches(nil) end, "pl.batches: a dataset expected, got nil")
    at_caller(function() pl.batches(pl.matrix(2, 3)) end,
      "pl.batches: a dataset expected, got a 2 x 3 matrix")
    at_caller(function() pl.batches(pl.bytes("abcd", 2, 2)) end,
      "pl.batches: a dataset expected, got a table")
  end)
end)
