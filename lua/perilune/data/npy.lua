-- Arrays of NumPy, one a file: six bytes of magic, a version, a header that is a Python dictionary
-- (type of the elements, order, shape), and the elements. Versions 1.0 to 3.0 differ in how the
-- header's length and text are encoded (numpy.lib.format).

local collect = require "perilune.collect"
local content = require "perilune.data.content"
local cores = require "perilune.cores"
local errors = require "perilune.errors"
local fields = require "perilune.fields"
local file = require "perilune.store.file"

local npy = {}

local MAGIC = "\x93NUMPY"
local LONGEST_HEADER = 65535 -- bytes: as long as version 1.0 can say
local MOST_DIMENSIONS = 32 -- as NumPy
local CHUNK = 2 ^ 18 | 0 -- bytes of elements that are written at once
local ALIGNMENT = 64 -- of the elements in a file, as NumPy has it

-- How core.decode calls the types of elements, with their bytes, and in which matrix by default:
-- one that holds all whole numbers of such a type exactly, or nearly all
local types = {
  f4 = { "float32", 4, "float32" }, f8 = { "float64", 8, "float64" },
  i1 = { "int8", 1, "float32" }, i2 = { "int16", 2, "float32" },
  i4 = { "int32", 4, "float64" }, i8 = { "int64", 8, "float64" },
  u1 = { "uint8", 1, "float32" }, u2 = { "uint16", 2, "float32" },
  u4 = { "uint32", 4, "float64" }, u8 = { "uint64", 8, "float64" },
  b1 = { "uint8", 1, "float32" },
}

local others = {
  c = "complex numbers", f = "numbers of another width", M = "dates", m = "durations",
  O = "objects", S = "text", U = "text", V = "records", a = "text",
}

---The header of an array
---@class NpyHeader
---@field descr string           as the file has it: "<f4"
---@field type string            as core.decode calls it
---@field width integer          bytes of an element
---@field dtype "float32"|"float64"  of a matrix that holds the elements
---@field endian "little"|"big"
---@field is_fortran boolean     the first dimension runs fastest, else the last
---@field dimensions integer[]   each >= 1
---@field count integer          elements
---@field offset integer         bytes before the elements

local function shape(dimensions)
  local sizes = {}
  for i, size in ipairs(dimensions) do sizes[i] = ("%d"):format(size) end
  return table.concat(sizes, " x ")
end

