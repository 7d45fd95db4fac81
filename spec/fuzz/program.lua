-- A random program of calls, as text: what it does follows from a seed and a number, so that a case
-- which ended the process can be written out again. The text is run in a world (world.lua), whose
-- words it uses. Each statement is one line:
--     m1 = normal(f32, 3, 4, "columns", 17)                           what a call needs
--     r2 = call(function() return give(f32.add(m1, m1, 0/0)) end)     a call that is judged
--     if net1 then r3 = call(function() return give(net1:forward(m1)) end) end

---@class Program
---@field lines string[]
---@field calls integer      statements that are judged
---@field hostility number   chance that a value is replaced by a hostile one
---@field is_valid boolean?  what is made now must be valid
---@field of table<string, table[]>  what is known of the variables, by their kind
local Program = {}
Program.__index = Program

local values = require "spec.fuzz.values"

local SIZES = { 1, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33 }
local LARGE_SIZES = { 64, 65, 127, 200, 257 }
local ARENA = 600 -- elements that the views of a program share

---@param seed integer
---@param case integer
---@return Program
function Program.new(seed, case)
  math.randomseed(seed, case)
  local self = setmetatable({
    lines = {}, calls = 0, hostility = 0, of = {}, count = 0, uses_files = false,
    is_large = math.random() < 0.04,
  }, Program)
  self:line("pl.threads(%d)", math.random(2))
  return self
end

---@return string
function Program:text()
  return table.concat(self.lines, "\n") .. "\n"
end


-- Choices

function Program.chance(_, p) return math.random() < p end

function Program.between(_, low, high) return math.random(low, high) end

