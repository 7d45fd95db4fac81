-- How an optimiser steps over a list of parameters: in stretches of neighbours that are treated
-- alike, each with what the optimiser keeps beside it. Parameters are
-- { name =, value =, gradient = }; those of a network lie in flat vectors, of which
-- `parameters.flat` tells, and many of them are then one stretch. What is kept is congruent with
-- the parameters and known by their names.

local cores = require "perilune.cores"
local errors = require "perilune.errors"
local fields = require "perilune.fields"

-- Elements: a parameter of so many begins a stretch of its own, so that a thread updates the units
-- of a layer whose gradients it has computed, and finds their numbers in its cache.
local LARGE = 65536

local raise, show = errors.raise, errors.show

---@class Rule   how a kind of optimiser updates a parameter; most kinds have one and are it
---@field keeps string[]|fun(settings: table): string[]   names of the matrices kept for each
---@field update fun(core: Core, p: Matrix, g: Matrix, kept: table, settings: table, rate: number,
---decay: number, step: integer, work: any)   one step; it cannot raise
---@field rate string?     the option that is its rate, where that is not `rate`
---@field whole boolean?   it needs a parameter as the matrix it is: no neighbours in one stretch
---@field work (fun(core: Core, p: Matrix, shared: table): any)?   memory for its steps over p;
---`shared` is of all stretches
---@field begin (fun(core: Core, kept: table, settings: table, shared: table))?   what is kept for a
---parameter before its first step, where that is not 0; called for all of them in their order
---@field prepare fun(core: Core, g: Matrix, kept: table, settings: table, work: any)?   what may
---raise in a step: called before the first update, and writes only to `work`

---@class Stretch
---@field core Core
---@field value Matrix
---@field gradient Matrix
---@field kept table<string, Matrix>
---@field rule Rule
---@field settings table    the options that hold for these parameters
---@field own_rate number?  their rate where it is not the optimiser's
---@field decay number
---@field work any

---@class Entry
---@field given table       the parameter as it was given
---@field name string       where it has none, its position in the list
---@field value Matrix
---@field gradient Matrix
---@field start integer?    its place in the flat vectors of a network
---@field decays boolean?   false: weight decay leaves it alone

---@class Plan
---@field entries Entry[]
---@field fixed table|false   the list of parameters where it is a network's own, which does not
---change
---@field stretches Stretch[]
---@field prepares boolean    some have a rule that prepares
---@field has_own_rates boolean
---@field places table<string, table>   what is kept for each parameter, by name
local Plan = {}
Plan.__index = Plan

-- "a 3 x 4 matrix of float32 by columns"
local function shown(M)
  if not cores.is_matrix(M) then return show(M) end
  return ("%s of %s by %s"):format(show(M), M.dtype, M.order)
end

local function check_gradient(name, value, gradient)
  if not cores.is_matrix(gradient) or shown(gradient) ~= shown(value) then
    raise("parameter '%s': a gradient like its value expected, %s, got %s", name,
      shown(value), shown(gradient))
  end
  if cores.of(value).shares_memory(value, gradient) then
    raise("parameter '%s': its gradient must share no memory with its value", name)
  end
end

local function entry_of(parameter, k)
  if type(parameter) ~= "table" then
    raise("parameter %d: { name =, value =, gradient = } expected, got %s", k, show(parameter))
  end
  local name, value, gradient = parameter.name, parameter.value, parameter.gradient
  if name == nil then name = tostring(k) end
  if type(name) ~= "string" then
    raise("parameter %d: a name as a string expected, got %s", k, show(name))
  elseif not cores.is_matrix(value) then
    raise("parameter '%s': a matrix expected as value, got %s", name, show(value))
  end
  check_gradient(name, value, gradient)
  return { given = parameter, name = name, value = value, gradient = gradient,
    start = parameter.start, decays = parameter.decays }
end

-- Raise unless the vectors hold the entries one after the other, as those of a network do.
local function check_flat(flat, entries)
  local holds = type(flat) == "table" and cores.is_matrix(flat.value)
    and shown(flat.value) == shown(flat.gradient)
  local last = 0
  for _, entry in ipairs(entries) do
    local start = math.type(entry.start) == "integer" and entry.start or 0
    holds = holds and start > last
    last = start + entry.value.rows * entry.value.cols - 1
  end
  if not holds or last > flat.value.rows then
    raise("a list of parameters expected, as net:parameters() gives it, got one whose field flat "
      .. "does not hold them")
  end
