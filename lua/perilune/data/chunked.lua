-- Datasets larger than memory: samples that stay in a file.

local Dataset = require "perilune.data.dataset"
local Elements = require "perilune.data.elements"
local Stored = require "perilune.data.stored"
local fields = require "perilune.fields"

local chunked = {}

local declared = {
  T = { "value", optional = true },
  labels = { "value", optional = true },
  classes = { "names", optional = true },
  weights = { "value", optional = true },
  window = Stored.options.window,
  chunk = Stored.options.chunk,
  dtype = { "choice", choices = { "float32", "float64" }, optional = true },
  scale = { "number", optional = true },
}

---A dataset whose X stays in its file, an .npy or an IDX file, for data larger than memory. It is
---trained on, evaluated, batched and split like any other: samples come in chunks that are read at
---once, and some chunks are in memory at a time, the window. A new order is that of the chunks, and
---then of the samples in a window; it follows from the generator's state as with any set.
---    local y = assert(pl.data.npy "y.npy")
---    local train = assert(pl.data.chunked("X.npy", { labels = y + 1, window = 50000 }))
---The first dimension of an array counts the samples (in Fortran order the last), as in the arrays
---of others; all further ones together are S_0. Options: T, a path likewise, or a matrix; or
---labels, classes and weights as in pl.dataset, which are in memory; window, how many samples are
---in memory (default: 64 MiB of X); chunk, how many are read at once (default: a 32nd of the
---window); scale, by which X is multiplied (default: 1/255 for IDX, else 1); dtype of X in memory.
---What asks for all of X at once is refused. A subset keeps its samples in the file's order.
---@param path string
---@param given { T: any, labels: any, classes: string[]?, weights: any, window: integer?,
---chunk: integer?, scale: number?, dtype: string? }
---@return Dataset?
---@return string?  nil and "path: what was expected and what came"
function chunked.read(path, given)
  fields.value("path", path, { "path" })
  local options = fields.check(declared, given, "pl.data.chunked")
  local source, message = Elements.open(path, options)
  if not source then return nil, message end
  local chunk, slots = Stored.sizes(source.rows, source.cols, source.dtype, options)
  local T = options.T
  if type(T) == "string" then
    fields.value("T", T, { "path" })
    local targets
    targets, message = Elements.open(T, { dtype = options.dtype, scale = 1 })
    if not targets then return nil, message end
    T = Stored.new(targets, chunk, slots)
  end
  return Dataset.new {
    X = Stored.new(source, chunk, slots), T = T, labels = options.labels,
    classes = options.classes, weights = options.weights,
  }
end

return chunked
