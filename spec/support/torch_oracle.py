"""The same networks in PyTorch, in double precision.

usage: python3 torch_oracle.py REQUEST   (the answer goes to standard output)

Request and answer are lines of words. A matrix is a line "matrix NAME ROWS COLS" and one line of numbers for
each row; a number is written so that it is read back exactly. A request is any number of these, since torch
takes a second to start:

    network NAME LOSS KIND STEPS OPTION=VALUE...    a line of JSON, the description of a chain of layers,
        and matrices X, T (target columns) and the tensors by their names: 1.W, 1.b, 2.body.1.W, ...

The answer to a network, trained for STEPS steps on X and T: before the first, NAME.P, what it predicts; of the
first, NAME.dJ_dX and NAME.dJ_d1.W, ... of all parameters that are trained; NAME.J, one number a step; after
the last, NAME.P_after, and the tensors NAME.1.W, ...
"""

import json
import sys

import torch
from torch import nn

torch.set_default_dtype(torch.float64)

# torch has the samples in rows
ACTIVATIONS = {
    "identity": nn.Identity,
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "softmax": lambda: nn.Softmax(dim=1),
    "softsign": nn.Softsign,
    "tanh": nn.Tanh,
}

# Our names of what torch calls otherwise
WEIGHTS = {"W": "weight", "b": "bias"}
NORMALISATION = {"scale": "weight", "shift": "bias", "running_mean": "running_mean",
                 "running_variance": "running_var"}


def read(path):
    requests = []
    with open(path, encoding="ascii") as file:
        for line in file:
            words = line.split()
            if words[0] == "matrix":
                rows = [[float(word) for word in next(file).split()] for _ in range(int(words[2]))]
                requests[-1][1][words[1]] = torch.tensor(rows)
            else:
                description = json.loads(next(file))
                requests.append((words, {"description": description}))
    return requests


def write(name, matrix):
    rows, cols = matrix.shape
    print("matrix", name, rows, cols)
    for row in matrix.tolist():
        print(" ".join(float.hex(x) for x in row))


class Residual(nn.Module):
    def __init__(self, body, projection):
        super().__init__()
        self.body, self.projection = body, projection

    def forward(self, x):
        return self.body(x) + (self.projection(x) if self.projection else x)


class Branch(nn.Module):
    def __init__(self, parts, join):
        super().__init__()
        self.parts, self.join = nn.ModuleList(parts), join

    def forward(self, x):
        outputs = [part(x) for part in self.parts]
        return sum(outputs) if self.join == "sum" else torch.cat(outputs, dim=1)


class Frozen(nn.Module):
    """What is frozen infers, whatever the mode of what is around it."""

    def __init__(self, module):
        super().__init__()
        self.module = module.requires_grad_(False).eval()

    def train(self, mode=True):
        return self

    def forward(self, x):
        return self.module(x)


class Builder:
    """Modules from descriptions; `tensors` are torch's, by our names, `shared` the modules by their shared names."""

    def __init__(self, matrices):
        self.matrices, self.tensors, self.shared = matrices, {}, {}

    def hold(self, module, path, names):
        for own, torchs in names.items():
            name = f"{path}.{own}"
            if name in self.matrices:
                tensor = getattr(module, torchs)
                tensor.data = self.matrices[name].reshape(tensor.shape).clone()
                self.tensors[name] = tensor
        return module

    def within(self, path, name):
        return f"{path}.{name}" if path else name

    def dense(self, d, path):
        # Layers that share their weights may have activations of their own.
        linear = self.shared.get(d.get("shared"))
        if linear is None:
            rows, cols = self.matrices[path + ".W"].shape
            linear = self.hold(nn.Linear(cols, rows), path, WEIGHTS)
            if "shared" in d:
                self.shared[d["shared"]] = linear
        return nn.Sequential(linear, ACTIVATIONS[d["activation"]]())

    def batch_norm(self, d, path):
        size = len(self.matrices[path + ".scale"])
        return self.hold(nn.BatchNorm1d(size, d["epsilon"], d["momentum"]), path, NORMALISATION)

    def layer_norm(self, d, path):
        size = len(self.matrices[path + ".scale"])
        return self.hold(nn.LayerNorm(size, d["epsilon"]), path, NORMALISATION)

    def chain(self, d, path):
        return nn.Sequential(*(self.build(layer, self.within(path, str(k)))
                               for k, layer in enumerate(d["layers"], 1)))

    def residual(self, d, path):
        projection = d.get("projection")
        return Residual(self.build(d["body"], path + ".body"),
                        projection and self.build(projection, path + ".projection"))

    def branch(self, d, path):
        return Branch([self.build(part, f"{path}.{k}") for k, part in enumerate(d["parts"], 1)],
                      d["join"])

    def build(self, d, path):
        module = getattr(self, d["kind"])(d, path)
        return Frozen(module) if d.get("frozen") else module


def squared_error(a, t):
    return ((a - t) ** 2).sum() / (2 * a.shape[0])


# torch's mean is over samples for targets of probabilities
LOSSES = {"squared_error": squared_error, "softmax_cross_entropy": nn.functional.cross_entropy}

OPTIMIZERS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}


def rule(kind, parameters, words):
    options = {name: float(value) for name, value in (word.split("=") for word in words)}
    return OPTIMIZERS[kind](parameters, **options)


def column(tensor):
    return tensor.reshape(len(tensor), -1)


def network(request, words, matrices):
    loss, kind, steps = LOSSES[words[0]], words[1], int(words[2])
    builder = Builder(matrices)
    module = builder.build(matrices["description"], "")
    x, t = matrices["X"].t().requires_grad_(), matrices["T"].t()

    def predicted():
        module.eval()
        with torch.no_grad():
            return module(x).t()

    write(request + ".P", predicted())
    trained = {name: p for name, p in builder.tensors.items() if p.requires_grad}
    optimizer_rule = rule(kind, list(trained.values()), words[3:])
    errors = []
    module.train()
    for step in range(steps):
        optimizer_rule.zero_grad()
        j = loss(module(x), t)
        j.backward()
        errors.append([j.item()])
        if step == 0:
            write(request + ".dJ_dX", x.grad.t())
            for name, p in trained.items():
                write(f"{request}.dJ_d{name}", column(p.grad))
        optimizer_rule.step()
    write(request + ".J", torch.tensor(errors))
    write(request + ".P_after", predicted())
    for name, tensor in builder.tensors.items():
        write(f"{request}.{name}", column(tensor.detach()))


if __name__ == "__main__":
    for WORDS, MATRICES in read(sys.argv[1]):
        network(WORDS[1], WORDS[2:], MATRICES)
