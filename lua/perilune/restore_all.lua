-- Restoring several parts, all or none: a part of the user's own may find out only as it restores
-- that a state is not one of its own.

---Restore each part from its state. Where one raises, which must then have changed nothing, those
---before it go back to what they were.
---@param parts { part: table, state: any }[]
local function restore_all(parts)
  local before = {}
  for k, given in ipairs(parts) do
    before[k] = k < #parts and given.part:state()
    local ok, message = pcall(given.part.restore, given.part, given.state)
    if not ok then
      for j = k - 1, 1, -1 do parts[j].part:restore(before[j]) end
      error(message, 0)
    end
  end
end

return restore_all
