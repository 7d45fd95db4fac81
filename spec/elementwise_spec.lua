-- Whole-matrix arithmetic, in place and by operators: src/elementwise.c.

local naive = require "spec.support.naive"
local precise = require "spec.support.precise"
local raises = require "spec.support.raises"

local cores = {
  float32 = require "perilune.core.float32",
  float64 = require "perilune.core.float64",
}
local orders = { "columns", "rows" }
local nan, infinity = naive.nan, naive.infinity

local function maximum(a, b)
  if a ~= a or b ~= b then return nan end
  return a > b and a or b
end

local function minimum(a, b)
  if a ~= a or b ~= b then return nan end
  return a < b and a or b
end

local binary = {
  { name = "add", f = function(a, b) return a + b end },
  { name = "subtract", f = function(a, b) return a - b end },
  { name = "hadamard", f = function(a, b) return a * b end },
  { name = "divide", f = function(a, b) return a / b end },
  { name = "maximum", f = maximum },
  { name = "minimum", f = minimum },
  { name = "less", f = function(a, b) return a < b and 1 or 0 end },
  { name = "less_equal", f = function(a, b) return a <= b and 1 or 0 end },
  { name = "equal", f = function(a, b) return a == b and 1 or 0 end },
}

-- One rounding from double is what float32 arithmetic gives too: no difference is allowed.
local function rounder(name)
  if name == "float64" then return function(x) return x end end
  return function(x) return (string.unpack("<f", string.pack("<f", x))) end
end

-- Element (i, j) of an operand of any of the allowed kinds
local function element(operand, i, j)
  if type(operand) == "number" then return operand end
  return operand:get(operand.rows == 1 and 1 or i, operand.cols == 1 and 1 or j)
end

local function expected(f, round, A, B, rows, cols)
  return naive.build(rows, cols, function(i, j)
    return round(f(element(A, i, j), element(B, i, j)))
  end)
end

