# SPDX-License-Identifier: BSD-3-Clause
"""A learning rate that falls in stairs."""

from ..._engine.arguments import FRACTION
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
    gamma: Number = Number("The factor, in (0, 1].", FRACTION, default=0.1)

    def at(self, lr: float, count: int) -> float:
        return lr * self.gamma ** (count // self.step_size)
