-- Sets of samples that were chosen, or put together.

local Bytes = require "perilune.data.bytes"
local check_indices = require "perilune.data.indices"
local cores = require "perilune.cores"
local errors = require "perilune.errors"
local fields = require "perilune.fields"
local schema = require "perilune.data.schema"

local raise, show = errors.raise, errors.show

---@class Dataset
local Samples = {}

---A subset of the given samples, in their order, or for a number the first so many; nothing is
---copied. A sample may be there several times.
---@param samples integer|integer[]  of this set, from 1 to N
---@return Dataset
function Samples:take(samples)
  local chosen = {}
  if type(samples) == "number" then
    local count = fields.whole(samples)
    if not count or count < 1 or count > self.N then
      raise("take: 1 to %d samples expected, got %s", self.N, show(samples))
    end
    for n = 1, count do chosen[n] = n end
  else
    local _, count = check_indices(samples, 1, nil, self.N)
    for k = 1, count do chosen[k] = fields.whole(samples[k]) end
  end
  return self:subset(chosen)
end

-- What a cell of a column means: a number, the name of a category or 0 for one that is not known,
-- nil where it is missing
local function value_of(feature, x)
  if x ~= x then return nil end
  return feature.categories and feature.categories[fields.whole(x)] or x
end

-- The class of a sample by its name, or its label where classes have none; a target; or all of them
local function learnt_by(self, labels, n)
  if labels then
    local label = labels:get(1, n)
    return self.classes and self.classes[fields.whole(label)] or label
  end
  local T = self.T
  if T.rows == 1 then return T:get(1, n) end
  local targets = {}
  for i = 1, T.rows do targets[i] = T:get(i, n) end
  return targets
end

-- A sample as `where` shows it, which is the same table for all of them
local function new_view(self)
  local view = { X = nil, column = 0, n = 0 }
  local labels = self.has_classes and self:class_labels "where" or nil
  local row_of = {}
  for i, feature in ipairs(self.schema or {}) do row_of[feature.name] = i end
  local learnt = self.target or (labels and "class" or "target")
  view.sample = setmetatable({}, { __index = function(_, key)
    local row = row_of[key]
    if row then return value_of(self.schema[row], view.X:get(row, view.column)) end
    if key == learnt then return learnt_by(self, labels, view.n) end
    row = fields.whole(key)
    if row and row >= 1 and row <= self.inputs then return view.X:get(row, view.column) end
    raise("where: a sample has the rows 1 to %d%s and %s, not %s", self.inputs,
      self.schema and ", its columns by name" or "", show(learnt), show(key))
  end })
  return view
end

---A subset of the samples for which accept(sample, n) is true; nothing is copied.
---    adults = set:where(function(sample) return sample.age >= 18 and sample.job ~= "clerk" end)
---    threes = digits:where(function(sample) return sample.class == "3" end)
---sample[i] is the number in row i of X. Where the set has a schema, sample.NAME is what the column
---of that name has: a number, the name of a category (0 for one that is not known), nil where it is
---missing. What is learnt is sample[dataset.target] where the target has a name, else sample.class
---or, where there are no classes, sample.target: the name of a class, its label where classes have
---no names, a number, or a list of numbers. The table is valid during the call; n counts the
---samples of this set. Raises where no sample is accepted.
---@param accept fun(sample: table, n: integer): boolean?
---@return Dataset
function Samples:where(accept)
  fields.value("where", accept, { "function" })
  local view, chosen = new_view(self), {}
  for first, X in self:chunks "X" do
    view.X = X
    for j = 1, X.cols do
      view.column, view.n = j, first + j - 1
      if accept(view.sample, view.n) then chosen[#chosen + 1] = view.n end
    end
  end
  if #chosen == 0 then raise("where: none of %d samples was accepted", self.N) end
  return self:subset(chosen)
end

-- How two sets differ that are to be put together, if they do
local function difference(self, other)
  for _, name in ipairs { "inputs", "targets" } do
    if self[name] ~= other[name] then
      return ("%d %s expected, got %d"):format(self[name], name, other[name])
    end
  end
  if self.has_labels ~= other.has_labels then
    return self.has_labels and "labels expected, got columns of targets"
      or "columns of targets expected, got labels"
  end
  for k = 1, math.max(#(self.classes or {}), #(other.classes or {})) do
    local one, another = (self.classes or {})[k], (other.classes or {})[k]
    if one ~= another then
      return ("class %d: %s expected, got %s"):format(k, show(one), show(another))
    end
  end
  local one, another = self.source.weights, other.source.weights
  if (one and one.rows or 0) ~= (another and another.rows or 0) then
    return ("%s expected, got %s"):format(one and ("weights of %d x N"):format(one.rows)
      or "no weights", another and ("%d x N"):format(another.rows) or "none")
  end
end

-- How the schemas of two sets differ, if they do
local function difference_of_schemas(one, other)
  if one and other then return schema.difference(one, other) end
  if one then return "a schema expected, got none" end
  if other then return "no schema expected, got one" end
end

-- The bytes of two sets as one, where both have bytes that mean the same numbers
local function joined_bytes(self, other)
  local one, another = self.source.X, other.source.X
  local are_alike = Bytes.is_bytes(one) and Bytes.is_bytes(another) and one.scale == another.scale
  if not are_alike then return nil end
  local octets = cores.float32.octets(self.inputs * (self.N + other.N))
  for _, set in ipairs { self, other } do
    local X = set.source.X
    for n = 1, set.N do
      local first = X.offset + ((set.chosen and set.chosen[n] or n) - 1) * X.rows
      octets:append(X.bytes:sub(first + 1, first + X.rows))
    end
  end
  return Bytes.new(octets, self.inputs, self.N + other.N, { scale = one.scale })
end

-- One quantity of two sets as one matrix, of the first one's type
local function joined(self, other, letter)
  local S = self.source[letter]
  if not S then return nil end
  local dtype = S.dtype or "float32"
  local M = cores[dtype].matrix(S.rows, self.N + other.N)
  local before = 0
  for _, set in ipairs { self, other } do
    for first, chunk in set:chunks(letter) do
      local place = before + first
      M:columns(place, place + chunk.cols - 1):assign(chunk:to(dtype))
    end
    before = self.N
  end
  return M
end

---The samples of this set and then those of the other, as one set, whose data are of this one's
---types. Raises unless both have the same inputs, targets or labels, classes, kind of weights and
---schema. Subsets of one set become a subset of it; what else is put together is copied.
---@param other Dataset
---@return Dataset
function Samples:concat(other)
  self.check(other, "concat")
  local differs = difference(self, other) or difference_of_schemas(self.schema, other.schema)
  if differs then raise("concat: %s", differs) end
  if rawequal(self.source, other.source) then
    return self.source:subset(table.move(other:order(), 1, other.N, self.N + 1, self:order()))
  end
  return self:holding {
    X = joined_bytes(self, other) or joined(self, other, "X"), T = joined(self, other, "T"),
    weights = joined(self, other, "weights"),
  }
end

return Samples
