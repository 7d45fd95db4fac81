"""Optimisers: where PyTorch's take given parameters in 100 steps.

The gradient of element k (from 0) at step s (from 1) is

    g = (k + 1) / 4 (p - k / 10) + cos(s (k + 1)) / 2

a bowl with noise, of which the specs compute the same. The parameters are printed after some steps.
"""

import math

import torch

from common import write

torch.set_default_dtype(torch.float64)

START = [1.0, -2.0, 0.5, 3.0, -0.25]
PRINTED = [1, 2, 3, 10, 30, 100]

optim = torch.optim


def rename(options):
    """PyTorch's names of our options"""
    names = {"rate": "lr", "epsilon": "eps", "rate_decay": "lr_decay",
             "initial_accumulator": "initial_accumulator_value"}
    pairs = {"betas": ("beta1", "beta2", 0.9, 0.999),
             "etas": ("eta_minus", "eta_plus", 0.5, 1.2),
             "step_sizes": ("step_min", "step_max", 1e-6, 50)}
    renamed = {names.get(name, name): value for name, value in options.items()}
    for name, (first, second, *defaults) in pairs.items():
        given = [renamed.pop(first, None), renamed.pop(second, None)]
        if given != [None, None]:
            renamed[name] = tuple(d if x is None else x for x, d in zip(given, defaults))
    return renamed


def sgd(p, lr=0.01, momentum=0.0, **options):
    """PyTorch's has no default rate."""
    return optim.SGD(p, lr, momentum, **options)


def adam(p, weight_decay=0, **options):
    """Our Adam's weight decay is AdamW's, and so is that of AMSGrad."""
    return optim.AdamW(p, weight_decay=weight_decay, **options)


def nadam(p, **options):
    """For lists of tensors ("foreach") NAdam is as its documentation says, and as later versions
    are; for single ones 1.13 takes a momentum twice."""
    return optim.NAdam(p, foreach=True, **options)


KINDS = {
    "sgd": sgd,
    "momentum": lambda p, momentum=0.9, **o: sgd(p, momentum=momentum, **o),
    "nesterov": lambda p, momentum=0.9, **o: sgd(p, momentum=momentum, nesterov=True, **o),
    "adam": adam,
    "adamw": optim.AdamW,
    "amsgrad": lambda p, **o: adam(p, amsgrad=True, **o),
    "adamax": optim.Adamax,
    "nadam": nadam,
    "adagrad": optim.Adagrad,
    "adadelta": optim.Adadelta,
    "rmsprop": optim.RMSprop,
    "rprop": optim.Rprop,
}

CASES = [
    "sgd", "sgd rate=0.1 weight_decay=0.03",
    "momentum", "momentum rate=0.05 momentum=0.8 weight_decay=0.03",
    "momentum rate=0.05 momentum=0.8 nesterov=true weight_decay=0.03",
    "nesterov", "nesterov rate=0.05 momentum=0.8 weight_decay=0.03",
    "adam", "adam rate=0.1 beta1=0.7 beta2=0.95 epsilon=0.001",
    "adam rate=0.1 beta2=0.8 amsgrad=true weight_decay=0.1",
    "adamw", "adamw rate=0.1 weight_decay=0.1", "adamw rate=0.1 beta2=0.8 amsgrad=true",
    "amsgrad", "amsgrad rate=0.1 beta1=0.7 beta2=0.8 weight_decay=0.1",
    "adamax", "adamax rate=0.1 beta1=0.7 beta2=0.8 epsilon=0.01 weight_decay=0.1",
    "nadam", "nadam rate=0.1 beta1=0.8 beta2=0.9 momentum_decay=0.1 weight_decay=0.1",
    "nadam rate=0.1 epsilon=0.01",
    "adagrad", "adagrad rate=0.2 rate_decay=0.1 weight_decay=0.1",
    "adagrad rate=0.2 initial_accumulator=0.5 epsilon=0.01",
    "adadelta", "adadelta rate=0.5 rho=0.7 epsilon=0.001 weight_decay=0.1",
    "rmsprop", "rmsprop rate=0.02 alpha=0.8 epsilon=0.01 weight_decay=0.1",
    "rmsprop rate=0.02 momentum=0.7", "rmsprop rate=0.02 centered=true epsilon=0.01",
    "rmsprop rate=0.02 alpha=0.9 momentum=0.7 centered=true epsilon=0.01 weight_decay=0.1",
    "rprop", "rprop rate=0.1 eta_minus=0.3 eta_plus=1.5 step_min=0.001 step_max=0.5",
]


def ask(case):
    kind, *words = case.split()
    options = {}
    for word in words:
        name, value = word.split("=")
        options[name] = value == "true" if value in ("true", "false") else float(value)
    p = torch.nn.Parameter(torch.tensor(START))
    optimizer = KINDS[kind]([p], **rename(options))
    printed = []
    for step in range(1, 101):
        p.grad = torch.tensor([(k + 1) / 4 * (x - k / 10) + math.cos(step * (k + 1)) / 2
                               for k, x in enumerate(p.tolist())])
        optimizer.step()
        if step in PRINTED:
            printed.append(p.tolist())
    return {"start": START, "steps": PRINTED, "p": printed}


write({case: ask(case) for case in CASES})
