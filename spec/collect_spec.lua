-- The collector's steps: lua/perilune/collect.lua.

local collect = require "perilune.collect"

-- Bytes of garbage that there are at most while 64 MiB go through memory in chunks, beside as much
-- that stays
local function most_garbage(size)
  local kept = ("k"):rep(2 ^ 26)
  collectgarbage()
  local before, most = collectgarbage "count", 0
  for k = 1, 2 ^ 26 // size do
    collect(size)
    local chunk = string.char(k % 256):rep(size)
    assert.equal(size, #chunk)
    most = math.max(most, collectgarbage "count" - before)
  end
  assert.equal(2 ^ 26, #kept)
  return 1024 * most
end

describe("The collector #memory", function()
  it("lets few chunks pile up where it is told of them, large or small", function()
    for _, size in ipairs { 2 ^ 12 | 0, 2 ^ 18 | 0, 2 ^ 20 | 0 } do
      assert.is_true(most_garbage(size) < 2 ^ 25)
    end
  end)

  it("is left alone where it has been stopped", function()
    collectgarbage()
    collectgarbage "stop"
    local weak = setmetatable({}, { __mode = "v" })
    for k = 1, 100 do weak[k] = {} end
    for _ = 1, 1000 do collect(2 ^ 20) end
    local left = #weak
    local is_running = collectgarbage "isrunning"
    collectgarbage "restart"
    assert.equal(100, left)
    assert.is_false(is_running)
  end)
end)
