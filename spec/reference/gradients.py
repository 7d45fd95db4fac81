"""Clipping of the gradients of two parameters."""

import torch
from torch.nn import utils

from common import write

torch.set_default_dtype(torch.float64)

CLIPS = {
    "clip_norm most=0.7": lambda ps: utils.clip_grad_norm_(ps, 0.7),
    "clip_norm most=100": lambda ps: utils.clip_grad_norm_(ps, 100),
    "clip_norm most=0.7 of=each": lambda ps: [utils.clip_grad_norm_([p], 0.7) for p in ps],
    "clip_value most=0.3": lambda ps: utils.clip_grad_value_(ps, 0.3),
}


def ask(clip):
    generator = torch.Generator().manual_seed(1)
    shapes = {"W": (4, 5), "b": (4, 1)}
    parameters = {}
    for name, shape in shapes.items():
        parameters[name] = torch.zeros(shape, requires_grad=True)
        parameters[name].grad = torch.randn(shape, generator=generator)
    given = {name: p.grad.tolist() for name, p in parameters.items()}
    clip(list(parameters.values()))
    return {"given": given, **{name: p.grad.tolist() for name, p in parameters.items()}}


write({name: ask(clip) for name, clip in CLIPS.items()})
