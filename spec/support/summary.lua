-- Output handler for Busted: its plain report, then "N passed, N failed" as the last line. An error
-- outside a test (a spec file that does not load, a failing setup) counts as a failure, and a run
-- without a test fails: Busted itself calls a misspelt tag a success.

local busted = require "busted"
local plain = require "busted.outputHandlers.plainTerminal"

local exit = os.exit

-- A spec that ended the process would skip the rest of the run, with any status.
local function refuse()
  error("a spec must not call os.exit", 2)
end

return function(options)
  local handler = plain(options)
  os.exit = refuse -- luacheck: ignore 122

  busted.subscribe({ "exit" }, function()
    local passed = handler.successesCount
    local failed = handler.failuresCount + handler.errorsCount
    local skipped = handler.pendingsCount
    if skipped > 0 then io.write(("\n%d skipped, listed above.\n"):format(skipped)) end
    if passed + failed == 0 then io.write("\nNo test ran.\n") end
    io.write(("\n%d passed, %d failed\n"):format(passed, failed))
    io.flush()  -- a leak found at exit ends the process without
    exit(passed > 0 and failed == 0, true)
  end)

  return handler
end
