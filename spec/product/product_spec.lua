-- C = op(A) op(B), the matrix product, against loops.

local naive = require "spec.support.naive"

local near, random, refuses = naive.near, naive.random, naive.refuses

-- rows of C, columns of C, inner size
local shapes = {
  { 1, 1, 1 }, { 1, 9, 1 }, { 9, 1, 1 }, { 1, 1, 9 },
  { 8, 5, 1 }, { 1, 5, 8 }, { 8, 1, 5 },
  { 16, 16, 16 }, { 33, 7, 129 }, { 7, 129, 33 }, { 129, 33, 7 },
}
-- cut into blocks, which threads share
local large = { { 150, 160, 170 }, { 3, 400, 2000 }, { 1, 700, 800 }, { 700, 1, 800 } }
local orders = { "columns", "rows" }

for _, name in ipairs(naive.types) do
  local core = require("perilune.core." .. name)
  local other = require("perilune.core." .. naive.other[name])
  local tolerance = naive.tolerance[name]

  describe("the matrix product in " .. name, function()
    for _, transposed in ipairs { "NN", "NT", "TN", "TT" } do
      for _, shape in ipairs(shapes) do
        local m, n, k = table.unpack(shape)
        local title = "is %s of inner size %d to %d x %d in every order of storage"

        it(title:format(transposed, k, m, n), function()
          local A_transposed = transposed:sub(1, 1) == "T"
          local B_transposed = transposed:sub(2, 2) == "T"
          local A = random(core, 1, A_transposed and k or m, A_transposed and m or k)
          local B = random(core, 2, B_transposed and n or k, B_transposed and k or n)
          local expected = naive.product(A:totable(), B:totable(), transposed)
          for _, order_A in ipairs(orders) do
            for _, order_B in ipairs(orders) do
              for _, order_C in ipairs(orders) do
                -- What C held before must not matter, not even NaN.
                local C = core.matrix(m, n, order_C):fill(naive.nan)
                local stored_A, stored_B = A:copy(order_A), B:copy(order_B)
                assert.equal(C, core.product(C, stored_A, stored_B, transposed))
                near(C, expected, tolerance)
                local S = random(core, 3, m, n, order_C)
                local sum = naive.zip(function(s, e) return s + e end, S:totable(),
                  expected)
                assert.equal(S, core.product(S, stored_A, stored_B, transposed, true))
                near(S, sum, tolerance)
                core.product(C:fill(naive.nan), stored_A, stored_B, transposed, false, "openblas")
                near(C, expected, tolerance)
              end
            end
          end
        end)
      end
    end

    it("is NN unless said, and the operator * gives the same", function()
      local A, B = random(core, 1, 3, 4), random(core, 2, 4, 5)
      local expected = naive.product(A:totable(), B:totable())
      near(core.product(core.matrix(3, 5), A, B), expected, tolerance)
      near(A * B, expected, tolerance)
      near(A:copy("rows") * B:copy("rows"), expected, tolerance)
    end)

    it("agrees with loops where the work is cut into blocks", function()
      for _, shape in ipairs(large) do
        local m, n, k = table.unpack(shape)
        local A, B = random(core, 1, m, k), random(core, 2, k, n)
        local a, b = A:totable(), B:totable()
        local products = { core.product(core.matrix(m, n), A, B) }
        for _, order in ipairs(orders) do
          local C = core.matrix(m, n, order)
          products[#products + 1] = core.product(C:copy(order), A:copy "rows", B)
          products[#products + 1] = core.product(C:copy(order), A, B:copy "rows")
        end
        -- The edges and a diagonal: all of it would take Lua seconds.
        for step = 0, math.max(m, n) - 1 do
          local i, j = step % m + 1, step % n + 1
          local sum = 0
          for inner = 1, k do sum = sum + a[i][inner] * b[inner][j] end
          for _, C in ipairs(products) do
            naive.near_number(C:get(i, j), sum, 10 * tolerance)
          end
        end
      end
    end)

    it("adds to what C holds where the work is cut into blocks", function()
      for _, shape in ipairs(large) do
        local m, n, k = table.unpack(shape)
        local A, B = random(core, 1, m, k), random(core, 2, k, n)
        local S = random(core, 3, m, n)
        for _, transposed in ipairs { "NN", "NT", "TN", "TT" } do
          local stored_A = transposed:sub(1, 1) == "T" and A:transpose() or A
          local stored_B = transposed:sub(2, 2) == "T" and B:transpose() or B
          for _, order in ipairs(orders) do
            local C = core.matrix(m, n, order)
            core.product(C, stored_A, stored_B, transposed)
            local sum = core.add(C, C, S):totable()
            core.product(C:assign(S), stored_A, stored_B, transposed, true)
            near(C, sum, 10 * tolerance)
          end
        end
      end
    end)

    it("adds only where it is told to, and then keeps NaN and infinity of C", function()
      for _, shape in ipairs(shapes) do
        local m, n, k = table.unpack(shape)
        for _, transposed in ipairs { "NN", "TT" } do
          local A, B = core.matrix(m, k):fill(1), core.matrix(k, n):fill(1)
          if transposed == "TT" then A, B = A:transpose(), B:transpose() end
          for _, bad in ipairs { naive.nan, naive.infinity } do
            local C = core.matrix(m, n):fill(bad)
            near(core.product(C, A, B, transposed, false), naive.fill(m, n, k), 0)
            C:fill(bad)
            near(core.product(C, A, B, transposed, true), naive.fill(m, n, bad), 0)
          end
        end
      end
    end)

    it("gives the same bits whatever the number of threads", function()
      local function all()
        local results = {}
        for _, shape in ipairs(large) do
          local m, n, k = table.unpack(shape)
          for _, order in ipairs(orders) do
            local A, B = random(core, 1, m, k, order), random(core, 2, k, n)
            local C = core.product(core.matrix(m, n), A, B)
            results[#results + 1] = C:encode(name)
            core.product(C, A, B, "NN", true)
            results[#results + 1] = C:encode(name)
          end
        end
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

    it("lets NaN and infinity through, even times 0", function()
      for _, shape in ipairs(shapes) do
        local m, n, k = table.unpack(shape)
        for _, order in ipairs(orders) do
          for _, bad in ipairs { naive.nan, naive.infinity } do
            local A = core.matrix(m, k, order):set(m, k, bad)
            local C = core.product(core.matrix(m, n), A, core.matrix(k, n))
            for j = 1, n do assert.is_true(C:get(m, j) ~= C:get(m, j)) end
            local B = core.matrix(k, n, order):set(k, n, bad)
            core.product(C, core.matrix(m, k), B)
            for i = 1, m do assert.is_true(C:get(i, n) ~= C:get(i, n)) end
          end
        end
      end
    end)

    it("names the shape it expected and the one it got, and writes nothing", function()
      local C = random(core, 3, 3, 5)
      local A, B = random(core, 1, 3, 4), random(core, 2, 4, 5)
      refuses(C, "#3 to 'product' %(4 x 6 matrix expected, got 5 x 6%)",
        function() core.product(C, A, core.matrix(5, 6)) end)
      refuses(C, "#3 to 'product' %(6 x 4 matrix expected, got 6 x 5%)",
        function() core.product(C, A, core.matrix(6, 5), "NT") end)
      refuses(C, "#3 to 'product' %(3 x 5 matrix expected, got 4 x 5%)",
        function() core.product(C, A, B, "TN") end)
      refuses(C, "#1 to 'product' %(3 x 6 matrix expected, got 3 x 5%)",
        function() core.product(C, A, core.matrix(4, 6)) end)
      refuses(C, "the product of 3 x 4 and 3 x 4 matrices is not defined",
        function() return A * A end)
      refuses(C, "#4 to 'product' %(invalid option 'XX'%)",
        function() core.product(C, A, B, "XX") end)
      refuses(C, "#6 to 'product' %(invalid option 'tiles'%)",
        function() core.product(C, A, B, "NN", false, "tiles") end)
    end)

    it("refuses mixed types and a result that is an operand", function()
      local C, A = random(core, 3, 4, 4), random(core, 1, 4, 4)
      local expected = naive.mixed(name, "perilune.matrix." .. other.name)
      refuses(C, "#3 to 'product' " .. expected,
        function() core.product(C, A, other.matrix(4, 4)) end)
      refuses(C, expected, function() return C * other.matrix(4, 4) end)
      refuses(C, "#1 .*must not share memory with argument #2",
        function() core.product(C, C, A) end)
      refuses(C, "#1 .*must not share memory with argument #3",
        function() core.product(C, A, C) end)
      -- one element in common
      local line = random(core, 4, 31, 1)
      refuses(line, "#1 .*must not share memory with argument #2",
        function() core.product(line:view(1, 4, 4), line:view(16, 4, 4), A) end)
    end)
  end)
end
