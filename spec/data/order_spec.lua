local Stored = require "perilune.data.stored"
local new_order = require "perilune.data.order"
local pl = require "perilune"

-- A set of N samples in a file, of which nothing is read
local function stored_set(N, chunk, slots)
  local X = Stored.new({ rows = 1, cols = N, dtype = "float32" }, chunk, slots)
  return pl.dataset { X = X, T = pl.matrix(1, N) }
end

local function all(order, N, step)
  local columns = {}
  for place = 1, N, step do
    local count = math.min(step, N - place + 1)
    local list, first = order:at(place, count)
    table.move(list, first, first + count - 1, place, columns)
  end
  return columns
end

describe("the order of an epoch", function()
  it("has each sample once, and is another in each epoch", function()
    for _, set in ipairs {
      pl.dataset { X = pl.matrix(1, 100), T = pl.matrix(1, 100) }, stored_set(100, 7, 3),
      stored_set(100, 1, 100), stored_set(100, 100, 1), stored_set(100, 30, 1),
    } do
      local generator, order, seen = pl.generator(1), new_order(set), {}
      for epoch = 1, 3 do
        order:draw(generator)
        local columns = all(order, 100, 9)
        for _, earlier in ipairs(seen) do assert.not_same(earlier, columns) end
        seen[epoch] = { table.unpack(columns) }
        table.sort(columns)
        assert.same(set:order(), columns)
      end
    end
  end)

  it("of samples in a file has those of some chunks at a time", function()
    local order, chunks_apart = new_order(stored_set(100, 7, 3)), {}
    order:draw(pl.generator(1))
    local columns, place = all(order, 100, 1), 1
    while place <= 100 do
      -- Windows are of 21 samples, but for that of the last chunk, which has 2.
      local chunks = {}
      for k = place, math.min(place + 20, 100) do chunks[(columns[k] - 1) // 7] = true end
      local size = chunks[14] and place <= 79 and 16 or 21
      chunks = {}
      for k = place, math.min(place + size - 1, 100) do chunks[(columns[k] - 1) // 7] = true end
      local count = 0
      for chunk in pairs(chunks) do
        assert.is_nil(chunks_apart[chunk])
        chunks_apart[chunk], count = true, count + 1
      end
      assert.is_true(count <= 3)
      place = place + size
    end
  end)

  it("of samples in a file is random within windows, and of chunks", function()
    local order, generator = new_order(stored_set(60, 10, 3)), pl.generator(5)
    local neighbours, firsts = 0, {}
    for _ = 1, 40 do
      order:draw(generator)
      local columns = all(order, 60, 60)
      for k = 2, 60 do
        if columns[k] == columns[k - 1] + 1 then neighbours = neighbours + 1 end
      end
      firsts[(columns[1] - 1) // 10] = true
    end
    assert.equal(6, #firsts + 1)
    assert.is_true(neighbours / 40 < 3) -- of 59; 1 in the mean of random ones within 30
  end)

  it("is the same from any place on, and however many are asked for", function()
    local set = stored_set(100, 7, 3)
    local order = new_order(set)
    order:draw(pl.generator(3))
    local expected = all(order, 100, 1)
    for _, step in ipairs { 2, 9, 21, 40, 100 } do assert.same(expected, all(order, 100, step)) end
    for place = 100, 1, -1 do
      local list, first = order:at(place, 1)
      assert.equal(expected[place], list[first])
    end
  end)

  it("follows from the generator's state alone", function()
    local set = stored_set(100, 7, 3)
    local one, generator = new_order(set), pl.generator(3)
    one:draw(generator)
    one:draw(generator)
    local start = generator:copy()
    one:draw(generator)
    local other = new_order(set)
    other:draw(start)
    assert.same(all(one, 100, 8), all(other, 100, 31))
    assert.equal(generator:state(), start:state())
  end)

  it("of a part of a file has the samples of that part", function()
    local set = stored_set(100, 7, 3)
    for _, fraction in ipairs { 0.03, 0.3, 0.9 } do
      local part = set:split(fraction, pl.generator(1))
      local order = new_order(part)
      order:draw(pl.generator(2))
      local columns = all(order, part.N, 4)
      table.sort(columns)
      assert.same(part:order(), columns)
    end
  end)
end)
