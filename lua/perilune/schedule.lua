-- Learning-rate schedules. A schedule is a function
--     schedule(epoch, epochs) --> factor
-- of the training done, in epochs (0.5 is half way through the first), and of all there will be;
-- the optimiser's rate is multiplied by the factor. A function of your own is as good.

local options = require "perilune.options"

local schedule = {}

local function check(condition, message, value)
  if not condition then error(message:format(tostring(value)), 3) end
end

---The rate as it is.
function schedule.constant(given)
  options(given, {})
  return function() return 1 end
end

---Times `factor` after every `every` epochs. Options: every (default 10), factor (default 0.1).
function schedule.step(given)
  local chosen = options(given, { every = 10, factor = 0.1 })
  check(type(chosen.every) == "number" and chosen.every > 0,
    "every > 0 expected, got %s", chosen.every)
  check(type(chosen.factor) == "number" and chosen.factor > 0,
    "factor > 0 expected, got %s", chosen.factor)
  return function(epoch) return chosen.factor ^ (epoch // chosen.every) end
end

---Times `factor` each epoch, smoothly. Option: factor (default 0.95).
function schedule.exponential(given)
  local chosen = options(given, { factor = 0.95 })
  check(type(chosen.factor) == "number" and chosen.factor > 0,
    "factor > 0 expected, got %s", chosen.factor)
  return function(epoch) return chosen.factor ^ epoch end
end

---Half a cosine wave from 1 down to `floor` at the end (Loshchilov and Hutter 2017).
---Option: floor (default 0).
function schedule.cosine(given)
  local chosen = options(given, { floor = 0 })
  check(type(chosen.floor) == "number" and chosen.floor >= 0 and chosen.floor <= 1,
    "floor in [0, 1] expected, got %s", chosen.floor)
  return function(epoch, epochs)
    return chosen.floor
      + (1 - chosen.floor) * (1 + math.cos(math.pi * epoch / epochs)) / 2
  end
end

---A linear rise over the first `epochs`, then the schedule `after`, which sees only what remains.
---Options: epochs (default 1), after (default constant).
function schedule.warm_up(given)
  local chosen = options(given, { epochs = 1, after = schedule.constant() })
  check(type(chosen.epochs) == "number" and chosen.epochs > 0,
    "epochs > 0 expected, got %s", chosen.epochs)
  check(type(chosen.after) == "function",
    "after: a schedule expected, got %s", type(chosen.after))
  return function(epoch, epochs)
    if epoch < chosen.epochs then return epoch / chosen.epochs end
    return chosen.after(epoch - chosen.epochs, epochs - chosen.epochs)
  end
end

return schedule
