-- The columns of a table as inputs of a network, by what pl.prepare has fitted: numbers are scaled,
-- missing ones filled and told by a row of their own, categories become rows of which one is 1. It
-- is a layer, so that training, prediction and files all begin with raw columns.
--
-- Its rows are numbers first, in the order of the columns; then those made normal by quantiles;
-- then a row for each column whose missing cells are told; then categories as one number; then
-- those as rows.

local Buffer = require "perilune.buffer"
local class = require "perilune.layer.class"
local errors = require "perilune.errors"
local schema = require "perilune.data.schema"

local raise, show = errors.raise, errors.show

---@class Prepare
---@field columns table[]  as they are described
---@field A Matrix         S_l x N, of the last forward
---@field Delta Matrix     S_l x N, given to the last backward
local Prepare = class("prepare", { columns = { "table" } })
Prepare.takes_missing = true

-- How src/prepare.c knows what a row is made of, in the order that it asks for
local NUMBER, QUANTILE, INDICATOR, LABEL, ONE_HOT = 1, 2, 3, 4, 5
local FIELDS = 9 -- of a record: source, kind, count, shift, factor, bend, fill, most, unseen

local declared = {
  used = { "boolean", default = true },
  scaler = { "string", optional = true },
  shift = { "number", optional = true },
  factor = { "number", optional = true },
  quantiles = { "numbers", optional = true },
  clip = { "number", optional = true, above = 0 },
  fill = { "number", optional = true },
  indicator = { "boolean", default = false },
  encoding = { "choice", choices = { "one_hot", "ordinal", "binary" }, optional = true },
  missing = { "choice", choices = { "place", "zeros" }, optional = true },
  unseen = { "choice", choices = { "refuse", "missing", "zeros" }, optional = true },
}
for name, field in pairs(schema.fields) do declared[name] = declared[name] or field end

local function check_quantiles(quantiles, what)
  if #quantiles < 2 then raise("%s: two or more numbers expected, got %d", what, #quantiles) end
  for k = 2, #quantiles do
    if not (quantiles[k] >= quantiles[k - 1]) then
      raise("%s: numbers expected, none below the one before, got %s after %s", what,
        show(quantiles[k]), show(quantiles[k - 1]))
    end
  end
end

local needed = { number = { "fill" }, category = { "encoding", "missing", "unseen" } }

