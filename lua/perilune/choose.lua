-- One of several things by its name, with an error that lists the names.

---choices[name], or `name` itself where it is of one of the given other types.
---Raises at the line `level` calls up when there is no such choice.
---@param what string        what is chosen: "activation", "loss"
---@param choices table<string, any>
---@param name any
---@param level? integer     default: the caller of the caller
---@param otherwise? string  a Lua type that is taken as it is: "function", "table"
---@return any
local function choose(what, choices, name, level, otherwise)
  if type(name) == otherwise then return name end
  local chosen = type(name) == "string" and choices[name]
  if chosen then return chosen end
  local names = {}
  for known in pairs(choices) do names[#names + 1] = known end
  table.sort(names)
  error(("unknown %s '%s' (known: %s)"):format(what, tostring(name),
    table.concat(names, ", ")), (level or 2) + 1)
end

return choose
