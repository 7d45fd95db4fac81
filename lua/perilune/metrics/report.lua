-- Precision, recall and F1 of each class, side by side: which classes are told apart, and how well.

local Meter = require "perilune.metrics.meter"
local classes = require "perilune.metrics.classes"
local columns = require "perilune.metrics.columns"
local cores = require "perilune.cores"
local counts = require "perilune.metrics.counts"
local errors = require "perilune.errors"
local fields = require "perilune.fields"
local metric = require "perilune.metrics"

local averages, formulas = counts.averages, counts.formulas

---A row for each class, { precision =, recall =, f1 =, support = }, the support being the weight of
---its samples; and rows of averages over the classes.
---@class Report
---@field [integer] table
---@field macro table       the mean of all classes (see pl.metric.f1 for which these are)
---@field weighted table    the mean by support
---@field micro table       of all counts together
---@field accuracy number?  the share of right predictions; nil for several labels
---@field classes string[]?
local Report = {}
Report.__index = Report

local NAMES = { "precision", "recall", "f1" }

local option_fields = {
  classes = { "names", optional = true },
  weights = { "value", optional = true },
  gives = classes.fields.gives, targets = classes.fields.targets,
}

-- The row of one class
local function row_of(counted, i)
  local hits, predicted, actual = counts.of(counted, i)
  local row = { support = actual }
  for _, name in ipairs(NAMES) do row[name] = formulas[name](hits, predicted, actual) end
  return row
end

local function row_of_averages(counted, average, support)
  local row = { support = support }
  for _, name in ipairs(NAMES) do row[name] = averages[average](counted, formulas[name]) end
  return row
end

---The report of these outputs and targets.
---    print(pl.metrics.report(net:predict(test.X), test.T, { classes = test.classes }))
---@param A Matrix      S_L x N outputs
---@param T Matrix      1 x N labels, or S_L x N target columns, or for one output from 0 to 1
---@param given? { classes: string[], weights: Matrix, gives: string, targets: string }  names
---for printing; 1 x N or S_L x N weights; the others as for pl.metric
---@return Report
local function report(A, T, given)
  local options = fields.check(option_fields, given, "pl.metrics.report")
  if not cores.is_matrix(A) then errors.raise("A: a matrix expected, got %s", errors.show(A)) end
  local about = {
    core = cores.of(A), outputs = A.rows, gives = options.gives,
    several = options.targets == "several" and A.rows > 1, labels = false,
  }
  local f1 = metric:resolve { "f1", average = "macro" }
  local counted = Meter.new({ f1 }, about):add(A, T, options.weights).accumulators[1]
  local names, self = options.classes, { classes = options.classes }
  errors.check(not names or #names == counted.classes, "classes: %d names expected, got %d",
    counted.classes, names and #names)
  local hits, support = 0, 0
  for i = 1, counted.classes do
    self[i] = row_of(counted, i)
    hits, support = hits + counts.of(counted, i), support + self[i].support
  end
  for _, average in ipairs { "macro", "micro", "weighted" } do
    self[average] = row_of_averages(counted, average, support)
  end
  if not about.several then self.accuracy = support > 0 and hits / support or 0 end
  return setmetatable(self, Report)
end

local function support_text(support)
  return math.tointeger(support) and ("%d"):format(support) or ("%.2f"):format(support)
end

function Report:__tostring()
  local titles, rows = {}, {}
  for i = 1, #self do
    titles[i], rows[i] = self.classes and self.classes[i] or tostring(i), self[i]
  end
  for _, average in ipairs { "macro", "weighted" } do
    titles[#titles + 1], rows[#rows + 1] = average, self[average]
  end
  local first = columns.longest(titles, #"accuracy") + 1
  local lines = { (" "):rep(first) .. " precision   recall       f1   support" }
  for k, row in ipairs(rows) do
    lines[#lines + 1] = ("%s  %8.4f %8.4f %8.4f %9s"):format(columns.right(titles[k], first),
      row.precision, row.recall, row.f1, support_text(row.support))
  end
  if self.accuracy then
    local line = ("%s  %26.4f %9s"):format(columns.right("accuracy", first), self.accuracy,
      support_text(self.macro.support))
    table.insert(lines, #self + 2, line)
  end
  return table.concat(lines, "\n")
end

return report
