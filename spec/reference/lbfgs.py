"""L-BFGS: where PyTorch's takes given parameters, step by step, of a valley and of a bowl.

With p of five elements, counted from 0, J of the valley is Rosenbrock's,

    sum for k < 4 of 10 (p_(k+1) - p_k^2)^2 + (1 - p_k)^2

and that of the bowl

    sum of (k + 1) / 4 log cosh(p_k - k / 10)

of which the specs compute the same. Printed are p and the evaluations so far, after some steps.
"""

import torch

from common import write

torch.set_default_dtype(torch.float64)

START = [1.0, -2.0, 0.5, 3.0, -0.25]
PRINTED = [1, 2, 3, 5, 8]


def valley(p):
    return (10 * (p[1:] - p[:-1] ** 2) ** 2 + (1 - p[:-1]) ** 2).sum()


def bowl(p):
    k = torch.arange(len(p))
    return ((k + 1) / 4 * torch.log(torch.cosh(p - k / 10))).sum()


PROBLEMS = {"valley": valley, "bowl": bowl}
NAMES = {"rate": "lr", "history": "history_size", "iterations": "max_iter",
         "evaluations": "max_eval", "tolerance_gradient": "tolerance_grad"}

CASES = [
    "lbfgs iterations=1, valley",
    "lbfgs iterations=3, valley",
    "lbfgs iterations=4 history=2, valley",
    "lbfgs iterations=10 evaluations=6, valley",
    "lbfgs iterations=5 rate=0.3, valley",
    "lbfgs tolerance_change=0.01 tolerance_gradient=0.1, valley",
    "lbfgs line_search=none rate=0.1 iterations=3, bowl",
    "lbfgs line_search=none rate=0.2 history=1 iterations=4, bowl",
    "lbfgs iterations=2 rate=5, bowl",
    "lbfgs iterations=1 rate=0.01, bowl",
]


def ask(case):
    description, problem = case.split(", ")
    options = {"line_search_fn": "strong_wolfe", "history_size": 10}
    for word in description.split()[1:]:
        name, value = word.split("=")
        if name == "line_search":
            options["line_search_fn"] = None
        else:
            whole = name in ("iterations", "evaluations", "history")
            options[NAMES.get(name, name)] = int(value) if whole else float(value)
    p = torch.nn.Parameter(torch.tensor(START))
    optimizer = torch.optim.LBFGS([p], **options)
    evaluations = 0

    def closure():
        nonlocal evaluations
        evaluations += 1
        optimizer.zero_grad()
        J = PROBLEMS[problem](p)
        J.backward()
        return J

    answer = {"start": START, "problem": problem, "steps": PRINTED, "p": [], "evaluations": []}
    for step in range(1, PRINTED[-1] + 1):
        optimizer.step(closure)
        if step in PRINTED:
            answer["p"].append(p.tolist())
            answer["evaluations"].append(evaluations)
    return answer


write({case: ask(case) for case in CASES})
