-- AdamW (Loshchilov and Hutter 2019): Adam with a decoupled weight decay, PyTorch's unless said.

local adam = require "perilune.optimizer.adam"

return {
  name = "adamw",
  fields = {
    rate = adam.fields.rate, beta1 = adam.fields.beta1, beta2 = adam.fields.beta2,
    epsilon = adam.fields.epsilon, amsgrad = adam.fields.amsgrad,
    weight_decay = { "number", default = 0.01, least = 0, most = 1e38 },
  },
  keeps = adam.keeps,
  update = adam.update,
}
