local allocated_by = require("spec.support.memory").allocated
local at_caller = require("spec.support.misuse").at_caller
local cores = require "perilune.cores"
local errors = require "perilune.errors"
local file = require "perilune.store.file"
local find_python = require "spec.support.find_python"
local matrices = require "spec.support.matrices"
local pl = require "perilune"
local raises = require "spec.support.raises"
local safetensors = require "perilune.store.safetensors"
local state = require "perilune.store.state"
local stored = require "spec.support.stored"

local MiB = 2 ^ 20 | 0
local NaN = 0 / 0
local long_text, long_list = ("x"):rep(1024), {}
for k = 1, 1024 do long_list[k] = k end

-- A whole file with this text and these tensors, or with what encode gave for a value.
local function file_of(tensors, text)
  return stored.encode(tensors, { state = text })
end

local function saved(value)
  return file_of(state.encode(value))
end

-- The value of a file, or nil and a reason.
local function loaded(bytes)
  local content, reason = stored.decode(bytes)
  if not content then return nil, reason end
  if not content.checked then return nil, "a checksum is missing" end
  return state.decode(content.metadata.state, content)
end

local function bits(x)
  return string.pack(math.type(x) == "integer" and "j" or "n", x)
end

-- Where two values differ in anything, down to a bit: the path, or nil.
local function difference(a, b, path)
  path = path or "value"
  if (math.type(a) or type(a)) ~= (math.type(b) or type(b)) then return path end
  if type(a) == "number" then return bits(a) ~= bits(b) and path or nil end
  if cores.is_matrix(a) then
    local same = cores.is_matrix(b) and a.order == b.order and matrices.same(a, b)
    return not same and path or nil
  end
  if type(a) ~= "table" then return a ~= b and path or nil end
  if getmetatable(b) ~= nil then return path end
  for key in next, b do
    if a[key] == nil then return ("%s[%q]"):format(path, key) end
  end
  for key, member in next, a do
    local found = difference(member, b[key], ("%s[%q]"):format(path, key))
    if found then return found end
  end
end

local function comes_back(value)
  local again, reason = loaded(saved(value))
  assert.is_nil(reason)
  assert.is_nil(difference(value, again))
end

-- Values of all kinds, from a seeded generator g.
local random = {}

local strings = {
  "", "a", "b", "W", "1", "01", "n", "a.b", "a.", ".", "#1", "#2", "%", "/", "\0", "\n",
  '"\\', "\xff", "a\xe2\x82", "\u{20AC}", "\u{1F600}", "\u{2028}", "__metadata__", "null",
  "nan", "tensor", "order", "description", "\127", long_text, long_text:sub(2),
  long_text:sub(2) .. "\xff", long_text .. "\u{20AC}\0",
}

