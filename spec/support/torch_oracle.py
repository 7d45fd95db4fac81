"""The same networks and optimisers in PyTorch, in double precision.

usage: python3 torch_oracle.py REQUEST   (the answer goes to standard output)

Request and answer are lines of words. A matrix is a line "matrix NAME ROWS COLS" and one line of numbers for
each row; a number is written so that it is read back exactly. A request is any number of these, since torch
takes a second to start:

    network NAME LOSS ACTIVATION...    and matrices X, T (target columns), W1, b1, W2, b2, ...
    optimizer NAME KIND STEPS OPTION=VALUE...    and matrices p, g1, g2, ...

The answer to a network: a matrix NAME.J of one number, NAME.dJ_dX, NAME.dJ_dW1, NAME.dJ_db1, ...;
to an optimizer: the parameters after each step, NAME.p1, NAME.p2, ...
"""

import sys

import torch

torch.set_default_dtype(torch.float64)

ACTIVATIONS = {
    "identity": lambda z: z,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    # samples are columns
    "softmax": lambda z: torch.softmax(z, dim=0),
    "softsign": torch.nn.functional.softsign,
    "tanh": torch.tanh,
}


def read(path):
    requests = []
    with open(path, encoding="ascii") as file:
        for line in file:
            words = line.split()
            if words[0] == "matrix":
                rows = [[float(word) for word in next(file).split()] for _ in range(int(words[2]))]
                requests[-1][1][words[1]] = torch.tensor(rows)
            else:
                requests.append((words, {}))
    return requests


def write(name, matrix):
    rows, cols = matrix.shape
    print("matrix", name, rows, cols)
    for row in matrix.tolist():
        print(" ".join(float.hex(x) for x in row))


def squared_error(a, t):
    return ((a - t) ** 2).sum() / (2 * a.shape[1])


def softmax_cross_entropy(z, t):
    # torch has the samples in rows; its mean is over samples for targets of probabilities
    return torch.nn.functional.cross_entropy(z.t(), t.t())


LOSSES = {"squared_error": squared_error, "softmax_cross_entropy": softmax_cross_entropy}


def network(request, words, matrices):
    loss, activations = words[0], words[1:]
    for matrix in matrices.values():
        matrix.requires_grad_()
    a = matrices["X"]
    for layer, activation in enumerate(activations, 1):
        w, b = matrices[f"W{layer}"], matrices[f"b{layer}"]
        # through torch's own layer, which has the samples in rows
        z = torch.nn.functional.linear(a.t(), w, b.flatten()).t()
        a = ACTIVATIONS[activation](z)
    j = LOSSES[loss](a, matrices["T"].detach())
    j.backward()
    write(request + ".J", j.detach().reshape(1, 1))
    for name, matrix in matrices.items():
        if name != "T":
            write(request + ".dJ_d" + name, matrix.grad)


OPTIMIZERS = {
    "sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW,
}


def optimizer(request, words, matrices):
    kind, steps = words[0], int(words[1])
    options = {}
    for word in words[2:]:
        name, value = word.split("=")
        options[name] = value == "True" if name == "nesterov" else float(value)
    if "beta1" in options:
        options["betas"] = (options.pop("beta1"), options.pop("beta2"))
    p = torch.nn.Parameter(matrices["p"])
    rule = OPTIMIZERS[kind]([p], **options)
    for step in range(1, steps + 1):
        p.grad = matrices[f"g{step}"]
        rule.step()
        write(f"{request}.p{step}", p.detach())


if __name__ == "__main__":
    for WORDS, MATRICES in read(sys.argv[1]):
        ANSWER = {"network": network, "optimizer": optimizer}[WORDS[0]]
        ANSWER(WORDS[1], WORDS[2:], MATRICES)
