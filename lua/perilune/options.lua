-- Options that cannot be misspelt.

local function known(defaults, required)
  local names = {}
  for name in pairs(defaults) do names[#names + 1] = name end
  for name in pairs(required) do names[#names + 1] = name end
  table.sort(names)
  return table.concat(names, ", ")
end

---`given` with the missing keys taken from `defaults`, as a new table. A key that neither
---`defaults` nor `required` knows raises, and so does a missing required one, at the line `level`
---calls up (default: the caller of the caller).
---A default of `false` stands for "none".
---@param given table?
---@param defaults table<string, any>
---@param level? integer
---@param required? table<string, true>
---@return table
local function options(given, defaults, level, required)
  level = (level or 2) + 1
  required = required or {}
  if given ~= nil and type(given) ~= "table" then
    error(("a table of options expected, got %s"):format(type(given)), level)
  end
  local complete = {}
  for name, value in pairs(defaults) do complete[name] = value end
  for name, value in pairs(given or {}) do
    if defaults[name] == nil and not required[name] then
      error(("unknown option '%s' (known: %s)"):format(tostring(name),
        known(defaults, required)), level)
    end
    complete[name] = value
  end
  for name in pairs(required) do
    if complete[name] == nil then
      error(("option '%s' is required"):format(name), level)
    end
  end
  return complete
end

return options
