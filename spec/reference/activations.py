"""Activations: A = sigma(Z), and H = J_sigma^t Delta by PyTorch's automatic derivatives."""

import torch
from torch.nn import functional

from common import matrix, write

torch.set_default_dtype(torch.float64)

# The derivative of functional.hardsigmoid has a 1/6 in single precision.
SIGMAS = {
    "elu": functional.elu,
    "elu alpha=0.4": lambda z: functional.elu(z, alpha=0.4),
    "exponential": torch.exp,
    "gelu": functional.gelu,
    "gelu approximate=tanh": lambda z: functional.gelu(z, approximate="tanh"),
    "hard_sigmoid": lambda z: functional.relu6(z + 3) / 6,
    "hard_tanh": functional.hardtanh,
    "hard_tanh lower=-0.5 upper=2": lambda z: functional.hardtanh(z, min_val=-0.5, max_val=2),
    "leaky_relu": functional.leaky_relu,
    "leaky_relu slope=0.2": lambda z: functional.leaky_relu(z, negative_slope=0.2),
    "log_softmax": lambda z: functional.log_softmax(z, dim=1),
    "mish": functional.mish,
    "relu": functional.relu,
    "selu": functional.selu,
    "sigmoid": torch.sigmoid,
    "silu": functional.silu,
    "softmax": lambda z: functional.softmax(z, dim=1),
    "softplus": functional.softplus,
    "softplus beta=2.5 threshold=4": lambda z: functional.softplus(z, beta=2.5, threshold=4),
    "softsign": functional.softsign,
    "tanh": torch.tanh,
}


def ask(sigma):
    generator = torch.Generator().manual_seed(1)
    z = (3 * torch.randn(5, 4, generator=generator)).requires_grad_()
    delta = torch.randn(5, 4, generator=generator)
    a = sigma(z)
    a.backward(delta)
    return {"Z": matrix(z.detach()), "Delta": matrix(delta), "A": matrix(a.detach()),
            "H": matrix(z.grad)}


write({name: ask(sigma) for name, sigma in SIGMAS.items()})