local function check_column(column)
  local what = ("columns: column %s"):format(show(column.name))
  for _, name in ipairs(needed[column.type]) do
    if column[name] == nil then raise("%s: its %s is missing", what, name) end
  end
  if column.quantiles then
    check_quantiles(column.quantiles, what .. ": quantiles")
  elseif column.type == "number" and not (column.shift and column.factor) then
    raise("%s: shift and factor, or quantiles, expected", what)
  elseif column.encoding == "binary" and (#column.categories ~= 2 or column.missing ~= "zeros") then
    raise("%s: binary: two categories expected, and missing = \"zeros\"", what)
  end
end

local function number_records(records, k, column, knots)
  local record = { k, column.quantiles and QUANTILE or NUMBER, 1, column.shift or 0,
    column.factor or 0, column.clip and 1 / column.clip or 0, column.fill, 0, 0,
    name = column.name }
  if column.quantiles then
    record[4], record[8] = #knots + 1, #column.quantiles
    table.move(column.quantiles, 1, #column.quantiles, #knots + 1, knots)
  end
  records[#records + 1] = record
  if column.indicator then
    records[#records + 1] = { k, INDICATOR, 1, 0, 0, 0, 0, 0, 0, name = column.name .. " missing" }
  end
end

-- The label that a missing category stands for, and the one of an unseen one, which is refused
-- where it is -1. `nothing` is the label by which all rows are 0.
local function stand_ins(column, nothing)
  local missing = column.missing == "place" and #column.categories + 1 or nothing
  local unseen = column.unseen == "refuse" and -1 or column.unseen == "missing" and missing
    or nothing
  return missing, unseen
end

-- As one number a category is (label - shift) factor.
local encodings = {
  ordinal = { shift = 1, factor = 1, nothing = 0 },
  binary = { shift = 1.5, factor = 2, nothing = 1.5 },
}

local function category_record(records, k, column)
  local most, as_number = #column.categories, encodings[column.encoding]
  local missing, unseen = stand_ins(column, as_number and as_number.nothing or 0)
  if as_number then
    records[#records + 1] = { k, LABEL, 1, as_number.shift, as_number.factor, 0, missing, most,
      unseen, name = column.name }
    return
  end
  local count = column.missing == "place" and most + 1 or most
  records[#records + 1] = { k, ONE_HOT, count, 0, 0, 0, missing, most, unseen, name = column.name,
    categories = column.categories }
end

-- Sorted by kind; columns of one kind stay in their order.
local function by_kind(records)
  local list = {}
  for kind = NUMBER, ONE_HOT do
    for _, record in ipairs(records) do
      if record[2] == kind then list[#list + 1] = record end
    end
  end
  return list
end

-- What each row of A is called: "age", "age missing", "job = clerk"
local function names_of(records)
  local names = {}
  for _, record in ipairs(records) do
    if record[2] ~= ONE_HOT then
      names[#names + 1] = record.name
    else
      for k = 1, record[3] do
        local category = record.categories[k]
        names[#names + 1] = category and ("%s = %s"):format(record.name, category)
          or record.name .. " missing"
      end
    end
  end
  return names
end

local function matrix_of(core, records)
  local plan = core.matrix(#records, FIELDS)
  for r, record in ipairs(records) do
    for k = 1, FIELDS do plan:set(r, k, record[k]) end
    local is_number = record[2] == NUMBER
    local scales = plan:get(r, 4) - plan:get(r, 4) == 0 and plan:get(r, 5) - plan:get(r, 5) == 0
    if is_number and not scales then
      raise("column %s: %s does not have its shift or its factor", show(record.name), core.name)
    end
  end
  return plan
end

local function column_of(core, numbers)
  if #numbers == 0 then return nil end
  local column = core.matrix(#numbers, 1)
  for k, x in ipairs(numbers) do column:set(k, 1, x) end
  return column
end

local MOST_INPUTS = 2 ^ 24 | 0 -- up to which float32 counts

---@param options { columns: table[] }
---@param context LayerContext
---@return Prepare
function Prepare.new(options, context)
  local core, inputs = context.core, context.input.size
  if inputs > MOST_INPUTS then raise("at most %d inputs expected, got %d", MOST_INPUTS, inputs) end
  local columns = schema.checked("columns", options.columns, inputs, declared)
  local records, knots = {}, {}
  for k, column in ipairs(columns) do
    if column.used then
      check_column(column)
      if column.type == "number" then
        number_records(records, k, column, knots)
      else
        category_record(records, k, column)
      end
    end
  end
  if #records == 0 then raise("columns: one or more that are used expected") end
  records = by_kind(records)
  local names = names_of(records)
  local self = {
    core = core, options = { columns = columns }, columns = columns,
    plan = matrix_of(core, records), knots = column_of(core, knots),
    output = { size = #names, names = names },
  }
  for _, buffer in ipairs { "activations", "predictions" } do
    self[buffer] = Buffer.new(core, #names)
  end
  self.below = Buffer.new(core, inputs)
  return Prepare.create(self)
end

-- What C says of a label, told of the column
local function refuse(self, message)
  local row, what, got, sample = tostring(message):match
    "%(row (%d+): (labels from %d+ to %d+ expected), got (%S+) in column (%d+)%)$"
  if not row then error(message, 0) end
  local column = self.columns[tonumber(row)]
  local label = tonumber(got)
  if label == 0 then
    raise("column %s: an unseen value in sample %s (known: %s; unseen = \"missing\" or \"zeros\" "
      .. "in pl.prepare takes it)", show(column.name), sample, schema.shown(column.categories))
  end
  raise("column %s: %s, got %s in sample %s", show(column.name), what, show(label), sample)
end

local function run(self, A, X)
  local ok, message = pcall(self.core.prepare, A, X, self.plan, self.knots)
  if not ok then refuse(self, message) end
  return A
end

---@param A_below Matrix  raw columns, S_(l-1) x N
---@return Matrix         S_l x N; valid until the next forward
function Prepare:forward(A_below)
  self.A_below = A_below
  self.A = run(self, self.activations:columns(A_below.cols), A_below)
  return self.A
end

---@param A_below Matrix  raw columns, S_(l-1) x N
---@return Matrix         S_l x N; valid until the next predict
function Prepare:predict(A_below)
  return run(self, self.predictions:columns(A_below.cols), A_below)
end

---The derivative by numbers; 0 for categories and for what is missing.
---@param Delta Matrix           S_l x N
---@param wants_below boolean?
---@return Matrix? Delta_below   S_(l-1) x N; valid until the next backward
function Prepare:backward(Delta, wants_below)
  if not self.A_below then raise("backward needs a forward before it") end
  self.Delta = Delta
  if not wants_below then return nil end
  return self.core.prepare_backward(self.below:columns(Delta.cols), Delta, self.A_below, self.plan,
    self.knots)
end

function Prepare:__tostring()
  local counts = { number = 0, category = 0 }
  for _, column in ipairs(self.columns) do
    if column.used then counts[column.type] = counts[column.type] + 1 end
  end
  local parts = {}
  for _, kind in ipairs { { "number", "number", "numbers" }, { "category", "category",
    "categories" } } do
    local count = counts[kind[1]]
    if count > 0 then
      parts[#parts + 1] = ("%d %s"):format(count, count == 1 and kind[2] or kind[3])
    end
  end
  return ("prepare %s -> %d"):format(table.concat(parts, ", "), self.output.size)
end

return Prepare
