# SPDX-License-Identifier: BSD-3-Clause
"""Whole training steps, from the batch to changed parameters, and reservoirs: with the share of each part.

`cases` declares them; there is a module for each library that takes part.
"""

import importlib
from collections.abc import Callable
from typing import Any

from ..peers import Outputs
from .cases import Step

PEERS = {"steps-reservoir": ("fastrnn", "reservoirpy")}  # by group; of other groups:
MOST = ("fastrnn", "torch")
ONLY_STEPS = ("reservoirpy",)  # takes part in nothing else

Parts = Callable[[], dict[str, float]]
StepCalls = tuple[Callable[[], object], Callable[[], Outputs], Parts]


def prepare(peer: str, step: Step) -> StepCalls:
    """Set up a step.

    Returns
    -------
    call : callable
        What is timed.
    outputs : callable
        Returns what the first step computes: ``y`` and, in training, the gradient of each parameter by its name.
    parts : callable
        Makes a call and returns the seconds of each of its parts, and those of the whole as ``whole``.
    """
    module: Any = importlib.import_module(f"{__name__}.{peer}")
    return getattr(module, step.model)(step)
