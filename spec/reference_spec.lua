-- The numbers of PyTorch and scikit-learn that specs compare with are still what these say.

local reference = require "spec.support.reference"

local TOLERANCE = 1e-12 -- another version may sum in another order

local function same(expected, actual, path)
  if type(expected) == "table" and type(actual) == "table" then
    for key, value in pairs(expected) do same(value, actual[key], path .. "." .. key) end
    for key in pairs(actual) do
      if expected[key] == nil then error(path .. "." .. key .. " is not kept") end
    end
    return
  end
  local is_same = expected == actual
  if type(expected) == "number" and type(actual) == "number" then
    is_same = math.abs(expected - actual) <= TOLERANCE * math.max(1, math.abs(expected))
  end
  if not is_same then
    error(("%s: %s is kept, it is %s now"):format(path, expected, actual))
  end
end

describe("reference numbers #python #torch", function()
  if not reference.can_run() then
    pending "PyTorch or scikit-learn is not installed (Debian: python3-torch, python3-sklearn)"
    return
  end
  for _, name in ipairs(reference.names()) do
    it("are what the libraries say: " .. name, function()
      same(reference.load(name), reference.run(name), name)
    end)
  end
end)
