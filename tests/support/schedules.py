# SPDX-License-Identifier: BSD-3-Clause
"""Schedules in a few settings, and the learning rates that they give."""

from fastrnn.optim import (
    SGD,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    ExponentialLR,
    LambdaLR,
    LinearWarmup,
    MultiStepLR,
    OneCycleLR,
    ReduceLROnPlateau,
    StepLR,
)

from .optimizers import Model, train

# Relative to the first learning rate. PyTorch multiplies step by step and drifts by a rounding or two in each.
RTOL = 1e-12

# name: a function that makes one for an optimizer
BY_COUNT = {
    "step": lambda o: StepLR(o, 3, gamma=0.3),
    "step-up": lambda o: StepLR(o, 4, gamma=1.25),
    "multi-step": lambda o: MultiStepLR(o, [2, 5, 6, 11], gamma=0.3),
    "exponential": lambda o: ExponentialLR(o, 0.9),
    "lambda": lambda o: LambdaLR(o, lambda count: 1 / (1 + count)),
    "cosine": lambda o: CosineAnnealingLR(o, 10, eta_min=0.01),
    "restarts": lambda o: CosineAnnealingWarmRestarts(o, 3, eta_min=0.01),
    "restarts-longer": lambda o: CosineAnnealingWarmRestarts(o, 3, T_mult=2),
    "one-cycle": lambda o: OneCycleLR(o, 0.7, 20),
    "one-cycle-line": lambda o: OneCycleLR(o, 0.7, 20, pct_start=0.25, anneal_strategy="linear"),
    "one-cycle-three": lambda o: OneCycleLR(o, 0.7, 20, three_phase=True, div_factor=5, final_div_factor=10),
    "warmup": lambda o: LinearWarmup(o, 7),
    "warmup-cosine": lambda o: LinearWarmup(o, 4, after=CosineAnnealingLR(o, 10)),
    "warmup-exponential": lambda o: LinearWarmup(o, 4, after=ExponentialLR(o, 0.9)),
    "warmup-warmup": lambda o: LinearWarmup(o, 2, after=LinearWarmup(o, 4, after=StepLR(o, 2))),
}


def values(make, steps, lr=0.5):
    """The learning rates of `steps` steps, the first before any."""
    optimizer = SGD(Model(), lr=lr)
    schedule, found = make(optimizer), []
    for _ in range(steps):
        found.append(optimizer.lr)
        schedule.step()
    return found


def plateau(metrics, lr=0.5, **options):
    optimizer = SGD(Model(), lr=lr)
    schedule, found = ReduceLROnPlateau(optimizer, **options), []
    for metric in metrics:
        schedule.step(metric)
        found.append(optimizer.lr)
    return found


def run(optimizer, schedule, steps):
    for t in steps:
        train(optimizer.model, optimizer, [t])
        schedule.step(*([1.0] if isinstance(schedule, ReduceLROnPlateau) else []))


def torch_optimizer(torch, lr):
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
