-- Restoring several parts, all or none: a part of the user's own may find out only as it restores
-- that a state is not one of its own.

---Restore each part from its state. Where one raises, which must then have changed nothing, those
---before it go back to what they were.
---@param parts { part: table, state: any }[]
local function restore_all(parts)
  local before, count = {}, 0
  for k = 1, #parts - 1 do before[k] = parts[k].part:state() end
  local ok, message = pcall(function()
    for _, given in ipairs(parts) do
      given.part:restore(given.state)
      count = count + 1
    end
  end)
  if ok then return end
  for k = count, 1, -1 do parts[k].part:restore(before[k]) end
  error(message, 0)
end

return restore_all
