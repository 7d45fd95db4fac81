-- What is in a table, before anything is trained on it: the target, its classes and how often they
-- come, and what would spoil a result without a word. Such are columns that say nothing, columns
-- that say the same as another, numbers that only name the rows, and columns that alone tell the
-- target, as they do where they were made of it.
--
-- Columns are looked at one by one; of a long table some of the rows are.

local Table = require "perilune.data.table"
local errors = require "perilune.errors"
local fields = require "perilune.fields"

local raise, show = errors.raise, errors.show

-- Rows that are looked at, evenly spaced, are at most so many, and fewer of very wide tables
local MOST_ROWS, FEWEST_ROWS, MOST_CELLS = 20000, 1000, 2000000
local FEW_ROWS = 20 -- in fewer of them chance does what is looked for
local FEW_CLASSES = 20 -- different whole numbers, up to which they are taken as classes
local RARE = 10 -- rows of a class below which it is told
local SHOWN = 12 -- classes that are listed
local SUSPECT = 0.98 -- the share of what a constant guess gets wrong that one column gets right

---@class Survey
---@field N integer            rows
---@field looked_at integer    of them
---@field target table?        { name, type, missing, different, task, and for classification
---classes = { { name, count } }, for regression least, most, mean, deviation }
---@field constants string[]   columns with one value, or none
---@field same string[][]      { a, b }: b says the same as a
---@field names_of_rows string[]  columns of whole numbers that are all different
---@field suspects { name: string, share: number }[]  columns that alone tell the target
---@field left_out { name: string, type: string }[]   columns without values: text and dates
local Survey = {}
Survey.__index = Survey


-- Columns, each with { name, type, cells, missing, different, first }: `cells` of the rows that are
-- looked at, `first` from a value to the place of its first cell

local function with_cells(name, kind, M, rows)
  local all, column = M:totable()[1], { name = name, type = kind, missing = 0, different = 0 }
  local cells, first = {}, {}
  for k, n in ipairs(rows) do
    local x = all[n]
    cells[k] = x
    if x ~= x then
      column.missing = column.missing + 1
    elseif not first[x] then
      first[x], column.different = k, column.different + 1
    end
  end
  column.cells, column.first = cells, first
  return column
end

local function are_whole(column)
  for x in pairs(column.first) do
    if not fields.whole(x) then return false end
  end
  return true
end

-- Whether two columns part the rows in the same way, whatever they call the parts. Where most
-- values come once any two columns would, and then the values must be the same.
local function say_the_same(a, b)
  if a.different ~= b.different or a.missing ~= b.missing then return false end
  local by_value = 2 * a.different > #a.cells
  for k, x in ipairs(a.cells) do
    local y = b.cells[k]
    local is_missing = x ~= x
    if is_missing ~= (y ~= y) then return false end
    if not is_missing and (by_value and x ~= y or a.first[x] ~= b.first[y]) then return false end
  end
  return true
end


-- How much of the target one column tells: 1 where it tells all, 0 where nothing

local MISSING = {} -- in the place of NaN, which is no key

-- For each value of the column the places of its cells
local function groups_of(cells)
  local groups = {}
  for k, x in ipairs(cells) do
    local key = x == x and x or MISSING
    groups[key] = groups[key] or {}
    table.insert(groups[key], k)
  end
  return groups
end

local function counts_of(cells, places)
  local counts = {}
  for _, k in ipairs(places) do counts[cells[k]] = (counts[cells[k]] or 0) + 1 end
  return counts
end

local function largest(counts)
  local most, of = 0, nil
  for value, count in pairs(counts) do
    if count > most then most, of = count, value end
  end
  return most, of
end

-- How many cells of the target a vote of the others with the same value gets right, where a cell
-- that has no others is guessed to be of the commonest class.
local function right_by_vote(cells, targets, commonest)
  local right = 0
  for _, places in pairs(groups_of(cells)) do
    local counts = counts_of(targets, places)
    for t, count in pairs(counts) do
      local others = 0
      for u, other in pairs(counts) do
        if u ~= t then others = math.max(others, other) end
      end
      if count - 1 > others or #places == 1 and t == commonest then right = right + count end
    end
  end
  return right
end