function Program.pick(_, list) return list[math.random(#list)] end

function Program:size()
  if self.is_large and self:chance(0.3) then return self:pick(LARGE_SIZES) end
  return self:pick(SIZES)
end

function Program:core() return self:pick { "f32", "f64" } end

---A float from 0 up to `most`.
function Program.number(_, most) return ("%.3f"):format(math.random() * (most or 1)) end


-- Statements

function Program:line(text, ...)
  self.lines[#self.lines + 1] = select("#", ...) > 0 and text:format(...) or text
end

local function known(self, kind, about)
  self.count = self.count + 1
  about.name = kind .. self.count
  self.of[kind] = self.of[kind] or {}
  table.insert(self.of[kind], about)
  return about
end

---A new variable with a value that is made by a valid expression.
---@param kind string
---@param expression string
---@param about? table  what is known of it
---@return table about  with its name
function Program:make(kind, expression, about)
  about = known(self, kind, about or {})
  about.is_sure = true
  self:line("%s = %s", about.name, expression)
  return about
end

---A call that is judged.
---@param expression string
---@param options? table  kind or kinds, of what the results are; about, what is known of them;
---needs, objects without which the call is left out; how, see world.lua
function Program:call(expression, options)
  options = options or {}
  local kinds, names = options.kinds or { options.kind or "r" }, {}
  for k, kind in ipairs(kinds) do
    local about = {}
    for key, value in pairs(options.about or {}) do about[key] = value end
    about.is_sure = nil
    names[k] = known(self, kind, about).name
  end
  local how = options.how and (", %q"):format(options.how) or ""
  if self:chance(0.04) then how = ', "apart"' end
  local line = ("%s = call(function() return give(%s) end%s)"):format(
    table.concat(names, ", "), expression, how)
  for _, object in ipairs(options.needs or {}) do
    if not object.is_sure then line = ("if %s then %s end"):format(object.name, line) end
  end
  self:line("%s", line)
  self.calls = self.calls + 1
end

---A call of a method with a colon.
---@param object table      what is known of it
---@param name string
---@param arguments? any[]  valid ones
---@param options? table    as those of call
function Program:method(object, name, arguments, options)
  options = options or {}
  options.needs = { object }
  self:call(("%s:%s(%s)"):format(object.name, name, self:arguments(arguments or {})), options)
end

---A call that reads the object, as one of these expressions says: "tostring(%s)".
function Program:read(object, expressions)
  self:call(self:pick(expressions):format(object.name), { needs = { object } })
end

---A variable of this kind, if there is one.
function Program:known(kind)
  local list = self.of[kind]
  return list and self:pick(list)
end

---One of the variables of this kind, or a new one that `make(self)` makes.
function Program:object(kind, make)
  local fitting = {}
  for _, about in ipairs(self.of[kind] or {}) do
    if about.is_sure or not self.is_valid then fitting[#fitting + 1] = about end
  end
  if #fitting > 0 and self:chance(0.7) then return self:pick(fitting) end
  return make(self)
end

---A function that does what `make` does, with valid values alone.
---@param make fun(p: Program, ...): any
function Program.valid(make)
  return function(self, ...)
    local hostility, is_valid = self.hostility, self.is_valid
    self.hostility, self.is_valid = 0, true
    local result = make(self, ...)
    self.hostility, self.is_valid = hostility, is_valid
    return result
  end
end


-- Values

---The text, or now and then that of a hostile value.
function Program:leaf(text)
  if self:chance(self.hostility) then return values.any(self) end
  return tostring(text)
end

---A table as text, with its fields in the order given: { "rate", "0.1", "momentum", "0.9" }. Values
---are leaves, but for those of `untouched`, by name; `first` is its element 1.
function Program:fields(list, untouched, first)
  local pieces = { first and self:leaf(first) }
  for k = 1, #list, 2 do
    local name, text = list[k], list[k + 1]
    if not (untouched and untouched[name]) then text = self:leaf(text) end
    pieces[#pieces + 1] = ("%s = %s"):format(name, text)
  end
  if self:chance(self.hostility) then
    pieces[#pieces + 1] = ("[%s] = %s"):format(values.key(self), values.any(self))
  end
  local text = "{ " .. table.concat(pieces, ", ") .. " }"
  if self:chance(self.hostility / 2) then return "proxy(" .. text .. ")" end
  return text
end

---As fields, or now and then no table at all.
function Program:options(list, untouched)
  return self:leaf(self:fields(list, untouched))
end

local function spoil(self, arguments)
  local n, k = #arguments, self:between(1, 6)
  if k <= 3 and n > 0 then
    arguments[self:between(1, n)] = values.any(self)
  elseif k == 4 and n > 1 then
    arguments[self:between(1, n)] = arguments[self:between(1, n)]
  elseif k == 5 and n > 0 then
    for _ = 1, self:between(1, n) do table.remove(arguments) end
  else
    arguments[n + 1] = values.any(self)
  end
end

---Arguments as text, about half of the time with something wrong among them.
---@param arguments string[]
---@return string
function Program:arguments(arguments)
  if self:chance(0.5) then
    for _ = 1, self:pick { 1, 1, 1, 2 } do spoil(self, arguments) end
  end
  for k, text in ipairs(arguments) do arguments[k] = tostring(text) end
  return table.concat(arguments, ", ")
end

local function fresh(self, core, rows, cols, order)
  if self:chance(0.75) then
    return ("normal(%s, %d, %d, %q, %d)"):format(core, rows, cols, order,
      self:between(1, 99))
  elseif self:chance(0.5) then
    return ("filled(%s, %d, %d, %q, %s)"):format(core, rows, cols, order,
      values.number(self))
  end
  return ("spotted(%s, %d, %d, %q, %s)"):format(core, rows, cols, order,
    values.number(self))
end

local function of_shape(self, core, rows, cols, order)
  local fitting = {}
  for _, m in ipairs(self.of.m or {}) do
    local fits = m.core == core and m.rows == rows and m.cols == cols and m.order == order
    if fits then fitting[#fitting + 1] = m end
  end
  return #fitting > 0 and self:pick(fitting) or nil
end

---The name of a matrix of this shape: a new one, one that the program has already, or a view that
---may share elements with other views.
---@param core string   "f32" or "f64"
---@param order? string
---@return string
function Program:matrix(core, rows, cols, order)
  order = order or self:pick { "columns", "columns", "rows" }
  local same = self:chance(0.15) and of_shape(self, core, rows, cols, order)
  if same then return same.name end
  local about = { core = core, rows = rows, cols = cols, order = order }
  local size = rows * cols
  if size <= ARENA and self:chance(0.2) then
    local first = self:between(1, math.min(ARENA - size + 1, 9))
    return self:make("m", ("arena.%s:view(%d, %d, %d, %q)"):format(core, first, rows,
      cols, order), about).name
  end
  return self:make("m", fresh(self, core, rows, cols, order), about).name
end

---A matrix stored by columns, as most that hold samples must be.
function Program:samples(core, rows, cols)
  return self:matrix(core, rows, cols, self:chance(0.95) and "columns" or "rows")
end

---A matrix of numbers that are finite, stored by columns.
function Program:tame(core, rows, cols)
  return self:make("m", ("normal(%s, %d, %d, \"columns\", %d)"):format(core, rows, cols,
    self:between(1, 99)), { core = core, rows = rows, cols = cols, order = "columns" }).name
end

---N labels as a 1 x N matrix.
function Program:labels(core, N, classes)
  return self:make("m", ("labels(%s, %d, %d, %d)"):format(core, N, classes,
    self:between(1, 99)), { core = core, rows = 1, cols = N, order = "columns" }).name
end

---A list of n whole numbers from 1 to `most`.
function Program:indices(n, most)
  local list = {}
  for k = 1, n do list[k] = self:leaf(self:between(1, most)) end
  return "{ " .. table.concat(list, ", ") .. " }"
end

---A path in the folder of the world, whose files are as new in every program that uses some.
function Program:path(names)
  if not self.uses_files then
    self.uses_files = true
    self.lines[1] = "files() " .. self.lines[1]
  end
  return ("%q"):format(self:pick(names or values.files))
end

---The state of an object, or now and then with something hostile in it, or in its place.
function Program:altered(object)
  local text = object.name .. ":state()"
  if self:chance(0.5) then return text end
  if self:chance(0.2) then return values.any(self) end
  return ("altered(%s, %d, %s)"):format(text, self:between(1, 99), values.any(self))
end

return Program
