local at_caller = require("spec.support.misuse").at_caller
local pl = require "perilune"
local same = require("spec.support.matrices").same

-- Inputs that tell which sample they are: 10 n and 10 n + 1.
local function numbered(N, core)
  local X = (core or pl.float32).matrix(2, N)
  for n = 1, N do X:set(1, n, 10 * n):set(2, n, 10 * n + 1) end
  return X
end

local function labels_of(N, classes)
  local labels = {}
  for n = 1, N do labels[n] = 1 + n % classes end
  return labels
end

-- The columns of a matrix as tables
local function columns(M)
  return M:transpose():totable()
end

describe("a dataset", function()
  it("holds inputs and target columns", function()
    local X, T = numbered(5), pl.matrix(3, 5)
    local dataset = pl.dataset { X = X, T = T }
    assert.same({ 2, 3, 5 }, { dataset.inputs, dataset.targets, dataset.N })
    assert.same({ false, false }, { dataset.has_classes, dataset.has_labels })
    assert.is_true(rawequal(X, dataset.X))
    assert.is_true(rawequal(T, dataset.T))
    assert.is_true(rawequal(dataset, dataset.source))
    assert.is_nil(dataset.classes)
    assert.is_nil(dataset.weights)
  end)

  it("holds inputs and labels", function()
    local dataset = pl.dataset { X = numbered(3), labels = { 3, 1.0, 2 } }
    assert.same({ true, true, 1 }, {
      dataset.has_labels, dataset.has_classes, dataset.targets,
    })
    assert.same({ { 3, 1, 2 } }, dataset.T:totable())
  end)

  it("holds names of the classes, copied", function()
    local names = { "a", "b", "c" }
    local dataset = pl.dataset { X = numbered(3), labels = { 3, 1, 2 }, classes = names }
    names[1] = "z"
    assert.same({ "a", "b", "c" }, dataset.classes)
  end)

  it("takes bytes", function()
    local X = pl.bytes("abcdef", 2, 3, { scale = 1 })
    local dataset = pl.dataset { X = X, labels = { 1, 2, 1 } }
    assert.same({ 2, 3 }, { dataset.inputs, dataset.N })
    assert.is_true(rawequal(X, dataset.X))
  end)

  it("has classes where target columns come with their names", function()
    local dataset = pl.dataset {
      X = numbered(2), T = pl.matrix(2, 2), classes = { "a", "b" },
    }
    assert.same({ true, false }, { dataset.has_classes, dataset.has_labels })
    assert.is_true(pl.dataset({
      X = numbered(2), T = pl.matrix(1, 2), classes = { "a", "b" },
    }).has_classes)
  end)

  it("says what it is", function()
    assert.equal("3 samples of 2 inputs, 3 classes", tostring(pl.dataset {
      X = numbered(3), labels = { 3, 1, 2 }, classes = { "a", "b", "c" },
    }))
    assert.equal("3 samples of 2 inputs, labels",
      tostring(pl.dataset { X = numbered(3), labels = { 3, 1, 2 } }))
    assert.equal("3 samples of 2 inputs, 4 targets, weighted", tostring(pl.dataset {
      X = numbered(3), T = pl.matrix(4, 3), weights = { 1, 2, 3 },
    }))
  end)

  it("refuses sizes that disagree", function()
    at_caller(function() pl.dataset { X = numbered(3), T = pl.matrix(1, 4) } end,
      "X has 3 samples but T has 4")
    at_caller(function() pl.dataset { X = numbered(3), labels = { 1, 2 } } end,
      "X has 3 samples but labels has 2")
    at_caller(function() pl.dataset { X = numbered(3), labels = pl.matrix(2, 3) } end,
      "labels: 1 x N expected, got 2 x 3")
  end)

  it("refuses lists whose metatable says no length", function()
    for _, length in ipairs { -1, "x", 0.5 } do
      local list = setmetatable({ { 1 } }, { __len = function() return length end })
      at_caller(function() pl.dataset { X = list, T = { { 1 } } } end, "X: a list expected, got")
      at_caller(function() pl.dataset { X = { list }, T = { { 1 } } } end, "X: a list expected")
      at_caller(function() pl.dataset { X = { { 1 } }, labels = list } end, "labels: a list")
    end
  end)

  it("reads its tables once: what they answer later changes nothing", function()
    local count = 0
    local row = setmetatable({}, {
      __len = function() return 2 end,
      __index = function()
        count = count + 1
        return count <= 2 and count or "x"
      end,
    })
    assert.same({ { 1, 2 } }, pl.dataset { X = { row }, labels = { 1, 1 } }.X:totable())
  end)

  it("takes no samples but matrices, tables of rows and bytes", function()
    local like_bytes = { gather = function() end, rows = 2, cols = 5 }
    at_caller(function() pl.dataset { X = like_bytes, labels = { 1 } } end,
      "X: numbers expected, got an empty table")
  end)

  it("refuses targets and labels at once, or neither", function()
    at_caller(function() pl.dataset { X = numbered(1) } end,
      "either T or labels expected, got neither")
    at_caller(function()
      pl.dataset { X = numbered(1), T = pl.matrix(1, 1), labels = { 1 } }
    end, "either T or labels expected, got both")
  end)

  it("refuses an unknown field", function()
    at_caller(function() pl.dataset { X = numbered(1), label = { 1 } } end,
      "unknown option 'label' of pl.dataset (known: T, X, classes, labels, schema, "
        .. "target, weights)")
  end)
end)