local function pick(g, list) return list[g:integer(1, #list)] end

local function random_bytes(g, n)
  local bytes = {}
  for k = 1, n do bytes[k] = string.char(g:integer(0, 255)) end
  return table.concat(bytes)
end

function random.boolean(g) return g:integer(0, 1) == 1 end
function random.string(g) return pick(g, strings) end

function random.integer(g)
  local number = string.unpack("j", random_bytes(g, 8))
  return pick(g, { number, number >> 56, 0, -1, math.maxinteger, math.mininteger })
end

function random.float(g)
  local number = string.unpack("n", random_bytes(g, 8))
  return pick(g, {
    number, number, 1.0, -0.0, 0.1, 1e15, 2.0 ^ 53 + 2, 5e-324, 1 / 0, -1 / 0, NaN, -NaN,
    1.7976931348623157e308,
  })
end

function random.matrix(g)
  local dtype = pick(g, { "float32", "float64" })
  local rows, cols = pick(g, { 1, 2, 5 }), pick(g, { 1, 3 })
  local bytes = random_bytes(g, 8 * rows * cols)
  return pl[dtype].decode(bytes, dtype, rows, cols, "little", 0,
    pick(g, { "rows", "columns" }))
end

local function random_member(g, depth)
  local kinds = { "boolean", "string", "integer", "float", "matrix" }
  if depth > 0 then
    kinds = { "string", "matrix", "table", "table", "list", "list", "numbers" }
  end
  return random[pick(g, kinds)](g, depth - 1)
end

function random.numbers(g)
  local kind, list = pick(g, { "integer", "float" }), {}
  for k = 1, pick(g, { 0, 1, 5, 1023, 1024, 1025, 1201 }) do list[k] = random[kind](g) end
  return list
end

function random.list(g, depth)
  local list = {}
  for k = 1, pick(g, { 0, 1, 2, 5 }) do list[k] = random_member(g, depth) end
  return list
end

function random.table(g, depth)
  local result = {}
  local kinds = pick(g, { { "string" }, { "string", "integer", "float", "boolean" } })
  for _ = 1, g:integer(0, 6) do
    local key = random[pick(g, kinds)](g)
    if key == key then result[key] = random_member(g, depth) end
  end
  return result
end

describe("State", function()
  describe("comes back equal to the last bit:", function()
    local M = pl.float32.matrix { { 1, 2, 3 }, { 4, 5, 6 } }
    for what, value in pairs {
      ["true"] = true,
      ["false"] = false,
      ["a whole number"] = math.mininteger,
      ["a whole number that is a float"] = 1.0,
      ["negative zero"] = -0.0,
      ["infinity"] = -1 / 0,
      ["NaN"] = NaN,
      ["NaN with a payload"] = string.unpack("n", string.pack("j", 0x7ff0123456789abc)),
      ["an empty string"] = "",
      ["a string"] = 'a "\\\n\0\u{20AC}',
      ["a long string"] = long_text,
      ["bytes"] = "\xff\0\xfe",
      ["an empty table"] = {},
      ["tables in tables"] = { {}, { {} }, a = { b = {} } },
      ["a list"] = { 1, 1.0, "1", false, { 2 } },
      ["a description"] = { "adam", rate = 0.001, groups = { { match = "%.b$" } } },
      ["whole numbers as keys"] = { [0] = "a", [-1] = "b", [3] = "c" },
      ["keys that look like numbers"] = { ["1"] = 1, [1] = 2, ["1.5"] = 3, [1.5] = 4 },
      ["other keys"] = { [true] = 1, [false] = 2, [1 / 0] = 3, [""] = 4, ["\xff"] = 5 },
      ["keys that the format uses"] = {
        [""] = "tensor", name = "a", order = "rows", keys = { 1 }, values = { n = 2 },
      },
      ["a matrix"] = M,
      ["a matrix stored by rows"] = M:copy "rows",
      ["a vector"] = { b = pl.float64.matrix(5, 1), row = pl.float64.matrix(1, 5) },
      ["a matrix of one element"] = pl.float64.matrix { { NaN } },
      ["part of a matrix"] = { M:columns(2, 3) },
      ["long lists"] = { long_list, table.move(long_list, 1, 1023, 1, {}) },
      ["a long list of one float among whole numbers"] = table.move(long_list, 1, 1024, 2,
        { 1.0 }),
      ["a long list with a hole"] = table.move(long_list, 1, 1024, 2, {}),
    } do
      it(what, function()
        comes_back(value)
        comes_back { [what] = value }
      end)
    end

    it("long lists of floats of any bits", function()
      local list = {
        NaN, -NaN, 1 / 0, -1 / 0, -0.0, 0.0, 5e-324, 0.1,
        string.unpack("n", string.pack("j", 0x7ff0123456789abc)),
      }
      for k = #list + 1, 2000 do list[k] = k / 3 end
      comes_back(list)
    end)

    it("random tables", function()
      for seed = 1, 150 do
        local g = pl.generator(seed)
        local value = random_member(g, 4)
        local again, reason = loaded(saved(value))
        assert.is_nil(reason)
        assert.is_nil(difference(value, again), "seed " .. seed)
      end
    end)

    it("tables 100 deep", function()
      local value = 1 / 0
      for _ = 1, 100 do value = { value } end
      comes_back(value)
      value = 5
      for _ = 1, 100 do value = { [false] = value } end
      comes_back(value)
    end)

    it("a matrix in two places, as two", function()
      local again = assert(loaded(saved { M, M }))
      assert.is_nil(difference({ M, M }, again))
      again[1]:fill(2)
      assert.equal(1, again[2]:get(1, 1))
    end)

    it("a table in two places, as two", function()
      local t = { 1 }
      local again = assert(loaded(saved { t, { t } }))
      assert.is_nil(difference({ { 1 }, { { 1 } } }, again))
      again[1][1] = 2
      assert.equal(1, again[2][1][1])
    end)

    it("the state of a run", function()
      local net = pl.network { inputs = 3, pl.dense(4, "relu"), pl.dense(2) }
      local optimizer = pl.adam {}
      local X, T = pl.matrix { { 1 }, { 2 }, { 3 } }, pl.matrix { { 1 } }
      local function step()
        local _, Delta = pl.loss.softmax_cross_entropy(net:forward(X), T)
        net:backward(Delta)
        optimizer:step(net:parameters())
      end
      step()
      local value = { network = net:describe(), optimizer = optimizer:state() }
      value.tensors = {}
      for _, parameter in ipairs(net:parameters()) do
        value.tensors[parameter.name] = parameter.value:copy(parameter.value.order)
      end
      comes_back(value)

      local again = assert(loaded(saved(value)))
      step()
      local expected = net:parameters()[1].value:encode "float32"
      optimizer:restore(again.optimizer)
      for _, parameter in ipairs(net:parameters()) do
        parameter.value:assign(again.tensors[parameter.name])
      end
      step()
      assert.equal(expected, net:parameters()[1].value:encode "float32")
    end)
  end)

  describe("is written", function()
    local function names_of(value)
      local names = {}
      for k, tensor in ipairs((state.encode(value))) do names[k] = tensor.name end
      return names
    end

    it("as JSON and tensors with the paths as names", function()
      local W = pl.matrix({ { 1, 2 }, { 3, 4 } }):copy "rows"
      local tensors, text = state.encode {
        network = { tensors = { ["1.W"] = W } },
        losses = { 0.5, 1 / 0, 1.0 },
        optimizer = { "adam", rate = 0.001 },
        order = long_list,
      }
      assert.equal('{"losses":[0.5,{"":"float","bits":"7ff0000000000000"},1.0],' ..
        '"network":{"tensors":{"1.W":' ..
        '{"":"tensor","name":"network.tensors.1.W","order":"rows"}}},' ..
        '"optimizer":{"":"table","keys":[1,"rate"],"values":["adam",0.001]},' ..
        '"order":{"":"tensor","name":"order"}}', text)
      assert.equal(2, #tensors)
      assert.same({ name = "network.tensors.1.W", shape = { 2, 2 }, matrix = W }, tensors[1])
      assert.equal("order", tensors[2].name)
      assert.equal("I64", tensors[2].dtype)
      assert.same({ 1024 }, tensors[2].shape)
      assert.equal(string.pack("<jjj", 1, 2, 3), tensors[2].bytes:sub(1, 24))
    end)

    it("with matrices row by row, however they are stored", function()
      local M = pl.float64.matrix { { 1, 2 }, { 3, 4 }, { 5, 6 } }
      local tensors, text = state.encode { a = M, b = M:copy "rows" }
      local content = assert(stored.decode(file_of(tensors, text)))
      for _, tensor in ipairs(tensors) do
        local place = content.tensors[tensor.name]
        assert.equal("F64", place.dtype)
        assert.same({ 3, 2 }, place.shape)
        assert.equal(string.pack("<dddddd", 1, 2, 3, 4, 5, 6), content:bytes(place))
      end
      assert.equal('{"a":{"":"tensor","name":"a","order":"columns"},' ..
        '"b":{"":"tensor","name":"b","order":"rows"}}', text)
    end)

    it("with floats and strings as tensors where they are long, or not UTF-8", function()
      local floats = {}
      for k = 1, 1024 do floats[k] = k / 2 end
      local tensors = state.encode {
        a = floats, b = long_text, c = "\xff", d = long_text:sub(2), e = { 1.5, 2.5 },
      }
      assert.equal(3, #tensors)
      assert.same({ "F64", "U8", "U8" },
        { tensors[1].dtype, tensors[2].dtype, tensors[3].dtype })
      assert.equal(long_text, tensors[2].bytes)
      assert.same({ name = "c", dtype = "U8", shape = { 1 }, bytes = "\xff" }, tensors[3])
    end)

    it("with numbers as names where paths are taken, or no names", function()
      local M = pl.matrix { { 1 } }
      assert.same({ "a.b", "#2" }, names_of { ["a.b"] = M, a = { b = M } })
      assert.same({ "1", "#2" }, names_of { [1] = M, ["1"] = M })
      assert.same({ "#1" }, names_of(M))
      assert.same({ "#1", "#2" }, names_of { ["#2"] = M, ["__metadata__"] = M })
      assert.same({ "#1", "#2", "#3", "#4", "#5", "\u{20AC}" }, names_of {
        [""] = M, ["\n"] = M, ["#2"] = M, ["__metadata__"] = M, [("k"):rep(256)] = M,
        ["\u{20AC}"] = M,
      })
      assert.same({ "a.", "a.b", "#3", "a" }, names_of {
        a = { ["\xff"] = M, b = M, [""] = "\xff" },
      })
    end)

    it("the same whatever the order in which its keys were set", function()
      local keys = { 1, 2.5, -3, "a", "b", "\xff", true, false }
      local forwards, backwards = {}, {}
      for k = 1, #keys do
        forwards[keys[k]] = { pl.matrix { { k } }, { x = k, y = k } }
        local j = #keys + 1 - k
        backwards[keys[j]] = { pl.matrix { { j } }, { y = j, x = j } }
      end
      assert.equal(saved(forwards), saved(backwards))
    end)

    it("with a long history in a short header", function()
      local history = {}
      for epoch = 1, 20000 do
        history[epoch] = {
          epoch = epoch, loss = 1 / epoch, best = epoch > 10 and 0.5 or nil,
        }
      end
      local tensors, text = state.encode { history = history }
      assert.equal('{"":"text","name":"description"}', text)
      assert.equal(1, #tensors)
      assert.is_true(#safetensors.chunks(tensors, { state = text })() < 1000)
      comes_back { history = history }
    end)

    it("with a text of 64 KiB in the header, and a longer one beside it", function()
      local list = {}
      for k = 1, 63 do list[k] = long_text:sub(2) end
      local function text_with(letters)
        list[64] = long_text:sub(1, letters)
        comes_back(list)
        return select(2, state.encode(list))
      end
      local rest = 65536 - #text_with(0)
      assert.equal(65536, #text_with(rest))
      assert.equal('{"":"text","name":"description"}', text_with(rest + 1))
      comes_back { list, description = { "\xff" } }
      comes_back { [1] = list, description = pl.matrix { { 1 } } }
    end)
  end)

  describe("is refused, by its path, with", function()
    local itself, deep = { x = {} }, 5
    itself.x.y = itself
    for _ = 1, 101 do deep = { ["\xff"] = deep } end
    for _, case in ipairs {
      { "a function", { optimizer = { foo = print } },
        "optimizer.foo: a function cannot be saved" },
      { "a function alone", print, "a function cannot be saved" },
      { "nothing", nil, "nil cannot be saved" },
      { "a coroutine", { 1, { coroutine.create(print) } },
        "2.1: a thread cannot be saved" },
      { "a generator", { generator = pl.generator(1) },
        "generator: a userdata cannot be saved" },
      { "a file", { io.stdout }, "1: a userdata cannot be saved" },
      { "a table within itself", { a = itself },
        "a.x.y: a table within itself cannot be saved" },
      { "an object", { net = { setmetatable({}, { __index = {} }) } },
        "net.1: a table with a metatable cannot be saved" },
      { "a table as a key", { a = { [{}] = 1 } }, "a: a table as a key cannot be saved" },
      { "a matrix as a key", { a = { [pl.matrix { { 1 } }] = 1 } },
        "a: a userdata as a key cannot be saved" },
      { "a function as a key", { [print] = 1 }, "a function as a key cannot be saved" },
      { "tables more than 100 deep", deep,
        "more than 100 tables within each other cannot be saved" },
    } do
      it(case[1], function()
        at_caller(function() local _ = state.encode(case[2]) end, case[3])
        local ok, message = errors.catch(state.encode, case[2])
        assert.is_false(ok)
        local cut = message:sub(-#case[3])
        assert.equal(case[3], cut)
        if case[1] ~= "tables more than 100 deep" then assert.equal(cut, message) end
      end)
    end

    it("more matrices than a header has room for", function()
      local many = {}
      for k = 1, 15000 do many[k] = pl.matrix { { 1 } } end
      raises("at most 1048576 are allowed", saved, { matrices = many })
    end)
  end)

  describe("that is damaged", function()
    local value = {
      network = { W = pl.float32.matrix { { 1, 2 }, { 3, 4 } } },
      history = { { epoch = 1, loss = 0.5 } },
      optimizer = { "adam", rate = NaN },
      bytes = "\xff\xfe",
    }
    local bytes = saved(value)

    it("in any byte is refused", function()
      for position = 1, #bytes do
        for _, flip in ipairs { 1, 0x80, 0xff } do
          local flipped = string.char(bytes:byte(position) ~ flip)
          local again, reason = loaded(
            bytes:sub(1, position - 1) .. flipped .. bytes:sub(position + 1))
          assert.is_nil(again)
          assert.equal("string", type(reason))
        end
      end
    end)

    it("anywhere at its end is refused", function()
      for length = 0, #bytes - 1 do
        local again, reason = loaded(bytes:sub(1, length))
        assert.is_nil(again)
        assert.equal("string", type(reason))
      end
    end)

    -- As if whoever did it had mended the checksums.
    it("in its text gives a value or a reason, and raises nothing", function()
      local tensors, text = state.encode(value)
      local content = assert(stored.decode(bytes))
      local others = { "", "x", "0", '"', "{", "}", "[", "]", ",", ":", "\xff" }
      local refused = 0
      for position = 1, #text do
        for _, other in ipairs(others) do
          local damaged = text:sub(1, position - 1) .. other .. text:sub(position + 1)
          local again, reason = state.decode(damaged, content)
          if again == nil then
            refused = refused + 1
            assert.equal("string", type(reason))
            assert.is_nil(reason:find(".lua:", 1, true), reason)
          end
        end
      end
      assert.is_true(refused > 5 * #text)
      assert.equal(2, #tensors)
    end)
  end)

  describe("is refused by a reason with", function()
    local a_matrix = { dtype = "F32", shape = { 1, 1 }, bytes = "1234" }
    local function named(name, tensor)
      return setmetatable({ name = name }, { __index = tensor })
    end
    local function tensor(name, order)
      return ('{"":"tensor","name":"%s"%s}'):format(name,
        order and (',"order":"%s"'):format(order) or "")
    end
    local W = tensor("W", "rows")
    local key = '{"":"table","keys":[%s],"values":[%s]}'
    local does_not_fit = 'tensor "W" does not fit its use'
    for _, case in ipairs {
      { "no text", nil, "a text expected" },
      { "a text that is no JSON", "{", "unterminated object" },
      { "a text that is not UTF-8", '"\xff"', "not UTF-8" },
      { "more after the text", "[1] 2", "more text after the end" },
      { "brackets without end", ("["):rep(1000000), "nested too deeply" },
      { "tables more than 100 deep", ("["):rep(101) .. ("]"):rep(101),
        "more than 100 tables" },
      { "tables of pairs more than 100 deep",
        ('{"":"table","keys":[1],"values":['):rep(101) .. ("]}"):rep(101),
        "more than 100 tables" },
      { "tables as keys without end",
        ('{"":"table","keys":['):rep(1000) .. ('],"values":[1]}'):rep(1000),
        "more than 100 tables" },
      { "an object with an unmarked member", '[1,"a":2]', "malformed JSON" },
      { "a key that is no string", "{1:2,true:3}", "malformed JSON" },
      { "an object of an unknown kind", '{"":"function"}', "unknown kind" },
      { "an object of kind null", '{"":null}', "unknown kind" },
      { "a list as a kind", '{"":[]}', "unknown kind" },
      { "a number as a kind", '{"":5}', "unknown kind" },
      { "an unknown field", '{"":"float","bits":"7ff0000000000000","x":1}',
        "unknown field" },
      { "a float without bits", '{"":"float"}', "without its 16 digits" },
      { "a float of 15 digits", '{"":"float","bits":"7ff000000000000"}', "16 digits" },
      { "a float of letters", '{"":"float","bits":"7ff000000000000g"}', "16 digits" },
      { "a number for bits", '{"":"float","bits":7000000000000000}', "16 digits" },
      { "keys without values", '{"":"table","keys":[1]}', "not two lists" },
      { "values without keys", '{"":"table","values":[1]}', "not two lists" },
      { "more keys than values", key:format("1,2", "1"), "not two lists" },
      { "fewer keys than values", key:format("1", "1,2"), "not two lists" },
      { "keys that are no list", '{"":"table","keys":{"a":1},"values":[1]}',
        "not two lists" },
      { "values that are a string", '{"":"table","keys":[1],"values":"a"}',
        "not two lists" },
      { "a key that comes twice", key:format('1,"a",1.0', "1,2,3"), "comes twice" },
      { "a key whose value is false twice", key:format("1,1", "false,false"),
        "comes twice" },
      { "NaN as a key", key:format('{"":"float","bits":"7ff8000000000000"}', "1"),
        "a key that cannot be one" },
      { "a list as a key", key:format("[]", "1"), "more than 100 tables" },
      { "a matrix as a key", key:format(W, "1"), "a key that cannot be one",
        { named("W", a_matrix) } },
      { "a text within the text", '[{"":"text","name":"W"}]', "a text within the text",
        { { name = "W", dtype = "U8", shape = { 2 }, bytes = "[]" } } },
      { "a text that stands for itself", '{"":"text","name":"W"}',
        "a text within the text",
        { { name = "W", dtype = "U8", shape = { 22 },
          bytes = '{"":"text","name":"W"}' } } },
      { "a text that is a list", '{"":"text","name":"W"}', "a text expected",
        { { name = "W", dtype = "F64", shape = { 1 }, bytes = "12345678" } } },
      { "a text that is a matrix", '{"":"text","name":"W"}', does_not_fit,
        { named("W", a_matrix) } },
      { "a text with an order", '{"":"text","name":"W","order":"rows"}', "unknown field",
        { named("W", a_matrix) } },
      { "a text that is missing", '{"":"text","name":"W"}', 'tensor "W" is missing' },
      { "a tensor that is missing", "[" .. W .. "]", 'tensor "W" is missing' },
      { "a tensor without a name", '{"":"tensor","order":"rows"}', "without a name" },
      { "a tensor with half a character as name", tensor "\\ud83d", "without a name" },
      { "a list as a name", '{"":"tensor","name":[]}', "without a name" },
      { "a tensor that is used twice", "[" .. W .. "," .. W .. "]",
        'tensor "W" is missing or used twice', { named("W", a_matrix) } },
      { "a tensor that is not in the text", "[" .. W .. "]",
        'tensor "V" is not in the text', { named("W", a_matrix), named("V", a_matrix) } },
      { "a matrix without order", tensor "W", does_not_fit, { named("W", a_matrix) } },
      { "a matrix with another order", tensor("W", "diagonals"), does_not_fit,
        { named("W", a_matrix) } },
      { "a matrix of whole numbers", W, does_not_fit,
        { { name = "W", dtype = "I64", shape = { 1, 1 }, bytes = "12345678" } } },
      { "a matrix of bytes", W, does_not_fit,
        { { name = "W", dtype = "U8", shape = { 1, 1 }, bytes = "1" } } },
      { "a list with an order", W, does_not_fit,
        { { name = "W", dtype = "F64", shape = { 1 }, bytes = "12345678" } } },
      { "a list of F32", tensor "W", does_not_fit,
        { { name = "W", dtype = "F32", shape = { 1 }, bytes = "1234" } } },
      { "a number as a tensor", tensor "W", does_not_fit,
        { { name = "W", dtype = "F64", shape = {}, bytes = "12345678" } } },
    } do
      it(case[1], function()
        local bytes = file_of(case[4] or {}, "")
        local content = assert(stored.decode(bytes))
        local value, reason = state.decode(case[2], content)
        assert.is_nil(value)
        assert.is_truthy(reason:find(case[3], 1, true), reason)
        assert.is_nil(reason:find(".lua:", 1, true), reason)
      end)
    end

    it("a matrix that is larger than any", function()
      local place = { dtype = "F64", shape = { 65536, 32768 }, first = 1, last = 2 ^ 34 }
      assert.same({ nil, "a matrix of more than 2147483647 elements" },
        { state.decode(W, { tensors = { W = place } }) })
    end)
  end)

  describe("takes memory in proportion to its file", function()
    it("to be read", function()
      local list = {}
      for k = 1, MiB // 8 do list[k] = k end
      local bytes = saved { list, pl.float64.matrix(1000, 1000), ("\xff"):rep(MiB) }
      local content = assert(stored.decode(bytes))
      local allocated, value = allocated_by(function()
        return state.decode(content.metadata.state, content)
      end)
      assert.equal(MiB // 8, #value[1])
      -- A list's numbers have 16 bytes, and while it grows it is copied; matrices that are
      -- stored by columns are turned.
      assert.is_true(allocated < 4 * #bytes, ("%d bytes"):format(allocated))
    end)

    it("when its text names a tensor again and again", function()
      local bytes = file_of({
        { name = "W", dtype = "F64", shape = { 1000, 1000 }, bytes = ("\0"):rep(8e6) },
      }, "")
      local content = assert(stored.decode(bytes))
      local W = '{"":"tensor","name":"W","order":"rows"}'
      local text = "[" .. W .. ("," .. W):rep(1000) .. "]"
      local allocated, value = allocated_by(function()
        return state.decode(text, content)
      end)
      assert.is_nil(value)
      -- The matrix, once, and the chunks of the file that it was read from
      assert.is_true(allocated < 2.2 * #bytes, ("%d bytes"):format(allocated))
    end)

    for what, text in pairs {
      ["lists in lists"] = "[" .. ("[[[[]]]],"):rep(100000) .. "1]",
      ["short objects"] = "[" .. ('{"a":1},'):rep(100000) .. "1]",
      ["tables of pairs"] = "[" ..
        ('{"":"table","keys":[1],"values":[1]},'):rep(25000) .. "1]",
      ["floats"] = "[" .. ('{"":"float","bits":"7ff0000000000000"},'):rep(25000) .. "1]",
      ["numbers"] = "[" .. ("1,"):rep(400000) .. "1]",
    } do
      it("when its text is full of " .. what, function()
        local bytes = file_of({
          { name = "text", dtype = "U8", shape = { #text }, bytes = text },
        }, "")
        local content = assert(stored.decode(bytes))
        local allocated, value = allocated_by(function()
          return state.decode('{"":"text","name":"text"}', content)
        end)
        assert.is_table(value)
        assert.is_true(allocated < 50 * #text, ("%d bytes"):format(allocated))
      end)
    end
  end)

  it("is understood by numpy #python", function()
    local python = find_python()
    if not python then
      pending "no python3 with numpy"
      return
    end
    local floats = {}
    for k = 1, 1024 do floats[k] = 0.5 end
    local path = os.tmpname()
    assert(file.write(path, saved {
      network = { W = pl.float32.matrix { { 1, 2, 3 }, { 4, 5, 6 } } },
      odd = { pl.float64.matrix { { 0.25 } }, [""] = long_list },
      losses = floats, bytes = "\xff\1",
    }))
    local program <close> = assert(io.popen(
      ("%s spec/support/read_safetensors.py '%s'"):format(python, path)))
    local lines = {}
    for line in program:lines() do lines[#lines + 1] = line end
    os.remove(path)
    table.sort(lines)
    assert.same({
      "bytes 2 U8 256.0", "losses 1024 F64 512.0",
      "network.W 2x3 F32 21.0", "odd. 1024 I64 524800.0", "odd.1 1x1 F64 0.25",
    }, lines)
  end)
end)
