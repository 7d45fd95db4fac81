"""The layer prelu: A, Delta_below and dJ/dslope by PyTorch's automatic derivatives."""

import torch
from torch.nn import functional

from common import matrix, write

torch.set_default_dtype(torch.float64)

FEATURES, SAMPLES = 4, 6


def ask(slopes):
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(SAMPLES, FEATURES, generator=generator).requires_grad_()
    delta = torch.randn(SAMPLES, FEATURES, generator=generator)
    slope = torch.tensor(slopes).requires_grad_()
    a = functional.prelu(x, slope)
    a.backward(delta)
    return {"X": matrix(x.detach()), "slope": matrix(slope.detach()), "Delta": matrix(delta),
            "A": matrix(a.detach()), "below": matrix(x.grad), "dJ_dslope": matrix(slope.grad)}


write({"prelu": ask([0.25, 0.1, -0.3, 1.5]), "prelu per_unit=false": ask([0.25])})
