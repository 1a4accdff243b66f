# SPDX-License-Identifier: BSD-3-Clause
"""A learning rate that falls when a metric no longer improves."""

import math
from numbers import Real
from typing import ClassVar

from ..._engine.arguments import NONNEGATIVE, NUMBER, Interval
from ...nn._option import KW_ONLY
from ...nn._options import Choice, Number, Size
from .schedule import Schedule


class ReduceLROnPlateau(Schedule):
    """Multiplies the learning rate by `factor` when a metric has not improved for more than `patience` steps.

    An improvement is more than `threshold` of the best value so far; nan is never an improvement. `count` is the
    number of reductions::

        max(lr factor**count, min_lr)

    Attributes
    ----------
    best : float
        The best metric so far.
    bad : int
        Steps since then, or since the last reduction.

    Raises
    ------
    TypeError, ValueError
        `optimizer` has no `lr`, or an option is out of range.

    Examples
    --------
    >>> import fastrnn as fr
    >>> sgd = fr.SGD(fr.Linear(2, 1), lr=0.5)
    >>> schedule = fr.ReduceLROnPlateau(sgd, factor=0.5, patience=1)
    >>> for loss in [3.0, 2.0, 2.0, 2.0, 2.0]:
    ...     schedule.step(loss)  # after each epoch
    ...     print(sgd.lr, end=" ")
    0.5 0.5 0.5 0.25 0.25
    """

    factor: Number = Number("In (0, 1).", Interval(0, 1, "()"), default=0.1)
    patience: Size = Size(
        "Steps in a row without improvement that are accepted; the next one reduces.", low=0, default=10
    )
    threshold: Number = Number(
        "In [0, 1), relative to the magnitude of the best metric. (PyTorch's has the wrong sign for negative metrics.)",
        Interval(0, 1),
        default=1e-4,
    )
    min_lr: Number = Number("No reduction goes below this learning rate, of at least 0.", NONNEGATIVE, default=0.0)
    mode: Choice = Choice("Whether a smaller or a larger metric is better.", ("min", "max"), default="min")
    _: KW_ONLY
    per: Choice = Choice("`fit` calls `step` after every epoch.", ("epoch",), default="epoch", omit=True)
    best: Number = Number("The best metric so far.", NUMBER, init=False)
    bad: Size = Size("Steps since then, or since the last reduction.", low=0, default=0, init=False)
    state_names: ClassVar[tuple[str, ...]] = (*Schedule.state_names, "best", "bad")

    def _setup(self) -> None:
        self.best = math.inf if self.mode == "min" else -math.inf
        super()._setup()

    def at(self, lr: float, count: int) -> float:
        return max(lr * self.factor**count, min(self.min_lr, lr))

    def step(self, metric: float) -> None:  # type: ignore[override]  # the others follow a count
        """Report the metric of an epoch, and reduce the learning rate if necessary.

        Parameters
        ----------
        metric : float

        Raises
        ------
        TypeError
            It is not a number.
        """
        if not isinstance(metric, Real):
            raise TypeError(f"metric: expected a number, got {type(metric).__name__}")
        if self._is_better(metric):
            self.best, self.bad = metric, 0
        else:
            self.bad += 1
        if self.bad > self.patience:
            self.bad = 0
            super().step()

    def _is_better(self, metric: float) -> bool:
        outward = (self.best > 0) == (self.mode == "max")  # better is larger in magnitude
        bound = self.best * (1 + (self.threshold if outward else -self.threshold))
        return metric > bound if self.mode == "max" else metric < bound
