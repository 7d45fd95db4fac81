-- The kinds of layers that a description can name.

return {
  dense = require "perilune.layer.dense",
  dropout = require "perilune.layer.dropout",
}