for _, name in ipairs(naive.types) do
  local core = cores[name]
  local round = rounder(name)

  local function random(seed, rows, cols, order)
    return naive.random(core, seed, rows, cols, order)
  end

  -- Everything that may stand for a rows x cols operand
  local function operands(seed, rows, cols)
    return {
      random(seed, rows, cols), random(seed + 1, rows, cols, "rows"),
      random(seed + 2, rows, 1), random(seed + 3, 1, cols), -1.75, 3,
    }
  end

  describe("arithmetic in " .. name, function()
    for _, op in ipairs(binary) do
      describe(op.name, function()
        local primitive = core[op.name]

        -- Numbers are repeated in spans of 256 elements.
        it("takes matrices, columns, rows and numbers on both sides", function()
          for _, shape in ipairs {
            { 3, 4 }, { 1, 5 }, { 5, 1 }, { 1, 1 }, { 2, 300 }, { 300, 2 },
          } do
            local rows, cols = table.unpack(shape)
            for _, A in ipairs(operands(10, rows, cols)) do
              for _, B in ipairs(operands(20, rows, cols)) do
                local wanted = expected(op.f, round, A, B, rows, cols)
                for _, order in ipairs(orders) do
                  local C = core.matrix(rows, cols, order):fill(nan)
                  assert.equal(C, primitive(C, A, B))
                  naive.near(C, wanted, 0)
                end
              end
            end
          end
        end)

        it("may write into an operand", function()
          for _, order in ipairs(orders) do
            local A, B = random(1, 7, 5, order), random(2, 7, 5, order)
            local both = expected(op.f, round, A, B, 7, 5)
            local self = expected(op.f, round, A, A, 7, 5)
            naive.near(primitive(A:copy(order), A, B), both, 0)
            local C = A:copy(order)
            naive.near(primitive(C, C, B), both, 0)
            C = B:copy(order)
            naive.near(primitive(C, A, C), both, 0)
            C = A:copy(order)
            naive.near(primitive(C, C, C), self, 0)
          end
        end)

        it("reads an operand stored in the other order before it writes", function()
          local M = random(3, 4, 4)
          local seen = M:view(1, 4, 4, "rows")
          local wanted = expected(op.f, round, M, seen:copy(), 4, 4)
          naive.near(primitive(M, M, seen), wanted, 0)
        end)

        it("refuses operands that share some of the result's elements only", function()
          local memory = random(4, 1, 40)
          local C = memory:view(5, 3, 4)
          for _, first in ipairs { 1, 4, 6, 16 } do
            local V = memory:view(first, 3, 4)
            local text = ".*must be argument #1 itself or share no memory with it"
            naive.refuses(memory, "#2" .. text, function() primitive(C, V, 1) end)
            naive.refuses(memory, "#3" .. text, function() primitive(C, 1, V) end)
          end
          primitive(C, memory:view(17, 3, 4), memory:view(29, 3, 4))
        end)

        it("refuses a repeated column or row that is part of the result", function()
          local text = "must be argument #1 itself or share no memory with it"
          for _, order in ipairs(orders) do
            local memory = random(5, 20, 1)
            local C = memory:view(1, 4, 5, order)
            for _, first in ipairs { 1, 5, 9 } do
              for _, V in ipairs { memory:view(first, 4, 1), memory:view(first, 1, 5) } do
                naive.refuses(memory, text, function() primitive(C, V, 1) end)
                naive.refuses(memory, text, function() primitive(C, C, V) end)
              end
            end
          end
          local line = random(6, 1, 6)
          local one = line:view(1, 1, 1)
          naive.refuses(line, text, function() primitive(line, line, one) end)
          primitive(one, one, one)
        end)

        it("refuses operands of another shape, naming both", function()
          local C, A = random(6, 3, 4), random(7, 3, 4)
          local text = "3 x 4, 3 x 1 or 1 x 4 matrix expected, got "
          for _, B in ipairs {
            core.matrix(4, 3), core.matrix(3, 5), core.matrix(2, 4), core.matrix(1, 3),
            core.matrix(4, 1), core.matrix(1, 1), core.matrix(12, 1),
          } do
            local got = text .. B.rows .. " x " .. B.cols
            naive.refuses(C, "#3.*" .. got, function() primitive(C, A, B) end)
            naive.refuses(C, "#2.*" .. got, function() primitive(C, B, A) end)
          end
        end)

        it("refuses what is neither a matrix of its type nor a number", function()
          local C = random(8, 2, 2)
          local other = name == "float32" and "float64" or "float32"
          local stranger = cores[other].matrix(2, 2)
          for _, value in ipairs { "1", {}, true, print, io.stdout, stranger } do
            local text = ".*" .. name .. " expected, got"
            naive.refuses(C, "#2" .. text, function() primitive(C, value, 1) end)
            naive.refuses(C, "#3" .. text, function() primitive(C, 1, value) end)
          end
          naive.refuses(C, "got no value", function() primitive(C, C) end)
          raises("expected, got number", primitive, 1, C, C)
          raises("expected, got no value", primitive)
        end)

        it("follows IEEE 754 where numbers are not finite", function()
          local values = { 0, 1, -2, infinity, -infinity, nan }
          for _, a in ipairs(values) do
            for _, b in ipairs(values) do
              local C = core.matrix(33, 1) -- longer than a vector of the processor
              local A, B = core.matrix(33, 1):fill(a), core.matrix(33, 1):fill(b)
              local wanted = naive.fill(33, 1, op.f(a, b))
              naive.near(primitive(C, A, B), wanted, 0)
              naive.near(primitive(C, a, b), wanted, 0)
            end
          end
        end)
      end)
    end

    it("gives the same bits with any number of threads", function()
      finally(function() core.threads(1) end)
      for _, shape in ipairs { { 300, 301 }, { 1, 100003 }, { 2, 50001 } } do
        local rows, cols = table.unpack(shape)
        local A, R = random(1, rows, cols), random(1, rows, cols, "rows")
        local B, column = random(2, rows, cols), random(3, rows, 1)
        local row = random(4, 1, cols)
        local function results()
          local list = { A + B, R + B, core.accumulate(A:copy(), 0.5, B) }
          local function into() return core.matrix(rows, cols, orders[#list % 2 + 1]) end
          for _, op in ipairs(binary) do
            list[#list + 1] = core[op.name](into(), A, R)
            list[#list + 1] = core[op.name](into(), column, A)
            list[#list + 1] = core[op.name](into(), B, row)
            list[#list + 1] = core[op.name](into(), 2, A)
          end
          for _, f in ipairs { "abs", "exp", "sign", "square", "tanh" } do
            list[#list + 1] = core[f](into(), A)
          end
          for k, M in ipairs(list) do list[k] = M:encode(name, "little", M.order) end
          return list
        end
        core.threads(1)
        local wanted = results()
        for threads = 2, 4 do
          core.threads(threads)
          for k, bytes in ipairs(results()) do
            local which = ("result %d, %d threads"):format(k, threads)
            assert.is_true(bytes == wanted[k], which)
          end
        end
      end
    end)

    it("shares large matrices among threads without losing an element", function()
      finally(function() core.threads(1) end)
      core.threads(3)
      for _, shape in ipairs { { 300, 301 }, { 1, 100003 }, { 100003, 1 } } do
        local rows, cols = table.unpack(shape)
        for _, order in ipairs(orders) do
          local column, row = core.matrix(rows, 1), core.matrix(1, cols)
          for i = 1, rows do column:set(i, 1, i % 100) end
          for j = 1, cols do row:set(1, j, j) end
          local C = core.add(core.matrix(rows, cols, order):fill(nan), column, row)
          core.square(C, core.subtract(C, C, column))
          local squares = naive.sum(cols, function(j) return round(j * j) end)
          assert.equal(rows * squares, C:sum())
          core.square(C, core.add(C, core.hadamard(C, C, 0), 3))
          assert.equal(9 * rows * cols, C:sum())
        end
      end
    end)

    describe("operators", function()
      it("add and subtract matrices, columns, rows and numbers", function()
        local function size(operand, side)
          return type(operand) == "number" and 1 or operand[side]
        end
        for k, A in ipairs(operands(30, 3, 4)) do
          for l, B in ipairs(operands(40, 3, 4)) do
            if k <= 4 or l <= 4 then -- not two numbers
              local rows = math.max(size(A, "rows"), size(B, "rows"))
              local cols = math.max(size(A, "cols"), size(B, "cols"))
              naive.near(A + B, expected(binary[1].f, round, A, B, rows, cols), 0)
              naive.near(A - B, expected(binary[2].f, round, A, B, rows, cols), 0)
            end
          end
        end
      end)

      it("leave their operands as they were", function()
        local A, b = random(1, 3, 4), random(2, 3, 1)
        local A_before, b_before = A:totable(), b:totable()
        for _, C in ipairs { A + b, A - b, 2 * A, A / 2, -A, A + 1, A:hadamard(b) } do
          C:fill(0)
        end
        naive.near(A, A_before, 0)
        naive.near(b, b_before, 0)
      end)

      it("make a result stored as the larger operand is", function()
        local R = core.matrix(3, 4, "rows")
        assert.equal("rows", (R + 1).order)
        assert.equal("rows", (1 - R).order)
        assert.equal("rows", (core.matrix(3, 1) + R).order)
        assert.equal("rows", (R + core.matrix(3, 4)).order)
        assert.equal("columns", (core.matrix(3, 4) + R).order)
        assert.equal("rows", (-R).order)
      end)

      it("scale by a number from both sides, divide by one, and negate", function()
        for _, order in ipairs(orders) do
          local A = random(1, 5, 6, order)
          local t = A:totable()
          local function each(f)
            return naive.zip(function(a) return round(f(a)) end, t)
          end
          naive.near(3 * A, each(function(a) return 3 * a end), 0)
          naive.near(A * 3, each(function(a) return 3 * a end), 0)
          naive.near(A / 3, each(function(a) return a / 3 end), 0)
          naive.near(-A, each(function(a) return -a end), 0)
          naive.near(2 - A, each(function(a) return 2 - a end), 0)
          naive.near(A - 2, each(function(a) return a - 2 end), 0)
        end
      end)

      it("divide by zero as IEEE 754 does", function()
        naive.near(core.matrix { { 1, -1, 0 } } / 0, { { infinity, -infinity, nan } }, 0)
      end)

      it("multiply matrices as matrices, and elementwise as hadamard", function()
        local A = core.matrix { { 1, 2 }, { 3, 4 } }
        local B = core.matrix { { 5, 6 }, { 7, 8 } }
        assert.same({ { 19, 22 }, { 43, 50 } }, (A * B):totable())
        assert.same({ { 5, 12 }, { 21, 32 } }, A:hadamard(B):totable())
        assert.same({ { 10, 20 }, { 300, 400 } },
          A:hadamard(core.matrix { { 10 }, { 100 } }):totable())
        assert.same({ { 10, 200 }, { 30, 400 } },
          A:hadamard(core.matrix { { 10, 100 } }):totable())
      end)

      it("refuse shapes that do not fit, naming them", function()
        local A = core.matrix(2, 3)
        raises("2 x 3, 2 x 1 or 1 x 3 matrix expected, got 1 x 1",
          function() return A + core.matrix(1, 1) end)
        raises("3 x 3, 3 x 1 or 1 x 3 matrix expected, got 2 x 3",
          function() return A - core.matrix(3, 2) end)
        raises("the product of 2 x 3 and 2 x 3 matrices is not defined",
          function() return A * A end)
        raises("2 x 3, 2 x 1 or 1 x 3 matrix expected, got 2 x 2",
          function() return A:hadamard(core.matrix(2, 2)) end)
        raises("got 50000 x 50000",
          function() return core.matrix(50000, 1) + core.matrix(1, 50000) end)
      end)

      it("let a type of the user's own answer, on either side", function()
        local Own = {}
        Own.__index = Own
        for _, event in ipairs { "add", "sub", "mul", "div" } do
          Own["__" .. event] = function(a, b) return { event, a, b }, "and no more" end
        end
        local A, own = core.matrix(2, 2), setmetatable({}, Own)
        local function answers(event, a, b, ...)
          local answer = ...
          assert.equal(1, select("#", ...))
          assert.equal(event, answer[1])
          assert.is_true(rawequal(a, answer[2]) and rawequal(b, answer[3]))
        end
        answers("add", A, own, A + own)
        answers("add", own, A, own + A)
        answers("sub", A, own, A - own)
        answers("sub", own, A, own - A)
        answers("mul", A, own, A * own)
        answers("mul", own, A, own * A)
        answers("div", A, own, A / own)
        answers("div", own, A, own / A)
      end)

      it("pass on the error of such a type, and whatever it answers", function()
        local A = core.matrix(2, 2)
        local odd = setmetatable({}, {
          __add = function() error("not today", 0) end,
          __sub = function() end,
          __mul = setmetatable({}, { __call = function(_, a) return a end }),
          __metatable = "closed",
        })
        raises("not today", function() return A + odd end)
        assert.is_nil(A - odd)
        assert.equal(A, A * odd)
        raises("number expected, got table", function() return A / odd end)
      end)

      it("refuse operands that are neither matrices nor numbers", function()
        local A = core.matrix(2, 2)
        raises("got string", function() return A + "x" end)
        raises("got table", function() return {} + A end)
        raises("got nil", function() return A - nil end)
        raises("got FILE*", function() return io.stdout - A end)
        raises("got boolean", function() return A * true end)
        raises("number expected, got perilune.matrix", function() return A / A end)
        raises("expected, got number", function() return 1 / A end)
        raises("expected, got string", function() return A / "2" end)
        raises("expected, got number", A.hadamard, A, 2)
        raises("expected, got number", A.hadamard, 2, A)
      end)
    end)

    describe("fill", function()
      it("sets every element and returns the matrix", function()
        local M = core.matrix(3, 4, "rows")
        assert.equal(M, M:fill(1.5))
        naive.near(M, naive.fill(3, 4, 1.5), 0)
        naive.near(M:fill(nan), naive.fill(3, 4, nan), 0)
        naive.refuses(M, "number expected, got string", function() M:fill("x") end)
        naive.refuses(M, "number expected, got string", function() M:fill("2") end)
        naive.refuses(M, "number expected, got no value", function() M:fill() end)
      end)
    end)

    describe("accumulate", function()
      it("adds a multiple, in all orders", function()
        for _, order in ipairs(orders) do
          for _, other in ipairs(orders) do
            local C, A = random(1, 6, 5, order), random(2, 6, 5, other)
            local wanted = naive.zip(function(c, a) return c + 0.5 * a end, C:totable(),
              A:totable())
            assert.equal(C, core.accumulate(C, 0.5, A))
            naive.near(C, wanted, naive.tolerance[name])
          end
        end
      end)

      it("may add a matrix to itself", function()
        local C = core.matrix { { 1, 2 }, { 3, 4 } }
        assert.same({ { 3, 6 }, { 9, 12 } }, core.accumulate(C, 2, C):totable())
      end)

      it("keeps NaN and infinity even when it adds 0 times them", function()
        local C = core.accumulate(core.matrix(1, 2), 0, core.matrix { { nan, infinity } })
        naive.near(C, { { nan, nan } }, 0)
      end)

      it("refuses other shapes, partial overlap and what is not a number", function()
        local C = random(1, 3, 4)
        local V = C:view(2, 3, 1)
        naive.refuses(C, "3 x 4 matrix expected, got 3 x 1",
          function() core.accumulate(C, 1, core.matrix(3, 1)) end)
        naive.refuses(C, "number expected, got nil",
          function() core.accumulate(C, nil, C) end)
        naive.refuses(C, "number expected, got string",
          function() core.accumulate(C, "2", C) end)
        naive.refuses(C, "expected, got number", function() core.accumulate(C, 1, 1) end)
        naive.refuses(C, "must be argument #1 itself or share no memory with it",
          function() core.accumulate(C:view(1, 3, 1), 1, V) end)
      end)
    end)

    describe("comparisons", function()
      it("are 0 beside NaN, and know infinities", function()
        local A = core.matrix { { nan, 1, nan, infinity, -infinity, 0 } }
        local B = core.matrix { { 1, nan, nan, infinity, infinity, -0.0 } }
        local C = core.matrix(1, 6)
        assert.same({ { 0, 0, 0, 0, 1, 0 } }, core.less(C, A, B):totable())
        assert.same({ { 0, 0, 0, 1, 1, 1 } }, core.less_equal(C, A, B):totable())
        assert.same({ { 0, 0, 0, 1, 0, 1 } }, core.equal(C, A, B):totable())
        assert.same({ { 0, 1, 0, 1, 0, 0 } }, core.less(C, 0, A):totable())
      end)
    end)

    describe("power", function()
      it("is the power of each element, of float64 as Lua has it", function()
        local A = core.exp(core.matrix(5, 70), random(1, 5, 70))
        local B = random(2, 5, 70)
        local wanted = naive.zip(function(a, b) return a ^ b end, A:totable(), B:totable())
        naive.near(core.power(core.matrix(5, 70, "rows"), A, B), wanted, naive.tolerance[name])
        naive.near(A ^ 3, naive.zip(function(a) return a ^ 3 end, A:totable()),
          naive.tolerance[name])
        assert.same({ { 9, 0.25, 1, 0 } }, core.power(core.matrix(1, 4),
          core.matrix { { -3, 2, 0, 0 } }, core.matrix { { 2, -2, 0, 5 } }):totable())
        local root = core.matrix { { -4 } } ^ 0.5
        assert.is_true(root:get(1, 1) ~= root:get(1, 1))
        raises("number expected", function() return A ^ B end)
        raises("matrix", function() return 2 ^ A end)
      end)
    end)

    describe("clamp", function()
      it("keeps elements within two bounds, and NaN as it is", function()
        for _, order in ipairs(orders) do
          local A = random(3, 9, 70, order)
          local wanted = naive.zip(function(a)
            return math.max(round(-0.3), math.min(round(0.7), a))
          end, A:totable())
          naive.near(core.clamp(core.matrix(9, 70), A, -0.3, 0.7), wanted, 0)
          naive.near(core.clamp(A, A, -0.3, 0.7), wanted, 0)
        end
        local B = core.clamp(core.matrix(1, 3), core.matrix { { nan, infinity, -infinity } }, 2, 2)
        assert.is_true(B:get(1, 1) ~= B:get(1, 1))
        assert.same({ 2, 2 }, { B:get(1, 2), B:get(1, 3) })
      end)

      it("refuses bounds in the wrong order and other shapes", function()
        local A, C = random(4, 3, 4), random(5, 3, 4)
        naive.refuses(C, "a number not below the lower bound expected",
          function() core.clamp(C, A, 1, 0) end)
        naive.refuses(C, "a number not below", function() core.clamp(C, A, 0, nan) end)
        naive.refuses(C, "number expected, got string", function() core.clamp(C, A, "0", 1) end)
        naive.refuses(C, "3 x 4 matrix expected, got 4 x 3",
          function() core.clamp(C, A:t(), 0, 1) end)
        local M = random(6, 1, 5)
        naive.refuses(M, "share no memory", function()
          core.clamp(M:view(1, 1, 4), M:view(2, 1, 4), 0, 1)
        end)
      end)
    end)

    describe("a function of the elements", function()
      local functions = {
        { name = "abs", f = math.abs, ulps = 0 },
        { name = "exp", f = math.exp, ulps = 2 },
        { name = "log", f = math.log, ulps = 1 },
        { name = "sign", f = function(x) return x > 0 and 1 or -1 end, ulps = 0 },
        { name = "sqrt", f = math.sqrt, ulps = 0 },
        { name = "square", f = function(x) return x * x end, ulps = 0 },
        { name = "tanh", f = precise.tanh, ulps = 2 },
      }

      local function is_near(actual, wanted, ulps)
        wanted = round(wanted)
        if wanted ~= wanted then return actual ~= actual end
        if wanted == actual then return true end
        return math.abs(actual - wanted) <= ulps * naive.ulp(wanted, name)
      end

      for _, map in ipairs(functions) do
        it(map.name .. " is near its mathematical value", function()
          local Z = core.matrix(1, 4003)
          local generator = core.generator(5)
          generator:normal(Z:columns(1, 2000), 0, 1)
          generator:uniform(Z:columns(2001, 3000), -80, 80)
          generator:uniform(Z:columns(3001, 4003), -1e-3, 1e-3)
          local C = core[map.name](core.matrix(1, 4003), Z)
          for k = 1, 4003 do
            local x, y = Z:get(1, k), C:get(1, k)
            if not is_near(y, map.f(x), map.ulps) then
              error(("f(%.17g): %.17g expected, got %.17g"):format(x, map.f(x), y))
            end
          end
        end)

        it(map.name .. " keeps NaN and takes infinity to its limit", function()
          local limits = {
            abs = { infinity, infinity }, exp = { 0, infinity }, log = { nan, infinity },
            sign = { -1, 1 }, sqrt = { nan, infinity }, square = { infinity, infinity },
            tanh = { -1, 1 },
          }
          local Z = core.matrix(3, 40) -- vectors of the processor and a rest
          for j = 1, 40 do Z:set(1, j, -infinity):set(2, j, infinity):set(3, j, nan) end
          local low, high = table.unpack(limits[map.name])
          naive.near(core[map.name](Z, Z),
            naive.build(3, 40, function(i) return ({ low, high, nan })[i] end), 0)
        end)

        it(map.name .. " takes both orders and works in place", function()
          local A = random(1, 5, 7)
          local wanted = core[map.name](core.matrix(5, 7), A):totable()
          for _, order in ipairs(orders) do
            for _, other in ipairs(orders) do
              local C = core.matrix(5, 7, order)
              assert.equal(C, core[map.name](C, A:copy(other)))
              naive.near(C, wanted, 0)
            end
            local C = A:copy(order)
            naive.near(core[map.name](C, C), wanted, 0)
          end
        end)

        it(map.name .. " refuses other shapes, partial overlap and numbers", function()
          local f, C = core[map.name], random(2, 4, 5)
          naive.refuses(C, "4 x 5 matrix expected, got 5 x 4",
            function() f(C, core.matrix(5, 4)) end)
          naive.refuses(C, "4 x 5 matrix expected, got 4 x 1",
            function() f(C, core.matrix(4, 1)) end)
          naive.refuses(C, "must be argument #1 itself or share no memory with it",
            function() f(C:view(1, 4, 3), C:view(2, 4, 3)) end)
          naive.refuses(C, "expected, got number", function() f(C, 1) end)
          naive.refuses(C, "expected, got no value", function() f(C) end)
        end)
      end

      it("sign is 0, 1, -1 or NaN and nothing else, of denormals 0", function()
        local tiny = name == "float32" and 2.0 ^ -140 or 2.0 ^ -1060
        for _, cols in ipairs { 1, 40 } do
          for x, wanted in pairs { [0] = 0, [tiny] = 0, [-tiny] = 0, [3] = 1, [-3] = -1 } do
            local C = core.sign(core.matrix(1, cols), core.matrix(1, cols):fill(x))
            assert.same({ wanted, wanted }, { C:max(), C:min() })
            assert.equal(wanted, C:get(1, 1)) -- to the bit: max and min flush
          end
        end
      end)

      it("exp is exact at 0, and 0 or infinite beyond its range", function()
        local Z = core.matrix { { 0, -1e4, 1e4, -0.0, -750 } }
        local C = core.exp(core.matrix(1, 5), Z)
        naive.near(C, { { 1, 0, infinity, 1, 0 } }, 0)
      end)
    end)

    describe("map", function()
      it("applies a function to every element in storage order", function()
        for _, order in ipairs(orders) do
          local M = core.matrix({ { 1, 2 }, { 3, 4 } }):copy(order)
          local seen = {}
          local C = M:map(function(x)
            seen[#seen + 1] = x
            return 10 * x
          end)
          assert.same({ { 10, 20 }, { 30, 40 } }, C:totable())
          assert.same({ { 1, 2 }, { 3, 4 } }, M:totable())
          assert.same(order == "rows" and { 1, 2, 3, 4 } or { 1, 3, 2, 4 }, seen)
          assert.equal(order, C.order)
        end
      end)

      it("takes anything that can be called", function()
        local double = setmetatable({}, { __call = function(_, x) return 2 * x end })
        assert.same({ { 2, 4 } }, core.matrix({ { 1, 2 } }):map(double):totable())
        assert.same({ { 1, 2 } }, core.matrix({ { 1, 4 } }):map(math.sqrt):totable())
        assert.same({ { 1, 2 } },
          core.matrix({ { 1, 2 } }):map(function(x) return x, "more" end):totable())
      end)

      it("passes on an error of the function, whatever its value", function()
        local M = random(1, 3, 3)
        local reason = {}
        local ok, raised = pcall(M.map, M, function() error(reason) end)
        assert.is_false(ok)
        assert.equal(reason, raised)
        naive.refuses(M, "too far", function()
          local calls = 0
          M:map(function()
            calls = calls + 1
            if calls == 5 then error("too far") end
            return 0
          end)
        end)
      end)

      it("refuses results that are not numbers, and what cannot be called", function()
        local M = core.matrix(2, 2)
        local text = "the mapped function must return a number, got "
        raises(text .. "nil", M.map, M, function() end)
        raises(text .. "table", M.map, M, function() return {} end)
        raises(text .. "boolean", M.map, M, function() return true end)
        raises(text .. "string", M.map, M, function() return "one" end)
        raises(text .. "string", M.map, M, function() return "1" end)
        for _, value in ipairs { 1, "f", {}, setmetatable({}, {}), io.stdout, M } do
          raises("function expected, got", M.map, M, value)
        end
        raises("function expected, got nil", M.map, M, nil)
        raises("function expected, got no value", M.map, M)
      end)

      it("takes a table that can be called", function()
        local callable = setmetatable({}, { __call = function(_, x) return 2 * x end })
        assert.same({ { 2, 4 } }, core.matrix({ { 1, 2 } }):map(callable):totable())
      end)

      it("survives a function that collects garbage, drops its matrix or changes it",
        function()
          local C = core.matrix(3, 4):fill(3):columns(2, 3):map(function(x)
            collectgarbage()
            core.matrix(3, 4):fill(9)
            return x + 1
          end)
          naive.near(C, naive.fill(3, 2, 4), 0)
          local M = core.matrix(1, 3)
          C = M:map(function(x)
            M:fill(5)
            return x
          end)
          assert.same({ { 0, 5, 5 } }, C:totable())
        end)

      it("may be called within itself", function()
        local M = core.matrix { { 1, 2 }, { 3, 4 } }
        local C = M:map(function(x) return M:map(function(y) return x * y end):sum() end)
        assert.same({ { 10, 20 }, { 30, 40 } }, C:totable())
      end)

      it("cannot be left by a yield", function()
        local M = core.matrix(2, 2)
        local ok, message = coroutine.resume(coroutine.create(function()
          return M:map(coroutine.yield)
        end))
        assert.is_false(ok)
        assert.is_truthy(message:find("yield across a C-call boundary", 1, true))
      end)
    end)
  end)
end
