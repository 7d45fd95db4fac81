-- Losses of classes: one for each sample, or several labels at once, where each output tells for
-- itself whether its label holds. Formulas and sources stand in doc/equations.md.

return {
  {
    -- J = -1/N sum over samples of sum_i t'_i log softmax(a)_i: softmax and cross-entropy in one,
    -- so A holds logits and the last layer is "identity". T: 1 x N labels (classes counted from 1),
    -- or S_L x N columns, which may be distributions. With label_smoothing, t' = (1 -
    -- label_smoothing) t + label_smoothing / S_L. class_weights, one for each class, count for the
    -- terms; the mean over labels is by the weights of the labels, as PyTorch's is, that over
    -- columns by samples. Weights that dataset:balanced_weights() gives make all classes count
    -- alike.
    name = "softmax_cross_entropy",
    fields = {
      label_smoothing = { "number", optional = true, least = 0, most = 1 },
      class_weights = { "numbers", optional = true, least = 0 },
    },
    passes = { "label_smoothing", "class_weights" },
    labels = true, gives = "logits", applies = "softmax", targets = "one",
  },
  {
    -- sum over i of max(0, margin - z_y + z_i)^p / S_L, y being the label and i all other classes;
    -- the mean over samples. PyTorch's multi_margin_loss: the hinge for several classes.
    name = "multi_margin",
    fields = {
      margin = { "number", default = 1 },
      p = { "integer", default = 1, least = 1, most = 2 },
    },
    passes = { "margin", "p" },
    labels = "only", gives = "logits", targets = "one",
  },
  {
    -- -t log a - (1 - t) log(1 - a), logarithms from -100 up: PyTorch's BCELoss. On logits, with
    -- "sigmoid_cross_entropy", nothing is lost where a rounds to 0 or 1.
    name = "binary_cross_entropy",
    gives = "probabilities", targets = "several", range = { 0, 1 }, compares = true,
  },
  {
    -- -pos_weight t log s(z) - (1 - t) log s(-z), s(z) = 1 / (1 + e^-z): PyTorch's
    -- BCEWithLogitsLoss. pos_weight, one number or one for each output: what a positive target
    -- counts for.
    name = "sigmoid_cross_entropy",
    fields = { pos_weight = { "numbers", optional = true, least = 0, single = true } },
    passes = { "pos_weight" },
    gives = "logits", applies = "sigmoid", targets = "several", range = { 0, 1 },
  },
  {
    -- sigmoid_cross_entropy times (1 - q)^gamma, q being the probability given to what is so, and
    -- times alpha for positive targets, 1 - alpha for the others (Lin et al. 2017): what is learnt
    -- already counts little. The mean over all targets.
    name = "focal",
    fields = {
      gamma = { "number", default = 2, least = 0 },
      alpha = { "number", default = 0.25, least = 0, most = 1 },
    },
    passes = { "gamma", "alpha" },
    gives = "logits", applies = "sigmoid", targets = "several", range = { 0, 1 },
  },
  {
    -- max(0, 1 - y z), y = 1 where t > 0, else -1: targets of 0 and 1 as well as -1 and 1. The mean
    -- over all targets.
    name = "hinge",
    gives = "logits", targets = "several", range = { -1, 1 },
  },
  {
    -- max(0, 1 - y z)^2, likewise
    name = "squared_hinge",
    gives = "logits", targets = "several", range = { -1, 1 },
  },
}
