local at_caller = require("spec.support.misuse").at_caller
local checkpoint = require "perilune.store.checkpoint"
local pl = require "perilune"

describe("a checkpoint", function()
  local path = os.tmpname()
  teardown(function() os.remove(path) end)

  local run = { options = { batch = 4, schedule = { "step", every = 2 } }, data = { samples = 3 } }

  it("gives the state back to the same run", function()
    local state = {
      epoch = 3, rate = 0.1, history = { { loss = 1 }, { loss = 0.5 } }, W = pl.matrix { { 1, 2 } },
    }
    assert(checkpoint.save(path, run, state))
    local again = assert(checkpoint.load(path, run))
    assert.same({ { 1, 2 } }, again.W:totable())
    again.W, state.W = nil, nil
    assert.same(state, again)
  end)

  it("gives a message to another run, which says what is not the same", function()
    assert(checkpoint.save(path, run, {}))
    for expected, other in pairs {
      ["options.batch is 4 in the file and 5 here"] = { options = { batch = 5,
        schedule = { "step", every = 2 } }, data = { samples = 3 } },
      ["options.schedule.1 is \"step\" in the file and \"cosine\" here"] = { options = {
        batch = 4, schedule = { "cosine" } }, data = { samples = 3 } },
      ["options.schedule.every is 2 in the file and nil here"] = { options = { batch = 4,
        schedule = { "step" } }, data = { samples = 3 } },
      ["data is a table in the file and nil here"] = { options = run.options },
      ["seed is nil in the file and 1 here"] = { options = run.options, data = run.data,
        seed = 1 },
    } do
      local state, message = checkpoint.load(path, other)
      assert.is_nil(state)
      assert.equal(path .. ": the state of another run: " .. expected, message)
    end
  end)

  it("of what is neither plain data nor a matrix raises, and leaves the file alone", function()
    assert(checkpoint.save(path, run, { epoch = 1 }))
    for _, wrong in ipairs { print, io.stdout, setmetatable({}, {}), pl.generator() } do
      at_caller(function() checkpoint.save(path, run, { optimizer = { mine = wrong } }) end,
        "the training cannot be saved: state.optimizer.mine: a ")
    end
    assert.same({ epoch = 1 }, checkpoint.load(path, run))
  end)

  it("is no model, and a model is none", function()
    local net = pl.network { inputs = 1, pl.dense(1) }
    assert(net:save(path))
    local state, message = checkpoint.load(path, run)
    assert.is_nil(state)
    assert.is_truthy(message:find("not a training state of Perilune's", 1, true))
    assert(checkpoint.save(path, run, {}))
    net, message = pl.load(path)
    assert.is_nil(net)
    assert.is_truthy(message:find("not a model file of Perilune's", 1, true))
  end)
end)