-- Places in the order of the column's numbers, without missing ones
local function sorted_places(cells)
  local places = {}
  for k, x in ipairs(cells) do
    if x == x then places[#places + 1] = k end
  end
  table.sort(places, function(a, b) return cells[a] < cells[b] end)
  return places
end

-- How many cells of the target are got right by the best of all splits: one class for numbers below
-- it, one for those above, one for missing ones
local function right_by_split(cells, targets)
  local places = sorted_places(cells)
  local below, above, best = {}, counts_of(targets, places), 0
  for k, place in ipairs(places) do
    local t = targets[place]
    below[t], above[t] = (below[t] or 0) + 1, above[t] - 1
    local following = places[k + 1]
    if following and cells[following] > cells[place] then
      best = math.max(best, largest(below) + largest(above))
    end
  end
  return best + largest(counts_of(targets, groups_of(cells)[MISSING] or {}))
end

local function share_of_classes(column, targets)
  local all = {}
  for k = 1, #targets do all[k] = k end
  local guessed, commonest = largest(counts_of(targets, all))
  local right = right_by_vote(column.cells, targets, commonest)
  if column.type == "number" then
    right = math.max(right, right_by_split(column.cells, targets))
  end
  return (right - guessed) / (#targets - guessed)
end

local function moments(cells)
  local sum, squares = 0, 0
  for _, t in ipairs(cells) do sum = sum + t end
  local mean = sum / #cells
  for _, t in ipairs(cells) do squares = squares + (t - mean) ^ 2 end
  return mean, squares
end

-- R^2 of the mean of the others with the same value
local function r2_by_vote(cells, targets)
  local mean, total = moments(targets)
  local left = 0
  for _, places in pairs(groups_of(cells)) do
    local sum, others = 0, #places - 1
    for _, k in ipairs(places) do sum = sum + targets[k] end
    for _, k in ipairs(places) do
      local guess = others > 0 and (sum - targets[k]) / others or mean
      left = left + (targets[k] - guess) ^ 2
    end
  end
  return 1 - left / total
end

-- Ranks of the cells at these places, equal ones sharing their mean
local function ranks_of(cells, places)
  local order, ranks = {}, {}
  for k = 1, #places do order[k] = k end
  table.sort(order, function(a, b) return cells[places[a]] < cells[places[b]] end)
  local first = 1
  while first <= #order do
    local last = first
    while last < #order and cells[places[order[last + 1]]] == cells[places[order[first]]] do
      last = last + 1
    end
    for k = first, last do ranks[order[k]] = (first + last) / 2 end
    first = last + 1
  end
  return ranks
end

-- The square of Spearman's correlation of ranks, by the share of cells that are there
local function squared_rank_correlation(cells, targets)
  local places = sorted_places(cells)
  local x, t = ranks_of(cells, places), ranks_of(targets, places)
  local mean_x, squares_x = moments(x)
  local mean_t, squares_t = moments(t)
  local products = 0
  for k = 1, #places do products = products + (x[k] - mean_x) * (t[k] - mean_t) end
  if squares_x == 0 or squares_t == 0 then return 0 end
  return products ^ 2 / (squares_x * squares_t) * #places / #cells
end

local function share_of_numbers(column, targets)
  local share = r2_by_vote(column.cells, targets)
  if column.type ~= "number" then return share end
  return math.max(share, squared_rank_correlation(column.cells, targets))
end


-- The target

local function class_names(column, cells_column)
  local classes, values = {}, {}
  for value in pairs(cells_column.first) do values[#values + 1] = value end
  table.sort(values)
  local counts = {}
  for _, t in ipairs(cells_column.cells) do counts[t] = (counts[t] or 0) + 1 end
  for k, value in ipairs(values) do
    local name = column.categories and column.categories[value] or ("%.14g"):format(value)
    classes[k] = { name = name, count = counts[value] }
  end
  return classes
end

-- Categories are classes, and so are few different whole numbers.
local function task_of(column)
  local is_few = column.different <= FEW_CLASSES and are_whole(column)
  return (column.type == "category" or is_few) and "classification" or "regression"
end

-- What the survey tells of the target: its counts are those of all rows
local function target_of(data, name, task)
  local column, M = data:column(name)
  if not M or column.missing == data.N then
    raise("target: numbers or categories expected in column %s, got %s", show(column.name),
      M and "none" or column.type)
  end
  local cells = with_cells(column.name, column.type, M, data:present(name))
  local target = {
    name = column.name, type = column.type, missing = column.missing,
    different = cells.different, task = task or task_of(cells),
  }
  if target.task == "classification" then
    target.classes = class_names(column, cells)
    return target
  elseif column.type == "category" then
    raise("target: numbers expected for regression, got categories in column %s",
      show(column.name))
  end
  local mean, squares = moments(cells.cells)
  target.least, target.most = column.least, column.most
  target.mean, target.deviation = mean, math.sqrt(squares / #cells.cells)
  return target
end


-- The survey

-- The rows that are looked at: those whose target is known, or some of them
local function rows_of(data, target)
  local all = {}
  if target then
    all = data:present(target.name)
  else
    for n = 1, data.N do all[n] = n end
  end
  local most = math.min(MOST_ROWS, math.max(FEWEST_ROWS, MOST_CELLS // #data.columns))
  if #all <= most then return all end
  local rows = {}
  for k = 1, most do rows[k] = all[1 + (k - 1) * #all // most] end
  return rows
end

local function look_at(self, column, others)
  if column.different <= 1 then
    table.insert(self.constants, column.name)
    return
  end
  for _, other in ipairs(others) do
    if say_the_same(other, column) then
      table.insert(self.same, { other.name, column.name })
      break
    end
  end
  local are_names = column.type == "number" and column.different == #column.cells
    and #column.cells >= FEW_ROWS and are_whole(column)
  if are_names then table.insert(self.names_of_rows, column.name) end
  others[#others + 1] = column
end

local function suspect(self, column, target)
  if self.looked_at < FEW_ROWS or target.different < 2 or column.different < 2 then return end
  local share_of = self.target.task == "regression" and share_of_numbers or share_of_classes
  local share = share_of(column, target.cells)
  if share >= SUSPECT then table.insert(self.suspects, { name = column.name, share = share }) end
end

local declared = {
  target = { "value", optional = true },
  task = { "choice", choices = { "classification", "regression" }, optional = true },
  drop = { "table", default = {} },
}

---Look at a table, and with `target` at what each column tells of it.
---    print(pl.data.survey(table, { target = "income" }))
---Options: target (a column, by name or number), task ("classification" or "regression"; by default
---categories are classes, and so are up to 20 different whole numbers), drop (columns that are not
---looked at). A column is a suspect where it alone gets right 98 % of what a constant guess gets
---wrong: classes by the vote of other rows with the same value, or by the best split of its numbers
---in two; numbers by the mean of other rows with the same value, or by its order (r^2 of ranks).
---@param data Table
---@param given? { target: string|integer, task: string, drop: (string|integer)[] }
---@return Survey  which tostring tells in words
local function survey(data, given)
  if not Table.is_table(data) then
    raise("pl.data.survey: a table expected, got %s", show(data))
  end
  local options = fields.check(declared, given, "pl.data.survey")
  local target = options.target ~= nil and target_of(data, options.target, options.task) or nil
  local rows = rows_of(data, target)
  local self = setmetatable({
    N = data.N, looked_at = #rows, target = target, constants = {}, same = {},
    names_of_rows = {}, suspects = {}, left_out = {},
  }, Survey)
  local is_dropped, others, learnt = {}, {}, nil
  for _, name in ipairs(options.drop) do is_dropped[(data:column(name))] = true end
  if target then
    local column, M = data:column(target.name)
    learnt, is_dropped[column] = with_cells(column.name, column.type, M, rows), true
  end
  for k, column in ipairs(data.columns) do
    local _, M = data:column(k)
    if not M and not is_dropped[column] then
      table.insert(self.left_out, { name = column.name, type = column.type })
    elseif not is_dropped[column] then
      local found = with_cells(column.name, column.type, M, rows)
      look_at(self, found, others)
      if learnt then suspect(self, found, learnt) end
    end
  end
  return self
end


-- In words

local function of_classes(target, lines)
  local N, texts, rare = 0, {}, {}
  for _, class in ipairs(target.classes) do N = N + class.count end
  for k, class in ipairs(target.classes) do
    if k <= SHOWN then
      texts[k] = ("%s %d (%.1f %%)"):format(class.name, class.count, 100 * class.count / N)
    end
    if class.count < RARE then rare[#rare + 1] = class.name end
  end
  if #target.classes > SHOWN then texts[#texts + 1] = "..." end
  lines[1] = ("target %s, %d classes: %s"):format(target.name, #target.classes,
    table.concat(texts, ", "))
  if #rare > 0 then
    lines[#lines + 1] = ("fewer than %d rows each: class %s"):format(RARE,
      table.concat(rare, ", ", 1, math.min(#rare, SHOWN)))
  end
end

local function of_target(target, lines)
  if target.classes then
    of_classes(target, lines)
  else
    lines[1] = ("target %s, numbers from %.6g to %.6g, mean %.6g, deviation %.6g"):format(
      target.name, target.least, target.most, target.mean, target.deviation)
  end
  if target.missing > 0 then
    lines[#lines + 1] = ("rows in which the target is missing: %d"):format(target.missing)
  end
end

---What was found, a line for each remark; the table itself tells of its columns.
function Survey:__tostring()
  local lines = {}
  if self.target then of_target(self.target, lines) end
  for _, column in ipairs(self.left_out) do
    lines[#lines + 1] = ("%s is %s, of which nothing can be learnt"):format(column.name,
      column.type == "date" and "of dates" or "text")
  end
  for _, name in ipairs(self.constants) do
    lines[#lines + 1] = ("%s never changes"):format(name)
  end
  for _, pair in ipairs(self.same) do
    lines[#lines + 1] = ("%s says the same as %s"):format(pair[2], pair[1])
  end
  for _, name in ipairs(self.names_of_rows) do
    lines[#lines + 1] = ("%s is different in every row: does it only name them?"):format(name)
  end
  for _, found in ipairs(self.suspects) do
    lines[#lines + 1] = ("%s alone tells the target (%.1f %% of it): was it made of it?"):format(
      found.name, 100 * found.share)
  end
  return table.concat(lines, "\n")
end

return { survey = survey }
