-- Every script, started as a person would start it, on data small enough to take no time.

local child = require "spec.support.child"
local lfs = require "lfs"
local quote = child.quote

local function first_line(command)
  local pipe = assert(io.popen(command))
  local line = pipe:read "l"
  assert(pipe:close())
  return line
end

local ROOT = first_line "pwd"
local folder -- of this run's files
local SIDE, TRAIN, TEST = 28, 200, 50

local function write(path, ...)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(...))
end

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

-- A random pattern for each digit, a tenth of whose pixels change from image to image; like MNIST's
-- files.
local function write_mnist(directory)
  local state = 12345
  local function random(n)
    state = (state * 1103515245 + 12345) % 2 ^ 31 | 0
    return (state >> 16) % n
  end
  local patterns = {}
  for digit = 0, 9 do
    patterns[digit] = {}
    for k = 1, SIDE * SIDE do patterns[digit][k] = random(2) * 255 end
  end
  local function write_set(name, count)
    local labels, images = {}, {}
    for n = 1, count do
      local digit = random(10)
      labels[n] = string.char(digit)
      local pixels = {}
      for k = 1, SIDE * SIDE do
        pixels[k] = string.char(random(10) == 0 and random(256) or patterns[digit][k])
      end
      images[n] = table.concat(pixels)
    end
    write(("%s/%s-images-idx3-ubyte"):format(directory, name),
      (">I4I4I4I4"):pack(0x803, count, SIDE, SIDE), table.concat(images))
    write(("%s/%s-labels-idx1-ubyte"):format(directory, name),
      (">I4I4"):pack(0x801, count), table.concat(labels))
  end
  write_set("train", TRAIN)
  write_set("t10k", TEST)
end

-- Run a command in the folder of this run, which is not the project's. MNIST is not looked for in
-- the environment of whoever runs the specs.
---@return string output, integer status
local function run_command(command)
  local output, how, status = child.shell(
    ("cd %s && unset PERILUNE_MNIST\n{ %s\n} </dev/null"):format(quote(folder), command))
  assert(how == "exit", output)
  assert(not output:find("traceback", 1, true), output)
  return output, status
end

local function path_of(script) return quote(("%s/scripts/%s"):format(ROOT, script)) end

local function run(script, arguments)
  return run_command(("%s %s %s"):format(child.lua, path_of(script), arguments or ""))
end

local function run_well(script, arguments)
  local output, status = run(script, arguments)
  if status ~= 0 then error(("exit status %d: %s"):format(status, output), 2) end
  return output
end

local function check_refusal(output, status, expected, expected_status)
  local is_line = output:find("^[^\n]*\n$")
  if status ~= expected_status or not is_line or not output:find(expected, 1, true) then
    error(("status %d and a line with '%s' expected, got %d: %s"):format(expected_status,
      expected, status, output), 3)
  end
end

