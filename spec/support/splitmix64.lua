-- splitmix64 as published (Steele, Lea and Flood 2014; Blackman and Vigna 2019), in Lua's 64-bit
-- integers, which wrap around as its own do.

---@param state integer
---@return fun(): integer  gives the next 64 bits
return function(state)
  return function()
    state = state + 0x9e3779b97f4a7c15
    local z = state
    z = (z ~ z >> 30) * 0xbf58476d1ce4e5b9
    z = (z ~ z >> 27) * 0x94d049bb133111eb
    return z ~ z >> 31
  end
end
