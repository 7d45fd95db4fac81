"""The layer dense without b, and with W A / sqrt(inputs): values and gradients by PyTorch."""

import math

import torch

from common import matrix, write

torch.set_default_dtype(torch.float64)

INPUTS, OUTPUTS, SAMPLES = 5, 3, 4


def ask(has_bias, is_scaled):
    generator = torch.Generator().manual_seed(3)
    x, w, b, delta = (torch.randn(*shape, generator=generator) for shape in (
        (SAMPLES, INPUTS), (OUTPUTS, INPUTS), (OUTPUTS,), (SAMPLES, OUTPUTS)))
    for tensor in (x, w, b):
        tensor.requires_grad_()
    z = x @ w.T / (math.sqrt(INPUTS) if is_scaled else 1)
    a = torch.tanh(z + b if has_bias else z)
    a.backward(delta)
    answer = {"X": matrix(x.detach()), "W": w.tolist(), "Delta": matrix(delta),
              "A": matrix(a.detach()), "below": matrix(x.grad), "dJ_dW": w.grad.tolist()}
    if has_bias:
        answer.update({"b": matrix(b.detach()), "dJ_db": matrix(b.grad)})
    return answer


write({f"dense bias={str(has_bias).lower()} scaled={str(is_scaled).lower()}":
       ask(has_bias, is_scaled) for has_bias in (True, False) for is_scaled in (True, False)})
