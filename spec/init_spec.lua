local child = require "spec.support.child"
local pl = require "perilune"

local function assert_has(kind, value, names)
  for name in names:gmatch "%S+" do
    assert(type(value[name]) == kind, ("%s expected as %s"):format(kind, name))
  end
end

describe("the public table", function()
  it("has the functions that scripts and hosts rely on", function()
    assert_has("function", pl, [[
      matrix generator threads network dense dropout batch_norm layer_norm prelu residual branch
      adadelta adagrad adam adamax adamw amsgrad irprop_minus lbfgs levenberg_marquardt lion
      momentum muon nadam nesterov rmsprop rprop rprop_minus rprop_plus scg sgd
      dataset bytes batches trainer fit evaluate gradient_check lsuv load residuals
    ]])
    assert_has("function", pl.data, "csv idx mnist digits npy npz fann libsvm chunked proben1")
    assert_has("function", pl.data.write, "npy npz fann idx")
    assert_has("function", pl.metrics, "confusion meter report total_weight")
    assert.matches("^%d+%.%d+%.%d+$", pl.version)
  end)

  it("has the parts that can be described, by their names", function()
    for family, names in pairs {
      activation = "identity relu sigmoid softmax softsign tanh",
      initializer = "constant glorot he identity lecun normal orthogonal sparse "
        .. "truncated_normal uniform zeros",
      loss = [[
        squared_error mean_squared_error mean_absolute_error huber smooth_l1 log_cosh quantile
        poisson gaussian_nll cosine kl_divergence softmax_cross_entropy multi_margin
        binary_cross_entropy sigmoid_cross_entropy focal hinge squared_hinge
      ]],
      optimizer = "adadelta adagrad adam adamax adamw amsgrad irprop_minus lion momentum muon "
        .. "nadam nesterov rmsprop rprop rprop_minus rprop_plus sgd lbfgs scg levenberg_marquardt",
      metric = "accuracy top_k precision recall f1 roc_auc average_precision log_loss brier r2",
      schedule = "constant step exponential cosine warm_up",
    } do
      for name in names:gmatch "%S+" do
        assert.equal(name, pl[family][name].name)
        assert.equal(name, pl[family](name).name)
        assert.equal(name, pl[family]({ name }).name)
      end
    end
  end)

  it("has both cores, float32 being the one meant unless said", function()
    for _, name in ipairs { "float32", "float64" } do
      local core = pl[name]
      assert.equal(name, core.name)
      assert_has("function", core, [[
        matrix decode generator threads add subtract hadamard divide maximum minimum
        abs exp log sign sqrt square tanh accumulate product sum_columns sum_rows
        count_equal affine_forward affine_gradients affine_backward dense_forward
        dense_gradients prelu_forward prelu_backward activation log_sum_exp
        squared_error mean_squared_error
        mean_absolute_error huber smooth_l1 log_cosh quantile poisson gaussian_nll cosine
        kl_divergence softmax_cross_entropy multi_margin binary_cross_entropy
        sigmoid_cross_entropy focal hinge squared_hinge sgd_update
        momentum_update lion_update adam_update amsgrad_update adamax_update nadam_update
        adagrad_update adadelta_update rmsprop_update rprop_update rprop_minus_update
        rprop_plus_update gather gather_bytes octets
      ]])
      assert_has("table", core.activations, [[
        elu exponential gelu hard_sigmoid hard_tanh identity leaky_relu log_softmax mish relu
        selu sigmoid silu softmax softplus softsign tanh
      ]])
      assert.equal(name, core.matrix(1, 1).dtype)
    end
    assert.equal("float32", pl.matrix(1, 1).dtype)
    assert.equal(pl.float32.matrix, pl.matrix)
  end)

  it("has matrices with the methods of the documentation", function()
    local M = pl.matrix(2, 3)
    assert_has("function", M, [[
      get set shape columns view copy transpose to totable hadamard map fill assign sum
      norm max min is_finite argmax encode
    ]])
    assert.same({ 2, 3, "float32", "columns" }, { M.rows, M.cols, M.dtype, M.order })
  end)

  it("has networks with the methods and fields of the documentation", function()
    local network = pl.network({ inputs = 2, pl.dense(3, "relu"), pl.dense(1) },
      { seed = 1 })
    assert_has("function", network, [[
      forward backward predict classify parameters tensors parameter_count state
      restore check_state clone describe save
    ]])
    local A = network:forward(pl.matrix(2, 4))
    local _, Delta = pl.loss.squared_error(A, pl.matrix(1, 4))
    network:backward(Delta)
    assert_has("userdata", network.layers[1], "W b Z A H dJ_dW dJ_db")
  end)

  it("does everything in the documentation's own lines", function()
    local X = pl.matrix(3, 2)
    local Y = pl.matrix { { 1, 2 }, { 3, 4 }, { 5, 6 } }
    assert.same({ { 0, 0 }, { 0, 0 }, { 0, 0 } }, X:totable())
    local b = pl.matrix { { 1 }, { 1 }, { 1 } }
    assert.same({ { 2, 3 }, { 4, 5 }, { 6, 7 } }, (Y + b):totable())
    assert.same({ { 2, 4 }, { 6, 8 }, { 10, 12 } }, (2 * Y):totable())
    assert.same({ { 0.5, 1 }, { 1.5, 2 }, { 2.5, 3 } }, (Y / 2):totable())
    assert.same({ { -1, -2 }, { -3, -4 }, { -5, -6 } }, (-Y):totable())
    assert.same({ { 1, 2 }, { 3, 4 }, { 5, 6 } }, (Y - X):totable())
    assert.same({ { 5, 11, 17 } }, (pl.matrix { { 1, 2 } } * Y:transpose()):totable())
    assert.equal("float64", X:to("float64").dtype)
  end)

  it("loads whatever needs libraries only when it is used", function()
    child.run [[
      local pl = require "perilune"
      local needed = { pl.load, pl.data.idx, pl.data.mnist, pl.data.digits }
      assert(#needed == 4)
      for _, name in ipairs { "zlib", "lfs", "dkjson" } do
        assert(not package.loaded[name], name)
      end
    ]]
  end)
end)

describe("requiring perilune", function()
  it("makes no globals and changes none", function()
    assert.equal("", child.run [[
      local function contents(t, prefix, seen, into)
        for key, value in pairs(t) do
          local name = prefix .. tostring(key)
          into[name] = value
          if type(value) == "table" and not seen[value] and value ~= package.loaded then
            seen[value] = true
            contents(value, name .. ".", seen, into)
          end
        end
        return into
      end
      local before = contents(_G, "", { [_G] = true }, {})
      local pl = require "perilune"
      local net = pl.network { inputs = 2, pl.dense(3), pl.dropout(0.5), pl.dense(2) }
      pl.fit(net, pl.dataset { X = pl.matrix(2, 4), labels = { 1, 2, 1, 2 } },
        { loss = "softmax_cross_entropy", epochs = 2 })
      local after = contents(_G, "", { [_G] = true }, {})
      for name, value in pairs(after) do
        if before[name] ~= value then print(name) end
      end
      for name in pairs(before) do
        if after[name] == nil then print(name) end
      end
      assert(getmetatable(_G) == nil and getmetatable("").__index == string)
    ]])
  end)

  it("needs no library but its own, to train and to predict", function()
    assert.equal("0.1.0\n", child.run [[
      for _, name in ipairs { "zlib", "lfs", "dkjson", "argparse", "socket", "posix" } do
        package.preload[name] = function() error(name .. " was loaded") end
      end
      local pl = require "perilune"
      local net = pl.network { inputs = 2, pl.dense(3, "tanh"), pl.dense(2) }
      pl.fit(net, pl.dataset { X = pl.matrix(2, 4), labels = { 1, 2, 1, 2 } },
        { loss = "softmax_cross_entropy", epochs = 2 })
      net:predict(pl.bytes("abcd", 2, 2))
      print(pl.version)
    ]])
  end)

  it("touches neither Lua's random generator nor its standard streams", function()
    assert.equal("", child.run [[
      math.randomseed(42)
      local expected = { math.random(0), math.random(0) }
      math.randomseed(42)
      assert(math.random(0) == expected[1])
      local pl = require "perilune"
      local net = pl.network { inputs = 2, pl.dense(3), pl.dropout(0.5), pl.dense(2) }
      net:forward(pl.matrix(2, 2))
      assert(math.random(0) == expected[2])
    ]])
  end)

  it("says which Lua it needs under another version", function()
    for _, version in ipairs { "Lua 5.1", "Lua 5.3", "Lua 5.6" } do
      assert.equal(("Perilune needs Lua 5.4 or 5.5, and this is %s: run it with lua5.4\n")
        :format(version), child.run(([[
          _VERSION = "%s"
          print(select(2, pcall(require, "perilune")))
        ]]):format(version)))
    end
  end)

  -- Nothing is said if the file that asks does not parse.
  it("says so where newer syntax is an error", function()
    local older = child.older()
    if #older == 0 then return pending("no older Lua is here") end
    for _, lua in ipairs(older) do
      assert.matches("^Perilune needs Lua 5%.4 or 5%.5, and this is Lua 5%.[123]: run it",
        (child.shell(("LUA_PATH=%s %s -e %s"):format(child.quote(package.path), lua,
          child.quote "print(select(2, pcall(require, 'perilune')))"))))
    end
  end)

  it("gives the same table each time", function()
    assert.equal(pl, require "perilune")
  end)
end)
