-- Several augmentations, one after the other, as batches use them. Distortions that follow each
-- other are one pass: images are interpolated once, and stay as sharp as they can be.

local Distortion = require "perilune.augmentation.distortion"
local Pass = require "perilune.augmentation.pass"

-- From one step, and from one place, to the seed of the next: odd numbers with about as many ones
-- as zeros.
local STEP, PLACE = 0x9E3779B97F4A7C15, 0xD1342543DE82EF95

---@class AugmentationList
---@field core Core
---@field steps any[]  passes, and augmentations of the user's own
local List = {}
List.__index = List

---@param parts any[]     of the family `augmentation`
---@param core Core
---@param inputs integer  S_0
---@return AugmentationList
function List.new(parts, core, inputs)
  local distortions, steps, pass, image = {}, {}, nil, nil
  for _, part in ipairs(parts) do
    if Distortion.is_distortion(part) then distortions[#distortions + 1] = part end
  end
  if #distortions > 0 then image = Pass.image(distortions, inputs) end
  for _, part in ipairs(parts) do
    if not Distortion.is_distortion(part) then
      steps[#steps + 1], pass = part, nil
    else
      if not pass or pass.names[part.name] then
        pass = Pass.new(core, image)
        steps[#steps + 1] = pass
      end
      pass:add(part)
    end
  end
  return setmetatable({ core = core, steps = steps }, List)
end

---Other samples made of these, which may be changed. What is drawn follows from the key, of the
---epoch, and the place in it alone.
---@param X Matrix       S_0 x N
---@param key integer
---@param place integer  of the first sample
---@return Matrix        S_0 x N, X or another; valid until the next call
function List:apply(X, key, place)
  for k, step in ipairs(self.steps) do
    local own_key = key + k * STEP
    if getmetatable(step) == Pass then
      X = step:apply(X, own_key, place)
    else
      step(X, self.core.generator(own_key + place * PLACE))
    end
  end
  return X
end

return List
