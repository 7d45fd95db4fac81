-- Public data sets as people have them (UCI and others), where the environment says where they lie:
-- what reading them finds, and what of it had to be told.

local at_caller = require("spec.support.misuse").at_caller
local pl = require "perilune"

local folder = os.getenv "PERILUNE_TABLES"

-- By file: rows, what is not found by reading, columns by type, missing cells
local expected = {
  ["adult-train.csv.gz"] = { N = 32561, numbers = 6, categories = 9, missing = 4262 },
  ["adult-test.csv.gz"] = { N = 16281, numbers = 6, categories = 9, missing = 2203 },
  ["auto_imports.csv"] = { N = 201, numbers = 16, categories = 10, missing = 51 },
  ["banknote_authentication.csv"] = { N = 1372, numbers = 5, categories = 0, missing = 0 },
  ["breast-cancer.csv"] = { N = 286, numbers = 1, categories = 9, missing = 9 },
  ["california.csv.gz"] = { N = 20640, numbers = 9, categories = 1, missing = 207 },
  ["german.csv"] = { N = 1000, numbers = 8, categories = 13, missing = 0 },
  ["glass.csv"] = { N = 214, numbers = 10, categories = 0, missing = 0 },
  ["horse-colic.csv"] = { N = 300, numbers = 25, categories = 3, missing = 1605 },
  ["iris.csv"] = { N = 150, numbers = 4, categories = 1, missing = 0 },
  ["winequality-white.csv"] = { N = 4898, numbers = 12, categories = 0, missing = 0 },
}

describe("the table", function()
  if not folder then return pending("public tables: set PERILUNE_TABLES") end

  local function read(name, options)
    return assert(pl.data.csv(("%s/%s"):format(folder, name), options))
  end

  for name, said in pairs(expected) do
    it(name .. " is read with its rows, columns, types and missing cells", function()
      local found = read(name)
      local counts = { number = 0, category = 0, text = 0, date = 0 }
      local missing, from_values = 0, 0
      for _, column in ipairs(found.columns) do
        counts[column.type] = counts[column.type] + 1
        missing = missing + column.missing
        local _, cells = found:column(column.name)
        cells:map(function(x)
          from_values = from_values + (x ~= x and 1 or 0)
          return x
        end)
      end
      assert.same(said, { N = found.N, numbers = counts.number, categories = counts.category,
        missing = missing })
      assert.equal(missing, from_values)
      assert.equal(counts.number + counts.category, #found.columns)
    end)
  end

  it("of Californian houses has a header, and its target is not the last column", function()
    local set = read("california.csv.gz"):dataset { target = "median_house_value" }
    assert.same({ 20640, 9, "median_house_value" }, { set.N, set.inputs, set.target })
    assert.same({ 14999, 500001 }, { set.T:min(), set.T:max() })
    assert.same({ "<1H OCEAN", "INLAND", "ISLAND", "NEAR BAY", "NEAR OCEAN" },
      set.schema[9].categories)
    assert.is_true(math.abs(set.T:mean() - 206855.82) < 0.01)
  end)

  it("of glass has the classes that its numbers name, whatever gap they leave", function()
    local glass = read "glass.csv"
    at_caller(function() local _ = glass:dataset { target = 10 } end,
      'column "column_10" has 6 different whole numbers, which may be meant as classes')
    local set = glass:dataset { target = 10, task = "classification" }
    assert.same({ "1", "2", "3", "5", "6", "7" }, set.classes)
    assert.equal(6, set.T:get(1, set.N))
  end)

  it("of horses keeps the spelling of its codes", function()
    local lesion = read("horse-colic.csv"):column(25)
    assert.equal("00000", lesion.categories[1])
    assert.equal(61, #lesion.categories)
    assert.equal("00300", lesion.categories[2])
  end)

  it("of breast cancers has no quotes in its names", function()
    local found = read "breast-cancer.csv"
    assert.same({ "no-recurrence-events", "recurrence-events" }, found.columns[10].categories)
    assert.equal("40-49", found.columns[1].categories[found.values:get(1, 1)])
  end)

  it("of incomes in its two files has one spelling of the classes, once it is told", function()
    local train = read("adult-train.csv.gz"):dataset { target = "column_15" }
    assert.same({ "<=50K", ">50K" }, train.classes)
    local test_table = read "adult-test.csv.gz"
    at_caller(function() local _ = test_table:dataset { like = train } end, 'target: column '
      .. '"column_15" has "<=50K.", ">50K.", which are none of the classes "<=50K", ">50K": '
      .. 'rename = { ["<=50K."] = "<=50K", [">50K."] = ">50K" } says which are meant')
    local test = test_table:dataset {
      like = train, rename = { ["<=50K."] = "<=50K", [">50K."] = ">50K" },
    }
    assert.same({ train.classes, train.schema, 16281, 14 },
      { test.classes, test.schema, test.N, test.inputs })
    local high = 0
    test.T:map(function(label)
      high = high + label - 1
      return label
    end)
    assert.equal(3846, high)
  end)
end)
