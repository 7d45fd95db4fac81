local at_caller = require("spec.support.misuse").at_caller
local fields = require "perilune.fields"
local pl = require "perilune"
local registry = require "perilune.registry"

-- A family of sounds, described as every family of parts is.
local function new_family(definition)
  definition = definition or {}
  local family = registry.family("sound", {
    make = function(kind, options) return { name = kind.name, options = options } end,
    accepts = definition.accepts or function(value)
      if type(value) == "function" then return { play = value } end
      if type(value) == "table" and value.play then return value end
    end,
    expected = "a function that plays it",
    remembers = definition.remembers,
  })
  family:add { name = "beep" }
  family:add {
    name = "horn", fields = { pitch = { "number", default = 440, above = 0 } },
  }
  family:add {
    name = "chord",
    fields = {
      low = { "part", of = "sound", default = "beep" },
      high = { "part", of = "sound", optional = true },
    },
  }
  return family
end

describe("A part", function()
  local sounds = new_family()

  it("is described by its name", function()
    assert.same({ name = "horn", options = { pitch = 440 } }, sounds:resolve "horn")
  end)

  it("is described by its name and options", function()
    assert.same({ pitch = 880 }, sounds:resolve({ "horn", pitch = 880 }).options)
  end)

  it("stands for itself once it is made", function()
    local horn = sounds:resolve { "horn", pitch = 880 }
    assert.is_true(rawequal(horn, sounds:resolve(horn)))
  end)

  it("leaves its description as it is", function()
    local description = { "horn", pitch = 880 }
    sounds:resolve(description)
    assert.same({ "horn", pitch = 880 }, description)
  end)

  it("is checked against what its kind declares", function()
    at_caller(function() sounds:resolve { "horn", pitch = 0 } end,
      "horn: pitch: a number above 0 expected, got 0")
    at_caller(function() sounds:resolve { "horn", volume = 3 } end,
      "unknown option 'volume' of horn (known: pitch)")
    at_caller(function() sounds:resolve { "beep", 3 } end,
      "unknown option '2' of beep (known: none)")
  end)

  it("that is unknown is refused with the names of the known ones", function()
    at_caller(function() sounds:resolve "drum" end,
      "unknown sound 'drum' (known: beep, chord, horn)")
    at_caller(function() sounds:resolve({ "drum" }, { flute = print }) end,
      "unknown sound 'drum' (known: beep, chord, flute, horn)")
  end)

  it("is no other value", function()
    local expected = "sound: a name, { name, option = value } or "
      .. "a function that plays it expected, got "
    at_caller(function() sounds:resolve(3) end, expected .. "3")
    at_caller(function() sounds:resolve(nil) end, expected .. "nil")
    at_caller(function() sounds:resolve {} end, expected .. "a table")
  end)

  it("may hold parts, described likewise", function()
    local chord = sounds:resolve { "chord", high = { "horn", pitch = 3 } }
    assert.equal("beep", chord.options.low.name)
    assert.equal(3, chord.options.high.options.pitch)
    assert.is_nil(sounds:resolve("chord").options.high)
  end)

  it("within another is refused by the path to it", function()
    at_caller(function() sounds:resolve { "chord", high = "drum" } end,
      "chord: high: unknown sound 'drum'")
    local inner = { "chord", low = { "horn", pitch = -1 } }
    at_caller(function() sounds:resolve { "chord", low = inner } end,
      "chord: low: chord: low: horn: pitch: a number above 0 expected, got -1")
  end)
end)

