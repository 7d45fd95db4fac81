"""Embeddings of numbers and of categories: A, and the derivatives for a given Delta."""

import math

import torch
from torch.nn import functional

from common import matrix, write

torch.set_default_dtype(torch.float64)

BOUNDARIES = [[-1.5, -0.5, 0.25, 1.0], [-0.2, 0.3]]


def periodic(x, c):
    """x: N x S, c: frequencies x S; sines before cosines, one feature after the other"""
    parts = []
    for k in range(x.shape[1]):
        v = 2 * math.pi * x[:, k:k + 1] * c[:, k]
        parts += [torch.sin(v), torch.cos(v)]
    return torch.cat(parts, dim=1)


def piecewise_linear(x):
    """The first part of a feature has no lower end, the last one no upper end."""
    parts = []
    for k, b in enumerate(BOUNDARIES):
        for t in range(len(b) - 1):
            part = (x[:, k] - b[t]) / (b[t + 1] - b[t])
            if t > 0:
                part = part.clamp(min=0)
            if t < len(b) - 2:
                part = part.clamp(max=1)
            parts.append(part)
    return torch.stack(parts, dim=1)


def ask(f, x, *parameters):
    generator = torch.Generator().manual_seed(2)
    x = x.clone().requires_grad_()
    parameters = [p.clone().requires_grad_() for p in parameters]
    a = f(x, *parameters)
    delta = torch.randn(a.shape, generator=generator)
    a.backward(delta)
    return {"X": matrix(x.detach()), "A": matrix(a.detach()), "Delta": matrix(delta),
            "below": matrix(x.grad), "parameters": [p.detach().tolist() for p in parameters],
            "gradients": [p.grad.tolist() for p in parameters]}


def embedded(labels, tables):
    generator = torch.Generator().manual_seed(2)
    weights = [torch.randn(t, 3, generator=generator, requires_grad=True) for t in tables]
    picks = [weights[0] if len(tables) == 1 else weights[k] for k in range(labels.shape[1])]
    a = torch.cat([functional.embedding(labels[:, k], w) for k, w in enumerate(picks)], dim=1)
    delta = torch.randn(a.shape, generator=generator)
    a.backward(delta)
    return {"X": matrix(labels + 1), "A": matrix(a.detach()), "Delta": matrix(delta),
            "W": torch.cat(weights).detach().tolist(),
            "dJ_dW": torch.cat([w.grad for w in weights]).tolist()}


GENERATOR = torch.Generator().manual_seed(1)
NUMBERS = 2 * torch.randn(9, 2, generator=GENERATOR)
LABELS = torch.tensor([[0, 1], [3, 0], [3, 2], [1, 1], [0, 2]])

write({
    "periodic": ask(periodic, NUMBERS, torch.randn(4, 2, generator=GENERATOR)),
    "piecewise_linear": {**ask(piecewise_linear, NUMBERS), "boundaries": BOUNDARIES},
    "embedding, tables of their own": embedded(LABELS, [4, 3]),
    "embedding, one table": embedded(LABELS, [4]),
})
