-- MNIST and everything in its form: four IDX files of 28 x 28 grey images and their labels 0..9,
-- plain or with .gz at the end of their names.

local Bytes = require "perilune.data.bytes"
local Dataset = require "perilune.data.dataset"
local core = require "perilune.core.float32"
local fields = require "perilune.fields"
local idx = require "perilune.data.idx"
local lfs = require "lfs"

local mnist = {}

local SIDE = 28
local CLASSES = { "0", "1", "2", "3", "4", "5", "6", "7", "8", "9" }

---The names of the four files, without .gz.
mnist.files = {
  train_images = "train-images-idx3-ubyte",
  train_labels = "train-labels-idx1-ubyte",
  test_images = "t10k-images-idx3-ubyte",
  test_labels = "t10k-labels-idx1-ubyte",
}

local function check_directory(directory)
  fields.value("directory", directory, { "path" })
end

-- The path of the file `name`, plain before compressed; nil and a message when there is neither.
local function find(directory, name)
  local path = ("%s/%s"):format(directory, name)
  for _, candidate in ipairs { path, path .. ".gz" } do
    if lfs.attributes(candidate, "mode") == "file" then return candidate end
  end
  return nil, ("%s: no such file, nor %s.gz"):format(path, name)
end

local function shape(content) return table.concat(content.dimensions, " x ") end

-- Images and labels as one dataset; the names are for messages.
local function combine(images, labels, images_name, labels_name)
  local N, rows, cols = table.unpack(images.dimensions)
  if #images.dimensions ~= 3 or rows ~= SIDE or cols ~= SIDE then
    return nil, ("%s: images of N x %d x %d expected, %s came"):format(images_name, SIDE,
      SIDE, shape(images))
  end
  if #labels.dimensions ~= 1 then
    return nil, ("%s: a list of N labels expected, %s came"):format(labels_name,
      shape(labels))
  end
  if labels.dimensions[1] ~= N then
    return nil, ("%s: %d labels expected, as many as images in %s, %d came"):format(
      labels_name, N, images_name, labels.dimensions[1])
  end
  local digits = labels.bytes:sub(labels.offset + 1)
  local wrong = digits:find "[^\0-\9]"
  if wrong then
    return nil, ("%s: label %d at sample %d: 0 to 9 expected"):format(labels_name,
      digits:byte(wrong), wrong)
  end
  return Dataset.new {
    X = Bytes.new(images.bytes, SIDE * SIDE, N, { offset = images.offset }),
    labels = core.decode(digits, "uint8", 1, N) + 1,
    classes = CLASSES,
  }
end

---A dataset of the contents of an image file and a label file, in memory.
---@param images string  IDX data, N x 28 x 28, plain or gzip-compressed
---@param labels string  IDX data, N labels of 0..9, likewise
---@return Dataset?      784 x N pixels in [0, 1]; label + 1 is the class
---@return string?       nil and a message for damaged data
function mnist.decode(images, labels)
  local image_content, message = idx.decode(images, "images")
  if not image_content then return nil, message end
  local label_content
  label_content, message = idx.decode(labels, "labels")
  if not label_content then return nil, message end
  return combine(image_content, label_content, "images", "labels")
end

local function read_set(directory, images_name, labels_name)
  local images_path, message = find(directory, images_name)
  if not images_path then return nil, message end
  local labels_path
  labels_path, message = find(directory, labels_name)
  if not labels_path then return nil, message end
  local images, labels
  labels, message = idx.read(labels_path)
  if not labels then return nil, message end
  images, message = idx.read(images_path)
  if not images then return nil, message end
  return combine(images, labels, images_path, labels_path)
end

---The training set and the test set of the four files in `directory`. Where a file is there both
---plain and compressed, the plain one is read. Images stay the bytes they were (47 MB for MNIST).
---@param directory string
---@return Dataset?  training set: 784 x N pixels in [0, 1]; label + 1 is the class
---@return Dataset|string?  test set, likewise; or, after nil, "path: what was expected, what came"
function mnist.read(directory)
  check_directory(directory)
  local files = mnist.files
  -- The test set first: it is small, and tells sooner of a folder with something wrong in it.
  local test, train, message
  test, message = read_set(directory, files.test_images, files.test_labels)
  if not test then return nil, message end
  train, message = read_set(directory, files.train_images, files.train_labels)
  if not train then return nil, message end
  return train, test
end

---Whether the four files are in `directory`, plain or compressed. Their content is not looked at.
---@param directory string
---@return boolean
function mnist.available(directory)
  check_directory(directory)
  for _, name in pairs(mnist.files) do
    if not find(directory, name) then return false end
  end
  return true
end

return mnist
