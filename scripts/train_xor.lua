#!/usr/bin/env lua5.4
-- The first program: a network learns exclusive or. The loop is written out, as in the paper.

-- support.lua lies beside this file. Where a link to it was started, a process says where that is;
-- it takes milliseconds in which Ctrl-C is not heard yet, so it is asked only then.
local function near(path, name) return (path:gsub("[^/]*$", name, 1)) end
local is_here = io.open(near(arg[0], "support.lua"))
  and io.open(near(arg[0], "../lua/perilune/init.lua"))
local file = not is_here
  and io.popen("readlink -f -- '" .. arg[0]:gsub("'", [['\'']]) .. "' 2>&-"):read()
local support = dofile(near(file or arg[0], "support.lua"))
local pl = support.require "perilune"

support.parser("train_xor.lua", "Train a network to compute exclusive or."):parse()

local X = pl.matrix { { 0, 0, 1, 1 }, { 0, 1, 0, 1 } } -- samples are columns
local T = pl.matrix { { 0, 1, 1, 0 } }
local network = pl.network({
  inputs = 2, pl.dense(4, "tanh"), pl.dense(1, "sigmoid"),
}, { seed = 1 })
local optimizer = pl.sgd { rate = 4 }

for step = 1, 2000 do
  local A = network:forward(X)                 -- A^(l) = sigma_l(W^(l) A^(l-1) + b^(l))   (1.4)
  local J, Delta = pl.loss.squared_error(A, T) -- J, Delta^(L) = dJ/dA^(L)          (2.18) (2.23)
  network:backward(Delta)                      -- dJ/dW^(l), dJ/db^(l)                (4.1) (4.2)
  optimizer:step(network:parameters())         -- W^(l) = W^(l) - rate dJ/dW^(l)
  if step % 400 == 0 then print(("step %4d  J = %.6f"):format(step, J)) end
end
print(network:predict(X))
