# SPDX-License-Identifier: BSD-3-Clause
"""A learning rate that a function of the user gives."""

from collections.abc import Callable
from typing import Any

from ..._engine.arguments import as_nonnegative
from ...nn._option import Converted
from .schedule import Schedule


def as_function(name: str, value: Any) -> Any:
    """`value`, which can be called."""
    if not callable(value):
        raise TypeError(f"{name}: expected a function of the count, got {type(value).__name__}")
    return value


class LambdaLR(Schedule):
    """Multiplies the learning rate by a custom function of the count: ``lr lr_lambda(count)``.

    Checkpoints contain the count, but not the function: to resume, create the schedule with the same function.

    Raises
    ------
    TypeError, ValueError
        `optimizer` has no `lr`, or an option is out of range. Also later, if the function returns no number of at least
        0.

    Examples
    --------
    >>> import fastrnn as fr
    >>> sgd = fr.SGD(fr.Linear(2, 1), lr=0.5)
    >>> schedule = fr.LambdaLR(sgd, lambda count: 1 / (1 + count))
    >>> for epoch in range(4):
    ...     print(round(sgd.lr, 4), end=" ")  # train for an epoch
    ...     schedule.step()
    0.5 0.25 0.1667 0.125
    """

    lr_lambda: Converted[Callable[[int], float], Callable[[int], float]] = Converted(
        "Returns the factor at a count, from 0.", "callable", as_function, in_config=False
    )

    def at(self, lr: float, count: int) -> float:
        return lr * as_nonnegative(f"lr_lambda({count})", self.lr_lambda(count))

    def _shown(self) -> dict[str, Any]:
        return {"lr_lambda": self.lr_lambda, **self.config()}
