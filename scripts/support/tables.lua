-- Files of tables: the options that say what one is like, and its reading.

local csv = require "perilune.data.csv"
local support = require "scripts.support"

local tables = {}

-- As add_options() makes them
tables.options = {
  "separator", "quote", "decimal", "missing", "columns", "no_header", "header",
}

---Add the options of what a file of a table is like.
---@param parser table  of support.parser
function tables.add_options(parser)
  local function one_byte(option)
    return function(text)
      if text == "tab" then return "\t" end
      if #text == 1 then return text end
      return nil, ("%s: one character%s expected, got '%s'"):format(option,
        option == "--separator" and ", or tab," or "", text)
    end
  end
  parser:option("--separator", "of cells: one character, or tab (default: found by reading)")
    :convert(one_byte "--separator")
  parser:option("--quote", "character around cells (default: \", or ' where the file begins so)")
    :convert(one_byte "--quote")
  parser:option("--decimal", "point or comma of numbers: . or , (default: .)")
    :choices { ".", "," }
    :argname "<decimal>"
  parser:option("--missing", "what stands for a missing cell, separated by commas "
    .. "(default: ?, NA, NaN, null and their like; empty cells always do)")
    :convert(support.names "--missing")
  parser:option("--columns", "names of the columns, separated by commas "
    .. "(default: those of the header, or column_1, column_2, ...)")
    :convert(support.names "--columns")
  parser:mutex(
    parser:flag("--no-header", "the first line is a row like the others "
      .. "(default: found by reading)"),
    parser:flag("--header", "the first line is a header"))
end

-- The library's messages name its options as a Lua program gives them. Types have no option here.
local function by_arguments(message)
  return (message:gsub('decimal = ","', "--decimal ,")
    :gsub("missing = { (.-), %.%.%. }", "--missing %1")
    :gsub("header = true", "--header")
    :gsub("columns = { %.%.%. } names", "--columns names")
    :gsub("; if these are names: types = { .- }%)$", ")")
    :gsub(" %(if these are names: types = { .- }%)$", ""))
end

---The table of a file, or the end of the script.
---@param path string
---@param options table   of a parser with the options of tables
---@param types? table<string, string>  types of columns by name; where such a column is missing
---they are not heeded, so that Table:like can say which
---@return Table
function tables.read(path, options, types)
  local function read(known_types)
    return support.must(csv.read, path, {
      separator = options.separator, quote = options.quote, decimal = options.decimal,
      missing = options.missing, columns = options.columns, types = known_types,
      header = options.header or options.no_header and false,
    })
  end
  local data, message = read(types)
  if data then return data end
  local untyped = types and read()
  for name in pairs(untyped and types or {}) do
    if not pcall(untyped.column, untyped, name) then return untyped end
  end
  support.fail(by_arguments(message))
end

return tables
