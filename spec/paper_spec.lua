-- One test for each numbered equation of the paper that computes something, against loops over its
-- indices, in both types. Derivatives come from central differences through whole float64 networks.
-- Where the paper slips the test is of what the mathematics says, and says so.

local naive = require "spec.support.naive"
local pl = require "perilune"

local near, sum = naive.near, naive.sum

local function kronecker(i, j)
  return i == j and 1 or 0
end

local function make(name, inputs, layers, seed)
  local descriptions = { inputs = inputs }
  for l, layer in ipairs(layers) do descriptions[l] = pl.dense(layer[1], layer[2]) end
  return pl.network(descriptions, { dtype = name, seed = seed })
end

-- A network after forward and backward, and all it computed as tables of rows. `twin` is the same
-- network in float64, for central differences.
local function run(name, inputs, layers, N, seed)
  local core = pl[name]
  local L = #layers
  local net = make(name, inputs, layers, seed)
  local twin = make("float64", inputs, layers, seed)
  for l, layer in ipairs(net.layers) do
    layer.b:assign(naive.random(core, 100 + l, layer.output.size, 1))
    twin.layers[l].W:assign(layer.W:to("float64"))
    twin.layers[l].b:assign(layer.b:to("float64"))
  end
  local X = naive.random(core, 7, inputs, N)
  local T = naive.random(core, 8, net.outputs, N)
  local J, Delta = pl.loss.squared_error(net:forward(X), T)
  net:backward(Delta)

  local r = {
    core = core, net = net, layers = net.layers, L = L, N = N, J = J, X = X, T = T,
    twin = twin, tolerance = naive.tolerance[name], resolution = naive.resolution[name],
    t = T:totable(), S = { [0] = inputs }, A = { [0] = X:totable() }, Delta = {},
    slope = {}, W = {}, b = {}, Z = {}, H = {}, dJ_dW = {}, dJ_db = {},
  }
  for l, layer in ipairs(net.layers) do
    r.S[l] = layer.output.size
    for _, quantity in ipairs { "W", "b", "Z", "A", "H", "dJ_dW", "dJ_db" } do
      r[quantity][l] = layer[quantity]:totable()
    end
    -- dsigma/dZ is what the activation's backward makes of ones.
    local ones = core.matrix(layer.output.size, N):fill(1)
    local slope = core.matrix(layer.output.size, N)
    r.slope[l] = layer.sigma.backward(slope, ones, layer.Z, layer.A):totable()
  end
  -- Delta^(l) lives only until the next backward.
  for l = L, 0, -1 do
    r.Delta[l] = Delta:totable()
    if l > 0 then Delta = net.layers[l]:backward(Delta, true) end
  end

  r.X64, r.T64 = X:to("float64"), T:to("float64")
  twin:forward(r.X64)
  r.A64 = { [0] = r.X64 }
  for l, layer in ipairs(twin.layers) do r.A64[l] = layer.A:copy() end
  return r
end

-- J as a function of A^(l), through the layers above
local function error_above(r, l, A)
  for k = l + 1, r.L do A = r.twin.layers[k]:forward(A) end
  return (pl.loss.squared_error(A, r.T64, false))
end

-- Central differences: of J with respect to a parameter of the twin, and to A^(l)
local function dJ_dparameter(r, M)
  return naive.differences(function() return error_above(r, 0, r.X64) end, M)
end

local function dJ_dA(r, l)
  local A = r.A64[l]:copy()
  return naive.differences(function() return error_above(r, l, A) end, A)
end

-- and of Z^(l) or A^(l), as functions of W^(l), b^(l) or A^(l-1): [k][n][i][j]
local function slopes(r, l, quantity, with)
  local layer = r.twin.layers[l]
  local below = r.A64[l - 1]:copy()
  local M = with == "A_below" and below or layer[with]
  return naive.matrix_differences(function()
    layer:forward(below)
    return layer[quantity]
  end, M)
