# SPDX-License-Identifier: BSD-3-Clause
"""Losses that are a mean over positions and do not need row boundaries."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

Loss = TypeVar("Loss", bound=Callable[..., Any])


def of_positions(loss: Loss) -> Loss:
    """Mark a loss that can be computed on packed positions (R, ...) without the lengths of the rows."""
    loss.of_positions = True  # type: ignore[attr-defined]
    return loss


def takes_positions(function: Callable[..., Any]) -> bool:
    """Whether a function is marked so, also with some of its arguments fixed."""
    while isinstance(function, partial):
        function = function.func
    return getattr(function, "of_positions", False) is True