-- The dimensions in the text between the brackets of a Python tuple, and their product
local function parse_shape(text)
  local dimensions, count = {}, 1
  for piece in text:gmatch "[^,]+" do
    local digits = piece:match "^%s*(%d+)L?%s*$" -- L: by Python 2
    local size = digits and math.tointeger(tonumber(digits))
    if not size and not piece:find "^%s*$" then
      return nil, nil, "a shape of whole numbers expected"
    end
    if size then
      if size == 0 then return nil, nil, "it is empty: a dimension of its shape is 0" end
      if count > cores.MOST_ELEMENTS // size then
        return nil, nil, ("%d elements at most expected, its shape has more"):format(
          cores.MOST_ELEMENTS)
      end
      dimensions[#dimensions + 1], count = size, count * size
    end
  end
  if #dimensions == 0 then return nil, nil, "a single number, not an array" end
  if #dimensions > MOST_DIMENSIONS then return nil, nil, "too many dimensions" end
  return dimensions, count
end

local function parse_type(text)
  local descr = text:match "['\"]descr['\"]%s*:%s*['\"]([^'\"]*)['\"]"
  if not descr then
    local reason = text:find "['\"]descr['\"]%s*:%s*%[" and "elements are records, which a matrix "
      .. "does not hold: save each field as an array of its own" or "no 'descr' in the header"
    return nil, nil, reason
  end
  local order, kind = descr:match "^([<>|=]?)(%a%d+)$"
  local known = types[kind]
  if not known then
    local what = others[descr:match "^[<>|=]?(%a)" or ""]
    return nil, nil, ("elements of type %s%s, which a matrix does not hold (float32, float64, bool "
      .. "and integers it does)"):format(errors.show(descr), what and ", " .. what or "")
  end
  return descr, known, order == ">" and "big" or "little"
end

---The header of a file that begins with these bytes, and the size of the whole file that it
---promises. While the bytes end before the header does, no header but how many bytes it needs.
---@param bytes string
---@return NpyHeader?
---@return integer?
---@return string?    nil, nil and the reason why it is none
function npy.parse(bytes)
  if bytes:sub(1, #MAGIC) ~= MAGIC:sub(1, #bytes) then
    return nil, nil, "no array of NumPy: it does not begin with \\x93NUMPY"
  end
  if #bytes < 12 then return nil, 12 end
  local major, minor = bytes:byte(7, 8)
  if major < 1 or major > 3 or minor ~= 0 then
    return nil, nil, ("version 1.0, 2.0 or 3.0 expected, %d.%d came"):format(major, minor)
  end
  local length, start = (major == 1 and "<I2" or "<I4"):unpack(bytes, 9)
  if length > LONGEST_HEADER then
    return nil, nil, ("a header of at most %d bytes expected, it says %d"):format(LONGEST_HEADER,
      length)
  end
  local offset = start - 1 + length
  if #bytes < offset then return nil, offset end

  local text = bytes:sub(start, offset)
  local descr, known, endian = parse_type(text)
  if not descr then return nil, nil, endian end
  local order = text:match "['\"]fortran_order['\"]%s*:%s*(%a+)"
  if order ~= "True" and order ~= "False" then
    return nil, nil, "'fortran_order': True or False expected in the header"
  end
  local tuple = text:match "['\"]shape['\"]%s*:%s*%(([^()]*)%)"
  if not tuple then return nil, nil, "'shape': a tuple expected in the header" end
  local dimensions, count, reason = parse_shape(tuple)
  if not dimensions then return nil, nil, reason end
  return {
    descr = descr, type = known[1], width = known[2], dtype = known[3], endian = endian,
    is_fortran = order == "True", dimensions = dimensions, count = count, offset = offset,
  }, offset + count * known[2]
end

-- Rows and columns of the matrix that an array becomes, and which of its elements follow each other
-- in the file; nil and a reason where it becomes none.
local function layout(header, samples)
  local dimensions, is_fortran = header.dimensions, header.is_fortran
  local first, second = dimensions[1], dimensions[2]
  if not second then return 1, first, "columns" end
  if #dimensions == 2 and samples ~= "rows" then
    return first, second, is_fortran and "columns" or "rows"
  elseif #dimensions == 2 and is_fortran then
    return second, first, "rows"
  elseif samples == "rows" and not is_fortran then
    return header.count // first, first, "columns"
  end
  return nil, ("%d dimensions (%s)%s: 1 or 2 expected%s"):format(#dimensions, shape(dimensions),
    is_fortran and " in Fortran order" or "", is_fortran and ""
    or ', or samples = "rows", which puts all but the first one behind the other')
end

local function expectation(header, promised)
  return ("%d bytes expected (%s elements of type %s after %d bytes of header)"):format(promised,
    shape(header.dimensions), errors.show(header.descr), header.offset)
end

-- An array as it is read: its header as soon as that is there, then the matrix, chunk by chunk.
-- Each gives true, or nil and a reason to go no further.

local function begin(self, header, promised)
  local came = self.content
  if came.is_gzip and promised > came.most then
    return nil, ("%s, more than %d bytes of gzip data can hold"):format(
      expectation(header, promised), came.size)
  elseif not came.is_gzip and promised ~= came.size then
    return nil, ("%s, %d came"):format(expectation(header, promised), came.size)
  end
  local rows, cols, order = layout(header, self.options.samples)
  if not rows then return nil, cols end
  self.header, self.promised, self.order = header, promised, order
  self.M = cores[self.options.dtype or header.dtype].matrix(rows, cols)
  return true
end

-- Where in the file's array element k is, as NumPy counts
local function place(header, k)
  local indices, left = {}, k - 1
  local first, last, step = #header.dimensions, 1, -1
  if header.is_fortran then first, last, step = last, first, 1 end
  for i = first, last, step do
    indices[i] = ("%d"):format(left % header.dimensions[i])
    left = left // header.dimensions[i]
  end
  return "[" .. table.concat(indices, ", ") .. "]"
end

-- Put whole elements of the bytes into the matrix; what is left of the last waits for the rest.
local function put(self, bytes)
  local header = self.header
  if #bytes > self.promised - self.came then
    return nil, expectation(header, self.promised) .. ", more came"
  end
  self.came = self.came + #bytes
  if self.rest ~= "" then bytes = self.rest .. bytes end
  local whole = #bytes // header.width * header.width
  self.rest = bytes:sub(whole + 1)
  if whole == 0 then return true end
  if whole < #bytes then bytes = bytes:sub(1, whole) end
  local ok, message = pcall(self.M.decode, self.M, bytes, header.type, header.endian, self.order,
    self.next_element)
  if not ok then
    local k, x, dtype = tostring(message):match "element (%d+) is (%S+), which (%w+) does not hold"
    if not k then error(message, 0) end
    return nil, ("element %s is %s, which %s does not hold exactly%s"):format(
      place(header, self.next_element + k - 1), x, dtype,
      dtype == "float32" and ' (dtype = "float64" holds more)' or "")
  end
  self.next_element = self.next_element + whole // header.width
  return true
end

local function add(self, chunk)
  if self.header then return put(self, chunk) end
  self.start = self.start .. chunk
  local header, promised, reason = npy.parse(self.start)
  if not header then
    self.promised = promised
    return not reason or nil, reason
  end
  local ok
  ok, reason = begin(self, header, promised)
  if not ok then return nil, reason end
  local elements = self.start:sub(header.offset + 1)
  self.start, self.came = "", header.offset
  return put(self, elements)
end

-- The matrix, when all is there; nil and a reason otherwise
local function result(self)
  if not self.header then
    return nil, ("a header of %d bytes expected, %d came"):format(self.promised, #self.start)
  elseif self.came < self.promised then
    return nil, ("%s, %d came"):format(expectation(self.header, self.promised), self.came)
  end
  return self.M
end

---The matrix of an array that comes in chunks.
---@param bytes Content  or what is used like one: chunk(), is_gzip, size, most
---@param options { dtype: string?, samples: string? }  checked
---@return Matrix?
---@return string?  nil and a reason
function npy.assemble(bytes, options)
  local self = {
    content = bytes, options = options, start = "", promised = 12, came = 0, rest = "",
    next_element = 1,
  }
  while true do
    local chunk, reason = bytes:chunk()
    if reason then return nil, reason end
    if not chunk then return result(self) end
    local ok
    ok, reason = add(self, chunk)
    if not ok then return nil, reason end
  end
end

---What npy.read and npz.read take
npy.options = {
  dtype = { "choice", choices = { "float32", "float64" }, optional = true },
  samples = { "choice", choices = { "rows" }, optional = true },
}

---The matrix that an array of NumPy is: an N x S array, saved by numpy.save, gives an N x S matrix,
---and a list of N numbers a 1 x N one. This library has samples as columns, most arrays have them
---as rows: samples = "rows" gives the matrix S x N of an N x S array, for no more memory, and of
---one with more dimensions, N x 28 x 28 say, 784 x N.
---    local X = assert(pl.data.npy("X.npy", { samples = "rows" }))
---    local labels = assert(pl.data.npy "y.npy") + 1          -- classes count from 1 here
---Elements are float32, float64, bool (as 0 and 1) or integers of 1 to 8 bytes, in any order of
---bytes and of dimensions; gzip is unpacked. Options: samples; dtype of the matrix (default:
---float64 for float64 and integers of 4 and 8 bytes, else float32). An integer that it does not
---hold exactly is refused, as are complex numbers, text, dates, records and objects.
---@param path string
---@param given? { dtype: string, samples: "rows" }
---@return Matrix?
---@return string?  nil and "path: what was expected and what came"
function npy.read(path, given)
  fields.value("path", path, { "path" })
  local options = fields.check(npy.options, given, "pl.data.npy")
  local source <close>, message = file.open(path)
  if not source then return nil, message end
  local bytes, reason = content.of(source, math.huge)
  local M
  if bytes then M, reason = npy.assemble(bytes, options) end
  if not M then return nil, ("%s: %s"):format(path, reason) end
  return M
end

---The bytes of a matrix as an array of its shape, chunk by chunk, and how many they are. The order
---of its elements stays.
---@param M Matrix
---@return fun(): string?
---@return integer
function npy.chunks(M)
  local width = M.dtype == "float32" and 4 or 8
  local text = ("{'descr': '<f%d', 'fortran_order': %s, 'shape': (%d, %d), }"):format(width,
    M.order == "columns" and "True" or "False", M.rows, M.cols)
  local length = #MAGIC + 4 + #text + 1
  text = text .. (" "):rep(-length % ALIGNMENT) .. "\n"
  local header = MAGIC .. "\1\0" .. ("<s2"):pack(text)
  local count, first = M.rows * M.cols, 0
  local elements = CHUNK // width
  return function()
    if first == 0 then
      first = 1
      return header
    elseif first <= count then
      local last = math.min(first + elements - 1, count)
      local chunk = M:encode(M.dtype, "little", M.order, first, last)
      first = last + 1
      collect(#chunk)
      return chunk
    end
  end, #header + count * width
end

---Raise unless `M` is a matrix.
---@param M any
---@param what string
function npy.check_matrix(M, what)
  if not cores.is_matrix(M) then
    errors.raise("%s: a matrix expected, got %s", what, errors.show(M))
  end
end

---Write a matrix for numpy.load: an array of its shape and type, in the order in which it is
---stored. A file that is there is replaced at once, or stays. Of X, S_0 x N, numpy.load("X.npy").T
---has the samples as rows.
---    assert(pl.data.write.npy("X.npy", X))
---@param path string
---@param M Matrix
---@return true?
---@return string?  nil and "path: reason"
function npy.write(path, M)
  fields.value("path", path, { "path" })
  npy.check_matrix(M, "M")
  return file.write(path, (npy.chunks(M)))
end

return npy
