local List = require "perilune.augmentation.list"
local Pass = require "perilune.augmentation.pass"
local naive = require "spec.support.naive"
local pl = require "perilune"

local core = pl.float64

local function list_of(...)
  local parts = {}
  for k, description in ipairs { ... } do parts[k] = pl.augmentation(description) end
  return List.new(parts, core, 36)
end

describe("a list of augmentations", function()
  it("makes one pass of distortions that follow each other", function()
    local function own() end
    local function steps(...)
      local names = {}
      for k, step in ipairs(list_of(...).steps) do
        names[k] = step == own and "own" or "pass"
        if getmetatable(step) == Pass then
          local sorted = {}
          for name in pairs(step.names) do sorted[#sorted + 1] = name end
          table.sort(sorted)
          names[k] = table.concat(sorted, "+")
        end
      end
      return table.concat(names, " ")
    end
    assert.equal("elastic+rotate+shift", steps("elastic", "rotate", "shift"))
    assert.equal("elastic own rotate+shift", steps("elastic", own, "rotate", "shift"))
    assert.equal("rotate rotate+shift", steps("rotate", "rotate", "shift"))
    assert.equal("own own", steps(own, own))
  end)

  it("applies one after the other", function()
    local seen = {}
    local function twice(X)
      seen[#seen + 1] = X:copy()
      core.hadamard(X, X, 2)
    end
    local X = naive.random(core, 1, 36, 4)
    local result = list_of("shift", twice, "rotate", twice):apply(X:copy(), 5, 0)
    local only_shift = list_of("shift"):apply(X:copy(), 5, 0)
    naive.near(seen[1], only_shift:totable(), 0)
    naive.near(result, (2 * seen[2]):totable(), 0)
  end)

  it("draws the same for a sample wherever its batch begins", function()
    local X = naive.random(core, 1, 36, 10)
    local all = list_of("elastic", "rotate", "rotate"):apply(X:copy(), 5, 20):copy()
    local some = list_of("elastic", "rotate", "rotate"):apply(X:columns(4, 7):copy(), 5, 23)
    naive.near(some, all:columns(4, 7):totable(), 0)
  end)

  it("draws other numbers in each pass, for each key and each place", function()
    local seen = {}
    local function note(X) seen[#seen + 1] = X:encode "float64" end
    local X = naive.random(core, 1, 36, 1)
    local function start(M) M:assign(X) end
    for key = 1, 2 do
      for place = 0, 1 do
        list_of(start, "shift", note, start, "shift", note):apply(X:copy(), key, place)
      end
    end
    assert.equal(8, #seen)
    for k = 2, #seen do
      for l = 1, k - 1 do assert.not_equal(seen[l], seen[k]) end
    end
  end)

  it("gives a function of one's own a generator that follows from key and place", function()
    local function drawn(key, place)
      local numbers = {}
      local function own(_, generator) numbers[#numbers + 1] = generator:number() end
      list_of(own, own):apply(core.matrix(36, 2), key, place)
      return numbers
    end
    assert.same(drawn(1, 0), drawn(1, 0))
    local all, count = {}, 0
    for _, case in ipairs { { 1, 0 }, { 1, 5 }, { 2, 0 }, { math.mininteger, 0 } } do
      for _, number in ipairs(drawn(table.unpack(case))) do
        if not all[number] then count = count + 1 end
        all[number] = true
      end
    end
    assert.equal(8, count)
  end)
end)