describe("gather", function()
  local dataset = pl.dataset {
    X = numbered(5), T = { { 1, 2, 3, 4, 5 } }, weights = { 6, 7, 8, 9, 10 },
  }

  it("gives columns of X, T and weights", function()
    local X, T, weights = pl.matrix(2, 2), pl.matrix(1, 2), pl.matrix(1, 2)
    local X_given, T_given = dataset:gather(X, T, { 5, 3, 1 }, 2, weights)
    assert.is_true(rawequal(X, X_given) and rawequal(T, T_given))
    assert.same({ { 30, 10 }, { 31, 11 } }, X:totable())
    assert.same({ { 3, 1 }, { 8, 6 } }, { T:totable()[1], weights:totable()[1] })
  end)

  it("counts the samples of a part within the part", function()
    local part = dataset:split(0.6, pl.generator(1))
    local order = part:order()
    local X, T, weights = pl.matrix(2, 2), pl.matrix(1, 2), pl.matrix(1, 2)
    part:gather(X, T, { 9, 3, 2.0 }, 2, weights)
    for j, n in ipairs { order[3], order[2] } do
      assert.same({ 10 * n, n, n + 5 }, { X:get(1, j), T:get(1, j), weights:get(1, j) })
    end
  end)

  it("refuses what does not fit, and changes nothing then", function()
    local X, T = pl.matrix(2, 2):fill(7), pl.matrix(1, 2):fill(7)
    local part = dataset:split(0.6, pl.generator(1))
    for _, set in ipairs { dataset, part } do
      local function refuses(expected, ...)
        local given = table.pack(...)
        at_caller(function() set:gather(table.unpack(given, 1, given.n)) end, expected)
      end
      local words = " of float32, stored by columns, expected, got "
      refuses("X: a 2 x 2 matrix" .. words .. "a 3 x 2", pl.matrix(3, 2), T, { 1, 2 })
      refuses("got a 2 x 2 matrix of float64", pl.float64.matrix(2, 2), T, { 1, 2 })
      refuses("X: a 2 x 1 matrix" .. words .. "nil", nil, T, {})
      refuses("T: a 1 x 2 matrix" .. words .. "a 1 x 3", X, pl.matrix(1, 3), { 1, 2 })
      refuses("weights: a 1 x 2 matrix", X, T, { 1, 2 }, 1, pl.matrix(2, 2))
      refuses(("samples 1 to %d expected, got 6 as element 2"):format(set.N), X, T,
        { 1, 6 })
      refuses("got nil as element 2", X, T, { 1 })
      refuses("indices: a list of samples expected, got nil", X, T)
    end
    at_caller(function() part:gather(X, T, { 1, 4 }) end,
      "samples 1 to 3 expected, got 4")
    local unweighted = pl.dataset { X = numbered(2), labels = { 1, 2 } }
    at_caller(function() unweighted:gather(X, T, { 1, 2 }, 1, T) end,
      "weights: none expected, as the set has none")
    assert.same({ { 7, 7 }, { 7, 7 } }, X:totable())
    assert.same({ { 7, 7 } }, T:totable())
  end)

  it("refuses matrices that share memory with the set's or each other, and changes nothing then",
    function()
      local X, T, weights = numbered(5), pl.matrix { { 1, 2, 3, 4, 5 } }, pl.matrix(1, 5):fill(6)
      local set = pl.dataset { X = X, T = T, weights = weights }
      local free_X, free_T = pl.matrix(2, 2):fill(7), pl.matrix(1, 2):fill(7)
      local function refuses(letter, ...)
        local given = table.pack(...)
        at_caller(function() set:gather(table.unpack(given, 1, given.n)) end,
          letter .. ": a matrix expected that shares no memory with the others and the set's")
      end
      refuses("X", X:columns(2, 3), free_T, { 1, 2 })
      refuses("X", T:view(1, 2, 2), free_T, { 1, 2 })
      refuses("T", free_X, T:columns(4, 5), { 1, 2 })
      refuses("T", free_X, free_X:view(1, 1, 2), { 1, 2 })
      refuses("weights", free_X, free_T, { 1, 2 }, 1, weights:columns(1, 2))
      assert.is_true(same(numbered(5), X))
      assert.same({ { 1, 2, 3, 4, 5 } }, T:totable())
      assert.same({ { 7, 7 }, { 7, 7 } }, free_X:totable())
    end)
end)

