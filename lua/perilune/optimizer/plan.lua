-- How an optimiser steps over a list of parameters: in stretches of neighbours that are treated
-- alike, each with what the optimiser keeps beside it. Parameters are
-- { name =, value =, gradient = }; those of a network lie in flat vectors, of which
-- `parameters.flat` tells, and many of them are then one stretch. What is kept is congruent with
-- the parameters and known by their names.

local cores = require "perilune.cores"
local errors = require "perilune.errors"

-- Elements: a parameter of so many begins a stretch of its own, so that a thread updates the units
-- of a layer whose gradients it has computed, and finds their numbers in its cache.
local LARGE = 65536

local raise, show = errors.raise, errors.show

---@class Stretch
---@field value Matrix
---@field gradient Matrix
---@field kept table<string, Matrix>
---@field settings table    the options that hold for these parameters
---@field decay number

---@class Plan
---@field fixed table|false   the list of parameters where it is a network's own, which does not
---change
---@field stretches Stretch[]
---@field places table<string, table>   what is kept for each parameter, by name
local Plan = {}
Plan.__index = Plan

---The parameter's name; in a list without names, its position.
---@param parameter { name: string? }
---@param k integer
---@return string
function Plan.name_of(parameter, k)
  return parameter.name or tostring(k)
end

local name_of = Plan.name_of

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
  -- Only the core can tell whether two matrices share memory: it looks at them before it refuses
  -- this rate.
  local _, message = pcall(cores.of(value).sgd_update, value, gradient, -1)
  if message:find "argument #3" then return end
  if not message:find "argument #2" then error(message, 0) end
  raise("parameter '%s': its gradient must share no memory with its value", name)
end

local function check_parameter(parameter, k)
  if type(parameter) ~= "table" then
    raise("parameter %d: { name =, value =, gradient = } expected, got %s", k,
      show(parameter))
  elseif parameter.name ~= nil and type(parameter.name) ~= "string" then
    raise("parameter %d: a name as a string expected, got %s", k, show(parameter.name))
  end
  local name, value = name_of(parameter, k), parameter.value
  if not cores.is_matrix(value) then
    raise("parameter '%s': a matrix expected as value, got %s", name, show(value))
  end
  check_gradient(name, value, parameter.gradient)
end

---Raise unless these are parameters to step over. A network's list has the field `flat` besides
---them.
---@param parameters any
function Plan.check_list(parameters)
  if type(parameters) ~= "table" or type(parameters.parameters) == "function" then
    raise("a list of parameters expected, as net:parameters() gives it, got %s",
      type(parameters) == "table" and "a network" or show(parameters))
  end
  for key in pairs(parameters) do
    local is_place = math.type(key) == "integer" and key >= 1 and key <= #parameters
    if not is_place and key ~= "flat" then
      raise("a list of parameters expected, got a table with the key %s", show(key))
    end
  end
  local names, values = {}, {}
  for k = 1, #parameters do
    local parameter = parameters[k]
    check_parameter(parameter, k)
    local name, value = name_of(parameter, k), parameter.value
    if names[name] then raise("two parameters are named '%s'", name) end
    if values[value] then
      raise("parameters '%s' and '%s' have the same matrix as value", values[value], name)
    end
    names[name], values[value] = true, name
  end
end

local function kept_like(value, keeps)
  local kept, core = {}, cores.of(value)
  for _, name in ipairs(keeps) do
    kept[name] = core.matrix(value.rows, value.cols, value.order)
  end
  return kept
end

local function viewed(kept, start, rows, cols, order)
  local views = {}
  for name, M in pairs(kept) do views[name] = M:view(start, rows, cols, order) end
  return views
end

-- Stretches of a network's parameters, whose order is that of their places in the flat vectors
local function cut(self, parameters, settings_of, keeps)
  local flat, first, stretch = parameters.flat, nil, nil
  local kept = kept_like(flat.value, keeps)
  local function close(last)
    if not stretch then return end
    stretch.value = flat.value:view(first, last - first + 1, 1)
    stretch.gradient = flat.gradient:view(first, last - first + 1, 1)
    stretch.kept = viewed(kept, first, last - first + 1, 1)
    self.stretches[#self.stretches + 1] = stretch
  end
  for k, parameter in ipairs(parameters) do
    local settings, decay = settings_of(name_of(parameter, k), parameter)
    local value = parameter.value
    local is_large = value.rows * value.cols >= LARGE
    if not stretch or is_large or settings ~= stretch.settings or decay ~= stretch.decay then
      close(parameter.start - 1)
      first, stretch = parameter.start, { settings = settings, decay = decay }
    end
    if next(kept) then
      self.places[parameter.name] = viewed(kept, parameter.start, value.rows, value.cols,
        value.order)
    end
  end
  close(flat.value.rows)
end

local function single(self, parameters, settings_of, keeps)
  for k, parameter in ipairs(parameters) do
    local name = name_of(parameter, k)
    local settings, decay = settings_of(name, parameter)
    local kept = kept_like(parameter.value, keeps)
    if next(kept) then self.places[name] = kept end
    self.stretches[k] = {
      value = parameter.value, gradient = parameter.gradient, kept = kept,
      settings = settings, decay = decay,
    }
  end
end

---@param parameters { name: string, value: Matrix, gradient: Matrix }[]  checked
---@param settings_of fun(name: string, parameter: table): table, number  options and weight decay
---of each
---@param keeps string[]   names of what is kept for each
---@return Plan
function Plan.new(parameters, settings_of, keeps)
  local self = setmetatable({ stretches = {}, places = {}, values = {}, gradients = {},
    parameters = {}, fixed = parameters.flat and parameters or false }, Plan)
  for k, parameter in ipairs(parameters) do
    self.parameters[k], self.values[k] = parameter, parameter.value
    self.gradients[k] = parameter.gradient
  end
  if #parameters > 0 then
    (parameters.flat and cut or single)(self, parameters, settings_of, keeps)
  end
  for _, stretch in ipairs(self.stretches) do stretch.core = cores.of(stretch.value) end
  return self
end

---Whether the plan is one of these very parameters.
---@param parameters any
---@return boolean
function Plan:is_of(parameters)
  local own, values, gradients = self.parameters, self.values, self.gradients
  if type(parameters) ~= "table" or #own == 0 then return false end
  for k = 1, #own do
    local parameter = parameters[k]
    local is_same = parameter == own[k] and parameter.value == values[k]
      and parameter.gradient == gradients[k]
    if not is_same then return false end
  end
  return parameters[#own + 1] == nil
end

-- Raise unless `kept` is a table of the matrices `keeps`.
local function check_kept(kept, keeps, name)
  if type(kept) ~= "table" then
    raise("state of the optimiser: a table of matrices expected for parameter %s, got %s",
      show(name), show(kept))
  end
  local expected = {}
  for _, key in ipairs(keeps) do
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
---@param keeps string[]
---@param parameters? table   nil when they are not known yet
function Plan.check_state(tensors, keeps, parameters)
  if type(tensors) ~= "table" then
    raise("state of the optimiser: a table of matrices by parameter expected, got %s",
      show(tensors))
  end
  for name, kept in pairs(tensors) do check_kept(kept, keeps, name) end
  if not parameters then return end
  local known = {}
  for k, parameter in ipairs(parameters) do
    local name, value = name_of(parameter, k), parameter.value
    known[name] = true
    for _, key in ipairs(keeps) do
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
