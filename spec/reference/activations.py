"""Activations: A = sigma(Z), and H = J_sigma^t Delta by PyTorch's automatic derivatives."""

import torch
from torch.nn import functional

from common import matrix, write

torch.set_default_dtype(torch.float64)

SIGMAS = {
    "elu": functional.elu,
    "elu alpha=0.4": lambda z: functional.elu(z, alpha=0.4),
    "leaky_relu": functional.leaky_relu,
    "leaky_relu slope=0.2": lambda z: functional.leaky_relu(z, negative_slope=0.2),
    "relu": functional.relu,
    "sigmoid": torch.sigmoid,
    "softmax": lambda z: functional.softmax(z, dim=1),
    "softsign": functional.softsign,
    "tanh": torch.tanh,
}


def ask(sigma):
    generator = torch.Generator().manual_seed(1)
    z = (3 * torch.randn(7, 5, generator=generator)).requires_grad_()
    delta = torch.randn(7, 5, generator=generator)
    a = sigma(z)
    a.backward(delta)
    return {"Z": matrix(z.detach()), "Delta": matrix(delta), "A": matrix(a.detach()),
            "H": matrix(z.grad)}


write({name: ask(sigma) for name, sigma in SIGMAS.items()})