end

---The parameters to step over, each looked at once: what a table of the user's own answers the next
---time may be something else. Raises unless they are such.
---@param parameters any  a network's list has the field `flat` besides its parameters
---@return Entry[]
---@return table? flat    { value =, gradient = }, the vectors that they lie in
function Plan.read(parameters)
  if type(parameters) ~= "table" or type(parameters.parameters) == "function" then
    raise("a list of parameters expected, as net:parameters() gives it, got %s",
      type(parameters) == "table" and "a network" or show(parameters))
  end
  local count, flat = fields.length(parameters, "parameters"), parameters.flat
  for key in pairs(parameters) do
    local is_place = math.type(key) == "integer" and key >= 1 and key <= count
    if not is_place and key ~= "flat" then
      raise("a list of parameters expected, got a table with the key %s", show(key))
    end
  end
  local entries, names, values = {}, {}, {}
  for k = 1, count do
    local entry = entry_of(parameters[k], k)
    local name, value = entry.name, entry.value
    if names[name] then raise("two parameters are named '%s'", name) end
    if values[value] then
      raise("parameters '%s' and '%s' have the same matrix as value", values[value], name)
    end
    entries[k], names[name], values[value] = entry, true, name
  end
  if flat ~= nil then check_flat(flat, entries) end
  return entries, flat
end

---Names of what a rule keeps for each parameter.
---@param rule Rule
---@param settings table
---@return string[]
function Plan.keeps_of(rule, settings)
  return type(rule.keeps) == "function" and rule.keeps(settings) or rule.keeps
end

local function kept_like(value, keeps)
  local kept, core = {}, cores.of(value)
  for _, name in ipairs(keeps) do
    kept[name] = core.matrix(value.rows, value.cols, value.order)
  end
  return kept
end

