-- What the documents say is so: programs do as they stand what they say, and what is named is
-- there.

local child = require "spec.support.child"
local registry = require "perilune.registry"
require "perilune"

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

local function files(pattern)
  local list = {}
  for path in child.shell("ls " .. pattern):gmatch("[^\n]+") do list[#list + 1] = path end
  return list
end

-- The programs of a document: a block of Lua, and the next block of text, which is what it prints;
-- with the heading that both stand under
local function programs(text)
  local list, heading = {}, ""
  for line, body in text:gmatch("([^\n]*)\n()") do
    heading = line:match("^#+ (.*)") or heading
    local language = line:match("^```(%l+)$")
    local block = language and text:match("^(.-)```\n", body)
    local last = list[#list]
    if language == "lua" then
      list[#list + 1] = { code = block, heading = heading }
    elseif language == "text" and last and not last.output then
      last.output = block
    end
  end
  return list
end

local documents = {
  { "README.md", least = 5 }, { "doc/extending.md", least = 7 }, { "doc/recipes.md", least = 2 },
  { "doc/parts.md", least = 7 }, { "doc/tables.md", least = 1 },
}

for _, document in ipairs(documents) do
  describe(document[1], function()
    local list = programs(read(document[1]))

    it("has programs, each with what it prints", function()
      assert.is_true(#list >= document.least)
      for k, program in ipairs(list) do
        assert.is_string(program.output, "program " .. k)
      end
    end)

    for k, program in ipairs(list) do
      local title = "has a program %d that runs as it stands (%s) #document"
      it(title:format(k, program.heading), function()
        assert.equal(program.output, child.run(program.code))
      end)
    end
  end)
end

describe("the programs of the documents", function()
  it("use each part by its name", function()
    local codes = {}
    for _, document in ipairs(documents) do
      for _, program in ipairs(programs(read(document[1]))) do codes[#codes + 1] = program.code end
    end
    local code, missing = table.concat(codes, "\n"), {}
    for _, family in ipairs {
      "activation", "average", "gradient", "initializer", "layer", "loss", "metric", "optimizer",
      "scaler", "schedule",
    } do
      for name in pairs(registry.families[family].kinds) do
        local is_used = code:find("%f[%w_]" .. name .. "%f[^%w_]")
        if not is_used then missing[#missing + 1] = family .. " " .. name end
      end
    end
    table.sort(missing)
    assert.equal("", table.concat(missing, ", "))
  end)
end)

describe("README.md", function()
  it("has each source in its tree", function()
    local tree = read("README.md"):match("\n## The tree\n(.-)\n## ")
    for _, path in ipairs(files "-d src/*.c src/product/*.c lua/perilune/*") do
      local name = path:match("[^/]+$")
      local group = name:match "^update" and "update*.c" or name:match "^loss_" and "loss_*.c"
      assert.is_truthy(tree:find(group or name, 1, true), path)
    end
  end)

  it("names what proves each promise to hosts", function()
    local section = read("README.md"):match("\n## In a host application\n(.-)\n## ")
    local promises = {}
    for line in section:gmatch("[^\n]+") do
      if line:find("^%- ") then
        promises[#promises + 1] = line
      elseif line:find("^  ") then
        promises[#promises] = promises[#promises] .. line
      end
    end
    for _, promise in ipairs(promises) do
      local is_proved = promise:find("`spec/", 1, true) or promise:find("`make check-", 1, true)
      assert.is_truthy(is_proved, promise)
    end
    assert.is_true(#promises >= 10)
  end)
end)

-- The anchors of a document's headings, as GitHub makes them
local function anchors(text)
  local set = {}
  for heading in text:gsub("```.-```", ""):gmatch("\n#+ ([^\n]*)") do
    set[heading:lower():gsub("[^%w%- _]", ""):gsub(" ", "-")] = true
  end
  return set
end

local sources = files "src/*.[ch] lua/perilune/*.lua lua/perilune/*/*.lua"

for _, path in ipairs(files "README.md doc/*.md") do
  describe(path, function()
    local text = read(path)
    local folder = path:match("^.*/") or ""

    it("links only to what is there", function()
      for link in text:gmatch("%]%(([^)]*)%)") do
        if not link:find("^https?:") then
          local name, anchor = link:match("^([^#]*)#?(.*)$")
          local target = name == "" and path or folder .. name
          assert.is_truthy(io.open(target, "rb"), link)
          assert.is_true(anchor == "" or anchors("\n" .. read(target))[anchor], link)
        end
      end
    end)

    it("names only sources and specs that are there", function()
      for name in text:gmatch("`([%w_/]+%.[%w_]+)`") do
        if name:find("^src/") or name:find("^lua/") or name:find("^spec/") then
          assert.is_truthy(io.open(name, "rb"), name)
        end
      end
    end)
  end)
end

-- How sources name a publication: "Kingma and Ba 2015", "He et al. 2015", "(Nielsen 2015, chapter
-- 1)"
local citations = {
  "%u%l%a* and %u%l%a* %d%d%d%d", "%u%l%a* et al%. %d%d%d%d", "%(%u%l%a* %d%d%d%d",
}

describe("doc/equations.md", function()
  local text = read "doc/equations.md"

  it("has each equation of the paper that the sources cite", function()
    local count = 0
    for _, path in ipairs(sources) do
      for number in read(path):gmatch("%(([1-4]%.%d+)%)") do
        count = count + 1
        assert.is_truthy(text:find("(" .. number .. ")", 1, true), path .. ": " .. number)
      end
    end
    assert.is_true(count > 0)
  end)

  it("has each publication that the sources cite", function()
    local count = 0
    for _, path in ipairs(sources) do
      for _, pattern in ipairs(citations) do
        for citation in read(path):gmatch(pattern) do
          count = count + 1
          local found = text:find(citation:gsub("^%(", ""), 1, true)
          assert.is_truthy(found, path .. ": " .. citation)
        end
      end
    end
    assert.is_true(count > 0)
  end)
end)
