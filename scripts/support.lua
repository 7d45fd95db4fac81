-- What the scripts share: where the library is, arguments, output, Ctrl-C. Loaded first, by path,
-- because it is what makes `require "perilune"` work from any directory and without installation.

local support = {}

-- A script of several files has the others by require "scripts.bench.timing"; they have this one
-- by require "scripts.support", not once more.
package.loaded["scripts.support"] = support

local here = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$") or "."

---The project's root, as a path from the current directory.
support.root = here:match("^(.*)/[^/]+$") or here .. "/.."

-- Where make builds the C modules, for each Lua that will do.
local builds = { ["Lua 5.4"] = "/build", ["Lua 5.5"] = "/build/lua5.5" }

if not builds[_VERSION] then
  io.stderr:write(("this script needs Lua 5.4 or 5.5, and this is %s: "
    .. "run it with lua5.4\n"):format(_VERSION))
  os.exit(2)
end

package.path = ("%s/lua/?.lua;%s/lua/?/init.lua;%s/?.lua;%s"):format(support.root, support.root,
  support.root, package.path)
package.cpath = ("%s/?.so;%s"):format(
  os.getenv("PERILUNE_BUILD") or support.root .. builds[_VERSION], package.cpath)

---Write a line to stderr. Where that is lost, the exit status is all that is left to say so.
---@param message string
function support.warn(message)
  if not io.stderr:write(message, "\n") then os.exit(1, true) end
end

---End with a message on stderr and exit status 1.
---@param message string
function support.fail(message)
  support.warn(message)
  os.exit(1, true)
end

-- Modules by what they need, for a message that says what to do.
local advice = {
  ["perilune.core"] = "the C core is not built: run make " .. (_VERSION == "Lua 5.4"
    and "(or sh scripts/run.sh train, which installs what make needs)" or "LUA=lua5.5"),
  ["argparse"] = "the Lua library argparse is missing: "
    .. "install the Debian package lua-argparse",
}

---require, ending with advice when the module is missing.
---@param name string
---@return any
function support.require(name)
  local ok, result = pcall(require, name)
  if ok then return result end
  for prefix, words in pairs(advice) do
    if tostring(result):find("module '" .. prefix, 1, true) then support.fail(words) end
  end
  support.fail(tostring(result))
end


-- Ctrl-C. It is heard from here on: before all else, because until then lua5.4's own answer, once
-- the script runs, is a traceback. What remains are the script's first lines, the reading of this
-- file and the loading of the module: half a millisecond. Earlier, while the interpreter itself
-- starts, Ctrl-C ends it without a word.

local system = support.require "perilune.core.system"

local function catch_interrupt(words, ends)
  -- A terminal shows ^C in the middle of the line.
  system.catch_interrupt((system.isatty(io.stderr) and "\n" or "") .. words .. "\n", ends)
end

---From now on Ctrl-C ends the script at once: so it is from the start.
function support.end_at_interrupt()
  catch_interrupt("interrupted", true)
end

---From now on Ctrl-C is only noted, and answered with what will become of it; a second one ends the
---script at once.
---@param words string
function support.note_interrupt(words)
  catch_interrupt(("interrupted: %s (once more ends at once)"):format(words), false)
end

---End, with the exit status of what Ctrl-C ends, if it was pressed and noted.
function support.end_if_interrupted()
  if system.interrupted() then os.exit(130, true) end
end

support.end_at_interrupt()


-- Output and errors

-- Lua's print does not say that what it wrote is lost, on a full disk for one, and a script whose
-- result nobody has would end well. It is replaced, because argparse prints the help by it.
rawset(_G, "print", function(...)
  local words = table.pack(...)
  for k = 1, words.n do words[k] = tostring(words[k]) end
  local ok, message = io.stdout:write(table.concat(words, "\t"), "\n")
  if ok then ok, message = io.stdout:flush() end
  if not ok then support.fail("the output cannot be written: " .. message) end
end)

---Call f(...): true and what it returns, or false and what the library says is wrong with what it
---was given, for the user of a script. Other errors are the script's own, and go on.
---@param f function
---@return boolean, any ...
function support.try(f, ...)
  local results = table.pack(support.require("perilune.errors").catch(f, ...))
  local is_message = results[3]
  if not results[1] and not is_message then
    local want = tostring(results[2]):match("not enough memory.*")
    if want then support.fail(want) end
    error(results[2], 0)
  end
  return table.unpack(results, 1, results.n)