-- The stretches, each with its entries, which are neighbours where there are several
local function cut(entries, flat, treatment_of)
  local stretches, stretch = {}, nil
  for _, entry in ipairs(entries) do
    local rule, settings, decay = treatment_of(entry)
    local value = entry.value
    local is_large = value.rows * value.cols >= LARGE
    if not flat or is_large or rule.whole or not stretch or rule ~= stretch.rule
      or settings ~= stretch.settings or decay ~= stretch.decay then
      stretch = {
        rule = rule, settings = settings, decay = decay, core = cores.of(value), entries = {},
        own_rate = settings.own_rate or rule.rate and settings[rule.rate] or nil,
      }
      stretches[#stretches + 1] = stretch
    end
    stretch.entries[#stretch.entries + 1] = entry
  end
  return stretches
end

-- A stretch of neighbours in the flat vectors, up to element `last`
local function join(self, stretch, flat, last)
  local first = stretch.entries[1].start
  stretch.value = flat.value:view(first, last - first + 1, 1)
  stretch.gradient = flat.gradient:view(first, last - first + 1, 1)
  stretch.kept = kept_like(stretch.value, Plan.keeps_of(stretch.rule, stretch.settings))
  if not next(stretch.kept) then return end
  for _, entry in ipairs(stretch.entries) do
    local value, views = entry.value, {}
    for key, M in pairs(stretch.kept) do
      views[key] = M:view(entry.start - first + 1, value.rows, value.cols, value.order)
    end
    self.places[entry.name] = views
  end
end

local function take_one(self, stretch)
  local entry = stretch.entries[1]
  stretch.value, stretch.gradient = entry.value, entry.gradient
  stretch.kept = kept_like(stretch.value, Plan.keeps_of(stretch.rule, stretch.settings))
  if next(stretch.kept) then self.places[entry.name] = stretch.kept end
end

---@param parameters table  as Plan.read has read them
---@param entries Entry[]
---@param flat table?
---@param treatment_of fun(entry: Entry): Rule, table, number  rule, options and weight decay of
---each
---@return Plan
function Plan.new(parameters, entries, flat, treatment_of)
  local self = setmetatable({ places = {}, entries = entries, prepares = false,
    has_own_rates = false, fixed = flat and parameters or false }, Plan)
  self.stretches = cut(entries, flat, treatment_of)
  local shared = {}
  for k, stretch in ipairs(self.stretches) do
    local rule, following = stretch.rule, self.stretches[k + 1]
    if flat and not rule.whole then
      join(self, stretch, flat, following and following.entries[1].start - 1 or flat.value.rows)
    else
      take_one(self, stretch)
    end
    stretch.work = rule.work and rule.work(stretch.core, stretch.value, shared)
    for _, entry in ipairs(rule.begin and stretch.entries or {}) do
      rule.begin(stretch.core, self.places[entry.name], stretch.settings, shared)
    end
    self.prepares = self.prepares or rule.prepare ~= nil
    self.has_own_rates = self.has_own_rates or stretch.own_rate ~= nil
  end
  return self
end

---Whether the plan is one of these very parameters.
---@param parameters any
---@return boolean
function Plan:is_of(parameters)
  local entries = self.entries
  if type(parameters) ~= "table" or #entries == 0 then return false end
  for k = 1, #entries do
    local parameter, entry = parameters[k], entries[k]
    local is_same = rawequal(parameter, entry.given) and parameter.value == entry.value
      and parameter.gradient == entry.gradient
    if not is_same then return false end
  end
  return parameters[#entries + 1] == nil
end

-- Raise unless `kept` is a table of the matrices that are kept for a parameter like any of them.
local function check_kept(kept, keeps_of, name)
  local _, like = nil, nil
  if type(kept) == "table" then _, like = next(kept) end
  if not cores.is_matrix(like) then
    raise("state of the optimiser: a table of matrices expected for parameter %s, got %s",
      show(name), like ~= nil and ("one with %s"):format(show(like)) or show(kept))
  end
  local expected = {}
  for _, key in ipairs(keeps_of(name, like)) do
    expected[key] = true
    if not cores.is_matrix(kept[key]) then
      raise("state of the optimiser: a matrix '%s' expected for parameter %s, got %s",
        key, show(name), show(kept[key]))
    end
  end
  for key in pairs(kept) do
    if not expected[key] then
      raise("state of another kind of optimiser: %s of parameter %s is not kept here",
        show(key), show(name))
    end
  end
end

---Raise unless `tensors` are what state() gives for such parameters, all of them and no others.
---@param tensors any
---@param keeps_of fun(name: string, value: Matrix): string[]
---@param entries? Entry[]   nil when they are not known yet
function Plan.check_state(tensors, keeps_of, entries)
  if type(tensors) ~= "table" then
    raise("state of the optimiser: a table of matrices by parameter expected, got %s",
      show(tensors))
  end
  for name, kept in pairs(tensors) do check_kept(kept, keeps_of, name) end
  if not entries then return end
  local known = {}
  for _, entry in ipairs(entries) do
    local name, value = entry.name, entry.value
    known[name] = true
    for _, key in ipairs(keeps_of(name, value)) do
      local M = tensors[name] and tensors[name][key]
      local is_like = M and M.rows == value.rows and M.cols == value.cols
        and M.dtype == value.dtype
      if not is_like then
        raise("state of the optimiser: '%s' of parameter '%s' like its value expected, "
          .. "%s, got %s", key, name, shown(value), shown(M))
      end
    end
  end
  for name in pairs(tensors) do
    if not known[name] then
      raise("state of the optimiser: none of the parameters is named %s", show(name))
    end
  end
end

---The entries of which a state after so many steps must be: those of the parameters, or else of the
---last step; nil where neither is known.
---@param steps integer
---@param parameters? table
---@param last { entries: Entry[] }|false|nil  what the last step went by
---@return Entry[]?
function Plan.entries_after(steps, parameters, last)
  if steps == 0 then return {} end -- nothing is kept before the first step
  if parameters then return (Plan.read(parameters)) end
  return last and last.entries or nil
end

---Copies of the matrices of a state.
---@param tensors table<string, table<string, Matrix>>
---@return table<string, table<string, Matrix>>
function Plan.copy(tensors)
  local copies = {}
  for name, kept in pairs(tensors) do
    copies[name] = {}
    for key, M in pairs(kept) do copies[name][key] = M:copy(M.order) end
  end
  return copies
end

---Take what is kept from a state that has been checked.
---@param tensors table<string, table<string, Matrix>>
function Plan:take(tensors)
  for name, kept in pairs(self.places) do
    for key, M in pairs(kept) do M:assign(tensors[name][key]) end
  end
end

return Plan
