-- Hosts with a floating-point state of their own: src/float_state.h. They are played by a library
-- that is compiled here, because Lua cannot set that state.

local child = require "spec.support.child"
local compiled = require "spec.support.compiled"
local naive = require "spec.support.naive"

local cores = {
  float32 = require "perilune.core.float32",
  float64 = require "perilune.core.float64",
}

-- Numbers in text, which three ways lead to (src/decimal.c)
local function cells_of(core, text)
  local values = core.matrix(1, select(2, text:gsub("\n", "")) + 1)
  assert(core.cells(1, false, ",", "", ".", {}):fill(text, true, values, "n"))
  return values
end

describe("in a host", function()
  local library

  setup(function() library = compiled("float_state", "-lm") end)
  teardown(function() if library then os.remove(library) end end)

  for _, name in ipairs(naive.types) do
    local core = cores[name]

    -- What is computed from numbers that rounding changes, as bytes
    local function results()
      local g = core.generator(3)
      local X = g:normal(core.matrix(301, 300))
      local p, m, v = X:copy(), X:copy(), core.square(core.matrix(301, 300), X)
      local list = {
        normal = X, uniform = g:uniform(core.matrix(30, 30), -1, 0.3),
        dropout = core.dropout(core.matrix(301, 300), X, 0.3, 5, 1 / 0.7),
        by_rows = g:normal(core.matrix(30, 30, "rows"), 0.1, 0.3),
        number = core.matrix { { g:number() } },
        set = core.matrix(1, 2):set(1, 1, 0.1):set(1, 2, 0.7),
        fill = core.matrix(1, 2):fill(0.7), rows = core.matrix { { 0.1, 0.7 } },
        map = core.matrix(1, 1):map(function() return 0.7 end),
        scaled = 0.7 * X, accumulated = core.accumulate(X:copy(), 0.7, X),
        displaced = core.displace(core.matrix(72, 2), core.matrix(72, 2), 1, 0, 6, 1.3, 0.1, 0.1,
          0.1, 0.7, 1.3),
        bytes = core.gather_bytes(core.matrix(1, 2), "\1\2", 0, 0.7, { 1, 2 }),
        decoded = core.decode(string.pack("<dd", 0.1, 0.7), "float64", 1, 2),
        text = cells_of(core, "0.1\n0.7e-3\n0.12345678901234567\n9007199254740993\n1e-30\n7e-310"),
        narrow = X:to "float32", product = X * X:transpose(),
        adam = core.adam_update(p, X:copy(), m, v, 0.001, 0.9, 0.999, 1e-8, 3, 0.01),
        momentum = core.momentum_update(X:copy(), X:copy(), m, 0.0007, 0.9),
      }
      for k, M in pairs(list) do list[k] = M:encode(M.dtype) end
      list.sum = string.pack("<d", X:sum())
      list.norm = string.pack("<d", X:norm())
      list.J = string.pack("<d", (core.squared_error(nil, X, p)))
      list.entropy = string.pack("<d", (core.softmax_cross_entropy(nil, X, v)))
      return list
    end

    it("that rounds upward, results are the same to the bit: " .. name, function()
      if not library then return pending("no C compiler, or no such host") end
      local wanted = results()
      package.loadlib(library, "round_upward")()
      local ok, got = pcall(results)
      local third = 1 / tonumber "3" -- Lua's own arithmetic is left to the host
      package.loadlib(library, "round_to_nearest")()
      assert.is_true(third > 1 / 3)
      assert.is_true(ok, got)
      for k, bytes in pairs(wanted) do assert.is_true(got[k] == bytes, k) end
    end)

    -- A number beyond the type's range, below its smallest, a signalling NaN
    for _, call in ipairs {
      "M:set(1, 1, 1e308)", "M:set(1, 1, 1e-308)", "M:fill(1e308)",
      "core.matrix { { 1e308, 1e-308 } }", "M:map(function() return 1e308 end)",
      "local _ = 1e308 * M", "core.accumulate(M, 1e308, M)",
      "core.decode(string.pack('<d', 1e308), 'float64', 1, 1)",
      "core.cells(1, false, ',', '', '.', {}):fill('1e-320', true, core.matrix(1, 1), 'n')",
      "core.cells(1, false, ',', '', '.', {}):fill('1e308', true, core.matrix(1, 1), 'n')",
      "core.cells(1, false, ',', '', '.', {}):fill('1e999', true, core.matrix(1, 1), 'n')",
      "M:fill(1e300):to 'float32'", "M:fill(1e300):encode 'float32'",
      "core.gather_bytes(core.matrix(1, 1), '\\1', 0, 1e308, { 1 })",
      "pcall(core.sgd_update, M, M:copy(), 1e308)",
      "core.adam_update(M, M:copy(), M:copy(), M:copy(), 1, 0.9, 0.999, 1e-300, 1000000)",
      "core.generator():uniform(M, -1e308, 1e308)", "core.generator():normal(M, 0, 1e308)",
      "pcall(M.uniform, core.generator(), M, 0, math.huge)",
      "core.matrix(100003, 1):fill(1e308):sum()", "core.matrix(100003, 1):fill(1e308):norm()",
      "core.squared_error(nil, M:fill(1e200), core.matrix(2, 2))",
      "core.exp(M, M:fill(1e9))", "tostring(M:fill(math.huge))",
      "signalling:get(1, 1)", "signalling:totable()", "signalling:max()",
      "signalling:to 'float64'", "signalling:map(math.type)",
    } do
      it("that traps, " .. call .. " does not end the process: " .. name, function()
        if not library then return pending("no C compiler, or no such host") end
        local script = [[
          local core = require "perilune.core.%s"
          require "perilune"
          local M = core.matrix(2, 2)
          local bytes = core.name == "float32" and "\1\0\160\127" or "\1\0\0\0\0\0\240\127"
          local signalling = core.decode(bytes, core.name, 1, 1)
          package.loadlib(%q, "trap")()
          pcall(function() %s end)
          print "alive"]]
        assert.equal("alive\n", child.run(script:format(name, library, call)))
      end)
    end
  end
end)
