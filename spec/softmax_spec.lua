-- log sum_i e^z_i of every column, against loops: src/softmax.c. The activation and the loss that
-- are made of the same parts have specs of their own.

local naive = require "spec.support.naive"

local near, random, refuses = naive.near, naive.random, naive.refuses
local infinity, nan = naive.infinity, naive.nan

-- few rows are taken in place, many by vectors and in spans of 256
local shapes = {
  { 1, 1 }, { 1, 9 }, { 9, 1 }, { 10, 64 }, { 32, 3 }, { 33, 7 }, { 256, 2 }, { 257, 3 },
  { 700, 2 }, { 3, 30000 },
}

local function log_sum_exp(Z)
  local columns = naive.transpose(Z:totable())
  return naive.build(1, Z.cols, function(_, n)
    local z = columns[n]
    local largest = -infinity
    for i = 1, Z.rows do largest = math.max(largest, z[i]) end
    return largest + math.log(naive.sum(Z.rows, function(i)
      return math.exp(z[i] - largest)
    end))
  end)
end

for _, name in ipairs(naive.types) do
  local core = require("perilune.core." .. name)
  local other = require("perilune.core." .. naive.other[name])
  local tolerance = naive.tolerance[name]

  describe("log_sum_exp in " .. name, function()
    for _, shape in ipairs(shapes) do
      local rows, N = table.unpack(shape)

      it(("is what loops give for %d x %d"):format(rows, N), function()
        for _, scale in ipairs { 1, 50, 1e-3 } do
          local Z = random(core, 1, rows, N) * scale
          local r = core.matrix(1, N):fill(nan)
          local before = Z:copy()
          assert.equal(r, core.log_sum_exp(r, Z))
          near(r, log_sum_exp(Z), tolerance)
          assert.equal(rows * N, core.count_equal(Z, before))
        end
      end)
    end

    it("is the logarithm of the denominator of softmax", function()
      local Z = random(core, 2, 7, 5)
      local r = core.log_sum_exp(core.matrix(1, 5), Z)
      local A = core.exp(core.matrix(7, 5), Z - r)
      near(A, core.activations.softmax.forward(core.matrix(7, 5), Z):totable(), tolerance)
    end)

    it("is exact for numbers of any size", function()
      local Z = core.matrix { { 1e4, -1e4, 1e30, 0 }, { 1e4, -1e4, 0, -1e30 } }
      near(core.log_sum_exp(core.matrix(1, 4), Z),
        { { 1e4 + math.log(2), -1e4 + math.log(2), 1e30, 0 } }, tolerance)
    end)

    it("takes -infinity as nothing, and is infinite where a number is", function()
      for _, rows in ipairs { 3, 50 } do
        local Z = core.matrix(rows, 4):fill(-infinity)
        Z:set(2, 1, 5)
        Z:set(1, 3, infinity)
        Z:set(1, 4, infinity):set(2, 4, infinity)
        near(core.log_sum_exp(core.matrix(1, 4), Z),
          { { 5, -infinity, infinity, infinity } }, 0)
      end
    end)

    it("is NaN where a number is, wherever it stands, and only there", function()
      for _, rows in ipairs { 1, 2, 3, 10, 33, 300 } do
        for _, i in ipairs { 1, 1 + rows // 2, rows } do
          for _, beside in ipairs { 0, infinity, -infinity } do
            local Z = core.matrix(rows, 3)
            Z:columns(2, 2):fill(beside):set(i, 1, nan)
            local r = core.log_sum_exp(core.matrix(1, 3), Z):totable()[1]
            assert.is_true(r[2] ~= r[2])
            naive.near_number(r[1], math.log(rows), tolerance)
            naive.near_number(r[3], math.log(rows), tolerance)
          end
        end
      end
    end)

    it("gives the same bits whatever the number of threads", function()
      local Z = random(core, 3, 10, 20000)
      local before = core.threads()
      finally(function() core.threads(before) end)
      core.threads(1)
      local one = core.log_sum_exp(core.matrix(1, 20000), Z):encode(name)
      core.threads(3)
      assert.is_true(one == core.log_sum_exp(core.matrix(1, 20000), Z):encode(name))
    end)

    it("refuses other shapes, types, storage and overlap, and writes nothing", function()
      local Z, r = random(core, 4, 3, 4), random(core, 5, 1, 4)
      refuses(r, "#1 to 'log_sum_exp' %(1 x 5 matrix expected, got 1 x 4%)",
        function() core.log_sum_exp(r, core.matrix(3, 5)) end)
      refuses(r, "#2 to 'log_sum_exp' "
        .. naive.mixed(name, "perilune.matrix." .. other.name),
        function() core.log_sum_exp(r, other.matrix(3, 4)) end)
      refuses(r, "#2 .*matrix stored by columns expected, got one stored by rows",
        function() core.log_sum_exp(r, Z:copy("rows")) end)
      refuses(Z, "#1 .*argument #2",
        function() core.log_sum_exp(Z:view(2, 1, 4), Z) end)
    end)
  end)
end
