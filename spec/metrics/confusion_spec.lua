local at_caller = require("spec.support.misuse").at_caller
local pl = require "perilune"

local confusion = pl.metrics.confusion

-- The counts alone
local function counts(matrix)
  local rows = {}
  for i = 1, #matrix do rows[i] = { table.unpack(matrix[i]) } end
  return rows
end

for _, name in ipairs { "float32", "float64" } do
  local core = pl[name]

  describe("The confusion matrix in " .. name, function()
    local A = core.matrix { { 1, 0, 1, 0, 1 }, { 0, 1, 0, 0, 0 }, { 0, 0, 0, 1, 0 } }
    -- predicted 1, 2, 1, 3, 1
    local labels = core.matrix { { 1, 2, 2, 2, 1 } }

    it("counts [actual][predicted]", function()
      assert.same({ { 2, 0, 0 }, { 1, 1, 1 }, { 0, 0, 0 } }, counts(confusion(A, labels)))
    end)

    it("takes target columns as well", function()
      local T = core.matrix { { 1, 0, 0, 0, 1 }, { 0, 1, 1, 1, 0 }, { 0, 0, 0, 0, 0 } }
      assert.same(counts(confusion(A, labels)), counts(confusion(A, T)))
    end)

    it("counts as two loops would", function()
      local N, S = 500, 4
      local outputs = core.generator(1):normal(core.matrix(S, N))
      local T = core.matrix(1, N)
      local expected = {}
      for i = 1, S do expected[i] = { 0, 0, 0, 0 } end
      for n = 1, N do
        T:set(1, n, 1 + n % S)
        local best = 1
        for i = 2, S do
          if outputs:get(i, n) > outputs:get(best, n) then best = i end
        end
        expected[1 + n % S][best] = expected[1 + n % S][best] + 1
      end
      assert.same(expected, counts(confusion(outputs, T)))
    end)

    it("of one output has two classes, of probabilities or of logits", function()
      local a, T = core.matrix { { 0.9, 0.2, 0.8 } }, core.matrix { { 1, 1, 0 } }
      assert.same({ { 0, 1 }, { 1, 1 } }, counts(confusion(a, T)))
      assert.same({ { 0, 1 }, { 0, 2 } }, counts(confusion(a, T, nil, "logits")))
    end)
  end)
end

describe("A printed confusion matrix", function()
  local A = pl.matrix { { 1, 0, 1, 0 }, { 0, 1, 0, 1 } }
  local T = pl.matrix { { 1, 2, 2, 2 } }

  -- Every line's fields end where the header's do, counted in characters.
  local function is_aligned(text, names)
    local lines = {}
    for line in text:gmatch("[^\n]+") do lines[#lines + 1] = line end
    assert.equal("actual \\ predicted", lines[1])
    local ends, at = {}, 1
    for j, name in ipairs(names) do
      local first, last = lines[2]:find(name, at, true)
      assert.is_true(j == 1 or lines[2]:sub(at, at) == " ")
      ends[j], at = utf8.len(lines[2]:sub(1, last)), last + 1
      assert.is_truthy(first)
    end
    for i, name in ipairs(names) do
      local line = lines[i + 2]
      local first, last = line:find(name, 1, true)
      assert.equal("", (line:sub(1, first - 1):gsub(" ", "")))
      local j = 0
      for number, place in line:sub(last + 1):gmatch("(%d+)()") do
        j = j + 1
        assert.equal(ends[j], utf8.len(line:sub(1, last)) + place - 1)
        assert.is_truthy(tonumber(number))
      end
      assert.equal(#names, j)
    end
  end

  it("has the names of the classes, or their numbers", function()
    assert.equal("actual \\ predicted\n"
      .. "                 a       b\n"
      .. "         a       1       0\n"
      .. "         b       1       2", tostring(confusion(A, T, { "a", "b" })))
    is_aligned(tostring(confusion(A, T)), { "1", "2" })
  end)

  it("is aligned whatever the length of the names, in any alphabet", function()
    for _, names in ipairs {
      { "elephant", "crocodile" }, { "a", "an uncommonly long name of a class" },
      { "\u{e9}l\u{e9}phant", "\u{f1}u" }, { "\u{441}\u{43e}\u{431}\u{430}\u{43a}\u{430}",
        "\u{43a}\u{43e}\u{448}\u{43a}\u{430}" },
    } do
      is_aligned(tostring(confusion(A, T, names)), names)
    end
  end)

  it("is aligned for large counts", function()
    local matrix = confusion(A, T)
    matrix[1][2] = 1234567890
    is_aligned(tostring(matrix), { "1", "2" })
  end)
end)

describe("Misuse of the confusion matrix", function()
  local A = pl.matrix { { 1, 0 }, { 0, 1 } }

  it("names what was expected and what came", function()
    local T = pl.matrix { { 1, 2 } }
    at_caller(function() local _ = confusion(A, pl.matrix(1, 3)) end,
      "A has 2 samples but T has 3")
    at_caller(function() local _ = confusion(A, pl.matrix { { 1, 3 } }) end,
      "T: labels 1 to 2 expected, got 3 for sample 2")
    at_caller(function() local _ = confusion(A, T, { "a" }) end,
      "classes: 2 names expected, got 1")
    at_caller(function() local _ = confusion(A, T, "ab") end,
      'classes: a list of different names expected, got "ab"')
    at_caller(function() local _ = confusion(A, T, nil, "log") end, "gives: ")
  end)
end)
