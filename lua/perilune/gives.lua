-- What the outputs of a network are, as a field of options: by it losses, metrics and
-- Network:classify agree on what numbers mean.

return {
  "choice", choices = { "logits", "probabilities", "log_probabilities", "values" },
  optional = true,
}
