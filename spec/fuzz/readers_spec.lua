local Folder = require "spec.support.folder"
local damage = require "spec.fuzz.damage"
local readers = require "spec.fuzz.readers"

describe("the check of readers", function()
  local folder

  setup(function() folder = Folder.new() end)
  teardown(function() folder:remove() end)

  it("begins with files that are right", function()
    for _, reader in ipairs(readers.all) do
      for k, bytes in ipairs(reader.files) do
        local fault, is_read = readers.try(reader, folder, bytes)
        assert.is_nil(fault)
        assert.is_true(is_read, ("%s, file %d"):format(reader.name, k))
      end
    end
  end)

  it("sees what a reader may not do", function()
    local path, kept = folder:at "damaged", nil
    local function fault_of(read)
      local fault = readers.try({ name = "x", read = read }, folder, "ab")
      return fault
    end
    assert.equal("it raised: no", fault_of(function() error("no", 0) end))
    assert.equal("nil without a message", fault_of(function() end))
    assert.matches("does not begin with the path", fault_of(function() return nil, "no" end))
    assert.matches("is no text", fault_of(function() return nil, path .. ": \xff" end))
    assert.matches("Lua's words",
      fault_of(function() return nil, path .. ": attempt to index nil" end))
    assert.matches("it allocated %d+ bytes for a file of 2", fault_of(function()
      kept = ("x"):rep(40 * 2 ^ 20)
      return true
    end))
    assert.is_string(kept)
    assert.is_nil(fault_of(function() return nil, path .. ": no" end))
    assert.is_nil(fault_of(function() return false end))
  end)

  it("makes the same files of a seed again, and others of another", function()
    local function files(seed)
      local list = {}
      for case = 1, 50 do
        math.randomseed(seed, case)
        list[case] = damage.some("1 2 3\n4 5 6\n", "7 8\n")
      end
      return list
    end
    assert.same(files(1), files(1))
    assert.not_same(files(1), files(2))
  end)

  it("finds nothing in a hundred files of each kind", function()
    for _, reader in ipairs(readers.all) do
      readers.check(reader, 7, 1, 100, function(case, fault)
        error(("%s, case %d: %s"):format(reader.name, case, fault))
      end)
    end
  end)
end)
