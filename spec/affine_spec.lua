-- Z = W A + b (1.4), its gradients (4.1) and its transpose (4.2), against loops.

local naive = require "spec.support.naive"

local near, random, refuses = naive.near, naive.random, naive.refuses

-- S_l, S_(l-1), N: single rows, columns and elements take paths of their own, as do inner sizes of
-- 1
local shapes = {
  { 1, 1, 1 }, { 1, 1, 6 }, { 1, 6, 1 }, { 6, 1, 1 },
  { 1, 7, 5 }, { 5, 1, 7 }, { 5, 7, 1 },
  { 16, 16, 16 }, { 33, 7, 129 }, { 7, 129, 33 }, { 129, 33, 7 }, { 17, 31, 2 },
}

local function operands(core, shape, order)
  local outputs, inputs, N = shape[1], shape[2], shape[3]
  return random(core, 1, outputs, inputs, order), random(core, 2, inputs, N),
    random(core, 3, outputs, 1), random(core, 4, outputs, N)
end

-- What a result held before must not matter, not even NaN.
local function stale(core, rows, cols, order)
  return core.matrix(rows, cols, order):fill(naive.nan)
end

for _, name in ipairs(naive.types) do
  local core = require("perilune.core." .. name)
  local other = require("perilune.core." .. naive.other[name])
  local tolerance = naive.tolerance[name]

  describe("the affine map in " .. name, function()
    for _, shape in ipairs(shapes) do
      local outputs, inputs, N = table.unpack(shape)
      local title = (" for W %d x %d and %d samples"):format(outputs, inputs, N)

      it("computes Z = W A + b (1.4)" .. title, function()
        local W, A, b = operands(core, shape)
        local Z = stale(core, outputs, N)
        assert.equal(Z, core.affine_forward(Z, W, A, b))
        near(Z, naive.affine(W:totable(), A:totable(), b:totable()), tolerance)
      end)

      it("computes dJ/dW = H A^t and dJ/db = H J_N (4.1)" .. title, function()
        local _, A, _, H = operands(core, shape)
        local dJ_dW, dJ_db = stale(core, outputs, inputs), stale(core, outputs, 1)
        assert.equal(dJ_dW, core.affine_gradients(dJ_dW, dJ_db, H, A))
        near(dJ_dW, naive.product(H:totable(), A:totable(), "NT"), tolerance)
        near(dJ_db, naive.sum_columns(H:totable()), tolerance)
      end)

      it("computes Delta^(l-1) = W^t H (4.2)" .. title, function()
        local W, _, _, H = operands(core, shape)
        local Delta = stale(core, inputs, N)
        assert.equal(Delta, core.affine_backward(Delta, W, H))
        near(Delta, naive.product(W:totable(), H:totable(), "TN"), tolerance)
      end)

      it("adds to gradients and Delta where it is told to" .. title, function()
        for _, order in ipairs { "columns", "rows" } do
          local W, A, _, H = operands(core, shape, order)
          local dJ_dW, dJ_db = random(core, 5, outputs, inputs, order),
            random(core, 6, outputs, 1)
          local Delta = random(core, 7, inputs, N)
          local function plus(M, product)
            return naive.zip(function(a, b) return a + b end, M:totable(), product)
          end
          local sums = {
            plus(dJ_dW, naive.product(H:totable(), A:totable(), "NT")),
            plus(dJ_db, naive.sum_columns(H:totable())),
            plus(Delta, naive.product(W:totable(), H:totable(), "TN")),
          }
          assert.equal(dJ_dW, core.affine_gradients(dJ_dW, dJ_db, H, A, true))
          assert.equal(Delta, core.affine_backward(Delta, W, H, true))
          near(dJ_dW, sums[1], tolerance)
          near(dJ_db, sums[2], tolerance)
          near(Delta, sums[3], tolerance)
        end
      end)

      it("leaves the bias and its gradient out where they are nil" .. title, function()
        for _, order in ipairs { "columns", "rows" } do
          local W, A, _, H = operands(core, shape, order)
          local Z = stale(core, outputs, N)
          assert.equal(Z, core.affine_forward(Z, W, A, nil))
          near(Z, naive.product(W:totable(), A:totable()), tolerance)
          local dJ_dW = stale(core, outputs, inputs, order)
          local product = naive.product(H:totable(), A:totable(), "NT")
          assert.equal(dJ_dW, core.affine_gradients(dJ_dW, nil, H, A))
          near(dJ_dW, product, tolerance)
          core.affine_gradients(dJ_dW, nil, H, A, true)
          near(dJ_dW, naive.scale(2, product), tolerance)
        end
      end)

      it("gives the same with W stored by rows" .. title, function()
        local W, A, b, H = operands(core, shape)
        local by_rows = W:copy("rows")
        local forward = core.affine_forward(core.matrix(outputs, N), W, A, b)
        local again = core.affine_forward(stale(core, outputs, N), by_rows, A, b)
        near(again, forward:totable(), tolerance)
        local backward = core.affine_backward(core.matrix(inputs, N), W, H)
        again = core.affine_backward(stale(core, inputs, N), by_rows, H)
        near(again, backward:totable(), tolerance)
        local dJ_dW, dJ_db = core.matrix(outputs, inputs), core.matrix(outputs, 1)
        core.affine_gradients(dJ_dW, dJ_db, H, A)
        local dJ_dW_by_rows = stale(core, outputs, inputs, "rows")
        local dJ_db_again = stale(core, outputs, 1)
        core.affine_gradients(dJ_dW_by_rows, dJ_db_again, H, A)
        near(dJ_dW_by_rows, dJ_dW:totable(), tolerance)
        near(dJ_db_again, dJ_db:totable(), tolerance)
      end)

      it("sums dJ/db as sum_columns does, to the bit" .. title, function()
        local _, A, _, H = operands(core, shape)
        local dJ_db = stale(core, outputs, 1)
        core.affine_gradients(core.matrix(outputs, inputs), dJ_db, H, A)
        near(dJ_db, core.sum_columns(stale(core, outputs, 1), H):totable(), 0)
      end)
    end

    it("sums every unit's H once, however dJ/dW is cut into blocks", function()
      -- units, inputs, N: cut along the units, along the inputs, and both
      for _, shape in ipairs { { 300, 70, 200 }, { 12, 2500, 160 }, { 200, 400, 150 } } do
        local outputs, inputs = table.unpack(shape)
        local _, A, _, H = operands(core, shape)
        local sums = naive.sum_columns(H:totable())
        for _, order in ipairs { "columns", "rows" } do
          local dJ_dW = stale(core, outputs, inputs, order)
          local dJ_db = stale(core, outputs, 1)
          core.affine_gradients(dJ_dW, dJ_db, H, A)
          near(dJ_db, sums, 10 * tolerance)
          assert.equal(outputs * inputs, core.count_equal(dJ_dW,
            core.product(stale(core, outputs, inputs, order), H, A, "NT")))
          core.affine_gradients(dJ_dW, dJ_db, H, A, true)
          near(dJ_db, naive.scale(2, sums), 20 * tolerance)
        end
      end
    end)

    it("takes samples stored by rows as operands of the products", function()
      local W, A, b, H = operands(core, { 5, 4, 6 })
      near(core.affine_forward(core.matrix(5, 6), W, A:copy("rows"), b),
        naive.affine(W:totable(), A:totable(), b:totable()), tolerance)
      near(core.affine_backward(core.matrix(4, 6), W, H:copy("rows")),
        naive.product(W:totable(), H:totable(), "TN"), tolerance)
    end)

    it("takes views: columns of data, and pieces of one parameter vector", function()
      local theta = random(core, 1, 5 * 4 + 5, 1)
      local W, b = theta:view(1, 5, 4, "rows"), theta:view(21, 5, 1)
      local X = random(core, 2, 4, 9)
      local Z = core.affine_forward(core.matrix(5, 3), W, X:columns(4, 6), b)
      local samples = naive.columns(X:totable(), 4, 6)
      near(Z, naive.affine(W:totable(), samples, b:totable()), tolerance)
    end)

    it("lets NaN and infinity in A reach Z, even past weights of 0", function()
      for _, shape in ipairs(shapes) do
        local outputs, inputs, N = table.unpack(shape)
        for _, order in ipairs { "columns", "rows" } do
          for _, bad in ipairs { naive.nan, naive.infinity } do
            local A = core.matrix(inputs, N):fill(1):set(inputs, N, bad)
            local W, b = core.matrix(outputs, inputs, order), core.matrix(outputs, 1)
            local Z = core.affine_forward(core.matrix(outputs, N), W, A, b)
            for i = 1, outputs do
              assert.is_true(Z:get(i, N) ~= Z:get(i, N))
              if N > 1 then assert.equal(0, Z:get(i, 1)) end
            end
          end
        end
      end
    end)

    it("lets NaN in H reach both gradients and Delta^(l-1)", function()
      for _, shape in ipairs(shapes) do
        local outputs, inputs, N = table.unpack(shape)
        local H = core.matrix(outputs, N):set(outputs, N, naive.nan)
        local dJ_dW, dJ_db = core.matrix(outputs, inputs), core.matrix(outputs, 1)
        core.affine_gradients(dJ_dW, dJ_db, H, core.matrix(inputs, N))
        local Delta = core.matrix(inputs, N)
        core.affine_backward(Delta, core.matrix(outputs, inputs), H)
        assert.is_true(dJ_db:get(outputs, 1) ~= dJ_db:get(outputs, 1))
        for j = 1, inputs do
          assert.is_true(dJ_dW:get(outputs, j) ~= dJ_dW:get(outputs, j))
          assert.is_true(Delta:get(j, N) ~= Delta:get(j, N))
        end
      end
    end)

    for _, shape in ipairs { { 300, 200, 60 }, { 60, 200, 300 }, { 700, 800, 1 } } do
      local outputs, inputs, N = table.unpack(shape)
      local title = "agrees with loops where the work is cut into blocks, %d x %d x %d"

      it(title:format(outputs, inputs, N), function()
        for _, order in ipairs { "columns", "rows" } do
          local W, A, b, H = operands(core, shape, order)
          local Z = core.affine_forward(stale(core, outputs, N), W, A, b)
          local Delta = core.affine_backward(stale(core, inputs, N), W, H)
          local dJ_dW = stale(core, outputs, inputs, order)
          local dJ_db = stale(core, outputs, 1)
          core.affine_gradients(dJ_dW, dJ_db, H, A)
          local w, a, h = W:totable(), A:totable(), H:totable()
          -- Every row and column once: all of it would take Lua seconds.
          for step = 0, math.max(outputs, inputs, N) - 1 do
            local i, j, n = step % outputs + 1, step % inputs + 1, step % N + 1
            local z = b:get(i, 1)
              + naive.sum(inputs, function(k) return w[i][k] * a[k][n] end)
            naive.near_number(Z:get(i, n), z, 10 * tolerance)
            naive.near_number(Delta:get(j, n), naive.sum(outputs, function(k)
              return w[k][j] * h[k][n]
            end), 10 * tolerance)
            naive.near_number(dJ_dW:get(i, j), naive.sum(N, function(k)
              return h[i][k] * a[j][k]
            end), 10 * tolerance)
            naive.near_number(dJ_db:get(i, 1), naive.sum(N, function(k)
              return h[i][k]
            end), 10 * tolerance)
          end
        end
      end)
    end

    it("gives the same bits whatever the number of threads", function()
      local W, A, b, H = operands(core, { 150, 170, 190 }, "rows")
      local function all()
        local results = {
          core.affine_forward(core.matrix(150, 190), W, A, b),
          core.affine_backward(core.matrix(170, 190), W, H),
          core.matrix(150, 170, "rows"), core.matrix(150, 1),
        }
        core.affine_gradients(results[3], results[4], H, A)
        for k, M in ipairs(results) do results[k] = M:encode(name) end
        return results
      end
      local before = core.threads()
      core.threads(1)
      local one = all()
      core.threads(3)
      local three = all()
      core.threads(before)
      assert.same(one, three)
    end)

    it("names the shape it expected and the one it got, and writes nothing", function()
      local W, A, b, H = operands(core, { 3, 4, 5 })
      local Z = random(core, 5, 3, 5)
      refuses(Z, "#3 to 'affine_forward' %(4 x 6 matrix expected, got 5 x 6%)",
        function() core.affine_forward(Z, W, core.matrix(5, 6), b) end)
      refuses(Z, "#4 to 'affine_forward' %(3 x 1 matrix expected, got 1 x 3%)",
        function() core.affine_forward(Z, W, A, core.matrix(1, 3)) end)
      refuses(Z, "#1 to 'affine_forward' %(3 x 2 matrix expected, got 3 x 5%)",
        function() core.affine_forward(Z, W, A:columns(1, 2), b) end)
      local dJ_dW, dJ_db = random(core, 6, 3, 4), random(core, 7, 3, 1)
      local function gradients(...)
        local arguments = { ... }
        return function() core.affine_gradients(table.unpack(arguments)) end
      end
      refuses(dJ_dW, "#3 to '.*' %(3 x 5 matrix expected, got 4 x 5%)",
        gradients(dJ_dW, dJ_db, core.matrix(4, 5), A))
      refuses(dJ_dW, "#4 to '.*' %(4 x 5 matrix expected, got 4 x 6%)",
        gradients(dJ_dW, dJ_db, H, core.matrix(4, 6)))
      refuses(dJ_dW, "#2 to '.*' %(3 x 1 matrix expected, got 4 x 1%)",
        gradients(dJ_dW, core.matrix(4, 1), H, A))
      refuses(dJ_db, "#3 to '.*' %(4 x 5 matrix expected, got 3 x 5%)",
        gradients(core.matrix(4, 4), dJ_db, H, A))
      local Delta = random(core, 8, 4, 5)
      refuses(Delta, "#3 to 'affine_backward' %(3 x 5 matrix expected, got 4 x 5%)",
        function() core.affine_backward(Delta, W, core.matrix(4, 5)) end)
      refuses(Delta, "#1 to 'affine_backward' %(4 x 2 matrix expected, got 4 x 5%)",
        function() core.affine_backward(Delta, W, H:columns(1, 2)) end)
    end)

    it("names both types when they mix, and what is no matrix", function()
      local W, A, b = operands(core, { 3, 4, 5 })
      local Z = random(core, 5, 3, 5)
      local mixed = naive.mixed(name, "perilune.matrix." .. other.name)
      refuses(Z, "#2 to 'affine_forward' " .. mixed,
        function() core.affine_forward(Z, other.matrix(3, 4), A, b) end)
      refuses(Z, "#4 to 'affine_forward' " .. mixed,
        function() core.affine_forward(Z, W, A, other.matrix(3, 1)) end)
      refuses(Z, "#3 to 'affine_forward' " .. naive.mixed(name, "table"),
        function() core.affine_forward(Z, W, { { 1 } }, b) end)
      refuses(Z, "#4 to 'affine_forward' " .. naive.mixed(name, "no value"),
        function() core.affine_forward(Z, W, A) end)
    end)

    it("refuses a result that overlaps an operand", function()
      local W, A, b, H = operands(core, { 4, 4, 4 })
      refuses(A, "#1 .*must not share memory with argument #3",
        function() core.affine_forward(A, W, A, b) end)
      refuses(W, "#1 .*must not share memory with argument #2",
        function() core.affine_forward(W, W, A, b) end)
      refuses(A, "#1 .*must not share memory with argument #4",
        function() core.affine_forward(A, W, H, A:columns(2, 2)) end)
      refuses(H, "#1 .*must not share memory with argument #3",
        function() core.affine_gradients(H, b, H, A) end)
      refuses(H, "#2 .*must not share memory with argument #3",
        function() core.affine_gradients(W, H:columns(1, 1), H, A) end)
      refuses(W, "#1 .*must not share memory with argument #2",
        function() core.affine_gradients(W, W:columns(4, 4), H, A) end)
      refuses(H, "#1 .*must not share memory with argument #3",
        function() core.affine_backward(H, W, H) end)
    end)

    it("refuses results of samples that are stored by rows", function()
      local W, A, b = operands(core, { 3, 4, 5 })
      local Z = random(core, 5, 3, 5, "rows")
      refuses(Z, "#1 .*matrix stored by columns expected, got one stored by rows",
        function() core.affine_forward(Z, W, A, b) end)
    end)
  end)
end
