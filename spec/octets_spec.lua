-- Bytes put together piece by piece: src/octets.c.

local child = require "spec.support.child"
local memory = require "spec.support.memory"
local naive = require "spec.support.naive"
local raises = require "spec.support.raises"

local cores = {
  float32 = require "perilune.core.float32",
  float64 = require "perilune.core.float64",
}

for _, name in ipairs(naive.types) do
  local core = cores[name]
  local other = name == "float32" and "float64" or "float32"

  describe("octets, made by " .. name, function()
    it("are empty at first, and hold what is appended", function()
      local o = core.octets(8)
      assert.same({ 0, "", "" }, { #o, tostring(o), o:sub(1) })
      assert.equal(o, o:append("ab\0"):append(""):append "\255d")
      assert.same({ 5, "ab\0\255d" }, { #o, tostring(o) })
    end)

    it("give parts as a string does", function()
      local text = "abcdefg"
      local o = core.octets(20):append(text)
      local places = { -9, -8, -7, -1, 0, 1, 3, 7, 8, math.mininteger, math.maxinteger }
      for _, first in ipairs(places) do
        assert.equal(text:sub(first), o:sub(first))
        for _, last in ipairs(places) do
          assert.equal(text:sub(first, last), o:sub(first, last))
        end
      end
    end)

    it("take what there is room for, or nothing", function()
      local o = core.octets(3):append "ab"
      raises("at most 1 more bytes expected, got 2", o.append, o, "cd")
      assert.equal("ab", tostring(o))
      assert.equal("abc", tostring(o:append "c"))
      raises("at most 0 more bytes expected, got 1", o.append, o, "d")
      assert.equal("", tostring(core.octets(0):append ""))
    end)

    it("take others, of either core, and themselves", function()
      local o = cores[other].octets(6):append(core.octets(3):append "abc")
      assert.equal("abcabc", tostring(o:append(o)))
    end)

    it("take their capacity in memory, and no more", function()
      local o
      local allocated = memory.allocated(function() o = core.octets(2 ^ 20 | 0) end)
      assert.is_true(allocated >= 2 ^ 20 and allocated < 2 ^ 20 + 200)
      assert.equal(0, #o)
    end)

    it("refuse what is no number of bytes, no bytes or no octets", function()
      local o = core.octets(10)
      raises("number of bytes expected", core.octets, -1)
      raises("number of bytes expected", core.octets, math.maxinteger)
      raises("no integer representation", core.octets, 1.5)
      raises("number expected, got no value", core.octets)
      raises("string or octets expected, got number", o.append, o, 12)
      raises("string or octets expected, got no value", o.append, o)
      raises("string or octets expected, got perilune.matrix", o.append, o, core.matrix(1, 1))
      raises("perilune.octets expected, got string", o.append, "a", "b")
      raises("number expected, got no value", o.sub, o)
      raises("not enough memory", core.octets, 2 ^ 50 | 0)
    end)

    it("keep their metatable to themselves", function()
      assert.equal("octets", getmetatable(core.octets(1)))
    end)

    it("need no other core", function()
      assert.equal("ab\n", child.run(([[
        print(require "perilune.core.%s".octets(2):append "ab")]]):format(name)))
    end)
  end)
end
