local restore_all = require "perilune.restore_all"

-- A part that remembers a number, and takes no negative one
local function part(number)
  local self = { number = number }
  function self.state() return self.number end
  function self.restore(_, state)
    if state < 0 then error({ refused = state }) end
    self.number = state
  end
  return self
end

describe("restoring several parts", function()
  it("restores each from its state", function()
    local a, b = part(1), part(2)
    restore_all { { part = a, state = 3 }, { part = b, state = 4 } }
    assert.same({ 3, 4 }, { a.number, b.number })
    restore_all {}
  end)

  it("restores none where one raises, and raises its error", function()
    for bad = 1, 3 do
      local parts = {}
      for k = 1, 3 do parts[k] = { part = part(k), state = k == bad and -k or 10 * k } end
      local ok, message = pcall(restore_all, parts)
      assert.is_false(ok)
      assert.same({ refused = -bad }, message)
      for k = 1, 3 do assert.equal(k, parts[k].part.number) end
    end
  end)

  it("restores none where one cannot say what it was", function()
    local a, b, c = part(1), part(2), part(3)
    function b.state() error("fault", 0) end
    assert.has_error(function()
      restore_all { { part = a, state = 4 }, { part = b, state = 5 }, { part = c, state = 6 } }
    end, "fault")
    assert.same({ 1, 2, 3 }, { a.number, b.number, c.number })
  end)
end)
