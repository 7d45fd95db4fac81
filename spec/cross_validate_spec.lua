local at_caller = require("spec.support.misuse").at_caller
local pl = require "perilune"

local N = 60

-- Three classes around three centres, the first of them twice as frequent
local function clouds(core)
  core = core or pl.float32
  local X, labels = core.generator(5):normal(core.matrix(2, N), 0, 0.6), {}
  for n = 1, N do
    labels[n] = math.max(1, n % 4)
    X:set(1, n, X:get(1, n) + 2 * labels[n])
  end
  return pl.dataset { X = X, labels = labels, classes = { "a", "b", "c" } }
end

local function make(train)
  return pl.network { inputs = train.inputs, pl.dense(8, "tanh"), pl.dense(3) }
end

local options = { loss = "softmax_cross_entropy", optimizer = { "adam", rate = 0.05 }, epochs = 12,
  batch = 16 }

local function with(more)
  local all = {}
  for _, list in ipairs { options, more or {} } do
    for name, value in pairs(list) do all[name] = value end
  end
  return all
end

local function parameters_of(net) return net.theta:totable() end

describe("cross_validate", function()
  it("gives for each fold what training on the others by hand gives", function()
    local set = clouds()
    local result = pl.cross_validate(make, set, with { folds = 4, metrics = { "f1" } })
    assert.equal(4, #result.folds)
    for train, held_out, fold, samples in set:folds(4, { stratified = true }) do
      local net = make(train)
      local history = pl.fit(net, train, with { metrics = { "f1" } })
      local expected = pl.evaluate(net, held_out, "softmax_cross_entropy", { "f1" })
      expected.fold = fold
      assert.same(expected, result.folds[fold])
      assert.same(history, result.histories[fold])
      assert.same(parameters_of(net), parameters_of(result.networks[fold]))
      local A = net:predict(held_out.X)
      for j, n in ipairs(samples) do
        for i = 1, 3 do assert.near(A:get(i, j), result.predictions:get(i, n), 1e-6) end
      end
    end
    assert.is_true(result.mean.accuracy > 0.8)
  end)

  it("gives the mean and the deviation of each number", function()
    local result = pl.cross_validate(make, clouds(), with { folds = 3 })
    for _, name in ipairs { "loss", "accuracy" } do
      local a, b, c = result.folds[1][name], result.folds[2][name], result.folds[3][name]
      local mean = (a + b + c) / 3
      assert.near(mean, result.mean[name], 1e-12)
      assert.near(math.sqrt(((a - mean) ^ 2 + (b - mean) ^ 2 + (c - mean) ^ 2) / 2),
        result.deviation[name], 1e-12)
    end
    assert.is_nil(result.mean.fold)
    local text = tostring(result)
    assert.matches("^3 folds +mean +deviation\naccuracy +%d[%d.]* +%d[%d.]*\nloss +", text)
  end)

  it("is the same by the same seed, and another by another", function()
    local function mean(more) return pl.cross_validate(make, clouds(), with(more)).mean end
    assert.same(mean(), mean { seed = 1 })
    assert.not_same(mean(), mean { seed = 2 })
    assert.same(mean { generator = pl.generator(7) }, mean { generator = pl.generator(7) })
  end)

  it("tells nothing of the samples held out: they may be anything", function()
    local function means(train) -- as a preparation finds them
      return pl.float32.mean_columns(pl.matrix(2, 1), train.X):totable()
    end
    local function run(set)
      local found = {}
      local result = pl.cross_validate(function(train, fold)
        found[fold] = means(train)
        return make(train)
      end, set, with { folds = 3, shuffle = false, validation = 0.2,
        early_stopping = { patience = 2 } })
      return found, result
    end
    local found, result = run(clouds())
    for _, _, fold, samples in clouds():folds(3, { stratified = true }) do
      local spoiled = clouds()
      for _, n in ipairs(samples) do spoiled.X:set(1, n, 1e6):set(2, n, -1e6) end
      local other_found, other = run(spoiled)
      assert.same(found[fold], other_found[fold])
      assert.same(parameters_of(result.networks[fold]), parameters_of(other.networks[fold]))
      assert.same(result.histories[fold], other.histories[fold])
      assert.not_same(result.folds[fold], other.folds[fold])
    end
  end)

  it("fits preparations and units to the samples to train on alone", function()
    local function table_of(spoiled)
      local g = pl.generator(3)
      local X, T = g:normal(pl.matrix(2, N), 40, 9), pl.matrix(1, N)
      for n = 1, N do
        T:set(1, n, 3 * X:get(1, n))
        X:set(2, n, n % 7 == 0 and 0 / 0 or 1 + n % 3)
      end
      for _, n in ipairs(spoiled or {}) do
        X:set(1, n, 1e6):set(2, n, 2)
        T:set(1, n, -1e6)
      end
      return pl.dataset { X = X, T = T, target = "price", schema = {
        { name = "size", type = "number" },
        { name = "town", type = "category", categories = { "a", "b", "c" } },
      } }
    end
    local function make_prepared(train)
      local layers = { inputs = train.inputs, pl.prepare(train), pl.dense(1), pl.units(train) }
      return pl.network(layers)
    end
    local given = { loss = "mean_squared_error", metrics = { "rmse" }, folds = 3, epochs = 30,
      batch = 10, optimizer = { "adam", rate = 0.05 } }
    local result = pl.cross_validate(make_prepared, table_of(), given)
    assert.is_true(result.mean.rmse < 9) -- in the units of T, whose deviation is 27
    for _, _, fold, samples in table_of():folds(3) do
      local other = pl.cross_validate(make_prepared, table_of(samples), given)
      assert.same(result.networks[fold]:describe(), other.networks[fold]:describe())
      assert.same(parameters_of(result.networks[fold]), parameters_of(other.networks[fold]))
      assert.not_same(result.folds[fold], other.folds[fold])
    end
  end)

  it("sets a fraction aside for validation, by class, and keeps it from make", function()
    local sizes = {}
    local result = pl.cross_validate(function(train, fold, validation)
      sizes[fold] = train.N
      assert.equal(10, validation.N)
      return make(train)
    end, clouds(), with { folds = 3, validation = 0.25 })
    assert.same({ 30, 30, 30 }, sizes) -- 3/4 of 40
    assert.is_number(result.histories[1][1].validation_loss)
  end)

  it("holds groups out as a whole, and sets them aside as a whole", function()
    local set, groups, group_of = clouds(), {}, {}
    for n = 1, N do
      groups[n] = "g" .. n // 5
      group_of[set.X:get(1, n)] = groups[n]
    end
    local function groups_in(part)
      local has = {}
      for n = 1, part.N do has[group_of[part.X:get(1, n)]] = true end
      return has
    end
    local held = {}
    for _, held_out, fold in set:folds(3, { stratified = true, groups = groups }) do
      held[fold] = groups_in(held_out)
    end
    pl.cross_validate(function(train, fold)
      local has = groups_in(train)
      local count = 0
      for group in pairs(has) do
        assert.is_nil(held[fold][group])
        count = count + 1
      end
      assert.is_true(count < 8 and train.N % 5 ~= 1) -- of 13, others are for validation
      return make(train)
    end, set, with { folds = 3, groups = groups, validation = 0.3, epochs = 1 })
  end)

  it("repeats with folds drawn anew, and gives the mean of the predictions", function()
    local set = clouds(pl.float64)
    local function make_wide(train)
      return pl.network({ inputs = train.inputs, pl.dense(3) }, { dtype = "float64" })
    end
    local result = pl.cross_validate(make_wide, set, with { folds = 2, repeats = 2 })
    assert.equal(4, #result.folds)
    local sums = pl.float64.matrix(3, N)
    for _, held_out, fold, samples in set:folds(2, { stratified = true, repeats = 2 }) do
      local A = result.networks[fold]:predict(held_out.X)
      for j, n in ipairs(samples) do
        for i = 1, 3 do sums:set(i, n, sums:get(i, n) + A:get(i, j) / 2) end
      end
    end
    for n = 1, N do
      for i = 1, 3 do assert.near(sums:get(i, n), result.predictions:get(i, n), 1e-12) end
    end
  end)

  it("is of targets, of bytes and of one output, too", function()
    local X = pl.generator(1):normal(pl.matrix(2, N))
    local numbers = pl.dataset { X = X, T = X:slice(1, 1, 1, N) }
    local function single(train) return pl.network { inputs = train.inputs, pl.dense(1) } end
    local result = pl.cross_validate(single, numbers,
      { loss = "squared_error", metrics = { "rmse" }, epochs = 20, batch = 8, folds = 3,
        optimizer = { "adam", rate = 0.05 } })
    assert.is_true(result.mean.rmse < 0.1)
    local bytes = pl.dataset { X = pl.bytes(("\0\255"):rep(N), 2, N), labels = clouds().T }
    assert.equal(2, #pl.cross_validate(make, bytes, with { folds = 2 }).folds)
    local two = pl.dataset { X = X, labels = X:slice(1, 1, 1, N):map(function(x)
      return x > 0 and 2 or 1
    end) }
    result = pl.cross_validate(single, two,
      { loss = "sigmoid_cross_entropy", epochs = 20, batch = 8,
        optimizer = { "adam", rate = 0.05 } })
    assert.is_true(result.mean.accuracy > 0.85)
  end)

  it("makes parts anew for each fold, so that none knows what another learnt", function()
    local described = pl.cross_validate(make, clouds(), with {
      gradients = { { "noise", variance = 1e-4 }, { "clip_norm", most = 1 } }, average = "ema",
      schedule = { "plateau", patience = 1 },
    })
    local made = pl.cross_validate(make, clouds(), with {
      optimizer = pl.adam { rate = 0.05 },
      gradients = { pl.gradient { "noise", variance = 1e-4 }, { "clip_norm", most = 1 } },
      average = pl.average "ema", schedule = pl.schedule { "plateau", patience = 1 },
    })
    assert.same(described.folds, made.folds)
  end)

  it("takes groups as a matrix, and networks of either type", function()
    local groups = pl.matrix(1, N)
    for n = 1, N do groups:set(1, n, n // 5) end
    local result = pl.cross_validate(function(train, fold)
      local layers = { inputs = train.inputs, pl.dense(3) }
      return pl.network(layers, { dtype = fold == 2 and "float64" or "float32" })
    end, clouds(), with { folds = 3, groups = groups, validation = 0.3, epochs = 1 })
    assert.equal(3, #result.folds)
    assert.same({ 3, N }, { result.predictions:shape() })
  end)

  it("takes options for a fold from make, in place of the others", function()
    local rates = {}
    local result = pl.cross_validate(function(train, fold)
      return make(train), {
        loss = "softmax_cross_entropy", optimizer = pl.adam { rate = fold / 100 },
        on_epoch = function(record) rates[fold] = record.rate end,
      }
    end, clouds(), { folds = 3, epochs = 1 })
    assert.same({ 0.01, 0.02, 0.03 }, rates)
    assert.equal(3, #result.folds)
  end)

  it("is told of each fold, and stops where a hook says so", function()
    local records = {}
    local result = pl.cross_validate(make, clouds(), with { epochs = 1, on_fold = function(record)
      records[#records + 1] = record
      return record.fold == 2 and "stop"
    end })
    assert.same({ 2, 2, "callback" }, { #records, #result.folds, result.stopped })
    assert.is_nil(result.predictions)
    assert.near((records[1].loss + records[2].loss) / 2, result.mean.loss, 1e-12)
    local batches = 0
    result = pl.cross_validate(make, clouds(), with { epochs = 1, on_batch = function()
      batches = batches + 1
      return batches == 4
    end })
    assert.same({ 1, "callback" }, { #result.folds, result.stopped })
  end)

  it("shows the fold before its progress", function()
    local text = ""
    local stream = { write = function(_, line) text = text .. line end }
    pl.cross_validate(make, clouds(), with { folds = 2, epochs = 1,
      progress = { style = "lines", stream = stream } })
    assert.matches("^fold 1/2 epoch 1/1  loss [^\n]+\nfold 2/2 epoch 1/1  loss [^\n]+\n$", text)
  end)

  it("refuses what would tell one fold of another", function()
    at_caller(function()
      local net = make { inputs = 2 }
      local _ = pl.cross_validate(function() return net end, clouds(), with { epochs = 1 })
    end, "make: a new network for each fold expected, got that of fold 1, which has seen")
    local function nothing() return {} end
    local own = { step = nothing, state = nothing, restore = nothing }
    at_caller(function() local _ = pl.cross_validate(make, clouds(), with { optimizer = own }) end,
      "optimizer: this one remembers, and would tell a fold of the one before")
    at_caller(function()
      local _ = pl.cross_validate(make, clouds(), with { validation = clouds() })
    end, "cross_validate: validation: a number above 0 and below 1 expected, got a dataset")
  end)

  it("checks all that it is given before it trains", function()
    local set = clouds()
    local function refuses(expected, ...)
      local arguments = table.pack(...)
      at_caller(function()
        local _ = pl.cross_validate(table.unpack(arguments, 1, arguments.n))
      end, expected)
    end
    local function unmade() error "not reached" end
    refuses("make: a function expected, got nil", nil, set, options)
    refuses("cross_validate: a dataset expected, got a table", unmade, {}, options)
    refuses("option 'loss' is required", make, set)
    refuses("cross_validate: a table of options expected, got 3", unmade, set, 3)
    refuses("unknown option 'fold' of cross_validate (known: accumulate", unmade, set,
      with { fold = 3 })
    refuses("folds: a whole number of 2 or more expected", unmade, set, with { folds = 61 })
    refuses("cross_validate: loss: unknown loss 'x'", unmade, set, { loss = "x" })
    refuses("groups: a list of 60 expected", unmade, set, with { groups = { 1 } })
    refuses("make: a network expected from it, got 3", function() return 3 end, set, options)
    refuses("make: options expected as its second result, got 3",
      function(train) return make(train), 3 end, set, options)
    refuses("make: networks of 3 outputs expected, got one of 4", function(train, fold)
      return pl.network { inputs = train.inputs, pl.dense(2 + fold) }
    end, set, with { epochs = 1 })
  end)
end)
