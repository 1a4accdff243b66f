# SPDX-License-Identifier: BSD-3-Clause
"""Learning rates that are multiplied by a factor again and again."""

from collections.abc import Sequence

from ..._engine.arguments import POSITIVE, as_size
from ...nn._option import Converted
from ...nn._options import Number, Size
from .schedule import Schedule


class StepLR(Schedule):
    """Multiplies the learning rate by `gamma` after every `step_size` steps: ``lr gamma**(count // step_size)``.

    Raises
    ------
    TypeError, ValueError
        `optimizer` has no `lr`, or an option is out of range.

    Examples
    --------
    >>> import fastrnn as fr
    >>> sgd = fr.SGD(fr.Linear(2, 1), lr=0.5)
    >>> schedule = fr.StepLR(sgd, step_size=2, gamma=0.5)
    >>> for epoch in range(5):
    ...     print(sgd.lr, end=" ")  # train for an epoch
    ...     schedule.step()
    0.5 0.5 0.25 0.25 0.125
    """

    step_size: Size = Size("Number of steps with the same learning rate, at least 1.")
    gamma: Number = Number("The factor, above 0.", POSITIVE, default=0.1)

    def at(self, lr: float, count: int) -> float:
        return lr * self.gamma ** (count // self.step_size)


def as_milestones(name: str, value: Sequence[int]) -> tuple[int, ...]:
    """`value` as increasing integers of at least 1."""
    if not isinstance(value, list | tuple):
        raise TypeError(f"{name}: expected a list of integers, got {type(value).__name__}")
    milestones = tuple(as_size(f"{name}[{k}]", milestone) for k, milestone in enumerate(value))
    if any(later <= earlier for earlier, later in zip(milestones, milestones[1:], strict=False)):
        raise ValueError(f"{name}: expected increasing integers, got {list(milestones)}")
    return milestones


class MultiStepLR(Schedule):
    """Multiplies the learning rate by `gamma` at each of several counts.

    ::

        lr gamma**(number of milestones of at most count)

    Raises
    ------
    TypeError, ValueError
        `optimizer` has no `lr`, or an option is out of range.

    Examples
    --------
    >>> import fastrnn as fr
    >>> sgd = fr.SGD(fr.Linear(2, 1), lr=0.5)
    >>> schedule = fr.MultiStepLR(sgd, milestones=[1, 4], gamma=0.5)
    >>> for epoch in range(5):
    ...     print(sgd.lr, end=" ")  # train for an epoch
    ...     schedule.step()
    0.5 0.25 0.25 0.25 0.125
    """

    milestones: Converted[Sequence[int], tuple[int, ...]] = Converted(
        "The counts, increasing, each at least 1.", "list of int", as_milestones
    )
    gamma: Number = Number("The factor, above 0.", POSITIVE, default=0.1)

    def at(self, lr: float, count: int) -> float:
        return lr * self.gamma ** sum(milestone <= count for milestone in self.milestones)


class ExponentialLR(Schedule):
    """Multiplies the learning rate by `gamma` in every step: ``lr gamma**count``.

    Raises
    ------
    TypeError, ValueError
        `optimizer` has no `lr`, or an option is out of range.

    Examples
    --------
    >>> import fastrnn as fr
    >>> sgd = fr.SGD(fr.Linear(2, 1), lr=0.5)
    >>> schedule = fr.ExponentialLR(sgd, gamma=0.5, per="epoch")
    >>> for epoch in range(4):
    ...     print(sgd.lr, end=" ")  # train for an epoch
    ...     schedule.step()
    0.5 0.25 0.125 0.0625
    """

    gamma: Number = Number("The factor, above 0.", POSITIVE)

    def at(self, lr: float, count: int) -> float:
        return lr * self.gamma**count
