-- What comes with `require "perilune"`, and OpenBLAS, which does not: src/blas.c, src/openblas.c.

local child = require "spec.support.child"
local lfs = require "lfs"
local quote = child.quote

local sanitized = (os.getenv("PERILUNE_BUILD") or ""):find("sanitize") ~= nil
local has_proc = lfs.attributes("/proc/self/maps") ~= nil

local folder -- of this run's files

setup(function()
  local pipe = assert(io.popen "mktemp -d")
  folder = pipe:read "l"
  assert(pipe:close())
end)

teardown(function()
  assert(folder:find "^/.+/.+")
  os.execute("rm -rf " .. quote(folder))
end)

-- For children: what the system says of them; and the sum, free of rounding, of a product of two
-- transposes, which OpenBLAS computes on every processor.
local prelude = [[
  local function status(field)
    local file <close> = assert(io.open "/proc/self/status")
    return tonumber(file:read("a"):match(field .. ":%s*(%d+)"))
  end
  local function has_openblas()
    local file <close> = assert(io.open "/proc/self/maps")
    return file:read("a"):find("core/openblas.so", 1, true) ~= nil
  end
  local function transposes(core, n)
    local A = core.matrix(n, n):fill(1)
    return core.product(core.matrix(n, n), A, A, "TT"):sum()
  end
]]

describe("require \"perilune\"", function()
  it("starts no thread, takes little address space and loads no OpenBLAS", function()
    if not has_proc then return pending "this system has no /proc" end
    local output = child.run(prelude .. [[
      local before = status "VmSize"
      require "perilune"
      print(status "Threads", status "VmSize" - before, has_openblas())]])
    local grown = tonumber(output:match "^1\t(%d+)\tfalse\n$")
    assert(grown, output)
    if not sanitized then assert.is_true(grown < 16 * 1024, grown .. " KiB more") end
  end)
end)

describe("OpenBLAS", function()
  it("is loaded by the first product that needs it, for both element types", function()
    if not has_proc then return pending "this system has no /proc" end
    for _, names in ipairs { "{ 'float32', 'float64' }", "{ 'float64', 'float32' }" } do
      assert.equal("64000.0\ttrue\n64000.0\ttrue\n", child.run(prelude .. [[
        local pl = require "perilune"
        for _, name in ipairs(]] .. names .. [[) do
          print(transposes(pl[name], 40), has_openblas())
        end]]))
    end
  end)

  it("is not loaded by products with a vector, which need none of it", function()
    if not has_proc then return pending "this system has no /proc" end
    assert.equal("false\n", child.run(prelude .. [[
      local pl = require "perilune"
      for _, core in ipairs { pl.float32, pl.float64 } do
        local A, x = core.matrix(300, 300):fill(1), core.matrix(300, 1):fill(1)
        local y, b = core.matrix(300, 1), core.matrix(300, 1):fill(0)
        assert((A * x):sum() == 9e4 and core.product(A, x, x, "NT"):sum() == 9e4)
        assert(core.affine_forward(y, A, x, b):sum() == 9e4)
      end
      print(has_openblas())]]))
  end)

  -- Copy modules into a folder of their own.
  local function copy(target, ...)
    target = quote(("%s/%s/perilune/core"):format(folder, target))
    assert(os.execute("mkdir -p " .. target))
    local here = package.searchpath("perilune.core.float32", package.cpath):match "^(.*/)"
    for _, name in ipairs { ... } do
      assert(os.execute(("cp %s %s"):format(quote(here .. name), target)))
    end
  end

  it("is found by a state that has left its folder and lost `package`", function()
    copy("moved", "float32.so", "openblas.so")
    assert.equal("64000.0\n", child.run(prelude .. ([[
      local lfs = require "lfs"
      lfs.chdir(%q)
      package.cpath = "moved/?.so"
      local core = require "perilune.core.float32"
      lfs.chdir "/"
      package.cpath, package = "", nil
      print(transposes(core, 40))]]):format(folder)))
  end)

  it("that is not there is said to be missing, before anything is written", function()
    copy("alone", "float32.so")
    local output = child.run(([[
      package.cpath = %q
      local core = require "perilune.core.float32"
      local A, C = core.matrix(40, 40):fill(1), core.matrix(40, 40):fill(7)
      print(pcall(core.product, C, A, A, "TT"))
      print(C:min(), C:max())]]):format(folder .. "/alone/?.so"))
    assert.matches("^false\tOpenBLAS cannot be loaded: [^\n]*/core/openblas.so[^\n]*\n"
      .. "7.0\t7.0\n$", output)
  end)
end)

