-- The dense layer in one call each way, (1.4), (4.1), (4.2), against loops and its parts:
-- src/dense.c.

local naive = require "spec.support.naive"

local near, random, refuses = naive.near, naive.random, naive.refuses

-- S_l, S_(l-1), N
local shapes = {
  { 1, 1, 1 }, { 1, 7, 5 }, { 5, 1, 7 }, { 5, 7, 1 }, { 16, 16, 16 }, { 33, 7, 129 },
  { 7, 129, 33 }, { 129, 33, 7 },
}
-- cut into blocks, whose rows are parts of the columns of Z or whole ones
local large = { { 300, 200, 60 }, { 60, 200, 300 }, { 700, 800, 1 } }
local orders = { "columns", "rows" }

-- What a result held before must not matter, not even NaN.
local function stale(core, rows, cols, order)
  return core.matrix(rows, cols, order):fill(naive.nan)
end

for _, name in ipairs(naive.types) do
  local core = require("perilune.core." .. name)
  local other = require("perilune.core." .. naive.other[name])
  local tolerance = naive.tolerance[name]

  local function operands(shape, order)
    local outputs, inputs, N = table.unpack(shape)
    return random(core, 1, outputs, inputs, order), random(core, 2, inputs, N),
      random(core, 3, outputs, 1)
  end

  describe("the dense layer in " .. name, function()
    for _, shape in ipairs(shapes) do
      local outputs, inputs, N = table.unpack(shape)
      local title = (" for W %d x %d and %d samples"):format(outputs, inputs, N)

      it("computes A = sigma(W A_below + b) (1.4)" .. title, function()
        for _, order in ipairs(orders) do
          local W, A_below, b = operands(shape, order)
          for _, bias in ipairs { b, false } do
            local expected = naive.affine(W:totable(), A_below:totable(),
              bias and b:totable() or naive.fill(outputs, 1, 0))
            for _, activation in ipairs(naive.activations) do
              local handle = core.activations[activation].handle
              local Z, A = stale(core, outputs, N), stale(core, outputs, N)
              assert.equal(A, core.dense_forward(A, Z, W, A_below, bias or nil, handle))
              near(Z, expected, tolerance)
              near(A, naive.activate(activation, Z:totable()), tolerance)
              -- without keeping Z
              near(core.dense_forward(Z, Z, W, A_below, bias or nil, handle),
                A:totable(), 0)
            end
          end
        end
      end)

      it("computes H (4.2) and its gradients (4.1)" .. title, function()
        for _, order in ipairs(orders) do
          local _, A_below = operands(shape)
          local Delta, Z = random(core, 5, outputs, N), random(core, 6, outputs, N)
          for _, activation in ipairs(naive.activations) do
            local sigma = core.activations[activation]
            local A = sigma.forward(stale(core, outputs, N), Z)
            local wanted_H = sigma.backward(stale(core, outputs, N), Delta, Z, A)
            local wanted = stale(core, outputs, inputs, order)
            local wanted_db = stale(core, outputs, 1)
            core.affine_gradients(wanted, wanted_db, wanted_H, A_below)
            local copy = Delta:copy()
            for _, pair in ipairs {
              { stale(core, outputs, N), Delta }, { copy, copy }, -- H in place of Delta, too
            } do
              local H, given = table.unpack(pair)
              local dJ_dW = stale(core, outputs, inputs, order)
              local dJ_db = stale(core, outputs, 1)
              assert.equal(dJ_dW, core.dense_gradients(dJ_dW, dJ_db, H, A_below, given, Z,
                A, sigma.handle))
              near(H, wanted_H:totable(), 0)
              near(dJ_dW, wanted:totable(), 0)
              near(dJ_db, wanted_db:totable(), 0)
            end
          end
        end
      end)

      it("adds to the gradients, and does without dJ/db" .. title, function()
        local _, A_below = operands(shape)
        local Delta, Z = random(core, 5, outputs, N), random(core, 6, outputs, N)
        local sigma = core.activations.tanh
        local A = sigma.forward(core.matrix(outputs, N), Z)
        local h = naive.backward("tanh", Delta:totable(), Z:totable())
        local product = naive.product(h, A_below:totable(), "NT")
        local function plus(a, b) return a + b end
        for _, order in ipairs(orders) do
          local H, dJ_db = stale(core, outputs, N), random(core, 8, outputs, 1)
          local dJ_dW = random(core, 7, outputs, inputs, order)
          local sum = naive.zip(plus, dJ_dW:totable(), product)
          local sum_db = naive.zip(plus, dJ_db:totable(), naive.sum_columns(h))
          core.dense_gradients(dJ_dW, dJ_db, H, A_below, Delta, Z, A, sigma.handle, true)
          near(H, h, tolerance)
          near(dJ_dW, sum, tolerance)
          near(dJ_db, sum_db, tolerance)
          core.dense_gradients(dJ_dW, nil, H, A_below, Delta, Z, A, sigma.handle)
          near(dJ_dW, product, tolerance)
        end
      end)
    end

    it("is the affine map and sigma where the work is cut into blocks", function()
      for _, shape in ipairs(large) do
        local outputs, inputs, N = table.unpack(shape)
        for _, order in ipairs(orders) do
          local W, A_below, b = operands(shape, order)
          local Z = core.affine_forward(stale(core, outputs, N), W, A_below, b)
          local Delta = random(core, 5, outputs, N)
          for _, activation in ipairs { "relu", "softmax" } do
            local sigma = core.activations[activation]
            local again, A = stale(core, outputs, N), stale(core, outputs, N)
            core.dense_forward(A, again, W, A_below, b, sigma.handle)
            near(again, Z:totable(), 0)
            near(A, sigma.forward(core.matrix(outputs, N), Z):totable(), 0)
            local H, dJ_db = stale(core, outputs, N), stale(core, outputs, 1)
            local dJ_dW = stale(core, outputs, inputs, order)
            core.dense_gradients(dJ_dW, dJ_db, H, A_below, Delta, Z, A, sigma.handle)
            near(H, sigma.backward(core.matrix(outputs, N), Delta, Z, A):totable(), 0)
            near(dJ_db, core.sum_columns(core.matrix(outputs, 1), H):totable(),
              10 * tolerance)
            near(dJ_dW, core.product(core.matrix(outputs, inputs, order), H, A_below,
              "NT"):totable(), 0)
          end
        end
      end
    end)

    it("gives the same bits whatever the number of threads", function()
      local shape = { 150, 170, 190 }
      local W, A_below, b = operands(shape, "rows")
      local Delta = random(core, 5, 150, 190)
      local function all(handle)
        local Z, A = core.matrix(150, 190), core.matrix(150, 190)
        local H = core.matrix(150, 190)
        local dJ_dW, dJ_db = core.matrix(150, 170, "rows"), core.matrix(150, 1)
        core.dense_forward(A, Z, W, A_below, b, handle)
        core.dense_gradients(dJ_dW, dJ_db, H, A_below, Delta, Z, A, handle)
        local results = {}
        for k, M in ipairs { A, Z, H, dJ_dW, dJ_db } do results[k] = M:encode(name) end
        return results
      end
      local before = core.threads()
      finally(function() core.threads(before) end)
      for _, activation in ipairs(naive.activations) do
        local handle = core.activations[activation].handle
        core.threads(1)
        local one = all(handle)
        core.threads(3)
        assert.same(one, all(handle))
      end
    end)

    it("names the shape it expected and the one it got, and writes nothing", function()
      local handle = core.activations.relu.handle
      local W, A_below, b = operands { 3, 4, 5 }
      local A, Z = random(core, 4, 3, 5), random(core, 5, 3, 5)
      for _, M in ipairs { A, Z } do
        refuses(M, "#4 to 'dense_forward' %(4 x 6 matrix expected, got 5 x 6%)",
          function() core.dense_forward(A, Z, W, core.matrix(5, 6), b, handle) end)
        refuses(M, "#5 to 'dense_forward' %(3 x 1 matrix expected, got 1 x 3%)",
          function() core.dense_forward(A, Z, W, A_below, core.matrix(1, 3), handle) end)
        refuses(M, "#1 to 'dense_forward' %(3 x 5 matrix expected, got 3 x 4%)",
          function()
            core.dense_forward(core.matrix(3, 4), Z, W, A_below, b, handle)
          end)
        refuses(M, "#1 .*matrix stored by columns expected, got one stored by rows",
          function() core.dense_forward(A:copy("rows"), Z, W, A_below, b, handle) end)
        refuses(M, "#5 to 'dense_forward' .*got no value",
          function() core.dense_forward(A, Z, W, A_below) end)
      end
      local gradients, dJ_db = core.dense_gradients, random(core, 6, 3, 1)
      local Delta, H = random(core, 7, 3, 5), random(core, 8, 3, 5)
      for _, M in ipairs { W, dJ_db, H } do
        refuses(M, "#5 to 'gradients' %(3 x 5 matrix expected, got 3 x 4%)",
          function()
            gradients(W, dJ_db, H, A_below, Delta:columns(1, 4), Z, A, handle)
          end)
        refuses(M, "#7 .*matrix stored by columns expected, got one stored by rows",
          function()
            gradients(W, dJ_db, H, A_below, Delta, Z, A:copy("rows"), handle)
          end)
        refuses(M, "#4 to 'gradients' %(4 x 5 matrix expected, got 4 x 6%)",
          function() gradients(W, dJ_db, H, core.matrix(4, 6), Delta, Z, A, handle) end)
        refuses(M, "#2 to 'gradients' %(3 x 1 matrix expected, got 4 x 1%)",
          function() gradients(W, core.matrix(4, 1), H, A_below, Delta, Z, A, handle) end)
      end
    end)

    it("refuses what is not the handle of an activation of its type", function()
      local W, A_below, b = operands { 3, 4, 5 }
      local A, Z = random(core, 4, 3, 5), random(core, 5, 3, 5)
      local Delta, H = random(core, 7, 3, 5), random(core, 8, 3, 5)
      local expected = "perilune.activation." .. name .. " expected, got "
      for _, pair in ipairs {
        { nil, "nil" }, { "relu", "string" }, { core.activations.relu, "table" },
        { A, "perilune.matrix." .. name }, { io.stdout, "FILE*" },
        { other.activations.relu.handle, "perilune.activation." .. other.name },
      } do
        local value, got = pair[1], pair[2]
        local text = (expected .. got):gsub("%p", "%%%0")
        refuses(Z, "#6 .*" .. text,
          function() core.dense_forward(A, Z, W, A_below, b, value) end)
        refuses(H, "#8 .*" .. text,
          function() core.dense_gradients(W, b, H, A_below, Delta, Z, A, value) end)
      end
      refuses(A, "got no value", function() core.dense_forward(A, Z, W, A_below, b) end)
    end)

    it("refuses results that overlap an operand", function()
      local handle = core.activations.relu.handle
      local W, A_below, b = operands { 4, 4, 4 }
      local A, Z, H = random(core, 4, 4, 4), random(core, 5, 4, 4), random(core, 6, 4, 4)
      local forward, gradients = core.dense_forward, core.dense_gradients
      refuses(A_below, "#2 .*must not share memory with argument #4",
        function() forward(A, A_below, W, A_below, b, handle) end)
      refuses(A_below, "#1 .*must not share memory with argument #4",
        function() forward(A_below, Z, W, A_below, b, handle) end)
      refuses(W, "#1 .*must not share memory with argument #3",
        function() forward(W, Z, W, A_below, b, handle) end)
      refuses(A, "#1 .*must not share memory with argument #5",
        function() forward(A, Z, W, A_below, A:columns(1, 1), handle) end)
      local long = random(core, 8, 4, 5)
      refuses(long, "#1 .*must be argument #2 itself or share no memory with it",
        function()
          forward(long:columns(1, 4), long:columns(2, 5), W, A_below, b, handle)
        end)
      local Delta = random(core, 7, 4, 4)
      refuses(Z, "#1 .*must not share memory with argument #6",
        function() gradients(Z, b, H, A_below, Delta, Z, A, handle) end)
      refuses(A, "#2 .*must not share memory with argument #7",
        function() gradients(W, A:columns(2, 2), H, A_below, Delta, Z, A, handle) end)
      refuses(A_below, "#3 .*must not share memory with argument #4",
        function() gradients(W, b, A_below, A_below, Delta, Z, A, handle) end)
      refuses(long, "#3 .*must be argument #5 itself or share no memory with it",
        function()
          gradients(W, b, long:columns(1, 4), A_below, long:columns(2, 5), Z, A, handle)
        end)
    end)
  end)
end