describe("A part of the user's own", function()
  local sounds = new_family()

  it("may be a value that the family accepts", function()
    local own = { play = print }
    assert.is_true(rawequal(own, sounds:resolve(own)))
    assert.equal(print, sounds:resolve(print).play)
  end)

  it("stands for itself once it was resolved", function()
    local part = sounds:resolve(print)
    part.play = nil -- so that it would not be accepted again
    assert.is_true(rawequal(part, sounds:resolve(part)))
  end)

  it("may be called by its name, where the user gives the names", function()
    assert.equal(print, sounds:resolve("mine", { mine = print }).play)
    assert.equal(print, sounds:resolve({ "mine" }, { mine = print }).play)
  end)

  it("is told the name by which it was given", function()
    local told = {}
    local family = new_family { accepts = function(value, name)
      told[#told + 1] = name or "none"
      return { play = value }
    end }
    family:resolve("mine", { mine = print })
    family:resolve(print)
    assert.same({ "mine", "none" }, told)
    new_family()
  end)

  it("has one name", function()
    local flute = { name = "flute", play = print }
    assert.is_true(rawequal(flute, sounds:resolve("flute", { flute = flute })))
    at_caller(function()
      sounds:resolve("mine", { mine = { name = "other", play = print } })
    end, "the sound given as 'mine' has the name 'other': give it by that, or without")
  end)

  it("takes no options", function()
    at_caller(function() sounds:resolve({ "mine", pitch = 3 }, { mine = print }) end,
      "the sound 'mine' is one of your own, which take no options")
  end)

  it("must not take the name of a built-in one", function()
    at_caller(function() sounds:resolve { name = "horn", play = print } end,
      "the sound 'horn' is built in: give your own another name")
    at_caller(function() sounds:check_own { horn = print } end,
      "the sound 'horn' is built in")
    at_caller(function() sounds:check_own { print } end,
      "sound of one's own: a name as a string expected, got 1")
    at_caller(function() sounds:resolve { name = 3, play = print } end,
      "a name as a string expected, got 3")
    sounds:check_own { mine = print }
  end)

  it("keeps the errors of its own functions as they are", function()
    local family = new_family { accepts = function() error("of the user's", 0) end }
    local ok, message = pcall(fields.value, "x", 3, { "part", of = "sound" })
    assert.same({ false, "of the user's" }, { ok, message })
    assert.is_table(family)
    new_family()
  end)
end)

describe("A description", function()
  local sounds = new_family()

  it("can be had back from what was made", function()
    local chord = { "chord", low = "beep", high = { "horn", pitch = 2 } }
    for _, description in ipairs { "beep", { "horn", pitch = 880 }, chord } do
      assert.same(description, sounds:describe(sounds:resolve(description)))
    end
    assert.same({ "horn", pitch = 440 }, sounds:describe(sounds:resolve "horn"))
    assert.same({ "chord", low = "beep" }, sounds:describe(sounds:resolve "chord"))
  end)

  it("makes the same part again", function()
    local chord = sounds:resolve { "chord", high = { "horn", pitch = 2 } }
    assert.same(chord, sounds:resolve(sounds:describe(chord)))
  end)

  it("of one's own is its name, if it has one", function()
    local flute = { name = "flute", play = print }
    assert.equal("flute", sounds:describe(sounds:resolve(flute)))
    assert.equal("mine", sounds:describe(sounds:resolve("mine", { mine = print })))
    assert.is_nil(sounds:describe(sounds:resolve(print)))
  end)

  it("of one's own is also the name that it was given later", function()
    local flute = { play = print }
    assert.is_nil(sounds:describe(sounds:resolve(flute)))
    flute.name = "flute"
    assert.equal("flute", sounds:describe(flute))
    local drum = sounds:resolve { play = print }
    drum.name = "horn"
    at_caller(function() local _ = sounds:describe(drum) end, "'horn' is built in")
  end)

  it("of a part that was never resolved is none", function()
    assert.is_nil(sounds:describe {})
  end)

  it("needs a name for parts within, but not for what may be left out", function()
    local chord = sounds:resolve { "chord", low = print }
    at_caller(function() local _ = sounds:describe(chord) end,
      "chord: its low has no name, by which a file could call it")
    chord = sounds:resolve { "chord", high = print }
    assert.same({ "chord", low = "beep" }, sounds:describe(chord))
  end)
end)

describe("The public table of a family", function()
  it("gives a part when called with its description", function()
    local public = registry.public(new_family())
    assert.equal(3, public { "horn", pitch = 3 }.options.pitch)
  end)

  it("gives a part with its defaults by its name, the same each time", function()
    local public = registry.public(new_family())
    assert.equal(440, public.horn.options.pitch)
    assert.is_true(rawequal(public.horn, public.horn))
  end)

  it("takes a part of the user's own as an index, too", function()
    local public = registry.public(new_family())
    assert.equal(print, public[print].play)
    assert.equal(3, public[{ "horn", pitch = 3 }].options.pitch)
  end)

  it("gives one of its own to each use where parts remember something", function()
    local public = registry.public(new_family { remembers = true })
    assert.is_false(rawequal(public.horn, public.horn))
  end)

  it("lists the parts", function()
    local names = {}
    for name, part in pairs(registry.public(new_family())) do
      assert.equal(name, part.name)
      names[#names + 1] = name
    end
    table.sort(names)
    assert.same({ "beep", "chord", "horn" }, names)
  end)

  it("refuses unknown names", function()
    local public = registry.public(new_family())
    at_caller(function() local _ = public.drum end, "unknown sound 'drum'")
    at_caller(function() local _ = public "drum" end, "unknown sound 'drum'")
  end)

  local families = { "activation", "initializer", "loss", "optimizer", "schedule" }
  for _, name in ipairs(families) do
    it(("of %ss describes each so that it can be made again"):format(name), function()
      local family = registry.families[name]
      for kind, part in pairs(pl[name]) do
        local description = family:describe(part)
        local again = family:resolve(description)
        assert.equal(kind, again.name)
        assert.same(description, family:describe(again))
        assert.is_true(rawequal(part, pl[name](part)))
      end
    end)
  end
end)
