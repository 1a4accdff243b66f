# SPDX-License-Identifier: BSD-3-Clause
"""Schedules in a few settings, and the learning rates that they give."""

from fastrnn.optim import SGD, CosineAnnealingLR, LinearWarmup, ReduceLROnPlateau, StepLR

from .optimizers import Model, train

# Relative to the first learning rate. PyTorch multiplies step by step and drifts by a rounding or two in each.
RTOL = 1e-12

# name: a function that makes one for an optimizer
BY_COUNT = {
    "step": lambda o: StepLR(o, 3, gamma=0.3),
    "cosine": lambda o: CosineAnnealingLR(o, 10, eta_min=0.01),
    "warmup": lambda o: LinearWarmup(o, 7),
    "warmup-cosine": lambda o: LinearWarmup(o, 4, after=CosineAnnealingLR(o, 10)),
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
