local Stored = require "perilune.data.stored"
local at_caller = require("spec.support.misuse").at_caller
local memory = require "spec.support.memory"
local pl = require "perilune"
local same = require("spec.support.matrices").same

-- A source of samples that counts how often it is asked
local function source_of(M, failing)
  return {
    rows = M.rows, cols = M.cols, dtype = M.dtype, chunks = {},
    fill = function(self, part, first)
      table.insert(self.chunks, first)
      if failing and failing() then return nil, "here: the disk is broken" end
      part:assign(M:columns(first, first + part.cols - 1))
      return true
    end,
  }
end

describe("samples that stay in a file", function()
  local M = pl.generator(1):normal(pl.matrix(3, 50))

  it("are the same in any order, whatever the window", function()
    for _, sizes in ipairs { { 1, 1 }, { 7, 1 }, { 7, 2 }, { 10, 5 }, { 50, 1 }, { 13, 4 } } do
      local stored = Stored.new(source_of(M), sizes[1], sizes[2])
      local generator = pl.generator(2)
      for _ = 1, 20 do
        local list = {}
        for k = 1, 9 do list[k] = generator:integer(1, 50) end
        for _, dtype in ipairs { "float32", "float64" } do
          local X = pl[dtype].matrix(3, 7)
          assert.equal(X, stored:gather(X, list, 2))
          assert.is_true(same(M:select_columns(table.move(list, 2, 8, 1, {})):to(dtype), X))
        end
      end
      assert.is_true(same(M, stored:columns(1, 50)))
      assert.is_true(same(M:to "float64", stored:columns(1, 50, "float64")))
    end
  end)

  it("are read in chunks, each once by who goes through them as they stand", function()
    local source = source_of(M)
    local stored = Stored.new(source, 7, 2)
    for first = 1, 50, 3 do stored:columns(first, math.min(first + 2, 50)) end
    assert.same({ 1, 8, 15, 22, 29, 36, 43, 50 }, source.chunks)
  end)

  it("are not read again while they are in the window", function()
    local source = source_of(M)
    local stored = Stored.new(source, 10, 2)
    for _ = 1, 5 do stored:columns(5, 15) end
    assert.same({ 1, 11 }, source.chunks)
    stored:columns(21, 21)
    stored:columns(11, 11)
    assert.same({ 1, 11, 21 }, source.chunks)
    stored:columns(1, 1)
    assert.same({ 1, 11, 21, 1 }, source.chunks)
  end)

  it("take no memory while they are in the window", function()
    local stored, X, list = Stored.new(source_of(M), 10, 5), pl.matrix(3, 4), { 1, 50, 20, 30 }
    local function take()
      for _ = 1, 100 do stored:take(X, list) end
    end
    take()
    assert.equal(0, memory.allocated(take))
  end)

  it("are read when they can be, and change nothing of the window where not", function()
    local is_broken = false
    local stored = Stored.new(source_of(M, function() return is_broken end), 10, 2)
    stored:columns(1, 20)
    is_broken = true
    for _ = 1, 3 do
      at_caller(function() local _ = stored:columns(15, 25) end, "here: the disk is broken")
    end
    is_broken = false
    assert.is_true(same(M, stored:columns(1, 50)))
  end)

  it("make a matrix of no more than there is room for in the window", function()
    local stored = Stored.new(source_of(M), 10, 2)
    local list = {}
    for k = 1, 20 do list[k] = 51 - 2 * k end
    assert.is_true(same(M:select_columns(list), stored:choose(list)))
    list[21] = 1
    at_caller(function() local _ = stored:choose(list) end,
      "21 samples of those in a file have no room in memory, which the window of 20 says")
  end)

  it("say what to ask where they are taken for a matrix", function()
    local stored = Stored.new(source_of(M), 10, 2)
    for _, name in ipairs { "max", "totable", "to", "order" } do
      at_caller(function() local _ = stored[name] end, ('"%s": the 50 samples stay in a file, and '
        .. 'are no matrix as a whole (dataset:chunks "X"'):format(name))
    end
    assert.is_nil(stored.unheard_of)
    assert.is_nil(stored[1])
  end)

  it("refuse what is none of theirs", function()
    local stored = Stored.new(source_of(M), 10, 2)
    at_caller(function() local _ = stored:columns(0, 3) end, "samples within 1 to 50 expected")
    at_caller(function() local _ = stored:columns(3, 51) end, "samples within 1 to 50 expected")
    at_caller(function() local _ = stored:gather(pl.matrix(3, 1), { 51 }) end,
      "indices: samples 1 to 50 expected, got 51")
    at_caller(function() local _ = stored:gather(pl.matrix(2, 1), { 1 }) end,
      "X: a matrix of 3 rows, stored by columns, expected, got a 2 x 1 matrix")
  end)
end)
