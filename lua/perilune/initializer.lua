-- The first weights of a layer. An initialiser is a function (W, b, generator) that fills both.
-- The variances are those that keep the size of signals from layer to layer: see each source.

local initializer = {}

local function fan(W)
  return W.cols, W.rows
end

---W uniform in +-sqrt(6 / (S_(l-1) + S_l)), b = 0 (Glorot and Bengio 2010, equation 16): for
---symmetric activations such as tanh.
---@param W Matrix  S_l x S_(l-1)
---@param b Matrix  S_l x 1
---@param generator Generator
function initializer.glorot(W, b, generator)
  local inputs, outputs = fan(W)
  local bound = math.sqrt(6 / (inputs + outputs))
  generator:uniform(W, -bound, bound)
  b:fill(0)
end

---W normal with variance 2 / S_(l-1), b = 0 (He et al. 2015, equation 10): for relu.
function initializer.he(W, b, generator)
  generator:normal(W, 0, math.sqrt(2 / fan(W)))
  b:fill(0)
end

---W normal with variance 1 / S_(l-1), b = 0 (LeCun et al. 1998, "Efficient BackProp", section 4.6).
function initializer.lecun(W, b, generator)
  generator:normal(W, 0, math.sqrt(1 / fan(W)))
  b:fill(0)
end

---W and b uniform in +-0.5, whatever the widths.
function initializer.uniform(W, b, generator)
  generator:uniform(W, -0.5, 0.5)
  generator:uniform(b, -0.5, 0.5)
end

---W and b standard normal, whatever the widths (Nielsen 2015, chapter 1).
function initializer.normal(W, b, generator)
  generator:normal(W)
  generator:normal(b)
end

---The name of the initialiser that suits an activation.
---@param activation string
---@return string
local function suited(activation)
  return activation == "relu" and "he" or "glorot"
end

return { functions = initializer, suited = suited }
