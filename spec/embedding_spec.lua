-- What the primitives of src/embedding.c refuse, and that threads change nothing. What they compute
-- is compared with PyTorch in the specs of the layers.

local naive = require "spec.support.naive"
local pl = require "perilune"

for _, name in ipairs(naive.types) do
  local core = pl[name]

  describe("embeddings in " .. name, function()
    it("are the same with more threads", function()
      local x = naive.random(core, 1, 1, 5000)
      local c, ends = naive.random(core, 2, 20, 1), core.matrix(41, 1)
      for t = 1, 41 do ends:set(t, 1, t / 20 - 1) end
      local labels = core.matrix(1, 5000)
      for n = 1, 5000 do labels:set(1, n, n * n % 7 + 1) end
      local function all()
        local P, G = core.matrix(40, 5000), core.matrix(20, 5000)
        local delta, W = core.matrix(1, 5000), naive.random(core, 3, 7, 40, "rows")
        local parts = {}
        local function add(M) parts[#parts + 1] = M:encode(name) end
        add(core.periodic(P, c, x))
        add(core.periodic_backward(G, naive.random(core, 4, 40, 5000), P))
        add(core.piecewise_linear(P, ends, x))
        add(core.piecewise_linear_backward(delta, naive.random(core, 5, 40, 5000), ends, x))
        add(core.embed(P, W, labels))
        add(core.embed_gradient(W, P, labels))
        return table.concat(parts)
      end
      local one = all()
      core.threads(3)
      local three = all()
      core.threads(1)
      assert.is_true(one == three)
    end)

    it("refuse wrong shapes and orders, and what overlaps", function()
      local P, c, x = naive.random(core, 1, 4, 3), core.matrix(2, 1), core.matrix(1, 3)
      naive.refuses(P, "2 x 1 matrix expected", function() core.periodic(P, x, x) end)
      naive.refuses(P, "1 x 3 matrix expected", function() core.periodic(P, c, c) end)
      naive.refuses(P, "share memory", function() core.periodic(P, P:view(1, 2, 1), x) end)
      local odd = core.matrix(3, 3)
      naive.refuses(odd, "an even number of rows expected",
        function() core.periodic(odd, c, x) end)
      local rows = P:copy "rows"
      naive.refuses(rows, "stored by columns", function() core.periodic(rows, c, x) end)
      local G = core.matrix(2, 3)
      naive.refuses(G, "4 x 3 matrix expected", function() core.periodic_backward(G, G, P) end)
      naive.refuses(G, "4 x 3 matrix expected", function() core.periodic_backward(G, P, G) end)
    end)

    it("refuse boundaries that do not grow", function()
      local P, x = naive.random(core, 1, 2, 3), core.matrix(1, 3)
      for _, wrong in ipairs { { 0, 1, 1 }, { 1, 0, 2 }, { 0, naive.nan, 1 } } do
        local ends = core.matrix { wrong }:view(1, 3, 1)
        naive.refuses(P, "each above the one before",
          function() core.piecewise_linear(P, ends, x) end)
        naive.refuses(x, "each above the one before",
          function() core.piecewise_linear_backward(x, P, ends, core.matrix(1, 3)) end)
      end
    end)

    it("refuse what is no label, before anything is written", function()
      local A, W = naive.random(core, 1, 2, 3), naive.random(core, 2, 4, 2, "rows")
      for _, wrong in ipairs { 0, 5, 1.5, naive.nan, naive.infinity, -naive.infinity } do
        local labels = core.matrix { { 1, 2, wrong } }
        naive.refuses(A, "labels from 1 to 4 expected", function() core.embed(A, W, labels) end)
        naive.refuses(W, "labels from 1 to 4 expected",
          function() core.embed_gradient(W, A, labels) end)
      end
      naive.refuses(A, "4 x 2 matrix expected, got 4 x 3",
        function() core.embed(A, core.matrix(4, 3), core.matrix { { 1, 1, 1 } }) end)
    end)
  end)
end
