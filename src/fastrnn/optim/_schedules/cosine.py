# SPDX-License-Identifier: BSD-3-Clause
"""A learning rate that falls along a cosine."""

import math

from ..._engine.arguments import NONNEGATIVE
from ...nn._options import Number, Size
from .schedule import Schedule


class CosineAnnealingLR(Schedule):
    """Lowers the learning rate along half a cosine to `eta_min` in `T_max` steps, and keeps it there.

    Loshchilov, Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017, equation 5, without
    restarts::

        eta_min + (lr - eta_min) (1 + cos(pi count / T_max)) / 2

    (PyTorch's rises again after `T_max` steps.)

    Raises
    ------
    TypeError, ValueError
        `optimizer` has no `lr`, or an option is out of range.

    Examples
    --------
    >>> import fastrnn as fr
    >>> sgd = fr.SGD(fr.Linear(2, 1), lr=0.5)
    >>> schedule = fr.CosineAnnealingLR(sgd, T_max=4, eta_min=0.1)
    >>> for epoch in range(6):
    ...     print(round(sgd.lr, 4), end=" ")  # train for an epoch
    ...     schedule.step()
    0.5 0.4414 0.3 0.1586 0.1 0.1
    """

    T_max: Size = Size("Number of steps to `eta_min`, at least 1.")
    eta_min: Number = Number("The last learning rate, of at least 0.", NONNEGATIVE, default=0.0)

    def at(self, lr: float, count: int) -> float:
        weight = (1 + math.cos(math.pi * min(count, self.T_max) / self.T_max)) / 2
        return weight * lr + (1 - weight) * self.eta_min  # exactly lr at first, exactly eta_min at last