describe("order", function()
  it("fills the table that it is given", function()
    local set, order = pl.dataset { X = numbered(2), labels = { 1, 2 } }, { 5 }
    assert.equal(order, set:order(order))
    assert.same({ 1, 2 }, order)
    for _, wrong in ipairs { 3, "x", false } do
      at_caller(function() set:order(wrong) end, "order: a table expected, got ")
    end
  end)
end)

describe("balanced_weights", function()
  local X = pl.matrix(1, 6)
  local function near(expected, W)
    assert.same({ 1, #expected }, { W.rows, W.cols })
    for n, w in ipairs(expected) do assert.is_true(math.abs(W:get(1, n) - w) < 1e-6) end
  end

  it("let classes count alike: N / (K N_k), as scikit-learn has them", function()
    local set = pl.dataset { X = X, labels = { 1, 2, 2, 2, 3, 3 }, classes = { "a", "b", "c" } }
    local wanted = { 2, 2 / 3, 2 / 3, 2 / 3, 1, 1 }
    near(wanted, set:balanced_weights())
    near(wanted, set:one_hot():balanced_weights())
    local weighted = pl.dataset { X = X, labels = set.T, weights = set:balanced_weights() }
    near({ 4, 4 / 9, 4 / 9, 4 / 9, 1, 1 }, weighted:balanced_weights())
  end)

  it("are of the set's own samples, of the classes that they have", function()
    local set = pl.dataset { X = X, labels = { 1, 2, 2, 2, 4, 4 } }
    local part = set:split(0.7, pl.generator(1))
    local W, counts = part:balanced_weights(), { 0, 0, 0, 0 }
    for n = 1, part.N do
      local label = math.tointeger(part.T:get(1, n))
      counts[label] = counts[label] + W:get(1, n)
    end
    local present = {}
    for label, count in ipairs(counts) do
      if count > 0 then present[#present + 1] = label end
    end
    assert.is_true(#present > 1)
    for _, label in ipairs(present) do
      assert.is_true(math.abs(counts[label] - part.N / #present) < 1e-6)
    end
  end)

  it("are of two classes where there is one target", function()
    local set = pl.dataset { X = X, T = { { 0, 1, 1, 1, 0, 1 } }, classes = { "no", "yes" } }
    near({ 1.5, 0.75, 0.75, 0.75, 1.5, 0.75 }, set:balanced_weights())
  end)

  it("are refused where there are no classes, or weights of single targets", function()
    at_caller(function() pl.dataset({ X = X, T = { { 0, 1, 1, 1, 0, 1 } } }):balanced_weights() end,
      "balanced_weights: a dataset with classes expected")
    local single = pl.dataset { X = X, labels = { 1, 2, 2, 2, 1, 1 },
      weights = { { 1, 1, 1, 1, 1, 1 }, { 1, 1, 1, 1, 1, 1 } } }
    at_caller(function() single:balanced_weights() end,
      "balanced_weights: weights of samples expected where there are some, got a 2 x 6 matrix")
  end)
end)

describe("one_hot", function()
  it("gives target columns in place of labels", function()
    local dataset = pl.dataset {
      X = numbered(3), labels = { 3, 1, 2 }, classes = { "a", "b", "c" },
      weights = { 1, 2, 3 },
    }
    local one_hot = dataset:one_hot()
    assert.same({ { 0, 1, 0 }, { 0, 0, 1 }, { 1, 0, 0 } }, one_hot.T:totable())
    assert.same({ true, false, 3 }, {
      one_hot.has_classes, one_hot.has_labels, one_hot.targets,
    })
    assert.same({ "a", "b", "c" }, one_hot.classes)
    assert.same({ { 1, 2, 3 } }, one_hot.weights:totable())
    assert.same({ { 3, 1, 2 } }, dataset.T:totable())
  end)

  it("has as many targets as there are names, else labels, else as asked", function()
    local X = numbered(2)
    local classes = { "a", "b", "c", "d" }
    local named = pl.dataset { X = X, labels = { 1, 2 }, classes = classes }
    assert.equal(4, named:one_hot().T.rows)
    assert.equal(2, pl.dataset({ X = X, labels = { 1, 2 } }):one_hot().T.rows)
    assert.equal(5, pl.dataset({ X = X, labels = { 1, 2 } }):one_hot(5.0).T.rows)
  end)

  it("leaves target columns as they are", function()
    local dataset = pl.dataset { X = numbered(2), T = pl.matrix(3, 2) }
    assert.is_true(rawequal(dataset, dataset:one_hot()))
    local named = pl.dataset {
      X = numbered(2), T = pl.matrix(1, 2), classes = { "a", "b" },
    }
    assert.is_true(rawequal(named, named:one_hot()))
  end)

  it("keeps the element type and the parts", function()
    local dataset = pl.dataset { X = numbered(10, pl.float64), labels = labels_of(10, 3) }
    local part = dataset:split(0.3, pl.generator(1)):one_hot()
    assert.equal(3, part.N)
    assert.equal("float64", part.T.dtype)
    for k, x in ipairs(columns(part.X)) do
      local expected = { 0, 0, 0 }
      expected[1 + x[1] // 10 % 3 | 0] = 1
      assert.same(expected, columns(part.T)[k])
    end
  end)

  it("of a part has a target for each class of the whole", function()
    local one, other = pl.dataset({ X = numbered(2), labels = { 1, 2 } })
      :split(0.5, pl.generator(1))
    assert.same({ 2, 2 }, { one:one_hot().targets, other:one_hot().T.rows })
  end)

  it("refuses fewer outputs than classes", function()
    local dataset = pl.dataset { X = numbered(2), labels = { 1, 3 } }
    at_caller(function() dataset:one_hot(2) end,
      "outputs: one for each class expected, got 2, and label 3 for sample 2")
    at_caller(function() dataset:one_hot(0) end,
      "outputs: a whole number of 1 or more expected, got 0")
  end)

  it("refuses labels that have become none since the set was made", function()
    local labels = pl.matrix { { 1, 2 } }
    local dataset = pl.dataset { X = numbered(2), labels = labels }
    for wrong, shown in pairs { [2 ^ 90] = "1.2379400392854e+27", [-3] = "-3", [1.5] = "1.5" } do
      labels:set(1, 2, wrong)
      local expected = ("%s for sample 2"):format(shown)
      at_caller(function() dataset:one_hot(3) end, expected)
      if wrong ~= 1.5 then at_caller(function() dataset:for_outputs(2) end, expected) end
    end
    labels:set(1, 2, 0 / 0)
    at_caller(function() dataset:one_hot() end, "outputs: a whole number of 1 or more expected")
    at_caller(function() dataset:for_outputs(3) end, "got NaN for sample 2")
  end)

  it("refuses more outputs than a matrix can hold", function()
    local dataset = pl.dataset { X = numbered(2), labels = { 1, 2 } }
    for _, outputs in ipairs { 1 << 31, math.maxinteger } do
      at_caller(function() dataset:one_hot(outputs) end,
        ("outputs: at most 1073741823 expected for 2 samples, got %d"):format(outputs))
    end
  end)
end)

describe("for_outputs", function()
  it("gives the set itself for targets, and for an output for each class", function()
    local targets = pl.dataset { X = numbered(3), T = pl.matrix(1, 3) }
    assert.is_true(rawequal(targets, targets:for_outputs(1)))
    assert.is_true(rawequal(targets, targets:for_outputs(5)))
    local labels = pl.dataset { X = numbered(3), labels = { 3, 1, 2 } }
    assert.is_true(rawequal(labels, labels:for_outputs(3)))
    assert.is_true(rawequal(labels, labels:for_outputs(4)))
  end)

  it("gives targets of 0 and 1 for one output, 1 for the second class", function()
    local dataset = pl.dataset {
      X = numbered(3), labels = { "dog", "cat", "dog" }, classes = { "cat", "dog" },
      weights = { 1, 2, 3 },
    }
    local binary = dataset:for_outputs(1)
    assert.same({ { 1, 0, 1 } }, binary.T:totable())
    assert.same({ true, false }, { binary.has_classes, binary.has_labels })
    assert.same({ "cat", "dog" }, binary.classes)
    assert.same({ { 1, 2, 3 } }, binary.weights:totable())
    assert.is_true(rawequal(binary, binary:for_outputs(1)))
    assert.same({ { 2, 1, 2 } }, dataset.T:totable())
  end)

  it("of a part counts the labels of the part alone", function()
    local dataset = pl.dataset { X = numbered(3), labels = { 1, 3, 2 } }
    local one, rest = dataset:split(0.4, pl.generator(2))
    local order = one:order()
    local with, without = one, rest
    if order[1] ~= 2 then with, without = rest, one end
    local T = columns(without:for_outputs(1).T)
    for k, n in ipairs(without:order()) do assert.same({ n == 3 and 1 or 0 }, T[k]) end
    at_caller(function() local _ = with:for_outputs(1) end, "got 3 for sample")
  end)

  it("refuses labels that the outputs cannot tell apart", function()
    local dataset = pl.dataset { X = numbered(3), labels = { 1, 2, 4 } }
    at_caller(function() local _ = dataset:for_outputs(1) end,
      "labels 1 to 2 expected for one output, which tells two classes apart, got 4 for "
      .. "sample 3: more classes need an output each")
    at_caller(function() local _ = dataset:for_outputs(3) end,
      "labels 1 to 3 expected, one for each output, got 4 for sample 3")
    at_caller(function() local _ = dataset:for_outputs(0) end,
      "outputs: a whole number of 1 or more expected, got 0")
  end)

  it("refuses weights of targets that one output does not have", function()
    local dataset = pl.dataset {
      X = numbered(2), labels = { 1, 2 }, weights = pl.matrix(2, 2),
    }
    at_caller(function() local _ = dataset:for_outputs(1) end,
      "weights: 1 x N expected for one output, got 2 x N")
  end)
end)

-- A part beside a set made of the very samples that it chose
for _, kind in ipairs { "labels", "targets", "bytes", "float64" } do
  describe("a part of a set of " .. kind, function()
    local N = 40
    local core = kind == "float64" and pl.float64 or pl.float32
    local X = kind == "bytes" and pl.bytes(("perilune"):rep(2 * N), 2, N)
      or core.generator(1):normal(core.matrix(2, N))
    local T = kind == "targets" and core.generator(2):uniform(core.matrix(3, N)) or nil
    local weights = core.generator(3):uniform(core.matrix(1, N))
    local labels = labels_of(N, 3)
    local dataset = pl.dataset {
      X = X, T = T, labels = not T and labels or nil, weights = weights,
      classes = { "a", "b", "c" },
    }
    local part = dataset:split(0.4, pl.generator(4))

    -- The chosen columns, one by one
    local function chosen(M)
      if not M then return nil end
      local few = core.matrix(M.rows, part.N)
      for j, n in ipairs(part:order()) do
        for i = 1, M.rows do few:set(i, j, M:get(i, n)) end
      end
      return few
    end
    local chosen_labels = {}
    for j, n in ipairs(part:order()) do chosen_labels[j] = labels[n] end
    local alone = pl.dataset {
      X = chosen(kind == "bytes" and X:columns(1, N) or X), T = chosen(T),
      labels = not T and chosen_labels or nil, weights = chosen(weights),
      classes = { "a", "b", "c" },
    }

    it("has the fields of a set of its own", function()
      for _, field in ipairs { "N", "inputs", "targets", "has_labels", "has_classes" } do
        assert.equal(alone[field], part[field])
      end
      assert.same(alone.classes, part.classes)
      assert.equal(tostring(alone), tostring(part))
      assert.same(alone:columns(), part:columns())
      assert.is_true(same(alone.T, part.T))
      assert.is_true(same(alone.weights, part.weights))
      assert.is_true(rawequal(part.T, part.T))
      local samples = kind == "bytes" and part.X:columns(1, part.N) or part.X
      assert.is_true(same(alone.X, samples))
    end)

    it("is gathered like a set of its own", function()
      local function gathered(set)
        local A, B, C = core.matrix(2, 3), core.matrix(set.targets, 3), core.matrix(1, 3)
        set:gather(A, B, { 7, 1, 16 }, 1, C)
        return { A:totable(), B:totable(), C:totable() }
      end
      assert.same(gathered(alone), gathered(part))
    end)

    it("is converted, split and made target columns like a set of its own", function()
      local function forms(set)
        local one, other = set:split(0.5, pl.generator(5))
        return {
          set:to "float64", set:to "float32", one, other, set:one_hot(), one:one_hot(4),
          other:for_outputs(3), one:to("float64"):split(0.3, pl.generator(6)),
        }
      end
      local expected = forms(alone)
      for k, set in ipairs(forms(part)) do
        assert.equal(tostring(expected[k]), tostring(set))
        assert.is_true(same(expected[k].T, set.T))
        assert.is_true(same(expected[k].weights, set.weights))
        local A, B = expected[k].X, set.X
        if kind == "bytes" then B = B:columns(1, set.N, A.dtype) end
        local distance = (A - B):norm()
        assert.is_true(distance == 0 or (kind == "bytes" and distance < 1e-6))
      end
    end)

    it("is given in batches like a set of its own", function()
      local function batches(set)
        local given = {}
        local order = { batch = 5, generator = pl.generator(7) }
        for A, B, C in pl.batches(set, order) do
          given[#given + 1] = { A:totable(), B:totable(), C:totable() }
        end
        return given
      end
      assert.same(batches(alone), batches(part))
    end)

    it("is predicted and evaluated like a set of its own", function()
      local net = pl.network({ inputs = 2, pl.dense(4, "tanh"), pl.dense(3) },
        { dtype = core.name })
      assert.is_true(same(net:predict(alone.X), net:predict(part.X)))
      assert.same(pl.evaluate(net, alone), pl.evaluate(net, part))
    end)

    it("has the checksum of a set of its own", function()
      assert.equal(alone:checksum(), part:checksum())
      assert.not_equal(dataset:checksum(), part:checksum())
    end)
  end)
end

describe("to", function()
  it("converts inputs, targets and weights", function()
    local dataset = pl.dataset {
      X = numbered(3), T = pl.matrix(1, 3):fill(2), weights = { 1, 2, 3 },
    }
    local double = dataset:to "float64"
    for _, letter in ipairs { "X", "T", "weights" } do
      assert.equal("float64", double[letter].dtype)
      assert.same(dataset[letter]:totable(), double[letter]:totable())
      assert.equal("float32", dataset[letter].dtype)
    end
  end)

  it("gives the set itself where nothing is to be converted", function()
    local dataset = pl.dataset { X = numbered(3), T = pl.matrix(1, 3) }
    assert.is_true(rawequal(dataset, dataset:to "float32"))
  end)

  it("converts what is of another type than the rest", function()
    local dataset = pl.dataset {
      X = numbered(2), T = pl.float64.matrix(1, 2), weights = pl.float64.matrix(1, 2),
    }
    local single = dataset:to "float32"
    assert.is_true(rawequal(dataset.X, single.X))
    assert.same({ "float32", "float32" }, { single.T.dtype, single.weights.dtype })
  end)

  it("leaves bytes as they are", function()
    local dataset = pl.dataset { X = pl.bytes("abcdef", 2, 3), labels = { 1, 2, 1 } }
    local double = dataset:to "float64"
    assert.is_true(rawequal(dataset.X, double.X))
    assert.equal("float64", double.T.dtype)
    assert.is_true(double.has_labels)
  end)

  it("refuses an unknown type", function()
    local dataset = pl.dataset { X = numbered(3), T = pl.matrix(1, 3) }
    at_caller(function() dataset:to "float16" end,
      'dtype: "float32" or "float64" expected, got "float16"')
  end)
end)

describe("chunks", function()
  it("are all columns in order, few at a time", function()
    local rows, N = 3000, 50 -- 150000 elements
    local X = pl.matrix(rows, N)
    for n = 1, N do X:columns(n, n):fill(n) end
    local dataset = pl.dataset { X = X, T = pl.matrix(1, N) }
    for _, set in ipairs { dataset, (dataset:split(0.8, pl.generator(1))) } do
      local order, next_first = set:order(), 1
      for first, M in set:chunks "X" do
        assert.equal(next_first, first)
        assert.is_true(M.rows == rows and M.cols < N)
        for j = 1, M.cols do assert.equal(order[first + j - 1], M:get(rows, j)) end
        next_first = first + M.cols
      end
      assert.equal(set.N + 1, next_first)
    end
  end)

  it("are of X, T or weights that are there", function()
    local set = pl.dataset { X = numbered(2), labels = { 1, 2 } }
    at_caller(function() set:chunks "weights" end, "weights: the set has none")
    for _, wrong in ipairs { "Y", 1, {} } do
      at_caller(function() set:chunks(wrong) end,
        'letter: "X" or "T" or "weights" expected, got ')
    end
  end)
end)

describe("find_nonfinite", function()
  local function set_of(X, T, weights)
    return pl.dataset { X = X, T = T or pl.matrix(2, X.cols), weights = weights }
  end

  it("finds nothing where all is finite", function()
    assert.is_nil(set_of(numbered(4)):find_nonfinite())
    local bytes = pl.dataset { X = pl.bytes("abcd", 2, 2), labels = { 1, 2 } }
    assert.is_nil(bytes:find_nonfinite())
  end)

  it("finds the first NaN or infinity of X, then of T", function()
    local X, T = numbered(40000), pl.matrix(2, 40000)
    T:set(2, 3, 0 / 0)
    assert.same({ "T", 2, 3 }, { set_of(X, T):find_nonfinite() })
    X:set(1, 39999, -math.huge)
    assert.same({ "X", 1, 39999 }, { set_of(X, T):find_nonfinite() })
    X:set(2, 39998, 0 / 0)
    assert.same({ "X", 2, 39998 }, { set_of(X, T):find_nonfinite() })
  end)

  it("counts the samples of a part within it, and looks at no others", function()
    local X = numbered(20)
    X:set(2, 7, 0 / 0)
    local one, other = set_of(X):split(0.5, pl.generator(1))
    local found = 0
    for _, part in ipairs { one, other } do
      local letter, row, n = part:find_nonfinite()
      if letter then
        assert.same({ "X", 2, 7 }, { letter, row, part:order()[n] })
        found = found + 1
      end
    end
    assert.equal(1, found)
  end)

  it("leaves out targets whose weight is 0", function()
    local T = pl.matrix { { 1, 0 / 0, 3 }, { 0 / 0, 0 / 0, 6 } }
    assert.same({ "T", 2, 1 }, { set_of(numbered(3), T):find_nonfinite() })
    assert.same({ "T", 1, 2 }, { set_of(numbered(3), T, { 0, 1, 1 }):find_nonfinite() })
    assert.is_nil(set_of(numbered(3), T, { 0, 0, 1 }):find_nonfinite())
    local masks = { { 1, 0, 1 }, { 0, 0, 1 } }
    assert.is_nil(set_of(numbered(3), T, masks):find_nonfinite())
    masks[2][2] = 0.5
    assert.same({ "T", 2, 2 }, { set_of(numbered(3), T, masks):find_nonfinite() })
  end)

  it("leaves no input out", function()
    local X = numbered(2)
    X:set(1, 1, 0 / 0)
    assert.same({ "X", 1, 1 }, { set_of(X, nil, { 0, 1 }):find_nonfinite() })
  end)
end)