end

---Call f(...) and return what it returns; what it is given and cannot do ends the script.
---@param f function
---@return any ...
function support.must(f, ...)
  local results = table.pack(support.try(f, ...))
  if not results[1] then support.fail(results[2]) end
  return table.unpack(results, 2, results.n)
end


-- Arguments

-- Argparse would take the -1 of "--rate -1" for an option: as "--rate=-1" it is a value, on which
-- the option has its own word.
local function with_negative_numbers(words)
  local result = {}
  for _, word in ipairs(words) do
    local before = result[#result]
    if word:find("^%-[%d.]") and before and before:find("^%-%-[^=]+$") then
      result[#result] = before .. "=" .. word
    else
      result[#result + 1] = word
    end
  end
  return result
end

---An argparse parser. For wrong arguments it ends the script with one line and exit status 2:
---parser:parse(), parser:error(message), and parser:must(option, f, ...), which is
---support.must(f, ...) where what is given comes from an option.
---@param name string  of the script
---@param description string
---@return table
function support.parser(name, description)
  local parser = support.require "argparse"(name, description):help_max_width(90)
  local parse = parser.parse
  function parser:parse()
    return parse(self, with_negative_numbers(arg))
  end
  function parser.error(_, message)
    support.warn(("%s: %s (--help lists the options)"):format(name,
      message:gsub("\n", ". ")))
    os.exit(2, true)
  end
  function parser:must(option, f, ...)
    local results = table.pack(support.try(f, ...))
    if not results[1] then self:error(("%s: %s"):format(option, results[2])) end
    return table.unpack(results, 2, results.n)
  end
  return parser
end

-- Conversions for argparse, each made for an option: a number in range, or an error that says what
-- was expected.
local function conversion(expected, is_valid)
  return function(option)
    return function(text)
      local value = tonumber(text)
      if value and is_valid(value) then return math.tointeger(value) or value end
      return nil, ("%s: %s expected, got '%s'"):format(option, expected, text)
    end
  end
end

support.integer = conversion("a whole number", math.tointeger)

support.count = conversion("a whole number of 1 or more", function(value)
  return math.tointeger(value) and value >= 1
end)

support.positive = conversion("a number above 0", function(value)
  return value > 0 and value < math.huge
end)

support.not_negative = conversion("a number of 0 or more", function(value)
  return value >= 0 and value < math.huge
end)

local FRACTION = "a number from 0 up to, but not including, 1"
support.fraction = conversion(FRACTION, function(value)
  return value >= 0 and value < 1
end)

local MOST_THREADS = 256 -- of pl.threads

support.threads = conversion("a whole number of 1 to " .. MOST_THREADS, function(value)
  return math.tointeger(value) and value >= 1 and value <= MOST_THREADS
end)

---A conversion for argparse: widths such as 512,256, or 0 for none, as a list.
---@param option string
---@return function
function support.widths(option)
  return function(text)
    local widths = {}
    if text == "0" then return widths end
    for word in (text .. ","):gmatch "([^,]*)," do
      local width = math.tointeger(tonumber(word))
      if not width or width < 1 then
        return nil, ("%s: widths such as 512,256, or 0, expected, got '%s'"):format(option, text)
      end
      widths[#widths + 1] = width
    end
    return widths
  end
end

---A conversion for argparse: the name of a file or a folder.
---@param option string
---@return function
function support.path(option)
  return function(text)
    if text ~= "" then return text end
    return nil, option .. ": a name expected, got none"
  end
end

---A conversion for argparse: names separated by commas.
---@param option string
---@return function
function support.names(option)
  return function(text)
    local names = {}
    for name in (text .. ","):gmatch "%s*([^,]-)%s*," do
      if name == "" then
        return nil, ("%s: names separated by commas expected, got '%s'"):format(option, text)
      end
      names[#names + 1] = name
    end
    return names
  end
end


-- Threads

---One thread for each core, as far as the library takes so many.
---@return integer
function support.all_threads()
  return math.min(system.processors(), MOST_THREADS)
end

---As many threads as the option says, or all.
---@param given integer?
function support.use_threads(given)
  local ok, message = pcall(support.require("perilune").threads, given or support.all_threads())
  if not ok then support.fail(message) end
end

return support