-- Without room OpenBLAS would try forever: in `require`, in a product, or in a thread that is
-- waited for at the exit.
describe("with little address space", function()
  local training = [[
    local pl = require "perilune"
    pl.threads(%d)
    local core, generator = pl.float32, pl.generator(1)
    local labels = {}
    for n = 1, 200 do labels[n] = 1 + n %% 3 end
    local X = generator:normal(pl.matrix(20, 200))
    local net = pl.network { inputs = 20, pl.dense(32, "relu"), pl.dense(3) }
    pl.fit(net, pl.dataset { X = X, labels = labels }, {
      loss = "softmax_cross_entropy", optimizer = pl.adam(), epochs = 2, batch = 50,
    })
    for _ = 1, 3 do assert(transposes(core, 300) == 27e6) end
    print "trained"]]

  local function ends_well(threads, mebibytes)
    local script = prelude .. training:format(threads)
    local output, how, code = child.shell(("ulimit -v %d; exec timeout 20 env %s"):format(
      mebibytes * 1024, child.command(script)))
    local trained = code == 0 and output == "trained\n"
    local refused = code == 1 and output:find "^[^\n]*not enough memory"
      or output:find "^[^\n]*threads expected, only %d+ could be started"
    if how ~= "exit" or not (trained or refused) then
      error(("%d MiB: %s %d: %s"):format(mebibytes, how, code, output))
    end
    return trained
  end

  for threads = 1, 2 do
    it("training works or is refused, and ends: threads " .. threads, function()
      if not has_proc then return pending "this system has no limit on address space" end
      if sanitized then return pending "sanitizers reserve more memory than the limit" end
      for mebibytes = 60, 660, 20 do
        for _ = 1, 3 do ends_well(threads, mebibytes) end
      end
      assert.is_true(ends_well(threads, 1 << 20))
    end)
  end
end)

describe("the Makefile", function()
  -- Flavours of OpenBLAS as Debian lays them out; the first has the name without a flavour.
  local function lay_out(name, flavours)
    local root = folder .. "/" .. name
    local function write(path, flavour)
      assert(os.execute("mkdir -p " .. quote(path)))
      local file <close> = assert(io.open(path .. "/openblas.pc", "w"))
      assert(file:write(([[
libdir=%s/openblas-%s
Name: openblas
Description: OpenBLAS
Version: 1
Libs: -L${libdir} -lopenblas
Cflags: -I${libdir}/include
]]):format(root, flavour)))
    end
    write(root .. "/pkgconfig", flavours[1])
    for _, flavour in ipairs(flavours) do
      write(("%s/openblas-%s/pkgconfig"):format(root, flavour), flavour)
    end
    return root
  end

  -- What make takes for OPENBLAS_CFLAGS and OPENBLAS_LIBS, without the blanks around them
  local function flags(root, arguments)
    local output = child.shell(("env -u MAKEFLAGS -u MFLAGS -u OPENBLAS_CFLAGS "
      .. "-u OPENBLAS_LIBS PKG_CONFIG_PATH=%s make -pn %s"):format(
      quote(root .. "/pkgconfig"), arguments or ""))
    local function value(name)
      local found = output:match("\n" .. name .. " :?= ([^\n]*)") or ""
      return (found:gsub("%s+", " "):gsub("^ ", ""):gsub(" $", ""))
    end
    return value "OPENBLAS_CFLAGS", value "OPENBLAS_LIBS"
  end

  local function has_tools()
    return os.execute "command -v make pkg-config >/dev/null"
  end

  it("prefers the OpenBLAS without threads, and has it loaded from its folder", function()
    if not has_tools() then return pending "make or pkg-config is not here" end
    for _, flavours in ipairs { { "pthread", "serial" }, { "serial" } } do
      local root = lay_out(table.concat(flavours), flavours)
      local serial = root .. "/openblas-serial"
      local cflags, libs = flags(root)
      assert.equal(("-I%s/include -DOPENBLAS_SERIAL"):format(serial), cflags)
      assert.equal(("-L%s -lopenblas -Wl,-rpath,%s"):format(serial, serial), libs)
    end
  end)

  it("takes what pkg-config knows where there is none", function()
    if not has_tools() then return pending "make or pkg-config is not here" end
    local root = lay_out("others", { "openmp", "pthread" })
    local cflags, libs = flags(root)
    assert.equal(("-I%s/openblas-openmp/include"):format(root), cflags)
    assert.equal(("-L%s/openblas-openmp -lopenblas"):format(root), libs)
  end)

  it("takes what it is told", function()
    if not has_tools() then return pending "make or pkg-config is not here" end
    local root = lay_out("told", { "pthread", "serial" })
    local cflags, libs = flags(root, "OPENBLAS_CFLAGS=-I/mine OPENBLAS_LIBS=-lmine")
    assert.equal("-I/mine", cflags)
    assert.equal("-lmine", libs)
  end)
end)
