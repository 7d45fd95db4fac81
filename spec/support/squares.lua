-- A smooth sum of squares of a list of parameters, for specs of optimisers that evaluate: all
-- elements p_k in the order in which they are stored, one parameter after the other, with
--     e_k = p_k + 0.2 p_k^3 + 0.3 p_(k-1)^2 - cos k,   J = 1/2 sum e_k^2
-- which is 0 somewhere.

local pl = require "perilune"

local squares = {}

---Lists like one of a network, and one without flat vectors.
---@param core Core
---@return table[] list
function squares.network_list(core)
  local net = pl.network({ inputs = 3, pl.dense(4), pl.dense(2) }, { dtype = core.name, seed = 3 })
  return net:parameters()
end

---@param core Core
---@return table[] list
function squares.own_list(core)
  local generator, list = core.generator(21), {}
  for k, name in ipairs { "1.W", "2.W", "2.b" } do
    local order = k == 2 and "rows" or "columns"
    list[k] = {
      name = name, value = generator:normal(core.matrix(k, 4, order)),
      gradient = core.matrix(k, 4, order),
    }
  end
  return list
end

---The function evaluate for a list, and a table that counts its calls.
---@param list table[]
---@return function evaluate
---@return { evaluations: integer }
function squares.of(list)
  local values, gradients, places = {}, {}, {}
  local core, flat, size = pl[list[1].value.dtype], list.flat, 0
  for _, parameter in ipairs(list) do
    local n = parameter.value.rows * parameter.value.cols
    local value, gradient = parameter.value:view(1, n, 1), parameter.gradient:view(1, n, 1)
    for k = 1, n do
      values[#values + 1] = function() return value:get(k, 1) end
      gradients[#gradients + 1] = function(x) gradient:set(k, 1, x) end
      places[#places + 1] = flat and parameter.start + k - 1 or size + k
    end
    size = size + n
  end
  local count = { evaluations = 0 }
  local e = core.matrix(size, 1)
  local G = core.matrix(flat and flat.value.rows or size, size):fill(0)

  return function(wants_jacobian)
    count.evaluations = count.evaluations + 1
    local J, before, e_before, slope_before = 0, 0, 0, nil
    for k = 1, size do
      local p = values[k]()
      local e_k = p + 0.2 * p ^ 3 + 0.3 * before ^ 2 - math.cos(k)
      local slope = 1 + 0.6 * p ^ 2
      J = J + 0.5 * e_k ^ 2
      if k > 1 then gradients[k - 1](e_before * slope_before + e_k * 0.6 * before) end
      if k == size then gradients[k](e_k * slope) end
      e:set(k, 1, e_k)
      G:set(places[k], k, slope)
      if k > 1 then G:set(places[k - 1], k, 0.6 * before) end
      before, e_before, slope_before = p, e_k, slope
    end
    if wants_jacobian then return J, e, G end
    return J
  end, count
end

return squares
