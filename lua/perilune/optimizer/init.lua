-- Optimisers. Each sees a list of parameters { name =, value =, gradient = } and nothing of
-- networks:
--     optimizer:step(parameters [, rate [, evaluate]])
-- makes one update; `rate` (a schedule's) takes the place of its own, and `evaluate() --> J`
-- computes J and the gradients of this batch again, for methods that need them. A table of your own
-- with a method step is as good; with methods state and restore too where it remembers something.
-- It is given `evaluate` unless it says `evaluates = false`. A method check_parameters(parameters),
-- which raises for those that it cannot step over, is called before the first step.
--
-- A built-in kind is a file: its name, its fields, and a rule, whose fields stand in it (see Rule
-- in plan.lua). A kind with several has a function in their place:
--     rule(settings, value) --> the rule for a parameter, by its options and its shape
-- Kinds that move all parameters together, and evaluate as they go, are Methods (see theta.lua); an
-- optimiser of theirs is a SecondOrder.

local Plan = require "perilune.optimizer.plan"
local SecondOrder = require "perilune.optimizer.second_order"
local errors = require "perilune.errors"
local fields = require "perilune.fields"
local registry = require "perilune.registry"

local raise, show = errors.raise, errors.show

---@class Optimizer
---@field name string
---@field rate number      learning rate
---@field options table
---@field steps integer    updates made
local Optimizer = { evaluates = false }
Optimizer.__index = Optimizer

local LARGEST = 1e38 -- a float32 can hold it

-- What a kind lets a group set, and the pattern for the names of the group's parameters
local function group_fields(kind)
  local declared = { match = { "string" } }
  for name, field in pairs(kind.fields) do
    declared[name] = { optional = true }
    for key, value in pairs(field) do
      if key ~= "default" then declared[name][key] = value end
    end
  end
  return declared
end

-- The kind with the field `groups`. A copy, because kinds share fields.
local function with_groups(kind)
  local copy, declared = {}, { groups = { "groups", of = group_fields(kind), optional = true } }
  for key, value in pairs(kind) do copy[key] = value end
  for name, field in pairs(kind.fields) do declared[name] = field end
  copy.fields = declared
  return copy
end

-- Lua finds a mistake in a pattern only when it comes to it.
local function matches(name, pattern)
  local ok, found = pcall(string.find, name, pattern)
  if ok then return found ~= nil end
  if found == "not enough memory" then error(found, 0) end
  raise("match: a pattern of Lua's expected, got %s", show(pattern))
end

---A list of groups: options for the parameters whose names match a pattern, in place of those for
---all.
---@param value any
---@param field { of: table }   of: the fields of a group
---@return table[]?
---@return string?  nil and what was expected
function fields.types.groups(value, field)
  local groups, is_list = {}, type(value) == "table"
  for key in pairs(is_list and value or {}) do
    is_list = is_list and math.type(key) == "integer" and key >= 1 and key <= #value
  end
  if not is_list then return nil, "a list of groups, { { match = ... }, ... }," end
  for k = 1, #value do
    groups[k] = fields.check(field.of, value[k], ("group %d"):format(k))
    matches("", groups[k].match)
  end
  return groups
end

-- What holds for each group's parameters: its own options, and for the rest those for all
local function settings_of_groups(options)
  local all = {}
  for k, group in ipairs(options.groups or {}) do
    -- A schedule gives the rate for all, which tells by how much a group's own is multiplied.
    if group.rate and options.rate == 0 then
      raise("rate: above 0 expected where groups have their own (a last group { match = "
        .. "\"\", rate = 0 } leaves the other parameters as they are)")
    end
    local settings = {}
    for name, value in pairs(options) do settings[name] = value end
    for name, value in pairs(group) do settings[name] = value end
    settings.own_rate, settings.decays_all = group.rate, group.weight_decay ~= nil
    all[k] = settings
  end
  return all
end

-- The options that hold for parameters of this name: those of the first group that matches it
local function settings_of(self, name)
  local settings = self.options
  for k = #self.groups, 1, -1 do
    if matches(name, self.groups[k].match) then settings = self.groups[k] end
  end
  return settings
end

local function rule_of(kind, settings, value)
  return kind.rule and kind.rule(settings, value) or kind
end

-- A function from an entry to its rule, its options and its weight decay. Biases and what
-- normalises are left out of decay, unless their group asks for it.
local function new_treatment_of(self)
  return function(entry)
    local settings = settings_of(self, entry.name)
    local decays = settings.decays_all or entry.decays ~= false
    return rule_of(self.kind, settings, entry.value), settings,
      decays and settings.weight_decay or 0
  end
end

-- A function from a parameter's name, and a matrix like its value, to the names of what is kept
local function new_keeps_of(self)
  return function(name, value)
    local settings = settings_of(self, tostring(name))
    return Plan.keeps_of(rule_of(self.kind, settings, value), settings)
  end
end

local function check_groups(self, entries)
  for k, group in ipairs(self.groups) do
    local is_used = #entries == 0
    for _, entry in ipairs(entries) do
      is_used = is_used or matches(entry.name, group.match)
    end
    if not is_used then
      raise("group %d: no parameter has a name that %s matches, the first has %s", k,
        show(group.match), show(entries[1].name))
    end
  end
end

---Raise unless these are parameters to step over, and each group has some: a misspelt pattern would
---spoil the training without a word.
---@param parameters { name: string, value: Matrix, gradient: Matrix }[]
function Optimizer:check_parameters(parameters)
  check_groups(self, (Plan.read(parameters)))
end

-- The plan for parameters that come for the first time. What has been kept so far must be theirs,
-- by name: to begin anew for some of them would spoil the training without a word.
local function new_plan(self, parameters)
  local entries, flat = Plan.read(parameters)
  check_groups(self, entries)
  local plan = Plan.new(parameters, entries, flat, new_treatment_of(self))
  local tensors = self.restored or self.plan and self.plan.places
  if tensors then
    Plan.check_state(tensors, new_keeps_of(self), entries)
    plan:take(tensors)
  end
  return plan
end

local function is_rate(rate)
  return type(rate) == "number" and rate >= 0 and rate <= LARGEST
end

local function check_rate(rate)
  if not is_rate(rate) then
    raise("rate: a finite number of 0 or more expected, got %s", show(rate))
  end
end

-- The factor by which this step's rate differs from the optimiser's, and so those of groups from
-- their own
local function scale_of(self, rate, stretches)
  local scale = self.rate > 0 and rate / self.rate or 1
  for k = 1, #stretches do
    local own_rate = stretches[k].own_rate
    if own_rate then check_rate(own_rate * scale) end
  end
  return scale
end

---One update of all parameters, or, where it raises, of none.
---@param parameters { name: string, value: Matrix, gradient: Matrix }[]
---@param rate? number  >= 0; default: the optimiser's own
function Optimizer:step(parameters, rate)
  rate = rate or self.rate
  if rate ~= self.checked_rate then check_rate(rate) end
  self.checked_rate = rate
  local plan = self.plan
  if not plan or (not rawequal(plan.fixed, parameters) and not plan:is_of(parameters)) then
    plan = new_plan(self, parameters)
  end
  local stretches, step, scale = plan.stretches, self.steps + 1, 1
  if plan.has_own_rates then scale = scale_of(self, rate, stretches) end

  if plan.prepares then
    for k = 1, #stretches do
      local stretch = stretches[k]
      local prepare = stretch.rule.prepare
      if prepare then
        prepare(stretch.core, stretch.gradient, stretch.kept, stretch.settings, stretch.work)
      end
    end
  end
  for k = 1, #stretches do
    local stretch = stretches[k]
    local own_rate = stretch.own_rate
    stretch.rule.update(stretch.core, stretch.value, stretch.gradient, stretch.kept,
      stretch.settings, own_rate and own_rate * scale or rate, stretch.decay, step, stretch.work)
  end
  self.steps = step
  if plan ~= self.plan then self.plan, self.restored = plan, false end
end

---What it remembers: how many steps it has made, its rate, which may have been set in between, and
---for each parameter by name, matrices of its shape.
---@return { steps: integer, rate: number, tensors: table<string, table<string, Matrix>> }
function Optimizer:state()
  local tensors = self.restored or self.plan and self.plan.places or {}
  return { steps = self.steps, rate = self.rate, tensors = Plan.copy(tensors) }
end

---Raise unless `state` is one that state() gave; of these parameters, or else of those of the last
---step.
---@param state any
---@param parameters? table
function Optimizer:check_state(state, parameters)
  local steps = type(state) == "table" and fields.whole(state.steps)
  if not steps or steps < 0 or not is_rate(state.rate) then
    raise("state of an optimiser expected, as state() gives it, got %s", show(state))
  end
  local entries = Plan.entries_after(steps, parameters, self.plan)
  Plan.check_state(state.tensors, new_keeps_of(self), entries)
end

---Check a state, and give a function that continues from it, which needs no memory and raises
---nothing.
---@param state any
---@return fun()
function Optimizer:restorer(state)
  self:check_state(state)
  local steps, plan = fields.whole(state.steps), self.plan
  local kept = steps > 0 and not plan and Plan.copy(state.tensors)
  return function()
    self.steps, self.rate = steps, state.rate
    if steps > 0 and plan then
      plan:take(state.tensors)
    else
      self.plan, self.restored = false, kept
    end
  end
end

---Continue from what state() gave. Where there has been no step yet, the next one checks it against
---its parameters.
---@param state table
---@return Optimizer self
function Optimizer:restore(state)
  self:restorer(state)()
  return self
end

function Optimizer:__tostring()
  return ("%s, rate %g"):format(self.name, self.rate)
end

local optimizer = registry.family("optimizer", {
  make = function(kind, options)
    if kind.evaluates then return SecondOrder.new(kind, options) end
    return setmetatable({
      name = kind.name, kind = kind, options = options, rate = options.rate, steps = 0,
      groups = settings_of_groups(options), checked_rate = false,
      plan = false, restored = false, -- nothing is kept yet
    }, Optimizer)
  end,
  accepts = function(value)
    if type(value) ~= "table" or type(value.step) ~= "function" then return nil end
    registry.check_methods(value, { "state", "restore", "check_state", "check_parameters" })
    return value
  end,
  expected = "a table with the method step(parameters, rate)",
  remembers = true,
})

local names = {
  "adadelta", "adagrad", "adam", "adamax", "adamw", "amsgrad", "irprop_minus", "lion", "momentum",
  "muon", "nadam", "nesterov", "rmsprop", "rprop", "rprop_minus", "rprop_plus", "sgd",
}
for _, name in ipairs(names) do
  optimizer:add(with_groups(require("perilune.optimizer." .. name)))
end
for _, name in ipairs { "lbfgs", "levenberg_marquardt", "scg" } do
  optimizer:add(require("perilune.optimizer." .. name))
end

return optimizer
