local strokes = require "perilune.data.digit_strokes"

describe("The ways of writing digits", function()
  it("are one or more for each digit, of strokes about 6 wide and 10 high", function()
    for digit = 0, 9 do
      assert.is_true(#strokes[digit] >= 1)
      for _, way in ipairs(strokes[digit]) do
        local top, bottom = math.huge, -math.huge
        for _, stroke in ipairs(way) do
          assert.is_true(#stroke >= 4 and #stroke % 2 == 0)
          for k = 1, #stroke, 2 do
            local x, y = stroke[k], stroke[k + 1]
            assert.is_true(x >= 0 and x <= 7 and y >= 0 and y <= 10)
            top, bottom = math.min(top, y), math.max(bottom, y)
          end
        end
        assert.is_true(bottom - top > 9)
      end
    end
  end)
end)
