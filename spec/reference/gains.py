"""What torch.nn.init.calculate_gain says of the activations that it knows."""

from torch.nn.init import calculate_gain

from common import write

NAMES = {"identity": "linear", "relu": "relu", "selu": "selu", "sigmoid": "sigmoid", "tanh": "tanh"}

gains = {name: {"gain": calculate_gain(theirs)} for name, theirs in NAMES.items()}
gains["leaky_relu"] = {"gain": calculate_gain("leaky_relu")}
gains["leaky_relu slope=0.2"] = {"gain": calculate_gain("leaky_relu", 0.2)}
write(gains)
