"""Schedules: the factors of the rate at the beginning of each of EPOCHS + 1 epochs."""

import torch
from torch.optim import lr_scheduler

from common import write

EPOCHS = 24

# A factor that our one_cycle has at a fraction of all epochs, PyTorch has one step before that
RISE = (0.3 * EPOCHS + 1) / (EPOCHS + 1)

SCHEDULES = {
    "step": lambda o: lr_scheduler.StepLR(o, 10),
    "step every=3 factor=0.5": lambda o: lr_scheduler.StepLR(o, 3, 0.5),
    "multi_step": lambda o: lr_scheduler.MultiStepLR(o, [3, 4, 11], 0.5),
    "exponential": lambda o: lr_scheduler.ExponentialLR(o, 0.95),
    "polynomial": lambda o: lr_scheduler.PolynomialLR(o, EPOCHS, 1),
    "polynomial power=2.5": lambda o: lr_scheduler.PolynomialLR(o, EPOCHS, 2.5),
    "cosine floor=0.1": lambda o: lr_scheduler.CosineAnnealingLR(o, EPOCHS, 0.1),
    "cosine_restarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 10),
    "cosine_restarts epochs=3 growth=2 floor=0.1":
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 3, 2, 0.1),
    "one_cycle": lambda o: lr_scheduler.OneCycleLR(o, 1, EPOCHS + 1, pct_start=RISE),
}

# The monitored number of each epoch, and how it is looked at
LOSSES = [1, 0.9, 0.95, 0.90001, 0.9, 0.8, 0.85, 0.85, 0.85, 0.79, 0.795, 0.8, 0.81, 0.82, 0.7]
PLATEAUS = {
    "plateau patience=2": {"patience": 2},
    "plateau patience=1 cooldown=2 factor=0.5": {"patience": 1, "cooldown": 2, "factor": 0.5},
    "plateau patience=0 threshold=0.01 floor=0.005":
        {"patience": 0, "threshold": 0.01, "min_lr": 0.005},
    "plateau patience=2 mode=max": {"patience": 2, "mode": "max"},
}


def new_optimizer():
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1)


def factors(make):
    optimizer = new_optimizer()
    schedule, rates = make(optimizer), []
    for epoch in range(EPOCHS + 1):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if epoch < EPOCHS:
            schedule.step()
    return {"epochs": EPOCHS, "factors": rates}


def reduced(options):
    optimizer = new_optimizer()
    schedule, rates = lr_scheduler.ReduceLROnPlateau(optimizer, **{"eps": 0, **options}), []
    for loss in LOSSES:
        schedule.step(loss)
        rates.append(optimizer.param_groups[0]["lr"])
    return {"losses": LOSSES, "factors": rates}


write({**{name: factors(make) for name, make in SCHEDULES.items()},
       **{name: reduced(options) for name, options in PLATEAUS.items()}})