-- The script takes its arguments for wrong: one line says why, and how to go on.
local function refuses(script, arguments, expected)
  local output, status = run(script, arguments)
  check_refusal(output, status, expected, 2)
  assert.equal(script .. ": ", output:sub(1, #script + 2))
  assert.matches("--help", output, 1, true)
end

-- The script cannot go on with the files or the system that it found: one line says why.
local function fails(script, arguments, expected)
  local output, status = run(script, arguments)
  check_refusal(output, status, expected, 1)
end

-- What `-e` runs in the script's interpreter before the script: something happens at a known
-- moment.
local PRESS = [[local function press(times)
  for _ = 1, times or 1 do io.popen("kill -INT $PPID"):close() end
end
]]

-- When a line that matches has been printed, for the first time
local function at_line(pattern, action)
  return PRESS .. ([[
    local methods = getmetatable(io.stdout).__index
    local write = methods.write
    methods.write = function(file, text, ...)
      local result = write(file, text, ...)
      if text:find %q then
        methods.write = write
        file:flush()
        %s
      end
      return result
    end]]):format(pattern, action)
end

-- At the n-th call of a function of Lua's
local function at_call(library, name, n, action)
  return PRESS .. ([[
    local called, count = %s.%s, 0
    %s.%s = function(...)
      count = count + 1
      if count == %d then %s end
      return called(...)
    end]]):format(library, name, library, name, n, action)
end

local function run_with(moment, script, arguments)
  -- A shell that goes on has the status that shells give for a signal.
  return run_command(("%s -e %s %s %s; exit $?"):format(child.lua, quote(moment),
    path_of(script), arguments or ""))
end

local function last_line(output) return output:match "([^\n]*)\n$" end

local TINY = "--data mnist --epochs 2 --hidden 16 --batch 20 --quiet "

setup(function()
  folder = first_line "mktemp -d"
  assert(os.execute("mkdir " .. quote(folder .. "/mnist")))
  write_mnist(folder .. "/mnist")
end)

teardown(function()
  assert(folder:find "^/.+/.+")
  os.execute("rm -rf " .. quote(folder))
end)

describe("train_mnist.lua", function()
  it("trains and prints the test accuracy as its last line", function()
    local output = run_well("train_mnist.lua", TINY)
    assert.matches("^test accuracy %d+%.%d%d %%\n$", output)
    local accuracy = tonumber(output:match "[%d.]+")
    assert.near(0, accuracy * TEST / 100 % 1, 1e-9) -- of 50 images
  end)

  it("prints a line for each epoch and what it trains, unless quiet", function()
    local output = run_well("train_mnist.lua", TINY:gsub("--quiet", ""))
    assert.matches("MNIST: 200 training samples, 50 test samples", output, 1, true)
    assert.matches("network of 784 inputs, 12730 parameters, float32", output, 1, true)
    assert.matches("\nepoch  1  loss %d+%.%d+  train %d+%.%d+ %%, "
      .. "validation %d+%.%d+ %%  %d+%.%d s  %d+ samples/s\n"
      .. "epoch  2  [^\n]*\ntest accuracy [%d.]+ %%\n$", output)
    assert.is_nil(output:find("\r", 1, true)) -- the bar is for terminals
  end)

  it("learns: two epochs are better than guessing, and more are better still", function()
    local function accuracy(arguments)
      return tonumber(run_well("train_mnist.lua", TINY .. arguments):match "[%d.]+")
    end
    assert.is_true(accuracy "" > 15)
    assert.is_true(accuracy "--epochs 10 --rate 0.01 --dropout 0" >= 95)
  end)

  it("takes each optimizer, schedule, type, loss and activation", function()
    for _, arguments in ipairs {
      "--optimizer sgd --schedule step", "--optimizer momentum --schedule exponential",
      "--optimizer nesterov --schedule warm_up", "--optimizer adam --schedule constant",
      "--optimizer muon --schedule constant --weight-decay 0.01",
      "--dtype float64 --activation tanh --initializer lecun --weight-decay 0.001",
      "--loss squared_error --output sigmoid --activation sigmoid",
      "--loss squared_error --output softmax --activation softsign --validation 0",
      "--hidden 0 --dropout 0.5", "--hidden 8,6,4 --dropout 0 --seed=-3",
      "--augment elastic,rotate=10", "--augment shift=1.5,scale,shear",
    } do
      local tiny = arguments:find "%-%-hidden" and TINY:gsub("--hidden 16", "") or TINY
      assert.matches("^test accuracy [%d.]+ %%\n$", run_well("train_mnist.lua", tiny .. arguments))
    end
  end)

  it("refuses a misspelt option by its name", function()
    refuses("train_mnist.lua", TINY .. "--learning-rate 1", "--learning-rate")
    refuses("train_mnist.lua", TINY .. "--epoch 1", "Did you mean '--epochs'?")
    refuses("train_mnist.lua", TINY .. "mnist", "too many arguments")
  end)

  it("refuses a wrong value, naming the option, what it takes and what came", function()
    for arguments, expected in pairs {
      ["--epochs 0"] = "--epochs: a whole number of 1 or more expected, got '0'",
      ["--epochs many"] = "--epochs: a whole number of 1 or more expected, got 'many'",
      ["--batch 1.5"] = "--batch: a whole number of 1 or more expected, got '1.5'",
      ["--rate=-1"] = "--rate: a number above 0 expected, got '-1'",
      ["--rate nan"] = "--rate: a number above 0 expected, got 'nan'",
      ["--dropout 1"] =
        "--dropout: a number from 0 up to, but not including, 1 expected, got '1'",
      ["--validation 1"] =
        "--validation: a number from 0 up to, but not including, 1 expected, got '1'",
      ["--validation 0.0001"] =
        "--validation: a fraction that leaves samples in both subsets of 200 expected",
      ["--seed 1.5"] = "--seed: a whole number expected, got '1.5'",
      ["--threads 0"] = "--threads: a whole number of 1 to 256 expected, got '0'",
      ["--threads 257"] = "--threads: a whole number of 1 to 256 expected, got '257'",
      ["--augment flip"] = "--augment: unknown augmentation 'flip' (known: elastic, rotate, scale, "
        .. "shear, shift)",
      ["--augment elastic,rotate=x"] =
        '--augment: rotate: degrees: a number from 0 to 180 expected, got "x"',
      ["--augment scale=1"] = "--augment: scale: range: a number from 0 to 0.9 expected, got 1",
      ["--augment =3"] = "--augment: augmentation: a name",
      ["--hidden 16,"] = "--hidden: widths such as 512,256, or 0, expected, got '16,'",
      ["--hidden=-1"] = "--hidden: widths such as 512,256, or 0, expected, got '-1'",
      ["--activation relo"] = "unknown activation 'relo' (known: elu, exponential",
      ["--output relo"] = "unknown activation 'relo'",
      ["--loss mse"] = "'--loss' must be one of 'softmax_cross_entropy', 'squared_error'",
      ["--optimizer quickprop"] = "unknown optimizer 'quickprop' (known: adadelta, adagrad",
      ["--optimizer rprop --weight-decay 1"] = "unknown option 'weight_decay' of rprop",
      ["--schedule linear"] = "'--schedule' must be one of 'constant'",
      ["--dtype float16"] = "'--dtype' must be one of 'float32', 'float64'",
      ["--initializer zero"] = "unknown initializer 'zero' (known: constant",
      ["--weight-decay=-1"] =
        "--weight-decay: a number of 0 or more expected, got '-1'",
      ["--target high"] = "--target: a number of 0 or more expected, got 'high'",
      ["--epochs"] = "--epochs",
      ["--save ''"] = "--save: a name expected, got none",
      ["--data ''"] = "--data: a name expected, got none",
      ["--synthetic"] = "'--synthetic' can not be used together with option '--data'",
    } do
      refuses("train_mnist.lua", TINY .. arguments, expected)
    end
  end)

  it("refuses misspelt names before it reads data", function()
    for arguments, expected in pairs {
      ["--activation relo"] = "--activation: unknown activation 'relo' (known: elu",
      ["--output relo"] = "--output: unknown activation 'relo' (known: elu",
      ["--optimizer quickprop"] = "--optimizer: unknown optimizer 'quickprop' (known: adadelta",
      ["--initializer zero"] = "--initializer: unknown initializer 'zero' (known: constant",
    } do
      refuses("train_mnist.lua", "--data absent " .. arguments, expected)
    end
    refuses("train_mnist.lua", TINY .. "--hidden 99999999", "--hidden: layer 1: declare: 'W' of")
  end)

  it("takes a negative number for a value, not for an option", function()
    for arguments, expected in pairs {
      ["--rate -1"] = "--rate: a number above 0 expected, got '-1'",
      ["--rate -.5"] = "--rate: a number above 0 expected, got '-.5'",
      ["--weight-decay -1e-3"] = "--weight-decay: a number of 0 or more expected, "
        .. "got '-1e-3'",
      ["--epochs -5"] = "--epochs: a whole number of 1 or more expected, got '-5'",
      ["--hidden -16"] = "--hidden: widths such as 512,256, or 0, expected, got '-16'",
      ["--quiet -1"] = "option '--quiet' does not take arguments",
      ["-- -1"] = "too many arguments",
    } do
      refuses("train_mnist.lua", "--data mnist " .. arguments, expected)
    end
    assert.equal(run_well("train_mnist.lua", TINY .. "--seed=-3"),
      run_well("train_mnist.lua", TINY .. "--seed -3"))
  end)

  it("takes whole numbers however they are written", function()
    assert.equal(run_well("train_mnist.lua", TINY),
      run_well("train_mnist.lua", TINY .. "--epochs 2.0 --batch 2e1 --seed 0x1"))
  end)

  it("ends with status 1 below its target, after the accuracy, else with 0", function()
    local output, status = run("train_mnist.lua", TINY .. "--target 101")
    assert.equal(1, status)
    assert.matches("test accuracy [%d.]+ %%\n", output)
    assert.matches("below the target of 101 %", output, 1, true)
    run_well("train_mnist.lua", TINY .. "--target 0")
  end)

  it("does the same for the same seed, whatever the threads", function()
    local function network(name, arguments)
      run_well("train_mnist.lua",
        ("%s --hidden 64,32 --batch 100 --save %s %s"):format(TINY, name, arguments))
      return read(folder .. "/" .. name)
    end
    local one = network("one.safetensors", "--threads 1")
    assert.is_true(one == network("again.safetensors", "--threads 1"))
    assert.is_true(one == network("two.safetensors", "--threads 2"))
    assert.is_false(one == network("other.safetensors", "--threads 1 --seed 2"))
    local line = run_well("train_mnist.lua", TINY)
    assert.equal(line, run_well("train_mnist.lua", TINY))
    assert.equal(line, run_well("train_mnist.lua", TINY .. "--threads 2"))
  end)

  it("reports damaged data by the file's name", function()
    assert(os.execute(("cp -r %s %s"):format(quote(folder .. "/mnist"),
      quote(folder .. "/damaged"))))
    local path = folder .. "/damaged/train-images-idx3-ubyte"
    write(path, read(path):sub(1, -2))
    fails("train_mnist.lua", "--data damaged --quiet",
      "--data: damaged/train-images-idx3-ubyte: ")
  end)

  it("draws no digits where a folder was named that is misspelt or incomplete", function()
    fails("train_mnist.lua", "--data mnits --epochs 1",
      "--data: mnits/t10k-images-idx3-ubyte: no such file")
    assert(os.execute(("mkdir %s/empty"):format(quote(folder))))
    fails("train_mnist.lua", "--data empty --epochs 1", "--data: empty/t10k-images")
    local output, status = run_command("PERILUNE_MNIST=mnits " .. child.lua .. " "
      .. path_of "train_mnist.lua")
    assert.equal("PERILUNE_MNIST: mnits/t10k-images-idx3-ubyte: no such file, "
      .. "nor t10k-images-idx3-ubyte.gz\n", output)
    assert.equal(1, status)
    assert.is_nil(lfs.attributes(folder .. "/mnits"))
  end)

  it("reports before it trains that it could not save", function()
    local loud = TINY:gsub("--quiet", "") .. "--save "
    fails("train_mnist.lua", loud .. "nowhere/net.safetensors",
      "--save: nowhere/net.safetensors: No such file or directory")
    fails("train_mnist.lua", loud .. "mnist",
      "--save: mnist: not replaced, because it is a directory")
    fails("train_mnist.lua", loud .. "/dev/full",
      "--save: /dev/full: not replaced, because it is a char device")
    fails("train_mnist.lua", loud .. ("x"):rep(300), "File name too long")
    fails("train_mnist.lua", loud .. "/proc/net.safetensors", "/proc/net.safetensors: ")
  end)

  it("has the accuracy even when the result can no longer be saved", function()
    assert(lfs.mkdir(folder .. "/going"))
    local output, status = run_with(at_line("^epoch", "os.remove 'going'"),
      "train_mnist.lua", TINY:gsub("--quiet", "") .. "--save going/net.safetensors")
    assert.matches("\ntest accuracy [%d.]+ %%\n"
      .. "going/net.safetensors: No such file or directory\n$", output)
    assert.equal(1, status)
  end)

  it("runs from any directory, however its path is written", function()
    local expected = run_well("train_mnist.lua", TINY)
    for directory, script in pairs {
      [ROOT] = "scripts/train_mnist.lua",
      [ROOT .. "/scripts"] = "train_mnist.lua",
      ["/"] = ROOT .. "/scripts/train_mnist.lua",
    } do
      local data = "--data " .. quote(folder .. "/mnist")
      local arguments = TINY:gsub("%-%-data mnist", data)
      local output, _, status = child.shell(("cd %s && %s %s %s"):format(
        quote(directory), child.lua, quote(script), arguments))
      assert.equal(0, status, output)
      assert.equal(expected, output)
    end
  end)

  it("finds the data by the environment when not told", function()
    local output, _, status = child.shell(
      ("PERILUNE_MNIST=%s %s scripts/train_mnist.lua %s"):format(
        quote(folder .. "/mnist"), child.lua, (TINY:gsub("%-%-data mnist", ""))))
    assert.equal(0, status, output)
    assert.equal(run_well("train_mnist.lua", TINY), output)
  end)

  it("trains on digits of its own drawing, and says so in the last line", function()
    assert.matches("^test accuracy %(synthetic digits%) %d+%.%d%d %%\n$",
      run_well("train_mnist.lua", "--synthetic --epochs 1 --hidden 16 --quiet"))
  end)

  it("reaches 93 % on MNIST in one epoch with 64 hidden units", function()
    local directory = os.getenv "PERILUNE_MNIST"
    if not directory or directory == "" then
      pending "PERILUNE_MNIST does not name a folder with MNIST"
      return
    end
    if not directory:find "^/" then directory = ROOT .. "/" .. directory end
    run_well("train_mnist.lua", ("--data %s --epochs 1 --hidden 64 --dropout 0 "
      .. "--quiet --target 93"):format(quote(directory)))
  end)
end)

describe("predict.lua", function()
  local trained

  setup(function()
    trained = run_well("train_mnist.lua",
      TINY .. "--epochs 8 --rate 0.01 --save net.safetensors")
  end)

  it("prints the accuracy that training printed", function()
    assert.equal(trained, run_well("predict.lua", "net.safetensors --data mnist"))
  end)

  it("does so for float64, and for probabilities as outputs", function()
    for _, arguments in ipairs {
      "--dtype float64", "--output softmax --loss squared_error",
    } do
      local expected = run_well("train_mnist.lua",
        TINY .. arguments .. " --save b.safetensors")
      assert.equal(expected, run_well("predict.lua", "b.safetensors --data mnist"))
      run_well("predict.lua", "b.safetensors --data mnist --image 1")
    end
  end)

  it("draws an image with its probabilities, which sum to 100 %", function()
    local output = run_well("predict.lua", "net.safetensors --data mnist --image 3")
    local lines = {}
    for line in output:gmatch "([^\n]*)\n" do lines[#lines + 1] = line end
    assert.equal(SIDE + 10 + 1, #lines)
    assert.matches("@@@@", table.concat(lines, "\n", 1, SIDE), 1, true)
    local sum, largest, predicted = 0, -1, nil
    for digit = 0, 9 do
      local name, percent = lines[SIDE + 1 + digit]:match "^  (%d)  +([%d.]+) %%  #*$"
      assert.equal(tostring(digit), name)
      percent = tonumber(percent)
      sum = sum + percent
      if percent > largest then largest, predicted = percent, name end
    end
    assert.near(100, sum, 0.06)
    local said, label = lines[#lines]:match "^predicted (%d), labelled (%d)$"
    assert.equal(predicted, said)
    local labels = read(folder .. "/mnist/t10k-labels-idx1-ubyte")
    assert.equal(labels:byte(8 + 3), tonumber(label))
  end)

  it("prints how often each digit was taken for which", function()
    local output = run_well("predict.lua", "net.safetensors --data mnist --confusion")
    assert.matches("^actual \\ predicted\n", output)
    local sum = 0
    for line in output:gmatch "\n +(%d +%d[ %d]*)" do
      for count in line:gmatch(" (%d+)") do sum = sum + count end
    end
    assert.is_true(sum >= TEST)
    assert.equal(trained, last_line(output) .. "\n")
  end)

  it("refuses wrong arguments", function()
    refuses("predict.lua", "", "file")
    refuses("predict.lua", "net.safetensors --data mnist --image 51",
      "--image: 1 to 50 expected, got 51")
    refuses("predict.lua", "net.safetensors --data mnist --image 0", "--image")
    refuses("predict.lua", "net.safetensors --dat mnist", "--dat")
    refuses("predict.lua", "''", "file: a name expected, got none")
    refuses("predict.lua", "net.safetensors rows.csv other.csv", "too many arguments")
    refuses("predict.lua", "net.safetensors --data mnist --synthetic", "together")
    refuses("predict.lua", "net.safetensors --data mnist --image 1 --confusion",
      "together")
    refuses("predict.lua", "net.safetensors --data mnist --seed 2",
      "--seed is of the digits that --synthetic draws")
  end)

  it("reports files that are not there, or no network", function()
    fails("predict.lua", "absent.safetensors --data mnist",
      "absent.safetensors: No such file or directory")
    fails("predict.lua", "mnist --data mnist", "mnist: is a directory")
    fails("predict.lua", "net.safetensors --data absent", "--data: absent/t10k-images")
    fails("predict.lua", "mnist/t10k-labels-idx1-ubyte --data mnist",
      "t10k-labels-idx1-ubyte: ")
  end)

  it("refuses a network for other inputs or outputs, and a training state", function()
    child.run(([[
      local pl = require "perilune"
      local folder = %q
      assert(pl.network({ inputs = 5, pl.dense(10) }):save(folder .. "/five"))
      local net = pl.network { inputs = 784, pl.dense(3) }
      assert(net:save(folder .. "/three"))
      local dataset = pl.dataset { X = pl.matrix(784, 4), T = pl.matrix(3, 4) }
      local trainer = pl.trainer(net, dataset, { loss = "squared_error" })
      assert(trainer:save(folder .. "/state"))
    ]]):format(folder))
    fails("predict.lua", "five --data mnist",
      "five has 5 inputs, and the images have 784 pixels")
    for _, option in ipairs { "", " --image 1", " --confusion" } do
      fails("predict.lua", "three --data mnist" .. option,
        "three has 3 outputs, and there are 10 digits")
    end
    fails("predict.lua", "state --data mnist",
      'state: not a model file of Perilune\'s, its format is "perilune training"')
  end)
end)

-- 120 flowers as a file of a table: a name, which is no use; petals, sometimes missing; a colour,
-- in quotes where it has a comma; and the species, which petals and colour tell
local function write_flowers(name, change)
  local lines = { "name,petals,colour,species" }
  for n = 1, 120 do
    local petals, colour = n * 7 % 10, n % 3
    local row = {
      "flower no " .. n, n % 17 == 0 and "?" or petals,
      ({ [0] = "red", "blue", '"white, or so"' })[colour],
      petals >= 5 and colour > 0 and "rose" or "tulip",
    }
    if change then change(row, n) end
    if row[1] then lines[#lines + 1] = table.concat(row, ",") end
  end
  write(folder .. "/" .. name, table.concat(lines, "\n"), "\n")
end

local QUICK = "--target species --epochs 30 --hidden 16 --threads 1 "

describe("train_csv.lua", function()
  setup(function() write_flowers "flowers.csv" end)

  it("describes a table, and what may be wrong with it, without a target", function()
    local output = run_well("train_csv.lua", "flowers.csv")
    assert.matches("^flowers.csv: 120 rows, 4 columns\n", output)
    assert.matches("2  petals   number    0 to 9, 7 missing\n", output, 1, true)
    assert.matches("name is text, of which nothing can be learnt\n"
      .. "%-%-target COLUMN trains a network for a column\n$", output)
  end)

  it("tells what it found, and how good the network is on rows kept apart", function()
    local output = run_well("train_csv.lua", "flowers.csv " .. QUICK)
    assert.matches("target species, 2 classes: rose 40 (33.3 %), tulip 80 (66.7 %)\n"
      .. "name is text, of which nothing can be learnt\n"
      .. "77 rows to train on, 19 to validate, 24 to test\n", output, 1, true)
    assert.matches("best epoch %d+ of 30, validation accuracy [%d.]+ %%, [%d.]+ s\n", output)
    assert.matches("\n +precision +recall +f1 +support\n", output)
    local accuracy, guessed = last_line(output):match(
      "^test accuracy ([%d.]+) %% %(always tulip: ([%d.]+) %%%)$")
    assert.equal("66.67", guessed)
    assert.is_true(tonumber(accuracy) > 90, accuracy)
  end)

  it("prints one line where it is to be quiet, the same for the same seed", function()
    local one = run_well("train_csv.lua", "flowers.csv --quiet " .. QUICK)
    assert.matches("^test accuracy [^\n]+\n$", one)
    local threads = QUICK:gsub("threads 1", "threads 2")
    assert.equal(one, run_well("train_csv.lua", "flowers.csv --quiet " .. threads))
  end)

  it("predicts numbers in their units beside the mean", function()
    local output = run_well("train_csv.lua",
      "flowers.csv --target petals --task regression --epochs 9 --threads 1")
    assert.matches("flowers.csv: 7 rows without a target are left out\n", output, 1, true)
    assert.matches("^test RMSE [%d.]+, MAE [%d.]+, R2 %-?[%d.]+ "
      .. "%(always the mean: RMSE [%d.]+%)$", last_line(output))
  end)

  it("says that whole numbers are taken as classes", function()
    local output = run_well("train_csv.lua",
      "flowers.csv --target petals --epochs 1 --hidden 4 --threads 1")
    assert.matches("petals has 10 different whole numbers, which are taken as classes "
      .. "(--task regression: as numbers)", output, 1, true)
  end)

  it("tests on another file, whose classes may end in a full stop", function()
    write_flowers("test.csv", function(row, n)
      row[4] = row[4] .. "."
      if n > 50 then row[1] = nil end
    end)
    local output = run_well("train_csv.lua", "flowers.csv --test test.csv " .. QUICK)
    assert.matches("in test.csv, rose. is taken for rose\n"
      .. "in test.csv, tulip. is taken for tulip\n", output, 1, true)
    assert.matches("96 rows to train on, 24 to validate, 50 to test\n", output, 1, true)
    write_flowers("other.csv", function(row) row[4] = row[4]:upper() end)
    local _, status = run("train_csv.lua", "flowers.csv --quiet --test other.csv " .. QUICK)
    assert.equal(1, status)
    fails("train_csv.lua", "flowers.csv --quiet --test other.csv " .. QUICK,
      'column "species" has "ROSE", "TULIP", which are none of the classes "rose", "tulip"')
  end)

  it("takes columns by name or number, and files of other kinds", function()
    local expected = run_well("train_csv.lua", "flowers.csv --quiet --drop name " .. QUICK)
    local by_number = QUICK:gsub("species", "4")
    assert.equal(expected, run_well("train_csv.lua", "flowers.csv --quiet --drop 1 " .. by_number))
    local text = read(folder .. "/flowers.csv"):gsub("^[^\n]*\n", "")
    write(folder .. "/bare.csv", (text:gsub('"white, or so"', "white"):gsub(",", ";")))
    local output = run_well("train_csv.lua",
      "bare.csv --separator ';' --no-header --columns name,petals,colour,species " .. QUICK)
    assert.equal(expected, last_line(output) .. "\n")
  end)

  it("gives numbers as waves, too", function()
    local output = run_well("train_csv.lua", "flowers.csv --periodic " .. QUICK)
    assert.matches("periodic, 16 frequencies", output, 1, true)
  end)

  it("saves what predict.lua applies to rows without a target, by the names of columns", function()
    run_well("train_csv.lua", "flowers.csv --quiet --save flowers.safetensors " .. QUICK)
    write(folder .. "/new.csv", 'colour,petals,height\n"white, or so",9,1\nred,9,2\ngreen,?,3\n')
    local output = run_well("predict.lua", "flowers.safetensors new.csv")
    assert.matches('^new.csv: column "colour": not seen in training: "green"\n'
      .. "class,probability\nrose,0%.%d+\ntulip,0%.%d+\n%l+,0%.%d+\n$", output)
    write(folder .. "/short.csv", "colour,height\nred,1\nblue,2\n")
    fails("predict.lua", "flowers.safetensors short.csv",
      'short.csv: column "petals" is missing (known: "colour", "height")')
    write(folder .. "/words.csv", "colour,petals\nred,many\nblue,few\n")
    fails("predict.lua", "flowers.safetensors words.csv",
      'words.csv: line 2, column 2 ("petals"): a number expected, got "many"')
    write(folder .. "/commas.csv", "colour;petals\nred;1,5\nblue;2\n")
    fails("predict.lua", "flowers.safetensors commas.csv",
      'commas.csv: line 2, column 2 ("petals"): a number expected, got "1,5" (if its comma is a '
        .. "decimal one: --decimal ,)\n")
    refuses("predict.lua", "flowers.safetensors", "name the file of the rows to predict")
    refuses("predict.lua", "flowers.safetensors new.csv --synthetic",
      "--synthetic is for networks of images")
    fails("predict.lua", "net.safetensors new.csv", "net.safetensors is for images, not for tables")
    for _, option in ipairs {
      "--separator ';'", "--quote x", "--decimal .", "--missing x", "--columns x", "--header",
      "--no-header",
    } do
      refuses("predict.lua", "net.safetensors --data mnist " .. option,
        option:match "%S+" .. " is for networks of tables, and net.safetensors is for images")
    end
  end)

  it("saves a network of numbers, whose predictions are numbers", function()
    run_well("train_csv.lua", "flowers.csv --quiet --target petals --task regression --epochs 2 "
      .. "--hidden 4 --save petals.safetensors")
    local output = run_well("predict.lua", "petals.safetensors flowers.csv")
    local title, rest = output:match "^([^\n]*)\n(.*)$"
    assert.equal("prediction", title)
    local count = 0
    for line in rest:gmatch "([^\n]*)\n" do
      count = count + 1
      assert.is_true(tonumber(line) >= 0 and tonumber(line) <= 9, line)
    end
    assert.equal(120, count)
  end)

  it("refuses what it cannot do, in one line", function()
    refuses("train_csv.lua", "", "file")
    refuses("train_csv.lua", "flowers.csv --quiet --target kind",
      "--target: the name or number of a column expected, got 'kind' (there are name, petals, "
      .. "colour, species)")
    refuses("train_csv.lua", "flowers.csv --quiet --target species --drop 9", "--drop: the name")
    refuses("train_csv.lua", "flowers.csv --test 0", "--test: a fraction between 0 and 1")
    refuses("train_csv.lua", "flowers.csv --validation 1", "--validation: a fraction between")
    local quiet = "flowers.csv --quiet --target species "
    refuses("train_csv.lua", quiet .. "--validation 0.001",
      "--validation: a fraction that leaves samples in both subsets of 96 expected, got 0.001")
    refuses("train_csv.lua", quiet .. "--test 0.001",
      "--test: a fraction that leaves samples in both subsets of 120 expected, got 0.001")
    refuses("train_csv.lua", "flowers.csv --hidden 3,x", "--hidden: widths such as")
    refuses("train_csv.lua", "flowers.csv --quote ab", "--quote: one character expected")
    refuses("train_csv.lua", "flowers.csv --columns a,,b", "--columns: names separated by commas")
    refuses("train_csv.lua", "flowers.csv --header --no-header", "together")
    fails("train_csv.lua", "absent.csv", "absent.csv: ")
    fails("train_csv.lua", "flowers.csv --quiet --target name",
      'target: numbers or categories expected in column "name", got text')
    fails("train_csv.lua", "flowers.csv --quiet --target species --drop petals,colour",
      "no column is left to learn from")
    fails("train_csv.lua", "flowers.csv --quiet --target species --save nowhere/net",
      "--save: nowhere/net: ")
    write(folder .. "/ragged.csv", "a,b\n1,2\n3\n")
    fails("train_csv.lua", "ragged.csv --target b", "ragged.csv: line 3")
  end)

  it("is told of its own options where the file wants one", function()
    for text, expected in pairs {
      ["a;b\n1,5;x\n2,5;y\n"] = 'a number without a comma expected, got "1,5" (if its comma is a '
        .. "decimal one: --decimal ,)\n",
      ['a,b\n"1,234",x\n'] = 'a number without a comma expected, got "1,234"\n',
      ["a,b\n1,x\n2,x\nnone,x\n"] = 'a number expected, as in 2 of 3 cells, got "none" (if it '
        .. 'stands for a missing cell: --missing "none")\n',
      ["x,x\n1,2\n"] = 'got "x" as columns 1 and 2 (--columns names them anew)\n',
    } do
      write(folder .. "/wants.csv", text)
      fails("train_csv.lua", "wants.csv", expected)
    end
  end)

  it("trains on each of the public tables with one command", function()
    local tables = os.getenv "PERILUNE_TABLES"
    if not tables or tables == "" then
      return pending "PERILUNE_TABLES does not name a folder with tables"
    end
    local classes, numbers = "^test accuracy [%d.]+ %%", "^test RMSE [%d.]+, MAE [%d.]+, R2 "
    for arguments, expected in pairs {
      ["adult-train.csv.gz --target 15 --test %s/adult-test.csv.gz"] = classes,
      ["auto_imports.csv --target 26"] = numbers,
      ["banknote_authentication.csv --target 5"] = classes,
      ["breast-cancer.csv --target 10"] = classes,
      ["california.csv.gz --target median_house_value"] = numbers,
      ["german.csv --target 21"] = classes,
      ["glass.csv --target 10"] = classes,
      ["horse-colic.csv --target 24"] = classes,
      ["iris.csv --target 5"] = classes,
      ["winequality-white.csv --target 12"] = classes,
    } do
      local files = arguments:gsub("%%s", tables)
      local output = run_well("train_csv.lua",
        ("%s/%s --epochs 1 --hidden 8 --quiet"):format(tables, files))
      assert.matches(expected, output, arguments)
    end
  end)

  it("has the score so far when Ctrl-C ends training", function()
    local in_a_batch = at_call("math", "cos", 13, "press()") -- of the schedule, in each batch
    local output, status = run_with(in_a_batch, "train_csv.lua", "flowers.csv " .. QUICK)
    assert.equal(130, status)
    assert.matches("interrupted: the score so far follows", output, 1, true)
    assert.matches("\ntest accuracy [%d.]+ %%", output)
  end)
end)

describe("train_xor.lua", function()
  it("learns exclusive or", function()
    local output = run_well "train_xor.lua"
    local J = tonumber(output:match "step 2000  J = ([%d.]+)")
    assert.is_true(J < 0.01)
    local outputs = {}
    for a in last_line(output):gmatch "%S+" do outputs[#outputs + 1] = tonumber(a) end
    assert.equal(4, #outputs)
    for n, t in ipairs { 0, 1, 1, 0 } do assert.near(t, outputs[n], 0.2) end
  end)

  it("prints the same each time", function()
    assert.equal(run_well "train_xor.lua", run_well "train_xor.lua")
  end)

  it("takes no arguments", function()
    refuses("train_xor.lua", "3", "too many arguments")
    refuses("train_xor.lua", "--rate 3", "--rate")
  end)
end)

describe("gradients.lua", function()
  it("checks every activation with every loss and finds nothing wrong", function()
    local output = run_well "gradients.lua"
    local pl = require "perilune"
    for activation in pairs(pl.float64.activations) do
      for loss in pairs(pl.loss) do
        assert.matches(("\n%s +%s +[%%d.e-]+  %%d+\n"):format(activation, loss), output)
      end
    end
    assert.is_nil(output:find "FAILED")
  end)

  it("does so with other seeds", function()
    run_well("gradients.lua", "--seed 2")
    run_well("gradients.lua", "--seed -2")
    refuses("gradients.lua", "--seed one", "--seed: a whole number expected, got 'one'")
    refuses("gradients.lua", "2", "too many arguments")
  end)
end)

describe("bench.lua", function()
  it("prints workload, optimizer, threads and samples per second", function()
    local rate = last_line(run_well("bench.lua", "--workload W1"))
      :match "^perilune W1 sgd 1 (%d+%.%d)$"
    assert.is_true(tonumber(rate) > 0)
  end)

  -- What `-e` runs: the clock goes on by a second whenever it is asked, so that a window is one
  -- call, and the processors are as many as said.
  local function quick(processors)
    return ([[
      local load = require
      require = function(name)
        local module = load(name)
        if name == "perilune.core.system" then
          local now = 0
          module.clock = function()
            now = now + 1
            return now
          end
          module.processors = function() return %d end
        end
        return module
      end
    ]]):format(processors)
  end

  -- Its heading and its first row
  local function prints(options, heading, row)
    local output = run_with(quick(1) .. at_line("^" .. row, "press()"), "bench.lua", options)
    assert.matches(("^%s +[^\n]+\n%s +[^\n]+\ninterrupted\n$"):format(heading, row), output)
  end

  it("prints each table by its name", function()
    prints("", "workload", "W1")
    prints("--table workloads --gather shuffled", "workload", "W1")
    prints("--table optimizers", "optimizer", "adadelta")
    prints("--table passes", "pass", "elu, forward")
    prints("--table augmentations", "workload", "W3")
    prints("--products", "product", "square")
  end)

  it("measures with no more threads than the library takes, however many processors", function()
    local output = run_with(quick(300) .. at_line("^W1 +adam", "press()"), "bench.lua")
    assert.matches("\nW1 +sgd +256 [^\n]+\nW1 +adam +1 [^\n]+\ninterrupted\n$", output)
  end)

  it("refuses what it does not measure", function()
    refuses("bench.lua", "--workload W9", "'--workload' must be one of 'W1', 'W2'")
    refuses("bench.lua", "--workload W1 --optimizer none",
      "--optimizer: sgd or adam expected for W1")
    refuses("bench.lua", "--workload INF1 --optimizer sgd",
      "--optimizer: none expected for INF1")
    refuses("bench.lua", "--threads 0", "--threads")
    refuses("bench.lua", "--workload W1 --table optimizers",
      "--table and --workload exclude each other")
    refuses("bench.lua", "--table losses", "'--table' must be one of 'workloads', 'optimizers'")
    refuses("bench.lua", "--threads 2", "--optimizer and --threads are of one --workload")
    refuses("bench.lua", "--products --threads 2", "--products excludes")
    refuses("bench.lua", "W1", "too many arguments")
  end)
end)

-- Another project that has the same library and scripts, and no data
local function make_copy(name)
  local copy = ("%s/%s"):format(folder, name)
  assert(os.execute(([[mkdir %s && cp -R %s/scripts %s && ln -s %s/lua %s]]):format(
    quote(copy), quote(ROOT), quote(copy), quote(ROOT), quote(copy))))
  local build = os.getenv "PERILUNE_BUILD" or ROOT .. "/build"
  return copy, "PERILUNE_BUILD=" .. quote(build)
end

local ALL = {
  "train_mnist", "train_csv", "proben1", "predict", "train_xor", "bench", "gradients",
}

describe("--help", function()
  for _, script in ipairs(ALL) do
    script = script .. ".lua"
    it("of " .. script .. " lists every option, in 90 columns", function()
      local help = run_well(script, "--help")
      local source, count = read(("%s/scripts/%s"):format(ROOT, script)), 0
      for option in source:gmatch 'parser:%a+%("(%-%-[%a-]+)"' do
        count = count + 1
        assert(help:find(option, 1, true), option .. " is not in: " .. help)
      end
      assert.is_true(count > 0 or script == "train_xor.lua")
      assert.matches("^Usage: " .. script:gsub("%p", "%%%0"), help)
      for line in help:gmatch "[^\n]+" do assert(#line <= 90, line) end
    end)
  end
end)

describe("Ctrl-C", function()
  local function entries()
    local names = {}
    for name in lfs.dir(folder) do names[#names + 1] = name end
    table.sort(names)
    return names
  end

  -- One line after what was printed, status 130, and nothing else
  local function ends(moment, script, arguments, printed)
    local before = entries()
    local output, status = run_with(moment, script, arguments)
    assert.matches(printed .. "interrupted\n$", output)
    assert.equal(130, status)
    assert.same(before, entries())
  end

  it("ends reading data at once", function()
    assert(os.execute(("cd %s && cp -r mnist packed && gzip packed/*"):format(
      quote(folder))))
    local inflating = PRESS .. [[
      local zlib = require "zlib"
      local inflate = zlib.inflate
      zlib.inflate = function(...)
        local stream = inflate(...)
        return function(...)
          press()
          return stream(...)
        end
      end]]
    ends(inflating, "train_mnist.lua", "--data packed --save kept", "^")
    run_well("train_mnist.lua", TINY .. "--save any.safetensors")
    ends(inflating, "predict.lua", "any.safetensors --data packed", "^")
  end)

  it("ends drawing digits at once", function()
    local drawing = at_call("string", "char", 100, "press()") -- each makes an image of its pixels
    ends(drawing, "train_mnist.lua", "--synthetic", "^drawing synthetic digits\n")
    run_well("train_mnist.lua", TINY .. "--save any.safetensors")
    ends(drawing, "predict.lua", "any.safetensors --synthetic", "^")
  end)

  it("is heard before another module is loaded or a process is started", function()
    for _, script in ipairs(ALL) do
      ends(PRESS .. [[
        local load, popen = require, io.popen
        io.popen = function() error "a process" end
        require = function(name)
          if name ~= "perilune.core.system" then error(name) end
          local module = load(name)
          local catch = module.catch_interrupt
          module.catch_interrupt = function(...)
            catch(...)
            io.popen = popen
            press()
          end
          return module
        end]], script .. ".lua", "", "^")
    end
  end)

  it("ends scripts that only print at once", function()
    ends(at_line("^activation", "press()"), "gradients.lua", "", "^activation[^\n]*\n")
    ends(at_line("^workload", "press()"), "bench.lua", "", "^workload[^\n]*\n")
    ends(at_line("^step  800", "press()"), "train_xor.lua", "", "\nstep  800[^\n]*\n")
    write(folder .. "/tiny.dt", "bool_in=0\nreal_in=1\nbool_out=0\nreal_out=1\n"
      .. "training_examples=2\nvalidation_examples=2\ntest_examples=2\n"
      .. ("0.1 0.9\n0.9 0.1\n"):rep(3))
    ends(at_line("^seed", "press()"), "proben1.lua", "tiny.dt", "^seed 1[^\n]*\n")
  end)

  it("ends the download, and leaves no half of a file", function()
    local copy, environment = make_copy "interrupted"
    assert(lfs.mkdir(copy .. "/bin"))
    -- On a terminal Ctrl-C is pressed for curl as well: for all of its process group.
    write(copy .. "/bin/curl", [[#!/bin/sh
      while [ $# -gt 0 ]; do
        if [ "$1" = --output ]; then echo half >"$2"; fi
        shift
      done
      kill -INT 0
      sleep 5]])
    assert(os.execute("chmod +x " .. quote(copy .. "/bin/curl")))
    local output, status = run_command(
      ("PATH=%s:$PATH %s setsid --wait %s %s --quiet"):format(quote(copy .. "/bin"),
        environment, child.lua, quote(copy .. "/scripts/train_mnist.lua")))
    assert.equal("interrupted: the download ends (once more ends at once)\n", output)
    assert.equal(130, status)
    for name in lfs.dir(copy .. "/data/mnist") do
      assert.is_true(name == "." or name == "..", name)
    end
  end)

  it("ends training after the batch, with the accuracy so far", function()
    local long = TINY:gsub("--quiet", ""):gsub("--epochs 2", "--epochs 1000")
    local output, status = run_with(at_line("^epoch", "press()"), "train_mnist.lua",
      long .. "--save so-far.safetensors")
    assert.matches("\nepoch  1 [^\n]*\n"
      .. "interrupted: the accuracy so far follows %(once more ends at once%)\n"
      .. "saved so%-far.safetensors\ntest accuracy [%d.]+ %%\n$", output)
    assert.equal(130, status)
    assert.equal(last_line(output) .. "\n",
      run_well("predict.lua", "so-far.safetensors --data mnist"))
  end)

  it("ends training within an epoch, and quiet, too", function()
    local in_a_batch = at_call("math", "cos", 13, "press()") -- of the schedule, in each batch
    local output, status = run_with(in_a_batch, "train_mnist.lua",
      (TINY:gsub("--epochs 2", "--epochs 1000")))
    assert.matches("^interrupted: [^\n]*\ntest accuracy [%d.]+ %%\n$", output)
    assert.equal(130, status)
  end)

  it("ends training at once the second time, and leaves nothing", function()
    local before = entries()
    local output, status = run_with(at_line("^epoch", "press(2)"), "train_mnist.lua",
      TINY:gsub("--quiet", ""):gsub("--epochs 2", "--epochs 1000") .. "--save never")
    assert.equal(130, status)
    assert.is_nil(output:find("test accuracy", 1, true))
    assert.same(before, entries())
  end)
end)

describe("a script", function()
  it("ends with status 1 and says so where its output is lost", function()
    run_well("train_mnist.lua", TINY .. "--save any.safetensors")
    local lost = "the output cannot be written: No space left on device\n"
    for script, arguments in pairs {
      train_mnist = TINY, train_csv = "flowers.csv", predict = "any.safetensors --data mnist",
      train_xor = "", gradients = "", bench = "",
    } do
      for _, options in ipairs { arguments, "--help" } do
        local output, status = run(script .. ".lua", options .. " >/dev/full")
        assert.equal(lost, output)
        assert.equal(1, status)
      end
      local _, status = run(script .. ".lua", arguments .. " >&-")
      assert.equal(1, status)
    end
  end)

  it("ends with another status than 0 where its warnings are lost", function()
    local _, status = run("train_mnist.lua", "--epoch 1 2>/dev/full")
    assert.is_true(status ~= 0)
    local copy, environment = make_copy "silent"
    write(copy .. "/data", "in the way of a download")
    local moment = at_call("string", "char", 100, "press()") -- no digits are needed
    local command = ("%s %s -e %s %s"):format(environment, child.lua, quote(moment),
      quote(copy .. "/scripts/train_mnist.lua"))
    assert.matches("\nMNIST could not be downloaded: [^\n]*\n"
      .. "training on synthetic digits instead: [^\n]*\ndrawing synthetic digits\n",
      (run_command(command .. "; true")))
    _, status = run_command(command .. " 2>/dev/full")
    assert.equal(1, status)
  end)

  it("may be started by a link to it, or a link to that", function()
    assert(lfs.mkdir(folder .. "/it's a bin"))
    for _, script in ipairs(ALL) do
      local first = ("%s/it's a bin/%s"):format(folder, script)
      assert(lfs.link(("%s/scripts/%s.lua"):format(ROOT, script), first, true))
      assert(lfs.link(first, ("%s/%s"):format(folder, script), true))
      for _, command in ipairs { quote(script), quote("it's a bin/" .. script) } do
        local output, status = run_command(("%s %s --help"):format(child.lua, command))
        assert.matches("^Usage: " .. script, output)
        assert.equal(0, status)
      end
    end
    -- Not what lies beside the link is the project's.
    write(folder .. "/support.lua", "error 'another support.lua'")
    local output, status = run_command(child.lua .. " train_mnist " .. TINY)
    assert.equal(0, status, output)
  end)

  it("is a program", function()
    for _, script in ipairs(ALL) do
      local path = ("%s/scripts/%s.lua"):format(ROOT, script)
      assert.equal("#!/usr/bin/env lua5.4\n", read(path):match "^[^\n]*\n")
      assert.matches("^rwxr.xr.x$", lfs.attributes(path, "permissions"))
    end
  end)

  it("says what to do when the C modules are not built", function()
    local output, _, status = child.shell(
      ("cd / && env LUA_CPATH='/nonexistent/?.so' PERILUNE_BUILD=/nonexistent %s "
      .. "-e 'package.preload.argparse = function() return function() end end' %s")
        :format(child.lua, quote(ROOT .. "/scripts/gradients.lua")))
    assert.is_true(status ~= 0)
    assert.matches("run make", output, 1, true)
    assert.is_nil(output:find("traceback", 1, true))
  end)

  local function says_which_lua(version, command)
    local output, _, status = child.shell(command)
    assert.matches(("^this script needs Lua 5%%.4 or 5%%.5, and this is %s: run it "
      .. "with lua5%%.4\n$"):format(version), output)
    assert.equal(2, status)
  end

  it("says which Lua it needs under another version", function()
    for _, version in ipairs { "Lua 5.1", "Lua 5.3", "Lua 5.6" } do
      says_which_lua(version, ("%s -e '_VERSION = \"%s\"' scripts/train_xor.lua"):format(
        child.lua, version))
    end
  end)

  -- Nothing is said if the script does not parse.
  it("says so where newer syntax is an error", function()
    local older = child.older()
    if #older == 0 then return pending("no older Lua is here") end
    for script in lfs.dir(ROOT .. "/scripts") do
      if script:find "%.lua$" then
        for _, lua in ipairs(older) do
          says_which_lua("Lua 5%.[123]", ("%s scripts/%s"):format(lua, script))
        end
      end
    end
  end)
end)