end

-- sum over k = 1..S_l and n = 1..N
local function double_sum(r, l, f)
  return sum(r.S[l], function(k) return sum(r.N, function(n) return f(k, n) end) end)
end

-- f(i, j) in the shape of W^(l), f(i) in that of b^(l), f(i, n) in that of A^(l)
local function as_W(r, l, f) return naive.build(r.S[l], r.S[l - 1], f) end
local function as_b(r, l, f) return naive.build(r.S[l], 1, f) end
local function as_A(r, l, f) return naive.build(r.S[l], r.N, f) end

-- dJ/dA^(l) by the chain rule, coordinate by coordinate from layer L down
local function chain(r, l)
  local g = r.Delta[r.L]
  for m = r.L, l + 1, -1 do
    local dZ_dA = slopes(r, m, "Z", "A_below")
    local above = g
    g = as_A(r, m - 1, function(i, n)
      return double_sum(r, m, function(k, n2)
        return above[k][n2] * r.slope[m][k][n2] * dZ_dA[k][n2][i][n]
      end)
    end)
  end
  return g
end

for _, name in ipairs(naive.types) do
  describe("the paper, section 1, in " .. name .. ":", function()
    local r, core, tolerance

    setup(function()
      r = run(name, 3, { { 4, "tanh" }, { 3, "sigmoid" }, { 2, "softsign" } }, 5, 1)
      core, tolerance = r.core, r.tolerance
    end)

    it("(1.1) one sample gives z = W x + b and a = sigma(z)", function()
      local net = make(name, 4, { { 3, "tanh" } }, 3)
      local layer = net.layers[1]
      layer.b:assign(naive.random(core, 4, 3, 1))
      local x = naive.random(core, 5, 4, 1)
      local a = net:forward(x)
      local z = naive.build(3, 1, function(i)
        local product = sum(4, function(j) return layer.W:get(i, j) * x:get(j, 1) end)
        return product + layer.b:get(i, 1)
      end)
      near(layer.Z, z, tolerance)
      near(a, naive.activate("tanh", z), tolerance)
    end)

    it("(1.2) the columns of X are samples: each gives its column of A^(L)", function()
      assert.same({ 3, 5 }, { r.X:shape() })
      local all = r.net:predict(r.X):totable()
      for n = 1, r.N do
        near(r.net:predict(r.X:columns(n, n)), naive.columns(all, n, n), tolerance)
      end
    end)

    it("(1.3) Z^(1) = W^(1) X + b^(1) J_N^t, and A^(1) = sigma_1 of it", function()
      -- J_N^t is a row, so b J_N^t repeats b over the columns.
      local ones = naive.fill(1, r.N, 1)
      local product = naive.product(r.W[1], r.A[0])
      local bias = naive.product(r.b[1], ones)
      local Z = naive.zip(function(p, q) return p + q end, product, bias)
      near(r.layers[1].Z, Z, tolerance)
      near(r.layers[1].A, naive.activate("tanh", Z), tolerance)
      local layer = r.layers[1]
      near(layer.W * r.X + layer.b * core.matrix { ones[1] }, Z, tolerance)
      near(layer.W * r.X + layer.b, Z, tolerance)
    end)

    it("(1.4) Z^(l) = W^(l) A^(l-1) + b^(l) and A^(l) = sigma_l(Z^(l))", function()
      for l, layer in ipairs(r.layers) do
        near(layer.Z, naive.affine(r.W[l], r.A[l - 1], r.b[l]), tolerance)
        near(layer.A, naive.activate(layer.sigma.name, r.Z[l]), tolerance)
      end
    end)

    it("(1.5) the columns of T are the targets: T has the shape of A^(L)", function()
      local A = r.net:predict(r.X)
      local mean = sum(r.N, function(n)
        return (pl.loss.squared_error(A:columns(n, n), r.T:columns(n, n))) / r.N
      end)
      naive.near_number(mean, r.J, tolerance)
      naive.refuses(A, "2 x 5 matrix expected, .*got 5 x 2",
        function() pl.loss.squared_error(A, r.T:transpose()) end)
    end)
  end)

  describe("the paper, section 2, in " .. name .. ":", function()
    local r, core, tolerance, resolution, L, output

    setup(function()
      r = run(name, 3, { { 4, "tanh" }, { 3, "sigmoid" }, { 2, "softsign" } }, 5, 2)
      core, tolerance, resolution, L = r.core, r.tolerance, r.resolution, r.L
      output = r.layers[L]
    end)

    it("(2.1) dJ/dW^(L) and dJ/db^(L) sum dJ/dA_kn dA_kn/dW_ij over k and n", function()
      local dA_dW = slopes(r, L, "A", "W")
      local dA_db = slopes(r, L, "A", "b")
      near(r.dJ_dW[L], as_W(r, L, function(i, j)
        return double_sum(r, L, function(k, n)
          return r.Delta[L][k][n] * dA_dW[k][n][i][j]
        end)
      end), resolution)
      near(r.dJ_db[L], as_b(r, L, function(i)
        return double_sum(r, L, function(k, n)
          return r.Delta[L][k][n] * dA_db[k][n][i][1]
        end)
      end), resolution)
    end)

    it("(2.2), (2.3) dA_kn/dW_ij = dsigma/dZ_kn dZ_kn/dW_ij", function()
      local dA_dW = slopes(r, L, "A", "W")
      local dZ_dW = slopes(r, L, "Z", "W")
      near(r.slope[L], naive.derivative("softsign", r.Z[L]), tolerance)
      for k = 1, r.S[L] do
        for n = 1, r.N do
          near(naive.scale(r.slope[L][k][n], dZ_dW[k][n]), dA_dW[k][n], resolution)
        end
      end
    end)

    it("(2.4) the first two factors of dJ/dW^(L) make a Hadamard product", function()
      local dZ_dW = slopes(r, L, "Z", "W")
      local product = core.matrix(r.Delta[L]):hadamard(core.matrix(r.slope[L])):totable()
      near(product, naive.hadamard(r.Delta[L], r.slope[L]), tolerance)
      near(r.dJ_dW[L], as_W(r, L, function(i, j)
        return double_sum(r, L, function(k, n)
          return product[k][n] * dZ_dW[k][n][i][j]
        end)
      end), resolution)
    end)

    it("(2.5), (2.6) dZ_kn/dW_ij = delta_ik A^(L-1)_jn", function()
      local dZ_dW = slopes(r, L, "Z", "W")
      for k = 1, r.S[L] do
        for n = 1, r.N do
          near(dZ_dW[k][n], as_W(r, L, function(i, j)
            return kronecker(i, k) * r.A[L - 1][j][n]
          end), resolution)
        end
      end
    end)

    it("(2.7) dJ/dW^(L)_ij = sum_n dJ/dA_in dsigma/dZ_in A^(L-1)_jn", function()
      near(output.dJ_dW, as_W(r, L, function(i, j)
        return sum(r.N, function(n)
          return r.Delta[L][i][n] * r.slope[L][i][n] * r.A[L - 1][j][n]
        end)
      end), tolerance)
    end)

    it("(2.8), (2.9) dJ/dW^(L) = H^(L) (A^(L-1))^t", function()
      local H = naive.hadamard(r.Delta[L], r.slope[L])
      near(output.dJ_dW, naive.product(H, naive.transpose(r.A[L - 1])), tolerance)
      near(r.dJ_dW[L], dJ_dparameter(r, r.twin.layers[L].W), resolution)
    end)

    it("(2.10) H^(L) = dJ/dA^(L) (.) dsigma_L/dZ^(L)", function()
      local slope = naive.derivative("softsign", r.Z[L])
      near(output.H, naive.hadamard(r.Delta[L], slope), tolerance)
    end)

    it("(2.11) dZ_kn/db_i = delta_ik", function()
      local dZ_db = slopes(r, L, "Z", "b")
      for k = 1, r.S[L] do
        for n = 1, r.N do
          near(dZ_db[k][n], as_b(r, L, function(i) return kronecker(i, k) end), 1e-9)
        end
      end
    end)

    it("(2.12) dJ/db^(L)_i = sum_n dJ/dA_in dsigma/dZ_in", function()
      near(output.dJ_db, as_b(r, L, function(i)
        return sum(r.N, function(n) return r.Delta[L][i][n] * r.slope[L][i][n] end)
      end), tolerance)
    end)

    it("(2.13) dJ/db^(L) = H^(L) J_N; the printed H J_N^t is no product", function()
      local ones = naive.fill(r.N, 1, 1)
      near(output.dJ_db, naive.product(r.H[L], ones), tolerance)
      near(output.H * core.matrix(ones), r.dJ_db[L], tolerance)
      assert.has_error(function() return output.H * core.matrix(ones):transpose() end,
        "the product of 2 x 5 and 1 x 5 matrices is not defined")
      near(r.dJ_db[L], dJ_dparameter(r, r.twin.layers[L].b), resolution)
    end)

    it("(2.14) Delta^(L), which the loss gives, is dJ/dA^(L)", function()
      near(r.Delta[L], dJ_dA(r, L), resolution)
    end)

    it("(2.15) H^(L) = Delta^(L) (.) dsigma_L/dZ^(L)", function()
      local slope = naive.derivative("softsign", r.Z[L])
      near(output.H, naive.hadamard(r.Delta[L], slope), tolerance)
    end)

    it("(2.16) dJ/dW^(L) = [Delta^(L) (.) dsigma_L/dZ^(L)] (A^(L-1))^t", function()
      local H = naive.hadamard(r.Delta[L], naive.derivative("softsign", r.Z[L]))
      near(output.dJ_dW, naive.product(H, r.A[L - 1], "NT"), tolerance)
    end)

    it("(2.17) dJ/db^(L) = [Delta^(L) (.) dsigma_L/dZ^(L)] J_N, not J_N^t", function()
      local H = naive.hadamard(r.Delta[L], naive.derivative("softsign", r.Z[L]))
      near(output.dJ_db, naive.sum_columns(H), tolerance)
      assert.same({ r.S[L], 1 }, { output.dJ_db:shape() })
    end)

    it("(2.18) J = 1/2N sum over the samples of |a_m - t_m|^2", function()
      local J = 0
      for m = 1, r.N do
        local norm = (output.A:columns(m, m) - r.T:columns(m, m)):norm()
        J = J + norm ^ 2
      end
      naive.near_number(r.J, J / (2 * r.N), tolerance)
    end)

    it("(2.19) J = 1/2N sum_m sum_j (A_jm - T_jm)^2", function()
      local J = double_sum(r, L, function(j, m) return (r.A[L][j][m] - r.t[j][m]) ^ 2 end)
      naive.near_number(r.J, J / (2 * r.N), tolerance)
    end)

    it("(2.20), (2.21) dJ/dA_in = sum_mj (A_jm - T_jm) delta_ij delta_nm / N", function()
      near(r.Delta[L], as_A(r, L, function(i, n)
        return double_sum(r, L, function(j, m)
          return 2 * (r.A[L][j][m] - r.t[j][m]) * kronecker(i, j) * kronecker(n, m)
        end) / (2 * r.N)
      end), tolerance)
    end)

    it("(2.22), (2.23) Delta^(L) = (A^(L) - T) / N", function()
      local Delta = naive.scale(1 / r.N, naive.subtract(r.A[L], r.t))
      near(r.Delta[L], Delta, tolerance)
      near((output.A - r.T) / r.N, Delta, tolerance)
    end)
  end)

  describe("the paper, section 3, in " .. name .. ":", function()
    local r, tolerance, resolution, L, hidden

    setup(function()
      r = run(name, 3, { { 4, "tanh" }, { 3, "sigmoid" }, { 2, "softsign" } }, 4, 3)
      tolerance, resolution, L = r.tolerance, r.resolution, r.L
      hidden = r.layers[L - 1]
    end)

    it("(3.1) dJ/dW^(L-1)_ij sums the five factors over k, n, k' and n'", function()
      local dZ_dA = slopes(r, L, "Z", "A_below")
      local dZ_dW = slopes(r, L - 1, "Z", "W")
      near(hidden.dJ_dW, as_W(r, L - 1, function(i, j)
        return double_sum(r, L, function(k, n)
          return double_sum(r, L - 1, function(k2, n2)
            return r.Delta[L][k][n] * r.slope[L][k][n] * dZ_dA[k][n][k2][n2]
              * r.slope[L - 1][k2][n2] * dZ_dW[k2][n2][i][j]
          end)
        end)
      end), resolution)
    end)

    it("(3.2), (3.3), (3.4) dZ^(L)_kn/dA^(L-1)_k'n' = W^(L)_kk' delta_nn'", function()
      local dZ_dA = slopes(r, L, "Z", "A_below")
      for k = 1, r.S[L] do
        for n = 1, r.N do
          near(dZ_dA[k][n], as_A(r, L - 1, function(k2, n2)
            return r.W[L][k][k2] * kronecker(n, n2)
          end), resolution)
        end
      end
    end)

    it("(3.5) the deltas put into (3.1) leave dJ/dW^(L-1) as it is", function()
      near(hidden.dJ_dW, as_W(r, L - 1, function(i, j)
        return double_sum(r, L, function(k, n)
          return double_sum(r, L - 1, function(k2, n2)
            return r.Delta[L][k][n] * r.slope[L][k][n] * r.W[L][k][k2] * kronecker(n, n2)
              * r.slope[L - 1][k2][n2] * kronecker(i, k2) * r.A[L - 2][j][n2]
          end)
        end)
      end), tolerance)
    end)

    it("(3.6), (3.7) dJ/dW^(L-1)_ij = sum_kn H_kn W_ki dsigma/dZ_in A_jn", function()
      near(hidden.dJ_dW, as_W(r, L - 1, function(i, j)
        return double_sum(r, L, function(k, n)
          return r.H[L][k][n] * r.W[L][k][i] * r.slope[L - 1][i][n] * r.A[L - 2][j][n]
        end)
      end), tolerance)
    end)

    it("(3.8), (3.9) the sum over k is the matrix product (W^(L))^t H^(L)", function()
      local propagated = naive.product(r.W[L], r.H[L], "TN")
      near(hidden.dJ_dW, as_W(r, L - 1, function(i, j)
        return sum(r.N, function(n)
          return propagated[i][n] * r.slope[L - 1][i][n] * r.A[L - 2][j][n]
        end)
      end), tolerance)
    end)

    it("(3.10) the bracket closes before (A^(L-2))^t, not after as printed", function()
      local bracket = naive.hadamard(naive.product(r.W[L], r.H[L], "TN"), r.slope[L - 1])
      near(hidden.dJ_dW, naive.product(bracket, r.A[L - 2], "NT"), tolerance)
      -- As printed, slope and (A^(L-2))^t are multiplied first; the shapes agree where N = S_(L-2).
      local printed = naive.product(r.slope[L - 1], r.A[L - 2], "NT")
      assert.same({ r.S[L - 1], r.S[L - 2] }, { #printed, #printed[1] })
      local outer = naive.hadamard(naive.product(r.W[L], r.H[L], "TN"), printed)
      assert.is_true(naive.differs(hidden.dJ_dW, outer, 1e-3))
    end)

    it("(3.11) dJ/dW^(L-1) = [(W^(L))^t H^(L) (.) dsigma/dZ] (A^(L-2))^t", function()
      local Delta = naive.product(r.W[L], r.H[L], "TN")
      near(r.Delta[L - 1], Delta, tolerance)
      local slope = naive.derivative("sigmoid", r.Z[L - 1])
      local H = naive.hadamard(Delta, slope)
      near(hidden.dJ_dW, naive.product(H, r.A[L - 2], "NT"), tolerance)
      near(hidden.dJ_dW, dJ_dparameter(r, r.twin.layers[L - 1].W), resolution)
    end)

    it("(3.12) dJ/dW^(L-1) = H^(L-1) (A^(L-2))^t", function()
      near(hidden.dJ_dW, naive.product(r.H[L - 1], r.A[L - 2], "NT"), tolerance)
    end)

    it("(3.13) H^(L-1) = Delta^(L-1) (.) dsigma_{L-1}/dZ^(L-1)", function()
      local slope = naive.derivative("sigmoid", r.Z[L - 1])
      near(hidden.H, naive.hadamard(r.Delta[L - 1], slope), tolerance)
    end)

    it("(3.14) dZ^(L-1)_k'n'/db_i = delta_ik'", function()
      local dZ_db = slopes(r, L - 1, "Z", "b")
      for k = 1, r.S[L - 1] do
        for n = 1, r.N do
          near(dZ_db[k][n], as_b(r, L - 1, function(i) return kronecker(i, k) end), 1e-9)
        end
      end
    end)

    it("(3.15) dJ/db^(L-1)_i = sum_n H^(L-1)_in", function()
      local bracket = naive.hadamard(naive.product(r.W[L], r.H[L], "TN"), r.slope[L - 1])
      near(hidden.dJ_db, as_b(r, L - 1, function(i)
        return sum(r.N, function(n) return bracket[i][n] end)
      end), tolerance)
    end)

    it("(3.16) dJ/db^(L-1) = H^(L-1) J_N, not J_N^t as printed", function()
      near(hidden.dJ_db, naive.product(r.H[L - 1], naive.fill(r.N, 1, 1)), tolerance)
      near(hidden.dJ_db, dJ_dparameter(r, r.twin.layers[L - 1].b), resolution)
    end)
  end)

  describe("the paper, section 4, in " .. name .. ":", function()
    local r, square, tolerance, resolution, L

    setup(function()
      r = run(name, 3, {
        { 5, "softsign" }, { 4, "sigmoid" }, { 3, "tanh" }, { 2, "identity" },
      }, 6, 4)
      -- In a square network (4.13) to (4.16) as printed have the right shapes and the wrong values.
      square = run(name, 3, { { 3, "tanh" }, { 3, "sigmoid" }, { 3, "tanh" } }, 4, 5)
      tolerance, resolution, L = r.tolerance, r.resolution, r.L
    end)

    it("(4.1) dJ/dW^(l) = H^(l) (A^(l-1))^t and dJ/db^(l) = H^(l) J_N", function()
      for l, layer in ipairs(r.layers) do
        near(r.dJ_dW[l], naive.product(r.H[l], r.A[l - 1], "NT"), tolerance)
        near(r.dJ_db[l], naive.product(r.H[l], naive.fill(r.N, 1, 1)), tolerance)
        near(r.dJ_dW[l], dJ_dparameter(r, r.twin.layers[l].W), resolution)
        near(r.dJ_db[l], dJ_dparameter(r, r.twin.layers[l].b), resolution)
        near(layer.dJ_dW, r.dJ_dW[l], 0)
      end
    end)

    it("(4.2) H^(l) and Delta^(l) follow from the layer above, from L down", function()
      near(r.Delta[L], naive.scale(1 / r.N, naive.subtract(r.A[L], r.t)), tolerance)
      for l = L, 1, -1 do
        local slope = naive.derivative(r.layers[l].sigma.name, r.Z[l])
        near(r.layers[l].H, naive.hadamard(r.Delta[l], slope), tolerance)
        if l < L then
          near(r.Delta[l], naive.product(r.W[l + 1], r.H[l + 1], "TN"), tolerance)
        end
      end
    end)

    it("(4.3) Delta^(l) is dJ/dA^(l) in every layer, and in the inputs", function()
      for l = L, 0, -1 do near(r.Delta[l], dJ_dA(r, l), resolution) end
      local _, Delta = pl.loss.squared_error(r.net:forward(r.X), r.T)
      near(r.net:backward(Delta, true), dJ_dA(r, 0), resolution)
    end)

    it("(4.4) the induction starts at L, where the loss gives Delta^(L)", function()
      local _, Delta = pl.loss.squared_error(r.layers[L].A, r.T)
      near(Delta, r.Delta[L], 0)
      near(Delta, dJ_dA(r, L), resolution)
    end)

    it("(4.5) dJ/dA^(l) is the chain rule from L to l, by coordinates", function()
      for l = L - 1, 1, -1 do near(r.Delta[l], chain(r, l), resolution) end
    end)

    it("(4.6) dJ/dA^(l-1) continues the chain of dJ/dA^(l) by one layer", function()
      local l = 2
      local above = chain(r, l)
      local dZ_dA = slopes(r, l, "Z", "A_below")
      local continued = as_A(r, l - 1, function(i, n)
        return double_sum(r, l, function(k, n2)
          return above[k][n2] * r.slope[l][k][n2] * dZ_dA[k][n2][i][n]
        end)
      end)
      near(r.Delta[l - 1], continued, resolution)
    end)

    it("(4.7), (4.8) dJ/dA^(l-1)_in = sum_jn' Delta dsigma/dZ dZ_jn'/dA_in", function()
      for l = L, 1, -1 do
        local dZ_dA = slopes(r, l, "Z", "A_below")
        near(r.Delta[l - 1], as_A(r, l - 1, function(i, n)
          return double_sum(r, l, function(j, n2)
            return r.Delta[l][j][n2] * r.slope[l][j][n2] * dZ_dA[j][n2][i][n]
          end)
        end), resolution)
      end
    end)

    it("(4.9) dZ_jn'/dA_in = W_ji delta_nn' leaves the sum over j", function()
      for l = L, 1, -1 do
        near(r.Delta[l - 1], as_A(r, l - 1, function(i, n)
          return sum(r.S[l], function(j)
            return r.Delta[l][j][n] * r.slope[l][j][n] * r.W[l][j][i]
          end)
        end), tolerance)
      end
    end)

    it("(4.10) the sum is [(W^(l))^t H^(l)]_in: index in, not ij as printed", function()
      for l = L, 1, -1 do
        local Delta = naive.product(r.W[l], r.H[l], "TN")
        assert.same({ r.S[l - 1], r.N }, { #Delta, #Delta[1] })
        near(r.Delta[l - 1], Delta, tolerance)
      end
    end)

    it("(4.11), (4.12) dJ/dW^(l) sums Delta_kn dsigma/dZ_kn dZ_kn/dW_ij", function()
      for l = 1, L do
        local dZ_dW = slopes(r, l, "Z", "W")
        local Delta = chain(r, l)
        near(r.dJ_dW[l], as_W(r, l, function(i, j)
          return double_sum(r, l, function(k, n)
            return Delta[k][n] * r.slope[l][k][n] * dZ_dW[k][n][i][j]
          end)
        end), resolution)
      end
    end)

    it("(4.13) dZ_kn/dW_ij is A^(l-1)_jn delta_ki, not A^(l) as printed", function()
      for l = 1, square.L do
        local dZ_dW = slopes(square, l, "Z", "W")
        near(square.dJ_dW[l], as_W(square, l, function(i, j)
          return double_sum(square, l, function(k, n)
            local derivative = square.A[l - 1][j][n] * kronecker(k, i)
            naive.near_number(derivative, dZ_dW[k][n][i][j], resolution)
            return square.Delta[l][k][n] * square.slope[l][k][n] * derivative
          end)
        end), tolerance)
      end
    end)

    it("(4.14) dJ/dW_ij = sum_n Delta_in dsigma/dZ_in A^(l-1)_jn, not A^(l)", function()
      for l = 1, square.L do
        local function with(A)
          return as_W(square, l, function(i, j)
            return sum(square.N, function(n)
              return square.Delta[l][i][n] * square.slope[l][i][n] * A[j][n]
            end)
          end)
        end
        near(square.dJ_dW[l], with(square.A[l - 1]), tolerance)
        assert.is_true(naive.differs(square.dJ_dW[l], with(square.A[l]), 1e-3))
      end
    end)

    it("(4.15) the first two factors are H^(l), the third is (A^(l-1))^t", function()
      for l = 1, square.L do
        local H = naive.hadamard(square.Delta[l], square.slope[l])
        near(square.H[l], H, tolerance)
        near(square.dJ_dW[l], as_W(square, l, function(i, j)
          local A_transposed = naive.transpose(square.A[l - 1])
          return sum(square.N, function(n) return H[i][n] * A_transposed[n][j] end)
        end), tolerance)
      end
    end)

    it("(4.16) dJ/dW^(l) = H^(l) (A^(l-1))^t; the printed A^(l) is wrong", function()
      for l, layer in ipairs(square.layers) do
        local true_gradient = dJ_dparameter(square, square.twin.layers[l].W)
        local printed = naive.product(square.H[l], square.A[l], "NT")
        near(layer.dJ_dW, naive.product(square.H[l], square.A[l - 1], "NT"), tolerance)
        near(layer.dJ_dW, true_gradient, resolution)
        assert.is_true(naive.differs(printed, true_gradient, 1e-3))
      end
    end)

    it("(4.17), (4.18) dJ/db^(l) sums Delta_kn dsigma/dZ_kn dZ_kn/db_i", function()
      for l = 1, L do
        local dZ_db = slopes(r, l, "Z", "b")
        local Delta = chain(r, l)
        near(r.dJ_db[l], as_b(r, l, function(i)
          return double_sum(r, l, function(k, n)
            return Delta[k][n] * r.slope[l][k][n] * dZ_db[k][n][i][1]
          end)
        end), resolution)
      end
    end)

    it("(4.19) dJ/db_i = sum_jn Delta_jn dsigma/dZ_jn delta_ji = sum_n H_in", function()
      for l = 1, L do
        near(r.dJ_db[l], as_b(r, l, function(i)
          return double_sum(r, l, function(j, n)
            return r.Delta[l][j][n] * r.slope[l][j][n] * kronecker(j, i)
          end)
        end), tolerance)
        near(r.dJ_db[l], naive.sum_columns(r.H[l]), tolerance)
      end
    end)

    it("(4.20) dJ/db^(l) = H^(l) J_N, not J_N^t as printed", function()
      for l, layer in ipairs(r.layers) do
        local ones = r.core.matrix(r.N, 1):fill(1)
        near(layer.dJ_db, (layer.H * ones):totable(), tolerance)
        near(r.dJ_db[l], dJ_dparameter(r, r.twin.layers[l].b), resolution)
      end
    end)

    it("(4.2) for softmax H^(l) is J_sigma^t Delta^(l), no Hadamard product", function()
      local s = run(name, 3, { { 4, "softmax" }, { 3, "softmax" } }, 4, 6)
      for l, layer in ipairs(s.layers) do
        near(layer.H, naive.backward("softmax", s.Delta[l], s.Z[l]), tolerance)
        near(s.dJ_dW[l], dJ_dparameter(s, s.twin.layers[l].W), resolution)
        near(s.dJ_db[l], dJ_dparameter(s, s.twin.layers[l].b), resolution)
      end
    end)
  end)
end
