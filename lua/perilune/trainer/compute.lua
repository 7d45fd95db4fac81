-- What a step computes of its batch: outputs, J, gradients, all of which must be finite, and again
-- for optimisers that ask for them.

local Snapshot = require "perilune.snapshot"
local cores = require "perilune.cores"
local errors = require "perilune.errors"
local nonfinite = require "perilune.nonfinite"
local residuals_of = require "perilune.residuals"

local raise, show = errors.raise, errors.show

-- What went wrong first in the batch, and a likely cure, for the message
local function explain(self)
  local X = self.X
  local cause = nonfinite.in_batch(self.net, self, function(column)
    return self.batches:sample(self.position + column)
  end, self.accumulation and self.accumulation.before)
  local text = cause and ": " .. cause or ""
  if not X:is_finite() then return text end
  local largest = math.max(X:max(), -X:min())
  local cure = largest > 100
    and ("inputs reach %.3g: scale them, or lower the rate"):format(largest)
    or "a lower rate may help"
  return ("%s (%s)"):format(text, cure)
end

local function check_loss(self, J, Delta)
  local progress = self.progress
  if type(J) ~= "number" then
    raise("loss: a number J and Delta expected from it, got %s", show(J))
  elseif J - J ~= 0 then
    raise("the loss is %s in epoch %d, batch %d%s", show(J), progress.epoch, progress.batch,
      explain(self))
  elseif not cores.is_matrix(Delta) then
    raise("loss: a number J and a matrix Delta expected from it, got %s as Delta", show(Delta))
  end
end

-- J and Delta of a batch, or of some of it, which must be finite, and what J counts by, where the
-- loss says so
local function new_lose(self)
  return function(A, T, weights)
    local J, Delta, total = self.loss.compute(A, T, self.Deltas:columns(A.cols), weights)
    if type(J) ~= "number" or J - J ~= 0 or not Delta then check_loss(self, J, Delta) end
    return J, Delta, total
  end
end

-- The parameter whose gradient first went wrong. An activation may hide from the loss what it does
-- not hide from the gradient: tanh(inf) is 1, but H A^t then has 0 inf.
local function check_gradients(self)
  local gradients = self.net.dJ_dtheta
  if not gradients or gradients:is_finite() then return end
  for _, parameter in ipairs(self.parameters) do
    if not parameter.gradient:is_finite() then
      raise("the gradient of %s is not finite in epoch %d, batch %d%s", parameter.name,
        self.progress.epoch, self.progress.batch, explain(self))
    end
  end
end

-- Forward and backward of the batch: its outputs, J and what J counts by, where the loss says so;
-- the parameters then have their gradients. `lose` gives J, Delta and the same.
local function compute(self, lose)
  local X, net = self.X, self.net
  if self.accumulation and X.cols > self.accumulation.size then
    return self.accumulation:compute(X, self.T, self.weights, lose)
  end
  local A = net:forward(X)
  local J, Delta, total = lose(A, self.T, self.weights)
  net:backward(Delta)
  return A, J, total
end

-- As compute, of the whole batch at once; gives J, the residuals, and their gradients.
local function compute_residuals(self, residuals, lose)
  local net = self.net
  local A = net:forward(self.X)
  local e, G = residuals(A, self.T, self.weights)
  local J, Delta = lose(A, self.T, self.weights)
  net:backward(Delta)
  return J, e, G
end

-- J and the gradients of the batch that is being trained, again, for optimisers that ask for them.
-- Random layers draw the same numbers, and what the network remembers stays as the step has left
-- it. Where it is asked for them and the loss has any, also the residuals and their gradients.
local function new_evaluate(self)
  local now = Snapshot.new(self.net)
  local residuals = self.loss.squares and self.net.theta and residuals_of(self.net, self.loss)
  local function lose(A, T, weights)
    return self.loss.compute(A, T, self.Deltas:columns(A.cols), weights)
  end
  return function(wants_jacobian)
    now:take()
    self.before:put_back()
    local _, J, e, G
    if wants_jacobian and residuals then
      J, e, G = compute_residuals(self, residuals, lose)
    else
      _, J = compute(self, lose)
    end
    if self.gradients then J = J + self.gradients:add_penalties(self.parameters) end
    now:put_back()
    return J, e, G
  end
end

return {
  check_gradients = check_gradients, compute = compute, new_evaluate = new_evaluate,
  new_lose = new_lose,
}
